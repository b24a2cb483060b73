"""The shapes of time on the wire."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.platform.wire_time import (
    birthday_text,
    epoch_millis,
    from_epoch_millis,
    gmt_text,
    iso_z,
    parse_birthday,
    utc_text,
)

MOMENT = datetime(2026, 6, 17, 18, 50, 40, 999_999, timezone(timedelta(hours=2)))


def test_each_shape() -> None:
    assert gmt_text(MOMENT) == "2026-06-17T16:50:40GMT"
    assert iso_z(MOMENT) == "2026-06-17T16:50:40Z"
    assert utc_text(MOMENT) == "2026-06-17 16:50:40"
    assert epoch_millis(MOMENT) == 1781715040999
    assert [shape(None) for shape in (gmt_text, iso_z, utc_text, epoch_millis, birthday_text)] == [None] * 5


@given(st.dates())
def test_birthdays_round_trip(day: date) -> None:
    assert parse_birthday(birthday_text(day) or "") == day


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_milliseconds_round_trip(moment: datetime) -> None:
    read = from_epoch_millis(epoch_millis(moment))
    assert read is not None
    assert abs(read - moment) <= timedelta(milliseconds=1)


@pytest.mark.parametrize("text", ["", "Jun 5 2001", "5 Jun, 2001", "Jun 32, 2001", "Jun 5, 01", "jun 5, 20011"])
def test_what_is_no_birthday(text: str) -> None:
    assert parse_birthday(text) is None
