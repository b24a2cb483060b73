"""The contract's shapes of notes."""

from msgspec import Struct

from rooftree.notes.queries import NoteView
from rooftree.platform.wire_time import utc_text


class NoteResponse(Struct, rename="camel", frozen=True, kw_only=True):
    """A note. `id` is its timeline id, `note_id` names it in paths."""

    id: int
    note_id: int
    creator_id: int | None
    lead_id: int
    create_time: str | None
    delete_flag: bool
    content: str
    last_update: str | None
    last_editor_id: int | None
    creator_name: str | None
    last_editor_name: str | None
    is_pin: bool
    system_note: bool


def note_response(view: NoteView) -> NoteResponse:
    """Return a note in the contract's shape."""
    note = view.note
    return NoteResponse(
        id=note.timeline_id,
        note_id=note.id,
        creator_id=note.creator_id,
        lead_id=note.lead_id,
        create_time=utc_text(note.created_at),
        delete_flag=False,
        content=note.content,
        last_update=utc_text(note.updated_at),
        last_editor_id=note.last_editor_id,
        creator_name=view.creator_name,
        last_editor_name=view.editor_name,
        is_pin=note.is_pinned,
        system_note=note.is_system,
    )
