"""What happened to a lead there, as entries, notes, calls and transactions of ours."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from rooftree.calls.model import Call
from rooftree.lofty.wire import (
    SourceCall,
    SourceChange,
    SourceEmail,
    SourceLog,
    SourceNote,
    SourceTalk,
    SourceText,
    SourceTransaction,
    SourceVisit,
)
from rooftree.lofty.world import World, instant, text
from rooftree.platform.wire_time import from_epoch_millis
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry
from rooftree.timeline.kinds import KINDS, LOGGED, SITE_KINDS
from rooftree.timeline.model import SiteActivity, Talk
from rooftree.transactions.model import LeadTransaction
from rooftree.transactions.wire import DATES, NUMBERS

#: When something happened of which the source does not say when.
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Found(Struct):
    """What the source says of one lead's past."""

    source_id: str
    lead_id: int  #: here
    notes: list[SourceNote] = field(default_factory=list)
    talk: list[SourceTalk] = field(default_factory=list)
    logs: dict[int, SourceLog] = field(default_factory=dict)
    texts: dict[int, SourceText] = field(default_factory=dict)
    emails: dict[int, SourceEmail] = field(default_factory=dict)
    calls: dict[int, SourceCall] = field(default_factory=dict)
    visits: list[SourceVisit] = field(default_factory=list)
    changes: list[SourceChange] = field(default_factory=list)
    transactions: list[SourceTransaction] = field(default_factory=list)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)  #: kind, id there, reason


def channel_of(talk: SourceTalk) -> str | None:
    """Return call, text or email."""
    word = (talk.channel or talk.type or "").lower()
    return {"sms": "text"}.get(word, word) if word in {"call", "text", "sms", "email"} else None


def is_logged(talk: SourceTalk) -> bool:
    """Whether it took place elsewhere and was written down by hand."""
    return (talk.communication_type or "").lower() == "logged"


_MANUAL: Final = {"call": kinds.CALL_MADE, "text": kinds.TEXT_SENT, "email": kinds.EMAIL_SENT}
_BY_ITSELF: Final = {"call": kinds.CALL_MADE, "text": kinds.TEXT_SENT_BY_ITSELF, "email": kinds.EMAIL_SENT_BY_ITSELF}
_INBOUND: Final = {"call": kinds.CALL_RECEIVED, "text": kinds.TEXT_RECEIVED, "email": kinds.EMAIL_RECEIVED}


def talk_kind(channel: str, communication_type: str | None, direction: str) -> str:
    """Return the kind of a conversation."""
    origin = (communication_type or "").lower()
    if origin == "logged":
        return LOGGED[channel]
    if direction == "inbound" and not (channel == "call" and origin == "manual"):
        return _INBOUND[channel]
    return _BY_ITSELF[channel] if origin == "auto" else _MANUAL[channel]


def talk_entry(talk: SourceTalk, found: Found, channel: str) -> Entry:
    """Return the entry of a conversation, put together from all that speaks of it. Its id is set later."""
    direction = "inbound" if (talk.direction or "").lower() == "inbound" else "outbound"
    log, call = found.logs.get(talk.id), found.calls.get(talk.id)
    status, said = _said(talk, found, channel)
    happened_at = instant(talk.timestamp or talk.activity_time) or (call and instant(call.start_time)) or LONG_AGO
    kind = talk_kind(channel, talk.communication_type, direction)
    is_pinned = bool(log and log.is_pin)
    return Entry(kind, found.lead_id, said, happened_at, None, None, direction, status, is_pinned)


