"""The rows in error: a CSV with the file's own columns, the row's number and the reason. Mended, it can be imported."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from rooftree.imports import cells
from rooftree.imports.columns import ERROR_COLUMNS


class Fault(Struct, frozen=True):
    """A row that was not imported."""

    number: int
    values: Sequence[object]
    reason: str


class ErrorsFile:
    """Grows with the import. What a killed process wrote and did not commit is cut off first."""

    def __init__(self, path: Path, headers: Sequence[str], committed_bytes: int) -> None:
        self.path = path
        self.size = committed_bytes
        self._headers = [header for header in headers if header not in ERROR_COLUMNS]
        self._places = [place for place, header in enumerate(headers) if header not in ERROR_COLUMNS]

    def append(self, faults: Sequence[Fault]) -> None:
        """Write rows; they are on disk when this returns."""
        if not faults:
            return
        text = io.StringIO()
        writer = csv.writer(text)
        if self.size == 0:
            writer.writerow([*self._headers, *ERROR_COLUMNS])
        for fault in sorted(faults, key=lambda fault: fault.number):
            known = [cells.text(fault.values[place]) for place in self._places if place < len(fault.values)]
            known += [""] * (len(self._headers) - len(known))
            writer.writerow([*known, fault.number, fault.reason])
        written = text.getvalue().encode()
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            file.truncate(self.size)
            file.seek(self.size)
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
        self.size += len(written)
