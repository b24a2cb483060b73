"""Merges beside everything else: other merges, writers, deletion, what is late, and replies to who is gone."""

import asyncio
from typing import Any

from tests.support.client import Client
from tests.support.make import Make, actor_for
from tests.support.people import People

from rooftree.duplicates import merging
from rooftree.leads import queries
from rooftree.leads.actions import pass_on
from rooftree.leads.mailbox import receive_mail
from rooftree.messaging.intake import ReturnAddresses, parse_mail
from rooftree.notes.actions import add_note
from rooftree.platform.database import Database
from rooftree.timeline import kinds
from rooftree.timeline.actions import Audience, Entry, record

RETURNS = ReturnAddresses(b"secret", "in.example.test")


def merge_url(lead_id: int) -> str:
    return f"/rooftree/v1/leads/{lead_id}/merge"


async def test_of_two_merges_at_once_one_is_done(client: Client, make: Make) -> None:
    """The same way round, and the other; nobody waits for ever, nothing is half done."""
    for _ in range(4):
        one, other = await make.lead(), await make.lead()
        note = await make.note(one), await make.note(other)
        answers = await asyncio.gather(
            client.send("POST", merge_url(one), {"otherLeadId": other}),
            client.send("POST", merge_url(other), {"otherLeadId": one}),
            client.send("POST", merge_url(one), {"otherLeadId": other}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 404, 404]
        stays = next(answer.json()["leadId"] for answer in answers if answer.status_code == 200)
        for note_id in note:
            assert (await client.ok("GET", f"/v1.0/notes/{note_id}"))["note"]["leadId"] == stays


async def test_merges_in_a_ring_do_not_deadlock(client: Client, make: Make) -> None:
    a, b, c = [await make.lead() for _ in range(3)]
    answers = await asyncio.gather(
        *(client.send("POST", merge_url(x), {"otherLeadId": y}) for x, y in ((a, b), (b, c), (c, a)))
    )
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert any(answer.status_code == 200 for answer in answers)


async def test_a_merge_waits_for_a_note_that_is_being_written(
    client: Client, make: Make, owner_db: Database, people: People
) -> None:
    stays, goes = await make.lead(), await make.lead()
    actor = actor_for(people.adam)
    async with owner_db.transaction(people.adam.team_id) as tx:
        lead = await queries.seen_lead(tx, actor, goes, is_held=True)
        entry = await add_note(tx, actor, lead.id, "meanwhile")
        merge = asyncio.create_task(client.ok("POST", merge_url(stays), {"otherLeadId": goes}))
        while not await make.rows(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
        ):
            assert not merge.done(), "the merge did not wait"
            await asyncio.sleep(0.01)
        await record(tx, actor, [entry], audience=Audience([], "TEAM", 0, is_hidden=False))
    await merge
    notes = (await client.ok("GET", f"/v1.0/notes?leadId={stays}"))["notes"]
    assert [note["content"] for note in notes] == ["meanwhile"]


async def test_writers_that_come_while_it_merges_are_told(client: Client, make: Make) -> None:
    """Whatever is written at the same moment is on the survivor, or was refused."""
    stays, goes = await make.lead(), await make.lead()
    merge = client.send("POST", merge_url(stays), {"otherLeadId": goes})
    writes = [client.send("POST", "/v1.0/notes", {"leadId": goes, "content": str(number)}) for number in range(8)]
    calls = [client.send("POST", f"/v1.0/leads/{goes}/activity", {"type": "call"}) for _ in range(4)]
    answers = await asyncio.gather(*writes[:4], *calls[:2], merge, *calls[2:], *writes[4:])
    assert {answer.status_code for answer in answers} <= {200, 404}
    written = sum(answer.status_code == 200 and "noteId" in answer.json() for answer in answers)
    notes = (await client.ok("GET", f"/v1.0/notes?leadId={stays}"))["notes"]
    assert len(notes) == written
    left = await make.rows("SELECT kind FROM timeline_entry WHERE lead_id = $1", goes)
    assert [row[0] for row in left] == ["lead_merged_away"]


async def test_a_merge_against_a_deletion(client: Client, make: Make) -> None:
    for _ in range(3):
        stays, goes = await make.lead(), await make.lead()
        merged, deleted = await asyncio.gather(
            client.send("POST", merge_url(stays), {"otherLeadId": goes}),
            client.send("DELETE", f"/v1.0/leads/{goes}?reason=x"),
        )
        assert sorted([merged.status_code, deleted.status_code]) == [200, 404]


async def test_what_is_late_follows(client: Client, make: Make, owner_db: Database, people: People) -> None:
    """What somebody wrote who did not hold the lead is fetched a minute later, and comes back with an undoing."""
    a, b, c = [await make.lead() for _ in range(3)]
    first = await client.ok("POST", merge_url(b), {"otherLeadId": a})
    second = await client.ok("POST", merge_url(c), {"otherLeadId": b})
    late = Entry(kinds.CALL_RECEIVED, a, {"content": "late"}, direction="inbound")
    async with owner_db.transaction(people.adam.team_id) as tx:
        (entry_id,) = await record(tx, None, [late], audience=Audience([], "TEAM", 0, is_hidden=False))
    for _ in range(2):
        for merge in (first, second):
            async with owner_db.transaction(people.adam.team_id) as tx:
                await merging.follow(tx, merge["mergeId"])
    where = "SELECT lead_id FROM timeline_entry WHERE id = $1"
    assert (await make.rows(where, entry_id))[0][0] == c
    counted = "SELECT communication_count FROM timeline_summary WHERE lead_id = $1"
    assert (await make.rows(counted, c))[0][0] == 1
    await client.ok("POST", f"/rooftree/v1/merges/{second['mergeId']}/undo")
    await client.ok("POST", f"/rooftree/v1/merges/{first['mergeId']}/undo")
    assert (await make.rows(where, entry_id))[0][0] == a
    assert [(await make.rows(counted, lead_id)) for lead_id in (b, c)] == [[], []]
    assert (await make.rows(counted, a))[0][0] == 1


async def _mail(client: Client, make: Make, lead_id: int) -> Any:
    """Write to a lead; return the lead's reply to it."""
    body = {"leadId": lead_id, "subject": "s", "body": "b"}
    message_id = int((await client.ok("POST", "/v1.0/message/email/send", body))["messageId"])
    (row,) = await make.rows("SELECT team_id FROM message WHERE id = $1", message_id)
    return RETURNS.address("reply", row[0], message_id)


async def test_a_reply_to_who_was_merged_away_is_the_survivors(
    client: Client, make: Make, db: Database, people: People
) -> None:
    stays, goes = await make.lead(emails=["a@x.example"]), await make.lead(emails=["b@x.example"])
    address = await _mail(client, make, goes)
    body = {"otherLeadId": goes, "choices": {"emails": "winner"}}
    done = await client.ok("POST", merge_url(stays), body)
    raw = b"From: elsewhere@y.example\r\nTo: x\r\nMessage-ID: <1@y>\r\nSubject: Re: s\r\n\r\nhello"
    assert await receive_mail(db, RETURNS, parse_mail(raw), raw, [address])
    talk = (await client.ok("GET", f"/v2.0/leads/{stays}/activities"))["activities"]
    assert [one["direction"] for one in talk] == ["outbound", "inbound"]
    await client.ok("POST", f"/rooftree/v1/merges/{done['mergeId']}/undo")
    talk = (await client.ok("GET", f"/v2.0/leads/{stays}/activities"))["activities"]
    assert [one["direction"] for one in talk] == ["inbound"], "what came since stays"


async def test_an_offer_of_who_was_merged_away_comes_to_nothing(
    client: Client, make: Make, owner_db: Database, people: People
) -> None:
    """And leaves the survivor with its agent."""
    stays, goes = await make.lead(), await make.lead()
    await make.change(
        """INSERT INTO routing_offer (team_id, lead_id, strategy, member_ids, due_at)
           VALUES ($1, $2, 3, ARRAY[$3::bigint], now())""",
        people.adam.team_id,
        goes,
        people.otto.id,
    )
    await client.ok("POST", merge_url(stays), {"otherLeadId": goes})
    assert await client.as_(people.otto).refused("POST", f"/rooftree/v1/leads/{goes}/claim") == (404, 20006)
    agent = (await client.lead(stays))["assignedUserId"]
    ((offer_id,),) = await make.rows("SELECT id FROM routing_offer WHERE lead_id = $1", goes)
    async with owner_db.transaction(people.adam.team_id) as tx:
        await pass_on(tx, goes, offer_id, region="US")
    assert (await make.rows("SELECT status FROM routing_offer WHERE id = $1", offer_id))[0][0] == "ended"
    assert (await client.lead(stays))["assignedUserId"] == agent
