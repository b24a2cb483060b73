"""What every command needs: settings, a database that runs, and errors without a traceback."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

import typer
from msgspec import Struct
from rich.console import Console
from rich.markup import escape

from rooftree.archive.errors import ArchiveError
from rooftree.auth.applications import ApplicationError
from rooftree.auth.signing_in import PasswordError
from rooftree.imports.actions import ImportRefused
from rooftree.imports.files import FileError
from rooftree.lofty.source import SourceError
from rooftree.platform import embedded_postgres
from rooftree.platform.backups import BackupError
from rooftree.platform.citus import CitusError
from rooftree.platform.database import DATABASE_AWAY, Database
from rooftree.platform.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from rooftree.platform.migrations import SchemaError, check
from rooftree.platform.settings import SettingError, Settings, read_settings
from rooftree.team.actions import TeamError

console = Console(stderr=True, highlight=False, soft_wrap=True)
#: Wide where no terminal is, so that a script finds each row on one line.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)


class Refused(Exception):
    """A command that cannot be done; the message says why and what to do."""


#: What goes wrong because of what was asked for: its message is all there is to say.
_SAID: Final = (
    SettingError,
    EmbeddedPostgresError,
    SchemaError,
    BackupError,
    CitusError,
    TeamError,
    ApplicationError,
    PasswordError,
    ArchiveError,
    SourceError,
    FileError,
    ImportRefused,
    Refused,
)


class Running(Struct):
    """A database that answers and has this version's schema."""

    settings: Settings
    dsn: str
    owner: Database  #: the owner's rights: row-level security does not bind it
    embedded: EmbeddedPostgres | None  #: None: ROOFTREE_DATABASE_URL names another server


def run(command: Coroutine[Any, Any, Any]) -> Any:
    """Run a command to its end. What can go wrong in use is said in a sentence, and the exit code is 1."""
    try:
        return asyncio.run(command)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:
        if reason := explained(error):
            fail(reason)
        raise


def explained(error: Exception) -> str | None:
    """Return what an error means for who runs the command; None when it is a mistake of ours."""
    if isinstance(error, ExceptionGroup):  # one of the things that `serve` does side by side
        return explained(error.exceptions[0])
    if isinstance(error, _SAID):
        return str(error)
    if isinstance(error, DATABASE_AWAY):
        return f"The database does not answer: {error}. Is ROOFTREE_DATABASE_URL right, and the server up?"
    return None


def fail(message: str) -> NoReturn:
    """Say what is wrong, and leave with exit code 1."""
    console.print(f"[red]Error:[/red] {escape(message)}", markup=True)
    raise typer.Exit(1)


@asynccontextmanager
async def started(
    settings: Settings, *, is_serving: bool = False
) -> AsyncGenerator[tuple[str, EmbeddedPostgres | None]]:
    """Yield the database's URL: the setting's, or that of the embedded server, which runs until the end.

    A command uses the server of a running `rooftree serve`; serving itself wants one of its own.
    """
    if settings.database_url:
        yield settings.database_url, None
        return
    begin = embedded_postgres.start if is_serving else embedded_postgres.connect_or_start
    embedded = await begin(settings.data_path)
    try:
        yield embedded.dsn, embedded
    finally:
        await embedded.stop()


def has_data(settings: Settings) -> bool:
    """Whether there is a database to look at, so that a mere question does not make one."""
    return bool(settings.database_url) or (settings.data_path / "cluster").exists()


@asynccontextmanager
async def running(settings: Settings | None = None) -> AsyncGenerator[Running]:
    """Yield an open database of this version's schema for one command. Raises: Refused when it is an older one's."""
    settings = settings or read_settings()
    if not has_data(settings):
        raise Refused(f"There is no data in {settings.data_path} yet: run rooftree serve.")
    async with started(settings) as (dsn, embedded):
        if missing := await check(dsn):
            raise Refused(
                f"The database lacks {len(missing)} migrations, from {missing[0]} on: run rooftree migrate, "
                "or rooftree serve, which does it by itself."
            )
        owner = await Database.connect(dsn, server_role=False, max_size=2, is_pooled=settings.database_pooler)
        try:
            yield Running(settings, dsn, owner, embedded)
        finally:
            await owner.close()


async def team_of(database: Database, login: str | None) -> tuple[int, int]:
    """Return team and member of a login; without one, of the owner of the only team. Raises: Refused."""
    async with database.unscoped() as tx:
        rows = await tx.fetch(
            """SELECT team_id, id FROM member
                WHERE CASE WHEN $1::text IS NULL THEN role = 'owner' ELSE lower(email) = lower($1) END LIMIT 2""",
            login,
        )
    if not rows:
        raise Refused(
            f"There is nobody with the login {login}." if login else "There is no team yet: run rooftree serve."
        )
    if len(rows) > 1:
        raise Refused("There are several teams: name a login with --user.")
    return rows[0]["team_id"], rows[0]["id"]


def is_terminal() -> bool:
    """Whether somebody reads along, so that colours and progress make sense."""
    return sys.stdout.isatty()
