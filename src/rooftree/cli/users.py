"""rooftree users: the people of a team."""

import sys
from typing import Annotated

import typer
from rich.table import Table

from rooftree.auth.actions import revoke_keys_of
from rooftree.auth.signing_in import set_password
from rooftree.cli.running import Refused, console, out, run, running, team_of
from rooftree.messaging.inbound import e164
from rooftree.team import actions, queries
from rooftree.timeline.actions import announce_agent
from rooftree.timeline.kinds import AGENT_CREATED

app = typer.Typer(
    help="The people of the team: list, add, password, number, deactivate, reactivate.", no_args_is_help=True
)

Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]


@app.command("list")
def list_users(team_of_login: Team = None) -> None:
    """List the people of a team."""
    run(_list(team_of_login))


async def _list(login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            members, _ = await queries.list_members(tx, [], after_id=None, limit=10_000, offset=0)
            offices = await queries.offices(tx)
    table = Table("id", "login", "name", "role", "office", "status")
    for member in members:
        office = offices[member.office_id].name if member.office_id else "-"
        name = f"{member.first_name} {member.last_name}".strip()
        table.add_row(str(member.id), member.email, name, member.role, office, member.status)
    out.print(table)


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="Login: an e-mail address.")],
    first_name: Annotated[str, typer.Option(help="First name.")],
    last_name: Annotated[str, typer.Option(help="Last name.")] = "",
    role: Annotated[
        str, typer.Option(help="owner, admin, office_owner, office_admin, agent, assistant or lender.")
    ] = "agent",
    office: Annotated[str | None, typer.Option(help="Name of their office; made if there is none.")] = None,
    team_of_login: Team = None,
) -> None:
    """Add somebody to the team."""
    run(_add(email, first_name, last_name, role, office, team_of_login))


async def _add(email: str, first_name: str, last_name: str, role: str, office: str | None, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            known = {found.name.lower(): found for found in (await queries.offices(tx)).values()}
            place = known.get(office.lower()) or await actions.add_office(tx, office) if office else None
            member = await actions.add_member(
                tx,
                email=email,
                first_name=first_name,
                last_name=last_name,
                role=role,
                office_id=place.id if place else None,
            )
            await announce_agent(tx, AGENT_CREATED, member.id)
    console.print(
        f"{first_name} is in the team, user id {member.id}. A key: rooftree keys create --user {email} --name …"
    )


@app.command()
def number(
    email: Annotated[str, typer.Argument(help="Their login.")],
    number: Annotated[str, typer.Argument(help="The provider's number, e.g. +15125550100; empty takes it away.")],
) -> None:
    """Give somebody the virtual number that their texts go from, and that texts to them come to."""
    run(_number(email, number))


async def _number(email: str, wish: str) -> None:
    async with running() as server:
        normal = e164(wish, server.settings.phone_region) if wish else None
        if wish and normal is None:
            raise Refused(f"{wish} is not a phone number. Write it as +15125550100.")
        team_id, _ = await team_of(server.owner, email)
        async with server.owner.transaction(team_id) as tx:
            await actions.set_virtual_number(tx, email, normal)
    console.print(f"{email} texts from {normal} now." if normal else f"{email} has no number now.")


@app.command()
def password(
    email: Annotated[str, typer.Argument(help="Their login.")],
    stdin: Annotated[bool, typer.Option("--stdin", help="Read it from standard input, for scripts.")] = False,
) -> None:
    """Give somebody a password, for the page where they connect applications. Ends their sessions."""
    given = sys.stdin.readline().rstrip("\r\n") if stdin else None
    run(_password(email, given or typer.prompt("Password", hide_input=True, confirmation_prompt=True)))


async def _password(email: str, given: str) -> None:
    async with running() as server:
        team_id, member_id = await team_of(server.owner, email)
        async with server.owner.transaction(team_id) as tx:
            await set_password(tx, member_id, given)
    console.print(f"{email} has a new password.")


@app.command()
def deactivate(email: Annotated[str, typer.Argument(help="Their login.")]) -> None:
    """End somebody's access and keys at once. Their leads stay where they are."""
    run(_deactivate(email))


async def _deactivate(email: str) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, email)
        async with server.owner.transaction(team_id) as tx:
            member = await actions.deactivate_member(tx, email)
            await revoke_keys_of(tx, member.id)
    if member.status == "deactivated":
        raise Refused(f"{email} was deactivated before.")
    console.print(f"{email} has no access any more.")


@app.command()
def reactivate(email: Annotated[str, typer.Argument(help="Their login.")]) -> None:
    """Give somebody their access back. Their old keys stay dead: rooftree keys create makes a new one."""
    run(_reactivate(email))


async def _reactivate(email: str) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, email)
        async with server.owner.transaction(team_id) as tx:
            member = await actions.reactivate_member(tx, email)
    if member.status == "active":
        raise Refused(f"{email} has access already.")
    console.print(f"{email} has access again.")
