"""From the rules' choice to the people on a lead: when it comes in, when it is claimed, when nobody touched it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from rooftree.leads import fields, queries, rules, store
from rooftree.leads.errors import LeadNotExist, LeadTaken
from rooftree.leads.model import UNSET_COLUMNS, Lead
from rooftree.leads.wire import LeadAssigneeRequest, LeadInquiry, LeadProperty
from rooftree.messaging import actions as messaging
from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.jobs import enqueue
from rooftree.routing import actions as routing
from rooftree.routing import queries as offers
from rooftree.routing.model import LENDER_LEAD, Assignment, Offer, Place, Question
from rooftree.routing.rules import SELLER
from rooftree.team import queries as team
from rooftree.team.model import Member
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry

#: The job that looks whether a lead on offer was touched.
MOVING_ON: Final = "pass_on_lead"
_LENDER_ROLE: Final = -2


def question_about(
    lead: Lead, caller_id: int, assign_group_id: int | None = None, before: Offer | None = None
) -> Question:
    """Return what the rules are asked about a lead. `before`: the offer that came to nothing."""
    inquiry: dict[str, Any] = msgspec.json.decode(lead.inquiry) if lead.inquiry else {}
    properties: list[dict[str, Any]] = msgspec.json.decode(lead.properties)
    is_seller = SELLER in lead.lead_types
    low, high = _prices(properties) if is_seller else (inquiry.get("priceMin", -1), inquiry.get("priceMax", -1))
    tried_ids, spent_rule_ids = routing.spent(before) if before else ([], [])
    return Question(
        assign_group_id,
        lead.ownership_scope,
        lead.ownership_id,
        caller_id,
        lead_types=lead.lead_types,
        source=lead.source or "",
        tags=store.tag_names(lead),
        segments=lead.segments,
        price_min=low if low >= 0 else None,
        price_max=high if high >= 0 else None,
        property_types=_property_types(inquiry, properties, is_seller=is_seller),
        places=[_place(place) for place in (properties if is_seller else inquiry.get("locations", ()))],
        has_phone=bool(lead.phones),
        language=lead.language or "",
        tried_ids=tried_ids,
        spent_rule_ids=spent_rule_ids,
    )


def _prices(properties: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    known = [
        price
        for one in properties
        for price in (one.get("price"), one.get("priceMin"), one.get("priceMax"))
        if price is not None and price >= 0
    ]
    return (min(known), max(known)) if known else (-1, -1)


def _property_types(
    inquiry: Mapping[str, Any], properties: Iterable[Mapping[str, Any]], *, is_seller: bool
) -> list[str]:
    if is_seller:
        return [one["propertyType"] for one in properties if one.get("propertyType")]
    return inquiry.get("propertyType") or []


def _place(known: Mapping[str, Any]) -> Place:
    state = known.get("state") or known.get("stateCode")
    words = (state, known.get("county"), known.get("city"), known.get("zipCode"), known.get("streetAddress"))
    return Place(*(str(word or "") for word in words))


def imagined_lead(request: LeadAssigneeRequest, actor: Actor, ownership: tuple[str, int]) -> Lead:
    """Return the lead that a preview speaks of, stored nowhere.

    Raises: InvalidParameter (20012), ParameterTooLong (20043), PropertyAddressEmpty (200057).
    """
    now = clock.now()
    row = fields.lead_columns(request)
    if isinstance(request.inquiry, LeadInquiry):
        inquiry = fields.inquiry_document(request.inquiry, None, lead_id=0, inquiry_id=0, now=now)
        row["inquiry"] = msgspec.json.encode(inquiry)
    home = request.property if isinstance(request.property, LeadProperty) else fields.address_of(row)
    if home:
        row["properties"] = msgspec.json.encode(
            [fields.property_document(home, None, lead_id=0, property_id=0, now=now)]
        )
    tags = fields.labels("tags", request.tags if isinstance(request.tags, list) else [], fields.TAG_LENGTH)
    row |= {
        "team_id": actor.team_id,
        "id": 0,
        "phones": row.get("phones") or ([request.phone] if request.phone else []),
        "tags": msgspec.json.encode([{"tagName": name} for name in tags]),
        "ownership_scope": ownership[0],
        "ownership_id": ownership[1],
    }
    return Lead(**UNSET_COLUMNS | row)


async def chosen_people(tx: Transaction, chosen: Iterable[Assignment]) -> list[dict[str, Any]]:
    """Return those whom the rules chose in the contract's shape `CustomRoleAssignee`."""
    people: list[dict[str, Any]] = []
    names = {role.id: role.name for role in await team.custom_roles(tx)}
    for one in chosen:
        member = await team.find_member(tx, one.member_id) if one.member_id is not None else None
        if member is None:
            continue
        role = "Lender" if one.business_type == LENDER_LEAD else names.get(one.role_id, "Agent")
        people.append(
            {
                "agentFullName": f"{member.first_name} {member.last_name}".strip(),
                "roleId": max(one.role_id, 0),
                "role": role,
                "assigneeId": member.id,
                "assignee": member.email,
                "permissionProfileName": (await team.profile_of(tx, member))[1],
            }
        )
    return people


async def people_of(tx: Transaction, lead: Lead, routed: routing.Routed) -> tuple[Lead, list[tuple[int, int]]]:
    """Return a new lead with everybody whom the rules gave it, and the role and member pairs besides its agent."""
    names: dict[int, str] = {}
    members: dict[int, Member] = {}
    if routed.others:
        names = {role.id: role.name for role in await team.custom_roles(tx)}
        found = [await team.find_member(tx, other.member_id or 0) for other in routed.others]
        members = {member.id: member for member in found if member}
    return with_people(lead, routed, names, members)


