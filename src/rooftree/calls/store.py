"""Every INSERT and UPDATE on calls."""

from typing import Any

from rooftree.calls.model import Call
from rooftree.platform.database import Arguments, Transaction, columns


async def insert_call(tx: Transaction, values: dict[str, Any]) -> Call | None:
    """Store a call; None when its provider's id is known already."""
    args = Arguments([tx.team_id])
    placeholders = ", ".join(args.add(value) for value in values.values())
    row = await tx.fetchrow(
        f"""INSERT INTO call (team_id, {", ".join(values)}) VALUES ($1, {placeholders})
            ON CONFLICT (team_id, provider_id) WHERE provider_id IS NOT NULL DO NOTHING RETURNING {columns(Call)}""",
        *args,
    )
    return Call(*row) if row else None


async def lock_call(tx: Transaction, call_id: int) -> Call | None:
    """Return a call, locked until the transaction ends."""
    row = await tx.fetchrow(
        f"SELECT {columns(Call)} FROM call WHERE team_id = $1 AND id = $2 FOR UPDATE", tx.team_id, call_id
    )
    return Call(*row) if row else None


async def lock_call_of_provider(tx: Transaction, provider_id: str) -> Call | None:
    """Return the call that a provider knows by its own id, locked until the transaction ends."""
    row = await tx.fetchrow(
        f"SELECT {columns(Call)} FROM call WHERE team_id = $1 AND provider_id = $2 FOR UPDATE",
        tx.team_id,
        provider_id,
    )
    return Call(*row) if row else None


async def update_call(tx: Transaction, call_id: int, changes: dict[str, Any]) -> Call:
    """Change a call."""
    args = Arguments([tx.team_id, call_id])
    assignments = ", ".join(f"{name} = {args.add(value)}" for name, value in changes.items())
    row = await tx.fetchrow(
        f"""UPDATE call SET {assignments}, updated_at = clock_timestamp()
             WHERE team_id = $1 AND id = $2 RETURNING {columns(Call)}""",
        *args,
    )
    assert row is not None
    return Call(*row)
