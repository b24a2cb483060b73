"""rooftree export and rooftree import archive: everything a team owns, in files and back; and its leads as a table."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from rooftree.archive import actions, leads_file
from rooftree.archive.actions import OnProgress
from rooftree.archive.model import Manifest, Secrets
from rooftree.archive.packing import packed, unpacked
from rooftree.cli.running import Refused, console, run, running, started, team_of
from rooftree.platform import migrations
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings, read_settings
from rooftree.platform.vault import open_vault, vault_key


class _WithDefault(TyperGroup):
    """`rooftree export backup.tar` means `rooftree export team backup.tar`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["team", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_WithDefault,
    help="A team's data in files. `rooftree export FOLDER_OR_FILE` is short for `rooftree export team`.",
    no_args_is_help=True,
)


class Format(StrEnum):
    """Of the tables in an archive."""

    ndjson = "ndjson"
    csv = "csv"
    parquet = "parquet"


Login = Annotated[str | None, typer.Option("--user", help="Login of anybody in the team, if there are several.")]


@app.command("team")
def export_team(
    target: Annotated[
        Path, typer.Argument(metavar="FOLDER_OR_FILE", help="A new folder; or one file, when it ends in .tar or .zip.")
    ],
    format: Annotated[Format, typer.Option("--format", help="Of the tables.")] = Format.ndjson,  # noqa: A002
    user: Login = None,
    with_secrets: Annotated[
        bool,
        typer.Option(
            "--with-secrets", help="Keys, tokens, passwords and webhook secrets too: whoever has the archive gets in."
        ),
    ] = False,
) -> None:
    """Write everything the team owns: leads, timeline, people, settings, recordings. `import archive` takes it back."""
    run(_export_team(target, format.value, user, with_secrets=with_secrets))


async def _export_team(target: Path, kind: str, user: str | None, *, with_secrets: bool) -> None:
    async with running() as server:
        settings = server.settings
        team_id, _ = await team_of(server.owner, user)
        secrets = (
            Secrets(await shared_secret(server.owner), vault_key(settings.secret_key, settings.data_path))
            if with_secrets
            else None
        )
        with packed(target) as packer, _progress() as on_progress:
            manifest = await actions.export_team(
                server.owner, team_id, packer, kind, _blobs(settings), secrets=secrets, on_progress=on_progress
            )
    rows = sum(one.rows for one in manifest.tables)
    console.print(f"{escape(manifest.team)}: {rows:,} rows, {manifest.file_count:,} files, in {escape(str(target))}.")
    if manifest.missing_files:
        console.print(f"[yellow]{manifest.missing_files:,} files were missing[/yellow]: files.ndjson names them.")
    if with_secrets:
        console.print("[yellow]It holds keys and passwords:[/yellow] keep it as you keep those.")


@app.command("leads")
def export_leads(
    file: Annotated[Path, typer.Argument(help="Ends in .csv, .xlsx, .ndjson or .parquet.")],
    user: Login = None,
) -> None:
    """Write the team's leads as one table, a row each, for a spreadsheet. `import leads` reads it."""
    run(_export_leads(file, user))


async def _export_leads(file: Path, user: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, user)
        with _progress() as on_progress:
            count = await leads_file.export_leads(server.owner, team_id, file, on_progress=on_progress)
    console.print(f"{count:,} leads in {escape(str(file))}.")


def import_archive(
    source: Annotated[Path, typer.Argument(help="What `rooftree export` wrote: a folder, .tar or .zip.", exists=True)],
) -> None:
    """Take in an archive of `rooftree export`: a whole team, with its ids, all of it or nothing."""
    run(_import_archive(source))


async def _import_archive(source: Path) -> None:
    settings = read_settings()
    with unpacked(source) as unpacker:
        manifest = unpacker.manifest()
        async with started(settings) as (dsn, _):
            is_older = await _prepare(dsn, manifest)
            owner = await Database.connect(dsn, server_role=False, max_size=2, is_pooled=settings.database_pooler)
            region = settings.phone_region
            try:
                with _progress() as on_progress:
                    done = await actions.import_team(
                        owner,
                        unpacker,
                        manifest,
                        _blobs(settings),
                        open_vault(settings.secret_key, settings.data_path),
                        region=region,
                        is_older=is_older,
                        on_progress=on_progress,
                    )
                    if not done.is_indexed:
                        await migrations.migrate(dsn)
                        await actions.index_team(owner, manifest.team_id, region=region, on_progress=on_progress)
            finally:
                await owner.close()
    console.print(f"{escape(manifest.team)} is here: {done.rows:,} rows, {manifest.file_count:,} files.")
    console.print(_next_step(done))


def _next_step(done: actions.Imported) -> str:
    if done.has_credentials:
        return "Keys and passwords go on working once rooftree serve is started anew."
    if done.left_tables:
        return "Other teams are here, so its API keys are not valid: rooftree keys create makes new ones."
    return (
        "It came without secrets: rooftree keys create and rooftree users password make new ones, "
        "rooftree webhooks secret shows those that its webhooks have now."
    )


async def _prepare(dsn: str, manifest: Manifest) -> bool:
    """Bring an empty database to the archive's schema; return whether that is an older one. Raises: Refused."""
    shipped = migrations.shipped()
    names = [migration.name for migration in shipped]
    if manifest.schema not in names:
        raise Refused(f"The archive is of a newer Rooftree ({manifest.schema}): update this one first.")
    is_older = manifest.schema != names[-1]
    if await migrations.is_empty(dsn):
        await migrations.migrate(dsn, shipped[: names.index(manifest.schema) + 1])
    elif await migrations.check(dsn):
        raise Refused("The database is of an older version: run rooftree migrate first.")
    elif is_older:
        raise Refused(
            f"The archive is of an older Rooftree ({manifest.schema}). Import it into a new database, which is brought "
            "up to date then: set ROOFTREE_DATA_DIR to a new folder, or ROOFTREE_DATABASE_URL to an empty database."
        )
    return is_older


def _blobs(settings: Settings) -> BlobStore:
    return BlobStore.open(settings.blob_url, settings.data_path / "blobs")


@contextmanager
def _progress() -> Generator[OnProgress]:
    """Yield what moves a bar for each kind of thing."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    reached: Counter[str] = Counter()
    with Progress(*columns, console=console) as progress:

        def on_progress(what: str, total: int, done: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total, visible=total > 0)
            reached[what] += done
            progress.update(tasks[what], total=total, completed=min(reached[what], total))  # CSV counts lines, not rows

        yield on_progress
