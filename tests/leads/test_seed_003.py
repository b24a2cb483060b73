"""Seed 003, the lead guide: a test per row of its claims (S3-*), named by the row."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.make import Make, actor_for
from tests.support.people import People, Person

from rooftree.cli import demo
from rooftree.leads import queries
from rooftree.leads.filters import LeadFilter, Order
from rooftree.platform.database import Database
from rooftree.timeline import kinds

JANE: dict[str, Any] = {
    "firstName": "Jane",
    "lastName": "Smith",
    "emails": ["jane.smith@example.com"],
    "phones": ["5551234567"],
    "leadTypes": [2],
    "source": "Website",
}


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", "/v1.0/leads"),
        ("GET", "/v1.0/leads/563172647619608"),
        ("GET", "/v1.0/leads?limit=20&offset=0&stage=New+Lead&sort=LastActivity&desc=true"),
        ("PUT", "/v1.0/leads/563172647619608"),
        ("POST", "/v1.0/leads/563172647619608/assignment"),
        ("DELETE", "/v1.0/leads/563172647619608?reason=Duplicate+record"),
    ],
)
async def test_s3_01_a_token_is_needed(client: Client, method: str, url: str) -> None:
    assert await client.as_(None).refused(method, url, {"firstName": "T"}) == (401, 900401)


async def test_s3_02_to_08_create_keeps_every_field(client: Client, make: Make) -> None:
    lead = await client.lead(await make.lead(**JANE))
    assert {key: lead[key] for key in JANE} == JANE


async def test_s3_09_lead_id_is_a_number(client: Client) -> None:
    answer = await client.send("POST", "/v1.0/leads", JANE)
    assert re.fullmatch(r'\{"leadId":\d+\}', answer.text)


async def test_s3_10_ids_are_unique_and_safe_for_javascript(make: Make) -> None:
    ids = [await make.lead() for _ in range(20)]
    assert len(set(ids)) == 20
    assert ids == sorted(ids)
    assert max(ids) < 2**53


async def test_s3_11_routing_assigns_in_turn(client: Client, make: Make, people: People) -> None:
    got = [(await client.lead(await make.lead()))["assignedUserId"] for _ in range(6)]
    assert sorted(got[:3]) == sorted([people.adam.id, people.ana.id, people.otto.id])
    assert got[:3] == got[3:]


async def test_s3_12_a_named_agent_skips_routing(client: Client, make: Make, people: People) -> None:
    first = (await client.lead(await make.lead()))["assignedUserId"]
    named = await make.lead(assignedUserId=people.otto.id)
    assert (await client.lead(named))["assignedUserId"] == people.otto.id
    second = (await client.lead(await make.lead()))["assignedUserId"]
    third = (await client.lead(await make.lead()))["assignedUserId"]
    assert len({first, second, third}) == 3, "the named lead took no turn"


async def test_s3_13_retrieve_is_wrapped(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(**JANE)
    answer = await client.ok("GET", f"/v1.0/leads/{lead_id}")
    assert answer.keys() == {"lead"}
    assert answer["lead"]["leadId"] == lead_id


async def test_s3_14_the_printed_list_is_served(client: Client, make: Make) -> None:
    await make.lead()
    url = "/v1.0/leads?limit=20&offset=0&stage=New+Lead&sort=LastActivity&desc=true"
    answer = await client.ok("GET", url)
    assert answer.keys() == {"_metadata", "get_metadata", "leads"}
    assert answer["_metadata"] == answer["get_metadata"]
    assert len(answer["leads"]) == 1


async def test_s3_15_and_16_limit_and_offset(client: Client, make: Make) -> None:
    made = [await make.lead() for _ in range(7)]
    first = await client.ok("GET", "/v1.0/leads?limit=5")
    rest = await client.ok("GET", "/v1.0/leads?limit=5&offset=5")
    assert first["_metadata"] | {"scrollId": ""} == {
        "collection": "leads",
        "limit": 5,
        "offset": 0,
        "total": 7,
        "scrollId": "",
    }
    assert rest["_metadata"]["total"] == 7
    listed = [lead["leadId"] for lead in first["leads"] + rest["leads"]]
    assert listed == sorted(made, reverse=True)


async def test_s3_17_stage_filter(client: Client, make: Make) -> None:
    new, contacted = await make.lead(stage="New Lead"), await make.lead(stage="Contacted")
    assert await client.ids(stage="New Lead") == [new]
    assert await client.ids(stage="new lead,Contacted") == [contacted, new]


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
jane.smiht@example.com|5551234568|ane smi|j|sm"""


