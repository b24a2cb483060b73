"""Choosing who works a lead."""

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from rooftree.platform import clock
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, Unavailable
from rooftree.routing import queries, rules, store
from rooftree.routing.model import (
    AGENT_LEAD,
    ASSISTANT_LEAD,
    BLAST_ALERT,
    DEFAULT_ASSIGNEE,
    LEAD_POND,
    LENDER_LEAD,
    NEXT_UP,
    NO_ROLE,
    Assignment,
    Book,
    Offer,
    Question,
    Rule,
    Skipped,
    Tried,
)

__all__ = [
    "Assignment",
    "Question",
    "Routed",
    "assign",
    "assign_again",
    "end_offer",
    "preview",
    "put_on_offer",
    "spent",
]

#: Who holds a turn for so long has stopped. Giving up also parts two who wait for each other.
LONGEST_WAIT_SECONDS: Final = 15.0
#: Never growing: who has waited long looks as often as who has just come.
_PAUSE_SECONDS: Final = 0.004
#: How long a blast stays open when its rule does not say.
BLAST_MINUTES: Final = 15


class Routed(Struct, frozen=True):
    """Everybody chosen for a lead: its agent, pond or offer, and whoever else the rules give it."""

    agent: Assignment
    others: Sequence[Assignment]  #: lender, then custom roles; those that found somebody


class _Search(Struct):
    """One search for somebody, while it goes on."""

    tx: Transaction
    book: Book
    question: Question
    at: datetime
    is_taking: bool  #: whether turns are taken, or only looked at
    business_type: int = AGENT_LEAD
    role_id: int = NO_ROLE

    @property
    def day(self) -> date:
        return self.at.astimezone(ZoneInfo(self.book.time_zone)).date()

    @property
    def midnight(self) -> datetime:
        return datetime.combine(self.day, datetime.min.time(), ZoneInfo(self.book.time_zone))


async def assign(tx: Transaction, question: Question) -> Routed:
    """Choose who works a new lead and take their turns, in the caller's transaction: rolled back, none was taken.

    First match wins. A lead is never without an agent by accident: the office's rules, its default rule, the
    company's rules, its default rule, the caller, the owner of the team. Writes: routing_turn, routing_load.
    Raises: InvalidParameter (20012) on an office that the team does not have, Unavailable (900503) when others keep
    all who are next for too long.
    """
    return await _everybody(await _search(tx, question, is_taking=True))


async def preview(tx: Transaction, question: Question) -> Routed:
    """Say whom `assign` would choose now; take no turn. contract: POST /v1.0/leads/assignee"""
    return await _everybody(await _search(tx, question, is_taking=False))


async def assign_again(tx: Transaction, question: Question) -> Assignment:
    """Choose an agent for a lead that `question.tried_ids` had and did not touch, as `assign` would."""
    return await _agent(await _search(tx, question, is_taking=True))


async def put_on_offer(
    tx: Transaction, lead_id: int, assignment: Assignment, before: Offer | None = None
) -> Offer | None:
    """Note that a lead wants to be touched or claimed in time, if its rule says so; None when it does not.

    `before`: the offer that came to nothing. The caller looks again when `due_at` has come. Writes: routing_offer.
    """
    if assignment.due_in_minutes is None:
        return None
    holder = [] if assignment.member_id is None else [assignment.member_id]
    tried_ids, spent_rule_ids = spent(before) if before else ([], [])
    await store.insert_offer(
        tx,
        lead_id,
        rule_id=assignment.rule_id,
        strategy=assignment.strategy or NEXT_UP,
        member_ids=assignment.offered_to or holder,
        tried_ids=tried_ids,
        spent_rule_ids=spent_rule_ids,
        due_at=clock.now() + timedelta(minutes=assignment.due_in_minutes),
    )
    return await queries.open_offer(tx, lead_id)


def spent(offer: Offer) -> tuple[list[int], list[int]]:
    """Return who had the lead, and which blasts nobody claimed, once this offer has come to nothing."""
    if offer.strategy == BLAST_ALERT:
        return offer.tried_ids, [*offer.spent_rule_ids, *([offer.rule_id] if offer.rule_id else [])]
    return [*offer.tried_ids, *offer.member_ids], offer.spent_rule_ids


async def end_offer(tx: Transaction, lead_id: int, status: str, claimed_by: int | None = None) -> Offer | None:
    """Close the open offer of a lead: touched, claimed, passed, ended. None when it has none. Lock the lead first."""
    return await store.end_offer(tx, lead_id, status, claimed_by)


async def _search(tx: Transaction, question: Question, *, is_taking: bool) -> _Search:
    search = _Search(tx, await queries.book(tx), question, clock.now(), is_taking)
    search.book = await queries.counted(tx, search.book, search.day, search.midnight)
    return search


