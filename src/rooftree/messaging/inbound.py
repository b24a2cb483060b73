"""What carriers tell this server: texts and calls that came in, and how those that went out fared.

Nothing here asks anybody anything: it checks signatures and reads bodies.

The generic webhook takes JSON, signed as Standard Webhooks says: one event, or up to 1000 under `events`.

    {"type": "text", "id": "m-1", "from": "+15550100", "to": "+15550101", "text": "Hi",
     "mediaUrls": ["https://..."], "timestamp": "2026-05-06T14:32:00Z"}
    {"type": "text_status", "id": "m-2", "state": "delivered", "error": null}
    {"type": "call", "id": "c-1", "from": "+15550100", "to": "+15550101", "direction": "inbound",
     "status": "Completed", "durationSeconds": 61, "startedAt": "2026-05-06T14:32:00Z", "price": 0.02,
     "isMachineAnswered": false}
    {"type": "recording", "id": "r-1", "callId": "c-1", "url": "https://...", "durationSeconds": 58}
    {"type": "email", "raw": "<an RFC 5322 message in base64>"}
    {"type": "email", "from": "Jane <jane@example.com>", "to": "adam@example.com", "subject": "Hi", "text": "...",
     "messageId": "<1@example.com>", "timestamp": "2026-05-06T14:32:00Z"}
    {"events": [{"type": "text", ...}, ...]}

`id` is the carrier's. Optional: `mediaUrls`, `timestamp`, `error`, and of a call everything after `direction`; its
status is null while it rings or goes on. Instants need an offset. Fields not named here are ignored.
"""

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr, parsedate_to_datetime
from typing import Annotated, Any, AnyStr, Final, Literal, TypeVar

import msgspec
import phonenumbers
from msgspec import Meta, Raw, Struct
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

_Choice = TypeVar("_Choice")

CallStatus = Literal["Completed", "Missed", "Failed", "Busy", "NoAnswer", "VoiceMail"]
Direction = Literal["inbound", "outbound"]
TextState = Literal["queued", "sent", "delivered", "undelivered", "failed"]


class InboundText(Struct, frozen=True):
    """A text that arrived."""

    provider_id: str
    sender: str
    recipient: str
    text: str  #: may be empty when there are pictures
    media_urls: tuple[str, ...] = ()
    sent_at: datetime | None = None  #: None: the carrier did not say


class TextStatus(Struct, frozen=True):
    """How a text of ours fared."""

    provider_id: str
    state: TextState
    error: str | None = None


class InboundCall(Struct, frozen=True):
    """News of a call, in either direction."""

    provider_id: str
    sender: str
    recipient: str
    direction: Direction
    status: CallStatus | None = None  #: None: it rings or goes on
    duration_seconds: int | None = None
    started_at: datetime | None = None  #: when it began, UTC
    price: float | None = None  #: what it cost, in the currency of the account
    is_machine_answered: bool | None = None


class InboundRecording(Struct, frozen=True):
    """A call's recording, ready to be fetched."""

    call_provider_id: str
    provider_id: str
    url: str
    duration_seconds: int | None = None


class InboundEmail(Struct, frozen=True):
    """An e-mail that arrived."""

    raw: bytes  #: RFC 5322


Inbound = InboundText | TextStatus | InboundCall | InboundRecording | InboundEmail


# Twilio


