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

import uvloop

from bench import plots, report
from bench.cases import Case
from bench.prepare import console, leave_nothing_to_do, prepared, scripts_of
from rooftree.platform import embedded_postgres
from rooftree.platform.log import configure_logging


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
    key, cases = await prepared(dsn, size)
    process, port, log = _serving(dsn, folder)
    try:
        idle = _memory(process.pid)
        results: dict[str, Any] = {}
        wanted = arguments.only or [""]
        for name, case in ((name, cases[name]) for name in cases if any(part in name for part in wanted)):
            scripts, options = await scripts_of(dsn, key, case, folder, name)
            rounds = []
            for _ in range(arguments.rounds):
                plan = {
                    "host": "127.0.0.1",
                    "port": port,
                    "key": key,
                    "requests": case.requests,
                    "connections": arguments.connections,
                    "seconds": arguments.seconds,
                }
                seen = await asyncio.to_thread(_http, plan)
                rate = await asyncio.to_thread(_pgbench, dsn, scripts, options, arguments.seconds)
                rounds.append((seen, rate))
            results[name] = _summary(rounds, arguments.seconds)
        if arguments.plots:
            await leave_nothing_to_do(dsn)
            await _flames(process.pid, port, key, cases, arguments)
        return {"leads": size, "idle_mb": idle, "end_mb": _memory(process.pid), "cases": results}
    finally:
        _end(process)
        log.close()


def _serving(dsn: str, folder: Path) -> tuple["subprocess.Popen[bytes]", int, Any]:
    """Start the real server; return its process and port."""
    log = (folder / "serve.log").open("w+")
    environment = {**os.environ, "ROOFTREE_DATABASE_URL": dsn, "ROOFTREE_LOG_LEVEL": "warning"}
    environment["ROOFTREE_DATA_DIR"] = str(folder / "files")
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


def _pgbench(dsn: str, scripts: list[str], options: str, seconds: int) -> float:
    """Return transactions (requests) per second of the scripts, as the server's role with its settings, 8 clients."""
    command = [str(embedded_postgres.binaries() / "pgbench"), "-n", "-M", "prepared", "-c", "8", "-j", "2"]
    command += ["-T", str(seconds), *scripts, dsn]
    environment = {**os.environ, "PGOPTIONS": options}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=seconds + 60)
    match = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not match:
        raise SystemExit(f"pgbench failed on {scripts[1]}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
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


#: Cases of which a flame graph is drawn, at the largest size: file name and case.
FLAMES = {"get": "get", "list": "list by stage", "create": "create"}


async def _flames(pid: int, port: int, key: str, cases: dict[str, Case], arguments: argparse.Namespace) -> None:
    """Sample the server under load. Needs the right to trace processes (root, or ptrace_scope 0)."""
    arguments.plots.mkdir(parents=True, exist_ok=True)
    for name, case in FLAMES.items():
        plan = {"host": "127.0.0.1", "port": port, "key": key, "requests": cases[case].requests}
        load = asyncio.create_task(asyncio.to_thread(_http, {**plan, "connections": 4, "seconds": 12}))
        await asyncio.sleep(1)
        file = arguments.plots / f"flame-{name}.svg"
        tracer = str(Path(sys.executable).parent / "py-spy")
        command = [tracer, "record", "--pid", str(pid), "--duration", "10", "--rate", "250", "--output", str(file)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        await load
        if done.returncode:
            console.print(f"no flame graph of {name}: {done.stderr.strip().splitlines()[-1]}")
        else:
            plots.still_flame(file, f"{case}, 4 connections")


def _memory(pid: int) -> float:
    """Return the resident memory of the server and its children, in MB."""
    pids = [
        str(pid),
        *subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split(),
    ]
    shown = subprocess.run(["ps", "-o", "rss=", "-p", ",".join(pids)], capture_output=True, text=True, check=True)
    return sum(int(line) for line in shown.stdout.split()) / 1024


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
    parser.add_argument("--plots", type=Path, help="folder for plots (PNG, SVG) and flame graphs of get, list, create")
    arguments = parser.parse_args()
    configure_logging("warning", "console")
    results: list[dict[str, Any]] = []
    for size in arguments.leads or [10_000]:
        results.append(uvloop.run(measure(size, arguments)))
        report.show(results[-1])
    report.show_growth(results)
    report.show_bars(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.plots:
        plots.draw(results, arguments.plots)


if __name__ == "__main__":
    main()
