"""What comes in from outside: kept, obeyed (STOP), placed on the lead's timeline, or left in the tray."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from rooftree.leads.actions import audience, set_consent
from rooftree.leads.fields import normal_email, normal_phone
from rooftree.leads.model import Lead
from rooftree.leads.queries import leads_with_contact, locked_lead
from rooftree.leads.rules import full_name
from rooftree.messaging import actions as messaging
from rooftree.messaging.inbound import InboundText, keyword
from rooftree.messaging.model import Arrival
from rooftree.platform.database import Transaction
from rooftree.platform.ids import next_ids
from rooftree.timeline import kinds
from rooftree.timeline.actions import record, talk_entry
from rooftree.timeline.model import Talk

_KINDS: Final = {"sms": kinds.TEXT_RECEIVED, "email": kinds.EMAIL_RECEIVED}


class InboundMailbox(Struct, frozen=True):
    """A lead's e-mail, read."""

    provider_id: str  #: its Message-ID, or what stands for it
    sender: str
    recipient: str
    subject: str | None
    text: str
    raw: bytes
    sent_at: datetime | None
    lead_id: int | None = None  #: of the message that it answers


async def receive_text(tx: Transaction, text: InboundText, *, agent_id: int | None, region: str) -> Arrival | None:
    """Take a text in. STOP and START change consent in the same transaction; a repeated delivery changes nothing.

    `agent_id`: whose number it came to. None: it came before.
    Writes: arrival, suppression, lead (consent), timeline_entry, message (the agent is told).
    """
    number = normal_phone(text.sender, region)
    body = "\n".join([text.text, *text.media_urls]).strip()
    arrival = await messaging.keep_arrival(
        tx, channel="sms", provider_id=text.provider_id, sender=number, recipient=text.recipient, body=body
    )
    if arrival is None:
        return None
    leads = await leads_with_contact(tx, "phone", number)
    await _obey(tx, keyword(text.text), number, leads, region=region)
    lead = await _held(tx, whose(leads, agent_id))
    if lead:
        talk = Talk(content=body, phone=number)
        await _place(tx, arrival, lead, talk, agent_id=agent_id, happened_at=text.sent_at)
    return arrival


async def _obey(tx: Transaction, word: str | None, number: str, leads: Sequence[Lead], *, region: str) -> None:
    """STOP silences the number and flips the flag of every lead that has it; START lifts both."""
    if word == "stop":
        await messaging.silence(tx, "sms", number, "opted_out")
    elif word == "start":
        await messaging.allow(tx, "sms", number, ["opted_out"])
    else:
        return
    for lead_id in sorted(lead.id for lead in leads):
        await set_consent(tx, None, lead_id, region=region, cannot_text=word == "stop")


def whose(leads: Sequence[Lead], agent_id: int | None) -> Lead | None:
    """Return the lead that somebody speaks for: one of the agent's they wrote to, else the one last touched."""
    own = [lead for lead in leads if agent_id is not None and lead.assigned_user_id == agent_id]
    return (own or [*leads, None])[0]


async def _held(tx: Transaction, lead: Lead | None) -> Lead | None:
    """Return a lead locked, as it is now; the one that it was merged into meanwhile."""
    return await locked_lead(tx, lead.id) if lead else None


async def receive_email(tx: Transaction, mail: InboundMailbox, *, agent_id: int | None) -> Arrival | None:
    """Take an e-mail of a lead in; None: it came before.

    It belongs to the lead of the message that it answers, else to the one with its sender's address.
    Writes: arrival, timeline_entry, message (the agent is told).
    """
    arrival = await messaging.keep_arrival(
        tx,
        channel="email",
        provider_id=mail.provider_id,
        sender=mail.sender,
        recipient=mail.recipient,
        subject=mail.subject,
        body=mail.text,
        raw=mail.raw,
    )
    if arrival is None:
        return None
    lead = await locked_lead(tx, mail.lead_id) if mail.lead_id else None
    if lead is None or lead.trashed_at:
        lead = await _held(tx, whose(await leads_with_contact(tx, "email", normal_email(mail.sender)), agent_id))
    if lead:
        talk = Talk(content=mail.text, subject=mail.subject, from_email=mail.sender, to_email=mail.recipient)
        await _place(tx, arrival, lead, talk, agent_id=agent_id, happened_at=mail.sent_at)
    return arrival


async def _place(
    tx: Transaction, arrival: Arrival, lead: Lead, talk: Talk, *, agent_id: int | None, happened_at: datetime | None
) -> None:
    """Put an arrival on the lead's timeline, and tell the agent."""
    (entry_id,) = await next_ids(tx, 1)
    if not await messaging.place_arrival(tx, arrival.id, lead.id, entry_id):
        return
    entry = talk_entry(
        _KINDS[arrival.channel],
        lead.id,
        entry_id,
        talk,
        direction="inbound",
        happened_at=min(happened_at or arrival.arrived_at, arrival.arrived_at),
        status="Delivered" if arrival.channel == "sms" else None,
        agent_id=agent_id or lead.assigned_user_id,
    )
    await record(tx, None, [entry], audience=audience(lead))
    if lead.assigned_user_id:
        name = full_name(lead.first_name, lead.last_name)
        way = "texted" if arrival.channel == "sms" else "wrote"
        await messaging.notify_agent(
            tx,
            lead_id=lead.id,
            member_id=lead.assigned_user_id,
            purpose="reply_alert",
            subject=f"{name} {way}" + (f": {arrival.subject}" if arrival.subject else ""),
            body=f"{name} {way} to you:\n\n{arrival.body[:5000]}",
        )


async def place_from_tray(tx: Transaction, arrival: Arrival, lead: Lead) -> None:
    """Give something in the tray to a lead, at its own time. Writes: arrival, timeline_entry, message."""
    if arrival.channel == "email":
        talk = Talk(
            content=arrival.body, subject=arrival.subject, from_email=arrival.sender, to_email=arrival.recipient
        )
    else:
        talk = Talk(content=arrival.body, phone=arrival.sender)
    await _place(tx, arrival, lead, talk, agent_id=None, happened_at=arrival.arrived_at)
