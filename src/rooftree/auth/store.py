"""Every INSERT and UPDATE of keys."""

from datetime import datetime

from rooftree.auth.model import ApiKey
from rooftree.platform import clock
from rooftree.platform.database import Database, Transaction, columns


async def insert_key(
    tx: Transaction,
    key_id: int,
    member_id: int,
    name: str,
    key_hash: bytes,
    last_four: str,
    expires_at: datetime | None,
) -> ApiKey:
    """Store what is known of a key."""
    row = await tx.fetchrow(
        f"""INSERT INTO api_key (team_id, id, member_id, name, key_hash, last_four, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {columns(ApiKey)}""",
        tx.team_id,
        key_id,
        member_id,
        name,
        key_hash,
        last_four,
        expires_at,
    )
    assert row is not None
    return ApiKey(*row)


async def revoke(tx: Transaction, key_id: int) -> bool:
    """End a key; False when there is no such key, or it ended before."""
    tag = await tx.execute(
        "UPDATE api_key SET revoked_at = now() WHERE team_id = $1 AND id = $2 AND revoked_at IS NULL",
        tx.team_id,
        key_id,
    )
    return tag == "UPDATE 1"


async def revoke_of_member(tx: Transaction, member_id: int) -> None:
    """End all keys of a member that have not ended."""
    await tx.execute(
        "UPDATE api_key SET revoked_at = now() WHERE team_id = $1 AND member_id = $2 AND revoked_at IS NULL",
        tx.team_id,
        member_id,
    )


class LastUsed:
    """Remembers when keys were used, to be written once a minute instead of at each request."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], datetime] = {}

    def note(self, team_id: int, key_id: int) -> None:
        """Remember a use."""
        self._seen[team_id, key_id] = clock.now()

    async def flush(self, database: Database) -> None:
        """Write what was remembered, a statement per team. What could not be written is kept for the next time."""
        seen = dict(self._seen)
        for team_id in {team for team, _ in seen}:
            uses = [(key_id, at) for (team, key_id), at in seen.items() if team == team_id]
            async with database.reading(team_id) as tx:
                await tx.execute(
                    """UPDATE api_key k SET last_used_at = greatest(k.last_used_at, u.at)
                         FROM unnest($2::bigint[], $3::timestamptz[]) AS u (id, at)
                        WHERE k.team_id = $1 AND k.id = u.id""",
                    team_id,
                    [key_id for key_id, _ in uses],
                    [at for _, at in uses],
                )
            for key_id, at in uses:
                if self._seen[team_id, key_id] == at:  # else it was used again meanwhile
                    del self._seen[team_id, key_id]
