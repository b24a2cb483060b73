"""The tally, and what it should be."""

from typing import Any

from rooftree.leads import store
from tests.support.make import Make


async def counted(make: Make, team_id: int) -> dict[tuple[Any, ...], int]:
    """Count the leads of each cell."""
    places = ", ".join(str(place + 1) for place in range(len(store.CELL) + 1))
    rows = await make.rows(
        f"""SELECT t.tag, {", ".join(f"l.{name}" for name in store.CELL)}, count(*)
              FROM lead l, LATERAL (
                   SELECT '' AS tag UNION ALL SELECT e ->> 'tagName' FROM jsonb_array_elements(l.tags) e) t
             WHERE l.team_id = $1 AND l.trashed_at IS NULL GROUP BY {places}""",
        team_id,
    )
    return {tuple(row)[:-1]: row[-1] for row in rows}


async def tallied(make: Make, team_id: int) -> dict[tuple[Any, ...], int]:
    """Add up what the tally says of each cell."""
    names = ", ".join(("tag", *store.CELL))
    rows = await make.rows(
        f"""SELECT {names}, sum(amount)::bigint FROM lead_tally
             WHERE team_id = $1 GROUP BY {names} HAVING sum(amount) <> 0""",
        team_id,
    )
    return {tuple(row)[:-1]: row[-1] for row in rows}
