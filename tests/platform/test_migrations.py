"""The schema moves forward only, and a database that does not fit is refused."""

import asyncio

import asyncpg
import pytest
from tests.conftest import fresh_database

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
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, [FIRST, BROKEN])
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_b.sql"]


async def test_a_changed_or_newer_schema_is_refused(empty: str) -> None:
    await migrate(empty, [FIRST, SECOND])
    with pytest.raises(SchemaError, match="newer Rooftree"):
        await migrate(empty, [FIRST])
    with pytest.raises(SchemaError, match="changed after"):
        await check(empty, [FIRST, BROKEN])
    with pytest.raises(SchemaError, match="out of order"):
        await migrate(empty, [Migration("0000_x.sql", "SELECT 1"), FIRST, SECOND])


def test_shipped_files_are_numbered_without_gaps() -> None:
    assert [int(migration.name[:4]) for migration in shipped()] == list(range(1, len(shipped()) + 1))
