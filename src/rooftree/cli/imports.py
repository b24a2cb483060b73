"""rooftree import: data from elsewhere."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from rooftree.cli.archive import import_archive
from rooftree.cli.running import Refused, Running, console, out, run, running, team_of
from rooftree.imports import actions, queries
from rooftree.imports.actions import Counts, Trial
from rooftree.imports.columns import complaint, guess
from rooftree.imports.files import Found, inspect
from rooftree.imports.model import LeadImport
from rooftree.imports.plan import CUSTOM, IGNORE, Mapping, Plan, decode_mapping, encode_mapping
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.wire_time import utc_text
from rooftree.team import queries as team

app = typer.Typer(help="Data from elsewhere: leads (a file), list, show, undo.", no_args_is_help=True)
app.command("archive")(import_archive)

Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]
User = Annotated[str | None, typer.Option("--user", help="Login of who does it; the team's owner by default.")]
Number = Annotated[int, typer.Argument(help="Its number, from the list.")]
_SHOWN: Final = 20


class _Options(msgspec.Struct):
    """What the command line says about an import."""

    mapping: Path | None
    unknown: str | None
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    duplicates: Any
    assign: str
    day_first: bool
    is_announced: bool


@app.command("leads")
def import_leads(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, Excel (.xlsx) or NDJSON; its first row names the columns.", exists=True, dir_okay=False
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    duplicates: Annotated[
        Literal["skip", "update", "keep"],
        typer.Option(
            help="A row with the e-mail address or phone number of a lead, or of a row before it: leave it out, bring "
            "what it says to that lead, or make a lead of its own."
        ),
    ] = "skip",
    mapping: Annotated[
        Path | None, typer.Option(help="What the columns are: a file that --print-mapping wrote and you edited.")
    ] = None,
    print_mapping: Annotated[
        bool, typer.Option("--print-mapping", help="Print what the columns are taken for (TOML); import nothing.")
    ] = False,
    unknown: Annotated[
        Literal["custom", "ignore"] | None,
        typer.Option(help="Columns that mean nothing to us: keep them as custom fields, or leave them out."),
    ] = None,
    assign: Annotated[
        str,
        typer.Option(
            help="Who gets rows that name no agent: me (who imports), nobody, route (the routing rules), or a login."
        ),
    ] = "me",
    errors: Annotated[
        Path | None,
        typer.Option(help="Where rows in error go. [default: FILE.import-N.errors.csv]", dir_okay=False),
    ] = None,
    day_first: Annotated[bool, typer.Option("--day-first", help="03/04/2026 is the 3rd of April.")] = False,
    announce: Annotated[
        bool, typer.Option("--announce", help="Post every lead to webhooks, too; the feed of events has them anyway.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Import a file that was imported before.")] = False,
    encoding: Annotated[str | None, typer.Option(help="Of a CSV file. [default: found out]")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Of a CSV file: one character, or tab. [default: found out]")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Of a workbook. [default: the first]")] = None,
    user: User = None,
) -> None:
    """Import leads from a file. Stopped anywhere, the same command goes on where it was; `undo` takes it all back."""
    options = _Options(mapping, unknown, encoding, delimiter, sheet, duplicates, assign, day_first, announce)
    if options.delimiter is not None:
        options.delimiter = _delimiter(options.delimiter)
    found = _inspected(file, options)
    if print_mapping:
        print(encode_mapping(_guessed(found), is_toml=True), end="")
        return
    run(_import(file, found, options, user, errors, is_trial=dry_run, is_again=again))


def _delimiter(text: str) -> str:
    character = "\t" if text.lower() in {"tab", "\\t"} else text
    if len(character) != 1 or character in '"\r\n':
        raise typer.BadParameter("is one character, or tab.", param_hint="--delimiter")
    return character


def _inspected(file: Path, options: _Options) -> Found:
    async def look() -> Found:
        return inspect(file, encoding=options.encoding, delimiter=options.delimiter, sheet=options.sheet)

    return run(look())


def _guessed(found: Found) -> Mapping:
    return Mapping({header: target or IGNORE for header, target in guess(found.headers).items()})


async def _import(
    file: Path,
    found: Found,
    options: _Options,
    login: str | None,
    errors: Path | None,
    *,
    is_trial: bool,
    is_again: bool,
) -> None:
    async with running() as server:
        team_id, member_id = await team_of(server.owner, login)
        actor = Actor(team_id, member_id, "owner", None, [], [member_id], "UTC")
        async with server.owner.reading(team_id) as tx:
            plan = await _plan(tx, found, options, server)
        _say_columns(plan)
        if is_trial:
            with _progress("leads") as progress:
                trial = await actions.rehearse(server.owner, actor, plan, file, _Bar(progress))
            _say_trial(trial)
            return
        async with server.owner.transaction(team_id) as tx:
            imported = await actions.begin(tx, actor, found, plan, file_name=file.name, is_again=is_again)
        if imported.position:
            console.print(f"Going on with import {imported.id} after {imported.position:,} rows.")
        errors = errors or file.with_name(f"{file.stem}.import-{imported.id}.errors.csv")
        with _progress("leads") as progress:
            imported = await actions.run(server.owner, actor, imported, file, errors, _Bar(progress))
    _say_done(imported)


async def _plan(tx: Transaction, found: Found, options: _Options, server: Running) -> Plan:
    """Return how the file is read. Raises: Refused when a column is nothing, or the mapping is wrong."""
    given = _read_mapping(options.mapping, found) if options.mapping else Mapping({})
    guessed: dict[str, str | None] = dict(given.columns) if options.mapping else guess(found.headers)
    columns = {header: guessed.get(header) for header in found.headers}
    unknown = [header for header, target in columns.items() if target is None]
    if unknown and options.unknown is None:
        raise Refused(
            f"These columns are nothing we know: {', '.join(unknown)}. Keep them as custom fields: --unknown custom. "
            "Leave them out: --unknown ignore. Say what they are: --print-mapping > map.toml, then --mapping map.toml"
        )
    for header in unknown:
        columns[header] = f"{CUSTOM}{header}" if options.unknown == "custom" else IGNORE
    return Plan(
        format=found.format,
        encoding=found.encoding,
        delimiter=found.delimiter,
        sheet=options.sheet,
        columns=[(header, target) for header, target in columns.items() if target],
        values=given.values,
        duplicates=options.duplicates,
        assign=await _assignee(tx, options.assign),
        day_first=options.day_first,
        is_announced=options.is_announced,
        region=server.settings.phone_region,
    )


def _read_mapping(path: Path, found: Found) -> Mapping:
    try:
        text = path.read_text(encoding="utf-8-sig")
        mapping = decode_mapping(text, is_toml=path.suffix.lower() != ".json")
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise Refused(f"{path}: {error}") from None
    wrong = [f"{header}: {reason}" for header, target in mapping.columns.items() if (reason := complaint(target))]
    wrong += [f"there is no column {name}" for name in [*mapping.columns, *mapping.values] if name not in found.headers]
    if wrong:
        raise Refused(f"{path}: {'; '.join(wrong)}. What a column can be: docs/importing.md")
    return mapping


async def _assignee(tx: Transaction, wish: str) -> str:
    if wish in {"me", "nobody", "route"}:
        return wish
    member = await team.member_by_email(tx, wish)
    if member is None or member.status != "active":
        raise Refused(f"--assign {wish}: nobody active in the team has this login.")
    return str(member.id)


def _progress(what: str) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console)
    progress.add_task(what, total=1.0, rows=0)
    return progress


class _Bar:
    """Moves the progress bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rows = 0

    def __call__(self, counts: Counts, share: float) -> None:
        self._rows += counts.rows
        self._progress.update(self._progress.task_ids[0], completed=share, rows=self._rows)


