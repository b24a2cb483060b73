"""What was taken, how far a run is, and what is here."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from msgspec import Struct

from rooftree.lofty.model import Pull, Refusal, Step, Thing
from rooftree.platform.database import Transaction, columns
from rooftree.timeline.kinds import LEAD_CREATED

#: The table of each kind of thing that has one row of its own.
TABLES: Final = {
    "member": "member",
    "office": "office",
    "pond": "lead_pond",
    "stage": "stage",
    "tag": "tag",
    "field": "custom_field",
    "lead": "lead",
    "talk": "timeline_entry",
    "note": "note",
    "note entry": "timeline_entry",
    "visit": "timeline_entry",
    "change": "timeline_entry",
    "transaction": "lead_transaction",
}
_PAGE: Final = 5000

_Row = TypeVar("_Row", bound=Struct)


async def last_pull(tx: Transaction) -> Pull | None:
    """Return the newest run of the team."""
    row = await tx.fetchrow(
        f"SELECT {columns(Pull)} FROM lofty_pull WHERE team_id = $1 ORDER BY id DESC LIMIT 1", tx.team_id
    )
    return Pull(*row) if row else None


async def steps(tx: Transaction, pull_id: int) -> dict[str, Step]:
    """Return where a run stands, by kind."""
    rows = await tx.fetch(
        f"SELECT {columns(Step)} FROM lofty_step WHERE team_id = $1 AND pull_id = $2", tx.team_id, pull_id
    )
    return {row["kind"]: Step(*row) for row in rows}


async def things(tx: Transaction, kind: str, source_ids: Sequence[str]) -> dict[str, Thing]:
    """Return those of these that were taken before, by their ids there."""
    rows = await tx.fetch(
        f"SELECT {columns(Thing)} FROM lofty_thing WHERE team_id = $1 AND kind = $2 AND source_id = ANY ($3)",
        tx.team_id,
        kind,
        list(source_ids),
    )
    return {row["source_id"]: Thing(*row) for row in rows}


async def all_things(tx: Transaction, kind: str) -> dict[str, int]:
    """Return the ids there and here of a kind of which there are few."""
    rows = await tx.fetch(
        "SELECT source_id, own_id FROM lofty_thing WHERE team_id = $1 AND kind = $2", tx.team_id, kind
    )
    return {row["source_id"]: row["own_id"] for row in rows}


async def taken_ids(tx: Transaction, table: str, ids: Sequence[int]) -> set[int]:
    """Return which of these ids rows of a table have. `table`: of TABLES."""
    assert table in TABLES.values()
    rows = await tx.fetch(f"SELECT id FROM {table} WHERE team_id = $1 AND id = ANY ($2)", tx.team_id, list(ids))
    return {row["id"] for row in rows}


class LeadPlace(Struct, frozen=True):
    """A lead whose history is to be read."""

    source_id: str
    own_id: int
    talks: int  #: how many conversations the source's search named


async def next_leads(tx: Transaction, after: str, *, limit: int, pull_id: int | None) -> list[LeadPlace]:
    """Return the leads that follow one, by id there. `pull_id`: those only that this run saw."""
    rows = await tx.fetch(
        """SELECT t.source_id, t.own_id,
                  (SELECT count(*) FROM lofty_talk k WHERE k.team_id = $1 AND k.lead_id = t.source_id)
             FROM lofty_thing t
            WHERE t.team_id = $1 AND t.kind = 'lead' AND t.source_id > $2 AND ($3::bigint IS NULL OR t.pull_id = $3)
            ORDER BY t.source_id LIMIT $4""",
        tx.team_id,
        after,
        pull_id,
        limit,
    )
    return [LeadPlace(*row) for row in rows]


#: A lead's id, names and source here, and when it came in.
Arrival: TypeAlias = tuple[int, str, str | None, str | None, datetime]


async def arrivals(tx: Transaction, lead_ids: Sequence[int]) -> dict[int, Arrival]:
    """Return what is to be said of leads that came in, of those of which the logbook does not say it."""
    # sees all: what was taken, whoever may see it
    rows = await tx.fetch(
        """SELECT l.id, l.first_name, l.last_name, l.source, l.created_at FROM lead l
            WHERE l.team_id = $1 AND l.id = ANY ($2)
              AND NOT EXISTS (SELECT FROM timeline_entry e
                               WHERE e.team_id = $1 AND e.lead_id = l.id AND e.kind = $3
                                 AND e.channel IS NULL AND e.kind NOT LIKE 'site\\_%')""",
        tx.team_id,
        list(lead_ids),
        LEAD_CREATED,
    )
    return {row["id"]: tuple(row) for row in rows}


async def count_leads(tx: Transaction, pull_id: int | None) -> int:
    """Return how many leads were taken, or seen by this run."""
    return await tx.fetchval(
        """SELECT count(*) FROM lofty_thing
            WHERE team_id = $1 AND kind = 'lead' AND ($2::bigint IS NULL OR pull_id = $2)""",
        tx.team_id,
        pull_id,
    )


async def oldest_lead(tx: Transaction) -> datetime | None:
    """Return when the first lead of the team came in."""
    # sees all: what was taken, whoever may see it
    return await tx.fetchval("SELECT min(created_at) FROM lead WHERE team_id = $1 AND trashed_at IS NULL", tx.team_id)


async def count_seen(tx: Transaction, kind: str, pull_id: int) -> int:
    """Return how many things of a kind this run saw and took."""
    return await tx.fetchval(
        "SELECT count(*) FROM lofty_thing WHERE team_id = $1 AND kind = $2 AND pull_id = $3", tx.team_id, kind, pull_id
    )


async def count_here(tx: Transaction, kind: str, pull_id: int) -> int:
    """Return how many of those are here now: the rows themselves are counted, not what was noted of them."""
    return await tx.fetchval(
        f"""SELECT count(*) FROM lofty_thing t JOIN {TABLES[kind]} h ON h.team_id = t.team_id AND h.id = t.own_id
             WHERE t.team_id = $1 AND t.kind = $2 AND t.pull_id = $3""",
        tx.team_id,
        kind,
        pull_id,
    )


async def count_talk(tx: Transaction) -> int:
    """Return how many conversations the source's search named."""
    return await tx.fetchval("SELECT count(*) FROM lofty_talk WHERE team_id = $1", tx.team_id)


