"""The schema moves forward only, and a database that does not fit is refused."""

import asyncio

import asyncpg
import pytest
from tests.conftest import fresh_database

from rooftree.platform.database import Database
from rooftree.platform.migrations import Migration, SchemaError, check, migrate, shipped

FIRST = Migration("0001_a.sql", "CREATE TABLE a (id int)")
SECOND = Migration("0002_b.sql", "CREATE TABLE b (id int)")
BROKEN = Migration("0002_b.sql", "CREATE TABLE b (id int); SELECT 1 / 0")


@pytest.fixture
async def empty(server_dsn: str) -> str:
    """A database of its own, without our schema."""
    dsn = await fresh_database(server_dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP OWNED BY CURRENT_USER CASCADE; CREATE SCHEMA IF NOT EXISTS public")
    await connection.close()
    return dsn


async def test_missing_ones_are_applied_once(empty: str) -> None:
    assert await check(empty, [FIRST]) == ["0001_a.sql"]
    assert await migrate(empty, [FIRST]) == ["0001_a.sql"]
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_b.sql"]
    assert await migrate(empty, [FIRST, SECOND]) == []


async def test_several_processes_may_begin_at_once(empty: str) -> None:
    done = await asyncio.gather(*(migrate(empty, [FIRST, SECOND]) for _ in range(4)))
    assert sorted(name for names in done for name in names) == ["0001_a.sql", "0002_b.sql"]


async def test_a_broken_one_leaves_nothing_behind(empty: str) -> None:
    with pytest.raises(SchemaError, match=r"0002_b.sql failed: division by zero. Nothing of it was kept"):
        await migrate(empty, [FIRST, BROKEN])
    assert await check(empty, [FIRST, SECOND]) == ["0002_b.sql"]
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_b.sql"]


async def test_a_changed_or_newer_schema_is_refused(empty: str) -> None:
    await migrate(empty, [FIRST, SECOND])
    with pytest.raises(SchemaError, match="newer Rooftree"):
        await migrate(empty, [FIRST])
    with pytest.raises(SchemaError, match="changed after"):
        await check(empty, [FIRST, BROKEN])
    with pytest.raises(SchemaError, match="out of order"):
        await migrate(empty, [Migration("0000_x.sql", "SELECT 1"), FIRST, SECOND])


async def test_no_lock_outlives_a_migration(empty: str) -> None:
    """Behind a pooler the connection goes on living: a lock of the session would stay for ever."""
    await migrate(empty, [FIRST])
    connection = await asyncpg.connect(empty)
    held = await connection.fetchval(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    await connection.close()
    assert held == 0


async def test_a_role_that_may_not_work_as_the_server_is_refused(empty: str, server_dsn: str) -> None:
    await migrate(empty)
    name = empty.partition("://")[2].partition(":")[0]
    admin = await asyncpg.connect(server_dsn)
    await admin.execute(f"REVOKE rooftree_server FROM {name}")
    with pytest.raises(SchemaError, match="GRANT rooftree_server TO"):
        await migrate(empty)
    await admin.execute(f"GRANT rooftree_server TO {name}")
    await admin.close()
    assert await migrate(empty) == []


async def test_an_unreadable_url_is_said_plainly() -> None:
    for url in ("nonsense", "postgresql://u:p@[::1/x"):
        with pytest.raises(SchemaError, match="postgresql://user:password@host:5432/database"):
            await migrate(url)


async def test_the_server_sees_nothing_without_a_team(dsn: str, people: object) -> None:
    """Row-level security is the second lock: a query that forgets the team finds nothing, in any table."""
    database = await Database.connect(dsn, max_size=1)
    async with database.unscoped() as tx:
        tables = await tx.fetch(
            "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace "
            "AND (a.attname = 'team_id' OR c.relname = 'team')"
        )
        assert len(tables) > 10
        for row in tables:
            assert await tx.fetchval(f"SELECT count(*) FROM {row['relname']}") == 0, row["relname"]
    await database.close()


def test_shipped_files_are_numbered_without_gaps() -> None:
    assert [int(migration.name[:4]) for migration in shipped()] == list(range(1, len(shipped()) + 1))
