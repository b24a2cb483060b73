"""The commands, and archives of older versions."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import Result
from tests.conftest import fresh_database
from typer.testing import CliRunner

from rooftree.archive.actions import export_team
from rooftree.archive.packing import packed
from rooftree.auth.actions import create_key
from rooftree.cli import app
from rooftree.cli.founding import found
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.migrations import check, migrate, shipped
from rooftree.platform.secret import shared_secret

Run = Callable[..., Coroutine[Any, Any, Result]]
#: A schema of before this version's; it stays what it is for ever.
OLDER = "0019_oauth.sql"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `rooftree ...` on a database."""

    async def _run(url: str, *args: str) -> Result:
        environment = {"ROOFTREE_DATABASE_URL": url, "ROOFTREE_DATA_DIR": str(tmp_path / "data")}
        return await asyncio.to_thread(CliRunner().invoke, app, args, env=environment)

    return _run


@pytest.fixture
async def url(server_dsn: str) -> str:
    """A database of its own, without our schema."""
    dsn = await fresh_database(server_dsn)
    await _empty(dsn)
    return dsn


async def _empty(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP OWNED BY CURRENT_USER CASCADE; CREATE SCHEMA IF NOT EXISTS public")
    await connection.close()


async def test_there_and_back(dsn: str, url: str, owner_db: Database, tmp_path: Path, run: Run) -> None:
    login = f"olive.{tmp_path}@example.com"
    owner = await found(owner_db, name="Realty", owner_email=login)
    async with owner_db.transaction(owner.team_id) as tx:
        key, _ = await create_key(tx, await shared_secret(owner_db), owner.id, "old")
    archive, leads = tmp_path / "archive.tar", tmp_path / "leads.csv"
    done = await run(dsn, "export", str(archive), "--format", "csv", "--with-secrets", "--user", login)
    assert (done.exit_code, "It holds keys and passwords" in done.output) == (0, True), done.output
    assert (await run(dsn, "export", str(archive), "--user", login)).exit_code == 1
    table = await run(dsn, "export", "leads", str(leads), "--user", login)
    assert (table.exit_code, leads.read_text(encoding="utf-8-sig")[:18]) == (0, "Lead ID,First Name"), table.output
    back = await run(url, "import", "archive", str(archive))
    assert (back.exit_code, "Keys and passwords go on working" in back.output) == (0, True), back.output
    other = await Database.connect(url, min_size=0, server_role=False)
    assert await shared_secret(other) == await shared_secret(owner_db)
    async with other.unscoped() as tx:
        assert await tx.fetchval("SELECT is_key_valid FROM authenticate(sha256($1), true)", key.encode())
    await other.close()
    refused = await run(url, "import", "archive", str(archive))
    assert (refused.exit_code, "is here already" in refused.output) == (1, True), refused.output


async def test_an_archive_of_an_older_version_is_brought_up_to_date(
    dsn: str, url: str, tmp_path: Path, run: Run
) -> None:
    migrations = shipped()
    place = [migration.name for migration in migrations].index(OLDER)
    await migrate(url, migrations[: place + 1])
    old = await Database.connect(url, min_size=0, server_role=False)
    async with old.unscoped() as tx:
        await tx.execute("INSERT INTO team (id, name) VALUES (17, 'Old'); INSERT INTO stage VALUES (17, 1, 'New', 1)")
        await tx.execute(
            """INSERT INTO member (team_id, id, role, email, first_name)
               VALUES (17, 2, 'owner', 'olive@old.example.com', 'Olive');
               INSERT INTO lead (team_id, id, first_name, stage_id, ownership_scope, ownership_id)
               VALUES (17, 3, 'Ada', 1, 'TEAM', 17)"""
        )
    with packed(tmp_path / "old.zip") as packer:
        await export_team(old, 17, packer, "ndjson", BlobStore.open("", tmp_path / "blobs"))
    await old.close()
    refused = await run(dsn, "import", "archive", str(tmp_path / "old.zip"))
    assert (refused.exit_code, "into a new database" in refused.output) == (1, True), refused.output
    await _empty(url)
    done = await run(url, "import", "archive", str(tmp_path / "old.zip"))
    assert (done.exit_code, "Old is here" in done.output) == (0, True), done.output
    assert await check(url) == []
    new = await Database.connect(url, min_size=0, server_role=False)
    async with new.transaction(17) as tx:
        assert "ada" in await tx.fetchval("SELECT haystack FROM lead_search WHERE lead_id = 3")
    await new.close()
