"""What an archive holds to the letter, and what is refused."""

import asyncio
import hashlib
import json
import tarfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import Struct
from tests.conftest import fresh_database

from rooftree.archive import queries
from rooftree.archive.actions import export_team, import_team
from rooftree.archive.errors import ArchiveError
from rooftree.archive.packing import packed, unpacked
from rooftree.archive.rules import FORMATS, KIND_OF
from rooftree.cli.founding import found
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.vault import Vault

VAULT: Final = Vault(b"new")
TEXTS: Final = ["", " ", "NULL", "\\N", "\\.", "a\n\\.\nb", '"', "a,b;c\td\r\n", "=1+1", "ü €\u2028😀", "{a}", "\x7f"]


class Team(Struct):
    """A team with odd texts in every kind of column."""

    database: Database
    team_id: int
    login: str
    blobs: BlobStore
    folder: Path

    async def export(self, kind: str, name: str) -> Path:
        """Write an archive."""
        with packed(self.folder / name) as packer:
            await export_team(self.database, self.team_id, packer, kind, self.blobs)
        return self.folder / name


@pytest.fixture
async def team(owner_db: Database, tmp_path: Path) -> Team:
    """A team with odd texts in every kind of column."""
    owner = await found(owner_db, name="Realty", owner_email=f"olive.{uuid.uuid4()}@example.com")
    blobs = BlobStore.open("", tmp_path / "blobs")
    async with owner_db.transaction(owner.team_id) as tx:
        await tx.execute(
            """INSERT INTO lead (team_id, first_name, last_name, emails, phone_statuses, stage_id, ownership_scope,
                                 ownership_id, inquiry, birthday_on, assigned_at, created_at)
               SELECT $1, t.text, nullif(t.text, ''), ARRAY[t.text, ''], ARRAY[NULL, 1], s.id, 'TEAM', $1,
                      CASE t.place % 3 WHEN 0 THEN 'null'::jsonb WHEN 1 THEN jsonb_build_object('text', t.text) END,
                      '0002-02-02', '1969-12-31 23:59:59.999999+00', '2024-05-01 12:00:00.000001+02'
                 FROM unnest($2::text[]) WITH ORDINALITY t (text, place),
                      (SELECT id FROM stage WHERE team_id = $1 ORDER BY position LIMIT 1) s""",
            owner.team_id,
            TEXTS,
        )
        await tx.execute(
            """INSERT INTO arrival (team_id, channel, provider_id, sender, recipient, body, raw)
               SELECT $1, 'email', coalesce(md5(r), ''), '', '', '', r FROM unnest(ARRAY[$2, NULL, '']::bytea[]) r""",
            owner.team_id,
            bytes(range(256)),
        )
        await tx.execute(
            """INSERT INTO lead_transaction (team_id, lead_id, transaction_name, transaction_type, transaction_status,
                                             home_price, gci, commissions)
               VALUES ($1, 1, '', 'Buyer', '', 0.1, 1e300, 'null'), ($1, 1, '', 'Buyer', '', -0.0, NULL, NULL)""",
            owner.team_id,
        )
        await tx.execute(
            """INSERT INTO announcement (team_id, list_id, verb, payload, audience, seq)
               VALUES ($1, 1, 'x', '{}', '{}', nextval('announcement_seq') + 1000)""",
            owner.team_id,
        )
        await tx.execute(
            """INSERT INTO webhook (team_id, member_id, list_id, callback_url, batch_limit, permission_mode, secret)
               VALUES ($1, $2, 1, 'https://example.com', 1, 0, $3)""",
            owner.team_id,
            owner.id,
            b"SECRET-of-a-webhook",
        )
        await tx.execute(
            "INSERT INTO member_password (team_id, member_id, password_hash) VALUES ($1, $2, 'SECRET-hash')",
            owner.team_id,
            owner.id,
        )
        await tx.execute(
            """INSERT INTO oauth_app (team_id, client_id, name, secret_hash)
               VALUES ($1, $3, 'A', $2), ($1, $3 || '2', 'B', NULL)""",
            owner.team_id,
            b"SECRET-of-an-app",
            owner.email,
        )
        key = f"{owner.team_id}/recordings/5"
        await blobs.put(key, b"sound", "audio/mpeg")
        for number, named in ((1, key), (2, f"{owner.team_id}/recordings/gone")):
            await tx.execute(
                "INSERT INTO call (team_id, id, direction, recording_key) VALUES ($1, $2, 'inbound', $3)",
                owner.team_id,
                number,
                named,
            )
    return Team(owner_db, owner.team_id, owner.email, blobs, tmp_path)


