"""The contract's shapes of leads, named as in contract/openapi.json."""

from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from rooftree.leads.model import CustomField, Document, Lead, LeadView, Tag
from rooftree.platform.http.reading import Int32, Int64, LooseText
from rooftree.platform.wire_time import birthday_text, gmt_text, iso_z

T = TypeVar("T")
Unset: TypeAlias = T | UnsetType | None
#: An id that clients also send as text; empty text counts as absent.
LooseId: TypeAlias = Int64 | str


class TagName(Struct, rename="camel"):
    """The object form of a tag. contract: seeds.md D5"""

    tag_name: str


class Location(Struct, rename="camel"):
    """A place that a lead looks at."""

    state_code: str | None = None
    city: str | None = None
    zip_code: LooseText | None = None
    county: str | None = None
    street_address: str | None = None
    description: str | None = None


class LeadInquiry(Struct, rename="camel"):
    """What a lead looks for. Times, id and leadUserId are read and ignored: the server's own stand."""

    price_min: Unset[Int64] = UNSET
    price_max: Unset[Int64] = UNSET
    property_type: Unset[list[str]] = UNSET
    bedrooms_min: Unset[Int32] = UNSET
    bedrooms_max: Unset[Int32] = UNSET
    bathrooms_min: Unset[LooseText] = UNSET
    bathrooms_max: Unset[LooseText] = UNSET
    locations: Unset[list[Location]] = UNSET
    modify_by_agent: Unset[bool] = UNSET
    default_value: Unset[bool] = UNSET


class LeadProperty(Struct, rename="camel"):
    """A property or mailing address of a lead."""

    id: Unset[Int64] = UNSET
    price: Unset[Int64] = UNSET
    state: Unset[str] = UNSET
    city: Unset[str] = UNSET
    street_address: Unset[str] = UNSET
    zip_code: Unset[LooseText] = UNSET
    county: Unset[str] = UNSET
    property_type: Unset[str] = UNSET
    bedrooms: Unset[Int32] = UNSET
    bathrooms: Unset[float] = UNSET
    square_feet: Unset[Int64] = UNSET
    lot_size: Unset[float] = UNSET
    parking_space: Unset[Int64] = UNSET
    floors: Unset[Int32] = UNSET
    mail_address: Unset[bool] = UNSET
    listing_id: Unset[LooseText] = UNSET
    auto_listing_id: Unset[Int64] = UNSET
    label: Unset[str] = UNSET
    note: Unset[str] = UNSET
    listing_status: Unset[str] = UNSET
    label_list: Unset[str] = UNSET
    picture_url: Unset[str] = UNSET
    site_listing_url: Unset[str] = UNSET
    label_type: Unset[str] = UNSET
    price_max: Unset[Int64] = UNSET
    price_min: Unset[Int64] = UNSET


class CustomAttribute(Struct, rename="camel"):
    """A value of one of the team's own fields; also the definition of such a field."""

    attribute_name: str | None = None
    attribute_type: str | None = None
    value: LooseText | bool | None = None
    params: str | None = None


class LeadFamilyMember(Struct, rename="camel"):
    """A relative of a lead."""

    first_name: str
    relationship: str | None = None
    last_name: str | None = None
    phones: list[LooseText] | None = None
    emails: list[str] | None = None
    birthday: str | None = None


class LeadFields(Struct, rename="camel", kw_only=True):
    """What both creating and changing a lead may set."""

    cannot_text: Unset[bool] = UNSET
    cannot_call: Unset[bool] = UNSET
    cannot_email: Unset[bool] = UNSET
    last_name: Unset[str] = UNSET
    emails: Unset[list[str]] = UNSET
    phones: Unset[list[LooseText]] = UNSET
    lead_types: Unset[list[Int32]] = UNSET
    assigned_user_id: Unset[LooseId] = UNSET
    street_address: Unset[str] = UNSET
    city: Unset[str] = UNSET
    state: Unset[str] = UNSET
    zip_code: Unset[LooseText] = UNSET
    referred_by: Unset[str] = UNSET
    stage: Unset[str] = UNSET
    groups: Unset[list[str]] = UNSET
    segments: Unset[list[str]] = UNSET
    tags: Unset[list[str | TagName]] = UNSET
    tags_add: Unset[list[str | TagName]] = UNSET
    source: Unset[str] = UNSET
    inquiry: Unset[LeadInquiry] = UNSET
    property: Unset[LeadProperty] = UNSET
    unsubscription: Unset[bool] = UNSET
    custom_attribute_list: Unset[list[CustomAttribute]] = UNSET
    birthday: Unset[str] = UNSET
    buying_time_frame: Unset[str] = UNSET
    selling_time_frame: Unset[str] = UNSET
    pre_qual: Unset[str] = UNSET
    house_to_sell: Unset[str] = UNSET
    fthb: Unset[str] = UNSET
    with_buyer_agent: Unset[str] = UNSET
    mortgage: Unset[str] = UNSET
    buy_house: Unset[str] = UNSET
    with_listing_agent: Unset[str] = UNSET
    lead_family_member_list: Unset[list[LeadFamilyMember]] = UNSET
    language: Unset[str] = UNSET
    ownership_id: Unset[LooseId] = UNSET
    ownership_scope: Unset[str] = UNSET
    #: The transactions room decodes it; absent, null or an object.
    lead_transaction: Unset[dict[str, Any]] = UNSET


