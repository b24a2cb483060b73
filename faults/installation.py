"""An installation in a folder: `rooftree serve --workers 2` with its PostgreSQL, and a `rooftree worker`."""

import asyncio
import os
import re
import shutil
import socket
from pathlib import Path
from typing import Final

import httpx
from standardwebhooks import Webhook

from faults.checks import Wanted
from faults.clients import client
from faults.processes import Kept
from faults.receiver import Receiver
from rooftree.platform.embedded_postgres import EmbeddedPostgres

_STARTED_SECONDS: Final = 60


class Installation:
    """Two commands that are started again whenever they end, and what they serve.

    `settings`, as ROOFTREE_ variables, come to those that keep it in its folder.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.dsn = EmbeddedPostgres(self.data).dsn
        self.port = free_port()
        environment = {name: text for name, text in os.environ.items() if not name.startswith("ROOFTREE_")} | {
            "ROOFTREE_DATA_DIR": str(self.data),
            "ROOFTREE_WEBHOOK_ALLOW_INSECURE": "true",
            "ROOFTREE_LOG_LEVEL": "warning",
            **settings,
        }
        self.serve = Kept(
            *("serve", "--port", str(self.port), "--workers", "2"), environment=environment, log=folder / "serve.log"
        )
        self.worker = Kept(
            "worker", environment=environment | {"ROOFTREE_DATABASE_URL": self.dsn}, log=folder / "worker.log"
        )

    async def begin(self) -> str:
        """Start both; return the key that the first run shows, once the API answers."""
        self.serve.begin()
        log = self.folder / "serve.log"
        async with asyncio.timeout(_STARTED_SECONDS), client(self.port, "none") as http:
            while True:
                await asyncio.sleep(0.1)
                shown = re.search(r"Authorization: Bearer ([\w.-]+)", log.read_text()) if log.exists() else None
                try:
                    if shown and (await http.get("/readyz")).status_code == 200:
                        self.worker.begin()
                        return shown[1]
                except httpx.HTTPError:
                    continue

    def keep_logs(self, target: Path) -> None:
        """Copy the logs of all processes to a folder."""
        target.mkdir(parents=True, exist_ok=True)
        for log in (*self.folder.glob("*.log"), *self.folder.glob("data/log/*.log")):
            shutil.copy(log, target)


async def subscribe(
    http: httpx.AsyncClient, receiver: Receiver, subscriptions: tuple[tuple[int, int], ...]
) -> dict[str, Wanted]:
    """Subscribe (list, entries in one body); return each subscription by the path of its receiver."""
    webhooks: dict[str, Wanted] = {}
    for number, (list_id, limit) in enumerate(subscriptions):
        path = f"/hook/{number}"
        wish = {"listId": list_id, "limit": limit, "callbackUrl": f"http://127.0.0.1:{receiver.port}{path}"}
        answer = (await http.post("/v1.0/webhook", json=wish)).raise_for_status()
        webhook_id = answer.json()["subscribeId"]
        secret = (await http.get(f"/rooftree/v1/webhooks/{webhook_id}/secret")).raise_for_status().json()["secret"]
        webhooks[path] = Wanted(webhook_id, list_id)
        receiver.verifiers[path] = Webhook(secret)
    return webhooks


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
