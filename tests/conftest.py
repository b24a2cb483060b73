"""One PostgreSQL per test process, one database cloned from a migrated template, and a fresh company per test.

The server is the embedded one, or that of ROOFTREE_TEST_DSN (a superuser's URL of PostgreSQL 15 or newer).
Every test commits for real; tests do not meet, because all data belongs to a company. A test that needs a database
of its own, because its examples have printed ids, takes another clone (`fresh_database`).
"""

import asyncio
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from rooftree.app import create_app, serve_from
from rooftree.platform import embedded_postgres
from rooftree.platform.database import Database
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.log import configure_logging
from rooftree.platform.migrations import migrate
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, settle

settings.register_profile("ci", max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("deep", max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
configure_logging("error", "console")

_LOCAL = ("127.", "localhost", "::1", "/", "@")


@pytest.fixture(scope="session", autouse=True)
def no_internet() -> Iterator[None]:
    """Refuse connections that leave this machine, and say so."""
    names = ("connect", "connect_ex", "sendto")
    real = {name: getattr(socket.socket, name) for name in names}

    def guarded(name: str) -> Callable[..., Any]:
        def local_only(self: socket.socket, *args: Any) -> Any:
            _refuse_foreign(args[-1])
            return real[name](self, *args)

        return local_only

    for name in names:
        setattr(socket.socket, name, guarded(name))
    yield
    for name, method in real.items():
        setattr(socket.socket, name, method)


def _refuse_foreign(address: Any) -> None:
    host = address if isinstance(address, str | bytes) else str(address[0])
    if isinstance(host, str) and not host.startswith(_LOCAL):
        raise AssertionError(f"a test tried to reach {host}: the internet is closed here")


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    if dsn := os.environ.get("ROOFTREE_TEST_DSN"):
        yield dsn
        asyncio.run(_drop_what_was_made(dsn))
        return
    folder = Path(tempfile.mkdtemp(prefix="rt"))
    folder.chmod(0o755)
    server = asyncio.run(embedded_postgres.start(folder, shared_buffers_mb=64))
    yield server.admin_dsn
    asyncio.run(server.stop())
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def dsn(server_dsn: str) -> str:
    """A migrated database of this test process, owned by an ordinary role."""
    return asyncio.run(fresh_database(server_dsn))


#: The ordinary role of this test process, and its databases; the first one is the template of the others.
_ROLE = f"rooftree_test_{uuid.uuid4().hex[:12]}"
_databases: list[str] = []


async def fresh_database(server_dsn: str) -> str:
    """Clone the migrated template, which is made the first time; return the clone's URL as its owner."""
    connection = await asyncpg.connect(server_dsn)
    try:
        if not _databases:
            await _make_template(connection, server_dsn)
        name = f"{_ROLE}_{len(_databases)}"
        await connection.execute(f"CREATE DATABASE {name} OWNER {_ROLE} TEMPLATE {_databases[0]}")
        _databases.append(name)
    finally:
        await connection.close()
    return _with_database(server_dsn, name)


async def _make_template(connection: asyncpg.Connection, server_dsn: str) -> None:
    await connection.execute(f"CREATE ROLE {_ROLE} LOGIN CREATEROLE PASSWORD 'test'")
    # A role that another database's owner made can be granted by a superuser only.
    await connection.execute(
        "DO $$ BEGIN CREATE ROLE rooftree_server NOLOGIN; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$"
    )
    await connection.execute(f"GRANT rooftree_server TO {_ROLE}")
    await connection.execute(f"CREATE DATABASE {_ROLE} OWNER {_ROLE}")
    await migrate(_with_database(server_dsn, _ROLE))
    _databases.append(_ROLE)


async def _drop_what_was_made(server_dsn: str) -> None:
    """Leave a server that is not ours as it was."""
    connection = await asyncpg.connect(server_dsn)
    for name in _databases:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.execute(f"DROP ROLE IF EXISTS {_ROLE}")
    await connection.close()


def _with_database(server_dsn: str, name: str) -> str:
    parts = urlsplit(server_dsn)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    port = parts.port or parse_qs(parts.query).get("port", ["5432"])[0]
    return f"postgresql://{_ROLE}:test@/{name}?host={quote(host, safe='')}&port={port}"


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Database]:
    """The database as the server's role: row-level security binds it."""
    database = await Database.connect(dsn, min_size=0, max_size=12)
    yield database
    await database.close()


@pytest.fixture
async def owner_db(dsn: str) -> AsyncIterator[Database]:
    """The database with the owner's rights."""
    database = await Database.connect(dsn, min_size=0, max_size=4, server_role=False)
    yield database
    await database.close()


@pytest.fixture
async def secret(owner_db: Database) -> bytes:
    """What signs keys."""
    return await shared_secret(owner_db)


SETTINGS = Settings(auth_failures_per_minute=1_000_000, secret_key="test")


@pytest.fixture(scope="session")
def built() -> RequestIds:
    """The application without a database, made once: putting its routes together takes longer than most tests."""
    return create_app(SETTINGS, cast(Database, None), bytes(32))


@pytest.fixture
def app(built: RequestIds, db: Database, secret: bytes) -> RequestIds:
    """The application."""
    serve_from(built.state, SETTINGS, db, secret)
    return built


@pytest.fixture
async def people(owner_db: Database, secret: bytes) -> People:
    """Olive (owner), Adam and Ana (agents, North), Otto (agent, South); of another company Stella and Sid."""
    return await settle(owner_db, secret)


@pytest.fixture
async def client(app: RequestIds, people: People) -> AsyncIterator[Client]:
    """A client of the application that speaks as Adam, unless told otherwise."""
    async with Client(app) as client:
        yield client.as_(people.adam)


@pytest.fixture
def make(client: Client, people: People, owner_db: Database) -> Make:
    """Makes what a test needs, through the front door."""
    return Make(client, people, owner_db)
