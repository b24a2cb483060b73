"""What carriers tell: signatures, forms, the generic webhook, words and numbers."""

import base64
import email
import email.policy
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook
from tests.support.receiver import TwilioStub

from rooftree.messaging.inbound import (
    InboundCall,
    InboundEmail,
    InboundRecording,
    InboundText,
    TextStatus,
    e164,
    is_from_twilio,
    keyword,
    parse_generic,
    twilio_call,
    twilio_recording,
    twilio_signature,
    twilio_status,
    twilio_text,
    verify_generic,
)

# Signatures

#: The example of Twilio's documentation.
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
EXAMPLE = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]
TOKEN = "12345"
FIELDS = st.lists(st.tuples(st.text(min_size=1), st.text()), max_size=5)


def test_the_documented_example() -> None:
    assert twilio_signature(URL, EXAMPLE, TOKEN) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert is_from_twilio(URL, EXAMPLE, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", TOKEN)


def test_fields_that_come_twice_are_sorted() -> None:
    fields = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
    assert twilio_signature(URL, fields, TOKEN) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (URL.replace(".com", ".com:1234"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (URL.replace("https", "http"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (URL.replace("https", "http").replace(".com", ".com:1234"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ],
)
def test_a_port_more_or_less_does_not_matter(url: str, signature: str) -> None:
    assert is_from_twilio(url, EXAMPLE, signature, TOKEN)


@given(fields=FIELDS, token=st.text(min_size=1), wrong=st.text())
def test_only_the_token_signs(fields: list[tuple[str, str]], token: str, wrong: str) -> None:
    signature = twilio_signature(URL, fields, token)
    assert is_from_twilio(URL, list(reversed(fields)), signature, token)
    assert not is_from_twilio(URL, [*fields, ("Another", "x")], signature, token)
    assert not is_from_twilio(URL + "x", fields, signature, token)
    assert not is_from_twilio(URL, fields, signature, token + "x")
    assert is_from_twilio(URL, fields, wrong, token) == (wrong == signature)


@pytest.mark.parametrize("url", ["", "x", "https://", "https://[::1]:8080/x", "http://a:b@c:d/"])
def test_odd_addresses_do_not_break_it(url: str) -> None:
    assert is_from_twilio(url, [], twilio_signature(url, [], TOKEN), TOKEN)
    assert not is_from_twilio(url, [("a", "\ud800")], "\ud800é", TOKEN)


def test_without_a_token_nothing_is_from_twilio() -> None:
    assert not is_from_twilio(URL, EXAMPLE, twilio_signature(URL, EXAMPLE, ""), "")


@given(fields=st.dictionaries(st.text(min_size=1), st.text()))
def test_the_stub_signs_as_twilio_does(fields: dict[str, str]) -> None:
    stub = TwilioStub(auth_token=TOKEN)
    assert is_from_twilio(URL, list(fields.items()), stub.sign(URL, fields), TOKEN)


SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def _signed(body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    return {
        "Webhook-Id": "m1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("m1", at, body.decode()),
    }


@given(body=st.text().map(str.encode))
def test_generic_signatures(body: bytes) -> None:
    now = datetime.now(UTC)
    headers = _signed(body, now)
    assert verify_generic(SECRET, headers, body)
    assert not verify_generic(SECRET, headers, body + b" ")
    assert not verify_generic("whsec_" + base64.b64encode(b"x" * 24).decode(), headers, body)
    assert not verify_generic(SECRET, _signed(body, now - timedelta(hours=1)), body)
    assert not verify_generic(SECRET, _signed(body, now + timedelta(hours=1)), body)


@given(
    headers=st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()),
    body=st.binary(),
)
def test_odd_signatures_are_no_signatures(headers: dict[str, str], body: bytes) -> None:
    now = str(datetime.now(UTC).timestamp())
    assert not verify_generic(SECRET, headers, body)
    assert not verify_generic(
        SECRET, {"webhook-id": "x", "webhook-signature": "v1,x", **headers, "webhook-timestamp": now}, body
    )


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_*", "é"])
def test_without_a_secret_nothing_is_signed(secret: str) -> None:
    assert not verify_generic(secret, _signed(b"{}", datetime.now(UTC)), b"{}")


# Twilio's forms

TEXT = {"MessageSid": "SM1", "From": "+15550100", "To": "+15550101", "Body": "Hi", "NumMedia": "0"}
STATUS = {"MessageSid": "SM1", "MessageStatus": "delivered"}
CALL = {"CallSid": "CA1", "From": "+15550100", "To": "+15550101", "Direction": "inbound", "CallStatus": "completed"}
RECORDING = {"CallSid": "CA1", "RecordingSid": "RE1", "RecordingUrl": "https://x.test/RE1", "RecordingDuration": "5"}
PARSERS: list[tuple[Callable[[Mapping[str, str]], Any], dict[str, str]]] = [
    (twilio_text, TEXT),
    (twilio_status, STATUS),
    (twilio_call, CALL),
    (twilio_recording, RECORDING),
]


def test_a_text() -> None:
    assert twilio_text(TEXT) == InboundText("SM1", "+15550100", "+15550101", "Hi")


def test_a_text_of_pictures() -> None:
    form = {**TEXT, "Body": "", "NumMedia": "2", "MediaUrl0": "https://x.test/0", "MediaUrl1": "https://x.test/1"}
    assert twilio_text(form).media_urls == ("https://x.test/0", "https://x.test/1")
    with pytest.raises(ValueError, match="MediaUrl2"):
        twilio_text({**form, "NumMedia": "3"})


def test_what_no_database_takes_is_left_out() -> None:
    assert twilio_text({**TEXT, "Body": "a\x00b"}).text == "ab"
    assert parse_generic(b'{"type":"text","id":"1","from":"a","to":"b","text":"a\\u0000b"}') == [
        InboundText("1", "a", "b", "ab")
    ]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("queued", "queued"),
        ("sending", "queued"),
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("undelivered", "undelivered"),
        ("failed", "failed"),
    ],
)
def test_states_of_a_text(said: str, state: str) -> None:
    assert twilio_status({**STATUS, "MessageStatus": said}).state == state


def test_the_error_of_a_text() -> None:
    form = {**STATUS, "MessageStatus": "failed", "ErrorCode": "30003", "ErrorMessage": "Unreachable"}
    assert twilio_status(form) == TextStatus("SM1", "failed", "30003 Unreachable")


@pytest.mark.parametrize(
    ("said", "inbound", "outbound"),
    [
        ("queued", None, None),
        ("ringing", None, None),
        ("in-progress", None, None),
        ("completed", "Completed", "Completed"),
        ("busy", "Busy", "Busy"),
        ("no-answer", "Missed", "NoAnswer"),
        ("failed", "Failed", "Failed"),
        ("canceled", "Missed", "Missed"),
    ],
)
def test_states_of_a_call(said: str, inbound: str | None, outbound: str | None) -> None:
    assert twilio_call({**CALL, "CallStatus": said}).status == inbound
    assert twilio_call({**CALL, "CallStatus": said, "Direction": "outbound-api"}).status == outbound


def test_a_whole_call() -> None:
    form = {
        **CALL,
        "Direction": "outbound-dial",
        "CallDuration": "61",
        "Timestamp": "Wed, 06 May 2026 14:33:01 +0000",
        "CallPrice": "-0.0085",
        "AnsweredBy": "machine_end_beep",
    }
    started_at = datetime(2026, 5, 6, 14, 32, tzinfo=UTC)
    assert twilio_call(form) == InboundCall(
        "CA1", "+15550100", "+15550101", "outbound", "Completed", 61, started_at, 0.0085, True
    )


@pytest.mark.parametrize(("said", "is_machine"), [("human", False), ("fax", True), ("unknown", None), ("", None)])
def test_who_answered(said: str, is_machine: bool | None) -> None:
    assert twilio_call({**CALL, "AnsweredBy": said}).is_machine_answered is is_machine


def test_a_recording() -> None:
    assert twilio_recording(RECORDING) == InboundRecording("CA1", "RE1", "https://x.test/RE1", 5)


OPTIONAL = {"NumMedia", "RecordingDuration"}


@pytest.mark.parametrize(
    ("parse", "form", "field"),
    [(parse, form, field) for parse, form in PARSERS for field in form if field not in OPTIONAL],
)
def test_what_is_missing_is_named(parse: Callable[..., Any], form: dict[str, str], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} "):
        parse({name: value for name, value in form.items() if name != field})


@pytest.mark.parametrize(
    ("parse", "form", "field", "value"),
    [
        (twilio_text, TEXT, "NumMedia", "-1"),
        (twilio_text, TEXT, "NumMedia", "٣"),
        (twilio_text, TEXT, "NumMedia", "999999999"),
        (twilio_text, TEXT, "MessageSid", " "),
        (twilio_status, STATUS, "MessageStatus", "received"),
        (twilio_call, CALL, "CallStatus", "Completed"),
        (twilio_call, CALL, "Direction", "up"),
        (twilio_call, CALL, "CallDuration", "1.5"),
        (twilio_call, CALL, "CallPrice", "nan"),
        (twilio_call, CALL, "CallPrice", "free"),
        (twilio_call, CALL, "Timestamp", "yesterday"),
        (twilio_call, CALL, "Timestamp", "Fri, 31 Dec 9999 23:59:59 -2359"),
        (twilio_call, CALL, "AnsweredBy", "dog"),
        (twilio_recording, RECORDING, "RecordingDuration", "x"),
    ],
)
def test_what_is_wrong_is_named(parse: Callable[..., Any], form: dict[str, str], field: str, value: str) -> None:
    with pytest.raises(ValueError, match="^MediaUrl0 " if value == "999999999" else f"^{field} "):
        parse({**form, field: value})


_NAMES = [*TEXT, *STATUS, *CALL, *RECORDING, "CallDuration", "Timestamp", "CallPrice", "AnsweredBy", "ErrorCode"]
_VALUES = st.one_of(
    st.text(),
    st.sampled_from([*TEXT.values(), *STATUS.values(), *CALL.values(), "outbound-api", "9" * 9, "1e999", "-0.1"]),
    st.datetimes().map(lambda moment: f"{moment:%a, %d %b %Y %H:%M:%S} +0000"),
)


@pytest.mark.parametrize(("parse", "form"), PARSERS)
@given(changes=st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4))
def test_forms_are_read_or_refused(parse: Callable[..., Any], form: dict[str, str], changes: dict[str, str]) -> None:
    refusal = _refusal(lambda: parse({**form, **changes}))
    assert refusal is None or refusal.split(" ")[0] in {*_NAMES, "MediaUrl0"}


def _refusal(read: Callable[[], Any]) -> str | None:
    """Return why something is refused; None when it is read. Any other error is the test's end."""
    try:
        read()
    except ValueError as refusal:
        return str(refusal)
    return None


# The generic webhook

JSON_TEXT = {"type": "text", "id": "m-1", "from": "+15550100", "to": "+15550101", "text": "Hi"}
JSON_STATUS = {"type": "text_status", "id": "m-2", "state": "failed", "error": "gone"}
JSON_CALL = {"type": "call", "id": "c-1", "from": "+15550100", "to": "+15550101", "direction": "inbound"}
JSON_RECORDING = {"type": "recording", "id": "r-1", "callId": "c-1", "url": "https://x.test/r", "durationSeconds": 58}
JSON_EMAIL = {
    "type": "email",
    "from": "Jané <jane@example.com>",
    "to": "adam@example.com",
    "messageId": "<1@example.com>",
}
WHEN = "2026-05-06T16:32:00+02:00"
AT = datetime(2026, 5, 6, 14, 32, tzinfo=UTC)
WHOLE_CALL = {
    **JSON_CALL,
    "status": "VoiceMail",
    "durationSeconds": 61,
    "startedAt": WHEN,
    "price": 0.02,
    "isMachineAnswered": False,
}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (JSON_TEXT, InboundText("m-1", "+15550100", "+15550101", "Hi")),
        (
            {**JSON_TEXT, "mediaUrls": ["https://x.test/0"], "timestamp": WHEN, "more": [1]},
            InboundText("m-1", "+15550100", "+15550101", "Hi", ("https://x.test/0",), AT),
        ),
        (JSON_STATUS, TextStatus("m-2", "failed", "gone")),
        (JSON_CALL, InboundCall("c-1", "+15550100", "+15550101", "inbound")),
        (WHOLE_CALL, InboundCall("c-1", "+15550100", "+15550101", "inbound", "VoiceMail", 61, AT, 0.02, False)),
        (JSON_RECORDING, InboundRecording("c-1", "r-1", "https://x.test/r", 58)),
        ({"type": "email", "raw": base64.b64encode(b"From: x\r\n\r\nHi").decode()}, InboundEmail(b"From: x\r\n\r\nHi")),
    ],
)
def test_events(event: dict[str, Any], expected: Any) -> None:
    assert parse_generic(json.dumps(event).encode()) == [expected]
    assert parse_generic(json.dumps({"events": [event, event]}).encode()) == [expected, expected]


