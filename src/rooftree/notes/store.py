"""Writing notes."""

from rooftree.platform.database import Transaction


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
