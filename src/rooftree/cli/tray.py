"""rooftree tray: what came in from nobody known."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from rooftree.cli.running import Refused, console, out, run, running, team_of
from rooftree.messaging import actions, queries
from rooftree.platform.wire_time import utc_text

app = typer.Typer(help="Texts, e-mails and calls of nobody known: list, dismiss.", no_args_is_help=True)

Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]


@app.command("list")
def list_tray(team_of_login: Team = None) -> None:
    """List what waits in the tray, oldest first."""
    run(_list(team_of_login))


async def _list(login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            found = await queries.tray(tx, 1000)
    table = Table("id", "arrived (UTC)", "channel", "from", "to", "text")
    for arrival in found:
        words = " ".join(filter(None, (arrival.subject, arrival.body))).replace("\n", " ")[:80]
        table.add_row(
            str(arrival.id),
            utc_text(arrival.arrived_at),
            arrival.channel,
            escape(arrival.sender),
            escape(arrival.recipient),
            escape(words),
        )
    out.print(table)


@app.command()
def dismiss(
    arrival_id: Annotated[int, typer.Argument(help="Its id, from the list.")], team_of_login: Team = None
) -> None:
    """Take something out of the tray. It is kept, and no lead gets it."""
    run(_dismiss(arrival_id, team_of_login))


async def _dismiss(arrival_id: int, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            if await queries.find_arrival(tx, arrival_id) is None:
                raise Refused(f"There is nothing with the id {arrival_id}. All of it: rooftree tray list")
            await actions.dismiss_arrival(tx, arrival_id)
    console.print("It is out of the tray.")
