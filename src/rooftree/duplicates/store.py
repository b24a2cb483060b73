"""Every INSERT, UPDATE and DELETE on the review list and on merges."""

from collections.abc import Mapping, Sequence

import msgspec

from rooftree.duplicates.model import DuplicatePair, Found, LeadMerge
from rooftree.platform.database import Transaction, columns


async def replace_keys(tx: Transaction, keys: Mapping[int, set[int]]) -> None:
    """Set what leads are found by; nothing for those that are no longer to be found."""
    rows = [(lead_id, key) for lead_id, wanted in keys.items() for key in wanted]
    ids, values = [lead_id for lead_id, _ in rows], [key for _, key in rows]
    await tx.execute(
        """DELETE FROM duplicate_key k WHERE k.team_id = $1 AND k.lead_id = ANY ($2)
              AND NOT EXISTS (SELECT FROM unnest($3::bigint[], $4::bigint[]) AS w (lead_id, key)
                               WHERE w.lead_id = k.lead_id AND w.key = k.key)""",
        tx.team_id,
        sorted(keys),
        ids,
        values,
    )
    await tx.execute(
        """INSERT INTO duplicate_key (team_id, key, lead_id)
           SELECT $1, key, lead_id FROM unnest($2::bigint[], $3::bigint[]) AS w (lead_id, key) ORDER BY 2, 3
           ON CONFLICT DO NOTHING""",
        tx.team_id,
        ids,
        values,
    )


async def put_pairs(tx: Transaction, lead_ids: Sequence[int], found: Sequence[Found]) -> None:
    """Store what a scan found of these leads; open pairs of theirs that it did not find again go.

    What was dismissed stays dismissed. In the order of their leads, so that no two scans deadlock.
    """
    found = sorted(found, key=lambda pair: (pair.lead_id, pair.other_id))
    pairs = [pair.lead_id for pair in found], [pair.other_id for pair in found]
    await tx.execute(
        """DELETE FROM duplicate_pair p USING (
               SELECT id FROM duplicate_pair d
                WHERE d.team_id = $1 AND d.state = 'open'
                  AND d.id IN (SELECT id FROM duplicate_pair WHERE team_id = $1 AND lead_id = ANY ($2)
                               UNION ALL SELECT id FROM duplicate_pair WHERE team_id = $1 AND other_id = ANY ($2))
                  AND NOT EXISTS (SELECT FROM unnest($3::bigint[], $4::bigint[]) AS w (lead_id, other_id)
                                   WHERE w.lead_id = d.lead_id AND w.other_id = d.other_id)
                ORDER BY d.lead_id, d.other_id FOR UPDATE) gone
            WHERE p.team_id = $1 AND p.id = gone.id""",
        tx.team_id,
        list(lead_ids),
        *pairs,
    )
    await tx.execute(
        """INSERT INTO duplicate_pair AS p (team_id, lead_id, other_id, score, reasons)
           SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::jsonb[])
           ON CONFLICT (team_id, lead_id, other_id)
           DO UPDATE SET score = EXCLUDED.score, reasons = EXCLUDED.reasons
                   WHERE (p.score, p.reasons) IS DISTINCT FROM (EXCLUDED.score, EXCLUDED.reasons)""",
        tx.team_id,
        *pairs,
        [pair.score for pair in found],
        [msgspec.json.encode(pair.reasons) for pair in found],
    )


async def set_state(tx: Transaction, pair_id: int, state: str, member_id: int | None) -> DuplicatePair | None:
    """Dismiss a pair, or open it again; `member_id`: who dismissed it."""
    row = await tx.fetchrow(
        f"""UPDATE duplicate_pair SET state = $3, dismissed_by = $4::bigint,
                   dismissed_at = CASE WHEN $4::bigint IS NULL THEN NULL ELSE clock_timestamp() END
             WHERE team_id = $1 AND id = $2 RETURNING {columns(DuplicatePair)}""",
        tx.team_id,
        pair_id,
        state,
        member_id,
    )
    return DuplicatePair(*row) if row else None


async def insert_merge(
    tx: Transaction,
    merge_id: int,
    lead_id: int,
    merged_lead_id: int,
    member_id: int,
    *,
    choices: bytes,
    moved: bytes,
    changes: bytes,
    summary: bytes,
) -> LeadMerge:
    """Store a merge."""
    row = await tx.fetchrow(
        f"""INSERT INTO lead_merge (team_id, id, lead_id, merged_lead_id, merged_by, choices, moved, changes, summary)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {columns(LeadMerge)}""",
        tx.team_id,
        merge_id,
        lead_id,
        merged_lead_id,
        member_id,
        choices,
        moved,
        changes,
        summary,
    )
    assert row is not None
    return LeadMerge(*row)


async def add_moves(tx: Transaction, merge_id: int, moves: Mapping[str, Sequence[int]]) -> None:
    """Note which rows a merge moved, beside those noted before."""
    for kind, ids in moves.items():
        if ids:
            await tx.execute(
                """INSERT INTO lead_merge_move AS m (team_id, merge_id, kind, ids) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (team_id, merge_id, kind) DO UPDATE SET ids = m.ids || EXCLUDED.ids""",
                tx.team_id,
                merge_id,
                kind,
                list(ids),
            )


async def update_moved(tx: Transaction, merge_id: int, moved: bytes, summary: bytes) -> None:
    """Note that more moved since."""
    await tx.execute(
        "UPDATE lead_merge SET moved = $3, summary = $4 WHERE team_id = $1 AND id = $2",
        tx.team_id,
        merge_id,
        moved,
        summary,
    )


async def end_merge(tx: Transaction, merge_id: int, member_id: int) -> LeadMerge:
    """Note that a merge was undone, and forget what that took."""
    await tx.execute("DELETE FROM lead_merge_move WHERE team_id = $1 AND merge_id = $2", tx.team_id, merge_id)
    row = await tx.fetchrow(
        f"""UPDATE lead_merge SET undone_at = clock_timestamp(), undone_by = $3, changes = NULL, summary = NULL
             WHERE team_id = $1 AND id = $2 RETURNING {columns(LeadMerge)}""",
        tx.team_id,
        merge_id,
        member_id,
    )
    assert row is not None
    return LeadMerge(*row)


async def forget_old_merges(tx: Transaction, days: int, limit: int) -> int:
    """Forget what undoing takes of merges that are older; return how many. Needs the owner's rights."""
    rows = await tx.fetch(
        """WITH old AS (SELECT team_id, id FROM lead_merge
                         WHERE changes IS NOT NULL AND merged_at < now() - make_interval(days => $1)
                         ORDER BY merged_at LIMIT $2),
                moves AS (DELETE FROM lead_merge_move m USING old WHERE m.team_id = old.team_id AND m.merge_id = old.id)
           UPDATE lead_merge m SET changes = NULL, summary = NULL FROM old
            WHERE m.team_id = old.team_id AND m.id = old.id RETURNING m.id""",
        days,
        limit,
    )
    return len(rows)
