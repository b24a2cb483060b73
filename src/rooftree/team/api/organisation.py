"""The operations of the contract on the company and its offices. PUT adds an office, POST changes one."""

from typing import Any, Final

from litestar import Response, get, post, put
from litestar.handlers import HTTPRouteHandler

from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, body_of
from rooftree.team import organisation, queries
from rooftree.team.errors import UserNotExist
from rooftree.team.wire import CompanyRequest, OfficeRequest, organisation_response


@get("/v1.0/org")
async def get_org_info(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return where the caller stands, and the offices that they manage. contract: GET /v1.0/org"""
    member = await queries.find_member(tx, actor.member_id)
    if member is None:
        raise UserNotExist
    offices, team = await queries.offices(tx), await queries.find_team(tx)
    profile = await queries.profile_of(tx, member)
    visible = organisation.managed_offices(actor, offices)
    return answer(organisation_response(team.name, offices.get(member.office_id or 0), profile, visible))


@put("/v1.0/org/office")
async def add_office(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Add an office. contract: PUT /v1.0/org/office"""
    office = await organisation.add_office(tx, actor, await body_of(request, OfficeRequest))
    return _done({"id": office.id})


@post("/v1.0/org/office", status_code=200)
async def update_office(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change an office, or put it elsewhere. contract: POST /v1.0/org/office"""
    office = await organisation.edit_office(tx, actor, await body_of(request, OfficeRequest))
    return _done({"id": office.id})


@post("/v1.0/org/company", status_code=200)
async def update_company(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change the company's record. contract: POST /v1.0/org/company"""
    await organisation.edit_company(tx, actor, await body_of(request, CompanyRequest))
    return _done({"id": actor.team_id})


def _done(data: dict[str, Any]) -> Response[bytes]:
    return answer({"code": 0, "message": "success", "data": data})


ROUTES: Final[list[HTTPRouteHandler]] = [get_org_info, add_office, update_office, update_company]
