"""Files: encodings, delimiters, quoting, workbooks, JSON lines."""

import csv
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.imports.errors_file import ErrorsFile, Fault
from rooftree.imports.files import FileError, inspect, rows
from rooftree.imports.plan import Plan
from rooftree.platform.spreadsheet import unguarded

_HEADERS = ["First Name", "E-mail 1", "Notes"]
_CELL = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r"), max_size=20).filter(
    lambda text: unguarded(text) == text
)


def _plan(path: Path) -> Plan:
    found = inspect(path)
    columns = [(header, "note") for header in found.headers]
    return Plan(format=found.format, encoding=found.encoding, delimiter=found.delimiter, columns=columns)


@given(
    rows_=st.lists(st.tuples(_CELL.filter(str.strip), _CELL, _CELL), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    ending=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_csv_of_any_dialect_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows_: list[tuple[str, str, str]],
    delimiter: str,
    quoting: int,
    ending: str,
    encoding: str,
) -> None:
    path = tmp_path_factory.getbasetemp() / "dialect.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=ending)
        writer.writerows([_HEADERS, *rows_])
    plan = _plan(path)
    assert [header for header, _ in plan.columns] == _HEADERS
    assert [tuple(row.values) for row in rows(path, plan)] == rows_
    assert [row.number for row in rows(path, plan)] == [place + 2 for place in range(len(rows_))]


def test_the_apostrophe_of_an_exported_formula_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("First Name,Phone 1,'=Notes\n'=1+1,+14155550123,''@x\n'Adam,-5,O'Neil\n")
    plan = _plan(path)
    assert [header for header, _ in plan.columns] == ["First Name", "Phone 1", "=Notes"]
    assert [row.values for row in rows(path, plan)] == [["=1+1", "+14155550123", "'@x"], ["'Adam", "-5", "O'Neil"]]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be", "utf-8"])
def test_encodings_without_a_mark(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes("First Name,Notes\nJosé,“quoted” – €\n".encode(encoding))
    assert [row.values for row in rows(path, _plan(path))] == [["José", "“quoted” – €"]]


def test_rows_that_are_too_long_blank_or_short(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("First Name,Notes\na\n,\nb,c,d\ne,f,\n")
    found = list(rows(path, _plan(path)))
    assert [(row.number, row.values, row.error) for row in found] == [
        (2, ["a", ""], None),
        (4, ["b", "c", "d"], "has 3 cells, the header 2"),
        (5, ["e", "f"], None),
    ]


def test_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "leads.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["First Name", "Phone", "Phone"])
    book.active.append(["Ada", 5125550100, None])
    book.active.append([None, None, None])
    book.active.append(["Bob", "512", "513"])
    book.save(path)
    plan = _plan(path)
    assert [header for header, _ in plan.columns] == ["First Name", "Phone", "Phone (3)"]
    assert [(row.number, row.values) for row in rows(path, plan)] == [
        (2, ["Ada", 5125550100, None]),
        (4, ["Bob", "512", "513"]),
    ]
    with pytest.raises(FileError, match="has no sheet Leads"):
        inspect(path, sheet="Leads")


@pytest.mark.parametrize("damage", ["<row", "</sheetData>", "<sheetView ", "deflated"])
def test_a_damaged_workbook_is_refused(tmp_path: Path, damage: str) -> None:
    path, sheet = tmp_path / "leads.xlsx", "xl/worksheets/sheet1.xml"
    book = openpyxl.Workbook()
    book.active.append(["First Name"])
    book.active.append(["Ada"])
    book.save(path)
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    parts[sheet] = parts[sheet].replace(damage.encode(), damage.encode()[:-1] + b"x='1' ")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    if damage == "deflated":
        whole = path.read_bytes()
        start = whole.index(sheet.encode()) + len(sheet)
        path.write_bytes(whole[:start] + b"\xff" * 9 + whole[start + 9 :])
    plan = Plan(format="xlsx", columns=[("First Name", "firstName")])
    with pytest.raises(FileError, match="a damaged one"):
        list(rows(path, plan))


def test_no_two_headers_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("Phone (3),Phone,Phone,,column 4\n1,2,3,4,5\n")
    headers = inspect(path).headers
    assert headers == ["Phone (3)", "Phone", "Phone (3) (3)", "column 4", "column 4 (5)"]
    assert [row.values for row in rows(path, _plan(path))] == [["1", "2", "3", "4", "5"]]


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "leads.ndjson"
    path.write_text('{"firstName": "Ada", "emails": ["a@x.com"]}\n\n{"firstName": "Bob", "tags": null}\n[1]\nno\n')
    found = list(rows(path, _plan(path)))
    assert [row.values for row in found[:2]] == [["Ada", ["a@x.com"], None], ["Bob", None, None]]
    assert [(row.number, bool(row.error)) for row in found] == [(1, False), (3, False), (4, True), (5, True)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("leads.pdf", b"x", "name it .csv, .xlsx or .ndjson"),
        ("leads.csv", b"", "is empty"),
        ("leads.xlsx", b"no zip", "is not an Excel workbook"),
        ("leads.ndjson", b"[]\n", "no line that is a JSON object"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=reason):
        inspect(path)


def test_what_was_written_and_not_committed_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "errors.csv"
    first = ErrorsFile(path, ["Name", "row", "reason"], 0)
    first.append([Fault(3, ["Bob", "9", "old"], "is late")])
    committed = first.size
    first.append([Fault(9, ["Killed"], "is lost")])
    ErrorsFile(path, ["Name", "row", "reason"], committed).append([Fault(5, ["Eve", "", ""], "is later")])
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["Name", "row", "reason"], ["Bob", "3", "is late"], ["Eve", "5", "is later"]]
