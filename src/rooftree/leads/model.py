"""Rows: what is stored. A row's fields are its table's columns, in any order."""

from datetime import date, datetime
from typing import Any, Final, TypeAlias

from msgspec import Struct

#: A jsonb column: JSON bytes in wire form.
Document: TypeAlias = bytes


class Lead(Struct, frozen=True):
    """A lead."""

    team_id: int
    id: int
    first_name: str
    last_name: str | None
    birthday_on: date | None
    emails: list[str]  #: as given; the first is the primary one
    phones: list[str]  #: as given
    phone_statuses: list[int]  #: parallel to phones: 1 invalid, 2 valid, 3 talked, 4 DNC number, 5 DNC contact
    lead_types: list[int]
    stage_id: int
    source_id: int  #: -1: none
    source: str | None
    assigned_user_id: int | None
    assigned_at: datetime | None
    pond_id: int | None  #: lies in a pond instead of being somebody's
    lender_user_id: int | None
    ownership_scope: str  #: TEAM, OFFICE, PERSONAL
    ownership_id: int  #: team, office or member id
    is_hidden: bool
    is_contacted: bool  #: an agent called, texted or wrote
    cannot_text: bool
    cannot_call: bool
    cannot_email: bool
    is_unsubscribed: bool
    street_address: str | None  #: this and the next three: deprecated spellings, kept as sent
    city: str | None
    state: str | None
    zip_code: str | None
    referred_by: str | None
    facebook: str | None
    twitter: str | None
    buying_time_frame: str | None
    selling_time_frame: str | None
    pre_qual: str | None
    house_to_sell: str | None
    fthb: str | None  #: first-time home buyer
    with_buyer_agent: str | None
    mortgage: str | None
    buy_house: str | None
    with_listing_agent: str | None
    language: str | None
    opportunity: str | None
    segments: list[str]
    tags: Document
    inquiry: Document | None
    properties: Document
    family_members: Document
    custom_attributes: Document
    role_assignees: Document
    inquiry_updated_at: datetime | None
    trashed_at: datetime | None
    trashed_by: int | None
    trash_reason: str | None
    merged_into: int | None  #: the lead that it was merged into; such a lead lies in the trash
    created_by: int | None
    created_at: datetime
    updated_at: datetime


#: A lead of which nothing is known yet.
UNSET_COLUMNS: Final[dict[str, Any]] = {
    **dict.fromkeys(Lead.__struct_fields__),
    **{name: [] for name in ("emails", "phones", "phone_statuses", "lead_types", "segments")},
    **dict.fromkeys(("tags", "properties", "family_members", "custom_attributes", "role_assignees"), b"[]"),
    **dict.fromkeys(
        ("is_hidden", "is_contacted", "cannot_text", "cannot_call", "cannot_email", "is_unsubscribed"), False
    ),
    "source_id": -1,
}


class LeadView(Struct, frozen=True):
    """What a lead's answer shows beside its row: names, and what the logbook counted."""

    lead: Lead
    stage: str
    assigned_user: str | None  #: full name
    pond: str | None
    custom_roles: Document  #: every custom role of the team, nobody assigned
    last_touch_at: datetime | None
    last_visit_at: datetime | None
    score: int | None


class Comparable(Struct, frozen=True):
    """What duplicates are recognised by."""

    id: int
    first_name: str
    last_name: str | None
    emails: list[str]  #: as they are compared
    phones: list[str]  #: as they are compared: E.164, else digits
    street_address: str | None
    city: str | None
    zip_code: str | None
    properties: Document


class Stage(Struct, frozen=True):
    """A step of the team's lead pipeline."""

    team_id: int
    id: int
    name: str
    position: int
    created_at: datetime


class Tag(Struct, frozen=True):
    """A tag of the team."""

    team_id: int
    id: int
    name: str
    creator_user_id: int | None
    visible_type: int  #: 0 team-wide, 1 creator only
    created_at: datetime
    updated_at: datetime


class CustomField(Struct, frozen=True):
    """A field that the team added to its leads."""

    team_id: int
    id: int
    name: str
    type: str
    params: str | None  #: JSON text with the options of a select
    created_at: datetime
