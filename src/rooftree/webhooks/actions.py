"""Subscribing, renewing secrets, sending again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ResourceNotExist
from rooftree.platform.vault import Vault
from rooftree.platform.wire_time import FIRST_INSTANT, LAST_INSTANT, parse_instant
from rooftree.webhooks import queries, rules, store
from rooftree.webhooks.errors import (
    WebhookCallbackUrlInvalid,
    WebhookDeleteNoAuthority,
    WebhookDeleteNotExist,
    WebhookExceedLimit,
    WebhookTypeError,
)
from rooftree.webhooks.guard import Guard, NotAllowedError
from rooftree.webhooks.model import Batch, Delivery, Told, Webhook
from rooftree.webhooks.secrets import OVERLAP, new_secret
from rooftree.webhooks.wire import ReplayRequest, WebhookRequest

LISTS: Final = range(1, 13)
MOST_ENTRIES: Final = 5000
DEFAULT_ENTRIES: Final = 100
ENDED_STATES: Final = ("delivered", "failed", "cancelled")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_REPLAYED: Final = 1000


class Wish:
    """A subscription asked for, read and checked. Raises: as webhooks.md 1 says."""

    def __init__(self, request: WebhookRequest) -> None:
        number = str(request.list_id if request.list_id is not None else "").strip()
        if not (number.isascii() and number.isdigit() and len(number) < 3 and int(number) in LISTS):
            raise WebhookTypeError
        self.list_id = int(number)
        self.callback_url = request.callback_url or request.url or ""
        self.limit = request.limit if request.limit is not None else DEFAULT_ENTRIES
        self.permission_mode = request.permission_mode or 0
        if not 1 <= self.limit <= MOST_ENTRIES:
            raise InvalidParameter(f"limit: must be from 1 to {MOST_ENTRIES}.")
        if self.permission_mode not in (0, 1):
            raise InvalidParameter("permissionMode: must be 0 (by assignment) or 1 (by ownership, too).")


async def check_address(guard: Guard, wish: Wish) -> None:
    """Look where a callback would go. No request is made. Raises: WebhookCallbackUrlInvalid (20049)."""
    try:
        await guard.check(wish.callback_url)
    except NotAllowedError as refusal:
        raise WebhookCallbackUrlInvalid(
            f"Please enter url in right format: callbackUrl is refused ({refusal})."
        ) from None


async def subscribe(tx: Transaction, actor: Actor, wish: Wish, vault: Vault, quota: int) -> Webhook:
    """Subscribe the caller; the same list and address again renews what is there, and switches it on.

    contract: POST /v1.0/webhook. Writes: webhook. Raises: WebhookExceedLimit (900022).
    """
    await store.lock_subscriptions(tx)
    same = await queries.find_same(tx, actor.member_id, wish.list_id, wish.callback_url)
    if same:
        return await store.renew_webhook(tx, same.id, wish.limit, wish.permission_mode)
    if await queries.count_webhooks(tx) >= quota:
        raise WebhookExceedLimit
    return await store.insert_webhook(
        tx,
        member_id=actor.member_id,
        list_id=wish.list_id,
        callback_url=wish.callback_url,
        batch_limit=wish.limit,
        permission_mode=wish.permission_mode,
        secret=vault.seal(new_secret()),
        vendor_id=actor.app_id,
    )


async def unsubscribe(tx: Transaction, webhook_id: int | None) -> None:
    """End a subscription; what waits for it is cancelled, what was made stays in the log.

    contract: DELETE /v1.0/webhook/{subscribeId}. Writes: webhook, webhook_delivery.
    Raises: WebhookDeleteNotExist (900023), WebhookDeleteNoAuthority (900024).
    """
    webhook = await queries.find_webhook(tx, webhook_id)
    if webhook is None:
        raise WebhookDeleteNoAuthority if await queries.is_somebodys(tx, webhook_id) else WebhookDeleteNotExist
    await store.set_status(tx, webhook.id, "deleted", None)


async def own_webhook(tx: Transaction, actor: Actor, webhook_id: int | None) -> Webhook:
    """Return a subscription that somebody may look into: their own; for administrators any of the team.

    Raises: ResourceNotExist (404, 20007).
    """
    webhook = await queries.find_webhook(tx, webhook_id)
    if webhook is None or not (webhook.member_id == actor.member_id or actor.role in ("owner", "admin")):
        raise ResourceNotExist("No such webhook subscription, or not yours.")
    return webhook


async def renew_secret(tx: Transaction, webhook: Webhook, vault: Vault) -> str:
    """Give a subscription a new secret, return it; the old one signs beside it for a day. Writes: webhook."""
    secret = new_secret()
    await store.set_secret(tx, webhook.id, vault.seal(secret), webhook.secret, clock.now() + OVERLAP)
    return secret


async def renew_all_secrets(tx: Transaction, vault: Vault) -> None:
    """Give every subscription a new secret, and no other: what was there is not known. Writes: webhook."""
    for webhook in await queries.webhooks_with_secrets(tx):
        await store.replace_secrets(tx, webhook.id, vault.seal(new_secret()), None)


async def seal_secrets_anew(tx: Transaction, before: Vault, after: Vault) -> None:
    """Encrypt the secrets of every subscription with another key. Writes: webhook. Raises: VaultError."""
    for webhook in await queries.webhooks_with_secrets(tx):
        old = webhook.old_secret and after.seal(before.open(webhook.old_secret))
        await store.replace_secrets(tx, webhook.id, after.seal(before.open(webhook.secret)), old)


async def send_test(tx: Transaction, webhook: Webhook) -> int:
    """Queue an example of what a subscription hears, return the delivery's id. Writes: webhook_delivery."""
    verb, payload = _EXAMPLES[webhook.list_id]
    lead_id = payload.get("leadId")
    told = Told(
        webhook.team_id,
        0,
        webhook.list_id,
        verb,
        lead_id if isinstance(lead_id, int) else None,
        msgspec.json.encode(payload),
        b"{}",
        clock.now(),
    )
    body = rules.body(webhook.team_id, webhook.list_id, [told], _EPOCH)
    batch = Batch(webhook.team_id, webhook.id, webhook.list_id, body, 1, [])
    return (await store.insert_deliveries(tx, [batch]))[0]


