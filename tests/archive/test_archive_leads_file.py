"""Leads as a table for people."""

import csv
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.make import Make
from tests.support.people import People

from rooftree.archive import leads_file
from rooftree.archive.errors import ArchiveError
from rooftree.platform.database import Database
from rooftree.platform.spreadsheet import guarded, unguarded


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(file)]
    if path.suffix == ".xlsx":
        names, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        names, rows = table.column_names, [tuple(row.values()) for row in table.to_pylist()]
    else:
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    return [{name: cell for name, cell in zip(names, row, strict=True) if cell is not None} for row in rows]


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".ndjson", ".parquet"])
async def test_a_row_for_each_lead(make: Make, people: People, owner_db: Database, tmp_path: Path, ending: str) -> None:
    await make.client.ok("POST", "/v1.0/teamFeatures/custom-field", {"attributeName": "Pets", "attributeType": "text"})
    full = await make.lead(
        firstName="=cmd|' /C calc'!A0",
        lastName="Müller",
        emails=["a@example.com", "b@example.com"],
        phones=["+14155550123"],
        tags=["@one", "two"],
        segments=["VIP"],
        source="-Website",
        birthday="Feb 29, 1980",
        leadTypes=[1, 2],
        property={"streetAddress": "1 Main St", "city": "Austin", "state": "TX", "zipCode": "01234", "price": 1},
        customAttributeList=[{"attributeName": "Pets", "value": "=2 cats"}],
        cannotCall=True,
        assignedUserId=people.ana.id,
    )
    plain = await make.lead(firstName="B")
    gone = await make.lead()
    await make.client.ok("DELETE", f"/v1.0/leads/{gone}?reason=x")
    path, told = tmp_path / f"leads{ending}", list[tuple[str, int, int]]()
    count = await leads_file.export_leads(
        owner_db, people.adam.team_id, path, on_progress=lambda *args: told.append(args)
    )
    rows = _read(path)
    assert (count, len(rows), sum(done for _, _, done in told)) == (2, 2, 2)
    assert [path] == list(tmp_path.iterdir())
    mark = "'" if ending == ".csv" else ""
    created = rows[0].pop("Created")
    assert created.startswith("20")
    assert rows[0] == {
        "Lead ID": full if ending in (".ndjson", ".parquet") else str(full),
        "First Name": f"{mark}=cmd|' /C calc'!A0",
        "Last Name": "Müller",
        "E-mail 1": "a@example.com",
        "E-mail 2": "b@example.com",
        "Phone 1": "+14155550123",
        "Street Address": "1 Main St",
        "City": "Austin",
        "State": "TX",
        "Zip Code": "01234",
        "Lead Types": "1; 2",
        "Stage": rows[1]["Stage"],
        "Source": f"{mark}-Website",
        "Assigned To": people.ana.email,
        "Tags": f"{mark}@one; two",
        "Segments": "VIP",
        "Birthday": "1980-02-29",
        "Cannot Call": "Yes",
        "Pets": f"{mark}=2 cats",
    }
    assert str(rows[1]["Lead ID"]) == str(plain)
    with pytest.raises(ArchiveError, match="is there already"):
        await leads_file.export_leads(owner_db, people.adam.team_id, path, on_progress=lambda *_: None)
    with pytest.raises(ArchiveError, match="must end in"):
        await leads_file.export_leads(owner_db, people.adam.team_id, tmp_path / "x.pdf", on_progress=lambda *_: None)


@given(st.text(alphabet="'=+-@\t\ra1 ") | st.text())
def test_what_is_guarded_comes_back(text: str) -> None:
    kept = guarded(text)
    assert unguarded(kept) == text
    assert kept[:1] not in set("=@\t\r")
    assert not (kept[:1] in ("+", "-") and any(letter.isalpha() for letter in kept))
