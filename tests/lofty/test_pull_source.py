"""How a source is asked."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from tests.support.faulty import FAULTS, faulty

from rooftree.lofty.source import Refused, Source, SourceError, seconds_of, seconds_until

KEY = "eyJhbGciOiJub25lIn0.e30.x"


def test_how_long_headers_ask_to_wait() -> None:
    assert seconds_of("7") == 7
    assert seconds_of(None) is seconds_of("soon") is None
    in_a_minute = seconds_of(format_datetime(datetime.now(UTC) + timedelta(minutes=1)))
    assert in_a_minute is not None
    assert 50 < in_a_minute <= 60
    assert seconds_of(format_datetime(datetime.now(UTC) - timedelta(minutes=1))) == 0
    assert seconds_until("1800000030", 1_800_000_000) == 30
    assert seconds_until("1700000000", 1_800_000_000) == 0
    assert seconds_until("21000", 1_800_000_000) == 21  # the published sample: what is left, in milliseconds
    assert seconds_until("", 0) is None


def answering(status: int, *, content: bytes = b"{}", headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A server that always says the same."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content, headers=headers))
    return httpx.AsyncClient(transport=transport, base_url="http://there.test")


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, b'{"code": 900401, "message": "no"}', "refuses the key"),
        (400, b'{"code": 200058, "message": "User in token does not exist."}', "refuses the key"),
        (302, b"", "--base-url"),
    ],
)
async def test_what_nothing_can_be_done_about_is_said_at_once(status: int, body: bytes, says: str) -> None:
    async with faulty(answering(status, content=body)) as proxy, Source(proxy.url, KEY) as source:
        with pytest.raises(SourceError, match=says) as raised:
            await source.get("/v1.0/me")
        assert KEY not in str(raised.value)
        assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "is_offered"), [(501, 900501, False), (403, 1, False), (404, 404, False), (404, 20006, True)]
)
async def test_a_refusal_is_about_one_thing_or_about_all(status: int, code: int, is_offered: bool) -> None:
    body = b'{"code": %d, "message": "no"}' % code
    async with faulty(answering(status, content=body)) as proxy, Source(proxy.url, KEY) as source:
        with pytest.raises(Refused) as raised:
            await source.get("/v1.0/me")
        assert raised.value.is_offered == is_offered


async def test_an_answer_is_asked_for_until_it_is_whole() -> None:
    async with faulty(answering(200, content=b'{"a": "\\u0000b"}'), every=2) as proxy, Source(proxy.url, KEY) as source:
        assert [await source.get("/x") for _ in range(9)] == [{"a": "b"}] * 9
        assert source.retries > 0
        assert set(proxy.gone_wrong) == set(FAULTS)


async def test_a_limit_is_kept_and_a_spent_window_waited_for() -> None:
    async with faulty(answering(200)) as proxy, Source(proxy.url, KEY, requests_per_minute=1200) as source:
        for _ in range(3):
            await source.get("/x")
        assert source.waited_seconds > 0
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "200"}
    async with faulty(answering(200, headers=spent)) as proxy, Source(proxy.url, KEY) as source:
        await source.get("/x")
        assert source.waited_seconds == 0
        await source.get("/x")
        assert source.waited_seconds > 0


async def test_a_source_that_is_gone_for_good_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooftree.lofty.source._LONGEST_PAUSE_SECONDS", 0.001)
    async with faulty(answering(503)) as proxy, Source(proxy.url, KEY) as source:
        with pytest.raises(SourceError, match="it answers 503"):
            await source.get("/x")
    async with Source(proxy.url, KEY) as source:
        with pytest.raises(SourceError, match="again to go on"):
            await source.get("/x")
