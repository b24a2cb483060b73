"""Writing transactions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from rooftree.platform.database import Arguments, Transaction
from rooftree.transactions.model import LeadTransaction

#: contract: vocab.md, stages of fresh teams
FIRST_PIPELINES: Final = {
    "Purchase": ["Pre-contract", "Under Contract", "Closed", "Cancelled"],
    "Listing": ["Pre-contract", "Under Contract", "Closed", "Cancelled"],
    "Lease": ["Pre-contract", "Under Contract", "Closed", "Cancelled"],
    "Other": ["Open", "Closed", "Cancelled"],
}


async def insert_pipelines(tx: Transaction) -> None:
    """Give a team its first pipelines."""
    await tx.executemany(
        "INSERT INTO transaction_pipeline (team_id, transaction_type, position, stages) VALUES ($1, $2, $3, $4)",
        [(tx.team_id, kind, place, stages) for place, (kind, stages) in enumerate(FIRST_PIPELINES.items(), 1)],
    )


async def insert_transaction(tx: Transaction, row: Mapping[str, Any]) -> int:
    """Store a transaction, return its id."""
    args = Arguments([tx.team_id])
    places = ", ".join(args.add(value) for value in row.values())
    return await tx.fetchval(
        f"INSERT INTO lead_transaction (team_id, {', '.join(row)}) VALUES ($1, {places}) RETURNING id", *args
    )


async def put_transactions(tx: Transaction, rows: Sequence[LeadTransaction]) -> None:
    """Store transactions under their own ids; one that is there is replaced, a deleted one stays deleted."""
    names = LeadTransaction.__struct_fields__
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    kept = {"team_id", "id", "lead_id", "created_by", "created_at", "deleted_at"}
    replaced = ", ".join(f"{name} = EXCLUDED.{name}" for name in names if name not in kept)
    await tx.executemany(
        f"""INSERT INTO lead_transaction ({", ".join(names)}) VALUES ({places})
            ON CONFLICT (team_id, id) DO UPDATE SET {replaced}""",
        [structs.astuple(row) for row in rows],
    )


async def repoint_transactions(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    """Give a lead's transactions, all or these, to another lead; return the ids of those that moved."""
    rows = await tx.fetch(
        """UPDATE lead_transaction SET lead_id = $3
            WHERE team_id = $1 AND lead_id = $2 AND ($4::bigint[] IS NULL OR id = ANY ($4)) AND id IN (
                  SELECT id FROM lead_transaction
                   WHERE team_id = $1 AND lead_id = $2 AND deleted_at IS NULL
                   UNION ALL
                  SELECT id FROM lead_transaction
                   WHERE team_id = $1 AND lead_id = $2 AND deleted_at IS NOT NULL)
            RETURNING id""",
        tx.team_id,
        from_id,
        to_id,
        None if ids is None else list(ids),
    )
    return [row["id"] for row in rows]
