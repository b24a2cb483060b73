"""The review list, merges and their undoing. All ours."""

from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from rooftree.duplicates import actions, merging, queries
from rooftree.duplicates.queries import Place, Wanted
from rooftree.duplicates.wire import MergeRequest, merge_response, pair_response, preview_response, undone_response
from rooftree.leads.queries import managed_pair, visible_lead
from rooftree.leads.wire import lead_response
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.answers import answer
from rooftree.platform.http.conditional import if_match, version
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.platform.pages import Sealer

_HIGHEST_LIMIT: Final = 200
_STATES: Final = ("open", "dismissed")


def _limit(query: Query) -> int:
    limit = query.integer("limit", 50) or 0
    if not 1 <= limit <= _HIGHEST_LIMIT:
        raise InvalidParameter(f"limit: must be from 1 to {_HIGHEST_LIMIT}.")
    return limit


@get("/rooftree/v1/duplicates")
async def list_pairs(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return pairs of leads that may be one person, the likeliest first; both must be the caller's to see. Ours."""
    query = Query(request)
    state = query.text("state") or "open"
    if state not in _STATES:
        raise InvalidParameter(f"state: must be one of {', '.join(_STATES)}.")
    min_score = query.integer("minScore", 0) or 0
    if not 0 <= min_score <= 100:
        raise InvalidParameter("minScore: must be from 0 to 100.")
    limit, sealer = _limit(query), _sealer(request)
    wanted = Wanted(state, min_score, query.integer("leadId"))
    after = sealer.open(query.text("cursor"), Place, name="cursor") if query.text("cursor") else None
    found = await queries.review_list(tx, actor, wanted, limit=limit + 1, after=after)
    page = found[:limit]
    last = page[-1].pair if len(found) > limit else None
    cursor = sealer.seal(Place(last.score, last.id)) if last else None
    return answer({"duplicates": [pair_response(one) for one in page], "nextCursor": cursor})


def _sealer(request: AnyRequest) -> Sealer:
    return request.app.state.sealer


@post("/rooftree/v1/duplicates/{duplicateId:str}/dismiss", status_code=200)
async def dismiss(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Say that two leads are not the same person; it stays said. Ours."""
    found = await actions.decide(tx, actor, Query(request).path_id("duplicateId"), is_dismissed=True)
    return answer(pair_response(found))


@post("/rooftree/v1/duplicates/{duplicateId:str}/reopen", status_code=200)
async def reopen(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Put a dismissed pair back on the review list. Ours."""
    found = await actions.decide(tx, actor, Query(request).path_id("duplicateId"), is_dismissed=False)
    return answer(pair_response(found))


@post("/rooftree/v1/leads/{leadId:str}/merge/preview", status_code=200)
async def preview_merge(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Say, field by field, what a merge would make of two leads, and how much would move; stores nothing. Ours."""
    body = await body_of(request, MergeRequest)
    lead_id = Query(request).path_id("leadId")
    found = await merging.preview(tx, actor, lead_id, body.other_lead_id, body.choices, region=_region(request))
    return answer(preview_response(found))


@post("/rooftree/v1/leads/{leadId:str}/merge", status_code=200)
async def merge_leads(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Merge another lead into this one. `If-Match`: a version of this one. Ours."""
    body = await body_of(request, MergeRequest)
    lead_id = Query(request).path_id("leadId")
    await _unless_changed(request, tx, actor, lead_id, body.other_lead_id)
    done = await merging.merge(tx, actor, lead_id, body.other_lead_id, body.choices, region=_region(request))
    return answer(merge_response(done))


async def _unless_changed(request: AnyRequest, tx: Tx, actor: Caller, lead_id: int | None, other_id: int) -> None:
    """Lock both leads, in the order of a merge, and compare the version of the one that stays, if the request says so.

    Raises: LeadNotExist (20006), InvalidParameter (20012), PreconditionFailed (412).
    """
    if expected := if_match(request):
        await managed_pair(tx, actor, lead_id, other_id)
        view = await visible_lead(tx, actor, lead_id)
        shown: dict[str, Any] = {"lead": lead_response(view)}
        expected.check(version(msgspec.json.encode(shown), view.lead.updated_at))


def _region(request: AnyRequest) -> str:
    return request.app.state.settings.phone_region


@get("/rooftree/v1/merges")
async def list_merges(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return merges into leads that the caller sees, newest first; of `leadId`, whichever side it was on. Ours."""
    query = Query(request)
    limit, sealer = _limit(query), _sealer(request)
    before_id = sealer.open(query.text("cursor"), int, name="cursor") if query.text("cursor") else None
    found = await queries.merges(tx, actor, lead_id=query.integer("leadId"), limit=limit + 1, before_id=before_id)
    page = found[:limit]
    cursor = sealer.seal(page[-1].id) if len(found) > limit else None
    return answer({"merges": [merge_response(one) for one in page], "nextCursor": cursor})


@post("/rooftree/v1/merges/{mergeId:str}/undo", status_code=200)
async def undo_merge(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Make two leads of one again, within 30 days of the merge. Ours."""
    undone = await merging.undo(tx, actor, Query(request).path_id("mergeId"), region=_region(request))
    return answer(undone_response(undone))


ROUTES: Final[list[HTTPRouteHandler]] = [
    list_pairs,
    dismiss,
    reopen,
    preview_merge,
    merge_leads,
    list_merges,
    undo_merge,
]
