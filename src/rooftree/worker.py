"""Runs what no request waits for: lists every room's timers."""

import asyncio
from typing import Final

import structlog

import rooftree.leads.jobs
from rooftree.platform.database import Database
from rooftree.platform.jobs import run_timers

_log: Final = structlog.get_logger("rooftree.worker")
TIMERS: Final = [*rooftree.leads.jobs.TIMERS]


async def work(dsn: str, stop: asyncio.Event, *, is_pooled: bool = False) -> None:
    """Work until `stop` is set; what runs at that moment is finished. `dsn` has the owner's rights."""
    owner = await Database.connect(dsn, server_role=False, max_size=3, is_pooled=is_pooled)
    try:
        _log.info("worker ready", timers=[timer.name for timer in TIMERS])
        await run_timers(owner, TIMERS, stop)
    finally:
        await owner.close()
