"""Who may change the rules, and what a rule may say."""

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from rooftree.platform.actor import MANAGE_LEAD_DISTRIBUTION, Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.wire_time import parse_zone
from rooftree.routing import queries, rules, store
from rooftree.routing.errors import (
    BusinessTypeError,
    InvalidActiveDay,
    InvalidActiveHours,
    InvalidGroupId,
    InvalidMemberWeight,
    InvalidRoleId,
    InvalidRuleId,
    InvalidTouchMinutes,
    RoutingDenied,
    StrategyTypeError,
    StrategyTypeNotMatch,
)
from rooftree.routing.model import (
    AGENT_LEAD,
    ASSISTANT_LEAD,
    BLAST_ALERT,
    BUSINESS_TYPES,
    DEFAULT_ASSIGNEE,
    LEAD_POND,
    LENDER_LEAD,
    NEXT_UP,
    NO_ROLE,
    STRATEGY_NAMES,
    Rule,
)
from rooftree.routing.wire import (
    MemberWeight,
    RoutingRuleRequest,
    RuleRequest,
    SupplementRoutingRuleRequest,
    criteria_from,
)
from rooftree.team import queries as team
from rooftree.team.model import Member

T = TypeVar("T")
#: A lead that comes in reads them all.
MOST_RULES: Final = 500
_STRATEGY_NUMBERS: Final = {name: number for number, name in STRATEGY_NAMES.items()}
#: Who may stand in a line, by business type; the roles of people on a lead are anybody's but a lender's.
_ROLES_OF_LINE: Final = {
    AGENT_LEAD: frozenset({"owner", "admin", "office_owner", "office_admin", "agent"}),
    LENDER_LEAD: frozenset({"lender"}),
    ASSISTANT_LEAD: frozenset({"owner", "admin", "office_owner", "office_admin", "agent", "assistant"}),
}
_DAY_MINUTES: Final = 1440
_HOUR_MINUTES: Final = 60


# --- whose rules, of which kind --------------------------------------------------------------------------------------


def require_manager(actor: Actor) -> None:
    """Let pass whoever manages the distribution of leads somewhere. Raises: RoutingDenied (20017)."""
    if not actor.may_somewhere(MANAGE_LEAD_DISTRIBUTION):
        raise RoutingDenied


def manages(actor: Actor, office_id: int | None) -> bool:
    """Whether somebody manages the distribution of an office's leads; None: of the company's."""
    return actor.may(MANAGE_LEAD_DISTRIBUTION, office_id)


def business_type_of(number: int | None) -> int:
    """Return the kind of rules that a path names. Raises: BusinessTypeError (900030)."""
    if number not in BUSINESS_TYPES:
        raise BusinessTypeError
    return number


async def role_of(tx: Transaction, business_type: int, role_id: int | None) -> int:
    """Return the role that rules for assistants fill; -1 for all others. Raises: InvalidRoleId (900034)."""
    if business_type != ASSISTANT_LEAD:
        return NO_ROLE
    if role_id not in {role.id for role in await team.custom_roles(tx)}:
        raise InvalidRoleId
    return role_id


def may_stand(business_type: int, member: Member) -> bool:
    """Whether somebody of this role can be in a line of this kind."""
    return member.role in _ROLES_OF_LINE[business_type]


async def assignable(tx: Transaction, actor: Actor, business_type: int) -> list[Member]:
    """Return the active members that rules of a kind can name: everybody, or those of one's own offices."""
    return [
        member
        for member in (await team.everybody(tx)).values()
        if member.status == "active"
        and may_stand(business_type, member)
        and (manages(actor, None) or manages(actor, member.office_id))
    ]


async def listed(
    tx: Transaction, actor: Actor, business_type: int | None = None, role_id: int | None = None
) -> list[Rule]:
    """Return the rules that somebody manages, drafts and default rules too, as they are tried: offices' first."""
    found = [rule for rule in await queries.list_rules(tx, business_type, role_id) if manages(actor, rule.office_id)]
    return sorted(found, key=_place_of)


