"""The contract's shapes of what happened, and the logbook's own."""

from collections.abc import Collection, Iterable
from datetime import tzinfo
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.reading import Int32, Int64
from rooftree.platform.wire_time import (
    epoch_millis,
    from_epoch_millis,
    iso_millis,
    iso_offset,
    iso_z,
    utc_text,
)
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry
from rooftree.timeline.kinds import KINDS
from rooftree.timeline.model import SiteActivity, TimelineEntry
from rooftree.timeline.queries import LoggedChange

#: Free text of a client; nobody's page or form is longer.
Text = Annotated[str, Meta(max_length=20_000)]


class ActivityType(Struct):
    """What POST /v1.0/leads/{leadId}/activity reads first: `type` decides which fields count. contract: D9"""

    type: str


class Listing(Struct, rename="camel", frozen=True):
    """The property that a site activity is about, kept as sent."""

    price: Int64 | None = None
    state: Text | None = None
    city: Text | None = None
    street_address: Text | None = None
    zip_code: Text | int | None = None
    county: Text | None = None
    property_type: Text | None = None
    bedrooms: Int32 | None = None
    bathrooms: int | float | None = None
    square_feet: Int64 | None = None
    lot_size: int | float | None = None
    parking_space: Int64 | None = None
    floors: Int32 | None = None
    mail_address: bool | None = None
    id: Int64 | None = None
    lead_user_id: Int64 | None = None
    listing_id: Text | int | None = None
    auto_listing_id: Int64 | None = None
    label: Text | None = None
    note: Text | None = None
    listing_status: Text | None = None
    label_list: Text | None = None
    picture_url: Text | None = None
    site_listing_url: Text | None = None
    label_type: Text | None = None
    price_max: Int64 | None = None
    price_min: Int64 | None = None


class LeadActivity(Struct, rename="camel", kw_only=True, frozen=True):
    """What a lead did on the website, in and out. `created`: epoch milliseconds. contract: seed 002"""

    type: str
    text: Text
    link: Text
    picture: Text
    created: Int64
    listing: Listing | None = None
    scheduled_date: Text | None = None
    page_name: Text | None = None


class ExternalTalk(Struct, rename="camel", kw_only=True, frozen=True):
    """A call, e-mail or text that took place elsewhere. `duration`: seconds, of calls. contract: seed 001"""

    type: str
    direction: Literal["outbound", "inbound"] | None = None
    duration: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    timestamp: str | None = None  #: ISO 8601 with an offset; None: now
    notes: str | None = None
    subject: str | None = None
    content: str | None = None


class CommunicationRequest(Struct, rename="camel"):
    """POST /v1.0/agent/communication. Times: epoch milliseconds, both inclusive."""

    type: str
    start_time: Int64
    end_time: Int64
    offset: Int64 | None = None
    limit: Int64 | None = None
    team_view: bool | None = None


_SITE_WORDS: Final = {kind: word for word, kind in kinds.SITE_KINDS.items()}
_SITE_KINDS: Final = {word.lower(): kind for word, kind in kinds.SITE_KINDS.items()}
#: The words for a conversation elsewhere, and their channels. contract: seed 001, D29
CHANNELS: Final = {"call": "call", "email": "email", "text": "text", "sms": "text"}


def site_kind(word: str) -> str | None:
    """Return the kind that a `type` names, in any case; None when it names no site activity."""
    return _SITE_KINDS.get(word.strip().lower())


def site_entry(lead_id: int, kind: str, body: LeadActivity) -> Entry:
    """Return the entry of a site activity. Raises: InvalidParameter (20012) when `created` is no instant."""
    try:
        created = from_epoch_millis(body.created)
    except OverflowError:
        raise InvalidParameter("created: is no time in milliseconds since 1970.") from None
    details = SiteActivity(
        text=body.text,
        link=body.link,
        picture=body.picture,
        listing=msgspec.Raw(msgspec.json.encode(body.listing)),
        scheduled_date=body.scheduled_date,
        page_name=body.page_name,
    )
    return Entry(kind, lead_id, details, happened_at=created)


_SITE: Final = msgspec.json.Decoder(SiteActivity)


