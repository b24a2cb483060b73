"""Loading many leads with their histories at once: demo data, benchmarks; and what finds leads that came as rows."""

from collections.abc import Callable, Sequence
from typing import Final

from rooftree.leads import store
from rooftree.leads.model import Lead
from rooftree.platform.database import Transaction, columns
from rooftree.timeline.actions import Entry, load

_BATCH: Final = 2000


async def load_leads(
    tx: Transaction, leads: Sequence[Lead], history: Sequence[tuple[int, Entry]], *, region: str
) -> None:
    """Store leads and what happened to them, in the caller's transaction. Needs the owner's rights.

    `history`: pairs of who did it and an entry with an id. Announces nothing, counts everything.
    """
    await store.copy_leads(tx, leads, region)
    await load(tx, history)


async def index_leads(tx: Transaction, *, region: str, on_progress: Callable[[int, int], None]) -> None:
    """Make what finds the team's leads, all of which nothing finds yet. Needs the owner's rights.

    `on_progress` hears how many leads there are, and how many were done since the last time.
    """
    # sees all: a team's leads, just loaded, those in the trash too
    total = int(await tx.fetchval("SELECT count(*) FROM lead WHERE team_id = $1", tx.team_id))
    sql = f"SELECT {columns(Lead)} FROM lead WHERE team_id = $1"
    async for batch in tx.stream(sql, tx.team_id, batch=_BATCH):
        await store.copy_finders(tx, [Lead(*row) for row in batch], region)
        on_progress(total, len(batch))
