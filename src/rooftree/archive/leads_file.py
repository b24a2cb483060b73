"""Leads as one table that a person opens: a row each, the headers that `rooftree import leads` knows."""

import csv
import os
import re
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from rooftree.archive import queries
from rooftree.archive.errors import ArchiveError
from rooftree.leads.model import CustomField, Lead
from rooftree.leads.queries import custom_fields
from rooftree.platform.database import Database, Transaction
from rooftree.platform.spreadsheet import guarded
from rooftree.platform.wire_time import iso_z

#: What a sheet of Excel holds, without the header; and a cell.
SHEET_ROWS: Final = 1_048_575
_CELL_LENGTH: Final = 32_767
#: Control characters that a sheet of Excel cannot hold.
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SEPARATOR: Final = "; "

Cell = str | int | None


class _Shape(Struct, frozen=True):
    """How wide the table is."""

    emails: int
    phones: int
    fields: list[CustomField]


class _Row(Struct, frozen=True):
    """A lead, and the names of what its row only numbers."""

    lead: Lead
    stage: str
    login: str | None


def _joined(values: Iterable[object]) -> str | None:
    return _SEPARATOR.join(str(value) for value in values) or None


def _address(name: str, key: str) -> Callable[[_Row], Cell]:
    """Return what reads a part of an address: the lead's own, else that of its first property."""

    def part(row: _Row) -> Cell:
        homes = msgspec.json.decode(row.lead.properties)
        return getattr(row.lead, name) or (homes[0].get(key) if homes else None)

    return part


def _flag(name: str) -> Callable[[_Row], Cell]:
    return lambda row: "Yes" if getattr(row.lead, name) else None


def _text(name: str) -> Callable[[_Row], Cell]:
    return lambda row: getattr(row.lead, name)


_BEFORE_CONTACTS: Final[dict[str, Callable[[_Row], Cell]]] = {
    "Lead ID": lambda row: row.lead.id,
    "First Name": _text("first_name"),
    "Last Name": _text("last_name"),
}
_AFTER_CONTACTS: Final[dict[str, Callable[[_Row], Cell]]] = {
    "Street Address": _address("street_address", "streetAddress"),
    "City": _address("city", "city"),
    "State": _address("state", "state"),
    "Zip Code": _address("zip_code", "zipCode"),
    "Lead Types": lambda row: _joined(row.lead.lead_types),
    "Stage": lambda row: row.stage,
    "Source": _text("source"),
    "Assigned To": lambda row: row.login,
    "Tags": lambda row: _joined(tag["tagName"] for tag in msgspec.json.decode(row.lead.tags)),
    "Segments": lambda row: _joined(row.lead.segments),
    "Birthday": lambda row: row.lead.birthday_on and row.lead.birthday_on.isoformat(),
    "Language": _text("language"),
    "Buying Time Frame": _text("buying_time_frame"),
    "Selling Time Frame": _text("selling_time_frame"),
    "Pre-Qual": _text("pre_qual"),
    "House To Sell": _text("house_to_sell"),
    "First-Time Home Buyer": _text("fthb"),
    "With Buyer Agent": _text("with_buyer_agent"),
    "Mortgage": _text("mortgage"),
    "Buy House": _text("buy_house"),
    "With Listing Agent": _text("with_listing_agent"),
    "Opportunity": _text("opportunity"),
    "Referred By": _text("referred_by"),
    "Facebook": _text("facebook"),
    "Twitter": _text("twitter"),
    "Cannot Call": _flag("cannot_call"),
    "Cannot Text": _flag("cannot_text"),
    "Cannot E-mail": _flag("cannot_email"),
    "Unsubscribed": _flag("is_unsubscribed"),
    "Hidden": _flag("is_hidden"),
    "Created": lambda row: iso_z(row.lead.created_at),
}


def headers(shape: _Shape) -> list[str]:
    """Return the names of the columns."""
    return [
        *_BEFORE_CONTACTS,
        *(f"E-mail {place}" for place in range(1, shape.emails + 1)),
        *(f"Phone {place}" for place in range(1, shape.phones + 1)),
        *_AFTER_CONTACTS,
        *(field.name for field in shape.fields),
    ]


