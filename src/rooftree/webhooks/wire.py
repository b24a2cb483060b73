"""The contract's shapes of webhooks, and our own beside them."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from rooftree.platform.http.reading import Int64, LooseText
from rooftree.platform.wire_time import epoch_millis, iso_millis
from rooftree.webhooks.model import Attempt, Delivery, Told, Webhook


class WebhookRequest(Struct, rename="camel"):
    """POST /v1.0/webhook. `url` is read where `callbackUrl` is absent, as live clients send it."""

    list_id: LooseText | None = None
    callback_url: str | None = None
    url: str | None = None
    limit: Int64 | None = None
    permission_mode: Int64 | None = None


class ReplayRequest(Struct, rename="camel"):
    """POST /rooftree/v1/webhooks/{id}/replay: these deliveries, or all of these states in a span of time."""

    delivery_ids: list[Int64] | None = None
    states: list[str] | None = None
    since: str | None = None
    until: str | None = None


def webhook_response(webhook: Webhook) -> dict[str, Any]:
    """Return a subscription in the contract's shape `WebhookResponse`."""
    return {
        "subscribeId": webhook.id,
        "teamId": webhook.team_id,
        "listId": webhook.list_id,
        "vendorId": webhook.vendor_id,
        "callbackUrl": webhook.callback_url,
        "limit": webhook.batch_limit,
        "permissionMode": webhook.permission_mode,
    }


def full_response(webhook: Webhook) -> dict[str, Any]:
    """Return a subscription with its state, in our own shape."""
    return {
        **webhook_response(webhook),
        "memberId": webhook.member_id,
        "status": webhook.status,
        "reason": webhook.reason,
        "failingSince": iso_millis(webhook.failing_since),
        "lastSuccessAt": iso_millis(webhook.last_success_at),
        "createdAt": iso_millis(webhook.created_at),
    }


def delivery_response(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery."""
    return {
        "deliveryId": delivery.id,
        "webhookId": f"msg_{delivery.id}",
        "subscribeId": delivery.webhook_id,
        "listId": delivery.list_id,
        "state": delivery.state,
        "entries": delivery.entries,
        "attempts": delivery.attempts,
        "createdAt": iso_millis(delivery.created_at),
        "nextAttemptAt": iso_millis(delivery.due_at) if delivery.state == "waiting" else None,
        "endedAt": iso_millis(delivery.ended_at),
    }


def attempt_response(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt."""
    return {
        "number": attempt.number,
        "startedAt": iso_millis(attempt.started_at),
        "durationMs": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
        "nextAttemptAt": iso_millis(attempt.next_at),
    }


def told_response(told: Told) -> dict[str, Any]:
    """Return an event of the feed."""
    return {
        "listId": told.list_id,
        "event": told.verb,
        "entry": {**msgspec.json.decode(told.payload), "updateTime": epoch_millis(told.happened_at)},
    }


def sent_request(delivery: Delivery, callback_url: str) -> dict[str, Any]:
    """Return what is posted: the body as it goes out."""
    return {"method": "POST", "url": callback_url, "body": Raw(delivery.body)}
