"""The worker as it is composed, killed, stopped, and at work beside writers."""

import ast
import asyncio
import contextlib
import pkgutil
import random
import signal
import sys
import textwrap
import uuid
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.people import People

import rooftree
from rooftree import worker
from rooftree.leads.jobs import ROWS_BEFORE_COMPACTION
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.jobs import enqueue
from rooftree.platform.settings import Settings


def _enqueued(source: str, names: dict[str, Any]) -> Iterator[str]:
    """Yield the job names that a module enqueues, written out or as constants of `names`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called == "enqueue":
            named = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "name")]
            yield eval(compile(ast.Expression(named[0]), "<name>", "eval"), dict(names))


async def test_every_enqueued_job_is_registered(tmp_path: Path) -> None:
    async with worker.rooms(Settings(), bytes(32), BlobStore.open("", tmp_path)) as (jobs, _, _):
        names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    for module in pkgutil.walk_packages(rooftree.__path__, "rooftree."):
        if module.name == "rooftree.__main__":
            continue
        found = import_module(module.name)
        for name in _enqueued(Path(str(found.__file__)).read_text(encoding="utf-8"), vars(found)):
            assert name in names, f"{module.name}: enqueue() of {name}: worker.py has no such Job"


def test_the_search_for_enqueued_names_finds_them() -> None:
    source = "enqueue(tx, 'a', x=1); jobs.enqueue(tx, name='b', run_at=t); enqueue(tx, x); put(tx, 'c')"
    assert list(_enqueued(source, {"x": "c"})) == ["a", "b", "c"]


async def test_every_rooms_jobs_and_timers_are_listed(tmp_path: Path) -> None:
    async with worker.rooms(Settings(), bytes(32), BlobStore.open("", tmp_path)) as (_, timers, _):
        names = [timer.name for timer in timers]
    assert len(set(names)) == len(names)
    source = Path(str(worker.__file__)).read_text(encoding="utf-8")
    for module in pkgutil.walk_packages(rooftree.__path__, "rooftree."):
        if module.name.endswith(".jobs") and not module.name.startswith("rooftree.platform."):
            assert f"{module.name}." in source, f"worker.py does not know {module.name}"


_WORKER = textwrap.dedent("""
    import asyncio, contextlib, os, signal, sys
    from rooftree import worker
    from rooftree.platform import jobs, settings

    dsn, path, name = sys.argv[1:]

    def say(what, key):
        with open(path, "a") as file:
            file.write(f"{what} {key}\\n")

    async def handler(database, team_id, key, seconds, is_deadly):
        say("start", key)
        await asyncio.sleep(seconds)
        if is_deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        say("end", key)

    async def main():
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        worker.rooms = lambda *_: contextlib.nullcontext(([jobs.Job(name, handler)], [], []))
        worker.run_forever = lambda *args, **_: jobs.run_forever(*args, lease_seconds=0.8)
        await worker.work(dsn, stop, settings.Settings())

    asyncio.run(main())
