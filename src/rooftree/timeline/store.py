"""Every INSERT and UPDATE of the logbook. Nothing is deleted from it but with leads whose import is undone."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rooftree.platform.actor import Actor
from rooftree.platform.database import Arguments, Transaction, columns
from rooftree.platform.outbox import Announcement, insert_announcements
from rooftree.timeline.kinds import (
    KINDS,
    LEAD_ASSIGNED,
    LEAD_CAME_BACK,
    LEAD_MERGED_AWAY,
    LEAD_ROUTED,
    Kind,
    moments_of,
)
from rooftree.timeline.model import Summary, TimelineEntry
from rooftree.timeline.summaries import HIGHEST_SCORE

if TYPE_CHECKING:
    from rooftree.timeline.actions import Entry

_MOMENT_OF: Final = {"call": "last_call_at", "text": "last_text_at", "email": "last_email_at"}


async def insert_entries(
    tx: Transaction,
    actor: Actor | None,
    entries: "Sequence[Entry]",
    announcements: Sequence[Announcement],
    moment: datetime,
) -> list[int]:
    """Write entries, what they count and what they announce, in one statement; return the entries' ids in order."""
    args = Arguments([tx.team_id])
    kinds = [KINDS[entry.kind] for entry in entries]
    lists = (
        ("bigint", [entry.lead_id for entry in entries]),
        ("bigint", [entry.id for entry in entries]),
        ("text", [entry.kind for entry in entries]),
        ("timestamptz", [entry.happened_at or moment for entry in entries]),
        ("jsonb", [msgspec.json.encode(entry.details) for entry in entries]),
        ("text", [kind.channel for kind in kinds]),
        ("text", [entry.direction for entry in entries]),
        ("text", [kind.origin for kind in kinds]),
        ("text", [entry.status for entry in entries]),
        ("boolean", [entry.is_pinned for entry in entries]),
        ("bigint", [actor.member_id if actor else entry.actor_id for entry in entries]),
    )
    arrays = ", ".join(f"{args.add(values)}::{kind}[]" for kind, values in lists)
    told = f", told AS ({insert_announcements(announcements, args)})" if announcements else ""
    summary = _count(entries, moment, args)
    counted = f", counted AS ({summary})" if summary else ""
    rows = await tx.fetch(
        f"""
WITH given AS MATERIALIZED (
    SELECT lead_id, coalesce(id, next_id()) AS id, kind, happened_at, details,
           channel, direction, origin, status, is_pinned, actor_id, place
      FROM unnest({arrays}) WITH ORDINALITY
        AS e (lead_id, id, kind, happened_at, details, channel, direction, origin, status, is_pinned, actor_id, place)),
written AS (
    INSERT INTO timeline_entry (team_id, lead_id, id, kind, happened_at, actor_id, details,
                                channel, direction, origin, status, is_pinned)
    SELECT $1, lead_id, id, kind, happened_at, actor_id, details,
           channel, direction, origin, status, is_pinned
      FROM given){told}{counted}
SELECT id FROM given ORDER BY place""",
        *args,
    )
    return [row["id"] for row in rows]


async def insert_announcement(tx: Transaction, announcement: Announcement) -> None:
    """Put an announcement into the outbox that no entry stands for."""
    args = Arguments([tx.team_id])
    await tx.execute(insert_announcements([announcement], args), *args)


def _count(entries: "Sequence[Entry]", moment: datetime, args: Arguments) -> str:
    """Return the statement that adds up what these entries count; a late entry moves nothing back. "" for nothing."""
    tallies = _tallies(entries, moment)
    if not tallies:
        return ""
    names = sorted({name for tally in tallies.values() for name in tally})
    rows = ", ".join(
        f"($1, {args.add(lead_id)}::bigint, " + ", ".join(_value(tally.get(name), name, args) for name in names) + ")"
        for lead_id, tally in sorted(tallies.items())
    )
    updates = ", ".join(f"{name} = {_merged(name)}" for name in names)
    return f"""INSERT INTO timeline_summary AS s (team_id, lead_id, {", ".join(names)})
    VALUES {rows}
    ON CONFLICT (team_id, lead_id) DO UPDATE SET {updates}"""


