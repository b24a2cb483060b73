"""Queueing messages, in the caller's transaction."""

from rooftree.messaging import store
from rooftree.messaging.store import NewMessage
from rooftree.platform.database import Transaction
from rooftree.team import queries as team


async def queue_email(
    tx: Transaction,
    *,
    lead_id: int | None,
    sender_id: int | None,
    purpose: str,
    recipient: str,
    subject: str,
    body: str,
) -> int:
    """Queue an e-mail, return its id. The caller has checked the lead's consent. Writes: message."""
    return await store.insert_message(tx, NewMessage(lead_id, sender_id, "email", purpose, recipient, subject, body))


async def notify_agent(
    tx: Transaction, *, lead_id: int, member_id: int, purpose: str, subject: str, body: str
) -> int | None:
    """Queue an e-mail to a member of the team about a lead; None when there is no such active member."""
    member = await team.find_member(tx, member_id)
    if member is None or member.status != "active":
        return None
    return await queue_email(
        tx, lead_id=lead_id, sender_id=None, purpose=purpose, recipient=member.email, subject=subject, body=body
    )
