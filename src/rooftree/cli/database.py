"""rooftree migrate and rooftree db: the schema, dumps, and a SQL prompt."""

import asyncio
import signal
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from rooftree.cli.running import Refused, console, run, started
from rooftree.platform import backups, migrations
from rooftree.platform.settings import read_settings

app = typer.Typer(help="The database: dump, restore, psql.", no_args_is_help=True)


def migrate() -> None:
    """Bring the database to this version's schema. `serve` does it by itself."""
    run(_migrate())


async def _migrate() -> None:
    settings = read_settings()
    async with started(settings) as (dsn, _):
        applied = await migrations.migrate(settings.database_direct_url or dsn)
    console.print(f"Applied: {', '.join(applied)}" if applied else "The schema is up to date.")


@app.command()
def dump(file: Annotated[Path, typer.Argument(help="Where to write it (PostgreSQL's custom format).")]) -> None:
    """Write the database alone into one file, to move it elsewhere. Everything that is needed: `rooftree backup`."""
    run(_program("pg_dump", "--format=custom", "--no-owner", f"--file={file}"))
    console.print(f"Written: {file}")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="A file of `rooftree db dump`.", exists=True)]) -> None:
    """Load a dump into an empty database. A backup is put back by `rooftree restore`."""
    run(_restore(file))
    console.print("Restored.")


async def _restore(file: Path) -> None:
    settings = read_settings()
    async with started(settings) as (url, _):
        dsn = settings.database_direct_url or url
        if not await migrations.is_empty(dsn):
            raise Refused("The database is not empty: restore into a fresh one (another ROOFTREE_DATA_DIR or URL).")
        await migrations.prepare_role(dsn)
        await backups.load(await backups.programs_for(dsn), file)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open PostgreSQL's own prompt on the database; arguments are passed on."""
    run(_program("psql", *context.args))


async def _program(name: str, *args: str) -> None:
    """Run a program of PostgreSQL's on our terminal. Raises: Refused with its exit code.

    Ctrl-C is the program's: it must not end the server that we may have started for it.
    """
    settings = read_settings()
    async with started(settings) as (dsn, _):
        programs = await backups.programs_for(settings.database_direct_url or dsn)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
        command = programs.command(name, *args)
        done = await asyncio.to_thread(subprocess.run, command, env=programs.environment, check=False)
    if done.returncode:
        raise Refused(f"{name} ended with exit code {done.returncode}.")
