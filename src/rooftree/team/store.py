"""Every INSERT, UPDATE and DELETE of the team."""

from collections.abc import Sequence

from rooftree.platform.database import Transaction, columns
from rooftree.team import rules
from rooftree.team.model import LeadPond, Member, MemberTag, Office, PermissionProfile, Vendor


async def insert_team(tx: Transaction, name: str, time_zone: str) -> int:
    """Store a team, return its id. Needs the owner's rights: the server's role sees its own team only."""
    return await tx.fetchval("INSERT INTO team (name, time_zone) VALUES ($1, $2) RETURNING id", name, time_zone)


async def lock_team(tx: Transaction) -> None:
    """Let nobody else change people, offices or profiles until the transaction ends; new rows stay possible.

    What is checked over several rows (the tree of offices, a number of profiles) would not hold otherwise.
    """
    await tx.execute("SELECT FROM team WHERE id = $1 FOR NO KEY UPDATE", tx.team_id)


async def update_team(tx: Transaction, name: str, details: bytes) -> None:
    """Set the company's name and record."""
    await tx.execute("UPDATE team SET name = $2, details = $3 WHERE id = $1", tx.team_id, name, details)


async def insert_custom_roles(tx: Transaction) -> None:
    """Give a team the roles that every team begins with."""
    await tx.executemany(
        "INSERT INTO custom_role (team_id, id, name) VALUES ($1, $2, $3)",
        [(tx.team_id, role_id, name) for role_id, name in rules.FIRST_CUSTOM_ROLES.items()],
    )


async def insert_office(
    tx: Transaction, name: str, parent_id: int | None, details: bytes = b"{}", *, allow_manage_sub: bool = True
) -> Office | None:
    """Store an office below its parent (None: top level); None when there is no such parent."""
    row = await tx.fetchrow(
        f"""INSERT INTO office (team_id, name, parent_id, ancestor_ids, details, allow_manage_sub)
            SELECT $1, $2, p.id, CASE WHEN p.id IS NULL THEN '{{}}' ELSE p.id || p.ancestor_ids END, $4, $5
              FROM (SELECT) AS one LEFT JOIN office p ON p.team_id = $1 AND p.id = $3
             WHERE p.id IS NOT DISTINCT FROM $3
            RETURNING {columns(Office)}""",
        tx.team_id,
        name,
        parent_id,
        details,
        allow_manage_sub,
    )
    return Office(*row) if row else None


async def update_office(tx: Transaction, office_id: int, name: str, details: bytes, *, allow_manage_sub: bool) -> None:
    """Set what is known of an office; where it lies stays."""
    await tx.execute(
        """UPDATE office SET name = $3, details = $4, allow_manage_sub = $5, updated_at = now()
            WHERE team_id = $1 AND id = $2""",
        tx.team_id,
        office_id,
        name,
        details,
        allow_manage_sub,
    )


async def move_office(tx: Transaction, office_id: int, parent_id: int | None, ancestor_ids: Sequence[int]) -> None:
    """Put an office with all that lies below it elsewhere. `ancestor_ids`: the new ones, from the parent upwards."""
    await tx.execute(
        """UPDATE office
              SET parent_id = CASE WHEN id = $2 THEN $3 ELSE parent_id END,
                  ancestor_ids = CASE WHEN id = $2 THEN $4::bigint[]
                                      ELSE ancestor_ids[:array_position(ancestor_ids, $2)] || $4::bigint[] END,
                  updated_at = now()
            WHERE team_id = $1 AND (id = $2 OR $2 = ANY (ancestor_ids))""",
        tx.team_id,
        office_id,
        parent_id,
        list(ancestor_ids),
    )


async def insert_member(
    tx: Transaction,
    *,
    email: str,
    first_name: str,
    last_name: str,
    role: str,
    office_id: int | None,
    phone_number: str | None = None,
    member_id: int | None = None,
    invitor_user_id: int | None = None,
    profile_id: int | None = None,
    tag_ids: Sequence[int] = (),
    details: bytes = b"{}",
    status: str = "active",
    time_zone: str | None = None,
) -> Member | None:
    """Store a member; None when the login is taken, or the id."""
    row = await tx.fetchrow(
        f"""INSERT INTO member (team_id, id, office_id, role, email, first_name, last_name, phone_number,
                                invitor_user_id, profile_id, tag_ids, details, status, time_zone)
            VALUES ($1, coalesce($2, next_id()), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            ON CONFLICT DO NOTHING RETURNING {columns(Member)}""",
        tx.team_id,
        member_id,
        office_id,
        role,
        email,
        first_name,
        last_name,
        phone_number,
        invitor_user_id,
        profile_id,
        list(tag_ids),
        details,
        status,
        time_zone,
    )
    return Member(*row) if row else None


async def update_member(tx: Transaction, member: Member) -> None:
    """Set a member's role, profile, office, names and phone number to those of the row."""
    await tx.execute(
        """UPDATE member SET role = $3, profile_id = $4, office_id = $5, first_name = $6, last_name = $7,
                             phone_number = $8, updated_at = now()
            WHERE team_id = $1 AND id = $2""",
        tx.team_id,
        member.id,
        member.role,
        member.profile_id,
        member.office_id,
        member.first_name,
        member.last_name,
        member.phone_number,
    )


