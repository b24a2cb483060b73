"""Reading imports."""

from datetime import datetime

from rooftree.imports.model import ImportBatch, ImportChange, LeadImport
from rooftree.platform.database import Transaction, columns


async def imports(tx: Transaction, limit: int) -> list[LeadImport]:
    """Return the team's imports, newest first."""
    rows = await tx.fetch(
        f"SELECT {columns(LeadImport)} FROM lead_import WHERE team_id = $1 ORDER BY id DESC LIMIT $2", tx.team_id, limit
    )
    return [LeadImport(*row) for row in rows]


async def find_import(tx: Transaction, number: int) -> LeadImport | None:
    """Return an import by its number."""
    row = await tx.fetchrow(
        f"SELECT {columns(LeadImport)} FROM lead_import WHERE team_id = $1 AND id = $2", tx.team_id, number
    )
    return LeadImport(*row) if row else None


async def newest_of_file(tx: Transaction, content_hash: str) -> LeadImport | None:
    """Return the last import of a file, whatever its name."""
    row = await tx.fetchrow(
        f"""SELECT {columns(LeadImport)} FROM lead_import
             WHERE team_id = $1 AND content_hash = $2 ORDER BY id DESC LIMIT 1""",
        tx.team_id,
        content_hash,
    )
    return LeadImport(*row) if row else None


async def made_leads(tx: Transaction, number: int, *, limit: int) -> list[int]:
    """Return leads that an import made and that were not taken back, newest first."""
    rows = await tx.fetch(
        """SELECT id FROM lead_import_batch, unnest(lead_ids) AS id
            WHERE team_id = $1 AND import_id = $2 ORDER BY id DESC LIMIT $3""",
        tx.team_id,
        number,
        limit,
    )
    return [row["id"] for row in rows]


async def batch_to_undo(tx: Transaction, number: int, *, before_row: int | None) -> ImportBatch | None:
    """Return the last batch that still has leads, locked; `before_row`: of those that begin before it."""
    row = await tx.fetchrow(
        f"""SELECT {columns(ImportBatch)} FROM lead_import_batch
             WHERE team_id = $1 AND import_id = $2 AND cardinality(lead_ids) > 0
               AND ($3::bigint IS NULL OR first_row < $3)
             ORDER BY first_row DESC LIMIT 1 FOR UPDATE""",
        tx.team_id,
        number,
        before_row,
    )
    return ImportBatch(*row) if row else None


async def moments(tx: Transaction, number: int) -> list[datetime]:
    """Return when each batch of an import was recorded."""
    rows = await tx.fetch(
        "SELECT recorded_at FROM lead_import_batch WHERE team_id = $1 AND import_id = $2", tx.team_id, number
    )
    return [row["recorded_at"] for row in rows]


async def last_changes(tx: Transaction, number: int, limit: int) -> list[ImportChange]:
    """Return what an import changed last and that was not taken back, newest first."""
    rows = await tx.fetch(
        f"""SELECT {columns(ImportChange)} FROM lead_import_change
             WHERE team_id = $1 AND import_id = $2 ORDER BY row_number DESC LIMIT $3""",
        tx.team_id,
        number,
        limit,
    )
    return [ImportChange(*row) for row in rows]
