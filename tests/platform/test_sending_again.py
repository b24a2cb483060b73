"""Idempotency-Key: what is sent again is done once, and answered as the first time. See ADR 0020."""

import asyncio
import inspect
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from bench.statements import recorded
from litestar import Response, post
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person

from rooftree.app import ROUTES, create_app
from rooftree.platform.database import Database
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Tx
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.kept_answers import forget_old
from rooftree.platform.settings import Settings

LEADS = "/v1.0/leads"


class Sender:
    """Sends writes under a key, as one person."""

    def __init__(self, client: Client, person: Person) -> None:
        self.client = client.as_(person)
        self._credential = f"Bearer {person.key}"

    async def __call__(
        self, key: str | bytes, body: Any = None, url: str = LEADS, method: str = "POST"
    ) -> httpx.Response:
        """Send one request."""
        content = msgspec.json.encode({"firstName": "Once"} if body is None else body)
        headers = [("Authorization", self._credential), ("Idempotency-Key", key)]
        return await self.client.send(method, url, content=content, headers=headers)

    async def count(self) -> int:
        """How many leads there are."""
        return (await self.client.ok("GET", f"{LEADS}?limit=1"))["_metadata"]["total"]


@pytest.fixture
def send(client: Client, people: People) -> Sender:
    """Sends as Adam."""
    return Sender(client, people.adam)


async def test_the_second_time_is_answered_as_the_first(send: Sender) -> None:
    first, second = await send("k"), await send("k")
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert await send.count() == 1
    assert (await send("other")).json() != first.json()
    assert await send.count() == 2


