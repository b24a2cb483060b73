"""A real SMTP server on a local port, that can be told to fail, to hang, and to call a test at each step."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult
from msgspec import Struct

Step = Callable[[], None]


class Mail(Struct):
    """A mail that was accepted."""

    sender: str
    recipients: list[str]
    content: bytes


class MailServer:
    """Steps: connect, ehlo, mail, rcpt, data (received, not yet answered), replied."""

    def __init__(self, *, login: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.messages: list[Mail] = []
        self.sessions = 0
        self.url = ""
        self._login = login
        self._steps: dict[str, Step] = {}
        self._failures: dict[str, str] = {}
        self._hanging: set[str] = set()
        self._server: asyncio.Server | None = None
        self._transports: set[Any] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self, loop), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = f"{self._login[0]}:{self._login[1]}@" if self._login else ""
        self.url = f"smtp://{user}127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for transport in list(self._transports):
            transport.abort()

    def on(self, step: str, call: Callable[..., None]) -> None:
        """Call a function whenever a step is reached."""
        self._steps[step] = call

    def fail(self, step: str, reply: str) -> None:
        """Answer a step (mail, rcpt, data) with this from now on."""
        self._failures[step] = reply

    def hang(self, step: str) -> None:
        """Never answer a step from now on."""
        self._hanging.add(step)

    def recover(self) -> None:
        """Be friendly again."""
        self._failures.clear()
        self._hanging.clear()

    async def reach(self, step: str) -> str | None:
        """Note that a step was reached; return the answer that it is to get, if it is not the usual one."""
        if call := self._steps.get(step):
            call()
            await asyncio.sleep(0)
        if step in self._hanging:
            await asyncio.sleep(3600)
        return self._failures.get(step)

    def check(self, name: bytes, password: bytes) -> bool:
        """Whether a login is right."""
        return self._login == (name.decode(), password.decode())


class _Session(SMTP):
    def __init__(self, server: MailServer, loop: asyncio.AbstractEventLoop) -> None:
        self._home = server
        super().__init__(
            _Handler(server),
            enable_SMTPUTF8=True,
            loop=loop,
            auth_require_tls=False,
            tls_context=server.tls,
            auth_required=server._login is not None,
            authenticator=lambda *args: _result(is_right=server.check(args[4].login, args[4].password)),
        )

    def connection_made(self, transport: Any) -> None:
        self._home.sessions += 1
        self._home._transports.add(transport)
        if call := self._home._steps.get("connect"):
            call()
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._home._transports.discard(self.transport)
        super().connection_lost(error)

    async def push(self, status: Any) -> None:
        await super().push(status)
        if "kept as number" in str(status):
            await self._home.reach("replied")


def _result(*, is_right: bool) -> AuthResult:
    return AuthResult(success=is_right, handled=is_right)


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._home = server

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: Any) -> Any:
        session.host_name = hostname
        await self._home.reach("ehlo")
        return responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if refusal := await self._home.reach("mail"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if refusal := await self._home.reach("rcpt"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if refusal := await self._home.reach("data"):
            return refusal
        self._home.messages.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return f"250 kept as number {len(self._home.messages)}"
