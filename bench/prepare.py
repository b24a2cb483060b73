"""What is measured on, and what pgbench repeats: a filled database, and each case's requests as scripts."""

import re
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from rich.console import Console

from bench.cases import Case, cases_of
from bench.histories import add_histories
from bench.statements import recorded, script
from rooftree.app import create_app
from rooftree.auth.actions import create_key
from rooftree.cli import demo
from rooftree.cli.founding import found
from rooftree.platform.database import SERVER_ROLE, Database
from rooftree.platform.migrations import migrate
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings

console = Console()
#: Entries on each lead.
ENTRIES = 20
#: Different requests that pgbench repeats: it prepares each script's statements anew, and more were never warm.
SCRIPTS = 6


async def prepared(dsn: str, size: int) -> tuple[str, dict[str, Case]]:
    """Fill the database; return a key of the owner and the requests of each case."""
    await migrate(dsn)
    owner_db = await Database.connect(dsn, server_role=False)
    secret = await shared_secret(owner_db)
    team_id, owner_id = await _filled(owner_db, size)
    async with owner_db.transaction(team_id) as tx:
        key, _ = await create_key(tx, secret, owner_id, "bench")
    cases = await cases_of(owner_db, secret, team_id, size)
    await owner_db.close()
    await leave_nothing_to_do(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return key, cases


async def leave_nothing_to_do(dsn: str) -> None:
    """Drop the work that would be done while something is measured: the first scan for duplicates, mails of pgbench."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("TRUNCATE lead_to_compare, job")
    await connection.execute("UPDATE message SET state = 'sent', next_at = NULL WHERE state IN ('queued', 'sending')")
    await connection.close()


async def _filled(owner_db: Database, size: int) -> tuple[int, int]:
    """Return team and owner of a team with so many leads; made unless a kept folder has them."""
    async with owner_db.unscoped() as tx:
        if known := await tx.fetchrow("SELECT team_id, id FROM member WHERE role = 'owner'"):
            return known["team_id"], known["id"]
    owner = await found(owner_db, name="Bench", owner_email="owner@example.com")
    with console.status(f"making {size:,} leads"):
        await demo.fill(owner_db, owner, min(size, 2000))
        if size > 2000:
            await demo.add_leads(owner_db, owner.team_id, owner.id, size - 2000, seed=2)
    with console.status(f"making {ENTRIES} timeline entries a lead"):
        await add_histories(owner_db, owner.team_id, ENTRIES)
    return owner.team_id, owner.id


async def scripts_of(dsn: str, key: str, case: Case, folder: Path, name: str) -> tuple[list[str], str]:
    """Serve requests inside this process; return what was said to PostgreSQL as scripts (options of pgbench), and the
    session's options.

    One script for all leads where the requests differ in nothing else, one for each request otherwise.
    """
    requests = case.requests[:1] if case.lead_ids else case.requests[:SCRIPTS]
    database = await Database.connect(dsn, min_size=1, max_size=1)
    owner_db = await Database.connect(dsn, server_role=False, max_size=1)
    app: Any = create_app(Settings(), database, await shared_secret(owner_db))
    scripts: list[str] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bench") as client:
        for place, (method, path, body) in enumerate(requests):
            headers = {"Authorization": f"Bearer {key}"}
            await client.request(method, path, content=body, headers=headers)  # words that are new are made here
            with recorded() as statements:
                answer = await client.request(method, path, content=body, headers=headers)
            if answer.is_error:
                raise SystemExit(f"{method} {path} was answered {answer.status_code}: {answer.text}")
            file = folder / f"{re.sub('[^a-z]', '-', name)}-{place}.sql"
            made = script(statements, case.lead_ids, f"v{place}_")
            file.write_text(made.text)
            scripts += ["-f", str(file), *(part for pair in made.variables.items() for part in ("-D", "=".join(pair)))]
    async with database.unscoped() as tx:
        told = await tx.fetch(
            """SELECT name, setting FROM pg_settings
                WHERE source = 'client' AND name NOT IN ('application_name', 'client_encoding')"""
        )
    await database.close()
    await owner_db.close()
    # pg_settings does not show the role.
    return scripts, " ".join([f"-c role={SERVER_ROLE}", *(f"-c {row['name']}={row['setting']}" for row in told)])
