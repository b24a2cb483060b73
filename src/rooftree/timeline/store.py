"""Every INSERT and UPDATE of the logbook."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from rooftree.platform.actor import Actor
from rooftree.platform.database import Arguments, Transaction
from rooftree.platform.outbox import Announcement, insert_announcements
from rooftree.timeline.kinds import Kind

if TYPE_CHECKING:
    from rooftree.timeline.actions import Entry


async def insert_entries(
    tx: Transaction,
    actor: Actor | None,
    entries: "Sequence[Entry]",
    announcements: Sequence[Announcement],
    moment: datetime,
) -> list[int]:
    """Write entries and announcements in one statement; return the entries' ids in order."""
    args = Arguments([tx.team_id])
    lists = (
        ("bigint", [entry.lead_id for entry in entries]),
        ("bigint", [entry.id for entry in entries]),
        ("text", [entry.kind for entry in entries]),
        ("timestamptz", [entry.happened_at or moment for entry in entries]),
        ("jsonb", [msgspec.json.encode(entry.details) for entry in entries]),
    )
    arrays = ", ".join(f"{args.add(values)}::{kind}[]" for kind, values in lists)
    told = f", told AS ({insert_announcements(announcements, args)})" if announcements else ""
    rows = await tx.fetch(
        f"""
WITH given AS MATERIALIZED (
    SELECT lead_id, coalesce(id, next_id()) AS id, kind, happened_at, details, place
      FROM unnest({arrays}) WITH ORDINALITY AS e (lead_id, id, kind, happened_at, details, place)),
written AS (
    INSERT INTO timeline_entry (team_id, lead_id, id, kind, happened_at, actor_id, details)
    SELECT $1, lead_id, id, kind, happened_at, {args.add(actor.member_id if actor else None)}::bigint, details
      FROM given){told}
SELECT id FROM given ORDER BY place""",
        *args,
    )
    return [row["id"] for row in rows]


async def count(tx: Transaction, lead_id: int, kind: Kind, happened_at: datetime) -> None:
    """Add one to what a kind counts, and move forward what it dates; a late entry moves nothing back."""
    columns = [*kind.counters, *kind.moments]
    values = ["1"] * len(kind.counters) + ["$3"] * len(kind.moments)
    updates = [f"{name} = coalesce(s.{name}, 0) + 1" for name in kind.counters]
    updates += [f"{name} = greatest(s.{name}, EXCLUDED.{name})" for name in kind.moments]
    await tx.execute(
        f"""INSERT INTO timeline_summary AS s (team_id, lead_id, {", ".join(columns)})
            VALUES ($1, $2, {", ".join(values)})
            ON CONFLICT (team_id, lead_id) DO UPDATE SET {", ".join(updates)}""",
        tx.team_id,
        lead_id,
        happened_at,
    )


async def copy_entries(tx: Transaction, entries: "Sequence[tuple[int, Entry]]") -> None:
    """Load many entries by COPY: pairs of who did it and what. Needs the owner's rights; announces nothing."""
    records = [
        (
            tx.team_id,
            entry.lead_id,
            entry.id,
            entry.kind,
            entry.happened_at,
            actor_id,
            msgspec.json.encode(entry.details),
        )
        for actor_id, entry in entries
    ]
    columns = ("team_id", "lead_id", "id", "kind", "happened_at", "actor_id", "details")
    await tx.copy_records("timeline_entry", records=records, columns=columns)


async def summarise(tx: Transaction, lead_ids: Sequence[int], kinds: Sequence[Kind]) -> None:
    """Make the summaries of leads that have none from their entries, for the counters of these kinds."""
    names = sorted({name for kind in kinds for name in kind.counters})
    moments = sorted({name for kind in kinds for name in kind.moments})
    sums = [f"nullif(count(*) FILTER (WHERE kind IN ({_listed(kinds, name)})), 0)" for name in names] + [
        f"max(happened_at) FILTER (WHERE kind IN ({_listed(kinds, name)}))" for name in moments
    ]
    listed = _listed(kinds, None)
    await tx.execute(
        f"""INSERT INTO timeline_summary (team_id, lead_id, {", ".join(names + moments)})
            SELECT team_id, lead_id, {", ".join(sums)} FROM timeline_entry
             WHERE team_id = $1 AND lead_id = ANY ($2) AND kind IN ({listed}) GROUP BY 1, 2
            ON CONFLICT DO NOTHING""",
        tx.team_id,
        list(lead_ids),
    )


def _listed(kinds: Sequence[Kind], column: str | None) -> str:
    found = [kind.name for kind in kinds if column is None or column in kind.counters + kind.moments]
    return ", ".join(f"'{name}'" for name in found)
