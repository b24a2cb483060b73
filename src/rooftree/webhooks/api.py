"""The webhook operations of the contract, and our own beside them: the log, replays, the feed of events."""

from typing import Any, Final

from litestar import Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from rooftree.leads.queries import people_on
from rooftree.platform.actor import Actor
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of
from rooftree.webhooks import actions, queries, rules
from rooftree.webhooks.guard import Guard
from rooftree.webhooks.model import BY_OWNERSHIP, Subscriber
from rooftree.webhooks.secrets import vault_of
from rooftree.webhooks.wire import (
    ReplayRequest,
    WebhookRequest,
    attempt_response,
    delivery_response,
    full_response,
    sent_request,
    told_response,
    webhook_response,
)

_MOST_EVENTS: Final = 1000
#: Announcements that are looked at for one page: of those that the caller may not hear of, none is shown.
_MOST_LOOKED_AT: Final = 5000


@post(["/v1.0/webhook", "/v1.0/webhooks"], status_code=200)
async def subscribe(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Subscribe to a list. contract: POST /v1.0/webhook"""
    settings = request.app.state.settings
    wish = actions.Wish(await body_of(request, WebhookRequest))
    guard = Guard(settings.webhook_allowed_networks, allow_insecure=settings.webhook_allow_insecure)
    await actions.check_address(guard, wish)
    webhook = await actions.subscribe(tx, actor, wish, vault_of(settings), settings.webhook_quota)
    return answer(webhook_response(webhook))


@get("/v1.0/webhooks")
async def list_webhooks(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the active subscriptions of the team. contract: GET /v1.0/webhooks"""
    return answer([webhook_response(one) for one in await queries.webhooks_of_team(tx)])


@delete(["/v1.0/webhook/{subscribeId:str}", "/v1.0/webhooks/{subscribeId:str}"], status_code=200)
async def unsubscribe(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """End a subscription. contract: DELETE /v1.0/webhook/{subscribeId}"""
    await actions.unsubscribe(tx, Query(request).path_id("subscribeId"))
    return answer()


@get("/rooftree/v1/webhooks")
async def list_own(tx: Tx, actor: Caller) -> Response[bytes]:
    """Return subscriptions with their state, disabled ones too: one's own, for administrators the team's. Ours."""
    found = await queries.webhooks_of_team(tx, is_all=True)
    is_admin = actor.role in ("owner", "admin")
    return answer({"webhooks": [full_response(one) for one in found if is_admin or one.member_id == actor.member_id]})


@get("/rooftree/v1/webhooks/{subscribeId:str}/secret")
async def get_secret(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the secret that signs a subscription's deliveries. Ours."""
    webhook = await actions.own_webhook(tx, actor, Query(request).path_id("subscribeId"))
    return answer({"secret": vault_of(request.app.state.settings).open(webhook.secret)}, is_secret=True)


@post("/rooftree/v1/webhooks/{subscribeId:str}/secret", status_code=200)
async def renew_secret(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Give a subscription a new secret; the old one signs beside it for a day. Ours."""
    webhook = await actions.own_webhook(tx, actor, Query(request).path_id("subscribeId"))
    secret = await actions.renew_secret(tx, webhook, vault_of(request.app.state.settings))
    return answer({"secret": secret}, is_secret=True)


@post("/rooftree/v1/webhooks/{subscribeId:str}/test", status_code=200)
async def send_test(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Post an example of what a subscription hears. Ours."""
    webhook = await actions.own_webhook(tx, actor, Query(request).path_id("subscribeId"))
    if webhook.status != "active":
        raise InvalidParameter("The subscription is switched off: subscribe again with the same address first.")
    return answer({"deliveryId": await actions.send_test(tx, webhook)})


@get("/rooftree/v1/webhooks/{subscribeId:str}/deliveries")
async def list_deliveries(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return the deliveries of a subscription, newest first. Ours."""
    query = Query(request)
    webhook = await actions.own_webhook(tx, actor, query.path_id("subscribeId"))
    limit = query.integer("limit", 50) or 0
    if not 1 <= limit <= _MOST_EVENTS:
        raise InvalidParameter(f"limit: must be from 1 to {_MOST_EVENTS}.")
    state, before_id = query.text("state") or None, query.integer("before")
    found = await queries.deliveries(tx, webhook.id, state, before_id=before_id, limit=limit)
    return answer({"deliveries": [delivery_response(one) for one in found]})


@get("/rooftree/v1/webhooks/deliveries/{deliveryId:str}")
async def get_delivery(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return a delivery with its body and its attempts. Ours."""
    webhook, delivery = await actions.own_delivery(tx, actor, Query(request).path_id("deliveryId"))
    attempts = [attempt_response(one) for one in await queries.attempts(tx, delivery.id)]
    sent = sent_request(delivery, webhook.callback_url)
    return answer({**delivery_response(delivery), "request": sent, "tries": attempts})


@post("/rooftree/v1/webhooks/{subscribeId:str}/replay", status_code=200)
async def replay(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Make deliveries again: those named, or all failed ones (or other states) of a span of time. Ours."""
    webhook = await actions.own_webhook(tx, actor, Query(request).path_id("subscribeId"))
    body = await body_of(request, ReplayRequest, default=ReplayRequest())
    return answer({"replayed": await actions.replay(tx, webhook, body)})


@get("/rooftree/v1/events")
async def list_events(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return what happened after a cursor, in commit order, as far as the caller may hear of it. Ours.

    Without a cursor: from now on; `from=start`: as far back as is kept.
    """
    query = Query(request)
    limit = query.integer("limit", 100) or 0
    if not 1 <= limit <= _MOST_EVENTS:
        raise InvalidParameter(f"limit: must be from 1 to {_MOST_EVENTS}.")
    lists, sealer = set(query.integers("listIds")), request.app.state.sealer
    seq = await _place(query, tx, sealer)
    found: list[dict[str, Any]] = []
    looked_at = await queries.told_after(tx, seq, _MOST_LOOKED_AT)
    people = (
        {}
        if actor.sees_all_leads
        else await people_on(tx, sorted({(one.team_id, one.lead_id or 0) for one in looked_at}))
    )
    for told in looked_at:
        seq = told.seq
        if (not lists or told.list_id in lists) and rules.hears(_listener(actor), rules.with_people(told, people)):
            found.append(told_response(told))
        if len(found) == limit:
            break
    has_more = len(found) == limit or len(looked_at) == _MOST_LOOKED_AT
    return answer({"events": found, "cursor": sealer.seal(seq), "hasMore": has_more})


async def _place(query: Query, tx: Tx, sealer: Any) -> int:
    if cursor := query.text("after"):
        return sealer.open(cursor, int)
    start = query.text("from")
    if start == "start":
        return 0
    if start:
        raise InvalidParameter("from: must be start, or left out; then give the cursor of the answer as `after`.")
    return await queries.last_seq(tx)


def _listener(actor: Actor) -> Subscriber:
    return Subscriber(0, actor.team_id, 0, 1, BY_OWNERSHIP, actor.member_id, actor.sees_all_leads, actor.office_ids)


ROUTES: Final[list[HTTPRouteHandler]] = [
    subscribe,
    list_webhooks,
    unsubscribe,
    list_own,
    get_secret,
    renew_secret,
    send_test,
    list_deliveries,
    get_delivery,
    replay,
    list_events,
]
