"""Who works a lead: its agent, assistant, lender, custom roles and shared agents.

contract: POST /v1.0/leads/{leadId}/assignment, seeds.md D4
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rooftree.leads import fields, handover, queries, rules, store
from rooftree.leads.actions import audience
from rooftree.leads.model import Lead
from rooftree.leads.wire import RoleAssignment
from rooftree.messaging import actions as messaging
from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter
from rooftree.team import queries as team
from rooftree.team.model import Member
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry, record

SHARED: Final = 0
ASSISTANT: Final = -1
LENDER: Final = -2
_AGENT: Final = "agent"


class _Wish(Struct, frozen=True):
    """One role and who is to have it; None: nobody."""

    role: str  #: as it is told: Agent, Assistant, Lender, Shared Agent, or a custom role's name
    role_id: int | None  #: None: the agent
    member: Member | None


async def assign_lead(
    tx: Transaction, actor: Actor, lead_id: int | None, wishes: Sequence[RoleAssignment], *, region: str
) -> Lead:
    """Give roles on a lead to people; roles that are not named keep theirs. All of it happens, or nothing.

    Entries without a role: the first becomes the agent, the others shared agents. Nobody named: the role falls
    vacant. Writes: lead, lead_role, timeline_entry (lead_assigned), announcement (2), message to a new agent.
    Raises: LeadNotExist (20006), InvalidParameter (20012) on an unknown or inactive person or an unknown role.
    """
    old = await queries.managed_lead(tx, actor, lead_id)
    if not wishes:
        raise InvalidParameter("assignees: must not be empty.")
    resolved = await _resolved(tx, wishes)
    people = await store.roles_of(tx, old)
    changes = _changes(old, resolved)
    after = _people_after(people, resolved)
    if not changes and set(after) == set(people):
        return old
    changes |= await _role_columns(tx, after)
    changes["updated_at"] = now = clock.now()
    if "assigned_user_id" in changes:
        changes["assigned_at"] = now
    await handover.settle(tx, old, changes)
    new = replace(old, **changes)
    await store.update_lead(tx, old, new, changes, region)
    await store.replace_roles(tx, new, after)
    await _tell(tx, actor, old, new, resolved)
    return new


async def _resolved(tx: Transaction, wishes: Sequence[RoleAssignment]) -> list[_Wish]:
    """Return the wishes with their people and roles found. Raises: InvalidParameter (20012)."""
    custom = {role.name.lower(): role for role in await team.custom_roles(tx)}
    resolved: list[_Wish] = []
    for index, wish in enumerate(wishes):
        member = await _member(tx, index, wish)
        name = (wish.role or "").strip().lower()
        if name in ("", _AGENT):
            is_agent = name == _AGENT or not any(earlier.role_id is None for earlier in resolved)
            resolved.append(_Wish("Agent", None, member) if is_agent else _Wish("Shared Agent", SHARED, member))
        elif name == "assistant" and name not in custom:
            resolved.append(_Wish("Assistant", ASSISTANT, member))
        elif name in ("assistant", "lender"):
            resolved.append(_Wish(name.capitalize(), ASSISTANT if name == "assistant" else LENDER, member))
        elif name in custom:
            resolved.append(_Wish(custom[name].name, custom[name].id, member))
        else:
            raise InvalidParameter(f"[{index}].role: is not a role of the team.")
    return resolved


async def _member(tx: Transaction, index: int, wish: RoleAssignment) -> Member | None:
    user_id = fields.id_of(f"[{index}].userId", wish.user_id)
    login = (wish.assignee or "").strip()
    if user_id is None and not login:
        if wish.role is None:
            raise InvalidParameter(f"[{index}]: userId or assignee is required.")
        return None
    member = await (team.find_member(tx, user_id) if user_id is not None else team.member_by_email(tx, login))
    if member is None or member.status != "active":
        raise InvalidParameter(f"[{index}]: is not an active member of the team.")
    return member


def _changes(old: Lead, wishes: Sequence[_Wish]) -> dict[str, Any]:
    """Return the lead's own columns that change: its agent and its lender."""
    wanted: dict[str, Any] = {}
    for wish in wishes:
        if wish.role_id is None:
            wanted["assigned_user_id"] = wish.member.id if wish.member else None
        elif wish.role_id == LENDER:
            wanted["lender_user_id"] = wish.member.id if wish.member else None
    return rules.changed(msgspec.structs.asdict(old), wanted)


def _people_after(people: Sequence[tuple[int, int]], wishes: Sequence[_Wish]) -> list[tuple[int, int]]:
    """Return role and member pairs: a named role is set anew, shared agents are added."""
    after = list(people)
    for wish in wishes:
        if wish.role_id is None:
            continue
        if wish.role_id != SHARED:
            after = [pair for pair in after if pair[0] != wish.role_id]
        if wish.member:
            after.append((wish.role_id, wish.member.id))
    return list(dict.fromkeys(after))


async def _role_columns(tx: Transaction, people: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return the document of custom roles that the lead's answer shows."""
    roles = {role.id: role.name for role in await team.custom_roles(tx)}
    documents: list[dict[str, Any]] = []
    for role_id, member_id in people:
        member = await team.find_member(tx, member_id) if role_id in roles else None
        if member:
            documents.append(
                {"roleId": role_id, "role": roles[role_id], "assigneeId": member.id, "assignee": member.email}
            )
    return {"role_assignees": msgspec.json.encode(sorted(documents, key=lambda document: document["roleId"]))}


async def _tell(tx: Transaction, actor: Actor, old: Lead, new: Lead, wishes: Sequence[_Wish]) -> None:
    entries = [
        Entry(
            kinds.LEAD_ASSIGNED,
            new.id,
            {
                "role": wish.role,
                "from": old.assigned_user_id if wish.role_id is None else None,
                "to": wish.member.id if wish.member else None,
            },
            happened_at=new.updated_at,
        )
        for wish in wishes
    ]
    has_new_agent = new.assigned_user_id != old.assigned_user_id
    formerly = [old.assigned_user_id] if has_new_agent and old.assigned_user_id else []
    await record(tx, actor, entries, audience=audience(new, formerly=formerly))
    if has_new_agent and new.assigned_user_id:
        name = rules.full_name(new.first_name, new.last_name)
        await messaging.notify_agent(
            tx,
            lead_id=new.id,
            member_id=new.assigned_user_id,
            purpose="assignment",
            subject=f"{name} is yours now",
            body=f"{name} was assigned to you.",
        )
