"""Many leads at once: loading them with all that finds them, and taking them back; accounts that moved here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import asdict, replace

from rooftree.leads import actions, drafts, handover, queries, rules, store
from rooftree.leads.drafts import Draft
from rooftree.leads.handles import Handles, handles_of
from rooftree.leads.model import CustomField, Lead, Tag
from rooftree.leads.wire import EditLeadRequest, LeadFields, LeadRequest, tag_response
from rooftree.notes import actions as notes
from rooftree.platform import clock, ids
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction, columns
from rooftree.platform.outbox import Announcement, announce_many
from rooftree.routing import actions as routing
from rooftree.team import queries as team
from rooftree.timeline import actions as timeline
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry, load

_BATCH: Final = 2000
#: What a lead that is written anew keeps: where it came from here, and what was done to it here.
_KEPT: Final = {"team_id", "id", "is_contacted", "created_by", "trashed_at", "trashed_by", "trash_reason"}


async def load_leads(
    tx: Transaction, leads: Sequence[Lead], history: Sequence[tuple[int, Entry]], *, region: str
) -> None:
    """Store leads and what happened to them, in the caller's transaction. Needs the owner's rights.

    `history`: pairs of who did it and an entry with an id. Announces nothing, counts everything.
    """
    await store.copy_leads(tx, leads, _handles(leads, region))
    await load(tx, history)


def _handles(leads: Iterable[Lead], region: str) -> list[Handles]:
    return [handles_of(lead.first_name, lead.last_name, lead.emails, lead.phones, region) for lead in leads]


async def index_leads(tx: Transaction, *, region: str, on_progress: Callable[[int, int], None]) -> None:
    """Make what finds the team's leads, all of which nothing finds yet. Needs the owner's rights.

    `on_progress` hears how many leads there are, and how many were done since the last time.
    """
    # sees all: a team's leads, just loaded, those in the trash too
    total = int(await tx.fetchval("SELECT count(*) FROM lead WHERE team_id = $1", tx.team_id))
    sql = f"SELECT {columns(Lead)} FROM lead WHERE team_id = $1"
    async for batch in tx.stream(sql, tx.team_id, batch=_BATCH):
        leads = [Lead(*row) for row in batch]
        await store.copy_finders(tx, leads, _handles(leads, region))
        on_progress(total, len(batch))


async def rewrite_lead(tx: Transaction, lead: Lead, *, region: str) -> None:
    """Let a lead be what this row says; whether it was contacted, and the trash, stay. Writes: lead and beside it."""
    old = await queries.locked_lead(tx, lead.id)
    if old is None:
        return
    names = [name for name in Lead.__struct_fields__ if name not in _KEPT]
    changes = {name: getattr(lead, name) for name in names if getattr(lead, name) != getattr(old, name)}
    if changes:
        await store.update_lead(tx, old, replace(old, **changes), changes, region)


async def put_roles(tx: Transaction, lead: Lead, people: Sequence[tuple[int, int]]) -> None:
    """Set who works a lead besides its agent: pairs of role id (-2 lender, or a custom role's) and member id."""
    await store.replace_roles(tx, lead, people)


async def mark_all_contacted(tx: Transaction, lead_ids: Sequence[int], *, region: str) -> None:
    """Note that an agent reached out to these leads. Writes: lead, lead_tally."""
    leads = [lead for lead in await queries.locked_leads(tx, lead_ids) if not lead.is_contacted]
    changes = [store.Change(lead, replace(lead, is_contacted=True), {"is_contacted"}) for lead in leads]
    if changes:
        await store.update_leads(tx, changes, region)


async def ensure_stages(tx: Transaction, names: Sequence[str]) -> dict[str, int]:
    """Return the ids of stages by their names in lower case, those that are new added at the pipeline's end."""
    return {name.lower(): await store.ensure_stage(tx, name) for name in names}


class Vocabulary(Struct):
    """The team's words and people, looked up once; what a load adds to the team it adds here."""

    stages: dict[str, int]  #: ids by name in lower case, in the pipeline's order
    sources: dict[str, int]
    tags: dict[str, Tag]
    fields: list[CustomField]
    member_ids: set[int]  #: active ones
    office_ids: set[int]

    def missing(self, wanted: Iterable[Draft]) -> "Missing":
        """Return what drafts name and the team does not have."""
        found = Missing([], [], [])
        for draft in wanted:
            stage = draft.stage or (None if self.stages else actions.FIRST_STAGES[0])
            source = draft.columns.get("source")
            if stage and stage.lower() not in self.stages and stage not in found.stages:
                found.stages.append(stage)
            if source and source not in self.sources and source not in found.sources:
                found.sources.append(source)
            found.tags += [name for name in draft.tags if name not in self.tags and name not in found.tags]
        return found


class Missing(Struct):
    """Names of stages, sources and tags that the team does not have yet."""

    stages: list[str]
    sources: list[str]
    tags: list[str]


async def vocabulary(tx: Transaction) -> Vocabulary:
    """Return the team's words and people."""
    members = await team.everybody(tx)
    pipeline, _ = await queries.stages(tx, tx.team_id, "", 100_000, 0)
    return Vocabulary(
        {stage.name.lower(): stage.id for stage in pipeline},
        await queries.all_sources(tx),
        {tag.name: tag for tag in await queries.all_tags(tx)},
        await queries.custom_fields(tx, tx.team_id),
        {member.id for member in members.values() if member.status == "active"},
        set(await team.offices(tx)),
    )


async def learn(tx: Transaction, known: Vocabulary, missing: Missing, creator_id: int) -> None:
    """Add words to the team. Writes: stage, source, tag."""
    for name in missing.stages:
        known.stages.setdefault(name.lower(), await store.ensure_stage(tx, name))
    if missing.sources:
        known.sources |= await store.ensure_sources(tx, missing.sources)
    if missing.tags:
        known.tags |= {tag.name: tag for tag in await store.ensure_tags(tx, missing.tags, creator_id)}


def lead_of(
    draft: Draft,
    known: Vocabulary,
    new_ids: Sequence[int],
    *,
    team_id: int,
    member_id: int,
    created_at: datetime | None = None,
) -> Lead:
    """Return the row of a draft whose words the team has. `new_ids`: of the lead, its inquiry, its property.

    Raises: InvalidParameter (20012), ParameterTooLong (20043), PropertyAddressEmpty (200057), as POST /v1.0/leads does.
    """
    drafts.check_people(draft.ownership, [draft.assigned_user_id], known.member_ids, known.office_ids)
    source = draft.columns.get("source")
    words = {
        "stage_id": known.stages[draft.stage.lower()] if draft.stage else next(iter(known.stages.values())),
        "source_id": known.sources[source] if source else -1,
        "tags": msgspec.json.encode([tag_response(known.tags[name], new_ids[0]) for name in draft.tags]),
    }
    return drafts.new_lead(
        draft,
        words,
        known.fields,
        new_ids,
        team_id=team_id,
        member_id=member_id,
        now=clock.now(),
        created_at=created_at,
    )


class NewLead(Struct):
    """A lead to be stored, with what comes with it."""

    lead: Lead
    handles: Handles
    details: dict[str, Any]  #: of the logbook's entry, beside name and source
    contents: Sequence[str] = ()  #: notes
    routed: routing.Routed | None = None
    roles: Sequence[tuple[int, int]] = ()


async def route(tx: Transaction, new: NewLead) -> None:
    """Let the routing rules choose who works a new lead, and take their turns. Writes: routing_turn, routing_load."""
    new.routed = await routing.assign(tx, handover.question_about(new.lead, new.lead.created_by or 0))
    new.lead, new.roles = await handover.people_of(tx, new.lead, new.routed)


async def create_leads(tx: Transaction, actor: Actor, new: Sequence[NewLead]) -> None:
    """Store new leads as `create_lead` does, all of them in a few statements. Needs the owner's rights.

    Writes: lead and what finds it, timeline_entry, announcement (2; 9 with notes), note; of those that were routed
    lead_role, routing_offer, message, job.
    """
    await store.copy_leads(tx, [one.lead for one in new], [one.handles for one in new])
    fresh = iter(await ids.next_ids(tx, 2 * len(new)))
    entries = [entry for one in new for entry in _first_entries(one, fresh)]
    contents = [(one.lead.id, content, False) for one in new for content in one.contents]
    now = clock.now()
    entries += [replace(entry, happened_at=now) for entry in await notes.add_notes(tx, actor, contents)]
    await load(
        tx, [(actor.member_id, entry) for entry in entries], {one.lead.id: actions.audience(one.lead) for one in new}
    )
    for one in new:
        if one.roles:
            await store.replace_roles(tx, one.lead, one.roles)
        if one.routed:
            await handover.put_on_offer(tx, one.lead, one.routed.agent)


def _first_entries(new: NewLead, fresh: Iterator[int]) -> list[Entry]:
    lead = new.lead
    details = {"name": rules.full_name(lead.first_name, lead.last_name), "source": lead.source, **new.details}
    came = Entry(kinds.LEAD_CREATED, lead.id, details, lead.created_at, id=next(fresh))
    if new.routed:
        routed = handover.routed_entries(lead, [new.routed.agent])
        return [came, *(replace(entry, id=next(fresh)) for entry in routed)]
    if lead.assigned_user_id is None:
        return [came]
    given = {"from": None, "to": lead.assigned_user_id}
    return [came, Entry(kinds.LEAD_ASSIGNED, lead.id, given, lead.updated_at, id=next(fresh))]


def additions(request: LeadRequest, old: Lead, tags: Sequence[str]) -> EditLeadRequest:
    """Return the change that brings to a lead what a request to create one says: adds and replaces, never empties."""
    given = {name: value for name in LeadFields.__struct_fields__ if (value := getattr(request, name)) is not UNSET}
    given["first_name"] = request.first_name
    for name, known in (("emails", old.emails), ("phones", old.phones), ("segments", old.segments)):
        if given.get(name):
            given[name] = [*known, *given[name]]
    given |= {"tags": UNSET, "tags_add": list(tags), "groups": UNSET}
    return EditLeadRequest(**given)


class Difference(Struct, frozen=True):
    """What a change did to a lead: its changed columns, as JSON, as they were and as they are."""

    before: bytes
    after: bytes


async def add_to_lead(
    tx: Transaction, actor: Actor, lead_id: int, draft: Draft, contents: Sequence[str], *, region: str
) -> Difference | None:
    """Bring what a draft says to a lead that is there; None when it changes nothing, or the lead is gone.

    Writes: lead and what finds it, note, timeline_entry, announcement. Raises: what edit_lead raises.
    """
    old = await queries.locked_lead(tx, lead_id)
    if old is None or old.trashed_at:
        return None
    new = await actions.edit_lead(tx, actor, lead_id, additions(draft.request, old, draft.tags), region=region)
    told = [await notes.add_note(tx, actor, lead_id, content) for content in contents]
    await timeline.record(tx, actor, told, audience=actions.audience(new))
    changes = rules.changed(asdict(old), asdict(new))
    if not changes:
        return None
    before = {name: getattr(old, name) for name in changes}
    return Difference(msgspec.json.encode(before), msgspec.json.encode(changes))


_TYPES = get_type_hints(Lead)
_STAMPS = frozenset({"updated_at", "assigned_at", "inquiry_updated_at"})


async def take_back(tx: Transaction, actor: Actor, lead_id: int, difference: Difference, *, region: str) -> bool | None:
    """Give a lead the values it had before a change, where they were not changed since.

    Returns whether all of them were as the change left them; None when the lead is gone.
    Writes: lead and what finds it, timeline_entry, announcement (2; 12 on a stage).
    """
    lead = await queries.locked_lead(tx, lead_id)
    if lead is None or lead.trashed_at:
        return None
    before, after = msgspec.json.decode(difference.before), msgspec.json.decode(difference.after)
    row: dict[str, Any] = {}
    for name in after.keys() - {"updated_at"}:
        if _comparable(getattr(lead, name)) == _comparable(_typed(name, after[name])):
            row[name] = _typed(name, before[name])
    await actions.restore_columns(tx, actor, lead, row, region=region)
    return row.keys() >= after.keys() - _STAMPS


def _typed(name: str, value: Any) -> Any:
    return msgspec.convert(value, _TYPES[name])


def _comparable(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, bytes) else value


async def remove_leads(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Let leads be gone as if they had never come, with their notes and their logbook; their announcements stay.

    Not for what people worked on: that is trashed. Writes: lead and what finds it, note, timeline_entry,
    timeline_summary, routing_offer, announcement (2).
    """
    gone = await store.delete_leads(tx, lead_ids)
    await store.compare_again(tx, lead_ids)
    await notes.forget(tx, lead_ids)
    await timeline.forget(tx, lead_ids)
    await routing.forget(tx, lead_ids)
    now = clock.now()
    told = [Announcement(2, "deletedLead", lead.id, {"leadId": lead.id}, actions.audience(lead), now) for lead in gone]
    if told:
        await announce_many(tx, told)


async def untouched(tx: Transaction, lead_ids: Sequence[int], moments: Sequence[datetime]) -> set[int]:
    """Return those of these leads that nothing happened to but at these moments, and the system's own routing."""
    return set(lead_ids) - await timeline.leads_with_more(tx, lead_ids, moments)
