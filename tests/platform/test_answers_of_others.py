"""What other services answer is read up to a limit."""

import httpx
import pytest
from tests.support.receiver import Receiver

from rooftree.platform.answers_of_others import AnswerTooLong, ask_bounded


async def test_an_answer_is_read_whole_or_not_at_all() -> None:
    async with Receiver() as service, httpx.AsyncClient(trust_env=False) as http:
        service.answer(200, {"text": "x" * 1000}, {"X-Kept": "yes"})
        asked = http.build_request("POST", service.url, json={})
        answer = await ask_bounded(http, asked, limit_bytes=2000)
        assert (answer.json(), answer.headers["x-kept"]) == ({"text": "x" * 1000}, "yes")
        with pytest.raises(AnswerTooLong):
            await ask_bounded(http, asked, limit_bytes=500)


async def test_what_inflates_is_counted_inflated() -> None:
    def bomb(_: httpx.Request) -> httpx.Response:
        import gzip  # noqa: PLC0415

        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(bytes(10_000_000)))

    async with httpx.AsyncClient(transport=httpx.MockTransport(bomb)) as http:
        with pytest.raises(AnswerTooLong):
            await ask_bounded(http, http.build_request("GET", "http://x.test"), limit_bytes=1_000_000)
