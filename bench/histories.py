"""Timelines of a given length: entries that demo leads have are copied, with other times, inside PostgreSQL."""

from rooftree.platform.database import Database
from rooftree.timeline import store
from rooftree.timeline.kinds import KINDS

#: Leads that are filled up in one transaction.
CHUNK = 10_000
#: Different entries that are copied.
PATTERNS = 64

_COPIED = "kind, actor_id, details, channel, direction, origin, status"


async def add_histories(owner_db: Database, team_id: int, entries: int) -> None:
    """Give every lead of a team so many timeline entries in all, and count them anew."""
    after = 0
    while lead_ids := await _next(owner_db, team_id, after):
        async with owner_db.transaction(team_id) as tx:
            await tx.execute(
                f"""
WITH pattern AS (SELECT {_COPIED}, row_number() OVER () AS place
                   FROM (SELECT * FROM timeline_entry WHERE team_id = $1
                            AND (channel IS NOT NULL OR kind LIKE 'site\\_%') ORDER BY id LIMIT {PATTERNS}) p),
     had AS (SELECT lead_id, count(*) AS entries, min(happened_at) AS began FROM timeline_entry
              WHERE team_id = $1 AND lead_id = ANY ($2) GROUP BY 1)
INSERT INTO timeline_entry (team_id, lead_id, id, happened_at, {_COPIED})
SELECT $1, h.lead_id, next_id(), h.began + (now() - h.began) * n / ($3 + 1), {_COPIED}
  FROM had h CROSS JOIN LATERAL generate_series(h.entries + 1, $3) n
  JOIN pattern p ON p.place = 1 + (h.lead_id + n * 7) % {PATTERNS}""",
                team_id,
                lead_ids,
                entries,
            )
            await store.recount(tx, lead_ids, [kind for kind in KINDS.values() if kind.counters or kind.moments])
        after = lead_ids[-1]


async def _next(owner_db: Database, team_id: int, after: int) -> list[int]:
    async with owner_db.reading(team_id) as tx:
        rows = await tx.fetch(
            "SELECT id FROM lead WHERE team_id = $1 AND id > $2 ORDER BY id LIMIT $3", team_id, after, CHUNK
        )
    return [row["id"] for row in rows]