def _tallies(entries: "Sequence[Entry]", moment: datetime) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for entry in entries:
        kind = KINDS[entry.kind]
        happened_at = entry.happened_at or moment
        tally: dict[str, Any] = {}
        for name in kind.counters:
            tally[name] = 1
        if kind.points:
            tally["score"] = kind.points
        for name in moments_of(kind, entry.direction):
            tally[name] = happened_at
        if tally:
            _add(found.setdefault(entry.lead_id, {}), tally)
    return found


def _add(total: dict[str, Any], tally: dict[str, Any]) -> None:
    for name, value in tally.items():
        if name not in total:
            total[name] = value
        elif isinstance(value, datetime):
            total[name] = max(total[name], value)
        else:
            total[name] += value


def _value(value: Any, name: str, args: Arguments) -> str:
    return f"{args.add(value)}::{'timestamptz' if name.endswith('_at') else 'integer'}"


def _merged(name: str) -> str:
    if name.endswith("_at"):
        return f"greatest(s.{name}, EXCLUDED.{name})"
    total = f"coalesce(s.{name}, 0) + coalesce(EXCLUDED.{name}, 0)"
    return f"least({total}, {HIGHEST_SCORE})" if name == "score" else total


async def update_status(tx: Transaction, entry_id: int, status: str, error: str | None) -> TimelineEntry | None:
    """Set how a call, text or e-mail went; return it as it is now."""
    row = await tx.fetchrow(
        f"""UPDATE timeline_entry
               SET status = $3, details = CASE WHEN $4::text IS NULL THEN details - 'error'
                                               ELSE details || jsonb_build_object('error', $4::text) END
             WHERE team_id = $1 AND id = $2 AND channel IS NOT NULL RETURNING {columns(TimelineEntry)}""",
        tx.team_id,
        entry_id,
        status,
        error,
    )
    return TimelineEntry(*row) if row else None


async def update_details(tx: Transaction, entry_id: int, changes: bytes) -> TimelineEntry | None:
    """Merge what became known of a call, text or e-mail; return it as it is now."""
    row = await tx.fetchrow(
        f"""UPDATE timeline_entry SET details = details || $3::jsonb
             WHERE team_id = $1 AND id = $2 AND channel IS NOT NULL RETURNING {columns(TimelineEntry)}""",
        tx.team_id,
        entry_id,
        changes,
    )
    return TimelineEntry(*row) if row else None


async def rewrite(tx: Transaction, entry_id: int, details: bytes, *, is_pinned: bool) -> None:
    """Replace what an entry shows."""
    await tx.execute(
        "UPDATE timeline_entry SET details = $3, is_pinned = $4 WHERE team_id = $1 AND id = $2",
        tx.team_id,
        entry_id,
        details,
        is_pinned,
    )


async def strike(tx: Transaction, member_id: int, entry_id: int) -> bool:
    """Mark an entry as deleted; of talk, take it out of the summary too. False when somebody else already did."""
    row = await tx.fetchrow(
        """UPDATE timeline_entry SET deleted_at = now(), deleted_by = $3, is_pinned = false
            WHERE team_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING lead_id, channel""",
        tx.team_id,
        entry_id,
        member_id,
    )
    if row is None or row["channel"] is None:
        return row is not None
    # Whoever writes talk of this lead holds its summary until it is there to be seen: wait, then add up.
    await tx.execute(
        "SELECT FROM timeline_summary WHERE team_id = $1 AND lead_id = $2 FOR UPDATE", tx.team_id, row["lead_id"]
    )
    of_lead = "FROM timeline_entry e WHERE e.team_id = $1 AND e.lead_id = $2"
    talk = f"{of_lead} AND e.channel IS NOT NULL AND e.deleted_at IS NULL"
    visits = f"(SELECT max(e.happened_at) {of_lead} AND e.kind LIKE 'site\\_%')"
    await tx.execute(
        f"""UPDATE timeline_summary
               SET communication_count = nullif(communication_count - 1, 0),
                   {_MOMENT_OF[row["channel"]]} = (SELECT max(e.happened_at) {talk} AND e.channel = $3),
                   last_contact_at = (SELECT max(e.happened_at) {talk}
                                         AND e.direction = 'outbound' AND e.origin <> 'auto'),
                   last_activity_at = greatest({visits}, (SELECT max(e.happened_at) {talk}
                                                             AND e.direction = 'inbound')),
                   last_touch_at = greatest({visits}, (SELECT max(e.happened_at) {talk}))
             WHERE team_id = $1 AND lead_id = $2""",
        tx.team_id,
        row["lead_id"],
        row["channel"],
    )
    return True


