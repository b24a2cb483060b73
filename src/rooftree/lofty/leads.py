"""A lead of the source as a row of ours."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from rooftree.leads.actions import CUSTOM_FIELD_TYPES
from rooftree.leads.model import UNSET_COLUMNS, Lead
from rooftree.leads.wire import BLANK_INQUIRY, BLANK_PROPERTY, CustomAttribute
from rooftree.lofty.wire import Document, SourceLead
from rooftree.lofty.world import World, instant, text
from rooftree.platform.wire_time import iso_z, parse_birthday

#: Columns that are called alike there and here.
_AS_THEY_ARE: Final = (
    "street_address",
    "city",
    "state",
    "zip_code",
    "referred_by",
    "facebook",
    "twitter",
    "buying_time_frame",
    "selling_time_frame",
    "pre_qual",
    "house_to_sell",
    "fthb",
    "with_buyer_agent",
    "mortgage",
    "buy_house",
    "with_listing_agent",
    "language",
    "opportunity",
)
_FLAGS: Final = ("cannot_text", "cannot_call", "cannot_email")
_RELATIVE: Final = ("firstName", "relationship", "lastName", "phones", "emails", "birthday")
_ATTRIBUTE: Final = ("attributeName", "attributeType", "value", "params")
_PLACE: Final = ("stateCode", "city", "zipCode", "county", "streetAddress", "description")
_UNKNOWN_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_VALID_NUMBER: Final = 2
_LENDER: Final = -2
#: A stage that the source does not name.
NO_STAGE: Final = "New Lead"


def stage_of(lead: SourceLead, world: World) -> str:
    """Return the name of a lead's stage."""
    return (lead.stage or world.stage_names.get(lead.stage_id or 0) or NO_STAGE).strip() or NO_STAGE


def tags_of(leads: Iterable[SourceLead]) -> list[str]:
    """Return the names of all their tags."""
    found = (text(tag.get("tagName")) for lead in leads for tag in lead.tags or ())
    return sorted({name for name in found if name})


def fields_of(leads: Iterable[SourceLead]) -> list[CustomAttribute]:
    """Return the custom fields that they have values of, one of each name."""
    found = {str(one.get("attributeName")).lower(): one for lead in leads for one in lead.custom_attributes or ()}
    return [field_of(one) for one in found.values() if text(one.get("attributeName"))]


def field_of(document: Document) -> CustomAttribute:
    """Return the definition of a custom field; a type that is unknown here is text."""
    kind = str(document.get("attributeType") or "").lower()
    params = document.get("params")
    return CustomAttribute(
        attribute_name=str(document["attributeName"]).strip(),
        attribute_type=kind if kind in CUSTOM_FIELD_TYPES else "text",
        params=params if isinstance(params, str) else None,
    )


def people_of(lead: SourceLead) -> dict[int, str | None]:
    """Return the user ids that a lead names as its people, with names where they are told."""
    named = {lead.assigned_user_id: lead.assigned_user, lead.lender_user_id: None}
    if lead.ownership_scope == "PERSONAL":
        named.setdefault(lead.ownership_id, None)
    for role in _roles(lead):
        named.setdefault(role["assigneeId"], str(role.get("assignee") or "").partition("@")[0] or None)
    return {user_id: name for user_id, name in named.items() if user_id and user_id > 0}


def _roles(lead: SourceLead) -> list[Document]:
    """Return the custom roles that somebody has on a lead."""
    return [
        role
        for role in lead.custom_role_list or ()
        if isinstance(role.get("assigneeId"), int) and role["assigneeId"] > 0
    ]


