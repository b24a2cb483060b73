"""What duplicates need between requests: comparing leads that changed, late comers after a merge, forgetting."""

from typing import Final

from rooftree.duplicates import actions, merging, store
from rooftree.duplicates.model import UNDO_DAYS
from rooftree.leads.queries import teams_to_compare
from rooftree.platform.database import Database
from rooftree.platform.jobs import Job, Timer

#: How many leads one look compares at most, over all teams; what is left waits for the next.
_MOST_AT_ONCE: Final = 2_000
_FORGOTTEN_AT_ONCE: Final = 500


async def find_duplicates(owner: Database) -> None:
    """Compare leads that came or changed, of every team in turn, a bounded number of them."""
    async with owner.unscoped() as tx:
        team_ids = await teams_to_compare(tx)
    left = _MOST_AT_ONCE
    while team_ids and left > 0:
        busy: list[int] = []
        for team_id in team_ids:
            async with owner.transaction(team_id) as tx:
                taken = await actions.scan(tx)
            left -= taken
            if taken:
                busy.append(team_id)
            if left <= 0:
                return
        team_ids = busy


async def forget_old_merges(owner: Database) -> None:
    """Forget what undoing takes of merges that are too old to be undone."""
    forgotten = _FORGOTTEN_AT_ONCE
    while forgotten == _FORGOTTEN_AT_ONCE:
        async with owner.unscoped() as tx:
            forgotten = await store.forget_old_merges(tx, UNDO_DAYS, _FORGOTTEN_AT_ONCE)


async def _follow(database: Database, team_id: int, *, merge_id: int) -> None:
    async with database.transaction(team_id) as tx:
        await merging.follow(tx, merge_id)


JOBS: Final = [Job(merging.FOLLOW_MERGE, _follow)]
TIMERS: Final = [
    Timer("find duplicates", every_seconds=5, handler=find_duplicates),
    Timer("forget old merges", every_seconds=3600, handler=forget_old_merges),
]
