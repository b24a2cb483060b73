"""A real server under fire: `rooftree serve` with its PostgreSQL and worker, a worker that takes mail, known people."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import httpx
from msgspec import Struct
from tests.support.oauth import App, make_app
from tests.support.people import People, settle

from rooftree.auth.signing_in import set_password
from rooftree.messaging.actions import keep_arrival
from rooftree.platform.database import Database
from rooftree.platform.embedded_postgres import EmbeddedPostgres
from rooftree.platform.secret import shared_secret
from rooftree.team import actions as team

DOMAIN: Final = "in.example.test"
#: Of this run's server alone.
INBOUND_SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TWILIO_TOKEN: Final = "12345678901234567890123456789012"
PASSWORD: Final = "correct horse battery staple"
_STARTED_SECONDS: Final = 90
_STOPPED_SECONDS: Final = 45


class Installation(Struct):
    """What runs, and who may ask it."""

    url: str
    mail_port: int
    people: People
    app: App  #: an application of Olive's team
    processes: dict[str, "subprocess.Popen[bytes]"]
    logs: dict[str, Path]

    def ended(self) -> list[str]:
        """Return which processes ended by themselves; none should."""
        return [f"{name} ended with {one.returncode}" for name, one in self.processes.items() if one.poll() is not None]

    def accidents(self) -> list[str]:
        """Return the errors in the logs, whatever was answered; a job that fails and is tried again is none."""
        found: list[str] = []
        for name, path in self.logs.items():
            lines = path.read_text(errors="replace").splitlines()
            found += [f"{name}: {line[:300]}" for line in lines if "[error" in line and " job=" not in line]
        return found


@contextlib.contextmanager
def installed(folder: Path) -> Generator[Installation]:
    """Run an installation in a folder until the end."""
    data = folder / "data"
    port, mail_port = _free_port(), _free_port()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("ROOFTREE_")} | {
        "ROOFTREE_DATA_DIR": str(data),
        "ROOFTREE_AUTH_FAILURES_PER_MINUTE": "1000000",
        "ROOFTREE_EMAIL_IN_DOMAIN": DOMAIN,
        "ROOFTREE_INBOUND_SECRET": INBOUND_SECRET,
        "ROOFTREE_TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
        "ROOFTREE_WEBHOOK_QUOTA": "100000",
        "ROOFTREE_LOG_LEVEL": "warning",
        "NO_COLOR": "1",
    }
    logs = {name: folder / f"{name}.log" for name in ("serve", "worker")}
    processes: dict[str, subprocess.Popen[bytes]] = {}
    url = f"http://127.0.0.1:{port}"
    try:
        processes["serve"] = _start(["serve", "--port", str(port)], environment, logs["serve"])
        _until_ready(url, processes["serve"], logs["serve"])
        dsn = EmbeddedPostgres(data).dsn
        people, app = asyncio.run(_furnish(dsn))
        mail = ["worker", "--smtp-in", f"127.0.0.1:{mail_port}"]
        processes["worker"] = _start(mail, environment | {"ROOFTREE_DATABASE_URL": dsn}, logs["worker"])
        _until_open(mail_port, processes["worker"], logs["worker"])
        yield Installation(url, mail_port, people, app, dict(processes), logs)
    finally:
        for process in reversed(processes.values()):
            _stop(process)


async def _furnish(dsn: str) -> tuple[People, App]:
    """Found two companies with an application, passwords and something in the tray."""
    owner = await Database.connect(dsn, server_role=False, min_size=0, max_size=2)
    try:
        people = await settle(owner, await shared_secret(owner))
        app = await make_app(owner, people.olive)
        async with owner.transaction(people.olive.team_id) as tx:
            await set_password(tx, people.olive.id, PASSWORD)
            await team.set_virtual_number(tx, people.adam.email, "+14155550100")
            for number in range(200):
                await keep_arrival(
                    tx,
                    channel="sms",
                    provider_id=f"SM{number}",
                    sender=f"+1415555{2000 + number}",
                    recipient="+14155550100",
                    body="Is it still for sale?",
                )
        return people, app
    finally:
        await owner.close()


def _start(command: list[str], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "rooftree", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _STARTED_SECONDS
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        _check_start(process, log, deadline)


def _until_open(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _STARTED_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            _check_start(process, log, deadline)
        else:
            return


def _check_start(process: "subprocess.Popen[bytes]", log: Path, deadline: float) -> None:
    if process.poll() is not None or time.monotonic() > deadline:
        raise SystemExit(f"It does not start:\n{log.read_text(errors='replace')[-2000:]}")
    time.sleep(0.1)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOPPED_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
