"""Rows of imports."""

from datetime import datetime

from msgspec import Struct

from rooftree.leads.model import Document


class LeadImport(Struct, frozen=True):
    """An import of a file."""

    team_id: int
    id: int  #: counts per team, from 1
    member_id: int  #: who does it
    file_name: str
    content_hash: str  #: SHA-256 of the file
    plan: Document  #: how its columns are read, and what is done with them (plan.Plan)
    state: str  #: running (or stopped on the way), done, undoing, undone
    position: int  #: rows of the file that are done
    created: int
    updated: int
    skipped: int
    failed: int
    errors_path: str | None  #: where the rows in error are, with their reasons
    errors_bytes: int
    started_at: datetime
    ended_at: datetime | None


class ImportBatch(Struct, frozen=True):
    """Rows that were committed together."""

    team_id: int
    import_id: int
    first_row: int  #: its place in the file, from 0
    lead_ids: list[int]  #: the leads it made; once undone, those that stayed
    recorded_at: datetime
    undone_at: datetime | None


class ImportChange(Struct, frozen=True):
    """What an import changed on a lead that was there before."""

    team_id: int
    import_id: int
    row_number: int  #: as a spreadsheet counts: the header is row 1
    lead_id: int
    before: Document  #: the changed columns, as they were
    after: Document  #: the same, as the import left them
