"""rooftree apps: OAuth applications."""

from typing import Annotated

import typer
from rich.table import Table

from rooftree.auth import applications, granting, queries
from rooftree.auth.model import OauthApp
from rooftree.cli.running import Refused, Running, console, out, run, running, team_of
from rooftree.platform.http.contract import grantable

app = typer.Typer(help="OAuth applications: create, list, show, change, rotate, mode, delete.", no_args_is_help=True)

Client = Annotated[str, typer.Argument(help="The client id that `apps list` shows.")]
Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]
Redirects = Annotated[
    list[str] | None,
    typer.Option("--redirect-uri", help="Where people go on to; may be repeated. Loopback matches with any port."),
]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", help="A group of operations, e.g. Leads; may be repeated. All by default."),
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people read when they are asked for consent.")],
    description: Annotated[str, typer.Option(help="A sentence below the name.")] = "",
    redirect_uri: Redirects = None,
    scope: Scopes = None,
    public: Annotated[
        bool, typer.Option("--public", help="Without a secret, proven by PKCE: browser, desktop, phone, command line.")
    ] = False,
    rotating: Annotated[
        bool, typer.Option("--rotating", help="Each refresh gives a new refresh token; an old one ends the consent.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Requests a minute, if not those of its mode.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Print client id and secret alone, for scripts.")] = False,
    team_of_login: Team = None,
) -> None:
    """Make an application, in development. Its secret is shown this once: only a hash is stored."""
    run(
        _create(
            name,
            description,
            redirect_uri or [],
            scope,
            is_public=public,
            is_rotating=rotating,
            limit=limit,
            is_plain=plain,
            login=team_of_login,
        )
    )


async def _create(
    name: str,
    description: str,
    redirect_uris: list[str],
    scopes: list[str] | None,
    *,
    is_public: bool,
    is_rotating: bool,
    limit: int | None,
    is_plain: bool,
    login: str | None,
) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            made, secret = await applications.make_app(
                tx,
                name=name,
                description=description,
                redirect_uris=redirect_uris,
                grants=scopes,
                known_grants=grantable(),
                is_public=is_public,
                is_rotating=is_rotating,
                limit_per_minute=limit,
            )
    if is_plain:
        print(made.client_id, *([secret] if secret else []))
        return
    out.print(f"client_id      {made.client_id}")
    if secret:
        out.print(f"client_secret  {secret}")
        console.print("Keep the secret now: it cannot be shown again.")
    console.print(f"{made.name} is in development. People connect it at {server.settings.address}/oauth/authorize")


@app.command("list")
def list_apps(team_of_login: Team = None) -> None:
    """List the applications of a team."""
    run(_list(team_of_login))


async def _list(login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            found = await queries.list_apps(tx)
    table = Table("client id", "name", "kind", "mode", "scopes", "made")
    for one in found:
        kind = "public" if one.secret_hash is None else "with a secret"
        table.add_row(one.client_id, one.name, kind, one.mode, _scopes(one), f"{one.created_at:%Y-%m-%d}")
    out.print(table)


def _scopes(one: OauthApp) -> str:
    return "all" if one.grants is None else ", ".join(one.grants)


@app.command()
def show(client_id: Client) -> None:
    """Show all that is known of an application."""
    run(_show(client_id))


async def _show(client_id: str) -> None:
    async with running() as server:
        one = await _found(server, client_id)
    for name, value in (
        ("client id", one.client_id),
        ("vendor id", str(one.id)),
        ("name", one.name),
        ("description", one.description or "-"),
        ("kind", "public, proven by PKCE" if one.secret_hash is None else "with a secret"),
        ("mode", one.mode),
        ("scopes", _scopes(one)),
        ("redirect URIs", " ".join(one.redirect_uris) or "-"),
        ("refresh tokens", "rotate" if one.is_rotating else "stay"),
        ("limit a minute", str(one.limit_per_minute or "that of its mode")),
    ):
        out.print(f"{name:15}{value}", markup=False)


@app.command()
def change(
    client_id: Client,
    name: Annotated[str | None, typer.Option(help="What people read when they are asked.")] = None,
    description: Annotated[str | None, typer.Option(help="A sentence below the name.")] = None,
    redirect_uri: Redirects = None,
    scope: Scopes = None,
    all_scopes: Annotated[bool, typer.Option("--all-scopes", help="Every operation.")] = False,
    limit: Annotated[int | None, typer.Option(min=0, help="Requests a minute; 0: those of its mode.")] = None,
) -> None:
    """Change an application; what is not named stays. In production, new scopes need each person's renewed consent."""
    run(_change(client_id, name, description, redirect_uri, scope, has_all=all_scopes, limit=limit))


async def _change(
    client_id: str,
    name: str | None,
    description: str | None,
    redirect_uris: list[str] | None,
    scopes: list[str] | None,
    *,
    has_all: bool,
    limit: int | None,
) -> None:
    async with running() as server:
        one = await _found(server, client_id)
        async with server.owner.transaction(one.team_id) as tx:
            one = await applications.change_app(
                tx, one, name=name, description=description, redirect_uris=redirect_uris or None
            )
            if scopes or has_all:
                one = await applications.grant_app(tx, one, None if has_all else scopes, grantable())
            if limit is not None:
                await applications.limit_app(tx, one, limit or None)
    console.print(f"{one.name} is changed.")


@app.command()
def rotate(client_id: Client) -> None:
    """Give an application another secret, shown this once. The old one ends now; people stay connected."""
    run(_rotate(client_id))


async def _rotate(client_id: str) -> None:
    async with running() as server:
        one = await _found(server, client_id)
        async with server.owner.transaction(one.team_id) as tx:
            secret = await applications.renew_secret(tx, one)
    out.print(secret)
    console.print("Keep the secret now: it cannot be shown again. The old one is refused from now on.")


@app.command()
def mode(
    client_id: Client, wish: Annotated[str, typer.Argument(metavar="MODE", help="development or production.")]
) -> None:
    """Put an application into development or production: another rate limit, and renewed consent to new scopes."""
    run(_mode(client_id, wish))


async def _mode(client_id: str, wish: str) -> None:
    async with running() as server:
        one = await _found(server, client_id)
        async with server.owner.transaction(one.team_id) as tx:
            one = await applications.change_app(tx, one, mode=wish.lower())
    console.print(f"{one.name} is in {one.mode}.")


@app.command()
def disconnect(
    client_id: Client, email: Annotated[str, typer.Argument(help="Login of whose connection ends.")]
) -> None:
    """End all tokens that an application has of somebody. They can do so themselves, at /oauth/connections."""
    run(_disconnect(client_id, email))


async def _disconnect(client_id: str, email: str) -> None:
    async with running() as server:
        one = await _found(server, client_id)
        team_id, member_id = await team_of(server.owner, email)
        async with server.owner.transaction(team_id) as tx:
            if not await granting.disconnect(tx, member_id, one.id):
                raise Refused(f"{email} is not connected to {one.name}.")
    console.print(f"{email} is disconnected from {one.name}.")


@app.command()
def delete(client_id: Client) -> None:
    """Delete an application. All its tokens are refused from now on."""
    run(_delete(client_id))


async def _delete(client_id: str) -> None:
    async with running() as server:
        one = await _found(server, client_id)
        async with server.owner.transaction(one.team_id) as tx:
            await applications.delete_app(tx, one)
    console.print(f"{one.name} is deleted.")


async def _found(server: Running, client_id: str) -> OauthApp:
    one = await queries.find_app(server.owner, client_id)
    if one is None:
        raise Refused(f"There is no application {client_id}: rooftree apps list shows them.")
    return one
