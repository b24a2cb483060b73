"""python -m bench.webhooks: how fast announcements become answered POSTs.

An embedded PostgreSQL of its own, the worker as a process, and a receiver as another, all on this machine. Two runs:
as many deliveries as there are, and a steady stream of which each event's way from commit to arrival is measured.
"""

# ruff: noqa: ASYNC110, ASYNC220, ASYNC240 - nothing else goes on in this process

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from rich.console import Console

from rooftree.cli.founding import found
from rooftree.platform import clock, embedded_postgres
from rooftree.platform.database import Arguments, Database
from rooftree.platform.log import configure_logging
from rooftree.platform.migrations import migrate
from rooftree.platform.outbox import Announcement, insert_announcements
from rooftree.platform.settings import Settings
from rooftree.timeline.actions import Audience
from rooftree.webhooks import store
from rooftree.webhooks.secrets import new_secret, vault_of

console = Console()
SECRET_KEY = "bench"

#: Answers every POST at once, and writes down when what arrived.
_RECEIVER = """
import asyncio, json, sys, time, uvloop
arrived = []
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            if head.startswith(b"GET"):
                body = json.dumps(arrived).encode()
                writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
                continue
            length = int(head.lower().split(b"content-length:")[1].split(b"\\r\\n")[0])
            body = json.loads(await reader.readexactly(length))
            now = time.time()
            arrived.extend((entry["leadId"], now) for entry in body["createdLead"])
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""


async def announce(owner: Database, team_id: int, member_id: int, numbers: range) -> None:
    """Commit announcements of leads with these numbers, as one transaction."""
    audience = Audience([member_id], "TEAM", team_id, is_hidden=False)
    told = [Announcement(2, "createdLead", one, {"leadId": one}, audience, clock.now()) for one in numbers]
    async with owner.transaction(team_id) as tx:
        args = Arguments([team_id])
        await tx.execute(insert_announcements(told, args), *args)


async def arrivals(port: int) -> dict[int, float]:
    """Return when each event arrived first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**30)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
    writer.close()
    found_at: dict[int, float] = {}
    for lead_id, moment in json.loads(body):
        found_at.setdefault(lead_id, moment)
    return found_at


async def measure(deliveries: int, subscriptions: int, rate: int, seconds: int) -> None:
    """Run both, print the figures."""
    configure_logging("error", "console")
    with tempfile.TemporaryDirectory(prefix="rtb") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = await embedded_postgres.start(folder / "data", shared_buffers_mb=256)
        dsn = server.dsn
        await migrate(dsn)
        owner = await Database.connect(dsn, server_role=False, max_size=4)
        receiver = subprocess.Popen([sys.executable, "-c", _RECEIVER], stdout=subprocess.PIPE, text=True)
        assert receiver.stdout
        port = int(receiver.stdout.readline())
        member = await found(owner, name="Bench", owner_email="o@example.com", owner_first_name="Olive")
        settings = Settings(secret_key=SECRET_KEY)
        async with owner.transaction(member.team_id) as tx:
            for number in range(subscriptions):
                await store.insert_webhook(
                    tx,
                    member_id=member.id,
                    list_id=2,
                    callback_url=f"http://127.0.0.1:{port}/{number}",
                    batch_limit=1,
                    permission_mode=0,
                    secret=vault_of(settings).seal(new_secret()),
                )
        events = deliveries // subscriptions
        for start in range(0, events, 500):
            await announce(owner, member.team_id, member.id, range(start, min(start + 500, events)))
        environment = os.environ | {
            "ROOFTREE_DATABASE_URL": dsn,
            "ROOFTREE_SECRET_KEY": SECRET_KEY,
            "ROOFTREE_WEBHOOK_ALLOW_INSECURE": "true",
            "ROOFTREE_LOG_LEVEL": "error",
            "ROOFTREE_DATA_DIR": str(folder),
        }
        worker = subprocess.Popen([sys.executable, "-m", "rooftree", "worker"], env=environment)
        try:
            await _burst(owner, events * subscriptions)
            await _stream(owner, member.team_id, member.id, port, rate, seconds)
        finally:
            worker.terminate()
            worker.wait()
            receiver.kill()
            await owner.close()
            await server.stop()


async def _delivered(owner: Database) -> int:
    async with owner.unscoped() as tx:
        return await tx.fetchval("SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'")


async def _burst(owner: Database, wanted: int) -> None:
    while not await _delivered(owner):
        await asyncio.sleep(0.05)
    first, begun = await _delivered(owner), time.perf_counter()
    while (done := await _delivered(owner)) < wanted:
        await asyncio.sleep(0.1)
    console.print(f"burst: {(done - first) / (time.perf_counter() - begun):,.0f} deliveries/s ({wanted:,} of 1 entry)")


async def _stream(owner: Database, team_id: int, member_id: int, port: int, rate: int, seconds: int) -> None:
    begun, sent = time.perf_counter(), dict[int, float]()
    for number in range(rate * seconds):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        lead_id = 10_000_000 + number
        await announce(owner, team_id, member_id, range(lead_id, lead_id + 1))
        sent[lead_id] = time.time()
    await asyncio.sleep(5)
    found_at = await arrivals(port)
    waits = sorted(found_at[lead_id] - moment for lead_id, moment in sent.items() if lead_id in found_at)
    p99 = waits[int(len(waits) * 0.99)]
    console.print(
        f"stream: {rate} events/s for {seconds} s, {len(waits)} of {len(sent)} arrived; commit to arrival "
        f"p50 {statistics.median(waits):.2f} s, p99 {p99:.2f} s"
    )


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=20_000)
    parser.add_argument("--subscriptions", type=int, default=8)
    parser.add_argument("--rate", type=int, default=100, help="events a second of the stream")
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    uvloop.run(measure(given.deliveries, given.subscriptions, given.rate, given.seconds))


if __name__ == "__main__":
    main()
