"""Writing many leads with their histories: demo data, benchmarks, moved accounts; what finds leads that came as rows.

Announces nothing: what happened elsewhere, or never, is nobody's news.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from rooftree.leads import queries, store
from rooftree.leads.model import Lead
from rooftree.platform.database import Transaction, columns
from rooftree.timeline.actions import Entry, load

_BATCH: Final = 2000
#: What a lead that is written anew keeps: where it came from here, and what was done to it here.
_KEPT: Final = {"team_id", "id", "is_contacted", "created_by", "trashed_at", "trashed_by", "trash_reason"}


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


async def rewrite_lead(tx: Transaction, lead: Lead, *, region: str) -> None:
    """Let a lead be what this row says; whether it was contacted, and the trash, stay. Writes: lead and beside it."""
    old = await queries.locked_lead(tx, lead.id)
    if old is None:
        return
    names = [name for name in Lead.__struct_fields__ if name not in _KEPT]
    changes = {name: getattr(lead, name) for name in names if getattr(lead, name) != getattr(old, name)}
    if changes:
        await store.update_lead(tx, old, replace(old, **changes), changes, region)


async def put_roles(tx: Transaction, lead: Lead, people: Sequence[tuple[int, int]]) -> None:
    """Set who works a lead besides its agent: pairs of role id (-2 lender, or a custom role's) and member id."""
    await store.replace_roles(tx, lead, people)


async def mark_all_contacted(tx: Transaction, lead_ids: Sequence[int], *, region: str) -> None:
    """Note that an agent reached out to these leads. Writes: lead, lead_tally."""
    for lead_id in sorted(lead_ids):
        old = await queries.locked_lead(tx, lead_id)
        if old and not old.is_contacted:
            await store.update_lead(tx, old, replace(old, is_contacted=True), {"is_contacted": True}, region)


async def ensure_stages(tx: Transaction, names: Sequence[str]) -> dict[str, int]:
    """Return the ids of stages by their names in lower case, those that are new added at the pipeline's end."""
    return {name.lower(): await store.ensure_stage(tx, name) for name in names}
