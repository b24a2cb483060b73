"""Who may change whom: nobody gives what they do not hold, or touches who stands above them."""

from collections.abc import Set as AbstractSet

from rooftree.platform.actor import DEPARTMENT, PERMISSIONS_OF_ROLE, Actor
from rooftree.team.model import PermissionProfile
from rooftree.team.rules import RANKS


def covers(held: AbstractSet[str], wanted: AbstractSet[str]) -> bool:
    """Whether whoever holds these permissions may give those: the whole company includes one's own offices."""
    return all(one in held or one.removesuffix(DEPARTMENT) in held for one in wanted)


def permissions_of(role: str, profile: PermissionProfile | None) -> frozenset[str]:
    """Return what a role and a profile of the team's own allow."""
    return PERMISSIONS_OF_ROLE[role] if profile is None else frozenset(profile.permissions)


def stands_above(actor: Actor, role: str, profile: PermissionProfile | None) -> bool:
    """Whether somebody of this role and profile stands above the one who asks, by rank or by permissions."""
    return RANKS[role] > RANKS[actor.role] or not covers(actor.permissions, permissions_of(role, profile))
