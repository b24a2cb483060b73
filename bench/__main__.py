"""python -m bench: how fast is it, as a ratio to PostgreSQL itself.

For each size: an embedded PostgreSQL of its own, that many leads with histories, the real server as a process, a load
generator over HTTP, and pgbench with the very statements that the server runs for the same requests (authentication,
visibility, routing, timeline and outbox included). HTTP and pgbench take turns; medians of the rounds are shown.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import uvloop
from rich.console import Console
from rich.table import Table

from bench.histories import add_histories
from bench.statements import recorded, script
from rooftree.app import create_app
from rooftree.auth.actions import create_key
from rooftree.cli import demo
from rooftree.cli.founding import found
from rooftree.leads.filters import LeadFilter, Order
from rooftree.leads.queries import _Scroll
from rooftree.platform import embedded_postgres
from rooftree.platform.database import SERVER_ROLE, Database
from rooftree.platform.log import configure_logging
from rooftree.platform.migrations import migrate
from rooftree.platform.pages import Sealer
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings

console = Console()
BODY = json.dumps(
    {
        "firstName": "Jane",
        "lastName": "Smith",
        "emails": ["jane.smith@example.com"],
        "phones": ["5551234567"],
        "leadTypes": [2],
        "source": "Website",
    }
)
#: A visit as the contract prints it. contract: seed 002
VISIT = json.dumps(
    {
        "type": "Browse",
        "text": "Viewed a home",
        "link": "https://lofty.com",
        "picture": "https://lofty.com/default.jpg",
        "created": 1747272300000,
        "listing": {"price": 100000, "city": "New York", "streetAddress": "22348 Regnart RD", "zipCode": "25401"},
    }
)
SAMPLES = 24
#: Entries on each lead.
ENTRIES = 20
#: Entries on the two leads whose timelines are compared.
SHORT, LONG = 10, 10_000
#: How many leads `get` asks for: enough that they are not all in a CPU cache.
GOTTEN = 1024


async def measure(size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure everything at one size, in a folder that goes afterwards unless it is to be kept."""
    task: Any = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with tempfile.TemporaryDirectory(prefix="rtbench") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - PostgreSQL's own account must get in
        data = arguments.keep.absolute() / str(size) if arguments.keep else Path(folder) / "data"
        server = await embedded_postgres.start(data, shared_buffers_mb=1024)
        try:
            return await _measured(server.dsn, Path(folder), size, arguments)
        finally:
            await server.stop()


