"""Through a real PgBouncer in transaction mode, with fewer connections than clients: nothing mixes, nothing is lost.

Debian's PgBouncer of 2022 (1.18) knows no prepared statements at all. CI installs it; elsewhere its absence skips this.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg
import pytest
from tests.conftest import fresh_database
from tests.support.client import Client
from tests.support.people import People, settle

from rooftree import worker
from rooftree.app import create_app
from rooftree.platform.database import Database
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.jobs import enqueue
from rooftree.platform.migrations import check, migrate
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(not PGBOUNCER and not os.environ.get("CI"), reason="needs pgbouncer")
SERVER_CONNECTIONS = 2
CLIENTS = 12


@pytest.fixture
async def direct(server_dsn: str) -> str:
    """A migrated database of its own, whose session settings are not ours; its URL past the pooler."""
    dsn = await fresh_database(server_dsn)
    administrator = await asyncpg.connect(server_dsn)
    await administrator.execute(f"ALTER DATABASE {urlsplit(dsn).path.lstrip('/')} SET timezone = 'Asia/Tokyo'")
    await administrator.close()
    return dsn


@pytest.fixture
def pooled(direct: str) -> Iterator[str]:
    """The same database through PgBouncer."""
    assert PGBOUNCER, "CI has to install pgbouncer"
    parts = urlsplit(direct)
    place = parse_qs(parts.query)
    socket_dir, port = place["host"][0], place["port"][0]
    with tempfile.TemporaryDirectory(prefix="rtb") as name:
        folder = Path(name)
        (folder / "users.txt").write_text(f'"{parts.username}" "{parts.password}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"""[databases]
* = host={socket_dir} port={port}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 200
"""
        )
        # It refuses to be root, and PostgreSQL's socket lets in its own account alone.
        account = Path(socket_dir).stat().st_uid if Path(socket_dir).is_dir() else os.geteuid()
        for path in (folder, *folder.iterdir()):
            os.chown(path, account, -1)
        with (folder / "log").open("w+") as log:
            process = subprocess.Popen([PGBOUNCER, folder / "pgbouncer.ini"], user=account, stdout=log, stderr=log)
            yield f"postgresql://{parts.netloc.rpartition('@')[0]}@{parts.path}?host={quote(name, safe='')}&port=6432"
            process.terminate()
            process.wait(20)


@pytest.fixture
async def app(pooled: str, tmp_path: Path) -> tuple[RequestIds, People, Database]:
    """The application behind the pooler, counting requests, with more connections than the pooler has."""
    async with asyncio.timeout(20):
        while True:
            try:
                owner = await Database.connect(pooled, server_role=False, max_size=4, is_pooled=True)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
            else:
                break
    secret = await shared_secret(owner)
    people = await settle(owner, secret)
    database = await Database.connect(pooled, min_size=CLIENTS, max_size=CLIENTS, is_pooled=True)
    settings = Settings(data_dir=str(tmp_path), secret_key="test", auth_failures_per_minute=1_000_000)
    return create_app(settings, database, secret), people, owner


async def test_many_clients_of_two_teams_share_two_connections(
    app: tuple[RequestIds, People, Database], pooled: str
) -> None:
    """Every request of each sees and changes its own team, in the session settings that it expects."""
    built, people, owner = app

    async def busy(client: Client, name: str) -> list[int]:
        made = []
        for number in range(6):
            body = {"firstName": name, "emails": [f"{name}.{number}@example.com"], "tags": [name]}
            lead_id = (await client.ok("POST", "/v1.0/leads", body))["leadId"]
            assert (await client.lead(lead_id))["firstName"] == name
            await client.ok("POST", "/v1.0/notes", {"leadId": lead_id, "content": name})
            assert lead_id in await client.ids(key=f"{name}.{number}", limit=100)
            made.append(lead_id)
        return made

    async with Client(built) as client:
        persons = [people.adam, people.sid] * (CLIENTS // 2)
        made = await asyncio.gather(*(busy(client.as_(person), f"p{number}") for number, person in enumerate(persons)))
        for person in (people.olive, people.stella):
            own = {i for one, ids in zip(persons, made, strict=True) if one.team_id == person.team_id for i in ids}
            assert set(await client.as_(person).ids(limit=100)) == own
    async with owner.unscoped() as tx:
        assert await tx.fetchval("SHOW timezone") == "UTC"
        assert await tx.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = current_user") <= (
            SERVER_CONNECTIONS + 1
        )
    await built.state.database.close()
    await owner.close()


async def test_requests_are_counted_there_and_retried_ones_are_recognised(
    app: tuple[RequestIds, People, Database],
) -> None:
    built, people, owner = app
    built.state.limits.is_on = True
    async with Client(built) as client:
        reading = [client.as_(people.adam).send("GET", "/v1.0/me") for _ in range(15)]
        writing = [client.as_(people.stella).send("POST", "/v1.0/leads", {"firstName": "S"}) for _ in range(10)]
        answers = await asyncio.gather(*reading, *writing)
        assert sorted(answer.status_code for answer in answers[:15]) == [200] * 10 + [429] * 5
        assert [answer.status_code for answer in answers[15:]] == [200] * 10
        sent = {"Authorization": f"Bearer {people.sid.key}", "Idempotency-Key": "once"}
        body = b'{"firstName": "Once"}'
        first, second = [
            await client.send("POST", "/v1.0/leads", content=body, headers={**sent, "Content-Type": "application/json"})
            for _ in range(2)
        ]
        assert first.json() == second.json()
    await built.state.database.close()
    await owner.close()


@pytest.mark.parametrize("has_direct", [False, True])
async def test_a_worker_behind_the_pooler_does_its_jobs(
    app: tuple[RequestIds, People, Database], pooled: str, direct: str, tmp_path: Path, has_direct: bool
) -> None:
    """It looks by itself, or listens past the pooler; nobody listens on the pooler's connections."""
    built, people, owner = app
    stop = asyncio.Event()
    url = direct if has_direct else ""
    settings = Settings(
        database_url=pooled, database_direct_url=url, database_pooler=True, data_dir=str(tmp_path), secret_key="test"
    )
    working = asyncio.create_task(worker.work(pooled, stop, settings))
    async with owner.transaction(people.adam.team_id) as tx:
        job_id = await enqueue(tx, "send_message", message_id=1)
    async with asyncio.timeout(20):
        while True:
            async with owner.unscoped() as tx:
                if not await tx.fetchval("SELECT EXISTS (SELECT FROM job WHERE id = $1)", job_id):
                    break
            await asyncio.sleep(0.05)
    async with owner.unscoped() as tx:
        listening = await tx.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
    assert (listening > 0) == has_direct
    stop.set()
    await asyncio.wait_for(working, 30)
    await built.state.database.close()
    await owner.close()


async def test_two_that_migrate_through_the_pooler_leave_no_lock(
    app: tuple[RequestIds, People, Database], pooled: str
) -> None:
    built, _, owner = app
    assert await asyncio.gather(migrate(pooled), migrate(pooled), check(pooled)) == [[], [], []]
    async with owner.unscoped() as tx:
        held = await tx.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        )
    assert held == 0
    await built.state.database.close()
    await owner.close()
