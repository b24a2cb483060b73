"""rooftree leads: what only an operator does with leads."""

from typing import Annotated

import typer

from rooftree.cli.running import Refused, console, run, running, team_of
from rooftree.leads.actions import restore_lead
from rooftree.leads.errors import LeadNotExist
from rooftree.platform.actor import Actor

app = typer.Typer(help="Leads: bring one back from the trash.", no_args_is_help=True)


@app.command()
def restore(
    lead_id: Annotated[int, typer.Argument(help="The lead's id.")],
    user: Annotated[str | None, typer.Option("--user", help="Login of who restores it; the owner by default.")] = None,
) -> None:
    """Bring a lead back from the trash, with everything that was on it."""
    run(_restore(lead_id, user))


async def _restore(lead_id: int, user: str | None) -> None:
    async with running() as server:
        team_id, member_id = await team_of(server.owner, user)
        actor = Actor(team_id, member_id, "owner", None, [], [member_id], "UTC")
        async with server.owner.transaction(team_id) as tx:
            try:
                lead = await restore_lead(tx, actor, lead_id, region=server.settings.phone_region)
            except LeadNotExist:
                raise Refused(f"There is no lead {lead_id} in this team.") from None
    console.print(f"{lead.first_name} {lead.last_name or ''} is back.")
