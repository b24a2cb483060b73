"""Writing messages."""

from msgspec import Struct

from rooftree.platform.database import Transaction


class NewMessage(Struct, frozen=True):
    """A message to be sent."""

    lead_id: int | None
    sender_id: int | None
    channel: str  #: email, sms
    purpose: str  #: welcome_email, lead_alert, assignment
    recipient: str
    subject: str | None
    body: str


async def insert_message(tx: Transaction, message: NewMessage) -> int:
    """Queue a message, return its id."""
    return await tx.fetchval(
        """INSERT INTO message (team_id, lead_id, sender_id, channel, purpose, recipient, subject, body)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
        tx.team_id,
        message.lead_id,
        message.sender_id,
        message.channel,
        message.purpose,
        message.recipient,
        message.subject,
        message.body,
    )
