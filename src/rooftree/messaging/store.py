"""Every INSERT, UPDATE and DELETE on messages, on who must not be written to, on accounts and on what comes in."""

from collections.abc import Sequence
from datetime import datetime

from rooftree.messaging.model import Arrival, Message, NewMessage
from rooftree.platform.database import Transaction, columns


async def insert_message(tx: Transaction, message: NewMessage) -> int:
    """Queue a message, return its id."""
    return await tx.fetchval(
        """INSERT INTO message (team_id, id, lead_id, sender_id, channel, purpose, recipient, subject, body,
                                recipient_name, sender, timeline_id, next_at)
           VALUES ($1, coalesce($2, next_id()), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, coalesce($13, now()))
           RETURNING id""",
        tx.team_id,
        message.id,
        message.lead_id,
        message.sender_id,
        message.channel,
        message.purpose,
        message.recipient,
        message.subject,
        message.body,
        message.recipient_name,
        message.sender,
        message.timeline_id,
        message.send_at,
    )


async def lease(tx: Transaction, message_id: int, seconds: float) -> tuple[Message, datetime | None] | None:
    """Take a message that is due for so many seconds; return it, and when it was tried first before now.

    None: it is not due, already on its way, or done.
    """
    row = await tx.fetchrow(
        f"""UPDATE message m
               SET state = 'sending', attempts = m.attempts + 1, tried_at = coalesce(m.tried_at, clock_timestamp()),
                   leased_until = clock_timestamp() + make_interval(secs => $3), updated_at = clock_timestamp()
              FROM (SELECT id, tried_at FROM message WHERE team_id = $1 AND id = $2 FOR UPDATE) old
             WHERE m.team_id = $1 AND m.id = old.id
               AND (m.state = 'queued' AND m.next_at <= clock_timestamp() + interval '1 second'
                    OR m.state = 'sending' AND m.leased_until <= clock_timestamp())
            RETURNING {columns(Message, "m")}, old.tried_at""",
        tx.team_id,
        message_id,
        seconds,
    )
    return (Message(*tuple(row)[:-1]), row[-1]) if row else None


async def put_off(tx: Transaction, message_id: int, until: datetime) -> None:
    """Let a queued message wait."""
    await tx.execute(
        "UPDATE message SET next_at = $3 WHERE team_id = $1 AND id = $2 AND state = 'queued'",
        tx.team_id,
        message_id,
        until,
    )


async def record_sent(
    tx: Transaction, message: Message, provider: str, provider_id: str | None, state: str, sender: str
) -> bool:
    """Note that a leased message went out; False when it stands otherwise by now (its status came first)."""
    done = await tx.execute(
        """UPDATE message SET state = $4, provider = $5, provider_id = coalesce($6, provider_id), sender = $7,
                              error = NULL, next_at = NULL, leased_until = NULL,
                              sent_at = clock_timestamp(), updated_at = clock_timestamp()
            WHERE team_id = $1 AND id = $2 AND state = 'sending' AND attempts = $3""",
        message.team_id,
        message.id,
        message.attempts,
        state,
        provider,
        provider_id,
        sender,
    )
    return done == "UPDATE 1"


async def record_failure(tx: Transaction, message: Message, error: str, pause_seconds: float | None) -> bool:
    """Note that a leased message did not go out; it waits so long, or without a pause has failed for good."""
    done = await tx.execute(
        """UPDATE message SET state = CASE WHEN $5::float IS NULL THEN 'failed' ELSE 'queued' END, error = $4,
                              next_at = clock_timestamp() + make_interval(secs => $5), leased_until = NULL,
                              updated_at = clock_timestamp()
            WHERE team_id = $1 AND id = $2 AND state = 'sending' AND attempts = $3""",
        message.team_id,
        message.id,
        message.attempts,
        error,
        pause_seconds,
    )
    return done == "UPDATE 1"


async def record_status(
    tx: Transaction, message_id: int, state: str, provider_id: str | None, error: str | None
) -> Message | None:
    """Note what a provider reports later; None when there is no such message, or it knew better already.

    Reports overtake each other: what is delivered or failed stays so, but a failure beats "sent".
    """
    row = await tx.fetchrow(
        f"""UPDATE message SET state = $3, provider_id = coalesce($4, provider_id), error = $5, next_at = NULL,
                              sent_at = coalesce(sent_at, clock_timestamp()), updated_at = clock_timestamp()
            WHERE team_id = $1 AND id = $2 AND state NOT IN ('delivered', 'failed') AND state <> $3
           RETURNING {columns(Message)}""",
        tx.team_id,
        message_id,
        state,
        provider_id,
        error,
    )
    return Message(*row) if row else None


