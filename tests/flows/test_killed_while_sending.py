"""No message is lost or sent twice, whenever the worker is killed. Real servers, real kill -9."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from tests.conftest import fresh_database
from tests.support.installation import Installation, installation, kill
from tests.support.mail_server import MailServer
from tests.support.receiver import TwilioStub

JANE = {"firstName": "Jane", "emails": ["jane@example.com"], "phones": ["+12125550100"]}


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with MailServer() as mail:
        yield mail


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioStub]:
    async with TwilioStub() as twilio:
        yield twilio


@pytest.fixture
async def home(server_dsn: str, tmp_path: Path, mail: MailServer, twilio: TwilioStub) -> AsyncIterator[Installation]:
    settings = {
        "email_provider": "smtp",
        "smtp_url": mail.url,
        "smtp_timeout_seconds": 1,
        "sms_provider": "twilio",
        "sms_timeout_seconds": 1,
        "twilio_account_sid": twilio.account_sid,
        "twilio_auth_token": twilio.auth_token,
        "twilio_url": twilio.url,
        "job_lease_seconds": 1,
    }
    async with installation(await fresh_database(server_dsn), tmp_path, **settings) as home:
        await home.number("+15125550100")
        yield home


class _Trap:
    """Kills the worker when a step is reached, once."""

    def __init__(self) -> None:
        self.is_set = True
        self.worker: asyncio.subprocess.Process | None = None
        self.sprung = asyncio.Event()

    def __call__(self, *_: object) -> None:
        if self.is_set and self.worker:
            self.is_set = False
            self.worker.kill()
            self.sprung.set()


async def _send(home: Installation, channel: str) -> str:
    lead_id = await home.make.lead(**JANE)
    if channel == "email":
        letter = {"leadId": lead_id, "subject": "Hello", "body": "Text"}
        return (await home.client.ok("POST", "/v1.0/message/email/send", letter))["messageId"]
    return (await home.client.ok("POST", "/v1.0/message/sms/send", {"leadId": lead_id, "content": "Hi"}))["messageId"]


async def _through_a_death(home: Installation, trap: _Trap, message_id: str) -> None:
    """Let a worker die in the trap, and another finish."""
    trap.worker = first = await home.start_worker()
    try:
        await asyncio.wait_for(trap.sprung.wait(), 30)
    finally:
        await kill(first)
    second = await home.start_worker()
    try:
        await home.until_state(message_id, "sent", "delivered")
    finally:
        await kill(second)


def _ids(mail: MailServer) -> list[str]:
    return [
        email.message_from_bytes(received.content, policy=email.policy.default)["Message-ID"]
        for received in mail.messages
    ]


@pytest.mark.parametrize("step", ["connect", "ehlo", "mail", "rcpt", "data"])
async def test_killed_before_the_mail_server_has_it(home: Installation, mail: MailServer, step: str) -> None:
    trap = _Trap()
    mail.on(step, trap)
    message_id = await _send(home, "email")
    await _through_a_death(home, trap, message_id)
    assert len(_ids(mail)) == 1 or (step == "data" and len(set(_ids(mail))) == 1)


async def test_killed_after_the_mail_server_has_it(home: Installation, mail: MailServer) -> None:
    """SMTP cannot be asked what became of a mail: it comes twice at most, under the same Message-ID."""
    trap = _Trap()
    mail.on("replied", trap)
    message_id = await _send(home, "email")
    await _through_a_death(home, trap, message_id)
    found = _ids(mail)
    assert 1 <= len(found) <= 2
    assert set(found) == {f"<{message_id}.{home.team_id}@example.com>"}


@pytest.mark.parametrize("is_answered", [False, True])
async def test_killed_while_twilio_has_it(home: Installation, twilio: TwilioStub, is_answered: bool) -> None:
    trap = _Trap()
    if is_answered:
        twilio.after_answer = trap
    else:
        twilio.on_request = trap
    message_id = await _send(home, "sms")
    await _through_a_death(home, trap, message_id)
    assert len(twilio.messages) == 1, "the second worker asked, and found it"
    assert (await home.message(message_id))["provider_id"] == twilio.messages[0].sid


@pytest.mark.parametrize("channel", ["email", "sms"])
async def test_killed_before_it_could_put_down_what_it_did(
    home: Installation, mail: MailServer, twilio: TwilioStub, channel: str
) -> None:
    """The row is held by somebody else, so that the worker hangs between provider and database, and dies there."""
    holder = await asyncpg.connect(home.dsn)
    trap = _Trap()
    message_id = await _send(home, channel)
    reached = asyncio.Event()

    def hold(*_: object) -> None:
        reached.set()

    if channel == "email":
        mail.on("data", hold)
    else:
        twilio.on_request = hold
    first = await home.start_worker()
    try:
        await asyncio.wait_for(reached.wait(), 30)
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute("SELECT FROM message WHERE id = $1 FOR UPDATE", int(message_id))
        await asyncio.sleep(1)
    finally:
        await kill(first)
    await transaction.rollback()
    await holder.close()
    trap.is_set = False
    second = await home.start_worker()
    try:
        await home.until_state(message_id, "sent", "delivered")
    finally:
        await kill(second)
    if channel == "email":
        assert set(_ids(mail)) == {f"<{message_id}.{home.team_id}@example.com>"}
        assert len(mail.messages) <= 2
    else:
        assert len(twilio.messages) == 1


async def test_killed_before_it_began(home: Installation, mail: MailServer) -> None:
    first = await home.start_worker()
    await kill(first)
    message_id = await _send(home, "email")
    second = await home.start_worker()
    try:
        await home.until_state(message_id, "sent")
    finally:
        await kill(second)
    assert len(mail.messages) == 1
