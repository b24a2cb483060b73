"""Reading notes."""

from msgspec import Struct

from rooftree.notes.model import Note
from rooftree.platform.database import Transaction, columns

_WIDTH = len(Note.__struct_fields__)


class NoteView(Struct, frozen=True):
    """A note with the names of its people."""

    note: Note
    creator_name: str | None
    editor_name: str | None


async def notes_of(tx: Transaction, lead_id: int, *, with_system: bool) -> list[NoteView]:
    """Return the notes of a lead that the caller may see: pinned first, then newest."""
    system = "" if with_system else " AND NOT n.is_system"
    rows = await tx.fetch(
        f"""SELECT {columns(Note, "n")},
                   rtrim(c.first_name || ' ' || c.last_name), rtrim(e.first_name || ' ' || e.last_name)
              FROM note n
              LEFT JOIN member c ON c.team_id = n.team_id AND c.id = n.creator_id
              LEFT JOIN member e ON e.team_id = n.team_id AND e.id = n.last_editor_id
             WHERE n.team_id = $1 AND n.lead_id = $2 AND n.deleted_at IS NULL{system}
             ORDER BY n.is_pinned DESC, n.created_at DESC, n.id DESC""",
        tx.team_id,
        lead_id,
    )
    return [NoteView(Note(*tuple(row)[:_WIDTH]), *tuple(row)[_WIDTH:]) for row in rows]
