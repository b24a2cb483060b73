"""Founding a team in full: its people's roles, its pipelines, its owner."""

from rooftree.leads.actions import seed_stages
from rooftree.platform.database import Database, Transaction
from rooftree.team import actions as team
from rooftree.team.model import Member
from rooftree.transactions.actions import seed_pipelines


async def found(
    owner_database: Database,
    *,
    name: str,
    owner_email: str,
    owner_first_name: str = "Owner",
    owner_last_name: str = "",
    time_zone: str = "America/Los_Angeles",
) -> Member:
    """Make a team with everything a team begins with; return its owner. Needs the owner's rights on the database."""
    async with owner_database.unscoped() as tx:
        return await found_in(
            tx,
            name=name,
            owner_email=owner_email,
            owner_first_name=owner_first_name,
            owner_last_name=owner_last_name,
            time_zone=time_zone,
        )


async def found_in(
    tx: Transaction,
    *,
    name: str,
    owner_email: str,
    owner_first_name: str = "Owner",
    owner_last_name: str = "",
    time_zone: str = "America/Los_Angeles",
) -> Member:
    """Do what `found` does, in the caller's transaction: all of a team or nothing. From then on it is bound to it."""
    tx.team_id = await team.found_team(tx, name, time_zone)
    await team.furnish_team(tx)
    await seed_stages(tx)
    await seed_pipelines(tx)
    return await team.add_member(
        tx, email=owner_email, first_name=owner_first_name, last_name=owner_last_name, role="owner"
    )
