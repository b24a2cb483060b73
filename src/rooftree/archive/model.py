"""What is in an archive."""

from datetime import datetime

from msgspec import Struct


class Column(Struct, frozen=True):
    """A column of a table, as the catalogue knows it."""

    name: str
    type: str  #: as PostgreSQL writes it: bigint, text[], timestamp with time zone ...


class Table(Struct, frozen=True):
    """A table of a team, as the catalogue knows it."""

    name: str
    columns: list[Column]
    key: list[str]  #: of its primary key, in order
    references: list[str]  #: tables that its rows point to


class PackedFile(Struct, frozen=True):
    """A file of the archive."""

    name: str
    bytes: int
    sha256: str


class Listed(Struct, frozen=True, kw_only=True):
    """A table's file, in the manifest."""

    table: str
    file: PackedFile
    columns: list[str]
    rows: int


class KeptFile(Struct, frozen=True, kw_only=True):
    """A line of `files.ndjson`: something from the blob store. Its file is `files/` and its key."""

    key: str
    type: str | None
    bytes: int | None  #: None: it was missing when the archive was made
    sha256: str | None


class Manifest(Struct, frozen=True, kw_only=True):
    """`manifest.json`, which is written last: an archive without one is no archive."""

    archive: int  #: version of this layout
    rooftree: str  #: version that wrote it
    schema: str  #: the last migration of the database it was read from
    exported_at: datetime
    team_id: int
    team: str  #: its name
    format: str
    with_secrets: bool
    tables: list[Listed]  #: in an order in which they can be loaded
    files: PackedFile  #: files.ndjson
    file_count: int
    missing_files: int
    secrets: PackedFile | None  #: secrets.json


class Secrets(Struct, frozen=True):
    """`secrets.json`: what opens and verifies the secrets that stand in the tables, in base64."""

    signing: bytes  #: signed the keys and tokens
    vault: bytes  #: encrypted webhook secrets and mail accounts
