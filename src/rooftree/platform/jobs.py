"""Work that no request waits for: jobs, enqueued in the transaction that made them due, and timers.

A job runs at least once. It is taken under a lease that its worker renews; a worker that died lets the lease run out,
and the job is taken again. So a handler must stand being run twice, and being cut off anywhere.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from rooftree.platform.database import Database, Transaction

_log: Final = structlog.get_logger("rooftree.worker")
_CHANNEL: Final = "rooftree_job"
#: How many jobs one worker runs at once.
CONCURRENCY: Final = 16
#: A commit that wakes the workers waits for every other such commit, so each process wakes them this often at most;
#: workers look by themselves as often for a moment after they were woken or took something.
_WAKE_SECONDS: Final = 0.1
#: How often a worker looks when all is quiet: a wake-up may be rolled back, or lost with a connection.
_POLL_SECONDS: Final = 1.0
#: How long running jobs may take to end once the worker was asked to stop; then they are cut off and given back.
_GRACE_SECONDS: Final = 20.0
_LONGEST_BACKOFF_SECONDS: Final = 3600.0
#: After so many deaths of its worker a job runs alone, so that it takes nobody with it, and after so many it is held.
_DEATHS_BEFORE_ALONE: Final = 2
_DEATHS_BEFORE_HELD: Final = 5

Scalar = str | int | float | bool | None


class Job(Struct, frozen=True):
    """What is done when a job of this name is due."""

    name: str
    handler: Callable[..., Awaitable[None]]  #: (database as the server's role, team_id, **args)
    max_attempts: int = 10  #: starts that may fail before the job is held; deaths of the worker do not count
    backoff_seconds: float = 2.0  #: before the second start; doubles each time, up to an hour


class Timer(Struct, frozen=True):
    """Something done again and again, by one worker of the installation at a time."""

    name: str
    every_seconds: float
    handler: Callable[[Database], Awaitable[None]]  #: gets the owner's rights


async def enqueue(tx: Transaction, name: str, *, run_at: datetime | None = None, **args: Scalar) -> int:
    """Add a job to the caller's transaction, return its id; a rollback leaves none.

    The commit wakes the workers at once, or they look within 0.1 s while jobs come, and within 1 s in any case.
    """
    sql = _ENQUEUE_AND_WAKE if _throttle.lets_through() else _ENQUEUE
    return await tx.fetchval(sql, tx.team_id, name, msgspec.json.encode(args), run_at)


_ENQUEUE: Final = "INSERT INTO job (team_id, name, args, run_at) VALUES ($1, $2, $3, coalesce($4, now())) RETURNING id"
_ENQUEUE_AND_WAKE: Final = f"WITH added AS ({_ENQUEUE}) SELECT id FROM added, pg_notify('{_CHANNEL}', '')"


class HeldJob(Struct, frozen=True):
    """A job that failed for good, and is kept."""

    id: int
    name: str
    args: bytes
    attempts: int
    held_at: datetime
    error: str | None


async def held(tx: Transaction) -> list[HeldJob]:
    """Return the jobs of all teams that are held, oldest first. Needs the owner's rights."""
    rows = await tx.fetch(
        "SELECT id, name, args, attempts, held_at, error FROM job WHERE held_at IS NOT NULL ORDER BY held_at, id"
    )
    return [HeldJob(*row) for row in rows]


async def retry(tx: Transaction, job_id: int) -> bool:
    """Let a held job run as if it were new; False when there is none. Needs the owner's rights."""
    done = await tx.execute(
        """UPDATE job SET held_at = NULL, run_at = now(), attempts = 0, deaths = 0, started_at = NULL, error = NULL
            WHERE id = $1 AND held_at IS NOT NULL""",
        job_id,
    )
    return done != "UPDATE 0"


class _Throttle:
    """Lets this process wake the workers now and then."""

    def __init__(self) -> None:
        self._last = -_WAKE_SECONDS

    def lets_through(self) -> bool:
        time = asyncio.get_running_loop().time()
        if time - self._last < _WAKE_SECONDS:
            return False
        self._last = time
        return True


