"""Reading a mail that came in: a bounce, a reply or an automatic answer. Touches nothing, and takes any bytes."""

import base64
import binascii
import hmac
import re
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any, Final

import structlog
from flufl.bounce import all_failures
from inscriptis import get_text
from mailparser_reply import EmailReplyParser
from msgspec import Struct

_log: Final = structlog.get_logger("rooftree.messaging")
_LONGEST: Final = 100_000
_REASON_LENGTH: Final = 500
_IDS: Final = re.compile(r"<[^<>\s]{1,500}>")
_AUTOMATIC: Final = {"bulk", "auto_reply", "junk", "list"}
_SIGNATURE_BYTES: Final = 10


class Bounced(Struct, frozen=True):
    """An address that a mail could not be delivered to."""

    recipient: str
    is_permanent: bool
    status: str | None  #: e.g. 5.1.1
    reason: str
    original_message_id: str | None


class InboundMail(Struct, frozen=True):
    """A mail, read."""

    kind: str  #: bounce, reply (a person wrote), auto
    sender: str  #: lower case; "" when there is none
    sender_name: str
    recipients: tuple[str, ...]
    subject: str
    text: str  #: what is new in it: without the mails that it quotes
    full_text: str
    message_id: str | None
    references: tuple[str, ...]  #: Message-IDs that it answers, the nearest last
    sent_at: datetime | None
    bounced: tuple[Bounced, ...] = ()


def parse_mail(raw: bytes) -> InboundMail:
    """Read a mail; whatever cannot be read is left empty."""
    message: EmailMessage = BytesParser(policy=policy.default).parsebytes(raw)  # type: ignore[assignment]
    sender_name, sender = next(iter(_addresses(message, "From")), ("", ""))
    bounced = _bounced(message)
    full_text = _text(message)
    return InboundMail(
        kind="bounce" if bounced else "auto" if _is_automatic(message) else "reply",
        sender=sender,
        sender_name=sender_name,
        recipients=tuple(address for name in ("To", "Cc") for _, address in _addresses(message, name)),
        subject=_header(message, "Subject")[:500],
        text=_newest(full_text),
        full_text=full_text,
        message_id=next(iter(_IDS.findall(_header(message, "Message-ID"))), None),
        references=(*_IDS.findall(_header(message, "References")), *_IDS.findall(_header(message, "In-Reply-To"))),
        sent_at=_sent_at(message),
        bounced=bounced,
    )


def _header(message: EmailMessage, name: str) -> str:
    """Return a header's text; one that cannot be decoded is empty."""
    try:
        return _clean(str(message.get(name, "")))
    except Exception:  # noqa: BLE001 - the parser trips over headers that are broken enough
        return ""