def _say_columns(plan: Plan) -> None:
    ignored = [header for header, target in plan.columns if target == IGNORE]
    custom = [header for header, target in plan.columns if target.startswith(CUSTOM)]
    if custom:
        console.print(f"Kept as custom fields: {escape(', '.join(custom))}")
    if ignored:
        console.print(f"[yellow]Left out:[/yellow] {escape(', '.join(ignored))}")


def _say_trial(trial: Trial) -> None:
    counts = trial.counts
    out.print(
        f"Nothing was changed. {counts.rows:,} rows: {counts.created:,} leads would be created, {counts.updated:,} "
        f"updated, {counts.skipped:,} skipped as duplicates, {counts.failed:,} are in error."
    )
    new = (
        ("stages", trial.missing.stages),
        ("sources", trial.missing.sources),
        ("tags", trial.missing.tags),
        ("custom fields", trial.custom_fields),
    )
    for what, names in new:
        if names:
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            out.print(f"New {what}: {escape(', '.join(names[:_SHOWN]))}{more}")
    for fault in trial.faults:
        out.print(f"Row {fault.number}: {escape(fault.reason)}")


def _say_done(imported: LeadImport) -> None:
    console.print(_summary(imported))
    if imported.failed:
        console.print(f"[yellow]Rows in error, with reasons:[/yellow] {escape(imported.errors_path or '')}")
    console.print(f"Take it all back: rooftree import undo {imported.id}")


