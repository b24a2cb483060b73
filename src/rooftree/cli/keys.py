"""rooftree keys: API keys."""

import re
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from rooftree.auth import actions, queries
from rooftree.auth.applications import known
from rooftree.cli.running import Refused, console, out, run, running, team_of
from rooftree.platform import clock
from rooftree.platform.http.contract import grantable
from rooftree.platform.secret import shared_secret

app = typer.Typer(help="API keys: make, list, revoke.", no_args_is_help=True)

Login = Annotated[str | None, typer.Option("--user", help="Login of the key's owner; the team's owner by default.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    user: Login = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: 12h, 90d, 1y. Never by default.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Print the key alone, for scripts.")] = False,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A group of operations, e.g. Leads; may be repeated. All by default."),
    ] = None,
) -> None:
    """Make a key. It is shown this once: only a hash is stored."""
    run(_create(name, user, expires, scope, is_plain=plain))


async def _create(
    name: str, user: str | None, expires: str | None, scopes: list[str] | None, *, is_plain: bool
) -> None:
    expires_at = _end(expires)
    grants = known(scopes or None, grantable())
    async with running() as server:
        secret = await shared_secret(server.owner)
        team_id, member_id = await team_of(server.owner, user)
        async with server.owner.transaction(team_id) as tx:
            text, key = await actions.create_key(tx, secret, member_id, name, expires_at, grants=grants)
    if is_plain:
        print(text)
        return
    out.print(text)
    console.print(f"Key {key.id} '{name}'. Keep it now: it cannot be shown again.")


def _end(expires: str | None) -> datetime | None:
    if expires is None:
        return None
    match = re.fullmatch(r"(\d{1,5})([hdy])", expires)
    if not match:
        raise Refused("--expires: say 12h, 90d or 1y.")
    return clock.now() + timedelta(hours=int(match[1]) * {"h": 1, "d": 24, "y": 24 * 365}[match[2]])


@app.command("list")
def list_keys(user: Login = None) -> None:
    """List the keys of a team."""
    run(_list(user))


async def _list(user: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, user)
        async with server.owner.reading(team_id) as tx:
            keys = await queries.list_keys(tx)
    table = Table("id", "name", "ends in", "made", "expires", "last used", "state")
    for key in keys:
        dates = [f"{at:%Y-%m-%d %H:%M}" if at else "-" for at in (key.created_at, key.expires_at, key.last_used_at)]
        is_over = key.expires_at is not None and key.expires_at < clock.now()
        state = "revoked" if key.revoked_at else "expired" if is_over else "valid"
        table.add_row(str(key.id), key.name, key.last_four, *dates, state)
    out.print(table)


@app.command()
def revoke(key_id: Annotated[int, typer.Argument(help="The id that `keys list` shows.")], user: Login = None) -> None:
    """End a key at once, in every process."""
    run(_revoke(key_id, user))


async def _revoke(key_id: int, user: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, user)
        async with server.owner.transaction(team_id) as tx:
            if not await actions.revoke_key(tx, key_id):
                raise Refused(f"There is no valid key {key_id}: rooftree keys list shows them.")
    console.print(f"Key {key_id} is revoked.")
