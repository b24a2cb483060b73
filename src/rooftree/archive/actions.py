"""Writing a team into an archive, and an archive into a server."""

from collections.abc import AsyncIterator, Callable, Generator
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from rooftree.archive import formats, queries, store
from rooftree.archive.errors import ArchiveError
from rooftree.archive.model import Column, KeptFile, Listed, Manifest, PackedFile, Secrets, Table
from rooftree.archive.packing import LAYOUT, MANIFEST, Packer, Unpacker, decoded
from rooftree.archive.rules import BLOBS, FORMATS, KIND_OF, KINDS, SIGNED, is_of_team
from rooftree.leads.bulk import index_leads
from rooftree.messaging import actions as messaging
from rooftree.platform.blobs import BlobMissing, BlobStore
from rooftree.platform.database import Database, Transaction
from rooftree.platform.secret import adopt_secret
from rooftree.platform.vault import Vault, VaultError
from rooftree.webhooks import actions as webhooks

_FILES: Final = "files.ndjson"
_SECRETS: Final = "secrets.json"
_CHUNK: Final = 1024 * 1024
#: Told what is done now, how many rows (or files) of it there are, and how many were done since the last time.
OnProgress = Callable[[str, int, int], None]


def _silent(what: str, total: int, done: int) -> None:
    """Tell nobody."""


# --- out -------------------------------------------------------------------------------------------------------------


