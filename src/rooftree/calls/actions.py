"""What can be done with a call."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from rooftree.calls import queries, rules, store
from rooftree.calls.model import Call
from rooftree.calls.wire import CallRequest, EditCallRequest
from rooftree.leads.actions import audience, mark_contacted
from rooftree.leads.arrivals import whose
from rooftree.leads.fields import normal_phone
from rooftree.leads.model import Lead
from rooftree.leads.queries import leads_with_contact, locked_lead
from rooftree.messaging import actions as messaging
from rooftree.messaging.inbound import InboundCall, InboundRecording
from rooftree.messaging.model import Arrival
from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Database, Transaction
from rooftree.platform.errors import InvalidParameter, Unavailable
from rooftree.platform.ids import next_ids
from rooftree.platform.jobs import enqueue
from rooftree.platform.wire_time import parse_instant
from rooftree.team import queries as team
from rooftree.timeline import actions as timeline
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry, record, talk_entry
from rooftree.timeline.model import Talk

FETCH_RECORDING: Final = "fetch_recording"
TRANSCRIBE_CALL: Final = "transcribe_call"
SUMMARISE_CALL: Final = "summarise_call"
#: contract: vocab.md, call summary status
PENDING, PROCESSING, FINISHED, FAILED = 0, 1, 2, 3


async def add_call(tx: Transaction, actor: Actor, lead: Lead, request: CallRequest, *, region: str) -> Call:
    """Store a call that an agent made or took with a dialer of their own. Ours: POST /rooftree/v1/calls.

    Writes: call, timeline_entry, announcement (6), lead (contacted). Raises: InvalidParameter (20012).
    """
    started_at = parse_instant(request.start_time) if request.start_time else clock.now()
    if started_at is None:
        raise InvalidParameter("startTime: must be ISO 8601 with an offset, such as 2026-05-07T10:15:00Z.")
    member = await team.find_member(tx, actor.member_id)
    (call_id,) = await next_ids(tx, 1)
    call = await store.insert_call(
        tx,
        {
            "id": call_id,
            "lead_id": lead.id,
            "user_id": actor.member_id,
            "user_phone": member and (member.virtual_number or member.phone_number),
            "lead_phone": request.phone_number or (lead.phones or [None])[0],
            "direction": request.direction,
            "status": request.status,
            "started_at": started_at,
            "ended_at": _ended_at(started_at, request.duration_seconds),
            "duration_seconds": request.duration_seconds,
            "outcome": request.outcome or rules.outcome_of(request.status),
            "rate_score": request.rate_score,
            "note": request.note,
            "provider_id": request.id,
        },
    )
    if call is None:
        raise InvalidParameter("id: this call is stored already.")
    kind = kinds.CALL_MADE  # by an agent's hand, whoever rang: told as MANUAL
    return await _tell(tx, actor, call, lead, kind, region=region)


async def put_calls(tx: Transaction, calls: Sequence[Call]) -> None:
    """Store what a dialer elsewhere knew of calls whose entries are in the logbook. Announces nothing. Writes: call."""
    await store.put_calls(tx, calls)


def _ended_at(started_at: Any, seconds: int | None) -> Any:
    return started_at + timedelta(seconds=seconds) if seconds is not None else None


async def _tell(tx: Transaction, actor: Actor | None, call: Call, lead: Lead, kind: str, *, region: str) -> Call:
    """Write a call into the logbook, under its own id."""
    entry = talk_entry(
        kind,
        lead.id,
        call.id,
        _talk(call),
        direction=call.direction,
        happened_at=call.started_at,
        status=call.status,
        agent_id=call.user_id or lead.assigned_user_id,
    )
    await record(tx, actor, [entry], audience=audience(lead))
    if call.direction == "outbound":
        await mark_contacted(tx, lead, region=region)
    return await store.update_call(tx, call.id, {"is_told": True})


def _talk(call: Call) -> Talk:
    return Talk(
        content=call.summary or call.note, phone=call.lead_phone, outcome=call.outcome, duration=call.duration_seconds
    )


async def edit_call(tx: Transaction, call_id: int, request: EditCallRequest) -> Call | None:
    """Change what an agent says of a call; None when there is no such call.

    A transcript that is given is summarised. Ours: PUT /rooftree/v1/calls/{callId}. Writes: call, timeline_entry, job.
    """
    call = await store.lock_call(tx, call_id)
    if call is None:
        return None
    given = {
        "outcome": request.outcome,
        "note": request.note,
        "rate_score": request.rate_score,
        "transcript": request.transcript,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return call
    call = await store.update_call(tx, call.id, changes)
    await _amend(tx, call)
    if request.transcript:
        call = await ask_for_summary(tx, call)
    return call


async def _amend(tx: Transaction, call: Call) -> None:
    """Let the logbook show a call as it is known now."""
    if call.is_told:
        talk = _talk(call)
        await timeline.amend_talk(
            tx, call.id, content=talk.content, phone=talk.phone, outcome=talk.outcome, duration=talk.duration
        )
        if call.status:
            await timeline.set_status(tx, call.id, call.status)


async def receive_call(tx: Transaction, event: InboundCall, *, agent_id: int | None, region: str) -> Call:
    """Take in what a provider reports of a call; each report adds to what is known, a repeated one changes nothing.

    It goes to the lead with that number, else into the tray. `agent_id`: whose number it came to or from.
    Writes: call, arrival, timeline_entry, announcement (6, for calls that agents make), lead (contacted), message.
    """
    theirs, ours = (event.recipient, event.sender) if event.direction == "outbound" else (event.sender, event.recipient)
    number = normal_phone(theirs, region)
    call = await store.lock_call_of_provider(tx, event.provider_id)
    if call is None:
        call = await _begin(tx, event, number, ours, agent_id)
    changes = _news(call, event)
    if changes:
        call = await store.update_call(tx, call.id, changes)
    lead = await locked_lead(tx, call.lead_id) if call.lead_id else None
    if lead is None or call.status is None:
        return call
    if call.is_told:
        await _amend(tx, call)
        return call
    kind = kinds.CALL_MADE if call.direction == "outbound" else kinds.CALL_RECEIVED
    return await _tell(tx, None, call, lead, kind, region=region)


async def _begin(tx: Transaction, event: InboundCall, number: str, ours: str, agent_id: int | None) -> Call:
    """Store a call of which the first is heard; from nobody known, it also lies in the tray."""
    lead = whose(await leads_with_contact(tx, "phone", number), agent_id)
    lead = await locked_lead(tx, lead.id) if lead else None
    (call_id,) = await next_ids(tx, 1)
    call = await store.insert_call(
        tx,
        {
            "id": call_id,
            "lead_id": lead and lead.id,
            "user_id": agent_id or (lead and lead.assigned_user_id),
            "user_phone": ours,
            "caller_id": event.sender,
            "lead_phone": number,
            "direction": event.direction,
            "started_at": event.started_at or clock.now(),
            "provider_id": event.provider_id,
        },
    )
    if call is None:  # a report of the same call came in at the same moment
        call = await store.lock_call_of_provider(tx, event.provider_id)
        assert call is not None
        return call
    if lead is None:
        word = "Called" if event.direction == "inbound" else "Was called by"
        await messaging.keep_arrival(
            tx, channel="call", provider_id=event.provider_id, sender=number, recipient=ours, body=f"{word} {ours}."
        )
    return call


def _news(call: Call, event: InboundCall) -> dict[str, Any]:
    status = event.status or call.status
    started_at = event.started_at or call.started_at
    known = {
        "status": status,
        "started_at": started_at,
        "duration_seconds": event.duration_seconds,
        "ended_at": _ended_at(started_at, event.duration_seconds),
        "outcome": call.outcome or rules.outcome_of(status),
        "price": event.price,
        "is_machine_answered": event.is_machine_answered,
    }
    return {name: value for name, value in known.items() if value is not None and value != getattr(call, name)}


async def place_call(tx: Transaction, actor: Actor, arrival: Arrival, lead: Lead, *, region: str) -> None:
    """Give a call in the tray to a lead. Writes: arrival, call, timeline_entry, lead (contacted)."""
    call = await store.lock_call_of_provider(tx, arrival.provider_id)
    if not await messaging.place_arrival(tx, arrival.id, lead.id, call and call.id) or call is None:
        return
    call = await store.update_call(tx, call.id, {"lead_id": lead.id})
    kind = kinds.CALL_MADE if call.direction == "outbound" else kinds.CALL_RECEIVED
    await _tell(tx, actor, call, lead, kind, region=region)


async def receive_recording(database: Database, event: InboundRecording) -> None:
    """Take in that a call was recorded, and let a job fetch it. Of an unknown call, the tray keeps the address.

    Writes: call, job; or arrival. Raises: Unavailable when there is no team yet.
    """
    found = await queries.team_of_call(database, event.call_provider_id)
    if found is None:
        home = await team.team_of_number(database, "")
        if home is None:
            raise Unavailable("There is no team yet.")
        async with database.transaction(home[0]) as tx:
            await messaging.keep_arrival(
                tx,
                channel="call",
                provider_id=event.provider_id,
                sender=event.call_provider_id,
                recipient="",
                body=f"A recording of a call that is not known: {event.url}",
            )
        return
    team_id, call_id = found
    async with database.transaction(team_id) as tx:
        call = await store.lock_call(tx, call_id)
        if call is None or call.recording_url == event.url:
            return
        await store.update_call(tx, call_id, {"recording_url": event.url})
        await enqueue(tx, FETCH_RECORDING, call_id=call_id)


async def set_recording(
    tx: Transaction, call_id: int, key: str, content_type: str, *, is_transcribed: bool
) -> Call | None:
    """Note that a call's recording is in the blob store, and with `is_transcribed` have it transcribed.

    None when there is no such call. Writes: call, timeline_entry, job.
    """
    call = await store.lock_call(tx, call_id)
    if call is None:
        return None
    call = await store.update_call(tx, call_id, {"recording_key": key, "recording_type": content_type})
    await _note(tx, call, kinds.CALL_RECORDED)
    if is_transcribed and call.transcript is None:
        await enqueue(tx, TRANSCRIBE_CALL, call_id=call_id)
    return call


async def _note(tx: Transaction, call: Call, kind: str) -> None:
    lead = await locked_lead(tx, call.lead_id) if call.lead_id else None
    if lead:
        entry = Entry(kind, lead.id, {"callId": call.id}, actor_id=call.user_id)
        await record(tx, None, [entry], audience=audience(lead))


async def ask_for_summary(tx: Transaction, call: Call) -> Call:
    """Have a call's transcript summarised; what is under way already is not begun again. Writes: call, job."""
    await enqueue(tx, SUMMARISE_CALL, call_id=call.id)
    return await store.update_call(tx, call.id, {"summary_state": PENDING, "summary_error": None})