@pytest.fixture(scope="module")
def other_dsn(server_dsn: str) -> str:
    """Another server's database."""
    return asyncio.run(fresh_database(server_dsn))


@pytest.fixture
async def other(other_dsn: str) -> AsyncIterator[Database]:
    """Another server, which begins empty; teams come to it test by test."""
    database = await Database.connect(other_dsn, min_size=0, max_size=2, server_role=False)
    yield database
    await database.close()


async def rows(database: Database, team_id: int) -> dict[str, Any]:
    """Every row that is archived, as PostgreSQL writes it. Of the webhook's secret, only whether it is there."""
    async with database.transaction(team_id) as tx:
        found: dict[str, Any] = {}
        for table in await queries.tables(tx):
            if (kind := KIND_OF.get(table)) and not kind.is_credential:
                owner = "id" if table == "team" else "team_id"
                hidden = "".join(f", t.{name} IS NULL" for name in kind.secrets)
                document = "to_jsonb(t)" + "".join(f" - '{name}'" for name in kind.secrets)
                # The text tells a document that is null from one that is absent, which to_jsonb does not.
                text = "t::text" if not kind.secrets else "''"
                number = ", t.seq" if table == "announcement" else ""
                sql = f"SELECT {text}, {document}{hidden}{number} FROM {table} t WHERE {owner} = $1 ORDER BY 1, 2"
                found[table] = [tuple(row) for row in await tx.fetch(sql, team_id)]
        return found


async def _import(database: Database, path: Path, blobs: BlobStore) -> None:
    with unpacked(path) as unpacker:
        await import_team(database, unpacker, unpacker.manifest(), blobs, VAULT, region="US")


@pytest.mark.parametrize("kind", FORMATS)
async def test_every_value_comes_back(other: Database, team: Team, kind: str) -> None:
    path, blobs = await team.export(kind, "archive.tar"), BlobStore.open("", team.folder / "new")
    await _import(other, path, blobs)
    before, after = await rows(team.database, team.team_id), await rows(other, team.team_id)
    assert {table for table in before if before[table] != after[table]} == set()
    assert len(before["lead"]) == len(TEXTS)
    assert await blobs.read(f"{team.team_id}/recordings/5") == b"sound"
    async with other.transaction(team.team_id) as tx:
        assert await tx.fetchval("SELECT nextval('announcement_seq')") > before["announcement"][0][2]
        assert await tx.fetchval("SELECT next_id() > max(id) FROM lead WHERE team_id = $1", team.team_id)
        assert VAULT.open(await tx.fetchval("SELECT secret FROM webhook WHERE team_id = $1", team.team_id)).startswith(
            "whsec_"
        )
        assert await tx.fetchval("SELECT count(*) FROM lead_search WHERE team_id = $1", team.team_id) == len(TEXTS)


async def test_nothing_secret_stands_in_an_archive_unless_it_is_asked_for(team: Team) -> None:
    folder = await team.export("ndjson", "archive")
    everything = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    assert b"SECRET" not in everything
    assert b"U0VDUkVU" not in everything, "nor in base64"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert not {one["table"] for one in manifest["tables"]} & {"api_key", "member_password", "mail_account"}
    assert (manifest["file_count"], manifest["missing_files"]) == (2, 1)


async def test_what_is_there_already_is_refused_whole(other: Database, team: Team) -> None:
    path = await team.export("csv", "archive.zip")
    before = await rows(team.database, team.team_id)
    with pytest.raises(ArchiveError, match="is here already"):
        await _import(team.database, path, team.blobs)
    assert await rows(team.database, team.team_id) == before
    stella = await found(other, name="Rivals", owner_email=team.login.upper())
    with pytest.raises(ArchiveError, match="member: a row of the archive is here already"):
        await _import(other, path, team.blobs)
    async with other.transaction(stella.team_id) as tx:
        assert await queries.team_name(tx, team.team_id) is None, "all of it or nothing"
        await tx.execute("UPDATE member SET email = 'stella@example.com' WHERE team_id = $1", stella.team_id)
    await _import(other, path, team.blobs)  # beside another team
    assert await rows(other, team.team_id) == before


