"""One search for who works a lead: the rules in order, then the line of the first that takes it.

Whether turns are taken, only looked at, or imagined is the business of the lines.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from rooftree.platform.errors import InvalidParameter
from rooftree.routing import rules
from rooftree.routing.lines import Lines
from rooftree.routing.model import (
    AGENT_LEAD,
    ASSISTANT_LEAD,
    BLAST_ALERT,
    DEFAULT_ASSIGNEE,
    LEAD_POND,
    LENDER_LEAD,
    NO_ROLE,
    Assignment,
    Book,
    Question,
    Rule,
    Skipped,
    Tried,
)

#: How long a blast stays open when its rule does not say.
BLAST_MINUTES: Final = 15


class Routed(Struct, frozen=True):
    """Everybody chosen for a lead: its agent, pond or offer, and whoever else the rules give it."""

    agent: Assignment
    others: Sequence[Assignment]  #: lender, then custom roles; those that found somebody


class Search(Struct):
    """One search for somebody, while it goes on."""

    lines: Lines
    book: Book
    question: Question
    at: datetime
    business_type: int = AGENT_LEAD
    role_id: int = NO_ROLE

    @property
    def day(self) -> date:
        """The day on the team's calendar."""
        return self.at.astimezone(ZoneInfo(self.book.time_zone)).date()

    @property
    def midnight(self) -> datetime:
        """When that day began."""
        return datetime.combine(self.day, datetime.min.time(), ZoneInfo(self.book.time_zone))


async def everybody(search: Search) -> Routed:
    """Return who gets the lead, and whoever else the rules give it. Raises: as `agent`."""
    agent = await agent_of(search)
    others: list[Assignment] = []
    kinds = {(rule.business_type, rule.role_id) for rule in search.book.rules} - {(AGENT_LEAD, NO_ROLE)}
    # Always in the same order, so that two leads that need the same people do not wait for each other.
    for business_type, role_id in sorted(kinds):
        if business_type in (LENDER_LEAD, ASSISTANT_LEAD):
            search.business_type, search.role_id = business_type, role_id
            if found := await _first_match(search, []):
                others.append(found)
    return Routed(agent, others)


async def agent_of(search: Search) -> Assignment:
    """Return who gets the lead. Raises: InvalidParameter (20012) on an unknown office, and what the lines do."""
    search.business_type, search.role_id = AGENT_LEAD, NO_ROLE
    tried: list[Tried] = []
    return await _first_match(search, tried) or _fallen_back(search, tried)


async def _first_match(search: Search, tried: list[Tried]) -> Assignment | None:
    """Return what the first rule that takes the lead, and can place it, makes of it."""
    skipped: list[Skipped] = []
    for proposal in _proposals(search, tried):
        found = await _placed(search, proposal)
        if found:
            return replace(found, tried=tuple(tried), skipped=(*skipped, *proposal.skipped, *found.skipped))
        skipped += proposal.skipped
        tried[-1] = replace(tried[-1], failed="free member", wanted="somebody who can take it", had="nobody")
    return None


def _proposals(search: Search, tried: list[Tried]) -> Iterator[rules.Proposal]:
    check_group(search.book, search.question.assign_group_id)
    yield from rules.proposals(search.book, search.business_type, search.role_id, search.question, search.at, tried)


def check_group(book: Book, group_id: int | None) -> None:
    """Refuse an office that the team does not have. Raises: InvalidParameter (20012)."""
    if group_id not in (None, rules.COMPANY) and group_id not in book.office_ids:
        raise InvalidParameter("assignGroupId: must be -1 (the company) or an office of the team.")


async def _placed(search: Search, proposal: rules.Proposal) -> Assignment | None:
    """Return what a rule makes of the lead; None when it cannot place it now."""
    rule = proposal.rule
    known = Assignment(
        business_type=search.business_type,
        role_id=search.role_id,
        scope=proposal.scope,
        reason="",
        rule_id=rule.id or None,
        strategy=rule.strategy,
        considered=[member_id for member_id, _ in proposal.weights],
    )
    if rule.strategy == LEAD_POND:
        return _in_pond(search, rule, rule.pond_id, known)
    if rule.strategy == DEFAULT_ASSIGNEE:
        return _by_default(search, rule, known)
    if not proposal.weights:
        return None
    if rule.strategy == BLAST_ALERT:
        minutes = rule.touch_minutes or BLAST_MINUTES
        count = len(proposal.weights)
        reason = f"Rule {rule.name or rule.id}: offered to {count} members for {minutes} minutes; the first gets it."
        return replace(known, reason=reason, offered_to=known.considered, due_in_minutes=minutes)
    return await _in_turn(search, proposal, known)


def _in_pond(search: Search, rule: Rule, pond_id: int | None, known: Assignment) -> Assignment | None:
    name = search.book.ponds.get(pond_id or 0)
    if name is None:
        return None
    which = "The default rule" if rule.is_supplement else f"Rule {rule.name or rule.id}"
    return replace(known, pond_id=pond_id, reason=f"{which}: the lead lies in the pond {name}.", considered=())


def _by_default(search: Search, rule: Rule, known: Assignment) -> Assignment | None:
    if rule.pond_id is not None:
        return _in_pond(search, rule, rule.pond_id, known)
    seat = search.book.seats.get(rule.assignee_id or 0)
    if seat is None or seat.id in search.question.tried_ids:
        return None
    return replace(
        known,
        member_id=seat.id,
        reason=f"The default rule: {seat.name} takes what no other rule does.",
        considered=[seat.id],
    )


async def _in_turn(search: Search, proposal: rules.Proposal, known: Assignment) -> Assignment | None:
    """Return who is next in the line, with their turn taken; those whose limits are full by now are passed over."""
    weights, passed = list(proposal.weights), list[Skipped]()
    minutes = proposal.rule.touch_minutes
    while weights:
        turn = await search.lines.next(proposal.scope, rules.sequence(weights))
        seat = search.book.seats[turn.member_id]
        if why := await search.lines.overload(seat, search.day, search.midnight):
            await search.lines.give_back(proposal.scope, turn)
            passed.append(Skipped(seat.id, seat.name, why))
            weights = [one for one in weights if one[0] != seat.id]
            continue
        reason = rules.turn_reason(proposal, seat.name) + rules.touch_reason(minutes)
        return replace(
            known, member_id=seat.id, turn=turn.count, reason=reason, due_in_minutes=minutes, skipped=tuple(passed)
        )
    return None


def _fallen_back(search: Search, tried: Collection[Tried]) -> Assignment:
    scope, seat = rules.fallback(search.book, search.question.caller_id)
    has_agents = any(one.role == "agent" for one in search.book.seats.values())
    reason = rules.fallback_reason(scope, seat.name, has_agents=has_agents)
    return Assignment(member_id=seat.id, scope=scope, reason=reason, tried=tuple(tried))
