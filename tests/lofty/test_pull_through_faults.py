"""A whole account moves from one server to another while everything goes wrong."""

import asyncio
import csv
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx
from tests.lofty.account import asgi, fill, reader
from tests.support.faulty import FAULTS, Faulty, faulty
from tests.support.installation import Installation
from tests.support.moved import differences, lead_ids

from rooftree.cli import demo

LEADS = 50


def environment(of: Installation, **more: str) -> dict[str, str]:
    """The environment of a process that works on an installation."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROOFTREE_")}
    given = {"ROOFTREE_DATABASE_URL": of.dsn, "ROOFTREE_DATA_DIR": of.settings.data_dir, "ROOFTREE_LOG_LEVEL": "error"}
    return {**plain, **given, **more}


class Served:
    """`rooftree serve`, on one port through all restarts."""

    def __init__(self, of: Installation) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._environment = environment(of)
        self.process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "rooftree", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    async def until_ready(self) -> None:
        async with httpx.AsyncClient() as http:
            for _ in range(600):
                try:
                    if (await http.get(f"{self.url}/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                assert self.process.poll() is None
                await asyncio.sleep(0.1)
        raise AssertionError("the source does not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


async def importer(proxy: Faulty, there: Installation, here: Installation, folder: Path) -> asyncio.subprocess.Process:
    """Start `rooftree import lofty`."""
    command = [sys.executable, "-m", "rooftree", "import", "lofty", "--base-url", proxy.url, "--timeout", "2"]
    command += ["--user", here.people.olive.email, "--id-map", str(folder / "map.csv")]
    return await asyncio.create_subprocess_exec(
        *command,
        "--not-taken",
        str(folder / "not-taken.csv"),
        env=environment(here, LOFTY_API_KEY=there.people.olive.key),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def imported(proxy: Faulty, there: Installation, here: Installation, folder: Path) -> dict[int, int]:
    """Import to the end, without a difference; return the ids of leads, there and here."""
    done = await importer(proxy, there, here, folder)
    said = (await done.communicate())[0].decode()
    assert done.returncode == 0, said
    assert "differs" not in said
    assert there.people.olive.key not in said
    assert not (folder / "not-taken.csv").exists()
    with (folder / "map.csv").open() as file:
        return {int(row["source_id"]): int(row["own_id"]) for row in csv.DictReader(file) if row["kind"] == "lead"}


async def test_an_account_moves_through_faults_restarts_and_kills(
    there: Installation, here: Installation, tmp_path: Path
) -> None:
    special = await fill(there)
    olive = there.people.olive
    await demo.add_leads(there.owner_db, olive.team_id, olive.id, LEADS)
    quiet = ("announcement", "message", "job", "routing_turn", "webhook_delivery", "routing_load")
    before = {name: rows for name, rows in (await here.make.everything(here.team_id)).items() if name in quiet}
    victim: asyncio.subprocess.Process

    def strike(number: int) -> None:
        if number == 60:
            victim.kill()
        if number == 100:
            served.kill()
            served.start()

    with Served(there) as served:
        await served.until_ready()
        async with httpx.AsyncClient(base_url=served.url) as upstream, faulty(upstream, every=13) as proxy:
            proxy.slow_seconds = {40: 3}
            proxy.on_request = strike
            victim = await importer(proxy, there, here, tmp_path)
            await victim.communicate()
            assert victim.returncode == -signal.SIGKILL
            ids = await imported(proxy, there, here, tmp_path)
            assert set(proxy.gone_wrong) == {*FAULTS, "timeout"}
            first, second = reader(asgi(there.app), olive), reader(asgi(here.app), here.people.olive)
            assert len(ids) == LEADS + len(special)
            assert ids == {lead_id: lead_id for lead_id in await lead_ids(first)}
            assert await lead_ids(second) == await lead_ids(first)
            assert await differences(first, second, ids) == []
            after = {name: rows for name, rows in (await here.make.everything(here.team_id)).items() if name in quiet}
            assert after == before
            contacted = "SELECT id FROM lead WHERE is_contacted AND trashed_at IS NULL AND team_id = $1 ORDER BY id"
            assert await there.rows(contacted, olive.team_id) == await here.rows(contacted, here.team_id)

            # A second run takes what is new and what has changed, and touches nothing else.
            proxy.every = 0
            proxy.slow_seconds = {}
            changed, untouched = special[0], special[1]
            await there.client.as_(olive).ok("PUT", f"/v1.0/leads/{changed}", {"lastName": "New", "stage": "Pending"})
            await there.make.note(changed, "later", by=olive)
            await there.make.log(changed, by=olive)
            fresh = await there.make.lead(by=olive, firstName="Fresh", assignedUserId=there.people.otto.id)
            row = """SELECT xmin::text FROM lead WHERE id = $1
                     UNION ALL SELECT xmin::text FROM timeline_entry WHERE lead_id = $1"""
            rows = await here.rows(row, untouched)
            ids = await imported(proxy, there, here, tmp_path)
            assert await differences(first, second, {key: ids[key] for key in (changed, untouched, fresh)}) == []
            assert await here.rows(row, untouched) == rows
