"""The product's processes: started as anyone starts them, started again when they end, and killed on purpose.

`rooftree serve --workers 2` holds everything of a small installation: two API processes, a worker and PostgreSQL. It
replaces API processes and revives PostgreSQL by itself. A `rooftree worker` runs beside it. When one of these two
commands ends, we start it again at once, as systemd or Docker would.
"""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from msgspec import Struct

#: What may be killed, with how often it is drawn from a bag that is filled again when it is empty.
TARGETS: Final = ("api", "api", "worker", "worker", "backend", "postgres", "serve")
_PAUSE_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 45


class Running(Struct, frozen=True):
    """A process, as `ps` shows it."""

    pid: int
    parent: int
    command: str


async def running() -> list[Running]:
    """Return all processes of this machine."""
    ps = await asyncio.create_subprocess_exec("ps", "-axwwo", "pid=,ppid=,args=", stdout=asyncio.subprocess.PIPE)
    told, _ = await ps.communicate()
    rows = (line.split(None, 2) for line in told.decode(errors="replace").splitlines())
    return [Running(int(row[0]), int(row[1]), row[2]) for row in rows if len(row) == 3]


def kill(pid: int) -> bool:
    """`kill -9`; whether there was something to kill."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class Kept:
    """A command that is started again whenever it ends."""

    def __init__(self, *command: str, environment: dict[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", "rooftree", *command]
        self._environment = environment
        self._log = log
        self._child: asyncio.subprocess.Process | None = None
        self._is_stopping = False
        self._keeping: asyncio.Task[None] | None = None
        self.codes: Counter[int] = Counter()  #: how it ended

    @property
    def pid(self) -> int:
        """Its process; 0: none at this moment."""
        return self._child.pid if self._child and self._child.returncode is None else 0

    def begin(self) -> None:
        """Keep it running from now on."""
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while not self._is_stopping:
            with self._log.open("ab") as output:
                self._child = await asyncio.create_subprocess_exec(
                    *self._command,
                    env=self._environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            self.codes[await self._child.wait()] += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    async def stop(self) -> int | None:
        """Ask it to stop; return how it ended, None when it had to be killed."""
        self._is_stopping = True
        child = self._child
        try:
            if child and child.returncode is None:
                child.terminate()
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    return await child.wait()
        except TimeoutError:
            return None
        finally:
            if child and child.returncode is None:
                child.kill()
                await child.wait()
            if self._keeping:
                self._keeping.cancel()
        return child.returncode if child else 0


class Killer:
    """Kills at the moments, and the targets, that the seed says."""

    def __init__(self, serve: Kept, worker: Kept, data: Path, dice: random.Random, seconds: float) -> None:
        self._serve, self._worker, self._data, self._dice = serve, worker, data, dice
        self._plan = _plan(dice, seconds)
        self.kills: Counter[str] = Counter()

    async def run(self) -> None:
        """Follow the plan to its end."""
        begun = asyncio.get_running_loop().time()
        for moment, target in self._plan:
            await asyncio.sleep(max(0.0, begun + moment - asyncio.get_running_loop().time()))
            choice = self._dice.random()  # drawn before we look, so that later draws do not depend on what is there
            processes = await running()
            victims = [pid for pid in self._victims(target, choice, processes) if pid]
            if [pid for pid in victims if kill(pid)]:
                self.kills[target] += 1

    def _victims(self, target: str, choice: float, processes: list[Running]) -> list[int]:
        children = [one.pid for one in processes if self._serve.pid and one.parent == self._serve.pid]
        api = [one.pid for one in processes if one.pid in children and "rooftree.cli.api_process" in one.command]
        if target == "worker":
            return [self._worker.pid]
        if target == "serve":  # with its API processes, or so that these find themselves orphaned
            return [self._serve.pid, *(api if choice < 0.5 else [])]
        if target == "api":
            return [api[int(choice * len(api))]] if api else []
        postmaster = self._postmaster(processes)
        below = [one for one in processes if postmaster and one.parent == postmaster]
        if target == "postgres":
            return [postmaster, *(one.pid for one in below)]
        serving = [one.pid for one in below if ": rooftree rooftree " in one.command]
        return [serving[int(choice * len(serving))]] if serving else []

    def _postmaster(self, processes: list[Running]) -> int:
        mine = str(self._data / "cluster")
        return next((one.pid for one in processes if "/postgres -D " in one.command and mine in one.command), 0)


def _plan(dice: random.Random, seconds: float) -> list[tuple[float, str]]:
    plan: list[tuple[float, str]] = []
    bag: list[str] = []
    moment = dice.uniform(0.5, 2.0)
    while moment < seconds:
        if not bag:
            bag = list(TARGETS)
            dice.shuffle(bag)
        plan.append((moment, bag.pop()))
        moment += dice.uniform(0.3, 5.0)
    return plan


async def sweep(data: Path) -> list[str]:
    """Kill what is left of this data directory; return what that was. There should be nothing."""
    left = [one for one in await running() if str(data) in one.command and one.pid != os.getpid()]
    return [one.command for one in left if kill(one.pid)]