class LeadRequest(LeadFields):
    """POST /v1.0/leads. contract: seed 004"""

    first_name: str
    welcome_email: bool | None = None
    lead_alert: bool | None = None
    lead_routing: bool | None = None  #: deprecated, without effect
    assign_group_id: LooseId | None = None
    content: str | None = None
    is_pin: bool | None = None
    default_inquiry_param: bool | None = None  #: accepted, no documented effect
    specified_assign_group_id: bool | None = None  #: accepted, no documented effect


class EditLeadRequest(LeadFields):
    """PUT /v1.0/leads/{leadId}: what is sent changes, the rest stays. contract: seed 003"""

    first_name: Unset[str] = UNSET
    is_hidden: Unset[bool] = UNSET
    tags_remove: Unset[list[str | TagName]] = UNSET
    clear_all_tags: Unset[bool] = UNSET


class BatchLead(LeadRequest):
    """A line of POST /rooftree/v1/leads/batch. A lead that is there already may do without its first name."""

    first_name: Unset[str] = UNSET  # type: ignore[assignment]
    id: LooseId | None = None


class BatchResult(Struct, rename="camel", frozen=True):
    """What became of a line of a batch."""

    row: int  #: the line's number, from 1
    status: str  #: created, updated, skipped, error
    lead_id: int | None = None
    error_code: int | None = None
    error_message: str | None = None


class RoleAssignment(Struct, rename="camel"):
    """One entry of an assignment; both published forms. contract: seeds.md D4"""

    role: str | None = None
    user_id: LooseId | None = None
    assignee: str | None = None


class LeadAssignment(Struct, rename="camel"):
    """The object form of POST /v1.0/leads/{leadId}/assignment."""

    assignees: list[RoleAssignment]


#: What the assignment operation reads.
AnyAssignment: Any = LeadAssignment | list[RoleAssignment]


class LeadAssigneeRequest(LeadFields):
    """POST /v1.0/leads/assignee: any lead field may take part in the preview."""

    first_name: str | None = None
    email: str | None = None
    phone: LooseText | None = None
    assign_group_id: LooseId | None = None


class LeadResponse(Struct, rename="camel", frozen=True, kw_only=True):
    """A lead as every operation answers it. contract: behaviour.md, GET /v1.0/leads/{leadId}"""

    cannot_text: bool
    cannot_call: bool
    cannot_email: bool
    lead_id: int
    lead_user_id: int
    first_name: str
    last_name: str | None
    birthday: str | None
    emails: list[str]
    phones: list[str]
    phone_statuses: list[int]
    lead_source: int
    source: str | None
    stage_id: int
    stage: str
    assigned_user_id: int | None
    assigned_user: str | None
    lender_user_id: int | None
    score: int
    tags: Raw
    team_id: int
    street_address: str | None
    city: str | None
    state: str | None
    zip_code: str | None
    create_time: str | None
    assign_time: str | None
    last_update_time: str | None
    last_touch: str | None
    last_visit: str | None
    facebook: str | None
    twitter: str | None
    hidden_flag: bool
    private_flag: bool
    referred_by: str | None
    lead_inquiry: Raw
    lead_property_list: Raw
    custom_attributes: Raw
    groups: list[str]
    segments: list[str]
    unsubscription: bool
    lead_types: list[int]
    lead_type: int
    assign_completion_status: bool
    buying_time_frame: str | None
    selling_time_frame: str | None
    pre_qual: str | None
    house_to_sell: str | None
    fthb: str | None
    with_buyer_agent: str | None
    mortgage: str | None
    buy_house: str | None
    with_listing_agent: str | None
    opportunity: str | None
    lead_family_member_list: Raw
    pond_id: int
    pond_name: str | None
    custom_role_list: Raw
    language: str | None
    ownership_id: int
    ownership_scope: str


