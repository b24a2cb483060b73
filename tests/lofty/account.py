"""An account with one of everything, and how it is read."""

from typing import Any

import httpx
from tests.support.installation import Installation
from tests.support.moved import Read
from tests.support.people import Person

from rooftree.platform.http.logging import RequestIds


def asgi(app: RequestIds) -> httpx.AsyncClient:
    """A client that speaks to an application without a network."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://rooftree.test")


def reader(http: httpx.AsyncClient, person: Person) -> Read:
    """Read as somebody."""

    async def read(path: str) -> Any:
        answer = await http.get(path, headers={"Authorization": f"token {person.key}"})
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    return read


async def fill(there: Installation) -> list[int]:
    """Make some leads that have everything the contract can say of one; return their ids."""
    people, make = there.people, there.make
    client = there.client.as_(people.olive)
    for name, kind in (("Car", "text"), ("Budget", "currency")):
        await client.ok("POST", "/v1.0/teamFeatures/custom-field", {"attributeName": name, "attributeType": kind})
    pond = {"pondName": "Lake", "pondOwnerId": people.adam.id, "agentIds": [people.ana.id]}
    pond_id = (await client.ok("POST", "/rooftree/v1/ponds", pond))["id"]
    rich = await make.lead(
        by=people.olive,
        firstName="Zoë",
        lastName="O'Hara",
        emails=["zoe@example.com", "z@example.org"],
        phones=["512-555-0100", "+15125550101"],
        leadTypes=[2, 5],
        stage="Contacted",
        source="Open House",
        assignedUserId=people.ana.id,
        ownershipScope="OFFICE",
        ownershipId=people.north,
        tags=["Hot", "VIP"],
        segments=["Downtown"],
        birthday="Jun 5, 2001",
        language="es",
        referredBy="Bob",
        preQual="Yes",
        buyingTimeFrame="3-6",
        cannotCall=True,
        unsubscription=True,
        inquiry={"priceMin": 100000, "priceMax": 300000, "bathroomsMin": "2", "locations": [{"city": "Austin"}]},
        property={"city": "Austin", "streetAddress": "1 Oak St", "price": 250000, "note": "corner"},
        customAttributeList=[{"attributeName": "Car", "value": "red"}],
        leadFamilyMemberList=[{"firstName": "Max", "relationship": "Husband", "phones": ["5125550102"]}],
        leadTransaction={"transactionName": "Oak St 1", "homePrice": 250000.5, "closeDate": 1747272300000},
        content="first note",
        isPin=True,
    )
    roles = [
        {"role": "Lender", "assignee": people.otto.email},
        {"role": "Showing Assistant", "assignee": people.adam.email},
    ]
    await client.ok("POST", f"/v1.0/leads/{rich}/assignment", roles)
    note = await make.note(rich, "to be edited", by=people.ana)
    await client.ok("PUT", f"/v1.0/notes/{note}", {"content": "edited — ✓"})
    gone = await make.note(rich, "to be deleted", by=people.olive)
    await client.ok("DELETE", f"/v1.0/notes/{gone}")
    await make.log(rich, by=people.ana, callingOutcome="VoiceMessage", isPin=True)
    mail = {"emailSubject": "Hi", "toEmail": "a@example.com", "fromEmail": "b@example.com"}
    await make.log(rich, "logEmail", by=people.ana, outboundOrInbound="inbound", **mail)
    await make.log(rich, "logText", by=people.olive)
    struck = await make.log(rich, "logText", by=people.olive)
    await client.ok("DELETE", f"/v1.0/logType/{struck}")
    call = {
        "leadId": rich,
        "durationSeconds": 61,
        "outcome": "Talked",
        "note": "n",
        "startTime": "2026-03-01T10:00:00Z",
    }
    await client.ok("POST", "/rooftree/v1/calls", call)
    for word in ("Browse", "Browse", "Favorite", "Request"):
        await make.site(rich, word, by=people.olive, listing={"city": "Austin", "price": 1}, scheduledDate="Monday")
    await client.ok("PUT", f"/v1.0/leads/{rich}", {"stage": "Somewhere else", "tagsAdd": ["Late"]})
    hidden = await make.lead(by=people.olive, firstName="Hid", ownershipScope="TEAM")
    await client.ok("PUT", f"/v1.0/leads/{hidden}", {"isHidden": True, "cannotEmail": True, "cannotText": True})
    trashed = await make.lead(by=people.olive, firstName="Gone", assignedUserId=people.adam.id)
    await make.log(trashed, by=people.adam)
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    pooled = await make.lead(by=people.olive, firstName="Fish")
    await make.change("UPDATE lead SET pond_id = $1, assigned_user_id = NULL WHERE id = $2", pond_id, pooled)
    return [rich, hidden, pooled]
