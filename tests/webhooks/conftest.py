"""A worker that fans out and delivers at once, and a receiver that verifies."""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from tests.support.client import Client
from tests.support.people import People, Person
from tests.support.receiver import Received, Receiver

from rooftree.app import serve_from
from rooftree.platform.database import Database
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.settings import Settings
from rooftree.webhooks import guard as guards
from rooftree.webhooks.guard import Guard
from rooftree.webhooks.jobs import Dispatcher, FanOut
from rooftree.webhooks.sending import Sender

SETTINGS = Settings(
    auth_failures_per_minute=1_000_000, secret_key="test", webhook_allow_insecure=True, webhook_quota=20
)


@pytest.fixture
def app(built: RequestIds, db: Database, secret: bytes) -> RequestIds:
    """The application, which lets webhooks reach this machine."""
    serve_from(built.state, SETTINGS, db, secret)
    return built


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name server is asked: names of example.com are public, numbers and this machine's own are what they are."""
    real = guards.resolve

    async def resolved(host: str, port: int) -> list[guards.Address]:
        return [ipaddress.ip_address("93.184.216.34")] if host.endswith("example.com") else await real(host, port)

    monkeypatch.setattr(guards, "resolve", resolved)


class Hooks:
    """Subscribes, lets the worker work, and hears what comes."""

    def __init__(self, client: Client, people: People, owner_db: Database) -> None:
        self.client = client
        self.people = people
        self.owner_db = owner_db
        self.receiver = Receiver()

    async def subscribe(self, list_id: int, *, by: Person | None = None, path: str = "/hook", **fields: Any) -> int:
        """Subscribe to a list, as the owner unless told otherwise; return the subscription's id."""
        body = {"listId": list_id, "callbackUrl": self.receiver.url + path, **fields}
        answer = await self.client.as_(by or self.people.olive).ok("POST", "/v1.0/webhook", body)
        return answer["subscribeId"]

    async def secret(self, webhook_id: int, *, by: Person | None = None) -> str:
        """Return a subscription's secret."""
        client = self.client.as_(by or self.people.olive)
        return (await client.ok("GET", f"/rooftree/v1/webhooks/{webhook_id}/secret"))["secret"]

    async def fan_out(self) -> None:
        """Make deliveries of what was announced."""
        await FanOut(asyncio.Event())(self.owner_db)

    @asynccontextmanager
    async def delivering(self, *, timeout_seconds: float = 5) -> AsyncGenerator[None]:
        """Post what is due, for as long as the block runs."""
        stop = asyncio.Event()
        async with Sender(Guard("", allow_insecure=True), timeout_seconds) as sender:
            dispatcher = Dispatcher(SETTINGS, sender, asyncio.Event())
            running = asyncio.create_task(dispatcher.run(self.owner_db, stop))
            try:
                yield
            finally:
                stop.set()
                await running

    async def settled(self, *, of: int | None = None) -> None:
        """Wait until nothing of the company is due or being sent."""
        async with asyncio.timeout(20):
            while await self._is_busy(of):
                await asyncio.sleep(0.02)

    async def _is_busy(self, webhook_id: int | None) -> bool:
        async with self.owner_db.transaction(self.people.olive.team_id) as tx:
            return await tx.fetchval(
                """SELECT EXISTS (SELECT FROM webhook_delivery
                    WHERE team_id = $1 AND ($2::bigint IS NULL OR webhook_id = $2)
                      AND (state = 'sending' OR state = 'waiting' AND due_at <= clock_timestamp()))""",
                self.people.olive.team_id,
                webhook_id,
            )

    async def heard(self) -> list[dict[str, Any]]:
        """Fan out, deliver, and return the bodies that arrived since the last time."""
        before = len(self.receiver.requests)
        await self.fan_out()
        async with self.delivering():
            await self.settled()
        return [one.json() for one in self.receiver.requests[before:]]

    async def deliveries(self, webhook_id: int, query: str = "") -> list[dict[str, Any]]:
        """Return the log of a subscription."""
        olive = self.client.as_(self.people.olive)
        return (await olive.ok("GET", f"/rooftree/v1/webhooks/{webhook_id}/deliveries{query}"))["deliveries"]

    async def tries(self, delivery_id: int) -> list[dict[str, Any]]:
        """Return the attempts of a delivery."""
        olive = self.client.as_(self.people.olive)
        return (await olive.ok("GET", f"/rooftree/v1/webhooks/deliveries/{delivery_id}"))["tries"]

    async def make_due(self) -> None:
        """Let the time of every retry have come."""
        async with self.owner_db.transaction(self.people.olive.team_id) as tx:
            await tx.execute(
                "UPDATE webhook_delivery SET due_at = now() WHERE team_id = $1 AND state = 'waiting'",
                self.people.olive.team_id,
            )


def verified(request: Received, secret: str) -> Any:
    """Return a body whose signature and time the Standard Webhooks library accepts."""
    return Verifier(secret).verify(request.body, request.headers)


@pytest.fixture
async def hooks(client: Client, people: People, owner_db: Database) -> AsyncIterator[Hooks]:
    """Subscriptions of this company, and where they arrive."""
    found = Hooks(client, people, owner_db)
    async with found.receiver:
        yield found


@pytest.fixture
def ids_of() -> Callable[[dict[str, Any], str], list[int]]:
    """Return the lead ids of an array of a body."""
    return lambda body, array: [entry["leadId"] for entry in body.get(array, [])]
