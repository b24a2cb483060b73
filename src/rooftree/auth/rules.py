"""Which redirect URI is whose, what proves a code's owner, and what a token request said. Pure."""

import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636.challenge import (
    CODE_CHALLENGE_PATTERN,
    CODE_VERIFIER_PATTERN,
    create_s256_code_challenge,
)

#: The loopback hosts whose port does not count (RFC 8252, 7.3), with what precedes and what follows the port.
_LOOPBACK: Final = re.compile(r"(?P<before>http://(?:127\.0\.0\.1|localhost|\[::1\]))(?::\d{1,5})?(?P<after>[/?].*)?")
#: A scheme of an application's own is a domain name turned around (RFC 8252, 7.1).
_OWN_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_HOST: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?")
_URI: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+=%-]+")
LONGEST_URI: Final = 2000


def redirect_complaint(uri: str) -> str | None:
    """Return why an application may not register this redirect URI; None when it may."""
    if not _URI.fullmatch(uri) or len(uri) > LONGEST_URI:
        return "must be an absolute URI without a fragment, blanks, commas or semicolons, 2000 characters at most"
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "is not a URI"
    if parts.scheme in {"http", "https"}:
        if not _HOST.fullmatch(parts.netloc):
            return "must name a host, and nobody's name or password"
        return None if parts.scheme == "https" or _LOOPBACK.fullmatch(uri) else "must be https, except on this machine"
    return (
        None if _OWN_SCHEME.fullmatch(parts.scheme) else "must be https, or a scheme of your own as com.example.app:/"
    )


def matching_redirect(registered: Sequence[str], wanted: str | None) -> str | None:
    """Return where to send the person: a registered URI, letter by letter, the port of loopback excepted.

    Without a wish the first registered one. None: nowhere. contract: auth.md 3.2
    """
    if wanted is None:
        return registered[0] if registered else None
    return wanted if wanted in registered or _without_port(wanted) in map(_without_port, registered) else None


def _without_port(uri: str) -> str | None:
    match = _LOOPBACK.fullmatch(uri)
    return (match["before"] + (match["after"] or "")) if match and _URI.fullmatch(uri) else uri


def redirect_with(uri: str, *params: tuple[str, str | None]) -> str:
    """Return a redirect URI with these parameters added; what is None is left out."""
    return str(add_params_to_uri(uri, [(name, value) for name, value in params if value is not None]))


def source_of(uri: str) -> str:
    """Return how a Content-Security-Policy names the place that a redirect URI leads to."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


def challenge_complaint(challenge: str | None, method: str | None, *, is_needed: bool) -> str | None:
    """Return why a code challenge is refused; None when it is good, or there is none and none is needed (RFC 7636)."""
    if challenge is None:
        if method is not None or is_needed:
            return "code_challenge is required."
        return None
    if method != "S256":
        return "code_challenge_method must be S256."
    return None if CODE_CHALLENGE_PATTERN.fullmatch(challenge) else "code_challenge is not one of RFC 7636."


def is_verified(challenge: str | None, verifier: str | None) -> bool:
    """Whether who asks for the tokens is who asked for the code; a verifier without a challenge is a downgrade."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    if not CODE_VERIFIER_PATTERN.fullmatch(verifier):
        return False
    return hmac.compare_digest(str(create_s256_code_challenge(verifier)), challenge)


def one_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by name; blank ones are as if absent. Raises: ValueError naming one with two values."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if value and found.setdefault(name, value) != value:
            raise ValueError(name)
    return found
