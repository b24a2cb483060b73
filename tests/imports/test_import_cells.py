"""What columns are taken for, and how cells are read."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.imports import cells
from rooftree.imports.cells import RowError
from rooftree.imports.columns import guess, target_of
from rooftree.imports.plan import Mapping, decode_mapping, encode_mapping
from rooftree.leads.fields import normal_phone


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("First Name", "firstName"),
        ("E-mail 1", "emails"),
        ("E-mail 2 - Value", "emails"),
        ("Mobile Phone", "phones"),
        ("Lead Owner", "assignedUserId"),
        ("Date Added", "createTime"),
        ("Postal Code", "zipCode"),
        ("buyingTimeFrame", "buyingTimeFrame"),
        ("inquiry.priceMin", "inquiry.priceMin"),
        ("property.squareFeet", "property.squareFeet"),
        ("Favourite Colour", None),
        ("", None),
    ],
)
def test_headers_of_other_programs(header: str, target: str | None) -> None:
    assert target_of(header) == target


def test_a_second_single_thing_is_unknown_and_our_own_columns_are_left_out() -> None:
    assert guess(["City", "Town", "Phone", "Cell", "row", "reason"]) == {
        "City": "city",
        "Town": None,
        "Phone": "phones",
        "Cell": "phones",
        "row": "ignore",
        "reason": "ignore",
    }


@pytest.mark.parametrize(
    ("given", "amount"), [("$450,000", 450_000), ("450k", 450_000), ("1.2M", 1_200_000), (3.0, 3), ("2.5", 2.5)]
)
def test_amounts(given: object, amount: float) -> None:
    assert cells.number(given) == amount


@pytest.mark.parametrize("given", ["lots", "1-2", "12/24"])
def test_what_is_no_amount_is_refused(given: str) -> None:
    with pytest.raises(RowError):
        cells.number(given)


@pytest.mark.parametrize(
    ("given", "day_first", "wanted"),
    [
        ("2001-06-05", False, "Jun 5, 2001"),
        ("6/5/2001", False, "Jun 5, 2001"),
        ("5/6/2001", True, "Jun 5, 2001"),
        ("Jun 05, 2001", False, "Jun 5, 2001"),
        ("6/5/81", False, "Jun 5, 1981"),
        (datetime(2001, 6, 5), False, "Jun 5, 2001"),
    ],
)
def test_days(given: object, day_first: bool, wanted: str) -> None:
    assert cells.birthday(given, day_first=day_first) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("2024-01-05T10:00:00Z", datetime(2024, 1, 5, 10, tzinfo=UTC)),
        ("2024-01-05T10:00:00", datetime(2024, 1, 5, 18, tzinfo=UTC)),
        ("1/5/2024 3:05 PM", datetime(2024, 1, 5, 23, 5, tzinfo=UTC)),
        ("1/5/2024", datetime(2024, 1, 5, 8, tzinfo=UTC)),
        ("1704448800000", datetime(2024, 1, 5, 10, tzinfo=UTC)),
    ],
)
def test_moments_are_on_the_teams_clocks(given: str, wanted: datetime) -> None:
    assert cells.moment(given, day_first=False, zone=ZoneInfo("America/Los_Angeles")) == wanted


@pytest.mark.parametrize("given", ["soon", "13/13/2024", "2024-02-30"])
def test_what_is_no_day_is_refused(given: str) -> None:
    with pytest.raises(RowError):
        cells.day(given, day_first=False)


@given(
    digits=st.text("0123456789", min_size=10, max_size=10),
    form=st.sampled_from(["{}{}{}", "({}) {}-{}", "{}-{}-{}", "{}.{}.{}", " {} {} {} "]),
    region=st.sampled_from(["US", "CA", "DE"]),
)
def test_the_short_way_to_a_number_agrees_with_the_library(digits: str, form: str, region: str) -> None:
    number = form.format(digits[:3], digits[3:6], digits[6:])
    parsed = phonenumbers.parse(number, region)
    if phonenumbers.is_possible_number(parsed):
        wanted = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        assert normal_phone(number, region) == wanted
    else:
        assert normal_phone(number, region) == digits


def test_lists_labels_types_and_consent() -> None:
    assert cells.several("a@x.com; n/a, b@x.com") == ["a@x.com", "b@x.com"]
    assert cells.labels("Smith, Jr.; VIP") == ["Smith, Jr.", "VIP"]
    assert cells.labels("a, b") == ["a", "b"]
    assert cells.lead_types("Buyer/Seller") == [2, 1]
    assert (cells.flag("Yes"), cells.flag("0"), cells.yes_no("TRUE")) == (True, False, "Yes")
    with pytest.raises(RowError):
        cells.flag("perhaps")


@pytest.mark.parametrize("is_toml", [True, False])
def test_a_mapping_is_read_as_it_was_written(is_toml: bool) -> None:
    mapping = Mapping({'E-mail "1"': "emails", "Größe\t\\": "custom:Größe"}, {"Status": {"Old = 1": "New Lead"}})
    assert decode_mapping(encode_mapping(mapping, is_toml=is_toml), is_toml=is_toml) == mapping
