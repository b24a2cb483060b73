"""The member operations of the contract that read."""

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from rooftree.leads.queries import count_assigned
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query
from rooftree.platform.pages import metadata
from rooftree.team import queries
from rooftree.team.errors import LimitParamOversize, UserNotExist
from rooftree.team.model import Member
from rooftree.team.wire import user_response

MAX_LIMIT: Final = 1000


@get("/v1.0/me")
async def get_me(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the caller. contract: GET /v1.0/me"""
    return await one_member(tx, actor, await queries.find_member(tx, actor.member_id))


@get("/v1.0/members")
async def list_members(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the members of the team, of these offices if any are named. contract: GET /v1.0/members"""
    query = Query(request)
    limit = query.integer("limit", 25) or 0
    if limit > MAX_LIMIT:
        raise LimitParamOversize
    if limit < 1:
        raise InvalidParameter("limit: must be at least 1.")
    sealer, scroll_id = request.app.state.sealer, query.text("scrollId")
    after_id = sealer.open(scroll_id, int) if scroll_id else None
    offset = 0 if scroll_id else max(query.integer("offset", 0) or 0, 0)
    office_ids = query.integers("groupIds")
    page = await queries.list_members(tx, office_ids, after_id=after_id, limit=limit + 1, offset=offset)
    members, total = page[0][:limit], page[1]
    if office_ids and not total:
        raise UserNotExist
    following = sealer.seal(members[-1].id) if len(page[0]) > limit else None
    block = metadata("members", limit, offset, total, following)
    return answer({**block, "members": await _responses(tx, actor, members)})


@get("/v1.0/members/{account:str}")
async def get_member_by_account(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return a member by login. contract: GET /v1.0/members/{account}"""
    member = await queries.member_by_email(tx, Query(request).path_text("account"))
    return await one_member(tx, actor, member if member and member.status != "invited" else None)


@get("/v1.0/users/{userId:str}")
async def get_member_by_id(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return a member by user id. contract: GET /v1.0/users/{userId}"""
    user_id = Query(request).path_id("userId")
    return await one_member(tx, actor, await queries.find_member(tx, user_id) if user_id else None)


async def one_member(tx: Transaction, actor: Actor, member: Member | None) -> Response[bytes]:
    """Answer with a member, bare. Raises: UserNotExist (20003)."""
    if member is None:
        raise UserNotExist
    return answer((await _responses(tx, actor, [member]))[0])


async def _responses(tx: Transaction, actor: Actor, members: Sequence[Member]) -> list[dict[str, Any]]:
    offices = await queries.offices(tx)
    team = await queries.find_team(tx)
    counts = await count_assigned(tx, actor, [member.id for member in members])
    return [
        user_response(member, offices.get(member.office_id or 0), team.time_zone, counts.get(member.id, (0, 0)))
        for member in members
    ]


ROUTES: Final[list[HTTPRouteHandler]] = [get_me, list_members, get_member_by_account, get_member_by_id]
