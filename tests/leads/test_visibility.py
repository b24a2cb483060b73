"""Nobody sees what they may not: compared with a model of its own, over random leads."""

import random
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person


def _sees(person: Person, lead: dict[str, Any], people: People) -> bool:
    """Who sees a lead, said again in plain words. contract: behaviour.md 1.2"""
    if person.team_id != people.olive.team_id:
        return False
    is_own = person.id in (lead["agent"], lead["owner"] if lead["scope"] == "PERSONAL" else None)
    if person is people.olive or is_own:
        return True
    if lead["hidden"]:
        return False
    office = {people.adam: people.north, people.ana: people.north, people.otto: people.south}.get(person)
    return (
        lead["scope"] == "TEAM" or (lead["scope"] == "OFFICE" and lead["owner"] == office) or person.id in lead["roles"]
    )


@pytest.mark.parametrize("seed", range(3))
async def test_nobody_sees_what_they_may_not(client: Client, make: Make, people: People, seed: int) -> None:
    dice = random.Random(seed)
    agents = [people.adam, people.ana, people.otto]
    leads: dict[int, dict[str, Any]] = {}
    for _ in range(14):
        scope = dice.choice(("TEAM", "OFFICE", "PERSONAL"))
        owner = {"TEAM": 0, "OFFICE": dice.choice((people.north, people.south)), "PERSONAL": dice.choice(agents).id}[
            scope
        ]
        lead: dict[str, Any] = {"scope": scope, "owner": owner, "agent": dice.choice(agents).id, "roles": []}
        lead_id = await make.lead(
            by=people.olive, ownershipScope=scope, ownershipId=owner, assignedUserId=lead["agent"], tags=["t"]
        )
        lead["hidden"] = dice.random() < 0.3
        if dice.random() < 0.4:
            helper = dice.choice(agents)
            role = dice.choice(("Assistant", "Lender", "ISA"))
            wish = [{"role": role, "assignee": helper.email}]
            await client.as_(people.olive).ok("POST", f"/v1.0/leads/{lead_id}/assignment", wish)
            lead["roles"] = [helper.id]
        if lead["hidden"]:
            await client.as_(people.olive).ok("PUT", f"/v1.0/leads/{lead_id}", {"isHidden": True})
        leads[lead_id] = lead
    for person in people.everybody:
        await _check(client.as_(person), person, leads, people)


async def _check(client: Client, person: Person, leads: dict[int, dict[str, Any]], people: People) -> None:
    seen = {lead_id for lead_id, lead in leads.items() if _sees(person, lead, people)}
    for query in (
        "limit=100",
        "limit=100&anyTags=t",
        "limit=100&stage=New+Lead",
        "limit=100&key=T",
        "limit=100&sort=Score",
    ):
        answer = await client.ok("GET", f"/v1.0/leads?{query}")
        assert {lead["leadId"] for lead in answer["leads"]} == seen, (person.name, query)
        assert answer["_metadata"]["total"] == len(seen), (person.name, query)
    for lead_id in leads:
        for path in (
            f"/v1.0/leads/{lead_id}",
            f"/v1.0/notes?leadId={lead_id}",
            f"/rooftree/v1/leads/{lead_id}/duplicates",
        ):
            status = (await client.send("GET", path)).status_code
            assert status == (200 if lead_id in seen else 404), (person.name, path)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", {"lastName": "x"}),
        ("DELETE", "?reason=x", None),
        ("POST", "/assignment", {"assignees": [{"userId": 1}]}),
        ("POST", "/inquiry", {"priceMin": 1}),
        ("POST", "/property", {"city": "Austin"}),
        ("GET", "", None),
        ("GET", "/transactions", None),
    ],
)
async def test_unknown_foreign_trashed_and_hidden_are_told_apart_by_nobody(
    client: Client, make: Make, people: People, method: str, path: str, body: Any
) -> None:
    foreign = await make.lead(by=people.stella)
    unseen = await make.lead(by=people.olive, assignedUserId=people.otto.id)
    trashed = await make.lead()
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    before = await make.rows("SELECT * FROM lead ORDER BY id")
    answers = [
        await client.send(method, f"/v1.0/leads/{lead_id}{path}", body)
        for lead_id in (999, foreign, unseen, trashed, "abc", 0, -5, 2**70)
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert answers[0].json()["code"] == 20006
    assert await make.rows("SELECT * FROM lead ORDER BY id") == before


async def test_a_lender_reads_but_does_not_manage(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(assignedUserId=people.adam.id)
    wish = [{"role": "Lender", "assignee": people.otto.email}]
    await client.ok("POST", f"/v1.0/leads/{lead_id}/assignment", wish)
    otto = client.as_(people.otto)
    assert await otto.ids() == [lead_id]
    assert await otto.refused("PUT", f"/v1.0/leads/{lead_id}", {"lastName": "x"}) == (404, 20006)


@pytest.mark.parametrize("role", ["office_owner", "office_admin"])
async def test_who_runs_an_office_sees_what_lies_below_it_and_nothing_beside_or_above(
    client: Client, make: Make, people: People, role: str
) -> None:
    """contract: auth.md 8. South comes to lie below North, and leaves it again."""
    await make.change("UPDATE member SET role = $2 WHERE id = ANY ($1)", [people.adam.id, people.otto.id], role)
    olive, adam, otto = client.as_(people.olive), client.as_(people.adam), client.as_(people.otto)
    ours, theirs, companys = [
        await make.lead(by=person, assignedUserId=person.id, ownershipScope="PERSONAL", ownershipId=person.id)
        for person in (people.ana, people.otto, people.olive)
    ]
    of_office = await make.lead(
        by=people.olive, assignedUserId=people.olive.id, ownershipScope="OFFICE", ownershipId=people.south
    )
    for parent, seen in ((people.north, {ours, theirs, of_office}), (0, {ours})):
        await olive.ok("POST", "/v1.0/org/office", {"id": people.south, "parentId": parent})
        assert set(await adam.ids()) == seen
        assert set(await otto.ids()) == {theirs, of_office}, "what lies above stays out of sight"
        for lead_id in (ours, theirs, of_office, companys):
            answer = await adam.send("PUT", f"/v1.0/leads/{lead_id}", {"lastName": f"L{parent}"})
            assert answer.status_code == (200 if lead_id in seen else 404)