@pytest.mark.parametrize("key", KEYS.replace("\n", "|").split("|"))
async def test_s3_23_key_is_fuzzy(client: Client, make: Make, key: str) -> None:
    jane = await make.lead(**JANE)
    await make.lead(firstName="Bob", lastName="Li", emails=["bob@elsewhere.org"], phones=["2120000000"])
    assert await client.ids(key=key) == [jane]


@pytest.mark.parametrize("key", ["zzz", "%", "_", "\\", "jane zzz", "Smxxh", "'", "🙂"])
async def test_s3_23_key_that_nobody_has(client: Client, make: Make, key: str) -> None:
    await make.lead(**JANE)
    assert await client.ids(key=key) == []


async def test_s3_24_and_25_tags(client: Client, make: Make) -> None:
    a, b, both = await make.lead(tags=["a"]), await make.lead(tags=["b"]), await make.lead(tags=["a", "b"])
    await make.lead(tags=["c"])
    assert await client.ids(anyTags="a,b") == [both, b, a]
    assert await client.ids(allTags="a,b") == [both]
    assert await client.ids(allTags="a", anyTags="b") == [both]
    assert await client.ids(allTags="a", anyTags="a") == [both, a]
    assert await client.ids(anyTags="a", desc="false") == [a, both]
    assert await client.ids(anyTags="a", sort="Score") == await client.ids(anyTags="a", desc="false")
    assert await client.ids(anyTags="a") == [both, a]
    assert (await client.ok("GET", "/v1.0/leads?anyTags=a"))["_metadata"]["total"] == 2
    assert (await client.ok("GET", "/v1.0/leads?anyTags=a&anyTags=b"))["_metadata"]["total"] == 3


async def test_s3_26_contacted(client: Client, make: Make) -> None:
    called, fresh = await make.lead(), await make.lead()
    await make.change("UPDATE lead SET is_contacted = true WHERE id = $1", called)
    assert await client.ids(contacted="true") == [called]
    assert await client.ids(contacted="false") == [fresh]


async def test_s3_27_filters_combine(client: Client, make: Make) -> None:
    wanted = await make.lead(stage="Pending", source="Website")
    await make.lead(stage="Pending", source="Google")
    await make.lead(stage="Active", source="Website")
    assert await client.ids(stage="Pending", source="Website") == [wanted]


async def test_s3_28_scroll_is_stable_while_leads_come(client: Client, make: Make) -> None:
    made = [await make.lead() for _ in range(25)]
    page = await client.ok("GET", "/v1.0/leads?limit=10")
    seen = [lead["leadId"] for lead in page["leads"]]
    pages = 1
    while scroll := page["_metadata"].get("scrollId"):
        await make.lead()
        page = await client.ok("GET", f"/v1.0/leads?limit=10&scrollId={scroll}")
        seen += [lead["leadId"] for lead in page["leads"]]
        pages += 1
    assert seen == sorted(made, reverse=True)
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


async def test_s3_29_to_32_update_changes_only_what_is_sent(client: Client, make: Make) -> None:
    lead_id = await make.lead(**JANE)
    before = await client.lead(lead_id)
    body = {"stage": "Contacted", "tags": [{"tagName": "follow-up"}]}
    assert await client.ok("PUT", f"/v1.0/leads/{lead_id}", body) == {"leadId": lead_id}
    after = await client.lead(lead_id)
    assert {key for key in after if after[key] != before[key]} - {"lastUpdateTime"} == {"stage", "stageId", "tags"}
    assert after["stage"] == "Contacted"
    assert [tag["tagName"] for tag in after["tags"]] == ["follow-up"]