def _place_of(rule: Rule) -> tuple[Any, ...]:
    level = (rule.office_id is None, rule.office_id or 0)
    return (rule.business_type, rule.role_id, *level, rule.is_supplement, rule.position, rule.id)


# --- the contract's changes ------------------------------------------------------------------------------------------


async def change_strategy(tx: Transaction, actor: Actor, business_type: int, request: RoutingRuleRequest) -> Rule:
    """Change when a rule takes leads, and how it chooses. contract: PUT /v1.0/routing/rule/{type}

    Writes: routing_rule. Raises: RoutingDenied (20017), InvalidRuleId (900033), and what `_check` does.
    """
    rule = await _found(tx, actor, request.id)
    if rule.business_type != business_type or rule.is_supplement or rule.is_draft:
        raise InvalidRuleId
    changes: dict[str, Any] = {}
    if hours := request.active_hours:
        changes |= _hours(hours.active_days, hours.hours_start, hours.hours_end)
    if wanted := request.routing_strategy:
        changes |= _given(touch_minutes=_none_for_zero(wanted.touch_minutes), pond_id=_none_for_zero(wanted.group_id))
        if wanted.strategy_type is not None:
            changes["strategy"] = wanted.strategy_type
        if not isinstance(wanted.member_weights, UnsetType):
            changes["weights"] = _weights(wanted.member_weights or [])
    return await _store(tx, actor, rule, changes)


async def supplement(tx: Transaction, actor: Actor, business_type: int, role_id: int) -> Rule:
    """Return the default rule: the company's, or, for who manages offices only, that of their own.

    Where nobody made one: everybody in turn; for lenders and roles of people on a lead: nobody. Its id is 0 then.
    contract: GET /v1.0/routing/rule/supplement/{type}. Raises: RoutingDenied (20017).
    """
    office_id = _own_level(actor)
    for rule in await queries.list_rules(tx, business_type, role_id):
        if rule.is_supplement and rule.office_id == office_id:
            return rule
    rule = rules.default_rule(office_id, business_type, role_id)
    return rule if business_type == AGENT_LEAD else replace(rule, strategy=DEFAULT_ASSIGNEE)


def _own_level(actor: Actor) -> int | None:
    if manages(actor, None):
        return None
    if actor.office_id is None or not manages(actor, actor.office_id):
        raise RoutingDenied
    return actor.office_id


async def change_supplement(
    tx: Transaction, actor: Actor, business_type: int, request: SupplementRoutingRuleRequest
) -> Rule:
    """Say what happens to leads that no rule takes. contract: PUT /v1.0/routing/rule/supplement/{type}

    Writes: routing_rule. Raises: RoutingDenied (20017), and what `_check` does.
    """
    role_id = await role_of(tx, business_type, request.role_id)
    rule = await supplement(tx, actor, business_type, role_id)
    changes = {
        "strategy": request.strategy_type if request.strategy_type is not None else rule.strategy,
        "touch_minutes": request.touch_minutes or None,
        "assignee_id": request.assignee_agent_id or None,
        "pond_id": request.assignee_group_id or None,
    }
    return await _store(tx, actor, rule, changes)


# --- our own changes -------------------------------------------------------------------------------------------------


async def create_rule(tx: Transaction, actor: Actor, request: RuleRequest) -> Rule:
    """Make a rule, the last of its level. Ours: POST /rooftree/v1/routing/rules

    Writes: routing_rule. Raises: RoutingDenied (20017), InvalidParameter (20012), and what `_check` does.
    """
    business_type = AGENT_LEAD if request.type is UNSET else request.type
    role_id = await role_of(tx, business_type, None if request.role_id is UNSET else request.role_id)
    office_id = None if request.office_id is UNSET else request.office_id
    await _require_office(tx, actor, office_id)
    known = await queries.list_rules(tx, None, None)
    if len(known) >= MOST_RULES:
        raise InvalidParameter(f"A team has at most {MOST_RULES} rules; delete some that are off.")
    rule = replace(
        rules.default_rule(office_id, business_type, role_id),
        is_supplement=request.is_default is True,
        position=max((one.position for one in known), default=0) + 1,
    )
    return await _store(tx, actor, rule, _columns(request))