async def _measured(dsn: str, folder: Path, size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    key, cases = await _prepared(dsn, size)
    process, port, log = _serving(dsn, folder)
    try:
        idle = _memory(process.pid)
        results: dict[str, Any] = {}
        wanted = arguments.only or [""]
        for name, requests in ((name, cases[name]) for name in cases if any(part in name for part in wanted)):
            scripts, options = await _scripts(dsn, key, requests, folder, name)
            rounds = []
            for _ in range(arguments.rounds):
                plan = {
                    "host": "127.0.0.1",
                    "port": port,
                    "key": key,
                    "requests": requests,
                    "connections": arguments.connections,
                    "seconds": arguments.seconds,
                }
                seen = await asyncio.to_thread(_http, plan)
                rate = await asyncio.to_thread(_pgbench, dsn, scripts, options, arguments.seconds)
                rounds.append((seen, rate))
            results[name] = _summary(rounds, arguments.seconds)
        return {"leads": size, "idle_mb": idle, "end_mb": _memory(process.pid), "cases": results}
    finally:
        _end(process)
        log.close()


async def _prepared(dsn: str, size: int) -> tuple[str, dict[str, list[tuple[str, str, str]]]]:
    """Fill the database; return a key of the owner and the requests of each case."""
    await migrate(dsn)
    owner_db = await Database.connect(dsn, server_role=False)
    secret = await shared_secret(owner_db)
    team_id, owner_id = await _filled(owner_db, size)
    async with owner_db.transaction(team_id) as tx:
        key, _ = await create_key(tx, secret, owner_id, "bench")
        rows = await tx.fetch("SELECT id FROM lead ORDER BY random() LIMIT $1", GOTTEN)  # any leads will do
        agents = await tx.fetch("SELECT id FROM member WHERE role = 'agent' ORDER BY id LIMIT 4")
    connection = await asyncpg.connect(dsn)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    lists = {
        "stage": [f"stage={name}" for name in ("New+Lead", "Pending", "Contacted")],
        "agent": [f"assignedUserId={row['id']}" for row in agents],
        "source": [f"source={name}" for name in ("Website", "Google", "Zillow")],
        "tag": [f"anyTags={name}" for name in ("Investor", "Pre-Approved")],
        "stage and activity": [f"stage={name}&sort=LastActivity&desc=true" for name in ("Pending", "Contacted")],
        "activity": ["sort=LastActivity&desc=true"],
    }
    cases = {"get": [("GET", f"/v1.0/leads/{row['id']}", "") for row in rows]}
    cases |= {
        f"list by {name}": [("GET", f"/v1.0/leads?limit=20&{query}", "") for query in queries]
        for name, queries in lists.items()
    }
    cases["scroll"] = await _scroll(dsn, secret, size)
    cases["key"] = [("GET", f"/v1.0/leads?limit=20&key={word}", "") for word in ("clara+ramos", "hugo.s", "5125")]
    cases["key surname"] = [("GET", f"/v1.0/leads?limit=20&key={word}", "") for word in ("guye", "ossi", "offm")]
    cases["create"] = [("POST", "/v1.0/leads", BODY)]
    cases["site event"] = [("POST", f"/v1.0/leads/{row['id']}/activity", VISIT) for row in rows]
    notes = [json.dumps({"leadId": row["id"], "content": "Prefers evenings. " * 10}) for row in rows[:SAMPLES]]
    cases["note"] = [("POST", "/v1.0/notes", note) for note in notes]
    for entries, row in zip((SHORT, LONG), rows[:2], strict=True):
        await _talk(owner_db, team_id, row["id"], entries)
        cases[f"timeline of {entries:,}"] = [("GET", f"/v2.0/leads/{row['id']}/activities", "")]
    await owner_db.close()
    return key, cases


async def _filled(owner_db: Database, size: int) -> tuple[int, int]:
    """Return team and owner of a team with so many leads; made unless a kept folder has them."""
    async with owner_db.unscoped() as tx:
        if known := await tx.fetchrow("SELECT team_id, id FROM member WHERE role = 'owner'"):
            return known["team_id"], known["id"]
    owner = await found(owner_db, name="Bench", owner_email="owner@example.com")
    with console.status(f"making {size:,} leads"):
        await demo.fill(owner_db, owner, min(size, 2000))
        if size > 2000:
            await demo.add_leads(owner_db, owner.team_id, owner.id, size - 2000, seed=2)
    with console.status(f"making {ENTRIES} timeline entries a lead"):
        await add_histories(owner_db, owner.team_id, ENTRIES)
    return owner.team_id, owner.id


async def _talk(owner_db: Database, team_id: int, lead_id: int, entries: int) -> None:
    """Give a lead so many conversations, unless it has some."""
    async with owner_db.transaction(team_id) as tx:
        sql = "SELECT count(*) FROM timeline_entry WHERE team_id = $1 AND lead_id = $2 AND channel IS NOT NULL"
        missing = entries - await tx.fetchval(sql, team_id, lead_id)
        await tx.execute(
            """INSERT INTO timeline_entry (team_id, lead_id, kind, happened_at, details, channel, direction, origin)
               SELECT $1, $2, 'text_received', now() - n * interval '1 hour', '{"content": "A few questions"}', 'text',
                      'inbound', 'auto' FROM generate_series(1, $3::integer) n""",
            team_id,
            lead_id,
            missing,
        )
        await tx.execute(
            """INSERT INTO timeline_summary (team_id, lead_id, communication_count) VALUES ($1, $2, $3)
               ON CONFLICT (team_id, lead_id) DO UPDATE SET communication_count = $3""",
            team_id,
            lead_id,
            entries,
        )


async def _scroll(dsn: str, secret: bytes, size: int) -> list[tuple[str, str, str]]:
    """Return requests for pages deep in a scroll: made by hand, since walking there would take all day."""
    owner_db = await Database.connect(dsn, server_role=False, max_size=1)
    async with owner_db.unscoped() as tx:
        rows = await tx.fetch("SELECT id, created_at FROM lead ORDER BY random() LIMIT $1", SAMPLES)
        member = await tx.fetchval("SELECT id FROM member WHERE role = 'owner'")
    await owner_db.close()
    seal = Sealer(secret).seal
    cursors = [
        seal(_Scroll(member, LeadFilter(), Order(), row["created_at"].isoformat(), row["id"], size // 2, None))
        for row in rows
    ]
    return [("GET", f"/v1.0/leads?limit=20&scrollId={cursor}", "") for cursor in cursors]


async def _scripts(
    dsn: str, key: str, requests: list[tuple[str, str, str]], folder: Path, name: str
) -> tuple[list[Path], str]:
    """Serve requests inside this process; return what was said to PostgreSQL as scripts, and the session's options.

    One script for all leads of `get` and `site event`, one for each request of the others (pgbench takes 128 at most).
    """
    samples = [int(path.split("/")[3]) for _, path, _ in requests] if name in {"get", "site event"} else []
    database = await Database.connect(dsn, min_size=1, max_size=1)
    owner_db = await Database.connect(dsn, server_role=False, max_size=1)
    app: Any = create_app(Settings(), database, await shared_secret(owner_db))
    files: list[Path] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bench") as client:
        for place, (method, path, body) in enumerate(requests[:1] if samples else requests):
            headers = {"Authorization": f"Bearer {key}"}
            await client.request(method, path, content=body, headers=headers)  # words that are new are made here
            with recorded() as statements:
                answer = await client.request(method, path, content=body, headers=headers)
            answer.raise_for_status()
            file = folder / f"{re.sub('[^a-z]', '-', name)}-{place}.sql"
            file.write_text(script(statements, samples))
            files.append(file)
    async with database.unscoped() as tx:
        told = await tx.fetch(
            """SELECT name, setting FROM pg_settings
                WHERE source = 'client' AND name NOT IN ('application_name', 'client_encoding')"""
        )
    await database.close()
    await owner_db.close()
    # pg_settings does not show the role.
    return files, " ".join([f"-c role={SERVER_ROLE}", *(f"-c {row['name']}={row['setting']}" for row in told)])


def _serving(dsn: str, folder: Path) -> tuple["subprocess.Popen[bytes]", int, Any]:
    """Start the real server; return its process and port."""
    log = (folder / "serve.log").open("w+")
    environment = {**os.environ, "ROOFTREE_DATABASE_URL": dsn, "ROOFTREE_LOG_LEVEL": "warning"}
    process = subprocess.Popen(
        [sys.executable, "-m", "rooftree", "serve", "--port", "0"], env=environment, stdout=log, stderr=log
    )
    for _ in range(600):
        if match := re.search(r"listens on http://[^:]+:(\d+)", Path(log.name).read_text()):
            port = int(match[1])
            subprocess.run(["sleep", "1"], check=True)
            return process, port, log
        subprocess.run(["sleep", "0.1"], check=True)
    _end(process)
    raise SystemExit(Path(log.name).read_text())


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def _http(plan: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=True,
        timeout=plan["seconds"] + 60,
    )
    return json.loads(done.stdout)


def _pgbench(dsn: str, scripts: list[Path], options: str, seconds: int) -> float:
    """Return transactions (requests) per second of the scripts, as the server's role with its settings, 8 clients."""
    command = [str(embedded_postgres.binaries() / "pgbench"), "-n", "-M", "prepared", "-c", "8", "-j", "2"]
    command += ["-T", str(seconds), *(part for file in scripts for part in ("-f", str(file))), dsn]
    environment = {**os.environ, "PGOPTIONS": options}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=seconds + 60)
    match = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not match:
        raise SystemExit(f"pgbench failed on {scripts[0]}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return float(match[1])


def _summary(rounds: list[tuple[dict[str, Any], float]], seconds: int) -> dict[str, float]:
    rates = [len(seen["milliseconds"]) / seconds for seen, _ in rounds]
    times = sorted(value for seen, _ in rounds for value in seen["milliseconds"])
    postgres = statistics.median(rate for _, rate in rounds)
    return {
        "per_second": statistics.median(rates),
        "p50_ms": times[len(times) // 2],
        "p95_ms": times[int(len(times) * 0.95)],
        "p99_ms": times[int(len(times) * 0.99)],
        "failed": sum(seen["failed"] for seen, _ in rounds),
        "pgbench_per_second": postgres,
        "ratio": statistics.median(rates) / postgres,
    }


def _memory(pid: int) -> float:
    """Return the resident memory of the server and its children, in MB."""
    pids = [
        str(pid),
        *subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split(),
    ]
    shown = subprocess.run(["ps", "-o", "rss=", "-p", ",".join(pids)], capture_output=True, text=True, check=True)
    return sum(int(line) for line in shown.stdout.split()) / 1024


def show(result: dict[str, Any]) -> None:
    """Print one size."""
    title = f"{result['leads']:,} leads; server {result['idle_mb']:.0f} MB idle, {result['end_mb']:.0f} MB after"
    table = Table("", "req/s", "p50 ms", "p95 ms", "p99 ms", "pgbench /s", "ratio", "failed", title=title)
    for name, case in result["cases"].items():
        cells = [f"{case['per_second']:,.0f}", *(f"{case[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms"))]
        cells += [f"{case['pgbench_per_second']:,.0f}", f"{case['ratio']:.2f}", str(case["failed"])]
        table.add_row(name, *cells)
    console.print(table)
    short, long = (result["cases"].get(f"timeline of {entries:,}") for entries in (SHORT, LONG))
    if short and long:
        console.print(f"timeline of {LONG:,} against {SHORT}: p95 {long['p95_ms'] / short['p95_ms']:.2f} x")


def show_growth(results: list[dict[str, Any]]) -> None:
    """Print how medians grow from the smallest size to the largest."""
    first, last = results[0], results[-1]
    table = Table("", f"{first['leads']:,}", f"{last['leads']:,}", "growth", title="medians, ms")
    for name in first["cases"]:
        before, after = first["cases"][name]["p50_ms"], last["cases"][name]["p50_ms"]
        table.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f} x")
    console.print(table)


def main() -> None:
    """Measure the sizes that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--leads", type=int, action="append", help="how many leads; may be repeated [10000]")
    parser.add_argument("--seconds", type=int, default=5, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=2, help="how often HTTP and pgbench take turns")
    parser.add_argument("--connections", type=int, default=16, help="connections of the load generator")
    parser.add_argument("--keep", type=Path, help="folder in which filled databases stay, to be used again")
    parser.add_argument("--only", action="append", help="only the cases whose name holds this; may be repeated")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    configure_logging("warning", "console")
    results = []
    for size in arguments.leads or [10_000]:
        results.append(uvloop.run(measure(size, arguments)))
        show(results[-1])
    if len(results) > 1:
        show_growth(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