def _summary(one: LeadImport) -> str:
    return (
        f"Import {one.id}, {one.state}: {one.position:,} rows, {one.created:,} leads created, {one.updated:,} updated, "
        f"{one.skipped:,} skipped, {one.failed:,} in error."
    )


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


@app.command()
def show(number: Number, team_of_login: Team = None) -> None:
    """Show an import: its counts, its file of rows in error, what its columns were, leads it made."""
    run(_show(number, team_of_login))


async def _show(number: int, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.reading(team_id) as tx:
            one = await _found(tx, number)
            member = await team.find_member(tx, one.member_id)
            leads = await queries.made_leads(tx, number, limit=_SHOWN)
    plan = msgspec.json.decode(one.plan, type=Plan)
    out.print(_summary(one))
    out.print(f"File: {escape(one.file_name)}, SHA-256 {one.content_hash}")
    out.print(f"By {escape(member.email if member else '?')}")
    out.print(f"Begun {utc_text(one.started_at)} UTC, ended {utc_text(one.ended_at) or '-'}")
    out.print(f"Duplicates: {plan.duplicates}. Rows without an agent: {plan.assign}.")
    if one.errors_path:
        out.print(f"Rows in error: {escape(one.errors_path)}")
    for header, target in plan.columns:
        out.print(f"  {escape(header)} -> {escape(target)}")
    if leads:
        out.print(f"Leads it made, the last {len(leads)}: {', '.join(map(str, leads))}")
    if one.state == "running":
        out.print("It was stopped on the way: the command that began it goes on.")


async def _found(tx: Transaction, number: int) -> LeadImport:
    one = await queries.find_import(tx, number)
    if one is None:
        raise Refused(f"There is no import {number}. All of them: rooftree import list")
    return one


@app.command()
def undo(
    number: Number,
    force: Annotated[
        bool,
        typer.Option("--force", help="Move leads that people worked on since to the trash, instead of keeping them."),
    ] = False,
    user: User = None,
) -> None:
    """Take back an import. Leads that people worked on since stay; what was changed since on others stays, too."""
    run(_undo(number, user, is_forced=force))


async def _undo(number: int, login: str | None, *, is_forced: bool) -> None:
    async with running() as server:
        team_id, member_id = await team_of(server.owner, login)
        actor = Actor(team_id, member_id, "owner", None, [], [member_id], "UTC")
        async with server.owner.reading(team_id) as tx:
            one = await _found(tx, number)
        total, seen = max(one.created + one.updated, 1), 0
        with _progress("undo") as progress:

            def advance(size: int) -> None:
                nonlocal seen
                seen += size
                progress.update(progress.task_ids[0], completed=min(seen / total, 1), rows=seen)

            undone = await actions.undo(server.owner, actor, one, is_forced=is_forced, on_progress=advance)
        async with server.owner.reading(team_id) as tx:
            kept = await queries.made_leads(tx, number, limit=1000)
    out.print(
        f"Import {number} is undone: {undone.removed:,} leads removed, {undone.trashed:,} moved to the trash, "
        f"{undone.restored:,} changes taken back, {undone.partly:,} more in part: the lead was changed since."
    )
    if undone.kept:
        out.print(f"{undone.kept:,} leads stay, because people worked on them: {', '.join(map(str, kept))}")
        out.print(f"Move them to the trash: rooftree import undo {number} --force")
