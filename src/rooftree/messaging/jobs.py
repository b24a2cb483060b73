"""Sending: take a message, hand it to its provider, put down what became of it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Final, Self

import structlog

from rooftree.leads.messages import email_refusal, text_refusal
from rooftree.leads.model import Lead
from rooftree.leads.queries import locked_lead
from rooftree.messaging import actions, queries, rules
from rooftree.messaging.intake import ReturnAddresses
from rooftree.messaging.links import Links
from rooftree.messaging.mime import bodies_of, with_unsubscribe
from rooftree.messaging.model import Message, OutgoingEmail, OutgoingText, ProviderError, Receipt
from rooftree.messaging.providers import TextProvider
from rooftree.messaging.providers.http import HttpGateway
from rooftree.messaging.providers.smtp import SmtpAccounts
from rooftree.messaging.providers.twilio import Twilio
from rooftree.messaging.zones import zone_of
from rooftree.platform import clock
from rooftree.platform.database import Database, Transaction
from rooftree.platform.jobs import Job, Timer, enqueue
from rooftree.platform.settings import SettingError, Settings
from rooftree.platform.vault import Vault, VaultError, open_vault
from rooftree.team import queries as team

_log: Final = structlog.get_logger("rooftree.messaging")
#: Written by the system itself: these wait for the end of the lead's quiet hours.
_AUTOMATIC: Final = frozenset({"welcome_email"})
_OUTBOX: Final = "outbox"


class Carrier:
    """Carries messages out, by the providers that the settings name."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._settings = settings
        self._links = Links(secret, settings.address, is_public=bool(settings.public_url))
        self._quiet = rules.parse_quiet_hours(settings.quiet_hours)
        self._returns = ReturnAddresses(secret, settings.email_in_domain) if settings.email_in_domain else None
        self._smtp = SmtpAccounts(pool_size=settings.smtp_pool_size, timeout_seconds=settings.smtp_timeout_seconds)
        try:
            self._texts = self._text_provider(settings)
        except ValueError as error:
            raise SettingError(str(error)) from None
        self._database: Database | None = None
        self._vault: Vault | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.push_async_callback(self._smtp.close)
        if self._texts:
            self._stack.push_async_callback(self._texts.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def jobs(self) -> list[Job]:
        """What is done when a message is due."""
        return [Job(actions.SEND_MESSAGE, self.send_message)]

    @property
    def timers(self) -> list[Timer]:
        """What looks for messages that everybody forgot."""
        return [Timer("find_stuck_messages", 60, find_stuck_messages)]

    async def send_message(self, database: Database, team_id: int, message_id: int) -> None:
        """Send one message, if it is due and nobody else is at it. No transaction is open while the network is."""
        self._database = database
        async with database.transaction(team_id) as tx:
            if await self._waits(tx, message_id):
                return
            taken = await actions.take(tx, message_id, self._settings.job_lease_seconds + self._patience())
            if taken is None:
                await _look_again(tx, message_id)
                return
            message, tried_at = taken
            if refused := await _refusal(tx, message):
                await actions.put_down_failed(tx, message, refused, is_permanent=True)
                return
            try:
                send, provider, sender = await self._prepared(tx, message, tried_at)
            except ProviderError as error:
                await actions.put_down_failed(tx, message, error.reason, is_permanent=error.is_permanent)
                return
        try:
            receipt = await send()
        except ProviderError as error:
            _log.warning("message not taken", message_id=message.id, provider=provider, reason=error.reason)
            async with database.transaction(team_id) as tx:
                await actions.put_down_failed(
                    tx,
                    message,
                    error.reason,
                    is_permanent=error.is_permanent,
                    asked_seconds=error.retry_after_seconds,
                )
            return
        async with database.transaction(team_id) as tx:
            await actions.put_down_sent(
                tx, message, provider=provider, provider_id=receipt.provider_id, state=receipt.state, sender=sender
            )

    def _text_provider(self, settings: Settings) -> TextProvider | None:
        if settings.sms_provider == "twilio":
            return Twilio(
                url=settings.twilio_url,
                account_sid=settings.twilio_account_sid,
                auth_token=settings.twilio_auth_token,
                timeout_seconds=settings.sms_timeout_seconds,
                taken_sids=self._taken_sids,
            )
        if settings.sms_provider == "http":
            return HttpGateway(
                url=settings.sms_http_url,
                headers=settings.sms_http_headers,
                body=settings.sms_http_body,
                id_path=settings.sms_http_id,
                timeout_seconds=settings.sms_timeout_seconds,
            )
        return None

    async def _taken_sids(self, team_id: int, provider_ids: Sequence[str]) -> Collection[str]:
        """Return which of a provider's ids other messages of ours already have."""
        if self._database is None:
            return ()
        async with self._database.reading(team_id) as tx:
            return await queries.known_provider_ids(tx, provider_ids)

    def _patience(self) -> int:
        """Return how long a provider may take at most, so that no lease ends while it is asked."""
        return 3 * max(self._settings.smtp_timeout_seconds, self._settings.sms_timeout_seconds)

    async def _waits(self, tx: Transaction, message_id: int) -> bool:
        """Put an automatic message off to the end of the lead's quiet hours; return whether it was."""
        message = await queries.find_message(tx, message_id)
        if message is None or message.purpose not in _AUTOMATIC or message.lead_id is None or message.attempts:
            return False
        lead = await locked_lead(tx, message.lead_id)
        if lead is None:
            return False
        now = clock.now()
        region, home = self._settings.phone_region, (await team.find_team(tx)).time_zone
        zone = zone_of(lead.state, lead.phones, region, home)
        until = rules.after_quiet_hours(now, zone, self._quiet)
        if until <= now:
            return False
        await actions.put_off(tx, message.id, until)
        return True

    async def _prepared(
        self, tx: Transaction, message: Message, tried_at: datetime | None
    ) -> tuple[Callable[[], Awaitable[Receipt]], str, str]:
        """Return what sends the message, the provider's name, and whom it goes from. Raises: ProviderError."""
        if message.channel == "sms":
            return await self._prepared_text(message, tried_at)
        return await self._prepared_email(tx, message)

    async def _prepared_text(
        self, message: Message, tried_at: datetime | None
    ) -> tuple[Callable[[], Awaitable[Receipt]], str, str]:
        provider = self._texts
        if provider is None:
            return _kept, _OUTBOX, message.sender or ""
        if not message.sender:
            raise ProviderError("the agent has no virtual number to send from", is_permanent=True)
        text = OutgoingText(
            id=message.id,
            team_id=message.team_id,
            sender=message.sender,
            recipient=message.recipient,
            text=message.body,
            created_at=message.created_at,
            status_url=self._links.status(message.team_id, message.id),
            tried_at=tried_at,
        )
        return (lambda: provider.send(text)), provider.name, message.sender

    async def _prepared_email(
        self, tx: Transaction, message: Message
    ) -> tuple[Callable[[], Awaitable[Receipt]], str, str]:
        account = await queries.mail_account(tx, message.sender_id)
        sender, name = await self._sender(tx, message, account and account.from_address)
        if self._settings.email_provider == _OUTBOX:
            return _kept, _OUTBOX, sender
        url = self._opened(account.url) if account else self._settings.smtp_url
        if not url:
            raise ProviderError(
                "no SMTP account: set ROOFTREE_SMTP_URL, or add one with rooftree mail add", is_permanent=False
            )
        try:
            smtp = self._smtp.account(url)
        except ValueError as error:
            raise ProviderError(str(error), is_permanent=False) from None
        email = self._email(message, sender, name)
        return (lambda: smtp.send(email)), smtp.name, sender

    def _opened(self, sealed: bytes) -> str:
        try:
            self._vault = self._vault or open_vault(self._settings.secret_key, self._settings.data_path)
            return self._vault.open(sealed)
        except VaultError as error:
            raise ProviderError(str(error), is_permanent=False) from None

    async def _sender(self, tx: Transaction, message: Message, address: str | None) -> tuple[str, str]:
        """Return address and name that a message goes from: the agent's, else the team's."""
        member = await team.find_member(tx, message.sender_id) if message.sender_id else None
        if member:
            return address or member.email, f"{member.first_name} {member.last_name}".strip()
        company = await team.find_team(tx)
        owner = await team.find_owner(tx)
        return address or self._settings.email_from or (owner.email if owner else "rooftree@localhost"), company.name

    def _email(self, message: Message, sender: str, name: str) -> OutgoingEmail:
        text, html = bodies_of(message.body)
        link = None
        if message.lead_id is not None and message.timeline_id is not None:
            link = self._links.unsubscribe(message.team_id, message.lead_id, message.recipient)
        if link:
            text, html = with_unsubscribe(text, html, link)
        returns, reply_to, bounces_to = self._returns, (), sender
        if returns and message.timeline_id is not None:
            reply_to = (sender, returns.address("reply", message.team_id, message.id))
            bounces_to = returns.address("bounce", message.team_id, message.id)
        domain = self._settings.email_in_domain or sender.rpartition("@")[2]
        return OutgoingEmail(
            id=message.id,
            message_id=f"<{message.id}.{message.team_id}@{domain}>",
            sender=sender,
            sender_name=name,
            envelope_sender=bounces_to,
            reply_to=reply_to,
            recipient=message.recipient,
            recipient_name=message.recipient_name,
            subject=message.subject or "",
            text=text,
            html=html,
            unsubscribe_url=link,
            created_at=message.created_at,
        )


async def _kept() -> Receipt:
    """Keep a message in the outbox: its row is all there is."""
    return Receipt(None)


async def _refusal(tx: Transaction, message: Message) -> str | None:
    """Return why a message to a lead must not go out any more: they may have said so since it was queued."""
    if message.lead_id is None or message.timeline_id is None:
        return None
    lead: Lead | None = await locked_lead(tx, message.lead_id)
    if lead is None:
        return "the lead is gone"
    refusal = text_refusal if message.channel == "sms" else email_refusal
    return await refusal(tx, lead, message.recipient)


async def _look_again(tx: Transaction, message_id: int) -> None:
    """Come back when another worker's time with a message is over: it may have died."""
    message = await queries.find_message(tx, message_id)
    if message and message.state == "sending":
        await enqueue(tx, actions.SEND_MESSAGE, run_at=message.leased_until, message_id=message_id)


async def find_stuck_messages(owner: Database) -> None:
    """Wake a worker for messages that were due minutes ago: their job may have been held, or removed by hand."""
    async with owner.unscoped() as tx:
        found = await queries.stuck(tx, 1000)
    for team_id, message_id in found:
        async with owner.transaction(team_id) as tx:
            await enqueue(tx, actions.SEND_MESSAGE, message_id=message_id)
