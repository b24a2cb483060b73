"""Writing into the logbook."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.outbox import Announcement
from rooftree.timeline import store
from rooftree.timeline.kinds import KINDS


class Audience(Struct, frozen=True):
    """Who may hear of it, as the lead stood at that moment. contract: webhooks.md 3"""

    assigned_user_ids: Sequence[int]  #: the agent; after a change the old one too
    ownership_scope: str
    ownership_id: int
    is_hidden: bool


class Entry(Struct, frozen=True):
    """One thing to write down."""

    kind: str
    lead_id: int
    details: dict[str, Any]
    happened_at: datetime | None = None  #: None: now
    payload: dict[str, Any] | None = None  #: what the announcement carries beside leadId
    id: int | None = None  #: None: a fresh one


async def record(tx: Transaction, actor: Actor | None, entries: Sequence[Entry], *, audience: Audience) -> list[int]:
    """Write entries down, announce those that the world is told of, and count those that are counted.

    One statement for all entries and announcements; one more for each entry that is counted. Each (list, verb, lead) is
    announced at most once. Returns the entries' ids, in order.
    Writes: timeline_entry, announcement, timeline_summary. Raises: ValueError when a payload lacks a key.
    """
    if not entries:
        return []
    moment = clock.now()
    ids = await store.insert_entries(tx, actor, entries, _announcements(entries, audience, moment), moment)
    for entry in entries:
        kind = KINDS[entry.kind]
        if kind.counters or kind.moments:
            await store.count(tx, entry.lead_id, kind, entry.happened_at or moment)
    return ids


def _announcements(entries: Sequence[Entry], audience: Audience, moment: datetime) -> list[Announcement]:
    found: dict[tuple[object, ...], Announcement] = {}
    for entry in entries:
        for told in KINDS[entry.kind].told:
            payload = {"leadId": entry.lead_id, **{key: (entry.payload or {})[key] for key in _keys(entry, told.keys)}}
            announced = (told.list_id, told.verb, *payload.values())
            found[announced] = Announcement(
                told.list_id,
                f"{told.verb}{told.thing}",
                entry.lead_id,
                payload,
                audience,
                entry.happened_at or moment,
            )
    return list(found.values())


def _keys(entry: Entry, keys: tuple[str, ...]) -> tuple[str, ...]:
    if missing := [key for key in keys if key not in (entry.payload or {})]:
        raise ValueError(f"an entry of kind {entry.kind} is announced and needs {', '.join(missing)} in its payload")
    return keys


async def load(tx: Transaction, history: Sequence[tuple[int, Entry]]) -> None:
    """Write many entries of leads that are new, and count them. Announces nothing. Needs the owner's rights."""
    await store.copy_entries(tx, history)
    counted = [kind for kind in KINDS.values() if kind.counters or kind.moments]
    names = {kind.name for kind in counted}
    lead_ids = sorted({entry.lead_id for _, entry in history if entry.kind in names})
    if lead_ids:
        await store.summarise(tx, lead_ids, counted)
