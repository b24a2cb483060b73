"""Files that people bring: of leads to be imported, and archives. They are read, or refused in a sentence."""

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from fuzz.exercises import Exercise, mangled
from rooftree.archive import formats
from rooftree.archive.actions import _check_manifest, _kept_files, _secrets
from rooftree.archive.errors import ArchiveError
from rooftree.archive.model import Column, Listed, Manifest, PackedFile
from rooftree.archive.packing import LAYOUT, MANIFEST, packed, unpacked
from rooftree.imports.columns import guess
from rooftree.imports.files import FileError, inspect, rows
from rooftree.imports.plan import IGNORE, Plan, decode_mapping
from rooftree.imports.rows import RowReader, Told

_TABLES: Final = (
    "First Name,Last Name,E-mail 1,Phone,Stage,Tags,Created,Birthday,Price Min,Notes\r\n"
    'Jane,Smith,jane@example.com,(415) 555-2671,New,"buyer, vip",2026-05-06 14:32,06/05/1980,"$100,000",Hi\r\n',
    'Name;Email;Telefon;Quelle\n=1+1;\'=a@b.c;+49 30 123;Website\n;;;\n"Lovelace, Ada";ada@x.y;0;\n',
    "a\ta\ta (3)\tname\nx\ty\tz\tJo\n",
)
_CSV_WORDS: Final = ('"', '"\r\n', ",,,", "\0", "\ufeff", "99/99/9999", "1e999", "٣", "'='", "-" * 200, "é", "\u2028")
_LINES: Final = (
    b'{"firstName":"Jane","emails":["j@x.y"],"inquiry":{"priceMin":1},"createTime":"2026-05-06T14:32:00Z"}\n[1]\n{"a"',
    b'{"name":"Ada","phones":"1, 2","property":[{"price":1}],"birthday":"1980-02-30"}\n\n{"name":{"x":1},"tags":[[1]]}',
)
_LINE_WORDS: Final = (b"null", b"1e999", b"[[[[", b'{"":', b"\\ud800", b"\\u0000", b"\xff", b"9" * 400, b"-0", b"true")
_MAPPINGS: Final = (
    b'[columns]\n"First Name" = "firstName"\n[values."Stage"]\n"A" = "New"\n',
    b'{"columns": {"a": "firstName", "b": "custom:x"}, "values": {"a": {"x": "y"}}}',
)
_COLUMNS: Final = [
    Column("id", "bigint"), Column("name", "text"), Column("tags", "text[]"), Column("born", "date"),
    Column("created_at", "timestamp with time zone"), Column("details", "jsonb"), Column("secret", "bytea"),
    Column("score", "double precision"), Column("is_hidden", "boolean"),
]  # fmt: skip
_ROWS: Final = (
    b'{"id":1,"name":"a","tags":["x",null],"born":"1980-01-02","created_at":"2026-05-06T14:32:00Z","details":{"a":1},'
    b'"secret":"AAE=","score":1.5,"is_hidden":true}\n',
    b'{"id":2,"name":null,"tags":null,"born":null,"created_at":null,"secret":null,"score":null,"is_hidden":null}\n',
)
_KEPT: Final = b'{"key":"1/recording/2","type":"audio/mpeg","bytes":3,"sha256":"aa"}\n{"key":"x","type":null}\n'
_TOLD: Final = Told(1, 2, "America/New_York", {"2": 2, "adam": 2})


def of_files() -> list[Exercise]:
    """Return all that read files."""
    tables = [one.encode() for one in _TABLES] + [_TABLES[0].encode("utf-16"), _TABLES[1].encode("cp1252")]
    words = [one.encode() for one in _CSV_WORDS]
    book, parquet, archives = _book(), _parquet(), (_archive(".zip"), _archive(".tar"))
    sheet = mangled([_parts(book)["xl/worksheets/sheet1.xml"]], (b"<c>", b'r="ZZZ9999999"', b't="s"', b"&x;", b"1e999"))
    return [
        Exercise("CSV of leads", mangled(tables, words), _import(".csv"), (FileError,)),
        Exercise("NDJSON of leads", mangled(_LINES, _LINE_WORDS), _import(".ndjson"), (FileError,)),
        Exercise("workbooks", mangled([book]), _import(".xlsx"), (FileError,)),
        Exercise("sheets", sheet.map(lambda xml: _zipped(book, xml)), _import(".xlsx"), (FileError,)),
        Exercise("mappings", mangled(_MAPPINGS, _LINE_WORDS), _mapping, (msgspec.MsgspecError, UnicodeDecodeError)),
        Exercise("archives", mangled(archives), _unpack, (ArchiveError,)),
        Exercise("manifests", mangled([_manifest()], _LINE_WORDS), _read_manifest, (ArchiveError,)),
        Exercise("rows of archives", mangled(_ROWS, _LINE_WORDS), _loaded("ndjson"), (ArchiveError,)),
        Exercise("CSV of archives", mangled([b"id,name\n1,a\n"], (b"\xff",)), _csv_of_archive, (ArchiveError,)),
        Exercise("Parquet of archives", mangled([parquet]), _loaded("parquet"), (ArchiveError,)),
        Exercise("lists of files", mangled([_KEPT], _LINE_WORDS), _files_of_archive, (ArchiveError,)),
        Exercise("secrets of archives", mangled([b'{"signing":"AAE=","vault":"AAE="}']), _secrets_of, (ArchiveError,)),
    ]


