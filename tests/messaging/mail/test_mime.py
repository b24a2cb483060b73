"""MIME: any words in any header, and nobody adds headers of their own."""

import email
import email.policy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.messaging.mime import bodies_of, mime_of, with_unsubscribe
from rooftree.messaging.model import OutgoingEmail

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
URL = "https://crm.example.test/rooftree/v1/unsubscribe/" + "x" * 120


def _email(**fields: Any) -> OutgoingEmail:
    given_fields: dict[str, Any] = {
        "id": 7,
        "message_id": "<7.3@in.example.test>",
        "sender": "adam@example.com",
        "sender_name": "Adam",
        "envelope_sender": "b@in.example.test",
        "recipient": "jane@example.com",
        "subject": "Hello",
        "text": "Text",
        "created_at": NOON,
    }
    return OutgoingEmail(**{**given_fields, **fields})


def _read(outgoing: OutgoingEmail) -> email.message.EmailMessage:
    raw = mime_of(outgoing).as_bytes(policy=email.policy.SMTP)
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300)


#: The standard library folds longer names of such letters with a blank inside: ugly, and nothing is lost.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12)


@given(WORDS, NAMES, WORDS)
def test_any_words_come_through(subject: str, name: str, text: str) -> None:
    message = _read(_email(subject=subject, sender_name=name, recipient_name=name, text=text))
    assert str(message["Subject"]).split() == subject.split()
    assert message["From"].addresses[0].addr_spec == "adam@example.com"
    assert message["From"].addresses[0].display_name.split() == name.split()
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().rstrip() == text.rstrip()


@given(st.text(max_size=60), st.text(max_size=60))
def test_nobody_adds_headers(before: str, after: str) -> None:
    evil = f"{before}\r\nBcc: everybody@example.com\r\n\r\n{after}"
    message = _read(_email(subject=evil, sender_name=evil, recipient_name=evil))
    assert message["Bcc"] is None
    assert set(message.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    }


def test_text_and_html_and_one_click() -> None:
    text, html = with_unsubscribe(*bodies_of("<p>Hello <b>Jané</b></p>"), URL)
    message = _read(_email(text=text, html=html, unsubscribe_url=URL, reply_to=("a@example.com", "r@in.example.test")))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert str(message["List-Unsubscribe"]).replace(" ", "") == f"<{URL}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [one.addr_spec for one in message["Reply-To"].addresses] == ["a@example.com", "r@in.example.test"]
    assert message["Date"].datetime == NOON
    assert URL in text
    assert html is not None
    assert URL in html


def test_lines_are_as_long_as_smtp_allows() -> None:
    raw = mime_of(_email(subject="é" * 400, text="x" * 5000 + "é", unsubscribe_url=URL)).as_bytes()
    assert max(len(line) for line in raw.splitlines()) <= 998
    assert raw.isascii(), "goes through any server"


@pytest.mark.parametrize(
    ("body", "text", "is_html"),
    [
        ("Hello", "Hello", False),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3", False),
        ("<p>One</p><p>Two</p>", "One", True),
        ("Line<br>break", "Line", True),
    ],
)
def test_html_is_known_by_its_tags(body: str, text: str, is_html: bool) -> None:
    plain, html = bodies_of(body)
    assert plain.strip().startswith(text)
    assert (html == body) if is_html else (html is None)


def test_the_way_out_stands_inside_the_body() -> None:
    _, html = with_unsubscribe("x", "<html><body><p>Hi</p></body></html>", URL)
    assert html is not None
    assert html.index(URL) < html.index("</body>")
