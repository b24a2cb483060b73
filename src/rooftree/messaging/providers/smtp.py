"""E-mail over SMTP: one class per account, connections kept open while they are used."""

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib.errors import SMTPException, SMTPResponseException

from rooftree.messaging.mime import mime_of
from rooftree.messaging.model import OutgoingEmail, ProviderError, Receipt

_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}
_PORTS: Final = {"smtp": 587, "smtps": 465}
_TLS: Final = {"smtp": "starttls-if-offered", "smtps": "implicit"}
_TLS_CHOICES: Final = {"none", "starttls", "implicit"}
_IDLE_SECONDS: Final = 60.0
_REASON_LENGTH: Final = 500


class Smtp:
    """An EmailProvider: one SMTP account.

    `url`: smtp://user:password@host:587 (STARTTLS where the server offers it) or smtps://user:password@host:465.
    `?tls=none|starttls|implicit` and `?verify=false` override. Raises: ValueError when it cannot be, saying why
    without the password. A mail is handed over once per call: after its last byte nothing is repeated here.
    """

    name = "smtp"

    def __init__(self, url: str, *, pool_size: int, timeout_seconds: float) -> None:
        self._options = _options(url)
        self._timeout = timeout_seconds
        self._free: deque[tuple[aiosmtplib.SMTP, float]] = deque()
        self._places = asyncio.Semaphore(pool_size)

    async def send(self, email: OutgoingEmail) -> Receipt:
        """Hand an e-mail over. Raises: ProviderError, permanent on a 5xx."""
        message = mime_of(email)
        is_ascii = email.recipient.isascii() and email.envelope_sender.isascii() and email.sender.isascii()
        content = message.as_bytes(policy=SMTP_POLICY if is_ascii else SMTPUTF8)
        async with self._places:
            try:
                connection = await self._connection()
                options = [] if is_ascii else ["SMTPUTF8", "BODY=8BITMIME"]
                try:
                    _, reply = await connection.sendmail(
                        email.envelope_sender, [email.recipient], content, mail_options=options
                    )
                except BaseException:
                    connection.close()
                    raise
            except SMTPResponseException as error:
                raise _refused(error.code, error.message) from None
            except aiosmtplib.SMTPRecipientsRefused as error:
                first = error.recipients[0]
                raise _refused(first.code, first.message) from None
            except (SMTPException, OSError, TimeoutError) as error:
                raise ProviderError(_short(f"{type(error).__name__}: {error}"), is_permanent=False) from None
            self._free.append((connection, asyncio.get_running_loop().time()))
        return Receipt(_short(reply))

    async def _connection(self) -> aiosmtplib.SMTP:
        """Return a connection that answers: a kept one, else a new one."""
        now = asyncio.get_running_loop().time()
        while self._free:
            connection, used_at = self._free.pop()
            if connection.is_connected and now - used_at < _IDLE_SECONDS:
                with suppress(SMTPException, OSError, TimeoutError):
                    await connection.rset()
                    return connection
            connection.close()
        options = self._options
        connection = aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            use_tls=options.tls == "implicit",
            start_tls=_START_TLS[options.tls],
            tls_context=_context(is_verified=options.is_verified),
            timeout=self._timeout,
        )
        try:
            await connection.connect()
            await self._log_in(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _log_in(self, connection: aiosmtplib.SMTP) -> None:
        options = self._options
        if options.user is None:
            return
        is_encrypted = connection.get_transport_info("sslcontext") is not None
        if not is_encrypted and options.host not in _LOOPBACK:
            raise ProviderError(f"{options.host} offers no TLS: the password is not sent in clear", is_permanent=True)
        await connection.login(options.user, options.password or "")

    async def close(self) -> None:
        """Say goodbye on all kept connections."""
        while self._free:
            connection, _ = self._free.pop()
            with suppress(SMTPException, OSError, TimeoutError):
                await asyncio.wait_for(connection.quit(), 2)
            connection.close()


class SmtpAccounts:
    """The accounts in use, one Smtp for each URL."""

    def __init__(self, *, pool_size: int, timeout_seconds: float) -> None:
        self._pool_size = pool_size
        self._timeout = timeout_seconds
        self._accounts: dict[str, Smtp] = {}

    def account(self, url: str) -> Smtp:
        """Return the account of a URL. Raises: ValueError."""
        if url not in self._accounts:
            self._accounts[url] = Smtp(url, pool_size=self._pool_size, timeout_seconds=self._timeout)
        return self._accounts[url]

    async def close(self) -> None:
        """Close all connections."""
        for account in self._accounts.values():
            await account.close()


class _Options:
    """What an account's URL says."""

    def __init__(
        self, host: str, port: int, user: str | None, password: str | None, tls: str, *, is_verified: bool
    ) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.tls = tls
        self.is_verified = is_verified


#: What aiosmtplib is told: True insists, None takes what is offered.
_START_TLS: Final[dict[str, bool | None]] = {
    "starttls-if-offered": None,
    "starttls": True,
    "implicit": False,
    "none": False,
}


def _options(url: str) -> _Options:
    form = "write smtp://user:password@host:587 or smtps://user:password@host:465"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"The SMTP account cannot be read: {form}.") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"The SMTP account must begin with smtp:// or smtps:// and name a host: {form}.")
    query = parse_qs(parts.query)
    tls = query.get("tls", [_TLS[parts.scheme]])[0]
    if tls not in _TLS_CHOICES | set(_TLS.values()):
        raise ValueError("The SMTP account's tls must be none, starttls or implicit.")
    is_verified = query.get("verify", ["true"])[0].lower() != "false"
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return _Options(parts.hostname, port or _PORTS[parts.scheme], user, password, tls, is_verified=is_verified)


def _context(*, is_verified: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _refused(code: int, words: str) -> ProviderError:
    return ProviderError(_short(f"{code} {words}"), is_permanent=500 <= code < 600)


def _short(words: str) -> str:
    return " ".join(words.split())[:_REASON_LENGTH]
