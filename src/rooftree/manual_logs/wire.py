"""The contract's shapes of manual logs."""

from typing import Any, Final, Literal

from msgspec import Struct

from rooftree.platform.http.reading import Int64, LooseText
from rooftree.platform.wire_time import utc_text
from rooftree.timeline.model import TimelineEntry

#: The channel that each `logType` names; case counts. contract: S0-16
CHANNELS: Final = {"logCall": "call", "logEmail": "email", "logText": "text"}


class LogTypeRequest(Struct, rename="camel", kw_only=True):
    """POST /v1.0/logType. Fields of another channel are read and ignored. contract: seed 000"""

    lead_id: Int64
    log_type: Literal["logCall", "logEmail", "logText"]
    content: str
    lead_phone_number: LooseText | None = None
    calling_outcome: str | None = None
    outbound_or_inbound: Literal["outbound", "inbound"] | None = None
    is_pin: bool | None = None
    email_subject: Any = None
    to_email: Any = None
    from_email: Any = None


class LogTypeResponse(Struct, rename="camel", frozen=True, kw_only=True):
    """A manual log."""

    id: int
    lead_id: int
    lead_phone_number: str | None
    calling_outcome: str | None
    content: str | None
    create_time: str | None
    outbound_or_inbound: str | None
    is_pin: bool
    agent_id: int | None
    email_subject: str | None
    to_email: str | None
    from_email: str | None


def log_response(entry: TimelineEntry) -> LogTypeResponse:
    """Return a manual log in the contract's shape: what does not apply to its channel is null."""
    talk = entry.talk
    return LogTypeResponse(
        id=entry.id,
        lead_id=entry.lead_id,
        lead_phone_number=talk.phone,
        calling_outcome=talk.outcome,
        content=talk.content,
        create_time=utc_text(entry.happened_at),
        outbound_or_inbound=entry.direction,
        is_pin=entry.is_pinned,
        agent_id=entry.actor_id,
        email_subject=talk.subject,
        to_email=talk.to_email,
        from_email=talk.from_email,
    )
