"""A receiver that fails, hangs and lies until it is told to be well. It verifies with the published library."""

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError

#: How it behaves while it is ill, and how often.
ILLNESSES: Final = {
    "keeps": 60,
    "answers 500": 10,
    "hangs up after reading": 7,
    "hangs up before reading": 5,
    "cuts its answer off": 5,
    "hangs": 4,
    "answers 200 and forgets": 9,
}
_HANGS_SECONDS: Final = 60.0


class Receiver:
    """Listens on loopback; what it kept is kept with the path it came to."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._server: asyncio.Server | None = None
        self._well = asyncio.Event()
        self._talks: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self.verifiers: dict[str, Webhook] = {}  #: by path
        self.kept: dict[str, list[tuple[str, dict[str, Any]]]] = {}  #: by path: array's name and entry
        self.forgotten: dict[str, set[int]] = {}  #: by path: deliveries that were answered with 200, and not kept
        self.did: Counter[str] = Counter()
        self.bad_signatures = 0
        self.port = 0

    async def begin(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def be_well(self) -> None:
        """Keep everything from now on."""
        self._well.set()

    async def stop(self) -> None:
        """Hang up on everybody."""
        self.be_well()
        if self._server:
            self._server.close()
        for writer in self._talks:
            writer.close()
        await asyncio.gather(*self._talks.values(), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk
        self._talks[writer] = talk
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer(reader, writer):
                    await writer.drain()
        finally:
            del self._talks[writer]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read a request and treat it as it deserves; whether to go on on this connection."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines) if name}
        path = first.split()[1]
        illness = "keeps" if self._well.is_set() else self._draw()
        self.did[illness] += 1
        if illness == "hangs up before reading":
            return False
        body = await reader.readexactly(int(headers["content-length"]))
        notice = self._verified(path, body, headers)
        if illness == "hangs":
            with suppress(TimeoutError):
                await asyncio.wait_for(self._well.wait(), _HANGS_SECONDS)
        if illness in {"hangs", "hangs up after reading"}:
            return False
        if illness == "answers 500":
            writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
            return True
        if illness == "cuts its answer off":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            return False
        delivery = int(headers["webhook-id"].removeprefix("msg_"))
        if illness == "answers 200 and forgets":
            self.forgotten.setdefault(path, set()).add(delivery)
        else:
            self._keep(path, notice)
            self.forgotten.get(path, set()).discard(delivery)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        return True

    def _draw(self) -> str:
        return self._dice.choices(list(ILLNESSES), list(ILLNESSES.values()))[0]

    def _verified(self, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        """Return a body whose signature is valid; of others nothing, and they are counted."""
        try:
            self.verifiers[path].verify(body, headers)
        except WebhookVerificationError:
            self.bad_signatures += 1
            return {}
        return json.loads(body)

    def _keep(self, path: str, notice: dict[str, Any]) -> None:
        kept = self.kept.setdefault(path, [])
        for name, entries in notice.items():
            if isinstance(entries, list):
                kept.extend((name, entry) for entry in entries)
