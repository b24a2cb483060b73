"""The outbox: announcements, written in the transaction that made them true and delivered later.

The logbook embeds `insert_announcements()` in the statement that writes its entries, so that both cost one round trip.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from rooftree.platform.database import Arguments, Record, Transaction


class Announcement(Struct, frozen=True):
    """One entry of a webhook body to come. contract: webhooks.md 5.2"""

    list_id: int
    verb: str  #: the array's name, e.g. createdLead
    lead_id: int | None
    payload: dict[str, Any]  #: the entry, less updateTime
    audience: Any  #: who may hear of it, as JSON
    happened_at: datetime


def insert_announcements(announcements: Sequence[Announcement], args: Arguments) -> str:
    """Return an INSERT of announcements for the team in $1, adding its arguments."""
    lists = (
        ("smallint", [told.list_id for told in announcements]),
        ("text", [told.verb for told in announcements]),
        ("bigint", [told.lead_id for told in announcements]),
        ("jsonb", [msgspec.json.encode(told.payload) for told in announcements]),
        ("jsonb", [msgspec.json.encode(told.audience) for told in announcements]),
        ("timestamptz", [told.happened_at for told in announcements]),
    )
    arrays = ", ".join(f"{args.add(values)}::{kind}[]" for kind, values in lists)
    return f"""INSERT INTO announcement (team_id, list_id, verb, lead_id, payload, audience, happened_at)
    SELECT $1, * FROM unnest({arrays})"""


async def be_quiet(tx: Transaction) -> None:
    """From here to the end of the transaction, announce to the feed only: nothing is posted to subscribers."""
    await tx.execute("SELECT set_config('rooftree.quiet', 'on', true)")


async def announce_many(tx: Transaction, announcements: Sequence[Announcement]) -> None:
    """Put many announcements into the outbox. Writes: announcement."""
    args = Arguments([tx.team_id])
    await tx.execute(insert_announcements(announcements, args), *args)


#: Any number that no other program locks by: one writer numbers announcements at a time.
_LOCK: Final = 7_216_004_204


async def number_announcements(tx: Transaction, limit: int) -> list[Record]:
    """Give numbers to what was announced since the last time, in commit order; return it in that order.

    Whoever holds number n sees every announcement below it: those that commit later get higher ones. Columns:
    team_id, seq, list_id, verb, lead_id, payload, audience, happened_at, is_quiet. Needs the owner's rights.
    """
    await tx.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    return await tx.fetch(
        """
WITH new AS MATERIALIZED (
    SELECT team_id, id FROM announcement WHERE seq IS NULL ORDER BY id LIMIT $1),
numbered AS MATERIALIZED (
    SELECT team_id, id, nextval('announcement_seq') AS seq FROM (SELECT * FROM new ORDER BY id) AS in_order),
stored AS (
    UPDATE announcement a SET seq = n.seq FROM numbered n WHERE a.team_id = n.team_id AND a.id = n.id
    RETURNING a.team_id, a.seq, a.list_id, a.verb, a.lead_id, a.payload, a.audience, a.happened_at, a.is_quiet)
SELECT * FROM stored ORDER BY seq""",
        limit,
    )


async def prune_announcements(tx: Transaction, age: timedelta, limit: int) -> int:
    """Delete announcements that are numbered and older; return how many. Needs the owner's rights."""
    done = await tx.execute(
        """DELETE FROM announcement WHERE (team_id, id) IN (
               SELECT team_id, id FROM announcement
                WHERE happened_at < now() - $1::interval AND seq IS NOT NULL LIMIT $2)""",
        age,
        limit,
    )
    return int(done.removeprefix("DELETE "))