def with_people(
    lead: Lead, routed: routing.Routed, names: Mapping[int, str], members: Mapping[int, Member]
) -> tuple[Lead, list[tuple[int, int]]]:
    """Do what `people_of` does, with the names of roles and the members known."""
    agent = routed.agent
    now = lead.created_at if agent.member_id is not None else None
    lead = replace(lead, assigned_user_id=agent.member_id, pond_id=agent.pond_id, assigned_at=now)
    pairs: list[tuple[int, int]] = []
    documents: list[dict[str, Any]] = []
    for other in routed.others:
        member = members.get(other.member_id or 0)
        if member is None:
            continue
        if other.business_type == LENDER_LEAD:
            pairs.append((_LENDER_ROLE, member.id))
            lead = replace(lead, lender_user_id=member.id)
        elif other.role_id in names:
            pairs.append((other.role_id, member.id))
            role = {"roleId": other.role_id, "role": names[other.role_id]}
            documents.append({**role, "assigneeId": member.id, "assignee": member.email})
    return replace(lead, role_assignees=msgspec.json.encode(documents)), pairs


def routed_entries(lead: Lead, chosen: Iterable[Assignment]) -> list[Entry]:
    """Return the logbook's entries for what the rules chose, each with its reason."""
    return [Entry(kinds.LEAD_ROUTED, lead.id, one.details(), happened_at=lead.updated_at) for one in chosen]


async def put_on_offer(tx: Transaction, lead: Lead, chosen: Assignment, before: Offer | None = None) -> bool:
    """Tell those who may claim a lead, or have to touch it in time, and look again when the time has come.

    Writes: routing_offer, message, job. Returns whether the lead is on offer.
    """
    offer = await routing.put_on_offer(tx, lead.id, chosen, before)
    if offer is None:
        return False
    await enqueue(tx, MOVING_ON, run_at=offer.due_at, lead_id=lead.id, offer_id=offer.id)
    name = rules.full_name(lead.first_name, lead.last_name)
    for member_id in offer.member_ids:
        is_theirs = chosen.member_id is not None
        await messaging.notify_agent(
            tx,
            lead_id=lead.id,
            member_id=member_id,
            purpose="routing_offer",
            subject=f"New lead: {name}" if is_theirs else f"New lead to claim: {name}",
            body=_offer_text(name, lead, chosen.due_in_minutes or 0, is_theirs=is_theirs),
        )
    return True


def _offer_text(name: str, lead: Lead, minutes: int, *, is_theirs: bool) -> str:
    source = lead.source or "not named"
    if is_theirs:
        return (
            f"{name} is yours. Source: {source}.\n\nCall, text or write within {minutes} minutes, or claim the lead; "
            "otherwise it moves on."
        )
    return (
        f"{name} is waiting for an agent. Source: {source}.\n\n"
        f"The first to claim the lead within {minutes} minutes gets it."
    )


async def settle(tx: Transaction, old: Lead, changes: dict[str, Any]) -> None:
    """Let an assignment by hand end what routing had begun: the lead leaves its pond, and is no longer on offer."""
    if leaves_offer(old, changes):
        await routing.end_offer(tx, old.id, "ended")


def leaves_offer(old: Lead, changes: dict[str, Any]) -> bool:
    """Take a lead that is assigned by hand out of its pond; whether its offer, if it has one, must end."""
    if "assigned_user_id" not in changes:
        return False
    if old.pond_id is not None and changes["assigned_user_id"] is not None:
        changes["pond_id"] = None
    return True


async def may_claim(tx: Transaction, actor: Actor, lead_id: int | None) -> tuple[Lead, Offer | None]:
    """Return a lead that somebody may claim, locked, and the offer they claim it by.

    Without an offer it lies in a pond, or is theirs already: a claim may be sent again. Lenders work no leads, and
    what is hidden is drawn by nobody.

    Raises: LeadNotExist (20006), LeadTaken (409, 900409) when another of those it was offered to was first.
    """
    lead = await queries.locked_lead(tx, lead_id, is_followed=False) if lead_id is not None else None
    if lead is None or lead.trashed_at or actor.role == "lender":
        raise LeadNotExist
    offer = await offers.open_offer(tx, lead.id)
    if offer and actor.member_id in offer.member_ids:
        return lead, offer
    if lead.assigned_user_id == actor.member_id or (lead.pond_id in actor.pond_ids and not lead.is_hidden):
        return lead, None
    if name := await offers.claimed_before(tx, lead.id, actor.member_id):
        raise LeadTaken(f"{name} claimed the lead first.")
    raise LeadNotExist


def claim_entry(lead: Lead, name: str, member_id: int, offer: Offer | None) -> Entry:
    """Return the logbook's entry for a claim."""
    if offer is None:
        reason = f"{name} took it out of the pond."
    elif len(offer.member_ids) > 1:
        reason = f"{name} claimed it, first of {len(offer.member_ids)} it was offered to."
    else:
        reason = f"{name} claimed it in time."
    chosen = Assignment(
        member_id=member_id,
        scope="claim",
        reason=reason,
        considered=offer.member_ids if offer else (),
        rule_id=offer.rule_id if offer else None,
        strategy=offer.strategy if offer else None,
    )
    return Entry(kinds.LEAD_ROUTED, lead.id, chosen.details(), happened_at=clock.now())
