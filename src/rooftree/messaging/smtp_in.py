"""Taking mail in over SMTP or LMTP: acknowledged when it is on disk, for one domain only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP

_log: Final = structlog.get_logger("rooftree.mail")
#: What becomes of a mail: its bytes, envelope sender and recipients; True when it is on disk.
Deliver = Callable[[bytes, str, tuple[str, ...]], Awaitable[bool]]


class _Handler:
    """Answers the steps of a session."""

    def __init__(self, deliver: Deliver, domain: str) -> None:
        self._deliver = deliver
        self._domain = domain.lower()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd names it, and gives it all this
        self,
        server: Any,  # noqa: ARG002
        session: Any,  # noqa: ARG002
        envelope: Any,
        address: str,
        options: list[str],
    ) -> str:
        if address.rpartition("@")[2].lower() != self._domain:
            return "550 5.7.1 relaying denied: this server takes mail for its own domain only"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - as above
        try:
            is_kept = await self._deliver(envelope.content, envelope.mail_from or "", tuple(envelope.rcpt_tos))
        except Exception:  # noqa: BLE001 - the sending server keeps it and comes again
            _log.exception("mail not taken")
            is_kept = False
        return "250 2.0.0 kept" if is_kept else "451 4.3.0 not kept: please come again"


async def serve_mail(
    host: str,
    port: int,
    deliver: Deliver,
    stop: asyncio.Event,
    *,
    domain: str,
    is_lmtp: bool = False,
    limit_bytes: int = 25_000_000,
    started: Callable[[int], None] | None = None,
) -> None:
    """Take mail for a domain in until `stop` is set. `started` hears the port; 0 takes a free one.

    A mail that `deliver` raises on, or returns False for, is answered with a 451, so that nothing is lost.
    """
    handler = _Handler(deliver, domain)
    speak = LMTP if is_lmtp else SMTP
    loop = asyncio.get_running_loop()

    def session() -> asyncio.Protocol:
        return speak(handler, data_size_limit=limit_bytes, enable_SMTPUTF8=True, hostname=domain, loop=loop)

    server = await loop.create_server(session, host, port)
    async with server:
        if started:
            started(server.sockets[0].getsockname()[1])
        await stop.wait()
