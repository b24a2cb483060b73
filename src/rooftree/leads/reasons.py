"""Why leads went where they went, and where other rules would have sent them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from rooftree.leads import queries
from rooftree.leads.handover import question_about
from rooftree.leads.model import Lead
from rooftree.leads.rules import full_name
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.reading import Int64
from rooftree.platform.wire_time import iso_z
from rooftree.routing import actions as routing
from rooftree.routing import queries as routing_queries
from rooftree.routing import rehearsal, rulebook, rules
from rooftree.routing.model import AGENT_LEAD, STRATEGY_NAMES, Assignment, Book
from rooftree.team import queries as team
from rooftree.team.model import Member
from rooftree.timeline import kinds
from rooftree.timeline import queries as timeline
from rooftree.timeline.model import TimelineEntry

#: How often one lead can be shown to have been routed.
_MOST_CHOICES: Final = 200


class RehearsalRequest(Struct, rename="camel"):
    """POST /rooftree/v1/routing/rehearse. Nothing named: all drafts of agents' rules, over the last 100 leads."""

    leads: Annotated[int, Meta(ge=1, le=1000)] = 100
    draft_ids: Annotated[list[Int64], Meta(max_length=500)] | None = None
    without_rule_ids: Annotated[list[Int64], Meta(max_length=500)] = []


async def routing_of(tx: Transaction, actor: Actor, lead_id: int | None) -> dict[str, Any]:
    """Return every choice that the rules made for a lead, newest first, each with what was tried and who was skipped.

    For those who manage the lead, as the system log, of which it is a part.
    Ours: GET /rooftree/v1/leads/{leadId}/routing. Raises: LeadNotExist (20006).
    """
    view = await queries.visible_lead(tx, actor, lead_id, is_managing=True)
    entries = await timeline.entries_of_kind(tx, view.lead.id, kinds.LEAD_ROUTED, limit=_MOST_CHOICES)
    members = await team.everybody(tx) if entries else {}
    known = await routing_queries.list_rules(tx, None, None) if entries else []
    rule_names = {rule.id: rules.rule_name(rule) for rule in known}
    roles = {role.id: role.name for role in await team.custom_roles(tx)} if entries else {}
    ponds = {pond.id: pond.name for pond in await team.ponds(tx)} if entries else {}
    return {
        "leadId": view.lead.id,
        "choices": [_choice(entry, members, rule_names, roles, ponds) for entry in entries],
    }


def _choice(
    entry: TimelineEntry,
    members: Mapping[int, Member],
    rule_names: Mapping[int, str],
    roles: Mapping[int, str],
    ponds: Mapping[int, str],
) -> dict[str, Any]:
    """Return one choice. Names are today's; what has gone since keeps its id only."""
    known: dict[str, Any] = msgspec.json.decode(entry.details)
    rule_id, role_id, pond_id = known.get("ruleId"), known.get("roleId", -1), known.get("pondId")
    return {
        "at": iso_z(entry.happened_at),
        "type": known.get("businessType", AGENT_LEAD),
        "roleId": role_id,
        "roleName": roles.get(role_id),
        "ruleId": rule_id,
        "ruleName": rule_names.get(rule_id or 0),
        "strategy": known.get("strategy"),
        "scope": known.get("scope"),
        "reason": known.get("reason", ""),
        "member": _person(known["to"], members) if known.get("to") else None,
        "pond": {"pondId": pond_id, "name": ponds.get(pond_id, "")} if pond_id else None,
        "offeredTo": [_person(one, members) for one in known.get("offeredTo", ())],
        "touchMinutes": known.get("touchMinutes"),
        "turn": known.get("turn"),
        "considered": [_person(one, members) for one in known.get("considered", ())],
        "skipped": known.get("skipped", []),
        "tried": known.get("tried", []),
    }


def _person(member_id: int, members: Mapping[int, Member]) -> dict[str, Any]:
    member = members.get(member_id)
    return {"memberId": member_id, "name": full_name(member.first_name, member.last_name) if member else ""}


async def rehearse(tx: Transaction, actor: Actor, request: RehearsalRequest) -> dict[str, Any]:
    """Say who would have got the last leads that the caller sees, had these rules stood; nothing is stored.

    Ours: POST /rooftree/v1/routing/rehearse. Raises: RoutingDenied (20017), InvalidParameter (20012).
    """
    rulebook.require_manager(actor)
    book = await _rehearsed_book(tx, actor, request)
    leads = await queries.newest_leads(tx, actor, request.leads)
    leads.reverse()
    chosen = await routing.rehearse(
        book, [(question_about(lead, lead.created_by or 0), lead.created_at) for lead in leads]
    )
    members = await team.everybody(tx)
    return {
        **rehearsal.summary(book, chosen),
        "items": [_rehearsed(book, members, lead, one) for lead, one in zip(leads, chosen, strict=True)],
    }


async def _rehearsed_book(tx: Transaction, actor: Actor, request: RehearsalRequest) -> Book:
    own = {rule.id: rule for rule in await rulebook.listed(tx, actor, AGENT_LEAD)}
    drafts = {rule.id for rule in own.values() if rule.is_draft}
    wanted = drafts if request.draft_ids is None else set(request.draft_ids)
    for rule_id in (*wanted, *request.without_rule_ids):
        if rule_id not in own:
            raise InvalidParameter(f"draftIds, withoutRuleIds: {rule_id} is none of your rules for agents.")
    book = await routing_queries.book(tx, drafts=sorted(wanted))
    without = set(request.without_rule_ids)
    return msgspec.structs.replace(book, rules=[rule for rule in book.rules if rule.id not in without])


def _rehearsed(book: Book, members: Mapping[int, Member], lead: Lead, chosen: Assignment) -> dict[str, Any]:
    rule = rehearsal.rule_of(book, chosen)
    present = lead.assigned_user_id
    return {
        "leadId": lead.id,
        "name": full_name(lead.first_name, lead.last_name),
        "createdAt": iso_z(lead.created_at),
        "ruleId": chosen.rule_id,
        "ruleName": rules.rule_name(rule) if rule else "",
        "strategy": STRATEGY_NAMES[rule.strategy] if rule else None,
        "member": _person(chosen.member_id, members) if chosen.member_id is not None else None,
        "pondId": chosen.pond_id,
        "offeredTo": [_person(one, members) for one in chosen.offered_to],
        "reason": chosen.reason,
        "tried": _plain(chosen.tried),
        "skipped": _plain(chosen.skipped),
        "assignedNow": _person(present, members) if present is not None else None,
    }


def _plain(found: Sequence[Struct]) -> list[Any]:
    return msgspec.to_builtins(list(found))
