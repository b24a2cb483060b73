"""Brings a database to this version's schema: plain SQL files, forward only, each checked by its checksum."""

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Final

import asyncpg
from msgspec import Struct

from rooftree.platform.database import SERVER_ROLE

# Any number that no other program locks by; one installation migrates at a time.
_LOCK: Final = 7_216_004_203
_REGISTER: Final = """
CREATE TABLE schema_migration (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


class SchemaError(Exception):
    """A database that this version cannot work with; the message says why and what to do."""


class Migration(Struct, frozen=True):
    """A numbered SQL file."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Its SHA-256, so that a file that changed after it was applied is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    """Return the migrations of this version, in order."""
    folder = resources.files("rooftree") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(file.name, file.read_text(encoding="utf-8")) for file in files]


async def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing, each file in a transaction of its own. Returns the names applied.

    Several processes may call it at once: the others wait, and then find nothing to do.
    Raises: SchemaError on an old server, a changed file, a newer schema, a file that fails, a role without rights.
    """
    connection = await connect(dsn)
    applied: list[str] = []
    try:
        _check_version(connection)
        while name := await _step(connection, migrations or shipped()):
            applied.append(name)
        await _check_role(connection)
        return applied
    finally:
        await connection.close()


async def _step(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> str | None:
    """Apply the first missing file, return its name.

    The lock ends with the transaction: behind a pooler, one of the session would outlive us on a connection that
    is somebody else's by then, and nobody could ever migrate again.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if await connection.fetchval("SELECT to_regclass('schema_migration') IS NULL"):
            await connection.execute(_REGISTER)
        missing = await _missing(connection, migrations)
        if not missing:
            return None
        await _apply(connection, missing[0])
        return missing[0].name


async def check(dsn: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Return the names of migrations that are not applied yet. Raises: SchemaError as `migrate` does."""
    connection = await connect(dsn)
    try:
        _check_version(connection)
        async with connection.transaction():
            if await connection.fetchval("SELECT to_regclass('schema_migration') IS NULL"):
                return [migration.name for migration in migrations or shipped()]
            return [migration.name for migration in await _missing(connection, migrations or shipped())]
    finally:
        await connection.close()


async def connect(dsn: str) -> asyncpg.Connection:
    """Return a connection with the rights of the URL's role. Raises: SchemaError for a text that is no URL."""
    try:
        return await asyncpg.connect(dsn, timeout=30, statement_cache_size=0)  # a pooler knows no prepared statements
    except ValueError as error:
        raise SchemaError(
            f"ROOFTREE_DATABASE_URL cannot be read: {error}. It looks like postgresql://user:password@host:5432/database"
        ) from None


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    try:
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migration (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
        )
    except asyncpg.InsufficientPrivilegeError as error:
        raise SchemaError(
            f"{migration.name}: {error}. The role of ROOFTREE_DATABASE_URL must own the database and be allowed to "
            f"create the role {SERVER_ROLE}: ALTER ROLE <it> CREATEROLE, or as an administrator: "
            f"CREATE ROLE {SERVER_ROLE} NOLOGIN; GRANT {SERVER_ROLE} TO <it>."
        ) from None
    except asyncpg.PostgresError as error:
        raise SchemaError(
            f"{migration.name} failed: {error}. Nothing of it was kept: the database is as the file before left it. "
            "Mend what the message names, and run rooftree migrate again."
        ) from error


async def _check_role(connection: asyncpg.Connection) -> None:
    """Make sure that the server may work as its own role, which row-level security binds."""
    try:
        async with connection.transaction():
            if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", SERVER_ROLE):
                await connection.execute(f"SET LOCAL ROLE {SERVER_ROLE}")
    except asyncpg.InsufficientPrivilegeError:
        raise SchemaError(
            f"The role of ROOFTREE_DATABASE_URL may not work as {SERVER_ROLE}. As an administrator: "
            f"GRANT {SERVER_ROLE} TO <it>."
        ) from None


def _check_version(connection: asyncpg.Connection) -> None:
    version = connection.get_server_version()
    if version.major < 15:
        raise SchemaError(f"PostgreSQL {version.major} is too old: Rooftree needs 15 or newer.")


async def _missing(connection: asyncpg.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    rows = await connection.fetch("SELECT name, checksum FROM schema_migration ORDER BY name")
    applied: dict[str, str] = {row["name"]: row["checksum"] for row in rows}
    known = {migration.name for migration in migrations}
    if newer := sorted(applied.keys() - known):
        raise SchemaError(
            f"The database is of a newer Rooftree ({newer[-1]} is applied, but not part of this version). "
            "Start the newer version, or restore a backup of before."
        )
    for migration in migrations:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise SchemaError(f"{migration.name} was changed after it was applied. Use the released version's files.")
    done = [migration.name in applied for migration in migrations]
    if done != sorted(done, reverse=True):
        raise SchemaError("Migrations were applied out of order; restore a backup, or ask for help with this output.")
    return [migration for migration in migrations if migration.name not in applied]


async def is_empty(dsn: str) -> bool:
    """Whether no table of ours is there yet."""
    connection = await connect(dsn)
    try:
        tables = "SELECT to_regclass('schema_migration') IS NULL AND to_regclass('team') IS NULL"
        async with connection.transaction():
            return bool(await connection.fetchval(tables))
    finally:
        await connection.close()


async def prepare_role(dsn: str) -> None:
    """Make the server's role, which belongs to the cluster and so is in no dump."""
    connection = await connect(dsn)
    try:
        async with connection.transaction():
            if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", SERVER_ROLE):
                return
            await connection.execute(f"CREATE ROLE {SERVER_ROLE} NOLOGIN")
            await connection.execute(f"GRANT {SERVER_ROLE} TO CURRENT_USER")
    finally:
        await connection.close()
