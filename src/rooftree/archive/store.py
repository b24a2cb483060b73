"""Loading rows as the stores of their own rooms wrote them: the one place that may write any table (ADR 0025).

All of it needs the owner's rights.
"""

from collections.abc import AsyncIterable, Sequence
from typing import Any

import asyncpg

from rooftree.archive.errors import ArchiveError
from rooftree.platform.database import Transaction


async def load_rows(tx: Transaction, table: str, columns: Sequence[str], records: AsyncIterable[Sequence[Any]]) -> None:
    """Load rows into a table. Raises: ArchiveError when the database refuses one."""
    try:
        await tx.copy_records(table, records=records, columns=columns)
    except (asyncpg.PostgresError, asyncpg.DataError, ValueError, TypeError, OverflowError) as error:
        raise _refused(table, error) from error


async def load_csv(tx: Transaction, table: str, columns: Sequence[str], source: AsyncIterable[bytes]) -> None:
    """Load rows into a table from CSV with a header. Raises: ArchiveError when the database refuses one."""
    try:
        await tx.copy_csv(table, source=source, columns=columns)
    except (asyncpg.PostgresError, ValueError) as error:
        raise _refused(table, error) from error


def _refused(table: str, error: Exception) -> ArchiveError:
    detail = getattr(error, "detail", None) or ""
    if isinstance(error, asyncpg.UniqueViolationError):
        return ArchiveError(f"{table}: a row of the archive is here already. {detail}")
    return ArchiveError(f"{table}: the database refuses a row of the archive: {error}. {detail}")


async def move_on(tx: Transaction) -> None:
    """Let new announcements be numbered after those that were loaded."""
    await tx.execute(
        """SELECT setval('announcement_seq', greatest(max(seq), (SELECT last_value FROM announcement_seq)))
             FROM announcement WHERE team_id = $1 HAVING max(seq) IS NOT NULL""",
        tx.team_id,
    )


async def analyse(tx: Transaction, tables: Sequence[str]) -> None:
    """Let the planner know the tables as they are now: the first requests come before its own round."""
    await tx.execute(f"ANALYZE {', '.join(tables)}")
