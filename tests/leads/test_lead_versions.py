"""ETag, If-None-Match and If-Match on leads. See ADR 0020."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from bench.statements import recorded
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.app import create_app
from rooftree.platform.database import Database
from rooftree.platform.settings import Settings


class Sender:
    """Speaks as Adam, with headers."""

    def __init__(self, client: Client, people: People) -> None:
        self.client = client
        self._credential = {"Authorization": f"Bearer {people.adam.key}"}

    async def __call__(self, method: str, url: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send one request; `if_match` is the header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.send(method, url, body, headers={**self._credential, **named})

    async def tag(self, url: str) -> str:
        """The present version."""
        return (await self("GET", url)).headers["etag"]


@pytest.fixture
def send(client: Client, people: People) -> Sender:
    """Speaks as Adam."""
    return Sender(client, people)


@pytest.fixture
async def url(make: Make) -> str:
    """A lead of Adam's."""
    return f"/v1.0/leads/{await make.lead(tags=['a'], assignedUserId=make.client._person.id)}"


async def test_a_version_is_strong_and_stays(send: Sender, url: str) -> None:
    tag = await send.tag(url)
    assert tag.startswith('"')
    assert tag == await send.tag(url) == await send.tag(f"{url}?withTrash=true")
    for named in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = await send("GET", url, if_none_match=named)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    for named in ('"x"', "rubbish", 'W/"x"'):
        answer = await send("GET", url, if_none_match=named)
        assert (answer.status_code, answer.headers["etag"]) == (200, tag)
        assert answer.json()["lead"]


async def test_it_changes_with_whatever_is_shown(send: Sender, url: str, make: Make, people: People) -> None:
    """The lead's own fields, and what others are called or did."""
    lead_id = int(url.rpartition("/")[2])
    team_id = people.adam.team_id

    async def other(sql: str, *args: Any) -> None:
        assert await make.rows(f"{sql} RETURNING 1", *args)

    async def put(**body: Any) -> None:
        assert (await send("PUT", url, body)).status_code == 200

    assignment = [{"userId": people.ana.id}]
    changes: dict[str, Any] = {
        "name": lambda: put(firstName="Other"),
        "tag": lambda: put(tagsAdd=["b"]),
        "stage": lambda: put(stage="Brand new"),
        "cleared": lambda: put(clearAllTags=True),
        "segment": lambda: put(segments=["s"]),
        "inquiry": lambda: send("POST", f"{url}/inquiry", {"priceMin": 5}),
        "property": lambda: send("POST", f"{url}/property", {"city": "Austin"}),
        "visit": lambda: make.site(lead_id),
        "talk": lambda: make.talk(lead_id),
        "stage name": lambda: other("UPDATE stage SET name = 'R' WHERE team_id = $1 AND name = 'Brand new'", team_id),
        "agent name": lambda: other("UPDATE member SET last_name = 'N' WHERE id = $1", people.adam.id),
        "role": lambda: other("INSERT INTO custom_role (team_id, id, name) VALUES ($1, 9, 'Stager')", team_id),
        "who has it": lambda: send(
            "POST", f"{url}/assignment", [{"userId": people.adam.id}, {"role": "Stager", "userId": people.ana.id}]
        ),
        "agent": lambda: send("POST", f"{url}/assignment", assignment),
    }
    seen = [(await send("GET", url)).headers["etag"]]
    for name, change in changes.items():
        before = (await send("GET", url)).content
        await change()
        answer = await send.client.as_(people.olive).send("GET", url)
        assert answer.content != before, name
        assert answer.headers["etag"] not in seen, name
        seen.append(answer.headers["etag"])


async def test_a_change_and_its_reversal_are_seen(send: Sender, url: str) -> None:
    before = await send("GET", url)
    for name in ("X", "T"):
        await send("PUT", url, {"firstName": name})
    after = await send("GET", url)
    assert after.headers["etag"] != before.headers["etag"]
    await send("PUT", url, {"firstName": "T"})
    assert await send.tag(url) == after.headers["etag"], "nothing was changed"


