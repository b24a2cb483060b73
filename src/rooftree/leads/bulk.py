"""Loading many leads with their histories at once: demo data, benchmarks."""

from collections.abc import Sequence

from rooftree.leads import store
from rooftree.leads.model import Lead
from rooftree.platform.database import Transaction
from rooftree.timeline.actions import Entry, load


async def load_leads(
    tx: Transaction, leads: Sequence[Lead], history: Sequence[tuple[int, Entry]], *, region: str
) -> None:
    """Store leads and what happened to them, in the caller's transaction. Needs the owner's rights.

    `history`: pairs of who did it and an entry with an id. Announces nothing, counts everything.
    """
    await store.copy_leads(tx, leads, region)
    await load(tx, history)
