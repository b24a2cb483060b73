"""Reading the team."""

from collections.abc import Sequence

from msgspec import Struct

from rooftree.platform.actor import MANAGE_LEAD_DISTRIBUTION, Actor
from rooftree.platform.database import Arguments, Database, Transaction, columns
from rooftree.team import rules
from rooftree.team.model import CustomRole, LeadPond, Member, MemberTag, Office, PermissionProfile, Team, Vendor

_MEMBER = f"SELECT {columns(Member)} FROM member"


class MemberView(Struct, frozen=True):
    """A member with their office."""

    member: Member
    office: Office | None


async def find_member(tx: Transaction, member_id: int) -> Member | None:
    """Return a member of the team, whatever their status."""
    row = await tx.fetchrow(f"{_MEMBER} WHERE team_id = $1 AND id = $2", tx.team_id, member_id)
    return Member(*row) if row else None


async def team_of_number(database: Database, number: str) -> tuple[int, int | None] | None:
    """Return team and member of a virtual number (E.164); of an unknown one the first team. None: no team at all."""
    async with database.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, member_id FROM team_of_number($1)", number)
    return (row[0], row[1]) if row else None


async def team_of_address(database: Database, address: str) -> tuple[int, int | None] | None:
    """Return team and member of a login address; of an unknown one the first team. None: no team at all."""
    async with database.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, member_id FROM team_of_address($1)", address)
    return (row[0], row[1]) if row else None


async def find_owner(tx: Transaction) -> Member | None:
    """Return the company owner."""
    row = await tx.fetchrow(f"{_MEMBER} WHERE team_id = $1 AND role = 'owner'", tx.team_id)
    return Member(*row) if row else None


async def member_by_email(tx: Transaction, email: str) -> Member | None:
    """Return a member by login, in any case, whatever their status."""
    row = await tx.fetchrow(f"{_MEMBER} WHERE team_id = $1 AND lower(email) = lower($2)", tx.team_id, email.strip())
    return Member(*row) if row else None


async def list_members(
    tx: Transaction, office_ids: Sequence[int], *, after_id: int | None, limit: int, offset: int
) -> tuple[list[Member], int]:
    """Return a page of members by id and how many there are, of these offices if any are named."""
    args = Arguments([tx.team_id])
    where = "team_id = $1"
    if office_ids:
        where += f" AND office_id = ANY ({args.add(list(office_ids))})"
    total = int(await tx.fetchval(f"SELECT count(*) FROM member WHERE {where}", *args))
    if after_id is not None:
        where += f" AND id > {args.add(after_id)}"
    rows = await tx.fetch(
        f"{_MEMBER} WHERE {where} ORDER BY id LIMIT {args.add(limit)} OFFSET {args.add(offset)}", *args
    )
    return [Member(*row) for row in rows], total


async def everybody(tx: Transaction) -> dict[int, Member]:
    """Return all members of the team by id, whatever their status."""
    rows = await tx.fetch(f"{_MEMBER} WHERE team_id = $1 ORDER BY id", tx.team_id)
    return {row["id"]: Member(*row) for row in rows}


async def offices(tx: Transaction) -> dict[int, Office]:
    """Return the team's offices by id."""
    rows = await tx.fetch(f"SELECT {columns(Office)} FROM office WHERE team_id = $1", tx.team_id)
    return {row["id"]: Office(*row) for row in rows}


async def custom_roles(tx: Transaction) -> list[CustomRole]:
    """Return the roles that a member can have on a lead, by id."""
    rows = await tx.fetch(f"SELECT {columns(CustomRole)} FROM custom_role WHERE team_id = $1 ORDER BY id", tx.team_id)
    return [CustomRole(*row) for row in rows]


async def find_team(tx: Transaction) -> Team:
    """Return the team itself."""
    row = await tx.fetchrow(f"SELECT {columns(Team)} FROM team WHERE id = $1", tx.team_id)
    if row is None:
        raise LookupError("the connection is bound to no team")
    return Team(*row)


