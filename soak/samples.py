"""What is measured while the load goes on: every process, the database, and what waits."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import asyncpg
import psutil
from faults.installation import Installation
from msgspec import Struct

_MIB: Final = 1024 * 1024
#: In the samples' names: rooftree serve, its API processes, the worker, and PostgreSQL as a whole.
GROUPS: Final = ("serve", "api", "worker", "postgres")
_STATE: Final = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections,
       (SELECT count(*) FROM announcement WHERE seq IS NULL) AS announcements,
       (SELECT count(*) FROM webhook_delivery WHERE state IN ('waiting', 'sending')) AS deliveries,
       (SELECT count(*) FROM job) AS jobs,
       pg_database_size(current_database()) AS database"""
_TABLES: Final = """
SELECT relname, pg_relation_size(relid), pg_indexes_size(relid), n_live_tup, n_dead_tup,
       autovacuum_count + vacuum_count FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC LIMIT $1"""


class Sample(Struct):
    """One look at everything."""

    at: float  #: seconds since the beginning
    memory: dict[str, float]  #: MiB by group that no file holds; PostgreSQL's buffers are not in it
    shared: float  #: MiB of PostgreSQL's shared memory that is in use
    files: dict[str, float]  #: open files by group
    processes: dict[str, int]
    connections: int
    waiting: dict[str, int]  #: announcements, deliveries, jobs
    database: float  #: MiB


class Table(Struct):
    """A table at the end."""

    name: str
    rows: int
    dead: int
    heap: float  #: MiB
    indexes: float  #: MiB
    vacuums: int


def memory_of(pid: int) -> tuple[float, float]:
    """Return what a process has of its own, and of shared segments, in MiB; what several share is divided among them.

    Pages of programs and libraries are left out: whose they are changes with every other process that uses them.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        lines = []
    if not lines:  # it has ended; one that nobody waited for yet has an empty file
        return 0.0, 0.0
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return (kib["Pss_Anon"] + kib["SwapPss"]) / 1024, kib["Pss_Shmem"] / 1024


class Sampler:
    """Looks every few seconds."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.samples: list[Sample] = []

    async def run(self, every_seconds: float) -> None:
        """Look until cancelled."""
        begun = time.monotonic()
        owner = await asyncpg.connect(self._installation.dsn)
        try:
            while True:
                self.samples.append(await self._look(owner, time.monotonic() - begun))
                await asyncio.sleep(every_seconds)
        finally:
            owner.terminate()

    async def tables(self, limit: int) -> list[Table]:
        """Return the largest tables as they are now."""
        owner = await asyncpg.connect(self._installation.dsn)
        try:
            rows = await owner.fetch(_TABLES, limit)
        finally:
            await owner.close()
        return [Table(row[0], row[3], row[4], row[1] / _MIB, row[2] / _MIB, row[5]) for row in rows]

    async def _look(self, owner: asyncpg.Connection, at: float) -> Sample:
        memory, files = dict.fromkeys(GROUPS, 0.0), dict.fromkeys(GROUPS, 0.0)
        processes, shared = dict.fromkeys(GROUPS, 0), 0.0
        for group, process in self._processes():
            with contextlib.suppress(psutil.Error):
                own, segment = memory_of(process.pid)
                memory[group] += own
                shared += segment
                files[group] += process.num_fds()
                processes[group] += 1
        row = await owner.fetchrow(_STATE)
        waiting = {name: row[name] for name in ("announcements", "deliveries", "jobs")}
        return Sample(at, memory, shared, files, processes, row["connections"] - 1, waiting, row["database"] / _MIB)

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        serve, worker = psutil.Process(self._installation.serve.pid), psutil.Process(self._installation.worker.pid)
        found = [("serve", serve), ("worker", worker)]
        for child in serve.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                found.append(("api" if "rooftree.cli.api_process" in child.cmdline() else "serve", child))
        found = [one for one in found if "postgres" not in one[1].name()]
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if "postgres" in process.name() and self._is_ours(process):
                    found.append(("postgres", process))
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        cluster = str(self._installation.data / "cluster")
        parent = process.parent()
        return cluster in " ".join(process.cmdline()) or (parent is not None and cluster in " ".join(parent.cmdline()))