async def test_s3_31_a_stage_change_is_logged_and_announced(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    entry = (
        await make.rows("SELECT details FROM timeline_entry WHERE lead_id = $1 AND kind = 'stage_changed'", lead_id)
    )[0]
    details = msgspec.json.decode(entry["details"])
    assert (details["fromStageName"], details["toStageName"]) == ("New Lead", "Contacted")
    assert await _announced(make, lead_id) == [(2, "createdLead"), (2, "updatedLead"), (12, "updatedPipeline")]


@pytest.mark.parametrize(
    ("tags", "kept"),
    [(["follow-up"], ["follow-up"]), ([{"tagName": "a"}, "b"], ["a", "b"])],
)
async def test_s3_33_tags_as_strings_and_objects(client: Client, make: Make, tags: list[Any], kept: list[str]) -> None:
    lead_id = await make.lead(tags=["old"])
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tags": tags})
    assert [tag["tagName"] for tag in (await client.lead(lead_id))["tags"]] == kept


async def test_s3_34_and_35_assign(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    url = f"/v1.0/leads/{lead_id}/assignment"
    assert await client.ok("POST", url, {"assignees": [{"userId": people.otto.id}]}) == {"leadId": lead_id}
    assert (await client.lead(lead_id))["assignedUserId"] == people.otto.id
    for stranger in (123456, people.sid.id):
        assert await client.refused("POST", url, {"assignees": [{"userId": stranger}]}) == (400, 20012)
    assert (await client.lead(lead_id))["assignedUserId"] == people.otto.id


@pytest.mark.parametrize("body", [{"assignees": []}, {}, {"assignees": {"userId": 1}}])
async def test_s3_36_assignees_must_be_a_filled_list(client: Client, make: Make, body: Any) -> None:
    assert await client.refused("POST", f"/v1.0/leads/{await make.lead()}/assignment", body) == (400, 20012)


async def test_s3_37_preview_stores_nothing(client: Client, make: Make, people: People) -> None:
    body = {"firstName": "Jane", "email": "jane@example.com"}
    first = await client.ok("POST", "/v1.0/leads/assignee", body)
    assert await client.ok("POST", "/v1.0/leads/assignee", body) == first
    chosen = first[0]["customRoleAssignees"][0]["assigneeId"]
    assert await client.ids() == []
    assert (await client.lead(await make.lead()))["assignedUserId"] == chosen


async def test_s3_38_to_41_delete_moves_to_the_trash(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(**JANE)
    before = await client.lead(lead_id)
    answer = await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=Duplicate+record")
    assert answer == {"deleted": True, "leadId": str(lead_id)}
    assert await client.refused("GET", f"/v1.0/leads/{lead_id}") == (404, 20006)
    trashed = await client.lead(lead_id, withTrash="true")
    assert {key for key in before if trashed[key] != before[key]} <= {"lastUpdateTime"}
    assert await client.ids() == []
    rows = await make.rows(
        "SELECT actor_id, details FROM timeline_entry WHERE lead_id = $1 AND kind = 'lead_trashed'", lead_id
    )
    assert rows[0]["actor_id"] == people.adam.id
    assert msgspec.json.decode(rows[0]["details"]) == {"reason": "Duplicate record"}


@pytest.mark.parametrize("query", ["", "?reason=", "?reason=+"])
async def test_s3_40_a_reason_is_required(client: Client, make: Make, query: str) -> None:
    lead_id = await make.lead()
    assert await client.refused("DELETE", f"/v1.0/leads/{lead_id}{query}") == (400, 20012)
    await client.lead(lead_id)


async def test_s3_42_a_trashed_lead_can_be_restored(client: Client, make: Make) -> None:
    lead_id = await make.lead(**JANE, tags=["a"], content="a note")
    before = await client.lead(lead_id)
    await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    await client.ok("POST", f"/rooftree/v1/leads/{lead_id}/restore")
    after = await client.lead(lead_id)
    assert {key for key in before if after[key] != before[key]} <= {"lastUpdateTime"}
    assert await client.ids(anyTags="a") == [lead_id]
    assert [note["content"] for note in (await client.ok("GET", f"/v1.0/notes?leadId={lead_id}"))["notes"]] == [
        "a note"
    ]


async def test_s3_43_the_contract_has_no_restore(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    for method in ("POST", "PUT"):
        assert await client.refused(method, f"/v1.0/leads/{lead_id}/restore", {}) == (404, 900404)
    assert await client.refused("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Active"}) == (404, 20006)
    assert await client.refused("DELETE", f"/v1.0/leads/{lead_id}?reason=x") == (404, 20006)


async def test_s3_44_changes_are_announced_in_their_transaction(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"lastName": "New"})
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"lastName": "New"})
    await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    assert await _announced(make, lead_id) == [(2, "createdLead"), (2, "updatedLead"), (2, "deletedLead")]


