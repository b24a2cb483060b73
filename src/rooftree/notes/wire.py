"""The contract's shapes of notes."""

from msgspec import UNSET, Struct, UnsetType

from rooftree.notes.queries import NoteView
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.reading import Int64
from rooftree.platform.wire_time import utc_text


class NoteRequest(Struct, rename="camel", kw_only=True):
    """POST /v1.0/notes. contract: seed 001, D7"""

    lead_id: Int64
    content: str
    is_pin: bool | UnsetType | None = UNSET

    @property
    def is_pinned(self) -> bool:
        """Whether to pin it. Raises: InvalidParameter (20012) on an explicit null."""
        return _pin(self.is_pin, is_pinned=False)


class EditNoteRequest(Struct, rename="camel", kw_only=True):
    """PUT /v1.0/notes/{noteId}: only `content` is required. contract: seed 001, D7, D8"""

    content: str
    lead_id: Int64 | None = None
    is_pin: bool | UnsetType | None = UNSET

    def pin(self, is_pinned: bool) -> bool:
        """Whether it is pinned afterwards. Raises: InvalidParameter (20012) on an explicit null."""
        return _pin(self.is_pin, is_pinned=is_pinned)


def _pin(wish: bool | UnsetType | None, *, is_pinned: bool) -> bool:
    if wish is None:
        raise InvalidParameter("isPin: must be true or false.")
    return is_pinned if wish is UNSET else bool(wish)


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
