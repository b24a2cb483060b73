"""The manual log operations of the contract."""

from typing import Final

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from rooftree.leads.queries import seen_lead
from rooftree.manual_logs import actions
from rooftree.manual_logs.errors import OffsetExceedLimit
from rooftree.manual_logs.wire import CHANNELS, LogTypeRequest, log_response
from rooftree.platform.errors import InvalidParameter, ResourceNotExist
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.timeline import queries
from rooftree.timeline.window import history_window, lead_id_of

_DEEPEST: Final = 20_000


@post("/v1.0/logType", status_code=200)
async def add_log(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Write down a conversation that took place elsewhere. contract: seed 000"""
    body = await body_of(request, LogTypeRequest)
    region: str = request.app.state.settings.phone_region
    return answer({"logType": log_response(await actions.add_log(tx, actor, body, region=region))})


@get("/v1.0/logType")
async def list_logs(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the manual logs of one lead and one channel. contract: GET /v1.0/logType"""
    query = Query(request)
    lead_id = lead_id_of(query)
    channel = CHANNELS.get(query.text("logType"))
    if channel is None:
        raise InvalidParameter(f"logType: must be one of {', '.join(CHANNELS)}.")
    sort, order = query.text("sort") or "createTime", query.text("order") or "asc"
    if sort not in {"createTime", "id"} or order not in {"asc", "desc"}:
        raise InvalidParameter("sort: must be createTime or id; order: must be asc or desc.")
    window = history_window(query)
    if window.after_id is None and window.offset + window.limit > _DEEPEST:
        raise OffsetExceedLimit
    lead = await seen_lead(tx, actor, lead_id)
    found = await queries.logs(tx, lead.id, channel, window, by_id=sort == "id", is_descending=order == "desc")
    return answer({"logType": [log_response(entry) for entry in found]})


@get("/v1.0/logType/{logTypeId:str}")
async def get_log(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return one manual log. contract: GET /v1.0/logType/{logTypeId}"""
    entry = await queries.find_entry(tx, Query(request).path_id("logTypeId"), origin="logged")
    if entry is None:
        raise ResourceNotExist
    await seen_lead(tx, actor, entry.lead_id, otherwise=ResourceNotExist)
    return answer({"logType": log_response(entry)})


@delete("/v1.0/logType/{logTypeId:str}", status_code=200)
async def delete_log(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Delete a manual log. contract: DELETE /v1.0/logType/{logTypeId}"""
    region: str = request.app.state.settings.phone_region
    await actions.delete_log(tx, actor, Query(request).path_id("logTypeId"), region=region)
    return answer()


ROUTES: Final[list[HTTPRouteHandler]] = [add_log, list_logs, get_log, delete_log]
