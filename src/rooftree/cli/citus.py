"""rooftree citus: spread the database over several machines, by team."""

from typing import Annotated

import typer
from rich.table import Table

from rooftree.cli.running import Refused, console, out, run, running
from rooftree.platform import citus

app = typer.Typer(help="Spread the database over several machines with Citus.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Spread the database over several machines with Citus. Limits: docs/citus.md."""


@app.command()
def distribute(
    is_plan: Annotated[bool, typer.Option("--plan", help="Check and print everything; change nothing.")] = False,
) -> None:
    """Distribute every table by team, or say why one stays whole. Done again, it does what is missing.

    Needs ROOFTREE_DATABASE_URL of a Citus coordinator, and ROOFTREE_DATABASE_POOLER=true from then on. Stop the server
    first, and make a backup. Exit code 1: Citus would refuse something.
    """
    run(_distribute(is_plan=is_plan))


async def _distribute(*, is_plan: bool) -> None:
    async with running() as server:
        if server.embedded and not is_plan:
            raise Refused("The embedded server has no Citus: set ROOFTREE_DATABASE_URL to a coordinator's.")
        found = await citus.look(server.owner)
        if is_plan:
            _show(found)
            if found.problems:
                raise Refused(f"Citus would refuse {len(found.problems)} things.")
            return
        if not server.settings.database_pooler:
            raise Refused("Set ROOFTREE_DATABASE_POOLER=true, here and for every process: nodes are told the team so.")
        done = await citus.carry_out(server.owner, found)
    for statement in done:
        out.print(statement, markup=False)
    console.print(f"{len(done)} statements done.")


def _show(found: citus.Plan) -> None:
    table = Table("table", "place", "why", "problems")
    for placed in found.tables:
        table.add_row(placed.table, placed.place, placed.reason, "\n".join(placed.problems))
    out.print(table)
    for statement in found.statements:
        out.print(f"{statement};", markup=False)
