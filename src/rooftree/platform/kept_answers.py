"""First answers to writes, kept so that a request that is sent again gets the same one.

An answer is written in the transaction of the change it tells of, so there are both or neither. See ADR 0020.
"""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from rooftree.platform.database import Database, Transaction
from rooftree.platform.jobs import Timer

KEPT_FOR: Final = timedelta(hours=24)
_BATCH: Final = 1000


class KeptAnswer(Struct, frozen=True):
    """What a request was answered the first time."""

    fingerprint: bytes  #: SHA-256 of the request
    status: int
    content_type: str
    body: bytes


class Busy(Exception):
    """A request with this key is still running."""


async def take_key(tx: Transaction, member_id: int, key: str) -> KeptAnswer | None:
    """Hold a member's key until the transaction ends; return what is kept under it. Raises: Busy, without waiting."""
    row = await tx.fetchrow("SELECT * FROM take_key($1, $2, $3, $4)", tx.team_id, member_id, key, KEPT_FOR)
    if row is None:
        raise Busy
    return None if row["fingerprint"] is None else KeptAnswer(*row)


async def keep_answer(tx: Transaction, member_id: int, key: str, answer: KeptAnswer) -> None:
    """Keep an answer under a key that this transaction holds; one whose day is over makes room."""
    await tx.execute(
        """INSERT INTO kept_answer (team_id, member_id, key, fingerprint, status, content_type, body)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (team_id, member_id, key) DO UPDATE
              SET fingerprint = EXCLUDED.fingerprint, status = EXCLUDED.status, body = EXCLUDED.body,
                  content_type = EXCLUDED.content_type, created_at = EXCLUDED.created_at""",
        tx.team_id,
        member_id,
        key,
        answer.fingerprint,
        answer.status,
        answer.content_type,
        answer.body,
    )


async def forget_old(owner: Database) -> None:
    """Delete the answers whose day is over, in small transactions, and counts of requests that nobody adds to."""
    deleted = _BATCH
    while deleted == _BATCH:
        async with owner.unscoped() as tx:
            tag = await tx.execute(
                """DELETE FROM kept_answer a USING (
                       SELECT team_id, member_id, key FROM kept_answer
                        WHERE created_at <= clock_timestamp() - $1::interval
                        ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) old
                    WHERE a.team_id = old.team_id AND a.member_id = old.member_id AND a.key = old.key""",
                KEPT_FOR,
                _BATCH,
            )
        deleted = int(tag.rpartition(" ")[2])
    async with owner.unscoped() as tx:
        await tx.execute("DELETE FROM rate_window WHERE started_at < clock_timestamp() - $1::interval", KEPT_FOR)


TIMERS: Final = [Timer("forget kept answers", every_seconds=300, handler=forget_old)]
