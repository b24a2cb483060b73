"""What can be done with a manual log."""

from datetime import datetime
from typing import Any, Final

import msgspec

from rooftree.leads.actions import audience, mark_contacted
from rooftree.leads.model import Lead
from rooftree.leads.queries import seen_lead
from rooftree.manual_logs import rules
from rooftree.manual_logs.wire import CHANNELS, LogTypeRequest
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ParameterTooLong, ResourceNotExist
from rooftree.platform.ids import next_ids
from rooftree.platform.wire_time import parse_instant
from rooftree.timeline import actions as timeline
from rooftree.timeline import kinds, queries
from rooftree.timeline.actions import Entry, record, talk_entry
from rooftree.timeline.model import Talk, TimelineEntry
from rooftree.timeline.wire import ExternalTalk

CONTENT_LENGTH: Final = 5000
#: contract: S0-20, S0-29
_SHORT_LENGTH: Final = 20


async def add_log(tx: Transaction, actor: Actor, request: LogTypeRequest, *, region: str) -> TimelineEntry:
    """Write down a call, e-mail or text that took place elsewhere; nothing leaves the system.

    `content` is silently cut to 5,000 characters. contract: POST /v1.0/logType, seed 000.
    Writes: timeline_entry, timeline_summary, announcement (6, 7 or 8), lead (contacted).
    Raises: InvalidParameter (20012), ParameterTooLong (20043), LeadNotExist (20006).
    """
    channel = CHANNELS[request.log_type]
    talk = _talk(channel, request)
    lead = await seen_lead(tx, actor, request.lead_id, is_held=True)
    entry_id = await _write(
        tx,
        actor,
        lead,
        channel,
        talk,
        direction=request.outbound_or_inbound or "outbound",
        is_pinned=bool(request.is_pin),
        region=region,
    )
    entry = await queries.find_entry(tx, entry_id)
    assert entry is not None
    return entry


def _talk(channel: str, request: LogTypeRequest) -> Talk:
    if not request.content.strip():
        raise InvalidParameter("content: must not be blank.")
    content = request.content[:CONTENT_LENGTH]
    if channel == "call":
        outcome = _short("callingOutcome", request.calling_outcome)
        return Talk(content=content, phone=_phone(request), outcome=rules.outcome_of(outcome))
    if channel == "email":
        return Talk(
            content=content,
            subject=_text("emailSubject", request.email_subject),
            to_email=_text("toEmail", request.to_email),
            from_email=_text("fromEmail", request.from_email),
        )
    return Talk(content=content)


def _phone(request: LogTypeRequest) -> str:
    phone = "" if request.lead_phone_number is None else str(request.lead_phone_number)
    if not phone.strip():
        raise InvalidParameter("leadPhoneNumber: is required for logCall.")
    return _short("leadPhoneNumber", phone) or ""


def _short(name: str, text: str | None) -> str | None:
    if text is not None and len(text) > _SHORT_LENGTH:
        raise ParameterTooLong(f"{name}: must have at most {_SHORT_LENGTH} characters.")
    return text


def _text(name: str, value: Any) -> str | None:
    try:
        return msgspec.convert(value, str | None)
    except msgspec.ValidationError:
        raise InvalidParameter(f"{name}: must be text.") from None


async def add_external_talk(
    tx: Transaction, actor: Actor, lead_id: int | None, channel: str, request: ExternalTalk, *, region: str
) -> int:
    """Log a conversation of the guide's form, at its own time; return its id. contract: seed 001, S1-35 to S1-46.

    Writes as add_log. Raises: InvalidParameter (20012), LeadNotExist (20006).
    """
    happened_at = _instant(request.timestamp)
    content = (request.notes if request.notes is not None else request.content) or None
    talk = Talk(
        content=content and content[:CONTENT_LENGTH],
        subject=request.subject if channel == "email" else None,
        duration=request.duration if channel == "call" else None,
    )
    lead = await seen_lead(tx, actor, lead_id, is_managing=True, is_held=True)
    direction = request.direction or "outbound"
    return await _write(tx, actor, lead, channel, talk, direction=direction, happened_at=happened_at, region=region)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    instant = parse_instant(text)
    if instant is None:
        raise InvalidParameter("timestamp: must be ISO 8601 with an offset, such as 2026-05-07T10:15:00Z.")
    return instant


async def _write(
    tx: Transaction,
    actor: Actor,
    lead: Lead,
    channel: str,
    talk: Talk,
    *,
    direction: str,
    region: str,
    happened_at: datetime | None = None,
    is_pinned: bool = False,
) -> int:
    (entry_id,) = await next_ids(tx, 1)
    entry = talk_entry(
        kinds.LOGGED[channel],
        lead.id,
        entry_id,
        talk,
        direction=direction,
        happened_at=happened_at,
        status="Sent" if channel == "email" else None,
        is_pinned=is_pinned,
    )
    await record(tx, actor, [entry], audience=audience(lead))
    if direction == "outbound":
        await mark_contacted(tx, lead, region=region)
    return entry_id


async def delete_log(tx: Transaction, actor: Actor, log_id: int | None, *, region: str) -> None:
    """Take a log out of the history; the logbook keeps that it was there, and who deleted it.

    contract: DELETE /v1.0/logType/{logTypeId}. Writes: timeline_entry, timeline_summary, lead (contacted).
    Raises: ResourceNotExist (20007), LeadNotExist (20006).
    """
    entry = await queries.find_entry(tx, log_id, origin="logged")
    if entry is None:
        raise ResourceNotExist
    lead = await seen_lead(tx, actor, entry.lead_id, is_managing=True, is_held=True)
    if not await timeline.strike(tx, actor, entry.id):
        raise ResourceNotExist
    details = {"logId": entry.id, "channel": entry.channel, "was": msgspec.Raw(entry.details)}
    await record(tx, actor, [Entry(kinds.LOG_DELETED, lead.id, details)], audience=audience(lead))
    await mark_contacted(tx, lead, region=region, is_contacted=await queries.is_contacted(tx, lead.id))
