"""python -m soak: a constant mixed load, and whether memory stays flat, no answer is an error, and no event is lost.

An installation of its own: `rooftree serve --workers 2` with its PostgreSQL, and a `rooftree worker` beside it. Leads
come in one by one and in batches, are read, listed, searched, changed, noted, written to, and look around on the
website, at a constant rate; a client reads the feed, seven subscriptions go to a receiver. Every process is looked at
every few seconds. At the end everything is counted, and the slopes after the warm-up are judged by Theil and Sen: a
series may rise by 5 % of its median, or by 6 MiB or 4 files if that is more; PostgreSQL's open
files are a cache and only drawn. Ends with 1 if a bound is broken.
"""

# ruff: noqa: ASYNC110, ASYNC240 - what we wait for tells nobody, and the files are small

import argparse
import asyncio
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import uvloop
from faults.clients import FeedReader, client
from faults.installation import Installation, subscribe
from faults.processes import sweep
from faults.receiver import Receiver
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soak import samples as measured
from soak.load import Load
from soak.plot import draw, quantile
from soak.samples import GROUPS, Sample, Sampler
from soak.verdict import RISE_COUNT, RISE_MIB, Events, Trend, count_events, trend

console = Console(highlight=False, soft_wrap=True)
#: Subscriptions: list, and entries in one body.
_SUBSCRIPTIONS: Final = ((2, 1), (2, 50), (3, 20), (5, 1), (7, 1), (9, 5), (12, 20))
_AGENTS: Final = ("adam", "ana", "otto")
#: Of an API process: few, so that each has planned and kept every statement before the warm-up ends.
_CONNECTIONS: Final = "4"
_LOOK_SECONDS: Final = 5.0
_SETTLED_SECONDS: Final = 120
#: A log line that says so; levels below a warning are not written.
_ACCIDENT: Final = re.compile(r"traceback|exception|\berror\b|\bcritical\b|\bfatal\b|\bpanic\b", re.IGNORECASE)
_UNSETTLED: Final = """
SELECT (SELECT count(*) FROM announcement WHERE seq IS NULL)
     + (SELECT count(*) FROM webhook_delivery WHERE state IN ('waiting', 'sending'))
     + (SELECT count(*) FROM job WHERE run_at < now() - interval '5 seconds')"""


class Outcome(Struct):
    """What a run showed."""

    load: Load
    sampler: Sampler
    events: Events
    trends: list[Trend]
    tables: list[measured.Table]
    bad_signatures: int
    faults: list[str]  #: whatever must not be; empty: it held

    @property
    def is_good(self) -> bool:
        """Whether every bound held."""
        return not self.faults


async def soak(given: argparse.Namespace) -> Outcome:
    """Run it in a folder that goes afterwards. Raises: CancelledError when it is interrupted; nothing runs then."""
    task: Any = asyncio.current_task()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    with tempfile.TemporaryDirectory(prefix="rts") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)  # PostgreSQL's own account must get in when we are root
        installation = Installation(folder, ROOFTREE_DATABASE_CONNECTIONS=_CONNECTIONS)
        receiver = Receiver(random.Random(given.seed))
        try:
            return await _run(installation, receiver, given)
        finally:
            await receiver.stop()
            await asyncio.gather(installation.worker.stop(), installation.serve.stop())
            await sweep(installation.data)
            if given.logs:
                installation.keep_logs(given.logs)


