"""Rows."""

from datetime import datetime

from msgspec import Struct


class Team(Struct, frozen=True):
    """A client account: the company."""

    id: int
    name: str
    time_zone: str
    details: bytes  #: JSON, the company's record in its wire form
    created_at: datetime


class Office(Struct, frozen=True):
    """An office; `ancestor_ids` from its parent upwards."""

    team_id: int
    id: int
    name: str
    parent_id: int | None
    ancestor_ids: list[int]
    status: str  #: ACTIVE, PENDING, INACTIVE
    details: bytes  #: JSON: phone, address and so on, in their wire form
    allow_manage_sub: bool  #: whether its owner and admins manage the offices below it
    created_at: datetime
    updated_at: datetime


class Member(Struct, frozen=True):
    """A person of the team."""

    team_id: int
    id: int
    office_id: int | None
    role: str  #: owner, admin, office_owner, office_admin, agent, assistant, lender
    status: str  #: active, invited, deactivated
    email: str
    first_name: str
    last_name: str
    phone_number: str | None
    virtual_number: str | None
    time_zone: str | None
    invitor_user_id: int | None
    profile_id: int | None  #: a permission profile of the team's own; None: what the role comes with
    tag_ids: list[int]
    details: bytes  #: JSON: work, photos and so on, in their wire form
    created_at: datetime
    updated_at: datetime


class CustomRole(Struct, frozen=True):
    """A role that a member can have on a lead."""

    team_id: int
    id: int
    name: str


class PermissionProfile(Struct, frozen=True):
    """A name and a set of permissions that the team made; the built-in ones come with the roles."""

    team_id: int
    id: int
    name: str
    permissions: list[str]
    created_at: datetime


class MemberTag(Struct, frozen=True):
    """A tag that members can carry."""

    team_id: int
    id: int
    name: str
    created_at: datetime


class Vendor(Struct, frozen=True):
    """Somebody the team works with: a title company, a lender, a photographer."""

    team_id: int
    id: int
    member_id: int | None  #: set when they are a member too
    first_name: str
    last_name: str
    role_name: str
    details: bytes  #: JSON: phone, e-mail, company, in their wire form
    created_at: datetime
    updated_at: datetime


class LeadPond(Struct, frozen=True):
    """Leads that belong to no agent yet, for several to draw from."""

    team_id: int
    id: int
    name: str
    owner_id: int
    office_id: int | None  #: None: the company's
    agent_ids: list[int]
    is_enabled: bool
    created_at: datetime
    updated_at: datetime
