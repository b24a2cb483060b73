"""Seed 003, the lead guide: the rows about lists, named by the row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.leads.test_seed_003 import JANE
from tests.support.client import Client
from tests.support.make import Make, actor_for
from tests.support.people import People

from rooftree.cli import demo
from rooftree.leads import queries
from rooftree.leads.filters import LeadFilter, Order
from rooftree.platform.database import Database
from rooftree.timeline import kinds

PRINTED = "/v1.0/leads?limit=20&offset=0&stage=New+Lead&sort=LastActivity&desc=true"


async def test_s3_14_the_printed_list_is_served(client: Client, make: Make) -> None:
    for _ in range(21):
        await make.lead()
    answer = await client.ok("GET", PRINTED)
    assert answer.keys() == {"_metadata", "get_metadata", "leads"}
    assert answer["_metadata"] == answer["get_metadata"]
    assert len(answer["leads"]) == 20


async def test_s3_15_limit(client: Client, make: Make) -> None:
    for _ in range(7):
        await make.lead()
    answer = await client.ok("GET", "/v1.0/leads?limit=5")
    block = answer["_metadata"]
    assert block.pop("scrollId")
    assert block == {"collection": "leads", "limit": 5, "offset": 0, "total": 7}
    assert len(answer["leads"]) == 5


async def test_s3_16_offset(client: Client, make: Make) -> None:
    made = [await make.lead() for _ in range(7)]
    first = await client.ok("GET", "/v1.0/leads?limit=5")
    rest = await client.ok("GET", "/v1.0/leads?limit=5&offset=5")
    assert rest["_metadata"] == {"collection": "leads", "limit": 5, "offset": 5, "total": 7}
    assert len(rest["leads"]) == 2
    assert [lead["leadId"] for lead in first["leads"] + rest["leads"]] == sorted(made, reverse=True)
    assert (await client.ok("GET", "/v1.0/leads?offset=7"))["leads"] == []


async def test_s3_17_stage_filter(client: Client, make: Make) -> None:
    new, contacted = await make.lead(stage="New Lead"), await make.lead(stage="Contacted")
    listed = (await client.ok("GET", "/v1.0/leads?stage=New+Lead"))["leads"]
    assert [(lead["leadId"], lead["stage"]) for lead in listed] == [(new, "New Lead")]
    assert await client.ids(stage="new lead,Contacted") == [contacted, new]
    assert await client.ids(stage="unheard of") == []


async def test_s3_18_sort_by_last_activity(client: Client, make: Make, people: People) -> None:
    made = [await make.lead() for _ in range(4)]
    for lead_id, days in zip(made, (2, 3, 1), strict=False):
        at = datetime.now(UTC) - timedelta(days=days)
        await make.happening(lead_id, kinds.SITE_BROWSE, people.adam, happened_at=at)
    newest_first = [made[2], made[0], made[1], made[3]]
    assert await client.ids(sort="LastActivity", desc="true") == newest_first
    assert await client.ids(sort="LastActivity", desc="false") == [made[1], made[0], made[2], made[3]]
    assert await client.ids(sort="LastActivity", desc="true", offset=1, limit=2) == newest_first[1:3]
    assert await client.ids(sort="LastActivity", desc="true", offset=3, limit=2) == newest_first[3:]


async def test_s3_19_assigned_user_filter(client: Client, make: Make, people: People) -> None:
    hers = await make.lead(assignedUserId=people.ana.id)
    await make.lead(assignedUserId=people.adam.id)
    unseen = await make.lead(by=people.otto, assignedUserId=people.ana.id)
    assert await client.ids(assignedUserId=people.ana.id) == [hers]
    assert await client.as_(people.ana).ids(assignedUserId=people.ana.id) == [unseen, hers]


async def test_s3_20_source_filter(client: Client, make: Make) -> None:
    web = await make.lead(source="Website")
    await make.lead(source="Google")
    await make.lead()
    assert await client.ids(source="Website") == [web]


@pytest.mark.parametrize("address", ["jane.smith@example.com", "JANE.Smith@Example.com"])
async def test_s3_21_email_filter(client: Client, make: Make, address: str) -> None:
    jane = await make.lead(**JANE)
    await make.lead(emails=["other@example.com"])
    assert await client.ids(email=address) == [jane]
    assert await client.ids(email="jane") == []


@pytest.mark.parametrize("number", ["5551234567", "(555) 123-4567", "+1 555 123 4567"])
async def test_s3_22_phone_filter(client: Client, make: Make, number: str) -> None:
    jane = await make.lead(**JANE)
    await make.lead(phones=["5559999999"])
    assert await client.ids(phone=number) == [jane]


KEYS = """jan|smi|Jane Smith|mith|smith jane|jane.smith@|smith@exa|1234|(555) 123|Smiht|Jnae|JANE|example.com
jane.smiht@example.com|5551234568|ane smi|j|sm|Jane  SMITH|123-4567"""


@pytest.mark.parametrize("key", KEYS.replace("\n", "|").split("|"))
async def test_s3_23_key_is_fuzzy(client: Client, make: Make, key: str) -> None:
    jane = await make.lead(**JANE)
    await make.lead(firstName="Bob", lastName="Li", emails=["bob@elsewhere.org"], phones=["2120000000"])
    assert await client.ids(key=key) == [jane]


@pytest.mark.parametrize("key", ["zzz", "%", "_", "\\", "jane zzz", "Smxxh", "'", "🙂"])
async def test_s3_23_key_that_nobody_has(client: Client, make: Make, key: str) -> None:
    await make.lead(**JANE)
    assert await client.ids(key=key) == []


async def test_s3_24_any_tags(client: Client, make: Make) -> None:
    a, b, both = await make.lead(tags=["a"]), await make.lead(tags=["b"]), await make.lead(tags=["a", "b"])
    await make.lead(tags=["c"])
    await make.lead()
    assert await client.ids(anyTags="a,b") == [both, b, a]
    assert await client.ids(anyTags="a") == [both, a]
    assert await client.ids(anyTags="a", desc="false") == [a, both]
    assert await client.ids(anyTags="a", sort="Score") == await client.ids(anyTags="a", desc="false")
    assert await client.ids(anyTags="d") == []
    assert (await client.ok("GET", "/v1.0/leads?anyTags=a"))["_metadata"]["total"] == 2
    assert (await client.ok("GET", "/v1.0/leads?anyTags=a&anyTags=b"))["_metadata"]["total"] == 3


async def test_s3_25_all_tags(client: Client, make: Make) -> None:
    a, both = await make.lead(tags=["a"]), await make.lead(tags=["a", "b"])
    await make.lead(tags=["b"])
    assert await client.ids(allTags="a,b") == [both]
    assert await client.ids(allTags="a", anyTags="b") == [both]
    assert await client.ids(allTags="a", anyTags="a") == [both, a]
    assert await client.ids(allTags="a,d") == []


async def test_s3_26_contacted(client: Client, make: Make) -> None:
    called, fresh = await make.lead(), await make.lead()
    await make.change("UPDATE lead SET is_contacted = true WHERE id = $1", called)
    assert await client.ids(contacted="true") == [called]
    assert await client.ids(contacted="FALSE") == [fresh]
    assert await client.ids() == [fresh, called]


async def test_s3_27_filters_combine(client: Client, make: Make) -> None:
    wanted = await make.lead(stage="Pending", source="Website")
    await make.lead(stage="Pending", source="Google")
    await make.lead(stage="Active", source="Website")
    assert await client.ids(stage="Pending", source="Website") == [wanted]


async def test_s3_28_scroll_is_stable_while_leads_come(
    client: Client, make: Make, owner_db: Database, people: People
) -> None:
    olive = client.as_(people.olive)
    await demo.add_leads(owner_db, people.olive.team_id, people.olive.id, 250)
    page = await olive.ok("GET", "/v1.0/leads?limit=100")
    seen, pages = [lead["leadId"] for lead in page["leads"]], 1
    while scroll := page["_metadata"].get("scrollId"):
        await make.lead(by=people.olive)
        page = await olive.ok("GET", f"/v1.0/leads?limit=100&scrollId={scroll}")
        seen += [lead["leadId"] for lead in page["leads"]]
        pages += 1
    assert len(seen) == len(set(seen)) == 250
    assert pages == 3


async def test_s3_28_scroll_cannot_be_changed(client: Client, make: Make, people: People) -> None:
    for _ in range(3):
        await make.lead(stage="Pending", by=people.adam, ownershipScope="TEAM")
    scroll = (await client.ok("GET", "/v1.0/leads?limit=1&stage=Pending"))["_metadata"]["scrollId"]
    assert len(await client.ids(limit=1, scrollId=scroll)) == 1
    assert len(await client.ids(limit=1, stage="Pending", scrollId=scroll)) == 1
    assert await client.refused("GET", f"/v1.0/leads?limit=1&stage=Active&scrollId={scroll}") == (400, 20012)
    assert await client.refused("GET", f"/v1.0/leads?limit=1&sort=Score&scrollId={scroll}") == (400, 20012)
    other = "A" if scroll[3] != "A" else "B"
    assert await client.refused("GET", f"/v1.0/leads?scrollId={scroll[:3]}{other}{scroll[4:]}") == (400, 20012)
    assert await client.refused("GET", "/v1.0/leads?scrollId=xyz") == (400, 20012)
    assert await client.as_(people.ana).refused("GET", f"/v1.0/leads?scrollId={scroll}") == (400, 20012)


async def test_s3_47_a_later_scroll_page_costs_what_the_first_costs(
    client: Client, owner_db: Database, people: People
) -> None:
    """Counts the pages that PostgreSQL touches, not time."""
    olive = client.as_(people.olive)
    await demo.add_leads(owner_db, people.olive.team_id, people.olive.id, 2000)
    page = await olive.ok("GET", "/v1.0/leads?limit=100")
    seen, costs = {lead["leadId"] for lead in page["leads"]}, [await _pages_of(owner_db, people, None)]
    while scroll := page["_metadata"].get("scrollId"):
        last = page["leads"][-1]["leadId"]
        page = await olive.ok("GET", f"/v1.0/leads?limit=100&scrollId={scroll}")
        costs.append(await _pages_of(owner_db, people, last))
        seen |= {lead["leadId"] for lead in page["leads"]}
    assert len(seen) == 2000
    assert page["_metadata"]["total"] == 2000
    assert max(costs[1:]) < 3 * costs[0]


async def _pages_of(owner_db: Database, people: People, last: int | None) -> int:
    """The pages that the statement of a scroll page touches, after the lead `last`."""
    async with owner_db.reading(people.olive.team_id) as tx:
        after = await tx.fetchval("SELECT created_at FROM lead WHERE team_id = $1 AND id = $2", tx.team_id, last)
        scroll = None
        if last is not None:
            scroll = queries._Scroll(0, LeadFilter(), Order(), after.isoformat(), last, 0, None)
        spy = Spy()
        owner = actor_for(people.olive, "owner")
        await queries._slice(spy, owner, LeadFilter(), Order(), scroll, 101, 0, 2000, has_value=True)
        plan = await tx.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {spy.sql}", *spy.args)
    return int(msgspec.json.decode(plan)[0]["Plan"]["Shared Hit Blocks"])


class Spy:
    """Stands where a transaction would, and keeps the statement."""

    sql = ""
    args: tuple[Any, ...] = ()

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        self.sql, self.args = sql, args
        return []


async def test_s3_48_other_words_of_the_same_query(client: Client, make: Make) -> None:
    await make.lead()
    one = await client.ok("GET", PRINTED)
    two = await client.ok("GET", "/v1.0/leads?desc=true&sort=LastActivity&stage=New%20Lead&offset=0&limit=20")
    assert one == two
