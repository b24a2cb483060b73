"""ETag, If-None-Match and If-Match on notes. See ADR 0020."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People


class Sender:
    """Speaks as Adam, with headers."""

    def __init__(self, client: Client, people: People) -> None:
        self._client = client
        self._credential = {"Authorization": f"Bearer {people.adam.key}"}

    async def __call__(self, method: str, url: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send one request; `if_match` is the header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.send(method, url, body, headers={**self._credential, **named})


@pytest.fixture
def send(client: Client, people: People) -> Sender:
    """Speaks as Adam."""
    return Sender(client, people)


@pytest.fixture
async def url(make: Make) -> str:
    """A note on a lead of Adam's."""
    return f"/v1.0/notes/{await make.note(await make.lead(ownershipScope='TEAM'), 'first')}"


async def test_a_note_has_a_version(send: Sender, url: str, make: Make, people: People) -> None:
    first = await send("GET", url)
    tag = first.headers["etag"]
    again = await send("GET", url.replace("notes/", "notes/note_"), if_none_match=f'"x",W/{tag}')
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await send("PUT", url, {"content": "second", "isPin": True})
    await send("PUT", url, {"content": "first", "isPin": False})
    back = await send("GET", url)
    assert back.headers["etag"] != tag, "a change and its reversal are seen"
    await make.rows("UPDATE member SET last_name = 'New' WHERE id = $1 RETURNING 1", people.adam.id)
    renamed = await send("GET", url)
    assert renamed.headers["etag"] != back.headers["etag"], "the writer's name is shown"


@pytest.mark.parametrize(("method", "body"), [("PUT", {"content": "second"}), ("DELETE", None)])
async def test_a_write_may_depend_on_it(send: Sender, url: str, method: str, body: Any) -> None:
    before = await send("GET", url)
    tag = before.headers["etag"]
    for named in ('"x"', f"W/{tag}"):
        refused = await send(method, url, body, if_match=named)
        assert (refused.status_code, refused.json()["name"], refused.headers["etag"]) == (
            412,
            "PRECONDITION_FAILED",
            tag,
        )
        assert tag in refused.json()["message"]
        assert named in refused.json()["message"]
    assert (await send(method, url, body, if_match=tag.strip('"'))).status_code == 400
    assert (await send("GET", url)).content == before.content
    assert (await send(method, url, body, if_match=tag)).status_code == 200
    assert (await send(method, url, body, if_match=tag)).status_code == (412 if method == "PUT" else 404)
    assert (await send(method, url, body, if_match="*")).status_code == (200 if method == "PUT" else 404)


async def test_of_those_who_saw_the_same_one_succeeds(send: Sender, url: str) -> None:
    tag = (await send("GET", url)).headers["etag"]
    writes = [send("PUT", url, {"content": f"by {n}"}, if_match=tag) for n in range(8)]
    answers = await asyncio.gather(*writes, send("DELETE", url, if_match=tag))
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {answer.status_code for answer in answers if answer not in won} <= {412, 404}


async def test_a_pin_that_is_not_named_stays_as_it_is_now(send: Sender, url: str) -> None:
    """Two at once, one of whom only pins: the other does not take the pin off again."""
    for _ in range(5):
        await send("PUT", url, {"content": "a", "isPin": False})
        await asyncio.gather(
            send("PUT", url, {"content": "b", "isPin": True}), *(send("PUT", url, {"content": "c"}) for _ in range(3))
        )
        assert (await send("GET", url)).json()["note"]["isPin"]
