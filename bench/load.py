"""A load generator: keep-alive connections that send one request after the other. Run as a process of its own."""

import asyncio
import json
import random
import sys
import time
from typing import Any

import uvloop


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Send `plan["requests"]` (method, path, body) in random order for `plan["seconds"]`; return what was seen."""
    requests = [_bytes(plan, *request) for request in plan["requests"]]
    end = time.perf_counter() + plan["seconds"]
    workers = (_work(plan, requests, end, random.Random(place)) for place in range(plan["connections"]))
    taken = [one for worker in await asyncio.gather(*workers) for one in worker]
    failed = sum(1 for _, is_ok in taken if not is_ok)
    return {"milliseconds": [round(seconds * 1000, 3) for seconds, _ in taken], "failed": failed}


def _bytes(plan: dict[str, Any], method: str, path: str, body: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {plan['key']}\r\n"
    return f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


async def _work(
    plan: dict[str, Any], requests: list[bytes], end: float, dice: random.Random
) -> list[tuple[float, bool]]:
    reader, writer = await asyncio.open_connection(plan["host"], plan["port"])
    taken: list[tuple[float, bool]] = []
    while (started := time.perf_counter()) < end:
        writer.write(dice.choice(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        taken.append((time.perf_counter() - started, head.startswith(b"HTTP/1.1 200")))
    writer.close()
    return taken


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
