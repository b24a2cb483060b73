"""What can be done with a note."""

from typing import Final

from rooftree.notes import store
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry

CONTENT_LENGTH: Final = 2000


async def add_note(
    tx: Transaction, actor: Actor, lead_id: int, content: str, *, is_pinned: bool = False, is_system: bool = False
) -> Entry:
    """Store a note on a lead that the caller may see; content is silently cut to 2,000 characters.

    Returns the logbook entry, which the caller records with those of its own. Writes: note.
    """
    note_id, timeline_id = await store.insert_note(
        tx, actor.member_id, lead_id, content[:CONTENT_LENGTH], is_pinned=is_pinned, is_system=is_system
    )
    payload = {"noteId": note_id, "timelineId": timeline_id}
    return Entry(kinds.NOTE_ADDED, lead_id, {"noteId": note_id}, payload=payload, id=timeline_id)
