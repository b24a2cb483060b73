"""An API process beside others: `python -m rooftree.cli.api_process SOCKET PARENT`, started by `rooftree serve`."""

import asyncio
import os
import socket
import sys

import uvloop

from rooftree.cli.serving import on_stop, serve_here
from rooftree.platform.log import configure_logging
from rooftree.platform.settings import read_settings


async def main(descriptor: int, parent: int) -> None:
    """Serve on an inherited socket until told to stop, or until the process that started us is gone."""
    settings = read_settings()
    configure_logging(settings.log_level, settings.log_format)
    stop = asyncio.Event()
    on_stop(stop)
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    orphaned = asyncio.create_task(_end_with(parent, stop))
    await serve_here(settings, settings.database_url, listener, stop)
    orphaned.cancel()


async def _end_with(parent: int, stop: asyncio.Event) -> None:
    """Stop when the parent is gone, so that a killed `serve` leaves nobody behind.

    Its id comes from itself: it may be gone before we could ask whose child we are.
    """
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel sends no event
        await asyncio.sleep(1)
    stop.set()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
