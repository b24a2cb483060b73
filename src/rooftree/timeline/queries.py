"""The readers of the logbook. The caller has made sure that the lead is theirs to see."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from rooftree.platform.database import Arguments, Transaction, columns
from rooftree.timeline.kinds import KINDS
from rooftree.timeline.model import TimelineEntry

#: How many site activities a page holds. contract: GET /v1.0/leads/{leadId}/activities
SITE_PAGE: Final = 100
_ENTRY: Final = columns(TimelineEntry)
_TALK: Final = "channel IS NOT NULL AND deleted_at IS NULL"


class Window(Struct, frozen=True):
    """A part of a list: the entries after one, or those after the first `offset`."""

    limit: int
    offset: int = 0
    after_id: int | None = None


async def conversations(
    tx: Transaction, lead_id: int, window: Window, *, channel: str | None = None
) -> list[TimelineEntry]:
    """Return calls, texts and e-mails of a lead, oldest first; ties by id. `channel`: of one kind only."""
    args = Arguments([tx.team_id, lead_id])
    found = [f"team_id = $1 AND lead_id = $2 AND {_TALK}"]
    if channel is not None:
        found.append(f"channel = {args.add(channel)}")
    if window.after_id is not None:
        found.append(f"(happened_at, id) > {_place(args.add(window.after_id))}")
    sql = f"""SELECT {_ENTRY} FROM timeline_entry WHERE {" AND ".join(found)}
               ORDER BY happened_at, id LIMIT {args.add(window.limit)} OFFSET {args.add(window.offset)}"""
    return [TimelineEntry(*row) for row in await tx.fetch(sql, *args)]


def _place(after_id: str) -> str:
    """Return where an entry stands. One that is not there stands where its id would: ids are ordered by time."""
    known = f"(SELECT happened_at FROM timeline_entry WHERE team_id = $1 AND lead_id = $2 AND id = {after_id})"
    made = f"to_timestamp((({after_id}::bigint >> 12) + 1700000000000) / 1000.0)"
    return f"(coalesce({known}, {made}), {after_id})"


async def count_conversations(tx: Transaction, lead_id: int) -> int:
    """Return how many calls, texts and e-mails a lead has; exact, and not counted by reading them."""
    return (
        await tx.fetchval(
            "SELECT communication_count FROM timeline_summary WHERE team_id = $1 AND lead_id = $2", tx.team_id, lead_id
        )
        or 0
    )


async def find_entry(
    tx: Transaction, entry_id: int | None, *, channel: str | None = None, origin: str | None = None
) -> TimelineEntry | None:
    """Return an entry that is not deleted, if it is of that channel and origin."""
    if entry_id is None:
        return None
    row = await tx.fetchrow(
        f"""SELECT {_ENTRY} FROM timeline_entry
             WHERE team_id = $1 AND id = $2 AND deleted_at IS NULL
               AND ($3::text IS NULL OR channel = $3) AND ($4::text IS NULL OR origin = $4)""",
        tx.team_id,
        entry_id,
        channel,
        origin,
    )
    return TimelineEntry(*row) if row else None


async def logs(
    tx: Transaction, lead_id: int, channel: str, window: Window, *, by_id: bool, is_descending: bool
) -> list[TimelineEntry]:
    """Return manual logs of one channel; with `window.after_id` by id, from there on."""
    args = Arguments([tx.team_id, lead_id, channel])
    direction, beyond = ("DESC", "<") if is_descending else ("ASC", ">")
    after = "" if window.after_id is None else f" AND id {beyond} {args.add(window.after_id)}"
    by = f"id {direction}" if by_id or window.after_id is not None else f"happened_at {direction}, id {direction}"
    rows = await tx.fetch(
        f"""SELECT {_ENTRY} FROM timeline_entry
             WHERE team_id = $1 AND lead_id = $2 AND channel = $3 AND origin = 'logged' AND deleted_at IS NULL{after}
             ORDER BY {by} LIMIT {args.add(window.limit)} OFFSET {args.add(window.offset)}""",
        *args,
    )
    return [TimelineEntry(*row) for row in rows]


async def site_activities(tx: Transaction, lead_id: int, page: int) -> list[TimelineEntry]:
    """Return a page of what a lead did on the website, newest first; pages count from 0."""
    rows = await tx.fetch(
        f"""SELECT {_ENTRY} FROM timeline_entry
             WHERE team_id = $1 AND lead_id = $2 AND kind LIKE 'site\\_%'
             ORDER BY happened_at DESC, id DESC LIMIT $3 OFFSET $4""",
        tx.team_id,
        lead_id,
        SITE_PAGE,
        page * SITE_PAGE,
    )
    return [TimelineEntry(*row) for row in rows]


_SYSTEM_KINDS: Final = [kind.name for kind in KINDS.values() if kind.system_log_type is not None]


#: What the operations of the contract show to those only who manage the lead.
_MANAGERS_KINDS: Final = [*_SYSTEM_KINDS, *(kind.name for kind in KINDS.values() if kind.site_code is not None)]


class LoggedChange(Struct, frozen=True):
    """An entry of the system log, with the names of who did it and to whom."""

    entry: TimelineEntry
    actor_first_name: str | None
    actor_last_name: str | None


async def system_log(
    tx: Transaction, lead_id: int, *, since: datetime | None, until: datetime | None, limit: int, offset: int
) -> list[LoggedChange]:
    """Return what the system or somebody changed about a lead, newest first. Never talk, visits or added notes."""
    width = len(TimelineEntry.__struct_fields__)
    rows = await tx.fetch(
        f"""SELECT {columns(TimelineEntry, "e")}, m.first_name, m.last_name
              FROM timeline_entry e LEFT JOIN member m ON m.team_id = e.team_id AND m.id = e.actor_id
             WHERE e.team_id = $1 AND e.lead_id = $2 AND e.channel IS NULL AND e.kind NOT LIKE 'site\\_%'
               AND e.kind = ANY ($3) AND ($4::timestamptz IS NULL OR e.happened_at >= $4)
               AND ($5::timestamptz IS NULL OR e.happened_at <= $5)
             ORDER BY e.happened_at DESC, e.id DESC LIMIT $6 OFFSET $7""",
        tx.team_id,
        lead_id,
        _SYSTEM_KINDS,
        since,
        until,
        limit,
        offset,
    )
    return [LoggedChange(TimelineEntry(*tuple(row)[:width]), *tuple(row)[width:]) for row in rows]


async def entries_of_kind(tx: Transaction, lead_id: int, kind: str, *, limit: int) -> list[TimelineEntry]:
    """Return the newest entries of a system kind on a lead, newest first."""
    rows = await tx.fetch(
        f"""SELECT {columns(TimelineEntry)} FROM timeline_entry
             WHERE team_id = $1 AND lead_id = $2 AND channel IS NULL AND kind NOT LIKE 'site\\_%' AND kind = $3
             ORDER BY happened_at DESC, id DESC LIMIT $4""",
        tx.team_id,
        lead_id,
        kind,
        limit,
    )
    return [TimelineEntry(*row) for row in rows]


class Place(Struct, frozen=True, array_like=True):
    """The last entry that was shown of a lead's whole history."""

    is_pinned: bool
    happened_at: datetime
    id: int