async def profile_of(tx: Transaction, member: Member) -> tuple[int, str]:
    """Return id and name of a member's permission profile: one of the team's own, or what their role comes with."""
    own = await find_profile(tx, member.profile_id) if member.profile_id is not None else None
    return (own.id, own.name) if own else (rules.built_in_profile_id(member.role), rules.PROFILES[member.role])


async def profiles(tx: Transaction) -> list[PermissionProfile]:
    """Return the permission profiles that the team made, oldest first."""
    rows = await tx.fetch(
        f"SELECT {columns(PermissionProfile)} FROM permission_profile WHERE team_id = $1 ORDER BY id", tx.team_id
    )
    return [PermissionProfile(*row) for row in rows]


async def find_profile(tx: Transaction, profile_id: int | None) -> PermissionProfile | None:
    """Return a permission profile that the team made."""
    row = await tx.fetchrow(
        f"SELECT {columns(PermissionProfile)} FROM permission_profile WHERE team_id = $1 AND id = $2",
        tx.team_id,
        profile_id,
    )
    return PermissionProfile(*row) if row else None


async def count_with_profile(tx: Transaction, profile_id: int) -> int:
    """Return how many members have a profile."""
    return (await profile_counts(tx)).get(profile_id, 0)


async def profile_counts(tx: Transaction) -> dict[int, int]:
    """Return how many members have each profile of the team's own; who is out counts too."""
    rows = await tx.fetch(
        "SELECT profile_id, count(*) FROM member WHERE team_id = $1 AND profile_id IS NOT NULL GROUP BY 1", tx.team_id
    )
    return {row[0]: row[1] for row in rows}


async def member_tags(tx: Transaction) -> list[MemberTag]:
    """Return the tags that members can carry."""
    rows = await tx.fetch(f"SELECT {columns(MemberTag)} FROM member_tag WHERE team_id = $1 ORDER BY id", tx.team_id)
    return [MemberTag(*row) for row in rows]


async def without_access(tx: Transaction, member_ids: Sequence[int]) -> list[int]:
    """Return which of these ids are no active member's of the team."""
    rows = await tx.fetch(
        """SELECT id FROM unnest($2::bigint[]) AS asked (id) WHERE NOT EXISTS (
               SELECT FROM member m WHERE m.team_id = $1 AND m.id = asked.id AND m.status = 'active')""",
        tx.team_id,
        list(member_ids),
    )
    return [row["id"] for row in rows]


async def vendors(tx: Transaction) -> list[Vendor]:
    """Return the people the team works with, oldest first."""
    rows = await tx.fetch(f"SELECT {columns(Vendor)} FROM vendor WHERE team_id = $1 ORDER BY id", tx.team_id)
    return [Vendor(*row) for row in rows]


async def ponds(tx: Transaction) -> list[LeadPond]:
    """Return all ponds of the team, disabled ones too, oldest first."""
    rows = await tx.fetch(f"SELECT {columns(LeadPond)} FROM lead_pond WHERE team_id = $1 ORDER BY id", tx.team_id)
    return [LeadPond(*row) for row in rows]


async def visible_ponds(tx: Transaction, actor: Actor) -> list[LeadPond]:
    """Return the enabled ponds that somebody may see, oldest first.

    All of them for those who see all leads or manage their distribution; else one's own, those one draws from, and
    those of the offices whose distribution one manages. contract: behaviour.md 17
    """
    return [pond for pond in await ponds(tx) if pond.is_enabled and _sees_pond(actor, pond)]


def _sees_pond(actor: Actor, pond: LeadPond) -> bool:
    is_in_it = actor.member_id == pond.owner_id or actor.member_id in pond.agent_ids
    return is_in_it or actor.sees_all_leads or actor.may(MANAGE_LEAD_DISTRIBUTION, pond.office_id)
