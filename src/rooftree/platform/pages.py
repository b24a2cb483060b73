"""Paging: the metadata block, and scroll cursors that nobody can forge."""

import base64
import binascii
import hmac
from typing import Any, Final, TypeVar

import msgspec

from rooftree.platform.errors import InvalidParameter

_SIGNATURE_LENGTH: Final = 16
T = TypeVar("T")


def metadata(collection: str, limit: int, offset: int, total: int, scroll_id: str | None = None) -> dict[str, Any]:
    """Return the block under both of its published names. No `scrollId` key: nothing follows.

    contract: behaviour.md, corrections 1, and 1.3
    """
    block: dict[str, Any] = {"collection": collection, "limit": limit, "offset": offset, "total": total}
    if scroll_id:
        block["scrollId"] = scroll_id
    return {"_metadata": block, "get_metadata": block}


class Sealer:
    """Signs what a client carries for us, so that it comes back as it left."""

    def __init__(self, secret: bytes, purpose: str = "scroll cursor") -> None:
        self._key = hmac.digest(secret, f"rooftree {purpose}".encode(), "sha256")

    def seal(self, content: Any) -> str:
        """Return an opaque text, safe in a URL."""
        body = msgspec.json.encode(content)
        return base64.urlsafe_b64encode(self._sign(body) + body).decode().rstrip("=")

    def open(self, text: str, kind: type[T], *, name: str = "scrollId") -> T:
        """Return what was sealed. Raises: InvalidParameter (20012), naming the parameter, when it was tampered with."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _forged(name) from None
        signature, body = raw[:_SIGNATURE_LENGTH], raw[_SIGNATURE_LENGTH:]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise _forged(name)
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError:
            raise _forged(name) from None

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_SIGNATURE_LENGTH]


def _forged(name: str) -> InvalidParameter:
    return InvalidParameter(f"{name}: is not one that this server gave out; start again without it.")
