"""A database of the first schema becomes one of the newest, with everything in it, whatever happens meanwhile.

first_schema/ was written by the first server whose migrations were never edited again (0001 to 0008): demo leads and
some made by hand over HTTP, every table that had rows as PostgreSQL's COPY text, and the leads as that server answered
them. The signing secret is left out, so keys are made anew. Later migrations need no change here.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest
from tests.conftest import SETTINGS, fresh_database
from tests.support.client import Client
from tests.support.people import Person

from rooftree.app import ROUTES, serve_from
from rooftree.auth.actions import create_key
from rooftree.platform.database import Database
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.migrations import check, migrate, shipped
from rooftree.platform.secret import shared_secret

FIRST = Path(__file__).with_name("first_schema")
FIRST_MIGRATIONS = 8
#: What must read the same for ever.
KEPT = ("leadId", "firstName", "lastName", "emails", "phones", "stage", "source", "assignedUserId", "segments")
COMMAND = [sys.executable, "-m", "rooftree", "migrate"]


@pytest.fixture
async def old(server_dsn: str) -> str:
    """A database as the first server left it; its URL as its owner."""
    dsn = await fresh_database(server_dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute("DROP OWNED BY CURRENT_USER CASCADE; CREATE SCHEMA IF NOT EXISTS public")
    await connection.close()
    await migrate(dsn, shipped()[:FIRST_MIGRATIONS])
    administrator = await asyncpg.connect(server_dsn, database=urlsplit(dsn).path.lstrip("/"))
    await administrator.execute("SET session_replication_role = replica")  # in any order
    for table, columns, rows in _stored():
        await administrator.copy_to_table(table, source=BytesIO(rows), columns=columns)
    await administrator.close()
    return dsn


def _stored() -> Iterator[tuple[str, list[str], bytes]]:
    for part in (FIRST / "data.copy").read_bytes().split(b"\n\\.\n")[:-1]:
        head, _, rows = part.partition(b"\n")
        _, table, columns = head.decode().split(" ")
        yield table, columns.split(","), rows + b"\n"


def _environment(dsn: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROOFTREE_")}
    return {**inherited, "ROOFTREE_DATABASE_URL": dsn}


async def _counts(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table, _, _ in _stored()}
    await connection.close()
    return counts


async def test_everything_reads_after_two_servers_migrated_at_once(old: str, built: RequestIds) -> None:
    before = await _counts(old)
    starts = [asyncio.create_subprocess_exec(*COMMAND, env=_environment(old)) for _ in range(2)]
    assert [await (await start).wait() for start in starts] == [0, 0]
    assert await check(old) == []
    assert {table: count for table, count in (await _counts(old)).items() if count < before[table]} == {}

    owner = await Database.connect(old, server_role=False, max_size=2)
    db = await Database.connect(old, max_size=4)
    serve_from(built.state, SETTINGS, db, await shared_secret(owner))
    async with Client(built) as client:
        await _reads(client.as_(await _olive(owner)))
    await db.close()
    await owner.close()


async def _olive(owner: Database) -> Person:
    """The owner of the old team, with a key."""
    secret = await shared_secret(owner)
    async with owner.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, id, email FROM member WHERE role = 'owner'")
    assert row is not None
    async with owner.transaction(row["team_id"]) as tx:
        key, _ = await create_key(tx, secret, row["id"], "upgraded")
    return Person("olive", row["team_id"], row["id"], row["email"], None, key)


async def _reads(olive: Client) -> None:
    stored: list[dict[str, Any]] = msgspec.json.decode((FIRST / "leads.json").read_bytes())
    listed = {lead["leadId"]: lead for lead in (await olive.ok("GET", "/v1.0/leads?limit=100"))["leads"]}
    assert set(listed) == {lead["leadId"] for lead in stored}
    for lead in stored:
        alone = await olive.lead(lead["leadId"])
        for answered in (listed[lead["leadId"]], alone):
            assert {name: answered[name] for name in KEPT} == {name: lead[name] for name in KEPT}
            assert {tag["tagName"] for tag in answered["tags"]} == {tag["tagName"] for tag in lead["tags"]}
    assert await olive.ids(key="O'Neill") == [next(lead["leadId"] for lead in stored if lead["lastName"] == "O'Neill")]
    assert (await olive.ok("POST", "/v1.0/leads", {"firstName": "New"}))["leadId"] not in listed
    some_lead = next(lead["leadId"] for lead in stored if lead["tags"])
    for path in sorted({path for route in ROUTES if "GET" in route.http_methods for path in route.paths}):
        for url in (_filled(path, some_lead), _filled(path, some_lead) + f"?leadId={some_lead}"):
            answer = await olive.send("GET", url)
            assert answer.status_code < 500, f"{url}: {answer.status_code} {answer.text}"


def _filled(path: str, lead_id: int) -> str:
    """Put the lead's id in the place of every parameter of a path."""
    return "/".join(str(lead_id) if part.startswith("{") else part for part in path.split("/"))


async def test_killed_in_the_middle_it_goes_on_where_it_was(old: str) -> None:
    """Somebody's lock holds up 0018, which alters the outbox; there the migrating server dies."""
    blocker = await asyncpg.connect(old)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("LOCK TABLE announcement IN ACCESS SHARE MODE")
    process = subprocess.Popen(COMMAND, env=_environment(old), start_new_session=True)
    waiting = """SELECT count(*) FROM pg_locks
                  WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    while not await blocker.fetchval(waiting):
        assert process.poll() is None
        await asyncio.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    await transaction.rollback()
    await blocker.close()
    left = await check(old)
    assert left[0].startswith("0018")
    assert await migrate(old) == left
    assert await check(old) == []
