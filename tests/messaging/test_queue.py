"""Messages are rows, written in the transaction of what they tell of."""

from typing import Any

import pytest
from tests.support.people import People, Person

from rooftree.messaging.actions import notify_agent, queue_message
from rooftree.messaging.model import NewMessage
from rooftree.platform.database import Database, Transaction
from rooftree.team import actions as team

WELCOME: dict[str, Any] = {"purpose": "welcome_email", "recipient": "jane@example.com", "subject": "Hi", "body": "Text"}
ALERT: dict[str, Any] = {"lead_id": 7, "purpose": "lead_alert", "subject": "New lead", "body": "Jane"}


async def _messages(tx: Transaction) -> list[dict[str, Any]]:
    return [dict(row) for row in await tx.fetch("SELECT * FROM message ORDER BY id")]


async def test_a_queued_email_waits_in_the_outbox(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        message_id = await queue_message(tx, NewMessage(7, people.adam.id, "email", **WELCOME))
        (message,) = await _messages(tx)
    assert message["id"] == message_id
    assert {name: message[name] for name in WELCOME} == WELCOME
    assert (message["lead_id"], message["sender_id"], message["channel"]) == (7, people.adam.id, "email")
    assert (message["state"], message["attempts"], message["sent_at"]) == ("queued", 0, None)
    assert message["next_at"] == message["created_at"], "due at once"


async def test_an_agent_is_told_at_their_login(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        message_id = await notify_agent(tx, member_id=people.ana.id, **ALERT)
        (message,) = await _messages(tx)
    assert (message["id"], message["recipient"], message["lead_id"]) == (message_id, people.ana.email, 7)
    assert message["sender_id"] is None, "the system"


async def test_who_left_is_told_nothing(db: Database, owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.adam.team_id) as tx:
        await team.deactivate_member(tx, people.ana.email)
    await _nobody_is_told(db, people, people.ana)


async def test_another_company_is_told_nothing(db: Database, people: People) -> None:
    await _nobody_is_told(db, people, people.sid)


async def _nobody_is_told(db: Database, people: People, member: Person) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        assert await notify_agent(tx, member_id=member.id, **ALERT) is None
        assert await _messages(tx) == []


async def test_rolled_back_nothing_will_be_sent(db: Database, people: People) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(people.adam.team_id) as tx:
            await queue_message(tx, NewMessage(7, None, "email", **WELCOME))
            raise ZeroDivisionError
    async with db.transaction(people.adam.team_id) as tx:
        assert await _messages(tx) == []


async def test_another_company_cannot_see_the_outbox(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        await queue_message(tx, NewMessage(7, None, "email", **WELCOME))
    async with db.transaction(people.sid.team_id) as tx:
        assert await _messages(tx) == []
