"""The scan that fills the review list, and the list."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.duplicates import actions, jobs
from rooftree.duplicates.rules import MOST_HOLDERS
from rooftree.platform.database import Database

Scan = Callable[[], Awaitable[int]]


@pytest.fixture
def scan(owner_db: Database, people: People) -> Scan:
    """Compares what waits, of the people's company; returns how many leads that were."""

    async def compare() -> int:
        done = 0
        while True:
            async with owner_db.transaction(people.adam.team_id) as tx:
                taken = await actions.scan(tx)
            if not taken:
                return done
            done += taken

    return compare


async def pairs(client: Client, query: str = "") -> list[dict[str, Any]]:
    return (await client.ok("GET", f"/rooftree/v1/duplicates{query}"))["duplicates"]


def ids_of(pair: dict[str, Any]) -> list[int]:
    return [lead["leadId"] for lead in pair["leads"]]


async def test_new_and_changed_leads_are_compared_and_no_others(client: Client, make: Make, scan: Scan) -> None:
    one = await make.lead(firstName="Jon", lastName="Smith", emails=["jon@x.example"], phones=["3105550100"])
    assert (await scan(), await scan()) == (1, 0)
    other = await make.lead(firstName="Johnny", lastName="Smith", phones=["(310) 555-0100"])
    third = await make.lead(firstName="Petra", lastName="Quist", emails=["p@x.example"])
    assert await pairs(client) == []
    assert await scan() == 2
    (found,) = await pairs(client)
    assert (ids_of(found), found["state"]) == ([one, other], "open")
    assert [reason["text"] for reason in found["reasons"]] == [
        "Names alike: Jon Smith, Johnny Smith",
        "Same phone number: +13105550100",
    ]
    await client.ok("PUT", f"/v1.0/leads/{third}", {"emails": ["JON@x.example "]})
    await client.ok("PUT", f"/v1.0/leads/{one}", {"tags": ["t"]})
    assert await scan() == 1, "a tag is nothing to compare"
    assert [ids_of(pair) for pair in await pairs(client)] == [[one, other], [one, third]]
    assert [ids_of(pair) for pair in await pairs(client, f"?leadId={third}")] == [[one, third]]
    assert [ids_of(pair) for pair in await pairs(client, "?minScore=70")] == [[one, other]]
    await client.ok("PUT", f"/v1.0/leads/{third}", {"emails": []})
    await client.ok("DELETE", f"/v1.0/leads/{other}?reason=x")
    assert await pairs(client, f"?leadId={other}") == [], "at once"
    await scan()
    assert await pairs(client) == []
    await client.ok("POST", f"/rooftree/v1/leads/{other}/restore")
    await scan()
    assert [ids_of(pair) for pair in await pairs(client)] == [[one, other]]


async def test_mailboxes_written_differently(client: Client, make: Make, scan: Scan) -> None:
    """Whichever came first, and whichever way it is written."""
    plain = await make.lead(firstName="A", emails=["jsmith@gmail.com"])
    dotted = await make.lead(firstName="A", emails=["j.smith@gmail.com"])
    await scan()
    plus = await make.lead(firstName="A", emails=["j.smith+a@googlemail.com"])
    await scan()
    assert sorted(map(ids_of, await pairs(client))) == sorted([[plain, dotted], [plain, plus], [dotted, plus]])
    first = await make.lead(firstName="B", emails=["x+1@corp.example"])
    await scan()
    second = await make.lead(firstName="B", emails=["x@corp.example"])
    await scan()
    assert [ids_of(pair) for pair in await pairs(client, f"?leadId={second}")] == [[first, second]]


