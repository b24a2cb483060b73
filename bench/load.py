"""A load generator: keep-alive connections that send one request after the other. Run as a process of its own.

It shares the machine with what it measures, so it does as little as possible: it looks at the head of an answer and
counts the bytes of its body.
"""

import asyncio
import json
import random
import sys
import time
from typing import Any

import uvloop


class _Client(asyncio.Protocol):
    """One connection: the next request leaves when the answer is complete, until the time is over."""

    def __init__(self, requests: list[bytes], end: float, dice: random.Random) -> None:
        self.taken: list[float] = []
        self.failed = 0
        self.done = asyncio.get_running_loop().create_future()
        self._requests, self._end, self._choice = requests, end, dice.choice
        self._head = b""
        self._missing = -1  #: bytes of the body; below 0: the head is not complete
        self._started = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._started = time.perf_counter()
        if self._started >= self._end:
            self._transport.close()
            return
        self._transport.write(self._choice(self._requests))

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            self.failed += not head.startswith(b"HTTP/1.1 200")
            self._head, self._missing = b"", int(length)
            data = body
        self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            self.taken.append(time.perf_counter() - self._started)
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if error or self._missing >= 0:
            self.failed += 1
        if not self.done.done():
            self.done.set_result(None)


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Send `plan["requests"]` (method, path, body) in random order for `plan["seconds"]`; return what was seen."""
    requests = [_bytes(plan, *request) for request in plan["requests"]]
    end = time.perf_counter() + plan["seconds"]
    loop = asyncio.get_running_loop()
    clients = [_Client(requests, end, random.Random(place)) for place in range(plan["connections"])]
    for client in clients:
        await loop.create_connection(lambda client=client: client, plan["host"], plan["port"])
    await asyncio.gather(*(client.done for client in clients))
    milliseconds = [round(seconds * 1000, 3) for client in clients for seconds in client.taken]
    return {"milliseconds": milliseconds, "failed": sum(client.failed for client in clients)}


def _bytes(plan: dict[str, Any], method: str, path: str, body: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {plan['key']}\r\n"
    return f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
