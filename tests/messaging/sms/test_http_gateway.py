"""Texts over a gateway that the settings describe."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.receiver import Receiver

from rooftree.messaging.model import OutgoingText, ProviderError, Receipt
from rooftree.messaging.providers.http import HttpGateway, render

NOW = datetime(2026, 5, 6, tzinfo=UTC)
TEXT = OutgoingText(id=7, team_id=3, sender="+15550100", recipient="+15550101", text='Say "hi" & go', created_at=NOW)
BODY = '{"from": "{from}", "to": "{to}", "text": "{text}", "id": "{id}"}'
FORM = json.dumps({"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
SECRET = json.dumps({"Authorization": "Bearer s3cret-of-the-gateway"})


def _gateway(
    url: str, *, headers: str = "", body: str = BODY, id_path: str = "id", patience: float = 15
) -> HttpGateway:
    return HttpGateway(url=url, headers=headers, body=body, id_path=id_path, timeout_seconds=patience)


async def _send(url: str, **description: Any) -> Receipt:
    gateway = _gateway(url, **description)
    try:
        return await gateway.send(TEXT)
    finally:
        await gateway.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def test_a_text_goes_out_as_json(receiver: Receiver) -> None:
    receiver.answer(202, {"id": "g-1"})
    assert await _send(f"{receiver.url}/send?a=b", headers=SECRET) == Receipt("g-1", "sent")
    (request,) = receiver.requests
    assert (request.method, request.path, request.query) == ("POST", "/send", (("a", "b"),))
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer s3cret-of-the-gateway"
    assert request.headers["idempotency-key"] == "3-7"
    assert request.json() == {"from": "+15550100", "to": "+15550101", "text": 'Say "hi" & go', "id": "7"}


async def test_a_text_goes_out_as_a_form(receiver: Receiver) -> None:
    await _send(receiver.url, headers=FORM, body="to={to}&from={from}&message={text}")
    (request,) = receiver.requests
    assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert request.form() == {"to": "+15550101", "from": "+15550100", "message": 'Say "hi" & go'}


PIECES = st.lists(st.sampled_from(["{text}", "{to}", "{from}", "{id}", "{", "}", '"', "\\", "&", "%", "x", "é", "😀"]))
WORDS = st.one_of(st.text(), PIECES.map("".join))


@given(words=WORDS)
def test_values_come_out_of_json_as_they_went_in(words: str) -> None:
    text = msgspec.structs.replace(TEXT, text=words)
    filled = json.loads(render('{"a": {"b": ["{text}", "{x}", {id}]}, "{to}": "{}"}', text, is_form=False))
    assert filled == {"a": {"b": [words, "{x}", 7]}, "+15550101": "{}"}


@given(words=WORDS.filter(bool))
def test_values_come_out_of_a_form_as_they_went_in(words: str) -> None:
    filled = render("m={text}&to={to}&x={y}", msgspec.structs.replace(TEXT, text=words), is_form=True)
    assert parse_qsl(filled, strict_parsing=True) == [("m", words), ("to", "+15550101"), ("x", "{y}")]


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        ("id", {"id": 5}, "5"),
        ("data.message.id", {"data": {"message": {"id": "x"}}}, "x"),
        ("messages.0.id", {"messages": [{"id": "x"}]}, "x"),
        ("messages.1.id", {"messages": [{"id": "x"}]}, None),
        ("id", {"id": True}, None),
        ("id", {"id": None}, None),
        ("id", {"id": ""}, None),
        ("id.id", {"id": "x"}, None),
        ("id", "OK", None),
        ("id", b"\xff", None),
        ("id", "[" * 100_000, None),
        ("", {"": "x"}, None),
    ],
)
async def test_the_id_is_found_in_the_answer(receiver: Receiver, path: str, answer: Any, expected: str | None) -> None:
    receiver.answer(200, answer)
    assert await _send(receiver.url, id_path=path) == Receipt(expected)


async def _refused(url: str, **description: Any) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await _send(url, **description)
    assert len(raised.value.reason) <= 500
    assert "s3cret" not in raised.value.reason
    return raised.value


@pytest.mark.parametrize(
    ("status", "is_permanent"), [(400, True), (401, True), (422, True), (429, False), (500, False), (503, False)]
)
async def test_refusals(receiver: Receiver, status: int, is_permanent: bool) -> None:
    receiver.answer(status, "no\n Bearer s3cret-of-the-gateway s3cret-in-url " * 50, {"Retry-After": "9"})
    error = await _refused(f"{receiver.url}?key=s3cret-in-url", headers=SECRET)
    assert (error.is_permanent, error.retry_after_seconds) == (is_permanent, None if is_permanent else 9)
    assert error.reason.startswith(f"HTTP {status}: no *** ***")


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        pytest.param(format_datetime(datetime.now(UTC) + timedelta(days=2)), 86_400, 200_000, id="a date"),
        ("Wed, 06 May 2020 12:00:00 GMT", 0, 0),
        ("soon", None, None),
        ("-5", None, None),
        ("1e9999", None, None),
        ("9" * 400, None, None),
    ],
)
async def test_retry_after(receiver: Receiver, header: str, least: float | None, most: float | None) -> None:
    receiver.answer(503, "", {"Retry-After": header})
    found = (await _refused(receiver.url)).retry_after_seconds
    if least is None or most is None:
        assert found is None
    else:
        assert found is not None
        assert least <= found <= most


async def test_silence_and_hanging_up_are_temporary(receiver: Receiver) -> None:
    receiver.lose_answers()
    assert not (await _refused(receiver.url)).is_permanent
    receiver.hang()
    assert not (await _refused(receiver.url, patience=0.05)).is_permanent


async def test_an_unreadable_answer_is_temporary(receiver: Receiver) -> None:
    receiver.answer(200, b"not gzip", {"content-encoding": "gzip"})
    assert not (await _refused(receiver.url)).is_permanent


async def test_after_a_failure_the_same_key_is_sent(receiver: Receiver) -> None:
    receiver.fail_times(1, 503)
    assert not (await _refused(receiver.url)).is_permanent
    await _send(receiver.url)
    assert [request.headers["idempotency-key"] for request in receiver.requests] == ["3-7", "3-7"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    async with Receiver() as elsewhere:
        receiver.redirect(f"{elsewhere.url}/s3cret", status)
        error = await _refused(receiver.url)
        assert elsewhere.requests == []
    assert (error.is_permanent, error.reason) == (True, f"HTTP {status}: a redirect, which is not followed")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"url": ""}, "sms_http_url must be an address"),
        ({"url": "gateway.example.com/x"}, "sms_http_url must be an address"),
        ({"url": "ftp://example.com"}, "sms_http_url must be an address"),
        ({"url": "https://[x"}, "sms_http_url must be an address"),
        ({"headers": "Authorization: Bearer x"}, "must be a JSON object of texts"),
        ({"headers": '{"X-Number": 5}'}, "must be a JSON object of texts"),
        ({"headers": "[" * 100_000}, "must be a JSON object of texts"),
        ({"headers": json.dumps({"A b": "x"})}, "'A b' is not a header"),
        ({"headers": json.dumps({"A": "x\r\nB: y"})}, "'A' is not a header"),
        ({"headers": json.dumps({"Idempotency-Key": "x"})}, "Idempotency-Key is written by the server"),
        ({"headers": json.dumps({"content-type": "text/xml"})}, "Content-Type must be application/json or"),
        ({"body": "{}"}, "must have {text} and {to} in it"),
        ({"body": '{"to": "{to}"}'}, "must have {text} in it"),
        ({"body": '{"to": "{to}", "text": {text}}'}, "is not JSON once filled in"),
        ({"body": "to={to}&text={text}"}, "let sms_http_headers say Content-Type: application/x-www-form-urlencoded"),
        ({"id_path": "data..id"}, "sms_http_id must be a path"),
    ],
)
def test_the_description_is_checked(wrong: dict[str, str], sentence: str) -> None:
    named: dict[str, Any] = {"url": "https://example.com", **wrong}
    with pytest.raises(ValueError) as raised:
        _gateway(**named)
    assert sentence in str(raised.value)


def test_the_error_names_a_header_but_not_its_value() -> None:
    with pytest.raises(ValueError) as raised:
        _gateway("https://example.com", headers=json.dumps({"Authorization": "s3cret\n"}))
    assert "s3cret" not in str(raised.value)
