"""A lead as a request says it: from the request to the row, whoever asks, one lead at a time or a million.

Touches no database: what needs one (the team's words, fresh ids) is given.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from rooftree.leads import fields
from rooftree.leads.errors import LeadPropertyNotExist
from rooftree.leads.model import UNSET_COLUMNS, CustomField, Lead
from rooftree.leads.wire import (
    CustomAttribute,
    LeadFields,
    LeadInquiry,
    LeadProperty,
    LeadRequest,
    TagName,
)
from rooftree.platform.errors import InvalidParameter


class Draft(Struct, frozen=True):
    """A new lead, trimmed, cut and checked; its stage, source, tags and people are still names and ids."""

    request: LeadRequest
    columns: dict[str, Any]
    ownership: tuple[str, int]
    assigned_user_id: int | None
    stage: str | None  #: None: the first of the pipeline
    tags: list[str]


def draft_of(request: LeadRequest, team_id: int, member_id: int) -> Draft:
    """Return what a request to create a lead says; `member_id` makes it, and owns it unless the request says who.

    contract: POST /v1.0/leads. Raises: InvalidParameter (20012), ParameterTooLong (20043).
    """
    return Draft(
        request,
        fields.lead_columns(request),
        fields.ownership(request, team_id) or ("PERSONAL", member_id),
        fields.id_of("assignedUserId", request.assigned_user_id),
        fields.stage_name(request),
        fields.labels("tags", joined(request.tags, request.tags_add), fields.TAG_LENGTH),
    )


def new_lead(
    draft: Draft,
    words: dict[str, Any],
    known: Sequence[CustomField],
    ids: Sequence[int],
    *,
    team_id: int,
    member_id: int,
    now: datetime,
    created_at: datetime | None = None,
) -> Lead:
    """Return the row of a draft.

    `words`: the columns made of the team's words. `ids`: of the lead, and fresh ones for an inquiry and a property.
    `created_at`: when it came, if that was elsewhere and long ago.
    Raises: PropertyAddressEmpty (200057), InvalidParameter (20012), ParameterTooLong (20043).
    """
    row: dict[str, Any] = UNSET_COLUMNS | draft.columns | words
    row |= documents(draft.request, draft.columns, known, ids, now, None)
    row |= {
        "team_id": team_id,
        "id": ids[0],
        "phone_statuses": [2] * len(row["phones"]),
        "assigned_user_id": draft.assigned_user_id,
        "assigned_at": now if draft.assigned_user_id else None,
        "ownership_scope": draft.ownership[0],
        "ownership_id": draft.ownership[1],
        "created_by": member_id,
        "created_at": created_at or now,
        "updated_at": now,
    }
    return Lead(**row)


def check_people(
    ownership: tuple[str, int] | None,
    assigned_ids: Sequence[int | None],
    member_ids: Container[int],
    office_ids: Container[int],
) -> None:
    """Refuse people and offices that the team does not have. Raises: InvalidParameter (20012)."""
    scope, owner_id = ownership or ("", 0)
    if scope == "PERSONAL" and owner_id not in member_ids:
        raise InvalidParameter("ownershipId: is not an active member of the team.")
    if any(assigned_id is not None and assigned_id not in member_ids for assigned_id in assigned_ids):
        raise InvalidParameter("assignedUserId: is not an active member of the team.")
    if scope == "OFFICE" and owner_id not in office_ids:
        raise InvalidParameter("ownershipId: is not an office of the team.")


def joined(*lists: Any) -> list[str | TagName]:
    """Return the entries of those that are lists."""
    return [name for names in lists if isinstance(names, list) for name in names]


def documents(
    request: LeadFields,
    row: Mapping[str, Any],
    known: Sequence[CustomField],
    ids: Sequence[int],
    now: datetime,
    old: Lead | None,
) -> dict[str, Any]:
    """Return the columns that hold documents. `ids`: of the lead, and fresh ones for an inquiry and a property.

    Raises: PropertyAddressEmpty, LeadPropertyNotExist, InvalidParameter.
    """
    lead_id, inquiry_id, property_id = ids
    found: dict[str, Any] = {}
    if isinstance(request.inquiry, LeadInquiry):
        found["inquiry"] = _inquiry(request.inquiry, old, lead_id, inquiry_id, now)
        found["inquiry_updated_at"] = now
    if isinstance(request.property, LeadProperty):
        sent = request.property if old else replace(request.property, id=UNSET)
        found["properties"] = _properties(sent, old, lead_id, property_id, now)
    elif old is None and (address := fields.address_of(row)):
        found["properties"] = _properties(address, None, lead_id, property_id, now)
    if isinstance(request.lead_family_member_list, list):
        found["family_members"] = msgspec.json.encode(fields.family(request.lead_family_member_list))
    if isinstance(request.custom_attribute_list, list):
        before = msgspec.json.decode(old.custom_attributes) if old else []
        found["custom_attributes"] = msgspec.json.encode(_attribute_values(request, known, before))
    return found


def _inquiry(request: LeadInquiry, old: Lead | None, lead_id: int, inquiry_id: int, now: datetime) -> bytes:
    before = msgspec.json.decode(old.inquiry) if old and old.inquiry else None
    return msgspec.json.encode(
        fields.inquiry_document(request, before, lead_id=lead_id, inquiry_id=inquiry_id, now=now)
    )


def _properties(request: LeadProperty, old: Lead | None, lead_id: int, property_id: int, now: datetime) -> bytes:
    """Return a lead's properties with one more, or with the one that has this id or this address changed."""
    documents: list[dict[str, Any]] = msgspec.json.decode(old.properties) if old else []
    wanted = request.id if isinstance(request.id, int) and request.id > 0 else None
    place = next(
        (
            index
            for index, document in enumerate(documents)
            if (document["id"] == wanted if wanted else fields.same_address(document, request))
        ),
        None,
    )
    if wanted and place is None:
        raise LeadPropertyNotExist
    before = None if place is None else documents[place]
    after = fields.property_document(request, before, lead_id=lead_id, property_id=property_id, now=now)
    if place is None:
        documents.append(after)
    else:
        documents[place] = after
    return msgspec.json.encode(documents)


def attributes(request: LeadFields) -> list[CustomAttribute]:
    """Return the custom attributes that are supplied; an entry whose name is blank or filler is not."""
    if not isinstance(request.custom_attribute_list, list):
        return []
    return [
        attribute
        for attribute in request.custom_attribute_list
        if attribute.attribute_name and attribute.attribute_name.strip() not in ("", fields.FILLER)
    ]


def _attribute_values(
    request: LeadFields, known: Sequence[CustomField], before: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return a lead's custom attributes: those sent replace their namesakes, the rest stays."""
    by_name = {field.name.lower(): field for field in known}
    values = {attribute["attributeName"]: attribute for attribute in before}
    for index, attribute in enumerate(attributes(request)):
        field = by_name.get((attribute.attribute_name or "").strip().lower())
        if field is None:
            raise InvalidParameter(f"customAttributeList[{index}].attributeName: is not a custom field of the team.")
        values[field.name] = {
            "attributeName": field.name,
            "attributeType": field.type,
            "value": _attribute_text(index, attribute),
            "params": attribute.params or field.params,
        }
    return list(values.values())


def _attribute_text(index: int, attribute: CustomAttribute) -> str | None:
    value = str(attribute.value).lower() if isinstance(attribute.value, bool) else attribute.value
    path = f"customAttributeList[{index}].value"
    return None if value is None else fields.text_of(path, value, fields.LONG_TEXT_LENGTH)
