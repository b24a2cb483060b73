"""Who meets a lead that is hidden, or that lies in a pond. What is nobody's secret: tests/contract/permissions.txt."""

import time
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person

SECRET = "Hush"


async def hidden_lead(client: Client, people: People, **fields: Any) -> dict[str, int]:
    """A hidden lead of Ana's, with whatever can belong to one; her office owns it, Adam was its assistant."""
    ana = client.as_(people.ana)
    body = {"firstName": SECRET, "assignedUserId": people.ana.id, "ownershipScope": "OFFICE"}
    body |= {"ownershipId": people.north, "emails": ["hush@example.com"], "phones": ["4155552671"], "source": SECRET}
    lead = (await ana.ok("POST", "/v1.0/leads", {**body, **fields}))["leadId"]
    wishes: list[Any] = [
        [{"role": "Assistant", "assignee": people.adam.email}],
        {"assignees": [{"userId": people.ana.id}, {"userId": people.otto.id}]},
    ]
    for wish in wishes:
        await client.as_(people.olive).ok("POST", f"/v1.0/leads/{lead}/assignment", wish)
    note = (await ana.ok("POST", "/v1.0/notes", {"leadId": lead, "content": SECRET}))["noteId"]
    log = {"leadId": lead, "logType": "logText", "content": SECRET}
    found = {"lead": lead, "note": note, "log": (await ana.ok("POST", "/v1.0/logType", log))["logType"]["id"]}
    call = {"leadId": lead, "note": SECRET}
    found["call"] = (await ana.ok("POST", "/rooftree/v1/calls", call))["callId"]
    await ana.ok("PUT", f"/v1.0/leads/{lead}", {"isHidden": True})
    return found


def _where(found: dict[str, int]) -> list[tuple[str, str, Any]]:
    """Every way to a lead, and to what belongs to it."""
    lead, note, log, call = found["lead"], found["note"], found["log"], found["call"]
    return [
        ("GET", f"/v1.0/leads/{lead}", None),
        ("GET", f"/v1.0/leads/{lead}?withTrash=true", None),
        ("PUT", f"/v1.0/leads/{lead}", {"isHidden": False}),
        ("DELETE", f"/v1.0/leads/{lead}?reason=x", None),
        ("POST", f"/v1.0/leads/{lead}/assignment", {"assignees": [{"userId": 1}]}),
        ("POST", f"/rooftree/v1/leads/{lead}/claim", None),
        ("POST", f"/rooftree/v1/leads/{lead}/restore", None),
        ("GET", f"/rooftree/v1/leads/{lead}/duplicates", None),
        ("GET", f"/rooftree/v1/leads/{lead}/routing", None),
        ("GET", f"/rooftree/v1/leads/{lead}/timeline", None),
        ("GET", f"/v2.0/leads/{lead}/activities", None),
        ("GET", f"/v1.0/leads/{lead}/transactions", None),
        ("GET", f"/v1.0/systemLogs?leadId={lead}", None),
        ("GET", f"/v1.0/communication/text?leadId={lead}", None),
        ("GET", f"/v1.0/calls?leadId={lead}", None),
        ("GET", f"/v1.0/calls/{call}", None),
        ("GET", f"/v2.0/communication/text/{log}", None),
        ("GET", f"/v1.0/notes?leadId={lead}", None),
        ("GET", f"/v1.0/notes/{note}", None),
        ("PUT", f"/v1.0/notes/{note}", {"content": "x"}),
        ("DELETE", f"/v1.0/notes/{note}", None),
        ("GET", f"/v1.0/logType?logType=logText&leadId={lead}", None),
        ("GET", f"/v1.0/logType/{log}", None),
        ("DELETE", f"/v1.0/logType/{log}", None),
        ("GET", f"/v2.0/ai/call-summary?callRecordId={call}", None),
        ("POST", "/v1.0/notes", {"leadId": lead, "content": "x"}),
        ("POST", "/v1.0/message/email/send", {"leadId": lead, "subject": "x", "body": "x"}),
        ("POST", "/v1.0/message/sms/send", {"leadId": lead, "content": "x"}),
        ("POST", "/rooftree/v1/calls", {"leadId": lead}),
    ]


