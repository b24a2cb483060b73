"""SMTP against a real server: connections kept, refusals told apart, and nothing repeated on the quiet."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.mail_server import MailServer

from rooftree.messaging.model import OutgoingEmail, ProviderError
from rooftree.messaging.providers.smtp import Smtp, SmtpAccounts

EMAIL = OutgoingEmail(
    id=7,
    message_id="<7.3@example.com>",
    sender="adam@example.com",
    sender_name="Adam",
    envelope_sender="bounce@example.com",
    recipient="jane@example.com",
    subject="Hello",
    text="Text",
    created_at=datetime(2026, 5, 6, 12, tzinfo=UTC),
)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


@pytest.fixture
async def smtp(server: MailServer) -> AsyncIterator[Smtp]:
    smtp = Smtp(server.url, pool_size=2, timeout_seconds=2)
    yield smtp
    await smtp.close()


async def test_a_connection_is_kept(server: MailServer, smtp: Smtp) -> None:
    for _ in range(5):
        receipt = await smtp.send(EMAIL)
    assert "kept as number 5" in (receipt.provider_id or "")
    assert (len(server.messages), server.sessions) == (5, 1)
    assert server.messages[0].sender == "bounce@example.com"


async def test_no_more_connections_than_allowed(server: MailServer, smtp: Smtp) -> None:
    await asyncio.gather(*(smtp.send(EMAIL) for _ in range(10)))
    assert len(server.messages) == 10
    assert server.sessions <= 2


async def test_a_connection_that_died_is_replaced(server: MailServer, smtp: Smtp) -> None:
    await smtp.send(EMAIL)
    for transport in list(server._transports):
        transport.abort()
    await smtp.send(EMAIL)
    assert len(server.messages) == 2


@pytest.mark.parametrize(
    ("step", "reply", "is_permanent"),
    [
        ("mail", "550 5.7.1 not you", True),
        ("rcpt", "550 5.1.1 no such user", True),
        ("rcpt", "451 4.3.0 later", False),
        ("data", "554 5.6.0 spam", True),
        ("data", "452 4.2.2 full", False),
    ],
)
async def test_a_refusal_says_why_and_for_how_long(
    server: MailServer,
    smtp: Smtp,
    step: str,
    reply: str,
    is_permanent: bool,
) -> None:
    server.fail(step, reply)
    with pytest.raises(ProviderError, match=reply[4:9].replace(".", r"\.")) as raised:
        await smtp.send(EMAIL)
    assert raised.value.is_permanent is is_permanent
    server.recover()
    await smtp.send(EMAIL)
    assert len(server.messages) == 1


async def test_silence_is_a_temporary_error_and_is_not_repeated(server: MailServer) -> None:
    smtp = Smtp(server.url, pool_size=1, timeout_seconds=0.3)
    server.hang("data")
    with pytest.raises(ProviderError) as raised:
        await smtp.send(EMAIL)
    assert raised.value.is_permanent is False
    assert server.sessions == 1
    await smtp.close()


async def test_nobody_there() -> None:
    smtp = Smtp("smtp://127.0.0.1:1", pool_size=1, timeout_seconds=1)
    with pytest.raises(ProviderError) as raised:
        await smtp.send(EMAIL)
    assert raised.value.is_permanent is False


async def test_a_login() -> None:
    async with MailServer(login=("adam", "pass")) as server:
        right = Smtp(server.url, pool_size=1, timeout_seconds=2)
        await right.send(EMAIL)
        await right.close()
        wrong = Smtp(server.url.replace(":pass@", ":wrong@"), pool_size=1, timeout_seconds=2)
        with pytest.raises(ProviderError) as raised:
            await wrong.send(EMAIL)
        assert raised.value.is_permanent is True
        assert "wrong" not in raised.value.reason
        await wrong.close()
    assert len(server.messages) == 1


@pytest.mark.parametrize(
    "url", ["", "mail.example.com", "http://x", "smtp://", "smtp://h:port", "smtp://u:secret@h?tls=maybe"]
)
def test_a_wrong_url_is_explained_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP account") as raised:
        Smtp(url, pool_size=1, timeout_seconds=1)
    assert "secret" not in str(raised.value)


def test_one_pool_per_account() -> None:
    accounts = SmtpAccounts(pool_size=1, timeout_seconds=1)
    first = accounts.account("smtp://a@h")
    assert accounts.account("smtp://a@h") is first
    assert accounts.account("smtp://b@h") is not first


def _certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS context with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("tls", ["", "tls=starttls&"])
async def test_starttls_is_taken_where_it_is_offered(tmp_path: Path, tls: str) -> None:
    async with MailServer(login=("adam", "pass"), tls=_certificate(tmp_path)) as server:
        smtp = Smtp(f"{server.url}?{tls}verify=false", pool_size=1, timeout_seconds=2)
        await smtp.send(EMAIL)
        await smtp.close()
        strict = Smtp(f"{server.url}?{tls}", pool_size=1, timeout_seconds=2)
        with pytest.raises(ProviderError, match=r"(?i)cert"):
            await strict.send(EMAIL)
    assert len(server.messages) == 1


async def test_starttls_can_be_insisted_on(server: MailServer) -> None:
    smtp = Smtp(f"{server.url}?tls=starttls", pool_size=1, timeout_seconds=2)
    with pytest.raises(ProviderError):
        await smtp.send(EMAIL)
    assert server.messages == []
