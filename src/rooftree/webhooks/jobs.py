"""From announcements to answered POSTs: fan-out, delivery, pruning."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Final

import structlog

from rooftree.leads.queries import people_on
from rooftree.messaging import actions as messaging
from rooftree.platform import clock
from rooftree.platform.database import Database
from rooftree.platform.jobs import Timer
from rooftree.platform.outbox import number_announcements, prune_announcements
from rooftree.platform.settings import Settings
from rooftree.platform.vault import VaultError
from rooftree.webhooks import queries, rules, store
from rooftree.webhooks.guard import Guard
from rooftree.webhooks.model import BY_OWNERSHIP, Told
from rooftree.webhooks.secrets import valid_secrets, vault_of
from rooftree.webhooks.sending import Result, Sender
from rooftree.webhooks.store import Lease, Outcome

_log: Final = structlog.get_logger("rooftree.webhooks")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Announcements that are numbered and fanned out in one transaction.
_ROUND: Final = 2000
#: Requests to one subscription at once. contract: webhooks.md 6.2
CONCURRENCY: Final = 4
#: Subscriptions that one worker serves at once.
_SUBSCRIPTIONS: Final = 256
#: What is leased of a subscription in one go; many, when its receiver answers quickly.
_FEW: Final = CONCURRENCY
_MANY: Final = 200
_QUICK_MS: Final = 100
_LEASE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.5
#: Outcomes wait so long for others that are written down with them.
_GATHER_SECONDS: Final = 0.02
_PRUNED_AT_ONCE: Final = 1000


class FanOut:
    """Numbers what was announced, and makes a delivery of it for everybody who may hear it, in one transaction."""

    def __init__(self, woken: asyncio.Event) -> None:
        self._woken = woken

    async def __call__(self, owner: Database) -> None:
        """Go on until nothing new is there. Killed anywhere, a round has happened as a whole or not at all."""
        while True:
            async with owner.unscoped() as tx:
                told = [Told(*row) for row in await number_announcements(tx, _ROUND)]
                if not told:
                    return
                subscribers = await queries.subscribers(tx, sorted({one.team_id for one in told}))
                is_by_people = any(one.permission_mode == BY_OWNERSHIP for one in subscribers)
                leads = sorted({(one.team_id, one.lead_id) for one in told if one.lead_id}) if is_by_people else []
                people = await people_on(tx, leads) if leads else {}
                made = await store.insert_deliveries(tx, rules.batches(subscribers, told, people, _EPOCH))
            if made:
                self._woken.set()
            if len(told) < _ROUND:
                return


class Dispatcher:
    """Posts what is due. A subscription is served by one task of one worker, so nobody waits for a slow receiver."""

    def __init__(self, settings: Settings, sender: Sender, woken: asyncio.Event) -> None:
        self._settings = settings
        self._sender = sender
        self._woken = woken
        self._serving: dict[int, asyncio.Task[None]] = {}
        self._quick: set[int] = set()
        self._stop = asyncio.Event()
        self._done: deque[tuple[Outcome, Lease, asyncio.Future[None]]] = deque()
        self._open = lru_cache(maxsize=4096)(self._opened)

    async def run(self, owner: Database, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what is on the wire then is finished and written down."""
        self._stop = stop
        recording = asyncio.create_task(self._record_forever(owner))
        try:
            while not stop.is_set():
                self._woken.clear()
                try:
                    while not stop.is_set() and await self._take(owner):
                        pass
                except Exception:  # noqa: BLE001 - the database may be back in a moment
                    _log.exception("cannot take deliveries")
                await _first(stop, self._woken, _POLL_SECONDS)
            await asyncio.gather(*self._serving.values(), return_exceptions=True)
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)

    async def _take(self, owner: Database) -> bool:
        """Lease what is due and begin to serve it; return whether there may be more."""
        free = _SUBSCRIPTIONS - len(self._serving)
        if free <= 0:
            return False
        async with owner.unscoped() as tx:
            found = await store.lease(
                tx,
                busy=list(self._serving),
                fast=list(self._quick),
                seconds=_LEASE_SECONDS,
                few=_FEW,
                many=_MANY,
                subscriptions=free,
            )
        leases: dict[int, list[Lease]] = {}
        for one in found:
            leases.setdefault(one.delivery.webhook_id, []).append(one)
        for webhook_id, of_one in leases.items():
            task = asyncio.create_task(self._serve(owner, webhook_id, of_one))
            self._serving[webhook_id] = task
            task.add_done_callback(partial(self._ended, webhook_id))
        return len(leases) == free

    def _ended(self, webhook_id: int, task: asyncio.Task[None]) -> None:
        del self._serving[webhook_id]
        if not task.cancelled() and (error := task.exception()):  # the lease runs out, and somebody takes it again
            _log.error("deliveries not made", webhook=webhook_id, exc_info=error)
        self._woken.set()

    async def _serve(self, owner: Database, webhook_id: int, leases: Sequence[Lease]) -> None:
        """Make the deliveries of one subscription; a lead's in the order of what happened."""
        waiting = deque(leases)
        running: dict[asyncio.Task[Result], set[int]] = {}
        written: list[asyncio.Future[None]] = []
        is_quick = True
        while waiting or running:
            # Of a receiver that turns out slow, no more is tried than could be leased of a slow one.
            may_begin = not self._stop.is_set() and (is_quick or len(leases) <= _FEW)
            while waiting and may_begin and len(running) < CONCURRENCY:
                leads = set(waiting[0].delivery.lead_ids)
                if any(leads & others for others in running.values()):
                    break
                running[asyncio.create_task(self._make(waiting.popleft(), written))] = leads
            if not running:
                break
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                del running[task]
                result = task.result()
                is_quick = is_quick and result.error is None and result.duration_ms <= _QUICK_MS
        self._remember(webhook_id, is_quick=is_quick)
        if waiting:
            async with owner.unscoped() as tx:
                await store.hand_back(tx, list(waiting))
        await asyncio.gather(*written)  # until then the subscription counts as served

    def _remember(self, webhook_id: int, *, is_quick: bool) -> None:
        if is_quick:
            self._quick.add(webhook_id)
        else:
            self._quick.discard(webhook_id)

    async def _make(self, lease: Lease, written: list[asyncio.Future[None]]) -> Result:
        """Post a delivery; how it went is written down soon, which `written` then knows."""
        delivery = lease.delivery
        try:
            secrets = self._secrets(lease)
        except VaultError as error:
            result = Result(clock.now(), 0, None, str(error))
        else:
            result = await self._sender.post(lease.callback_url, f"msg_{delivery.id}", delivery.body, secrets)
        written.append(asyncio.get_running_loop().create_future())
        self._done.append((self._outcome(lease, result), lease, written[-1]))
        return result

    def _opened(self, sealed: bytes) -> str:
        return vault_of(self._settings).open(sealed)

    def _secrets(self, lease: Lease) -> list[str]:
        now = clock.now()
        if lease.old_secret_until is None:
            return [self._open(lease.secret)]
        vault = vault_of(self._settings)
        return valid_secrets(vault, lease.secret, lease.old_secret, lease.old_secret_until, now)

    @staticmethod
    def _outcome(lease: Lease, result: Result) -> Outcome:
        delivery, now = lease.delivery, clock.now()
        state, next_at = "delivered", None
        if result.error is not None:
            asked = rules.retry_after(result.retry_after, now)
            wait = rules.next_attempt(delivery.attempts, asked, spread())
            state, next_at = ("waiting", now + wait) if wait is not None else ("failed", None)
        return Outcome(
            delivery,
            result.started_at,
            result.duration_ms,
            result.status,
            result.error,
            result.answer,
            state,
            next_at,
        )

    async def _record_forever(self, owner: Database) -> None:
        """Write outcomes down, those of a moment together, until cancelled."""
        while True:
            await asyncio.sleep(_GATHER_SECONDS)
            if not self._done:
                continue
            taken = list(self._done)
            try:
                async with owner.unscoped() as tx:
                    await store.record(tx, [outcome for outcome, _, _ in taken])
                await self._switch_off(owner, [(outcome, lease) for outcome, lease, _ in taken])
            except Exception:  # noqa: BLE001 - the database may be back in a moment; else the lease runs out
                _log.exception("outcomes not written down yet")
                await asyncio.sleep(1)
                continue
            for _, _, written in taken:
                self._done.popleft()
                written.set_result(None)

    async def _switch_off(self, owner: Database, ended: Sequence[tuple[Outcome, Lease]]) -> None:
        """Switch off subscriptions whose receiver is gone for good, and tell their owners."""
        for outcome, lease in ended:
            if outcome.status == 410:
                await _disable(owner, lease, "its receiver answered 410 Gone")
            elif outcome.state == "failed" and rules.is_worn_out(
                outcome.delivery.attempts, lease.failing_since, clock.now()
            ):
                await _disable(owner, lease, f"nothing was delivered for days; the last error: {outcome.error}")


