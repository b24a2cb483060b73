"""What there was, what was seen, what is here."""

from typing import Final

from msgspec import Struct

from rooftree.lofty import queries
from rooftree.lofty.model import Pull
from rooftree.platform.database import Transaction

_ACCOUNT: Final = ("office", "member", "pond", "stage", "tag", "field")
#: Kinds of a run and the kinds of things they are.
_THINGS: Final = {
    "leads": "lead",
    "talk": "talk",
    "notes": "note",
    "visits": "visit",
    "changes": "change",
    "transactions": "transaction",
}


class Count(Struct, frozen=True):
    """One kind, counted in three places."""

    kind: str
    total: int | None  #: as the source says; None: it does not
    seen: int  #: read from the source by this run
    here: int  #: of those
    refused: int  #: could not be taken
    problem: str | None = None  #: why the source gave none

    @property
    def is_equal(self) -> bool:
        """Whether what there was is here. What the source does not offer is nobody's loss."""
        if self.problem:
            return True
        return self.refused == 0 and self.seen == self.here and self.total in {None, self.seen}


async def compare(tx: Transaction, pull: Pull) -> list[Count]:
    """Count each kind of a run. Rows here are counted in their own tables."""
    steps, refused = await queries.steps(tx, pull.id), await queries.count_refusals(tx)
    found: list[Count] = []
    for kind in (*_ACCOUNT, *pull.wanted):
        thing = _THINGS.get(kind, kind)
        step = steps.get(kind)
        taken = await queries.count_seen(tx, thing, pull.id)
        here = await queries.count_here(tx, thing, pull.id)
        lost = refused.pop(thing, 0) + refused.pop(f"{kind} of lead", 0)
        total = step.total if step else None
        seen = taken + lost if kind not in _ACCOUNT else taken
        if kind == "leads" and pull.since:
            total = None  # all of them, and only some were asked for
        if kind == "talk":
            total = await queries.count_talk(tx)
            if (searched := steps.get("windows")) and not searched.problem:
                total = searched.total
        found.append(Count(kind, total, seen, here, lost, step.problem if step else None))
    found += [Count(kind, None, lost, 0, lost) for kind, lost in sorted(refused.items())]
    return found
