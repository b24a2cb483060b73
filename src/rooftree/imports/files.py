"""Files of rows: what they are, their headers, and their rows one after the other. Nothing is held but the row."""

import codecs
import csv
import hashlib
import io
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from rooftree.imports.columns import guess
from rooftree.imports.plan import Plan
from rooftree.platform.spreadsheet import unguarded

Format = Literal["csv", "xlsx", "ndjson"]
_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
}
DELIMITERS: Final = (",", ";", "\t", "|")
_CHUNK: Final = 1 << 20
_SAMPLE: Final = 1 << 16
#: The longest cell: what is longer is a lost quotation mark.
_LONGEST_CELL: Final = 1 << 20
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class FileError(Exception):
    """A file that cannot be imported; the message says why and what to do."""


class Found(Struct, frozen=True):
    """What a file is."""

    format: Format
    encoding: str
    delimiter: str
    headers: list[str]
    content_hash: str


class FileRow(Struct, frozen=True):
    """A row of a file."""

    number: int  #: as people count: a header is row 1
    values: list[Any]  #: parallel to the plan's columns
    error: str | None = None  #: why it cannot be read
    share: float = 0.0  #: how much of the file has been read, from 0 to 1


def inspect(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None, sheet: str | None = None
) -> Found:
    """Read a file once: its hash, its encoding, its headers. Raises: FileError."""
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise FileError(f"{path.name}: name it .csv, .xlsx or .ndjson, by what it is.")
    try:
        content_hash, guessed = _read_through(path)
        if kind == "xlsx":
            return Found(kind, "", "", _sheet_headers(path, sheet), content_hash)
        if kind == "ndjson":
            return Found(kind, "utf-8", "", _keys(path), content_hash)
        known = _known_encoding(encoding) if encoding else guessed
        headers, found = _csv_headers(path, known, delimiter)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}.") from None
    return Found(kind, known, found, headers, content_hash)


def _known_encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise FileError(f"There is no encoding {name}. Try utf-8, cp1252 or utf-16.") from None


def _read_through(path: Path) -> tuple[str, str]:
    """Return the SHA-256 of a file, and the encoding that its bytes speak for: UTF-8 if they can be that."""
    hasher = hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding: str | None = None
    is_first = True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
            if is_first:
                encoding, is_first = _marked(chunk), False
            if encoding is None:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    encoding = "cp1252"
    return hasher.hexdigest(), encoding or "utf-8"


def _marked(start: bytes) -> str | None:
    """Return the encoding that a file's first bytes give away."""
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    sample = start[:_SAMPLE]
    for name, offset in (("utf-16-le", 1), ("utf-16-be", 0)):
        if sample[offset::2].count(0) > len(sample) // 4:
            return name
    return None


def _csv_headers(path: Path, encoding: str, delimiter: str | None) -> tuple[list[str], str]:
    """Return the header's cells and the delimiter: the one that makes the most columns that we know."""
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        sample = file.read(_SAMPLE)
    if not sample.strip():
        raise FileError(f"{path.name} is empty.")

    def header(candidate: str) -> list[str]:
        try:
            cells = next(iter(csv.reader(io.StringIO(sample, newline=""), delimiter=candidate)), [])
            return [unguarded(cell) for cell in cells]
        except csv.Error as error:
            raise FileError(f"{path.name}: the header cannot be read: {error}.") from None

    def fitness(candidate: str) -> tuple[int, int]:
        cells = header(candidate)
        return sum(target is not None for target in guess(cells).values()), len(cells)

    chosen = delimiter or max(DELIMITERS, key=fitness)
    return _distinct(header(chosen)), chosen


def _distinct(headers: list[str]) -> list[str]:
    """Return headers, trimmed; what stands there twice or is blank gets its place."""
    found: list[str] = []
    for place, header in enumerate(headers, 1):
        name = header.strip() or f"column {place}"
        while name in found:
            name = f"{name} ({place})"
        found.append(name)
    return found


