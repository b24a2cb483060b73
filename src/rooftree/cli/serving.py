"""The API processes: one inside `rooftree serve`, or several children that share its socket."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
import uvicorn
from prometheus_client.multiprocess import mark_process_dead

from rooftree.app import MEASURES, create_app, write_last_use
from rooftree.platform.database import Database
from rooftree.platform.figures import Figures
from rooftree.platform.http.connections import BoundedHead
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings

_log: Final = structlog.get_logger("rooftree.serve")
#: How long running requests may take to end once the server was asked to stop.
GRACE_SECONDS: Final = 30
_FLUSH_SECONDS: Final = 60
#: Longer than clients (httpx: 5 s) and balancers (60 s) keep an idle connection: whoever closes first must be they, or
#: they send a request into a connection that is being closed, and it has no answer.
KEEP_ALIVE_SECONDS: Final = 75


class _Server(uvicorn.Server):
    """uvicorn, less its own handling of signals: ours stops the database after the last request."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """Bind and listen. Raises: OSError when the address is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def on_stop(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set the event."""
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, stop.set)


async def serve_here(settings: Settings, dsn: str, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop`; requests that run then are answered, and what they did is on disk."""
    size = settings.database_connections
    database = await Database.connect(dsn, min_size=2, max_size=size, is_pooled=settings.database_pooler)
    owner = await Database.connect(dsn, server_role=False, max_size=1, is_pooled=settings.database_pooler)
    app = create_app(settings, database, await shared_secret(owner))
    app.state.figures = Figures(owner, settings, MEASURES)
    server = server_of(app)
    flushing = asyncio.create_task(_flush(app, database, stop))
    watching = asyncio.create_task(_when(stop, lambda: setattr(server, "should_exit", True)))
    try:
        await server.serve(sockets=[listener])
    finally:
        stop.set()
        await asyncio.gather(flushing, watching)
        await owner.close()
        await database.close()


def server_of(app: RequestIds) -> uvicorn.Server:
    """Return the server of an application; it names neither itself nor its version."""
    return _Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
            server_header=False,
            http=BoundedHead,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            lifespan="on",
        )
    )


async def _when(stop: asyncio.Event, then: Callable[[], None]) -> None:
    await stop.wait()
    then()


async def _flush(app: RequestIds, database: Database, stop: asyncio.Event) -> None:
    """Write when keys were used, once a minute and at the end."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _FLUSH_SECONDS)
        try:
            await write_last_use(app, database)
        except Exception:  # noqa: BLE001 - it is tried again in a minute
            _log.exception("last use of keys not written")


async def serve_children(settings: Settings, dsn: str, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve with several processes on one socket; one that dies is replaced."""
    os.set_inheritable(listener.fileno(), True)
    with tempfile.TemporaryDirectory(prefix="rooftree-metrics-") as figures:
        await asyncio.gather(*(_keep_child(dsn, listener, stop, figures) for _ in range(settings.workers)))


async def _keep_child(dsn: str, listener: socket.socket, stop: asyncio.Event, figures: str) -> None:
    """`figures` is the folder by which the children's counters are added up."""
    environment = {**os.environ, "ROOFTREE_DATABASE_URL": dsn, "PROMETHEUS_MULTIPROC_DIR": figures}
    environment.pop("ROOFTREE_DATABASE_URL_FILE", None)
    command = [sys.executable, "-m", "rooftree.cli.api_process", str(listener.fileno()), str(os.getpid())]
    while not stop.is_set():
        child = await asyncio.create_subprocess_exec(
            *command, env=environment, pass_fds=[listener.fileno()], start_new_session=True
        )
        ended, stopped = asyncio.create_task(child.wait()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:  # also when something else of `serve` failed: nobody is left behind on the port
            stopped.cancel()
            if not ended.done():
                child.terminate()
            code = await ended
            mark_process_dead(child.pid, figures)
        if not stop.is_set():
            _log.error("an API process ended and is replaced", exit_code=code)
            await asyncio.sleep(1)
