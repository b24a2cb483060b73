"""rooftree import: data from elsewhere."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from rooftree.cli.archive import import_archive
from rooftree.cli.running import out, run, running, team_of
from rooftree.imports import queries
from rooftree.platform.wire_time import utc_text

app = typer.Typer(help="Data from elsewhere: list, show.", no_args_is_help=True)
app.command("archive")(import_archive)

Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]


@app.command("list")
def list_imports(team_of_login: Team = None) -> None:
    """List the imports of files, newest first."""
    run(_list(team_of_login))


async def _list(login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            found = await queries.imports(tx, limit=100)
    table = Table("import", "file", "state", "rows", "created", "updated", "skipped", "in error", "begun (UTC)")
    for one in found:
        counts = (one.position, one.created, one.updated, one.skipped, one.failed)
        table.add_row(
            str(one.id), escape(one.file_name), one.state, *(f"{n:,}" for n in counts), utc_text(one.started_at)
        )
    out.print(table)