async def test_a_key_means_one_request(send: Sender) -> None:
    lead_id = (await send("k")).json()["leadId"]
    others: list[tuple[Any, str, str]] = [
        ({"firstName": "Twice"}, LEADS, "POST"),
        ({"firstName": "Once"}, f"{LEADS}?x=1", "POST"),
        ({"firstName": "Once"}, f"{LEADS}/{lead_id}", "PUT"),
        ({"firstName": "Once"}, f"{LEADS}/{lead_id}?reason=x", "DELETE"),
    ]
    for body, url, method in others:
        refused = await send("k", body, url, method)
        assert (refused.status_code, refused.json()["name"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await send.count() == 1
    assert (await send.client.lead(lead_id))["firstName"] == "Once"


async def test_everybody_has_keys_of_their_own(client: Client, people: People) -> None:
    found = [(await Sender(client, person)("k")).json()["leadId"] for person in people.everybody]
    assert len(set(found)) == len(found)


async def test_what_is_refused_may_be_sent_again(send: Sender, make: Make) -> None:
    assert (await send("k", {"firstName": " "})).status_code == 400
    assert (await send("k", {"firstName": "Ok"}, f"{LEADS}/1", "PUT")).status_code == 404
    kept = await make.rows("SELECT FROM kept_answer WHERE team_id = $1", send.client._person.team_id)
    assert not kept
    assert (await send("k")).headers.get("idempotent-replayed") is None
    assert (await send("k")).headers["idempotent-replayed"] == "true"


async def test_a_refusal_with_status_200_may_be_sent_again(client: Client, people: People) -> None:
    """The lifecycle operations refuse with 200: no more than any refusal is kept. contract: errors.md 1"""
    send = Sender(client, people.olive)
    url = f"/v2.0/agents/{people.ana.id}/deactivate"
    refused = await Sender(client, people.adam)("k", {}, url)
    assert (refused.status_code, refused.json()["code"]) == (200, 1900012)
    assert (await Sender(client, people.adam)("k", {"firstName": "free"})).status_code == 200
    assert (await send("k", {}, url)).json()["code"] == 0
    again = await send("k", {}, url)
    assert (again.json()["code"], again.headers["idempotent-replayed"]) == (0, "true")
    assert (await send("k", {"x": 1}, url)).status_code == 422


async def test_what_is_a_key_and_what_is_none(send: Sender) -> None:
    keys: list[str | bytes] = ["", " ", "a b", "x" * 256, b"\xe9", "a\tb", b"\x7f"]
    for key in keys:
        refused = await send(key)
        assert (refused.status_code, refused.json()["code"]) == (400, 20012)
        assert "Idempotency-Key" in refused.json()["message"]
    assert await send.count() == 0
    for key in ("!", "~" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a,b"):
        assert (await send(key)).content == (await send(key)).content


async def test_two_keys_are_none(client: Client, people: People) -> None:
    credential = ("Authorization", f"Bearer {people.adam.key}")
    for keys, status in ((("a", "b"), 400), (("a", "a"), 200)):
        headers = [credential, *(("idempotency-key", key) for key in keys)]
        assert (await client.send("POST", LEADS, {"firstName": "T"}, headers=headers)).status_code == status


async def test_the_credential_comes_first(client: Client, people: People) -> None:
    headers = {"Authorization": "Bearer x", "Idempotency-Key": "a b"}
    assert (await client.send("POST", LEADS, {"firstName": "T"}, headers=headers)).status_code == 401
    headers["Authorization"] = f"Bearer {people.adam.key}"
    assert (await client.send("POST", LEADS, content=b"x" * 1_048_578, headers=headers)).status_code == 413
    assert (await client.send("GET", "/v1.0/me", headers=headers)).status_code == 200, "reading needs no key"


@pytest.fixture
async def processes(dsn: str, secret: bytes) -> AsyncIterator[list[RequestIds]]:
    """Two servers on one database, each with connections of its own; the second as if behind a pooler."""
    databases = [
        await Database.connect(dsn, min_size=0, max_size=8, is_pooled=is_pooled) for is_pooled in (False, True)
    ]
    yield [create_app(Settings(), database, secret) for database in databases]
    for database in databases:
        await database.close()


async def test_fifty_at_once_make_one_lead(processes: list[RequestIds], people: People, send: Sender) -> None:
    senders = [Sender(Client(app), people.adam) for app in processes]
    answers = await asyncio.gather(*(senders[n % 2]("k") for n in range(50)))
    firsts = [one for one in answers if one.status_code == 200 and "idempotent-replayed" not in one.headers]
    rest = [one for one in answers if one not in firsts]
    assert len(firsts) == 1
    assert {one.status_code for one in rest} <= {200, 409}
    assert {one.content for one in rest if one.status_code == 200} <= {firsts[0].content}
    assert await send.count() == 1
    assert (await send("k")).content == firsts[0].content


async def test_a_twin_that_runs_is_named(send: Sender, owner_db: Database, people: People) -> None:
    lead_id = (await send("first")).json()["leadId"]
    url = f"{LEADS}/{lead_id}"
    async with owner_db.transaction(people.adam.team_id) as tx:
        await tx.fetchval("SELECT id FROM lead WHERE team_id = $1 AND id = $2 FOR UPDATE", tx.team_id, lead_id)
        twins = [asyncio.create_task(send("k", {"lastName": "L"}, url, "PUT")) for _ in range(2)]
        (twin,), (slow,) = await asyncio.wait(twins, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        refused = await twin
        assert (refused.status_code, refused.json()["name"]) == (409, "REQUEST_STILL_RUNNING")
        assert refused.headers["retry-after"] == "1"
        assert (await send("another-key", {"firstName": "free"})).status_code == 200
    assert (await slow).status_code == 200
    assert (await send("k", {"lastName": "L"}, url, "PUT")).headers["idempotent-replayed"] == "true"


async def test_a_key_costs_two_statements_and_none_costs_nothing(send: Sender) -> None:
    body = {"leadId": (await send("lead")).json()["leadId"], "content": "c"}
    said: dict[str, list[str]] = {}
    for name, call in (
        ("plain", lambda: send.client.send("POST", "/v1.0/notes", body)),
        ("with a key", lambda: send("n", body, "/v1.0/notes")),
        ("replayed", lambda: send("n", body, "/v1.0/notes")),
    ):
        with recorded() as statements:
            await call()
        said[name] = [one.sql for one in statements]
    assert not any("key(" in sql or "kept_answer" in sql for sql in said["plain"])
    assert len(said["with a key"]) == len(said["plain"]) + 2
    assert [sql.split()[0] for sql in said["replayed"]] == ["SELECT", "BEGIN", "SELECT", "ROLLBACK"]


async def test_after_a_day_a_key_is_new(send: Sender, make: Make, owner_db: Database, people: People) -> None:
    first = await send("k")
    await send("young")
    age = "UPDATE kept_answer SET created_at = now() - interval '24 hours' WHERE team_id = $1 AND key = 'k' RETURNING 1"
    await make.rows(age, people.adam.team_id)
    second = await send("k", {"firstName": "Another"})
    assert (second.status_code, second.json() == first.json()) == (200, False)
    assert (await send("k", {"firstName": "Another"})).content == second.content
    await make.rows(age, people.adam.team_id)
    await forget_old(owner_db)
    kept = await make.rows("SELECT key FROM kept_answer WHERE team_id = $1", people.adam.team_id)
    assert [row["key"] for row in kept] == ["young"]


async def test_old_answers_go_in_small_batches(make: Make, owner_db: Database, people: People) -> None:
    await make.rows(
        """INSERT INTO kept_answer (team_id, member_id, key, fingerprint, status, content_type, body, created_at)
           SELECT $1, 1, 'k' || n, '', 200, '', '', now() - interval '25 hours' FROM generate_series(1, 2500) n
           RETURNING 1""",
        people.adam.team_id,
    )
    with recorded() as statements:
        await forget_old(owner_db)
    assert [one.answer for one in statements if "DELETE FROM kept" in one.sql] == [
        "DELETE 1000",
        "DELETE 1000",
        "DELETE 500",
    ]


async def test_an_upload_says_that_it_needs_no_key(client: Client, people: People) -> None:
    headers = {"Authorization": f"Bearer {people.adam.key}", "Idempotency-Key": "k", "Content-Type": "audio/mpeg"}
    refused = await client.send("PUT", "/rooftree/v1/calls/1/recording", content=b"x", headers=headers)
    assert (refused.status_code, refused.json()["name"]) == (400, "IDEMPOTENCY_KEY_NOT_TAKEN")


async def test_an_answer_that_shows_a_secret_is_not_kept(app: RequestIds, send: Sender, make: Make) -> None:
    @post("/rooftree/v1/test-secret", status_code=200)
    async def show(tx: Tx) -> Response[bytes]:
        await tx.execute("INSERT INTO stage (team_id, name, position) VALUES ($1, 'shown', 9)", tx.team_id)
        shown = answer({"secret": "s3cret"})
        shown.headers["Cache-Control"] = "no-store"
        return shown

    app._app.register(show)
    refused = await send("k", {}, "/rooftree/v1/test-secret")
    assert (refused.status_code, refused.json()["name"]) == (400, "IDEMPOTENCY_KEY_NOT_TAKEN")
    assert not await make.rows("SELECT FROM stage WHERE name = 'shown'")
    assert (await send.client.send("POST", "/rooftree/v1/test-secret")).status_code == 200
    assert not await make.rows("SELECT FROM kept_answer WHERE position('s3cret'::bytea IN body) > 0")


async def test_a_webhook_secret_is_not_kept(send: Sender, make: Make) -> None:
    wish = {"listId": 2, "callbackUrl": "https://192.0.2.1.example.com/hook"}
    url = f"/rooftree/v1/webhooks/{(await send('hook', wish, '/v1.0/webhook')).json()['subscribeId']}/secret"
    before = (await send.client.ok("GET", url))["secret"]
    refused = await send("k", {}, url)
    assert (refused.status_code, refused.json()["name"]) == (400, "IDEMPOTENCY_KEY_NOT_TAKEN")
    assert (await send.client.ok("GET", url))["secret"] == before, "nothing was changed"
    kept = await make.rows("SELECT key FROM kept_answer WHERE team_id = $1", send.client._person.team_id)
    assert [row["key"] for row in kept] == ["hook"]


def test_every_write_is_covered_or_refused() -> None:
    """A write with a credential has a transaction, in which its answer is kept, or `identity`, which refuses a key."""
    ways: dict[str, list[str]] = {"tx": [], "identity": [], "nobody": []}
    for handler in ROUTES:
        if set(handler.http_methods) & {"POST", "PUT", "DELETE", "PATCH"}:
            names = inspect.signature(handler.fn).parameters
            way = "tx" if names.keys() & {"tx", "actor"} else "identity" if "identity" in names else "nobody"
            ways[way] += sorted(handler.paths)
            assert "Response[" in str(inspect.signature(handler.fn).return_annotation) or way != "tx", handler
    assert ways["identity"] == ["/rooftree/v1/calls/{callId:str}/recording"]
    doors = ("/rooftree/v1/inbound/", "/rooftree/v1/unsubscribe/", "/oauth/", "/api/user-web/oauth/")
    assert all(path.startswith(doors) for path in ways["nobody"])


async def test_killed_anywhere_it_is_done_once(dsn: str, send: Sender, people: People) -> None:
    """A process dies before each of its statements, and after its commit; whoever sends again finds it done once."""
    plan = {
        "dsn": dsn,
        "method": "POST",
        "url": LEADS,
        "body": msgspec.json.encode({"firstName": "Kill{n}", "content": "with a note"}).decode(),
        "headers": {"Authorization": f"Bearer {people.adam.key}", "Idempotency-Key": "kill-{n}"},
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.dying",
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate(json.dumps(plan).encode())
    steps = int(out)
    assert steps > 8
    was_done = set()
    for step in range(steps + 1):
        body = {"firstName": f"Kill{step}", "content": "with a note"}
        async with asyncio.timeout(10):
            while (again := await send(f"kill-{step}", body)).status_code == 409:  # the connection is not gone yet
                await asyncio.sleep(0.02)
        assert again.status_code == 200, again.text
        if "idempotent-replayed" in again.headers:
            was_done.add(step)
        found = await send.client.ids(key=f"Kill{step}", isPrecise="true")
        assert again.json()["leadId"] in found
    assert was_done == {0}, "kept with the commit, neither before nor after"
    assert await send.count() == steps + 2, "one for each step, and the one that nobody killed"
