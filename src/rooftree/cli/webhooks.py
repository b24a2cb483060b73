"""rooftree webhooks: subscriptions, their secrets and deliveries; a receiver for trying out."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import msgspec
import typer
from aiohttp import web
from rich.markup import escape
from rich.table import Table
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from rooftree.cli.running import Refused, console, out, run, running, team_of
from rooftree.platform import clock
from rooftree.platform.database import Transaction
from rooftree.platform.wire_time import utc_text
from rooftree.webhooks import actions, queries
from rooftree.webhooks.model import Webhook
from rooftree.webhooks.secrets import vault_of
from rooftree.webhooks.wire import ReplayRequest

app = typer.Typer(help="Webhooks: list, secrets, deliveries, replay, test, listen.", no_args_is_help=True)

Team = Annotated[str | None, typer.Option("--team-of", help="Login of anybody in the team, if there are several.")]
Subscription = Annotated[int, typer.Argument(help="Its subscribeId, from the list.")]


@app.command("list")
def list_webhooks(team_of_login: Team = None) -> None:
    """List the subscriptions of the team, switched-off ones too."""
    run(_list(team_of_login))


async def _list(login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            found = await queries.webhooks_of_team(tx, is_all=True)
    table = Table("id", "list", "address", "state", "last answered (UTC)", "failing since (UTC)")
    for one in found:
        state = one.status if one.reason is None else f"{one.status}: {one.reason}"
        table.add_row(
            str(one.id),
            str(one.list_id),
            escape(one.callback_url),
            escape(state),
            utc_text(one.last_success_at) or "",
            utc_text(one.failing_since) or "",
        )
    out.print(table)


@app.command()
def secret(
    webhook_id: Subscription,
    renew: Annotated[bool, typer.Option("--renew", help="Make a new one; the old one goes on for a day.")] = False,
    team_of_login: Team = None,
) -> None:
    """Show the secret that signs a subscription's deliveries."""
    run(_secret(webhook_id, team_of_login, renew=renew))


async def _secret(webhook_id: int, login: str | None, *, renew: bool) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            webhook = await _found(tx, webhook_id)
            vault = vault_of(server.settings)
            shown = await actions.renew_secret(tx, webhook, vault) if renew else vault.open(webhook.secret)
    out.print(shown)


