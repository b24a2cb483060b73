"""When to try again, whom not to write to, and when to be quiet."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.messaging import rules
from rooftree.messaging.zones import zone_of

NIGHT = (time(21), time(8))
CHICAGO = ZoneInfo("America/Chicago")


def test_pauses_grow_and_end() -> None:
    pauses = [rules.pause_after(attempts, None) for attempts in range(1, len(rules.PAUSES_SECONDS) + 2)]
    assert pauses[-1] is None, "given up"
    known = [pause for pause in pauses if pause is not None]
    assert known == sorted(known)
    assert sum(known) > 20 * 3600, "a provider may be away for most of a day"


def test_a_provider_may_ask_for_more_patience_but_not_for_less() -> None:
    assert rules.pause_after(1, 600) == 600
    assert rules.pause_after(5, 1) == rules.PAUSES_SECONDS[4]
    assert rules.pause_after(1, 10**9) == 24 * 3600


@pytest.mark.parametrize(
    ("channel", "flags", "named"),
    [
        ("email", {"cannot_email": True}, "cannotEmail"),
        ("email", {"is_unsubscribed": True}, "unsubscription"),
        ("email", {"suppressed": "bounced"}, "bounced"),
        ("email", {"suppressed": "unsubscribed"}, "unsubscription"),
        ("sms", {"cannot_text": True}, "cannotText"),
        ("sms", {"suppressed": "opted_out"}, "optedOut"),
        ("email", {"cannot_text": True}, None),
        ("sms", {"cannot_email": True, "is_unsubscribed": True}, None),
        ("email", {}, None),
    ],
)
def test_a_refusal_names_the_flag(channel: str, flags: dict[str, object], named: str | None) -> None:
    given_flags = {"cannot_email": False, "cannot_text": False, "is_unsubscribed": False, "suppressed": None}
    found = rules.refusal(channel, **{**given_flags, **flags})  # type: ignore[arg-type]
    assert (found or "").startswith(named) if named else found is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("21:00-08:00", NIGHT), ("12:30-13:00", (time(12, 30), time(13)))],
)
def test_quiet_hours_are_read(text: str, expected: object) -> None:
    assert rules.parse_quiet_hours(text) == expected


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ("2026-05-06T20:59", "2026-05-06T20:59"),
        ("2026-05-06T21:00", "2026-05-07T08:00"),
        ("2026-05-07T00:30", "2026-05-07T08:00"),
        ("2026-05-07T07:59", "2026-05-07T08:00"),
        ("2026-05-07T08:00", "2026-05-07T08:00"),
        ("2026-03-08T01:30", "2026-03-08T08:00"),
        ("2026-11-01T00:30", "2026-11-01T08:00"),
    ],
)
def test_the_night_ends_on_the_lead_s_own_clock(local: str, until: str) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=CHICAGO).astimezone(UTC)
    expected = datetime.fromisoformat(until).replace(tzinfo=CHICAGO)
    assert rules.after_quiet_hours(moment, CHICAGO, NIGHT) == expected


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))


@given(MOMENTS, st.sampled_from(["America/New_York", "Pacific/Honolulu", "Asia/Kathmandu"]), TIMES, TIMES)
def test_nobody_is_woken_and_nobody_waits_longer_than_a_day(
    moment: datetime, name: str, start: time, end: time
) -> None:
    zone = ZoneInfo(name)
    until = rules.after_quiet_hours(moment, zone, (start, end))
    assert moment <= until <= moment + timedelta(hours=25)
    clock = until.astimezone(zone).time()
    if start < end:
        assert not start <= clock < end
    elif start > end:
        assert end <= clock < start or clock == end


@pytest.mark.parametrize(
    ("state", "phones", "expected"),
    [
        ("TX", [], "America/Chicago"),
        ("texas", ["+12125550100"], "America/Chicago"),
        (None, ["+12125550100"], "America/New_York"),
        ("", ["808-555-0100"], "Pacific/Honolulu"),
        ("Bavaria", ["+4930123456"], "Europe/Berlin"),
        (None, ["nonsense"], "America/Denver"),
        (None, [], "America/Denver"),
    ],
)
def test_a_lead_lives_by_their_address_then_by_their_number(state: str, phones: list[str], expected: str) -> None:
    assert zone_of(state, phones, "US", "America/Denver") == ZoneInfo(expected)
