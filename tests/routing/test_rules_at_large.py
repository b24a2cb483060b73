"""The rules over wide inputs: first match, no lost lead, fair shares, clocks that jump."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rooftree.routing import rules
from rooftree.routing.actions import rehearse
from rooftree.routing.model import (
    BLAST_ALERT,
    COMPANY,
    DEFAULT_ASSIGNEE,
    LEAD_POND,
    NEXT_UP,
    ROUND_ROBIN,
    Assignment,
    Book,
    Criteria,
    Place,
    Question,
    Rule,
    Seat,
    Tried,
)

OWNER, OFFICE, POND = 1, 70, 80
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
_SOURCES = ("Zillow", "zillow", "Web", "")
_TAGS = ("hot", "VIP", "cold")


def rule(rule_id: int, **fields: Any) -> Rule:
    weights = msgspec.json.encode(fields.pop("weights", []))
    criteria = msgspec.json.encode(fields.pop("criteria", Criteria()))
    plain = replace(rules.default_rule(None), id=rule_id, position=rule_id, is_supplement=False)
    return replace(plain, weights=weights, criteria=criteria, **fields)


def book(found: Sequence[Rule], seats: Sequence[Seat] = ()) -> Book:
    everybody = [Seat(OWNER, "Olive", "owner"), *seats]
    return Book("America/Denver", frozenset({OFFICE}), found, {seat.id: seat for seat in everybody}, {POND: "Lake"})


def question(**fields: Any) -> Question:
    return Question(**{"assign_group_id": None, "ownership_scope": "TEAM", "ownership_id": 0, "caller_id": 0, **fields})


_criteria = st.builds(
    Criteria,
    source_names=st.lists(st.sampled_from(_SOURCES[:3]), max_size=2),
    source_match=st.integers(0, 3),
    tag_names=st.lists(st.sampled_from(_TAGS), max_size=2),
    tag_match=st.integers(0, 3),
    lead_type_ids=st.lists(st.sampled_from([1, 2, 3, 5]), max_size=2),
    lead_type_match=st.sampled_from([1, 3]),
    location_match=st.integers(0, 3),
    city=st.sampled_from(["", "Denver", "Denver, Boulder"]),
    state=st.sampled_from(["", "CO", "colorado"]),
    phone=st.sampled_from(["", "With", "Without"]),
    price_min=st.none() | st.integers(0, 10),
    price_max=st.none() | st.integers(0, 10),
)
_questions = st.builds(
    question,
    assign_group_id=st.sampled_from([None, COMPANY, OFFICE]),
    caller_id=st.sampled_from([0, 10, 99]),
    lead_types=st.lists(st.sampled_from([1, 2, 5]), max_size=2, unique=True),
    source=st.sampled_from(_SOURCES),
    tags=st.lists(st.sampled_from(_TAGS), max_size=2),
    price_min=st.none() | st.integers(0, 10),
    price_max=st.none() | st.integers(0, 10),
    places=st.lists(
        st.builds(Place, state=st.sampled_from(["", "CO"]), city=st.sampled_from(["", "denver"])), max_size=2
    ),
    has_phone=st.booleans(),
)


@st.composite
def _rules(draw: st.DrawFn) -> list[Rule]:
    return [
        rule(
            number,
            criteria=draw(_criteria),
            office_id=draw(st.sampled_from([None, OFFICE])),
            strategy=draw(st.sampled_from([ROUND_ROBIN, NEXT_UP, BLAST_ALERT, LEAD_POND])),
            touch_minutes=15,
            pond_id=draw(st.sampled_from([None, POND, 81])),
            weights=draw(
                st.lists(st.tuples(st.integers(10, 14), st.integers(0, 3)), max_size=3, unique_by=lambda p: p[0])
            ),
            active_days=draw(st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True)),
            hours_start=draw(st.integers(0, 23)),
            hours_end=draw(st.integers(0, 23)),
        )
        for number in range(1, draw(st.integers(1, 5)))
    ]


_seats = st.lists(
    st.builds(
        Seat,
        id=st.integers(10, 14),
        name=st.just("A"),
        role=st.sampled_from(["agent", "agent", "lender"]),
        office_ids=st.sampled_from([(), (OFFICE,)]),
        is_paused=st.booleans(),
        daily_cap=st.none() | st.integers(0, 3),
    ),
    max_size=5,
    unique_by=lambda seat: seat.id,
)


async def chosen(found: Book, asked: Sequence[Question], at: datetime = NOON) -> list[Assignment]:
    return await rehearse(found, [(one, at) for one in asked])


@given(found=_rules(), seats=_seats, asked=st.lists(_questions, min_size=1, max_size=6))
async def test_no_lead_is_lost_and_the_first_match_wins(
    found: list[Rule], seats: list[Seat], asked: list[Question]
) -> None:
    whole = book(found, seats)
    for one, what in zip(await chosen(whole, asked), asked, strict=True):
        outcomes = (one.member_id is not None, one.pond_id is not None, bool(one.offered_to))
        assert sum(outcomes) == 1, "an agent, a pond, or an offer: exactly one of them"
        assert one.reason
        if one.member_id is not None:
            seat = whole.seats[one.member_id]
            assert one.scope in ("caller", "owner") or not rules.why_skipped(seat, what.tried_ids, NOON)
        levels = [70, COMPANY] if what.assign_group_id == OFFICE else [COMPANY]
        in_order = [one for level in levels for one in rules.rules_of(whole, 1, -1, level)]
        assert [tried.rule_id for tried in one.tried] == [rule.id for rule in in_order][: len(one.tried)]
        *before, last = one.tried
        assert all(tried.failed for tried in before)
        assert not last.failed or one.scope in ("caller", "owner")
        for tried, known in zip(one.tried, in_order, strict=False):
            miss = None if known.is_supplement else rules.why_not(known, what, NOON, whole.time_zone)
            assert tried.failed == (miss.condition if miss else tried.failed)
            assert miss is None or tried.failed


@given(weights=st.lists(st.integers(1, 9), min_size=1, max_size=6), leads=st.integers(1, 120))
async def test_after_any_number_of_leads_nobody_is_a_whole_lead_away_from_their_share(
    weights: list[int], leads: int
) -> None:
    line = [(10 + number, weight) for number, weight in enumerate(weights)]
    seats = [Seat(member_id, "A", "agent") for member_id, _ in line]
    got = Counter(one.member_id for one in await chosen(book([rule(1, weights=line)], seats), [question()] * leads))
    for member_id, weight in line:
        assert abs(got[member_id] - leads * weight / sum(weights)) < 1


@given(caps=st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=4), leads=st.integers(1, 30))
async def test_nobody_gets_more_than_their_limit_of_a_day(caps: list[int | None], leads: int) -> None:
    seats = [Seat(10 + number, "A", "agent", daily_cap=cap) for number, cap in enumerate(caps)]
    got = Counter(one.member_id for one in await chosen(book([], seats), [question()] * leads))
    for seat in seats:
        assert seat.daily_cap is None or got[seat.id] <= seat.daily_cap
    assert got[OWNER] == (0 if None in caps else max(0, leads - sum(cap or 0 for cap in caps)))


# --- conditions ------------------------------------------------------------------------------------------------------


@given(match=st.integers(0, 3), wanted=st.lists(st.sampled_from(_TAGS)), had=st.lists(st.sampled_from(_TAGS)))
def test_words_are_compared_as_sets_without_case(match: int, wanted: list[str], had: list[str]) -> None:
    asked = rule(1, criteria=Criteria(tag_names=[word.upper() for word in wanted], tag_match=match))
    is_taken = rules.why_not(asked, question(tags=[word.lower() for word in had]), NOON, "UTC") is None
    both = set(wanted) & set(had)
    expected = {0: True, 1: bool(both), 2: not both, 3: both == set(wanted)}[match]
    assert is_taken == (expected or not wanted)


@given(
    low=st.none() | st.integers(0, 9), high=st.none() | st.integers(0, 9),
    had_low=st.none() | st.integers(0, 9), had_high=st.none() | st.integers(0, 9),
)  # fmt: skip
def test_prices_have_to_meet(low: int | None, high: int | None, had_low: int | None, had_high: int | None) -> None:
    asked = rule(1, criteria=Criteria(price_min=low, price_max=high))
    is_taken = rules.why_not(asked, question(price_min=had_low, price_max=had_high), NOON, "UTC") is None
    if low is None and high is None:
        assert is_taken
    elif had_low is None and had_high is None:
        assert not is_taken
    else:
        first = had_low if had_low is not None else had_high
        last = had_high if had_high is not None else had_low
        assert first is not None
        assert last is not None
        assert is_taken == ((low is None or last >= low) and (high is None or first <= high))


def test_buyer_and_seller_is_both() -> None:
    asked = rule(1, criteria=Criteria(lead_type_ids=[3]))
    taken = [
        rules.why_not(asked, question(lead_types=kinds), NOON, "UTC") is None for kinds in ([1], [2], [1, 2], [2, 5])
    ]
    assert taken == [False, False, True, False]


@pytest.mark.parametrize(
    ("zip_code", "is_taken"), [("80202", True), ("80202-1234", True), ("8020", False), ("", False)]
)
def test_a_zip_code_counts_by_its_five_digits(zip_code: str, is_taken: bool) -> None:
    asked = rule(1, criteria=Criteria(location_match=1, zipcode="80202, 80203-0000"))
    assert (rules.why_not(asked, question(places=[Place(zip_code=zip_code)]), NOON, "UTC") is None) == is_taken


# --- clocks ----------------------------------------------------------------------------------------------------------

_ZONES = ("America/Denver", "Europe/London", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "UTC")


@given(
    zone=st.sampled_from(_ZONES),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    start=st.integers(0, 23),
    end=st.integers(0, 23),
    days=st.sets(st.integers(1, 7), min_size=1),
)
def test_a_moment_is_in_or_out_by_the_clock_on_the_wall(
    zone: str, at: datetime, start: int, end: int, days: set[int]
) -> None:
    asked = rule(1, hours_start=start, hours_end=end, active_days=sorted(days), time_zone=zone)
    local = at.astimezone(ZoneInfo(zone))
    length = (end - start) % 24 or 24
    began = [local.date() - timedelta(days=back) for back in (0, 1)]
    hours = [local.hour, local.hour + 24]
    if start == end:
        expected = local.isoweekday() in days
    else:
        expected = any(
            day.isoweekday() in days and start <= hour < start + length for day, hour in zip(began, hours, strict=True)
        )
    assert (rules.why_not(asked, question(), at, "UTC") is None) == expected


def test_the_hour_that_is_left_out_and_the_hour_that_comes_twice() -> None:
    night = rule(1, hours_start=2, hours_end=3, time_zone="America/Denver")
    spring, autumn = datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    working = [
        [
            minute
            for minute in range(0, 1440, 30)
            if rules.why_not(night, question(), day + timedelta(minutes=minute), "UTC") is None
        ]
        for day in (spring, autumn)
    ]
    assert working[0] == [], "on that night there is no 2 o'clock"
    assert working[1] == [9 * 60, 9 * 60 + 30], "1 o'clock came twice, 2 o'clock once"
    late = rule(1, hours_start=1, hours_end=2, time_zone="America/Denver")
    twice = [
        hour for hour in range(24) if rules.why_not(late, question(), autumn + timedelta(hours=hour), "UTC") is None
    ]
    assert twice == [7, 8]


def test_past_midnight_belongs_to_the_evening_before() -> None:
    friday_night = rule(1, hours_start=20, hours_end=4, active_days=[5], time_zone="America/Denver")
    friday = datetime(2026, 3, 6, 12, tzinfo=ZoneInfo("America/Denver"))
    working = [
        hour for hour in range(48) if rules.is_working(friday_night, friday.replace(hour=0) + timedelta(hours=hour))
    ]
    assert working == list(range(20, 28))


# --- the default rule ------------------------------------------------------------------------------------------------


def test_the_default_rule_is_last_whatever_its_position() -> None:
    first = rule(9, position=9)
    default = rule(1, position=0, is_supplement=True, strategy=DEFAULT_ASSIGNEE, assignee_id=OWNER)
    tried: list[Tried] = []
    found = [one.rule.id for one in rules.proposals(book([default, first]), 1, -1, question(), NOON, tried)]
    assert found == [9, 1]
