"""Reading calls: the logbook's entries, with what a dialer or provider knows of them."""

from typing import Final

from msgspec import Struct

from rooftree.calls.model import Call
from rooftree.platform.database import Database, Record, Transaction, columns
from rooftree.timeline.model import TimelineEntry

_WIDTH: Final = len(TimelineEntry.__struct_fields__)


class CallView(Struct, frozen=True):
    """A call in the logbook; `call` is None when it was only logged by hand."""

    entry: TimelineEntry
    call: Call | None


def _view(row: Record) -> CallView:
    values = tuple(row)
    known = values[_WIDTH:]
    return CallView(TimelineEntry(*values[:_WIDTH]), Call(*known) if known[0] is not None else None)


async def with_calls(tx: Transaction, entries: list[TimelineEntry]) -> list[CallView]:
    """Return entries of calls with what is known beside them, in the same order."""
    rows = await tx.fetch(
        f"SELECT {columns(Call)} FROM call WHERE team_id = $1 AND id = ANY ($2)",
        tx.team_id,
        [entry.id for entry in entries],
    )
    known = {row["id"]: Call(*row) for row in rows}
    return [CallView(entry, known.get(entry.id)) for entry in entries]


async def calls_of(tx: Transaction, lead_id: int, *, limit: int, offset: int) -> tuple[list[CallView], int]:
    """Return a page of a lead's calls, newest first, and how many there are."""
    condition = "e.team_id = $1 AND e.lead_id = $2 AND e.channel = 'call' AND e.deleted_at IS NULL"
    rows = await tx.fetch(
        f"""SELECT {columns(TimelineEntry, "e")}, {columns(Call, "c")}
              FROM timeline_entry e LEFT JOIN call c ON c.team_id = e.team_id AND c.id = e.id
             WHERE {condition} AND e.channel IS NOT NULL
             ORDER BY e.happened_at DESC, e.id DESC LIMIT $3 OFFSET $4""",
        tx.team_id,
        lead_id,
        limit,
        offset,
    )
    total = await tx.fetchval(
        f"SELECT count(*) FROM timeline_entry e WHERE {condition} AND e.channel IS NOT NULL", tx.team_id, lead_id
    )
    return [_view(row) for row in rows], total


async def find_call(tx: Transaction, call_id: int | None) -> Call | None:
    """Return what a dialer or provider knows of a call."""
    row = await tx.fetchrow(f"SELECT {columns(Call)} FROM call WHERE team_id = $1 AND id = $2", tx.team_id, call_id)
    return Call(*row) if row else None


async def team_of_call(database: Database, provider_id: str) -> tuple[int, int] | None:
    """Return team and id of the call that a provider knows by its own id."""
    async with database.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, call_id FROM team_of_call($1)", provider_id)
    return (row[0], row[1]) if row else None
