"""The call operations of the contract, and our own for dialers and recordings."""

from collections.abc import AsyncIterator
from typing import Final

from litestar import Response, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from rooftree.calls import actions, queries
from rooftree.calls.errors import LeadNotFound
from rooftree.calls.queries import CallView
from rooftree.calls.ranges import part_of
from rooftree.calls.wire import (
    CallRequest,
    EditCallRequest,
    call_history,
    call_response,
    logged_call_response,
)
from rooftree.leads.conversations import history_of, managed_conversation
from rooftree.leads.queries import has_lead, seen_lead, visible_lead
from rooftree.platform.actor import Actor
from rooftree.platform.blobs import BlobLinkInvalid, BlobLinks, BlobMissing, BlobStore
from rooftree.platform.database import Transaction
from rooftree.platform.errors import BodyTooLarge, InvalidParameter, ResourceNotExist
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Identity, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.platform.pages import metadata
from rooftree.platform.settings import Settings
from rooftree.timeline.errors import CommunicationDenied
from rooftree.timeline.queries import find_entry
from rooftree.timeline.window import FURTHEST, HIGHEST_LIMIT

_AUDIO: Final = "audio/"


def _settings(request: AnyRequest) -> Settings:
    return request.app.state.settings


def _links(request: AnyRequest) -> BlobLinks:
    return request.app.state.blob_links


def _url(request: AnyRequest, view: CallView) -> str | None:
    """Return a link to the recording, good for an hour; None when there is none."""
    if view.call is None or view.call.recording_key is None:
        return None
    return _links(request).link(view.call.recording_key, view.call.recording_type or "audio/mpeg")


