"""The contract's shapes of calls, and our own for dialers."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from rooftree.calls import rules
from rooftree.calls.queries import CallView
from rooftree.platform.http.reading import Int64
from rooftree.platform.wire_time import utc_text
from rooftree.timeline.wire import title

_Status = Literal["Completed", "Missed", "Failed", "Busy", "NoAnswer", "VoiceMail"]
_Outcome = Literal["Talked", "VoiceMessage", "NoAnswer", "BadNumber", "DNCNumber", "DNCContact"]
_Note = Annotated[str, Meta(max_length=5000)]
_Score = Annotated[int, Meta(ge=0, le=5)]
_Seconds = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class CallRequest(Struct, rename="camel", kw_only=True):
    """POST /rooftree/v1/calls: a call that an agent made or took. `id`: the dialer's own, so that it is stored once."""

    lead_id: Int64
    direction: Literal["outbound", "inbound"] = "outbound"
    status: _Status = "Completed"
    phone_number: Annotated[str, Meta(max_length=20)] | None = None
    start_time: str | None = None  #: ISO 8601 with an offset; None: now
    duration_seconds: _Seconds | None = None
    outcome: _Outcome | None = None
    note: _Note | None = None
    rate_score: _Score | None = None
    id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class EditCallRequest(Struct, rename="camel", kw_only=True):
    """PUT /rooftree/v1/calls/{callId}: what is sent changes, the rest stays."""

    outcome: _Outcome | None = None
    note: _Note | None = None
    rate_score: _Score | None = None
    transcript: Annotated[str, Meta(max_length=500_000)] | None = None


def call_response(view: CallView) -> dict[str, Any]:
    """Return a call in the contract's shape, CallResponse. What only a dialer knows is null for a logged call."""
    entry, call, talk = view.entry, view.call, view.entry.talk
    return {
        "id": entry.id,
        "dialerCallRecordId": call and call.id,
        "userId": call.user_id if call else entry.actor_id,
        "userPhoneNumber": call and call.user_phone,
        "leadId": entry.lead_id,
        "leadPhoneNumber": call.lead_phone if call else talk.phone,
        "direction": title(entry.direction),
        "status": call and call.status,
        "startTime": utc_text(entry.happened_at),
        "endTime": utc_text(call.ended_at) if call else None,
        "duration": talk.duration,
        "callingOutcome": talk.outcome,
        "rateScore": call and call.rate_score,
        "recordingSwitch": bool(call and (call.recording_key or call.recording_url)),
        "showUserNumber": call and call.caller_id,
        "createTime": utc_text(entry.happened_at),
        "updateTime": utc_text(call.updated_at if call else entry.recorded_at),
        "note": call.note if call else talk.content,
        "isMachineAnswered": call and call.is_machine_answered,
        "price": call and call.price,
        "agentId": entry.actor_id,
        "elapsedTime": rules.elapsed_text(call.ring_seconds) if call else None,
    }


#: What a logged call leaves out when it is read by its id. contract: behaviour.md, GET /v2.0/communication/call
_DIALER_KEYS = (
    "dialerCallRecordId",
    "userPhoneNumber",
    "status",
    "endTime",
    "rateScore",
    "recordingSwitch",
    "showUserNumber",
    "isMachineAnswered",
    "price",
    "elapsedTime",
)


def logged_call_response(view: CallView) -> dict[str, Any]:
    """Return a call as it is read by its timeline id: one that was logged by hand leaves out what nobody knows."""
    found = call_response(view)
    return found if view.call else {key: value for key, value in found.items() if key not in _DIALER_KEYS}


def call_history(view: CallView, recording_url: str | None) -> dict[str, Any]:
    """Return a call as the detailed history shows it: every key of the standard one and more. contract: S1-24, D22"""
    call = view.call
    logged_text = view.entry.talk.content
    return {
        **call_response(view),
        "direction": view.entry.direction,
        "recordingUrl": recording_url,
        "transcript": call and call.transcript,
        "summary": call.summary if call else logged_text,
    }
