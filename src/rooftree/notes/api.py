"""The note operations of the contract."""

from typing import Final

import msgspec
from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from rooftree.leads.actions import audience
from rooftree.leads.queries import seen_lead
from rooftree.notes import actions, queries
from rooftree.notes.model import Note
from rooftree.notes.queries import NoteView
from rooftree.notes.wire import EditNoteRequest, NoteRequest, NoteResponse, note_response
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ResourceNotExist
from rooftree.platform.http.answers import answer
from rooftree.platform.http.conditional import if_match, version, versioned_answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.timeline.actions import record
from rooftree.timeline.window import lead_id_of


@get("/v1.0/notes")
async def list_notes(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return all notes of a lead. contract: GET /v1.0/notes"""
    query = Query(request)
    lead_id, with_system = lead_id_of(query), bool(query.boolean("includeSystemNote"))
    lead = await seen_lead(tx, actor, lead_id)
    found = await queries.notes_of(tx, lead.id, with_system=with_system)
    return answer({"notes": [note_response(note) for note in found]})


@post("/v1.0/notes", status_code=200)
async def add_note(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Write a note. contract: POST /v1.0/notes"""
    body = await body_of(request, NoteRequest)
    content, is_pinned = actions.content_of(body.content), body.is_pinned
    if body.lead_id == -1:
        raise InvalidParameter("leadId: must not be -1.")
    lead = await seen_lead(tx, actor, body.lead_id, is_held=True)
    entry = await actions.add_note(tx, actor, lead.id, content, is_pinned=is_pinned)
    await record(tx, actor, [entry], audience=audience(lead))
    return answer({"noteId": (entry.payload or {})["noteId"]})


async def _named_note(request: AnyRequest, tx: Transaction) -> NoteView:
    """Return the note in the path: its number, or `note_` and its number. contract: D6"""
    found = await queries.find_note(tx, Query(request).path_id("noteId", prefix="note_"))
    if found is None:
        raise ResourceNotExist
    return found


@get("/v1.0/notes/{noteId:str}")
async def get_note(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return one note. contract: GET /v1.0/notes/{noteId}"""
    found = await _named_note(request, tx)
    await seen_lead(tx, actor, found.note.lead_id, otherwise=ResourceNotExist)
    return versioned_answer(request, _shown(found), found.note.updated_at)


def _shown(view: NoteView) -> dict[str, NoteResponse]:
    return {"note": note_response(view)}


async def _unless_changed(request: AnyRequest, tx: Transaction, note: Note) -> None:
    """Lock the note and compare its version, if the request depends on one.

    The lock comes first: the note that is compared is the note that is changed.
    Raises: InvalidParameter (20012), ResourceNotExist (20007), PreconditionFailed (412).
    """
    if expected := if_match(request):
        await actions.hold_note(tx, note)
        view = await _named_note(request, tx)
        expected.check(version(msgspec.json.encode(_shown(view)), view.note.updated_at))


@put("/v1.0/notes/{noteId:str}")
async def update_note(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change a note. contract: PUT /v1.0/notes/{noteId}"""
    body = await body_of(request, EditNoteRequest)
    actions.content_of(body.content)
    note = (await _named_note(request, tx)).note
    lead = await seen_lead(tx, actor, note.lead_id, is_held=True)
    await _unless_changed(request, tx, note)
    if entry := await actions.edit_note(tx, actor, note, body):
        await record(tx, actor, [entry], audience=audience(lead))
    return answer()


@delete("/v1.0/notes/{noteId:str}", status_code=200)
async def delete_note(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Delete a note. contract: DELETE /v1.0/notes/{noteId}"""
    note = (await _named_note(request, tx)).note
    lead = await seen_lead(tx, actor, note.lead_id, is_managing=True, is_held=True)
    await _unless_changed(request, tx, note)
    entry = await actions.delete_note(tx, actor, note)
    await record(tx, actor, [entry], audience=audience(lead))
    return answer()


ROUTES: Final[list[HTTPRouteHandler]] = [list_notes, add_note, get_note, update_note, delete_note]
