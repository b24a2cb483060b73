"""On every answer a request id, the caller's rate limit and security headers; log lines; the figures of /metrics."""

import re
import secrets
import time
from typing import Any, Final

import structlog
from litestar import Litestar
from litestar.types import Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from rooftree.platform.http import idempotency
from rooftree.platform.http.rate_limit import Limits
from rooftree.platform.http.security_headers import SecurityHeaders

_CLIENT_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_log: Final = structlog.get_logger("rooftree.http")

REQUESTS: Final = Counter("rooftree_http_requests_total", "Answers by method and status.", ["method", "status"])
SECONDS: Final = Histogram("rooftree_http_request_seconds", "From request to first byte of the answer.", ["method"])


class RequestIds:
    """Wraps the whole application, so that 404s and accidents carry an id too.

    A client's own `X-Request-Id` of 1-64 characters [A-Za-z0-9._-] is kept. contract: errors.md 1
    """

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self.state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope["headers"])
        scope["request_id"] = request_id  # type: ignore[typeddict-unknown-key]
        structlog.contextvars.bind_contextvars(request_id=request_id)
        idempotency.watch(scope)
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                limits: Limits = self.state.limits
                security: SecurityHeaders = self.state.security_headers
                present = list(message.get("headers", []))
                message["headers"] = [
                    *present,
                    *security.missing(present),
                    (b"x-request-id", request_id.encode()),
                    *limits.headers(scope, message["status"]),
                ]
                _observe(scope, message["status"], time.perf_counter() - started)
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


def _request_id(headers: Any) -> str:
    for name, value in headers:
        if name == b"x-request-id" and _CLIENT_ID.fullmatch(value):
            return value.decode()
    return secrets.token_hex(8)


def _observe(scope: Any, status: int, seconds: float) -> None:
    method = scope["method"]
    REQUESTS.labels(method, status).inc()
    SECONDS.labels(method).observe(seconds)
    _log.debug("answered", method=method, path=scope["path"], status=status, milliseconds=round(seconds * 1000, 1))
