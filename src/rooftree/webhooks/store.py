"""Every INSERT, UPDATE and DELETE of webhooks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from rooftree.platform.database import Transaction, columns
from rooftree.webhooks.model import Batch, Delivery, Webhook


async def lock_subscriptions(tx: Transaction) -> None:
    """Let nobody else of the team subscribe until the transaction ends: the quota and "the same again" are exact."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashint8($1), 7)", tx.team_id)


async def insert_webhook(
    tx: Transaction,
    *,
    member_id: int,
    list_id: int,
    callback_url: str,
    batch_limit: int,
    permission_mode: int,
    secret: bytes,
    vendor_id: int | None = None,
) -> Webhook:
    """Store a subscription."""
    row = await tx.fetchrow(
        f"""INSERT INTO webhook (team_id, member_id, list_id, callback_url, batch_limit, permission_mode, secret,
                                 vendor_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {columns(Webhook)}""",
        tx.team_id,
        member_id,
        list_id,
        callback_url,
        batch_limit,
        permission_mode,
        secret,
        vendor_id,
    )
    assert row is not None
    return Webhook(*row)


async def renew_webhook(tx: Transaction, webhook_id: int, batch_limit: int, permission_mode: int) -> Webhook:
    """Set a subscription's limit and mode, and switch it on."""
    row = await tx.fetchrow(
        f"""UPDATE webhook SET batch_limit = $3, permission_mode = $4, status = 'active', reason = NULL,
                               failing_since = NULL, updated_at = clock_timestamp()
             WHERE team_id = $1 AND id = $2 RETURNING {columns(Webhook)}""",
        tx.team_id,
        webhook_id,
        batch_limit,
        permission_mode,
    )
    assert row is not None
    return Webhook(*row)


async def set_status(tx: Transaction, webhook_id: int, status: str, reason: str | None) -> None:
    """Switch a subscription on or off, or delete it; off, its waiting deliveries are cancelled."""
    await tx.execute(
        """UPDATE webhook SET status = $3, reason = $4, updated_at = clock_timestamp(),
                              failing_since = CASE WHEN $3 = 'active' THEN NULL ELSE failing_since END
            WHERE team_id = $1 AND id = $2""",
        tx.team_id,
        webhook_id,
        status,
        reason,
    )
    if status != "active":
        await tx.execute(
            """UPDATE webhook_delivery SET state = 'cancelled', ended_at = clock_timestamp()
                WHERE team_id = $1 AND webhook_id = $2 AND state IN ('waiting', 'sending')""",
            tx.team_id,
            webhook_id,
        )


async def set_secret(
    tx: Transaction, webhook_id: int, secret: bytes, old_secret: bytes | None, until: datetime | None
) -> None:
    """Give a subscription a new secret; the old one goes on beside it for a while."""
    await tx.execute(
        """UPDATE webhook SET secret = $3, old_secret = $4, old_secret_until = $5, updated_at = clock_timestamp()
            WHERE team_id = $1 AND id = $2""",
        tx.team_id,
        webhook_id,
        secret,
        old_secret,
        until,
    )


async def replace_secrets(tx: Transaction, webhook_id: int, secret: bytes, old_secret: bytes | None) -> None:
    """Store the secrets of a subscription, as if they had always been these."""
    await tx.execute(
        """UPDATE webhook SET secret = $3, old_secret = $4,
                  old_secret_until = CASE WHEN $4::bytea IS NOT NULL THEN old_secret_until END
            WHERE team_id = $1 AND id = $2""",
        tx.team_id,
        webhook_id,
        secret,
        old_secret,
    )


async def insert_deliveries(tx: Transaction, batches: Sequence[Batch]) -> list[int]:
    """Store bodies to be posted, of one team or, with the owner's rights, of several; return their ids in order."""
    if not batches:
        return []
    rows = await tx.fetch(
        """WITH given AS MATERIALIZED (
               SELECT next_id() AS id, g.* FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bytea[],
                        $5::integer[], $6::text[]) WITH ORDINALITY
                 AS g (team_id, webhook_id, list_id, body, entries, lead_ids, place)),
           stored AS (
               INSERT INTO webhook_delivery (team_id, id, webhook_id, list_id, body, entries, lead_ids)
               SELECT team_id, id, webhook_id, list_id, body, entries, lead_ids::bigint[] FROM given ORDER BY place)
           SELECT id FROM given ORDER BY place""",
        [one.team_id for one in batches],
        [one.webhook_id for one in batches],
        [one.list_id for one in batches],
        [one.body for one in batches],
        [one.entries for one in batches],
        ["{" + ",".join(map(str, one.lead_ids)) + "}" for one in batches],
    )
    return [row["id"] for row in rows]