async def set_tags(tx: Transaction, member_id: int, tag_ids: Sequence[int]) -> None:
    """Set the tags that a member carries."""
    await tx.execute(
        "UPDATE member SET tag_ids = $3, updated_at = now() WHERE team_id = $1 AND id = $2",
        tx.team_id,
        member_id,
        list(tag_ids),
    )


async def insert_member_tags(tx: Transaction, names: Sequence[str]) -> list[MemberTag]:
    """Store tags that members can carry, in this order."""
    rows = await tx.fetch(
        f"""INSERT INTO member_tag (team_id, name) SELECT $1, unnest($2::text[]) RETURNING {columns(MemberTag)}""",
        tx.team_id,
        list(names),
    )
    return [MemberTag(*row) for row in rows]


async def set_status(tx: Transaction, member_id: int, status: str) -> None:
    """Set a member's status: active, invited, deactivated."""
    await tx.execute(
        "UPDATE member SET status = $3, updated_at = now() WHERE team_id = $1 AND id = $2",
        tx.team_id,
        member_id,
        status,
    )


async def set_virtual_number(tx: Transaction, member_id: int, number: str | None) -> bool:
    """Set a member's virtual number; False when another has it."""
    done = await tx.execute(
        """UPDATE member SET virtual_number = $3, updated_at = now()
            WHERE team_id = $1 AND id = $2
              AND NOT EXISTS (SELECT FROM member WHERE virtual_number = $3 AND id <> $2)""",
        tx.team_id,
        member_id,
        number,
    )
    return done == "UPDATE 1"


async def insert_profile(tx: Transaction, name: str, permissions: Sequence[str]) -> PermissionProfile | None:
    """Store a permission profile; None when the name is taken."""
    row = await tx.fetchrow(
        f"""INSERT INTO permission_profile (team_id, name, permissions) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING RETURNING {columns(PermissionProfile)}""",
        tx.team_id,
        name,
        list(permissions),
    )
    return PermissionProfile(*row) if row else None


async def update_profile(
    tx: Transaction, profile_id: int, name: str, permissions: Sequence[str]
) -> PermissionProfile | None:
    """Set a profile's name and permissions; None when another has the name."""
    row = await tx.fetchrow(
        f"""UPDATE permission_profile SET name = $3, permissions = $4
             WHERE team_id = $1 AND id = $2 AND NOT EXISTS (
                   SELECT FROM permission_profile o WHERE o.team_id = $1 AND lower(o.name) = lower($3) AND o.id <> $2)
            RETURNING {columns(PermissionProfile)}""",
        tx.team_id,
        profile_id,
        name,
        list(permissions),
    )
    return PermissionProfile(*row) if row else None


async def delete_profile(tx: Transaction, profile_id: int) -> None:
    """Delete a permission profile that nobody has."""
    await tx.execute("DELETE FROM permission_profile WHERE team_id = $1 AND id = $2", tx.team_id, profile_id)


async def insert_vendor(
    tx: Transaction, *, member_id: int | None, first_name: str, last_name: str, role_name: str, details: bytes
) -> Vendor:
    """Store somebody the team works with."""
    row = await tx.fetchrow(
        f"""INSERT INTO vendor (team_id, member_id, first_name, last_name, role_name, details)
            VALUES ($1, $2, $3, $4, $5, $6) RETURNING {columns(Vendor)}""",
        tx.team_id,
        member_id,
        first_name,
        last_name,
        role_name,
        details,
    )
    assert row is not None
    return Vendor(*row)


async def delete_vendor(tx: Transaction, vendor_id: int) -> bool:
    """Delete a vendor; False when there is none."""
    done = await tx.execute("DELETE FROM vendor WHERE team_id = $1 AND id = $2", tx.team_id, vendor_id)
    return done == "DELETE 1"


async def insert_pond(
    tx: Transaction, *, name: str, owner_id: int, office_id: int | None, agent_ids: Sequence[int], is_enabled: bool
) -> LeadPond | None:
    """Store a pond; None when the name is taken."""
    row = await tx.fetchrow(
        f"""INSERT INTO lead_pond (team_id, name, owner_id, office_id, agent_ids, is_enabled)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING {columns(LeadPond)}""",
        tx.team_id,
        name,
        owner_id,
        office_id,
        list(agent_ids),
        is_enabled,
    )
    return LeadPond(*row) if row else None


async def update_pond(
    tx: Transaction,
    pond_id: int,
    *,
    name: str,
    owner_id: int,
    office_id: int | None,
    agent_ids: Sequence[int],
    is_enabled: bool,
) -> LeadPond | None:
    """Set everything of a pond; None when another has the name."""
    row = await tx.fetchrow(
        f"""UPDATE lead_pond SET name = $3, owner_id = $4, office_id = $5, agent_ids = $6, is_enabled = $7,
                                updated_at = now()
             WHERE team_id = $1 AND id = $2 AND NOT EXISTS (
                   SELECT FROM lead_pond o WHERE o.team_id = $1 AND lower(o.name) = lower($3) AND o.id <> $2)
            RETURNING {columns(LeadPond)}""",
        tx.team_id,
        pond_id,
        name,
        owner_id,
        office_id,
        list(agent_ids),
        is_enabled,
    )
    return LeadPond(*row) if row else None