WRITES: list[tuple[str, str, Any]] = [
    ("PUT", "", {"lastName": "New"}),
    ("POST", "/inquiry", {"priceMin": 7}),
    ("POST", "/property", {"city": "Dallas"}),
    ("POST", "/assignment", None),
    ("DELETE", "?reason=x", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_write_may_depend_on_a_version(
    send: Sender, url: str, people: People, method: str, path: str, body: Any
) -> None:
    if path == "/assignment":
        body = [{"userId": people.ana.id}]
    before = await send("GET", url)
    tag = before.headers["etag"]
    for named in ('"x"', f"W/{tag}", f'"x", W/{tag}, "y,z"'):
        refused = await send(method, url + path, body, if_match=named)
        assert (refused.status_code, refused.json()["code"]) == (412, 900412)
        assert refused.headers["etag"] == tag
        assert tag in refused.json()["message"]
        assert named.split(", ")[0] in refused.json()["message"]
    for named in ("", "x", f"{tag} {tag}", f"*, {tag}"):
        refused = await send(method, url + path, body, if_match=named)
        assert (refused.status_code, refused.json()["code"]) == (400, 20012)
    assert (await send("GET", url)).content == before.content
    assert (await send(method, url + path, body, if_match=f'"x", {tag}')).status_code == 200
    shown = await send("GET", f"{url}?withTrash=true")
    assert shown.headers["etag"] != tag


async def test_any_version_is_whatever_exists(send: Sender, url: str, make: Make, people: People) -> None:
    assert (await send("PUT", url, {"lastName": "New"}, if_match="*")).status_code == 200
    hidden = await make.lead(by=people.otto, assignedUserId=people.otto.id)
    for lead_id in (1, hidden):
        for named in ("*", '"x"'):
            refused = await send("PUT", f"/v1.0/leads/{lead_id}", {"lastName": "N"}, if_match=named)
            assert (refused.status_code, refused.json()["code"]) == (404, 20006), "nothing is revealed"


async def test_restoring_may_depend_on_a_version(send: Sender, url: str) -> None:
    await send("DELETE", f"{url}?reason=x")
    tag = await send.tag(f"{url}?withTrash=true")
    restore = f"/rooftree/v1/leads/{url.rpartition('/')[2]}/restore"
    assert (await send("POST", restore, if_match='"x"')).status_code == 412
    assert (await send("POST", restore, if_match=tag)).status_code == 200


@pytest.fixture
async def servers(dsn: str, secret: bytes, people: People) -> AsyncIterator[list[Sender]]:
    """Two servers on one database, each with connections of its own."""
    databases = [await Database.connect(dsn, min_size=0, max_size=6) for _ in range(2)]
    yield [Sender(Client(create_app(Settings(), database, secret)), people) for database in databases]
    for database in databases:
        await database.close()


async def test_of_those_who_saw_the_same_one_succeeds(servers: list[Sender], url: str) -> None:
    for round_ in range(3):
        tag = await servers[0].tag(url)
        answers = await asyncio.gather(
            *(servers[n % 2]("PUT", url, {"lastName": f"By {round_} {n}"}, if_match=tag) for n in range(8)),
            servers[0]("POST", f"{url}/inquiry", {"priceMin": 100 + round_}, if_match=tag),
            servers[1]("POST", f"{url}/property", {"city": f"City {round_}"}, if_match=tag),
        )
        assert sorted(answer.status_code for answer in answers) == [200, *[412] * 9]
        present = await servers[1].tag(url)
        assert {answer.headers["etag"] for answer in answers if answer.status_code == 412} == {present}


async def test_a_retry_is_answered_as_the_first_time(send: Sender, url: str) -> None:
    """Idempotency-Key comes before If-Match: whoever sends again has changed the version by themselves."""
    tag = await send.tag(url)
    answers = [
        await send("PUT", url, {"lastName": "Once"}, if_match=tag, idempotency_key="k")  # the same twice
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert (await send("PUT", url, {"lastName": "Once"}, if_match=tag)).status_code == 412


async def test_it_costs_nothing_unless_asked_for(send: Sender, url: str) -> None:
    tag = await send.tag(url)
    said: list[int] = []
    for headers in ({}, {"if_match": "*"}, {"if_match": tag}):
        with recorded() as statements:
            await send("PUT", url, {"lastName": f"L{len(said)}"}, **headers)
        said.append(len(statements))
        tag = await send.tag(url)
    assert said[1] == said[0]
    assert said[2] <= said[0] + 2
    with recorded() as statements:
        await send("GET", url, if_none_match=tag)
    assert len(statements) == 2, "who asks, and the lead"
    assert msgspec.json.decode((await send("GET", url)).content)
