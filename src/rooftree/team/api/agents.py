"""The agent operations of the contract, each with the shape of refusal that its clients read; our own beside them."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar import Response, post, put
from litestar.handlers import HTTPRouteHandler

from rooftree.auth.actions import revoke_keys_of
from rooftree.platform.errors import (
    ApiError,
    BadCredentials,
    BodyTooLarge,
    IdempotencyKeyReused,
    RequestStillRunning,
    TooManyRequests,
    UserInTokenNotExist,
)
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.errors import envelope
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.team import agents
from rooftree.team.api.members import one_member
from rooftree.team.wire import AgentProfile, AgentTagRequest, MemberRequest

_SUCCESS: Final = "success"
#: Refused before the operation begins: these keep their status everywhere.
_AT_THE_DOOR: Final = (BadCredentials, UserInTokenNotExist)
#: About the request, not about agents: these look everywhere the same.
_ABOUT_THE_REQUEST: Final = (TooManyRequests, BodyTooLarge, IdempotencyKeyReused, RequestStillRunning)

Refusal = Callable[[AnyRequest, ApiError], Response[bytes]]


def _as_result(*, nothing: int, keeps_status: bool) -> Refusal:
    """Return what puts a refusal into `{data, errorCode, errorMsg}`. contract: errors.md 1, exception 2"""

    def refused(_: AnyRequest, error: ApiError) -> Response[bytes]:
        if isinstance(error, _ABOUT_THE_REQUEST):
            return envelope(error)
        status = error.status if keeps_status or isinstance(error, _AT_THE_DOOR) else 200
        body = {"data": nothing, "errorCode": error.code, "errorMsg": error.message, "errorData": None}
        return _json(body, status, error.headers)

    return refused


def _as_common(_: AnyRequest, error: ApiError) -> Response[bytes]:
    """Put a refusal into `{code, message}` with HTTP 200. contract: errors.md 1, exception 1"""
    if isinstance(error, (*_AT_THE_DOOR, *_ABOUT_THE_REQUEST)):
        return envelope(error)
    return _json({"code": error.code, "message": error.message, "data": None}, 200, {})


def _json(body: dict[str, Any], status: int, headers: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json", headers=headers)


@post(
    "/v1.0/agent/profile/add",
    status_code=200,
    exception_handlers={ApiError: _as_result(nothing=0, keeps_status=False)},
)
async def add_agent(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Add a member. contract: POST /v1.0/agent/profile/add"""
    member = await agents.add_agent(tx, actor, await body_of(request, AgentProfile))
    return answer({"data": member.id, "errorCode": 0, "errorMsg": _SUCCESS})


@post(
    "/v1.0/agent/{agentId:str}/tag/add",
    status_code=200,
    exception_handlers={ApiError: _as_result(nothing=False, keeps_status=True)},
)
async def add_agent_tag(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Give a member tags. contract: POST /v1.0/agent/{agentId}/tag/add"""
    body = await body_of(request, AgentTagRequest)
    await agents.tag_agent(tx, actor, Query(request).path_id("agentId"), body)
    return answer({"data": True, "errorCode": 0, "errorMsg": _SUCCESS})


@post("/v2.0/agents/{agentId:str}/deactivate", status_code=200, exception_handlers={ApiError: _as_common})
async def deactivate_agent(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """End a member's access and keys. contract: POST /v2.0/agents/{agentId}/deactivate"""
    member = await agents.deactivate_agent(tx, actor, Query(request).path_id("agentId"))
    await revoke_keys_of(tx, member.id)
    return _done()


@post("/v2.0/agents/{agentId:str}/reactivate", status_code=200, exception_handlers={ApiError: _as_common})
async def reactivate_agent(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Give a member their access back. contract: POST /v2.0/agents/{agentId}/reactivate"""
    await agents.reactivate_agent(tx, actor, Query(request).path_id("agentId"))
    return _done()


@put("/rooftree/v1/members/{userId:str}")
async def update_member(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change a member's role, profile, office, names or phone number."""
    body = await body_of(request, MemberRequest)
    return await one_member(tx, actor, await agents.edit_member(tx, actor, Query(request).path_id("userId"), body))


def _done() -> Response[bytes]:
    """Say success in every way that is published: the spec's envelope, and the flag of its text."""
    return answer({"code": 0, "message": _SUCCESS, "data": {"success": True}, "success": True})


ROUTES: Final[list[HTTPRouteHandler]] = [
    add_agent,
    add_agent_tag,
    deactivate_agent,
    reactivate_agent,
    update_member,
]
