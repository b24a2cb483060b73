"""Reading notes."""

from msgspec import Struct

from rooftree.notes.model import Note
from rooftree.platform.database import Record, Transaction, columns

_WIDTH = len(Note.__struct_fields__)


class NoteView(Struct, frozen=True):
    """A note with the names of its people."""

    note: Note
    creator_name: str | None
    editor_name: str | None


_VIEW = f"""SELECT {columns(Note, "n")},
       rtrim(c.first_name || ' ' || c.last_name), rtrim(e.first_name || ' ' || e.last_name)
  FROM note n
  LEFT JOIN member c ON c.team_id = n.team_id AND c.id = n.creator_id
  LEFT JOIN member e ON e.team_id = n.team_id AND e.id = n.last_editor_id
 WHERE n.team_id = $1 AND n.deleted_at IS NULL"""


async def find_note(tx: Transaction, note_id: int | None) -> NoteView | None:
    """Return a note by its `noteId`; the caller checks whether its lead may be seen."""
    row = None if note_id is None else await tx.fetchrow(f"{_VIEW} AND n.id = $2", tx.team_id, note_id)
    return _view(row) if row else None


def _view(row: Record) -> NoteView:
    return NoteView(Note(*tuple(row)[:_WIDTH]), *tuple(row)[_WIDTH:])


async def notes_of(tx: Transaction, lead_id: int, *, with_system: bool) -> list[NoteView]:
    """Return the notes of a lead that the caller may see: pinned first, then newest."""
    system = "" if with_system else " AND NOT n.is_system"
    rows = await tx.fetch(
        f"{_VIEW} AND n.lead_id = $2{system} ORDER BY n.is_pinned DESC, n.created_at DESC, n.id DESC",
        tx.team_id,
        lead_id,
    )
    return [_view(row) for row in rows]
