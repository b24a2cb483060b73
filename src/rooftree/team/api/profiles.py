"""The list of permission profiles of the contract, and our own operations on those that the team made."""

from typing import Any, Final

from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from rooftree.platform.actor import PERMISSIONS_OF_ROLE
from rooftree.platform.database import Transaction
from rooftree.platform.errors import PermissionDenied
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.team import profiles, queries
from rooftree.team.errors import VendorHasNoPermission
from rooftree.team.model import PermissionProfile
from rooftree.team.rules import BUILT_IN_PROFILES, PROFILES
from rooftree.team.wire import ProfileRequest, profile_response


@get("/v1.0/org/permission/profiles")
async def get_permission_profile(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the names of all profiles, the built-in ones first. contract: GET /v1.0/org/permission/profiles"""
    if not profiles.may_see_profiles(actor):
        raise VendorHasNoPermission
    own = {profile.id: profile.name for profile in await queries.profiles(tx)}
    return answer([{"id": profile_id, "name": name} for profile_id, name in {**BUILT_IN_PROFILES, **own}.items()])


@get("/rooftree/v1/profiles")
async def list_profiles(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return all profiles with what they allow; how many members have them, of those that the team made."""
    if not profiles.may_see_profiles(actor):
        raise PermissionDenied("Needs the permission MANAGE_TEAM_AGENT or MANAGE_PERMISSION_PROFILE.")
    counts = await queries.profile_counts(tx)
    own = [profile_response(profile, counts.get(profile.id, 0)) for profile in await queries.profiles(tx)]
    return answer({"profiles": [*_built_in(), *own]})


@post("/rooftree/v1/profiles", status_code=200)
async def add_profile(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Add a profile of the team's own."""
    return await _one(tx, await profiles.add_profile(tx, actor, await body_of(request, ProfileRequest)))


@put("/rooftree/v1/profiles/{profileId:str}")
async def update_profile(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Change a profile of the team's own."""
    body = await body_of(request, ProfileRequest)
    return await _one(tx, await profiles.edit_profile(tx, actor, Query(request).path_id("profileId"), body))


@delete("/rooftree/v1/profiles/{profileId:str}", status_code=200)
async def delete_profile(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Delete a profile that nobody has."""
    await profiles.delete_profile(tx, actor, Query(request).path_id("profileId"))
    return answer()


def _built_in() -> list[dict[str, Any]]:
    roles = {PROFILES[role]: allowed for role, allowed in PERMISSIONS_OF_ROLE.items()}
    return [
        {"id": profile_id, "name": name, "isBuiltIn": True, "permissions": sorted(roles[name]), "members": None}
        for profile_id, name in BUILT_IN_PROFILES.items()
    ]


async def _one(tx: Transaction, profile: PermissionProfile) -> Response[bytes]:
    return answer(profile_response(profile, await queries.count_with_profile(tx, profile.id)))


ROUTES: Final[list[HTTPRouteHandler]] = [
    get_permission_profile,
    list_profiles,
    add_profile,
    update_profile,
    delete_profile,
]
