"""rooftree outbox: the messages that went out, or were kept because nothing is configured."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from rooftree.cli.running import Refused, out, run, running, team_of
from rooftree.messaging import queries
from rooftree.messaging.model import Message
from rooftree.platform.wire_time import utc_text

app = typer.Typer(help="Messages of the team: list, show.", no_args_is_help=True)

Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]


@app.command("list")
def list_messages(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 50,
    state: Annotated[str | None, typer.Option(help="Only these: queued, sending, sent, delivered or failed.")] = None,
    team_of_login: Team = None,
) -> None:
    """List the latest messages."""
    run(_list(limit, state, team_of_login))


async def _list(limit: int, state: str | None, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            found = await queries.latest_messages(tx, limit, [state] if state else [])
    table = Table("id", "created (UTC)", "channel", "to", "subject or text", "state", "by")
    for message in found:
        words = (message.subject or message.body).replace("\n", " ")
        table.add_row(
            str(message.id),
            utc_text(message.created_at),
            message.channel,
            message.recipient,
            escape(words if len(words) <= 60 else words[:59] + "…"),
            message.state + (f": {escape(message.error)}" if message.error else ""),
            message.provider or "-",
        )
    out.print(table)


@app.command()
def show(message_id: Annotated[int, typer.Argument(help="Its id, from the list.")], team_of_login: Team = None) -> None:
    """Show one message, whole."""
    run(_show(message_id, team_of_login))


async def _show(message_id: int, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            message = await queries.find_message(tx, message_id)
    if message is None:
        raise Refused(f"There is no message {message_id}. All of them: rooftree outbox list")
    for name, value in _facts(message):
        out.print(f"{name + ':':<11}{escape(str(value))}")
    out.print("")
    out.print(message.body, markup=False)


def _facts(message: Message) -> list[tuple[str, object]]:
    facts = [
        ("Id", message.id),
        ("Lead", message.lead_id),
        ("From", message.sender),
        ("To", message.recipient),
        ("Subject", message.subject),
        ("Purpose", message.purpose),
        ("Created", utc_text(message.created_at)),
        ("Sent", utc_text(message.sent_at)),
        ("State", message.state),
        ("Attempts", message.attempts),
        ("Next try", utc_text(message.next_at)),
        ("By", message.provider),
        ("Error", message.error),
    ]
    return [(name, value) for name, value in facts if value is not None]
