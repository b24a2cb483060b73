"""An installation of its own: a fresh database, an application with its settings, workers that may be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rooftree import worker
from rooftree.app import create_app
from rooftree.platform.database import Database
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import PREFIX, Settings
from rooftree.team import actions as team
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, settle

PATIENCE_SECONDS = 20.0


class Installation:
    """What one test has to itself."""

    def __init__(
        self, dsn: str, settings: dict[str, Any], owner_db: Database, db: Database, app: RequestIds, people: People
    ) -> None:
        self.dsn = dsn
        self.given = settings
        self.settings = Settings(**settings)
        self.owner_db = owner_db
        self.db = db
        self.app = app
        self.people = people
        self.client = Client(app).as_(people.adam)
        self.make = Make(self.client, people, owner_db)

    @property
    def team_id(self) -> int:
        """The company of Olive, Adam, Ana and Otto."""
        return self.people.adam.team_id

    async def number(self, number: str) -> None:
        """Give Adam a virtual number."""
        async with self.owner_db.transaction(self.team_id) as tx:
            await team.set_virtual_number(tx, self.people.adam.email, number)

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """Look behind the door."""
        return await self.make.rows(sql, *args)

    async def message(self, message_id: int | str) -> dict[str, Any]:
        """A message's row."""
        ((row),) = await self.rows("SELECT * FROM message WHERE id = $1", int(message_id))
        return dict(row)

    async def activities(self, lead_id: int) -> list[dict[str, Any]]:
        """The conversations on a lead's timeline."""
        return (await self.client.ok("GET", f"/v2.0/leads/{lead_id}/activities?pageSize=1000"))["activities"]

    async def kinds(self, lead_id: int) -> list[str]:
        """What happened to a lead, oldest first."""
        found = await self.client.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline?limit=100&audit=true")
        return [entry["kind"] for entry in reversed(found["entries"])]

    @asynccontextmanager
    async def working(self, **changes: Any) -> AsyncGenerator[None]:
        """Run a worker here meanwhile."""
        stop = asyncio.Event()
        task = asyncio.create_task(worker.work(self.dsn, stop, Settings(**{**self.given, **changes})))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)

    async def start_worker(self) -> asyncio.subprocess.Process:
        """Start a worker in a process of its own."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {PREFIX + name.upper(): str(value) for name, value in self.given.items()}
        environment |= {PREFIX + "DATABASE_URL": self.dsn, PREFIX + "LOG_LEVEL": "error"}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "rooftree", "worker", env=environment, start_new_session=True
        )

    async def until(
        self, condition: Callable[[], Awaitable[Any]], what: str = "", seconds: float = PATIENCE_SECONDS
    ) -> Any:
        """Wait until something is true; return it."""
        try:
            async with asyncio.timeout(seconds):
                while not (found := await condition()):
                    await asyncio.sleep(0.05)
                return found
        except TimeoutError:
            raise AssertionError(f"waited {seconds} s in vain {what}") from None

    async def until_state(self, message_id: int | str, *states: str) -> dict[str, Any]:
        """Wait until a message stands so."""

        async def stands() -> dict[str, Any] | None:
            row = await self.message(message_id)
            return row if row["state"] in states else None

        return await self.until(stands, f"for message {message_id} to be {states}")


async def kill(process: asyncio.subprocess.Process) -> None:
    """End a process as a power cut does."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


@asynccontextmanager
async def installation(dsn: str, folder: Path, **settings: Any) -> AsyncGenerator[Installation]:
    """Open an installation on a fresh database."""
    given = {"data_dir": str(folder), "quiet_hours": "", **settings}
    owner_db = await Database.connect(dsn, min_size=0, max_size=2, server_role=False)
    db = await Database.connect(dsn, min_size=0, max_size=8)
    secret = await shared_secret(owner_db)
    people = await settle(owner_db, secret)
    app = create_app(Settings(auth_failures_per_minute=1_000_000, **given), db, secret)
    try:
        yield Installation(dsn, given, owner_db, db, app, people)
    finally:
        await db.close()
        await owner_db.close()