async def history(
    tx: Transaction, lead_id: int, *, limit: int, after: Place | None, with_deleted: bool, is_managing: bool
) -> list[TimelineEntry]:
    """Return everything that happened to a lead: what is pinned first, then newest first.

    `with_deleted`: what was deleted too, and pins ignored, as the audit reads it. `is_managing`: what only those read
    who manage the lead, too: who changed what, and visits to the website.
    """
    hidden = [] if is_managing else _MANAGERS_KINDS
    if with_deleted:
        return await _stretch(tx, lead_id, limit, after, "true", hidden)
    pinned: list[TimelineEntry] = []
    if after is None or after.is_pinned:
        pinned = await _stretch(tx, lead_id, limit, after, "is_pinned AND deleted_at IS NULL", hidden)
        after = None
    if len(pinned) == limit:
        return pinned
    rest = limit - len(pinned)
    return pinned + await _stretch(tx, lead_id, rest, after, "NOT is_pinned AND deleted_at IS NULL", hidden)


async def _stretch(
    tx: Transaction, lead_id: int, limit: int, after: Place | None, condition: str, hidden_kinds: Sequence[str]
) -> list[TimelineEntry]:
    args = Arguments([tx.team_id, lead_id])
    beyond = f" AND (happened_at, id) < ({args.add(after.happened_at)}, {args.add(after.id)})" if after else ""
    shown = f" AND kind <> ALL ({args.add(list(hidden_kinds))})" if hidden_kinds else ""
    rows = await tx.fetch(
        f"""SELECT {_ENTRY} FROM timeline_entry WHERE team_id = $1 AND lead_id = $2 AND {condition}{beyond}{shown}
             ORDER BY happened_at DESC, id DESC LIMIT {args.add(limit)}""",
        *args,
    )
    return [TimelineEntry(*row) for row in rows]


async def names_of(tx: Transaction, member_ids: Sequence[int]) -> dict[int, str]:
    """Return the names of members, for people to read."""
    rows = await tx.fetch(
        "SELECT id, rtrim(first_name || ' ' || last_name) FROM member WHERE team_id = $1 AND id = ANY ($2)",
        tx.team_id,
        list(member_ids),
    )
    return {row[0]: row[1] for row in rows}


async def is_contacted(tx: Transaction, lead_id: int) -> bool:
    """Whether the logbook knows of an agent's call, text or e-mail to a lead."""
    sql = "SELECT last_contact_at IS NOT NULL FROM timeline_summary WHERE team_id = $1 AND lead_id = $2"
    return bool(await tx.fetchval(sql, tx.team_id, lead_id))