def _rewrite(folder: Path, name: str, content: bytes) -> None:
    """Change a file of an archive, and its line in the manifest, as somebody who knows how would."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for member in [*(one["file"] for one in manifest["tables"]), manifest["files"]]:
        if member["name"] == name:
            member |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))


async def test_a_damaged_or_forged_archive_is_refused(other: Database, team: Team) -> None:
    folder = await team.export("ndjson", "archive")
    whole = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    leads, files, calls = (whole[f"{name}.ndjson"] for name in ("leads", "files", "calls"))
    ours, theirs = str(team.team_id).encode(), str(team.team_id + 1).encode()

    async def refused(match: str) -> None:
        with pytest.raises(ArchiveError, match=match):
            await _import(other, folder, team.blobs)
        async with other.unscoped() as tx:
            assert await queries.team_name(tx, team.team_id) is None
        for name, content in whole.items():
            (folder / name).write_bytes(content)

    (folder / "leads.ndjson").write_bytes(leads[:-1])
    await refused("leads.ndjson was changed or cut off")
    (folder / "notes.ndjson").unlink()
    await refused("notes.ndjson is missing")
    (folder / "manifest.json").unlink()
    await refused("no whole archive")
    (folder / "manifest.json").write_bytes(b"{}")
    await refused("manifest.json: ")
    _rewrite(folder, "leads.ndjson", leads.replace(b'"id":', b'"id":"x', 1))
    await refused("leads.ndjson, line 1")
    _rewrite(folder, "leads.ndjson", leads[: leads.index(b"\n") + 1])
    await refused("1 rows of the team are in the file")
    _rewrite(folder, "leads.ndjson", leads.replace(b'"team_id":' + ours, b'"team_id":' + theirs, 1))
    await refused("leads?: ")
    _rewrite(folder, "calls.ndjson", calls.replace(ours + b"/rec", theirs + b"/rec"))
    await refused("no file of this team")
    _rewrite(folder, "files.ndjson", files.replace(ours + b"/rec", theirs + b"/rec"))
    await refused("no file of this team")
    _rewrite(folder, "files.ndjson", files.replace(b'"key"', b'"\xff"'))
    await refused("files.ndjson: ")
    (folder / "manifest.json").write_bytes(whole["manifest.json"].replace(b'"ndjson"', b'"\xff"'))
    await refused("manifest.json: ")
    manifest = json.loads(whole["manifest.json"])
    for change, match in (
        ({"archive": 2}, "layout 2"),
        ({"format": "xml"}, "not a format"),
        ({"exported_at": "2999-01-01T00:00:00Z"}, "Set the clock"),
        ({"tables": manifest["tables"][1:] + manifest["tables"][1:]}, "named twice"),
        (
            {"tables": [one | {"table": "server_secret"} for one in manifest["tables"]]},
            "nothing that this version knows",
        ),
        ({"tables": [one | {"columns": ["x"]} for one in manifest["tables"]]}, "has no x"),
    ):
        (folder / "manifest.json").write_text(json.dumps(manifest | change))
        await refused(match)
    await _import(other, folder, team.blobs)


async def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(ArchiveError, match="neither a folder nor"), unpacked(tmp_path / "text"):
        pass
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with unpacked(tmp_path / "empty.tar") as unpacker, pytest.raises(ArchiveError, match="no whole archive"):
        unpacker.manifest()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_a_damaged_file_is_refused(other: Database, team: Team, kind: str) -> None:
    folder = await team.export(kind, "archive")
    content = (folder / f"leads.{kind}").read_bytes()
    _rewrite(folder, f"leads.{kind}", b"\xff" * 20 + content[20:])
    with pytest.raises(ArchiveError, match=f"leads.{kind}: "):
        await _import(other, folder, team.blobs)


def test_a_damaged_container_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    with packed(path) as packer:
        packer.draft("manifest.json").write_text("{}" * 500)
        packer.add("manifest.json")
    whole = path.read_bytes()
    start = whole.index(b"manifest.json") + len("manifest.json")
    for damaged in (
        whole[:start] + b"\xff" * 9 + whole[start + 9 :],
        whole.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ArchiveError), unpacked(path) as unpacker:
            unpacker.manifest()


@pytest.mark.parametrize("name", ["folder", "file.tar", "file.zip"])
def test_an_export_that_is_broken_off_leaves_nothing(tmp_path: Path, name: str) -> None:
    def fill(target: Path) -> None:
        with packed(target) as packer:
            packer.draft("leads.csv").write_text("id")
            packer.add("leads.csv")
            assert not target.exists()
            with pytest.raises(ArchiveError, match="another export is writing it"), packed(target):
                pass
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / name).write_text("mine")
    with pytest.raises(ArchiveError, match="is there already"), packed(tmp_path / name):
        pass
    assert (tmp_path / name).read_text() == "mine"
