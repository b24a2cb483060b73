"""Headers that every answer has unless it says otherwise: nothing is kept, framed, guessed at or embedded."""

from collections.abc import Iterable
from typing import Final

Header = tuple[bytes, bytes]

_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_NOT_KEPT: Final[Header] = (b"cache-control", b"no-store")
#: Of what has a version: it may be kept by who asked, and is asked for again each time.
_ASKED_AGAIN: Final[Header] = (b"cache-control", b"private, no-cache")
#: A year, of this host alone: who runs it may have others below the same name.
_ALWAYS_TLS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """Knows what to add. `is_tls`: the world reaches this server by https alone."""

    def __init__(self, *, is_tls: bool) -> None:
        self._always: tuple[Header, ...] = (*_ALWAYS, _ALWAYS_TLS) if is_tls else _ALWAYS

    def missing(self, present: Iterable[Header]) -> list[Header]:
        """Return the headers that an answer with these lacks."""
        names = {name for name, _ in present}
        found = [header for header in self._always if header[0] not in names]
        if b"cache-control" not in names:
            found.append(_ASKED_AGAIN if b"etag" in names else _NOT_KEPT)
        return found