async def update_rule(tx: Transaction, actor: Actor, rule_id: int | None, request: RuleRequest) -> Rule:
    """Change a rule. Ours: PUT /rooftree/v1/routing/rules/{ruleId}

    Writes: routing_rule. Raises: RoutingDenied (20017), InvalidRuleId (900033), InvalidParameter (20012) on a change
    of what a rule is made with (type, roleId, officeId, isDefault), and what `_check` does.
    """
    rule = await _found(tx, actor, rule_id)
    fixed = {
        "type": (request.type, rule.business_type),
        "roleId": (request.role_id, rule.role_id),
        "officeId": (request.office_id, rule.office_id),
        "isDefault": (request.is_default, rule.is_supplement),
    }
    for name, (wanted, present) in fixed.items():
        if wanted is not UNSET and wanted != present:
            raise InvalidParameter(f"{name}: cannot be changed; make a new rule instead.")
    return await _store(tx, actor, rule, _columns(request))


async def delete_rule(tx: Transaction, actor: Actor, rule_id: int | None) -> None:
    """Delete a rule. Ours: DELETE /rooftree/v1/routing/rules/{ruleId}

    Writes: routing_rule, routing_turn. Raises: RoutingDenied (20017), InvalidRuleId (900033), InvalidParameter (20012)
    for a default rule.
    """
    rule = await _found(tx, actor, rule_id)
    if rule.is_supplement:
        raise InvalidParameter("A default rule cannot be deleted, for it catches what no other rule takes; change it.")
    await store.delete_rule(tx, rule.id)


async def reorder(tx: Transaction, actor: Actor, rule_ids: Sequence[int]) -> list[Rule]:
    """Let the rules of a level be tried in this order; those left out follow. Ours: PUT /rooftree/v1/routing/order

    Writes: routing_rule. Raises: RoutingDenied (20017), InvalidRuleId (900033), InvalidParameter (20012).
    """
    first = await _found(tx, actor, rule_ids[0])
    level = (first.business_type, first.role_id, first.office_id)
    of_level = {
        rule.id: rule
        for rule in await listed(tx, actor, first.business_type, first.role_id)
        if rule.office_id == first.office_id and not rule.is_supplement
    }
    if len(set(rule_ids)) != len(rule_ids):
        raise InvalidParameter("ruleIds: names a rule twice.")
    for rule_id in rule_ids:
        if rule_id not in of_level:
            raise InvalidParameter(f"ruleIds: {rule_id} is not a rule of the same type, role and office, or a default.")
    await store.reorder(tx, [*rule_ids, *(rule_id for rule_id in of_level if rule_id not in set(rule_ids))])
    found = await listed(tx, actor, first.business_type, first.role_id)
    return [rule for rule in found if (rule.business_type, rule.role_id, rule.office_id) == level]


def _columns(request: RuleRequest) -> dict[str, Any]:
    row = _given(
        name=request.name if request.name is UNSET else request.name.strip(),
        is_on=request.is_on,
        is_draft=request.is_draft,
        touch_minutes=_none_for_zero(request.touch_minutes),
        pond_id=request.pond_id,
        assignee_id=request.assignee_id,
    )
    if request.criteria is not UNSET:
        criteria = criteria_from(request.criteria)
        low, high = criteria.price_min, criteria.price_max
        if low is not None and high is not None and low > high:
            raise InvalidParameter("criteria: priceMin must not be above priceMax.")
        row["criteria"] = msgspec.json.encode(criteria)
    if hours := request.hours or None:
        row |= _hours(_known(hours.days), _known(hours.start), _known(hours.end))
        if hours.time_zone is not UNSET:
            if hours.time_zone is not None and parse_zone(hours.time_zone) is None:
                raise InvalidParameter("hours.timeZone: is not an IANA time zone, such as America/Denver.")
            row["time_zone"] = hours.time_zone
    if request.strategy is not UNSET:
        row["strategy"] = _STRATEGY_NUMBERS[request.strategy]
    if request.members is not UNSET:
        row["weights"] = _weights(request.members)
    return row


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not UNSET}


