"""rooftree import lofty: a whole account, over the contract's own API."""

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from rooftree.cli.running import Refused, Running, console, out, run, running, team_of
from rooftree.lofty import counts, queries
from rooftree.lofty.counts import Count
from rooftree.lofty.model import KINDS
from rooftree.lofty.pull import Plan, Run, survey
from rooftree.lofty.source import Source
from rooftree.platform.wire_time import parse_instant


def import_lofty(
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Where the account is served, e.g. https://api.lofty.com.")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            envvar="LOFTY_API_KEY",
            show_envvar=True,
            help="A key of the account's owner or an admin. Asked for when it is not given; stored nowhere.",
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Login of somebody in the team that takes it; its owner by default.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only leads that came, changed, spoke or visited since then, and conversations since then: "
            "2026-05-01 or 2026-05-01T10:00:00Z. A note alone does not count as a change."
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Only this; may be repeated: {', '.join(KINDS)}. All by default.")
    ] = None,
    assign_to: Annotated[
        str | None,
        typer.Option(
            help="Login of who gets the leads of people who left the account. By default these people are here as "
            "inactive members, and keep them."
        ),
    ] = None,
    requests_per_minute: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many. By default as many as the source's own limit allows."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=32, help="Requests at once.")] = 4,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one request may take.")] = 60,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what there is, and write nothing.")] = False,
    not_taken: Annotated[
        Path, typer.Option(help="Where what could not be taken is listed, with the reasons (CSV).")
    ] = Path("lofty-not-taken.csv"),
    id_map: Annotated[
        Path | None, typer.Option(help="Write which id there is which here (CSV). Alone: of what is here already.")
    ] = None,
) -> None:
    """Take a whole account over the Lofty Open API: people, leads, everything that happened to them.

    Run it again at any time: one that was cut off goes on where it was, one that ended takes what is new and what has
    changed. In the end the things there and here are counted and compared; exit code 1 when they differ.
    """
    if base_url is None:
        if id_map is None:
            raise typer.BadParameter("say where the account is served.", param_hint="--base-url")
        run(_map_only(user, id_map))
        return
    wanted = [kind for kind in KINDS if not only or kind in only]
    if unknown := set(only or ()) - set(KINDS):
        raise typer.BadParameter(f"{min(unknown)} is none of {', '.join(KINDS)}.", param_hint="--only")
    begin = _instant(since)
    key = (api_key or _ask()).strip()
    if not key.isascii() or not key.isprintable() or not key:
        raise typer.BadParameter("is no key.", param_hint="--api-key")
    source = Source(
        base_url, key, concurrency=concurrency, requests_per_minute=requests_per_minute, timeout_seconds=timeout
    )
    if dry_run:
        run(_survey(source, wanted, begin))
    elif not run(_pull(source, user, wanted, begin, assign_to, not_taken, id_map)):
        raise typer.Exit(1)


def _ask() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("give it, or set LOFTY_API_KEY.", param_hint="--api-key")
    return str(typer.prompt("API key", hide_input=True))


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = parse_instant(text) or parse_instant(f"{text}T00:00:00Z")
    if found is None:
        raise typer.BadParameter("say 2026-05-01 or 2026-05-01T10:00:00Z.", param_hint="--since")
    return found


async def _survey(source: Source, wanted: Sequence[str], since: datetime | None) -> None:
    async with source:
        found = await survey(source, wanted, since)
    table = Table("kind", "there")
    for kind, count in found.items():
        table.add_row(kind, f"{count:,}" if isinstance(count, int) else count)
    out.print(table)
    console.print("Notes, visits, changes and transactions are counted when they are read. Nothing was written.")


async def _pull(
    source: Source,
    user: str | None,
    wanted: list[str],
    since: datetime | None,
    assign_to: str | None,
    not_taken: Path,
    id_map: Path | None,
) -> bool:
    """Take what is wanted; whether what was there is here."""
    async with running() as server, source:
        team_id, runner_id = await team_of(server.owner, user)
        heir = None
        if assign_to:
            heir_team, heir = await team_of(server.owner, assign_to)
            if heir_team != team_id:
                raise Refused(f"{assign_to} is not in this team.")
        plan = Plan(runner_id, wanted, since, heir, server.settings.phone_region)
        columns = (TextColumn("{task.description:<13}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            pull = await Run(server.owner, source, plan, _bars(progress)).go(team_id)
        async with server.owner.reading(team_id) as tx:
            found = await counts.compare(tx, pull)
            lost = await _write(not_taken, queries.refusals(tx), ("kind", "source_id", "reason"))
        if id_map:
            await _write_map(server, team_id, id_map)
    _show(found)
    console.print(
        f"{source.requests:,} requests, {source.retries:,} of them again; {source.waited_seconds:,.0f} s of waiting "
        f"for the source's limit. Read up to {pull.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
    )
    if lost:
        console.print(f"What could not be taken is listed in {escape(str(not_taken))}: {lost:,} things.")
    return all(count.is_equal for count in found)


def _bars(progress: Progress) -> Any:
    tasks: dict[str, TaskID] = {}
    names = {"windows": "conversations", "histories": "histories"}

    def show(kind: str, done: int, total: int | None) -> None:
        if kind not in tasks:
            tasks[kind] = progress.add_task(names.get(kind, kind), total=total)
        progress.update(tasks[kind], completed=done, total=total)

    return show


def _show(found: Sequence[Count]) -> None:
    table = Table("kind", "there", "seen", "here", "not taken", "")
    for one in found:
        there = "-" if one.total is None else f"{one.total:,}"
        verdict = one.problem or ("" if one.is_equal else "[red]differs[/red]")
        table.add_row(one.kind, there, f"{one.seen:,}", f"{one.here:,}", f"{one.refused:,}", verdict)
    out.print(table)


async def _map_only(user: str | None, path: Path) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, user)
        await _write_map(server, team_id, path)


async def _write_map(server: Running, team_id: int, path: Path) -> None:
    async with server.owner.reading(team_id) as tx:
        count = await _write(path, queries.id_map(tx), ("kind", "source_id", "own_id"), is_empty_written=True)
    console.print(f"{count:,} ids are in {escape(str(path))}.")


async def _write(path: Path, pages: Any, names: Sequence[str], *, is_empty_written: bool = False) -> int:
    """Write rows as CSV, return how many; without any, no file, and none of an earlier run either."""
    count, rows = 0, None
    try:
        async for page in pages:
            if rows is None:
                rows = path.open("w", newline="", encoding="utf-8")
                csv.writer(rows).writerow(names)
            csv.writer(rows).writerows([[getattr(one, name) for name in names] for one in page])
            count += len(page)
    finally:
        if rows:
            rows.close()
    if rows is None and is_empty_written:
        path.write_text(",".join(names) + "\n", encoding="utf-8")  # noqa: ASYNC240
    elif rows is None:
        path.unlink(missing_ok=True)  # noqa: ASYNC240
    return count
