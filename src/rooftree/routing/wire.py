"""The contract's shapes of routing, and our own beside them."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from rooftree.platform.http.reading import Int32, Int64
from rooftree.platform.wire_time import epoch_millis, iso_z
from rooftree.routing.model import (
    ALL_OF,
    STRATEGY_NAMES,
    Criteria,
    Offer,
    Rule,
    Seat,
)
from rooftree.routing.queries import Availability, days_off
from rooftree.routing.rules import criteria_of, weights_of
from rooftree.team.model import Member

T = TypeVar("T")
#: null and left out differ: left out keeps what is.
Unset: TypeAlias = T | UnsetType | None
StrategyName = Literal["ROUND_ROBIN", "NEXT_UP", "BLAST_ALERT", "LEAD_POND", "DEFAULT_ASSIGNEE"]
_Text = Annotated[str, Meta(max_length=255)]
_Words = Annotated[list[_Text], Meta(max_length=100)]
_Price = Annotated[int, Meta(ge=0, le=2**62)]
_Match = Literal[0, 1, 2, 3]
_LeadType = Literal[-1, 1, 2, 3, 5, 6, 7, 8, 9]
#: contract: vocab.md, lead types
_LEAD_TYPE_NAMES: Final = {
    -1: "Other",
    1: "Seller",
    2: "Buyer",
    3: "B&S",
    5: "Renter",
    6: "Investor",
    7: "Agent",
    8: "Homeowner",
    9: "Landlord",
}


class MemberWeight(Struct, rename="camel"):
    """A member of a line, and how many turns they have where another has one."""

    member_id: Int64
    weight: Annotated[int, Meta(ge=0, le=1_000_000)] = 1


class RoutingStrategy(Struct, rename="camel"):
    """How a rule chooses. Weights: published as one object, accepted as an array too."""

    strategy_type: Int32 | None = None
    group_id: Unset[Int64] = UNSET
    touch_minutes: Unset[Int64] = UNSET
    member_weights: list[MemberWeight] | MemberWeight | UnsetType | None = UNSET


class ActiveHours(Struct, rename="camel"):
    """When a rule takes leads."""

    active_days: list[Int64] | None = None
    hours_start: Int64 | None = None
    hours_end: Int64 | None = None


class RoutingRuleRequest(Struct, rename="camel"):
    """PUT /v1.0/routing/rule/{type}: what is left out stays."""

    id: Int64 | None = None
    active_hours: ActiveHours | None = None
    routing_strategy: RoutingStrategy | None = None


class SupplementRoutingRuleRequest(Struct, rename="camel"):
    """PUT /v1.0/routing/rule/supplement/{type}."""

    role_id: Int64 | None = None
    strategy_type: Int32 | None = None
    touch_minutes: Int64 | None = None
    assignee_agent_id: Int64 | None = None
    assignee_group_id: Int64 | None = None


class CriteriaRequest(Struct, rename="camel"):
    """What a rule asks of a lead; what is left out asks nothing. Matches: 1 one of, 2 none of, 3 all of."""

    source_names: _Words = []
    source_match: _Match = 0
    tag_names: _Words = []
    tag_match: _Match = 0
    segment_names: _Words = []
    segment_match: _Match = 0
    lead_type_ids: Annotated[list[_LeadType], Meta(max_length=9)] = []
    lead_type_match: Literal[0, 1, 3] = 0
    location_match: _Match = 0
    state: _Text = ""
    county: _Text = ""
    city: Annotated[str, Meta(max_length=2000)] = ""
    zipcode: Annotated[str, Meta(max_length=2000)] = ""
    street_address: _Text = ""
    phone: Literal["", "With", "Without"] = ""
    price_min: _Price | None = None
    price_max: _Price | None = None
    property_types: _Words = []
    languages: _Words = []


class HoursRequest(Struct, rename="camel"):
    """When a rule takes leads: days 1 Monday to 7 Sunday, hours 0-23, on the clocks of a zone (null: the team's)."""

    days: list[Int64] | UnsetType = UNSET
    start: Int64 | UnsetType = UNSET
    end: Int64 | UnsetType = UNSET
    time_zone: Unset[_Text] = UNSET


class RuleRequest(Struct, rename="camel", kw_only=True):
    """POST and PUT /rooftree/v1/routing/rules: what is left out stays, or is as a new rule has it."""

    type: Literal[1, 2, 4] | UnsetType = UNSET
    role_id: Int32 | UnsetType = UNSET
    office_id: Unset[Int64] = UNSET
    name: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    is_on: bool | UnsetType = UNSET
    is_draft: bool | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET
    criteria: CriteriaRequest | UnsetType = UNSET
    hours: HoursRequest | UnsetType = UNSET
    strategy: StrategyName | UnsetType = UNSET
    touch_minutes: Unset[Int64] = UNSET
    pond_id: Unset[Int64] = UNSET
    assignee_id: Unset[Int64] = UNSET
    members: list[MemberWeight] | UnsetType = UNSET


class OrderRequest(Struct, rename="camel"):
    """PUT /rooftree/v1/routing/order: rules of one level, the first to be tried first."""

    rule_ids: Annotated[list[Int64], Meta(min_length=1, max_length=1000)]


class Vacation(Struct, rename="camel"):
    """Days on which somebody takes no leads, both included, on the team's calendar."""

    from_: date = msgspec.field(name="from")
    to: date


class AvailabilityRequest(Struct, rename="camel"):
    """PUT /rooftree/v1/routing/members/{userId}: what is left out stays."""

    is_paused: bool | UnsetType = UNSET
    paused_until: Unset[str] = UNSET
    vacations: Annotated[list[Vacation], Meta(max_length=100)] | UnsetType = UNSET
    daily_limit: Annotated[int, Meta(ge=0, le=1_000_000)] | UnsetType | None = UNSET
    open_limit: Annotated[int, Meta(ge=0, le=10_000_000)] | UnsetType | None = UNSET


# --- answers ---------------------------------------------------------------------------------------------------------

Names: TypeAlias = Mapping[int, str]


def contract_rule(rule: Rule, members: Mapping[int, Member], ponds: Names) -> dict[str, Any]:
    """Return a rule in the contract's shape `RoutingRule`."""
    asked = criteria_of(rule.criteria)
    return {
        "id": rule.id,
        "name": rule.name,
        "locationRule": {
            "locationMatchType": asked.location_match,
            "state": asked.state,
            "county": asked.county,
            "city": asked.city,
            "zipcode": asked.zipcode,
            "streetAddress": asked.street_address,
        },
        "sourceName": ",".join(asked.source_names),
        "sourceMatchType": asked.source_match,
        "tagNames": asked.tag_names,
        "tagMatchType": asked.tag_match,
        "groupNames": asked.segment_names,
        "groupMatchType": asked.segment_match,
        "phone": asked.phone,
        "priceMin": asked.price_min,
        "priceMax": asked.price_max,
        "leadType": ",".join(_LEAD_TYPE_NAMES[one] for one in asked.lead_type_ids),
        "leadTypeFilters": _lead_type_filters(asked),
        "activeHours": {
            "activeDays": rule.active_days,
            "hoursStart": rule.hours_start,
            "hoursEnd": rule.hours_end,
        },
        "routingStrategy": _contract_strategy(rule, members, ponds),
        "ruleSwitch": rule.is_on,
        "updateTime": epoch_millis(rule.updated_at),
    }


def _lead_type_filters(asked: Criteria) -> str:
    if not asked.lead_type_ids:
        return ""
    how = "all" if asked.lead_type_match == ALL_OF else "one_of"
    return msgspec.json.encode({"type": how, "ids": ",".join(map(str, asked.lead_type_ids))}).decode()


def _contract_strategy(rule: Rule, members: Mapping[int, Member], ponds: Names) -> dict[str, Any]:
    weights = [_contract_weight(member_id, weight, members) for member_id, weight in weights_of(rule.weights)]
    return {
        "strategyType": rule.strategy,
        "groupId": rule.pond_id,
        "groupName": ponds.get(rule.pond_id or 0),
        "touchMinutes": rule.touch_minutes or 0,
        # One object is what the contract prints; only an array holds several.
        "memberWeights": weights if len(weights) > 1 else (weights[0] if weights else None),
    }


def _contract_weight(member_id: int, weight: int, members: Mapping[int, Member]) -> dict[str, Any]:
    member = members.get(member_id)
    names = (member.first_name, member.last_name) if member else ("", "")
    return {"memberId": member_id, "firstName": names[0], "lastName": names[1], "weight": weight}


def contract_supplement(rule: Rule, members: Mapping[int, Member], ponds: Names) -> dict[str, Any]:
    """Return a default rule in the contract's shape `SupplementRoutingRule`."""
    agent = members.get(rule.assignee_id or 0)
    return {
        "roleId": rule.role_id,
        "businessType": rule.business_type,
        "strategyType": rule.strategy,
        "touchMinutes": rule.touch_minutes or 0,
        "assigneeAgentName": full_name(agent) if agent else None,
        "assigneeAgentId": rule.assignee_id,
        "assigneeGroupName": ponds.get(rule.pond_id or 0),
        "assigneeGroupId": rule.pond_id,
        "updateTime": epoch_millis(rule.updated_at) if rule.id else None,
    }


def full_name(member: Member) -> str:
    """Return how somebody is called."""
    return f"{member.first_name} {member.last_name}".strip() or member.email


def rule_response(rule: Rule, members: Mapping[int, Member], ponds: Names) -> dict[str, Any]:
    """Return a rule in our own shape."""
    assignee = members.get(rule.assignee_id or 0)
    return {
        "id": rule.id,
        "type": rule.business_type,
        "roleId": rule.role_id,
        "officeId": rule.office_id,
        "name": rule.name,
        "isOn": rule.is_on,
        "isDraft": rule.is_draft,
        "isDefault": rule.is_supplement,
        "criteria": msgspec.to_builtins(criteria_of(rule.criteria)),
        "hours": {
            "days": rule.active_days,
            "start": rule.hours_start,
            "end": rule.hours_end,
            "timeZone": rule.time_zone,
        },
        "strategy": STRATEGY_NAMES[rule.strategy],
        "touchMinutes": rule.touch_minutes,
        "pondId": rule.pond_id,
        "pondName": ponds.get(rule.pond_id or 0),
        "assigneeId": rule.assignee_id,
        "assigneeName": full_name(assignee) if assignee else None,
        "members": [
            {
                "memberId": member_id,
                "name": full_name(members[member_id]) if member_id in members else "",
                "weight": weight,
            }
            for member_id, weight in weights_of(rule.weights)
        ],
        "createdAt": iso_z(rule.created_at),
        "updatedAt": iso_z(rule.updated_at),
    }


def availability_response(member: Member, seat: Seat | None, known: Availability | None) -> dict[str, Any]:
    """Return when somebody takes no leads and how many they take, with what they have. `seat`: None when inactive."""
    vacations = days_off(known.vacations) if known else ()
    return {
        "memberId": member.id,
        "name": full_name(member),
        "isActive": seat is not None,
        "isPaused": known.is_paused if known else False,
        "pausedUntil": iso_z(known.paused_until) if known else None,
        "vacations": [{"from": first.isoformat(), "to": last.isoformat()} for first, last in vacations],
        "dailyLimit": known.daily_cap if known else None,
        "openLimit": known.open_cap if known else None,
        "leadsToday": seat.today if seat and seat.daily_cap is not None else None,
        "openLeads": seat.open if seat and seat.open_cap is not None else None,
    }


def offer_response(offer: Offer, rules: Names) -> dict[str, Any]:
    """Return a lead that somebody may claim."""
    return {
        "leadId": offer.lead_id,
        "strategy": STRATEGY_NAMES[offer.strategy],
        "ruleId": offer.rule_id,
        "ruleName": rules.get(offer.rule_id or 0),
        "offeredTo": len(offer.member_ids),
        "offeredAt": iso_z(offer.created_at),
        "dueAt": iso_z(offer.due_at),
    }


def criteria_from(asked: CriteriaRequest) -> Criteria:
    """Return what a rule asks, with words that are named and no comparison compared as one of them."""
    return Criteria(
        source_names=asked.source_names,
        source_match=_match(asked.source_match, asked.source_names),
        tag_names=asked.tag_names,
        tag_match=_match(asked.tag_match, asked.tag_names),
        segment_names=asked.segment_names,
        segment_match=_match(asked.segment_match, asked.segment_names),
        lead_type_ids=list(asked.lead_type_ids),
        lead_type_match=ALL_OF if asked.lead_type_match == ALL_OF else 1,
        location_match=_match(
            asked.location_match,
            [one for one in (asked.state, asked.county, asked.city, asked.zipcode, asked.street_address) if one],
        ),
        state=asked.state,
        county=asked.county,
        city=asked.city,
        zipcode=asked.zipcode,
        street_address=asked.street_address,
        phone=asked.phone,
        price_min=asked.price_min,
        price_max=asked.price_max,
        property_types=asked.property_types,
        languages=asked.languages,
    )


def _match(match: int, words: Sequence[str]) -> int:
    return (match or 1) if words else 0
