"""Reading messages, accounts and what came in."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from rooftree.messaging.model import Arrival, Message
from rooftree.platform.database import Database, Transaction, columns
from rooftree.platform.figures import COUNTED, Measure

#: For /metrics, over all teams.
BACKLOG: Final = Measure(
    f"""SELECT count(*) AS messages_due,
               coalesce(extract(epoch FROM now() - min(next_at)), 0) AS messages_oldest_seconds
          FROM (SELECT next_at FROM message
                 WHERE state IN ('queued', 'sending') AND next_at <= now() ORDER BY next_at LIMIT {COUNTED}) m""",
    {
        "messages_due": "E-mails and texts that are due and not sent.",
        "messages_oldest_seconds": "How long the oldest of them has been due.",
    },
)


async def find_message(tx: Transaction, message_id: int) -> Message | None:
    """Return a message."""
    row = await tx.fetchrow(
        f"SELECT {columns(Message)} FROM message WHERE team_id = $1 AND id = $2", tx.team_id, message_id
    )
    return Message(*row) if row else None


async def team_of_message(database: Database, provider_id: str) -> tuple[int, int] | None:
    """Return team and id of the message that a provider knows by its own id."""
    async with database.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, message_id FROM team_of_message($1)", provider_id)
    return (row[0], row[1]) if row else None


async def known_provider_ids(tx: Transaction, provider_ids: Sequence[str]) -> set[str]:
    """Return which of a provider's ids stand at messages of the team."""
    rows = await tx.fetch(
        "SELECT provider_id FROM message WHERE team_id = $1 AND provider_id = ANY ($2)",
        tx.team_id,
        list(provider_ids),
    )
    return {row[0] for row in rows}


async def suppressed(tx: Transaction, channel: str, address: str) -> str | None:
    """Return why an address must not be written to: opted_out, bounced, unsubscribed; None when it may."""
    return await tx.fetchval(
        "SELECT reason FROM suppression WHERE team_id = $1 AND channel = $2 AND address = $3",
        tx.team_id,
        channel,
        address,
    )


class MailAccount(Struct, frozen=True):
    """An SMTP account; its URL is encrypted."""

    url: bytes
    from_address: str | None
    member_id: int  #: 0: the team's


async def mail_account(tx: Transaction, member_id: int | None) -> MailAccount | None:
    """Return the account that a member's mail goes by: their own, else the team's; None: the installation's."""
    row = await tx.fetchrow(
        """SELECT url, from_address, member_id FROM mail_account
            WHERE team_id = $1 AND member_id = ANY ($2) ORDER BY member_id DESC LIMIT 1""",
        tx.team_id,
        [0, *([member_id] if member_id else [])],
    )
    return MailAccount(*row) if row else None


async def mail_accounts(tx: Transaction) -> list[MailAccount]:
    """Return the accounts of the team."""
    rows = await tx.fetch(
        "SELECT url, from_address, member_id FROM mail_account WHERE team_id = $1 ORDER BY member_id", tx.team_id
    )
    return [MailAccount(*row) for row in rows]


async def latest_messages(tx: Transaction, limit: int, states: Sequence[str] = ()) -> list[Message]:
    """Return messages, newest first, in these states if any are named."""
    rows = await tx.fetch(
        f"""SELECT {columns(Message)} FROM message
             WHERE team_id = $1 AND (cardinality($3::text[]) = 0 OR state = ANY ($3)) ORDER BY id DESC LIMIT $2""",
        tx.team_id,
        limit,
        list(states),
    )
    return [Message(*row) for row in rows]


async def tray(tx: Transaction, limit: int, after_id: int | None = None) -> list[Arrival]:
    """Return what came in from nobody known, oldest first."""
    rows = await tx.fetch(
        f"""SELECT {columns(Arrival)} FROM arrival
             WHERE team_id = $1 AND lead_id IS NULL AND handled_at IS NULL AND id > $2 ORDER BY id LIMIT $3""",
        tx.team_id,
        after_id or 0,
        limit,
    )
    return [Arrival(*row) for row in rows]


async def find_arrival(tx: Transaction, arrival_id: int | None) -> Arrival | None:
    """Return something that came in."""
    row = await tx.fetchrow(
        f"SELECT {columns(Arrival)} FROM arrival WHERE team_id = $1 AND id = $2", tx.team_id, arrival_id
    )
    return Arrival(*row) if row else None


async def stuck(tx: Transaction, limit: int) -> list[tuple[int, int]]:
    """Return team and id of messages that nobody took although they were due minutes ago. Needs the owner's rights."""
    rows = await tx.fetch(
        """SELECT team_id, id FROM message
            WHERE state IN ('queued', 'sending') AND next_at < now() - interval '5 minutes'
              AND coalesce(leased_until, '-infinity') < now() - interval '5 minutes'
            ORDER BY next_at LIMIT $1""",
        limit,
    )
    return [(row[0], row[1]) for row in rows]