async def _run(installation: Installation, receiver: Receiver, given: argparse.Namespace) -> Outcome:
    await receiver.begin()
    receiver.be_well()
    key = await installation.begin()
    faults: list[str] = []
    async with client(installation.port, key) as http, client(installation.port, key) as feed_http:
        http.timeout = httpx.Timeout(30)
        webhooks = await subscribe(http, receiver, _SUBSCRIPTIONS)
        for name in _AGENTS:
            (await http.post("/v1.0/agent/profile/add", json=_agent(name))).raise_for_status()
        known = _log_lines(installation)  # of the start, when PostgreSQL is asked before it is there
        load, feed, sampler = Load(http, given.seed), FeedReader(feed_http), Sampler(installation)
        background = [asyncio.create_task(one) for one in (feed.run(), sampler.run(_LOOK_SECONDS))]
        telling = asyncio.create_task(_tell(load, sampler))
        loading = asyncio.create_task(load.run(given.rate, given.minutes * 60))
        try:
            await _first_of(loading, background)
            telling.cancel()
            console.print("Nothing more is sent; what waits is waited for")
            if left := await _settled(installation):
                faults.append(f"{left} announcements, deliveries and jobs still waited after {_SETTLED_SECONDS} s")
            background[1].cancel()
            feed.finish()
            await asyncio.wait(background, timeout=_SETTLED_SECONDS)
        finally:
            for task in (*background, telling, loading):
                task.cancel()
        faults += [str(task.exception()) for task in background if not task.cancelled() and task.exception()]
        tables = await sampler.tables(12)
    events = count_events(load.told, feed.events, webhooks, receiver.kept)
    for kept, name in ((installation.worker, "rooftree worker"), (installation.serve, "rooftree serve")):
        if (code := await kept.stop()) != 0 or kept.codes.total() > 1:
            faults.append(f"{name} ended with {code}, {kept.codes.total()} times in all")
    trends = judged(sampler.samples, given.warm_up * 60, given.minutes * 60)
    faults += [*feed.refusals[:5], *_accidents(installation, known)]
    faults += [f"{one.name} rose by {one.rise:.1f} {one.unit}" for one in trends if not one.is_flat]
    if load.fault_count:
        faults += [f"{load.fault_count} answers must not be:", *load.faults[:5]]
    if events.lost or events.invented:
        faults += [f"{events.lost} events lost, {events.invented} invented:", *events.said]
    if receiver.bad_signatures:
        faults.append(f"{receiver.bad_signatures} deliveries were wrongly signed")
    return Outcome(load, sampler, events, trends, tables, receiver.bad_signatures, faults)


