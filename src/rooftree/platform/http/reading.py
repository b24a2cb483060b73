"""Reading a request as tolerantly as real clients need, and refusing with the field's name.

contract: errors.md 2 (type leniency), behaviour.md 1.1
"""

import asyncio
import re
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from msgspec import Meta

from rooftree.platform.errors import BodyTooLarge, BodyTooSlow, InvalidParameter

AnyRequest: TypeAlias = Request[Any, Any, Any]
T = TypeVar("T")

#: So long a body of the size limit may take.
BODY_SECONDS: Final = 30.0
INT64_MAX: Final = 2**63 - 1
#: An integer that fits the column it is meant for.
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=INT64_MAX)]
#: Text that clients also send as a number: phones, zip codes, numbers of bathrooms.
LooseText = str | int | float

_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_COMPLAINT: Final = re.compile(r"(?P<what>.*?)(?: - at `\$?\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_NUMBER: Final = re.compile(r"\s*[+-]?\d{1,19}\s*", re.ASCII)


async def body_of(request: AnyRequest, kind: type[T], *, default: T | None = None) -> T:
    """Decode the body, whatever its Content-Type says.

    Numeric strings are read where a number is due, integral floats as integers, "true"/"false" as booleans;
    unknown fields are ignored. An empty body is `default`, if there is one.
    Raises: InvalidParameter (20012) naming the field by its JSON path; BodyTooLarge (900413).
    """
    body = await request.body()
    check_size(len(body), body_limit(request))
    if default is not None and not body.strip():
        return default
    return decode(body, kind)


async def wait_for_body(request: AnyRequest) -> None:
    """Let the body come in. Raises: BodyTooSlow (900408) when it takes longer than half a minute.

    Where a body may be longer than elsewhere, it may take longer in proportion.
    """
    share = body_limit(request) / request.app.state.settings.body_limit_bytes
    try:
        async with asyncio.timeout(BODY_SECONDS * max(1.0, share)):
            await request.body()
    except TimeoutError:
        raise BodyTooSlow from None


def decode(body: bytes, kind: type[T]) -> T:
    """Decode JSON bytes into a wire type. Raises: InvalidParameter (20012)."""
    if _NUL.search(body):
        raise InvalidParameter("Request body holds the character U+0000, which no text may contain.")
    try:
        return _decoder(kind).decode(body)
    except msgspec.ValidationError as error:
        raise InvalidParameter(_complaint(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"Request body is not valid JSON: {error}") from None


def body_limit(request: AnyRequest) -> int:
    """Return how many bytes a request's body may have: what its route says, else what is set for all."""
    return request.route_handler.opt.get("body_limit_bytes") or request.app.state.settings.body_limit_bytes


def check_size(length: int, limit: int) -> None:
    """Refuse a body over the limit, in bytes. Raises: BodyTooLarge (900413)."""
    if length > limit:
        raise BodyTooLarge(f"Request body too large: {length} bytes; at most {limit} are accepted.")


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)


def _complaint(text: str) -> str:
    """Turn the decoder's message into `field: what is wrong`."""
    match = _COMPLAINT.fullmatch(text)
    what, path = (match["what"], match["path"]) if match else (text, None)
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    if missing:
        return f"{'.'.join(filter(None, (path, missing[1])))}: is required."
    return f"{path or 'Request body'}: {what[:1].lower()}{what[1:].replace('`', '')}."


class Query:
    """The query string and path of one request, read by type.

    A key may be repeated; where one value is due the last counts. Unknown keys are ignored.
    Every reader raises InvalidParameter (20012) naming the parameter.
    """

    def __init__(self, request: AnyRequest) -> None:
        self._path: dict[str, Any] = request.path_params
        self._values: dict[str, list[str]] = {}
        for key, value in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
            self._values.setdefault(key, []).append(value)

    def path_id(self, name: str, *, prefix: str = "") -> int | None:
        """Return a path's id; None when it is not a positive 64-bit number, so that it is answered as unknown.

        `prefix` may stand before the number.
        """
        text = str(self._path[name]).removeprefix(prefix)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        return number if 0 < number <= INT64_MAX else None

    def path_text(self, name: str) -> str:
        """Return a path's segment as text."""
        return str(self._path[name]).replace("\0", "\ufffd")

    def text(self, name: str) -> str:
        """Return a parameter without surrounding blanks, "" when absent."""
        values = self._values.get(name)
        return _clean(name, values[-1]) if values else ""

    def words(self, name: str) -> list[str]:
        """Return a list given by commas, by repeating the key, or both; blanks dropped."""
        joined = [part.strip() for value in self._values.get(name, []) for part in _clean(name, value).split(",")]
        return [part for part in joined if part]

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return a 64-bit integer, `default` when absent or blank."""
        text = self.text(name)
        return _integer(name, text) if text else default

    def integers(self, name: str) -> list[int]:
        """Return a list of integers."""
        return [_integer(name, word) for word in self.words(name)]

    def boolean(self, name: str) -> bool | None:
        """Return true/false/1/0 in any case; None when absent or blank."""
        text = self.text(name).lower()
        if not text:
            return None
        if text not in _TRUTHS:
            raise InvalidParameter(f"{name}: must be true or false.")
        return _TRUTHS[text]

    def json(self, name: str, kind: Any) -> Any:
        """Return a parameter that holds JSON text, None when absent or blank."""
        text = self.text(name)
        if not text:
            return None
        try:
            return decode(text.encode(), kind)
        except InvalidParameter as error:
            raise InvalidParameter(f"{name}: {error.message}") from None


def _clean(name: str, text: str) -> str:
    if "\0" in text:
        raise InvalidParameter(f"{name}: must not contain the character U+0000.")
    return text.strip()


def _integer(name: str, text: str) -> int:
    if not _NUMBER.fullmatch(text) or not -INT64_MAX <= int(text) <= INT64_MAX:
        raise InvalidParameter(f"{name}: must be an integer.")
    return int(text)
