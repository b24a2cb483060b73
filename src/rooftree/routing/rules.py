"""Which rule takes a lead, who stands in its line, and whose turn it is. Pure."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import gcd
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from rooftree.routing.model import (
    AGENT_LEAD,
    ALL_OF,
    ASSISTANT_LEAD,
    COMPANY,
    LENDER_LEAD,
    NO_ROLE,
    NONE_OF,
    ONE_OF,
    ROUND_ROBIN,
    Book,
    Criteria,
    Place,
    Question,
    Rule,
    Seat,
    Skipped,
    Tried,
)
from rooftree.routing.states import state_code

#: The most places that a weighted line may have, its weights brought down to their smallest.
LONGEST_LINE: Final = 1000
SELLER: Final = 1
_Place = TypeVar("_Place", bound=Hashable)
_BUYER: Final = 2
_BUYER_AND_SELLER: Final = 3
#: Who is in a line that names nobody, by business type.
_LINE_ROLE: Final = {AGENT_LEAD: "agent", LENDER_LEAD: "lender", ASSISTANT_LEAD: "assistant"}


class Miss(Struct, frozen=True):
    """The condition that a lead did not meet."""

    condition: str
    wanted: str
    had: str


class Proposal(Struct, frozen=True):
    """A rule that takes the lead, and the line that it would choose from."""

    rule: Rule
    level: int
    scope: str  #: under which name the line keeps its turns
    weights: Sequence[tuple[int, int]]  #: members and weights, by id
    skipped: Sequence[Skipped]


# --- conditions ------------------------------------------------------------------------------------------------------


def why_not(rule: Rule, question: Question, at: datetime, team_zone: str) -> Miss | None:
    """Return the first condition of a rule that a lead, or the moment, does not meet; None: it fits."""
    wanted = criteria_of(rule.criteria)
    return (
        _lead_type(wanted, question)
        or _words("source", wanted.source_match, wanted.source_names, _known(question.source))
        or _words("tags", wanted.tag_match, wanted.tag_names, question.tags)
        or _words("segments", wanted.segment_match, wanted.segment_names, question.segments)
        or _price(wanted, question)
        or _words("property type", ONE_OF, wanted.property_types, question.property_types)
        or _location(wanted, question)
        or _phone(wanted, question)
        or _words("language", ONE_OF, wanted.languages, _known(question.language))
        or _hours(rule, at, team_zone)
    )


@lru_cache(maxsize=4096)
def criteria_of(document: bytes) -> Criteria:
    """Return what a rule asks, from its row."""
    return msgspec.json.decode(document, type=Criteria)


def _lead_type(wanted: Criteria, question: Question) -> Miss | None:
    if not wanted.lead_type_ids:
        return None
    had = set(question.lead_types)
    if {SELLER, _BUYER} <= had:
        had.add(_BUYER_AND_SELLER)
    hits = [one in had for one in wanted.lead_type_ids]
    if all(hits) if wanted.lead_type_match == ALL_OF else any(hits):
        return None
    return Miss("lead type", _listed(map(str, wanted.lead_type_ids)), _listed(map(str, question.lead_types)))


def _words(name: str, match: int, wanted: Sequence[str], had: Sequence[str]) -> Miss | None:
    if not match or not wanted:
        return None
    known = {word.strip().casefold() for word in had}
    hits = [word.strip().casefold() in known for word in wanted]
    if match == NONE_OF:
        fits, wish = not any(hits), f"none of {_listed(wanted)}"
    elif match == ALL_OF:
        fits, wish = all(hits), f"all of {_listed(wanted)}"
    else:
        fits, wish = any(hits), _listed(wanted)
    return None if fits else Miss(name, wish, _listed(had))


def _price(wanted: Criteria, question: Question) -> Miss | None:
    """Ranges have to meet; a lead of which no price is known meets none."""
    if wanted.price_min is None and wanted.price_max is None:
        return None
    low, high = question.price_min, question.price_max
    is_known = low is not None or high is not None
    low, high = low if low is not None else high, high if high is not None else low
    fits = (
        is_known
        and (wanted.price_min is None or high is None or high >= wanted.price_min)
        and (wanted.price_max is None or low is None or low <= wanted.price_max)
    )
    return None if fits else Miss("price", _range(wanted.price_min, wanted.price_max), _range(low, high))


def _location(wanted: Criteria, question: Question) -> Miss | None:
    if not wanted.location_match:
        return None
    hits = [_is_there(wanted, place) for place in question.places]
    if wanted.location_match == NONE_OF:
        fits = not any(hits)
    elif wanted.location_match == ALL_OF:
        fits = bool(hits) and all(hits)
    else:
        fits = any(hits)
    if fits:
        return None
    asked = Place(wanted.state, wanted.county, wanted.city, wanted.zipcode, wanted.street_address)
    wish = f"not {_place(asked)}" if wanted.location_match == NONE_OF else _place(asked)
    return Miss("location", wish, "; ".join(map(_place, question.places)) or "nothing")


def _is_there(wanted: Criteria, place: Place) -> bool:
    return (
        _one_of(map(state_code, _split(wanted.state)), state_code(place.state))
        and _one_of(_split(wanted.county), place.county)
        and _one_of(_split(wanted.city), place.city)
        and _one_of((code[:5] for code in _split(wanted.zipcode)), place.zip_code.strip()[:5])
        and _one_of(_split(wanted.street_address), place.street_address)
    )


def _one_of(wanted: Iterable[str], had: str) -> bool:
    words = [word.casefold() for word in wanted]
    return not words or had.strip().casefold() in words


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _place(place: Place) -> str:
    parts = (place.street_address, place.city, place.county, place.state, place.zip_code)
    return ", ".join(part for part in parts if part) or "anywhere"


def _phone(wanted: Criteria, question: Question) -> Miss | None:
    if not wanted.phone or (wanted.phone == "With") == question.has_phone:
        return None
    return Miss("phone", wanted.phone.lower(), "with" if question.has_phone else "without")


def _hours(rule: Rule, at: datetime, team_zone: str) -> Miss | None:
    zone = rule.time_zone or team_zone
    if is_working(rule, local := at.astimezone(ZoneInfo(zone))):
        return None
    days = ",".join(map(str, rule.active_days))
    return Miss("hours", f"days {days}, {rule.hours_start}-{rule.hours_end} {zone}", f"{local:%A %H:%M}")


def is_working(rule: Rule, local: datetime) -> bool:
    """Whether a moment on the rule's clock is in its days and hours; hours past midnight belong to the day before."""
    start, end = rule.hours_start, rule.hours_end
    today, yesterday = local.isoweekday(), (local - timedelta(days=1)).isoweekday()
    if start == end:
        return today in rule.active_days
    if start < end:
        return today in rule.active_days and start <= local.hour < end
    return (local.hour >= start and today in rule.active_days) or (local.hour < end and yesterday in rule.active_days)


