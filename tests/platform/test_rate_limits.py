"""Limits a minute, and the headers that tell of them. contract: auth.md 5, errors.md 5"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import msgspec
import pytest
from bench.statements import recorded
from litestar import get
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person

from rooftree.app import create_app
from rooftree.auth.applications import limit_app, make_app
from rooftree.platform.database import Database
from rooftree.platform.http.dependencies import Tx
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.http.rate_limit import limit_of
from rooftree.platform.settings import Settings

Server = Callable[..., Awaitable[Client]]


@pytest.fixture
async def server(dsn: str, secret: bytes) -> AsyncIterator[Server]:
    """Start servers on one database, each with connections and settings of its own."""
    async with AsyncExitStack() as stack:

        async def start(*, is_pooled: bool = False, **settings: Any) -> Client:
            database = await Database.connect(dsn, min_size=0, max_size=6, is_pooled=is_pooled)
            stack.push_async_callback(database.close)
            app = create_app(Settings(**{"rate_limits": "lofty", **settings}), database, secret)
            return await stack.enter_async_context(Client(app))

        yield start


async def _early() -> None:
    """Wait, if the minute is about to end: what is counted here must be counted in one."""
    left = 60 - time.time() % 60
    if left < 4:
        await asyncio.sleep(left + 0.1)


def _limits(answer: httpx.Response) -> tuple[int, int, int]:
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    limit, remaining, reset = (int(answer.headers[name]) for name in names)
    return limit, remaining, reset


async def _me(client: Client, person: Person) -> httpx.Response:
    return await client.as_(person).send("GET", "/v1.0/me")


async def test_off_shows_a_number_that_nobody_reaches_and_counts_nothing(client: Client, make: Make) -> None:
    """contract: auth.md 5: on every answer, also errors, also with limits off"""
    for method, path, status in (
        ("GET", "/v1.0/me", 200),
        ("GET", "/v1.0/leads/1", 404),
        ("GET", "/nope", 404),
        ("PATCH", "/v1.0/leads", 405),
        ("POST", "/v1.0/leads", 400),
        ("GET", "/healthz", 200),
    ):
        answer = await client.send(method, path)
        limit, remaining, reset = _limits(answer)
        assert (answer.status_code, limit, remaining) == (status, 1_000_000, 1_000_000)
        assert reset % 60 == 0
        assert -1 < reset - time.time() <= 60
        assert "retry-after" not in answer.headers
    with recorded() as statements:
        await client.ok("GET", "/v1.0/me")
    assert statements[0][0] == "SELECT * FROM authenticate($1, $2)"
    assert not await make.rows("SELECT FROM rate_window WHERE team_id = $1", client._person.team_id)


async def test_ten_a_minute_and_then_429(server: Server, people: People, make: Make) -> None:
    client = await server()
    await _early()
    answers = [await _me(client, people.adam) for _ in range(10)]
    assert [_limits(answer)[:2] for answer in answers] == [(10, left) for left in range(9, -1, -1)]
    refused = await client.as_(people.adam).send("POST", "/v1.0/leads", {"firstName": "Eleventh"})
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/json"
    assert refused.json() == {
        "code": 900429,
        "message": "Too Many Requests",
        "errorCode": 900429,
        "errorMsg": "Too Many Requests",
        "name": "TOO_MANY_REQUESTS",
    }
    assert _limits(refused) == (10, 0, _limits(answers[0])[2])
    assert abs(int(refused.headers["retry-after"]) - (_limits(refused)[2] - time.time())) < 2
    assert not await make.rows("SELECT FROM lead WHERE first_name = 'Eleventh'")
    assert _limits(await _me(client, people.ana))[:2] == (10, 9), "everybody has a limit of their own"
    await make.rows(
        "UPDATE rate_window SET started_at = started_at - interval '1 minute' WHERE team_id = $1 RETURNING 1",
        people.adam.team_id,
    )
    assert _limits(await _me(client, people.adam))[:2] == (10, 9), "the next minute is a new one"


async def test_it_is_counted_across_processes_and_exactly(server: Server, people: People) -> None:
    clients = [await server(), await server()]
    await _early()
    answers = await asyncio.gather(*(_me(clients[n % 2], people.adam) for n in range(30)))
    passed = [answer for answer in answers if answer.status_code == 200]
    assert sorted(_limits(answer)[1] for answer in passed) == list(range(10))
    assert {answer.status_code for answer in answers if answer not in passed} == {429}


async def test_an_application_has_its_own(server: Server, people: People, owner_db: Database) -> None:
    """contract: auth.md 5: counted per application, whoever it speaks for"""
    client = await server()
    await _early()
    async with owner_db.transaction(people.adam.team_id) as tx:
        app, secret = await make_app(tx, name="Mailer", redirect_uris=["https://app.example.com/"])
    spoken = []
    for person in (people.adam, people.ana):
        wish = {"grant_type": "client_credentials", "customer_key": person.key}
        wish |= {"client_id": app.client_id, "client_secret": str(secret)}
        token = (await client.send("POST", "/oauth/token", wish)).json()["access_token"]
        spoken.append(msgspec.structs.replace(person, key=token))
    assert _limits(await _me(client, spoken[0]))[:2] == (100, 99)
    assert _limits(await _me(client, spoken[1]))[:2] == (100, 98)
    assert _limits(await _me(client, people.adam))[:2] == (10, 9)
    async with owner_db.transaction(people.adam.team_id) as tx:
        await limit_app(tx, app, 3)
    assert _limits(await _me(client, spoken[0]))[:2] == (3, 0)
    assert (await _me(client, spoken[1])).status_code == 429


@pytest.mark.parametrize("is_pooled", [False, True])
async def test_what_is_refused_counts_too_in_one_statement(server: Server, people: People, is_pooled: bool) -> None:
    client = await server(is_pooled=is_pooled)
    await _early()
    adam = client.as_(people.adam)
    with recorded() as statements:
        first = await adam.send("POST", "/v1.0/leads", {"firstName": " "})
    assert (first.status_code, _limits(first)[:2]) == (400, (10, 9))
    said = [one.sql for one in statements if "authenticate(" in one.sql]
    assert len(said) == 1 + is_pooled
    assert _limits(await adam.send("GET", "/v1.0/leads/1"))[:2] == (10, 8)
    assert _limits(await adam.send("PUT", "/rooftree/v1/calls/1/recording", content=b""))[:2] == (10, 7)


async def test_whoever_is_nobody_has_the_limit_of_their_address(server: Server, people: People) -> None:
    for mode in ("lofty", "off"):
        client = await server(auth_failures_per_minute=3, rate_limits=mode)
        await _early()
        headers = {"Authorization": "Bearer nonsense"}
        answers = [await client.send("GET", "/v1.0/me", headers=headers) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert [_limits(answer)[:2] for answer in answers] == [(3, 2), (3, 1), (3, 0), (3, 0)]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        shown = (3, 0) if mode == "lofty" else (1_000_000, 1_000_000)
        assert _limits(await client.send("GET", "/nope"))[:2] == shown
        assert (await _me(client, people.otto)).status_code == 200, "a valid credential is never held up"


async def test_accidents_have_the_headers(app: RequestIds, client: Client, people: People) -> None:
    @get("/rooftree/v1/test-accident")
    async def fail(tx: Tx) -> None:
        raise ZeroDivisionError

    app._app.register(fail)
    headers = {"Authorization": f"Bearer {people.adam.key}"}
    answer = await client._http.get("/rooftree/v1/test-accident", headers=headers)
    assert (answer.status_code, _limits(answer)[0]) == (500, 1_000_000)


async def test_a_clock_that_was_put_back_begins_anew(db: Database, make: Make, people: People) -> None:
    team_id = people.adam.team_id
    await _early()
    for shift, used in (("1 minute", 6), ("2 minutes", 1), ("-1 minute", 1), ("0", 6)):
        await make.rows(
            f"""INSERT INTO rate_window (team_id, holder_id, started_at, used)
                VALUES ($1, 7, date_trunc('minute', clock_timestamp()) + interval '{shift}', 5)
                ON CONFLICT (team_id, holder_id) DO UPDATE SET started_at = EXCLUDED.started_at, used = 5
                RETURNING 1""",
            team_id,
        )
        async with db.reading(team_id) as tx:
            row = await tx.fetchrow("SELECT * FROM count_request($1, 7)", team_id)
            assert row
            assert row["used"] == used, shift
            assert await tx.fetchrow("SELECT * FROM count_request($1, NULL)", team_id) is None


@pytest.mark.parametrize(
    ("record", "limit"),
    [
        ({}, 10),
        ({"app_mode": None, "app_limit": None}, 10),
        ({"app_mode": "development", "app_limit": None}, 100),
        ({"app_mode": "production", "app_limit": None}, 500),
        ({"app_mode": "production", "app_limit": 42}, 42),
    ],
)
def test_limits_of_the_original(record: dict[str, Any], limit: int) -> None:
    """contract: auth.md 5"""
    assert limit_of(record) == limit
