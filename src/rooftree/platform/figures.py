"""What /metrics tells of the whole installation: backlogs and ages, measured when somebody asks, and not too often."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from rooftree.platform import backups
from rooftree.platform.database import Database
from rooftree.platform.settings import Settings

_log: Final = structlog.get_logger("rooftree.figures")
#: A scrape sooner than this after the last measurement gets that one's figures.
_GOOD_FOR_SECONDS: Final = 10.0
#: What takes longer is left out: figures must never be what makes a database slow.
_PATIENCE_MILLISECONDS: Final = 2000
#: A backlog is counted no further.
COUNTED: Final = 100_000


class Measure(Struct, frozen=True):
    """One cheap statement that needs the owner's rights, and what each of its columns means."""

    sql: str
    figures: Mapping[str, str]  #: column -> meaning; the metric is `rooftree_<column>`


MEASURES: Final = (
    Measure(
        "SELECT pg_database_size(current_database()) AS database_size_bytes",
        {"database_size_bytes": "Size of the database on disk."},
    ),
    Measure(
        f"""SELECT count(*) AS jobs_due, coalesce(extract(epoch FROM now() - min(run_at)), 0) AS jobs_oldest_seconds
              FROM (SELECT run_at FROM job
                     WHERE held_at IS NULL AND run_at <= now() ORDER BY run_at LIMIT {COUNTED}) j""",
        {
            "jobs_due": "Jobs that are due and that no worker has taken.",
            "jobs_oldest_seconds": "How long the oldest of them has been due.",
        },
    ),
    Measure(
        f"SELECT count(*) AS jobs_held FROM (SELECT FROM job WHERE held_at IS NOT NULL LIMIT {COUNTED}) j",
        {"jobs_held": "Jobs that failed for good and are kept: rooftree jobs list."},
    ),
    Measure(
        f"""SELECT count(*) AS outbox_waiting,
                   coalesce(extract(epoch FROM now() - min(happened_at)), 0) AS outbox_oldest_seconds
              FROM (SELECT happened_at FROM announcement WHERE seq IS NULL ORDER BY id LIMIT {COUNTED}) a""",
        {
            "outbox_waiting": "Announcements that no worker has fanned out to webhooks yet.",
            "outbox_oldest_seconds": "How old the oldest of them is.",
        },
    ),
)


class Figures:
    """Measures an installation for /metrics. Keeps one connection with the owner's rights."""

    def __init__(self, owner: Database, settings: Settings, measures: Iterable[Measure]) -> None:
        self._owner = owner
        self._backups = settings.backup_path
        self._measures: Sequence[Measure] = (*MEASURES, *measures)
        self._measuring = asyncio.Lock()
        self._found: list[Metric] = []
        self._good_until = 0.0

    async def registry(self) -> CollectorRegistry:
        """Return the figures of now, or of a moment ago."""
        async with self._measuring:
            if time.monotonic() >= self._good_until:
                self._found = await self._measured()
                self._good_until = time.monotonic() + _GOOD_FOR_SECONDS
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Found(self._found))  # type: ignore[arg-type]
        return registry

    async def _measured(self) -> list[Metric]:
        found: list[Metric] = []
        is_up = True
        for measure in self._measures:
            try:
                async with self._owner.unscoped() as tx:
                    await tx.execute(f"SET LOCAL statement_timeout = {_PATIENCE_MILLISECONDS}")
                    row = await tx.fetchrow(measure.sql)
            except Exception as error:  # noqa: BLE001 - figures are left out rather than the whole answer
                _log.warning("not measured", figures=list(measure.figures), error=repr(error))
                is_up = False
            else:
                assert row is not None
                found += [_gauge(name, text, float(row[name])) for name, text in measure.figures.items()]
        finished_at = await asyncio.to_thread(backups.newest_at, self._backups)
        found.append(_gauge("database_up", "1: every figure of the database was measured.", float(is_up)))
        text = "When the newest backup in ROOFTREE_BACKUP_DIR was finished, in seconds since 1970; 0: there is none."
        found.append(_gauge("backup_finished_timestamp_seconds", text, finished_at))
        return found


class _Found:
    """What was measured, as the library collects it."""

    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"rooftree_{name}", text, value=value)
