"""The summary operations of the contract."""

from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from rooftree.ai.wire import GenerateCallSummaryRequest, call_summary_response
from rooftree.calls import actions
from rooftree.calls.model import Call
from rooftree.calls.queries import find_call
from rooftree.leads.queries import seen_lead
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import FeatureNotConfigured, InvalidParameter
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.platform.settings import Settings
from rooftree.timeline.errors import CommunicationDenied


async def _managed_call(tx: Transaction, actor: Actor, call_id: int | None) -> Call:
    """Return a call of a lead that they manage. Raises: CommunicationDenied (20017), whatever is wrong."""
    call = await find_call(tx, call_id)
    if call is None or call.lead_id is None:
        raise CommunicationDenied
    await seen_lead(tx, actor, call.lead_id, otherwise=CommunicationDenied, is_managing=True)
    return call


@post("/v2.0/ai/call-summary/generate", status_code=200)
async def generate_summary(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Have a call summarised, and first transcribed if need be. contract: POST /v2.0/ai/call-summary/generate"""
    body = await body_of(request, GenerateCallSummaryRequest)
    settings: Settings = request.app.state.settings
    call = await _managed_call(tx, actor, body.call_record_id)
    if call.lead_id != body.lead_id:
        raise InvalidParameter("leadId: is not the lead of this call.")
    if call.summary_state in {actions.PENDING, actions.PROCESSING}:
        return answer({"message": "The summary is on its way."})
    if call.transcript:
        await actions.ask_for_summary(tx, call)
    elif call.recording_key is None:
        raise InvalidParameter("callRecordId: the call has neither a recording nor a transcript.")
    elif not (settings.ai_url and settings.ai_transcription_model):
        raise FeatureNotConfigured("Nothing here turns speech into text: set ROOFTREE_AI_URL, or send a transcript.")
    else:
        await actions.ask_for_transcript(tx, call)
    return answer({"message": "The summary is on its way."})


@get("/v2.0/ai/call-summary")
async def get_summary(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return a call's summary, and how far it is. contract: GET /v2.0/ai/call-summary"""
    call_id = Query(request).integer("callRecordId")
    if call_id is None:
        raise InvalidParameter("callRecordId: is required.")
    call = await _managed_call(tx, actor, call_id)
    data: dict[str, Any] = call_summary_response(call)
    return answer({"status": {"code": 0, "msg": "success"}, "data": data})


ROUTES: Final[list[HTTPRouteHandler]] = [generate_summary, get_summary]
