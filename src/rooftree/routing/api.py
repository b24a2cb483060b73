"""The routing operations of the contract, and our own beside them (/rooftree/v1/routing/...)."""

from collections.abc import Sequence
from typing import Any, Final

from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.routing import members, queries, rulebook
from rooftree.routing.model import NO_ROLE, Rule
from rooftree.routing.wire import (
    AvailabilityRequest,
    OrderRequest,
    RoutingRuleRequest,
    RuleRequest,
    SupplementRoutingRuleRequest,
    availability_response,
    contract_rule,
    contract_supplement,
    full_name,
    offer_response,
    rule_response,
)
from rooftree.team import queries as team
from rooftree.team.model import Member


def _business_type(request: AnyRequest, actor: Actor) -> int:
    rulebook.require_manager(actor)
    return rulebook.business_type_of(Query(request).path_id("type"))


async def _kind(request: AnyRequest, tx: Transaction, actor: Actor) -> tuple[int, int]:
    business_type = _business_type(request, actor)
    return business_type, await rulebook.role_of(tx, business_type, Query(request).integer("roleId", NO_ROLE))


async def _named(tx: Transaction) -> tuple[dict[int, Member], dict[int, str]]:
    return await team.everybody(tx), {pond.id: pond.name for pond in await team.ponds(tx)}


@get("/v1.0/routing/rule/list/{type:str}")
async def list_contract_rules(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the rules of a kind as they are tried. contract: GET /v1.0/routing/rule/list/{type}"""
    found = await rulebook.listed(tx, actor, *await _kind(request, tx, actor))
    named = await _named(tx)
    return answer([contract_rule(rule, *named) for rule in found if not rule.is_draft and not rule.is_supplement])


@put("/v1.0/routing/rule/{type:str}")
async def change_contract_rule(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change a rule's hours and strategy. contract: PUT /v1.0/routing/rule/{type}"""
    business_type = _business_type(request, actor)
    await rulebook.change_strategy(tx, actor, business_type, await body_of(request, RoutingRuleRequest))
    return answer("ok")


@get("/v1.0/routing/rule/supplement/{type:str}")
async def get_supplement(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the default rule of a kind. contract: GET /v1.0/routing/rule/supplement/{type}"""
    rule = await rulebook.supplement(tx, actor, *await _kind(request, tx, actor))
    return answer(contract_supplement(rule, *await _named(tx)))


@put("/v1.0/routing/rule/supplement/{type:str}")
async def change_supplement(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change the default rule of a kind. contract: PUT /v1.0/routing/rule/supplement/{type}"""
    business_type = _business_type(request, actor)
    await rulebook.change_supplement(tx, actor, business_type, await body_of(request, SupplementRoutingRuleRequest))
    return answer("ok")


@get("/v1.0/routing/role/list")
async def list_roles(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the roles that rules for assistants can fill. contract: GET /v1.0/routing/role/list"""
    rulebook.require_manager(actor)
    return answer([{"id": role.id, "name": role.name} for role in await team.custom_roles(tx)])


@get("/v1.0/routing/member/list/{type:str}")
async def list_assignable(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return whom rules of a kind can name. contract: GET /v1.0/routing/member/list/{type}"""
    business_type, _ = await _kind(request, tx, actor)
    found = await rulebook.assignable(tx, actor, business_type)
    return answer([{"id": one.id, "name": full_name(one), "type": business_type} for one in found])


@get("/rooftree/v1/routing/rules")
async def list_rules(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return all rules as they are tried, drafts and default rules too; `type` and `roleId` choose. Ours."""
    rulebook.require_manager(actor)
    query = Query(request)
    wanted = query.integer("type")
    business_type = rulebook.business_type_of(wanted) if wanted is not None else None
    return await _rules(tx, await rulebook.listed(tx, actor, business_type, query.integer("roleId")))


async def _rules(tx: Transaction, found: Sequence[Rule]) -> Response[bytes]:
    named = await _named(tx)
    return answer({"rules": [rule_response(rule, *named) for rule in found]})


@post("/rooftree/v1/routing/rules", status_code=200)
async def create_rule(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Make a rule. Ours."""
    rulebook.require_manager(actor)
    rule = await rulebook.create_rule(tx, actor, await body_of(request, RuleRequest))
    return answer(rule_response(rule, *await _named(tx)))


@put("/rooftree/v1/routing/rules/{ruleId:str}")
async def update_rule(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change a rule. Ours."""
    rulebook.require_manager(actor)
    rule_id = Query(request).path_id("ruleId")
    rule = await rulebook.update_rule(tx, actor, rule_id, await body_of(request, RuleRequest))
    return answer(rule_response(rule, *await _named(tx)))


@delete("/rooftree/v1/routing/rules/{ruleId:str}", status_code=200)
async def delete_rule(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Delete a rule. Ours."""
    rulebook.require_manager(actor)
    await rulebook.delete_rule(tx, actor, Query(request).path_id("ruleId"))
    return answer()


@put("/rooftree/v1/routing/order")
async def reorder_rules(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Let rules be tried in another order. Ours."""
    rulebook.require_manager(actor)
    body = await body_of(request, OrderRequest)
    return await _rules(tx, await rulebook.reorder(tx, actor, body.rule_ids))


@get("/rooftree/v1/routing/members")
async def list_availability(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return who takes no leads when, and how many they take: one's own, and of those one manages. Ours."""
    book = await members.seats(tx)
    known = await queries.availabilities(tx)
    found = await members.shown(tx, actor)
    return answer({"members": [availability_response(one, book.seats.get(one.id), known.get(one.id)) for one in found]})


@get("/rooftree/v1/routing/members/{userId:str}")
async def get_availability(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return when somebody takes no leads, and how many they take. Ours."""
    return await _availability(tx, await members.find(tx, actor, Query(request).path_id("userId")))


@put("/rooftree/v1/routing/members/{userId:str}")
async def change_availability(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change when somebody takes no leads, and how many they take. Ours."""
    member = await members.find(tx, actor, Query(request).path_id("userId"))
    await members.change(tx, actor, member, await body_of(request, AvailabilityRequest))
    return await _availability(tx, member)


async def _availability(tx: Transaction, member: Member) -> Response[bytes]:
    seat = (await members.seats(tx)).seats.get(member.id)
    return answer(availability_response(member, seat, await queries.availability(tx, member.id)))


@get("/rooftree/v1/routing/offers")
async def list_offers(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the leads that the caller may claim now, those due first. Ours."""
    names = {rule.id: rule.name for rule in await queries.list_rules(tx, None, None)}
    found: list[dict[str, Any]] = [offer_response(one, names) for one in await queries.offers_to(tx, actor.member_id)]
    return answer({"offers": found})


ROUTES: Final[list[HTTPRouteHandler]] = [
    list_contract_rules,
    change_contract_rule,
    get_supplement,
    change_supplement,
    list_roles,
    list_assignable,
    list_rules,
    create_rule,
    update_rule,
    delete_rule,
    reorder_rules,
    list_availability,
    get_availability,
    change_availability,
    list_offers,
]
