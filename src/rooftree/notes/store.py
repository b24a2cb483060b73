"""Writing notes."""

from collections.abc import Sequence

from rooftree.notes.model import Note
from rooftree.platform.database import Transaction, columns


async def insert_note(
    tx: Transaction, creator_id: int | None, lead_id: int, content: str, *, is_pinned: bool, is_system: bool
) -> tuple[int, int]:
    """Store a note, return its id and the id that its timeline entry must get."""
    row = await tx.fetchrow(
        """INSERT INTO note (team_id, timeline_id, lead_id, creator_id, last_editor_id, content, is_pinned, is_system)
           VALUES ($1, next_id(), $2, $3, $3, $4, $5, $6) RETURNING id, timeline_id""",
        tx.team_id,
        lead_id,
        creator_id,
        content,
        is_pinned,
        is_system,
    )
    assert row is not None
    return row["id"], row["timeline_id"]


async def insert_notes(
    tx: Transaction, creator_id: int, notes: Sequence[tuple[int, str, bool]]
) -> list[tuple[int, int]]:
    """Store notes (lead, content, pinned); return for each its id and its timeline entry's, in order."""
    rows = await tx.fetch(
        """
WITH given AS MATERIALIZED (
    SELECT place, lead_id, content, is_pinned, next_id() AS id, next_id() AS timeline_id
      FROM unnest($3::bigint[], $4::text[], $5::boolean[]) WITH ORDINALITY AS n (lead_id, content, is_pinned, place)),
stored AS (
    INSERT INTO note (team_id, id, timeline_id, lead_id, creator_id, last_editor_id, content, is_pinned)
    SELECT $1, id, timeline_id, lead_id, $2, $2, content, is_pinned FROM given)
SELECT id, timeline_id FROM given ORDER BY place""",
        tx.team_id,
        creator_id,
        [lead_id for lead_id, _, _ in notes],
        [content for _, content, _ in notes],
        [is_pinned for _, _, is_pinned in notes],
    )
    return [(row["id"], row["timeline_id"]) for row in rows]


async def forget(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Delete the notes of leads."""
    await tx.execute("DELETE FROM note WHERE team_id = $1 AND lead_id = ANY ($2)", tx.team_id, list(lead_ids))


async def lock_note(tx: Transaction, note_id: int) -> Note | None:
    """Return a note that is not deleted, locked until the transaction ends."""
    row = await tx.fetchrow(
        f"SELECT {columns(Note)} FROM note WHERE team_id = $1 AND id = $2 AND deleted_at IS NULL FOR UPDATE",
        tx.team_id,
        note_id,
    )
    return Note(*row) if row else None


async def update_note(tx: Transaction, note_id: int, editor_id: int, content: str, *, is_pinned: bool) -> None:
    """Change a note's text and pin."""
    await tx.execute(
        """UPDATE note SET content = $3, is_pinned = $4, last_editor_id = $5, updated_at = clock_timestamp()
            WHERE team_id = $1 AND id = $2""",
        tx.team_id,
        note_id,
        content,
        is_pinned,
        editor_id,
    )


async def trash_note(tx: Transaction, note_id: int, member_id: int) -> None:
    """Mark a note as deleted."""
    await tx.execute(
        "UPDATE note SET deleted_at = now(), deleted_by = $3, is_pinned = false WHERE team_id = $1 AND id = $2",
        tx.team_id,
        note_id,
        member_id,
    )


async def put_notes(tx: Transaction, notes: Sequence[Note]) -> None:
    """Store notes under their own ids; the text and pin of one that is there are replaced. A deleted one stays so."""
    names = ("id", "timeline_id", "lead_id", "creator_id", "last_editor_id", "content", "is_pinned", "is_system")
    await tx.execute(
        """INSERT INTO note AS n (team_id, id, timeline_id, lead_id, creator_id, last_editor_id, content, is_pinned,
                                  is_system, created_at, updated_at)
           SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                                    $8::boolean[], $9::boolean[], $10::timestamptz[], $11::timestamptz[])
           ON CONFLICT (team_id, id) DO UPDATE
              SET content = EXCLUDED.content, is_pinned = EXCLUDED.is_pinned AND n.deleted_at IS NULL,
                  creator_id = EXCLUDED.creator_id, last_editor_id = EXCLUDED.last_editor_id,
                  updated_at = EXCLUDED.updated_at""",
        tx.team_id,
        *([getattr(note, name) for note in notes] for name in (*names, "created_at", "updated_at")),
    )


async def repoint_notes(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    """Give a lead's notes, all or these, to another lead; return the ids of those that moved."""
    rows = await tx.fetch(
        """UPDATE note SET lead_id = $3
            WHERE team_id = $1 AND lead_id = $2 AND ($4::bigint[] IS NULL OR id = ANY ($4)) AND id IN (
                  SELECT id FROM note WHERE team_id = $1 AND lead_id = $2 AND deleted_at IS NULL
                  UNION ALL SELECT id FROM note WHERE team_id = $1 AND lead_id = $2 AND deleted_at IS NOT NULL)
            RETURNING id""",
        tx.team_id,
        from_id,
        to_id,
        None if ids is None else list(ids),
    )
    return [row["id"] for row in rows]
