"""From a change to an answered POST: what is told, to whom, how often, in which order; what is kept of it."""

import asyncio
import base64
import ipaddress
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People
from tests.support.receiver import Receiver
from tests.webhooks.conftest import Hooks, verified

from rooftree.platform.database import Database
from rooftree.webhooks import guard as guards
from rooftree.webhooks import rules
from rooftree.webhooks.guard import Guard
from rooftree.webhooks.model import Hearing, Subscriber
from rooftree.webhooks.sending import READ_BYTES, Sender, headers_of


async def test_a_change_arrives_signed_in_the_contracts_bytes(client: Client, make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(2)
    lead_id = await make.lead()
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tags": ["hot"]})
    (body,) = await hooks.heard()
    created, updated = body["createdLead"][0], body["updatedLead"][0]
    assert body == {
        "listId": 2,
        "teamId": hooks.people.olive.team_id,
        "createdLead": [{"leadId": lead_id, "updateTime": created["updateTime"]}],
        "updatedLead": [{"leadId": lead_id, "updateTime": updated["updateTime"]}],
    }
    assert abs(created["updateTime"] - datetime.now(UTC).timestamp() * 1000) < 60_000
    (request,) = hooks.receiver.requests
    assert verified(request, await hooks.secret(webhook)) == body
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Rooftree-Webhooks/")
    assert (request.method, request.path) == ("POST", "/hook")
    (delivery,) = await hooks.deliveries(webhook)
    assert (delivery["state"], delivery["attempts"], delivery["entries"]) == ("delivered", 1, 2)
    assert delivery["webhookId"] == request.headers["webhook-id"]


def test_the_published_signature() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = headers_of("msg_p5jXN8AQM9LWM0D4loKWxJek", body, [secret], datetime.fromtimestamp(1614265330.7, UTC))
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


async def test_which_call_fires_what(client: Client, make: Make, hooks: Hooks) -> None:
    """contract: webhooks.md 2, the lists whose rooms there are"""
    for list_id in range(1, 13):
        await hooks.subscribe(list_id, path=f"/{list_id}")

    async def fired() -> dict[int, set[str]]:
        return {
            body["listId"]: set(body) - {"listId", "teamId", "leadId", "updateTime"} for body in await hooks.heard()
        }

    lead_id = await make.lead(content="a note", leadTransaction={"transactionName": "T"})
    assert await fired() == {2: {"createdLead"}, 5: {"createdTransaction"}, 9: {"createdNote"}}
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    stage = await fired()
    assert stage[2] == {"updatedLead"}
    assert "updatedPipeline" in stage[12]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    assert await fired() == {}
    await make.site(lead_id)
    assert await fired() == {3: {"createdLeadActivity"}}
    note_id = await make.note(lead_id)
    assert await fired() == {9: {"createdNote"}}
    await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": "new"})
    assert await fired() == {9: {"updatedNote"}}
    await client.ok("DELETE", f"/v1.0/notes/{note_id}")
    assert await fired() == {9: {"deletedNote"}}
    for kind, list_id, array in (
        ("logCall", 6, "createdCall"),
        ("logEmail", 7, "createdEmail"),
        ("logText", 8, "createdText"),
    ):
        log_id = await make.log(lead_id, kind)
        told = await fired()
        assert told[list_id] == {array}
        assert set(told) <= {list_id, 2}
        await client.ok("DELETE", f"/v1.0/logType/{log_id}")
        assert set(await fired()) <= {2}
    await client.send("DELETE", f"/v1.0/leads/{lead_id}", content=b'{"reason": "r"}', headers=None)
    assert (await fired())[2] == {"deletedLead"}
    await client.as_(hooks.people.olive).ok("POST", f"/rooftree/v1/leads/{lead_id}/restore")
    assert await fired() == {2: {"updatedLead"}}


async def test_250_changes_in_batches_of_100(client: Client, make: Make, hooks: Hooks) -> None:
    await hooks.subscribe(2, limit=100)
    ids = await asyncio.gather(*(make.lead() for _ in range(250)))
    bodies = await hooks.heard()
    assert [len(body["createdLead"]) for body in bodies] == [100, 100, 50]
    told = [entry for body in bodies for entry in body["createdLead"]]
    assert sorted(entry["leadId"] for entry in told) == sorted(ids)
    for body in bodies:
        times = [entry["updateTime"] for entry in body["createdLead"]]
        assert len(times) <= 100


async def test_one_entry_of_lists_3_and_12_stands_at_the_top_too(client: Client, make: Make, hooks: Hooks) -> None:
    await hooks.subscribe(12)
    lead_id = await make.lead()
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    (body,) = await hooks.heard()
    (entry,) = body["updatedPipeline"]
    assert entry["stage"] == "Contacted"
    assert {key: body[key] for key in entry} == entry


async def test_what_a_lead_went_through_arrives_in_order(client: Client, make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(12, limit=1)
    lead_id = await make.lead()
    stages = ["Contacted", "New Lead"] * 12
    for stage in stages:
        await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": stage})
        await hooks.fan_out()
    hooks.receiver.fail_times(1)
    assert [body["stage"] for body in await hooks.heard()] == stages
    await hooks.make_due()
    assert [body["stage"] for body in await hooks.heard()] == stages[:1], "what failed comes again, later"
    assert Counter(one["state"] for one in await hooks.deliveries(webhook)) == {"delivered": 24}


# --- failures --------------------------------------------------------------------------------------------------------


async def test_the_schedule_of_retries(make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(2)
    await make.lead()
    hooks.receiver.answer(500, "no")
    for _ in rules.WAITS:
        await hooks.heard()
        await hooks.make_due()
    (delivery,) = await hooks.deliveries(webhook)
    assert (delivery["state"], delivery["attempts"]) == ("failed", 10)
    tries = await hooks.tries(delivery["deliveryId"])
    waits = [_seconds(one) for one in tries]
    assert waits[-1] is None
    for wait, wanted in zip(waits[:-1], rules.WAITS[1:], strict=True):
        assert wait is not None
        assert wanted * 0.9 - 1 <= wait <= wanted * 1.1 + 1
    assert {(one["status"], one["error"], one["answer"]) for one in tries} == {(500, "answered 500", "no")}
    assert {one.headers["webhook-id"] for one in hooks.receiver.requests} == {delivery["webhookId"]}


def _seconds(attempt: dict[str, Any]) -> float | None:
    if attempt["nextAttemptAt"] is None:
        return None
    start, end = (datetime.fromisoformat(attempt[key]) for key in ("startedAt", "nextAttemptAt"))
    return (end - start).total_seconds()


@pytest.mark.parametrize(("asked", "least"), [("120", 119), ("Fri, 31 Dec 2100 23:59:59 GMT", 86_390), ("soon", 4)])
async def test_retry_after_is_honoured(make: Make, hooks: Hooks, asked: str, least: float) -> None:
    webhook = await hooks.subscribe(2)
    await make.lead()
    hooks.receiver.fail_times(1, 429, headers={"Retry-After": asked})
    await hooks.heard()
    (delivery,) = await hooks.deliveries(webhook)
    wait = _seconds((await hooks.tries(delivery["deliveryId"]))[0])
    assert wait is not None
    assert least <= wait <= 86_401


async def test_gone_is_gone(client: Client, make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(2, limit=1)
    for _ in range(3):
        await make.lead()
    hooks.receiver.answer(410)
    await hooks.heard()
    assert await client.ok("GET", "/v1.0/webhooks") == []
    olive = client.as_(hooks.people.olive)
    (shown,) = (await olive.ok("GET", "/rooftree/v1/webhooks"))["webhooks"]
    assert (shown["status"], shown["reason"]) == ("disabled", "its receiver answered 410 Gone")
    assert {one["state"] for one in await hooks.deliveries(webhook)} <= {"cancelled", "waiting", "delivered", "failed"}
    async with hooks.owner_db.transaction(hooks.people.olive.team_id) as tx:
        mails = await tx.fetch("SELECT recipient, subject FROM message WHERE purpose = 'webhook_disabled'")
        due = await tx.fetchval(
            "SELECT count(*) FROM webhook_delivery WHERE webhook_id = $1 AND state = 'waiting'", webhook
        )
    assert [(one["recipient"], one["subject"]) for one in mails] == [
        (hooks.people.olive.email, f"Webhook {webhook} was switched off")
    ]
    assert due == 0
    assert await hooks.subscribe(2, limit=1) == webhook, "subscribing again switches it on"


async def test_switched_off_after_the_last_attempt_and_days_of_failure(make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(2)
    hooks.receiver.answer(500)
    for days, status in ((2, "active"), (4, "disabled")):
        await make.lead()
        await hooks.heard()
        async with hooks.owner_db.transaction(hooks.people.olive.team_id) as tx:
            await tx.execute(
                "UPDATE webhook SET failing_since = now() - make_interval(days => $2) WHERE id = $1", webhook, days
            )
            await tx.execute(
                "UPDATE webhook_delivery SET attempts = 9 WHERE webhook_id = $1 AND state = 'waiting'", webhook
            )
        await hooks.make_due()
        await hooks.heard()
        olive = hooks.client.as_(hooks.people.olive)
        (shown,) = (await olive.ok("GET", "/rooftree/v1/webhooks"))["webhooks"]
        assert shown["status"] == status
    replayed = await olive.refused("POST", f"/rooftree/v1/webhooks/{webhook}/replay")
    assert replayed == (400, 20012)
    await hooks.subscribe(2)
    assert (await olive.ok("POST", f"/rooftree/v1/webhooks/{webhook}/replay"))["replayed"] == 2
    hooks.receiver.answer(200)
    assert len(await hooks.heard()) == 2


async def test_a_hanging_receiver_delays_nobody(make: Make, hooks: Hooks) -> None:
    async with Receiver() as deaf:
        deaf.hang()
        olive = hooks.client.as_(hooks.people.olive)
        slow = (await olive.ok("POST", "/v1.0/webhook", {"listId": 2, "callbackUrl": deaf.url, "limit": 1}))[
            "subscribeId"
        ]
        quick = await hooks.subscribe(2, limit=1)
        for _ in range(12):
            await make.lead()
        await hooks.fan_out()
        async with hooks.delivering(timeout_seconds=0.6):
            async with asyncio.timeout(0.5):
                await hooks.receiver.wait_for(12)
            await hooks.settled(of=quick)
            await hooks.settled(of=slow)
        assert len(deaf.requests) == 12
        first = (await hooks.deliveries(slow))[-1]
        assert [one["error"] for one in await hooks.tries(first["deliveryId"])] == ["timeout"]


async def test_redirects_are_not_followed_and_long_answers_not_read(make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(2)
    await make.lead()
    hooks.receiver.redirect(hooks.receiver.url + "/elsewhere")
    await hooks.heard()
    (delivery,) = await hooks.deliveries(webhook)
    assert [one["error"] for one in await hooks.tries(delivery["deliveryId"])] == ["answered 302"]
    hooks.receiver.answer(200, b"x" * (READ_BYTES * 4))
    await hooks.make_due()
    await hooks.heard()
    assert [one.path for one in hooks.receiver.requests] == ["/hook", "/hook"]
    last = (await hooks.tries(delivery["deliveryId"]))[-1]
    assert (last["status"], last["error"], last["answer"]) == (200, None, "x" * 1024)


async def test_a_lost_worker_loses_nothing(make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(2)
    await make.lead()
    await hooks.fan_out()
    hooks.receiver.hang()
    sending = asyncio.create_task(_deliver_once(hooks))
    await hooks.receiver.wait_for(1)
    sending.cancel()  # as killed: nothing is written down
    await asyncio.gather(sending, return_exceptions=True)
    hooks.receiver.recover()
    assert await hooks.heard() == [], "the lease still holds"
    async with hooks.owner_db.transaction(hooks.people.olive.team_id) as tx:
        await tx.execute("UPDATE webhook_delivery SET due_at = now() WHERE webhook_id = $1", webhook)
    assert len(await hooks.heard()) == 1
    assert len({one.headers["webhook-id"] for one in hooks.receiver.requests}) == 1


async def _deliver_once(hooks: Hooks) -> None:
    async with hooks.delivering():
        await asyncio.Event().wait()


async def test_two_workers_send_each_delivery_once(make: Make, hooks: Hooks) -> None:
    await hooks.subscribe(2, limit=1)
    await asyncio.gather(*(make.lead() for _ in range(60)))
    await hooks.fan_out()
    async with hooks.delivering(), hooks.delivering(), hooks.delivering():
        await hooks.settled()
    ids = Counter(one.headers["webhook-id"] for one in hooks.receiver.requests)
    assert (len(ids), set(ids.values())) == (60, {1})


# --- addresses -------------------------------------------------------------------------------------------------------


async def test_a_name_that_moves_into_the_own_network_is_not_followed(
    make: Make, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: what was public when it was saved is private when it is sent to."""
    webhook = await hooks.subscribe(2)
    async with hooks.owner_db.transaction(hooks.people.olive.team_id) as tx:
        port = hooks.receiver.url.rpartition(":")[2]
        await tx.execute(
            "UPDATE webhook SET callback_url = $2 WHERE id = $1", webhook, f"https://rebound.example.com:{port}/"
        )

    async def rebound(_: str, __: int) -> list[guards.Address]:
        return [ipaddress.ip_address("93.184.216.34"), ipaddress.ip_address("10.0.0.7")]

    monkeypatch.setattr(guards, "resolve", rebound)
    await make.lead()
    await hooks.heard()
    assert hooks.receiver.requests == []
    (delivery,) = await hooks.deliveries(webhook)
    assert [one["error"] for one in await hooks.tries(delivery["deliveryId"])] == ["address not allowed"]


@pytest.mark.parametrize("url", ["http://{}:{}/", "http://127.1:{1}/", "http://0x7f000001:{1}/", "http://[::1]:{1}/"])
async def test_loopback_is_refused_at_sending(url: str) -> None:
    async with Receiver() as receiver:
        host, port = receiver.url.removeprefix("http://").split(":")
        for scheme in ("http", "https"):
            target = url.format(host, port).replace("http", scheme, 1)
            async with Sender(Guard(), 2) as sender:
                result = await sender.post(target, "msg_1", b"{}", ["whsec_" + base64.b64encode(bytes(32)).decode()])
            assert result.status is None
            assert result.error is not None
        assert receiver.requests == []


async def test_https_is_tls_or_nothing() -> None:
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    async with Receiver() as receiver, Sender(Guard(allow_insecure=True), 2) as sender:  # speaks no TLS at all
        result = await sender.post(receiver.url.replace("http", "https", 1), "msg_1", b"{}", [secret])
    assert result.status is None
    assert result.error is not None


# --- secrets, tests, replays -----------------------------------------------------------------------------------------


async def test_two_secrets_sign_while_one_is_renewed(client: Client, make: Make, hooks: Hooks) -> None:
    webhook = await hooks.subscribe(2)
    old = await hooks.secret(webhook)
    olive = client.as_(hooks.people.olive)
    new = (await olive.ok("POST", f"/rooftree/v1/webhooks/{webhook}/secret"))["secret"]
    assert new != old
    assert await hooks.secret(webhook) == new
    await make.lead()
    await hooks.heard()
    (request,) = hooks.receiver.requests
    for secret in (new, old):
        Verifier(secret).verify(request.body, request.headers)
    async with hooks.owner_db.transaction(hooks.people.olive.team_id) as tx:
        stored = await tx.fetchrow("SELECT secret, old_secret FROM webhook WHERE id = $1", webhook)
        assert stored
        assert new.encode() not in stored["secret"]
        await tx.execute("UPDATE webhook SET old_secret_until = now() WHERE id = $1", webhook)
    await make.lead()
    await hooks.heard()
    assert len(hooks.receiver.requests[1].headers["webhook-signature"].split()) == 1


async def test_a_test_event_and_a_replay(client: Client, hooks: Hooks) -> None:
    olive = client.as_(hooks.people.olive)
    ids: list[int] = []
    for list_id in range(1, 13):
        webhook = await hooks.subscribe(list_id, path=f"/{list_id}")
        ids.append(webhook)
        await olive.ok("POST", f"/rooftree/v1/webhooks/{webhook}/test")
    bodies = await hooks.heard()
    assert sorted(body["listId"] for body in bodies) == list(range(1, 13))
    (delivery,) = await hooks.deliveries(ids[1])
    url = f"/rooftree/v1/webhooks/{ids[1]}/replay"
    assert (await olive.ok("POST", url, {}))["replayed"] == 0, "nothing failed"
    assert (await olive.ok("POST", url, {"deliveryIds": [delivery["deliveryId"], 1]}))["replayed"] == 1
    (body,) = await hooks.heard()
    assert body["listId"] == 2
    again = (await olive.ok("POST", url, {"states": ["delivered"], "since": "2020-01-01T00:00:00Z"}))["replayed"]
    assert again == 1
    assert len(await hooks.heard()) == 1
    assert len({one.headers["webhook-id"] for one in hooks.receiver.requests if one.path == "/2"}) == 1
    for bad in ({"states": ["waiting"]}, {"since": "yesterday"}):
        assert await olive.refused("POST", url, bad) == (400, 20012)


# --- who hears -------------------------------------------------------------------------------------------------------

_ME, _OTHER, _OFFICE = 7, 8, 70


@given(
    assigned=st.booleans(), scope=st.sampled_from(["TEAM", "OFFICE", "PERSONAL"]),
    owner=st.sampled_from([_ME, _OTHER, _OFFICE, 71]), is_hidden=st.booleans(), in_role=st.booleans(),
    sees_all=st.booleans(), mode=st.sampled_from([0, 1]),
)  # fmt: skip
def test_who_hears(
    assigned: bool, scope: str, owner: int, is_hidden: bool, in_role: bool, sees_all: bool, mode: int
) -> None:
    """The table of webhooks.md 3, row by row."""
    hearing = Hearing([_ME if assigned else _OTHER], scope, owner, is_hidden, [_ME] if in_role else [])
    hears = rules.hears(Subscriber(1, 1, 2, 100, mode, _ME, sees_all, [_OFFICE]), hearing)
    owns = (scope, owner) == ("PERSONAL", _ME)
    if mode == 0:
        assert hears == (assigned if is_hidden else assigned or sees_all)
    elif is_hidden:
        assert hears == (assigned or owns or sees_all)
    else:
        manages = scope == "TEAM" or (scope, owner) == ("OFFICE", _OFFICE) or owns
        assert hears == (assigned or sees_all or manages or in_role)


async def test_nobody_hears_of_what_is_not_theirs(client: Client, make: Make, hooks: Hooks, people: People) -> None:
    persons = {person.name: person for person in (people.olive, people.adam, people.ana, people.otto, people.stella)}
    for mode in (0, 1):
        for name, person in persons.items():
            await hooks.subscribe(2, by=person, path=f"/{name}{mode}", permissionMode=mode)
    olive = client.as_(people.olive)

    async def told() -> set[str]:
        return {one.path.strip("/") for one in hooks.receiver.requests[before:]}

    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"ownershipScope": "TEAM"}, {"olive0", "olive1", "adam0", "adam1", "ana1", "otto1"}),
        ({"ownershipScope": "OFFICE", "ownershipId": people.south}, {"olive0", "olive1", "adam0", "adam1", "otto1"}),
        ({"ownershipScope": "PERSONAL", "ownershipId": people.ana.id}, {"olive0", "olive1", "adam0", "adam1", "ana1"}),
    ]
    for fields, expected in cases:
        before = len(hooks.receiver.requests)
        await olive.ok("POST", "/v1.0/leads", {"firstName": "T", "assignedUserId": people.adam.id, **fields})
        await hooks.heard()
        assert await told() == expected, fields
    lead_id = await make.lead(by=people.olive, ownershipScope="TEAM", assignedUserId=people.adam.id)
    await olive.ok("PUT", f"/v1.0/leads/{lead_id}", {"isHidden": True})
    await hooks.heard()
    before = len(hooks.receiver.requests)
    await olive.ok("PUT", f"/v1.0/leads/{lead_id}", {"lastName": "X"})
    await hooks.heard()
    assert await told() == {"olive1", "adam0", "adam1"}, "hidden"
    lead_id = await make.lead(
        by=people.olive, assignedUserId=people.adam.id, ownershipScope="PERSONAL", ownershipId=people.olive.id
    )
    await hooks.heard()
    before = len(hooks.receiver.requests)
    await olive.ok("PUT", f"/v1.0/leads/{lead_id}", {"assignedUserId": people.otto.id})
    await hooks.heard()
    assert await told() == {"olive0", "olive1", "adam0", "adam1", "otto0", "otto1"}, "the old agent and the new one"


async def test_who_was_deactivated_hears_nothing(make: Make, hooks: Hooks, people: People, owner_db: Database) -> None:
    await hooks.subscribe(2, by=people.ana, permissionMode=1)
    async with owner_db.transaction(people.olive.team_id) as tx:
        await tx.execute("UPDATE member SET status = 'deactivated' WHERE id = $1", people.ana.id)
    await make.lead(by=people.olive)
    assert await hooks.heard() == []


# --- the feed --------------------------------------------------------------------------------------------------------


async def feed(client: Client, cursor: str, **query: Any) -> tuple[list[dict[str, Any]], str]:
    suffix = "".join(f"&{key}={value}" for key, value in query.items())
    found = await client.ok("GET", f"/rooftree/v1/events?after={cursor}{suffix}")
    return found["events"], found["cursor"]


async def test_the_feed_has_no_gaps_under_concurrent_writers(
    client: Client, make: Make, hooks: Hooks, people: People
) -> None:
    olive = client.as_(people.olive)
    cursor = (await olive.ok("GET", "/rooftree/v1/events"))["cursor"]
    done, seen = asyncio.Event(), list[int]()

    async def read() -> None:
        nonlocal cursor
        while True:
            is_last = done.is_set()
            if is_last:
                await hooks.fan_out()
            found, cursor = await feed(olive, cursor, limit=7)
            seen.extend(one["entry"]["leadId"] for one in found if one["event"] == "createdLead")
            if is_last and not found:
                return
            await asyncio.sleep(0)

    async def number() -> None:
        while not done.is_set():
            await hooks.fan_out()

    reading, numbering = asyncio.create_task(read()), [asyncio.create_task(number()) for _ in range(2)]
    ids = await asyncio.gather(*(make.lead(by=people.olive) for _ in range(150)))
    done.set()
    await asyncio.gather(reading, *numbering)
    assert Counter(seen) == Counter(ids)


async def test_the_feed_shows_what_its_reader_may_hear_of(
    client: Client, make: Make, hooks: Hooks, people: People
) -> None:
    start = {
        person.name: (await client.as_(person).ok("GET", "/rooftree/v1/events"))["cursor"]
        for person in (people.ana, people.stella)
    }
    hidden = await make.lead(by=people.olive, assignedUserId=people.adam.id)
    await client.as_(people.olive).ok("PUT", f"/v1.0/leads/{hidden}", {"isHidden": True})
    await hooks.fan_out()
    start["ana"] = (await client.as_(people.ana).ok("GET", "/rooftree/v1/events"))["cursor"]
    await client.as_(people.olive).ok("PUT", f"/v1.0/leads/{hidden}", {"lastName": "X"})
    shown = await make.lead(by=people.olive, assignedUserId=people.ana.id)
    await hooks.fan_out()
    found, _ = await feed(client.as_(people.ana), start["ana"], listIds=2)
    assert [(one["event"], one["entry"]["leadId"]) for one in found] == [("createdLead", shown)]
    assert (await feed(client.as_(people.stella), start["stella"]))[0] == []
    assert await client.refused("GET", "/rooftree/v1/events?after=nonsense") == (400, 20012)
    assert await client.refused("GET", "/rooftree/v1/events?limit=0") == (400, 20012)
    assert await client.refused("GET", "/rooftree/v1/events?from=now") == (400, 20012)
    assert (await client.ok("GET", "/rooftree/v1/events?from=start"))["events"]


def test_retry_after_in_both_forms() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert rules.retry_after("7", now) == timedelta(seconds=7)
    assert rules.retry_after("Thu, 01 Jan 2026 00:01:00 GMT", now) == timedelta(minutes=1)
    assert rules.retry_after("Wed, 31 Dec 2025 00:01:00 GMT", now) == timedelta(0)
    for text in (None, "", "soon", "-1", "1.5", "٣", "9" * 500):
        asked = rules.retry_after(text, now)
        assert asked is None or asked == rules.LONGEST_WAIT


async def test_whoever_has_a_role_hears_by_ownership(make: Make, hooks: Hooks, people: People) -> None:
    """contract: webhooks.md 3, assigned to in any role"""
    lead_id = await make.lead(by=people.olive, assignedUserId=people.adam.id)
    olive = hooks.client.as_(people.olive)
    await olive.ok("POST", f"/v1.0/leads/{lead_id}/assignment", [{"role": "Assistant", "assignee": people.otto.email}])
    await hooks.subscribe(3, by=people.otto, path="/0", permissionMode=0)
    await hooks.subscribe(3, by=people.otto, path="/1", permissionMode=1)
    start = (await hooks.client.as_(people.otto).ok("GET", "/rooftree/v1/events"))["cursor"]
    before = len(hooks.receiver.requests)
    await make.site(lead_id, by=people.olive)
    await hooks.heard()
    assert [one.path for one in hooks.receiver.requests[before:]] == ["/1"]
    found, _ = await feed(hooks.client.as_(people.otto), start, listIds=3)
    assert [one["entry"]["leadId"] for one in found] == [lead_id]