async def ask_for_transcript(tx: Transaction, call: Call) -> Call:
    """Have a call's recording transcribed, and then summarised. Writes: call, job."""
    await enqueue(tx, TRANSCRIBE_CALL, call_id=call.id)
    return await store.update_call(tx, call.id, {"summary_state": PENDING, "summary_error": None})


async def set_transcript(tx: Transaction, call_id: int, transcript: str) -> None:
    """Keep what was said, and have it summarised. Writes: call, job."""
    call = await store.update_call(tx, call_id, {"transcript": transcript})
    await ask_for_summary(tx, call)


async def set_summary_state(tx: Transaction, call_id: int, state: int, error: str | None = None) -> None:
    """Note how far a summary is. Writes: call."""
    await store.update_call(tx, call_id, {"summary_state": state, "summary_error": error})


async def set_summary(tx: Transaction, call_id: int, summary: str, data: bytes) -> None:
    """Keep a summary: its text, and the contract's RecordingSummary as JSON. Writes: call, timeline_entry."""
    values = {"summary": summary, "summary_data": data, "summary_state": FINISHED, "summary_error": None}
    call = await store.update_call(tx, call_id, values)
    await _amend(tx, call)
    await _note(tx, call, kinds.CALL_SUMMARISED)


async def repoint_calls(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None = None) -> list[int]:
    """Let a lead's calls belong to another lead: all, or these. Returns the ids of those that moved.

    Writes: call.
    """
    return await store.repoint_calls(tx, from_id, to_id, ids)
