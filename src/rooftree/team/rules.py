"""What roles are called, and what they may. Pure."""

from collections.abc import Mapping
from typing import Final

from rooftree.team.model import Office

#: contract: vocab.md, people and organisation
ROLE_NUMBERS: Final = {
    "agent": 0,
    "assistant": 1,
    "lender": 2,
    "admin": 3,
    "owner": 4,
    "office_owner": 3,
    "office_admin": 3,
}
ROLE_NAMES: Final = {
    "agent": "Agent",
    "assistant": "Assistant",
    "lender": "Lender",
    "admin": "Company Admin",
    "owner": "Company Owner",
    "office_owner": "Office Owner",
    "office_admin": "Office Admin",
}
STATUS_NUMBERS: Final = {"invited": 0, "active": 1, "deactivated": 2}
#: contract: auth.md 8, permission profiles
PROFILES: Final = {**ROLE_NAMES, "agent": "Standard User", "assistant": "Standard User", "lender": "Standard User"}

#: contract: vocab.md, custom roles of a fresh team
FIRST_CUSTOM_ROLES: Final = {
    20: "Referral Partner",
    40: "Buyer Agent",
    50: "Co-Agent",
    60: "LOA",
    80: "Transaction Coordinator",
    90: "Internal LO",
    100: "Virtual Assistant (EVA)",
    110: "Showing Assistant",
    120: "Client Specialist",
    130: "ISA",
    140: "Assistant",
}

#: The profiles that every team has, by their published ids. contract: behaviour.md 16
BUILT_IN_PROFILES: Final = {
    1: "Company Owner",
    2: "Company Admin",
    3: "Office Owner",
    4: "Office Admin",
    5: "Standard User",
}
#: Who stands above whom; permissions count beside it.
RANKS: Final = {
    "owner": 4,
    "admin": 3,
    "office_owner": 2,
    "office_admin": 1,
    "agent": 0,
    "assistant": 0,
    "lender": 0,
}
#: Roles that somebody has in an office, and nowhere else.
OFFICE_ROLES: Final = ("office_owner", "office_admin")

#: contract: auth.md 8
MOST_TIERS: Final = 10
MOST_OFFICES_UNDER_ONE: Final = 500
MOST_PROFILES: Final = 20
#: contract: behaviour.md 1.5
TEXT_LENGTH: Final = 255
INTRODUCTION_LENGTH: Final = 2000
TAG_LENGTH: Final = 64

_ROLES_BY_NAME: Final = {
    **{role.replace("_", " "): role for role in ROLE_NAMES},
    **{role: role for role in ROLE_NAMES},
    **{name.lower(): role for role, name in ROLE_NAMES.items()},
    "standard user": "agent",
}


def role_named(name: str) -> str | None:
    """Return the role of a name in any case (`Office Admin`, `office_admin`, `Standard User`); None: there is none."""
    return _ROLES_BY_NAME.get(name.strip().lower())


def built_in_profile_id(role: str) -> int:
    """Return the id of the profile that a role comes with."""
    return next(profile_id for profile_id, name in BUILT_IN_PROFILES.items() if name == PROFILES[role])


def tier(office: Office) -> int:
    """Return how deep an office lies; the company is tier 1."""
    return len(office.ancestor_ids) + 2


def why_not_below(offices: Mapping[int, Office], parent_id: int | None, moved: Office | None = None) -> str | None:
    """Return why an office cannot lie below another (None: below the company), or None when it can.

    `moved`: the office that moves with all that lies below it; None for a new one. contract: auth.md 8
    """
    parent = offices.get(parent_id) if parent_id is not None else None
    if parent_id is not None and parent is None:
        return "there is no such office"
    if parent and moved and (parent.id == moved.id or moved.id in parent.ancestor_ids):
        return "an office cannot lie below itself"
    height = _height(offices, moved) if moved else 0
    if (tier(parent) if parent else 1) + 1 + height > MOST_TIERS:
        return f"the tree of offices has at most {MOST_TIERS} tiers, of which the company is the first"
    if sum(office.parent_id == parent_id for office in offices.values()) >= MOST_OFFICES_UNDER_ONE:
        return f"at most {MOST_OFFICES_UNDER_ONE} offices lie directly below one"
    return None


def _height(offices: Mapping[int, Office], office: Office) -> int:
    """Return how many tiers lie below an office."""
    below = (tier(other) for other in offices.values() if office.id in other.ancestor_ids)
    return max(below, default=tier(office)) - tier(office)