_throttle: Final = _Throttle()


async def run_forever(
    owner: Database,
    server: Database,
    dsn: str | None,
    jobs: Sequence[Job],
    timers: Sequence[Timer],
    stop: asyncio.Event,
    *,
    lease_seconds: float = 30.0,
) -> None:
    """Work until `stop` is set; what runs then is finished, or given back.

    `owner` sees all teams and serves the queue and the timers, `server` is for the jobs' handlers; `dsn` is where to
    listen for the wake-up; None where one cannot (a pooler in transaction mode): workers look by themselves.
    """
    worker = _Worker(owner, server, jobs, lease_seconds)
    renewing = asyncio.create_task(worker.renew())
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_when(stop, worker.woken.set))
            if dsn:
                group.create_task(_listen(dsn, worker.woken, stop))
            group.create_task(worker.work(stop))
            for timer in timers:
                group.create_task(worker.tick(timer, stop))
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


class _Start(Struct, frozen=True):
    """One start of a job: what the worker may speak for until the lease is over."""

    team_id: int
    id: int
    attempts: int
    deaths: int
    name: str
    args: bytes
    is_held: bool


# $1 names, $2 lease in seconds, $3 how many; a job that died with its worker says so by a start without an end.
_SUSPECT: Final = f"deaths > 0 AND deaths + (started_at IS NOT NULL)::integer >= {_DEATHS_BEFORE_ALONE}"
_IS_HELD: Final = f"j.deaths + (j.started_at IS NOT NULL)::integer >= {_DEATHS_BEFORE_HELD}"
_CLAIM: Final = f"""
WITH due AS MATERIALIZED (
    SELECT team_id, id FROM job
     WHERE held_at IS NULL AND run_at <= now() AND name = ANY ($1) AND %s
     ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED)
UPDATE job j
   SET attempts = j.attempts + 1,
       deaths = j.deaths + (j.started_at IS NOT NULL)::integer,
       run_at = now() + make_interval(secs => $2),
       started_at = now(),
       held_at = CASE WHEN {_IS_HELD} THEN now() END,
       error = CASE WHEN {_IS_HELD} THEN 'its worker died each time it ran' ELSE j.error END
  FROM due
 WHERE j.team_id = due.team_id AND j.id = due.id
RETURNING j.team_id, j.id, j.attempts, j.deaths, j.name, j.args, j.held_at IS NOT NULL"""
_CLAIM_SUSPECT: Final = _CLAIM % _SUSPECT
_CLAIM_OTHERS: Final = _CLAIM % f"NOT ({_SUSPECT})"
_THIS_START: Final = "team_id = $1 AND id = $2 AND attempts = $3 AND held_at IS NULL"