def lead_response(view: LeadView) -> LeadResponse:
    """Return a lead in the contract's shape. Documents go out unparsed."""
    lead = view.lead
    return LeadResponse(
        cannot_text=lead.cannot_text,
        cannot_call=lead.cannot_call,
        cannot_email=lead.cannot_email,
        lead_id=lead.id,
        lead_user_id=lead.id,
        first_name=lead.first_name,
        last_name=lead.last_name,
        birthday=birthday_text(lead.birthday_on),
        emails=lead.emails,
        phones=lead.phones,
        phone_statuses=lead.phone_statuses,
        lead_source=lead.source_id,
        source=lead.source,
        stage_id=lead.stage_id,
        stage=view.stage,
        assigned_user_id=lead.assigned_user_id,
        assigned_user=view.assigned_user,
        lender_user_id=lead.lender_user_id,
        score=view.score or 0,
        tags=Raw(lead.tags),
        team_id=lead.team_id,
        street_address=lead.street_address,
        city=lead.city,
        state=lead.state,
        zip_code=lead.zip_code,
        create_time=gmt_text(lead.created_at),
        assign_time=gmt_text(lead.assigned_at),
        last_update_time=gmt_text(lead.updated_at),
        last_touch=gmt_text(view.last_touch_at),
        last_visit=gmt_text(view.last_visit_at),
        facebook=lead.facebook,
        twitter=lead.twitter,
        hidden_flag=lead.is_hidden,
        private_flag=False,
        referred_by=lead.referred_by,
        lead_inquiry=Raw(lead.inquiry or no_inquiry(lead.id)),
        lead_property_list=Raw(lead.properties),
        custom_attributes=Raw(lead.custom_attributes),
        groups=lead.segments,
        segments=lead.segments,
        unsubscription=lead.is_unsubscribed,
        lead_types=lead.lead_types,
        lead_type=lead.lead_types[0] if lead.lead_types else -1,
        assign_completion_status=lead.assigned_user_id is not None,
        buying_time_frame=lead.buying_time_frame,
        selling_time_frame=lead.selling_time_frame,
        pre_qual=lead.pre_qual,
        house_to_sell=lead.house_to_sell,
        fthb=lead.fthb,
        with_buyer_agent=lead.with_buyer_agent,
        mortgage=lead.mortgage,
        buy_house=lead.buy_house,
        with_listing_agent=lead.with_listing_agent,
        opportunity=lead.opportunity,
        lead_family_member_list=Raw(lead.family_members),
        pond_id=lead.pond_id or 0,
        pond_name=view.pond,
        custom_role_list=Raw(_roles(view.custom_roles, lead)),
        language=lead.language,
        ownership_id=lead.ownership_id,
        ownership_scope=lead.ownership_scope,
    )


#: An inquiry's keys when unset: numbers are -1, because clients test `> 0`. contract: behaviour.md, GET lead
BLANK_INQUIRY: Final[dict[str, Any]] = {
    "priceMin": -1,
    "priceMax": -1,
    "propertyType": [],
    "bedroomsMin": -1,
    "bedroomsMax": -1,
    "bathroomsMin": None,
    "bathroomsMax": None,
    "locations": [],
    "id": 0,
    "leadUserId": 0,
    "modifyByAgent": False,
    "createTime": None,
    "updateTime": None,
    "defaultValue": False,
}
_NO_INQUIRY: Final = msgspec.json.encode(BLANK_INQUIRY)

#: A property's keys when unset.
BLANK_PROPERTY: Final[dict[str, Any]] = {
    "price": -1,
    "state": None,
    "city": None,
    "streetAddress": None,
    "zipCode": None,
    "county": None,
    "propertyType": None,
    "bedrooms": None,
    "bathrooms": None,
    "squareFeet": None,
    "lotSize": -1,
    "parkingSpace": -1,
    "floors": -1,
    "mailAddress": False,
    "id": 0,
    "leadUserId": 0,
    "listingId": None,
    "autoListingId": None,
    "label": None,
    "note": None,
    "listingStatus": None,
    "labelList": None,
    "pictureUrl": None,
    "siteListingUrl": None,
    "labelType": None,
    "priceMax": None,
    "priceMin": None,
    "propertySource": "Manually Added",
    "createTime": None,
}


def no_inquiry(lead_id: int) -> bytes:
    """Return the inquiry of a lead that has none: id 0 and unset values, never null."""
    return _NO_INQUIRY.replace(b'"leadUserId":0', b'"leadUserId":%d' % lead_id)


def _roles(catalogue: Document, lead: Lead) -> bytes:
    """Return every custom role of the team, those of this lead filled in."""
    if lead.role_assignees == b"[]":
        return catalogue
    filled = {role["roleId"]: role for role in msgspec.json.decode(lead.role_assignees)}
    return msgspec.json.encode([filled.get(role["roleId"], role) for role in msgspec.json.decode(catalogue)])


class UserLeadTag(Struct, rename="camel", frozen=True):
    """A tag; on a lead, `lead_id` names it, in the team's list it is 0."""

    lead_id: int
    tag_id: int
    create_time: str | None
    update_time: str | None
    tag_name: str
    creator_user_id: int | None
    visible_type: int


def tag_response(tag: Tag, lead_id: int = 0) -> UserLeadTag:
    """Return a tag in the contract's shape."""
    return UserLeadTag(
        lead_id=lead_id,
        tag_id=tag.id,
        create_time=iso_z(tag.created_at),
        update_time=iso_z(tag.updated_at),
        tag_name=tag.name,
        creator_user_id=tag.creator_user_id,
        visible_type=tag.visible_type,
    )


def custom_field_response(field: CustomField) -> dict[str, str | None]:
    """Return a custom field in the contract's shape `CustomAttribute`."""
    return {"attributeName": field.name, "attributeType": field.type, "value": None, "params": field.params}
