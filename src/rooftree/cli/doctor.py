"""rooftree doctor: is everything as it should be, and if not, what to do. It repairs and migrates nothing."""

import os
import shutil
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

import typer
from msgspec import Struct
from rich.markup import escape
from rich.table import Table

from rooftree.cli.running import Running, explained, fail, has_data, out, run, started
from rooftree.platform import migrations
from rooftree.platform.database import SERVER_ROLE, Database
from rooftree.platform.settings import SettingError, Settings, read_settings

_LOW_DISK_BYTES: Final = 2 * 1024**3
#: Rows of the tally beyond its cells that a worker never leaves behind.
_UNADDED_ROWS: Final = 5000
#: A job that is due waits no longer than this while a worker runs.
_LATE_SECONDS: Final = 300


class Finding(Struct, frozen=True):
    """The result of a check. What is broken has an advice."""

    text: str
    advice: str = ""

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice


def doctor() -> None:
    """Check database, schema, row security, worker, messages and disk; say what to do. Exit code 1: broken."""
    try:
        settings = read_settings()
    except SettingError as error:
        fail(str(error))
    if not run(_doctor(settings)):
        raise typer.Exit(1)


async def _doctor(settings: Settings) -> bool:
    table = Table("", "check", "finding")
    is_well = True
    async with aclosing(_findings(settings)) as findings:
        async for name, finding in findings:
            is_well = is_well and finding.is_well
            text = escape(finding.text) + ("" if finding.is_well else f"\n[bold]Do:[/bold] {escape(finding.advice)}")
            table.add_row("[green]ok[/green]" if finding.is_well else "[red]!![/red]", name, text)
    out.print(table)
    return is_well


async def _findings(settings: Settings) -> AsyncGenerator[tuple[str, Finding]]:
    """Yield what is found, as far as one can look: nothing of a schema that is not there."""
    yield "disk", _disk(settings)
    if not has_data(settings):
        yield "database", Finding(f"there is none in {settings.data_path} yet", "rooftree serve makes one")
        return
    if not settings.database_url:
        yield "data directory", _data_directory(settings.data_path)
    try:
        async with started(settings) as (dsn, embedded):
            schema = await _schema(dsn)
            owner = await Database.connect(dsn, server_role=False, max_size=2, is_pooled=settings.database_pooler)
            try:
                server = Running(settings, dsn, owner, embedded)
                checks = CHECKS if schema.is_well else {"database": _database}
                for name, check in checks.items():
                    yield name, await _checked(check, server)
                yield "schema", schema
            finally:
                await owner.close()
    except Exception as error:
        reason = explained(error)
        if reason is None:
            raise
        yield "database", Finding(reason, "without a database nothing works: begin here")


async def _checked(check: Callable[[Running], Awaitable[Finding]], server: Running) -> Finding:
    try:
        return await check(server)
    except Exception as error:  # noqa: BLE001 - whatever it is, that is the finding
        return Finding(f"cannot be checked: {error}", "see what the message names; rooftree db psql opens a prompt")


async def _schema(dsn: str) -> Finding:
    try:
        missing = await migrations.check(dsn)
    except migrations.SchemaError as error:
        return Finding("does not fit this version", str(error))
    if missing:
        return Finding(
            f"lacks {len(missing)} migrations, from {missing[0]} on",
            "rooftree migrate (rooftree serve does it by itself)",
        )
    return Finding(f"up to date: {migrations.shipped()[-1].name}")


def _disk(settings: Settings) -> Finding:
    place = Path.cwd() if settings.database_url else _nearest(settings.data_path)
    free = shutil.disk_usage(place).free
    advice = "make room: below 2 GB PostgreSQL may stop" if free < _LOW_DISK_BYTES else ""
    return Finding(f"{free / 1024**3:.0f} GB free at {place}", advice)