async def _first_of(loading: asyncio.Task[None], background: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the load to end. Raises what ended one of the others before: without them it proves nothing."""
    await asyncio.wait((loading, *background), return_when=asyncio.FIRST_COMPLETED)
    for task in background:
        if task.done():
            task.result()
    await loading


async def _tell(load: Load, sampler: Sampler) -> None:
    while True:
        await asyncio.sleep(60)
        one, recent = sampler.samples[-1], [timing.seconds * 1000 for timing in load.timings[-600:]]
        memory = ", ".join(f"{group} {one.memory[group]:.0f}" for group in GROUPS)
        said = f"{one.at / 60:3.0f} min  {len(load.timings)} answers, {load.fault_count} bad; MiB {memory}"
        said += f"; p95 {quantile(recent, 95):.0f} ms; waiting {sum(one.waiting.values())}" if recent else ""
        console.print(said)


async def _settled(installation: Installation) -> int:
    owner = await asyncpg.connect(installation.dsn)
    try:
        deadline = time.monotonic() + _SETTLED_SECONDS
        while (left := await owner.fetchval(_UNSETTLED)) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
        return left
    finally:
        await owner.close()


def judged(samples: Sequence[Sample], warm_up: float, end: float) -> list[Trend]:
    """Return how everything that must be flat went on while the load did, after the warm-up."""
    warm = [one for one in samples if warm_up <= one.at <= end]
    if len(warm) < 3:
        return []
    trends = [
        trend(f"memory, {group}", "MiB", [(one.at, one.memory[group]) for one in warm], RISE_MIB) for group in GROUPS
    ]
    # PostgreSQL keeps files of each connection open as a cache, up to max_files_per_process: it is drawn, not judged.
    trends += [
        trend(f"files, {group}", "", [(one.at, one.files[group]) for one in warm], RISE_COUNT)
        for group in GROUPS
        if group != "postgres"
    ]
    trends.append(trend("connections", "", [(one.at, one.connections) for one in warm], RISE_COUNT))
    waits = {name: [(one.at, one.waiting[name]) for one in warm] for name in warm[0].waiting}
    return trends + [trend(f"waiting, {name}", "", points, 10 * RISE_COUNT) for name, points in waits.items()]


def _agent(name: str) -> dict[str, Any]:
    info = {"emailAddress": f"{name}@soak.example", "firstName": name, "lastName": "Agent", "phoneNumber": "4155550100"}
    return {"accountType": 1, "accountInfo": info}


def _log_lines(installation: Installation) -> list[str]:
    logs = sorted((*installation.folder.glob("*.log"), *installation.folder.glob("data/log/*.log")))
    return [f"{log.name}: {line[:300]}" for log in logs for line in log.read_text(errors="replace").splitlines()]


def _accidents(installation: Installation, known: Sequence[str]) -> list[str]:
    seen = frozenset(known)
    return [line for line in _log_lines(installation) if line not in seen and _ACCIDENT.search(line)][:10]


def _rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    shown = Table(title=title, box=box.SIMPLE, padding=(0, 1, 0, 0), title_justify="left")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*(one if isinstance(one, str) else f"{one:,.1f}".removesuffix(".0") for one in row))
    return shown


def report(outcome: Outcome) -> list[Table]:
    """Return the tables that are shown at the end."""
    load, events = outcome.load, outcome.events
    by_kind: dict[str, list[float]] = {}
    for one in load.timings:
        by_kind.setdefault(one.kind, []).append(one.seconds * 1000)
    answers = [
        (kind, len(ms), *(quantile(ms, share) for share in (50, 95, 99)), max(ms)) for kind, ms in by_kind.items()
    ]
    counts = [
        ("answers", len(load.timings)),
        ("answers that must not be", load.fault_count),
        ("sent late, because 64 were under way", load.late),
        ("acknowledged changes", events.acknowledged),
        ("of these in the feed", events.announced),
        ("delivered, each subscription counted", events.delivered),
        ("lost", events.lost),
        ("invented", events.invented),
        ("wrongly signed", outcome.bad_signatures),
        ("database, MiB, at the end", outcome.sampler.samples[-1].database),
        ("PostgreSQL's shared memory in use, MiB", outcome.sampler.samples[-1].shared),
    ]
    slopes = [
        (one.name, one.first, one.last, one.rise, one.bound, "flat" if one.is_flat else "RISES")
        for one in outcome.trends
    ]
    tables = [(one.name, one.rows, one.dead, one.heap, one.indexes, one.vacuums) for one in outcome.tables]
    return [
        _rows("Answers, ms", ("", "number", "p50", "p95", "p99", "most"), answers),
        _rows("Counted", ("", ""), counts),
        _rows("After the warm-up", ("", "first", "last", "rise by slope", "bound", ""), slopes),
        _rows("Largest tables", ("", "rows", "dead", "heap MiB", "indexes MiB", "vacuums"), tables),
    ]


def main() -> int:
    """Read the command line, run, show what it came to; 1 if a bound is broken, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=20, help="operations a second")
    parser.add_argument("--warm-up", type=float, help="minutes that are not judged; by default a third")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, default=Path("soak/results"), help="a folder for soak.png and soak.svg")
    parser.add_argument("--logs", type=Path, help="a folder where the logs stay")
    given = parser.parse_args()
    if given.warm_up is None:
        given.warm_up = given.minutes / 3
    try:
        outcome = uvloop.run(soak(given))
    except asyncio.CancelledError:
        console.print("Interrupted; everything that was started has ended.")
        return 130
    wide = Console(highlight=False, width=120)
    for table in report(outcome):
        wide.print(table)
    for path in draw(outcome.sampler.samples, outcome.load.timings, given.warm_up * 60, given.plot):
        console.print(f"wrote {path}")
    for fault in outcome.faults:
        console.print(escape(fault))
    console.print("good" if outcome.is_good else "BAD")
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
