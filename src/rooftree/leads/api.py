"""The lead operations of the contract, and our own beside them (/rooftree/v1/...)."""

from collections import Counter
from typing import Any, Final

import msgspec
from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from rooftree.leads import actions, batch, queries
from rooftree.leads.assignment import assign_lead
from rooftree.leads.batch import BODY_LIMIT_BYTES, MATCH_ON, ON_CONFLICT, Plan
from rooftree.leads.errors import ParamEmailMustFill, ParamFirstNameFill
from rooftree.leads.fields import id_of, one_of, ownership
from rooftree.leads.filters import parse_filter, parse_order, parse_page
from rooftree.leads.handover import chosen_people, imagined_lead, question_about
from rooftree.leads.model import LeadView
from rooftree.leads.reasons import RehearsalRequest, rehearse, routing_of
from rooftree.leads.wire import (
    AnyAssignment,
    CustomAttribute,
    EditLeadRequest,
    LeadAssigneeRequest,
    LeadAssignment,
    LeadInquiry,
    LeadProperty,
    LeadRequest,
    LeadResponse,
    custom_field_response,
    lead_response,
    tag_response,
)
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.answers import answer
from rooftree.platform.http.conditional import if_match, version, versioned_answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of, check_size
from rooftree.platform.pages import metadata
from rooftree.routing import actions as routing
from rooftree.team.errors import OrganisationDenied


def _region(request: AnyRequest) -> str:
    return request.app.state.settings.phone_region