def twilio_signature(url: str, form: Sequence[tuple[str, str]], auth_token: str) -> str:
    """Return what Twilio writes into X-Twilio-Signature: HMAC-SHA1 over the address and the sorted fields, base64."""
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(auth_token.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_from_twilio(url: str, form: Sequence[tuple[str, str]], signature: str, auth_token: str) -> bool:
    """Say whether Twilio signed a request. `url` is the public address, query included; no token: nobody did.

    Twilio signs some requests with the port in the address and some without, so both count.
    """
    if not auth_token:
        return False
    given = signature.encode("utf-8", "surrogatepass")
    expected = [twilio_signature(address, form, auth_token).encode() for address in _with_and_without_port(url)]
    return any(hmac.compare_digest(given, candidate) for candidate in expected)


def twilio_text(form: Mapping[str, str]) -> InboundText:
    """Read the form of an incoming text. Raises: ValueError naming the field."""
    return InboundText(
        provider_id=_required(form, "MessageSid"),
        sender=_required(form, "From"),
        recipient=_required(form, "To"),
        text=_text(form, "Body"),
        media_urls=tuple(_required(form, f"MediaUrl{index}") for index in range(_count(form, "NumMedia") or 0)),
    )


def twilio_status(form: Mapping[str, str]) -> TextStatus:
    """Read the form that tells how a text fares. Raises: ValueError naming the field."""
    error = " ".join(value for name in ("ErrorCode", "ErrorMessage") if (value := _optional(form, name)))
    return TextStatus(_required(form, "MessageSid"), _choice(form, "MessageStatus", _TEXT_STATES), error or None)


def twilio_call(form: Mapping[str, str]) -> InboundCall:
    """Read the form that tells how a call fares. Raises: ValueError naming the field."""
    direction = _choice(form, "Direction", _DIRECTIONS)
    status = _choice(form, "CallStatus", _CALL_STATUSES)
    duration_seconds = _count(form, "CallDuration")
    return InboundCall(
        provider_id=_required(form, "CallSid"),
        sender=_required(form, "From"),
        recipient=_required(form, "To"),
        direction=direction,
        status="Missed" if status == "NoAnswer" and direction == "inbound" else status,
        duration_seconds=duration_seconds,
        started_at=_started_at(form, duration_seconds or 0),
        price=_price(form, "CallPrice"),
        is_machine_answered=_choice(form, "AnsweredBy", _MACHINES) if form.get("AnsweredBy") else None,
    )


def twilio_recording(form: Mapping[str, str]) -> InboundRecording:
    """Read the form that tells of a recording. Raises: ValueError naming the field."""
    return InboundRecording(
        call_provider_id=_required(form, "CallSid"),
        provider_id=_required(form, "RecordingSid"),
        url=_required(form, "RecordingUrl"),
        duration_seconds=_count(form, "RecordingDuration"),
    )


_LONGEST: Final = 2000
_TEXT_STATES: Final[dict[str, TextState]] = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "queued",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
}
_CALL_STATUSES: Final[dict[str, CallStatus | None]] = {
    "queued": None,
    "initiated": None,
    "ringing": None,
    "in-progress": None,
    "completed": "Completed",
    "busy": "Busy",
    "no-answer": "NoAnswer",
    "failed": "Failed",
    "canceled": "Missed",
}
_DIRECTIONS: Final[dict[str, Direction]] = {
    "inbound": "inbound",
    "trunking-originating": "inbound",
    "outbound-api": "outbound",
    "outbound-dial": "outbound",
    "trunking-terminating": "outbound",
}
_MACHINES: Final[dict[str, bool | None]] = {
    "human": False,
    "unknown": None,
    "fax": True,
    "machine_start": True,
    "machine_end_beep": True,
    "machine_end_silence": True,
    "machine_end_other": True,
}


def _required(form: Mapping[str, str], name: str) -> str:
    value = _text(form, name).strip()
    if not value or len(value) > _LONGEST:
        raise ValueError(f"{name} is empty or too long")
    return value


def _text(form: Mapping[str, str], name: str) -> str:
    """Return a field as it is, without NUL, which no database takes."""
    value = form.get(name)
    if value is None:
        raise ValueError(f"{name} is missing")
    return value.replace("\x00", "")


def _optional(form: Mapping[str, str], name: str) -> str | None:
    return form.get(name, "").replace("\x00", "").strip()[:_LONGEST] or None


def _choice(form: Mapping[str, str], name: str, choices: Mapping[str, _Choice]) -> _Choice:
    value = _required(form, name)
    if value not in choices:
        raise ValueError(f"{name} is unknown: {value[:50]!r}")
    return choices[value]