def _said(talk: SourceTalk, found: Found, channel: str) -> tuple[str | None, Talk]:
    """Return how it went, and what was said."""
    log = found.logs.get(talk.id)
    written = text(log.content) if log else None
    if channel == "call":
        call = found.calls.get(talk.id) or SourceCall(id=talk.id)
        return call.status, Talk(
            content=written or text(talk.summary) or text(talk.note) or text(call.note),
            phone=text(talk.lead_phone_number) or text(call.lead_phone_number),
            outcome=talk.calling_outcome or call.calling_outcome,
            duration=talk.duration if talk.duration is not None else call.duration,
        )
    if channel == "text":
        sent = found.texts.get(talk.id) or SourceText(id=talk.id)
        return sent.text_outcome, Talk(
            content=written or text(talk.content) or text(talk.note) or text(sent.text_content)
        )
    mail = found.emails.get(talk.id) or SourceEmail(id=talk.id)
    return mail.event_type or talk.email_event_type, Talk(
        content=written or text(talk.content) or text(talk.note),
        subject=text(talk.subject) or text(talk.email_subject),
        to_email=text(log.to_email) if log else None,
        from_email=text(log.from_email) if log else None,
        from_pond=bool(mail.from_pond),
    )


_STATUSES: Final = {"Completed", "Missed", "Failed", "Busy", "NoAnswer", "VoiceMail"}
_HIGHEST_SCORE: Final = 5
_FINISHED: Final = 2


def call_row(call: SourceCall, entry: Entry, world: World, fallback_agent: int | None) -> Call:
    """Return what a dialer there knew of a call. Its recording stays there."""
    started_at = entry.happened_at or LONG_AGO
    seconds = call.duration if call.duration is not None and 0 <= call.duration < 2**31 else None
    assert entry.id
    return Call(
        team_id=world.team_id,
        id=entry.id,
        lead_id=entry.lead_id,
        user_id=world.person(call.user_id) or fallback_agent,
        user_phone=text(call.user_phone_number),
        lead_phone=text(call.lead_phone_number),
        direction=entry.direction or "outbound",
        status=call.status if call.status in _STATUSES else None,
        started_at=started_at,
        ended_at=instant(call.end_time) or (started_at + timedelta(seconds=seconds) if seconds is not None else None),
        duration_seconds=seconds,
        ring_seconds=seconds_of(call.elapsed_time),
        outcome=call.calling_outcome,
        rate_score=call.rate_score if call.rate_score is not None and 0 <= call.rate_score <= _HIGHEST_SCORE else None,
        caller_id=text(call.show_user_number),
        note=text(call.note),
        is_machine_answered=call.is_machine_answered,
        price=call.price,
        provider_id=None,
        is_told=True,
        recording_url=None,
        recording_key=None,
        recording_type=None,
        transcript=call.transcript,
        summary=call.summary,
        summary_state=_FINISHED if call.summary else None,
        summary_data=None,
        summary_error=None,
        created_at=instant(call.create_time) or started_at,
        updated_at=instant(call.update_time) or started_at,
    )


def seconds_of(elapsed: str | None) -> int | None:
    """Return the seconds of `mm:ss`."""
    minutes, colon, seconds = (elapsed or "").partition(":")
    return int(minutes) * 60 + int(seconds) if colon and minutes.isdecimal() and seconds.isdecimal() else None


_SITE_WORDS: Final = {word.lower(): kind for word, kind in SITE_KINDS.items()}
_SITE_CODES: Final = {str(kind.site_code): kind.name for kind in KINDS.values() if kind.site_code is not None}


def visit_entry(visit: SourceVisit, lead_id: int) -> Entry | None:
    """Return the entry of a visit; None when its type is unknown. Raises: OverflowError on a time that is none."""
    word = str(visit.type).strip().lower()
    kind = _SITE_WORDS.get(word) or _SITE_CODES.get(word)
    if kind is None:
        return None
    details = SiteActivity(
        text=str(visit.text or ""),
        link=str(visit.link or ""),
        picture=str(visit.picture or ""),
        listing=msgspec.Raw(msgspec.json.encode(visit.listing)),
        scheduled_date=text(visit.scheduled_date),
        page_name=text(visit.page_name),
    )
    return Entry(kind, lead_id, details, from_epoch_millis(visit.created))


