"""The header Idempotency-Key: a write that is sent again is done once, and answered as the first time.

`app.py` takes the key when the transaction has begun and keeps the answer before it commits. In between the handler
runs, and knows nothing of it. A refusal rolls back, and so leaves the key free.
"""

import hashlib
import re
from contextvars import ContextVar
from typing import Any, Final

from litestar import MediaType, Response
from litestar.types import Scope
from litestar.utils import get_enum_string_value
from msgspec import Struct

from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import (
    IdempotencyKeyNotTaken,
    IdempotencyKeyReused,
    InvalidParameter,
    RequestStillRunning,
)
from rooftree.platform.http.reading import AnyRequest, body_limit, check_size
from rooftree.platform.kept_answers import Busy, KeptAnswer, keep_answer, take_key

HEADER: Final = "Idempotency-Key"
#: On an answer that was given before.
REPLAYED: Final = {"Idempotent-Replayed": "true"}

_RAW_HEADER: Final = HEADER.lower().encode()
_KEY: Final = re.compile(rb"[!-~]{1,255}")
_ANSWER: Final = "rooftree_answer"

#: The request that this task serves. The framework does not tell `after_request` whose answer it hands over.
_serving: ContextVar[Scope | None] = ContextVar("rooftree_serving", default=None)


class Replay(Exception):
    """The request was answered before, like this."""

    def __init__(self, answer: KeptAnswer) -> None:
        self.answer = answer
        super().__init__()


class Claim(Struct, frozen=True):
    """A key that this request holds until its transaction ends."""

    member_id: int
    key: str
    fingerprint: bytes


def watch(scope: Scope) -> None:
    """Remember which request this task serves from now on."""
    _serving.set(scope)


def has_key(request: AnyRequest) -> bool:
    """Whether the request carries the header."""
    return any(name == _RAW_HEADER for name, _ in request.scope["headers"])


async def note_answer(response: Response[Any]) -> Response[Any]:
    """Remember what the handler answered, until `keep` asks for it. The framework's `after_request`."""
    scope = _serving.get()
    if scope is not None:
        scope[_ANSWER] = response  # type: ignore[literal-required]
    return response


async def take(request: AnyRequest, tx: Transaction, actor: Actor) -> Claim:
    """Take the request's key. The body was read before the transaction began.

    Raises: Replay when the request was answered before, IdempotencyKeyReused (422) when another request was,
    RequestStillRunning (409) when one with this key is under way, InvalidParameter (20012) for what is no key.
    """
    key = _key(request)
    body = await request.body()
    check_size(len(body), body_limit(request))
    fingerprint = _fingerprint(request, body)
    try:
        kept = await take_key(tx, actor.member_id, key)
    except Busy:
        raise RequestStillRunning from None
    if kept is None:
        return Claim(actor.member_id, key, fingerprint)
    if kept.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    raise Replay(kept)


async def keep(request: AnyRequest, tx: Transaction, claim: Claim) -> None:
    """Keep what the handler answered, if it was a success. Raises: IdempotencyKeyNotTaken for what is a secret.

    An answer that must not be stored (`Cache-Control: no-store`) shows something that is kept nowhere in clear.
    """
    response: Response[Any] = request.scope[_ANSWER]  # type: ignore[literal-required]
    if "no-store" in response.headers.get("Cache-Control", ""):
        raise IdempotencyKeyNotTaken("This answer shows a secret, which is stored nowhere: leave Idempotency-Key out.")
    status = response.status_code or 200
    if 200 <= status < 300:
        kept = KeptAnswer(claim.fingerprint, status, _content_type(response), _body(response.content))
        await keep_answer(tx, claim.member_id, claim.key, kept)


def replayed(_: AnyRequest, error: Replay) -> Response[bytes]:
    """Answer as the first time, and say so."""
    kept = error.answer
    return Response(kept.body, status_code=kept.status, media_type=kept.content_type, headers=REPLAYED)


def _key(request: AnyRequest) -> str:
    keys = {value for name, value in request.scope["headers"] if name == _RAW_HEADER}
    key = keys.pop()
    if keys or not _KEY.fullmatch(key):
        raise InvalidParameter(f"{HEADER}: must be one text of 1 to 255 visible ASCII characters, without blanks.")
    return key.decode("ascii")


def _content_type(response: Response[Any]) -> str:
    return get_enum_string_value(response.media_type or MediaType.JSON)


def _body(content: bytes | str) -> bytes:
    """Return the bytes of an answer; one of another kind fails here, before anything is committed."""
    return content.encode() if isinstance(content, str) else bytes(memoryview(content))


def _fingerprint(request: AnyRequest, body: bytes) -> bytes:
    path = request.scope["path"].rstrip("/").encode() + b"?" + request.scope["query_string"]
    parts = (request.method.encode(), path, body)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
