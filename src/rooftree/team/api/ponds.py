"""The pond operations: the contract reads, ours write."""

from typing import Final

from litestar import Response, get, post, put
from litestar.handlers import HTTPRouteHandler

from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.team import ponds, queries
from rooftree.team.errors import OrganisationDenied
from rooftree.team.wire import PondRequest, own_pond_response, pond_response


@get("/v1.0/team-features/lead-ponds")
async def list_lead_ponds(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the ponds that the caller may see. contract: GET /v1.0/team-features/lead-ponds"""
    return answer([pond_response(pond) for pond in await queries.visible_ponds(tx, actor)])


@get("/v1.0/team-features/lead-pond/{id:str}")
async def find_pond_by_id(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return a pond; one that cannot be seen is answered as one that is not there.

    contract: GET /v1.0/team-features/lead-pond/{id}
    """
    pond_id = Query(request).path_id("id")
    for pond in await queries.visible_ponds(tx, actor):
        if pond.id == pond_id:
            return answer(pond_response(pond))
    raise OrganisationDenied


@post("/rooftree/v1/ponds", status_code=200)
async def add_pond(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Add a pond."""
    return answer(own_pond_response(await ponds.add_pond(tx, actor, await body_of(request, PondRequest))))


@put("/rooftree/v1/ponds/{id:str}")
async def update_pond(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change a pond, or switch it off."""
    body = await body_of(request, PondRequest)
    return answer(own_pond_response(await ponds.edit_pond(tx, actor, Query(request).path_id("id"), body)))


ROUTES: Final[list[HTTPRouteHandler]] = [list_lead_ponds, find_pond_by_id, add_pond, update_pond]
