"""Queueing messages, in the caller's transaction, and keeping what comes in."""

from collections.abc import Sequence
from datetime import datetime

from rooftree.messaging import queries, rules, store
from rooftree.messaging.model import Arrival, Message, NewMessage
from rooftree.platform.database import Transaction
from rooftree.platform.jobs import enqueue
from rooftree.platform.vault import Vault
from rooftree.team import queries as team
from rooftree.timeline import actions as timeline
from rooftree.timeline import kinds
from rooftree.timeline.actions import Audience, Entry, record

#: The job that sends one message.
SEND_MESSAGE = "send_message"


async def queue_message(tx: Transaction, message: NewMessage) -> int:
    """Queue a message and wake the worker; return its id. The caller has checked consent. Writes: message, job."""
    message_id = await store.insert_message(tx, message)
    await enqueue(tx, SEND_MESSAGE, run_at=message.send_at, message_id=message_id)
    return message_id


async def notify_agent(
    tx: Transaction, *, lead_id: int | None, member_id: int, purpose: str, subject: str, body: str
) -> int | None:
    """Queue an e-mail to a member of the team, about a lead if one is named; None: there is no such active member."""
    member = await team.find_member(tx, member_id)
    if member is None or member.status != "active":
        return None
    message = NewMessage(lead_id, None, "email", purpose, member.email, subject, body, member.first_name)
    return await queue_message(tx, message)


#: Status entries are told to nobody.
_NOBODY = Audience((), "TEAM", 0, is_hidden=False)
#: A text's state in the contract's words. contract: vocab.md, textOutcome
TEXT_OUTCOMES = {
    "queued": "Queued",
    "sending": "Queued",
    "sent": "Sent",
    "delivered": "Delivered",
    "undelivered": "Undelivered",
    "failed": "Failed",
}
#: An e-mail's. contract: vocab.md, emailEventType
EMAIL_EVENTS = {"failed": "Bounced", "bounced": "Bounced"}


async def tell(tx: Transaction, message: Message, state: str, error: str | None = None) -> None:
    """Say on the timeline what became of a message: sent, delivered, undelivered, failed, bounced.

    Writes: timeline_entry (the message's own, and one for a delivery, failure or bounce).
    """
    if message.timeline_id is None or message.lead_id is None:
        return
    words = TEXT_OUTCOMES if message.channel == "sms" else EMAIL_EVENTS
    await timeline.set_status(tx, message.timeline_id, words.get(state, "Sent"), error=error)
    kind = {
        "delivered": kinds.MESSAGE_DELIVERED,
        "undelivered": kinds.MESSAGE_FAILED,
        "failed": kinds.MESSAGE_FAILED,
        "bounced": kinds.EMAIL_BOUNCED,
    }.get(state)
    if kind:
        details = {"timelineId": message.timeline_id, "to": message.recipient, "error": error}
        await record(tx, None, [Entry(kind, message.lead_id, details)], audience=_NOBODY)


async def note_status(
    tx: Transaction, message_id: int, state: str, *, provider_id: str | None = None, error: str | None = None
) -> Message | None:
    """Note what a provider reports of a message later: sent, delivered, undelivered, failed.

    None when nothing changes by it. Writes: message, timeline_entry.
    """
    stored = "failed" if state == "undelivered" else state
    message = await store.record_status(tx, message_id, stored, provider_id, error)
    if message:
        await tell(tx, message, state, error)
    return message


async def note_bounce(tx: Transaction, message_id: int, address: str, reason: str, *, is_permanent: bool) -> bool:
    """Note that an e-mail came back; one that never arrives silences the address. False: no such message.

    Writes: message, timeline_entry, suppression.
    """
    message = await queries.find_message(tx, message_id)
    if message is None:
        return False
    if not is_permanent:
        return True
    await store.suppress(tx, "email", address.lower(), "bounced", reason)
    if message.state != "failed":
        await store.record_status(tx, message_id, "failed", None, reason)
        await tell(tx, message, "bounced", reason)
    return True


