"""rooftree backup and rooftree restore: everything an installation is, in one folder, while it runs."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rooftree.cli.running import Refused, console, has_data, out, run, started
from rooftree.platform import backups
from rooftree.platform.settings import Settings, read_settings

app = typer.Typer(help="Back up everything: database, recordings, files, key. See also: rooftree restore.")
To = Annotated[Path | None, typer.Option("--to", help="Folder of backups. [default: ROOFTREE_BACKUP_DIR]")]


@app.callback(invoke_without_command=True)
def backup(
    context: typer.Context,
    to: To = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Afterwards remove the oldest beyond so many. [default: keep all]")
    ] = None,
) -> None:
    """Make a backup while the server runs, and read it once more to see that it is whole.

    It is a folder named by its time, with the database as of one moment, recordings and files, and secret.key. Whoever
    has it can read everything, stored passwords too: keep it as safe as the server, and a copy on another machine.
    """
    if context.invoked_subcommand is None:
        run(_backup(read_settings(), to.expanduser().absolute() if to else None, keep))


async def _backup(settings: Settings, to: Path | None, keep: int | None) -> None:
    if not has_data(settings):
        raise Refused(f"There is no data in {settings.data_path} yet: nothing to back up.")
    folder = to or settings.backup_path
    with _progress() as progress:
        async with started(settings) as (dsn, _):
            path = await backups.make(settings, settings.database_direct_url or dsn, folder, progress)
        made = await backups.verify(path, progress)
    for note in made.notes:
        console.print(f"[yellow]Note:[/yellow] {note}")
    if any(file.path == "secret.key" for file in made.files):
        console.print("[yellow]Note:[/yellow] secret.key is in it: whoever has this folder can read stored passwords.")
    out.print(f"{path}: {decimal(made.size)}, {_files(len(made.files))}, verified", markup=False)
    for removed in backups.prune(folder, keep) if keep else []:
        out.print(f"removed {removed}", markup=False)


@app.command("list")
def list_backups(to: To = None) -> None:
    """List the backups in a folder, oldest first."""
    folder = to or read_settings().backup_path
    table = Table("backup", "finished", "size", "files", "schema", "rooftree")
    for path in backups.kept(folder):
        found = backups.read(path)
        finished = found.finished_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        table.add_row(str(path), finished, decimal(found.size), str(len(found.files)), found.schema, found.version)
    out.print(table)


@app.command()
def verify(
    path: Annotated[Path | None, typer.Argument(help="A backup. [default: the newest]")] = None, to: To = None
) -> None:
    """Read all of a backup: every file is there with its checksum, and the dump can be read. Exit code 1: broken."""
    folder = to or read_settings().backup_path
    path = path or backups.newest_path(folder)
    if path is None:
        raise typer.BadParameter(f"there is no backup in {folder}")
    with _progress() as progress:
        found = run(backups.verify(path, progress))
    out.print(f"{path}: whole; {_files(len(found.files))}, {decimal(found.size)}, {found.schema}", markup=False)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def restore(path: Annotated[Path, typer.Argument(help="A folder that `rooftree backup` made.", exists=True)]) -> None:
    """Put a backup into an empty ROOFTREE_DATA_DIR, and an empty ROOFTREE_DATABASE_URL if there is one.

    Verifies it first, overwrites nothing, and loads the database in one transaction, last: if it is cut off, run it
    again. An older schema is migrated by the next `rooftree serve`.
    """
    run(_restore(read_settings(), path))


async def _restore(settings: Settings, path: Path) -> None:
    with _progress() as progress:
        async with started(settings) as (dsn, _):
            done = await backups.restore(settings, path, settings.database_direct_url or dsn, progress)
    found = done.backup
    finished = found.finished_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    out.print(f"Restored the backup of {finished} (Rooftree {found.version}, {found.schema}):", markup=False)
    place = "the database of ROOFTREE_DATABASE_URL" if settings.database_url else f"{settings.data_path}/cluster"
    out.print(f"  {done.tables} tables with about {done.rows:,} rows into {place}", markup=False)
    key = ", secret.key among them" if done.has_key else "; no secret.key among them"
    out.print(f"  {_files(done.files)} into {settings.data_path}{key}", markup=False)
    for note in found.notes:
        console.print(f"[yellow]Note:[/yellow] {note}")
    out.print("Next: rooftree doctor, then rooftree serve.")


@contextmanager
def _progress() -> Generator[backups.Progress]:
    """Show what is being done, on a terminal."""
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with shown:
        tasks = {what: shown.add_task(what, total=None, amount="") for what in ("database", "files", "reading")}

        def show(what: str, done: int, total: int) -> None:
            amount = f"{done} of {total}" if what == "files" else decimal(done)
            shown.update(tasks[what], completed=done, total=total or None, amount=amount)

        yield show
