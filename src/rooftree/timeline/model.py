"""Rows of the logbook."""

from datetime import datetime

import msgspec
from msgspec import Struct


class TimelineEntry(Struct, frozen=True):
    """One thing that happened. `details` holds what belongs to its kind, old and new values of a change too."""

    team_id: int
    lead_id: int
    id: int
    kind: str
    happened_at: datetime
    recorded_at: datetime
    actor_id: int | None  #: None: the system
    details: bytes
    channel: str | None  #: of talk: call, text, email
    direction: str | None  #: of talk: outbound (agent to lead), inbound
    origin: str | None  #: of talk: auto, manual, logged
    status: str | None  #: how it went, in the contract's words
    is_pinned: bool
    deleted_at: datetime | None
    deleted_by: int | None

    @property
    def talk(self) -> "Talk":
        """What was said, of an entry with a channel."""
        return _TALK.decode(self.details)


class Talk(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What was said in a call, a text or an e-mail: the `details` of its entry."""

    content: str | None = None  #: the text; of a call the agent's note
    subject: str | None = None
    phone: str | None = None  #: the lead's number
    outcome: str | None = None  #: of a call: Talked, VoiceMessage ...
    duration: int | None = None  #: of a call, in seconds
    from_email: str | None = None
    to_email: str | None = None
    error: str | None = None  #: why it could not be delivered, in the provider's words
    from_pond: bool = False


_TALK = msgspec.json.Decoder(Talk)


class Summary(Struct, frozen=True, omit_defaults=True):
    """What the logbook counted of a lead: what lists are sorted by."""

    last_contact_at: datetime | None = None
    last_call_at: datetime | None = None
    last_email_at: datetime | None = None
    last_text_at: datetime | None = None
    last_activity_at: datetime | None = None
    last_visit_at: datetime | None = None
    last_touch_at: datetime | None = None
    communication_count: int | None = None
    activity_count: int | None = None
    search_count: int | None = None
    view_count: int | None = None
    favorite_count: int | None = None
    score: int | None = None


class MergedSummary(Struct, frozen=True):
    """What two summaries were when one was added to the other."""

    before: Summary
    added: Summary


class SiteActivity(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a lead did on the website, as it was sent: the `details` of its entry. contract: seed 002"""

    text: str
    link: str
    picture: str
    listing: msgspec.Raw = msgspec.Raw(b"null")
    scheduled_date: str | None = None
    page_name: str | None = None