@contextmanager
def _file(content: bytes, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rooftree-fuzz") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def _import(ending: str) -> Callable[[bytes], None]:
    """Return what reads a file as an import does, down to the drafts of its leads."""

    def read(content: bytes) -> None:
        with _file(content, f"leads{ending}") as path:
            found = inspect(path)
            assert len(set(found.headers)) == len(found.headers)
            columns = [(header, target or IGNORE) for header, target in guess(found.headers).items()]
            plan = Plan(format=found.format, encoding=found.encoding, delimiter=found.delimiter, columns=columns)
            reader = RowReader(plan, _TOLD)
            for row in rows(path, plan):
                read_row = reader.read(row)
                assert (read_row.error is None) == (read_row.draft is not None)

    return read


def _mapping(content: bytes) -> None:
    text = content.decode()
    for is_toml in (True, False):
        decode_mapping(text, is_toml=is_toml)


def _book() -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    sheet: Any = book.active
    sheet.append(["First Name", "E-mail", "Created", "Price Min"])
    sheet.append(["Jane", "jane@example.com", date(2026, 5, 6), 1.5])
    sheet.append([True, None, "x", "=1+1"])
    book.save(file)
    return file.getvalue()


def _parts(book: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(book)) as file:
        return {name: file.read(name) for name in file.namelist()}


def _zipped(book: bytes, sheet: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, content in (_parts(book) | {"xl/worksheets/sheet1.xml": sheet}).items():
            target.writestr(name, content)
    return file.getvalue()


def _manifest() -> bytes:
    teams = PackedFile("teams.ndjson", 3, "ab")
    manifest = Manifest(
        archive=LAYOUT, rooftree="1", schema="0022", exported_at=datetime(2026, 5, 6, tzinfo=UTC), team_id=1, team="T",
        format="ndjson", with_secrets=False, tables=[Listed(table="team", file=teams, columns=["id"], rows=1)],
        files=PackedFile("files.ndjson", 0, "ab"), file_count=0, missing_files=0, secrets=None,
    )  # fmt: skip
    return msgspec.json.encode(manifest)


def _archive(ending: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="rooftree-fuzz") as folder:
        target = Path(folder) / f"a{ending}"
        with packed(target) as packer:
            for name, content in (("files.ndjson", _KEPT), (MANIFEST, _manifest())):
                packer.draft(name).write_bytes(content)
                packer.add(name)
        return target.read_bytes()


def _unpack(content: bytes) -> None:
    with _file(content, "a.tar") as path, unpacked(path) as unpacker:
        manifest = unpacker.manifest()
        _check_manifest(manifest)
        with unpacker.file(manifest.files):
            pass


def _read_manifest(content: bytes) -> None:
    with _file(content, MANIFEST) as path, unpacked(path.parent) as unpacker:
        _check_manifest(unpacker.manifest())


def _csv_of_archive(content: bytes) -> None:
    with _file(content, "leads.csv") as path:
        list(formats._checked_csv(path, ["id", "name"]))  # noqa: SLF001 - the rest is PostgreSQL's own reading


def _loaded(kind: str) -> Callable[[bytes], None]:
    read = {"ndjson": formats._read_ndjson, "parquet": formats._read_parquet}[kind]  # noqa: SLF001 - needs no database

    def load(content: bytes) -> None:
        with _file(content, f"leads.{kind}") as path:
            for batch in read(path, _COLUMNS):
                assert all(len(row) == len(_COLUMNS) for row in batch)

    return load


def _parquet() -> bytes:
    file, schema = io.BytesIO(), formats._arrow_schema(_COLUMNS)  # noqa: SLF001
    values: Sequence[Any] = (1, "a", ["x", None], None, datetime(2026, 5, 6, tzinfo=UTC), "{}", b"x", 1.5, True)
    table = pa.table([pa.array([value], field.type) for value, field in zip(values, schema, strict=True)], schema)
    pq.write_table(table, file)
    return file.getvalue()


def _files_of_archive(content: bytes) -> None:
    with _file(content, "files.ndjson") as path:
        list(_kept_files(path))


def _secrets_of(content: bytes) -> None:
    packed_file = PackedFile("secrets.json", len(content), hashlib.sha256(content).hexdigest())
    with _file(content, packed_file.name) as path, unpacked(path.parent) as unpacker:
        _secrets(unpacker, replace(msgspec.json.decode(_manifest(), type=Manifest), secrets=packed_file))
