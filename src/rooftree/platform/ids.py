"""Ids of things inside a document: the database makes them, as it makes those of rows (`next_id()`)."""

from rooftree.platform.database import Transaction


async def next_ids(tx: Transaction, count: int) -> list[int]:
    """Return fresh ids: time-ordered, below 2**53, so that JavaScript can read them."""
    rows = await tx.fetch("SELECT next_id() AS id FROM generate_series(1, $1)", count)
    return [row["id"] for row in rows]
