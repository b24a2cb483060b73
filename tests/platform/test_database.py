"""What the one door to PostgreSQL promises."""

import asyncio
from itertools import pairwise

import asyncpg
import pytest
from tests.support.people import People

from rooftree.platform.database import CommitFailed, Database
from rooftree.platform.ids import next_ids


async def test_a_commit_is_believed_only_when_postgres_says_so(db: Database, people: People) -> None:
    with pytest.raises(CommitFailed):
        async with db.transaction(people.olive.team_id) as tx:
            with pytest.raises(asyncpg.DivisionByZeroError):
                await tx.fetchval("SELECT 1 / 0")


async def test_an_exception_rolls_everything_back(db: Database, people: People) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(people.olive.team_id) as tx:
            await tx.execute("INSERT INTO stage (team_id, name, position) VALUES ($1, 'x', 9)", tx.team_id)
            raise ZeroDivisionError
    async with db.reading(people.olive.team_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM stage WHERE team_id = $1 AND name = 'x'", tx.team_id) == 0


@pytest.mark.parametrize("is_pooled", [False, True])
async def test_a_connection_serves_one_team_after_the_other(dsn: str, people: People, is_pooled: bool) -> None:
    database = await Database.connect(dsn, min_size=1, max_size=1, is_pooled=is_pooled)
    for person in (people.olive, people.stella, people.olive):
        async with database.reading(person.team_id) as tx:
            assert await tx.fetchval("SELECT current_team()") == person.team_id
            assert await tx.fetchval("SELECT current_user") == "rooftree_server"
    async with database.unscoped() as tx:
        assert await tx.fetchval("SELECT current_team()") is None
    await database.close()


async def test_ids_are_ordered_by_time_and_below_2_to_the_53(db: Database, people: People) -> None:
    async with db.reading(people.olive.team_id) as tx:
        ids = [await next_ids(tx, 500) for _ in range(4)]
    flat = [number for numbers in ids for number in numbers]
    assert len(set(flat)) == 2000
    assert max(flat) < 2**53
    milliseconds = [[number >> 12 for number in numbers] for numbers in ids]
    assert all(max(one) <= min(next_one) for one, next_one in pairwise(milliseconds))


async def test_an_error_stays_what_it_was_when_the_connection_is_lost_meanwhile(
    db: Database, owner_db: Database, people: People
) -> None:
    """The pool has taken the connection back by then: there is nothing to roll back, and nothing to ask."""
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(people.olive.team_id) as tx:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
            async with owner_db.unscoped() as owner:
                assert await owner.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
            await asyncio.sleep(0.1)
            raise ZeroDivisionError
    async with db.transaction(people.olive.team_id) as tx:
        assert await tx.fetchval("SELECT 1") == 1