async def repoint_entries(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    """Give a lead's entries, all or these, to another lead; return the ids of those that moved."""
    rows = await tx.fetch(
        """UPDATE timeline_entry SET lead_id = $3
            WHERE team_id = $1 AND lead_id = $2 AND ($4::bigint[] IS NULL OR id = ANY ($4)) AND kind <> ALL ($5)
            RETURNING id""",
        tx.team_id,
        from_id,
        to_id,
        None if ids is None else list(ids),
        [LEAD_MERGED_AWAY, LEAD_CAME_BACK],
    )
    return [row["id"] for row in rows]


async def summary_of(tx: Transaction, lead_id: int) -> Summary:
    """Return what was counted of a lead, locked until the transaction ends."""
    row = await tx.fetchrow(
        f"SELECT {columns(Summary)} FROM timeline_summary WHERE team_id = $1 AND lead_id = $2 FOR UPDATE",
        tx.team_id,
        lead_id,
    )
    return Summary(*row) if row else Summary()


async def put_summary(tx: Transaction, lead_id: int, summary: Summary) -> None:
    """Store what was counted of a lead; of nothing, no row is left."""
    if summary == Summary():
        await tx.execute("DELETE FROM timeline_summary WHERE team_id = $1 AND lead_id = $2", tx.team_id, lead_id)
        return
    names = Summary.__struct_fields__
    places = ", ".join(f"${place}" for place in range(3, len(names) + 3))
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in names)
    await tx.execute(
        f"""INSERT INTO timeline_summary (team_id, lead_id, {", ".join(names)}) VALUES ($1, $2, {places})
            ON CONFLICT (team_id, lead_id) DO UPDATE SET {updates}""",
        tx.team_id,
        lead_id,
        *(getattr(summary, name) for name in names),
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
            KINDS[entry.kind].channel,
            entry.direction,
            KINDS[entry.kind].origin,
            entry.status,
            entry.is_pinned,
        )
        for actor_id, entry in entries
    ]
    names = ("team_id", "lead_id", "id", "kind", "happened_at", "actor_id", "details")
    names += ("channel", "direction", "origin", "status", "is_pinned")
    await tx.copy_records("timeline_entry", records=records, columns=names)


async def put_entries(tx: Transaction, entries: "Sequence[tuple[int | None, Entry]]") -> None:
    """Store entries under their own ids; what an entry of that id and lead shows is replaced."""
    rows = [entry for _, entry in entries]
    kinds = [KINDS[entry.kind] for entry in rows]
    await tx.execute(
        """INSERT INTO timeline_entry AS e (team_id, lead_id, id, kind, happened_at, actor_id, details,
                                            channel, direction, origin, status, is_pinned)
           SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[],
                                    $7::jsonb[], $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[])
           ON CONFLICT (team_id, id) DO UPDATE
              SET kind = EXCLUDED.kind, happened_at = EXCLUDED.happened_at, actor_id = EXCLUDED.actor_id,
                  details = EXCLUDED.details, direction = EXCLUDED.direction, origin = EXCLUDED.origin,
                  status = EXCLUDED.status, is_pinned = EXCLUDED.is_pinned AND e.deleted_at IS NULL
            WHERE e.lead_id = EXCLUDED.lead_id""",
        tx.team_id,
        [entry.lead_id for entry in rows],
        [entry.id for entry in rows],
        [entry.kind for entry in rows],
        [entry.happened_at for entry in rows],
        [actor_id for actor_id, _ in entries],
        [msgspec.json.encode(entry.details) for entry in rows],
        [kind.channel for kind in kinds],
        [entry.direction for entry in rows],
        [kind.origin for kind in kinds],
        [entry.status for entry in rows],
        [entry.is_pinned for entry in rows],
    )


