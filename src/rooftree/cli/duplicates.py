"""rooftree duplicates: leads that may be one person; merging two, and undoing it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rooftree.cli.running import Refused, Running, console, out, run, running, team_of
from rooftree.duplicates import actions, merging, queries
from rooftree.duplicates.model import Reason, ReviewedPair
from rooftree.duplicates.queries import Wanted
from rooftree.leads.actions import compare_again
from rooftree.leads.model import Lead
from rooftree.leads.queries import count_to_compare
from rooftree.leads.rules import full_name
from rooftree.platform.actor import Actor
from rooftree.platform.errors import ApiError

app = typer.Typer(help="Leads that may be one person: scan, list, merge, undo.", no_args_is_help=True)

User = Annotated[
    str | None, typer.Option("--user", help="Login of who does it; the owner of the only team by default.")
]


@asynccontextmanager
async def _as(login: str | None) -> AsyncGenerator[tuple[Running, Actor]]:
    """Yield the running server and somebody who acts with the owner's rights. Refusals are said in a sentence."""
    async with running() as server:
        team_id, member_id = await team_of(server.owner, login)
        try:
            yield server, Actor(team_id, member_id, "owner", None, [], [member_id], "UTC")
        except ApiError as error:
            raise Refused(error.message) from None


@app.command()
def scan(
    everything: Annotated[
        bool, typer.Option("--all", help="Compare every lead again, not only those that came or changed.")
    ] = False,
    user: User = None,
) -> None:
    """Look for duplicates now. The worker does so by itself; this is for the first time, or after an import."""
    run(_scan(user, is_everything=everything))


async def _scan(user: str | None, *, is_everything: bool) -> None:
    async with _as(user) as (server, actor):
        async with server.owner.transaction(actor.team_id) as tx:
            if is_everything:
                await compare_again(tx)
        async with server.owner.reading(actor.team_id) as tx:
            total = await count_to_compare(tx)
        columns = (TextColumn("leads"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        done = 0
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("leads", total=total)
            while True:
                async with server.owner.transaction(actor.team_id) as tx:
                    taken = await actions.scan(tx)
                if not taken:
                    break
                done += taken
                progress.update(task, completed=min(done, total))
            progress.update(task, completed=total)
        async with server.owner.reading(actor.team_id) as tx:
            pairs = await queries.count_open(tx)
    console.print(f"Compared {done:,} leads. {pairs:,} pairs are on the review list: rooftree duplicates list")


@app.command("list")
def list_pairs(
    min_score: Annotated[int, typer.Option("--min-score", min=0, max=100, help="Only pairs this likely.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 100,
    is_dismissed: Annotated[bool, typer.Option("--dismissed", help="Those that were dismissed.")] = False,
    user: User = None,
) -> None:
    """List pairs of leads that may be one person, the likeliest first."""
    run(_list(user, Wanted("dismissed" if is_dismissed else "open", min_score), limit))


async def _list(user: str | None, wanted: Wanted, limit: int) -> None:
    async with _as(user) as (server, actor), server.owner.reading(actor.team_id) as tx:
        found = await queries.review_list(tx, actor, wanted, limit=limit)
    table = Table("score", "lead", "name", "other lead", "name", "why")
    for one in found:
        table.add_row(
            str(one.pair.score), str(one.lead.id), _name(one.lead), str(one.other.id), _name(one.other), _why(one)
        )
    out.print(table)


def _name(lead: Lead) -> str:
    return escape(full_name(lead.first_name, lead.last_name))


def _why(found: ReviewedPair) -> str:
    return escape("; ".join(reason.text for reason in msgspec.json.decode(found.pair.reasons, type=list[Reason])))


def _choices(words: list[str]) -> dict[str, str]:
    choices: dict[str, str] = {}
    for word in words:
        name, sign, choice = word.partition("=")
        if not sign:
            raise Refused(f"--choose {word}: say it as field=winner, field=other or field=both.")
        choices[name.strip()] = choice.strip()
    return choices


@app.command()
def merge(
    lead_id: Annotated[int, typer.Argument(help="The lead that stays.")],
    other_id: Annotated[int, typer.Argument(help="The lead that goes; its history moves.")],
    choose: Annotated[
        list[str] | None, typer.Option("--choose", help="field=winner, field=other or field=both; repeat it.")
    ] = None,
    is_preview: Annotated[bool, typer.Option("--preview", help="Only say what would come of it.")] = False,
    user: User = None,
) -> None:
    """Merge two leads: the first stays, the second goes to the trash. Can be undone for 30 days."""
    run(_merge(user, lead_id, other_id, choose or [], is_preview=is_preview))


async def _merge(user: str | None, lead_id: int, other_id: int, words: list[str], *, is_preview: bool) -> None:
    choices = _choices(words)
    async with _as(user) as (server, actor):
        region = server.settings.phone_region
        async with server.owner.transaction(actor.team_id) as tx:
            shown = await merging.preview(tx, actor, lead_id, other_id, choices, region=region)
            done = None if is_preview else await merging.merge(tx, actor, lead_id, other_id, choices, region=region)
    table = Table("field", "stays", "goes", "result", "from")
    for field in shown.fields:
        if field["winner"] != field["other"]:
            values = [_text(field[key]) for key in ("winner", "other", "result")]
            table.add_row(field["field"], *values, field["choice"])
    out.print(table)
    moves = ", ".join(f"{amount} {kind}" for kind, amount in shown.moves.items() if amount) or "nothing"
    if done is None:
        console.print(f"Would move: {moves}. Nothing was changed.")
    else:
        console.print(f"Merged; moved {moves}. To undo it: rooftree duplicates undo {done.id}")


def _text(value: Any) -> str:
    if value is None or value == "":
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return escape(text if len(text) <= 60 else f"{text[:59]}…")


@app.command()
def undo(merge_id: Annotated[int, typer.Argument(help="The merge, as it was printed.")], user: User = None) -> None:
    """Make two leads of one again, as they were before the merge."""
    run(_undo(user, merge_id))


async def _undo(user: str | None, merge_id: int) -> None:
    async with _as(user) as (server, actor), server.owner.transaction(actor.team_id) as tx:
        undone = await merging.undo(tx, actor, merge_id, region=server.settings.phone_region)
    console.print(f"Lead {undone.merge.merged_lead_id} is back.")
    if undone.kept:
        names = ", ".join(undone.kept)
        console.print(f"Changed since, and left as it is on lead {undone.merge.lead_id}: {names}.")
