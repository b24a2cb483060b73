"""Who stands in line."""

from rooftree.platform.database import Transaction
from rooftree.routing.rules import COMPANY


async def agents_of(tx: Transaction, scope: int) -> list[int]:
    """Return the active agents of the company, or of an office and those below it, by id."""
    offices = (
        ""
        if scope == COMPANY
        else """ AND office_id IN (
        SELECT o.id FROM office o WHERE o.team_id = $1 AND (o.id = $2 OR $2 = ANY (o.ancestor_ids)))"""
    )
    args = [tx.team_id] if scope == COMPANY else [tx.team_id, scope]
    rows = await tx.fetch(
        f"SELECT id FROM member WHERE team_id = $1 AND role = 'agent' AND status = 'active'{offices} ORDER BY id", *args
    )
    return [row["id"] for row in rows]


async def is_office(tx: Transaction, office_id: int) -> bool:
    """Whether the team has this office."""
    return await tx.fetchval("SELECT EXISTS (SELECT FROM office WHERE team_id = $1 AND id = $2)", tx.team_id, office_id)


async def fallback(tx: Transaction, caller_id: int) -> tuple[str, int]:
    """Return who takes a lead when there is no agent: the active caller, else the owner of the team."""
    row = await tx.fetchrow(
        """SELECT id, role FROM member WHERE team_id = $1 AND (id = $2 AND status = 'active' OR role = 'owner')
            ORDER BY (id = $2) DESC LIMIT 1""",
        tx.team_id,
        caller_id,
    )
    if row is None:
        raise LookupError("a team always has an owner")
    return ("caller" if row["id"] == caller_id else "owner"), row["id"]


async def turns_of(tx: Transaction, scope: str) -> dict[int, int]:
    """Return how many turns each agent of a line has had."""
    rows = await tx.fetch(
        "SELECT member_id, turns FROM routing_turn WHERE team_id = $1 AND scope = $2", tx.team_id, scope
    )
    return {row["member_id"]: row["turns"] for row in rows}


async def name_of(tx: Transaction, member_id: int) -> str:
    """Return a member's first name."""
    return await tx.fetchval("SELECT first_name FROM member WHERE team_id = $1 AND id = $2", tx.team_id, member_id)
