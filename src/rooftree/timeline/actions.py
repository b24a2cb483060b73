"""Writing into the logbook."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.outbox import Announcement, announce_many
from rooftree.timeline import store
from rooftree.timeline.kinds import KINDS, Told
from rooftree.timeline.model import MergedSummary, SiteActivity, Summary, Talk, TimelineEntry
from rooftree.timeline.summaries import combined, parted


class Audience(Struct, frozen=True):
    """Who may hear of it, as the lead stood at that moment. contract: webhooks.md 3"""

    assigned_user_ids: Sequence[int]  #: the agent; after a change the old one too
    ownership_scope: str
    ownership_id: int
    is_hidden: bool
    role_user_ids: Sequence[int] = ()  #: whoever has another role on it


class Entry(Struct, frozen=True):
    """One thing to write down."""

    kind: str
    lead_id: int
    details: dict[str, Any] | Talk | SiteActivity
    happened_at: datetime | None = None  #: None: now
    payload: dict[str, Any] | None = None  #: what the announcement carries beside leadId
    id: int | None = None  #: None: a fresh one
    direction: str | None = None  #: of talk: outbound, inbound
    status: str | None = None  #: of talk: how it went, in the contract's words
    is_pinned: bool = False
    actor_id: int | None = None  #: who did it, or of talk the agent's side, when nobody is logged in


def talk_entry(
    kind: str,
    lead_id: int,
    entry_id: int,
    talk: Talk,
    *,
    direction: str,
    happened_at: datetime | None = None,
    status: str | None = None,
    is_pinned: bool = False,
    agent_id: int | None = None,
) -> Entry:
    """Return the entry of a call, text or e-mail: its id is also the id that the contract calls callId and so on."""
    payload = {"timelineId": entry_id, f"{KINDS[kind].channel}Id": entry_id}
    return Entry(kind, lead_id, talk, happened_at, payload, entry_id, direction, status, is_pinned, agent_id)


async def record(tx: Transaction, actor: Actor | None, entries: Sequence[Entry], *, audience: Audience) -> list[int]:
    """Write entries down, count them, and announce those that the world is told of, in one statement.

    Each (list, thing) is announced at most once: what was created is not told as updated, too.
    Returns the entries' ids, in order.
    Writes: timeline_entry, announcement, timeline_summary. Raises: ValueError when a payload lacks a key.
    """
    return await record_all(tx, actor, [(entries, audience)])


async def record_all(
    tx: Transaction, actor: Actor | None, groups: Sequence[tuple[Sequence[Entry], Audience]]
) -> list[int]:
    """Write down what happened to several leads, each with who may hear of it, as `record` does, in one statement."""
    entries = [entry for group, _ in groups for entry in group]
    if not entries:
        return []
    moment = clock.now()
    told = [one for group, audience in groups for one in _announcements(group, audience, moment)]
    return await store.insert_entries(tx, actor, entries, told, moment)


async def announce_agent(tx: Transaction, told: Told, agent_id: int) -> None:
    """Announce that a member came or changed: AGENT_CREATED, AGENT_UPDATED. No lead, so no entry of the logbook.

    Heard by the member, the company owner and the company admins. Writes: announcement (1). contract: webhooks.md 3
    """
    audience = Audience([agent_id], "PERSONAL", agent_id, is_hidden=False)
    verb, payload = f"{told.verb}{told.thing}", {"agentId": agent_id}
    await store.insert_announcement(tx, Announcement(told.list_id, verb, None, payload, audience, clock.now()))


def _announcements(entries: Sequence[Entry], audience: Audience, moment: datetime) -> list[Announcement]:
    found: dict[tuple[object, ...], Announcement] = {}
    verbs: dict[tuple[object, ...], str] = {}
    for entry in entries:
        for told in KINDS[entry.kind].told:
            named = {"leadId": entry.lead_id, **_payload(entry, told.keys)}
            announced = (told.list_id, *named.values())
            is_first = announced not in verbs
            if is_first or _FIRST_TOLD.index(told.verb) < _FIRST_TOLD.index(verbs[announced]):
                verbs[announced] = told.verb
                found[announced] = Announcement(
                    told.list_id, f"{told.verb}{told.thing}", entry.lead_id, named, audience, moment
                )
            if told.verb == verbs[announced]:
                found[announced].payload.update(_payload(entry, told.beside))
    return list(found.values())


#: Of several things that one request did to the same, this one is told. contract: webhooks.md 2
_FIRST_TOLD: Final = ("deleted", "created", "finished", "updated")


def _payload(entry: Entry, keys: tuple[str, ...]) -> dict[str, Any]:
    payload = entry.payload or {}
    if missing := [key for key in keys if key not in payload]:
        raise ValueError(f"an entry of kind {entry.kind} is announced and needs {', '.join(missing)} in its payload")
    return {key: payload[key] for key in keys}


async def set_status(tx: Transaction, entry_id: int, status: str, *, error: str | None = None) -> TimelineEntry | None:
    """Say how a call, text or e-mail went; None when there is no such entry.

    What became of it is recorded by the caller as an entry of its own. Writes: timeline_entry.
    """
    return await store.update_status(tx, entry_id, status, error)


async def amend_talk(tx: Transaction, entry_id: int, **changes: Any) -> TimelineEntry | None:
    """Fill in what became known of a call later: fields of Talk, e.g. its duration. Writes: timeline_entry."""
    wire = msgspec.json.decode(msgspec.json.encode(Talk(**changes)))
    return await store.update_details(tx, entry_id, msgspec.json.encode(wire))


async def rewrite(tx: Transaction, entry_id: int, details: dict[str, Any], *, is_pinned: bool) -> None:
    """Show an entry with other details, pinned or not; the change is an entry of its own. Writes: timeline_entry."""
    await store.rewrite(tx, entry_id, msgspec.json.encode(details), is_pinned=is_pinned)


async def strike(tx: Transaction, actor: Actor, entry_id: int) -> bool:
    """Take an entry out of what readers show; the row stays, with who struck it out and when.

    Returns whether it still stood there: of two who strike it, one did. The caller records the deletion as an entry
    of its own. Writes: timeline_entry, timeline_summary.
    """
    return await store.strike(tx, actor.member_id, entry_id)


async def repoint_entries(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None = None) -> list[int]:
    """Let a lead's history belong to another: all of it, or these entries. Returns the ids of those that moved.

    That it was merged away stays with the lead itself. The summaries are a matter of their own. Writes: timeline_entry.
    """
    return await store.repoint_entries(tx, from_id, to_id, ids)


async def merge_summaries(tx: Transaction, from_id: int, to_id: int, known: Summary | None = None) -> MergedSummary:
    """Add what the logbook counted of a lead to another's; the first lead's own stays as it is.

    `known`: what was added before; only what came since is. Returns what the other's was before, and what has been
    added by now. Writes: timeline_summary.
    """
    before, added = await store.summary_of(tx, to_id), await store.summary_of(tx, from_id)
    await store.put_summary(tx, to_id, combined(before, added, known or Summary()))
    return MergedSummary(before, added)


async def part_summaries(tx: Transaction, to_id: int, merged: MergedSummary) -> None:
    """Take out of a lead's summary what a merge added; what was counted since stays. Writes: timeline_summary."""
    await store.put_summary(tx, to_id, parted(await store.summary_of(tx, to_id), merged))


