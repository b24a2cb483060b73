"""Texts over Twilio, against a server that behaves as its Messages API."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.receiver import Receiver, StubText, TwilioStub

from rooftree.messaging.model import OutgoingText, ProviderError, Receipt
from rooftree.messaging.providers.twilio import TakenSids, Twilio

NOON = datetime(2026, 5, 6, 12, 0, 0, 500_000, tzinfo=UTC)
TEXT = OutgoingText(
    id=7,
    team_id=3,
    sender="+15550100",
    recipient="+15550101",
    text="On my way",
    created_at=NOON,
    status_url="https://x.test/s",
)
AGAIN = msgspec.structs.replace(TEXT, tried_at=NOON)


def _sent(**fields: Any) -> dict[str, Any]:
    return {"sender": TEXT.sender, "recipient": TEXT.recipient, "body": TEXT.text, "created_at": NOON, **fields}


@asynccontextmanager
async def _twilio(
    stub: Receiver, *, taken_sids: TakenSids | None = None, timeout_seconds: float = 15, **settings: str
) -> AsyncGenerator[Twilio]:
    named: dict[str, Any] = {"account_sid": "AC" + "0" * 32, "auth_token": "token-of-the-account", **settings}
    twilio = Twilio(url=stub.url, timeout_seconds=timeout_seconds, taken_sids=taken_sids, **named)
    try:
        yield twilio
    finally:
        await twilio.close()


@pytest.fixture
async def stub() -> AsyncIterator[TwilioStub]:
    async with TwilioStub() as stub:
        yield stub


async def _refused(stub: Receiver, text: OutgoingText = TEXT, **settings: Any) -> ProviderError:
    async with _twilio(stub, **settings) as twilio:
        with pytest.raises(ProviderError) as raised:
            await twilio.send(text)
    assert raised.value.reason == str(raised.value)
    assert len(raised.value.reason) <= 500
    assert "token-of-the-account" not in raised.value.reason
    return raised.value


async def test_a_text_goes_out(stub: TwilioStub) -> None:
    async with _twilio(stub) as twilio:
        assert await twilio.send(TEXT) == Receipt("SM" + "1".zfill(32), "sent")
    assert [request.method for request in stub.requests] == ["POST"], "a first attempt asks nothing"
    assert stub.requests[0].form() == {
        "To": "+15550101",
        "From": "+15550100",
        "Body": "On my way",
        "StatusCallback": "https://x.test/s",
    }


async def test_without_a_status_address_none_is_named(stub: TwilioStub) -> None:
    async with _twilio(stub) as twilio:
        await twilio.send(msgspec.structs.replace(TEXT, status_url=None))
    assert set(stub.requests[0].form()) == {"To", "From", "Body"}


@given(body=st.text(min_size=1))
async def test_any_words_arrive_as_they_are(body: str) -> None:
    async with TwilioStub() as stub, _twilio(stub) as twilio:
        await twilio.send(msgspec.structs.replace(TEXT, text=body))
    assert [message.body for message in stub.messages] == [body]


@pytest.mark.parametrize("body", ["On my way", "On my way ", "Sent from your Twilio trial account - On my way"])
@pytest.mark.parametrize("seconds", [-60, 0, 1, 86_400])
async def test_a_text_that_went_out_is_adopted(stub: TwilioStub, body: str, seconds: int) -> None:
    created_at = NOON.replace(microsecond=0) + timedelta(seconds=seconds)
    message = stub.add(**_sent(body=body, created_at=created_at))
    async with _twilio(stub) as twilio:
        assert await twilio.send(AGAIN) == Receipt(message.sid)
    assert stub.created == 0


@pytest.mark.parametrize(
    "other",
    [
        {"body": "On my way!"},
        {"recipient": "+15550102"},
        {"sender": "+15550109"},
        {"created_at": NOON - timedelta(seconds=62)},
        {"direction": "outbound-reply"},
    ],
    ids=str,
)
async def test_another_text_is_not_adopted(stub: TwilioStub, other: dict[str, Any]) -> None:
    message = stub.add(**_sent(**other))
    async with _twilio(stub) as twilio:
        receipt = await twilio.send(AGAIN)
    assert receipt.provider_id != message.sid
    assert stub.created == 1


async def test_a_lost_answer_does_not_send_twice(stub: TwilioStub) -> None:
    stub.lose_answers()
    async with _twilio(stub) as twilio:
        with pytest.raises(ProviderError) as raised:
            await twilio.send(TEXT)
        assert not raised.value.is_permanent
        again = msgspec.structs.replace(TEXT, tried_at=stub.messages[0].created_at)
        assert await twilio.send(again) == Receipt(stub.messages[0].sid)
    assert len(stub.messages) == 1


async def test_the_callback_runs_when_twilio_has_the_text_and_we_do_not_know(stub: TwilioStub) -> None:
    seen: list[tuple[str, list[StubText]]] = []
    stub.on_request = lambda request: seen.append(("before", list(stub.messages)))
    answered = asyncio.Event()
    stub.after_answer = lambda request: answered.set()
    async with _twilio(stub) as twilio:
        receipt = await twilio.send(TEXT)
        await answered.wait()
    assert [(when, [message.sid for message in messages]) for when, messages in seen] == [
        ("before", [receipt.provider_id])
    ]


async def test_all_pages_are_looked_at(stub: TwilioStub) -> None:
    stub.page_size = 2
    message = stub.add(**_sent())
    for number in range(6):
        stub.add(**_sent(body=f"Text {number}"))
    async with _twilio(stub) as twilio:
        assert await twilio.send(AGAIN) == Receipt(message.sid)
    assert len(stub.requests) == 4


async def test_the_same_words_sent_twice_on_purpose_are_two_texts(stub: TwilioStub) -> None:
    """The first is recorded; the second never reached Twilio, and is sent."""
    first = stub.add(**_sent())
    asked: list[tuple[int, list[str]]] = []

    async def taken(team_id: int, sids: Sequence[str]) -> Collection[str]:
        asked.append((team_id, list(sids)))
        return {first.sid}

    async with _twilio(stub, taken_sids=taken) as twilio:
        receipt = await twilio.send(AGAIN)
    assert asked == [(3, [first.sid])]
    assert receipt.provider_id == stub.messages[1].sid != first.sid


@given(texts=st.lists(st.booleans(), min_size=1, max_size=5))
async def test_equal_texts_are_as_many_at_twilio_as_we_have_messages(texts: list[bool]) -> None:
    """Whichever attempts reached Twilio before their worker died: each message ends with an SID of its own."""
    held: set[str] = set()

    async def taken(_: int, sids: Sequence[str]) -> Collection[str]:
        return held & set(sids)

    async with TwilioStub() as stub, _twilio(stub, taken_sids=taken) as twilio:
        for has_arrived in texts:
            if has_arrived:
                stub.add(**_sent())
        for _ in texts:
            held.add((await twilio.send(AGAIN)).provider_id or "")
    assert held == {message.sid for message in stub.messages}
    assert len(held) == len(texts)


async def test_in_doubt_a_text_is_not_repeated(stub: TwilioStub) -> None:
    """Nobody knows what other messages hold: the oldest one is taken for ours."""
    first, second = stub.add(**_sent()), stub.add(**_sent(created_at=NOON + timedelta(seconds=9)))
    async with _twilio(stub) as twilio:
        assert await twilio.send(AGAIN) == Receipt(first.sid)
    assert stub.messages == [first, second]


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_nothing_is_sent_while_twilio_cannot_be_asked(stub: TwilioStub, status: int) -> None:
    stub.fail_times(1, status)
    error = await _refused(stub, AGAIN)
    assert not error.is_permanent
    assert stub.created == 0


@pytest.mark.parametrize("page", ["[]", "not JSON", {"messages": [{}]}])
async def test_nothing_is_sent_when_the_list_is_unreadable(page: Any) -> None:
    async with Receiver() as odd:
        odd.answer(200, page)
        assert not (await _refused(odd, AGAIN)).is_permanent
        assert [request.method for request in odd.requests] == ["GET"]


@pytest.mark.parametrize("elsewhere", ["https://example.com/x", "//example.com/x", "x"])
async def test_the_list_does_not_lead_elsewhere(elsewhere: str) -> None:
    async with Receiver() as odd:
        odd.answer(200, {"messages": [], "next_page_uri": elsewhere})
        assert "another host" in (await _refused(odd, AGAIN)).reason


async def test_a_list_in_a_circle_ends() -> None:
    async with Receiver() as odd:
        odd.answer(200, {"messages": [], "next_page_uri": "/more", "sid": "SM1"})
        async with _twilio(odd) as twilio:
            assert await twilio.send(AGAIN) == Receipt("SM1")
        assert [request.method for request in odd.requests] == ["GET", "GET", "POST"]


async def test_a_message_without_a_date_is_ours() -> None:
    async with Receiver() as odd:
        odd.answer(200, {"messages": [{"sid": "SM9", "body": TEXT.text}]})
        async with _twilio(odd) as twilio:
            assert await twilio.send(AGAIN) == Receipt("SM9")


async def test_who_opted_out_is_left_alone(stub: TwilioStub) -> None:
    stub.opted_out.add(TEXT.recipient)
    error = await _refused(stub)
    assert error.is_permanent
    assert error.reason == "HTTP 400: 21610 Attempt to send to unsubscribed recipient"


async def test_a_wrong_token_is_permanent_and_not_told(stub: TwilioStub) -> None:
    error = await _refused(stub, auth_token="another-secret-token")
    assert error.is_permanent
    assert error.reason == "HTTP 401: 20003 Authenticate"


@pytest.mark.parametrize(
    ("status", "body", "is_permanent"),
    [
        (400, {"code": 21211, "message": "Invalid 'To' Phone Number"}, True),
        (404, "gone", True),
        (429, {"code": 20429, "message": "Too many requests"}, False),
        (429, "slow down", False),
        (400, {"code": 20429, "message": "Too many requests"}, False),
        (500, {"code": 20500, "message": "Internal"}, False),
        (502, "<html>", False),
        (503, "[" * 100_000, False),
        (400, {"code": "x", "message": 5}, True),
        (400, b"\xff\xfe\x00", True),
        (400, "token-of-the-account " * 100, True),
    ],
)
async def test_refusals(stub: TwilioStub, status: int, body: Any, is_permanent: bool) -> None:
    stub.fail_times(1, status, body, {"Retry-After": "17"})
    error = await _refused(stub)
    assert error.is_permanent == is_permanent
    assert error.retry_after_seconds == (None if is_permanent else 17)
    assert "\x00" not in error.reason


async def test_silence_is_temporary(stub: TwilioStub) -> None:
    stub.hang()
    error = await _refused(stub, timeout_seconds=0.05)
    assert (error.is_permanent, error.reason) == (False, "no answer within 0.05 seconds")


async def test_nobody_there_is_temporary(stub: TwilioStub) -> None:
    async with TwilioStub() as gone:
        pass
    assert not (await _refused(gone)).is_permanent


async def test_a_success_without_an_sid_is_looked_up_again() -> None:
    async with Receiver() as odd:
        odd.answer(200, "<html>Welcome</html>")
        error = await _refused(odd)
    assert (error.is_permanent, error.reason) == (False, "the answer names no message")


async def test_redirects_are_not_followed() -> None:
    async with Receiver() as odd, Receiver() as elsewhere:
        odd.redirect(elsewhere.url, 307)
        assert (await _refused(odd)).is_permanent
        assert elsewhere.requests == []


async def test_a_client_of_the_caller_stays_open(stub: TwilioStub) -> None:
    async with httpx.AsyncClient() as http:
        twilio = Twilio(
            url=stub.url, account_sid=stub.account_sid, auth_token=stub.auth_token, timeout_seconds=15, http=http
        )
        await twilio.close()
        assert not http.is_closed


@pytest.mark.parametrize(
    "wrong",
    [{"url": "api.twilio.com"}, {"url": "https://["}, {"account_sid": ""}, {"account_sid": "../x"}, {"auth_token": ""}],
)
def test_settings_are_checked(wrong: dict[str, str]) -> None:
    named: dict[str, Any] = {"url": "https://api.twilio.com", "account_sid": "AC0", "auth_token": "x", **wrong}
    with pytest.raises(ValueError, match=f"twilio_{next(iter(wrong))}"):
        Twilio(**named, timeout_seconds=15)