async def suppress(tx: Transaction, channel: str, address: str, reason: str, detail: str | None = None) -> None:
    """Write nobody at this address any more."""
    await tx.execute(
        """INSERT INTO suppression (team_id, channel, address, reason, detail) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (team_id, channel, address)
           DO UPDATE SET reason = EXCLUDED.reason, detail = EXCLUDED.detail, created_at = now()""",
        tx.team_id,
        channel,
        address,
        reason,
        detail,
    )


async def lift(tx: Transaction, channel: str, address: str, reasons: Sequence[str]) -> None:
    """Allow an address again, if it was silenced for one of these reasons."""
    await tx.execute(
        "DELETE FROM suppression WHERE team_id = $1 AND channel = $2 AND address = $3 AND reason = ANY ($4)",
        tx.team_id,
        channel,
        address,
        list(reasons),
    )


async def put_account(tx: Transaction, member_id: int, url: bytes, from_address: str | None) -> None:
    """Store an SMTP account, in place of the one before."""
    await tx.execute(
        """INSERT INTO mail_account (team_id, member_id, url, from_address) VALUES ($1, $2, $3, $4)
           ON CONFLICT (team_id, member_id) DO UPDATE SET url = EXCLUDED.url, from_address = EXCLUDED.from_address""",
        tx.team_id,
        member_id,
        url,
        from_address,
    )


async def delete_account(tx: Transaction, member_id: int) -> bool:
    """Forget an SMTP account; False when there was none."""
    done = await tx.execute("DELETE FROM mail_account WHERE team_id = $1 AND member_id = $2", tx.team_id, member_id)
    return done == "DELETE 1"


async def insert_arrival(
    tx: Transaction,
    *,
    channel: str,
    provider_id: str,
    sender: str,
    recipient: str,
    subject: str | None,
    body: str,
    raw: bytes | None,
) -> Arrival | None:
    """Keep what came in; None when it came before."""
    row = await tx.fetchrow(
        f"""INSERT INTO arrival (team_id, channel, provider_id, sender, recipient, subject, body, raw)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (team_id, channel, provider_id) DO NOTHING RETURNING {columns(Arrival)}""",
        tx.team_id,
        channel,
        provider_id,
        sender,
        recipient,
        subject,
        body,
        raw,
    )
    return Arrival(*row) if row else None


async def place_arrival(tx: Transaction, arrival_id: int, lead_id: int, timeline_id: int | None) -> bool:
    """Give an arrival to a lead; False when another was quicker."""
    done = await tx.execute(
        """UPDATE arrival SET lead_id = $3, timeline_id = $4, handled_at = now()
            WHERE team_id = $1 AND id = $2 AND lead_id IS NULL""",
        tx.team_id,
        arrival_id,
        lead_id,
        timeline_id,
    )
    return done == "UPDATE 1"


async def dismiss_arrival(tx: Transaction, arrival_id: int) -> None:
    """Take an arrival out of the tray; it is kept."""
    await tx.execute(
        "UPDATE arrival SET handled_at = now() WHERE team_id = $1 AND id = $2 AND handled_at IS NULL",
        tx.team_id,
        arrival_id,
    )


async def repoint_messages(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    """Give a lead's messages, all or these, to another lead; return the ids of those that moved."""
    return await _repoint(tx, "UPDATE message SET lead_id = $3", from_id, to_id, ids)


async def repoint_arrivals(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    """Give a lead's arrivals, all or these, to another lead; return the ids of those that moved."""
    return await _repoint(tx, "UPDATE arrival SET lead_id = $3", from_id, to_id, ids)


async def _repoint(tx: Transaction, update: str, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    rows = await tx.fetch(
        f"{update} WHERE team_id = $1 AND lead_id = $2 AND ($4::bigint[] IS NULL OR id = ANY ($4)) RETURNING id",
        tx.team_id,
        from_id,
        to_id,
        None if ids is None else list(ids),
    )
    return [row["id"] for row in rows]
