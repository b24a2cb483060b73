"""The queue: nothing committed is lost, nothing rolled back is done, and what cannot be done is kept."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from tests.support.people import People

from rooftree.platform import jobs
from rooftree.platform.clock import now
from rooftree.platform.database import Database
from rooftree.platform.jobs import Job, Timer, enqueue, run_forever

Worker = Callable[..., Any]


@pytest.fixture
def name() -> str:
    """A job name of this test alone: all tests of a process share the table."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def worker(owner_db: Database, db: Database, dsn: str) -> Worker:
    """`async with worker([Job, ...], [Timer, ...]):` runs a worker meanwhile."""

    @asynccontextmanager
    async def working(
        todo: list[Job], timers: list[Timer] | None = None, lease_seconds: float = 2.0
    ) -> AsyncGenerator[asyncio.Event]:
        stop = asyncio.Event()
        task = asyncio.create_task(
            run_forever(owner_db, db, dsn, todo, timers or [], stop, lease_seconds=lease_seconds)
        )
        try:
            yield stop
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)

    return working


async def _rows(owner_db: Database, name: str) -> list[asyncpg.Record]:
    async with owner_db.unscoped() as tx:
        return await tx.fetch("SELECT * FROM job WHERE name = $1 ORDER BY id", name)


async def _until(condition: Callable[[], Any], seconds: float = 8.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


def _gone(owner_db: Database, name: str) -> Callable[[], Any]:
    async def is_gone() -> bool:
        return not [row for row in await _rows(owner_db, name) if row["held_at"] is None]

    return is_gone


async def test_a_committed_job_runs_with_its_arguments(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str
) -> None:
    seen: list[Any] = []

    async def handler(database: Database, team_id: int, **args: Any) -> None:
        async with database.transaction(team_id) as tx:
            seen.append((await tx.fetchval("SELECT count(*) FROM team"), team_id, args))

    async with worker([Job(name, handler)]):
        async with db.transaction(people.olive.team_id) as tx:
            job_id = await enqueue(tx, name, text="é", number=2**53 - 1, ratio=0.5, flag=True, nothing=None)
            assert isinstance(job_id, int)
        with suppress(KeyError):
            async with db.transaction(people.olive.team_id) as tx:
                await enqueue(tx, name, text="rolled back")
                raise KeyError
        await _until(_gone(owner_db, name))
    sent = {"text": "é", "number": 2**53 - 1, "ratio": 0.5, "flag": True, "nothing": None}
    assert seen == [(1, people.olive.team_id, sent)], "the handler works as the server's role, for the job's team"


async def test_a_job_belongs_to_its_team(db: Database, people: People, name: str) -> None:
    async with db.transaction(people.olive.team_id) as tx:
        await enqueue(tx, name)
    async with db.reading(people.stella.team_id) as tx:
        assert await tx.fetchval("SELECT count(*) FROM job WHERE name = $1", name) == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute("INSERT INTO job (team_id, name) VALUES ($1, $2)", people.olive.team_id, name)


async def test_a_commit_wakes_a_quiet_worker(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 60.0)
    done = asyncio.Event()

    async def handler(_: Database, team_id: int) -> None:
        done.set()

    async with worker([Job(name, handler)], lease_seconds=60):
        await asyncio.sleep(0.3)
        async with db.transaction(people.olive.team_id) as tx:
            await enqueue(tx, name)
        await asyncio.wait_for(done.wait(), 5)


async def test_most_commits_wake_nobody_and_their_jobs_run_all_the_same(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str
) -> None:
    woken: list[Any] = []
    done: list[int] = []

    async def handler(_: Database, team_id: int, number: int) -> None:
        done.append(number)

    listener = await owner_db._pool.acquire()
    await listener.add_listener("rooftree_job", lambda *args: woken.append(args))
    async with worker([Job(name, handler)]):
        for number in range(100):
            async with db.transaction(people.olive.team_id) as tx:
                await enqueue(tx, name, number=number)
        await _until(_gone(owner_db, name))
    await listener.reset()
    await owner_db._pool.release(listener)
    assert sorted(done) == list(range(100))
    assert len(woken) < 50


async def test_a_job_waits_for_its_time(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str
) -> None:
    started = now()
    ran: list[timedelta] = []

    async def handler(_: Database, team_id: int) -> None:
        ran.append(now() - started)

    async with worker([Job(name, handler)]):
        async with db.transaction(people.olive.team_id) as tx:
            await enqueue(tx, name, run_at=started + timedelta(seconds=1))
        await _until(_gone(owner_db, name))
    assert timedelta(seconds=1) <= ran[0] < timedelta(seconds=3)


async def test_a_failing_job_is_tried_again_and_then_held(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str
) -> None:
    starts: dict[int, int] = {}

    async def handler(_: Database, team_id: int, failures: int) -> None:
        starts[failures] = starts.get(failures, 0) + 1
        if starts[failures] <= failures:
            raise ValueError(f"failure {starts[failures]}")

    async with worker([Job(name, handler, max_attempts=3, backoff_seconds=0.05)]):
        async with db.transaction(people.olive.team_id) as tx:
            for failures in (0, 2, 9):
                await enqueue(tx, name, failures=failures)
        await _until(_gone(owner_db, name))
    assert starts == {0: 1, 2: 3, 9: 3}
    (held,) = await _rows(owner_db, name)
    assert held["error"] == "ValueError: failure 3"
    assert (held["args"], held["started_at"]) == (b'{"failures": 9}', None)


async def test_a_job_that_outlived_its_lease_leaves_the_next_start_alone(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str
) -> None:
    async def handler(_: Database, team_id: int) -> None:
        async with owner_db.unscoped() as tx:  # somebody else took it meanwhile
            await tx.execute(
                "UPDATE job SET attempts = attempts + 1, run_at = now() + interval '1 h' WHERE name = $1", name
            )

    async with worker([Job(name, handler)]):
        async with db.transaction(people.olive.team_id) as tx:
            await enqueue(tx, name)
        await _until(lambda: _attempted(owner_db, name, 2))
        await asyncio.sleep(0.2)
    (row,) = await _rows(owner_db, name)
    assert (row["attempts"], row["held_at"]) == (2, None)


async def _attempted(owner_db: Database, name: str, attempts: int) -> bool:
    return [row["attempts"] for row in await _rows(owner_db, name)] == [attempts]


async def test_a_lease_is_renewed(db: Database, owner_db: Database, people: People, worker: Worker, name: str) -> None:
    starts: list[int] = []

    async def handler(_: Database, team_id: int) -> None:
        starts.append(1)
        await asyncio.sleep(2)

    todo = [Job(name, handler)]
    async with worker(todo, lease_seconds=0.6), worker(todo, lease_seconds=0.6):
        async with db.transaction(people.olive.team_id) as tx:
            await enqueue(tx, name)
        await _until(_gone(owner_db, name))
    assert starts == [1]


async def _died(owner_db: Database, name: str, deaths: int, number: int) -> None:
    """Leave a job's row as so many killed workers would."""
    async with owner_db.unscoped() as tx:
        await tx.execute(
            """UPDATE job SET attempts = $2, deaths = $2 - 1, started_at = now() - interval '1 min'
                WHERE name = $1 AND args = $3""",
            name,
            deaths,
            b'{"number":%d}' % number,
        )


async def test_a_job_that_kills_its_worker_runs_alone_and_then_no_more(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str
) -> None:
    running: set[int] = set()
    together: dict[int, set[int]] = {}

    async def handler(_: Database, team_id: int, number: int) -> None:
        running.add(number)
        for one in running:
            together.setdefault(one, set()).update(running)
        await asyncio.sleep(0.2)
        running.discard(number)

    async with db.transaction(people.olive.team_id) as tx:
        for number in range(6):
            await enqueue(tx, name, number=number)
    for number, deaths in ((0, 5), (1, 2), (2, 1)):
        await _died(owner_db, name, deaths, number)
    async with worker([Job(name, handler)]):
        await _until(_gone(owner_db, name))
    (held,) = await _rows(owner_db, name)
    assert (held["args"], held["deaths"]) == (b'{"number": 0}', 5)
    assert "worker died" in held["error"]
    assert 0 not in together
    assert together[1] == {1}
    assert together[2] == {2, 3, 4, 5}, "one death may have been chance"


async def test_stopping_finishes_what_runs_and_gives_back_what_takes_too_long(
    db: Database, owner_db: Database, people: People, worker: Worker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_GRACE_SECONDS", 0.6)
    ended: list[float] = []

    async def handler(_: Database, team_id: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(seconds)

    async with db.transaction(people.olive.team_id) as tx:
        for seconds in (0.3, 30.0):
            await enqueue(tx, name, seconds=seconds)
    async with worker([Job(name, handler)]) as stop:
        await _until(lambda: _all_started(owner_db, name))
        stop.set()
    (row,) = await _rows(owner_db, name)
    assert ended == [0.3]
    assert (row["started_at"], row["deaths"], row["error"]) == (None, 0, None)
    assert row["run_at"] <= now(), "the next worker takes it at once"


async def _all_started(owner_db: Database, name: str) -> bool:
    return all(row["started_at"] for row in await _rows(owner_db, name))


async def _cut_connections(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.fetch(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND usename = session_user AND pid <> pg_backend_pid()"""
    )
    await connection.close()


async def test_a_worker_survives_the_loss_of_its_connections(
    db: Database, owner_db: Database, people: People, dsn: str, worker: Worker, name: str
) -> None:
    done: list[int] = []

    async def handler(_: Database, team_id: int, number: int) -> None:
        await asyncio.sleep(0.3)
        done.append(number)

    async with worker([Job(name, handler)]):
        for number in range(4):
            async with db.transaction(people.olive.team_id) as tx:
                await enqueue(tx, name, number=number)
            await asyncio.sleep(0.15)
            await _cut_connections(dsn)
            await asyncio.sleep(0.3)
        await _until(_gone(owner_db, name), 20)
    assert set(done) == {0, 1, 2, 3}


async def test_a_timer_runs_once_per_period_however_many_workers(owner_db: Database, worker: Worker, name: str) -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def handler(_: Database) -> None:
        times.append(loop.time())

    timer = Timer(name, 0.5, handler)
    async with worker([], [timer]), worker([], [timer]), worker([], [timer]):
        await asyncio.sleep(2.3)
    gaps = [after - before for before, after in pairwise(times)]
    assert 4 <= len(times) <= 5
    assert min(gaps) > 0.4


async def test_a_timer_that_takes_long_or_fails_runs_on_without_company(
    owner_db: Database, worker: Worker, name: str
) -> None:
    running, most, ended = 0, 0, 0

    async def handler(_: Database) -> None:
        nonlocal running, most, ended
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1
        ended += 1
        raise ValueError

    timer = Timer(name, 0.1, handler)
    async with worker([], [timer], lease_seconds=0.5), worker([], [timer], lease_seconds=0.5):
        await asyncio.sleep(2.6)
    assert most == 1
    assert ended >= 2
