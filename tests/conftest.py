"""One PostgreSQL per test process, one migrated database, and a fresh company per test.

The server is the embedded one, or that of ROOFTREE_TEST_DSN (a superuser's URL of PostgreSQL 15 or newer).
Every test commits for real; tests do not meet, because all data belongs to a company.
"""

import asyncio
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from rooftree.app import create_app
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

settings.register_profile("default", max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("deep", max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
configure_logging("error", "console")

_LOCAL = ("127.", "localhost", "::1", "/", "@")


@pytest.fixture(scope="session", autouse=True)
def no_internet() -> Iterator[None]:
    """Refuse connections that leave this machine, and say so."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        host = address if isinstance(address, str) else str(address[0])
        if not isinstance(address, bytes) and not host.startswith(_LOCAL):
            raise AssertionError(f"a test tried to reach {host}: the internet is closed here")
        connect(self, address)

    socket.socket.connect = local_only  # type: ignore[method-assign]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    if dsn := os.environ.get("ROOFTREE_TEST_DSN"):
        yield dsn
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


async def fresh_database(server_dsn: str) -> str:
    """Create a role, its database and the schema; return the URL of that role."""
    name = f"rooftree_test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server_dsn)
    await connection.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'test'")
    # A role that another database's owner made can be granted by a superuser only.
    await connection.execute(
        "DO $$ BEGIN CREATE ROLE rooftree_server NOLOGIN; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$"
    )
    await connection.execute(f"GRANT rooftree_server TO {name}")
    await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    await connection.close()
    dsn = _with_database(server_dsn, name)
    await migrate(dsn)
    return dsn


def _with_database(server_dsn: str, name: str) -> str:
    parts = urlsplit(server_dsn)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    port = parts.port or parse_qs(parts.query).get("port", ["5432"])[0]
    return f"postgresql://{name}:test@/{name}?host={quote(host, safe='')}&port={port}"


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


@pytest.fixture
def app(db: Database, secret: bytes) -> RequestIds:
    """The application."""
    return create_app(Settings(auth_failures_per_minute=1_000_000), db, secret)


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