def test_no_events() -> None:
    assert parse_generic(b'{"events": []}') == []


@given(text=st.text(alphabet=st.characters(exclude_characters="\r", codec="utf-8")), subject=st.text())
def test_an_email_of_parts(text: str, subject: str) -> None:
    body = json.dumps({**JSON_EMAIL, "text": text, "subject": subject, "timestamp": WHEN}).encode()
    (event,) = parse_generic(body)
    assert isinstance(event, InboundEmail)
    message = email.message_from_bytes(event.raw, policy=email.policy.default)
    assert list(message.keys())[:5] == ["From", "To", "Subject", "Message-ID", "Date"]
    assert message["From"].addresses[0].addr_spec == "jane@example.com"
    assert message["From"].addresses[0].display_name == "Jané"
    assert message["To"] == "adam@example.com"
    assert message["Message-ID"] == "<1@example.com>"
    assert message["Date"].datetime == AT
    content = message.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode() == text


@pytest.mark.parametrize("subject", ["Hi", "Hé " * 60, "a\r\nBcc: eve@example.com", "=?utf-8?q?x?="])
def test_a_subject_stays_a_subject(subject: str) -> None:
    (event,) = parse_generic(json.dumps({**JSON_EMAIL, "subject": subject}).encode())
    assert isinstance(event, InboundEmail)
    message = email.message_from_bytes(event.raw, policy=email.policy.default)
    assert message["Subject"] == " ".join(subject.split())
    assert message["Bcc"] is None


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({name: value for name, value in JSON_TEXT.items() if name != "from"}, "`from`"),
        ({**JSON_TEXT, "to": ""}, r"\$.to"),
        ({**JSON_TEXT, "id": "a\x00"}, r"\$.id"),
        ({**JSON_TEXT, "text": 5}, r"\$.text"),
        ({**JSON_TEXT, "timestamp": "2026-05-06T14:32:00"}, r"\$.timestamp"),
        ({**JSON_TEXT, "timestamp": "0001-01-01T00:00:00+23:59"}, "timestamp"),
        ({**JSON_TEXT, "type": "fax"}, r"\$.type"),
        ({"id": "1"}, "`type`"),
        ({"events": JSON_TEXT}, "array"),
        ({"events": [JSON_TEXT, {**JSON_STATUS, "state": "lost"}]}, r"\$\[1\].state"),
        ({"events": [JSON_TEXT] * 1001}, "1000"),
        ({**JSON_CALL, "durationSeconds": -1}, "durationSeconds"),
        ({**JSON_CALL, "status": "completed"}, "status"),
        ({**JSON_RECORDING, "callId": None}, "callId"),
        ({"type": "email"}, "from"),
        ({"type": "email", "raw": ""}, "raw"),
        ({"type": "email", "raw": "*"}, "raw"),
        ({**JSON_EMAIL, "to": "adam"}, "to is not"),
        ({**JSON_EMAIL, "from": "a@b\r\nBcc: c@d"}, "from is not"),
        ({**JSON_EMAIL, "messageId": "a b"}, "messageId"),
        ([JSON_TEXT], "object"),
    ],
)
def test_wrong_events_are_named(event: Any, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        parse_generic(json.dumps(event).encode())


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b'{"events":' + b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_generic(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_FIELDS = sorted({*JSON_TEXT, *JSON_STATUS, *WHOLE_CALL, *JSON_RECORDING, *JSON_EMAIL, "raw", "subject", "timestamp"})


@given(
    event=st.sampled_from([JSON_TEXT, JSON_STATUS, WHOLE_CALL, JSON_RECORDING, JSON_EMAIL]),
    changes=st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3),
)
def test_json_is_read_or_refused(event: dict[str, Any], changes: dict[str, Any]) -> None:
    assert _refusal(lambda: parse_generic(json.dumps({**event, **changes}).encode())) != ""


@given(body=st.binary())
def test_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_generic(body)


@given(sender=st.text(), recipient=st.text(), message_id=st.text())
def test_headers_of_an_email_stay_in_their_lines(sender: str, recipient: str, message_id: str) -> None:
    event = {
        "type": "email",
        "from": f"{sender} <a@b.c>",
        "to": f"{recipient} <a@b.c>",
        "messageId": f"<{message_id}@x>",
    }
    try:
        (found,) = parse_generic(json.dumps(event).encode())
    except ValueError:
        return
    assert isinstance(found, InboundEmail)
    assert set(email.message_from_bytes(found.raw).keys()) == {
        "From",
        "To",
        "Subject",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    }


# Words and numbers

WORDS = {
    "stop": ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"],
    "start": ["START", "YES", "UNSTOP"],
    "help": ["HELP", "INFO"],
}
ORDERS = [(order, word) for order, words in WORDS.items() for word in words]
AROUND = st.text(alphabet=" \t\n\u00a0.,!?\"'*_-🛑", max_size=5)


@given(pair=st.sampled_from(ORDERS), before=AROUND, after=AROUND, is_upper=st.lists(st.booleans(), min_size=11))
def test_keywords(pair: tuple[str, str], before: str, after: str, is_upper: list[bool]) -> None:
    order, word = pair
    mixed = "".join(
        letter if upper else letter.lower() for letter, upper in zip(word, is_upper[: len(word)], strict=True)
    )
    assert keyword(f"{before}{mixed}{after}") == order


@given(pair=st.sampled_from(ORDERS), more=st.text(alphabet="abc1é", min_size=1))
def test_a_word_among_others_is_no_order(pair: tuple[str, str], more: str) -> None:
    assert keyword(f"{pair[1]} {more}") is None
    assert keyword(f"{more} {pair[1]}") is None


@pytest.mark.parametrize(
    "text", ["", "...", "Please stop", "stop it", "ſtop", "ST OP", "1", "yes please", "x" * 100_000]
)
def test_what_is_no_order(text: str) -> None:
    assert keyword(text) is None


@pytest.mark.parametrize(
    ("number", "region", "expected"),
    [
        ("(415) 867-5309", "US", "+14158675309"),
        ("+1 415 867 5309", "DE", "+14158675309"),
        ("030 901820", "DE", "+4930901820"),
        ("+4930901820", "", "+4930901820"),
        ("030 901820", "XX", None),
        ("12345", "US", "12345"),
        ("123-456", "US", "123456"),
        ("911", "US", "911"),
        ("12", "US", None),
        ("", "US", None),
        ("ACME", "US", None),
        ("+1", "US", None),
        ("9" * 300, "US", None),
    ],
)
def test_numbers(number: str, region: str, expected: str | None) -> None:
    assert e164(number, region) == expected


@given(number=st.text(alphabet="+0123456789 ()-.x;=tel:é"), region=st.sampled_from(["US", "DE", "", "XX"]))
def test_a_number_is_a_number_or_none(number: str, region: str) -> None:
    found = e164(number, region)
    assert found is None or (found.removeprefix("+").isdecimal() and e164(found, "US") == found)