async def test_an_offices_number_brings_nobody_together(client: Client, make: Make, scan: Scan) -> None:
    """However many leads have it; but two of one name among them are found."""
    for number in range(MOST_HOLDERS + 5):
        name = f"{chr(97 + number)}{chr(98 + number)}x"
        await make.lead(firstName=name, lastName=f"{name}{name}", phones=["3105550100"])
    one = await make.lead(firstName="Jon", lastName="Smith", phones=["3105550100"])
    other = await make.lead(firstName="Jon", lastName="Smyth", phones=["3105550100"])
    await scan()
    assert [ids_of(pair) for pair in await pairs(client)] == [[one, other]]


async def test_dismissed_stays_dismissed(client: Client, make: Make, scan: Scan, people: People) -> None:
    one = await make.lead(firstName="Jon", emails=["j@x.example"])
    other = await make.lead(firstName="Jon", emails=["j@x.example"])
    await scan()
    (found,) = await pairs(client)
    url = f"/rooftree/v1/duplicates/{found['duplicateId']}"
    dismissed = await client.ok("POST", f"{url}/dismiss")
    assert (dismissed["state"], dismissed["dismissedBy"]) == ("dismissed", people.adam.id)
    assert await client.ok("POST", f"{url}/dismiss") == dismissed, "again changes nothing"
    await client.ok("PUT", f"/v1.0/leads/{one}", {"phones": ["3105550100"]})
    await client.ok("PUT", f"/v1.0/leads/{other}", {"phones": ["3105550100"]})
    await scan()
    assert await pairs(client) == []
    (found,) = await pairs(client, "?state=dismissed")
    assert found["score"] > dismissed["score"]
    reopened = await client.ok("POST", f"{url}/reopen")
    assert (reopened["state"], reopened["dismissedAt"]) == ("open", None)
    assert [pair["duplicateId"] for pair in await pairs(client)] == [found["duplicateId"]]
    await client.ok("POST", f"/rooftree/v1/leads/{one}/merge", {"otherLeadId": other})
    assert await pairs(client) == []
    assert await client.refused("POST", f"{url}/dismiss") == (404, 20007)


async def test_a_pair_is_for_who_sees_both(client: Client, make: Make, scan: Scan, people: People) -> None:
    await make.lead(firstName="Jon", emails=["j@x.example"])
    await make.lead(firstName="Jon", emails=["j@x.example"], by=people.otto)
    await make.lead(firstName="Jon", emails=["j@x.example"], by=people.sid)
    await scan()
    assert await pairs(client) == []
    assert await pairs(client.as_(people.otto)) == []
    (found,) = await pairs(client.as_(people.olive))
    for person in (people.adam, people.otto, people.stella):
        url = f"/rooftree/v1/duplicates/{found['duplicateId']}/dismiss"
        assert await client.as_(person).refused("POST", url) == (404, 20007)


async def test_pages(client: Client, make: Make, scan: Scan) -> None:
    for number in range(4):
        await make.lead(firstName="Jon", lastName="Smith", emails=["j@x.example"], phones=["3105550100"][: number % 2])
    await scan()
    everything = await pairs(client)
    assert len(everything) == 6
    assert [pair["score"] for pair in everything] == sorted((pair["score"] for pair in everything), reverse=True)
    found: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = await client.ok("GET", f"/rooftree/v1/duplicates?limit=4&cursor={cursor}")
        found += page["duplicates"]
        cursor = page["nextCursor"]
    assert found == everything
    for query in ("?limit=0", "?state=x", "?minScore=101", "?cursor=x"):
        assert await client.refused("GET", f"/rooftree/v1/duplicates{query}") == (400, 20012)


async def test_the_worker_compares_every_team(make: Make, owner_db: Database, people: People) -> None:
    for person in (people.adam, people.sid):
        for _ in range(2):
            await make.lead(firstName="Jon", emails=["j@x.example"], by=person)
    await jobs.find_duplicates(owner_db)
    rows = await make.rows(
        "SELECT team_id FROM duplicate_pair WHERE team_id = ANY ($1) ORDER BY 1",
        [people.adam.team_id, people.sid.team_id],
    )
    assert [row[0] for row in rows] == sorted([people.adam.team_id, people.sid.team_id])