@app.command()
def deliveries(
    webhook_id: Annotated[int | None, typer.Option("--subscription", help="Of this one only.")] = None,
    state: Annotated[str | None, typer.Option(help="waiting, sending, delivered, failed or cancelled.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    team_of_login: Team = None,
) -> None:
    """List deliveries, newest first."""
    run(_deliveries(webhook_id, state, limit, team_of_login))


async def _deliveries(webhook_id: int | None, state: str | None, limit: int, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            found = await queries.deliveries(tx, webhook_id, state, before_id=None, limit=limit)
    table = Table("id", "subscription", "list", "made (UTC)", "entries", "state", "attempts", "next attempt (UTC)")
    for one in found:
        table.add_row(
            str(one.id),
            str(one.webhook_id),
            str(one.list_id),
            utc_text(one.created_at),
            str(one.entries),
            one.state,
            str(one.attempts),
            (utc_text(one.due_at) or "") if one.state == "waiting" else "",
        )
    out.print(table)


@app.command()
def show(
    delivery_id: Annotated[int, typer.Argument(help="Its id, from the deliveries.")], team_of_login: Team = None
) -> None:
    """Show a delivery: its body and every attempt."""
    run(_show(delivery_id, team_of_login))


async def _show(delivery_id: int, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            delivery = await queries.find_delivery(tx, delivery_id)
            if delivery is None:
                raise Refused(f"There is no delivery {delivery_id}. All of them: rooftree webhooks deliveries")
            attempts = await queries.attempts(tx, delivery_id)
    out.print_json(delivery.body.decode())
    table = Table("attempt", "began (UTC)", "took", "status", "error", "answer")
    for one in attempts:
        took, status = f"{one.duration_ms} ms", "" if one.status is None else str(one.status)
        table.add_row(
            str(one.number), utc_text(one.started_at), took, status, escape(one.error or ""), escape(one.answer[:200])
        )
    out.print(table)


@app.command()
def replay(
    webhook_id: Subscription,
    delivery: Annotated[list[int] | None, typer.Option(help="This one; repeatable. None: all that failed.")] = None,
    days: Annotated[int, typer.Option(min=1, help="Without --delivery: of how many last days.")] = 30,
    team_of_login: Team = None,
) -> None:
    """Make deliveries again, with the body and id they had."""
    run(_replay(webhook_id, delivery, days, team_of_login))


async def _replay(webhook_id: int, delivery_ids: list[int] | None, days: int, login: str | None) -> None:
    since = (clock.now() - timedelta(days=days)).isoformat(timespec="seconds")
    request = ReplayRequest(delivery_ids=delivery_ids or None, states=["failed"], since=since)
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            count = await actions.replay(tx, await _found(tx, webhook_id), request)
    console.print(f"{count} deliveries are made again.")


@app.command("test")
def post_example(webhook_id: Subscription, team_of_login: Team = None) -> None:
    """Post an example of what a subscription hears."""
    run(_post_example(webhook_id, team_of_login))


async def _post_example(webhook_id: int, login: str | None) -> None:
    async with running() as server:
        team_id, _ = await team_of(server.owner, login)
        async with server.owner.transaction(team_id) as tx:
            delivery_id = await actions.send_test(tx, await _found(tx, webhook_id))
    console.print(f"Queued. How it went: rooftree webhooks show {delivery_id}")


async def _found(tx: Transaction, webhook_id: int) -> Webhook:
    webhook = await queries.find_webhook(tx, webhook_id)
    if webhook is None:
        raise Refused(f"There is no subscription {webhook_id}. All of them: rooftree webhooks list")
    return webhook


@app.command()
def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="On this machine; 0 takes a free one.")] = 9000,
    secret: Annotated[list[str] | None, typer.Option(help="whsec_..., to verify signatures; may be repeated.")] = None,
    status: Annotated[int, typer.Option(min=100, max=599, help="Answer with this status.")] = 200,
) -> None:
    """Receive webhooks on this machine, verify and print them. For trying out; ends with Ctrl-C."""
    asyncio.run(_listen(port, secret or [], status))


async def _listen(port: int, secrets: list[str], status: int) -> None:
    verifiers = [Verifier(one) for one in secrets]

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        name, length = request.headers.get("webhook-id", "no webhook-id"), len(body)
        console.print(
            f"[bold]{escape(name)}[/bold] {request.method} {escape(request.path_qs)}, {length} bytes, ", end=""
        )
        console.print(judged(verifiers, body, dict(request.headers)))
        with contextlib.suppress(msgspec.DecodeError):
            out.print_json(msgspec.json.encode(msgspec.json.decode(body)).decode())
        return web.Response(status=status, text="{}", content_type="application/json")

    server = web.Application(client_max_size=16 * 1024 * 1024)
    server.router.add_route("*", "/{path:.*}", receive)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    place = runner.addresses[0]
    console.print(f"Listening on http://127.0.0.1:{place[1]}/ (Ctrl-C ends it).")
    console.print("The server reaches it with ROOFTREE_WEBHOOK_ALLOW_INSECURE=true.")
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await runner.cleanup()


def judged(verifiers: list[Verifier], body: bytes, headers: Mapping[str, str]) -> str:
    """Return whether one of the secrets signed a body, for people."""
    if not verifiers:
        return "signature not verified (--secret)"
    small = {name.lower(): value for name, value in headers.items()}
    for verifier in verifiers:
        with contextlib.suppress(WebhookVerificationError):
            verifier.verify(body, small)
            return "[green]signature is right[/green]"
    return "[red]signature is wrong[/red]"
