"""Merging one lead into another, and undoing it. Each is one complete change, in the caller's transaction.

Both leads are locked first, in the order of their ids; whoever writes to a lead, or adds to its history, holds it too.
`region` (e.g. US) completes phone numbers.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from rooftree.duplicates import history, queries, store
from rooftree.duplicates.errors import MergeNotUndoable
from rooftree.duplicates.model import UNDO_DAYS, Changes, LeadMerge
from rooftree.leads import merging as leads
from rooftree.leads import queries as lead_queries
from rooftree.leads.actions import audience
from rooftree.leads.edits import stage_entry
from rooftree.leads.model import Lead
from rooftree.leads.rules import full_name
from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ResourceNotExist
from rooftree.platform.ids import next_ids
from rooftree.platform.jobs import enqueue
from rooftree.timeline import actions as timeline
from rooftree.timeline import kinds
from rooftree.timeline import queries as logbook
from rooftree.timeline.actions import Entry, record
from rooftree.timeline.model import MergedSummary

#: The job that fetches what was still being written for a lead when it was merged away.
FOLLOW_MERGE: Final = "follow_merge"
#: Longer than any transaction that began before.
_FOLLOWED_AFTER: Final = timedelta(seconds=60)


class Preview(Struct, frozen=True):
    """What a merge would make of two leads."""

    lead_id: int
    other_lead_id: int
    fields: list[dict[str, Any]]
    moves: dict[str, int]


async def preview(
    tx: Transaction, actor: Actor, lead_id: int | None, other_id: int, choices: Mapping[str, str], *, region: str
) -> Preview:
    """Say what a merge would do; nothing is stored. Raises: LeadNotExist (20006), InvalidParameter (20012)."""
    _check_two(lead_id, other_id)
    winner = await lead_queries.visible_lead(tx, actor, lead_id, is_managing=True)
    loser = await lead_queries.visible_lead(tx, actor, other_id, is_managing=True)
    planned = leads.plan(winner.lead, loser.lead, [], [], choices, region=region)
    moves = await queries.history_counts(tx, loser.lead.id)
    return Preview(winner.lead.id, loser.lead.id, leads.shown(planned, winner, loser), moves)


def _check_two(lead_id: int | None, other_id: int) -> None:
    if lead_id == other_id:
        raise InvalidParameter("otherLeadId: must be another lead.")


async def merge(
    tx: Transaction, actor: Actor, lead_id: int | None, other_id: int, choices: Mapping[str, str], *, region: str
) -> LeadMerge:
    """Merge the other lead into this one: its fields as chosen, all of its history; it goes to the trash itself.

    Who merges must be allowed to change both, which is what deleting one takes.
    Writes: lead and what finds it, everything in `history.HISTORY`, timeline_summary, lead_merge, timeline_entry
    (lead_merged, stage_changed; lead_merged_away), announcement (2 updated, 2 deleted; 12 on a stage), job.
    Raises: LeadNotExist (20006), InvalidParameter (20012).
    """
    _check_two(lead_id, other_id)
    leads.check_choices(choices)
    winner, loser = await lead_queries.managed_pair(tx, actor, lead_id, other_id)
    pairs, other_pairs = await leads.role_pairs(tx, winner), await leads.role_pairs(tx, loser)
    planned = leads.plan(winner, loser, pairs, other_pairs, choices, region=region)
    merged = await leads.absorb(tx, actor.member_id, winner, loser, planned, pairs, region=region)
    moves = await history.move_all(tx, loser.id, winner.id)
    summary = await timeline.merge_summaries(tx, loser.id, winner.id)
    (merge_id,) = await next_ids(tx, 1)
    moved = {kind: len(ids) for kind, ids in moves.items()}
    found = await store.insert_merge(
        tx,
        merge_id,
        winner.id,
        loser.id,
        actor.member_id,
        choices=msgspec.json.encode(choices),
        moved=msgspec.json.encode(moved),
        changes=merged.changes,
        summary=msgspec.json.encode(summary),
    )
    await store.add_moves(tx, merge_id, moves)
    await _tell_merge(tx, actor, winner, merged, loser, found)
    await enqueue(tx, FOLLOW_MERGE, run_at=clock.now() + _FOLLOWED_AFTER, merge_id=merge_id)
    return found


async def _tell_merge(
    tx: Transaction, actor: Actor, winner: Lead, merged: leads.Merged, loser: Lead, done: LeadMerge
) -> None:
    """Write down on both leads who merged what, when, and what was chosen; announce both."""
    new = merged.lead
    details = {
        "mergeId": done.id,
        "mergedLeadId": loser.id,
        "name": full_name(loser.first_name, loser.last_name),
        "choices": msgspec.Raw(done.choices),
        "fields": msgspec.Raw(merged.changes),
        "moved": msgspec.Raw(done.moved),
    }
    entries = [Entry(kinds.LEAD_MERGED, new.id, details, new.updated_at, {"mergedLeadId": loser.id})]
    if new.stage_id != winner.stage_id:
        entries.append(await _stage_entry(tx, winner, new))
    await record(tx, actor, entries, audience=audience(new, formerly=_formerly(winner, new)))
    gone = {
        "mergeId": done.id,
        "mergedIntoLeadId": new.id,
        "name": full_name(new.first_name, new.last_name),
        "choices": msgspec.Raw(done.choices),
    }
    away = Entry(kinds.LEAD_MERGED_AWAY, loser.id, gone, new.updated_at, {"mergedIntoLeadId": new.id})
    await record(tx, actor, [away], audience=audience(loser))


async def _stage_entry(tx: Transaction, old: Lead, new: Lead) -> Entry:
    return stage_entry(old, new, await lead_queries.stage_names(tx, [old.stage_id, new.stage_id]))


def _formerly(old: Lead, new: Lead) -> list[int]:
    return [old.assigned_user_id] if old.assigned_user_id and old.assigned_user_id != new.assigned_user_id else []


class Undone(Struct, frozen=True):
    """A merge that was undone."""

    merge: LeadMerge
    kept: list[str]  #: fields of who stayed that somebody changed since: they keep the newer value
    moved_back: dict[str, int]  #: how many rows went back, by kind


async def undo(tx: Transaction, actor: Actor, merge_id: int | None, *, region: str) -> Undone:
    """Make two leads of one again, as they were; what happened to the one that stayed since is its own.

    Writes: as `merge`. Raises: ResourceNotExist (20007), MergeNotUndoable (409, 900409) when it was undone, is older
    than 30 days, or the lead that stayed was itself merged away since.
    """
    known = await queries.find_merge(tx, merge_id)
    if known is None:
        raise ResourceNotExist
    winner, loser = await lead_queries.managed_pair(
        tx, actor, known.lead_id, known.merged_lead_id, otherwise=ResourceNotExist, with_trash=True
    )
    done = await queries.find_merge(tx, known.id, is_held=True) or known
    if done.undone_at is not None:
        raise MergeNotUndoable("The merge was undone before.")
    if later := await queries.merged_away(tx, winner.id):
        raise MergeNotUndoable(
            f"Lead {winner.id} was itself merged into lead {later.lead_id} since: undo merge {later.id} first."
        )
    if done.changes is None or done.summary is None or clock.now() > done.merged_at + timedelta(days=UNDO_DAYS):
        raise MergeNotUndoable(f"A merge can be undone for {UNDO_DAYS} days; this one is older.")
    moved_back = await history.move_back(tx, winner.id, loser.id, await queries.moves_of(tx, done.id))
    await timeline.part_summaries(tx, winner.id, msgspec.json.decode(done.summary, type=MergedSummary))
    is_contacted = await logbook.is_contacted(tx, winner.id)
    changes = msgspec.json.decode(done.changes, type=Changes)
    parted = await leads.part(tx, winner, loser, changes, is_contacted=is_contacted, region=region)
    ended = await store.end_merge(tx, done.id, actor.member_id)
    await _tell_undo(tx, actor, winner, parted, ended)
    return Undone(ended, parted.kept, moved_back)


async def _tell_undo(tx: Transaction, actor: Actor, winner: Lead, parted: leads.Parted, done: LeadMerge) -> None:
    stayed, back = parted.lead, parted.other
    details = {"mergeId": done.id, "unmergedLeadId": back.id, "kept": parted.kept}
    entries = [Entry(kinds.LEAD_UNMERGED, stayed.id, details, stayed.updated_at, {"unmergedLeadId": back.id})]
    if stayed.stage_id != winner.stage_id:
        entries.append(await _stage_entry(tx, winner, stayed))
    await record(tx, actor, entries, audience=audience(stayed, formerly=_formerly(winner, stayed)))
    payload = {"unmergedFromLeadId": stayed.id}
    entry = Entry(kinds.LEAD_CAME_BACK, back.id, {"mergeId": done.id, **payload}, back.updated_at, payload)
    await record(tx, actor, [entry], audience=audience(back))


async def follow(tx: Transaction, merge_id: int) -> None:
    """Fetch what was written for a lead while it was being merged away, by whoever did not hold it. Again: nothing.

    Writes: as `merge`, without announcing.
    """
    known = await queries.find_merge(tx, merge_id)
    if known is None or known.undone_at is not None:
        return
    await lead_queries.hold_leads(tx, [known.lead_id, known.merged_lead_id])
    done = await queries.find_merge(tx, merge_id, is_held=True)
    if done is None or done.undone_at is not None or done.summary is None:
        return
    moves = await history.move_all(tx, done.merged_lead_id, done.lead_id)
    if not any(moves.values()):
        return
    summary = msgspec.json.decode(done.summary, type=MergedSummary)
    now = await timeline.merge_summaries(tx, done.merged_lead_id, done.lead_id, summary.added)
    await store.add_moves(tx, merge_id, moves)
    counts: dict[str, int] = msgspec.json.decode(done.moved)
    counts = {kind: counts.get(kind, 0) + len(ids) for kind, ids in moves.items()}
    kept = MergedSummary(summary.before, now.added)
    await store.update_moved(tx, merge_id, msgspec.json.encode(counts), msgspec.json.encode(kept))
    if later := await queries.merged_away(tx, done.lead_id):
        await enqueue(tx, FOLLOW_MERGE, merge_id=later.id)
