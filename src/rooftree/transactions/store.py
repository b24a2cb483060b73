"""Writing transactions."""

from collections.abc import Mapping
from typing import Any, Final

from rooftree.platform.database import Arguments, Transaction

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
