"""What members do with members: add, tag, change, shut out, let in. Whom they may do it to stands in rights."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from rooftree.platform.actor import MANAGE_TEAM_AGENT, Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, PermissionDenied
from rooftree.team import queries, rules, store
from rooftree.team.actions import set_status
from rooftree.team.errors import (
    AgentAlreadyActive,
    AgentAlreadyDeactivated,
    AgentIsOneself,
    AgentIsOwner,
    AgentNotAuthorised,
    AgentNotOnboarded,
    UserNotExist,
)
from rooftree.team.model import Member, PermissionProfile
from rooftree.team.rights import stands_above
from rooftree.team.texts import cut, email_of, needed_text, text_of
from rooftree.team.wire import AccountInfo, AgentProfile, AgentTagRequest, MemberRequest
from rooftree.timeline.actions import announce_agent
from rooftree.timeline.kinds import AGENT_CREATED, AGENT_UPDATED

MOST_TAGS_AT_ONCE: Final = 20
#: What a member's row has columns for; the rest of the form is kept as it came.
_COLUMNS: Final = {"emailAddress", "firstName", "lastName", "phoneNumber", "tagIds", "roleName", "roleId", "groupId"}


async def add_agent(tx: Transaction, actor: Actor, request: AgentProfile) -> Member:
    """Add a member, who has access at once. Somebody known is left as they are.

    Without an office they belong to the company, or to the office of whoever manages no more than that.
    Contract: POST /v1.0/agent/profile/add. Writes: member, announcement (1).
    Raises: InvalidParameter (20012), ParameterTooLong (20043), PermissionDenied (20017).
    """
    info = request.account_info
    email = needed_text("accountInfo.emailAddress", email_of("accountInfo.emailAddress", info.email_address))
    phone_number = needed_text("accountInfo.phoneNumber", cut(info.phone_number))
    first_name = needed_text("accountInfo.firstName", cut(info.first_name))
    last_name = text_of("accountInfo.lastName", cut(info.last_name))
    if not actor.may_somewhere(MANAGE_TEAM_AGENT):
        raise PermissionDenied("Needs the permission MANAGE_TEAM_AGENT.")
    await store.lock_team(tx)
    office_id = info.group_id or (None if actor.may(MANAGE_TEAM_AGENT) else actor.office_id)
    await _check_office(tx, actor, "accountInfo.groupId", office_id)
    role, profile = await _role_wished(tx, info)
    _check_place(role, office_id)
    _check_gift(actor, role, profile)
    member = await store.insert_member(
        tx,
        email=email,
        first_name=first_name,
        last_name=last_name,
        role=role,
        office_id=office_id,
        phone_number=phone_number,
        invitor_user_id=actor.member_id,
        profile_id=profile.id if profile else None,
        tag_ids=await _known_tags(tx, info.tag_ids or ()),
        details=_details(request),
    )
    if member is None:
        raise InvalidParameter("accountInfo.emailAddress: is somebody's login already; they were left as they are.")
    await announce_agent(tx, AGENT_CREATED, member.id)
    return member


async def tag_agent(tx: Transaction, actor: Actor, member_id: int | None, request: AgentTagRequest) -> None:
    """Give a member tags, 1 to 20 of them; unknown ones are made when `auto_create` says so.

    Contract: POST /v1.0/agent/{agentId}/tag/add. Writes: member_tag, member, announcement (1).
    Raises: InvalidParameter (20012), UserNotExist (20003), also when the caller may not manage them.
    """
    if not 1 <= len(request.tag_names or ()) <= MOST_TAGS_AT_ONCE:
        raise InvalidParameter(f"tagNames: from 1 to {MOST_TAGS_AT_ONCE} names are accepted.")
    wanted: dict[str, str] = {}
    for name in request.tag_names or ():
        kept: str = cut(name, rules.TAG_LENGTH)
        wanted.setdefault(kept.lower(), kept)
    wanted.pop("", None)
    if not wanted:
        raise InvalidParameter("tagNames: must not be blank.")
    await store.lock_team(tx)
    member = await _member(tx, member_id)
    if member is None or not actor.may(MANAGE_TEAM_AGENT, member.office_id):
        raise UserNotExist
    known = {tag.name.lower(): tag.id for tag in await queries.member_tags(tx)}
    unknown = [name for key, name in wanted.items() if key not in known]
    if unknown and not request.auto_create:
        raise InvalidParameter(f"tagNames: the team has no tag {unknown[0]!r}; autoCreate makes it.")
    known |= {tag.name.lower(): tag.id for tag in await store.insert_member_tags(tx, unknown)}
    tag_ids = list(dict.fromkeys([*member.tag_ids, *(known[key] for key in wanted)]))
    if tag_ids != member.tag_ids:
        await store.set_tags(tx, member.id, tag_ids)
        await announce_agent(tx, AGENT_UPDATED, member.id)


async def edit_member(tx: Transaction, actor: Actor, member_id: int | None, request: MemberRequest) -> Member:
    """Change a member's role, profile, office, names or phone number; what is absent stays. Names are one's own.

    Writes: member, announcement (1).
    Raises: InvalidParameter (20012), ParameterTooLong (20043), PermissionDenied (20017), UserNotExist (20003).
    """
    names = _names(request)
    role = None if request.role is None else rules.role_named(request.role)
    if request.role is not None and role is None:
        raise InvalidParameter(f"role: must be one of {', '.join(rules.ROLE_NAMES)}.")
    is_about_oneself = member_id == actor.member_id and request.concerns_names_only
    if not is_about_oneself and not actor.may_somewhere(MANAGE_TEAM_AGENT):
        raise PermissionDenied("Needs the permission MANAGE_TEAM_AGENT.")
    await store.lock_team(tx)
    member = await _member(tx, member_id)
    if member is None:
        raise UserNotExist
    changed = replace(member, **names)
    if not is_about_oneself:
        await _check_may_manage(tx, actor, member)
        changed = await _placed(tx, actor, changed, role, request)
    if changed != member:
        await store.update_member(tx, changed)
        await announce_agent(tx, AGENT_UPDATED, member.id)
    return changed


async def deactivate_agent(tx: Transaction, actor: Actor, member_id: int | None) -> Member:
    """End somebody's access at once; their leads stay. Their keys are revoked by the caller.

    Contract: POST /v2.0/agents/{agentId}/deactivate. Writes: member, announcement (1).
    Raises: InvalidParameter (20012) on an unknown one, AgentIsOneself (990107), AgentIsOwner (990106),
    AgentNotOnboarded (990113), AgentAlreadyDeactivated (990105), AgentNotAuthorised (1900012).
    """
    member = await _agent(tx, actor, member_id)
    if member.id == actor.member_id:
        raise AgentIsOneself
    if member.role in {"owner", "office_owner"}:
        raise AgentIsOwner
    await _check_below(tx, actor, member)
    if member.status == "invited":
        raise AgentNotOnboarded
    if member.status == "deactivated":
        raise AgentAlreadyDeactivated
    await set_status(tx, member, "deactivated")
    return member


async def reactivate_agent(tx: Transaction, actor: Actor, member_id: int | None) -> Member:
    """Give somebody their access back, in the office and role they had; they need a new key.

    Contract: POST /v2.0/agents/{agentId}/reactivate. Writes: member, announcement (1).
    Raises: InvalidParameter (20012) on an unknown one, AgentAlreadyActive (990112), AgentNotOnboarded (990113),
    AgentNotAuthorised (1900012).
    """
    member = await _agent(tx, actor, member_id)
    await _check_below(tx, actor, member)
    if member.status == "invited":
        raise AgentNotOnboarded
    if member.status == "active":
        raise AgentAlreadyActive
    await set_status(tx, member, "active")
    return member


async def _member(tx: Transaction, member_id: int | None) -> Member | None:
    return await queries.find_member(tx, member_id) if member_id is not None else None


async def _agent(tx: Transaction, actor: Actor, member_id: int | None) -> Member:
    """Return somebody of the offices whose people the caller manages."""
    if not actor.may_somewhere(MANAGE_TEAM_AGENT):
        raise AgentNotAuthorised
    await store.lock_team(tx)
    member = await _member(tx, member_id)
    if member is None:
        raise InvalidParameter("agentId: is nobody's.")
    if not actor.may(MANAGE_TEAM_AGENT, member.office_id):
        raise AgentNotAuthorised
    return member


async def _check_below(tx: Transaction, actor: Actor, member: Member) -> None:
    if stands_above(actor, member.role, await queries.find_profile(tx, member.profile_id)):
        raise AgentNotAuthorised


async def _check_may_manage(tx: Transaction, actor: Actor, member: Member) -> None:
    if not actor.may(MANAGE_TEAM_AGENT, member.office_id):
        raise PermissionDenied("They belong to an office whose people you do not manage.")
    if stands_above(actor, member.role, await queries.find_profile(tx, member.profile_id)):
        raise PermissionDenied("They stand above you, or hold permissions that you do not.")


def _names(request: MemberRequest) -> dict[str, str | None]:
    """Return the columns of names and phone number that are to change."""
    found: dict[str, str | None] = {}
    if request.first_name is not None:
        found["first_name"] = needed_text("firstName", request.first_name)
    if request.last_name is not None:
        found["last_name"] = text_of("lastName", request.last_name)
    if request.phone_number is not None:
        found["phone_number"] = text_of("phoneNumber", request.phone_number) or None
    return found


async def _placed(tx: Transaction, actor: Actor, member: Member, role: str | None, request: MemberRequest) -> Member:
    """Return a member with the role, profile and office that are wished for, if all may be given to them."""
    if request.office_id is not None:
        member = replace(member, office_id=request.office_id or None)
        await _check_office(tx, actor, "officeId", member.office_id)
    if request.profile_id is not None:
        member = replace(member, profile_id=request.profile_id or None)
    if "owner" in {role, member.role} and (role not in {None, member.role} or member.office_id or member.profile_id):
        raise InvalidParameter("role: the owner stays the owner, of the whole company and with all permissions.")
    member = replace(member, role=role or member.role)
    _check_place(member.role, member.office_id)
    profile = await queries.find_profile(tx, member.profile_id)
    if member.profile_id is not None and profile is None:
        raise InvalidParameter("profileId: must be a profile that the team made (GET /rooftree/v1/profiles), or 0.")
    _check_gift(actor, member.role, profile)
    return member


async def _check_office(tx: Transaction, actor: Actor, field: str, office_id: int | None) -> None:
    if not actor.may(MANAGE_TEAM_AGENT, office_id):
        raise PermissionDenied(f"{field}: names no office whose people you manage.")
    if office_id is not None and office_id not in await queries.offices(tx):
        raise InvalidParameter(f"{field}: there is no such office.")


def _check_place(role: str, office_id: int | None) -> None:
    if role in rules.OFFICE_ROLES and office_id is None:
        raise InvalidParameter(f"A member with the role {rules.ROLE_NAMES[role]} belongs to an office: name it.")


def _check_gift(actor: Actor, role: str, profile: PermissionProfile | None) -> None:
    if stands_above(actor, role, profile):
        raise PermissionDenied("Nobody gives a role or permissions that they do not have themselves.")


async def _role_wished(tx: Transaction, info: AccountInfo) -> tuple[str, PermissionProfile | None]:
    """Return the role and own profile that a form names, by id or by name; one that is unknown is no role."""
    own = await queries.profiles(tx)
    name = (info.role_name or "").strip().lower()
    profile = next((one for one in own if one.id == info.role_id), None)
    built_in = rules.BUILT_IN_PROFILES.get(info.role_id or 0)
    if profile is None and built_in is None:
        profile = next((one for one in own if one.name.lower() == name), None)
    role = rules.role_named(built_in or name) if profile is None else None
    if role == "owner":
        raise InvalidParameter("accountInfo.roleName: a team has one owner, and keeps them.")
    return role or "agent", profile


async def _known_tags(tx: Transaction, tag_ids: Sequence[int]) -> list[int]:
    known = {tag.id for tag in await queries.member_tags(tx)} if tag_ids else set[int]()
    if unknown := [tag_id for tag_id in tag_ids if tag_id not in known]:
        raise InvalidParameter(f"accountInfo.tagIds: the team has no tag {unknown[0]}.")
    return list(dict.fromkeys(tag_ids))


def _details(request: AgentProfile) -> bytes:
    """Return what a form says beyond the member's columns, as JSON in its wire form."""
    form = msgspec.to_builtins(request)
    account = {key: value for key, value in form.pop("accountInfo").items() if key not in _COLUMNS}
    account_type = form.pop("accountType")
    kept = cut({**form, "accountInfo": {**account, "phoneCode": account["phoneCode"] or "1"}})
    return msgspec.json.encode({**kept, "accountType": account_type})