def _sheet_headers(path: Path, name: str | None) -> list[str]:
    with _sheet(path, name) as sheet:
        first = next(sheet.iter_rows(values_only=True), ())
    headers = ["" if cell is None else str(cell) for cell in first]
    if not any(header.strip() for header in headers):
        raise FileError(f"{path.name}: the first row has to name the columns.")
    return _distinct(headers)


@contextmanager
def _sheet(path: Path, name: str | None) -> Generator[Any]:
    """Yield a sheet, the first if none is named. Raises: FileError, also for what is damaged in the midst of it."""
    # Imported here: it brings numpy, and a server should not hold 20 MB for what one command reads.
    import openpyxl  # noqa: PLC0415

    try:
        with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
            if name is not None and name not in book.sheetnames:
                raise FileError(f"{path.name} has no sheet {name}. It has: {', '.join(book.sheetnames)}.")
            yield book.worksheets[0] if name is None else book[name]
    except FileError:
        raise
    except Exception as error:  # noqa: BLE001 - what is damaged, it says in a dozen ways
        what = str(error) or type(error).__name__
        raise FileError(f"{path.name} is not an Excel workbook (.xlsx), or a damaged one: {what}.") from None


def _keys(path: Path) -> list[str]:
    """Return all keys of a file of JSON lines, in the order in which they come."""
    found: dict[str, None] = {}
    with path.open("rb") as file:
        for line in file:
            try:
                row = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # said when its turn comes
            if isinstance(row, dict):
                found.update(dict.fromkeys(row))
    if not found:
        raise FileError(f"{path.name} has no line that is a JSON object.")
    return list(found)


def rows(path: Path, plan: Plan) -> Iterator[FileRow]:
    """Yield the rows of a file that are not blank, in its order; a row that cannot be read carries its error."""
    readers: dict[str, Callable[[Path, Plan], Iterator[FileRow]]] = {
        "csv": _csv_rows,
        "xlsx": _sheet_rows,
        "ndjson": _json_rows,
    }
    return readers[plan.format](path, plan)


def _csv_rows(path: Path, plan: Plan) -> Iterator[FileRow]:
    csv.field_size_limit(_LONGEST_CELL)
    width, size = len(plan.columns), max(path.stat().st_size, 1)
    with path.open("rb") as raw, io.TextIOWrapper(raw, plan.encoding, errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=plan.delimiter)
        number = 0
        while True:
            number += 1
            try:
                cells = [unguarded(cell) for cell in next(reader)]
            except StopIteration:
                return
            except csv.Error as error:
                yield FileRow(number, [], f"cannot be read: {error}", raw.tell() / size)
                continue
            if number == 1 or not any(cell.strip() for cell in cells):
                continue
            extra = any(cell.strip() for cell in cells[width:])
            error = f"has {len(cells)} cells, the header {width}" if extra else None
            cells += [""] * (width - len(cells))
            yield FileRow(number, cells if extra else cells[:width], error, raw.tell() / size)


def _sheet_rows(path: Path, plan: Plan) -> Iterator[FileRow]:
    width = len(plan.columns)
    with _sheet(path, plan.sheet) as sheet:
        total = max(sheet.max_row or 1, 1)
        for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
            if number == 1 or all(cell is None or cell == "" for cell in cells):
                continue
            values = [*cells[:width], *([None] * (width - len(cells)))]
            yield FileRow(number, values, share=min(number / total, 1))


def _json_rows(path: Path, plan: Plan) -> Iterator[FileRow]:
    size, read = max(path.stat().st_size, 1), 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            read += len(line)
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line.removeprefix(codecs.BOM_UTF8))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield FileRow(number, [], f"is not JSON: {error}", read / size)
                continue
            if not isinstance(row, dict):
                yield FileRow(number, [], "is not a JSON object", read / size)
                continue
            yield FileRow(number, [row.get(key) for key, _ in plan.columns], share=read / size)