def _known(word: str) -> list[str]:
    return [word] if word else []


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "nothing"


def _range(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return "not known"
    return f"{'' if low is None else low}-{'' if high is None else high}"


# --- rules of a level, and their lines -------------------------------------------------------------------------------


def levels(book: Book, question: Question) -> list[int]:
    """Return whose rules are tried, in order: an office's, the company's. contract: S4-87 to S4-89

    Raises: LookupError when the office named is none of the team's.
    """
    office_id = question.assign_group_id
    if office_id is not None and office_id != COMPANY and office_id not in book.office_ids:
        raise LookupError(office_id)
    if office_id is None and question.ownership_scope == "OFFICE":
        office_id = question.ownership_id
    return [COMPANY] if office_id in (None, COMPANY) else [office_id, COMPANY]


def level_name(level: int) -> str:
    """Return what a level is called in explanations, and under which its default line keeps its turns."""
    return "company" if level == COMPANY else f"office:{level}"


def proposals(
    book: Book, business_type: int, role_id: int, question: Question, at: datetime, tried: list[Tried]
) -> Iterator[Proposal]:
    """Yield the rules that take the lead, first match first, each with its line; note in `tried` what was tried."""
    for level in levels(book, question):
        for rule in rules_of(book, business_type, role_id, level):
            miss = None if rule.is_supplement else why_not(rule, question, at, book.time_zone)
            if rule.id in question.spent_rule_ids:
                miss = Miss("claim", "somebody who claims it in time", "nobody")
            name, where = rule_name(rule), level_name(level)
            if miss:
                tried.append(Tried(rule.id, name, where, miss.condition, miss.wanted, miss.had))
                continue
            tried.append(Tried(rule.id, name, where))
            yield _proposal(book, rule, level, question, at)


def rule_name(rule: Rule) -> str:
    """Return what a rule is called in explanations."""
    return rule.name or ("Default rule" if rule.is_supplement else f"Rule {rule.id}")


def rules_of(book: Book, business_type: int, role_id: int, level: int) -> list[Rule]:
    """Return a level's rules in order, its default rule last; for agents there always is one."""
    office_id = None if level == COMPANY else level
    found = [
        rule
        for rule in book.rules
        if (rule.business_type, rule.role_id, rule.office_id) == (business_type, role_id, office_id)
    ]
    found.sort(key=lambda rule: (rule.is_supplement, rule.position, rule.id))
    if business_type == AGENT_LEAD and not (found and found[-1].is_supplement):
        found.append(default_rule(office_id))
    return found


def default_rule(office_id: int | None, business_type: int = AGENT_LEAD, role_id: int = NO_ROLE) -> Rule:
    """Return the default rule of a level where nobody made one: everybody in turn."""
    never = datetime.min.replace(tzinfo=UTC)
    return Rule(
        team_id=0,
        id=0,
        business_type=business_type,
        role_id=role_id,
        office_id=office_id,
        position=0,
        name="",
        is_on=True,
        is_draft=False,
        is_supplement=True,
        criteria=b"{}",
        active_days=[1, 2, 3, 4, 5, 6, 7],
        hours_start=0,
        hours_end=0,
        time_zone=None,
        strategy=ROUND_ROBIN,
        touch_minutes=None,
        pond_id=None,
        assignee_id=None,
        weights=b"[]",
        created_at=never,
        updated_at=never,
    )


def whole_line(book: Book, rule: Rule) -> list[tuple[int, int]]:
    """Return who stands in a rule's line, free or not, with their weights, by id."""
    if named := weights_of(rule.weights):
        return sorted(named)
    role, office_id = _LINE_ROLE[rule.business_type], rule.office_id
    return sorted(
        (seat.id, 1)
        for seat in book.seats.values()
        if seat.role == role and (office_id is None or office_id in seat.office_ids)
    )


def _proposal(book: Book, rule: Rule, level: int, question: Question, at: datetime) -> Proposal:
    today = at.astimezone(ZoneInfo(book.time_zone))
    line: list[tuple[int, int]] = []
    skipped: list[Skipped] = []
    for member_id, weight in whole_line(book, rule):
        seat = book.seats.get(member_id)
        if seat is None:
            skipped.append(Skipped(member_id, "", "is not active"))
        elif why := why_skipped(seat, question.tried_ids, today):
            skipped.append(Skipped(member_id, seat.name, why))
        elif weight > 0:
            line.append((member_id, weight))
    scope = level_name(level) if rule.is_supplement and not weights_of(rule.weights) else f"rule:{rule.id}"
    if rule.is_supplement and rule.business_type != AGENT_LEAD:
        scope = f"rule:{rule.id}"
    return Proposal(rule, level, scope, line, skipped)


@lru_cache(maxsize=4096)
def _decoded_weights(document: bytes) -> tuple[tuple[int, int], ...]:
    return msgspec.json.decode(document, type=tuple[tuple[int, int], ...])


def weights_of(document: bytes) -> list[tuple[int, int]]:
    """Return the members and weights of a rule, from its row."""
    return list(_decoded_weights(document))


def why_skipped(seat: Seat, tried_ids: Collection[int], now: datetime) -> str | None:
    """Return why somebody is passed over at this moment, on the team's clock; None: they take part."""
    if seat.id in tried_ids:
        return "had it before and did not touch it in time"
    if seat.is_paused and (seat.paused_until is None or now < seat.paused_until):
        return f"paused until {seat.paused_until:%Y-%m-%d %H:%M} UTC" if seat.paused_until else "paused"
    for first, last in seat.vacations:
        if first <= now.date() <= last:
            return f"on vacation until {last}"
    if seat.daily_cap is not None and seat.today >= seat.daily_cap:
        return day_is_full(seat)
    if seat.open_cap is not None and seat.open >= seat.open_cap:
        return hands_are_full(seat)
    return None


def day_is_full(seat: Seat) -> str:
    """Return that somebody has their leads of a day."""
    return f"reached the limit of {seat.daily_cap} leads a day"


def hands_are_full(seat: Seat) -> str:
    """Return that somebody has as many open leads as they take."""
    return f"reached the limit of {seat.open_cap} open leads"


def fallback(book: Book, caller_id: int) -> tuple[str, Seat]:
    """Return who takes a lead when nobody else can: the active caller, else the owner of the team."""
    if caller_id in book.seats:
        return "caller", book.seats[caller_id]
    return "owner", next(seat for seat in book.seats.values() if seat.role == "owner")


# --- turns -----------------------------------------------------------------------------------------------------------


def sequence(weights: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the places of a line in the order of their turns: pairs of member and the number of their place.

    Whoever has weight 3 has three places (0, 1, 2). After any number of turns from the front of the line, nobody is
    away from their exact share by as much as one turn.
    """
    divisor = gcd(*(weight for _, weight in weights)) if weights else 1
    return _sequence(tuple((member_id, weight // divisor) for member_id, weight in weights))


@lru_cache(maxsize=1024)
def _sequence(weights: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    if all(weight == 1 for _, weight in weights):
        return tuple((member_id, 0) for member_id, _ in weights)
    total = sum(weight for _, weight in weights)
    turns = dict.fromkeys((member_id for member_id, _ in weights), 0)
    places: list[tuple[int, int]] = []
    for count in range(1, total + 1):
        # The quota method: of those who would not get more than their share rounded up, who has had least for
        # their weight. Plain "least for one's weight" lets one large weight run ahead of many small ones.
        member_id, _ = min(
            ((member, weight) for member, weight in weights if turns[member] * total < weight * count),
            key=lambda one: ((turns[one[0]] + 1) / one[1], one[0]),
        )
        places.append((member_id, turns[member_id]))
        turns[member_id] += 1
    return tuple(places)


def levelled(places: Sequence[_Place], turns: Mapping[_Place, int]) -> dict[_Place, int]:
    """Return the turns of these places, with new ones and those that were away level with the fewest of the others."""
    known = [turns[place] for place in places if place in turns]
    fewest = min((count for count in known if count >= max(known) - 1), default=0)
    return {place: max(turns.get(place, 0), fewest) for place in places}


def whose_turn(places: Sequence[_Place], turns: Mapping[_Place, int]) -> _Place:
    """Return the place with the fewest turns, of several the one in front."""
    level = levelled(places, turns)
    return min(places, key=lambda place: level[place])


# --- reasons ---------------------------------------------------------------------------------------------------------


def turn_reason(proposal: Proposal, name: str) -> str:
    """Return the sentence that says why it was somebody's turn."""
    count = len(proposal.weights)
    rule = proposal.rule
    if rule.id == 0 or rule.is_supplement:
        whole = "the company" if proposal.level == COMPANY else "the office"
        who = {AGENT_LEAD: "agent", LENDER_LEAD: "lender"}.get(rule.business_type, "member")
        people = f"the only active {who}" if count == 1 else f"{count} active {who}s"
        sentence = f"Round robin over {people} of {whole}: it was {name}'s turn."
        return sentence if rule.id == 0 or rule.strategy == ROUND_ROBIN else f"The default rule: it was {name}'s turn."
    people = "its only free member" if count == 1 else f"{count} free members"
    return f"Rule {rule.name or rule.id}: it was {name}'s turn among {people}."


def touch_reason(minutes: int | None) -> str:
    """Return what happens when nobody acts, for the end of a reason."""
    return f" Untouched for {minutes} minutes, it moves on." if minutes else ""


def fallback_reason(scope: str, name: str, *, has_agents: bool) -> str:
    """Return the sentence for a lead that no rule could place."""
    why = "No agent can take it at this moment" if has_agents else "No agent is active in the company"
    if scope == "caller":
        return f"{why}: the lead stays with {name}, who brought it in."
    return f"{why}: the lead goes to its owner, {name}."
