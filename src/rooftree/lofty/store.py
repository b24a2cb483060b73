"""Writing down what was taken, and how far a run is."""

from collections.abc import Sequence
from datetime import datetime

from rooftree.lofty.model import Pull, Thing
from rooftree.platform.database import Transaction, columns


async def insert_pull(
    tx: Transaction, account: str, base_url: str, wanted: Sequence[str], since: datetime | None, until: datetime
) -> Pull:
    """Begin a run. What the one before could not take is asked for again."""
    await tx.execute("DELETE FROM lofty_talk WHERE team_id = $1", tx.team_id)
    await tx.execute("DELETE FROM lofty_refusal WHERE team_id = $1", tx.team_id)
    row = await tx.fetchrow(
        f"""INSERT INTO lofty_pull (team_id, account, base_url, wanted, since, until)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING {columns(Pull)}""",
        tx.team_id,
        account,
        base_url,
        list(wanted),
        since,
        until,
    )
    assert row
    return Pull(*row)


async def end_pull(tx: Transaction, pull_id: int) -> None:
    """End a run."""
    await tx.execute("UPDATE lofty_pull SET ended_at = now() WHERE team_id = $1 AND id = $2", tx.team_id, pull_id)


async def put_step(
    tx: Transaction,
    pull_id: int,
    kind: str,
    *,
    place: str = "",
    total: int | None = None,
    is_done: bool = False,
    problem: str | None = None,
) -> None:
    """Say where a run stands with a kind; a total and a problem stay until others are said."""
    await tx.execute(
        """INSERT INTO lofty_step AS s (team_id, pull_id, kind, place, total, is_done, problem)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (team_id, pull_id, kind) DO UPDATE
              SET place = EXCLUDED.place, total = coalesce(EXCLUDED.total, s.total),
                  is_done = EXCLUDED.is_done, problem = coalesce(EXCLUDED.problem, s.problem)""",
        tx.team_id,
        pull_id,
        kind,
        place,
        total,
        is_done,
        problem,
    )


async def put_things(tx: Transaction, things: Sequence[Thing]) -> None:
    """Note what was taken, or seen again."""
    await tx.execute(
        """INSERT INTO lofty_thing (team_id, kind, source_id, own_id, digest, pull_id)
           SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bigint[])
           ON CONFLICT (team_id, kind, source_id) DO UPDATE
              SET own_id = EXCLUDED.own_id, digest = EXCLUDED.digest, pull_id = EXCLUDED.pull_id""",
        tx.team_id,
        [one.kind for one in things],
        [one.source_id for one in things],
        [one.own_id for one in things],
        [one.digest for one in things],
        [one.pull_id for one in things],
    )


async def put_talk(tx: Transaction, named: Sequence[tuple[str, str]]) -> None:
    """Note conversations that the source's search names: ids there of lead and conversation."""
    await tx.execute(
        """INSERT INTO lofty_talk (team_id, lead_id, source_id)
           SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING""",
        tx.team_id,
        [lead_id for lead_id, _ in named],
        [source_id for _, source_id in named],
    )


async def put_refusals(tx: Transaction, refused: Sequence[tuple[str, str, str]]) -> None:
    """Note what could not be taken: kind, id there, reason."""
    last = {(kind, source_id): reason for kind, source_id, reason in refused}
    await tx.execute(
        """INSERT INTO lofty_refusal (team_id, kind, source_id, reason)
           SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
           ON CONFLICT (team_id, kind, source_id) DO UPDATE SET reason = EXCLUDED.reason""",
        tx.team_id,
        [kind for kind, _ in last],
        [source_id for _, source_id in last],
        list(last.values()),
    )
