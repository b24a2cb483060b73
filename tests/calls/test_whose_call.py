"""Whose call a provider speaks of, when several teams say it is theirs."""

import uuid

from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.calls.queries import team_of_call
from rooftree.platform.database import Database


async def test_who_named_a_call_first_keeps_its_recording(
    client: Client, make: Make, db: Database, people: People
) -> None:
    sid = f"CA{uuid.uuid4().hex}"
    ours, theirs = await make.lead(), await make.lead(by=people.sid)
    for person, lead_id in ((people.adam, ours), (people.sid, theirs)):
        await client.as_(person).ok("POST", "/rooftree/v1/calls", {"leadId": lead_id, "id": sid})
    found = await team_of_call(db, sid)
    assert found is not None
    assert found[0] == people.adam.team_id, "whoever learns of the id later draws nothing to themselves"