def lead_row(lead: SourceLead, lead_id: int, world: World) -> Lead:
    """Return a lead's row."""
    created_at = instant(lead.create_time) or instant(lead.last_update_time) or _UNKNOWN_TIME
    agent = world.person(lead.assigned_user_id)
    if agent in world.strangers and world.assign_to:
        agent = world.assign_to
    scope, owner_id = _ownership(lead, agent, world)
    phones = [str(phone) for phone in lead.phones or ()]
    inquiry = _inquiry(lead.lead_inquiry, lead_id)
    values: dict[str, Any] = {
        **UNSET_COLUMNS,
        **{name: text(getattr(lead, name)) for name in _AS_THEY_ARE},
        **{name: bool(getattr(lead, name)) for name in _FLAGS},
        "team_id": world.team_id,
        "id": lead_id,
        "first_name": text(lead.first_name) or "",
        "last_name": text(lead.last_name),
        "birthday_on": parse_birthday(lead.birthday) if lead.birthday else None,
        "emails": list(lead.emails or ()),
        "phones": phones,
        "phone_statuses": [*(lead.phone_statuses or ()), *[_VALID_NUMBER] * len(phones)][: len(phones)],
        "lead_types": [number for number in lead.lead_types or () if abs(number) < 2**31],
        "stage_id": world.stages[stage_of(lead, world).lower()],
        "source_id": world.sources.get(lead.source or "", -1),
        "source": lead.source or None,
        "assigned_user_id": agent,
        "assigned_at": instant(lead.assign_time),
        "pond_id": world.ponds.get(lead.pond_id or 0),
        "lender_user_id": world.person(lead.lender_user_id),
        "ownership_scope": scope,
        "ownership_id": owner_id,
        "is_hidden": bool(lead.hidden_flag),
        "is_unsubscribed": bool(lead.unsubscription),
        "segments": list(dict.fromkeys([*(lead.segments or ()), *(lead.groups or ())])),
        "tags": msgspec.json.encode(_tags(lead.tags or (), lead_id, world)),
        "inquiry": inquiry and msgspec.json.encode(inquiry),
        "inquiry_updated_at": inquiry and (instant(inquiry["updateTime"]) or instant(inquiry["createTime"])),
        "properties": msgspec.json.encode([_property(one, lead_id) for one in lead.lead_property_list or ()]),
        "family_members": msgspec.json.encode(_chosen(lead.lead_family_member_list or (), _RELATIVE)),
        "custom_attributes": msgspec.json.encode(_chosen(lead.custom_attributes or (), _ATTRIBUTE)),
        "role_assignees": msgspec.json.encode(_assignees(lead, world)),
        "created_at": created_at,
        "updated_at": instant(lead.last_update_time) or created_at,
    }
    return Lead(**values)


def _ownership(lead: SourceLead, agent: int | None, world: World) -> tuple[str, int]:
    """Return whose a lead is. What cannot be translated is somebody's own: nobody sees more than before."""
    office = world.offices.get(lead.ownership_id or 0)
    if lead.ownership_scope == "TEAM":
        return "TEAM", world.team_id
    if lead.ownership_scope == "OFFICE" and office:
        return "OFFICE", office
    owner = world.person(lead.ownership_id) if lead.ownership_scope != "OFFICE" else None
    return "PERSONAL", owner or agent or world.runner_id


def _tags(tags: Sequence[Document], lead_id: int, world: World) -> list[Document]:
    found: dict[str, Document] = {}
    for tag in tags:
        own = world.tags.get(str(tag.get("tagName")))
        if own:
            found[own.name] = {
                "leadId": lead_id,
                "tagId": own.id,
                "createTime": iso_z(instant(tag.get("createTime")) or own.created_at),
                "updateTime": iso_z(instant(tag.get("updateTime")) or own.updated_at),
                "tagName": own.name,
                "creatorUserId": world.person(tag.get("creatorUserId")) or own.creator_user_id,
                "visibleType": own.visible_type,
            }
    return list(found.values())


def _inquiry(inquiry: Mapping[str, Any] | None, lead_id: int) -> Document | None:
    if not inquiry or not inquiry.get("id"):
        return None
    places = _chosen(inquiry.get("locations") or [], _PLACE)
    return _filled(BLANK_INQUIRY, inquiry) | {"leadUserId": lead_id, "locations": places}


def _property(document: Mapping[str, Any], lead_id: int) -> Document:
    return _filled(BLANK_PROPERTY, document) | {"leadUserId": lead_id}


def _filled(blank: Mapping[str, Any], document: Mapping[str, Any]) -> Document:
    """Return what a document says of the keys that are known here; where it says nothing, they are unset."""
    return {name: unset if document.get(name) is None else document[name] for name, unset in blank.items()}


def _chosen(documents: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Document]:
    return [{name: document.get(name) for name in names} for document in documents]


def _assignees(lead: SourceLead, world: World) -> list[Document]:
    found: list[Document] = []
    for role in _roles(lead):
        own, member_id = world.roles.get(str(role.get("role")).lower()), world.person(role["assigneeId"])
        if own and member_id:
            login = world.logins.get(member_id, "")
            found.append({"roleId": own[0], "role": own[1], "assigneeId": member_id, "assignee": login})
    return sorted(found, key=lambda document: document["roleId"])


def roles_on(lead: SourceLead, world: World) -> list[tuple[int, int]]:
    """Return who works a lead besides its agent: pairs of role id and member id."""
    people = [(one["roleId"], one["assigneeId"]) for one in _assignees(lead, world)]
    lender = world.person(lead.lender_user_id)
    return [*people, (_LENDER, lender)] if lender else people


def lost_roles(lead: SourceLead, world: World) -> list[str]:
    """Return the names of roles that somebody has on the lead there, and that the team here does not know."""
    return [str(role.get("role")) for role in _roles(lead) if str(role.get("role")).lower() not in world.roles]


def is_touched_since(lead: SourceLead, since: datetime) -> bool:
    """Whether a lead came, changed, spoke or visited since then, as far as its own times tell."""
    times = (lead.create_time, lead.last_update_time, lead.assign_time, lead.last_touch, lead.last_visit)
    return any((at := instant(time)) is not None and at >= since for time in times)
