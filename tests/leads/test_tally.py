"""The tally is exact, whatever happens to leads and whenever it is added up."""

import asyncio
import random

import pytest
from bench.statements import recorded
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People
from tests.support.tally import counted, tallied

from rooftree.leads import bulk, store
from rooftree.platform.database import Database


@pytest.mark.parametrize("seed", range(2))
async def test_the_tally_agrees_with_the_leads(
    client: Client, make: Make, people: People, owner_db: Database, seed: int
) -> None:
    dice = random.Random(seed)
    olive, team_id = client.as_(people.olive), people.olive.team_id
    made: list[int] = []

    async def change() -> None:
        lead_id = dice.choice(made)
        verb = dice.choice(("stage", "tags", "hide", "owner", "trash", "restore", "assign"))
        url = f"/v1.0/leads/{lead_id}"
        await {
            "stage": lambda: olive.send("PUT", url, {"stage": dice.choice(("Active", "Pending"))}),
            "tags": lambda: olive.send("PUT", url, {"tags": dice.sample("abc", 2)}),
            "hide": lambda: olive.send("PUT", url, {"isHidden": dice.random() < 0.5}),
            "owner": lambda: olive.send("PUT", url, {"ownershipScope": "TEAM", "source": dice.choice(("x", "y"))}),
            "trash": lambda: olive.send("DELETE", f"{url}?reason=x"),
            "restore": lambda: olive.send("POST", f"/rooftree{url.replace('1.0', '1')}/restore"),
            "assign": lambda: olive.send("PUT", url, {"assignedUserId": people.otto.id}),
        }[verb]()

    async def compact() -> None:
        async with owner_db.transaction(team_id) as tx:
            await store.compact_tally(tx)

    for _ in range(6):
        made += await asyncio.gather(*(make.lead(by=people.olive, tags=["a"]) for _ in range(4)))
        await asyncio.gather(*(change() for _ in range(10)), compact(), compact())
        assert await tallied(make, team_id) == await counted(make, team_id)
    await compact()
    assert await tallied(make, team_id) == await counted(make, team_id)
    cells = await make.rows("SELECT count(*) FROM lead_tally WHERE team_id = $1", team_id)
    assert cells[0][0] == len(await counted(make, team_id))


async def test_leads_of_an_account_are_marked_as_contacted_together(
    client: Client, make: Make, people: People, owner_db: Database
) -> None:
    """One that was merged away meanwhile stands for what it became; how many they are costs no more statements."""
    team_id = people.adam.team_id
    leads = [await make.lead(tags=["a", "b"]) for _ in range(4)]
    stays, goes, strange = await make.lead(tags=["b"]), await make.lead(), await make.lead(by=people.stella)
    await client.ok("POST", f"/rooftree/v1/leads/{stays}/merge", {"otherLeadId": goes})
    said: list[int] = []
    for some in (leads[:1], leads[1:3]):
        async with owner_db.transaction(team_id) as tx:
            with recorded() as statements:
                await bulk.mark_all_contacted(tx, some, region="US")
        said.append(len(statements))
    assert said[0] == said[1]
    async with owner_db.transaction(team_id) as tx:
        await bulk.mark_all_contacted(tx, [*leads[:3], goes, strange], region="US")
    rows = await make.rows(
        "SELECT id FROM lead WHERE id = ANY ($1) AND is_contacted ORDER BY id", [*leads, stays, strange]
    )
    assert [row["id"] for row in rows] == sorted([*leads[:3], stays])
    assert await tallied(make, team_id) == await counted(make, team_id)
