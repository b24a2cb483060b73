"""The other server: polite, patient, and never believed when an answer is cut short."""

import asyncio
import random
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any, Final, Self

import aiohttp
import msgspec

_USER_AGENT: Final = f"Rooftree-Import/{version('rooftree')}"
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
#: A request is tried this often: about two minutes of an unreachable server.
ATTEMPTS: Final = 10
_LONGEST_PAUSE_SECONDS: Final = 30.0
#: Nobody is made to wait longer by a header.
_LONGEST_HOLD_SECONDS: Final = 300.0
#: 429 is no failure, but one that never ends is.
_MOST_HOLDS: Final = 100
_TRANSIENT: Final = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_USER_GONE: Final = 200058
_LEAD_NOT_EXIST: Final = 20006
#: 400 with these says that the operation is not for this key.
_DENIED: Final = frozenset({20017, 200100, 900002})


class SourceError(Exception):
    """The source cannot be read; the message says why and what to do."""


class Refused(Exception):
    """An answer that refuses. `is_offered`: whether other things of the kind may yet be had."""

    def __init__(self, status: int, code: int | None, message: str) -> None:
        super().__init__(f"the source answers {status}: {message}")
        self.status = status
        self.code = code

    @property
    def is_offered(self) -> bool:
        """Whether it was about this thing only."""
        if self.status in {403, 405, 501}:
            return False
        return self.code == _LEAD_NOT_EXIST if self.status == 404 else self.code not in _DENIED


class Source:
    """Reads from a server that speaks the contract. The key lives here, and nowhere else."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        concurrency: int = 4,
        requests_per_minute: int | None = None,
        timeout_seconds: float = 60,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"token {api_key}", "User-Agent": _USER_AGENT, "Accept": "application/json"}
        self._free = asyncio.Semaphore(concurrency)
        self._interval = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0  # when the next request may leave, by the monotonic clock
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=min(10, timeout_seconds))
        self._session: aiohttp.ClientSession | None = None
        self.requests = 0
        self.retries = 0
        self.waited_seconds = 0.0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout, headers=self._headers, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """Return the JSON of an answer, decoded. Raises: Refused, SourceError."""
        return msgspec.json.decode(await self.get_bytes(path, query))

    async def get_bytes(self, path: str, query: Mapping[str, str | int] | None = None) -> bytes:
        """Return the JSON of an answer, whole. Raises: Refused, SourceError."""
        failures = holds = 0
        async with self._free:
            while True:
                await self._turn()
                try:
                    return await self._ask(path, query)
                except _HoldOn as hold:
                    holds += 1
                    self._hold(hold.seconds or min(2.0**holds, _LONGEST_PAUSE_SECONDS))
                    problem = "it answers 429 again and again"
                except (aiohttp.ClientError, TimeoutError, _AgainError) as error:
                    failures += 1
                    problem = str(error) or type(error).__name__
                    if failures < ATTEMPTS:
                        await asyncio.sleep(_pause(failures))
                if failures >= ATTEMPTS or holds >= _MOST_HOLDS:
                    raise SourceError(
                        f"The source does not answer {path}: {problem}. Run the command again to go on from here."
                    )
                self.retries += 1

    async def _ask(self, path: str, query: Mapping[str, str | int] | None) -> bytes:
        assert self._session
        self.requests += 1
        async with self._session.get(self.base_url + path, params=query, allow_redirects=False) as answer:
            body = await answer.read()
            self._heed(answer)
            if answer.status == 200:
                return _whole(body)
            _refuse(answer.status, body, answer.headers.get("Retry-After"))
            raise AssertionError

    async def _turn(self) -> None:
        """Wait until a request may leave: evenly, when there is a limit, and after every hold."""
        now = time.monotonic()
        leaves_at = max(self._next, now)
        self._next = leaves_at + self._interval
        if leaves_at > now:
            self.waited_seconds += leaves_at - now
            await asyncio.sleep(leaves_at - now)

    def _hold(self, seconds: float) -> None:
        self._next = max(self._next, time.monotonic() + min(max(seconds, 0.0), _LONGEST_HOLD_SECONDS))

    def _heed(self, answer: aiohttp.ClientResponse) -> None:
        """Stop before the limit, when the source says that nothing is left of this window."""
        remaining, reset = (answer.headers.get(f"X-RateLimit-{name}", "") for name in ("Remaining", "Reset"))
        if remaining.strip() == "0" and (seconds := seconds_until(reset, time.time())) is not None:
            self._hold(seconds)


class _HoldOn(Exception):
    """429, and how long to wait, if it says so."""

    def __init__(self, seconds: float | None) -> None:
        super().__init__()
        self.seconds = seconds


class _AgainError(Exception):
    """An answer that another attempt may better."""


def _pause(failures: int) -> float:
    longest = min(0.25 * 2**failures, _LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - it keeps clients apart, not secrets


def _whole(body: bytes) -> bytes:
    """Return an answer without U+0000, which PostgreSQL cannot store, if it is JSON to its end."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError:
        raise _AgainError("an answer was no JSON, or cut short") from None
    return _NUL.sub(rb"\1", body)


def _refuse(status: int, body: bytes, retry_after: str | None) -> None:
    """Raise what a status other than 200 means."""
    code, message = _said(body)
    if status == 429:
        raise _HoldOn(seconds_of(retry_after))
    if status in _TRANSIENT:
        raise _AgainError(f"it answers {status}")
    if status == 401 or code == _USER_GONE:
        raise SourceError(
            f"The source refuses the key ({status}): {message}. Make a new one there, and run this again."
        )
    if 300 <= status < 400:
        raise SourceError(f"The source redirects ({status}): name the address that it redirects to with --base-url.")
    raise Refused(status, code, message)


def _said(body: bytes) -> tuple[int | None, str]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        found = None
    if not isinstance(found, dict):
        return None, str(found or "no reason given")[:200]
    code = found.get("code")
    return code if isinstance(code, int) else None, str(found.get("message") or found.get("error") or "")[:200]


def seconds_of(retry_after: str | None) -> float | None:
    """Return how long `Retry-After` says to wait: seconds, or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max((parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None


def seconds_until(reset: str, now: float) -> float | None:
    """Return how long a window lasts: `reset` is its end in epoch seconds, or, small, what is left in milliseconds."""
    if not reset.strip().isdigit():
        return None
    value = float(reset)
    return max(value - now, 0.0) if value > 1_000_000_000 else value / 1000
