"""One POST: signed, guarded, with little patience."""

import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct
from standardwebhooks import Webhook as Signer

from rooftree.platform import clock
from rooftree.webhooks.guard import Guard, GuardedResolver, NotAllowedError

#: No more of an answer is read, and no more of it kept.
READ_BYTES: Final = 65_536
KEPT_BYTES: Final = 1024
CONNECT_SECONDS: Final = 5.0
_USER_AGENT: Final = f"Rooftree-Webhooks/{version('rooftree')}"


class Result(Struct, frozen=True):
    """How a POST went. `error` None: it was answered with 2xx."""

    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    answer: str = ""
    retry_after: str | None = None


class Sender:
    """Posts to receivers; connections are kept open, redirects are not followed, nothing of the environment is used."""

    def __init__(self, guard: Guard, timeout_seconds: float, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: whom to believe; None: the system's roots."""
        self._guard = guard
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds))
        self._tls = tls or ssl.create_default_context()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        for is_secure in (True, False):
            connector = aiohttp.TCPConnector(
                resolver=GuardedResolver(self._guard, is_secure=is_secure),
                use_dns_cache=False,
                ssl=self._tls,
                limit=0,
                limit_per_host=16,
            )
            self._sessions[is_secure] = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    async def post(self, url: str, message_id: str, body: bytes, secrets: Sequence[str]) -> Result:
        """Post a body, signed with each of the secrets. Never raises for what the receiver or the network does."""
        started_at, begun = clock.now(), time.perf_counter()
        status, error, answer, retry_after = None, None, b"", None
        try:
            self._guard.check_before_sending(url)
            session = self._sessions[urlsplit(url).scheme == "https"]
            headers = headers_of(message_id, body, secrets, started_at)
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                status, retry_after = response.status, response.headers.get("Retry-After")
                answer = await _beginning(response)
            if not 200 <= status < 300:
                error = f"answered {status}"
        except NotAllowedError as refusal:
            error = str(refusal)
        except TimeoutError:
            error = "timeout"
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            error = _why(failure)
        duration_ms = round((time.perf_counter() - begun) * 1000)
        text = answer[:KEPT_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
        return Result(started_at, duration_ms, status, error, text, retry_after)


def headers_of(message_id: str, body: bytes, secrets: Sequence[str], moment: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with a signature for each secret. contract: webhooks.md 6.1"""
    whole_second = moment.astimezone(UTC).replace(microsecond=0)
    signatures = [Signer(secret).sign(message_id, whole_second, body.decode()) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": _USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(whole_second.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Read what may be read; a receiver that has more to say loses its connection."""
    found = bytearray()
    while len(found) < READ_BYTES and (chunk := await response.content.read(READ_BYTES - len(found))):
        found += chunk
    if not response.content.at_eof():
        response.close()
    return bytes(found)


def _why(failure: Exception) -> str:
    """Return a failure in a few words."""
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, NotAllowedError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(failure, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError | ssl.SSLError):
        return "TLS: the certificate or the handshake was refused"
    if isinstance(failure, aiohttp.ClientConnectorError):
        cause = failure.os_error
        return f"cannot connect: {cause.strerror or cause or type(cause).__name__}"[:200]
    return f"{type(failure).__name__}: {failure}"[:200]
