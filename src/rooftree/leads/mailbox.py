"""What becomes of an e-mail that reached us: a bounce, a reply, or somebody new."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from rooftree.leads.arrivals import InboundMailbox, receive_email
from rooftree.messaging import actions, queries
from rooftree.messaging.intake import InboundMail, ReturnAddresses
from rooftree.messaging.model import Message
from rooftree.platform.database import Database
from rooftree.team import queries as team

#: The Message-ID that our own e-mails carry: message, team.
_OURS: Final = re.compile(r"<(\d{1,18})\.(\d{1,18})@[^>]*>")


async def receive_mail(
    database: Database, returns: ReturnAddresses | None, mail: InboundMail, raw: bytes, recipients: Sequence[str]
) -> bool:
    """Take an e-mail in; committed when this returns. False: there is no team yet.

    It speaks of one of our messages if it came to that message's signed address, or if it quotes its Message-ID and
    comes from (or, as a bounce, tells of) the address that the message went to: ids alone prove nothing.
    Writes: arrival, timeline_entry, suppression, message.
    """
    message = await _spoken_of(database, returns, mail, recipients)
    if message and mail.kind == "bounce":
        await _bounced(database, mail, message)
        return True
    if message:
        team_id, agent_id = message.team_id, message.sender_id
    else:
        home = await _home(database, recipients)
        if home is None:
            return False
        team_id, agent_id = home
    async with database.transaction(team_id) as tx:
        box = InboundMailbox(
            provider_id=mail.message_id or hashlib.sha256(raw).hexdigest(),
            sender=mail.sender,
            recipient=recipients[0] if recipients else "",
            subject=mail.subject,
            text=mail.text,
            raw=raw,
            sent_at=mail.sent_at,
            lead_id=message.lead_id if message and mail.kind == "reply" else None,
        )
        await receive_email(tx, box, agent_id=agent_id)
    return True


async def _spoken_of(
    database: Database, returns: ReturnAddresses | None, mail: InboundMail, recipients: Sequence[str]
) -> Message | None:
    """Return the message of ours that an e-mail answers, or brings back."""
    for recipient in recipients:
        opened = returns.open(recipient) if returns else None
        if opened and (message := await _find(database, opened[1], opened[2])):
            return message
    quoted = [one.original_message_id or "" for one in mail.bounced]
    speakers = {mail.sender, *(one.recipient.lower() for one in mail.bounced)}
    for reference in [*quoted, *reversed(mail.references)]:
        match = _OURS.fullmatch(reference.strip())
        message = await _find(database, int(match[2]), int(match[1])) if match else None
        if message and message.recipient.lower() in speakers:
            return message
    return None


async def _find(database: Database, team_id: int, message_id: int) -> Message | None:
    async with database.reading(team_id) as tx:
        return await queries.find_message(tx, message_id)


async def _bounced(database: Database, mail: InboundMail, message: Message) -> None:
    one = mail.bounced[0] if mail.bounced else None
    async with database.transaction(message.team_id) as tx:
        await actions.note_bounce(
            tx,
            message.id,
            message.recipient,
            one.reason if one else (mail.subject or "returned to sender"),
            is_permanent=one.is_permanent if one else True,
        )


async def _home(database: Database, recipients: Sequence[str]) -> tuple[int, int | None] | None:
    """Return team and member that an e-mail is meant for, by the address of a member; else the first team."""
    found = [await team.team_of_address(database, recipient) for recipient in recipients or [""]]
    known = [home for home in found if home]
    return next((home for home in known if home[1] is not None), known[0] if known else None)