async def replay(tx: Transaction, delivery_ids: Sequence[int]) -> int:
    """Let deliveries be made again, as if they were new, with the body and id they had; return how many."""
    done = await tx.execute(
        """UPDATE webhook_delivery SET state = 'waiting', attempts = 0, due_at = clock_timestamp(), ended_at = NULL
            WHERE team_id = $1 AND id = ANY ($2) AND state IN ('delivered', 'failed', 'cancelled')""",
        tx.team_id,
        list(delivery_ids),
    )
    return int(done.removeprefix("UPDATE "))


async def replay_range(
    tx: Transaction, webhook_id: int, states: Sequence[str], since: datetime, until: datetime
) -> int:
    """Let all deliveries of a subscription of a span of time be made again; return how many."""
    done = await tx.execute(
        """UPDATE webhook_delivery SET state = 'waiting', attempts = 0, due_at = clock_timestamp(), ended_at = NULL
            WHERE team_id = $1 AND webhook_id = $2 AND state = ANY ($3) AND created_at >= $4 AND created_at < $5""",
        tx.team_id,
        webhook_id,
        list(states),
        since,
        until,
    )
    return int(done.removeprefix("UPDATE "))


class Lease(Struct, frozen=True):
    """A delivery that this worker makes, and what it needs for it."""

    delivery: Delivery
    callback_url: str
    secret: bytes
    old_secret: bytes | None
    old_secret_until: datetime | None
    failing_since: datetime | None


# A subscription is served by one worker at a time: what follows on one another stays in order, and its receiver gets
# no more requests at once than one worker makes. A lease that ran out is a worker that died.
_LEASE: Final = f"""
WITH free AS MATERIALIZED (
    SELECT w.team_id, w.id FROM webhook w
     WHERE w.status = 'active' AND NOT w.id = ANY ($1)
       AND EXISTS (SELECT FROM webhook_delivery d WHERE d.team_id = w.team_id AND d.webhook_id = w.id
                      AND d.state IN ('waiting', 'sending') AND d.due_at <= now())
       AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.team_id = w.team_id AND d.webhook_id = w.id
                          AND d.state = 'sending' AND d.state IN ('waiting', 'sending') AND d.due_at > now())
     LIMIT $4 FOR UPDATE OF w SKIP LOCKED),
due AS MATERIALIZED (
    SELECT f.team_id, d.id FROM free f CROSS JOIN LATERAL (
        SELECT d.id FROM webhook_delivery d
         WHERE d.team_id = f.team_id AND d.webhook_id = f.id AND d.state IN ('waiting', 'sending') AND d.due_at <= now()
         ORDER BY d.id LIMIT CASE WHEN f.id = ANY ($2) THEN {{many}} ELSE {{few}} END) d)
UPDATE webhook_delivery d
   SET state = 'sending', attempts = d.attempts + 1, due_at = now() + make_interval(secs => $3)
  FROM due, webhook w
 WHERE d.team_id = due.team_id AND d.id = due.id AND w.team_id = d.team_id AND w.id = d.webhook_id
   AND d.due_at <= now()  -- asked again: another worker may have taken it since this statement began
RETURNING {columns(Delivery, "d")}, w.callback_url, w.secret, w.old_secret, w.old_secret_until, w.failing_since"""
_WIDTH: Final = len(Delivery.__struct_fields__)


