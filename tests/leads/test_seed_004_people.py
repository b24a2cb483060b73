"""Seed 004: who gets a new lead, who sees it, and who hears of it, named by the row."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.leads.test_seed_004 import kept, refused
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People


async def test_s4_20_a_named_agent_skips_routing(client: Client, make: Make, people: People) -> None:
    assert await refused(client, assignedUserId=people.sid.id) == (400, 20012), "nobody of another team"
    await make.lead()
    turns = await make.turns(people)
    named = await kept(client, make, assignedUserId=people.otto.id)
    assert (named["assignedUserId"], named["assignedUser"]) == (people.otto.id, "Otto")
    assert (await kept(client, make, assignedUserId=str(people.ana.id)))["assignedUserId"] == people.ana.id
    assert await make.turns(people) == turns


async def test_s4_21_omitted_or_empty_is_routed(client: Client, make: Make, people: People) -> None:
    routed = [await kept(client, make), *[await kept(client, make, assignedUserId=value) for value in (None, "")]]
    assert {lead["assignedUserId"] for lead in routed} == {people.adam.id, people.ana.id, people.otto.id}


async def _messages(make: Make, lead_id: int) -> list[tuple[str, str]]:
    rows = await make.rows("SELECT purpose, recipient FROM message WHERE lead_id = $1 ORDER BY id", lead_id)
    return [(row["purpose"], row["recipient"]) for row in rows]


@pytest.mark.parametrize(
    ("field", "purpose"),
    [pytest.param("welcomeEmail", "welcome_email", id="S4-78"), pytest.param("leadAlert", "lead_alert", id="S4-79")],
)
async def test_messages_of_a_new_lead(client: Client, make: Make, people: People, field: str, purpose: str) -> None:
    fields = {"emails": ["jane@example.com"], "assignedUserId": people.ana.id}
    recipient = "jane@example.com" if field == "welcomeEmail" else people.ana.email
    lead_id = await make.lead(**fields, **{field: True})
    assert await _messages(make, lead_id) == [(purpose, recipient)]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {field: True, "lastName": "x"})
    assert len(await _messages(make, lead_id)) == 1, "not on update"
    assert await _messages(make, await make.lead(**fields)) == []
    assert await _messages(make, await make.lead(**fields, **{field: False})) == []


@pytest.mark.parametrize("flag", ["cannotEmail", "unsubscription"])
async def test_s4_131_consent_wins_over_the_welcome(client: Client, make: Make, people: People, flag: str) -> None:
    fields = {"emails": ["jane@example.com"], "assignedUserId": people.ana.id, flag: True}
    lead_id = await make.lead(**fields, welcomeEmail=True, leadAlert=True)
    assert await _messages(make, lead_id) == [("lead_alert", people.ana.email)]


async def test_s4_86_lead_routing_has_no_effect(client: Client, make: Make, people: People) -> None:
    assert (await kept(client, make, leadRouting=False))["assignedUserId"]
    turns = await make.turns(people)
    named = await kept(client, make, leadRouting=True, assignedUserId=people.otto.id)
    assert (named["assignedUserId"], await make.turns(people)) == (people.otto.id, turns)


async def _assigned(client: Client, make: Make, times: int, **fields: Any) -> set[int]:
    return {(await kept(client, make, **fields))["assignedUserId"] for _ in range(times)}


async def test_s4_87_the_companys_line(client: Client, make: Make, people: People) -> None:
    company = {people.adam.id, people.ana.id, people.otto.id}
    office = {"ownershipScope": "OFFICE", "ownershipId": people.north}
    assert await _assigned(client, make, 3, assignGroupId=-1, **office) == company


async def test_s4_88_an_offices_line(client: Client, make: Make, people: People) -> None:
    assert await refused(client, assignGroupId=12345) == (400, 20012)
    assert await _assigned(client, make, 2, assignGroupId=people.south) == {people.otto.id}
    assert await _assigned(client, make, 2, assignGroupId=str(people.north)) == {people.adam.id, people.ana.id}


async def test_s4_89_the_line_of_the_owner(client: Client, make: Make, people: People) -> None:
    office = {"ownershipScope": "OFFICE", "ownershipId": people.north}
    assert await _assigned(client, make, 4, **office) == {people.adam.id, people.ana.id}
    company = {people.adam.id, people.ana.id, people.otto.id}
    assert await _assigned(client, make, 3, ownershipScope="TEAM") == company


async def test_s4_108_content_becomes_a_note(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(content="example_note")
    assert await _notes(client, lead_id) == [("example_note", False, people.adam.id)]
    assert await _notes(client, await make.lead()) == []
    assert await _notes(client, await make.lead(content="  ")) == []
    long = await make.lead(content="N" * 2001)
    assert await _notes(client, long) == [("N" * 2000, False, people.adam.id)]


async def test_s4_109_a_note_can_be_pinned(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(content="example_note", isPin=True)
    assert await _notes(client, lead_id) == [("example_note", True, people.adam.id)]
    assert await _notes(client, await make.lead(isPin=True)) == []


async def _notes(client: Client, lead_id: int) -> list[tuple[str, bool, int]]:
    notes = (await client.ok("GET", f"/v1.0/notes?leadId={lead_id}"))["notes"]
    return [(note["content"], note["isPin"], note["creatorId"]) for note in notes]


async def _readers(client: Client, people: People, lead_id: int) -> set[str]:
    """Return who may read a lead, by name; whoever may not is told that there is none."""
    found: set[str] = set()
    for person in people.everybody:
        answer = await client.as_(person).send("GET", f"/v1.0/leads/{lead_id}")
        assert answer.status_code == 200 or answer.json()["code"] == 20006
        if answer.status_code == 200:
            found.add(person.name)
    return found


async def test_s4_110_team_scope_is_for_everybody(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(assignedUserId=people.adam.id, ownershipScope="TEAM", ownershipId=5)
    assert await _readers(client, people, lead_id) == {"olive", "adam", "ana", "otto"}


async def test_s4_111_office_scope_is_for_that_office(client: Client, make: Make, people: People) -> None:
    office = {"ownershipScope": "OFFICE", "ownershipId": people.north}
    lead_id = await make.lead(by=people.olive, assignedUserId=people.adam.id, **office)
    assert await _readers(client, people, lead_id) == {"olive", "adam", "ana"}


async def test_s4_112_personal_scope_is_for_that_agent(client: Client, make: Make, people: People) -> None:
    personal = {"ownershipScope": "PERSONAL", "ownershipId": people.ana.id}
    lead_id = await make.lead(by=people.olive, assignedUserId=people.ana.id, **personal)
    assert await _readers(client, people, lead_id) == {"olive", "ana"}


@pytest.mark.parametrize("scope", ["OFFICE", "PERSONAL"])
async def test_s4_113_an_owner_is_required(client: Client, scope: str) -> None:
    assert await refused(client, ownershipScope=scope) == (400, 20012)
    assert await refused(client, ownershipScope=scope, ownershipId=99) == (400, 20012)


async def test_s4_114_personal_by_default(client: Client, make: Make, people: People) -> None:
    lead = await kept(client, make)
    assert (lead["ownershipScope"], lead["ownershipId"]) == ("PERSONAL", people.adam.id)
    filler = await kept(client, make, ownershipScope="<string>", ownershipId=123)
    assert (filler["ownershipScope"], filler["ownershipId"]) == ("PERSONAL", people.adam.id)


async def test_s4_115_no_other_scope(client: Client) -> None:
    assert await refused(client, ownershipScope="GLOBAL") == (400, 20012)


async def test_s4_132_fifty_creates_at_once(client: Client, make: Make, people: People) -> None:
    made = await asyncio.gather(*(make.lead(ownershipScope="TEAM") for _ in range(51)))
    assert len(set(made)) == 51
    listed = (await client.ok("GET", "/v1.0/leads?limit=100"))["leads"]
    agents = (people.adam, people.ana, people.otto)
    assert Counter(lead["assignedUserId"] for lead in listed) == {person.id: 17 for person in agents}
    routed = await make.rows(
        "SELECT lead_id FROM timeline_entry WHERE kind = 'lead_routed' AND lead_id = ANY ($1)", made
    )
    assert sorted(row["lead_id"] for row in routed) == sorted(made)
