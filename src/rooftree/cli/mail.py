"""rooftree mail: the SMTP accounts by which e-mail goes out."""

from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Table

from rooftree.cli.running import Refused, console, out, run, running, team_of
from rooftree.messaging import actions, queries
from rooftree.messaging.accounts import check_account
from rooftree.platform.vault import VaultError, open_vault
from rooftree.team import queries as team

app = typer.Typer(help="SMTP accounts of the team and its agents: add, list, remove.", no_args_is_help=True)

Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]
Login = Annotated[str | None, typer.Option("--user", help="Login of the agent it belongs to. None: the whole team's.")]


@app.command()
def add(
    url: Annotated[
        str,
        typer.Argument(
            help="smtp://user:password@host:587 or smtps://user:password@host:465. A dash reads it from standard input."
        ),
    ],
    user: Login = None,
    from_address: Annotated[str | None, typer.Option("--from", help="Sender address. None: the agent's login.")] = None,
    team_of_login: Team = None,
) -> None:
    """Add an account, or replace it. Its password is stored encrypted."""
    given = typer.get_text_stream("stdin").readline().strip() if url == "-" else url
    run(_add(given, user, from_address, team_of_login))


async def _add(url: str, user: str | None, from_address: str | None, login: str | None) -> None:
    try:
        check_account(url)
    except ValueError as error:
        raise Refused(str(error)) from None
    async with running() as server:
        team_id, _ = await team_of(server.owner, user or login)
        try:
            sealed = open_vault(server.settings.secret_key, server.settings.data_path).seal(url)
        except VaultError as error:
            raise Refused(str(error)) from None
        async with server.owner.transaction(team_id) as tx:
            member = await team.member_by_email(tx, user) if user else None
            await actions.set_account(tx, member.id if member else 0, sealed, from_address)
    if server.settings.email_provider != "smtp":
        console.print("It is stored. Nothing is sent yet: set ROOFTREE_EMAIL_PROVIDER=smtp.")
    else:
        console.print("It is stored, and used from the next message on.")


@app.command("list")
def list_accounts(team_of_login: Team = None) -> None:
    """List the accounts, without their passwords."""
    run(_list(team_of_login))


async def _list(login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            accounts = await queries.mail_accounts(tx)
            members, _ = await team.list_members(tx, [], after_id=None, limit=10_000, offset=0)
        logins = {member.id: member.email for member in members}
        vault = open_vault(server.settings.secret_key, server.settings.data_path)
    table = Table("of", "server", "user", "from")
    for account in accounts:
        try:
            parts = urlsplit(vault.open(account.url))
            place, name = f"{parts.hostname}:{parts.port}", parts.username or "-"
        except VaultError as error:
            place, name = str(error), "-"
        table.add_row(logins.get(account.member_id, "the team"), place, name, account.from_address or "-")
    out.print(table)


@app.command()
def remove(user: Login = None, team_of_login: Team = None) -> None:
    """Forget an account."""
    run(_remove(user, team_of_login))


async def _remove(user: str | None, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, user or login)
        async with server.owner.transaction(team_id) as tx:
            member = await team.member_by_email(tx, user) if user else None
            if not await actions.remove_account(tx, member.id if member else 0):
                raise Refused("There is no such account. All of them: rooftree mail list")
    console.print("It is forgotten.")