async def _lists(client: Client) -> str:
    """Return the text of every list that leads, or what happened to them, could stand in."""
    now = int(time.time() * 1000)
    span = {"startTime": now - 3_600_000, "endTime": now + 3_600_000}
    query = f"startTime={span['startTime']}&endTime={span['endTime']}"
    answers = [
        await client.send("GET", "/v1.0/leads?limit=100"),
        await client.send("GET", f"/v1.0/leads?key={SECRET}"),
        await client.send("GET", f"/v1.0/leads?source={SECRET}"),
        await client.send("GET", "/v1.0/leads?email=hush@example.com"),
        await client.send("GET", f"/v2.0/communication/agent?{query}"),
        await client.send("POST", "/v1.0/agent/communication", {"type": "ALL", **span}),
        await client.send("POST", "/v1.0/leads/assignee", {"firstName": "x", "email": "hush@example.com"}),
        await client.send("GET", "/rooftree/v1/routing/offers"),
    ]
    return "\n".join(answer.text for answer in answers)


async def _role(make: Make, person: Person, role: str) -> None:
    await make.change("UPDATE member SET role = $2 WHERE id = $1", person.id, role)


async def test_a_hidden_lead_is_met_by_its_agent_and_administrators_only(
    client: Client, make: Make, people: People
) -> None:
    found = await hidden_lead(client, people)
    before = await make.everything(people.olive.team_id)
    for person in (people.adam, people.otto):  # of the office that owns it, and its assistant; its shared agent
        speaker = client.as_(person)
        for method, url, body in _where(found):
            status, code = await speaker.refused(method, url, body)
            assert (status, code) in {(404, 20006), (404, 20007), (400, 20017), (403, 900004)}, (person.name, url)
        text = await _lists(speaker)
        assert SECRET not in text
        assert str(found["lead"]) not in text
        for query in ("", "?stage=New+Lead", f"?source={SECRET}", f"?assignedUserId={people.ana.id}"):
            answer = await speaker.ok("GET", f"/v1.0/leads{query}")
            assert (answer["leads"], answer["_metadata"]["total"]) == ([], 0), query
    assert await make.everything(people.olive.team_id) == before, "nothing has changed"
    for person in (people.ana, people.olive):
        assert (await client.as_(person).lead(found["lead"]))["leadId"] == found["lead"]
        assert str(found["lead"]) in await _lists(client.as_(person))


async def test_a_hidden_lead_is_met_by_who_runs_its_agents_office(client: Client, make: Make, people: People) -> None:
    found = await hidden_lead(client, people)
    for role, person in (("office_owner", people.adam), ("office_admin", people.adam)):
        await _role(make, person, role)
        assert await client.as_(person).ids() == [found["lead"]]
    await _role(make, people.otto, "office_owner")
    assert await client.as_(people.otto).refused("GET", f"/v1.0/leads/{found['lead']}") == (404, 20006)


@pytest.mark.parametrize("role", ["agent", "office_owner", "assistant"])
async def test_what_shares_an_address_with_a_lead_tells_nothing_of_it(
    client: Client, make: Make, people: People, role: str
) -> None:
    """Whoever makes up a lead with somebody's address must not learn that the team knows it."""
    hidden = (await hidden_lead(client, people))["lead"]
    await _role(make, people.otto, role)
    otto, olive = client.as_(people.otto), client.as_(people.olive)
    known = await make.lead(by=people.otto, assignedUserId=people.otto.id, emails=["hush@example.com"])
    bait = await make.lead(by=people.otto, assignedUserId=people.otto.id, emails=["hush@example.com"])
    for url in (f"/rooftree/v1/leads/{bait}/timeline", f"/v1.0/systemLogs?leadId={bait}"):
        seen, all_of_it = (await otto.send("GET", url)).text, (await olive.send("GET", url)).text
        assert str(hidden) not in seen
        assert str(known) in seen
        assert str(hidden) in all_of_it
        assert str(known) in all_of_it
    duplicates = (await otto.ok("GET", f"/rooftree/v1/leads/{bait}/duplicates"))["duplicates"]
    assert [one["leadId"] for one in duplicates] == [known]


