"""Taking mail in: "250" means kept, "451" means come again, and nobody relays."""

import asyncio
import smtplib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rooftree.messaging.smtp_in import Deliver, serve_mail

MAIL = b"From: jane@example.com\r\nSubject: Hi\r\n\r\nHello\r\n"


@asynccontextmanager
async def _serving(deliver: Deliver, **options: Any) -> AsyncGenerator[int]:
    stop = asyncio.Event()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve_mail("127.0.0.1", 0, deliver, stop, domain="in.example.test", started=started.set_result, **options)
    )
    try:
        yield await asyncio.wait_for(started, 5)
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


def _send(
    port: int, *, to: str = "r-1@IN.example.test", raw: bytes = MAIL, speak: Callable[..., smtplib.SMTP] = smtplib.SMTP
) -> None:
    with speak("127.0.0.1", port, timeout=5) as session:
        session.sendmail("jane@example.com", [to], raw)


@pytest.mark.parametrize(("options", "speak"), [({}, smtplib.SMTP), ({"is_lmtp": True}, smtplib.LMTP)])
async def test_what_is_kept_is_acknowledged(options: dict[str, Any], speak: Callable[..., smtplib.SMTP]) -> None:
    kept: list[Any] = []

    async def deliver(raw: bytes, sender: str, recipients: tuple[str, ...]) -> bool:
        kept.append((raw, sender, recipients))
        return True

    async with _serving(deliver, **options) as port:
        await asyncio.to_thread(_send, port, speak=speak)
    assert kept == [(MAIL, "jane@example.com", ("r-1@IN.example.test",))]


@pytest.mark.parametrize("is_raised", [False, True])
async def test_what_cannot_be_kept_comes_again(is_raised: bool) -> None:
    async def deliver(*_: Any) -> bool:
        if is_raised:
            raise ConnectionError
        return False

    async with _serving(deliver) as port:
        with pytest.raises(smtplib.SMTPDataError) as raised:
            await asyncio.to_thread(_send, port)
    assert raised.value.smtp_code == 451


async def test_nobody_relays_and_nothing_is_endless() -> None:
    kept: list[bytes] = []

    async def deliver(raw: bytes, *_: Any) -> bool:
        kept.append(raw)
        return True

    async with _serving(deliver, limit_bytes=1000) as port:
        for to in ("somebody@elsewhere.test", "x@in.example.test.evil.test", "nobody"):
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                await asyncio.to_thread(_send, port, to=to)
        with pytest.raises(smtplib.SMTPResponseException) as raised:
            await asyncio.to_thread(_send, port, raw=MAIL + b"x" * 2000)
    assert raised.value.smtp_code == 552
    assert kept == []
