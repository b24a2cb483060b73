"""Ids of things inside a document: the database makes them, as it makes those of rows (`next_id()`)."""

from rooftree.platform.database import Transaction


async def next_ids(tx: Transaction, count: int) -> list[int]:
    """Return fresh ids: time-ordered, below 2**53, so that JavaScript can read them."""
    return await tx.fetchval("SELECT ARRAY(SELECT next_id() FROM generate_series(1, $1))", count)