class _Worker:
    """Takes jobs, runs them, and records how they ended."""

    def __init__(self, owner: Database, server: Database, jobs: Iterable[Job], lease_seconds: float) -> None:
        self._owner = owner
        self._server = server
        self._jobs: Mapping[str, Job] = {job.name: job for job in jobs}
        self._lease = lease_seconds
        self._running: dict[asyncio.Task[None], _Start] = {}
        self._ticking: set[str] = set()
        self._is_alone = False
        self._is_suspect_due = True
        self._news_at = 0.0
        self.woken = asyncio.Event()

    async def work(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self.woken.is_set():
                self._news_at = asyncio.get_running_loop().time()
            self.woken.clear()
            pause = _POLL_SECONDS
            try:
                while not stop.is_set() and await self._take():
                    pass
                if not self._is_full():
                    pause = await self._seconds_to_next()
            except Exception:  # noqa: BLE001 - the database may be back in a moment
                _log.exception("cannot take jobs")
                pause = 1.0
            with suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), pause)
        if self._running:
            _, late = await asyncio.wait(list(self._running), timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _is_full(self) -> bool:
        return self._is_alone or (self._is_suspect_due and bool(self._running)) or len(self._running) >= CONCURRENCY

    async def _take(self) -> bool:
        """Take what is due and start it; return whether there may be more."""
        if self._is_suspect_due and not self._running:
            suspects = await self._claim(_CLAIM_SUSPECT, 1)
            self._is_suspect_due = bool(suspects)
            self._is_alone = bool(self._start(suspects))
            return not self._is_alone
        if self._is_full():
            return False
        free = CONCURRENCY - len(self._running)
        claimed = await self._claim(_CLAIM_OTHERS, free)
        self._start(claimed)
        return len(claimed) == free

    async def _claim(self, sql: str, limit: int) -> list[_Start]:
        async with self._owner.unscoped() as tx:
            return [_Start(*row) for row in await tx.fetch(sql, list(self._jobs), self._lease, limit)]

    def _start(self, starts: Iterable[_Start]) -> int:
        """Run what may run; return how many."""
        runnable = [start for start in starts if not start.is_held]
        for start in starts:
            if start.is_held:
                _log.error("job held: its worker died each time it ran", job=start.name, job_id=start.id)
        for start in runnable:
            task = asyncio.create_task(self._run(start))
            self._running[task] = start
            task.add_done_callback(self._ended)
        return len(runnable)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._is_alone = self._is_alone and bool(self._running)
        self.woken.set()

    async def _run(self, start: _Start) -> None:
        job = self._jobs[start.name]
        try:
            await job.handler(self._server, start.team_id, **msgspec.json.decode(start.args))
        except asyncio.CancelledError:
            await self._record(start, f"UPDATE job SET run_at = now(), started_at = NULL WHERE {_THIS_START}")
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the job tells it
            await self._fail(job, start, error)
        else:
            await self._record(start, f"DELETE FROM job WHERE {_THIS_START}")

    async def _fail(self, job: Job, start: _Start, error: Exception) -> None:
        failures = start.attempts - start.deaths
        is_final = failures >= job.max_attempts
        delay = min(job.backoff_seconds * 2 ** min(failures - 1, 30), _LONGEST_BACKOFF_SECONDS)
        say = _log.error if is_final else _log.warning
        say("job failed", job=job.name, job_id=start.id, failures=failures, is_held=is_final, exc_info=error)
        await self._record(
            start,
            f"""UPDATE job SET run_at = now() + make_interval(secs => $4), started_at = NULL, error = $5,
                               held_at = CASE WHEN $6 THEN now() END WHERE {_THIS_START}""",
            delay * random.uniform(0.8, 1.2),  # noqa: S311 - spreads load
            f"{type(error).__name__}: {error}".replace("\0", "")[:2000],
            is_final,
        )

    async def _record(self, start: _Start, sql: str, *args: object) -> None:
        """Write how a start ended; while the database is away, again and again until the lease is over."""
        for _ in range(max(1, round(self._lease))):
            try:
                async with self._owner.unscoped() as tx:
                    done = await tx.execute(sql, start.team_id, start.id, start.attempts, *args)
            except Exception as error:  # noqa: BLE001 - the database may be back in a moment
                _log.warning("job's end not recorded yet", job=start.name, job_id=start.id, error=repr(error))
                await asyncio.sleep(1)
            else:
                if done.endswith(" 0"):
                    _log.warning("job outlived its lease", job=start.name, job_id=start.id)
                return
        _log.error("job's end not recorded: it will run again", job=start.name, job_id=start.id)

    async def _seconds_to_next(self) -> float:
        async with self._owner.unscoped() as tx:
            seconds: float | None = await tx.fetchval(
                "SELECT extract(epoch FROM min(run_at) - now())::float FROM job "
                "WHERE held_at IS NULL AND name = ANY ($1) AND run_at > now()",
                list(self._jobs),
            )
        is_quiet = asyncio.get_running_loop().time() - self._news_at > _POLL_SECONDS
        longest = _POLL_SECONDS if is_quiet else _WAKE_SECONDS
        return longest if seconds is None else min(max(seconds, 0.0) + 0.001, longest)

    async def renew(self) -> None:
        """Keep the leases of what runs here, and look for suspects, until cancelled."""
        while True:
            await asyncio.sleep(self._lease / 3)
            starts = list(self._running.values())
            try:
                async with self._owner.unscoped() as tx:
                    await tx.execute(
                        """UPDATE job j SET run_at = now() + make_interval(secs => $4)
                             FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS s (team_id, id, attempts)
                            WHERE j.team_id = s.team_id AND j.id = s.id AND j.attempts = s.attempts
                              AND j.started_at IS NOT NULL""",
                        [start.team_id for start in starts],
                        [start.id for start in starts],
                        [start.attempts for start in starts],
                        self._lease,
                    )
                    await tx.execute(
                        "UPDATE timer SET due_at = now() + make_interval(secs => $2) WHERE name = ANY ($1)",
                        list(self._ticking),
                        self._lease,
                    )
                    self._is_suspect_due = await tx.fetchval(
                        f"""SELECT EXISTS (SELECT FROM job WHERE held_at IS NULL AND run_at <= now()
                                                             AND name = ANY ($1) AND {_SUSPECT})""",
                        list(self._jobs),
                    )
                if self._is_suspect_due:
                    self.woken.set()
            except Exception:  # noqa: BLE001 - two more tries before the leases are over
                _log.exception("leases not renewed")

    async def tick(self, timer: Timer, stop: asyncio.Event) -> None:
        """Run a timer whenever it is due and nobody else runs it."""
        while not stop.is_set():
            pause = timer.every_seconds
            try:
                pause = await self._tick_once(timer)
            except Exception:  # noqa: BLE001 - the next time may do better
                _log.exception("timer failed", timer=timer.name)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def _tick_once(self, timer: Timer) -> float:
        """Run the timer if it is due; return the seconds until it is worth looking again."""
        async with self._owner.unscoped() as tx:
            started_at: datetime | None = await tx.fetchval(
                """INSERT INTO timer AS t (name, due_at) VALUES ($1, now() + make_interval(secs => $2))
                   ON CONFLICT (name) DO UPDATE SET due_at = EXCLUDED.due_at WHERE t.due_at <= now()
                   RETURNING now()""",
                timer.name,
                self._lease,
            )
        if started_at:
            self._ticking.add(timer.name)
            try:
                await timer.handler(self._owner)
            finally:
                self._ticking.discard(timer.name)
                async with self._owner.unscoped() as tx:
                    await tx.execute(
                        "UPDATE timer SET due_at = $2::timestamptz + make_interval(secs => $3) WHERE name = $1",
                        timer.name,
                        started_at,
                        timer.every_seconds,
                    )
        async with self._owner.unscoped() as tx:
            seconds: float = await tx.fetchval(
                "SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM timer WHERE name = $1", timer.name
            )
        return min(max(seconds, 0.001), timer.every_seconds)


async def _listen(dsn: str, woken: asyncio.Event, stop: asyncio.Event) -> None:
    """Set `woken` whenever somebody committed a job; a lost connection is opened anew."""
    while not stop.is_set():
        try:
            await _listen_until_lost(dsn, woken, stop)
        except Exception as error:  # noqa: BLE001 - the database may be back in a moment
            _log.warning("no wake-up for a moment", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)


async def _listen_until_lost(dsn: str, woken: asyncio.Event, stop: asyncio.Event) -> None:
    lost = asyncio.Event()

    def wake(*_: object) -> None:
        woken.set()

    def lose(_: object) -> None:
        lost.set()
        woken.set()

    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        connection.add_termination_listener(lose)
        await connection.add_listener(_CHANNEL, wake)
        woken.set()
        waiting = [asyncio.create_task(event.wait()) for event in (lost, stop)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
    finally:
        await connection.close(timeout=5)


async def _when(event: asyncio.Event, then: Callable[[], None]) -> None:
    await event.wait()
    then()
