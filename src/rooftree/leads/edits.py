"""What a request changes in a lead's row once the team's words are known, and what the logbook is told of it.

Touches no database.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from rooftree.leads import drafts, fields, handover, rules, store
from rooftree.leads.model import Lead
from rooftree.leads.store import Words
from rooftree.leads.wire import (
    EditLeadRequest,
    LeadFields,
    tag_response,
)
from rooftree.routing.actions import Routed
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry


def put_into_row(
    row: dict[str, Any], old: Lead, ownership: tuple[str, int] | None, assigned_id: int | None, now: datetime
) -> None:
    """Put what follows from an update's fields into the columns that it sets."""
    if ownership:
        row["ownership_scope"], row["ownership_id"] = ownership
    if assigned_id is not None and assigned_id != old.assigned_user_id:
        row |= {"assigned_user_id": assigned_id, "assigned_at": now}
    if "phones" in row:
        row["phone_statuses"] = rules.statuses_after(old.phones, old.phone_statuses, row["phones"])


def check_people(words: Words, member_ids: Sequence[int], ownership: tuple[str, int] | None) -> None:
    """Refuse people and offices that the team does not have. Raises: InvalidParameter (20012)."""
    drafts.check_people(ownership, member_ids, {member_id for member_id, _, _ in words.members}, words.offices)


def tags_after(old: Lead, request: EditLeadRequest) -> list[str]:
    """Return a lead's tags after an update."""
    length = fields.TAG_LENGTH
    return rules.tags_after(
        store.tag_names(old),
        new=fields.labels("tags", request.tags, length) if isinstance(request.tags, list) else None,
        added=fields.labels("tagsAdd", drafts.joined(request.tags_add), length),
        removed=fields.labels("tagsRemove", drafts.joined(request.tags_remove), length),
        is_cleared=request.clear_all_tags is True,
    )


def word_columns(row: Mapping[str, Any], words: Words, lead_id: int, tags: Sequence[str]) -> dict[str, Any]:
    """Return the columns made of the team's words, which has them all by now."""
    by_name = {tag.name: tag for tag in words.tags}
    found: dict[str, Any] = {
        "stage_id": words.stage_id,
        "tags": msgspec.json.encode([tag_response(by_name[name], lead_id) for name in tags]),
    }
    if "source" in row:
        found["source_id"] = words.source_id if row["source"] else -1
    return found


def changed_word_columns(
    request: LeadFields, row: Mapping[str, Any], words: Words, old: Lead, tags: Sequence[str]
) -> dict[str, Any]:
    """Return the columns made of the team's words that an update names."""
    found = word_columns(row, words, old.id, tags)
    if fields.stage_name(request) is None:
        del found["stage_id"]
    if list(tags) == store.tag_names(old):
        del found["tags"]
    return found


def creation_details(lead: Lead, words: Words) -> dict[str, Any]:
    """Return what the logbook keeps of a lead's arrival."""
    details: dict[str, Any] = {"name": rules.full_name(lead.first_name, lead.last_name), "source": lead.source}
    if words.duplicate_ids:
        details["duplicateOf"] = words.duplicate_ids
    return details


def first_assignments(lead: Lead, routed: Routed | None) -> list[Entry]:
    """Return the logbook's entries for who got a new lead. `routed`: None when its agent was named."""
    if routed:
        return handover.routed_entries(lead, [routed.agent, *routed.others])
    details = {"from": None, "to": lead.assigned_user_id}
    return [Entry(kinds.LEAD_ASSIGNED, lead.id, details, happened_at=lead.created_at)]


def is_meaningful(changes: Mapping[str, Any]) -> bool:
    """Whether a change is one that is stored and told."""
    return bool(changes.keys() - {"inquiry_updated_at", "assigned_at"})


_OWN_KIND: Final = {
    "stage_id": kinds.STAGE_CHANGED,
    "assigned_user_id": kinds.LEAD_ASSIGNED,
    "tags": kinds.TAGS_CHANGED,
    "properties": kinds.PROPERTY_CHANGED,
    "inquiry": kinds.INQUIRY_CHANGED,
    "is_unsubscribed": kinds.SUBSCRIPTION_CHANGED,
}
_UNTOLD: Final = {"updated_at", "assigned_at", "inquiry_updated_at", "phone_statuses", "source_id"}


def change_entries(old: Lead, new: Lead, changes: Mapping[str, Any], stage_names: Mapping[int, str]) -> list[Entry]:
    """Return a logbook entry per kind of change, each with old and new value."""
    entries: list[Entry] = []
    others: dict[str, Any] = {}
    for column in changes.keys() - _UNTOLD:
        before, after = logged(getattr(old, column)), logged(getattr(new, column))
        if column == "stage_id":
            entries.append(stage_entry(old, new, stage_names))
        elif kind := _OWN_KIND.get(column):
            entries.append(Entry(kind, new.id, {"from": before, "to": after}, happened_at=new.updated_at))
        else:
            others[column] = {"from": before, "to": after}
    if others:
        entries.append(Entry(kinds.LEAD_UPDATED, new.id, {"fields": others}, happened_at=new.updated_at))
    return entries


def stage_entry(old: Lead, new: Lead, names: Mapping[int, str]) -> Entry:
    """Return the logbook's entry for a stage that changed; `names`: of the old and the new one."""
    return Entry(
        kinds.STAGE_CHANGED,
        new.id,
        {
            "fromStageId": old.stage_id,
            "fromStageName": names[old.stage_id],
            "toStageId": new.stage_id,
            "toStageName": names[new.stage_id],
        },
        happened_at=new.updated_at,
        payload={"stageId": new.stage_id, "stage": names[new.stage_id]},
    )


def logged(value: Any) -> Any:
    """Return a column's value as the logbook keeps it: documents as documents."""
    return msgspec.Raw(value) if isinstance(value, bytes) else value
