"""Where the seeds, the published specification and the live service disagree: what Rooftree serves. contract: D rows

The other D rows stand beside the operations they are about, and name their number there.
"""

import re
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People


@pytest.mark.parametrize("key", ["userId", "assignee"])
async def test_d4_an_assignment_is_an_object_or_an_array(client: Client, make: Make, people: People, key: str) -> None:
    element = {key: people.otto.id if key == "userId" else people.otto.email, "role": "Agent"}
    for body in ({"assignees": [element]}, [element]):
        lead_id = await make.lead()
        await client.ok("POST", f"/v1.0/leads/{lead_id}/assignment", body)
        assert (await client.lead(lead_id))["assignedUserId"] == people.otto.id


async def test_d5_tags_are_texts_objects_or_a_mixture(client: Client, make: Make) -> None:
    mixed: list[Any] = ["hot", {"tagName": "pool"}]
    lead_id = await make.lead(tags=mixed)
    assert await _tags(client, lead_id) == {"hot", "pool"}
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tagsAdd": [{"tagName": "vip"}, "new"], "tagsRemove": mixed})
    assert await _tags(client, lead_id) == {"vip", "new"}
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tags": [{"tagName": "only"}]})
    assert await _tags(client, lead_id) == {"only"}
    assert await client.refused("PUT", f"/v1.0/leads/{lead_id}", {"tags": [{"name": "x"}]}) == (400, 20012)


async def _tags(client: Client, lead_id: int) -> set[str]:
    return {tag["tagName"] for tag in (await client.lead(lead_id))["tags"]}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token", "Token"])
async def test_d15_either_scheme(client: Client, people: People, scheme: str) -> None:
    answer = await client.send("GET", "/v1.0/me", headers={"Authorization": f"{scheme} {people.olive.key}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_d16_the_content_type_is_never_looked_at(
    client: Client, people: People, content_type: str | None
) -> None:
    headers = {"Authorization": f"Bearer {people.olive.key}"}
    if content_type:
        headers["Content-Type"] = content_type
    made = await client.send("POST", "/v1.0/leads", content=b'{"firstName": "T"}', headers=headers)
    assert made.status_code == 200
    url = f"/v1.0/leads/{made.json()['leadId']}"
    assert (await client.send("GET", url, headers=headers)).status_code == 200
    assert (await client.send("DELETE", f"{url}?reason=x", headers=headers)).status_code == 200


async def test_d17_d31_every_time_in_the_form_of_its_field(client: Client, make: Make) -> None:
    lead_id = await make.lead(birthday="Jun 5, 2001")
    lead = await client.lead(lead_id)
    assert lead["birthday"] == "Jun 5, 2001"
    gmt = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dGMT"
    assert all(re.fullmatch(gmt, lead[name]) for name in ("createTime", "assignTime", "lastUpdateTime"))
    log = await client.ok("GET", f"/v1.0/logType/{await make.log(lead_id)}")
    assert re.search(r'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"', str(log).replace("'", '"'))
    await make.talk(lead_id, timestamp="2026-05-06T14:32:00Z")
    entries = (await client.ok("GET", f"/v2.0/leads/{lead_id}/activities"))["activities"]
    assert "2026-05-06T14:32:00Z" in {entry["timestamp"] for entry in entries}
    await make.site(lead_id, created=1747272300000)
    assert (await client.ok("GET", f"/v1.0/leads/{lead_id}/activities"))[0]["created"] == 1747272300000


async def test_d18_d19_what_is_cut_and_what_is_refused(client: Client, make: Make) -> None:
    lead_id = await make.lead(firstName="x" * 40, tags=["t" * 80], segments=["s" * 40])
    lead = await client.lead(lead_id)
    assert (lead["firstName"], lead["segments"]) == ("x" * 30, ["s" * 30])
    assert await _tags(client, lead_id) == {"t" * 64}
    member = {"firstName": "K", "relationship": "Child"}
    for refused in ({"stage": "s" * 21}, {"phones": ["5" * 21]}, {"leadFamilyMemberList": [member] * 5}):
        assert (await client.refused("POST", "/v1.0/leads", {"firstName": "T", **refused}))[0] == 400
    assert len((await client.lead(await make.lead(leadFamilyMemberList=[member] * 4)))["leadFamilyMemberList"]) == 4


async def test_d20_d21_d26_read_wrapped_and_ids_are_numbers_except_in_a_deletion(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    assert (await client.ok("GET", f"/v1.0/leads/{lead_id}"))["lead"]["leadId"] == lead_id
    assert await client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=spam") == {"deleted": True, "leadId": str(lead_id)}


@pytest.mark.parametrize("stage", ["New+Lead", "New%20Lead"])
async def test_d27_a_blank_in_a_query_has_two_forms(client: Client, make: Make, stage: str) -> None:
    lead_id = await make.lead(stage="New Lead")
    found = await client.ok("GET", f"/v1.0/leads?stage={stage}&limit=100")
    assert lead_id in {lead["leadId"] for lead in found["leads"]}


async def test_d28_groups_and_segments_are_one(client: Client, make: Make) -> None:
    lead = await client.lead(await make.lead(groups=["a", "b"], segments=["b", "c"]))
    assert sorted(lead["groups"]) == sorted(lead["segments"]) == ["a", "b", "c"]


async def test_d32_unset_numbers_are_minus_one(client: Client, make: Make) -> None:
    lead = await client.lead(await make.lead(inquiry={"priceMin": -1, "priceMax": 500000}))
    assert (lead["leadInquiry"]["priceMin"], lead["leadInquiry"]["priceMax"]) == (-1, 500000)


async def test_d33_pages_hold_what_was_asked_for(client: Client, make: Make) -> None:
    for _ in range(30):
        await make.lead()
    assert len((await client.ok("GET", "/v1.0/leads?limit=30"))["leads"]) == 30
    for limit in (0, 101):
        assert (await client.refused("GET", f"/v1.0/leads?limit={limit}"))[0] == 400


async def test_d38_a_fresh_team_has_the_stages_of_the_seeds(client: Client) -> None:
    stages = await client.ok("GET", "/v1.0/teamFeatures/lead-pipelines")
    assert {"New Lead", "Contacted", "Pending"} <= set(re.findall(r"'([^']+)'", str(stages)))


async def test_d39_what_one_may_not_is_refused_as_each_operation_says(
    client: Client, make: Make, people: People
) -> None:
    lead_id = await make.lead(assignedUserId=people.otto.id)
    sid = client.as_(people.sid)
    for method, url in (
        ("GET", f"/v1.0/leads/{lead_id}"),
        ("DELETE", f"/v1.0/leads/{lead_id}?reason=x"),
        ("GET", f"/v1.0/notes?leadId={lead_id}"),
        ("GET", f"/v2.0/leads/{lead_id}/activities"),
    ):
        status, _ = await sid.refused(method, url)
        assert status in {400, 403, 404}, url
    assert (await client.lead(lead_id))["leadId"] == lead_id


async def test_d42_the_reason_of_a_deletion_is_in_the_query_or_the_body(client: Client, make: Make) -> None:
    for query, body, reason in (("?reason=spam", None, "spam"), ("", {"reason": "moved"}, "moved")):
        lead_id = await make.lead()
        await client.ok("DELETE", f"/v1.0/leads/{lead_id}{query}", body)
        rows = await make.rows("SELECT details::text FROM timeline_entry WHERE lead_id = $1", lead_id)
        assert any(reason in row[0] for row in rows)