#: The first kind of each number of the system log.
_CHANGES: Final = {
    kind.system_log_type: kind.name for kind in reversed(KINDS.values()) if kind.system_log_type is not None
}
#: What a change names that has another number here.
_PEOPLE_KEYS: Final = {"to", "from", "assignedUserId", "memberId", "userId"}
_STAGE_KEYS: Final = {"toStageId", "fromStageId", "stageId"}
#: Other leads: who may see them is not known from here.
_DROPPED: Final = {"duplicateOf"}


def change_entry(change: SourceChange, lead_id: int, world: World) -> Entry | None:
    """Return the entry of a change; None when its kind is unknown here."""
    kind = _CHANGES.get(change.timeline_type)
    if kind is None:
        return None
    details = {key: _own(key, value, world) for key, value in (change.content or {}).items() if key not in _DROPPED}
    return Entry(kind, lead_id, details, instant(change.timeline_time) or LONG_AGO, is_pinned=bool(change.sticky))


def _own(key: str, value: Any, world: World) -> Any:
    if key in _PEOPLE_KEYS and isinstance(value, int):
        return world.person(value)
    if key in _STAGE_KEYS and isinstance(value, int):
        return world.stages.get(world.stage_names.get(value, "").lower(), value)
    return value


def transaction_row(one: SourceTransaction, own_id: int, lead_id: int, world: World) -> LeadTransaction:
    """Return a transaction's row. Raises: OverflowError on a date that is none."""
    created_at = from_epoch_millis(one.created) or LONG_AGO
    facts: dict[str, Any] = {name: getattr(one, name) for name in NUMBERS}
    facts |= {column: from_epoch_millis(getattr(one, name)) for name, column in DATES.items()}
    return LeadTransaction(
        team_id=world.team_id,
        id=own_id,
        lead_id=lead_id,
        transaction_name=one.transaction_name or "",
        transaction_type=one.transaction_type or "Other",
        transaction_status=one.transaction_status or "",
        **facts,
        custom_fields=msgspec.json.encode(one.custom_fields or []),
        commissions=msgspec.json.encode(one.commissions) if one.commissions else None,
        created_by=None,
        created_at=created_at,
        updated_at=from_epoch_millis(one.updated) or created_at,
        deleted_at=None,
    )


def digest_of(*facts: Any) -> bytes:
    """Return what tells one version of a thing from another."""
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).digest()


def visit_ids(visits: Sequence[SourceVisit], lead_id: str) -> list[str]:
    """Return a name for each visit, which has no number there: its content, and which of its equals it is."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for visit in visits:
        content = digest_of(visit).hex()
        seen[content] = seen.get(content, 0) + 1
        found.append(f"{lead_id}:{content}:{seen[content]}")
    return found


def people_named(found: Sequence[Found]) -> dict[int, str | None]:
    """Return the user ids that histories name, with names where they are told."""
    named: dict[int, str | None] = {}
    for one in found:
        for note in one.notes:
            _add(named, {note.creator_id: note.creator_name, note.last_editor_id: note.last_editor_name})
        _add(named, {talk.agent_id: None for talk in one.talk})
        _add(named, {call.user_id: None for call in one.calls.values()})
        _add(named, {change.agent_id: None for change in one.changes})
    return named


def _add(named: dict[int, str | None], others: Mapping[int | None, str | None]) -> None:
    for user_id, name in others.items():
        if user_id and user_id > 0:
            named[user_id] = named.get(user_id) or name


def convert(kind: Any, documents: Sequence[Any], refused: list[tuple[str, str, str]], called: str) -> list[Any]:
    """Return documents as structs; one that does not fit is refused, with the reason."""
    found: list[Any] = []
    for document in documents:
        try:
            found.append(msgspec.convert(document, kind, strict=False))
        except (msgspec.ValidationError, TypeError) as error:
            source_id = document.get("id") if isinstance(document, dict) else None
            refused.append((called, str(source_id or digest_of(document).hex()), f"cannot be read: {error}"))
    return found