async def _announced(make: Make, lead_id: int) -> list[tuple[int, str]]:
    rows = await make.rows(
        "SELECT list_id, verb FROM announcement WHERE lead_id = $1 ORDER BY happened_at, list_id", lead_id
    )
    return [(row["list_id"], row["verb"]) for row in rows]


@pytest.mark.parametrize("scheme", ["token", "Bearer", "BEARER", "Token ", "bearer  "])
async def test_s3_46_a_key_works_under_either_scheme(client: Client, make: Make, people: People, scheme: str) -> None:
    lead_id = await make.lead()
    headers = {"Authorization": f"{scheme} {people.adam.key}"}
    assert (await client.send("GET", f"/v1.0/leads/{lead_id}", headers=headers)).status_code == 200


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
        await queries._slice(
            spy, actor_for(people.olive, "owner"), LeadFilter(), Order(), scroll, 101, 0, has_value=True
        )
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
    one = await client.ok("GET", "/v1.0/leads?limit=20&offset=0&stage=New+Lead&sort=LastActivity&desc=true")
    two = await client.ok("GET", "/v1.0/leads?desc=true&sort=LastActivity&stage=New%20Lead&offset=0&limit=20")
    assert one == two


@pytest.mark.parametrize("limit", ["0", "101", "-1"])
async def test_d33_a_limit_outside_1_to_100_is_refused(client: Client, limit: str) -> None:
    assert await client.refused("GET", f"/v1.0/leads?limit={limit}") == (400, 20042)


async def test_d4_both_forms_of_an_assignment(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    url = f"/v1.0/leads/{lead_id}/assignment"
    await client.ok("POST", url, [{"role": "Agent", "assignee": people.ana.email}])
    mixed = [
        {"role": "Agent", "userId": people.otto.id},
        {"role": "Lender", "assignee": people.ana.email},
        {"role": "Buyer Agent", "userId": str(people.ana.id)},
    ]
    await client.ok("POST", url, mixed)
    lead = await client.lead(lead_id)
    assert (lead["assignedUserId"], lead["lenderUserId"]) == (people.otto.id, people.ana.id)
    roles = {role["role"]: role for role in lead["customRoleList"]}
    assert roles["Buyer Agent"]["assigneeId"] == people.ana.id
    assert roles["ISA"] == {"roleId": 130, "role": "ISA", "assigneeId": 0, "assignee": None}
    await client.ok("POST", url, [{"role": "Lender", "assignee": ""}])
    assert (await client.lead(lead_id))["lenderUserId"] is None
    assert await client.refused("POST", url, [{"role": "King", "assignee": people.ana.email}]) == (400, 20012)


def test_every_person_is_somebody_else(people: People) -> None:
    assert len({person.id for person in people.everybody}) == 6
    assert isinstance(people.adam, Person)
