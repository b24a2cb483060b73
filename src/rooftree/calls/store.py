"""Every INSERT and UPDATE on calls."""

from collections.abc import Sequence
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


async def put_calls(tx: Transaction, calls: Sequence[Call]) -> None:
    """Store calls under the ids of their entries; one that is there is replaced, but for what it was recorded with."""
    names = [name for name in Call.__struct_fields__ if not name.startswith("recording_")]
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    replaced = ", ".join(f"{name} = EXCLUDED.{name}" for name in names if name not in {"team_id", "id", "created_at"})
    await tx.executemany(
        f"""INSERT INTO call ({", ".join(names)}) VALUES ({places})
            ON CONFLICT (team_id, id) DO UPDATE SET {replaced}""",
        [tuple(getattr(call, name) for name in names) for call in calls],
    )


async def repoint_calls(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    """Give a lead's calls, all or these, to another lead; return the ids of those that moved."""
    rows = await tx.fetch(
        """UPDATE call SET lead_id = $3
            WHERE team_id = $1 AND lead_id = $2 AND ($4::bigint[] IS NULL OR id = ANY ($4))
            RETURNING id""",
        tx.team_id,
        from_id,
        to_id,
        None if ids is None else list(ids),
    )
    return [row["id"] for row in rows]