async def pond_with(client: Client, people: People, *agents: Person, **fields: Any) -> tuple[int, int]:
    """A pond of office North, from which some draw, and a lead in it that Olive brought in."""
    olive = client.as_(people.olive)
    ids = [agent.id for agent in agents]
    body = {"pondName": "Lake", "officeId": people.north, "pondOwnerId": people.olive.id, "agentIds": ids}
    pond = (await olive.ok("POST", "/rooftree/v1/ponds", body))["id"]
    default = {"strategyType": 5, "assigneeGroupId": pond}
    await olive.ok("PUT", "/v1.0/routing/rule/supplement/1", default)
    lead = (await olive.ok("POST", "/v1.0/leads", {"firstName": SECRET, **fields}))["leadId"]
    assert (await olive.lead(lead))["pondId"] == pond
    return pond, lead


async def test_a_lead_in_a_pond_is_met_by_who_draws_from_it(client: Client, make: Make, people: People) -> None:
    _, lead = await pond_with(client, people, people.adam)
    url = f"/rooftree/v1/leads/{lead}/claim"
    for role in ("agent", "office_owner", "office_admin", "assistant", "lender"):
        await _role(make, people.ana, role)
        for person in (people.ana, people.otto, people.sid, people.stella):
            speaker = client.as_(person)
            assert await speaker.refused("GET", f"/v1.0/leads/{lead}") == (404, 20006), (role, person.name)
            assert await speaker.refused("POST", url) == (404, 20006), (role, person.name)
            assert SECRET not in await _lists(speaker)
    adam = client.as_(people.adam)
    answer = await adam.ok("GET", "/v1.0/leads")
    assert ([one["leadId"] for one in answer["leads"]], answer["_metadata"]["total"]) == ([lead], 1)
    await _role(make, people.adam, "lender")
    assert (await adam.lead(lead))["leadId"] == lead, "a lender reads"
    assert await adam.refused("POST", url) == (404, 20006), "and works no leads"
    await _role(make, people.adam, "agent")
    await adam.ok("POST", url)
    assert (await adam.lead(lead))["pondId"] == 0


async def test_a_pond_that_is_switched_off_gives_nothing(client: Client, people: People) -> None:
    pond, lead = await pond_with(client, people, people.adam)
    await client.as_(people.olive).ok("PUT", f"/rooftree/v1/ponds/{pond}", {"isEnabled": False})
    adam = client.as_(people.adam)
    assert await adam.refused("GET", f"/v1.0/leads/{lead}") == (404, 20006)
    assert await adam.refused("POST", f"/rooftree/v1/leads/{lead}/claim") == (404, 20006)
    assert await adam.ids() == []
    assert (await client.as_(people.olive).lead(lead))["leadId"] == lead


async def test_a_hidden_lead_in_a_pond_is_drawn_by_nobody(client: Client, people: People) -> None:
    _, lead = await pond_with(client, people, people.adam)
    olive, adam = client.as_(people.olive), client.as_(people.adam)
    await olive.ok("PUT", f"/v1.0/leads/{lead}", {"isHidden": True})
    assert await adam.refused("GET", f"/v1.0/leads/{lead}") == (404, 20006)
    assert await adam.refused("POST", f"/rooftree/v1/leads/{lead}/claim") == (404, 20006)
    assert SECRET not in await _lists(adam)
    await olive.ok("PUT", f"/v1.0/leads/{lead}", {"isHidden": False})
    await adam.ok("POST", f"/rooftree/v1/leads/{lead}/claim")


async def test_an_offer_to_a_lender_is_none(client: Client, make: Make, people: People) -> None:
    """Somebody who was an agent when the lead was offered to them."""
    olive, adam = client.as_(people.olive), client.as_(people.adam)
    body = {"name": "n", "strategy": "BLAST_ALERT", "touchMinutes": 60, "members": [{"memberId": people.adam.id}]}
    await olive.ok("POST", "/rooftree/v1/routing/rules", {**body, "isOn": True})
    lead = await make.lead(by=people.olive)
    assert [offer["leadId"] for offer in (await adam.ok("GET", "/rooftree/v1/routing/offers"))["offers"]] == [lead]
    await _role(make, people.adam, "lender")
    assert await adam.refused("POST", f"/rooftree/v1/leads/{lead}/claim") == (404, 20006)
    await _role(make, people.adam, "agent")
    await adam.ok("POST", f"/rooftree/v1/leads/{lead}/claim")
