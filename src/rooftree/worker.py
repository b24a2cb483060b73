"""Runs what no request waits for: lists every room's jobs and timers."""

import asyncio
from typing import Final

import structlog

import rooftree.leads.jobs
from rooftree.platform.database import Database
from rooftree.platform.jobs import CONCURRENCY, Job, Timer, run_forever

_log: Final = structlog.get_logger("rooftree.worker")
JOBS: Final[list[Job]] = []
TIMERS: Final[list[Timer]] = [*rooftree.leads.jobs.TIMERS]


async def work(dsn: str, stop: asyncio.Event, *, is_pooled: bool = False) -> None:
    """Work until `stop` is set; what runs at that moment is finished, or given back. `dsn` has the owner's rights."""
    owner = await Database.connect(dsn, server_role=False, max_size=4, is_pooled=is_pooled)
    server = await Database.connect(dsn, min_size=0, max_size=CONCURRENCY, is_pooled=is_pooled)
    try:
        _log.info("worker ready", jobs=[job.name for job in JOBS], timers=[timer.name for timer in TIMERS])
        await run_forever(owner, server, dsn, JOBS, TIMERS, stop)
    finally:
        await server.close()
        await owner.close()