async def recount(tx: Transaction, lead_ids: Sequence[int], kinds: Sequence[Kind]) -> None:
    """Add up the summaries of leads anew.

    Whoever writes about one of them holds its summary until that is there to be seen: wait, then add up.
    """
    given = (tx.team_id, list(lead_ids))
    await tx.execute(
        """INSERT INTO timeline_summary (team_id, lead_id) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING""",
        *given,
    )
    await tx.execute(
        "SELECT FROM timeline_summary WHERE team_id = $1 AND lead_id = ANY ($2) ORDER BY lead_id FOR UPDATE", *given
    )
    sums = _sums(kinds)
    added_up = ", ".join(f"{expression} AS {name}" for name, expression in sums.items())
    await tx.execute(
        f"""UPDATE timeline_summary s SET {", ".join(f"{name} = t.{name}" for name in sums)}
              FROM (SELECT lead_id, {added_up} FROM timeline_entry
                     WHERE team_id = $1 AND lead_id = ANY ($2) AND deleted_at IS NULL AND kind IN ({_listed(kinds)})
                     GROUP BY lead_id) t
             WHERE s.team_id = $1 AND s.lead_id = t.lead_id""",
        *given,
    )


async def summarise(tx: Transaction, lead_ids: Sequence[int], kinds: Sequence[Kind]) -> None:
    """Make the summaries of leads that have none from their entries, for what these kinds count."""
    sums = _sums(kinds)
    await tx.execute(
        f"""INSERT INTO timeline_summary (team_id, lead_id, {", ".join(sums)})
            SELECT team_id, lead_id, {", ".join(sums.values())} FROM timeline_entry
             WHERE team_id = $1 AND lead_id = ANY ($2) AND kind IN ({_listed(kinds)}) GROUP BY 1, 2
            ON CONFLICT DO NOTHING""",
        tx.team_id,
        list(lead_ids),
    )


async def leads_with_more(tx: Transaction, lead_ids: Sequence[int], moments: Sequence[datetime]) -> set[int]:
    """Return leads with entries recorded at another moment than these, less what routing did by itself."""
    rows = await tx.fetch(
        f"""SELECT DISTINCT lead_id FROM timeline_entry
             WHERE team_id = $1 AND lead_id = ANY ($2) AND recorded_at <> ALL ($3)
               AND NOT (actor_id IS NULL AND kind IN ('{LEAD_ROUTED}', '{LEAD_ASSIGNED}'))""",
        tx.team_id,
        list(lead_ids),
        list(moments),
    )
    return {row["lead_id"] for row in rows}


async def forget(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Delete the entries and summaries of leads."""
    ids = list(lead_ids)
    await tx.execute("DELETE FROM timeline_entry WHERE team_id = $1 AND lead_id = ANY ($2)", tx.team_id, ids)
    await tx.execute("DELETE FROM timeline_summary WHERE team_id = $1 AND lead_id = ANY ($2)", tx.team_id, ids)


def _sums(kinds: Sequence[Kind]) -> dict[str, str]:
    """Return the columns of the summary, each with the expression that adds it up."""
    found: dict[str, str] = {}
    for name in sorted({name for kind in kinds for name in kind.counters}):
        listed = _listed([kind for kind in kinds if name in kind.counters])
        found[name] = f"nullif(count(*) FILTER (WHERE kind IN ({listed})), 0)"
    for name in sorted({name for kind in kinds for name in kind.moments}):
        listed = _listed([kind for kind in kinds if name in kind.moments])
        found[name] = f"max(happened_at) FILTER (WHERE kind IN ({listed}))"
    inbound = "max(happened_at) FILTER (WHERE direction = 'inbound')"
    found["last_activity_at"] = f"greatest({found['last_activity_at']}, {inbound})"
    found["last_contact_at"] = "max(happened_at) FILTER (WHERE direction = 'outbound' AND origin <> 'auto')"
    points = " ".join(f"WHEN '{kind.name}' THEN {kind.points}" for kind in kinds if kind.points)
    found["score"] = f"nullif(least(sum(CASE kind {points} ELSE 0 END), {HIGHEST_SCORE}), 0)"
    return found


def _listed(kinds: Sequence[Kind]) -> str:
    return ", ".join(f"'{kind.name}'" for kind in kinds)
