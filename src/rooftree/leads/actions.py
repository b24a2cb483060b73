"""What can be done with a lead. Each action is one complete change, in the caller's transaction.

`region` (e.g. US) completes phone numbers that are given without a country.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec.structs import asdict, replace

from rooftree.leads import drafts, edits, fields, handover, queries, rules, store
from rooftree.leads.errors import AttributeNameEmpty, AttributeTypeEmpty, LeadMergedAway
from rooftree.leads.handles import contact_points
from rooftree.leads.messages import email_by_itself
from rooftree.leads.model import CustomField, Lead, Stage, Tag
from rooftree.leads.store import Words
from rooftree.leads.wire import (
    CustomAttribute,
    EditLeadRequest,
    LeadFields,
    LeadInquiry,
    LeadProperty,
    LeadRequest,
)
from rooftree.messaging import actions as messaging
from rooftree.notes import actions as notes
from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter
from rooftree.routing import actions as routing
from rooftree.routing import queries as offers
from rooftree.team import queries as team
from rooftree.timeline import kinds
from rooftree.timeline.actions import Audience, Entry, record
from rooftree.transactions import actions as transactions

#: contract: vocab.md, stages of a fresh team
FIRST_STAGES: Final = ("New Lead", "Pending", "Contacted", "Active", "Archived")
CUSTOM_FIELD_TYPES: Final = (
    "number",
    "text",
    "date",
    "anniversary_date",
    "single_select",
    "multi_select",
    "percentage",
    "currency",
)


async def create_lead(
    tx: Transaction, actor: Actor, request: LeadRequest, *, region: str, lead_id: int | None = None
) -> Lead:
    """Store a lead and hand it to an agent.

    Without `assigned_user_id` the routing rules choose; with it they are skipped. Others with the same e-mail
    address or phone are kept apart and named in the logbook. `lead_id` keeps the id of an imported lead.

    contract: POST /v1.0/leads, seed 004. Writes: lead and what finds it, routing_turn, timeline_entry
    (lead_created, lead_routed or lead_assigned), announcement (list 2; 9 with a note; 5 with a transaction), and
    on request note, lead_transaction, message.
    Raises: InvalidParameter (20012), ParameterTooLong (20043), PropertyAddressEmpty (200057).
    """
    now = clock.now()
    draft = drafts.draft_of(request, actor.team_id, actor.member_id)
    row, tags = draft.columns, draft.tags
    words = await _look_up(tx, request, row, tags, [draft.assigned_user_id], draft.ownership, region)
    words = await _with_new_words(tx, actor, request, row, words, tags)
    ids, member_id = [lead_id or words.ids[0], *words.ids[1:]], actor.member_id
    named = edits.word_columns(row, words, ids[0], tags)
    lead = drafts.new_lead(draft, named, words.fields, ids, team_id=actor.team_id, member_id=member_id, now=now)
    lead, assignments = await _given_to_people(tx, actor, lead, request, region)
    is_on_offer = await handover.put_on_offer(tx, lead, assignments.agent) if assignments else False
    entries = [
        Entry(kinds.LEAD_CREATED, lead.id, edits.creation_details(lead, words), happened_at=now),
        *edits.first_assignments(lead, assignments),
        *await _first_conversation(tx, actor, request, lead),
        *await _first_messages(tx, request, lead, is_agent_told=is_on_offer),
    ]
    await record(tx, actor, entries, audience=audience(lead))
    return lead


async def _given_to_people(
    tx: Transaction, actor: Actor, lead: Lead, request: LeadRequest, region: str
) -> tuple[Lead, routing.Routed | None]:
    """Store a new lead with its people: those whom the rules choose, unless its agent was named."""
    if lead.assigned_user_id is not None:
        await store.insert_lead(tx, lead, region)
        return lead, None
    group_id = fields.id_of("assignGroupId", request.assign_group_id)
    routed = await routing.assign(tx, handover.question_about(lead, actor.member_id, group_id))
    lead, pairs = await handover.people_of(tx, lead, routed)
    await store.insert_lead(tx, lead, region)
    if pairs:
        await store.replace_roles(tx, lead, pairs)
    return lead, routed


def audience(lead: Lead, *, formerly: Sequence[int] = ()) -> Audience:
    """Return who may hear of a change to this lead, as it stands now; `formerly`: agents it was taken from."""
    assigned = [*formerly, *([lead.assigned_user_id] if lead.assigned_user_id else [])]
    others = [lead.lender_user_id] if lead.lender_user_id else []
    if lead.role_assignees != b"[]":
        others += [role["assigneeId"] for role in msgspec.json.decode(lead.role_assignees) if role.get("assigneeId")]
    return Audience(assigned, lead.ownership_scope, lead.ownership_id, lead.is_hidden, others)


async def _look_up(
    tx: Transaction,
    request: LeadFields,
    row: dict[str, Any],
    tags: Sequence[str],
    member_ids: Sequence[int | None],
    ownership: tuple[str, int] | None,
    region: str,
) -> Words:
    """Find what the request names, and refuse people and offices that the team does not have."""
    scope, owner_id = ownership or ("", 0)
    people = [member_id for member_id in member_ids if member_id is not None]
    if scope == "PERSONAL":
        people.append(owner_id)
    words = await store.look_up(
        tx,
        stage=fields.stage_name(request),
        source=row.get("source"),
        tags=tags,
        fields=[field.attribute_name.strip() for field in drafts.attributes(request) if field.attribute_name],
        member_ids=people,
        office_ids=[owner_id] if scope == "OFFICE" else [],
        contacts=contact_points(row.get("emails", ()), row.get("phones", ()), region),
        id_count=3,  # the lead, its inquiry, its property
    )
    edits.check_people(words, people, ownership)
    return words


async def _with_new_words(
    tx: Transaction, actor: Actor, request: LeadFields, row: dict[str, Any], words: Words, tags: Sequence[str]
) -> Words:
    """Add to the team the words that it does not have yet; return them with the others."""
    stage, source = fields.stage_name(request), row.get("source")
    known = {tag.name for tag in words.tags}
    missing = [name for name in tags if name not in known]
    return replace(
        words,
        stage_id=words.stage_id or await store.ensure_stage(tx, stage or FIRST_STAGES[0]),
        source_id=words.source_id or (await store.ensure_source(tx, source) if source else None),
        tags=[*words.tags, *(await store.ensure_tags(tx, missing, actor.member_id) if missing else [])],
    )


async def _first_conversation(tx: Transaction, actor: Actor, request: LeadRequest, lead: Lead) -> list[Entry]:
    entries: list[Entry] = []
    if request.content and request.content.strip():
        entries.append(await notes.add_note(tx, actor, lead.id, request.content, is_pinned=bool(request.is_pin)))
    if isinstance(request.lead_transaction, dict):
        entries.append(await transactions.add_transaction(tx, actor, lead.id, request.lead_transaction))
    return entries


async def _first_messages(tx: Transaction, request: LeadRequest, lead: Lead, *, is_agent_told: bool) -> list[Entry]:
    """Queue the welcome e-mail, where consent allows, and the alert to the agent. contract: S4-78, S4-79, S4-131."""
    name = rules.full_name(lead.first_name, lead.last_name)
    if request.lead_alert and lead.assigned_user_id and not is_agent_told:
        await messaging.notify_agent(
            tx,
            lead_id=lead.id,
            member_id=lead.assigned_user_id,
            purpose="lead_alert",
            subject=f"New lead: {name}",
            body=f"{name} is a new lead of yours. Source: {lead.source or 'not named'}.",
        )
    if not request.welcome_email:
        return []
    entry = await email_by_itself(
        tx,
        lead,
        purpose="welcome_email",
        subject=f"Welcome, {lead.first_name}",
        body=f"Hi {lead.first_name},\n\nthank you for getting in touch. We will be with you shortly.",
    )
    return [entry] if entry else []


async def edit_lead(
    tx: Transaction, actor: Actor, lead_id: int | None, request: EditLeadRequest, *, region: str
) -> Lead:
    """Change what the request names; the rest stays.

    contract: PUT /v1.0/leads/{leadId}, seed 003. Writes: lead and what finds it, timeline_entry (stage, agent,
    tags, property, inquiry, subscription and other fields with old and new value), announcement (2; 12 on a stage).
    Raises: LeadNotExist (20006), InvalidParameter (20012), ParameterTooLong (20043), PropertyAddressEmpty
    (200057), LeadPropertyNotExist (200108).
    """
    old = await queries.managed_lead(tx, actor, lead_id)
    now = clock.now()
    row = fields.lead_columns(request)
    ownership = fields.ownership(request, actor.team_id)
    assigned_id = fields.id_of("assignedUserId", request.assigned_user_id)
    edits.put_into_row(row, old, ownership, assigned_id, now)
    tags = edits.tags_after(old, request)
    words = await _look_up(tx, request, row, tags, [assigned_id], ownership, region)
    words = await _with_new_words(tx, actor, request, row, words, tags)
    named = edits.changed_word_columns(request, row, words, old, tags)
    row |= named | drafts.documents(request, row, words.fields, [old.id, *words.ids[1:]], now, old)
    if isinstance(request.lead_transaction, dict):
        added = await transactions.add_transaction(tx, actor, old.id, request.lead_transaction)
        await record(tx, actor, [added], audience=audience(old))
    return await _store_changes(tx, actor, old, row, now, region)


async def _store_changes(
    tx: Transaction, actor: Actor | None, old: Lead, row: dict[str, Any], now: datetime, region: str
) -> Lead:
    """Write what really differs, and tell of it once. A change that changes nothing tells nothing."""
    changes = rules.changed(asdict(old), row)
    if not edits.is_meaningful(changes):
        return old
    await handover.settle(tx, old, changes)
    changes["updated_at"] = now
    new = replace(old, **changes)
    await store.update_lead(tx, old, new, changes, region)
    formerly = [old.assigned_user_id] if old.assigned_user_id and old.assigned_user_id != new.assigned_user_id else []
    stages = await queries.stage_names(tx, [old.stage_id, new.stage_id]) if "stage_id" in changes else {}
    entries = edits.change_entries(old, new, changes, stages)
    await record(tx, actor, entries, audience=audience(new, formerly=formerly))
    return new


async def restore_columns(tx: Transaction, actor: Actor, old: Lead, row: dict[str, Any], *, region: str) -> Lead:
    """Give a locked lead values that it had before. Writes: as edit_lead."""
    return await _store_changes(tx, actor, old, row, clock.now(), region)


async def set_inquiry(tx: Transaction, actor: Actor, lead_id: int | None, request: LeadInquiry, *, region: str) -> Lead:
    """Set what a lead looks for. contract: POST /v1.0/leads/{leadId}/inquiry.

    Raises: LeadNotExist (20006), InvalidParameter (20012).
    """
    return await edit_lead(tx, actor, lead_id, EditLeadRequest(inquiry=request), region=region)


async def set_property(
    tx: Transaction, actor: Actor, lead_id: int | None, request: LeadProperty, *, region: str
) -> Lead:
    """Attach or change an address. contract: POST /v1.0/leads/{leadId}/property.

    Raises: LeadNotExist (20006), PropertyAddressEmpty (200057), LeadPropertyNotExist (200108).
    """
    return await edit_lead(tx, actor, lead_id, EditLeadRequest(property=request), region=region)


async def mark_contacted(tx: Transaction, lead: Lead, *, region: str, is_contacted: bool = True) -> None:
    """Note that an agent reached out to a lead for the first time, or that no trace of it is left.

    contract: behaviour.md, `contacted`. Writes: lead, lead_tally; the conversation itself is in the logbook, and was
    written first: its summary makes those who change `contacted` wait for each other, so `lead` may be outdated.
    """
    if await queries.is_marked_contacted(tx, lead.id) == is_contacted:
        return
    old = await queries.locked_lead(tx, lead.id)
    if old is None or old.is_contacted == is_contacted:
        return
    changes = {"is_contacted": is_contacted}
    await store.update_lead(tx, old, replace(old, **changes), changes, region)


async def set_consent(
    tx: Transaction,
    actor: Actor | None,
    lead_id: int,
    *,
    region: str,
    cannot_text: bool | None = None,
    is_unsubscribed: bool | None = None,
) -> Lead | None:
    """Do as the lead said: no more texts, no more e-mails, or again. None when there is no such lead.

    Writes: lead, timeline_entry (who, when, old and new), announcement (2).
    """
    old = await queries.locked_lead(tx, lead_id)
    if old is None:
        return None
    wished = {"cannot_text": cannot_text, "is_unsubscribed": is_unsubscribed}
    row = {name: value for name, value in wished.items() if value is not None}
    return await _store_changes(tx, actor, old, row, clock.now(), region)


async def claim_lead(tx: Transaction, actor: Actor, lead_id: int | None, *, region: str) -> Lead:
    """Give a lead to the first who claims it: out of a pond, out of a blast, or for good when it was theirs already.

    Ours: POST /rooftree/v1/leads/{leadId}/claim. Writes: lead, lead_tally, routing_offer, timeline_entry,
    announcement (2). Raises: LeadNotExist (20006), LeadTaken (409, 900409).
    """
    old, offer = await handover.may_claim(tx, actor, lead_id)
    if offer is None and old.assigned_user_id == actor.member_id:
        return old
    member = await team.find_member(tx, actor.member_id)
    name = member.first_name if member else ""
    await routing.end_offer(tx, old.id, "claimed", actor.member_id)
    await record(tx, actor, [handover.claim_entry(old, name, actor.member_id, offer)], audience=audience(old))
    now = clock.now()
    row = {"assigned_user_id": actor.member_id, "assigned_at": now, "pond_id": None}
    return await _store_changes(tx, actor, old, row, now, region)


async def pass_on(tx: Transaction, lead_id: int, offer_id: int, *, region: str) -> None:
    """Let a lead that nobody touched or claimed in time move on, by the rules. Again for the same offer: nothing.

    Writes: lead, lead_tally, routing_offer, routing_turn, timeline_entry, announcement (2), message, job.
    """
    old = await queries.locked_lead(tx, lead_id, is_followed=False)
    offer = await offers.open_offer(tx, lead_id)
    if old is None or offer is None or offer.id != offer_id:
        return
    if old.trashed_at or await offers.is_touched(tx, lead_id, offer.created_at):
        await routing.end_offer(tx, lead_id, "ended" if old.trashed_at else "touched")
        return
    await routing.end_offer(tx, lead_id, "passed")
    question = handover.question_about(old, old.created_by or 0, before=offer)
    chosen = await routing.assign_again(tx, question)
    now = clock.now()
    row = {"assigned_user_id": chosen.member_id, "assigned_at": now, "pond_id": chosen.pond_id}
    if chosen.member_id is None:
        row["assigned_at"] = None
    new = await _store_changes(tx, None, old, row, now, region)
    entries = handover.routed_entries(replace(new, updated_at=now), [chosen])
    await record(tx, None, entries, audience=audience(new))
    await handover.put_on_offer(tx, new, chosen, offer)


async def trash_lead(tx: Transaction, actor: Actor, lead_id: int | None, reason: str, *, region: str) -> Lead:
    """Move a lead to the trash, whole. contract: DELETE /v1.0/leads/{leadId}.

    Raises: InvalidParameter (20012) without a reason, LeadNotExist (20006).
    """
    old = await queries.managed_lead(tx, actor, lead_id)
    reason = fields.text_of("reason", reason, fields.LONG_TEXT_LENGTH)
    if not reason:
        raise InvalidParameter("reason: is required.")
    now = clock.now()
    changes = {"trashed_at": now, "trashed_by": actor.member_id, "trash_reason": reason, "updated_at": now}
    new = replace(old, **changes)
    await store.update_lead(tx, old, new, changes, region)
    entry = Entry(kinds.LEAD_TRASHED, new.id, {"reason": reason}, happened_at=now)
    await record(tx, actor, [entry], audience=audience(old))
    return new


async def restore_lead(tx: Transaction, actor: Actor, lead_id: int | None, *, region: str) -> Lead:
    """Bring a lead back from the trash as it was. Ours: POST /rooftree/v1/leads/{leadId}/restore.

    A lead that is not in the trash stays as it is. Raises: LeadNotExist (20006), LeadMergedAway (409, 900409).
    """
    old = await queries.managed_lead(tx, actor, lead_id, with_trash=True)
    if old.trashed_at is None:
        return old
    if old.merged_into is not None:
        raise LeadMergedAway(f"The lead was merged into lead {old.merged_into}; undo that merge to have it back.")
    now = clock.now()
    changes = {"trashed_at": None, "trashed_by": None, "trash_reason": None, "updated_at": now}
    new = replace(old, **changes)
    await store.update_lead(tx, old, new, changes, region)
    entry = Entry(kinds.LEAD_RESTORED, new.id, {"reason": old.trash_reason}, happened_at=now)
    await record(tx, actor, [entry], audience=audience(new))
    return new


async def ensure_words(
    tx: Transaction, sources: Sequence[str], tags: Sequence[str], creator_id: int
) -> tuple[dict[str, int], list[Tag]]:
    """Make sure that the team has these sources and tags; return sources by name with their numbers, and tags."""
    return await store.ensure_sources(tx, sources), await store.ensure_tags(tx, tags, creator_id)


async def take_to_compare(tx: Transaction, limit: int) -> list[int]:
    """Take at most so many leads that came or changed since duplicates were last looked for; each is taken once.

    A rollback gives them back. Writes: lead_to_compare.
    """
    return await store.take_to_compare(tx, limit)


async def compare_again(tx: Transaction, lead_ids: Sequence[int] | None = None) -> None:
    """Have these leads, or all of the team, looked at for duplicates. Writes: lead_to_compare."""
    if lead_ids is None:
        await store.compare_everything_again(tx)
    else:
        await store.compare_again(tx, lead_ids)


async def seed_stages(tx: Transaction) -> list[Stage]:
    """Give a fresh team its lead pipeline."""
    return await store.insert_stages(tx, FIRST_STAGES)


async def add_custom_field(tx: Transaction, request: CustomAttribute) -> CustomField:
    """Add a field to the team's leads. contract: POST /v1.0/teamFeatures/custom-field.

    Raises: AttributeNameEmpty, AttributeTypeEmpty, InvalidParameter (20012) on an unknown type or a taken name.
    """
    name, kind = (request.attribute_name or "").strip(), (request.attribute_type or "").strip()
    if not name:
        raise AttributeNameEmpty
    if not kind:
        raise AttributeTypeEmpty
    if kind not in CUSTOM_FIELD_TYPES:
        raise InvalidParameter(f"attributeType: must be one of {', '.join(CUSTOM_FIELD_TYPES)}.")
    name = fields.text_of("attributeName", name)
    field = await store.insert_custom_field(tx, name, kind, request.params)
    if field is None:
        raise InvalidParameter("attributeName: is taken.")
    return field
