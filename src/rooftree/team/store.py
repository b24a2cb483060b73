"""Every INSERT and UPDATE of the team."""

from rooftree.platform.database import Transaction, columns
from rooftree.team import rules
from rooftree.team.model import Member, Office


async def insert_team(tx: Transaction, name: str, time_zone: str) -> int:
    """Store a team, return its id. Needs the owner's rights: the server's role sees its own team only."""
    return await tx.fetchval("INSERT INTO team (name, time_zone) VALUES ($1, $2) RETURNING id", name, time_zone)


async def insert_custom_roles(tx: Transaction) -> None:
    """Give a team the roles that every team begins with."""
    await tx.executemany(
        "INSERT INTO custom_role (team_id, id, name) VALUES ($1, $2, $3)",
        [(tx.team_id, role_id, name) for role_id, name in rules.FIRST_CUSTOM_ROLES.items()],
    )


async def insert_office(tx: Transaction, name: str, parent_id: int | None) -> Office | None:
    """Store an office below its parent (None: top level); None when there is no such parent."""
    row = await tx.fetchrow(
        f"""INSERT INTO office (team_id, name, parent_id, ancestor_ids)
            SELECT $1, $2, p.id, CASE WHEN p.id IS NULL THEN '{{}}' ELSE p.id || p.ancestor_ids END
              FROM (SELECT) AS one LEFT JOIN office p ON p.team_id = $1 AND p.id = $3
             WHERE p.id IS NOT DISTINCT FROM $3
            RETURNING {columns(Office)}""",
        tx.team_id,
        name,
        parent_id,
    )
    return Office(*row) if row else None


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
) -> Member | None:
    """Store an active member; None when the login is taken."""
    row = await tx.fetchrow(
        f"""INSERT INTO member (team_id, id, office_id, role, email, first_name, last_name, phone_number)
            VALUES ($1, coalesce($2, next_id()), $3, $4, $5, $6, $7, $8)
            ON CONFLICT DO NOTHING RETURNING {columns(Member)}""",
        tx.team_id,
        member_id,
        office_id,
        role,
        email,
        first_name,
        last_name,
        phone_number,
    )
    return Member(*row) if row else None


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
