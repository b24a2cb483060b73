"""rooftree seed: demo data of any size."""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rooftree.cli import demo
from rooftree.cli.running import console, run, running, team_of


def seed(
    leads: Annotated[int, typer.Option(min=1, help="How many.")] = 2000,
    user: Annotated[
        str | None, typer.Option("--user", help="Login of somebody in the team; its owner by default.")
    ] = None,
    random_seed: Annotated[int, typer.Option("--seed", help="The same number gives the same data.")] = 1,
) -> None:
    """Fill a team with demo leads and their histories."""
    run(_seed(leads, user, random_seed))


async def _seed(leads: int, user: str | None, random_seed: int) -> None:
    async with running() as server:
        team_id, owner_id = await team_of(server.owner, user)
        columns = (TextColumn("leads"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("leads", total=leads)
            region = server.settings.phone_region
            await demo.add_leads(
                server.owner,
                team_id,
                owner_id,
                leads,
                region=region,
                seed=random_seed,
                on_progress=lambda size: progress.advance(task, size),
            )
    console.print(f"Added {leads:,} leads.")
