"""The note operations of the contract."""

from typing import Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from rooftree.leads.queries import visible_lead
from rooftree.notes import queries
from rooftree.notes.wire import note_response
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query


@get("/v1.0/notes")
async def list_notes(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return all notes of a lead. contract: GET /v1.0/notes"""
    query = Query(request)
    lead_id = query.integer("leadId")
    if lead_id is None or lead_id < 1:
        raise InvalidParameter("leadId: is required.")
    with_system = bool(query.boolean("includeSystemNote"))
    view = await visible_lead(tx, actor, lead_id)
    found = await queries.notes_of(tx, view.lead.id, with_system=with_system)
    return answer({"notes": [note_response(note) for note in found]})


ROUTES: Final[list[HTTPRouteHandler]] = [list_notes]
