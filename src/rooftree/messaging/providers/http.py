"""Texts over an HTTP gateway described by settings, and how any carrier's HTTP answers are read.

`ask`, `refusal` and `secrets_of` are for the other providers that speak HTTP.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx
import msgspec

from rooftree.messaging.model import OutgoingText, ProviderError, Receipt
from rooftree.platform.answers_of_others import ask_bounded

_PLACE: Final = re.compile(r"\{(from|to|text|id)\}")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Printable ASCII: what every HTTP library sends as it is.
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*")
#: Headers that the gateway's client writes itself.
_OURS: Final = frozenset({"idempotency-key", "host", "content-length", "transfer-encoding", "connection"})
#: Headers whose values are no secret.
_OPEN: Final = frozenset({"content-type", "accept", "user-agent", "accept-language"})
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_REASON_LENGTH: Final = 500
#: Of an answer; a page of Twilio's list of messages has less.
_ANSWER_BYTES: Final = 4_000_000
#: Shorter than this, a value is no secret, and striking it out would garble the reason.
_SECRET_LENGTH: Final = 6


class HttpGateway:
    """A TextProvider: any gateway that takes a text as one POST.

    Every attempt for a message carries the same header `Idempotency-Key: <team_id>-<message id>`. A gateway that
    honours it sends once however often it is asked; one that does not may send twice after an attempt whose answer got
    lost, because there is no common way to ask a gateway what it has sent.
    """

    name: str = "http"

    def __init__(
        self,
        *,
        url: str,
        headers: str,
        body: str,
        id_path: str,
        timeout_seconds: float,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Check the description. Raises: ValueError with a sentence for whoever wrote the settings.

        `headers` is a JSON object as text, or empty. `body` is a template: {from}, {to}, {text} and {id} are replaced,
        escaped for the inside of a JSON string, or percent-encoded when the Content-Type header is that of a form;
        other braces stay. `id_path` leads to the id in the gateway's JSON answer (data.message.id, messages.0.id);
        empty: the answer has none. A client given as `http` stays the caller's to close.
        """
        self._url = check_url(url, "sms_http_url")
        self._headers = _headers(headers)
        self._is_form = _is_form(self._headers["content-type"])
        self._body = _checked_body(body, is_form=self._is_form)
        self._path = _checked_path(id_path)
        self._secrets = (*secrets_of(self._url), *_header_secrets(self._headers))
        self._timeout_seconds = timeout_seconds
        self._is_own = http is None
        self._http = http or httpx.AsyncClient()

    async def send(self, text: OutgoingText) -> Receipt:
        """Hand a text over. The receipt's id is None when the answer holds none. Raises: ProviderError."""
        request = self._http.build_request(
            "POST",
            self._url,
            content=render(self._body, text, is_form=self._is_form).encode(),
            headers={**self._headers, "idempotency-key": f"{text.team_id}-{text.id}"},
            timeout=self._timeout_seconds,
        )
        answer = await ask(self._http, request, timeout_seconds=self._timeout_seconds, secrets=self._secrets)
        if not answer.is_success:
            raise refusal(answer, answer.text, secrets=self._secrets)
        return Receipt(_found_id(answer.content, self._path))

    async def close(self) -> None:
        """Let go of connections."""
        if self._is_own:
            await self._http.aclose()


def render(template: str, text: OutgoingText, *, is_form: bool) -> str:
    """Return the body: the places filled in one pass, so that a text that says {to} stays as it was written."""
    values = {"from": text.sender, "to": text.recipient, "text": text.text, "id": str(text.id)}
    escape = quote_plus if is_form else _json_inside
    return _PLACE.sub(lambda place: escape(values[place[1]]), template)


