"""The readers of the logbook, and the one door by which others write into it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from rooftree.leads.actions import audience
from rooftree.leads.conversations import (
    Search,
    count_found,
    history_of,
    managed_conversation,
    search_conversations,
)
from rooftree.leads.queries import seen_ids, seen_lead
from rooftree.manual_logs.actions import add_external_talk
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, LimitNotValid
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.platform.pages import Sealer
from rooftree.platform.wire_time import from_epoch_millis, parse_zone
from rooftree.timeline import queries
from rooftree.timeline.actions import record
from rooftree.timeline.errors import AccessAllTeamLeads, Forbidden
from rooftree.timeline.model import TimelineEntry
from rooftree.timeline.queries import Place
from rooftree.timeline.window import FURTHEST, HIGHEST_LIMIT, lead_id_of, timeline_window
from rooftree.timeline.wire import (
    CHANNELS,
    ActivityType,
    CommunicationRequest,
    ExternalTalk,
    LeadActivity,
    activity_id,
    activity_item,
    communication_response,
    email_response,
    happening,
    leads_named,
    site_activity,
    site_entry,
    site_kind,
    system_log_response,
    text_response,
)

_DAY: Final = timedelta(hours=24)
_LONGEST_SEARCH: Final = timedelta(days=90)
_SEARCHED: Final = {"CALL": "call", "TEXT": "text", "EMAIL": "email", "ALL": None}


@post(["/v1.0/leads/{leadId:str}/activity", "/v1.0/leads/{leadId:str}/activities"], status_code=200)
async def add_activity(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Write down a visit to the website, or a conversation elsewhere. contract: seeds 001 and 002, D9, D24"""
    word = (await body_of(request, ActivityType)).type
    lead_id = Query(request).path_id("leadId")
    if kind := site_kind(word):
        body = await body_of(request, LeadActivity)
        entry = site_entry(lead_id or 0, kind, body)
        lead = await seen_lead(tx, actor, lead_id, is_managing=True, is_held=True)
        await record(tx, actor, [entry], audience=audience(lead))
        return answer({"leadId": lead.id})
    channel = CHANNELS.get(word.strip().lower())
    if channel is None:
        raise InvalidParameter("type: must be Search, Browse, Favorite, Request, Submission, call, email or sms.")
    talk = await body_of(request, ExternalTalk)
    region: str = request.app.state.settings.phone_region
    entry_id = await add_external_talk(tx, actor, lead_id, channel, talk, region=region)
    return answer({"leadId": lead_id, "activityId": activity_id(entry_id)})


