"""What can be done with a note."""

from collections.abc import Sequence
from typing import Final

from rooftree.notes import store
from rooftree.notes.errors import InvalidUpdateLeadId
from rooftree.notes.model import Note
from rooftree.notes.wire import EditNoteRequest
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ResourceNotExist
from rooftree.timeline import actions as timeline
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry

CONTENT_LENGTH: Final = 2000


async def add_note(
    tx: Transaction, actor: Actor, lead_id: int, content: str, *, is_pinned: bool = False, is_system: bool = False
) -> Entry:
    """Store a note on a lead that the caller may see; content is silently cut to 2,000 characters.

    Returns the logbook entry, which the caller records with those of its own. Writes: note.
    """
    content = content[:CONTENT_LENGTH]
    note_id, timeline_id = await store.insert_note(
        tx, actor.member_id, lead_id, content, is_pinned=is_pinned, is_system=is_system
    )
    return _added(lead_id, content, note_id, timeline_id, is_pinned=is_pinned)


async def add_notes(tx: Transaction, actor: Actor, notes: Sequence[tuple[int, str, bool]]) -> list[Entry]:
    """Store notes (lead, content, pinned) as `add_note` does; return their entries, in order. Writes: note."""
    notes = [(lead_id, content[:CONTENT_LENGTH], is_pinned) for lead_id, content, is_pinned in notes]
    stored = await store.insert_notes(tx, actor.member_id, notes) if notes else []
    return [_added(*note[:2], *ids, is_pinned=note[2]) for note, ids in zip(notes, stored, strict=True)]


def _added(lead_id: int, content: str, note_id: int, timeline_id: int, *, is_pinned: bool) -> Entry:
    payload = {"noteId": note_id, "timelineId": timeline_id}
    details = {"noteId": note_id, "content": content}
    return Entry(kinds.NOTE_ADDED, lead_id, details, payload=payload, id=timeline_id, is_pinned=is_pinned)


async def put_notes(tx: Transaction, notes: Sequence[Note]) -> list[tuple[int | None, Entry]]:
    """Store notes that were written elsewhere under their own ids, those that are there anew. Announces nothing.

    Returns who wrote what, for `timeline.actions.put`. Writes: note.
    """
    await store.put_notes(tx, notes)
    return [
        (
            note.creator_id,
            Entry(
                kinds.NOTE_ADDED,
                note.lead_id,
                {"noteId": note.id, "content": note.content},
                note.created_at,
                id=note.timeline_id,
                is_pinned=note.is_pinned,
            ),
        )
        for note in notes
    ]


async def forget(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Delete the notes of leads that are gone as if they had never come. Writes: note."""
    await store.forget(tx, lead_ids)


def content_of(content: str | None) -> str:
    """Return a note's text as it is kept. Raises: InvalidParameter (20012) when it is blank."""
    if content is None or not content.strip():
        raise InvalidParameter("content: must not be blank.")
    return content[:CONTENT_LENGTH]


async def hold_note(tx: Transaction, note: Note) -> None:
    """Let nobody else change a note until the transaction ends. Raises: ResourceNotExist (20007) when it is gone."""
    if await store.lock_note(tx, note.id) is None:
        raise ResourceNotExist


async def edit_note(tx: Transaction, actor: Actor, note: Note, request: EditNoteRequest) -> Entry | None:
    """Change a note of a lead that the caller may see; what is absent stays.

    Returns the logbook entry with old and new text, which the caller records; None when nothing changed.
    contract: PUT /v1.0/notes/{noteId}. Writes: note, timeline_entry (what the timeline shows of it).
    Raises: InvalidParameter (20012), InvalidUpdateLeadId (900014), ResourceNotExist (20007) when it was just deleted.
    """
    content = content_of(request.content)
    if request.lead_id not in {None, note.lead_id}:
        raise InvalidUpdateLeadId
    old = await store.lock_note(tx, note.id)
    if old is None:
        raise ResourceNotExist
    is_pinned = request.pin(old.is_pinned)
    if (old.content, old.is_pinned) == (content, is_pinned):
        return None
    await store.update_note(tx, note.id, actor.member_id, content, is_pinned=is_pinned)
    await timeline.rewrite(tx, old.timeline_id, {"noteId": note.id, "content": content}, is_pinned=is_pinned)
    details = {
        "noteId": note.id,
        "from": {"content": old.content, "isPin": old.is_pinned},
        "to": {"content": content, "isPin": is_pinned},
    }
    return Entry(kinds.NOTE_EDITED, note.lead_id, details, payload=_payload(old))


async def delete_note(tx: Transaction, actor: Actor, note: Note) -> Entry:
    """Delete a note of a lead that the caller manages; the logbook keeps its text, and who deleted it.

    Returns the logbook entry, which the caller records. contract: DELETE /v1.0/notes/{noteId}.
    Writes: note, timeline_entry. Raises: ResourceNotExist (20007) when it was deleted meanwhile.
    """
    old = await store.lock_note(tx, note.id)
    if old is None:
        raise ResourceNotExist
    await store.trash_note(tx, note.id, actor.member_id)
    await timeline.strike(tx, actor, old.timeline_id)
    details = {"noteId": note.id, "content": old.content}
    return Entry(kinds.NOTE_DELETED, note.lead_id, details, payload=_payload(old))


def _payload(note: Note) -> dict[str, int]:
    return {"noteId": note.id, "timelineId": note.timeline_id}


async def repoint_notes(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None = None) -> list[int]:
    """Let a lead's notes belong to another lead: all, or these. Returns the ids of those that moved.

    Writes: note.
    """
    return await store.repoint_notes(tx, from_id, to_id, ids)
