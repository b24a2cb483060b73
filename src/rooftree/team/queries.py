"""Reading the team."""

from collections.abc import Sequence

from msgspec import Struct

from rooftree.platform.database import Arguments, Database, Transaction, columns
from rooftree.team import rules
from rooftree.team.model import CustomRole, Member, Office, Team

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


def profile_name(member: Member) -> str:
    """Return the name of a member's permission profile."""
    return rules.PROFILES[member.role]
