"""Who asks: the member behind a credential, with the rights that the request was made with."""

from typing import Final

import msgspec
from msgspec import Struct

#: contract: vocab.md, permissions named in the contract
ACCESS_ALL_TEAM_LEADS: Final = "ACCESS_ALL_TEAM_LEADS"
MANAGE_LEAD_DISTRIBUTION: Final = "MANAGE_LEAD_DISTRIBUTION"
MANAGE_ORGANIZATION: Final = "MANAGE_ORGANIZATION"
MANAGE_TEAM_AGENT: Final = "MANAGE_TEAM_AGENT"
MANAGE_PERMISSION_PROFILE: Final = "MANAGE_PERMISSION_PROFILE"
#: Appended to a permission: within one's own office and those below it only.
DEPARTMENT: Final = "_DEPARTMENT"

_OF_OFFICES: Final = frozenset(
    name + DEPARTMENT for name in (MANAGE_LEAD_DISTRIBUTION, MANAGE_ORGANIZATION, MANAGE_TEAM_AGENT)
)
PERMISSIONS: Final = _OF_OFFICES | {
    ACCESS_ALL_TEAM_LEADS,
    MANAGE_LEAD_DISTRIBUTION,
    MANAGE_ORGANIZATION,
    MANAGE_TEAM_AGENT,
    MANAGE_PERMISSION_PROFILE,
}
#: What a role may, unless a profile of the team's own says otherwise. contract: auth.md 8
PERMISSIONS_OF_ROLE: Final[dict[str, frozenset[str]]] = {
    "owner": PERMISSIONS,
    "admin": PERMISSIONS,
    "office_owner": _OF_OFFICES,
    "office_admin": _OF_OFFICES,
    "agent": frozenset(),
    "assistant": frozenset(),
    "lender": frozenset(),
}


class Actor(Struct, frozen=True):
    """A member of a team, as `authenticate()` saw them at the start of the request.

    contract: auth.md 1 and 8
    """

    team_id: int
    member_id: int
    role: str  #: owner, admin, office_owner, office_admin, agent, assistant, lender
    office_id: int | None
    office_ids: list[int]  #: offices whose leads they see: their own; for office owners and admins those below too
    user_ids: list[int]  #: members whose leads they see: themselves; for office owners and admins their people too
    time_zone: str  #: IANA name; the member's, else the team's
    key_id: int | None = None
    profile: frozenset[str] | None = None  #: what a profile of the team's own allows them; None: their role decides
    department_ids: list[int] = msgspec.field(default_factory=list[int])  #: their office and those below it
    pond_ids: list[int] = msgspec.field(default_factory=list[int])  #: ponds they draw from
    app_id: int | None = None  #: the application that asks in their name, the vendorId of what it makes
    app_mode: str | None = None  #: development, production
    app_limit: int | None = None  #: requests a minute that the application has to itself; None: those of its mode
    grants: frozenset[str] | None = None  #: tags of the operations that their credential may use; None: all

    @property
    def permissions(self) -> frozenset[str]:
        """What they may. contract: vocab.md, permissions"""
        return PERMISSIONS_OF_ROLE[self.role] if self.profile is None else self.profile

    @property
    def sees_all_leads(self) -> bool:
        """Whether every lead of the team is theirs to see (company owner, company admin, some profiles)."""
        return ACCESS_ALL_TEAM_LEADS in self.permissions

    def may(self, permission: str, office_id: int | None = None) -> bool:
        """Whether they may do something in the whole company, or in this office (None: the company itself)."""
        held = self.permissions
        return permission in held or (permission + DEPARTMENT in held and office_id in self.department_ids)

    def may_somewhere(self, permission: str) -> bool:
        """Whether they may do something in the company or in any office."""
        held = self.permissions
        return permission in held or (permission + DEPARTMENT in held and bool(self.department_ids))
