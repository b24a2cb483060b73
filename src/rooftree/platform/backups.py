"""Backups: a folder that holds everything an installation is, and says so in a list with checksums.

    20261121T112005Z/
        database.dump   pg_dump's custom format: one consistent moment, whatever is written meanwhile
        blobs/          recordings and files, unless they lie in a bucket
        secret.key      what stored passwords are encrypted with, unless ROOFTREE_SECRET_KEY names it
        backup.json     what belongs here, how large it is, and its SHA-256; written last

It grows under a name that begins with a dot, and gets its own name when everything in it is on disk: what looks like a
backup is one. Files that did not change since the backup before are hard links to it, so a backup costs what is new.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

import rooftree
from rooftree.platform import clock, embedded_postgres, migrations
from rooftree.platform.embedded_postgres import EmbeddedPostgresError
from rooftree.platform.settings import Settings

_NAME: Final = re.compile(r"\d{8}T\d{6}Z")
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_LIST: Final = "backup.json"
_DUMP: Final = "database.dump"
_BLOBS: Final = "blobs"
_KEY: Final = "secret.key"
_CHUNK: Final = 1024 * 1024
#: A line of a dump in front of which all its settings stand, and no data.
_SETTINGS_END_BEFORE: Final = 24
#: What a folder is called while it grows, or is being removed.
_UNFINISHED: Final = ".unfinished-"

#: Hears how far it is: what is done, how much, of how much (0: nobody knows).
Progress = Callable[[str, int, int], None]


class BackupError(Exception):
    """What cannot be backed up or restored; the message says why and what to do."""


class StoredFile(Struct, frozen=True):
    """A file of a backup."""

    path: str  #: relative, with slashes
    size: int  #: in bytes
    sha256: str
    changed_at: float  #: of the original, in seconds since 1970: by size and this one a file counts as unchanged


class Backup(Struct, frozen=True):
    """What a backup says of itself."""

    version: str  #: of Rooftree
    schema: str  #: the newest migration in it
    postgresql: str  #: version of the server
    started_at: datetime  #: the moment that the database is of is not before
    finished_at: datetime
    notes: list[str]  #: what is not in it
    files: list[StoredFile]

    @property
    def size(self) -> int:
        """Bytes in all, those included that are links to older backups."""
        return sum(file.size for file in self.files)


class Restored(Struct, frozen=True):
    """What a restore did."""

    backup: Backup
    tables: int
    rows: int  #: about
    files: int
    has_key: bool


# The programs of PostgreSQL


class Programs(Struct, frozen=True):
    """PostgreSQL's own programs, and how they reach a database. A password is not told to who looks at processes."""

    folder: Path
    dsn: str
    environment: dict[str, str]

    def command(self, name: str, *args: str) -> list[str]:
        """Return a command line for the database."""
        return [str(self.folder / name), f"--dbname={self.dsn}", *args]


async def programs_for(dsn: str) -> Programs:
    """Return programs that can serve this database. Raises: BackupError when its server is newer than all of them."""
    major, version = await _server_version(dsn)
    try:
        folder = embedded_postgres.programs(major)
    except EmbeddedPostgresError:
        raise BackupError(
            f"The server is PostgreSQL {version}, and no pg_dump of version {major} or newer is on this machine: an "
            f"older one does not read it. Install one, for example the package postgresql-client-{major}."
        ) from None
    parts = urlsplit(dsn)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    bare = parts._replace(netloc=f"{name}@{host}" if name else host).geturl()
    return Programs(folder, bare, {**os.environ, **({"PGPASSWORD": unquote(password)} if password else {})})


async def _server_version(dsn: str) -> tuple[int, str]:
    connection = await migrations.connect(dsn)
    try:
        version = connection.get_server_version()
        return version.major, f"{version.major}.{version.minor}"
    finally:
        await connection.close()


