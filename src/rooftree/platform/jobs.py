"""Work that no request waits for. So far: timers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from msgspec import Struct

from rooftree.platform.database import Database

_log: Final = structlog.get_logger("rooftree.worker")


class Timer(Struct, frozen=True):
    """Something done again and again. Several workers may do it at once: the handler must stand that."""

    name: str
    every_seconds: float
    handler: Callable[[Database], Awaitable[None]]  #: gets the owner's rights


async def run_timers(owner: Database, timers: Sequence[Timer], stop: asyncio.Event) -> None:
    """Run timers until `stop` is set; one that fails is logged and runs again next time."""
    async with asyncio.TaskGroup() as group:
        for timer in timers:
            group.create_task(_repeat(owner, timer, stop))


async def _repeat(owner: Database, timer: Timer, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await timer.handler(owner)
        except Exception:  # noqa: BLE001 - the next time may do better
            _log.exception("timer failed", timer=timer.name)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timer.every_seconds)