async def load(
    tx: Transaction, history: Sequence[tuple[int, Entry]], audiences: Mapping[int, Audience] | None = None
) -> None:
    """Write many entries of leads that are new, and count them. Needs the owner's rights.

    `audiences`: who may hear of each lead; without, nothing is announced. Writes: timeline_entry, timeline_summary,
    announcement.
    """
    await store.copy_entries(tx, history)
    if lead_ids := _counted(history):
        await store.summarise(tx, lead_ids, _COUNTED)
    if audiences:
        await _announce_loaded(tx, [entry for _, entry in history], audiences)


async def put(tx: Transaction, history: Sequence[tuple[int | None, Entry]]) -> None:
    """Write entries that have ids, those that are there anew, and count their leads again. Announces nothing.

    `history`: pairs of who did it and what. For what was taken from elsewhere: an entry that was struck out stays so.
    """
    await store.put_entries(tx, history)
    if lead_ids := _counted(history):
        await store.recount(tx, lead_ids, _COUNTED)


#: The kinds that the summary of a lead counts.
_COUNTED: Final = [kind for kind in KINDS.values() if kind.counters or kind.moments]


def _counted(history: Sequence[tuple[int | None, Entry]]) -> list[int]:
    names = {kind.name for kind in _COUNTED}
    return sorted({entry.lead_id for _, entry in history if entry.kind in names})


async def _announce_loaded(tx: Transaction, entries: Sequence[Entry], audiences: Mapping[int, Audience]) -> None:
    of_lead: dict[int, list[Entry]] = {}
    for entry in entries:
        of_lead.setdefault(entry.lead_id, []).append(entry)
    moment = clock.now()
    told = [one for lead_id, own in of_lead.items() for one in _announcements(own, audiences[lead_id], moment)]
    if told:
        await announce_many(tx, told)


async def leads_with_more(tx: Transaction, lead_ids: Sequence[int], moments: Sequence[datetime]) -> set[int]:
    """Return those of these leads of which something was recorded at another moment than these, transactions' begins.

    What the system did by itself to find an agent does not count.
    """
    return await store.leads_with_more(tx, lead_ids, moments)


async def forget(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Delete the logbook of leads that are gone as if they had never come. Writes: timeline_entry, timeline_summary."""
    await store.forget(tx, lead_ids)
