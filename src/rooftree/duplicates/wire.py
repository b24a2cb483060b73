"""The shapes of our own operations on duplicates and merges."""

from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from rooftree.duplicates.merging import Preview, Undone
from rooftree.duplicates.model import UNDO_DAYS, LeadMerge, ReviewedPair
from rooftree.leads.model import Lead
from rooftree.platform.http.reading import Int64
from rooftree.platform.wire_time import iso_millis


class MergeRequest(Struct, rename="camel"):
    """POST /rooftree/v1/leads/{leadId}/merge, and its preview. `choices`: by field, winner, other or both."""

    other_lead_id: Int64
    choices: dict[str, str] = field(default_factory=dict[str, str])


def pair_response(found: ReviewedPair) -> dict[str, Any]:
    """Return a pair of the review list."""
    pair = found.pair
    return {
        "duplicateId": pair.id,
        "score": pair.score,
        "state": pair.state,
        "reasons": Raw(pair.reasons),
        "leads": [_lead(found.lead), _lead(found.other)],
        "foundAt": iso_millis(pair.found_at),
        "dismissedAt": iso_millis(pair.dismissed_at),
        "dismissedBy": pair.dismissed_by,
    }


def _lead(lead: Lead) -> dict[str, Any]:
    return {
        "leadId": lead.id,
        "firstName": lead.first_name,
        "lastName": lead.last_name,
        "emails": lead.emails,
        "phones": lead.phones,
        "assignedUserId": lead.assigned_user_id,
        "createdAt": iso_millis(lead.created_at),
    }


def preview_response(found: Preview) -> dict[str, Any]:
    """Return what a merge would do."""
    return {
        "leadId": found.lead_id,
        "otherLeadId": found.other_lead_id,
        "fields": found.fields,
        "moves": found.moves,
    }


def merge_response(done: LeadMerge) -> dict[str, Any]:
    """Return a merge. `undoUntil` is null once it can no longer be undone."""
    until = iso_millis(done.merged_at + timedelta(days=UNDO_DAYS)) if done.changes is not None else None
    return {
        "mergeId": done.id,
        "leadId": done.lead_id,
        "mergedLeadId": done.merged_lead_id,
        "mergedBy": done.merged_by,
        "mergedAt": iso_millis(done.merged_at),
        "choices": Raw(done.choices),
        "moved": Raw(done.moved),
        "undoUntil": until,
        "undoneAt": iso_millis(done.undone_at),
        "undoneBy": done.undone_by,
    }


def undone_response(undone: Undone) -> dict[str, Any]:
    """Return a merge that was undone; `kept`: fields that somebody changed since, which keep the newer value."""
    moved_back = msgspec.to_builtins(undone.moved_back)
    return {"merge": merge_response(undone.merge), "kept": undone.kept, "movedBack": moved_back}
