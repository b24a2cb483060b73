"""Everything that reads what others wrote, called directly: it returns, or refuses in the way that it says."""

import inspect
import pkgutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final

import httpx
import msgspec
from hypothesis import strategies as st
from msgspec import Struct
from tests.support.rubbish import BODIES, EDGES, EDGY, JSON

import rooftree
from fuzz.exercises import Exercise, mangled, mangled_text
from fuzz.files import of_files
from rooftree.ai import rules as transcripts
from rooftree.ai.model import AiError
from rooftree.ai.providers import openai
from rooftree.auth import rules as oauth
from rooftree.calls.ranges import part_of
from rooftree.leads.fields import normal_email, normal_phone
from rooftree.messaging import inbound, mime
from rooftree.messaging.intake import ReturnAddresses, parse_mail
from rooftree.messaging.links import Links
from rooftree.messaging.providers import http as sms_gateway
from rooftree.messaging.providers import twilio
from rooftree.platform import wire_time
from rooftree.platform.blobs import BlobLinkInvalid, BlobLinks
from rooftree.platform.errors import ApiError
from rooftree.platform.http.conditional import parse_tags
from rooftree.platform.http.reading import decode
from rooftree.platform.pages import Sealer
from rooftree.platform.vault import Vault, VaultError
from rooftree.webhooks.guard import Guard, NotAllowedError
from rooftree.webhooks.rules import retry_after

_SECRET: Final = b"s" * 32
_NOW: Final = datetime(2026, 5, 6, 14, 32, tzinfo=UTC)

MAILS: Final = (
    b"From: =?utf-8?q?Jan=C3=A9?= <jane@example.com>\r\nTo: a@in.example.test\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
    b"Message-ID: <r1@example.com>\r\nIn-Reply-To: <7.3@in.example.test>\r\nReferences: <1@x> <2@x>\r\n"
    b"Date: Wed, 06 May 2026 16:00:00 +0200\r\n\r\nYes.\r\n\r\nOn Wed, May 6, 2026 at 2:32 PM Adam wrote:\r\n> Hi\r\n",
    b"From: MAILER-DAEMON@mx.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; "
    b'report-type=delivery-status; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--x\r\n'
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\nFinal-Recipient: rfc822; "
    b"j@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n\r\n--x\r\n"
    b"Content-Type: message/rfc822\r\n\r\nMessage-ID: <7.3@in.example.test>\r\n\r\nHi\r\n--x--\r\n",
    b"From: j@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"<p>H=E9 <a href=3Dx>y</a></p>\r\n--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.pdf\r\n\r\nJVBERi0=\r\n--b--\r\n",
)
_MAIL_WORDS: Final = (
    b"Content-Type: text/plain; charset=no-such\r\n", b"Content-Type: multipart/mixed; boundary=\r\n", b"\r\n\r\n",
    b"Content-Transfer-Encoding: uuencode\r\n", b"=?utf-8?b?////?=", b"=?no-such?q?x?=", b"\x00", b"From: <>\r\n",
    b"Date: Wed, 99 May 99999 99:99:99 +9999\r\n", b"charset*0*=x'';", b"<![CDATA[", b"<" * 50, b"&#xd800;", b"\xff",
    b"To: undisclosed:;\r\n", b"Message-ID: \r\n", b"X-Failed-Recipients: a@b, c\r\n", b"\r", b"On Mon wrote:\r\n> ",
)  # fmt: skip
EVENTS: Final = (
    b'{"type":"text","id":"m-1","from":"+15550100","to":"+15550101","text":"Hi","mediaUrls":["https://x.test/a"],'
    b'"timestamp":"2026-05-06T14:32:00Z"}',
    b'{"type":"call","id":"c-1","from":"+15550100","to":"+15550101","direction":"inbound","status":"Completed",'
    b'"durationSeconds":61,"startedAt":"2026-05-06T14:32:00+14:00","price":0.02,"isMachineAnswered":false}',
    b'{"events":[{"type":"text_status","id":"m-2","state":"failed","error":"x"},{"type":"recording","id":"r","callId":'
    b'"c","url":"https://x.test/r","durationSeconds":5}]}',
    b'{"type":"email","from":"Jane <j@example.com>","to":"a@in.example.test","subject":"Hi","text":"x","messageId":'
    b'"<1@x>","timestamp":"0001-01-01T00:00:00+14:00"}',
    b'{"type":"email","raw":"RnJvbTogYUBiLmMNCg0KSGk="}',
)
EVENT_WORDS: Final = (b"9999-12-31T23:59:59-14:00", b"\\u0000", b"\\ud800", b"1e999", b"null", b"[[[[", b'"events":')
TWILIO: Final = {
    "MessageSid": "SM1", "SmsSid": "SM1", "CallSid": "CA1", "RecordingSid": "RE1", "From": "+14155552671",
    "To": "+14155550100", "Body": "Hi", "NumMedia": "1", "MediaUrl0": "https://x.test/a", "MessageStatus": "failed",
    "ErrorCode": "30003", "Direction": "inbound", "CallStatus": "completed", "CallDuration": "61",
    "Timestamp": "Wed, 06 May 2026 16:00:00 +0000", "CallPrice": "-0.02", "RecordingUrl": "https://x.test/r",
    "RecordingDuration": "58", "AnsweredBy": "human",
}  # fmt: skip
_ODD: Final = st.sampled_from(["", "0", "-1", "9" * 30, "٣", "\x00", "\ud800", "nan", "1e400", "Wed, 1", "x" * 3000])
FORMS: Final = st.dictionaries(st.sampled_from(sorted(TWILIO)), _ODD | st.text(max_size=20), max_size=5).map(
    lambda changed: {**TWILIO, **changed}
)
_TIMES: Final = (
    "2026-05-06T14:32:00Z", "2026-05-06 14:32:00.123456 +02:00", "2026-W19-3T14:32Z", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "2026-05-06T14:32:00 GMT", "Jun 5, 2001", "feb 30, 2001", "America/New_York",
)  # fmt: skip
_PHONES: Final = ("+1 415 555 2671", "(415) 555-2671 ext. 5", "5551234567", "12345", "00441632960961", "+٤٤ ١٦")
_EMAILS: Final = ("Jane@Example.com", "a@xn--bcher-kva.example", '"a b"@c.d', "ß@ẞ.de", "İ@x.y")
_ANSWERS: Final = (
    b'{"choices":[{"message":{"content":"{\\"summary\\": \\"He buys.\\", \\"keywords\\": [{\\"type\\": \\"Action\\", '
    b'\\"content\\": \\"call\\"}]}"}}]}',
    b'{"sid":"SM1","status":"queued","code":20429,"message":"x"}',
    b'{"messages":[{"sid":"SM1","body":"Hi","date_created":"Wed, 06 May 2026 16:00:00 +0000"}],"next_page_uri":"/x"}',
    b'{"data":{"message":[{"id":"a"}]}}',
)