_LEAD: Final = {"leadId": 651095960136641}
#: contract: webhooks.md 5.3
_EXAMPLES: Final[dict[int, tuple[str, dict[str, int | str]]]] = {
    1: ("updatedAgent", {"agentId": 10000000514}),
    2: ("updatedLead", {**_LEAD}),
    3: ("createdLeadActivity", {**_LEAD}),
    4: ("updatedAlert", {**_LEAD, "alertId": 651095960136650}),
    5: ("createdTransaction", {**_LEAD, "transactionId": 10001}),
    6: ("createdCall", {**_LEAD, "timelineId": 651095960136701, "callId": 651095960136702}),
    7: ("createdEmail", {**_LEAD, "timelineId": 651095960136703, "emailId": 651095960136704}),
    8: ("createdText", {**_LEAD, "timelineId": 651095960136705, "textId": 651095960136706}),
    9: ("updatedNote", {**_LEAD, "noteId": 400000012345, "timelineId": 651095960136707}),
    10: ("finishedTask", {**_LEAD, "taskId": 12345}),
    11: ("createdAppointment", {**_LEAD, "appointmentId": 12346, "taskId": 12346}),
    12: ("updatedPipeline", {**_LEAD, "stageId": 42, "stage": "Contacted"}),
}


async def own_delivery(tx: Transaction, actor: Actor, delivery_id: int | None) -> tuple[Webhook, Delivery]:
    """Return a delivery that somebody may look into. Raises: ResourceNotExist (404, 20007)."""
    delivery = await queries.find_delivery(tx, delivery_id)
    if delivery is None:
        raise ResourceNotExist("No such delivery.")
    return await own_webhook(tx, actor, delivery.webhook_id), delivery


async def replay(tx: Transaction, webhook: Webhook, request: ReplayRequest) -> int:
    """Let deliveries be made again, with the body and id they had; return how many. Writes: webhook_delivery.

    Raises: InvalidParameter (20012) on a subscription that is off, on states and times that cannot be.
    """
    if webhook.status != "active":
        raise InvalidParameter("The subscription is switched off: subscribe again with the same address first.")
    if request.delivery_ids is not None:
        known = await queries.ids_of_webhook(tx, webhook.id, request.delivery_ids[:_MOST_REPLAYED])
        return await store.replay(tx, known)
    states: Sequence[str] = request.states or ["failed"]
    if unknown := [state for state in states if state not in ENDED_STATES]:
        raise InvalidParameter(f"states: {unknown[0]} is not one of {', '.join(ENDED_STATES)}.")
    since, until = _moment("since", request.since, FIRST_INSTANT), _moment("until", request.until, LAST_INSTANT)
    return await store.replay_range(tx, webhook.id, states, since, until)


def _moment(field: str, text: str | None, otherwise: datetime) -> datetime:
    moment = parse_instant(text) if text else otherwise
    if moment is None:
        raise InvalidParameter(f"{field}: must be a time with its offset, such as 2026-11-21T08:00:00Z.")
    return moment