async def keep_arrival(
    tx: Transaction,
    *,
    channel: str,
    provider_id: str,
    sender: str,
    recipient: str,
    body: str,
    subject: str | None = None,
    raw: bytes | None = None,
) -> Arrival | None:
    """Keep what came in before anything is made of it; None when it came before. Writes: arrival."""
    return await store.insert_arrival(
        tx,
        channel=channel,
        provider_id=provider_id,
        sender=sender,
        recipient=recipient,
        subject=subject,
        body=body,
        raw=raw,
    )


async def place_arrival(tx: Transaction, arrival_id: int, lead_id: int, timeline_id: int | None) -> bool:
    """Give an arrival to its lead; False when another was quicker. Writes: arrival."""
    return await store.place_arrival(tx, arrival_id, lead_id, timeline_id)


async def dismiss_arrival(tx: Transaction, arrival_id: int) -> None:
    """Take an arrival out of the tray; it is kept. Writes: arrival."""
    await store.dismiss_arrival(tx, arrival_id)


async def silence(tx: Transaction, channel: str, address: str, reason: str) -> None:
    """Write nobody at this address any more: opted_out, unsubscribed, bounced. Writes: suppression."""
    await store.suppress(tx, channel, address, reason)


async def allow(tx: Transaction, channel: str, address: str, reasons: Sequence[str]) -> None:
    """Allow an address again that was silenced for one of these reasons. Writes: suppression."""
    await store.lift(tx, channel, address, reasons)


async def set_account(tx: Transaction, member_id: int, sealed_url: bytes, from_address: str | None) -> None:
    """Store an SMTP account of a member, or with 0 of the team; the URL is encrypted already. Writes: mail_account."""
    await store.put_account(tx, member_id, sealed_url, from_address)


async def seal_accounts_anew(tx: Transaction, before: Vault, after: Vault) -> None:
    """Encrypt the team's SMTP accounts with another key. Writes: mail_account. Raises: VaultError."""
    for account in await queries.mail_accounts(tx):
        await store.put_account(tx, account.member_id, after.seal(before.open(account.url)), account.from_address)


async def remove_account(tx: Transaction, member_id: int) -> bool:
    """Forget an SMTP account; False when there was none. Writes: mail_account."""
    return await store.delete_account(tx, member_id)


async def take(tx: Transaction, message_id: int, lease_seconds: float) -> tuple[Message, datetime | None] | None:
    """Take a message that is due, for the worker alone. Writes: message."""
    return await store.lease(tx, message_id, lease_seconds)


async def put_down_sent(
    tx: Transaction, message: Message, *, provider: str, provider_id: str | None, state: str, sender: str
) -> None:
    """Note that a message that was taken went out. Writes: message, timeline_entry."""
    if await store.record_sent(tx, message, provider, provider_id, state, sender):
        await tell(tx, message, state)


async def put_down_failed(
    tx: Transaction, message: Message, error: str, *, is_permanent: bool, asked_seconds: float | None = None
) -> None:
    """Note that a message that was taken did not go out: it is tried again, or has failed for good.

    Writes: message, job, timeline_entry.
    """
    pause = None if is_permanent else rules.pause_after(message.attempts, asked_seconds)
    if not await store.record_failure(tx, message, error, pause):
        return
    if pause is None:
        await tell(tx, message, "failed", error)
        return
    stored = await queries.find_message(tx, message.id)
    await enqueue(tx, SEND_MESSAGE, run_at=stored and stored.next_at, message_id=message.id)


async def put_off(tx: Transaction, message_id: int, until: datetime) -> None:
    """Let a message that nobody took yet wait until then. Writes: message, job."""
    await store.put_off(tx, message_id, until)
    await enqueue(tx, SEND_MESSAGE, run_at=until, message_id=message_id)


async def repoint_messages(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None = None) -> list[int]:
    """Let a lead's messages belong to another lead: all, or these. Returns the ids of those that moved.

    Writes: message.
    """
    return await store.repoint_messages(tx, from_id, to_id, ids)


async def repoint_arrivals(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None = None) -> list[int]:
    """Let a lead's arrivals belong to another lead: all, or these. Returns the ids of those that moved.

    Writes: arrival.
    """
    return await store.repoint_arrivals(tx, from_id, to_id, ids)
