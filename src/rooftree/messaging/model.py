"""Rows, and what a provider gets and gives back."""

from datetime import datetime

from msgspec import Struct


class Message(Struct, frozen=True):
    """A message on its way out. Its row says where it stands; a job only wakes the worker."""

    team_id: int
    id: int
    lead_id: int | None  #: None: to somebody who is no lead
    timeline_id: int | None  #: its entry in the logbook; None: the logbook does not tell of it
    sender_id: int | None  #: the member in whose name it goes; None: the team
    channel: str  #: email, sms
    purpose: str  #: manual, welcome_email, lead_alert, assignment, ...
    sender: str | None  #: address or number it goes from, once known
    recipient: str
    recipient_name: str | None
    subject: str | None
    body: str
    state: str  #: queued, sending, sent, delivered, failed
    attempts: int
    next_at: datetime | None  #: when it may next be tried
    leased_until: datetime | None  #: while a worker is at it
    tried_at: datetime | None  #: the first attempt: from then on it may have gone out
    provider: str | None
    provider_id: str | None
    error: str | None  #: what the provider said last
    created_at: datetime
    sent_at: datetime | None
    updated_at: datetime


class NewMessage(Struct, frozen=True):
    """A message to be sent."""

    lead_id: int | None
    sender_id: int | None
    channel: str  #: email, sms
    purpose: str  #: manual, welcome_email, lead_alert, assignment, reply_alert
    recipient: str
    subject: str | None
    body: str
    recipient_name: str | None = None
    sender: str | None = None  #: the number a text goes from
    timeline_id: int | None = None
    send_at: datetime | None = None  #: None: now
    id: int | None = None  #: None: a fresh one


class Arrival(Struct, frozen=True):
    """Something that came in from outside. Without a lead it lies in the tray."""

    team_id: int
    id: int
    channel: str  #: email, sms, call
    provider_id: str  #: what makes it the same one when it is delivered twice
    sender: str
    recipient: str
    subject: str | None
    body: str
    raw: bytes | None  #: an e-mail as it came
    lead_id: int | None
    timeline_id: int | None
    arrived_at: datetime
    handled_at: datetime | None  #: somebody dismissed it from the tray


class OutgoingEmail(Struct, frozen=True, kw_only=True):
    """An e-mail as a provider gets it."""

    id: int  #: of the message
    message_id: str  #: RFC 5322, with angle brackets; the same on every attempt, so that receivers see repeats
    sender: str  #: address in From
    sender_name: str | None
    envelope_sender: str  #: where bounces go
    reply_to: tuple[str, ...] = ()
    recipient: str
    recipient_name: str | None = None
    subject: str
    text: str
    html: str | None = None
    unsubscribe_url: str | None = None  #: https; one click: a POST of List-Unsubscribe=One-Click
    created_at: datetime


class OutgoingText(Struct, frozen=True, kw_only=True):
    """A text message as a provider gets it."""

    id: int  #: of the message
    team_id: int
    sender: str  #: E.164
    recipient: str  #: E.164
    text: str
    created_at: datetime
    status_url: str | None = None  #: where the provider may tell how it went
    tried_at: datetime | None = None  #: an attempt began then and told nothing of its end: it may have gone out


class Receipt(Struct, frozen=True):
    """What a provider answered."""

    provider_id: str | None
    state: str = "sent"  #: sent, delivered


class ProviderError(Exception):
    """A provider did not take a message."""

    def __init__(self, reason: str, *, is_permanent: bool, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason  #: the provider's own words, at most 500 characters
        self.is_permanent = is_permanent
        self.retry_after_seconds = retry_after_seconds  #: the provider asked for this much patience
