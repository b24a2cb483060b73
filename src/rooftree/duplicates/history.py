"""What belongs to a lead and moves with it: every room re-points its own tables.

A room that adds a table with a lead in it adds a line here; a test walks the catalogue and misses it otherwise.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from rooftree.calls.actions import repoint_calls
from rooftree.messaging.actions import repoint_arrivals, repoint_messages
from rooftree.notes.actions import repoint_notes
from rooftree.platform.database import Transaction
from rooftree.routing.actions import repoint_offers
from rooftree.timeline.actions import repoint_entries
from rooftree.transactions.actions import repoint_transactions

#: (tx, from whom, to whom, which rows; None: all) -> the ids of those that moved
Repoint: TypeAlias = Callable[[Transaction, int, int, Sequence[int] | None], Awaitable[list[int]]]

#: By kind, as a merge names what it moved.
HISTORY: Final[dict[str, Repoint]] = {
    "timeline": repoint_entries,
    "notes": repoint_notes,
    "transactions": repoint_transactions,
    "calls": repoint_calls,
    "messages": repoint_messages,
    "arrivals": repoint_arrivals,
    "offers": repoint_offers,
}


async def move_all(tx: Transaction, from_id: int, to_id: int) -> dict[str, list[int]]:
    """Let everything of a lead belong to another; return the ids of what moved, by kind."""
    return {kind: await repoint(tx, from_id, to_id, None) for kind, repoint in HISTORY.items()}


async def move_back(tx: Transaction, from_id: int, to_id: int, moves: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Give back what a merge moved; return how much, by kind."""
    return {
        kind: len(await repoint(tx, from_id, to_id, moves[kind])) if moves.get(kind) else 0
        for kind, repoint in HISTORY.items()
    }