def _known(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value


def _none_for_zero(value: int | UnsetType | None) -> int | UnsetType | None:
    return value if value is UNSET else value or None


def _hours(days: Sequence[int] | None, start: int | None, end: int | None) -> dict[str, Any]:
    if days is not None and (not days or not set(days) <= set(range(1, 8))):
        raise InvalidActiveDay
    if any(hour is not None and not 0 <= hour <= 23 for hour in (start, end)):
        raise InvalidActiveHours
    row = {"active_days": sorted(set(days)) if days else None, "hours_start": start, "hours_end": end}
    return {name: value for name, value in row.items() if value is not None}


def _weights(given: MemberWeight | Sequence[MemberWeight]) -> bytes:
    one_or_more = [given] if isinstance(given, MemberWeight) else given
    return msgspec.json.encode([[one.member_id, one.weight] for one in one_or_more])


# --- what holds for every rule ---------------------------------------------------------------------------------------


async def _found(tx: Transaction, actor: Actor, rule_id: int | None) -> Rule:
    """Return a rule, locked. Raises: RoutingDenied (20017) when it is another office's, InvalidRuleId (900033)."""
    rule = await queries.find_rule(tx, rule_id)
    if rule is None:
        raise InvalidRuleId
    if not manages(actor, rule.office_id):
        raise RoutingDenied
    return rule


async def _require_office(tx: Transaction, actor: Actor, office_id: int | None) -> None:
    if office_id is not None and office_id not in await team.offices(tx):
        raise InvalidParameter("officeId: no such office; leave it out for rules of the company.")
    if not manages(actor, office_id):
        raise RoutingDenied


async def _store(tx: Transaction, actor: Actor, rule: Rule, changes: Mapping[str, Any]) -> Rule:
    """Store a rule as it is with the changes, if it may be so. A rule without id is new."""
    new = replace(rule, **changes)
    await _check(tx, actor, new)
    if new.strategy != DEFAULT_ASSIGNEE and new.assignee_id is not None:
        new = replace(new, assignee_id=None)
    if new.strategy not in (LEAD_POND, DEFAULT_ASSIGNEE) and new.pond_id is not None:
        new = replace(new, pond_id=None)
    row = {name: getattr(new, name) for name in Rule.__struct_fields__ if name not in _KEPT}
    if rule.id:
        return await store.update_rule(tx, rule.id, row)
    stored = await store.insert_rule(tx, row)
    if stored is None:
        raise InvalidParameter("isDefault: this type, role and office has its default rule already; change that one.")
    return stored


_KEPT: Final = {"team_id", "id", "created_at", "updated_at"}


async def _check(tx: Transaction, actor: Actor, rule: Rule) -> None:
    """Refuse what a rule may not say.

    Raises: StrategyTypeError (900031), StrategyTypeNotMatch (900032), InvalidGroupId (900035), InvalidMemberWeight
    (900038), InvalidTouchMinutes (900039), InvalidParameter (20012).
    """
    if rule.is_draft and rule.is_supplement:
        raise InvalidParameter("isDraft: a default rule is always in force; rehearse one without conditions instead.")
    _check_strategy(rule)
    _check_touch(rule)
    everybody = await team.everybody(tx)
    await _check_pond(tx, actor, rule)
    _check_line(actor, rule, everybody)
    if rule.strategy == DEFAULT_ASSIGNEE:
        _check_assignee(actor, rule, everybody)


def _check_strategy(rule: Rule) -> None:
    if rule.strategy not in STRATEGY_NAMES:
        raise StrategyTypeError
    name = STRATEGY_NAMES[rule.strategy]
    if rule.strategy == LEAD_POND and rule.business_type != AGENT_LEAD:
        raise StrategyTypeNotMatch(f"{name} is for the leads of agents (type 1) only.")
    if rule.strategy in (NEXT_UP, BLAST_ALERT) and rule.business_type == ASSISTANT_LEAD:
        raise StrategyTypeNotMatch(f"{name} is not for assistants (type 4).")
    if rule.strategy == DEFAULT_ASSIGNEE and not rule.is_supplement:
        raise StrategyTypeNotMatch(f"{name} is for default rules only.")


def _check_touch(rule: Rule) -> None:
    minutes = rule.touch_minutes
    if minutes is None:
        if rule.strategy in (NEXT_UP, BLAST_ALERT):
            raise InvalidTouchMinutes(f"{STRATEGY_NAMES[rule.strategy]} needs it. {InvalidTouchMinutes.text}")
        return
    if not 0 < minutes <= _DAY_MINUTES or (minutes > _HOUR_MINUTES and minutes % _HOUR_MINUTES):
        raise InvalidTouchMinutes


async def _check_pond(tx: Transaction, actor: Actor, rule: Rule) -> None:
    if rule.pond_id is None:
        if rule.strategy == LEAD_POND:
            raise InvalidGroupId
        return
    for pond in await team.ponds(tx):
        if pond.id == rule.pond_id and pond.is_enabled and (pond.office_id is None or manages(actor, pond.office_id)):
            return
    raise InvalidGroupId


def _check_line(actor: Actor, rule: Rule, everybody: Mapping[int, Member]) -> None:
    line = rules.weights_of(rule.weights)
    if not line:
        return
    weights = [weight for _, weight in line]
    if len({member_id for member_id, _ in line}) != len(line):
        raise InvalidMemberWeight("memberWeights: names somebody twice.")
    for member_id, _ in line:
        member = everybody.get(member_id)
        if member is None or not (manages(actor, None) or manages(actor, member.office_id)):
            raise InvalidMemberWeight(f"memberWeights: {member_id} is not a member of the team.")
        if not may_stand(rule.business_type, member):
            raise InvalidMemberWeight(f"memberWeights: {full_role(member)} cannot be in this line.")
    if not any(weights):
        raise InvalidMemberWeight("memberWeights: at least one weight must be above 0.")
    if sum(weights) // gcd(*weights) > rules.LONGEST_LINE:
        raise InvalidMemberWeight(
            f"memberWeights: brought down to their smallest, they may add up to {rules.LONGEST_LINE} at most."
        )


def full_role(member: Member) -> str:
    """Return somebody's name and role, for a sentence."""
    return f"{member.first_name or member.email} ({member.role.replace('_', ' ')})"


def _check_assignee(actor: Actor, rule: Rule, everybody: Mapping[int, Member]) -> None:
    if rule.business_type == AGENT_LEAD and (rule.assignee_id is None) == (rule.pond_id is None):
        raise InvalidParameter("Exactly one of assigneeAgentId and assigneeGroupId is needed.")
    if rule.business_type != AGENT_LEAD and rule.pond_id is not None:
        raise InvalidParameter("assigneeGroupId: a pond takes the leads of agents (type 1) only.")
    if rule.assignee_id is None:
        return
    member = everybody.get(rule.assignee_id)
    is_able = member is not None and member.status == "active" and may_stand(rule.business_type, member)
    if member is None or not is_able or not (manages(actor, None) or manages(actor, member.office_id)):
        raise InvalidParameter(
            "assigneeAgentId: must be an active member of the team, or of your offices, who can take these leads."
        )