async def lease(
    tx: Transaction,
    *,
    busy: Sequence[int],
    fast: Sequence[int],
    seconds: float,
    few: int,
    many: int,
    subscriptions: int,
) -> list[Lease]:
    """Take what is due, of subscriptions that nobody serves: `many` of those in `fast`, `few` of others.

    Needs the owner's rights.
    """
    sql = _LEASE.format(many=many, few=few)
    rows = await tx.fetch(sql, list(busy), list(fast), seconds, subscriptions)
    found = [Lease(Delivery(*row[:_WIDTH]), *row[_WIDTH:]) for row in rows]
    return sorted(found, key=lambda one: one.delivery.id)


async def hand_back(tx: Transaction, leases: Sequence[Lease]) -> None:
    """Give back what was leased and not tried. Needs the owner's rights."""
    await tx.execute(
        """UPDATE webhook_delivery d SET state = 'waiting', attempts = d.attempts - 1, due_at = now()
             FROM unnest($1::bigint[], $2::bigint[]) AS g (team_id, id)
            WHERE d.team_id = g.team_id AND d.id = g.id AND d.state = 'sending'""",
        [one.delivery.team_id for one in leases],
        [one.delivery.id for one in leases],
    )


class Outcome(Struct, frozen=True):
    """How an attempt went, and what becomes of the delivery."""

    delivery: Delivery
    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    answer: str
    state: str  #: delivered, waiting, failed
    next_at: datetime | None


async def record(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Write down how attempts went. One that was cancelled or replayed meanwhile keeps its state.

    Needs the owner's rights.
    """
    keys = ([one.delivery.team_id for one in outcomes], [one.delivery.id for one in outcomes])
    await tx.execute(
        """INSERT INTO webhook_attempt
             (team_id, delivery_id, number, started_at, duration_ms, status, error, answer, next_at)
           SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::timestamptz[], $5::integer[],
                                $6::smallint[], $7::text[], $8::text[], $9::timestamptz[])""",
        *keys,
        [one.delivery.attempts for one in outcomes],
        [one.started_at for one in outcomes],
        [one.duration_ms for one in outcomes],
        [one.status for one in outcomes],
        [one.error for one in outcomes],
        [one.answer for one in outcomes],
        [one.next_at for one in outcomes],
    )
    await tx.execute(
        """UPDATE webhook_delivery d
              SET state = g.state, due_at = coalesce(g.next_at, d.due_at),
                  ended_at = CASE WHEN g.state = 'waiting' THEN NULL ELSE clock_timestamp() END
             FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::text[], $5::timestamptz[])
               AS g (team_id, id, attempts, state, next_at)
            WHERE d.team_id = g.team_id AND d.id = g.id AND d.state = 'sending' AND d.attempts = g.attempts""",
        *keys,
        [one.delivery.attempts for one in outcomes],
        [one.state for one in outcomes],
        [one.next_at for one in outcomes],
    )
    for is_success in (True, False):
        ids = sorted({one.delivery.webhook_id for one in outcomes if (one.error is None) == is_success})
        if ids:
            await tx.execute(_ANSWERED if is_success else _FAILED, ids)


# Written once a minute at most while all is well: every delivery of a busy subscription would wait for this row.
_ANSWERED: Final = """
UPDATE webhook SET failing_since = NULL, last_success_at = clock_timestamp()
 WHERE id = ANY ($1) AND (failing_since IS NOT NULL OR last_success_at IS NULL
                          OR last_success_at < clock_timestamp() - interval '1 minute')"""
_FAILED: Final = "UPDATE webhook SET failing_since = clock_timestamp() WHERE id = ANY ($1) AND failing_since IS NULL"


async def prune(tx: Transaction, age: timedelta, limit: int) -> int:
    """Delete older deliveries that ended, with their attempts, and subscriptions deleted before; return how many.

    Needs the owner's rights.
    """
    done = await tx.execute(
        """DELETE FROM webhook_delivery WHERE (team_id, id) IN (
               SELECT team_id, id FROM webhook_delivery
                WHERE created_at < now() - $1::interval AND state NOT IN ('waiting', 'sending') LIMIT $2)""",
        age,
        limit,
    )
    await tx.execute(
        """DELETE FROM webhook w WHERE w.status = 'deleted' AND w.updated_at < now() - $1::interval
              AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.team_id = w.team_id AND d.webhook_id = w.id)""",
        age,
    )
    return int(done.removeprefix("DELETE "))