def _cells(row: _Row, shape: _Shape) -> list[Cell]:
    values = {one["attributeName"]: one["value"] for one in msgspec.json.decode(row.lead.custom_attributes)}
    return [
        *(read(row) for read in _BEFORE_CONTACTS.values()),
        *_padded(row.lead.emails, shape.emails),
        *_padded(row.lead.phones, shape.phones),
        *(read(row) for read in _AFTER_CONTACTS.values()),
        *(values.get(field.name) for field in shape.fields),
    ]


def _padded(values: Sequence[str], width: int) -> list[Cell]:
    return [*values, *(None for _ in range(width - len(values)))]


async def export_leads(
    database: Database, team_id: int, path: Path, *, on_progress: Callable[[str, int, int], None]
) -> int:
    """Write a team's leads, without those in the trash, in the format of the name's ending; return how many.

    Needs the owner's rights. Raises: ArchiveError.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise ArchiveError(f"{path.name}: the name must end in {', '.join(_WRITERS)}.")
    async with database.snapshot(team_id) as tx:
        total, emails, phones = await queries.lead_widths(tx)
        if path.suffix.lower() == ".xlsx" and total > SHEET_ROWS:
            raise ArchiveError(f"A sheet of Excel holds {SHEET_ROWS:,} rows, and there are {total:,} leads. Use .csv.")
        shape = _Shape(emails, phones, await custom_fields(tx, team_id))
        on_progress("leads", total, 0)
        with _whole(path) as draft, writer(draft, headers(shape)) as write:
            async for batch in _batches(tx, shape):
                write(batch)
                on_progress("leads", total, len(batch))
    return total


async def _batches(tx: Transaction, shape: _Shape) -> AsyncGenerator[list[list[Cell]]]:
    async for batch in queries.leads(tx):
        yield [_cells(_Row(*row), shape) for row in batch]


@contextmanager
def _whole(path: Path) -> Generator[Path]:
    """Yield where to write a file that gets its name only when it is whole. Raises: ArchiveError when it is there."""
    if path.exists():
        raise ArchiveError(f"{path} is there already: name another, or remove it.")
    draft = path.with_name(f"{path.name}.partial")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


#: Takes rows into a file.
Write = Callable[[list[list[Cell]]], None]


@contextmanager
def _csv(path: Path, names: list[str]) -> Generator[Write]:
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # Excel takes a file without the mark for Latin-1
        writer = csv.writer(file)
        writer.writerow([guarded(name) for name in names])

        def write(rows: list[list[Cell]]) -> None:
            writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)

        yield write


@contextmanager
def _ndjson(path: Path, names: list[str]) -> Generator[Write]:
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:

        def write(rows: list[list[Cell]]) -> None:
            filled = [{name: cell for name, cell in zip(names, row, strict=True) if cell is not None} for row in rows]
            file.write(encoder.encode_lines(filled))

        yield write


@contextmanager
def _xlsx(path: Path, names: list[str]) -> Generator[Write]:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet: Any = book.create_sheet("Leads")

    def cell(value: Cell) -> Any:
        if not isinstance(value, str):
            return str(value) if value is not None else None  # a number of 15 digits would lose its last ones
        made = WriteOnlyCell(sheet, _UNFIT.sub("", value)[:_CELL_LENGTH])
        made.data_type = "s"  # a text, also where it begins with =
        return made

    sheet.append([cell(name) for name in names])

    def write(rows: list[list[Cell]]) -> None:
        for row in rows:
            sheet.append([cell(value) for value in row])

    yield write
    book.save(path)


@contextmanager
def _parquet(path: Path, names: list[str]) -> Generator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.int64() if name == "Lead ID" else pa.string()) for name in names])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:

        def write(rows: list[list[Cell]]) -> None:
            columns = zip(schema.types, zip(*rows, strict=True), strict=True)
            arrays = [pa.array(values, kind) for kind, values in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))

        yield write


_WRITERS: Final = {".csv": _csv, ".xlsx": _xlsx, ".ndjson": _ndjson, ".parquet": _parquet}