def _requests() -> Iterator[type[Struct]]:
    """Yield the shapes of all bodies."""
    for module in pkgutil.walk_packages(rooftree.__path__, "rooftree."):
        if ".wire" in module.name:
            for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
                if issubclass(kind, Struct) and kind.__module__ == module.name:
                    yield kind


def _bodies(kind: type[Struct]) -> st.SearchStrategy[bytes]:
    """Yield bodies with a shape's own names, and what is at the edge of what they take."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    if not names:
        return st.just(b"{}")
    shaped = st.dictionaries(st.sampled_from(names), EDGES | JSON, max_size=6)
    return (shaped | JSON).map(_json) | mangled(
        (b'{"%s": [1, {"a": null}]}' % names[0].encode(), b"[]"), (b"[" * 5000,)
    )


def _json(body: Any) -> bytes:
    return msgspec.json.encode(body)


def _provider(answer: bytes) -> None:
    """Read what a provider answered, as each of them would."""
    sms_gateway._found_id(answer, ("data", "message", "0", "id"))  # noqa: SLF001 - providers read nothing in public
    twilio._refused(answer)  # noqa: SLF001
    openai._summary(openai._content(msgspec.json.decode(answer)))  # noqa: SLF001


def _retry(text: str) -> None:
    answer = httpx.Response(503, headers=[(b"retry-after", text.encode("utf-8", "replace").replace(b"\n", b" "))])
    sms_gateway._retry_after_seconds(answer)  # noqa: SLF001
    openai._retry_after_seconds(answer)  # noqa: SLF001
    retry_after(text, _NOW)


def _times(text: str) -> None:
    instant = wire_time.parse_instant(text)
    if instant is not None:
        assert wire_time.parse_instant(wire_time.iso_z(instant) or "") == instant.replace(microsecond=0)
    wire_time.parse_birthday(text)
    wire_time.parse_zone(text)


def _twilio(form: dict[str, str]) -> None:
    for read in (inbound.twilio_text, inbound.twilio_status, inbound.twilio_call, inbound.twilio_recording):
        try:
            read(form)
        except ValueError:
            continue


def _signature(given: tuple[str, str, bytes]) -> None:
    secret, text, body = given
    headers = {"webhook-id": "x", "webhook-timestamp": text, "webhook-signature": f"v1,{text}"}
    assert not inbound.verify_generic(secret, headers, body)
    assert not inbound.is_from_twilio(f"https://x.test/{text}", [("a", text)], text, "token")


def _redirects(uri: str) -> None:
    if oauth.redirect_complaint(uri) is None:
        httpx.Headers({"Location": oauth.redirect_with(uri, ("code", "x"), ("state", uri)), "P": oauth.source_of(uri)})
    oauth.matching_redirect(["https://app.example.com/cb", "http://127.0.0.1:1/cb"], uri)
    assert not oauth.is_verified("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", uri)
    oauth.challenge_complaint(uri, "S256", is_needed=True)


def decoders() -> list[Exercise]:
    """Return all that read."""
    sealer, vault, returns = Sealer(_SECRET), Vault(_SECRET), ReturnAddresses(_SECRET, "in.example.test")
    links, blobs = Links(_SECRET, "https://x.test", is_public=True), BlobLinks(_SECRET, "https://x.test")
    cursor, cipher = sealer.seal([1, "x"]), vault.seal("password").decode()
    tokens = (links.unsubscribe(1, 2, "a@b.c") or "", blobs.link("1/2", "audio/mpeg"), cursor, returns.seal("b", 1, 2))
    guard = Guard("10.1.0.0/16")
    urls = (
        "https://app.example.com/cb?a=1",
        "http://127.0.0.1:80/cb",
        "http://[::1]/",
        "https://u:p@[::ffff:10.0.0.1]",
    )
    found = [
        Exercise("mail", mangled(MAILS, _MAIL_WORDS), parse_mail),
        Exercise("inbound events", mangled(EVENTS, EVENT_WORDS), inbound.parse_generic, (ValueError,)),
        Exercise("Twilio's forms", FORMS, _twilio),
        Exercise(
            "signatures", st.tuples(st.text(max_size=40), st.text(max_size=40), st.binary(max_size=40)), _signature
        ),
        Exercise("cursors", mangled_text([cursor]), lambda text: sealer.open(text, list[Any]), (ApiError,)),
        Exercise("sealed links", mangled_text(tokens), links.unsubscription, (ApiError,)),
        Exercise("status links", mangled_text(tokens), links.status_of),
        Exercise("blob links", mangled_text(tokens), blobs.open, (BlobLinkInvalid,)),
        Exercise("return addresses", mangled_text([returns.address("b", 1, 2)]), returns.open),
        Exercise("ciphertexts", mangled([cipher.encode()]), vault.open, (VaultError,)),
        Exercise("times", mangled_text(_TIMES), _times),
        Exercise("phones", mangled_text(_PHONES), lambda text: (inbound.e164(text, "US"), normal_phone(text, "US"))),
        Exercise("e-mail addresses", mangled_text(_EMAILS), normal_email),
        Exercise("ranges", mangled_text(["bytes=0-1", "bytes=-5", "bytes=1-,3-"]), lambda text: part_of(text, 100)),
        Exercise("versions", mangled_text(['W/"a", "b,c"', "*"]), parse_tags, (ValueError,)),
        Exercise("redirects and PKCE", mangled_text(urls), _redirects),
        Exercise("webhook addresses", mangled_text(urls), guard.check_before_sending, (NotAllowedError,)),
        Exercise(
            "providers' answers",
            mangled(_ANSWERS, EVENT_WORDS),
            _provider,
            (AiError, msgspec.DecodeError, UnicodeDecodeError),
        ),
        Exercise("Retry-After", mangled_text(["120", "Wed, 06 May 2026 16:00:00 GMT"]), _retry),
        Exercise("transcripts", mangled_text(["Agent: Hi.\nLead: At 5 p.m. on Main St. 5?"]), transcripts.keywords_of),
        Exercise("HTML in mails", mangled_text(["<p>a</p><br>", "<table><tr><td>x</td></table>"]), mime.bodies_of),
        Exercise("bodies of leads", (BODIES | EDGY).map(_json), lambda body: decode(body, dict[str, Any]), (ApiError,)),
    ]
    found += of_files()
    for kind in _requests():
        name = f"body {kind.__name__}"
        found.append(Exercise(name, _bodies(kind), lambda body, kind=kind: decode(body, kind), (ApiError,)))
    return found
