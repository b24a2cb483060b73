"""A proxy that stands in front of a server and lets things go wrong."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from aiohttp import web

#: What can go wrong with a request, in turn.
FAULTS = ("500", "drop", "502", "truncate", "503", "429")


class Faulty:
    """Passes requests on to `upstream`; every `every`-th one goes wrong."""

    def __init__(self, upstream: httpx.AsyncClient, *, every: int = 0) -> None:
        self.upstream = upstream
        self.every = every
        self.url = ""
        self.requests: list[str] = []
        self.gone_wrong: list[str] = []
        self.slow_seconds: dict[int, float] = {}  #: which requests get no answer for how long
        self.refused: dict[str, tuple[int, dict[str, Any]]] = {}  #: beginnings of paths, with status and body
        self.on_request: Callable[[int], None] = lambda _: None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer, or not."""
        self.requests.append(request.path_qs)
        number = len(self.requests)
        self.on_request(number)
        for beginning, (status, body) in self.refused.items():
            if request.path.startswith(beginning):
                return web.json_response(body, status=status)
        if number in self.slow_seconds:
            self.gone_wrong.append("timeout")
            await asyncio.sleep(self.slow_seconds[number])
        fault = ""
        if self.every and number % self.every == 0:
            fault = FAULTS[number // self.every % len(FAULTS)]
            self.gone_wrong.append(fault)
        return await self._answer(request, fault)

    async def _answer(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault == "429":
            return web.Response(status=429, headers={"Retry-After": "1"})
        if fault.isdigit():
            return web.Response(status=int(fault), text="<html>something is wrong</html>")
        try:
            headers = {"Authorization": request.headers.get("Authorization", "")}
            found = await self.upstream.get(request.path_qs, headers=headers)
        except httpx.HTTPError:
            return web.Response(status=502)
        if fault in {"drop", "truncate"}:
            assert request.transport
            if fault == "truncate":
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(found.content)}\r\n\r\n"
                request.transport.write(head.encode() + found.content[: len(found.content) // 2])
            request.transport.close()
        passed = {name: value for name, value in found.headers.items() if name.startswith("x-ratelimit")}
        return web.Response(status=found.status_code, body=found.content, headers=passed)


@asynccontextmanager
async def faulty(upstream: httpx.AsyncClient, *, every: int = 0) -> AsyncGenerator[Faulty]:
    """Serve a proxy on loopback."""
    proxy = Faulty(upstream, every=every)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    proxy.url = f"http://{host}:{port}"
    try:
        yield proxy
    finally:
        await runner.cleanup()
