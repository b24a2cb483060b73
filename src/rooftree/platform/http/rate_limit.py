"""How many requests a minute, and the X-RateLimit headers of every answer. contract: auth.md 5.

Limits are off unless `ROOFTREE_RATE_LIMITS` says otherwise; then nothing is counted, and the headers show a number that
nobody reaches. Requests are counted by `count_request()`, in the statement that finds who asks.
"""

from collections.abc import Mapping
from typing import Any, Final

from litestar.types import Scope
from msgspec import Struct

from rooftree.platform import clock
from rooftree.platform.errors import TooManyRequests
from rooftree.platform.http.auth import RefusedCredentials

#: What is shown where nothing is limited.
UNLIMITED: Final = 1_000_000
#: Requests a minute: of a key without an application, and of an application by its mode.
PER_KEY: Final = 10
PER_MODE: Final = {"development": 100, "production": 500}

_WINDOW_SECONDS: Final = 60
_STANDING: Final = "rooftree_standing"

Header = tuple[bytes, bytes]


class Standing(Struct, frozen=True):
    """How somebody stands in the running minute."""

    limit: int
    used: int
    ends_at: int  #: seconds since 1970


def limit_of(record: Mapping[str, Any]) -> int:
    """Return how many requests a minute a credential has, by the row of `authenticate()`."""
    return record.get("app_limit") or PER_MODE.get(record.get("app_mode") or "", PER_KEY)


def show(scope: Scope, record: Mapping[str, Any] | None) -> None:
    """Let the answer say how the caller stands, if their request was counted."""
    if record is not None and record.get("used") is not None:
        scope[_STANDING] = Standing(limit_of(record), record["used"], record["ends_at"])  # type: ignore[literal-required]


def admit(scope: Scope) -> None:
    """Let the caller in. Raises: TooManyRequests (429) when they have used up this minute."""
    standing = _standing(scope)
    if standing and standing.used > standing.limit:
        raise TooManyRequests


class Limits:
    """The headers of each answer. `is_on`: requests are counted; refused credentials are in any case."""

    def __init__(self, refused: RefusedCredentials, *, is_on: bool) -> None:
        self.is_on = is_on
        self._refused = refused

    def headers(self, scope: Scope, status: int) -> list[Header]:
        """Return the headers of an answer: of the credential that asked, else of the address it came from."""
        now = int(clock.now().timestamp())
        standing = _standing(scope) or self._of_nobody(scope, status, now)
        found = [
            (b"x-ratelimit-limit", b"%d" % standing.limit),
            (b"x-ratelimit-remaining", b"%d" % max(0, standing.limit - standing.used)),
            (b"x-ratelimit-reset", b"%d" % standing.ends_at),
        ]
        if status == TooManyRequests.status:
            found.append((b"retry-after", b"%d" % min(max(1, standing.ends_at - now), _WINDOW_SECONDS)))
        return found

    def _of_nobody(self, scope: Scope, status: int, now: int) -> Standing:
        ends_at = (now // _WINDOW_SECONDS + 1) * _WINDOW_SECONDS
        if self.is_on or status in {401, TooManyRequests.status}:
            client = scope.get("client")
            return Standing(self._refused.limit, self._refused.count(client[0] if client else ""), ends_at)
        return Standing(UNLIMITED, 0, ends_at)


def _standing(scope: Scope) -> Standing | None:
    return scope.get(_STANDING)  # type: ignore[return-value]