def _count(form: Mapping[str, str], name: str) -> int | None:
    value = _optional(form, name)
    if value is None:
        return None
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise ValueError(f"{name} is not a whole number")
    return int(value)


def _price(form: Mapping[str, str], name: str) -> float | None:
    """Return what something cost. Twilio writes costs as negative numbers."""
    value = _optional(form, name)
    if value is None:
        return None
    try:
        price = abs(float(value))
    except ValueError:
        price = math.nan
    if not math.isfinite(price):
        raise ValueError(f"{name} is not a number")
    return price


def _started_at(form: Mapping[str, str], duration_seconds: int) -> datetime | None:
    """Return when a call began: Timestamp is when the news was written, which for an ended call is its end."""
    value = _optional(form, "Timestamp")
    if value is None:
        return None
    try:
        written_at = parsedate_to_datetime(value)
        aware = written_at.replace(tzinfo=written_at.tzinfo or UTC)
        return aware.astimezone(UTC) - timedelta(seconds=duration_seconds)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError("Timestamp is not a date as in RFC 2822") from None


def _with_and_without_port(url: str) -> list[str]:
    """Return the address as given, without a port, and with the given port or that of its scheme."""
    match = re.fullmatch(r"(https?)://([^/?#]*?)(?::(\d*))?((?:[/?#].*)?)", url, re.DOTALL)
    if match is None:
        return [url]
    scheme, host, port, rest = match.groups()
    default = "443" if scheme == "https" else "80"
    return [url, f"{scheme}://{host}{rest}", f"{scheme}://{host}:{port or default}{rest}"]


# The generic webhook

_Word = Annotated[str, Meta(min_length=1, max_length=_LONGEST, pattern=r"\A[^\x00]+\Z")]
_Seconds = Annotated[int, Meta(ge=0, le=2**31 - 1)]
_Instant = Annotated[datetime, Meta(tz=True)]


class _Text(Struct, frozen=True, rename="camel", tag_field="type", tag="text"):
    id: _Word
    sender: _Word = msgspec.field(name="from")
    recipient: _Word = msgspec.field(name="to")
    text: str
    media_urls: Annotated[tuple[_Word, ...], Meta(max_length=100)] = ()
    timestamp: _Instant | None = None


class _TextStatus(Struct, frozen=True, rename="camel", tag_field="type", tag="text_status"):
    id: _Word
    state: TextState
    error: str | None = None


class _Call(Struct, frozen=True, rename="camel", tag_field="type", tag="call"):
    id: _Word
    sender: _Word = msgspec.field(name="from")
    recipient: _Word = msgspec.field(name="to")
    direction: Direction
    status: CallStatus | None = None
    duration_seconds: _Seconds | None = None
    started_at: _Instant | None = None
    price: Annotated[float, Meta(ge=0)] | None = None
    is_machine_answered: bool | None = None


class _Recording(Struct, frozen=True, rename="camel", tag_field="type", tag="recording"):
    id: _Word
    call_id: _Word
    url: _Word
    duration_seconds: _Seconds | None = None


class _Email(Struct, frozen=True, rename="camel", tag_field="type", tag="email"):
    raw: bytes | None = None
    sender: str | None = msgspec.field(name="from", default=None)
    recipient: str | None = msgspec.field(name="to", default=None)
    subject: str | None = None
    text: str | None = None
    message_id: str | None = None
    timestamp: _Instant | None = None


_Event = _Text | _TextStatus | _Call | _Recording | _Email
_Events = Annotated[list[_Event], Meta(max_length=1000)]