async def ask(
    http: httpx.AsyncClient,
    request: httpx.Request,
    *,
    timeout_seconds: float,
    secrets: Iterable[str],
    auth: httpx.BasicAuth | None = None,
) -> httpx.Response:
    """Send a request, return the answer whatever its status; redirects are answers too.

    Raises: ProviderError, temporary, when no whole answer came in time. The request may have arrived nevertheless.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await ask_bounded(http, request, limit_bytes=_ANSWER_BYTES, auth=auth, follow_redirects=False)
    except (httpx.TimeoutException, TimeoutError):
        raise ProviderError(f"no answer within {timeout_seconds:g} seconds", is_permanent=False) from None
    except httpx.HTTPError as error:
        # Without its cause: httpx keeps the request, and with it the credentials, on its errors.
        reason = f"no answer: {type(error).__name__} {error}"
        raise ProviderError(_presentable(reason, secrets), is_permanent=False) from None


def refusal(answer: httpx.Response, words: str, *, secrets: Iterable[str], is_temporary: bool = False) -> ProviderError:
    """Return the error for an answer that is no success, with the provider's own words.

    5xx, 429 and whatever the caller knows to pass (`is_temporary`) is temporary, the rest permanent: a redirect too,
    since following it would hand the credentials to another address.
    """
    status = answer.status_code
    is_passing = is_temporary or status == 429 or status >= 500
    said = "a redirect, which is not followed" if answer.is_redirect else words
    return ProviderError(
        _presentable(f"HTTP {status}: {said}", secrets),
        is_permanent=not is_passing,
        retry_after_seconds=_retry_after_seconds(answer) if is_passing else None,
    )


def check_url(url: str, setting: str) -> str:
    """Return the address. Raises: ValueError unless it is one of http or https with a host."""
    try:
        # Both must understand it: httpx takes brackets that never close, urlsplit hosts that cannot be.
        is_address = (
            urlsplit(url).port != 0 and httpx.URL(url).scheme in {"http", "https"} and httpx.URL(url).host != ""
        )
    except (httpx.InvalidURL, ValueError):
        is_address = False
    if not is_address:
        raise ValueError(f"{setting} must be an address such as https://gateway.example.com/send.")
    return url


def secrets_of(url: str) -> tuple[str, ...]:
    """Return what an address holds that must not be repeated: its password and the values of its query."""
    parts = httpx.URL(url)
    values = [value for _, value in parse_qsl(parts.query.decode("ascii", "replace"))]
    return tuple(secret for secret in (parts.password, *values) if secret)


def _headers(text: str) -> dict[str, str]:
    """Read the headers, names in small letters, Content-Type always among them."""
    try:
        given = msgspec.json.decode(text or "{}", type=dict[str, str])
    except (msgspec.DecodeError, RecursionError):
        raise ValueError(
            'sms_http_headers must be a JSON object of texts, e.g. {"Authorization": "Bearer ..."}.'
        ) from None
    headers = {"content-type": _JSON}
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(
                f"sms_http_headers: {name!r} is not a header: names and values are plain ASCII on one line."
            )
        if name.lower() in _OURS:
            raise ValueError(f"sms_http_headers: {name} is written by the server, leave it out.")
        headers[name.lower()] = value
    return headers


def _header_secrets(headers: Mapping[str, str]) -> list[str]:
    hidden = [value for name, value in headers.items() if name not in _OPEN]
    return [secret for value in hidden for secret in (value, *value.split())]


def _is_form(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == _FORM:
        return True
    if kind == _JSON or kind.endswith("+json"):
        return False
    raise ValueError(f"sms_http_headers: the Content-Type must be {_JSON} or {_FORM}, not {content_type!r}.")


def _checked_body(body: str, *, is_form: bool) -> str:
    missing = {"to", "text"} - set(_PLACE.findall(body))
    if missing:
        raise ValueError("sms_http_body must have {" + "} and {".join(sorted(missing)) + "} in it.")
    if not is_form:
        _check_json(body)
    return body


def _check_json(body: str) -> None:
    """Try the template on values that break JSON wherever they stand outside of a string."""
    awkward = 'a"\\ b'
    sample = OutgoingText(
        id=1, team_id=1, sender=awkward, recipient=awkward, text=awkward, created_at=datetime(2000, 1, 1, tzinfo=UTC)
    )
    try:
        msgspec.json.decode(render(body, sample, is_form=False))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ValueError(
            'sms_http_body is not JSON once filled in: {from}, {to} and {text} stand inside quotes, as in "{text}". '
            f"For a form, let sms_http_headers say Content-Type: {_FORM}."
        ) from None


def _checked_path(path: str) -> tuple[str, ...]:
    steps = tuple(path.split(".")) if path else ()
    if not all(steps):
        raise ValueError(f"sms_http_id must be a path such as data.message.id, not {path!r}.")
    return steps


def _json_inside(value: str) -> str:
    """Return what stands between the quotes of a JSON string."""
    return msgspec.json.encode(value).decode()[1:-1]


def _found_id(content: bytes, path: tuple[str, ...]) -> str | None:
    """Return the id at a path; None when the answer holds none. The gateway has taken the text either way."""
    if not path:
        return None
    try:
        found: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    for step in path:
        found = _inside(found, step)
    is_id = isinstance(found, str | int) and not isinstance(found, bool)
    return str(found)[:_REASON_LENGTH].replace("\x00", "") or None if is_id else None


def _inside(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and re.fullmatch(r"\d{1,4}", step, re.ASCII) and int(step) < len(value):
        return value[int(step)]
    return None


def _retry_after_seconds(answer: httpx.Response) -> float | None:
    """Return the patience asked for: seconds, or until a date; None when the header says nothing readable."""
    value = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _presentable(reason: str, secrets: Iterable[str]) -> str:
    """Return a reason on one line, at most 500 characters, with secrets struck out."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SECRET_LENGTH:
            reason = reason.replace(secret, "***")
    printable = "".join(character if character.isprintable() else " " for character in reason)
    return " ".join(printable.split())[:_REASON_LENGTH]
