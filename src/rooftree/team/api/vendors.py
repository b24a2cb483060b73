"""The vendor operations: the contract reads, ours write."""

from typing import Final

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.team import queries, vendors
from rooftree.team.wire import VendorRequest, vendor_response


@get("/v1.0/vendor/list")
async def get_vendor_info(tx: Tx) -> Response[bytes]:
    """Return the people the team works with; everybody may know them. contract: GET /v1.0/vendor/list"""
    return answer([vendor_response(vendor) for vendor in await queries.vendors(tx)])


@post("/rooftree/v1/vendors", status_code=200)
async def add_vendor(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Add somebody the team works with."""
    return answer(vendor_response(await vendors.add_vendor(tx, actor, await body_of(request, VendorRequest))))


@delete("/rooftree/v1/vendors/{id:str}", status_code=200)
async def delete_vendor(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Forget a vendor."""
    await vendors.delete_vendor(tx, actor, Query(request).path_id("id"))
    return answer()


ROUTES: Final[list[HTTPRouteHandler]] = [get_vendor_info, add_vendor, delete_vendor]