def verify_generic(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether a request carries a signature of this secret, at most five minutes old. No secret: it does not."""
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, EmptyWebhookSecretError, ValueError):
        return False
    return True


def parse_generic(body: bytes) -> list[Inbound]:
    """Read the JSON that the module describes. Raises: ValueError naming the field."""
    try:
        events = _events(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return [_inbound(event) for event in events]


def _events(body: bytes) -> list[_Event]:
    fields = msgspec.json.decode(body, type=dict[str, Raw])
    if "events" in fields:
        return _decode(fields["events"], _Events)
    return [_decode(Raw(body), _Event)]


def _decode(body: Raw, shape: Any) -> Any:
    return msgspec.json.decode(body, type=shape)


def _inbound(event: _Event) -> Inbound:
    match event:
        case _Text():
            sent_at = _utc(event.timestamp, "timestamp")
            text = event.text.replace("\x00", "")
            return InboundText(event.id, event.sender, event.recipient, text, event.media_urls, sent_at)
        case _TextStatus():
            error = (event.error or "").replace("\x00", "")[:_LONGEST]
            return TextStatus(event.id, event.state, error or None)
        case _Recording():
            return InboundRecording(event.call_id, event.id, event.url, event.duration_seconds)
        case _Email():
            return InboundEmail(_raw(event))
        case _Call():
            return _call(event)


def _call(event: _Call) -> InboundCall:
    return InboundCall(
        provider_id=event.id,
        sender=event.sender,
        recipient=event.recipient,
        direction=event.direction,
        status=event.status,
        duration_seconds=event.duration_seconds,
        started_at=_utc(event.started_at, "startedAt"),
        price=event.price,
        is_machine_answered=event.is_machine_answered,
    )


def _utc(instant: datetime | None, name: str) -> datetime | None:
    try:
        return None if instant is None else instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{name} is outside of the years 1 to 9999") from None


def _raw(email: _Email) -> bytes:
    """Return the message as it came, or one written from its parts."""
    if email.raw is not None:
        return _given(email.raw, "raw")
    headers = {
        "From": _address(_given(email.sender, "from"), "from"),
        "To": _address(_given(email.recipient, "to"), "to"),
        "Subject": _header_text(email.subject or ""),
        "Message-ID": _message_id(_given(email.message_id, "messageId")),
        **({"Date": format_datetime(sent_at)} if (sent_at := _utc(email.timestamp, "timestamp")) else {}),
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "base64",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    text = base64.encodebytes((email.text or "").encode()).replace(b"\n", b"\r\n")
    return head.encode("ascii") + b"\r\n" + text


def _given(value: AnyStr | None, name: str) -> AnyStr:
    if not value:
        raise ValueError(f"{name} is missing or empty")
    return value


def _address(value: str, name: str) -> str:
    """Return an address for a header: ASCII, on one line."""
    shown, address = parseaddr(value)
    is_address = re.fullmatch(r"[!-~]{1,254}", address) and re.fullmatch(r"[^@<>,;]+@[^@<>,;]+", address)
    if not value.isprintable() or not is_address:
        raise ValueError(f"{name} is not an e-mail address")
    return formataddr((" ".join(shown.split())[:200], address))


def _header_text(value: str) -> str:
    """Return encoded words of RFC 2047, folded."""
    return Header(" ".join(value.split()), "utf-8", header_name="Subject").encode(linesep="\r\n")


def _message_id(value: str) -> str:
    match = re.fullmatch(r"<?([!-;=?-~]{1,900})>?", value.strip(), re.ASCII)
    if match is None:
        raise ValueError("messageId is not a message id")
    return f"<{match[1]}>"


# Words and numbers

_KEYWORDS: Final[dict[str, Literal["stop", "start", "help"]]] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "stop"),
    **dict.fromkeys(("START", "YES", "UNSTOP"), "start"),
    **dict.fromkeys(("HELP", "INFO"), "help"),
}


def keyword(text: str) -> Literal["stop", "start", "help"] | None:
    """Return what a text orders when it is one word of the carriers' list, in any case; None when it says more."""
    match = re.fullmatch(r"[\W_]*([A-Za-z]{1,20})[\W_]*", text)
    return _KEYWORDS.get(match[1].upper()) if match else None


def e164(number: str, region: str) -> str | None:
    """Return a number as +15550100123, or the 3 to 6 digits of a short code; None when it can be neither.

    `region` is the country (ISO 3166, as in US) of numbers that name none.
    """
    short = re.sub(r"[\s-]", "", number)
    if re.fullmatch(r"\d{3,6}", short, re.ASCII):
        return short
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
