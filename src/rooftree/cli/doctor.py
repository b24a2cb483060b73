"""rooftree doctor: is everything as it should be, and if not, what to do."""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import typer
from msgspec import Struct
from rich.table import Table

from rooftree.cli.running import Running, out, run, running
from rooftree.platform.database import SERVER_ROLE, Database
from rooftree.platform.settings import read_settings

_LOW_DISK_BYTES: Final = 2 * 1024**3


class Finding(Struct, frozen=True):
    """The result of a check."""

    is_well: bool
    text: str
    advice: str = ""


def doctor() -> None:
    """Check database, schema, row security, outbox, messages and disk; say what to do. Exit code 1: broken."""
    if not run(_doctor()):
        raise typer.Exit(1)


async def _doctor() -> bool:
    settings = read_settings()
    async with running(settings) as server:
        findings = [(name, await check(server)) for name, check in CHECKS.items()]
    table = Table("", "check", "finding")
    for name, finding in findings:
        text = finding.text + (f"\n[bold]Do:[/bold] {finding.advice}" if finding.advice else "")
        table.add_row("[green]ok[/green]" if finding.is_well else "[red]!![/red]", name, text)
    out.print(table)
    return all(finding.is_well for _, finding in findings)


async def _database(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        version = await tx.fetchval("SHOW server_version")
        size = await tx.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
    place = f"embedded, in {server.settings.data_path}" if server.embedded else "ROOFTREE_DATABASE_URL"
    return Finding(is_well=True, text=f"PostgreSQL {version}, {size} ({place})")


async def _migrations(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        newest = await tx.fetchval("SELECT max(name) FROM schema_migration")
    return Finding(is_well=True, text=f"up to date: {newest}")


async def _role(server: Running) -> Finding:
    try:
        database = await Database.connect(server.dsn, max_size=1)
    except Exception as error:  # noqa: BLE001 - whatever it is, that is the finding
        advice = f"as an administrator: GRANT {SERVER_ROLE} TO <the role of ROOFTREE_DATABASE_URL>"
        return Finding(is_well=False, text=f"cannot work as {SERVER_ROLE}: {error}", advice=advice)
    await database.close()
    return Finding(is_well=True, text=f"the server works as {SERVER_ROLE}")


async def _row_security(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        rows = await tx.fetch(
            """SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_id'
                WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND NOT c.relrowsecurity"""
        )
    bare = [row["relname"] for row in rows]
    text = f"off on {', '.join(bare)}" if bare else "on for every table of a team"
    return Finding(not bare, text, "restore a backup: somebody changed the schema by hand" if bare else "")


async def _tally(server: Running) -> Finding:
    # sees all: compares totals of whole teams
    async with server.owner.unscoped() as tx:
        wrong = await tx.fetchval(
            """SELECT count(*) FROM (
                 SELECT team_id, sum(amount) AS amount FROM lead_tally WHERE tag = '' GROUP BY 1) t
               FULL JOIN (SELECT team_id, count(*) AS amount FROM lead WHERE trashed_at IS NULL GROUP BY 1) l
               USING (team_id) WHERE coalesce(t.amount, 0) <> coalesce(l.amount, 0)"""
        )
        rows = await tx.fetchval("SELECT count(*) FROM lead_tally")
    if wrong:
        return Finding(is_well=False, text=f"{wrong} teams miscounted", advice="report this: it must never happen")
    return Finding(is_well=True, text=f"exact, in {rows} rows")


async def _worker(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        waiting = await tx.fetchval("SELECT count(*) FROM announcement")
    return Finding(is_well=True, text=f"{waiting} announcements in the outbox")


async def _messages(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        waiting = await tx.fetchval("SELECT count(*) FROM message WHERE state = 'queued'")
    return Finding(is_well=True, text=f"no SMTP or SMS provider in this version: {waiting} messages kept locally")


async def _disk(server: Running) -> Finding:
    place = server.settings.data_path if server.embedded else Path.cwd()
    free = shutil.disk_usage(place).free
    advice = "make room: below 2 GB PostgreSQL may stop" if free < _LOW_DISK_BYTES else ""
    return Finding(not advice, f"{free / 1024**3:.0f} GB free at {place}", advice)


CHECKS: Final[dict[str, Callable[[Running], Awaitable[Finding]]]] = {
    "database": _database,
    "schema": _migrations,
    "server role": _role,
    "row security": _row_security,
    "tally of leads": _tally,
    "outbox": _worker,
    "messages": _messages,
    "disk": _disk,
}