def site_activity(entry: TimelineEntry) -> dict[str, Any]:
    """Return a site activity as it was sent. contract: GET /v1.0/leads/{leadId}/activities"""
    seen = _SITE.decode(entry.details)
    return {
        "type": _SITE_WORDS[entry.kind],
        "text": seen.text,
        "link": seen.link,
        "picture": seen.picture,
        "created": epoch_millis(entry.happened_at),
        "listing": seen.listing,
        "scheduledDate": seen.scheduled_date,
        "pageName": seen.page_name,
    }


_TYPE: Final = {"call": "call", "text": "sms", "email": "email"}


class ActivityItem(Struct, rename="camel", kw_only=True):
    """A call, text or e-mail in the v2 timeline: both published shapes in one. What does not apply is left out.

    contract: GET /v2.0/leads/{leadId}/activities, D1
    """

    activity_id: str
    id: int
    lead_id: int
    agent_id: int
    type: str
    channel: str
    communication_type: str
    direction: str | None
    timestamp: str | None
    activity_time: str | None  #: with the offset of the zone asked for
    duration: int | UnsetType = UNSET  #: seconds
    summary: str | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET
    email_subject: str | UnsetType | None = UNSET
    email_event_type: str | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    calling_outcome: str | UnsetType | None = UNSET
    lead_phone_number: str | UnsetType | None = UNSET


def activity_item(entry: TimelineEntry, zone: tzinfo) -> ActivityItem:
    """Return an entry of the v2 timeline."""
    talk = entry.talk
    item = ActivityItem(
        activity_id=activity_id(entry.id),
        id=entry.id,
        lead_id=entry.lead_id,
        agent_id=entry.actor_id or 0,
        type=_TYPE[str(entry.channel)],
        channel=str(entry.channel).capitalize(),
        communication_type=str(entry.origin).capitalize(),
        direction=entry.direction,
        timestamp=iso_z(entry.happened_at),
        activity_time=iso_offset(entry.happened_at, zone),
    )
    if entry.channel == "call":
        item.duration = UNSET if talk.duration is None else talk.duration
        item.summary = talk.content
        item.calling_outcome, item.lead_phone_number = talk.outcome, talk.phone
    elif entry.channel == "text":
        item.content = talk.content
    else:
        item.subject = item.email_subject = talk.subject
        item.email_event_type = entry.status
    if entry.origin == "logged":
        item.note = talk.content
    return item


def activity_id(entry_id: int) -> str:
    """Return the text by which the v2 timeline names an entry."""
    return f"act_{entry_id}"


def title(word: str | None) -> str | None:
    """Return Outbound, Inbound, Manual ...: how most shapes of the contract spell these words."""
    return word.capitalize() if word else None


class TextResponse(Struct, rename="camel", frozen=True, kw_only=True):
    """A text in the history. contract: GET /v1.0/communication/text"""

    id: int
    lead_id: int
    direction: str | None
    agent_id: int | None
    text_outcome: str | None
    text_time: str | None
    text_type: str | None
    text_content: str | None


def text_response(entry: TimelineEntry) -> TextResponse:
    """Return a text in the contract's shape."""
    return TextResponse(
        id=entry.id,
        lead_id=entry.lead_id,
        direction=title(entry.direction),
        agent_id=entry.actor_id,
        text_outcome=entry.status,
        text_time=utc_text(entry.happened_at),
        text_type=title(entry.origin),
        text_content=entry.talk.content,
    )


class EmailResponse(Struct, rename="camel", frozen=True, kw_only=True):
    """An e-mail in the history, with what became of it last. contract: GET /v1.0/communication/email"""

    id: int
    lead_id: int
    direction: str | None
    agent_id: int | None
    event_type: str | None
    email_event_time: str | None
    email_type: str | None
    email_subject: str | None
    from_pond: bool


def email_response(entry: TimelineEntry) -> EmailResponse:
    """Return an e-mail in the contract's shape."""
    talk = entry.talk
    return EmailResponse(
        id=entry.id,
        lead_id=entry.lead_id,
        direction=title(entry.direction),
        agent_id=entry.actor_id,
        event_type=entry.status,
        email_event_time=utc_text(entry.happened_at),
        email_type=title(entry.origin),
        email_subject=talk.subject,
        from_pond=talk.from_pond,
    )