async def _call(command: Sequence[str], environment: dict[str, str], what: str) -> None:
    ended = await asyncio.to_thread(
        subprocess.run, list(command), env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if ended.returncode:
        words = ended.stderr.decode(errors="replace").strip().splitlines()
        raise BackupError(f"{what}: {Path(command[0]).name} says: {' '.join(words[-4:])}")


# Making one


async def make(settings: Settings, dsn: str, folder: Path, progress: Progress) -> Path:
    """Make a backup in a folder of backups while the server runs; return where it is.

    The database first, then the files: a file is stored before a row names it, so every row's file is in it.
    Raises: BackupError.
    """
    async with locked(folder):
        _remove_leftovers(folder)
        started_at = clock.now().replace(microsecond=0)
        growing = folder / f"{_UNFINISHED}{started_at.strftime(_STAMP)}"
        growing.mkdir(mode=0o700)
        schema, postgresql = await _dump(dsn, growing / _DUMP, progress)
        before = newest_path(folder)
        files = [await asyncio.to_thread(_described, growing, growing / _DUMP)]
        files += await asyncio.to_thread(_copy_files, settings, growing, before, progress)
        backup = Backup(rooftree.__version__, schema, postgresql, started_at, clock.now(), _left_out(settings), files)
        _write(growing / _LIST, msgspec.json.format(msgspec.json.encode(backup)))
        return _finish(growing, folder, started_at)


@asynccontextmanager
async def locked(folder: Path) -> AsyncGenerator[None]:
    """Keep a folder of backups to ourselves. Raises: BackupError when somebody else is at work in it."""
    lock = _take_lock(folder)
    try:
        yield
    finally:
        os.close(lock)


def _take_lock(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BackupError(f"Backups cannot be kept in {folder}: {error.strerror}.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise BackupError(f"Another backup is being made in {folder}. Wait for it, or choose another folder.") from None
    return lock


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed run left. Nobody else is at work: we hold the lock."""
    for leftover in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover)


async def _dump(dsn: str, target: Path, progress: Progress) -> tuple[str, str]:
    """Dump the database; return its newest migration and its server's version."""
    programs = await programs_for(dsn)
    schema = await _schema(dsn)
    _, version = await _server_version(dsn)
    options = ("--format=custom", "--no-owner", "--no-unlogged-table-data", f"--file={target}")
    dumping = asyncio.create_task(_call(programs.command("pg_dump", *options), programs.environment, "Not backed up"))
    while not (await asyncio.wait({dumping}, timeout=0.2))[0]:
        progress("database", _size(target), 0)
    await dumping
    await asyncio.to_thread(_sync, target)
    return schema, version


async def _schema(dsn: str) -> str:
    connection = await migrations.connect(dsn)
    try:
        async with connection.transaction():
            if await connection.fetchval("SELECT to_regclass('schema_migration') IS NULL"):
                raise BackupError("There is nothing to back up: the database has no tables of Rooftree yet.")
            return str(await connection.fetchval("SELECT max(name) FROM schema_migration"))
    finally:
        await connection.close()


def _copy_files(settings: Settings, growing: Path, before: Path | None, progress: Progress) -> list[StoredFile]:
    """Copy what lies beside the database; what the backup before has already is linked to it."""
    known = {file.path: file for file in read(before).files} if before else {}
    sources = list(_sources(settings))
    stored: list[StoredFile] = []
    for number, (path, source) in enumerate(sources, 1):
        with contextlib.suppress(FileNotFoundError):  # gone meanwhile: whoever removed it had its row removed before
            stored.append(_store(source, growing, path, known.get(path), before))
        progress("files", number, len(sources))
    return stored


def _sources(settings: Settings) -> Iterator[tuple[str, Path]]:
    key = settings.data_path / _KEY
    if not settings.secret_key and key.exists():
        yield _KEY, key
    blobs = settings.data_path / _BLOBS
    if not settings.blob_url:
        for source in sorted(blobs.rglob("*")):
            path = source.relative_to(blobs).as_posix()
            if source.is_file() and "/." not in f"/{path}":  # a draft is no blob yet
                yield f"{_BLOBS}/{path}", source


def _store(source: Path, growing: Path, path: str, known: StoredFile | None, before: Path | None) -> StoredFile:
    info = source.stat()
    target = growing / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if known and before and (known.size, known.changed_at) == (info.st_size, info.st_mtime):
        with contextlib.suppress(OSError):  # a file system without links, or a file that somebody removed: copied
            os.link(before / path, target)
            return known
    shutil.copy2(source, target)
    target.chmod(0o600)
    _sync(target)
    return _described(growing, target)


def _described(folder: Path, file: Path) -> StoredFile:
    info = file.stat()
    return StoredFile(file.relative_to(folder).as_posix(), info.st_size, _sha256(file), info.st_mtime)


def _left_out(settings: Settings) -> list[str]:
    notes: list[str] = []
    if settings.blob_url:
        notes.append("Recordings are not in it: they lie in the bucket of ROOFTREE_BLOB_URL. Let it keep versions.")
    if settings.secret_key:
        notes.append("ROOFTREE_SECRET_KEY is not in it: without it stored passwords cannot be read. Keep it elsewhere.")
    return notes


def _finish(growing: Path, folder: Path, started_at: datetime) -> Path:
    for path in (growing, *growing.rglob("*")):
        if path.is_dir():
            _sync(path)
    final = folder / started_at.strftime(_STAMP)
    try:
        growing.rename(final)
    except OSError as error:
        raise BackupError(f"{final} is there already ({error.strerror}): wait a second, and try again.") from None
    _sync(folder)
    return final


# Looking at them


def kept(folder: Path) -> list[Path]:
    """Return the backups in a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and (path / _LIST).is_file())


def newest_path(folder: Path) -> Path | None:
    """Return the newest backup in a folder."""
    return next(reversed(kept(folder)), None)


def newest_at(folder: Path) -> float:
    """Return when the newest backup in a folder was finished, in seconds since 1970; 0: none, or nobody may look."""
    try:
        path = newest_path(folder)
        return (path / _LIST).stat().st_mtime if path else 0.0
    except OSError:
        return 0.0


def read(path: Path) -> Backup:
    """Return what a backup says of itself. Raises: BackupError when this is none."""
    try:
        return msgspec.json.decode((path / _LIST).read_bytes(), type=Backup)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{path} is no backup: its {_LIST} cannot be read ({error}).") from None


def prune(folder: Path, keep: int) -> list[Path]:
    """Remove the oldest backups beyond so many; return which. One that is being removed does not look like one."""
    surplus = kept(folder)[:-keep]
    for path in surplus:
        leaving = path.with_name(f"{_UNFINISHED}{path.name}")
        path.rename(leaving)
        shutil.rmtree(leaving)
    return surplus


async def verify(path: Path, progress: Progress) -> Backup:
    """Read all of a backup, compare it with its list, and let pg_restore read the dump. Raises: BackupError."""
    backup = read(path)
    await asyncio.to_thread(_compare, path, backup, progress)
    folder = embedded_postgres.programs()
    command = [str(folder / "pg_restore"), f"--file={os.devnull}", str(path / _DUMP)]
    await _call(command, dict(os.environ), "The dump cannot be read")
    return backup


def _compare(path: Path, backup: Backup, progress: Progress) -> None:
    if not any(file.path == _DUMP for file in backup.files):
        raise BackupError(f"{path} names no {_DUMP}.")
    done = 0
    for file in backup.files:
        stored = path / file.path
        if not stored.is_file():
            raise BackupError(f"{stored} is missing. Use another backup.")
        if stored.stat().st_size != file.size or _sha256(stored) != file.sha256:
            raise BackupError(f"{stored} is not what was stored: its checksum differs. Use another backup.")
        done += file.size
        progress("reading", done, backup.size)


# Putting one back


async def restore(settings: Settings, path: Path, dsn: str, progress: Progress) -> Restored:
    """Put a backup into an empty database and an empty data folder. Nothing that is there is overwritten.

    Files first, the database last and in one transaction: a run that was cut off has no database, and is repeated.
    Raises: BackupError.
    """
    backup = await verify(path, progress)
    _check_fits(backup)
    if not await migrations.is_empty(dsn):
        raise BackupError("The database is not empty: restore into a fresh one (another ROOFTREE_DATA_DIR or URL).")
    chosen = [file for file in backup.files if file.path != _DUMP and _is_wanted(settings, file)]
    await asyncio.to_thread(_check_free, settings, chosen)
    await asyncio.to_thread(_put_back, settings, path, chosen, progress)
    await migrations.prepare_role(dsn)
    programs = await programs_for(dsn)
    await load(programs, path / _DUMP)
    tables, rows = await _analysed(dsn)
    return Restored(backup, tables, rows, len(chosen), any(file.path == _KEY for file in chosen))


async def load(programs: Programs, dump: Path) -> None:
    """Load a dump into a database whose role of the server exists: all of it, or nothing. Raises: BackupError."""
    await asyncio.to_thread(_load, programs, dump)


def _load(programs: Programs, dump: Path) -> None:
    """Let pg_restore write SQL, and psql run it.

    Connected by itself, pg_restore of 17 and newer begins with a setting that servers of 15 and 16 refuse.
    """
    writing = [str(programs.folder / "pg_restore"), "--no-owner", "--file=-", str(dump)]
    running = programs.command(
        "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"
    )
    with (
        subprocess.Popen(writing, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer,
        subprocess.Popen(
            running,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=programs.environment,
        ) as runner,
    ):
        assert writer.stdout
        assert runner.stdin
        with contextlib.suppress(BrokenPipeError):  # psql has met an error, and says it below
            _pass_on(writer.stdout, runner.stdin)
            if writer.wait():
                runner.kill()  # at the end of what it is given it would commit
            runner.stdin.close()
        writer.stdout.close()
        is_broken = writer.wait() not in (0, -signal.SIGPIPE)
        said = (writer if is_broken else runner).stderr
        assert said
        words = said.read().decode(errors="replace").strip().splitlines()
        if is_broken or runner.wait():
            program = "pg_restore" if is_broken else "psql"
            raise BackupError(f"Nothing was restored: {program} says: {' '.join(words[:4])}")


def _pass_on(sql: IO[bytes], psql: IO[bytes]) -> None:
    """Copy all but the setting, which is one of the first lines."""
    for _, line in zip(range(_SETTINGS_END_BEFORE), sql, strict=False):
        if not line.startswith(b"SET transaction_timeout"):
            psql.write(line)
    shutil.copyfileobj(sql, psql, _CHUNK)


def _check_fits(backup: Backup) -> None:
    ours = [migration.name for migration in migrations.shipped()]
    if backup.schema not in ours:
        raise BackupError(
            f"The backup is of Rooftree {backup.version} with the schema {backup.schema}, which this version "
            f"({rooftree.__version__}) does not know. Restore it with that version or a newer one."
        )


def _is_wanted(settings: Settings, file: StoredFile) -> bool:
    return not (settings.secret_key if file.path == _KEY else settings.blob_url)


def _check_free(settings: Settings, files: Sequence[StoredFile]) -> None:
    """Refuse a data folder that holds something else than what a run before ours has put back."""
    ours = {file.path: file for file in files}
    for path, found in _sources(settings):
        file = ours.get(path)
        if file is None or found.stat().st_size != file.size or _sha256(found) != file.sha256:
            raise BackupError(
                f"{found} is there already, and not what the backup holds. Restore into a fresh ROOFTREE_DATA_DIR."
            )


def _put_back(settings: Settings, path: Path, files: Sequence[StoredFile], progress: Progress) -> None:
    """Copy files to their places; as root they become those of who the data folder belongs to."""
    base = settings.data_path
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = base.stat()
    for number, file in enumerate(files, 1):
        target = base / file.path
        made = [folder for folder in target.relative_to(base).parents if not (base / folder).exists()]
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.restored")
        shutil.copy2(path / file.path, draft)
        _sync(draft)
        draft.replace(target)
        _sync(target.parent)
        if os.geteuid() == 0:
            for place in (target, *(base / folder for folder in made)):
                os.chown(place, owner.st_uid, owner.st_gid)
        progress("files", number, len(files))


async def _analysed(dsn: str) -> tuple[int, int]:
    """Let the planner look at the data, of which a dump tells it nothing; return how many tables and rows there are."""
    connection = await migrations.connect(dsn)
    try:
        await connection.execute("ANALYZE")
        async with connection.transaction():
            row = await connection.fetchrow(
                """SELECT count(*), coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
                    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"""
            )
        assert row is not None
        return row[0], row[1]
    finally:
        await connection.close()


# Files


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write(file: Path, content: bytes) -> None:
    with file.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
