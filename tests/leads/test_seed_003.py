"""Seed 003, the lead guide: a test per row of its claims, named by the row. Lists: test_seed_003_list.py."""

import re
from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.cli import leads as cli_leads

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


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("firstName", id="S3-03"),
        pytest.param("lastName", id="S3-04"),
        pytest.param("emails", id="S3-05"),
        pytest.param("phones", id="S3-06"),
        pytest.param("leadTypes", id="S3-07"),
        pytest.param("source", id="S3-08"),
    ],
)
async def test_create_keeps(client: Client, make: Make, field: str) -> None:
    lead = await client.lead(await make.lead(**JANE))
    assert lead[field] == JANE[field]


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
    turns = await make.turns(people)
    named = await make.lead(assignedUserId=people.otto.id)
    assert (await client.lead(named))["assignedUserId"] == people.otto.id
    assert await make.turns(people) == turns
    second = (await client.lead(await make.lead()))["assignedUserId"]
    third = (await client.lead(await make.lead()))["assignedUserId"]
    assert len({first, second, third}) == 3, "the named lead took no turn"


#: Everything that a lead can be given.
FILLED: dict[str, Any] = {
    **JANE,
    "birthday": "Jun 5, 2001",
    "language": "en",
    "referredBy": "a friend",
    "stage": "Pending",
    "segments": ["VIP"],
    "tags": ["a", "b"],
    "streetAddress": "1 Oak St",
    "city": "Austin",
    "state": "TX",
    "zipCode": "78701",
    "inquiry": {"priceMin": 1, "locations": [{"city": "Austin"}], "bathroomsMin": "2"},
    "property": {"city": "Austin", "price": 100000, "note": "corner lot"},
    "leadFamilyMemberList": [{"firstName": "Ann", "phones": ["+14155551234"]}],
    "cannotText": True,
    "unsubscription": True,
    "buyingTimeFrame": "6-12",
    "sellingTimeFrame": "1-3",
    **dict.fromkeys(
        ("preQual", "houseToSell", "fthb", "withBuyerAgent", "mortgage", "buyHouse", "withListingAgent"), "Yes"
    ),
    "content": "a note",
    "leadTransaction": {"transactionName": "1 Oak St"},
}


async def test_s3_30_only_what_is_sent_changes(client: Client, make: Make) -> None:
    lead_id = await make.lead(**FILLED)
    before = await client.lead(lead_id)
    assert await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"}) == {"leadId": lead_id}
    after = await client.lead(lead_id)
    assert {key for key in after if after[key] != before[key]} - {"lastUpdateTime"} == {"stage", "stageId"}


async def test_s3_31_a_stage_change_is_logged_and_announced(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    assert (await client.lead(lead_id))["stage"] == "Contacted"
    entry = (
        await make.rows("SELECT details FROM timeline_entry WHERE lead_id = $1 AND kind = 'stage_changed'", lead_id)
    )[0]
    details = msgspec.json.decode(entry["details"])
    assert (details["fromStageName"], details["toStageName"]) == ("New Lead", "Contacted")
    assert await _announced(make, lead_id) == [(2, "createdLead"), (2, "updatedLead"), (12, "updatedPipeline")]


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        pytest.param([{"tagName": "follow-up"}], ["follow-up"], id="S3-32"),
        pytest.param(["follow-up"], ["follow-up"], id="S3-33-strings"),
        pytest.param([{"tagName": "a"}, "b"], ["a", "b"], id="S3-33-mixed"),
    ],
)
async def test_tags_as_strings_and_objects(client: Client, make: Make, tags: list[Any], kept: list[str]) -> None:
    lead_id = await make.lead(tags=["old"])
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tags": tags})
    assert [tag["tagName"] for tag in (await client.lead(lead_id))["tags"]] == kept


