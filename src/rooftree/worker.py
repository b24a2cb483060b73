"""Runs what no request waits for: lists every room's jobs and timers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

import rooftree.ai.jobs
import rooftree.calls.jobs
import rooftree.duplicates.jobs
import rooftree.leads.jobs
import rooftree.messaging.jobs
import rooftree.webhooks.jobs
from rooftree.leads.mailbox import receive_mail
from rooftree.messaging.intake import ReturnAddresses, parse_mail
from rooftree.messaging.smtp_in import serve_mail
from rooftree.platform import kept_answers
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.jobs import CONCURRENCY, Job, Timer, run_forever
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings

_log: Final = structlog.get_logger("rooftree.worker")
#: What goes on by itself until the event is set, with the owner's rights.
Loop = Callable[[Database, asyncio.Event], Coroutine[Any, Any, None]]


@asynccontextmanager
async def rooms(
    settings: Settings, secret: bytes, blobs: BlobStore
) -> AsyncGenerator[tuple[list[Job], list[Timer], list[Loop]]]:
    """Yield every room's jobs, timers and loops, with what they hold open meanwhile."""
    recordings = rooftree.calls.jobs.Recordings(settings, blobs)
    async with (
        rooftree.messaging.jobs.Carrier(settings, secret) as carrier,
        rooftree.ai.jobs.Listener(settings, blobs) as listener,
        rooftree.webhooks.jobs.webhooks(settings) as hooks,
    ):
        yield (
            [
                *rooftree.leads.jobs.jobs(settings.phone_region),
                *rooftree.duplicates.jobs.JOBS,
                *carrier.jobs,
                *recordings.jobs,
                *listener.jobs,
            ],
            [
                *rooftree.leads.jobs.TIMERS,
                *rooftree.duplicates.jobs.TIMERS,
                *kept_answers.TIMERS,
                *carrier.timers,
                *hooks.timers,
            ],
            [hooks.dispatcher.run],
        )


async def work(dsn: str, stop: asyncio.Event, settings: Settings) -> None:
    """Work until `stop` is set; what runs at that moment is finished, or given back. `dsn` has the owner's rights."""
    is_pooled = settings.database_pooler
    owner = await Database.connect(dsn, server_role=False, max_size=6, is_pooled=is_pooled)
    server = await Database.connect(dsn, min_size=0, max_size=CONCURRENCY, is_pooled=is_pooled)
    blobs = BlobStore.open(settings.blob_url, settings.data_path / "blobs")
    lease_seconds = float(settings.job_lease_seconds)
    wake_dsn = settings.database_direct_url or (None if is_pooled else dsn)
    try:
        async with rooms(settings, await shared_secret(owner), blobs) as (jobs, timers, loops):
            _log.info("worker ready", jobs=[job.name for job in jobs], timers=[timer.name for timer in timers])
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop(owner, stop))
                group.create_task(run_forever(owner, server, wake_dsn, jobs, timers, stop, lease_seconds=lease_seconds))
    finally:
        await server.close()
        await owner.close()


async def take_mail(
    dsn: str,
    stop: asyncio.Event,
    settings: Settings,
    host: str,
    port: int,
    *,
    is_lmtp: bool = False,
    started: Callable[[int], None] | None = None,
) -> None:
    """Take mail in until `stop` is set; it is acknowledged when it is on disk. `started` hears the port."""
    server = await Database.connect(dsn, min_size=0, max_size=4, is_pooled=settings.database_pooler)
    owner = await Database.connect(dsn, server_role=False, max_size=1, is_pooled=settings.database_pooler)
    returns = ReturnAddresses(await shared_secret(owner), settings.email_in_domain)
    await owner.close()

    async def deliver(raw: bytes, _: str, recipients: tuple[str, ...]) -> bool:
        return await receive_mail(server, returns, parse_mail(raw), raw, recipients)

    try:
        await serve_mail(host, port, deliver, stop, domain=settings.email_in_domain, is_lmtp=is_lmtp, started=started)
    finally:
        await server.close()
