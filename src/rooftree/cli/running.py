"""What every command needs: settings, a database that runs, and errors without a traceback."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import typer
from msgspec import Struct
from rich.console import Console

from rooftree.platform import embedded_postgres
from rooftree.platform.database import DATABASE_AWAY, Database
from rooftree.platform.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from rooftree.platform.migrations import SchemaError, migrate
from rooftree.platform.settings import SettingError, Settings, read_settings
from rooftree.team.actions import TeamError

console = Console(stderr=True, highlight=False)
out = Console(highlight=False, soft_wrap=True)


class Refused(Exception):
    """A command that cannot be done; the message says why and what to do."""


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
    except (SettingError, EmbeddedPostgresError, SchemaError, TeamError, Refused) as error:
        fail(str(error))
    except DATABASE_AWAY as error:
        fail(f"The database does not answer: {error}. Is ROOFTREE_DATABASE_URL right, and the server up?")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def fail(message: str) -> NoReturn:
    """Say what is wrong, and leave with exit code 1."""
    console.print(f"[red]Error:[/red] {message}", markup=True)
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


@asynccontextmanager
async def running(settings: Settings | None = None) -> AsyncGenerator[Running]:
    """Yield an open, migrated database for one command."""
    settings = settings or read_settings()
    async with started(settings) as (dsn, embedded):
        await migrate(dsn)
        owner = await Database.connect(dsn, server_role=False, max_size=2)
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
