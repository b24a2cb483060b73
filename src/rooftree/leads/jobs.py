"""What leads need between requests: moving on when nobody touched them, and adding up the tally."""

from typing import Final

from rooftree.leads import actions, store
from rooftree.leads.handover import MOVING_ON
from rooftree.platform.database import Database
from rooftree.platform.jobs import Job, Timer

#: A team's tally is added up when this many rows, or half as many again as its cells, have come since.
ROWS_BEFORE_COMPACTION: Final = 500


class TallyCompaction:
    """Remembers how small each team's tally was after the last time, to see which have grown."""

    def __init__(self) -> None:
        self._floors: dict[int, int] = {}

    async def __call__(self, owner: Database) -> None:
        """Add up every tally that has grown. Raises nothing of its own; a failure is tried again next time."""
        async with owner.unscoped() as tx:
            # sees all: counts rows per team, of no lead in particular
            rows = await tx.fetch("SELECT team_id, count(*) AS amount FROM lead_tally GROUP BY team_id")
        for row in rows:
            floor = self._floors.get(row["team_id"], 0)
            if row["amount"] > floor + max(ROWS_BEFORE_COMPACTION, floor // 2):
                async with owner.transaction(row["team_id"]) as tx:
                    self._floors[row["team_id"]] = await store.compact_tally(tx)


def jobs(region: str) -> list[Job]:
    """Return the jobs of leads. `region` (e.g. US) completes phone numbers."""

    async def pass_on(database: Database, team_id: int, *, lead_id: int, offer_id: int) -> None:
        async with database.transaction(team_id) as tx:
            await actions.pass_on(tx, lead_id, offer_id, region=region)

    return [Job(MOVING_ON, pass_on)]


TIMERS: Final = [Timer("compact the tally of leads", every_seconds=2, handler=TallyCompaction())]