def spread() -> float:
    """Return a number from 0 to 1, so that not all retries come at once."""
    return random.random()  # noqa: S311 - spreads load


async def _disable(owner: Database, lease: Lease, reason: str) -> None:
    async with owner.transaction(lease.delivery.team_id) as tx:
        webhook = await queries.find_webhook(tx, lease.delivery.webhook_id)
        if webhook is None or webhook.status != "active":
            return
        await store.set_status(tx, webhook.id, "disabled", reason)
        await messaging.notify_agent(
            tx,
            lead_id=None,
            member_id=webhook.member_id,
            purpose="webhook_disabled",
            subject=f"Webhook {webhook.id} was switched off",
            body=(
                f"The webhook subscription {webhook.id} (list {webhook.list_id}) to {webhook.callback_url} was\n"
                f"switched off: {reason}.\n\nOnce the receiver answers again, subscribe again with the same address.\n"
                "What was not delivered is kept for a while and can be replayed."
            ),
        )
    _log.warning("webhook switched off", webhook=webhook.id, reason=reason)


class Webhooks:
    """What the worker runs of webhooks."""

    def __init__(self, settings: Settings, dispatcher: Dispatcher, woken: asyncio.Event) -> None:
        self._age = timedelta(days=settings.webhook_log_days)
        self.dispatcher = dispatcher
        self.timers = [
            Timer("fan out announcements", every_seconds=settings.webhook_gather_seconds, handler=FanOut(woken)),
            Timer("prune webhooks and announcements", every_seconds=600, handler=self._prune),
        ]

    async def _prune(self, owner: Database) -> None:
        """Delete what is older than the log is kept, a little at a time."""
        for prune in (store.prune, prune_announcements):
            while True:
                async with owner.unscoped() as tx:
                    deleted = await prune(tx, self._age, _PRUNED_AT_ONCE)
                if deleted < _PRUNED_AT_ONCE:
                    break


@asynccontextmanager
async def webhooks(settings: Settings) -> AsyncGenerator[Webhooks]:
    """Yield what the worker runs of webhooks, with its connections to receivers open."""
    guard = Guard(settings.webhook_allowed_networks, allow_insecure=settings.webhook_allow_insecure)
    woken = asyncio.Event()
    async with Sender(guard, settings.webhook_timeout_seconds) as sender:
        dispatcher = Dispatcher(settings, sender, woken)
        yield Webhooks(settings, dispatcher, woken)


async def _first(stop: asyncio.Event, woken: asyncio.Event, seconds: float) -> None:
    """Return when one of the events is set, or after so long."""
    waiting = [asyncio.create_task(event.wait()) for event in (stop, woken)]
    with suppress(TimeoutError):
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
