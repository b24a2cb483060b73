"""POST /rooftree/v1/leads/batch: matching, conflicts, refusals, limits, sending again, ten thousand rows."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.leads.batch import BODY_LIMIT_BYTES
from rooftree.platform.database import Database

URL = "/rooftree/v1/leads/batch"


def lines(*rows: Any) -> bytes:
    """Return rows as NDJSON."""
    return b"\n".join(msgspec.json.encode(row) for row in rows)


async def sent(client: Client, *rows: Any, **query: Any) -> dict[str, Any]:
    """Send a batch that is taken; return its answer."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await client.send("POST", f"{URL}?{words}", content=lines(*rows))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    statuses = [one["status"] for one in told["results"]]
    assert [told["created"], told["updated"], told["skipped"], told["errors"]] == [
        statuses.count(status) for status in ("created", "updated", "skipped", "error")
    ]
    assert told["rows"] == len(statuses) == len(rows)
    return told


def briefly(told: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Return status and error of each row."""
    return [(one["status"], one["errorCode"]) for one in told["results"]]


@pytest.mark.parametrize(
    ("match_on", "found"),
    [("email", "created"), ("phone", "updated"), ("emailOrPhone", "updated"), ("none", "created"), ("id", "created")],
)
async def test_what_a_row_finds_its_lead_by(client: Client, make: Make, match_on: str, found: str) -> None:
    lead_id = await make.lead(emails=["a@x.example"], phones=["(415) 555-2671"])
    row = {"firstName": "New", "emails": ["b@x.example"], "phones": ["+1 415 555 2671"]}
    told = (await sent(client, row, matchOn=match_on))["results"][0]
    assert told["status"] == found
    assert (told["leadId"] == lead_id) == (found == "updated")
    assert (await client.lead(told["leadId"]))["emails"] == ["b@x.example"]


@pytest.mark.parametrize("on_conflict", ["update", "skip", "error", "create"])
async def test_what_becomes_of_a_row_whose_lead_is_there(client: Client, make: Make, on_conflict: str) -> None:
    lead_id = await make.lead(emails=["A@x.example"], tags=["old"], lastName="Old", city="Austin")
    row = {"firstName": "T", "emails": ["a@X.example"], "lastName": "New", "tagsAdd": ["new"], "content": "a note"}
    told = (await sent(client, row, onConflict=on_conflict))["results"][0]
    lead = await client.lead(lead_id)
    assert (lead["lastName"] == "New") == (on_conflict == "update")
    assert {tag["tagName"] for tag in lead["tags"]} == ({"old", "new"} if on_conflict == "update" else {"old"})
    assert lead["city"] == "Austin"
    expected = {"update": "updated", "skip": "skipped", "error": "error", "create": "created"}
    assert (told["status"], told["leadId"] == lead_id) == (expected[on_conflict], on_conflict != "create")
    assert told["errorCode"] == (900409 if on_conflict == "error" else None)
    notes = await client.ok("GET", f"/v1.0/notes?leadId={lead_id}")
    assert notes["notes"] == [], "a note belongs to an arrival: sent again, it would stand there twice"


async def test_by_id_a_row_changes_exactly_that_lead(client: Client, make: Make, people: People) -> None:
    mine, theirs = await make.lead(lastName="Old"), await make.lead(by=people.sid, lastName="Old")
    hidden = await make.lead(by=people.otto, assignedUserId=people.otto.id)
    rows = [{"id": str(mine), "lastName": "New"}, *({"id": one, "lastName": "New"} for one in (theirs, hidden, 7))]
    assert briefly(await sent(client, *rows, matchOn="id")) == [("updated", None), *[("error", 20006)] * 3]
    assert (await client.lead(mine))["lastName"] == "New"
    assert (await client.as_(people.sid).lead(theirs))["lastName"] == "Old"


async def test_a_match_that_is_not_theirs_is_neither_changed_nor_told(
    client: Client, make: Make, people: People
) -> None:
    theirs = await make.lead(by=people.otto, emails=["a@x.example"], assignedUserId=people.otto.id, lastName="Otto's")
    for on_conflict in ("update", "skip", "error"):
        row = {"firstName": on_conflict, "emails": ["a@x.example"], "assignedUserId": people.otto.id}
        adam = await sent(client, {**row, "ownershipScope": "TEAM"} | {"isHidden": True}, onConflict=on_conflict)
        assert adam["results"][0]["leadId"] != theirs
        await client.as_(people.olive).ok("DELETE", f"/v1.0/leads/{adam['results'][0]['leadId']}?reason=x")
    assert (await client.as_(people.otto).lead(theirs))["lastName"] == "Otto's"


async def test_rows_meet_the_leads_as_the_rows_before_left_them(client: Client) -> None:
    rows = [
        {"firstName": "A", "emails": ["a@x.example"], "phones": ["4155552671"]},
        {"firstName": "B", "emails": ["b@x.example"]},
        {"firstName": "A2", "emails": ["a@x.example", "c@x.example"]},
        {"firstName": "A3", "emails": ["c@x.example"]},
        {"firstName": "A4", "phones": ["(415) 555 2671"], "emails": ["b@x.example"]},
        {"firstName": "C", "emails": ["a@x.example"]},
    ]
    told = await sent(client, *rows)
    ids = [one["leadId"] for one in told["results"]]
    assert [one["status"] for one in told["results"]] == [*["created"] * 2, *["updated"] * 3, "created"]
    assert ids == [ids[0], ids[1], ids[0], ids[0], ids[1], ids[5]]
    first, second = await client.lead(ids[0]), await client.lead(ids[1])
    assert (first["firstName"], first["emails"]) == ("A3", ["c@x.example"])
    assert (second["firstName"], second["phones"]) == ("A4", ["(415) 555 2671"])


async def test_an_update_tells_what_a_single_one_tells(client: Client, make: Make, people: People) -> None:
    changes = {
        "lastName": "New",
        "stage": "Fresh",
        "tags": ["b", "c"],
        "source": "Elsewhere",
        "segments": ["S"],
        "assignedUserId": people.ana.id,
        "property": {"city": "Austin"},
        "inquiry": {"priceMin": 5},
        "unsubscription": True,
    }
    first: dict[str, Any] = {
        "assignedUserId": people.adam.id,
        "tags": ["a", "b"],
        "emails": ["x@x.example"],
        "lastName": "Old",
        "source": "Website",
    }
    olive = client.as_(people.olive)
    pair = [await make.lead(by=people.olive, **first) for _ in range(2)]
    await sent(olive, {"id": pair[0], **changes}, matchOn="id")
    await olive.ok("PUT", f"/v1.0/leads/{pair[1]}", changes)
    looks: list[Any] = []
    for lead_id in pair:
        text = msgspec.json.encode(await olive.lead(lead_id)).decode()
        entries = (await olive.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline"))["entries"]
        kinds = sorted(entry["kind"] for entry in entries)
        looks.append((len(text), sorted(msgspec.json.decode(text)), kinds))
    assert looks[0] == looks[1]
    assert await olive.ids(anyTags="c") == await olive.ids(stage="Fresh") == sorted(pair, reverse=True)
    assert await olive.ids(anyTags="a") == []


async def test_sent_again_it_changes_nothing(client: Client, people: People) -> None:
    rows = [{"firstName": "A", "emails": [f"{place}@x.example"], "tags": ["t"]} for place in range(5)]
    headers = {"Authorization": f"Bearer {people.adam.key}", "Idempotency-Key": "once"}
    first = await client.send("POST", URL, content=lines(*rows), headers=headers)
    again = await client.send("POST", URL, content=lines(*rows), headers=headers)
    assert (first.content, again.headers["idempotent-replayed"]) == (again.content, "true")
    by_match = await sent(client, *rows)
    assert by_match["skipped"] == 5
    assert [one["leadId"] for one in by_match["results"]] == [one["leadId"] for one in first.json()["results"]]
    assert len(await client.ids(limit=100)) == 5


async def test_a_dry_run_says_it_all_and_stores_nothing(client: Client, make: Make, db: Database) -> None:
    lead_id = await make.lead(emails=["a@x.example"])
    rows = [
        {"firstName": "A", "emails": ["a@x.example"]},
        {"firstName": "B", "tags": ["never"], "leadTransaction": {"transactionName": "House"}},
        {"firstName": " "},
    ]
    told = await sent(client, *rows, dryRun="true")
    assert told["dryRun"] is True
    assert [(one["status"], one["leadId"]) for one in told["results"]] == [
        ("updated", lead_id),
        ("created", None),
        ("error", None),
    ]
    assert await client.ids() == [lead_id]
    assert await client.ok("GET", "/v1.0/teamFeatures/listTag") == []


async def test_a_row_in_error_hinders_no_other(client: Client) -> None:
    rows = [
        {"firstName": "Good"},
        {"firstName": "x", "leadTypes": [99]},
        {"firstName": "x", "tags": ["never"], "assignGroupId": 99},
        {"firstName": "x", "leadTransaction": {"transactionStatus": 5, "price": []}, "tags": ["never"]},
        {"lastName": "no first name"},
        {"firstName": "x", "property": {"price": 5}},
        {"firstName": "x", "note": "\0"},
        [1],
        {"firstName": "Good", "leadTransaction": {"transactionName": "House"}},
    ]
    told = await sent(client, *rows)
    assert briefly(told) == [
        ("created", None),
        *[("error", 20012)] * 4,
        ("error", 200057),
        *[("error", 20012)] * 2,
        ("created", None),
    ]
    assert told["results"][4]["errorMessage"] == "firstName: is required."
    assert len(await client.ids()) == 2
    assert await client.ok("GET", "/v1.0/teamFeatures/listTag") == []


async def test_a_line_that_is_not_json_refuses_the_batch_and_names_itself(client: Client) -> None:
    answer = await client.send("POST", URL, content=lines({"firstName": "A"}) + b'\n\n{"firstName": "B"\n')
    assert (answer.status_code, answer.json()["code"]) == (400, 20012)
    assert answer.json()["message"].startswith("Row 3: ")
    assert await client.ids() == []


async def test_limits(client: Client, make: Make) -> None:
    for query in ("matchOn=name", "onConflict=maybe", "dryRun=maybe"):
        assert await client.refused("POST", f"{URL}?{query}") == (400, 20012)
    answer = await client.send("POST", URL, content=b"{}\n" * 10_001)
    assert (answer.status_code, answer.json()["code"]) == (400, 20012)
    answer = await client.send("POST", URL, content=b" " * (BODY_LIMIT_BYTES + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, 900413)
    long = {"firstName": "A", "content": "x" * 1_100_000}
    assert briefly(await sent(client, long, {"firstName": "B"})) == [("error", 900413), ("created", None)]
    assert (await sent(client))["results"] == []


async def test_batches_of_a_team_run_one_at_a_time(client: Client, make: Make) -> None:
    rows = [{"firstName": "A", "emails": [f"{place}@x.example"]} for place in range(300)]
    answers = await asyncio.gather(*(client.send("POST", URL, content=lines(*rows)) for _ in range(3)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] == 200
    assert set(codes) <= {200, 409}
    assert (
        len({one["leadId"] for answer in answers if answer.status_code == 200 for one in answer.json()["results"]})
        == 300
    )


async def test_turns_are_exact_beside_single_creates(client: Client, people: People, make: Make) -> None:
    olive = client.as_(people.olive)
    rows = [{"firstName": f"L{place}"} for place in range(130)]
    whole, *_ = await asyncio.gather(sent(olive, *rows), *(make.lead(by=people.olive) for _ in range(20)))
    assert whole["created"] == 130
    totals = [
        (await olive.ok("GET", f"/v1.0/leads?limit=1&assignedUserId={one.id}"))["_metadata"]["total"]
        for one in (people.adam, people.ana, people.otto)
    ]
    assert totals == [50] * 3


async def test_limits_of_members_count_within_a_batch(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    for person in (people.adam, people.ana, people.otto):
        await olive.ok("PUT", f"/rooftree/v1/routing/members/{person.id}", {"dailyLimit": 2})
    told = await sent(olive, *({"firstName": f"L{place}"} for place in range(8)))
    holders = [(await olive.lead(one["leadId"]))["assignedUserId"] for one in told["results"]]
    assert sorted(holders[:6]) == sorted([people.adam.id, people.ana.id, people.otto.id] * 2)
    assert holders[6:] == [people.olive.id] * 2


async def test_rules_with_a_time_to_touch_put_leads_on_offer(client: Client, people: People, db: Database) -> None:
    olive = client.as_(people.olive)
    rule = {"name": "Fast", "strategy": "NEXT_UP", "touchMinutes": 30, "officeId": people.north}
    await olive.ok("POST", "/rooftree/v1/routing/rules", rule)
    told = await sent(olive, *({"firstName": "A", "assignGroupId": people.north} for _ in range(4)))
    for one in told["results"]:
        choice = (await olive.ok("GET", f"/rooftree/v1/leads/{one['leadId']}/routing"))["choices"][0]
        assert choice["touchMinutes"] == 30
    async with db.transaction(people.olive.team_id) as tx:
        offers = await tx.fetch("SELECT member_ids FROM routing_offer WHERE team_id = $1", people.olive.team_id)
    assert sorted(row["member_ids"] for row in offers) == sorted([[people.adam.id], [people.ana.id]] * 2)


async def test_ten_thousand_rows(client: Client, people: People, owner_db: Database) -> None:
    olive = client.as_(people.olive)
    rows = [
        {
            "firstName": f"First{place % 500}",
            "lastName": f"Last{place}",
            "emails": [f"lead{place % 9_900}@x.example"],
            "phones": [f"415{2_000_000 + place:07d}"],
            "tags": [f"tag{place % 50}"],
            "source": f"source {place % 20}",
            "stage": ("New Lead", "Active", "Fresh")[place % 3],
            "segments": ["Imported"],
        }
        for place in range(10_000)
    ]
    told = await sent(olive, *rows, matchOn="email")
    assert (told["created"], told["updated"], told["errors"]) == (9_900, 100, 0)
    page = await olive.ok("GET", "/v1.0/leads?limit=1")
    assert page["_metadata"]["total"] == 9_900
    async with owner_db.unscoped() as tx:
        turns = await tx.fetch("SELECT turns FROM routing_turn WHERE team_id = $1", people.olive.team_id)
        told_of = await tx.fetchval(
            "SELECT count(*) FROM announcement WHERE team_id = $1 AND verb = 'createdLead'", people.olive.team_id
        )
    assert [row["turns"] for row in turns] == [3_300] * 3
    assert told_of == 9_900