@post("/v1.0/leads", status_code=200)
async def add_lead(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Create a lead. contract: seed 004"""
    body = await body_of(request, LeadRequest)
    lead = await actions.create_lead(tx, actor, body, region=_region(request))
    return answer({"leadId": lead.id})


@post(
    "/rooftree/v1/leads/batch",
    status_code=200,
    request_max_body_size=BODY_LIMIT_BYTES + 1,
    body_limit_bytes=BODY_LIMIT_BYTES,
)
async def upsert_leads(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Create or change up to 10,000 leads, one a line of NDJSON. Ours."""
    query = Query(request)
    plan = Plan(
        _choice(query, "matchOn", tuple(MATCH_ON), "emailOrPhone"),
        _choice(query, "onConflict", ON_CONFLICT, "update"),
        bool(query.boolean("dryRun")),
    )
    body = await request.body()
    check_size(len(body), BODY_LIMIT_BYTES)
    row_bytes = request.app.state.settings.body_limit_bytes
    rows = await batch.upsert_leads(tx, actor, body, plan, region=_region(request), row_bytes=row_bytes)
    counts = Counter(row.status for row in rows)
    summary = {"rows": len(rows), "dryRun": plan.is_dry_run}
    return answer({**summary, **{name: counts[status] for status, name in _COUNTED.items()}, "results": rows})


_COUNTED: Final = {"created": "created", "updated": "updated", "skipped": "skipped", "error": "errors"}


def _choice(query: Query, name: str, allowed: tuple[str, ...], default: str) -> str:
    return one_of(name, query.text(name) or None, allowed) or default


@get("/v1.0/leads")
async def list_leads(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """List and filter. contract: GET /v1.0/leads"""
    query = Query(request)
    page, order = parse_page(query), parse_order(query)
    wanted = parse_filter(query, _region(request))
    found = await queries.search_leads(tx, actor, wanted, order, page, request.app.state.sealer)
    fields = set(query.words("returnFields"))
    leads = [_only(lead_response(view), fields) for view in found.leads]
    block = metadata("leads", found.limit, found.offset, found.total, found.scroll_id)
    return answer({**block, "leads": leads})


_WIRE_NAMES: Final = dict(zip(LeadResponse.__struct_encode_fields__, LeadResponse.__struct_fields__, strict=True))


def _only(lead: LeadResponse, fields: set[str]) -> LeadResponse | dict[str, Any]:
    """Return the fields asked for; all when none is."""
    if not fields:
        return lead
    return {wire: getattr(lead, name) for wire, name in _WIRE_NAMES.items() if wire in fields}


@get("/v1.0/leads/{leadId:str}")
async def get_lead(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return one lead; from the trash too with `withTrash=true`. contract: GET /v1.0/leads/{leadId}"""
    query = Query(request)
    with_trash = bool(query.boolean("withTrash"))
    view = await queries.visible_lead(tx, actor, query.path_id("leadId"), with_trash=with_trash)
    return versioned_answer(request, _shown(view), view.lead.updated_at)


def _shown(view: LeadView) -> dict[str, LeadResponse]:
    return {"lead": lead_response(view)}


async def _unless_changed(request: AnyRequest, tx: Tx, actor: Caller, *, with_trash: bool = False) -> None:
    """Lock the lead in the path and compare its version, if the request depends on one.

    The lock comes first: the lead that is compared is the lead that is changed.
    Raises: LeadNotExist (20006), InvalidParameter (20012), PreconditionFailed (412).
    """
    if expected := if_match(request):
        lead_id = Query(request).path_id("leadId")
        await queries.managed_lead(tx, actor, lead_id, with_trash=with_trash)
        view = await queries.visible_lead(tx, actor, lead_id, with_trash=with_trash)
        expected.check(version(msgspec.json.encode(_shown(view)), view.lead.updated_at))


@put("/v1.0/leads/{leadId:str}")
async def update_lead(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change what is sent. contract: PUT /v1.0/leads/{leadId}"""
    body = await body_of(request, EditLeadRequest, default=EditLeadRequest())
    await _unless_changed(request, tx, actor)
    lead = await actions.edit_lead(tx, actor, Query(request).path_id("leadId"), body, region=_region(request))
    return answer({"leadId": lead.id})


@delete("/v1.0/leads/{leadId:str}", status_code=200)
async def trash_lead(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Move to the trash. The reason stands in the query, or in a JSON body. contract: seed 003, D20, D42"""
    query = Query(request)
    reason = query.text("reason") or await _reason(request)
    await _unless_changed(request, tx, actor)
    lead = await actions.trash_lead(tx, actor, query.path_id("leadId"), reason, region=_region(request))
    return answer({"deleted": True, "leadId": str(lead.id)})


async def _reason(request: AnyRequest) -> str:
    body = await body_of(request, dict[str, Any], default={})
    reason = body.get("reason")
    return reason if isinstance(reason, str) else ""


@post("/v1.0/leads/{leadId:str}/assignment", status_code=200)
async def assign(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Give roles on the lead; an object with `assignees`, or an array. contract: D4"""
    body = await body_of(request, AnyAssignment)
    await _unless_changed(request, tx, actor)
    wishes = body.assignees if isinstance(body, LeadAssignment) else body
    lead = await assign_lead(tx, actor, Query(request).path_id("leadId"), wishes, region=_region(request))
    return answer({"leadId": lead.id})


@post("/v1.0/leads/{leadId:str}/inquiry", status_code=200)
async def update_inquiry(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Set what the lead looks for. contract: POST /v1.0/leads/{leadId}/inquiry"""
    body = await body_of(request, LeadInquiry)
    await _unless_changed(request, tx, actor)
    lead = await actions.set_inquiry(tx, actor, Query(request).path_id("leadId"), body, region=_region(request))
    return answer({"leadId": lead.id})


@post("/v1.0/leads/{leadId:str}/property", status_code=200)
async def update_property(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Attach or change an address. contract: POST /v1.0/leads/{leadId}/property"""
    body = await body_of(request, LeadProperty)
    await _unless_changed(request, tx, actor)
    lead = await actions.set_property(tx, actor, Query(request).path_id("leadId"), body, region=_region(request))
    return answer({"leadId": lead.id})


@post("/v1.0/leads/assignee", status_code=200)
async def preview_assignee(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Say who would get this lead; stores nothing, takes no turn. contract: POST /v1.0/leads/assignee"""
    body = await body_of(request, LeadAssigneeRequest)
    if not (body.first_name or "").strip():
        raise ParamFirstNameFill
    if not (body.email or "").strip():
        raise ParamEmailMustFill
    lead = imagined_lead(body, actor, ownership(body, actor.team_id) or ("PERSONAL", actor.member_id))
    group_id = id_of("assignGroupId", body.assign_group_id)
    routed = await routing.preview(tx, question_about(lead, actor.member_id, group_id))
    people = await chosen_people(tx, [routed.agent, *routed.others])
    if not people:
        return answer([])
    known_id = await queries.newest_with_email(tx, actor, body.email or "")
    names = {"firstName": (body.first_name or "").strip(), "lastName": body.last_name or None}
    return answer([{"leadId": known_id, "leadUserId": known_id, **names, "customRoleAssignees": people}])


@get("/v1.0/teamFeatures/listTag")
async def list_tags(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the team's tags. contract: GET /v1.0/teamFeatures/listTag"""
    return answer([tag_response(tag) for tag in await queries.tags(tx, actor)])


@get("/v1.0/teamFeatures/listCustomField")
async def list_custom_fields(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the team's own lead fields. contract: GET /v1.0/teamFeatures/listCustomField"""
    return answer([custom_field_response(field) for field in await queries.custom_fields(tx, actor.team_id)])


@post("/v1.0/teamFeatures/custom-field", status_code=200)
async def add_custom_field(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Add a field to the team's leads. contract: POST /v1.0/teamFeatures/custom-field

    No permission is published for it; but lenders read, and manage nothing. contract: auth.md 8
    """
    if actor.role == "lender":
        raise OrganisationDenied("Lenders read leads; what a lead consists of is not theirs to change.")
    await actions.add_custom_field(tx, await body_of(request, CustomAttribute))
    return answer("success")


@get("/v1.0/teamFeatures/lead-pipelines")
async def list_lead_pipelines(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the stages of the lead pipeline, paged from 0. contract: GET /v1.0/teamFeatures/lead-pipelines"""
    query = Query(request)
    page, size = query.integer("currPage", 0) or 0, query.integer("pageSize", 10) or 0
    if page < 0 or not 1 <= size <= 1000 or page > 1_000_000:
        raise InvalidParameter("currPage: from 0; pageSize: from 1 to 1000.")
    found, total = await queries.stages(tx, actor.team_id, query.text("name"), size, page * size)
    block = metadata("pipelines", size, page * size, total)
    return answer({**block, "pipelines": [{"id": stage.id, "name": stage.name} for stage in found]})


@post("/rooftree/v1/leads/{leadId:str}/restore", status_code=200)
async def restore_lead(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Bring a lead back from the trash. Ours."""
    await _unless_changed(request, tx, actor, with_trash=True)
    lead = await actions.restore_lead(tx, actor, Query(request).path_id("leadId"), region=_region(request))
    return answer({"leadId": lead.id})


@get("/rooftree/v1/leads/{leadId:str}/duplicates")
async def list_duplicates(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the leads that share an e-mail address or phone number with this one. Ours."""
    lead_id = Query(request).path_id("leadId")
    view = await queries.visible_lead(tx, actor, lead_id)
    found: dict[int, list[dict[str, str]]] = {}
    for other_id, kind, value in await queries.duplicates(tx, actor, view.lead.id):
        found.setdefault(other_id, []).append({"kind": kind, "value": value})
    return answer({"duplicates": [{"leadId": other_id, "matches": matches} for other_id, matches in found.items()]})


@post("/rooftree/v1/leads/{leadId:str}/claim", status_code=200)
async def claim_lead(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Take a lead that is on offer to the caller, or lies in a pond they draw from; the first gets it. Ours."""
    lead = await actions.claim_lead(tx, actor, Query(request).path_id("leadId"), region=_region(request))
    return answer({"leadId": lead.id})


@get("/rooftree/v1/leads/{leadId:str}/routing")
async def get_routing(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return why a lead went where it went. Ours."""
    return answer(await routing_of(tx, actor, Query(request).path_id("leadId")))


@post("/rooftree/v1/routing/rehearse", status_code=200)
async def rehearse_rules(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Say where draft rules would have sent the last leads; stores nothing. Ours."""
    body = await body_of(request, RehearsalRequest, default=RehearsalRequest())
    return answer(await rehearse(tx, actor, body))


ROUTES: Final[list[HTTPRouteHandler]] = [
    add_lead,
    upsert_leads,
    list_leads,
    get_lead,
    update_lead,
    trash_lead,
    assign,
    update_inquiry,
    update_property,
    preview_assignee,
    list_tags,
    list_custom_fields,
    add_custom_field,
    list_lead_pipelines,
    restore_lead,
    list_duplicates,
    claim_lead,
    get_routing,
    rehearse_rules,
]
