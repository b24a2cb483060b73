"""The contract's shapes as a client reads them: nothing is required but the id, and text may come as a number."""

from typing import Any

from msgspec import Struct

from rooftree.platform.http.reading import LooseText

Loose = LooseText | None
Document = dict[str, Any]


class SourceMember(Struct, rename="camel", kw_only=True):
    """A member: UserResponse."""

    id: int
    member_user_id: int | None = None
    team_id: int | None = None
    email: str | None = None
    first_name: Loose = None
    last_name: Loose = None
    role: int | None = None
    role_name: str | None = None
    phone_number: Loose = None
    status: int | None = None
    account_status: str | None = None
    time_zone_id: str | None = None
    group_id: int | None = None
    is_admin: bool | None = None

    @property
    def user_id(self) -> int:
        """The number that stands in assignedUserId, creatorId and so on."""
        return self.member_user_id or self.id


class SourcePond(Struct, rename="camel", kw_only=True):
    """A pond: LeadPond."""

    id: int
    pond_name: str
    pond_owner_id: int | None = None
    agent_ids: list[int] | None = None


class SourceLead(Struct, rename="camel", kw_only=True):
    """A lead: LeadResponse."""

    lead_id: int
    first_name: Loose = None
    last_name: Loose = None
    birthday: str | None = None
    emails: list[str] | None = None
    phones: list[LooseText] | None = None
    phone_statuses: list[int] | None = None
    lead_types: list[int] | None = None
    stage_id: int | None = None
    stage: str | None = None
    source: str | None = None
    assigned_user_id: int | None = None
    assigned_user: str | None = None
    lender_user_id: int | None = None
    tags: list[Document] | None = None
    street_address: Loose = None
    city: Loose = None
    state: Loose = None
    zip_code: Loose = None
    create_time: str | None = None
    assign_time: str | None = None
    last_update_time: str | None = None
    last_touch: str | None = None
    last_visit: str | None = None
    facebook: Loose = None
    twitter: Loose = None
    hidden_flag: bool | None = None
    referred_by: Loose = None
    lead_inquiry: Document | None = None
    lead_property_list: list[Document] | None = None
    custom_attributes: list[Document] | None = None
    groups: list[str] | None = None
    segments: list[str] | None = None
    unsubscription: bool | None = None
    cannot_text: bool | None = None
    cannot_call: bool | None = None
    cannot_email: bool | None = None
    buying_time_frame: str | None = None
    selling_time_frame: str | None = None
    pre_qual: str | None = None
    house_to_sell: str | None = None
    fthb: str | None = None
    with_buyer_agent: str | None = None
    mortgage: str | None = None
    buy_house: str | None = None
    with_listing_agent: str | None = None
    language: str | None = None
    opportunity: str | None = None
    lead_family_member_list: list[Document] | None = None
    pond_id: int | None = None
    custom_role_list: list[Document] | None = None
    ownership_id: int | None = None
    ownership_scope: str | None = None


class SourceNote(Struct, rename="camel", kw_only=True):
    """A note: NoteResponse."""

    note_id: int
    id: int | None = None
    creator_id: int | None = None
    creator_name: str | None = None
    last_editor_id: int | None = None
    last_editor_name: str | None = None
    content: Loose = None
    create_time: str | None = None
    last_update: str | None = None
    is_pin: bool | None = None
    system_note: bool | None = None


class SourceTalk(Struct, rename="camel", kw_only=True):
    """A call, text or e-mail in the v2 timeline."""

    id: int
    agent_id: int | None = None
    channel: str | None = None
    type: str | None = None
    communication_type: str | None = None
    direction: str | None = None
    timestamp: str | None = None
    activity_time: str | None = None
    duration: int | None = None
    summary: Loose = None
    content: Loose = None
    subject: Loose = None
    email_subject: Loose = None
    email_event_type: str | None = None
    note: Loose = None
    calling_outcome: str | None = None
    lead_phone_number: Loose = None


class SourceLog(Struct, rename="camel", kw_only=True):
    """A manual log: what the timeline does not say of it."""

    id: int
    content: Loose = None
    is_pin: bool | None = None
    to_email: Loose = None
    from_email: Loose = None


class SourceCall(Struct, rename="camel", kw_only=True):
    """A call in the detailed history."""

    id: int
    dialer_call_record_id: int | None = None
    user_id: int | None = None
    user_phone_number: Loose = None
    lead_phone_number: Loose = None
    direction: str | None = None
    status: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    create_time: str | None = None
    update_time: str | None = None
    duration: int | None = None
    calling_outcome: str | None = None
    rate_score: int | None = None
    recording_switch: bool | None = None
    recording_url: str | None = None
    show_user_number: Loose = None
    note: Loose = None
    is_machine_answered: bool | None = None
    price: float | None = None
    elapsed_time: str | None = None
    transcript: str | None = None
    summary: str | None = None


class SourceText(Struct, rename="camel", kw_only=True):
    """A text in the history: what became of it."""

    id: int
    text_outcome: str | None = None
    text_content: Loose = None


class SourceEmail(Struct, rename="camel", kw_only=True):
    """An e-mail in the history: what became of it."""

    id: int
    event_type: str | None = None
    from_pond: bool | None = None


class SourceVisit(Struct, rename="camel", kw_only=True):
    """What a lead did on the website."""

    type: str | int
    created: int
    text: Loose = None
    link: Loose = None
    picture: Loose = None
    listing: Document | None = None
    scheduled_date: Loose = None
    page_name: Loose = None


class SourceChange(Struct, rename="camel", kw_only=True):
    """An entry of the system log."""

    id: str | int
    timeline_type: int
    timeline_type_desc: str | None = None
    timeline_time: str
    agent_id: int | None = None
    content: Document | None = None
    sticky: bool | None = None


class SourceTransaction(Struct, rename="camel", kw_only=True):
    """A transaction of a lead. Dates are epoch milliseconds."""

    transaction_id: int
    transaction_name: str | None = None
    transaction_type: str | None = None
    transaction_status: str | None = None
    created: int | None = None
    updated: int | None = None
    home_price: float | None = None
    commission_rate: float | None = None
    gci: float | None = None
    team_revenue: float | None = None
    agent_revenue: float | None = None
    expected_close_date: int | None = None
    close_date: int | None = None
    appointment_date: int | None = None
    agreement_signed_date: int | None = None
    offer_date: int | None = None
    contract_date: int | None = None
    appraisal_date: int | None = None
    home_inspection_date: int | None = None
    escrow_date: int | None = None
    expiration: int | None = None
    custom_fields: list[Document] | None = None
    commissions: Document | None = None
