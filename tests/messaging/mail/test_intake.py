"""Reading what comes in: bounces, replies, automatic answers, and anything at all."""

from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.messaging.intake import ReturnAddresses, parse_mail

RETURNS = ReturnAddresses(b"secret", "In.Example.test")


def _mail(text: str = "Hi", **headers: str) -> bytes:
    message = EmailMessage()
    for name, value in {"From": "Jané <Jane@Example.com>", "To": "a@b.test", **headers}.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def test_a_reply() -> None:
    quoted = "Yes, please.\n\nOn Wed, May 6, 2026 at 2:32 PM Adam <adam@example.com> wrote:\n> Shall we meet?\n> Adam\n"
    found = parse_mail(
        _mail(
            quoted,
            Subject="Re: Grüße",
            Message_ID="<r1@example.com>",
            In_Reply_To="<7.3@in.example.test>",
            References="<1@x> <7.3@in.example.test>",
            Date="Wed, 06 May 2026 16:00:00 +0200",
        )
    )
    assert (found.kind, found.sender, found.sender_name) == ("reply", "jane@example.com", "Jané")
    assert (found.subject, found.text, found.message_id) == ("Re: Grüße", "Yes, please.", "<r1@example.com>")
    assert "Shall we meet?" in found.full_text
    assert found.references == ("<1@x>", "<7.3@in.example.test>", "<7.3@in.example.test>")
    assert found.sent_at == datetime(2026, 5, 6, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    "headers", [{"Auto_Submitted": "auto-replied"}, {"Precedence": "bulk"}, {"X_Autoreply": "yes"}]
)
def test_an_automatic_answer_is_no_reply(headers: dict[str, str]) -> None:
    assert parse_mail(_mail("I am away", **headers)).kind == "auto"
    assert parse_mail(_mail("I am here", Auto_Submitted="no")).kind == "reply"


def _report(action: str, status: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.test\r\nTo: x@in.example.test\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n'
        "--x\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n"
        f"Final-Recipient: rfc822; Jane@example.com\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 no such\r\n user\r\n\r\n"
        "--x\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <7.3@in.example.test>\r\nSubject: Hi\r\n\r\nHi\r\n"
        "--x--\r\n"
    ).encode()


def test_a_bounce_names_address_reason_and_message() -> None:
    found = parse_mail(_report("failed", "5.1.1"))
    (one,) = found.bounced
    assert found.kind == "bounce"
    assert (one.recipient, one.is_permanent, one.status) == ("jane@example.com", True, "5.1.1")
    assert one.reason == "5.1.1 550 no such user"
    assert one.original_message_id == "<7.3@in.example.test>"


@pytest.mark.parametrize(("action", "status"), [("delayed", "4.4.1"), ("failed", "4.2.2")])
def test_a_delay_is_not_for_good(action: str, status: str) -> None:
    (one,) = parse_mail(_report(action, status)).bounced
    assert one.is_permanent is False


def test_html_alone_is_read_as_text() -> None:
    message = EmailMessage()
    message["From"] = "a@b.test"
    message.set_content("<p>One</p><p>Two &amp; three</p>", subtype="html")
    assert parse_mail(message.as_bytes()).text.split() == ["One", "Two", "&", "three"]


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    _check(parse_mail(raw))


HEADERS = st.sampled_from(["From", "To", "Subject", "Date", "Message-ID", "References", "Content-Type", "Precedence"])
VALUES = st.text(max_size=60) | st.sampled_from(
    [
        "multipart/report; boundary=x",
        "text/plain; charset=nonsense",
        "multipart/mixed",
        "message/rfc822",
        "=?utf-8?b?!!!?=",
        '"',
        "<<>>",
        "Wed, 99 Foo 2026",
    ]
)


@given(st.lists(st.tuples(HEADERS, VALUES), max_size=8), st.binary(max_size=500))
def test_any_headers_are_read(headers: list[tuple[str, str]], body: bytes) -> None:
    head = "\r\n".join(f"{name}: {value}" for name, value in headers).encode("utf-8", "replace")
    _check(parse_mail(head + b"\r\n\r\n" + body))


def _check(found: Any) -> None:
    assert found.kind in {"bounce", "reply", "auto"}
    for text in (found.sender, found.subject, found.text, found.full_text):
        assert "\0" not in text
        text.encode()
    assert found.sent_at is None or found.sent_at.tzinfo is not None


@given(st.sampled_from(["bounce", "reply"]), st.integers(1, 2**53), st.integers(1, 2**53))
def test_a_return_address_names_its_message_in_any_case(kind: str, team_id: int, message_id: int) -> None:
    address = RETURNS.address(kind, team_id, message_id)
    assert len(address.partition("@")[0]) <= 64
    for one in (address, address.upper(), f" {address.title()} "):
        assert RETURNS.open(one) == (kind, team_id, message_id)


@given(st.text(max_size=80), st.integers(0, 60), st.characters(categories=["Ll", "Nd"]))
def test_a_forged_address_names_nothing(text: str, place: int, letter: str) -> None:
    assert RETURNS.open(text) is None
    address = RETURNS.address("reply", 3, 7)
    forged = address[:place] + letter + address[place + 1 :]
    assert forged.lower() == address or RETURNS.open(forged) is None
    assert ReturnAddresses(b"other", "in.example.test").open(address) is None