_EVENT: Final = {"call": "Call", "text": "Text"}


def communication_response(entry: TimelineEntry) -> dict[str, Any]:
    """Return a conversation as the searches by agent show it. contract: CommunicationResponse"""
    talk = entry.talk
    return {
        "id": entry.id,
        "leadId": entry.lead_id,
        "agentId": entry.actor_id,
        "direction": title(entry.direction),
        "callOutcome": talk.outcome,
        "callDuration": None if talk.duration is None else str(talk.duration),
        "status": entry.status,
        "communicationTime": utc_text(entry.happened_at),
        "communicationType": str(entry.origin).upper(),
        "eventType": _EVENT.get(str(entry.channel)) or f"{entry.status or 'Sent'} Email",
        "fromPond": talk.from_pond,
    }


#: Entity codes of the system log. contract: vocab.md
_OTHER, _AGENT, _LEAD = 0, 1, 2
_REFERENCES: Final = ("noteId", "transactionId", "toStageId", "logId")


#: How the rules came to a choice: long, and answered by an operation of its own.
_UNTOLD: Final = ("tried", "skipped", "considered")


#: Leads that an entry names beside its own.
_OTHERS: Final = "duplicateOf"


def leads_named(entries: Iterable[TimelineEntry]) -> list[int]:
    """Return the leads that entries name beside their own: the reader may not be allowed to know of them."""
    found = (msgspec.json.decode(one.details).get(_OTHERS, ()) for one in entries if one.kind == kinds.LEAD_CREATED)
    return sorted({lead_id for named in found for lead_id in named})


def _told(entry: TimelineEntry, seen: Collection[int]) -> dict[str, Any]:
    """Return an entry's details as readers of the timeline see them; of other leads those among `seen`."""
    content: dict[str, Any] = msgspec.json.decode(entry.details)
    if _OTHERS in content:
        named = [lead_id for lead_id in content.pop(_OTHERS) if lead_id in seen]
        return {**content, _OTHERS: named} if named else content
    if entry.kind == kinds.LEAD_ROUTED:
        return {key: value for key, value in content.items() if key not in _UNTOLD}
    return content


def system_log_response(
    change: LoggedChange, first_name: str, last_name: str | None, seen: Collection[int]
) -> dict[str, Any]:
    """Return an entry of the system log: from who did it, to the lead of that name. contract: SystemLogResponse

    `seen`: which of the other leads it names the reader may see.
    """
    entry = change.entry
    kind = KINDS[entry.kind]
    content = _told(entry, seen)
    references = [content[key] for key in _REFERENCES if isinstance(content.get(key), int)]
    return {
        "id": str(entry.id),
        "leadId": entry.lead_id,
        "agentId": entry.actor_id or 0,
        "timelineType": kind.system_log_type,
        "timelineTypeDesc": kind.system_log_name,
        "timelineTime": iso_millis(entry.happened_at),
        "createTime": iso_millis(entry.recorded_at),
        "updateTime": iso_millis(entry.recorded_at),
        "fromId": entry.actor_id or 0,
        "fromType": _AGENT if entry.actor_id else _OTHER,
        "toId": entry.lead_id,
        "toType": _LEAD,
        "fromFirstName": change.actor_first_name,
        "fromLastName": change.actor_last_name,
        "toFirstName": first_name,
        "toLastName": last_name,
        "refId": references[0] if references else 0,
        "sticky": entry.is_pinned,
        "canSticky": False,
        "content": content,
    }


def happening(entry: TimelineEntry, names: dict[int, str], seen: Collection[int]) -> dict[str, Any]:
    """Return an entry of the whole timeline, ours. Times: ISO 8601, UTC, milliseconds. `seen`: as above."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "what": KINDS[entry.kind].text,
        "happenedAt": iso_millis(entry.happened_at),
        "recordedAt": iso_millis(entry.recorded_at),
        "memberId": entry.actor_id,
        "memberName": names.get(entry.actor_id or 0),
        "channel": entry.channel,
        "direction": entry.direction,
        "origin": entry.origin,
        "status": entry.status,
        "isPinned": entry.is_pinned,
        "deletedAt": iso_millis(entry.deleted_at),
        "deletedBy": entry.deleted_by,
        "details": _told(entry, seen),
    }