async def export_team(
    database: Database,
    team_id: int,
    packer: Packer,
    format: str,  # noqa: A002 - what it is called on the command line
    blobs: BlobStore,
    *,
    secrets: Secrets | None = None,
    on_progress: OnProgress = _silent,
) -> Manifest:
    """Write everything a team owns, as it stood at one moment. Needs the owner's rights.

    Without `secrets` nothing in the archive opens anything.
    """
    async with database.snapshot(team_id) as tx:
        exported_at, schema = await queries.now(tx), await queries.schema(tx)
        listed: list[Listed] = []
        for table in (await queries.tables(tx)).values():
            kind = KIND_OF.get(table.name)
            if kind is None or (kind.is_credential and secrets is None):
                continue
            listed.append(await _export_table(tx, table, packer, format, secrets is not None, on_progress))
        files, count, missing = await _export_blobs(tx, packer, blobs, on_progress)
        manifest = Manifest(
            archive=LAYOUT,
            rooftree=version("rooftree"),
            schema=schema,
            exported_at=exported_at,
            team_id=team_id,
            team=await queries.team_name(tx, team_id) or "",
            format=format,
            with_secrets=secrets is not None,
            tables=listed,
            files=files,
            file_count=count,
            missing_files=missing,
            secrets=_written(packer, _SECRETS, msgspec.json.encode(secrets)) if secrets else None,
        )
    _written(packer, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _written(packer: Packer, name: str, content: bytes) -> PackedFile:
    packer.draft(name).write_bytes(content)
    return packer.add(name)


async def _export_table(
    tx: Transaction,
    table: Table,
    packer: Packer,
    format: str,  # noqa: A002
    with_secrets: bool,
    on_progress: OnProgress,
) -> Listed:
    kind = KIND_OF[table.name]
    wanted = queries.selection(table, kind, tx.team_id, with_secrets=with_secrets)
    total = await queries.count(tx, table.name)
    on_progress(kind.file, total, 0)
    name = f"{kind.file}.{format}"
    await formats.write(format, tx, wanted, packer.draft(name), lambda rows: on_progress(kind.file, total, rows))
    return Listed(
        table=table.name, file=packer.add(name), columns=[column.name for column in table.columns], rows=total
    )


async def _export_blobs(
    tx: Transaction, packer: Packer, blobs: BlobStore, on_progress: OnProgress
) -> tuple[PackedFile, int, int]:
    """Write what the team keeps in the blob store; return the list of it, how much it is, and how much was missing."""
    count = missing = 0
    with packer.draft(_FILES).open("wb") as lines:
        for table, key_column, type_column in BLOBS:
            async for batch in queries.blobs(tx, table, key_column, type_column):
                for key, content_type in batch:
                    kept = await _export_blob(packer, blobs, key, content_type)
                    count, missing = count + 1, missing + (kept.bytes is None)
                    lines.write(msgspec.json.encode(kept) + b"\n")
                on_progress("files", count, len(batch))
    return packer.add(_FILES), count, missing


async def _export_blob(packer: Packer, blobs: BlobStore, key: str, content_type: str | None) -> KeptFile:
    name = f"files/{key}"
    try:
        blob = await blobs.get(key)
    except BlobMissing:
        return KeptFile(key=key, type=content_type, bytes=None, sha256=None)
    with packer.draft(name).open("wb") as file:
        async for piece in blob.chunks:
            file.write(piece)
    member = packer.add(name)
    return KeptFile(key=key, type=content_type, bytes=member.bytes, sha256=member.sha256)


# --- back ------------------------------------------------------------------------------------------------------------


class Imported(Struct, frozen=True):
    """What came of an import."""

    manifest: Manifest
    rows: int
    is_indexed: bool  #: False: `index_team` is to be called, once the schema is this version's
    has_credentials: bool  #: keys, tokens, passwords and accounts of the archive are good here
    left_tables: list[str]  #: credentials of the archive that are no good here, and were not loaded


async def import_team(
    database: Database,
    unpacker: Unpacker,
    manifest: Manifest,
    blobs: BlobStore,
    vault: Vault,
    *,
    region: str,
    is_older: bool = False,
    on_progress: OnProgress = _silent,
) -> Imported:
    """Load an archive's team: all of it, in one transaction, or nothing. Needs the owner's rights.

    Ids stay. `is_older`: the database has the archive's schema, which is not yet this version's, so that what finds
    leads has to wait. `region` (e.g. US) completes phone numbers. Raises: ArchiveError.
    """
    _check_manifest(manifest)
    async with database.transaction(manifest.team_id) as tx:
        is_alone = await _check_server(tx, manifest)
        secrets = _secrets(unpacker, manifest)
        known = await queries.tables(tx)
        left = [] if is_alone or not secrets else [one.table for one in manifest.tables if one.table in SIGNED]
        loaded = [one for one in manifest.tables if one.table not in left]
        for one in loaded:
            await _load_table(tx, unpacker, manifest.format, one, known, on_progress)
        await store.move_on(tx)
        await _settle_secrets(tx, secrets, vault, is_alone=is_alone)
        if not is_older:
            await index_leads(tx, region=region, on_progress=lambda total, done: on_progress("search", total, done))
            await store.analyse(tx, list(known))
        await _load_blobs(tx, unpacker, manifest, blobs, on_progress)
    return Imported(manifest, sum(one.rows for one in loaded), not is_older, secrets is not None and is_alone, left)


async def index_team(database: Database, team_id: int, *, region: str, on_progress: OnProgress = _silent) -> None:
    """Do what `import_team` leaves to do for an archive of an older schema."""
    async with database.transaction(team_id) as tx:
        await index_leads(tx, region=region, on_progress=lambda total, done: on_progress("search", total, done))
        await store.analyse(tx, list(await queries.tables(tx)))


def _check_manifest(manifest: Manifest) -> None:
    """Do nothing if every file is named as ours are. Raises: ArchiveError."""
    if manifest.format not in FORMATS:
        raise ArchiveError(f"{MANIFEST}: {manifest.format} is not a format; {', '.join(FORMATS)} are.")
    for one in manifest.tables:
        kind = KIND_OF.get(one.table)
        if kind is None or one.file.name != f"{kind.file}.{manifest.format}":
            raise ArchiveError(f"{MANIFEST}: {one.table} in {one.file.name} is nothing that this version knows.")
    tables = [one.table for one in manifest.tables]
    if len(set(tables)) < len(tables) or KINDS[0].table not in tables:
        raise ArchiveError(f"{MANIFEST}: a table is named twice, or the team is missing.")
    if manifest.files.name != _FILES or (manifest.secrets and manifest.secrets.name != _SECRETS):
        raise ArchiveError(f"{MANIFEST}: names files that are none of an archive's.")


async def _check_server(tx: Transaction, manifest: Manifest) -> bool:
    """Return whether no other team is here. Raises: ArchiveError when this one is, or the clock is behind."""
    if await queries.team_name(tx, manifest.team_id) is not None:
        raise ArchiveError(
            f"The team {manifest.team} ({manifest.team_id}) is here already. Import into another database."
        )
    if await queries.now(tx) < manifest.exported_at:
        raise ArchiveError(
            f"The archive was made at {manifest.exported_at:%Y-%m-%d %H:%M:%S} UTC, which is still to come by this "
            "database's clock. Set the clock: new ids would meet those of the archive."
        )
    return not await queries.has_teams(tx)


def _secrets(unpacker: Unpacker, manifest: Manifest) -> Secrets | None:
    if manifest.secrets is None:
        return None
    with unpacker.file(manifest.secrets) as path:
        return decoded(path.read_bytes(), Secrets, _SECRETS)


async def _load_table(
    tx: Transaction,
    unpacker: Unpacker,
    format: str,  # noqa: A002
    listed: Listed,
    known: dict[str, Table],
    on_progress: OnProgress,
) -> None:
    table, file = known.get(listed.table), KIND_OF[listed.table].file
    columns: dict[str, Column] = {column.name: column for column in table.columns} if table else {}
    if strange := [name for name in listed.columns if name not in columns]:
        raise ArchiveError(f"{file}: this database's {listed.table} has no {strange[0]}.")
    on_progress(file, listed.rows, 0)
    with unpacker.file(listed.file) as path:
        wanted = [columns[name] for name in listed.columns]
        await formats.load(format, tx, listed.table, wanted, path, lambda rows: on_progress(file, listed.rows, rows))
    # Rows that are missing here are too few in the file, or say that they are another team's.
    found = await queries.count(tx, listed.table)
    if found != listed.rows:
        raise ArchiveError(f"{file}: {found:,} rows of the team are in the file, {MANIFEST} names {listed.rows:,}.")


async def _settle_secrets(tx: Transaction, secrets: Secrets | None, vault: Vault, *, is_alone: bool) -> None:
    """Let what the archive's secrets opened be opened by this server's; or make new ones."""
    if secrets is None:
        await webhooks.renew_all_secrets(tx, vault)
        return
    before = Vault(secrets.vault)
    try:
        await webhooks.seal_secrets_anew(tx, before, vault)
        await messaging.seal_accounts_anew(tx, before, vault)
    except VaultError:
        raise ArchiveError("A secret of the archive was encrypted with another key than the archive holds.") from None
    if is_alone:
        await adopt_secret(tx, secrets.signing)


async def _load_blobs(
    tx: Transaction, unpacker: Unpacker, manifest: Manifest, blobs: BlobStore, on_progress: OnProgress
) -> None:
    for table, key_column, _ in BLOBS:
        if foreign := await queries.foreign_blobs(tx, table, key_column):
            raise ArchiveError(f"{KIND_OF[table].file}: {foreign[0]} is no file of this team.")
    on_progress("files", manifest.file_count, 0)
    with unpacker.file(manifest.files) as path:
        for kept in _kept_files(path):
            if not is_of_team(manifest.team_id, kept.key):
                raise ArchiveError(f"{_FILES}: {kept.key} is no file of this team.")
            if kept.bytes is not None and kept.sha256 is not None:
                with unpacker.file(PackedFile(f"files/{kept.key}", kept.bytes, kept.sha256)) as file:
                    await _put(blobs, kept, file)
            on_progress("files", manifest.file_count, 1)


async def _put(blobs: BlobStore, kept: KeptFile, file: Path) -> None:
    try:
        await blobs.put(kept.key, _pieces(file), kept.type or "application/octet-stream")
    except ValueError as error:
        raise ArchiveError(f"{_FILES}: {error}") from None


def _kept_files(path: Path) -> Generator[KeptFile]:
    with path.open("rb") as lines:
        for line in lines:
            yield decoded(line, KeptFile, _FILES)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece
