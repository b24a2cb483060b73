"""rooftree serve, worker, openapi, version."""

import asyncio
import shlex
import socket
import sys
from typing import Annotated

import msgspec
import typer
import uvloop
from msgspec import Struct
from msgspec.structs import replace
from rich.panel import Panel

import rooftree
from rooftree import worker as job_worker
from rooftree.auth import actions as auth
from rooftree.cli import demo
from rooftree.cli.founding import found_in
from rooftree.cli.running import Refused, console, fail, out, run, started
from rooftree.cli.serving import listening_socket, on_stop, serve_children, serve_here
from rooftree.platform.database import Database
from rooftree.platform.embedded_postgres import EmbeddedPostgres
from rooftree.platform.http.contract import document
from rooftree.platform.log import configure_logging
from rooftree.platform.migrations import migrate
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import SettingError, Settings, read_settings
from rooftree.team.model import Member

DEMO_LEADS = 2000


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: ROOFTREE_HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one. [default: ROOFTREE_PORT]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="API processes. [default: ROOFTREE_WORKERS]")
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Begin with a lively demo team, if there is none yet.")] = False,
) -> None:
    """Run Rooftree: the API, the worker and, without ROOFTREE_DATABASE_URL, the database."""
    try:
        settings = read_settings()
    except SettingError as error:
        fail(str(error))
    given = {"host": host, "port": port, "workers": workers}
    settings = replace(settings, **{name: value for name, value in given.items() if value is not None})
    configure_logging(settings.log_level, settings.log_format)
    uvloop.install()
    run(_serve(settings, is_demo=demo))


async def _serve(settings: Settings, *, is_demo: bool) -> None:
    listener = _listener(settings)
    stop = asyncio.Event()
    on_stop(stop)
    async with started(settings, is_serving=True) as (dsn, embedded):
        await migrate(settings.database_direct_url or dsn)
        first_key = await _begin(dsn, is_demo=is_demo, is_pooled=settings.database_pooler)
        _greet(settings, listener, embedded, first_key)
        serving = serve_here if settings.workers == 1 else serve_children
        async with asyncio.TaskGroup() as group:
            group.create_task(serving(settings, dsn, listener, stop))
            group.create_task(job_worker.work(dsn, stop, settings))
            if embedded:
                group.create_task(_keep_alive(embedded, stop))
    console.print("Stopped. Everything that was answered is on disk.")


def _listener(settings: Settings) -> socket.socket:
    try:
        return listening_socket(settings.host, settings.port)
    except OSError as error:
        raise Refused(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Is Rooftree running already? "
            "Another port: rooftree serve --port 0"
        ) from None


async def _keep_alive(embedded: EmbeddedPostgres, stop: asyncio.Event) -> None:
    """Start the embedded server anew should it die under us."""
    while not stop.is_set():
        try:
            await asyncio.wait_for(stop.wait(), 2)
        except TimeoutError:
            if not await embedded.answers():
                await embedded.revive()


async def _begin(dsn: str, *, is_demo: bool, is_pooled: bool) -> str | None:
    """On the first run, make a team, its owner and a key; return the key's text."""
    owner = await Database.connect(dsn, server_role=False, max_size=2, is_pooled=is_pooled)
    try:
        first = await _first_team(owner)
        if first is None:
            if is_demo:
                console.print("There is a team already: --demo adds nothing. More leads: rooftree seed")
            return None
        member, key = first
        if is_demo:
            demo.announce(DEMO_LEADS)
            await demo.fill(owner, member, DEMO_LEADS)
        return key
    finally:
        await owner.close()


async def _first_team(owner: Database) -> tuple[Member, str] | None:
    """Make the first team with its owner and a key, in one transaction; None when there is a team already.

    Interrupted, it leaves nothing; of several servers that begin at once on one database, one makes the team.
    """
    secret = await shared_secret(owner)
    async with owner.unscoped() as tx:
        await tx.execute("LOCK TABLE team IN SHARE ROW EXCLUSIVE MODE")
        if await tx.fetchval("SELECT EXISTS (SELECT FROM team)"):
            return None
        console.print("First run: making a team, its owner and an API key.")
        member = await found_in(tx, name="My Team", owner_email="owner@example.com", owner_first_name="Olive")
        key, _ = await auth.create_key(tx, secret, member.id, "first run")
    return member, key


