"""Writing to a lead: consent first, then the message, its entry in the logbook and the job, in one transaction."""

from collections.abc import Sequence
from typing import Final

import phonenumbers
from msgspec import Struct

from rooftree.leads.fields import normal_email, normal_phone
from rooftree.leads.model import Lead
from rooftree.leads.rules import full_name
from rooftree.messaging import queries, rules
from rooftree.messaging.actions import queue_message
from rooftree.messaging.model import NewMessage
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.ids import next_ids
from rooftree.team import queries as team
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry, talk_entry
from rooftree.timeline.model import Talk

SUBJECT_LENGTH: Final = 500
EMAIL_LENGTH: Final = 500_000
#: What a provider takes as one message of several parts.
TEXT_LENGTH: Final = 1600


class Queued(Struct, frozen=True):
    """A message on its way: what its answer says, and the entry that the caller records."""

    message_id: int
    recipient: str
    entry: Entry


async def email_lead(
    tx: Transaction, actor: Actor, lead: Lead, *, subject: str, body: str, to_email: str | None
) -> Queued:
    """Queue an agent's own e-mail to a lead that they manage. Plain text or HTML.

    `to_email` chooses one of the lead's addresses; another, or none: the primary one.
    contract: POST /v1.0/message/email/send. Writes: message, job.
    Raises: InvalidParameter (20012) when the text is blank, there is no address, or consent forbids it.
    """
    _check_text("subject", subject, SUBJECT_LENGTH)
    _check_text("body", body, EMAIL_LENGTH)
    recipient = _chosen_email(lead, to_email)
    if refused := await email_refusal(tx, lead, recipient):
        raise InvalidParameter(refused)
    message_id, entry_id = await next_ids(tx, 2)
    talk = Talk(content=body, subject=subject, to_email=recipient)
    entry = talk_entry(kinds.EMAIL_SENT, lead.id, entry_id, talk, direction="outbound", status="Sent")
    message = NewMessage(
        lead.id,
        actor.member_id,
        "email",
        "manual",
        recipient,
        subject,
        body,
        recipient_name=full_name(lead.first_name, lead.last_name),
        timeline_id=entry_id,
        id=message_id,
    )
    await queue_message(tx, message)
    return Queued(message_id, recipient, entry)


def _check_text(name: str, text: str, limit: int) -> None:
    if not text.strip():
        raise InvalidParameter(f"{name}: must not be blank.")
    if len(text) > limit:
        raise InvalidParameter(f"{name}: must have at most {limit} characters.")


def _chosen_email(lead: Lead, wish: str | None) -> str:
    if not lead.emails:
        raise InvalidParameter("leadId: the lead has no e-mail address.")
    wanted = normal_email(wish or "")
    return next((email for email in lead.emails if normal_email(email) == wanted), lead.emails[0])


async def email_refusal(tx: Transaction, lead: Lead, recipient: str) -> str | None:
    """Return why this lead must not be e-mailed at this address, None when they may."""
    return rules.refusal(
        "email",
        cannot_email=lead.cannot_email,
        cannot_text=lead.cannot_text,
        is_unsubscribed=lead.is_unsubscribed,
        suppressed=await queries.suppressed(tx, "email", normal_email(recipient)),
    )


async def text_refusal(tx: Transaction, lead: Lead, number: str) -> str | None:
    """Return why this lead must not be texted at this number (E.164), None when they may."""
    return rules.refusal(
        "sms",
        cannot_email=lead.cannot_email,
        cannot_text=lead.cannot_text,
        is_unsubscribed=lead.is_unsubscribed,
        suppressed=await queries.suppressed(tx, "sms", number),
    )


async def email_by_itself(tx: Transaction, lead: Lead, *, purpose: str, subject: str, body: str) -> Entry | None:
    """Queue an automatic e-mail in the agent's name; None when there is no address, or consent forbids it.

    It waits for the end of the lead's quiet hours. Returns the entry, which the caller records. Writes: message, job.
    """
    if not lead.emails or await email_refusal(tx, lead, lead.emails[0]):
        return None
    (entry_id,) = await next_ids(tx, 1)
    talk = Talk(content=body, subject=subject, to_email=lead.emails[0])
    message = NewMessage(
        lead.id,
        lead.assigned_user_id,
        "email",
        purpose,
        lead.emails[0],
        subject,
        body,
        recipient_name=full_name(lead.first_name, lead.last_name),
        timeline_id=entry_id,
    )
    await queue_message(tx, message)
    return talk_entry(kinds.EMAIL_SENT_BY_ITSELF, lead.id, entry_id, talk, direction="outbound", status="Sent")


async def text_lead(
    tx: Transaction,
    actor: Actor,
    lead: Lead,
    *,
    content: str,
    phone_number: str | None,
    phone_code: str | None,
    region: str,
    needs_number: bool,
) -> Queued:
    """Queue an agent's own text to a lead that they manage.

    Number and code choose one of the lead's phones; no match: the primary one. `needs_number`: texts really go out,
    so the agent must have a number of their own to send from.
    contract: POST /v1.0/message/sms/send. Writes: message, job.
    Raises: InvalidParameter (20012) when the text is blank, there is no number, or consent forbids it.
    """
    _check_text("content", content, TEXT_LENGTH)
    number = _chosen_number(lead.phones, phone_number, phone_code, region)
    if refused := await text_refusal(tx, lead, number):
        raise InvalidParameter(refused)
    sender = await team.find_member(tx, actor.member_id)
    if needs_number and not (sender and sender.virtual_number):
        raise InvalidParameter("You have no active virtual number to send from; an administrator can give you one.")
    message_id, entry_id = await next_ids(tx, 2)
    talk = Talk(content=content, phone=number)
    entry = talk_entry(kinds.TEXT_SENT, lead.id, entry_id, talk, direction="outbound", status="Queued")
    message = NewMessage(
        lead.id,
        actor.member_id,
        "sms",
        "manual",
        number,
        None,
        content,
        recipient_name=full_name(lead.first_name, lead.last_name),
        sender=sender and sender.virtual_number,
        timeline_id=entry_id,
        id=message_id,
    )
    await queue_message(tx, message)
    return Queued(message_id, number, entry)


def _chosen_number(phones: Sequence[str], wish: str | None, code: str | None, region: str) -> str:
    if not phones:
        raise InvalidParameter("leadId: the lead has no phone number.")
    known = [normal_phone(phone, region) for phone in phones]
    wanted = {normal_phone(wish, region), normal_phone(f"+{code}{wish}", region)} if wish else set[str]()
    number = next((number for number in known if number in wanted), known[0])
    if not number.startswith("+"):
        raise InvalidParameter(f"leadId: {phones[0]} is not a number that can be texted.")
    return number


def code_and_number(number: str) -> tuple[str, str]:
    """Return country code and national digits of an E.164 number."""
    parsed = phonenumbers.parse(number)
    return str(parsed.country_code), phonenumbers.national_significant_number(parsed)
