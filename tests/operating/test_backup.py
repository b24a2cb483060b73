"""What a backup holds, how it is found to be damaged, and what a restore refuses."""

import shutil
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.conftest import fresh_database

from rooftree.platform import backups
from rooftree.platform.backups import BackupError
from rooftree.platform.settings import Settings


def _silent(what: str, done: int, total: int) -> None:
    assert done <= total or not total, what


@pytest.fixture
async def url(server_dsn: str) -> str:
    """A migrated database."""
    return await fresh_database(server_dsn)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with a recording and a key."""
    blobs = tmp_path / "data" / "blobs"
    (blobs / "1" / "recordings").mkdir(parents=True)
    (blobs / "1" / "recordings" / "7").write_bytes(b"seven")
    (blobs / ".drafts").mkdir()
    (blobs / ".drafts" / "x").write_bytes(b"half")
    (tmp_path / "data" / "secret.key").write_text("key")
    return Settings(data_dir=str(tmp_path / "data"))


async def _empty(server_dsn: str) -> str:
    """A database of its own without tables."""
    url = await fresh_database(server_dsn)
    connection = await asyncpg.connect(url)
    await connection.execute("DROP OWNED BY CURRENT_USER CASCADE; CREATE SCHEMA IF NOT EXISTS public")
    await connection.close()
    return url


async def _make(settings: Settings, url: str, name: str) -> Path:
    """Make a backup as if at another time."""
    folder = settings.backup_path
    path = await backups.make(settings, url, folder, _silent)
    return path.rename(folder / name)


async def test_backups_hold_what_is_needed_and_no_more(settings: Settings, url: str) -> None:
    first = await _make(settings, url, "20260101T000000Z")
    assert sorted(file.path for file in backups.read(first).files) == [
        "blobs/1/recordings/7",
        "database.dump",
        "secret.key",
    ]
    (settings.data_path / "blobs" / "1" / "recordings" / "8").write_bytes(b"eight")
    second = await _make(settings, url, "20260102T000000Z")
    seventh = Path("blobs", "1", "recordings", "7")
    assert (first / seventh).stat().st_ino == (second / seventh).stat().st_ino  # what did not change costs nothing
    assert (second / "blobs" / "1" / "recordings" / "8").read_bytes() == b"eight"
    (settings.backup_path / ".unfinished-20260103T000000Z").mkdir()  # of a killed run
    third = await _make(settings, url, "20260104T000000Z")
    assert backups.prune(settings.backup_path, 2) == [first]
    assert backups.kept(settings.backup_path) == [second, third]
    assert sorted(path.name for path in settings.backup_path.iterdir()) == [".lock", second.name, third.name]
    assert (await backups.verify(second, _silent)).files  # not harmed by what was removed


@pytest.mark.parametrize("name", ["database.dump", "blobs/1/recordings/7", "backup.json"])
async def test_a_damaged_backup_is_found_out(settings: Settings, url: str, name: str) -> None:
    path = await _make(settings, url, "20260101T000000Z")
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BackupError, match=r"Use another backup|is no backup"):
        await backups.verify(path, _silent)
    (path / name).unlink()
    with pytest.raises(BackupError, match=r"is missing|is no backup"):
        await backups.verify(path, _silent)


async def test_a_restore_overwrites_nothing_and_goes_on_where_it_was_cut_off(
    settings: Settings, url: str, server_dsn: str, tmp_path: Path
) -> None:
    path = await _make(settings, url, "20260101T000000Z")
    with pytest.raises(BackupError, match="not empty"):
        await backups.restore(Settings(data_dir=str(tmp_path / "other")), path, url, _silent)
    empty = await _empty(server_dsn)
    other = Settings(data_dir=str(tmp_path / "other"))
    other.data_path.mkdir()
    (other.data_path / "secret.key").write_text("another")
    with pytest.raises(BackupError, match="there already"):
        await backups.restore(other, path, empty, _silent)
    shutil.copy2(settings.data_path / "secret.key", other.data_path / "secret.key")  # as a run before put it back
    done = await backups.restore(other, path, empty, _silent)
    assert (done.files, done.has_key) == (2, True)
    assert done.tables > 40
    assert (other.data_path / "blobs" / "1" / "recordings" / "7").read_bytes() == b"seven"


async def test_a_load_that_fails_leaves_nothing(settings: Settings, url: str, server_dsn: str) -> None:
    dump = (await _make(settings, url, "20260101T000000Z")) / "database.dump"
    empty = await _empty(server_dsn)
    connection = await asyncpg.connect(empty)
    await connection.execute("CREATE TABLE webhook (x int)")  # the load meets it after many tables
    content = dump.read_bytes()
    for kept, words in ((len(content), "psql says.*already exists"), (len(content) * 2 // 3, "pg_restore says")):
        dump.write_bytes(content[:kept])
        with pytest.raises(BackupError, match=words):
            await backups.load(await backups.programs_for(empty), dump)
    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    assert [row[0] for row in await connection.fetch(tables)] == ["webhook"]
    await connection.close()


async def test_what_is_not_in_it_is_said(settings: Settings, url: str) -> None:
    elsewhere = Settings(data_dir=settings.data_dir, blob_url="s3://bucket/x", secret_key="k")
    path = await _make(elsewhere, url, "20260101T000000Z")
    found = backups.read(path)
    assert [file.path for file in found.files] == ["database.dump"]
    assert ["ROOFTREE_BLOB_URL" in found.notes[0], "ROOFTREE_SECRET_KEY" in found.notes[1]] == [True, True]


async def test_a_newer_server_than_every_pg_dump_is_said(
    settings: Settings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def version(dsn: str) -> tuple[int, str]:
        return 99, f"99.1 at {dsn[:4]}"

    monkeypatch.setattr(backups, "_server_version", version)
    with pytest.raises(BackupError, match=r"PostgreSQL 99\.1.* no pg_dump of version 99 or newer"):
        await backups.make(settings, url, settings.backup_path, _silent)
    assert backups.kept(settings.backup_path) == []


async def test_a_newer_schema_is_refused_before_anything_is_done(
    settings: Settings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await _make(settings, url, "20260101T000000Z")
    monkeypatch.setattr(backups.migrations, "shipped", list[Any])
    with pytest.raises(BackupError, match=r"this version .* does not know"):
        await backups.restore(Settings(data_dir=str(path)), path, url, _silent)


async def test_two_backups_at_once_are_one(settings: Settings, url: str) -> None:
    async with backups.locked(settings.backup_path):
        with pytest.raises(BackupError, match="Another backup"):
            await backups.make(settings, url, settings.backup_path, _silent)


async def test_a_password_stands_in_no_command_line(url: str) -> None:
    programs = await backups.programs_for(url)
    assert ":test@" in url
    assert "test@" not in " ".join(programs.command("pg_dump"))
    assert programs.environment["PGPASSWORD"] == "test"
