"""The one place that turns refusals and accidents into the contract's error body. contract: errors.md 1."""

import re
from typing import Final

import asyncpg
import msgspec
import structlog
from litestar import Response
from litestar.exceptions import HTTPException, InternalServerException
from litestar.routes import HTTPRoute
from litestar.types import ExceptionHandlersMap

from rooftree.platform.database import DATABASE_AWAY
from rooftree.platform.errors import (
    ApiError,
    BodyTooLarge,
    InternalError,
    InvalidParameter,
    MethodNotAllowed,
    NotFound,
    Unavailable,
)
from rooftree.platform.http.conditional import ChangedMeanwhile
from rooftree.platform.http.idempotency import Replay, replayed
from rooftree.platform.http.reading import AnyRequest

_log: Final = structlog.get_logger("rooftree.http")
_BY_STATUS: Final[dict[int, type[ApiError]]] = {404: NotFound, 405: MethodNotAllowed, 413: BodyTooLarge}
_AWAY: Final = (*DATABASE_AWAY, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


def envelope(error: ApiError, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Return the five keys that every refusal has."""
    body = {
        "code": error.code,
        "message": error.message,
        "errorCode": error.code,
        "errorMsg": error.message,
        "name": error.name,
    }
    return Response(
        msgspec.json.encode(body),
        status_code=error.status,
        media_type="application/json",
        headers={**error.headers, **(headers or {})},
    )


def _refused(_: AnyRequest, error: ApiError) -> Response[bytes]:
    return envelope(error, {"ETag": error.present.text} if isinstance(error, ChangedMeanwhile) else None)


def _framework(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Give the framework's own refusals (path, method, size, malformed request) the contract's body."""
    kind = _BY_STATUS.get(error.status_code, InvalidParameter)
    if error.status_code >= 500:
        return _unforeseen(request, error)
    return envelope(kind(), {"Allow": _allowed_methods(request)} if kind is MethodNotAllowed else None)


def _allowed_methods(request: AnyRequest) -> str:
    """Return the methods of the path that was asked for; a literal path counts before one with parameters."""
    path = request.scope["path"].rstrip("/")
    matching = [
        route
        for route in request.app.routes
        if isinstance(route, HTTPRoute)
        and re.fullmatch(re.sub(r"\{[^/]+\}", "[^/]+", route.path_format.replace(".", r"\.")), path)
    ]
    best = min(matching, key=lambda route: len(route.path_parameters), default=None)
    return ", ".join(sorted(str(method) for method in best.methods)) if best else ""


def _unforeseen(request: AnyRequest, error: Exception) -> Response[bytes]:
    request_id = request.scope.get("request_id", "")
    if isinstance(error, InternalServerException) and "disconnected" in error.detail:
        return envelope(Unavailable())  # nobody reads it: the client left before its request was whole
    if isinstance(error, _AWAY):
        _log.error("database away", error=repr(error))
        return envelope(Unavailable())
    _log.error("internal error", method=request.method, path=request.url.path, exc_info=error)
    return envelope(InternalError(f"Internal server error. Request {request_id}."))


EXCEPTION_HANDLERS: Final[ExceptionHandlersMap] = {
    ApiError: _refused,
    Replay: replayed,
    HTTPException: _framework,
    Exception: _unforeseen,
}
