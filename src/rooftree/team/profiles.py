"""What members do with permission profiles: sets of permissions under a name, which members can have."""

from collections.abc import Sequence

from rooftree.platform.actor import MANAGE_PERMISSION_PROFILE, MANAGE_TEAM_AGENT, PERMISSIONS, Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import Conflict, InvalidParameter, PermissionDenied, ResourceNotExist
from rooftree.team import queries, rules, store
from rooftree.team.model import PermissionProfile
from rooftree.team.rights import covers
from rooftree.team.texts import needed_text
from rooftree.team.wire import ProfileRequest


def may_see_profiles(actor: Actor) -> bool:
    """Whether somebody gives profiles to anybody. contract: GET /v1.0/org/permission/profiles"""
    return actor.may(MANAGE_PERMISSION_PROFILE) or actor.may_somewhere(MANAGE_TEAM_AGENT)


async def add_profile(tx: Transaction, actor: Actor, request: ProfileRequest) -> PermissionProfile:
    """Add a permission profile, of permissions that the caller has. Writes: permission_profile.

    Raises: InvalidParameter (20012), ParameterTooLong (20043), PermissionDenied (20017), Conflict (900409): the name is
    taken, or there are enough.
    """
    name = _name(request.name)
    permissions = _known(request.permissions or ())
    _check_may(actor, permissions)
    await store.lock_team(tx)
    if len(await queries.profiles(tx)) >= rules.MOST_PROFILES:
        raise Conflict(f"A team has at most {rules.MOST_PROFILES} profiles of its own; delete one first.")
    profile = await store.insert_profile(tx, name, permissions)
    if profile is None:
        raise Conflict("name: another profile has this name; choose another.")
    return profile


async def edit_profile(
    tx: Transaction, actor: Actor, profile_id: int | None, request: ProfileRequest
) -> PermissionProfile:
    """Change a profile of the team's own, at once for everybody who has it; what is absent stays.

    Neither what it allowed nor what it will allow may exceed what the caller may. Writes: permission_profile.
    Raises: InvalidParameter (20012), ParameterTooLong (20043), PermissionDenied (20017), ResourceNotExist (20007),
    Conflict (900409).
    """
    name = None if request.name is None else _name(request.name)
    permissions = None if request.permissions is None else _known(request.permissions)
    _check_may(actor, permissions or ())
    old = await _own_profile(tx, actor, profile_id)
    kept = old.permissions if permissions is None else permissions
    profile = await store.update_profile(tx, old.id, name or old.name, kept)
    if profile is None:
        raise Conflict("name: another profile has this name; choose another.")
    return profile


async def delete_profile(tx: Transaction, actor: Actor, profile_id: int | None) -> None:
    """Delete a profile that nobody has. Writes: permission_profile.

    Raises: InvalidParameter (20012), PermissionDenied (20017), ResourceNotExist (20007), Conflict (900409).
    """
    _check_may(actor, ())
    profile = await _own_profile(tx, actor, profile_id)
    if members := await queries.count_with_profile(tx, profile.id):
        raise Conflict(
            f"{members} members have this profile: give them another first (PUT /rooftree/v1/members/{{userId}})."
        )
    await store.delete_profile(tx, profile.id)


async def _own_profile(tx: Transaction, actor: Actor, profile_id: int | None) -> PermissionProfile:
    if profile_id in rules.BUILT_IN_PROFILES:
        raise InvalidParameter("profileId: the built-in profiles come with the roles and stay as they are.")
    await store.lock_team(tx)
    profile = await queries.find_profile(tx, profile_id)
    if profile is None:
        raise ResourceNotExist("There is no such profile.")
    _check_may(actor, profile.permissions)
    return profile


def _check_may(actor: Actor, permissions: Sequence[str]) -> None:
    if not actor.may(MANAGE_PERMISSION_PROFILE):
        raise PermissionDenied("Needs the permission MANAGE_PERMISSION_PROFILE.")
    if not covers(actor.permissions, set(permissions)):
        raise PermissionDenied("Nobody gives or takes permissions that they do not have themselves.")


def _name(name: str | None) -> str:
    text = needed_text("name", name)
    if text.lower() in {built_in.lower() for built_in in rules.BUILT_IN_PROFILES.values()}:
        raise Conflict("name: a built-in profile has this name; choose another.")
    return text


def _known(permissions: Sequence[str]) -> list[str]:
    if unknown := set(permissions) - PERMISSIONS:
        raise InvalidParameter(f"permissions: {min(unknown)!r} is none of {', '.join(sorted(PERMISSIONS))}.")
    return sorted(set(permissions))