def _nearest(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _data_directory(place: Path) -> Finding:
    """Look whether the data is nobody else's: PostgreSQL lets in whoever can open these folders."""
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return Finding(f"{place} is closed to us", "run this as the user who runs the server, or as root")
    folders = [place / name for name in ("cluster", "run", "log") if (place / name).exists()]
    open_ones = [str(folder) for folder in folders if stat.S_IMODE(folder.stat().st_mode) & 0o077]
    if open_ones:
        return Finding("others on this machine can read it", f"chmod 700 {' '.join(open_ones)}")
    return Finding(f"{place}, closed to others")


async def _database(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        version = await tx.fetchval("SHOW server_version")
        size = await tx.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
    place = f"embedded, in {server.settings.data_path}" if server.embedded else "ROOFTREE_DATABASE_URL"
    return Finding(f"PostgreSQL {version}, {size} ({place})")


async def _role(server: Running) -> Finding:
    grant = f"as an administrator: GRANT {SERVER_ROLE} TO <the role of ROOFTREE_DATABASE_URL>"
    try:
        database = await Database.connect(server.dsn, max_size=1, is_pooled=server.settings.database_pooler)
    except Exception as error:  # noqa: BLE001 - whatever it is, that is the finding
        return Finding(f"cannot work as {SERVER_ROLE}: {error}", grant)
    try:
        async with database.unscoped() as tx:
            row = await tx.fetchrow(
                """SELECT current_user::text AS name, rolsuper OR rolbypassrls AS is_unbound,
                          EXISTS (SELECT FROM team) AS sees_all
                     FROM pg_roles WHERE rolname = current_user"""
            )
    finally:
        await database.close()
    assert row is not None
    if row["name"] != SERVER_ROLE:
        return Finding(f"the server works as {row['name']}: row security does not bind it", grant)
    if row["is_unbound"] or row["sees_all"]:
        return Finding("row security does not bind it", f"ALTER ROLE {SERVER_ROLE} NOSUPERUSER NOBYPASSRLS")
    return Finding(f"the server works as {SERVER_ROLE}, and sees nothing without a team")


async def _row_security(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        rows = await tx.fetch(
            """SELECT c.relname FROM pg_class c
                WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
                  AND (c.relname = 'team' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                                                      AND a.attname = 'team_id' AND NOT a.attisdropped))
                  AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))"""
        )
    if bare := [row["relname"] for row in rows]:
        return Finding(f"off on {', '.join(bare)}", "restore a backup: somebody changed the schema by hand")
    return Finding("on for every table of a team")


async def _tally(server: Running) -> Finding:
    # sees all: compares the totals of all teams, by stage and agent
    async with server.owner.unscoped() as tx:
        wrong = await tx.fetchval(
            """SELECT count(DISTINCT team_id) FROM (
                 SELECT team_id FROM (
                   SELECT team_id, stage_id, assigned_user_id, amount FROM lead_tally WHERE tag = ''
                   UNION ALL
                   SELECT team_id, stage_id, assigned_user_id, -1 FROM lead WHERE trashed_at IS NULL) both_sides
                 GROUP BY team_id, stage_id, assigned_user_id HAVING sum(amount) <> 0) w"""
        )
    if wrong:
        return Finding(f"{wrong} teams are miscounted", "report this with `rooftree db dump`: it must never happen")
    return Finding("exact: the totals of lists are what is there")


async def _worker(server: Running) -> Finding:
    """Look for what a worker leaves behind: the tally, added up."""
    async with server.owner.unscoped() as tx:
        row = await tx.fetchrow(
            """SELECT count(*) AS amount, count(DISTINCT (team_id, tag, stage_id, source, assigned_user_id, pond_id,
                      ownership_scope, ownership_id, is_hidden, is_contacted)) AS cells FROM lead_tally"""
        )
        announced = await tx.fetchval("SELECT count(*) FROM announcement")
    assert row is not None
    if row["amount"] > 2 * row["cells"] + _UNADDED_ROWS:
        return Finding(f"no worker has added up the tally: {row['amount']} rows", "start rooftree serve or worker")
    return Finding(f"keeps up; {announced} announcements in the outbox, which this version keeps")


async def _jobs(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        row = await tx.fetchrow(
            """SELECT count(*) FILTER (WHERE held_at IS NULL) AS waiting, count(held_at) AS held,
                      coalesce(extract(epoch FROM now() - min(run_at) FILTER (WHERE held_at IS NULL)), 0) AS late
                 FROM job"""
        )
    assert row is not None
    if row["held"]:
        return Finding(f"{row['held']} jobs are held: they failed too often", "rooftree jobs list says why")
    if row["late"] > _LATE_SECONDS:
        return Finding(f"{row['waiting']} jobs wait, one for {row['late']:.0f} s", "start rooftree serve or worker")
    return Finding(f"{row['waiting']} waiting, none held")


async def _messages(server: Running) -> Finding:
    async with server.owner.unscoped() as tx:
        rows = await tx.fetch("SELECT state, count(*) FROM message GROUP BY 1 ORDER BY 1")
        tray = await tx.fetchval("SELECT count(*) FROM arrival WHERE lead_id IS NULL AND handled_at IS NULL")
    states = ", ".join(f"{row[1]} {row[0]}" for row in rows) or "none yet"
    settings = server.settings
    if settings.email_provider == "smtp" and not settings.smtp_url:
        async with server.owner.unscoped() as tx:
            if not await tx.fetchval("SELECT EXISTS (SELECT FROM mail_account)"):
                return Finding("e-mail has no account to go by", "set ROOFTREE_SMTP_URL, or rooftree mail add")
    if settings.sms_provider != "outbox" and not settings.public_url:
        return Finding(
            "no delivery reports of texts: providers do not know this server's address", "set ROOFTREE_PUBLIC_URL"
        )
    providers = f"e-mail by {settings.email_provider}, texts by {settings.sms_provider}"
    return Finding(f"{states}; {tray} in the tray; {providers}")


CHECKS: Final[dict[str, Callable[[Running], Awaitable[Finding]]]] = {
    "database": _database,
    "server role": _role,
    "row security": _row_security,
    "tally of leads": _tally,
    "worker": _worker,
    "jobs": _jobs,
    "messages": _messages,
}