@get("/v1.0/communication/call")
async def list_call_history(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the calls of a lead, made and logged, oldest first. contract: GET /v1.0/communication/call"""
    found = await queries.with_calls(tx, await history_of(tx, actor, Query(request), "call"))
    return answer({"calls": [call_response(view) for view in found]})


@get("/v1.0/communication/call/v2")
async def list_call_history_v2(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the same with recording, transcript and summary. contract: GET /v1.0/communication/call/v2, S1-24"""
    found = await queries.with_calls(tx, await history_of(tx, actor, Query(request), "call"))
    return answer({"calls": [call_history(view, _url(request, view)) for view in found]})


@get("/v2.0/communication/call/{communicationId:str}")
async def get_communication(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return one call by its timeline id. contract: GET /v2.0/communication/call/{communicationId}"""
    entry = await managed_conversation(tx, actor, Query(request).path_id("communicationId"), "call")
    (view,) = await queries.with_calls(tx, [entry])
    return answer(logged_call_response(view))


@get("/v1.0/calls")
async def list_calls(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the calls of a lead, newest first. contract: GET /v1.0/calls"""
    query = Query(request)
    limit, offset = query.integer("limit", 10), query.integer("offset", 0)
    limit = limit if limit is not None and 1 <= limit <= HIGHEST_LIMIT else 10
    offset = min(max(offset or 0, 0), FURTHEST)
    lead_id = query.integer("leadId")
    if lead_id is None or lead_id < 1 or not await has_lead(tx, lead_id):
        raise LeadNotFound
    lead = await seen_lead(tx, actor, lead_id, otherwise=CommunicationDenied, is_managing=True)
    found, total = await queries.calls_of(tx, lead.id, limit=limit, offset=offset)
    return answer({**metadata("calls", limit, offset, total), "calls": [call_response(view) for view in found]})


async def _named_call(request: AnyRequest, tx: Transaction, actor: Actor) -> CallView:
    """Return the call in the path. Raises: CommunicationDenied (20017), LeadNotFound (20006) when its lead is gone.

    That a lead lies in the trash is told to those only who managed it.
    """
    entry = await find_entry(tx, Query(request).path_id("callId"), channel="call")
    if entry is None:
        raise CommunicationDenied
    lead_id = entry.lead_id
    found = await visible_lead(tx, actor, lead_id, otherwise=CommunicationDenied, with_trash=True, is_managing=True)
    if found.lead.trashed_at:
        raise LeadNotFound
    (view,) = await queries.with_calls(tx, [entry])
    return view


@get("/v1.0/calls/{callId:str}")
async def get_call(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return one call. contract: GET /v1.0/calls/{callId}"""
    return answer({"calls": call_response(await _named_call(request, tx, actor))})


@get("/v1.0/call/url/{callId:str}")
async def get_call_url(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return where a recording is to be had for an hour. contract: GET /v1.0/call/url/{callId}"""
    view = await _named_call(request, tx, actor)
    return answer({"calls": {"id": view.entry.id, "url": _url(request, view) or ""}})


@post("/rooftree/v1/calls", status_code=200)
async def add_call(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Store a call of a dialer. Ours."""
    body = await body_of(request, CallRequest)
    lead = await seen_lead(tx, actor, body.lead_id, is_managing=True, is_held=True)
    call = await actions.add_call(tx, actor, lead, body, region=_settings(request).phone_region)
    return answer({"callId": call.id})


@put("/rooftree/v1/calls/{callId:str}")
async def update_call(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Say more of a call: outcome, note, rating, transcript. Ours."""
    body = await body_of(request, EditCallRequest)
    view = await _named_call(request, tx, actor)
    if await actions.edit_call(tx, view.entry.id, body) is None:
        raise ResourceNotExist("This call was logged by hand: it holds nothing but its log.")
    return answer({"callId": view.entry.id})


@put("/rooftree/v1/calls/{callId:str}/recording", request_max_body_size=None)
async def upload_recording(request: AnyRequest, identity: Identity) -> Response[bytes]:
    """Store the recording of a call: the audio itself, with its Content-Type. Ours.

    No transaction is open while it comes in.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not content_type.startswith(_AUDIO):
        raise InvalidParameter("Content-Type: must be that of the audio, such as audio/mpeg.")
    database = request.app.state.database
    async with database.reading(identity.team_id) as tx:
        view = await _named_call(request, tx, identity)
    if view.call is None:
        raise ResourceNotExist("This call was logged by hand: it holds nothing but its log.")
    blobs: BlobStore = request.app.state.blobs
    key = f"{identity.team_id}/recordings/{view.entry.id}"
    await blobs.put(key, _limited(request, _settings(request).recording_limit_bytes), content_type)
    async with database.transaction(identity.team_id) as tx:
        is_transcribed = bool(_settings(request).ai_url and _settings(request).ai_transcription_model)
        await actions.set_recording(tx, view.entry.id, key, content_type, is_transcribed=is_transcribed)
    return answer({"callId": view.entry.id})


async def _limited(request: AnyRequest, limit: int) -> AsyncIterator[bytes]:
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > limit:
            raise BodyTooLarge(f"A recording may have {limit} bytes at most.")
        if chunk:
            yield chunk
    if length == 0:
        raise InvalidParameter("Request body: holds no audio.")


@get("/rooftree/v1/blobs/{token:str}")
async def get_blob(request: AnyRequest) -> Stream:
    """Hand out a recording to whoever holds its link, while it is good. Players may ask for a part (Range)."""
    blobs: BlobStore = request.app.state.blobs
    try:
        key, content_type = _links(request).open(Query(request).path_text("token"))
        wish = request.headers.get("range", "")
        part = part_of(wish, await blobs.size(key)) if wish else None
        blob = await blobs.get(key, part)
    except (BlobLinkInvalid, BlobMissing):
        raise ResourceNotExist("This link is over, or was never ours; ask for a new one.") from None
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(blob.end - blob.start),
        "Cache-Control": "private, no-store",
        # A recording is played, never shown: what was uploaded must not run as a page of this server.
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    if part:
        headers["Content-Range"] = f"bytes {blob.start}-{blob.end - 1}/{blob.size}"
    return Stream(blob.chunks, status_code=206 if part else 200, media_type=content_type, headers=headers)


ROUTES: Final[list[HTTPRouteHandler]] = [
    list_call_history,
    list_call_history_v2,
    get_communication,
    list_calls,
    get_call,
    get_call_url,
    add_call,
    update_call,
    upload_recording,
    get_blob,
]
