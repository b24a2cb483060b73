"""Choosing who works a lead, and leads on offer."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rooftree.platform import clock
from rooftree.platform.database import Transaction
from rooftree.routing import queries, store
from rooftree.routing.lines import HeldTurns, ImaginedTurns, SeenTurns, TakenTurns
from rooftree.routing.model import BLAST_ALERT, NEXT_UP, Assignment, Book, Offer, Question
from rooftree.routing.search import Routed, Search, agent_of, check_group, everybody

__all__ = [
    "Assigner",
    "Assignment",
    "Question",
    "Routed",
    "assign",
    "assign_again",
    "end_offer",
    "end_offers",
    "preview",
    "put_on_offer",
    "rehearse",
    "spent",
]


async def assign(tx: Transaction, question: Question) -> Routed:
    """Choose who works a new lead and take their turns, in the caller's transaction: rolled back, none was taken.

    First match wins. A lead is never without an agent by accident: the office's rules, its default rule, the
    company's rules, its default rule, the caller, the owner of the team. Writes: routing_turn, routing_load.
    Raises: InvalidParameter (20012) on an office that the team does not have, Unavailable (900503) when others keep
    all who are next for too long.
    """
    return await everybody(await _search(tx, TakenTurns(tx), question))


class Assigner:
    """Chooses for many new leads of one transaction as `assign` does for one, with the rules read once.

    Where members have limits (`has_limits`), a lead must be stored before the next one is asked for: limits count
    stored leads. Writes: routing_turn with `write_back`, routing_load.
    """

    def __init__(self, tx: Transaction, book: Book) -> None:
        self._tx, self._book, self._lines = tx, book, HeldTurns(tx)

    @classmethod
    async def begin(cls, tx: Transaction) -> "Assigner":
        """Read the team's rules."""
        return cls(tx, await queries.book(tx))

    @property
    def has_limits(self) -> bool:
        """Whether anybody takes only so many leads."""
        return any(seat.daily_cap is not None or seat.open_cap is not None for seat in self._book.seats.values())

    def check_group(self, group_id: int | None) -> None:
        """Refuse an office that the team does not have. Raises: InvalidParameter (20012)."""
        check_group(self._book, group_id)

    async def assign(self, question: Question) -> Routed:
        """Choose who works a new lead. Raises: InvalidParameter (20012) on an unknown office."""
        return await everybody(await _counted(self._tx, Search(self._lines, self._book, question, clock.now())))

    async def write_back(self) -> None:
        """Store the turns that were taken: at the end, and before others take turns in this transaction."""
        await self._lines.write_back()


async def preview(tx: Transaction, question: Question) -> Routed:
    """Say whom `assign` would choose now; take no turn. contract: POST /v1.0/leads/assignee"""
    return await everybody(await _search(tx, SeenTurns(tx), question))


async def assign_again(tx: Transaction, question: Question) -> Assignment:
    """Choose an agent for a lead that `question.tried_ids` had and did not touch, as `assign` would."""
    return await agent_of(await _search(tx, TakenTurns(tx), question))


async def rehearse(book: Book, asked: Iterable[tuple[Question, datetime]]) -> list[Assignment]:
    """Say what these rules would have made of leads, each at its moment, one after the other; nothing is stored.

    Every line begins anew; pauses are as they are now, vacations and daily limits as on each lead's day; limits of
    open leads are left out. Ours: POST /rooftree/v1/routing/rehearse. Raises: InvalidParameter (20012).
    """
    seats = {seat.id: replace(seat, today=0, open=0, open_cap=None) for seat in book.seats.values()}
    book, lines = replace(book, seats=seats), ImaginedTurns()
    return [await agent_of(Search(lines, book, question, at)) for question, at in asked]


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


async def end_offers(tx: Transaction, lead_ids: Sequence[int], status: str) -> None:
    """Close the open offers of leads, as `end_offer` does. Lock the leads first."""
    await store.end_offers(tx, lead_ids, status)


async def end_offer(tx: Transaction, lead_id: int, status: str, claimed_by: int | None = None) -> Offer | None:
    """Close the open offer of a lead: touched, claimed, passed, ended. None when it has none. Lock the lead first."""
    return await store.end_offer(tx, lead_id, status, claimed_by)


async def forget(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Delete the offers of leads that are gone as if they had never come. Writes: routing_offer."""
    await store.forget(tx, lead_ids)


async def _search(tx: Transaction, lines: TakenTurns | SeenTurns, question: Question) -> Search:
    return await _counted(tx, Search(lines, await queries.book(tx), question, clock.now()))


async def _counted(tx: Transaction, search: Search) -> Search:
    search.book = await queries.counted(tx, search.book, search.day, search.midnight)
    return search


async def repoint_offers(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None = None) -> list[int]:
    """Let a lead's past offers belong to another lead: all, or these. Returns the ids of those that moved.

    An open one stays: nobody can claim a lead that was merged away, and when its time comes it ends.

    Writes: routing_offer.
    """
    return await store.repoint_offers(tx, from_id, to_id, ids)