@get("/v1.0/leads/{leadId:str}/activities")
async def list_site_activities(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return what a lead did on the website, newest first, 100 a page. contract: GET /v1.0/leads/{leadId}/activities"""
    query = Query(request)
    page = max(query.integer("curPage") or 0, 0)
    lead = await seen_lead(tx, actor, query.path_id("leadId"), is_managing=True)
    found = await queries.site_activities(tx, lead.id, min(page, FURTHEST))
    return answer([site_activity(entry) for entry in found])


@get("/v2.0/leads/{leadId:str}/activities")
async def list_activities(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return calls, texts and e-mails of a lead, oldest first. contract: GET /v2.0/leads/{leadId}/activities, D1, D2"""
    query = Query(request)
    window, zone = timeline_window(query), _zone(query, actor)
    lead = await seen_lead(tx, actor, query.path_id("leadId"))
    found = await queries.conversations(tx, lead.id, window)
    return answer(
        {
            "activities": [activity_item(entry, zone) for entry in found],
            "page": window.offset // window.limit + 1,
            "pageSize": window.limit,
            "total": await queries.count_conversations(tx, lead.id),
        }
    )


def _zone(query: Query, actor: Actor) -> tzinfo:
    name = query.text("timeZoneCode")
    zone = parse_zone(name or actor.time_zone)
    if zone is None and name:
        raise InvalidParameter("timeZoneCode: is not the name of a time zone, such as America/Chicago.")
    return zone or UTC


@get("/v1.0/communication/text")
async def list_texts(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the texts of a lead, oldest first. contract: GET /v1.0/communication/text"""
    found = await history_of(tx, actor, Query(request), "text")
    return answer({"texts": [text_response(entry) for entry in found]})


@get("/v1.0/communication/email")
async def list_emails(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the e-mails of a lead, oldest first. contract: GET /v1.0/communication/email"""
    found = await history_of(tx, actor, Query(request), "email")
    return answer({"emails": [email_response(entry) for entry in found]})


@get("/v2.0/communication/text/{communicationId:str}")
async def get_text(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return one text by its timeline id. contract: GET /v2.0/communication/text/{communicationId}"""
    entry = await managed_conversation(tx, actor, Query(request).path_id("communicationId"), "text")
    return answer(text_response(entry))


@get("/v2.0/communication/email/{communicationId:str}")
async def get_email(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return one e-mail by its timeline id. contract: GET /v2.0/communication/email/{communicationId}"""
    entry = await managed_conversation(tx, actor, Query(request).path_id("communicationId"), "email")
    return answer(email_response(entry))


@post("/v1.0/agent/communication", status_code=200)
async def search_by_agent(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Search the caller's or the team's conversations of 24 hours. contract: POST /v1.0/agent/communication"""
    body = await body_of(request, CommunicationRequest)
    limit, offset = 10 if body.limit is None else body.limit, body.offset or 0
    if not 1 <= limit <= HIGHEST_LIMIT:
        raise InvalidParameter(f"limit: must be from 1 to {HIGHEST_LIMIT}.")
    if not 0 <= offset <= 2**31:
        raise InvalidParameter("offset: must not be below zero.")
    span = (body.start_time, body.end_time)
    wanted = _search(actor, body.type, span, is_team_view=bool(body.team_view), longest=_DAY)
    found = await search_conversations(tx, actor, wanted, limit=limit + 1, offset=offset)
    return answer(
        {
            "offset": offset,
            "limit": limit,
            "hasMore": len(found) > limit,
            "totalCount": await count_found(tx, actor, wanted),
            "pageData": [communication_response(entry) for entry in found[:limit]],
        }
    )


def _search(actor: Actor, word: str, span: tuple[int, int], *, is_team_view: bool, longest: timedelta) -> Search:
    """Return what is searched for. Raises: InvalidParameter (20012), AccessAllTeamLeads (900002)."""
    if word not in _SEARCHED:
        raise InvalidParameter(f"type: must be one of {', '.join(_SEARCHED)}.")
    since, until = _instant("startTime", span[0]), _instant("endTime", span[1])
    if until < since:
        raise InvalidParameter("endTime: must not be before startTime.")
    if until - since > longest:
        raise InvalidParameter(f"endTime: at most {longest // timedelta(hours=1)} hours after startTime.")
    if is_team_view and not actor.sees_all_leads:
        raise AccessAllTeamLeads
    return Search(_SEARCHED[word], since, until, is_team_view)


def _instant(name: str, millis: int) -> datetime:
    try:
        instant = from_epoch_millis(millis)
    except OverflowError:
        raise InvalidParameter(f"{name}: is no time in milliseconds since 1970.") from None
    assert instant is not None
    return instant


#: What a cursor of the search by agent carries: whose it is, the search, the last entry's time and id, the total.
_Cursor = tuple[int, Search, datetime, int, int]


@get("/v2.0/communication/agent")
async def scroll_by_agent(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Read the caller's or the team's conversations, page after page. contract: GET /v2.0/communication/agent"""
    query = Query(request)
    limit = query.integer("limit", 100)
    if limit is None or not 1 <= limit <= HIGHEST_LIMIT:
        raise InvalidParameter(f"limit: must be from 1 to {HIGHEST_LIMIT}.")
    wanted = _wanted(query, actor)
    sealer: Sealer = request.app.state.sealer
    after, total = _opened(sealer, query.text("cursor"), actor, wanted)
    found = await search_conversations(tx, actor, wanted, limit=limit + 1, after=after)
    if total is None:
        total = await count_found(tx, actor, wanted)
    page, has_more = found[:limit], len(found) > limit
    cursor = (actor.member_id, wanted, page[-1].happened_at, page[-1].id, total) if has_more else None
    return answer(
        {
            "data": [communication_response(entry) for entry in page],
            "nextCursor": sealer.seal(cursor) if cursor else None,
            "hasMore": has_more,
            "limit": limit,
            "totalCount": total,
        }
    )


def _wanted(query: Query, actor: Actor) -> Search:
    since, until = query.integer("startTime"), query.integer("endTime")
    if since is None or until is None:
        raise InvalidParameter(f"{'startTime' if since is None else 'endTime'}: is required.")
    is_team_view = bool(query.boolean("teamView"))
    word = query.text("type") or "ALL"
    return _search(actor, word, (since, until), is_team_view=is_team_view, longest=_LONGEST_SEARCH)


def _opened(sealer: Sealer, text: str, actor: Actor, wanted: Search) -> tuple[tuple[datetime, int] | None, int | None]:
    if not text:
        return None, None
    member_id, searched, happened_at, entry_id, total = sealer.open(text, _Cursor, name="cursor")
    if (member_id, searched) != (actor.member_id, wanted):
        raise InvalidParameter("cursor: was made for another search; repeat that one, or leave the cursor out.")
    return (happened_at, entry_id), total


@get("/v1.0/systemLogs")
async def list_system_logs(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return who changed what about a lead, newest first. contract: GET /v1.0/systemLogs

    A lead that is not theirs is refused as one that is not there: nothing is revealed. contract: behaviour.md 1.2
    """
    query = Query(request)
    lead_id = lead_id_of(query)
    page, size = query.integer("pageNumber", 0) or 0, query.integer("pageSize", 100)
    if size is None or not 1 <= size <= HIGHEST_LIMIT:
        raise InvalidParameter(f"pageSize: must be from 1 to {HIGHEST_LIMIT}.")
    if page < 0:
        raise InvalidParameter("pageNumber: must not be below zero.")
    lead = await seen_lead(tx, actor, lead_id, otherwise=Forbidden, is_managing=True)
    found = await queries.system_log(
        tx,
        lead.id,
        since=_bound(query, "startTime"),
        until=_bound(query, "endTime"),
        limit=size + 1,
        offset=min(page, FURTHEST) * size,
    )
    seen = await _seen_beside(tx, actor, [change.entry for change in found])
    logs = [system_log_response(change, lead.first_name, lead.last_name, seen) for change in found[:size]]
    return answer({"hasMore": int(len(found) > size), "timeLines": logs})


async def _seen_beside(tx: Transaction, actor: Actor, entries: Sequence[TimelineEntry]) -> set[int]:
    """Return those other leads that entries name and that the caller may see."""
    named = leads_named(entries)
    return await seen_ids(tx, actor, named) if named else set()


def _bound(query: Query, name: str) -> datetime | None:
    millis = query.integer(name, -1)
    return None if millis is None or millis == -1 else _instant(name, millis)


@get("/rooftree/v1/leads/{leadId:str}/timeline")
async def list_history(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return everything that happened to a lead: pinned first, then newest first. Ours.

    `audit=true` shows what was deleted too, and by whom; for those who may read the system log. Others, lenders, see
    what was said and written; nothing of that log, and no visits to the website. `limit` 1-100, `cursor` from
    `nextCursor`.
    """
    query = Query(request)
    is_audit = bool(query.boolean("audit"))
    limit = query.integer("limit", 50)
    if limit is None or not 1 <= limit <= 100:
        raise LimitNotValid
    sealer: Sealer = request.app.state.sealer
    after = sealer.open(query.text("cursor"), Place, name="cursor") if query.text("cursor") else None
    lead = await seen_lead(tx, actor, query.path_id("leadId"), is_managing=is_audit)
    is_managing = is_audit or lead.id in await seen_ids(tx, actor, [lead.id], is_managing=True)
    found = await queries.history(
        tx, lead.id, limit=limit + 1, after=after, with_deleted=is_audit, is_managing=is_managing
    )
    page = found[:limit]
    names = await queries.names_of(tx, sorted({entry.actor_id for entry in page if entry.actor_id}))
    last = page[-1] if len(found) > limit else None
    place = last and Place(last.is_pinned and not is_audit, last.happened_at, last.id)
    seen = await _seen_beside(tx, actor, page)
    entries: list[dict[str, Any]] = [happening(entry, names, seen) for entry in page]
    return answer({"entries": entries, "nextCursor": sealer.seal(place) if place else None})


ROUTES: Final[list[HTTPRouteHandler]] = [
    add_activity,
    list_site_activities,
    list_activities,
    list_texts,
    list_emails,
    get_text,
    get_email,
    search_by_agent,
    scroll_by_agent,
    list_system_logs,
    list_history,
]
