"""One round: a fresh installation, everything at once under fire, peace, and then the count."""

# ruff: noqa: ASYNC240 - what we wait for tells nobody, and the files are small

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from msgspec import Struct, field

from faults.checks import Findings, Wanted, count, read_rows
from faults.clients import FeedReader, Writers, client
from faults.installation import Installation, subscribe
from faults.processes import Killer, sweep
from faults.receiver import Receiver

_WRITERS: Final = 8
#: How long the receiver stays ill after the last kill: what waits by then comes to it, too.
_ILL_SECONDS: Final = 5
_SETTLED_SECONDS: Final = 120
#: Subscriptions: list, and entries in one body.
_SUBSCRIPTIONS: Final = ((2, 1), (2, 1), (2, 5), (2, 50), (9, 1), (9, 5))
#: What would only be waited for: retries (minutes to a day), and the lease (30 s) of a fan-out that was killed.
_HURRY: Final = (
    "UPDATE webhook_delivery SET due_at = now() WHERE state = 'waiting' AND due_at > now()",
    "UPDATE timer SET due_at = now() WHERE name = 'fan out announcements' AND due_at > now() + interval '3 seconds'",
)
#: The leases (60 s) of deliveries whose worker was killed; one that still lives makes such a delivery twice at worst.
_END_LEASES: Final = """
UPDATE webhook_delivery SET due_at = now() WHERE state = 'sending' AND due_at < now() + interval '50 seconds'"""
_UNSETTLED: Final = """
SELECT (SELECT count(*) FROM announcement WHERE seq IS NULL)
     + (SELECT count(*) FROM webhook_delivery WHERE state IN ('waiting', 'sending'))"""


