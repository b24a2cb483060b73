"""Every INSERT, UPDATE and DELETE on imports."""

from collections.abc import Sequence

from rooftree.imports.model import LeadImport
from rooftree.platform.database import Transaction, columns


async def insert_import(tx: Transaction, member_id: int, file_name: str, content_hash: str, plan: bytes) -> LeadImport:
    """Store a new import under the team's next number."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('lead_import', $1))", tx.team_id)
    row = await tx.fetchrow(
        f"""INSERT INTO lead_import (team_id, id, member_id, file_name, content_hash, plan)
            SELECT $1, coalesce(max(id), 0) + 1, $2, $3, $4, $5 FROM lead_import WHERE team_id = $1
            RETURNING {columns(LeadImport)}""",
        tx.team_id,
        member_id,
        file_name,
        content_hash,
        plan,
    )
    assert row is not None
    return LeadImport(*row)


async def set_errors_path(tx: Transaction, number: int, path: str) -> None:
    """Note where an import's rows in error are written."""
    await tx.execute("UPDATE lead_import SET errors_path = $3 WHERE team_id = $1 AND id = $2", tx.team_id, number, path)


async def advance(tx: Transaction, number: int, *, first: int, rows: int) -> bool:
    """Take the rows from `first` on for this transaction; False when somebody else did, or the import is over."""
    done = await tx.execute(
        """UPDATE lead_import SET position = position + $4
            WHERE team_id = $1 AND id = $2 AND position = $3 AND state = 'running'""",
        tx.team_id,
        number,
        first,
        rows,
    )
    return done == "UPDATE 1"


async def count(
    tx: Transaction, number: int, *, created: int, updated: int, skipped: int, failed: int, errors_bytes: int
) -> LeadImport:
    """Add what became of rows."""
    row = await tx.fetchrow(
        f"""UPDATE lead_import SET created = created + $3, updated = updated + $4, skipped = skipped + $5,
                                   failed = failed + $6, errors_bytes = $7
             WHERE team_id = $1 AND id = $2 RETURNING {columns(LeadImport)}""",
        tx.team_id,
        number,
        created,
        updated,
        skipped,
        failed,
        errors_bytes,
    )
    assert row is not None
    return LeadImport(*row)


async def insert_batch(tx: Transaction, number: int, first_row: int, lead_ids: Sequence[int]) -> None:
    """Note which leads were made together."""
    await tx.execute(
        "INSERT INTO lead_import_batch (team_id, import_id, first_row, lead_ids) VALUES ($1, $2, $3, $4)",
        tx.team_id,
        number,
        first_row,
        list(lead_ids),
    )


async def insert_change(
    tx: Transaction, number: int, row_number: int, lead_id: int, before: bytes, after: bytes
) -> None:
    """Note what was changed on a lead."""
    await tx.execute(
        """INSERT INTO lead_import_change (team_id, import_id, row_number, lead_id, before, after)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        tx.team_id,
        number,
        row_number,
        lead_id,
        before,
        after,
    )


async def set_state(tx: Transaction, number: int, state: str) -> LeadImport:
    """Move an import on; done and undone end it."""
    row = await tx.fetchrow(
        f"""UPDATE lead_import
               SET state = $3, ended_at = CASE WHEN $3 IN ('done', 'undone') THEN clock_timestamp() ELSE ended_at END
             WHERE team_id = $1 AND id = $2 RETURNING {columns(LeadImport)}""",
        tx.team_id,
        number,
        state,
    )
    assert row is not None
    return LeadImport(*row)


async def undo_batch(tx: Transaction, number: int, first_row: int, kept_ids: Sequence[int]) -> None:
    """Note that a batch was taken back, but for these leads."""
    await tx.execute(
        """UPDATE lead_import_batch SET lead_ids = $4, undone_at = clock_timestamp()
            WHERE team_id = $1 AND import_id = $2 AND first_row = $3""",
        tx.team_id,
        number,
        first_row,
        list(kept_ids),
    )


async def delete_changes(tx: Transaction, number: int, row_numbers: Sequence[int]) -> None:
    """Forget changes that were taken back."""
    await tx.execute(
        "DELETE FROM lead_import_change WHERE team_id = $1 AND import_id = $2 AND row_number = ANY ($3)",
        tx.team_id,
        number,
        list(row_numbers),
    )