class _Address(Struct):
    url: str
    data: str


def _greet(settings: Settings, listener: socket.socket, embedded: EmbeddedPostgres | None, key: str | None) -> None:
    """Say where it runs, how to talk to it, where the data lies and how to stop."""
    is_everywhere = settings.host in {"0.0.0.0", "::", ""}  # noqa: S104 - shown, not bound
    host = "127.0.0.1" if is_everywhere else settings.host
    shown = f"[{host}]" if ":" in host else host
    address = _Address(
        url=f"http://{shown}:{listener.getsockname()[1]}",
        data=str(settings.data_path) if embedded else "the database of ROOFTREE_DATABASE_URL",
    )
    lines = [f"Rooftree {rooftree.__version__} listens on {address.url}", f"API page:  {address.url}/docs"]
    lines += [f"Data:      {address.data}", "Stop:      Ctrl-C"]
    if key:
        lines += ["", "Your API key (shown this once):", key]
    else:
        lines += ["A key:     rooftree keys create --name test"]
    if sys.stderr.isatty():
        console.print(Panel("\n".join(lines), expand=False), soft_wrap=True)
    else:
        console.print("\n".join(lines), soft_wrap=True, markup=False)
    if key:
        console.print("\nYour first lead:\n", markup=False)
        print(_first_lead(address.url, key), flush=True)
        console.print("")


def _first_lead(url: str, key: str) -> str:
    body = '{"firstName": "Jane", "lastName": "Smith", "emails": ["jane.smith@example.com"], "source": "Website"}'
    return (
        f"curl -X POST {url}/v1.0/leads \\\n  -H {shlex.quote(f'Authorization: Bearer {key}')} \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"
    )


def worker(
    smtp_in: Annotated[
        str | None,
        typer.Option(help="Also take mail in at this address, e.g. 127.0.0.1:2525 (SMTP, or LMTP with --lmtp)."),
    ] = None,
    lmtp: Annotated[
        bool, typer.Option("--lmtp", help="Speak LMTP there, as mail servers do to local mailboxes.")
    ] = False,
) -> None:
    """Run the worker alone, beside API processes elsewhere."""
    try:
        settings = read_settings()
    except SettingError as error:
        fail(str(error))
    configure_logging(settings.log_level, settings.log_format)
    run(_work(settings, smtp_in, is_lmtp=lmtp))


async def _work(settings: Settings, smtp_in: str | None, *, is_lmtp: bool) -> None:
    stop = asyncio.Event()
    on_stop(stop)
    host, port = _mail_address(settings, smtp_in) if smtp_in else ("", 0)
    async with started(settings) as (dsn, _):
        await migrate(settings.database_direct_url or dsn)
        async with asyncio.TaskGroup() as group:
            group.create_task(job_worker.work(dsn, stop, settings))
            if host:
                console.print(f"Taking mail to {settings.email_in_domain} in at {host}:{port}")
                group.create_task(job_worker.take_mail(dsn, stop, settings, host, port, is_lmtp=is_lmtp))


def _mail_address(settings: Settings, smtp_in: str) -> tuple[str, int]:
    if not settings.email_in_domain:
        raise Refused("Set ROOFTREE_EMAIL_IN_DOMAIN: the domain whose mail comes in here.")
    host, _, port = smtp_in.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise Refused(f"--smtp-in {smtp_in}: write HOST:PORT, e.g. 127.0.0.1:2525.")
    return host.strip("[]"), int(port)


def openapi() -> None:
    """Print the API's description: the contract and our own operations."""
    out.print_json(msgspec.json.encode(document()).decode())


def version() -> None:
    """Print the version."""
    print(rooftree.__version__)