def _clean(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _addresses(message: EmailMessage, name: str) -> list[tuple[str, str]]:
    try:
        values = [_clean(str(value)) for value in message.get_all(name, [])]
        return [(shown, address.lower()) for shown, address in getaddresses(values) if "@" in address]
    except Exception:  # noqa: BLE001 - as above
        return []


def _sent_at(message: EmailMessage) -> datetime | None:
    try:
        instant = parsedate_to_datetime(_header(message, "Date"))
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _is_automatic(message: EmailMessage) -> bool:
    submitted = _header(message, "Auto-Submitted").lower()
    return (
        submitted not in {"", "no"}
        or _header(message, "Precedence").lower() in _AUTOMATIC
        or bool(_header(message, "X-Autoreply") or _header(message, "X-Autorespond"))
    )


def _text(message: EmailMessage) -> str:
    try:
        part: Any = message.get_body(("plain", "html"))
        content = part.get_content() if part is not None else ""
        text = content if isinstance(content, str) else ""
        if part is not None and part.get_content_subtype() == "html":
            text = get_text(text[: 10 * _LONGEST])
    except Exception:  # noqa: BLE001 - unknown charsets, broken encodings, parts that are none
        text = _raw_text(message)
    return _clean(text)[:_LONGEST].strip()


def _raw_text(message: EmailMessage) -> str:
    for part in message.walk():
        try:
            payload: Any = part.get_payload(decode=True)
        except Exception:  # noqa: BLE001, S112 - the next part may be better
            continue
        if isinstance(payload, bytes) and part.get_content_maintype() == "text":
            return payload.decode("utf-8", "replace")
    return ""


def _newest(text: str) -> str:
    """Return what the sender wrote themselves, above the mails that they quote."""
    try:
        return (EmailReplyParser(languages=["en", "de", "fr", "es"]).parse_reply(text=text) or text).strip()
    except Exception:  # noqa: BLE001 - better too much than nothing
        return text


def _bounced(message: EmailMessage) -> tuple[Bounced, ...]:
    """Return what could not be delivered: by the delivery report (RFC 3464), else by the habits of mail servers."""
    original = _original_id(message)
    try:
        reports = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"]
        found = [one for report in reports for one in _reported(report, original)]
        if found or reports:
            return tuple(found)
        temporary, permanent = all_failures(message)
    except Exception:  # noqa: BLE001 - a mail that cannot be read is no bounce
        return ()
    reason = _header(message, "Subject")[:_REASON_LENGTH] or "returned to sender"
    return tuple(
        Bounced(_clean(bytes(address).decode("utf-8", "replace")).lower(), is_permanent, None, reason, original)
        for addresses, is_permanent in ((permanent, True), (temporary, False))
        for address in addresses
    )


def _reported(report: Any, original: str | None) -> list[Bounced]:
    found: list[Bounced] = []
    for block in report.get_payload():
        action = str(block.get("Action", "")).strip().lower()
        recipient = str(block.get("Final-Recipient") or block.get("Original-Recipient") or "").rpartition(";")[2]
        if action not in {"failed", "delayed"} or "@" not in recipient:
            continue
        status = _clean(str(block.get("Status", ""))).strip() or None
        words = _clean(str(block.get("Diagnostic-Code", ""))).partition(";")
        reason = " ".join((words[2] or words[0] or status or "returned to sender").split())
        if status and status not in reason:
            reason = f"{status} {reason}"
        is_permanent = action == "failed" and not (status or "5").startswith("4")
        found.append(
            Bounced(_clean(recipient).strip().lower(), is_permanent, status, reason[:_REASON_LENGTH], original)
        )
    return found


def _original_id(message: EmailMessage) -> str | None:
    """Return the Message-ID of the mail that a bounce brings back."""
    try:
        for part in message.walk():
            if part.get_content_type() in {"message/rfc822", "text/rfc822-headers"}:
                payload: Any = part.get_payload()
                inner = payload[0] if isinstance(payload, list) else None
                text = str(inner.get("Message-ID", "")) if inner is not None else str(part.get_payload(decode=False))
                if match := _IDS.search(text if inner is not None else _after_message_id(text)):
                    return match[0]
    except Exception:  # noqa: BLE001 - then its address must name it
        return None
    return None


def _after_message_id(headers: str) -> str:
    return headers[headers.lower().find("message-id:") :] if "message-id:" in headers.lower() else ""


class ReturnAddresses:
    """Addresses of ours that name a message and cannot be forged: where bounces and replies come back to."""

    def __init__(self, secret: bytes, domain: str) -> None:
        self._key = hmac.digest(secret, b"rooftree return address", "sha256")
        self._domain = domain.lower()

    def address(self, kind: str, team_id: int, message_id: int) -> str:
        """Return the address for a message's bounces (`bounce`) or replies (`reply`)."""
        return f"{self.seal(kind, team_id, message_id)}@{self._domain}"

    def seal(self, kind: str, team_id: int, message_id: int) -> str:
        """Return the part before the @: letters and digits that survive a change of case; 64 characters at most."""
        body = kind[0].encode() + team_id.to_bytes(8, "big") + message_id.to_bytes(8, "big")
        sealed = base64.b32encode(body + self._sign(body)).decode().rstrip("=").lower()
        return f"{kind[0]}-{sealed}"

    def open(self, address: str) -> tuple[str, int, int] | None:
        """Return kind, team and message of such an address; None when it is not ours."""
        local, _, domain = address.strip().lower().rpartition("@")
        if domain != self._domain or local[1:2] != "-":
            return None
        text = local[2:].upper()
        try:
            raw = base64.b32decode(text + "=" * (-len(text) % 8))
        except (binascii.Error, ValueError):
            return None
        body, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if body[:1] != local[:1].encode() or not hmac.compare_digest(signature, self._sign(body)):
            return None
        kind = {b"b": "bounce", b"r": "reply"}.get(body[:1], "")
        return (kind, int.from_bytes(body[1:9], "big"), int.from_bytes(body[9:17], "big")) if kind else None

    def _sign(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_SIGNATURE_BYTES]