async def lost_talk(tx: Transaction) -> list[tuple[str, bool]]:
    """Return conversations that the search named and that were not taken: id there, and whether their lead was."""
    rows = await tx.fetch(
        """SELECT k.source_id, l.source_id IS NOT NULL
             FROM lofty_talk k
             LEFT JOIN lofty_thing t ON t.team_id = k.team_id AND t.kind = 'talk' AND t.source_id = k.source_id
             LEFT JOIN lofty_thing l ON l.team_id = k.team_id AND l.kind = 'lead' AND l.source_id = k.lead_id
            WHERE k.team_id = $1 AND t.source_id IS NULL""",
        tx.team_id,
    )
    return [(row[0], row[1]) for row in rows]


def refusals(tx: Transaction) -> AsyncIterator[list[Refusal]]:
    """Yield what could not be taken, in pages."""
    return _pages(tx, "lofty_refusal", Refusal)


async def count_refusals(tx: Transaction) -> dict[str, int]:
    """Return how many things of each kind could not be taken."""
    rows = await tx.fetch("SELECT kind, count(*) FROM lofty_refusal WHERE team_id = $1 GROUP BY kind", tx.team_id)
    return {row[0]: row[1] for row in rows}


def id_map(tx: Transaction) -> AsyncIterator[list[Thing]]:
    """Yield everything that was taken, in pages: what is which here."""
    return _pages(tx, "lofty_thing", Thing)


async def _pages(tx: Transaction, table: str, row_type: type[_Row]) -> AsyncIterator[list[_Row]]:
    kind = source_id = ""
    while True:
        rows = await tx.fetch(
            f"""SELECT {columns(row_type)} FROM {table} WHERE team_id = $1 AND (kind, source_id) > ($2, $3)
                 ORDER BY kind, source_id LIMIT {_PAGE}""",
            tx.team_id,
            kind,
            source_id,
        )
        if not rows:
            return
        yield [row_type(*row) for row in rows]
        kind, source_id = rows[-1]["kind"], rows[-1]["source_id"]