async def test_s3_35_the_assignee_is_somebody_of_the_team(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    url = f"/v1.0/leads/{lead_id}/assignment"
    assert await client.ok("POST", url, {"assignees": [{"userId": people.otto.id}]}) == {"leadId": lead_id}
    before = await client.lead(lead_id)
    assert before["assignedUserId"] == people.otto.id
    await make.change("UPDATE member SET status = 'deactivated' WHERE id = $1", people.ana.id)
    for stranger in (123456, people.sid.id, people.ana.id):
        assert await client.refused("POST", url, {"assignees": [{"userId": stranger}]}) == (400, 20012)
        both = [{"userId": people.adam.id}, {"userId": stranger}]
        assert await client.refused("POST", url, {"assignees": both}) == (400, 20012)
    assert await client.lead(lead_id) == before


@pytest.mark.parametrize("body", [{"assignees": []}, {}, {"assignees": {"userId": 1}}, [], {"assignees": None}, "x"])
async def test_s3_36_assignees_must_be_a_filled_list(client: Client, make: Make, body: Any) -> None:
    assert await client.refused("POST", f"/v1.0/leads/{await make.lead()}/assignment", body) == (400, 20012)


async def test_s3_37_preview_stores_nothing(client: Client, make: Make, people: People) -> None:
    body = {"firstName": "Jane", "email": "jane@example.com"}
    await make.lead()
    before = await make.everything(people.adam.team_id)
    first = await client.ok("POST", "/v1.0/leads/assignee", body)
    assert await client.ok("POST", "/v1.0/leads/assignee", body) == first
    assert await make.everything(people.adam.team_id) == before, "no lead, no turn"
    chosen = first[0]["customRoleAssignees"][0]["assigneeId"]
    assert (await client.lead(await make.lead()))["assignedUserId"] == chosen


async def test_s3_39_a_trashed_lead_is_gone_but_whole(client: Client, make: Make) -> None:
    lead_id = await make.lead(**FILLED)
    before = await client.lead(lead_id)
    await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=Duplicate+record")
    assert await client.refused("GET", f"/v1.0/leads/{lead_id}") == (404, 20006)
    assert await client.refused("GET", f"/v1.0/notes?leadId={lead_id}") == (404, 20006)
    trashed = await client.lead(lead_id, withTrash="true")
    assert {key for key in before if trashed[key] != before[key]} <= {"lastUpdateTime"}
    assert await client.ids() == []


@pytest.mark.parametrize("query", ["", "?reason=", "?reason=+"])
async def test_s3_40_a_reason_is_required(client: Client, make: Make, query: str) -> None:
    lead_id = await make.lead()
    before = await client.lead(lead_id)
    assert await client.refused("DELETE", f"/v1.0/leads/{lead_id}{query}") == (400, 20012)
    assert await client.lead(lead_id) == before


async def test_s3_41_the_reason_is_kept_for_audit(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=Duplicate+record")
    [entry] = await make.rows(
        """SELECT actor_id, happened_at > now() - interval '1 minute' AS is_now, details
             FROM timeline_entry WHERE lead_id = $1 AND kind = 'lead_trashed'""",
        lead_id,
    )
    assert (entry["actor_id"], entry["is_now"]) == (people.adam.id, True)
    assert msgspec.json.decode(entry["details"]) == {"reason": "Duplicate record"}


@pytest.mark.parametrize("way", ["http", "cli"])
async def test_s3_42_a_trashed_lead_can_be_restored(
    client: Client, make: Make, people: People, dsn: str, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    lead_id = await make.lead(**FILLED)
    before, notes, transactions = await _everything(client, lead_id)
    await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    if way == "http":
        assert await client.ok("POST", f"/rooftree/v1/leads/{lead_id}/restore") == {"leadId": lead_id}
    else:
        monkeypatch.setenv("ROOFTREE_DATABASE_URL", dsn)
        await cli_leads._restore(lead_id, people.olive.email)
    after = await _everything(client, lead_id)
    assert {key for key in before if after[0][key] != before[key]} <= {"lastUpdateTime"}
    assert after[1:] == (notes, transactions)
    assert await client.ids(anyTags="a") == [lead_id]
    assert await client.ids(key="jane.smith@") == [lead_id]


async def _everything(client: Client, lead_id: int) -> tuple[Any, Any, Any]:
    notes = await client.ok("GET", f"/v1.0/notes?leadId={lead_id}")
    transactions = await client.ok("GET", f"/v1.0/leads/{lead_id}/transactions")
    assert len(notes["notes"]) == len(transactions) == 1
    return await client.lead(lead_id), notes, transactions


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
    assert await client.refused("PUT", f"/v1.0/leads/{lead_id}", {"lastName": "x", "leadTypes": [3]}) == (400, 20012)
    await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    assert await _announced(make, lead_id) == [(2, "createdLead"), (2, "updatedLead"), (2, "deletedLead")]


async def test_s3_45_an_announcement_is_there_when_the_answer_is(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    assert await _announced(make, lead_id) == [(2, "createdLead")]
    [row] = await make.rows("SELECT payload FROM announcement WHERE lead_id = $1", lead_id)
    assert msgspec.json.decode(row["payload"])["leadId"] == lead_id


async def _announced(make: Make, lead_id: int) -> list[tuple[int, str]]:
    rows = await make.rows(
        "SELECT list_id, verb FROM announcement WHERE lead_id = $1 ORDER BY happened_at, list_id", lead_id
    )
    return [(row["list_id"], row["verb"]) for row in rows]


@pytest.mark.parametrize("scheme", ["token", "Bearer"])
async def test_s3_46_a_key_reads_a_lead(client: Client, make: Make, people: People, scheme: str) -> None:
    lead_id = await make.lead()
    headers = {"Authorization": f"{scheme} {people.adam.key}"}
    assert (await client.send("GET", f"/v1.0/leads/{lead_id}", headers=headers)).status_code == 200
