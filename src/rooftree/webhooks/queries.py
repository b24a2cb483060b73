"""Reading subscriptions, deliveries, and the feed of what happened."""

from collections.abc import Sequence
from typing import Final

from rooftree.platform.actor import ACCESS_ALL_TEAM_LEADS, PERMISSIONS_OF_ROLE
from rooftree.platform.database import Arguments, Transaction, columns
from rooftree.platform.figures import COUNTED, Measure
from rooftree.webhooks.model import Attempt, Delivery, Subscriber, Told, Webhook

_WEBHOOK: Final = f"SELECT {columns(Webhook, 'w')} FROM webhook w"
_SEES_ALL_ROLES: Final = sorted(role for role, held in PERMISSIONS_OF_ROLE.items() if ACCESS_ALL_TEAM_LEADS in held)

#: For /metrics, over all teams.
BACKLOG: Final = Measure(
    f"""SELECT count(*) AS webhooks_due, coalesce(extract(epoch FROM now() - min(due_at)), 0) AS webhooks_oldest_seconds
          FROM (SELECT due_at FROM webhook_delivery
                 WHERE state IN ('waiting', 'sending') AND due_at <= now() LIMIT {COUNTED}) d""",
    {
        "webhooks_due": "Webhook deliveries that are due and not under way.",
        "webhooks_oldest_seconds": "How long the oldest of them has been due.",
    },
)


async def webhooks_of_team(tx: Transaction, *, is_all: bool = False) -> list[Webhook]:
    """Return the subscriptions of the team, oldest first: the active ones, or all that are not deleted."""
    rows = await tx.fetch(
        f"""{_WEBHOOK} WHERE w.team_id = $1 AND (w.status = 'active' OR $2 AND w.status = 'disabled')
             ORDER BY w.created_at, w.id""",
        tx.team_id,
        is_all,
    )
    return [Webhook(*row) for row in rows]


async def webhooks_with_secrets(tx: Transaction) -> list[Webhook]:
    """Return all subscriptions of the team, deleted ones too."""
    rows = await tx.fetch(f"{_WEBHOOK} WHERE w.team_id = $1 ORDER BY w.id", tx.team_id)
    return [Webhook(*row) for row in rows]


async def find_webhook(tx: Transaction, webhook_id: int | None) -> Webhook | None:
    """Return a subscription of the team that is not deleted, locked until the transaction ends."""
    row = await tx.fetchrow(
        f"{_WEBHOOK} WHERE w.team_id = $1 AND w.id = $2 AND w.status <> 'deleted' FOR UPDATE OF w",
        tx.team_id,
        webhook_id,
    )
    return Webhook(*row) if row else None


async def find_same(tx: Transaction, member_id: int, list_id: int, callback_url: str) -> Webhook | None:
    """Return the subscription of a member to the same list at the same address, locked."""
    row = await tx.fetchrow(
        f"""{_WEBHOOK} WHERE w.team_id = $1 AND w.member_id = $2 AND w.list_id = $3 AND md5(w.callback_url) = md5($4)
                         AND w.status <> 'deleted' FOR UPDATE OF w""",
        tx.team_id,
        member_id,
        list_id,
        callback_url,
    )
    return Webhook(*row) if row else None


async def is_somebodys(tx: Transaction, webhook_id: int | None) -> bool:
    """Whether any team has such a subscription."""
    return webhook_id is not None and await tx.fetchval("SELECT is_webhook($1)", webhook_id)


async def count_webhooks(tx: Transaction) -> int:
    """Return how many subscriptions the team has, disabled ones too."""
    sql = "SELECT count(*) FROM webhook WHERE team_id = $1 AND status <> 'deleted'"
    return int(await tx.fetchval(sql, tx.team_id))


