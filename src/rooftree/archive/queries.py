"""Reading all rows of a team, table by table, as they stand, and the catalogue that names their columns."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Final

from msgspec import Struct

from rooftree.archive.model import Column, Table
from rooftree.archive.rules import Kind
from rooftree.leads.model import Lead
from rooftree.platform.database import Record, Transaction, columns

#: Rows that are held in memory at once; few where a row may be an e-mail with its attachments.
_BATCH: Final = 2000
_BATCH_OF_LARGE: Final = 20


class Selection(Struct, frozen=True):
    """All rows of a team in a table, the secrets among its columns emptied or not."""

    table: Table
    sql: str
    batch: int


async def tables(tx: Transaction) -> dict[str, Table]:
    """Return the tables that hold rows of teams, `team` itself among them, each after those it points to."""
    rows = await tx.fetch(
        """SELECT c.relname AS name,
                  array_agg(a.attname::text ORDER BY a.attnum) AS columns,
                  array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
                  ARRAY(SELECT k.attname::text FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS p (number, place)
                          JOIN pg_attribute k ON k.attnum = p.number
                         WHERE i.indrelid = c.oid AND i.indisprimary AND k.attrelid = c.oid ORDER BY p.place) AS key,
                  ARRAY(SELECT f.relname::text FROM pg_constraint o JOIN pg_class f ON f.oid = o.confrelid
                         WHERE o.conrelid = c.oid AND o.contype = 'f' AND f.oid <> c.oid ORDER BY 1) AS refs
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND c.relnamespace = current_schema()::regnamespace
              AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
              AND (c.relname = 'team' OR EXISTS (SELECT FROM pg_attribute t
                                                  WHERE t.attrelid = c.oid AND t.attname = 'team_id'))
            GROUP BY c.oid, c.relname ORDER BY c.relname"""
    )
    found = {
        row["name"]: Table(
            row["name"],
            [Column(*pair) for pair in zip(row["columns"], row["types"], strict=True)],
            row["key"],
            row["refs"],
        )
        for row in rows
    }
    order = TopologicalSorter({table.name: table.references for table in found.values()})
    return {name: found[name] for name in order.static_order()}


def selection(table: Table, kind: Kind, team_id: int, *, with_secrets: bool) -> Selection:
    """Return how to read a table. An emptied secret is not null: it says that there was one."""
    hidden = () if with_secrets else kind.secrets
    names = ", ".join(
        f"CASE WHEN {column.name} IS NOT NULL THEN ''::bytea END AS {column.name}"
        if column.name in hidden
        else column.name
        for column in table.columns
    )
    owner = "id" if table.name == "team" else "team_id"
    order = f" ORDER BY {', '.join(table.key)}" if table.key else ""
    is_large = any(column.type == "bytea" for column in table.columns)
    sql = f"SELECT {names} FROM {table.name} WHERE {owner} = {int(team_id)}{order}"
    return Selection(table, sql, _BATCH_OF_LARGE if is_large else _BATCH)


async def count(tx: Transaction, table: str) -> int:
    """Return how many rows the team has in a table."""
    owner = "id" if table == "team" else "team_id"
    return int(await tx.fetchval(f"SELECT count(*) FROM {table} WHERE {owner} = $1", tx.team_id))


def rows(tx: Transaction, wanted: Selection) -> AsyncGenerator[list[Record]]:
    """Yield the rows of a selection, batch by batch."""
    return tx.stream(wanted.sql, batch=wanted.batch)


async def csv(tx: Transaction, wanted: Selection, output: Callable[[bytes], Awaitable[None]]) -> None:
    """Write a selection as CSV, piece by piece."""
    await tx.copy_csv_to(wanted.sql, output)


async def blobs(
    tx: Transaction, table: str, key: str, content_type: str
) -> AsyncGenerator[list[tuple[str, str | None]]]:
    """Yield key and content type of what a table names in the blob store, batch by batch."""
    sql = f"SELECT {key}, {content_type} FROM {table} WHERE team_id = $1 AND {key} IS NOT NULL ORDER BY {key}"
    async for batch in tx.stream(sql, tx.team_id, batch=_BATCH):
        yield [(row[0], row[1]) for row in batch]


async def foreign_blobs(tx: Transaction, table: str, key: str) -> list[str]:
    """Return a few keys that a table names and that are not the team's."""
    found = await tx.fetch(
        f"SELECT {key} FROM {table} WHERE team_id = $1 AND NOT starts_with({key}, $2) LIMIT 3",
        tx.team_id,
        f"{tx.team_id}/",
    )
    return [row[0] for row in found]


async def schema(tx: Transaction) -> str:
    """Return the name of the last migration."""
    return str(await tx.fetchval("SELECT max(name) FROM schema_migration"))


async def now(tx: Transaction) -> datetime:
    """Return the time by the clock that ids are made by."""
    return await tx.fetchval("SELECT clock_timestamp()")


async def team_name(tx: Transaction, team_id: int) -> str | None:
    """Return the name of a team; None: it is not here."""
    return await tx.fetchval("SELECT name FROM team WHERE id = $1", team_id)


async def has_teams(tx: Transaction) -> bool:
    """Whether any team is here."""
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM team)"))


async def lead_widths(tx: Transaction) -> tuple[int, int, int]:
    """Return how many leads the team has, and how many addresses and numbers one of them has at most."""
    # sees all: the operator writes the team's leads into a file
    row = await tx.fetchrow(
        """SELECT count(*), coalesce(max(cardinality(emails)), 0), coalesce(max(cardinality(phones)), 0)
             FROM lead WHERE team_id = $1 AND trashed_at IS NULL""",
        tx.team_id,
    )
    assert row is not None
    return row[0], row[1], row[2]


async def leads(tx: Transaction) -> AsyncGenerator[list[tuple[Lead, str, str | None]]]:
    """Yield the team's leads with their stage and their agent's login, oldest first, without those in the trash."""
    # sees all: the operator writes the team's leads into a file
    sql = f"""SELECT {columns(Lead, "l")}, s.name, m.email
                FROM lead l JOIN stage s ON s.team_id = l.team_id AND s.id = l.stage_id
                LEFT JOIN member m ON m.team_id = l.team_id AND m.id = l.assigned_user_id
               WHERE l.team_id = $1 AND l.trashed_at IS NULL ORDER BY l.created_at, l.id"""
    width = len(Lead.__struct_fields__)
    async for batch in tx.stream(sql, tx.team_id, batch=_BATCH):
        values = [tuple(row) for row in batch]
        yield [(Lead(*row[:width]), row[width], row[width + 1]) for row in values]
