"""rooftree seed: demo data of any size."""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rooftree.cli import demo
from rooftree.cli.running import console, run, running, team_of
from rooftree.platform.database import Database


def seed(
    leads: Annotated[int, typer.Option(min=1, help="How many.")] = 2000,
    user: Annotated[
        str | None, typer.Option("--user", help="Login of somebody in the team; its owner by default.")
    ] = None,
    random_seed: Annotated[
        int | None, typer.Option("--seed", help="The same number gives the same people. [default: new ones each time]")
    ] = None,
) -> None:
    """Fill a team with demo leads and their histories."""
    run(_seed(leads, user, random_seed))


async def _seed(leads: int, user: str | None, random_seed: int | None) -> None:
    async with running() as server:
        team_id, owner_id = await team_of(server.owner, user)
        if random_seed is None:
            random_seed = await _next_seed(server.owner, team_id)
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


async def _next_seed(owner: Database, team_id: int) -> int:
    """Return a seed that follows from what is there: the same steps give the same data, and nobody comes twice."""
    async with owner.reading(team_id) as tx:
        # sees all: counts a team's leads, those in the trash too
        return 1 + int(await tx.fetchval("SELECT count(*) FROM lead WHERE team_id = $1", team_id))
