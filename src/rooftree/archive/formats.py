"""The three formats of a table's file: rows to a file and back, with nothing lost.

CSV is PostgreSQL's own, both ways. NDJSON: a document that is absent is left out, one that is null is null; bytes are
base64. Parquet: Arrow's types, documents as JSON text.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from rooftree.archive import queries, store
from rooftree.archive.errors import ArchiveError
from rooftree.archive.model import Column
from rooftree.archive.queries import Selection
from rooftree.platform.database import Transaction

#: Told how many rows were written or read since the last time.
Progress = Callable[[int], None]
_CHUNK: Final = 1024 * 1024
_DOCUMENT: Final = "jsonb"
_TYPES: Final[dict[str, Any]] = {
    "bigint": int,
    "integer": int,
    "smallint": int,
    "text": str,
    "boolean": bool,
    "double precision": float,
    "date": date,
    "timestamp with time zone": datetime,
    "bytea": bytes,
    _DOCUMENT: msgspec.Raw,
}


async def write(kind: str, tx: Transaction, wanted: Selection, path: Path, on_progress: Progress) -> None:
    """Write all rows of a selection into a file."""
    writer = {"csv": _write_csv, "ndjson": _write_ndjson, "parquet": _write_parquet}[kind]
    await writer(tx, wanted, path, on_progress)


async def load(
    kind: str, tx: Transaction, table: str, columns: Sequence[Column], path: Path, on_progress: Progress
) -> None:
    """Load a file's rows into a table. Raises: ArchiveError."""
    if kind == "csv":
        names = [column.name for column in columns]
        await store.load_csv(tx, table, names, _told(_checked_csv(path, names), on_progress))
        return
    batches = _read_ndjson(path, columns) if kind == "ndjson" else _read_parquet(path, columns)
    await store.load_rows(tx, table, [column.name for column in columns], _each(batches, on_progress))


def type_of(column: Column) -> Any:
    """Return the Python type of a column's values, without None. Raises: KeyError for one that is new to us."""
    if column.type.endswith("[]"):
        return list[_TYPES[column.type.removesuffix("[]")] | None]
    return _TYPES[column.type]


async def _each(batches: Generator[list[Any]], on_progress: Progress) -> AsyncIterator[Any]:
    for batch in batches:
        for row in batch:
            yield row
        on_progress(len(batch))


# --- CSV -------------------------------------------------------------------------------------------------------------


async def _write_csv(tx: Transaction, wanted: Selection, path: Path, on_progress: Progress) -> None:
    with _opened(path, "wb") as file:

        async def output(piece: bytes) -> None:
            file.write(piece)
            on_progress(piece.count(b"\n"))  # as good as a progress bar needs

        await queries.csv(tx, wanted, output)


def _checked_csv(path: Path, names: Sequence[str]) -> Generator[bytes]:
    """Yield a file's content. Raises: ArchiveError when its columns are not these, which COPY would not notice."""
    with _opened(path, "rb") as file:
        header = file.readline()
        if header.decode(errors="replace").rstrip("\r\n").split(",") != list(names):
            raise ArchiveError(f"{path.name}: its columns are not those that manifest.json names.")
        yield header
        while piece := file.read(_CHUNK):
            yield piece


async def _told(pieces: Generator[bytes], on_progress: Progress) -> AsyncGenerator[bytes]:
    for piece in pieces:
        yield piece
        on_progress(piece.count(b"\n"))


# --- NDJSON ----------------------------------------------------------------------------------------------------------


def _struct(columns: Sequence[Column]) -> type[msgspec.Struct]:
    """Return the shape of a line. A document that is absent is an empty Raw."""
    fields: list[Any] = [
        (column.name, msgspec.Raw, msgspec.field(default=msgspec.Raw()))
        if column.type == _DOCUMENT
        else (column.name, type_of(column) | None)
        for column in columns
    ]
    return msgspec.defstruct("Row", fields, kw_only=True, forbid_unknown_fields=True)


async def _write_ndjson(tx: Transaction, wanted: Selection, path: Path, on_progress: Progress) -> None:
    columns = wanted.table.columns
    row_type = _struct(columns)
    documents = {column.name for column in columns if column.type == _DOCUMENT}
    encoder = msgspec.json.Encoder()
    with _opened(path, "wb") as file:
        async for batch in queries.rows(tx, wanted):
            lines = [row_type(**_json_values(record, documents)) for record in batch]
            file.write(encoder.encode_lines(lines))
            on_progress(len(batch))


def _json_values(record: Any, documents: set[str]) -> dict[str, Any]:
    values = dict(record)
    for name in documents:
        values[name] = msgspec.UNSET if values[name] is None else msgspec.Raw(values[name])
    return values


def _read_ndjson(path: Path, columns: Sequence[Column]) -> Generator[list[Any]]:
    decoder = msgspec.json.Decoder(_struct(columns))
    documents = {column.name for column in columns if column.type == _DOCUMENT}
    names = [column.name for column in columns]
    number = 0
    with _opened(path, "rb") as file:
        while lines := file.readlines(_CHUNK):
            rows: list[Any] = []
            for line in lines:
                number += 1
                try:
                    row = decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise ArchiveError(f"{path.name}, line {number}: {error}") from None
                rows.append([_row_value(getattr(row, name), is_document=name in documents) for name in names])
            yield rows


def _row_value(value: Any, *, is_document: bool) -> Any:
    return (bytes(value) or None) if is_document else value


# --- Parquet ---------------------------------------------------------------------------------------------------------
# pyarrow is imported where it is used: it is large, and only these commands need it.


def _arrow_schema(columns: Sequence[Column]) -> Any:
    import pyarrow as pa

    types: dict[str, Any] = {
        "bigint": pa.int64(),
        "integer": pa.int32(),
        "smallint": pa.int16(),
        "text": pa.string(),
        "boolean": pa.bool_(),
        "double precision": pa.float64(),
        "date": pa.date32(),
        "timestamp with time zone": pa.timestamp("us", tz="UTC"),
        "bytea": pa.binary(),
        _DOCUMENT: pa.string(),
    }

    def arrow(name: str) -> Any:
        return pa.list_(types[name.removesuffix("[]")]) if name.endswith("[]") else types[name]

    return pa.schema([(column.name, arrow(column.type)) for column in columns])


async def _write_parquet(tx: Transaction, wanted: Selection, path: Path, on_progress: Progress) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = wanted.table.columns
    schema = _arrow_schema(columns)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        async for batch in queries.rows(tx, wanted):
            arrays = [
                pa.array([_arrow_value(record[place], column.type) for record in batch], field.type)
                for place, (column, field) in enumerate(zip(columns, schema, strict=True))
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            on_progress(len(batch))


def _arrow_value(value: Any, kind: str) -> Any:
    return value.decode() if kind == _DOCUMENT and value is not None else value


def _read_parquet(path: Path, columns: Sequence[Column]) -> Generator[list[Any]]:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(_arrow_schema(columns)):
                raise ArchiveError(f"{path.name}: its columns are not those of this version's table.")
            for batch in file.iter_batches(batch_size=2000):
                yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    except ArchiveError:
        raise
    except Exception as error:  # noqa: BLE001 - what is damaged, it says in a dozen ways
        raise ArchiveError(f"{path.name}: {error}") from None


def _opened(path: Path, mode: str) -> BinaryIO:
    return path.open(mode)  # type: ignore[return-value]