class Result(Struct):
    """What a round showed."""

    seed: int
    kills: Counter[str]
    seconds: float
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    findings: Findings = field(default_factory=Findings)
    bad_signatures: int = 0
    notes: list[str] = field(default_factory=list)  #: for who reads along
    faults: list[str] = field(default_factory=list)  #: what else must not be

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, done twice, invented, wrongly signed or refused, and everything came to rest."""
        return not (self.findings.bad or self.bad_signatures or self.refused or self.faults)


Say = Callable[[str], None]


async def play(seed: int, seconds: float, say: Say, logs: Path | None) -> Result:
    """Play a round in a folder that goes afterwards; its logs stay in `logs`, if that is given."""
    with tempfile.TemporaryDirectory(prefix="rtf") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)  # PostgreSQL's own account must get in when we are root
        round_ = _Round(seed, seconds, folder, say)
        try:
            return await round_.run()
        finally:
            if logs:
                round_.keep_logs(logs / str(seed))


class _Round:
    def __init__(self, seed: int, seconds: float, folder: Path, say: Say) -> None:
        self._seed, self._seconds, self._say = seed, seconds, say
        self._installation = Installation(folder, ROOFTREE_WEBHOOK_TIMEOUT_SECONDS="2")
        self._serve, self._worker, self._data = (
            self._installation.serve,
            self._installation.worker,
            self._installation.data,
        )
        self.keep_logs = self._installation.keep_logs
        self._receiver = Receiver(random.Random(f"{seed} receiver"))
        self._killer = Killer(self._serve, self._worker, self._data, random.Random(f"{seed} killer"), seconds)
        self._background: list[asyncio.Task[Any]] = []

    async def run(self) -> Result:
        begun = time.monotonic()
        result = Result(self._seed, self._killer.kills, 0)
        try:
            await self._receiver.begin()
            key = await self._installation.begin()
            async with client(self._installation.port, key) as http:
                webhooks = await subscribe(http, self._receiver, _SUBSCRIPTIONS)
                await self._play(http, webhooks, result)
            for kept, name in ((self._worker, "rooftree worker"), (self._serve, "rooftree serve")):
                if (code := await kept.stop()) != 0:
                    result.faults.append(f"{name} was told to stop, and ended with {code}")
            if left := await sweep(self._data):
                result.faults.append(f"left running: {left[:3]}")
        finally:
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)
            await self._receiver.stop()
            await asyncio.gather(self._worker.stop(), self._serve.stop())
            await sweep(self._data)
        result.seconds = time.monotonic() - begun
        return result

    def _also(self, running: Any) -> "asyncio.Task[Any]":
        self._background.append(asyncio.create_task(running))
        return self._background[-1]

    async def _play(self, http: httpx.AsyncClient, webhooks: dict[str, Wanted], result: Result) -> None:
        writers, feed = Writers(http, self._seed), FeedReader(http)
        writing, reading = self._also(writers.run(_WRITERS)), self._also(feed.run())
        hurrying, telling = self._also(self._hurry()), self._also(self._tell(writers))
        killing = self._also(self._killer.run())
        await asyncio.sleep(self._seconds)
        await killing
        telling.cancel()
        self._say(f"{len(writers.changes)} changes; peace: what was sent is asked for until it is answered")
        writers.finish()
        if not await _within(writing, _SETTLED_SECONDS):
            result.faults.append(f"writers got no answer within {_SETTLED_SECONDS} s")
        await asyncio.sleep(_ILL_SECONDS)
        self._receiver.be_well()
        await self._settle()
        hurrying.cancel()
        await self._replay(http, webhooks)
        if left := await self._settle():
            result.faults.append(f"{left} announcements and deliveries were still waiting after {_SETTLED_SECONDS} s")
        feed.finish()
        if not await _within(reading, _SETTLED_SECONDS):
            result.faults.append("the feed was not read to its end")
        states = Counter(change.state for change in writers.changes)
        result.acknowledged, result.refused, result.unknown = (
            states[state] for state in ("acknowledged", "refused", "unknown")
        )
        if await self._asked(lambda owner: owner.fetchval("SHOW fsync")) != "on":
            result.faults.append("PostgreSQL ran without fsync")
        rows = await self._asked(read_rows)
        result.findings = count(rows, writers.changes, webhooks, self._receiver.kept, feed.events)
        result.bad_signatures = self._receiver.bad_signatures
        result.faults += [*writers.refusals[:5], *feed.refusals[:5]]
        result.notes += [
            "answers: " + _told(writers.answers),
            "receiver: " + _told(self._receiver.did),
            "ended: serve " + _told(self._serve.codes) + "; worker " + _told(self._worker.codes),
        ]

    async def _tell(self, writers: Writers) -> None:
        while True:
            await asyncio.sleep(5)
            self._say(
                f"{len(writers.changes)} changes; {_told(self._killer.kills)}; receiver {_told(self._receiver.did)}"
            )

    async def _hurry(self) -> None:
        """Let waits be over by statements of the owner; nothing in the product is shortened."""
        while True:
            await asyncio.sleep(1)
            for sql in _HURRY:
                await self._asked(lambda owner, sql=sql: owner.execute(sql))

    async def _settle(self) -> int:
        """Wait until nothing waits; return what still does at the deadline."""
        deadline = time.monotonic() + _SETTLED_SECONDS
        while left := await self._asked(lambda owner: owner.fetchval(_UNSETTLED)):
            if time.monotonic() > deadline:
                break
            for sql in (*_HURRY, _END_LEASES):
                await self._asked(lambda owner, sql=sql: owner.execute(sql))
            self._say(f"{left} announcements and deliveries wait")
            await asyncio.sleep(1)
        return left

    async def _replay(self, http: httpx.AsyncClient, webhooks: dict[str, Wanted]) -> None:
        """Ask for what failed ten times, and for what was forgotten after its 200, as a receiver's owner would."""
        for path, webhook in webhooks.items():
            forgotten = sorted(self._receiver.forgotten.get(path, ()))
            parts = [forgotten[start : start + 500] for start in range(0, len(forgotten), 500)]
            for body in ({}, *({"deliveryIds": part} for part in parts)):
                answer = await http.post(f"/rooftree/v1/webhooks/{webhook.webhook_id}/replay", json=body)
                answer.raise_for_status()

    async def _asked(self, question: Callable[[asyncpg.Connection], Any]) -> Any:
        """Ask the database with the owner's rights, again until it answers."""
        async with asyncio.timeout(_SETTLED_SECONDS):
            while True:
                try:
                    owner = await asyncpg.connect(self._installation.dsn, timeout=5)
                    try:
                        return await question(owner)
                    finally:
                        owner.terminate()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                    await asyncio.sleep(0.25)


async def _within(task: "asyncio.Task[Any]", seconds: float) -> bool:
    """Wait for a task so long; whether it ended well."""
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        return False
    task.result()
    return True


def _told(counts: Counter[Any]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items(), key=str)) or "-"