async def _everybody(search: _Search) -> Routed:
    agent = await _agent(search)
    others: list[Assignment] = []
    kinds = {(rule.business_type, rule.role_id) for rule in search.book.rules} - {(AGENT_LEAD, NO_ROLE)}
    # Always in the same order, so that two leads that need the same people do not wait for each other.
    for business_type, role_id in sorted(kinds):
        if business_type in (LENDER_LEAD, ASSISTANT_LEAD):
            search.business_type, search.role_id = business_type, role_id
            if found := await _first_match(search, []):
                others.append(found)
    return Routed(agent, others)


async def _agent(search: _Search) -> Assignment:
    search.business_type, search.role_id = AGENT_LEAD, NO_ROLE
    tried: list[Tried] = []
    return await _first_match(search, tried) or await _fallen_back(search, tried)


async def _first_match(search: _Search, tried: list[Tried]) -> Assignment | None:
    """Return what the first rule that takes the lead, and can place it, makes of it."""
    skipped: list[Skipped] = []
    for proposal in _proposals(search, tried):
        found = await _placed(search, proposal)
        if found:
            return replace(found, tried=tuple(tried), skipped=(*skipped, *proposal.skipped, *found.skipped))
        skipped += proposal.skipped
        tried[-1] = replace(tried[-1], failed="free member", wanted="somebody who can take it", had="nobody")
    return None


def _proposals(search: _Search, tried: list[Tried]) -> Iterator[rules.Proposal]:
    try:
        yield from rules.proposals(search.book, search.business_type, search.role_id, search.question, search.at, tried)
    except LookupError:
        raise InvalidParameter("assignGroupId: must be -1 (the company) or an office of the team.") from None


async def _placed(search: _Search, proposal: rules.Proposal) -> Assignment | None:
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


def _in_pond(search: _Search, rule: Rule, pond_id: int | None, known: Assignment) -> Assignment | None:
    name = search.book.ponds.get(pond_id or 0)
    if name is None:
        return None
    which = "The default rule" if rule.is_supplement else f"Rule {rule.name or rule.id}"
    return replace(known, pond_id=pond_id, reason=f"{which}: the lead lies in the pond {name}.", considered=())


def _by_default(search: _Search, rule: Rule, known: Assignment) -> Assignment | None:
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


async def _in_turn(search: _Search, proposal: rules.Proposal, known: Assignment) -> Assignment | None:
    """Return who is next in the line, with their turn taken; those whose limits are full by now are passed over."""
    weights, passed = list(proposal.weights), list[Skipped]()
    minutes = proposal.rule.touch_minutes
    while weights:
        places = rules.sequence(weights)
        if search.is_taking:
            turn = await _turn(search.tx, proposal.scope, places)
            member_id, slot, count = turn.member_id, turn.slot, turn.count
            assert member_id is not None
            assert slot is not None
            if why := await _overloaded(search, member_id):
                await store.give_back(search.tx, proposal.scope, member_id, slot)
                passed.append(Skipped(member_id, search.book.seats[member_id].name, why))
                weights = [one for one in weights if one[0] != member_id]
                continue
        else:
            member_id, _ = rules.whose_turn(places, await queries.turns_of(search.tx, proposal.scope))
            count = None
        reason = rules.turn_reason(proposal, search.book.seats[member_id].name) + rules.touch_reason(minutes)
        return replace(
            known, member_id=member_id, turn=count, reason=reason, due_in_minutes=minutes, skipped=tuple(passed)
        )
    return None


async def _overloaded(search: _Search, member_id: int) -> str | None:
    """Count the lead for somebody with limits; return why they cannot take it after all."""
    seat = search.book.seats[member_id]
    if seat.daily_cap is None and seat.open_cap is None:
        return None
    # Their row stays locked: whoever routes to them next waits, and then sees what this lead made of their limits.
    if not await store.count_load(search.tx, member_id, search.day, search.midnight, seat.daily_cap):
        return f"reached the limit of {seat.daily_cap} leads a day"
    if seat.open_cap is not None and await queries.open_leads(search.tx, member_id) >= seat.open_cap:
        await store.uncount_load(search.tx, member_id, search.day)
        return f"reached the limit of {seat.open_cap} open leads"
    return None


async def _turn(tx: Transaction, scope: str, places: store.Places) -> store.Turn:
    """Take a turn; while everybody who is next is being served, look again shortly.

    Waiting for a row lock instead could deadlock: a row that was taken a moment ago stays locked by whoever then
    finds it is no longer next. Looking again cannot, for who holds such a row may take it when its turn comes.
    """
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while (turn := await store.take_turn(tx, scope, places)).member_id is None:
        if turn.is_uneven:
            await store.level(tx, scope, places)
            continue
        if time.monotonic() > deadline:
            raise Unavailable("All agents who are next are being given a lead right now; try again shortly.")
        await asyncio.sleep(_PAUSE_SECONDS)
    return turn


async def _fallen_back(search: _Search, tried: Collection[Tried]) -> Assignment:
    scope, member_id, name = await queries.fallback(search.tx, search.question.caller_id)
    has_agents = any(seat.role == "agent" for seat in search.book.seats.values())
    reason = rules.fallback_reason(scope, name, has_agents=has_agents)
    return Assignment(member_id=member_id, scope=scope, reason=reason, tried=tuple(tried))