""")


class _Process:
    """A worker in a process of its own, that a test may kill."""

    def __init__(self, dsn: str, path: Path, name: str) -> None:
        self._command = [sys.executable, "-c", _WORKER, dsn, str(path), name]
        self._path = path
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> asyncio.subprocess.Process:
        quiet = asyncio.subprocess.DEVNULL
        self._child = await asyncio.create_subprocess_exec(*self._command, stdout=quiet, stderr=quiet)
        return self._child

    async def end(self) -> None:
        if self._child and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()

    def said(self, what: str) -> Counter[str]:
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith(what))


async def _left(owner_db: Database, name: str) -> int:
    async with owner_db.unscoped() as tx:
        return await tx.fetchval("SELECT count(*) FROM job WHERE name = $1 AND held_at IS NULL", name)


async def test_no_job_is_lost_by_kill_9(
    db: Database, owner_db: Database, people: People, dsn: str, tmp_path: Path
) -> None:
    name, dice = f"test-{uuid.uuid4().hex}", random.Random(1)
    process = _Process(dsn, tmp_path / "said", name)
    async with db.transaction(people.olive.team_id) as tx:
        for number in range(60):
            await enqueue(tx, name, key=f"k{number}", seconds=dice.uniform(0, 0.3), is_deadly=False)
        await enqueue(tx, name, key="poison", seconds=0.02, is_deadly=True)
    deaths = 0
    try:
        async with asyncio.timeout(60):
            child = await process.start()
            killing = 2
            while await _left(owner_db, name):
                await asyncio.sleep(0.1)
                if killing and len(process.said("end")) > 5 and dice.random() < 0.3:
                    with contextlib.suppress(ProcessLookupError):  # the poison may have been quicker
                        child.kill()
                    killing -= 1
                if child.returncode is not None:
                    deaths += 1
                    child = await process.start()
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 10) == 0
    finally:
        await process.end()
    assert set(process.said("end")) == {f"k{number}" for number in range(60)}
    assert process.said("start")["poison"] <= 5 <= deaths
    async with owner_db.unscoped() as tx:
        held = await tx.fetch("SELECT args, error FROM job WHERE name = $1", name)
    assert [b"poison" in row["args"] for row in held] == [True]


async def test_the_worker_adds_up_the_tally_and_no_reader_ever_sees_another_sum(
    tmp_path: Path, db: Database, owner_db: Database, people: People, dsn: str
) -> None:
    """Every writer moves one lead from cell to cell in one transaction, so the sum is the same in every snapshot."""
    team_id, stop, is_writing = people.olive.team_id, asyncio.Event(), True
    row = "($1, '', $2, NULL, NULL, 'TEAM', $1, false, false, $3)"
    moved: Counter[int] = Counter({0: 20})

    async def write(dice: random.Random) -> None:
        for _ in range(ROWS_BEFORE_COMPACTION // 4):
            old, new = dice.sample(range(5), 2)
            async with db.transaction(team_id) as tx:
                await tx.execute(f"INSERT INTO lead_tally VALUES {row}", team_id, old, -1)
                await tx.execute(f"INSERT INTO lead_tally VALUES {row}", team_id, new, 1)
            moved.update({old: -1, new: 1})

    async def read() -> int:
        sums = 0
        async with db.reading(team_id) as tx:
            while is_writing or sums == 0:
                assert await tx.fetchval("SELECT sum(amount) FROM lead_tally WHERE team_id = $1", team_id) == 20
                sums += 1
        return sums

    async with owner_db.transaction(team_id) as tx:
        await tx.execute(f"INSERT INTO lead_tally VALUES {row}", team_id, 0, 20)
    working = asyncio.create_task(worker.work(dsn, stop, Settings(data_dir=str(tmp_path))))
    reading = [asyncio.create_task(read()) for _ in range(2)]
    try:
        async with asyncio.timeout(30):
            await asyncio.gather(*(write(random.Random(seed)) for seed in range(4)))
            cells = ROWS_BEFORE_COMPACTION
            while cells >= ROWS_BEFORE_COMPACTION:
                await asyncio.sleep(0.1)
                async with db.reading(team_id) as tx:
                    cells = await tx.fetchval("SELECT count(*) FROM lead_tally WHERE team_id = $1", team_id)
    finally:
        is_writing = False
        sums = await asyncio.gather(*reading)
        stop.set()
        await asyncio.wait_for(working, 10)
    assert min(sums) > 10
    async with db.reading(team_id) as tx:
        found = await tx.fetch(
            "SELECT stage_id, sum(amount)::bigint FROM lead_tally WHERE team_id = $1 GROUP BY 1",
            team_id,
        )
    assert {one[0]: one[1] for one in found if one[1]} == {stage: amount for stage, amount in moved.items() if amount}
