"""Founding a team and adding its people, for whoever has the server's own rights: no permission is asked for.

What a member may do over HTTP stands in agents, organisation, profiles, ponds and vendors.
"""

import re
from collections.abc import Sequence
from typing import Final

from rooftree.platform.database import Transaction
from rooftree.team import queries, store
from rooftree.team.model import LeadPond, Member, Office
from rooftree.team.rules import ROLE_NAMES
from rooftree.timeline.actions import announce_agent
from rooftree.timeline.kinds import AGENT_UPDATED

_LOGIN: Final = re.compile(r"[^@\s]+@[^@\s]+")


class TeamError(Exception):
    """Something about people that cannot be done; the message says why."""


async def found_team(tx: Transaction, name: str, time_zone: str) -> int:
    """Store a team, return its id. `tx` has the owner's rights and no team."""
    return await store.insert_team(tx, name, time_zone)


async def furnish_team(tx: Transaction) -> None:
    """Give a fresh team the roles that every team begins with."""
    await store.insert_custom_roles(tx)


async def add_office(tx: Transaction, name: str, parent_id: int | None = None) -> Office:
    """Add an office. Raises: TeamError when its parent does not exist."""
    await store.lock_team(tx)  # the parent stays where it is
    office = await store.insert_office(tx, name, parent_id)
    if office is None:
        raise TeamError(f"There is no office {parent_id} that {name} could belong to.")
    return office


async def add_member(
    tx: Transaction,
    *,
    email: str,
    first_name: str,
    last_name: str = "",
    role: str = "agent",
    office_id: int | None = None,
    phone_number: str | None = None,
    member_id: int | None = None,
    status: str = "active",
    time_zone: str | None = None,
) -> Member:
    """Add a member, active or not. `member_id` keeps the id of an imported one. Raises: TeamError."""
    if role not in ROLE_NAMES:
        raise TeamError(f"{role} is not a role; there are {', '.join(ROLE_NAMES)}.")
    if not _LOGIN.fullmatch(email.strip()):
        raise TeamError(f"{email} is not an e-mail address, which a login is.")
    member = await store.insert_member(
        tx,
        email=email.strip(),
        first_name=first_name,
        last_name=last_name,
        role=role,
        office_id=office_id,
        phone_number=phone_number,
        member_id=member_id,
        status=status,
        time_zone=time_zone,
    )
    if member is None:
        raise TeamError(f"{email} is taken, or the team has its owner already.")
    return member


async def put_pond(tx: Transaction, name: str, owner_id: int, agent_ids: Sequence[int]) -> LeadPond:
    """Return the company's pond of a name, made if there is none. Writes: lead_pond."""
    known = next((pond for pond in await queries.ponds(tx) if pond.name.lower() == name.lower()), None)
    if known is None:
        known = await store.insert_pond(
            tx, name=name, owner_id=owner_id, office_id=None, agent_ids=agent_ids, is_enabled=True
        )
    assert known is not None
    return known


async def set_virtual_number(tx: Transaction, email: str, number: str | None) -> None:
    """Give a member the number (E.164) that their texts go from, or take it away. Raises: TeamError."""
    member = await queries.member_by_email(tx, email)
    if member is None:
        raise TeamError(f"There is nobody with the login {email}.")
    if not await store.set_virtual_number(tx, member.id, number):
        raise TeamError(f"{number} is somebody else's already.")


async def deactivate_member(tx: Transaction, email: str) -> Member:
    """End a member's access at once; their leads stay. Writes: member, announcement (1). Raises: TeamError.

    Their keys are revoked by the caller: they belong to a room above.
    """
    member = await queries.member_by_email(tx, email)
    if member is None:
        raise TeamError(f"There is nobody with the login {email}.")
    if member.role == "owner":
        raise TeamError("The owner of the team cannot be deactivated.")
    await set_status(tx, member, "deactivated")
    return member


async def reactivate_member(tx: Transaction, email: str) -> Member:
    """Give somebody their access back; they need a new key. Writes: member, announcement (1). Raises: TeamError."""
    member = await queries.member_by_email(tx, email)
    if member is None:
        raise TeamError(f"There is nobody with the login {email}.")
    await set_status(tx, member, "active")
    return member


async def set_status(tx: Transaction, member: Member, status: str) -> None:
    """Let a member in, or shut them out, and announce it, if anything changes. Writes: member, announcement (1)."""
    if member.status != status:
        await store.set_status(tx, member.id, status)
        await announce_agent(tx, AGENT_UPDATED, member.id)