async def subscribers(tx: Transaction, team_ids: Sequence[int]) -> list[Subscriber]:
    """Return the active subscriptions of these teams whose members are active. Needs the owner's rights."""
    rows = await tx.fetch(
        """
SELECT w.id, w.team_id, w.list_id, w.batch_limit, w.permission_mode, m.id,
       CASE WHEN p.id IS NULL THEN m.role = ANY ($2) ELSE $3 = ANY (p.permissions) END,
       CASE WHEN m.office_id IS NULL THEN '{}'::bigint[]
            WHEN m.role IN ('office_owner', 'office_admin')
            THEN ARRAY(SELECT o.id FROM office o
                        WHERE o.team_id = m.team_id AND (o.id = m.office_id OR m.office_id = ANY (o.ancestor_ids)))
            ELSE ARRAY[m.office_id] END
  FROM webhook w
  JOIN member m ON m.team_id = w.team_id AND m.id = w.member_id AND m.status = 'active'
  LEFT JOIN permission_profile p ON p.team_id = m.team_id AND p.id = m.profile_id
 WHERE w.team_id = ANY ($1) AND w.status = 'active'
 ORDER BY w.team_id, w.id""",
        list(team_ids),
        _SEES_ALL_ROLES,
        ACCESS_ALL_TEAM_LEADS,
    )
    return [Subscriber(*row) for row in rows]


async def deliveries(
    tx: Transaction, webhook_id: int | None, state: str | None, *, before_id: int | None, limit: int
) -> list[Delivery]:
    """Return deliveries of a subscription (or of all), newest first, of a state if one is named."""
    args = Arguments([tx.team_id])
    where = "d.team_id = $1"
    for column, value in (("webhook_id =", webhook_id), ("state =", state), ("id <", before_id)):
        if value is not None:
            where += f" AND d.{column} {args.add(value)}"
    sql = f"SELECT {columns(Delivery, 'd')} FROM webhook_delivery d WHERE {where}"
    rows = await tx.fetch(f"{sql} ORDER BY d.id DESC LIMIT {args.add(limit)}", *args)
    return [Delivery(*row) for row in rows]


async def find_delivery(tx: Transaction, delivery_id: int | None) -> Delivery | None:
    """Return a delivery of the team."""
    row = await tx.fetchrow(
        f"SELECT {columns(Delivery)} FROM webhook_delivery WHERE team_id = $1 AND id = $2", tx.team_id, delivery_id
    )
    return Delivery(*row) if row else None


async def ids_of_webhook(tx: Transaction, webhook_id: int, delivery_ids: Sequence[int]) -> list[int]:
    """Return which of these deliveries are a subscription's."""
    rows = await tx.fetch(
        "SELECT id FROM webhook_delivery WHERE team_id = $1 AND webhook_id = $2 AND id = ANY ($3)",
        tx.team_id,
        webhook_id,
        list(delivery_ids),
    )
    return [row["id"] for row in rows]


async def attempts(tx: Transaction, delivery_id: int) -> list[Attempt]:
    """Return the attempts of a delivery, oldest first."""
    rows = await tx.fetch(
        f"""SELECT {columns(Attempt)} FROM webhook_attempt
             WHERE team_id = $1 AND delivery_id = $2 ORDER BY id LIMIT 1000""",
        tx.team_id,
        delivery_id,
    )
    return [Attempt(*row) for row in rows]


async def told_after(tx: Transaction, seq: int, limit: int) -> list[Told]:
    """Return what happened in the team after a place of the feed, in commit order.

    No gaps: numbers are given by one writer at a time to what is committed (store.number).
    """
    rows = await tx.fetch(
        f"SELECT {columns(Told)} FROM announcement WHERE team_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        tx.team_id,
        seq,
        limit,
    )
    return [Told(*row) for row in rows]


async def last_seq(tx: Transaction) -> int:
    """Return the newest place of the team's feed; 0: nothing happened."""
    return await tx.fetchval("SELECT coalesce(max(seq), 0) FROM announcement WHERE team_id = $1", tx.team_id)
