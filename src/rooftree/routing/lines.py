"""Whose turn it is in a line: taken for good, only looked at, or imagined."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Protocol
from weakref import WeakSet, WeakValueDictionary

from msgspec import Struct

from rooftree.platform.database import Transaction
from rooftree.platform.errors import Unavailable
from rooftree.routing import queries, rules, store
from rooftree.routing.model import Seat

#: Who holds a turn for so long has stopped. Giving up also parts two who wait for each other.
LONGEST_WAIT_SECONDS: Final = 15.0
#: Never growing: who has waited long looks as often as who has just come.
_PAUSE_SECONDS: Final = 0.004

Places = Sequence[tuple[int, int]]


#: Transactions that have looked at a line.
_inside: WeakSet[Transaction] = WeakSet()
_turnstiles: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, int, str], asyncio.Lock] = WeakValueDictionary()


def _turnstile(team_id: int, scope: str) -> asyncio.Lock:
    """Return what lets the requests of this process come to a line one by one, in the order of their arrival.

    Without it a burst looks at the line all at once, over and over, and who is unlucky each time never has a turn.
    """
    key = (asyncio.get_running_loop(), team_id, scope)
    lock = _turnstiles.get(key)
    if lock is None:
        _turnstiles[key] = lock = asyncio.Lock()
    return lock


class Turn(Struct, frozen=True):
    """Whose turn it is."""

    member_id: int
    slot: int
    count: int | None = None  #: turns of this place, this one included; None: it was only looked at


class Lines(Protocol):
    """The lines that a search chooses from."""

    async def next(self, scope: str, places: Places) -> Turn:
        """Return whose turn it is among these places."""
        ...

    async def give_back(self, scope: str, turn: Turn) -> None:
        """Undo a turn."""
        ...

    async def overload(self, seat: Seat, day: date, midnight: datetime) -> str | None:
        """Count a lead for somebody with limits; return why they cannot take it after all."""
        ...


class TakenTurns(Struct, frozen=True):
    """Turns that are the team's own, taken in a transaction: rolled back, none was taken."""

    tx: Transaction

    async def next(self, scope: str, places: Places) -> Turn:
        """Take a turn; while everybody who is next is being served, look again shortly.

        Waiting for a row lock instead could deadlock: a row that was taken a moment ago stays locked by whoever then
        finds it is no longer next. Looking again cannot, for who holds such a row may take it when its turn comes.
        Raises: Unavailable (900503) when others keep all who are next for too long.
        """
        if self.tx in _inside:  # others may wait for what it holds: it must not queue behind them
            return await self._look(scope, places)
        async with _turnstile(self.tx.team_id, scope):
            _inside.add(self.tx)
            return await self._look(scope, places)

    async def _look(self, scope: str, places: Places) -> Turn:
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while (turn := await store.take_turn(self.tx, scope, places)).member_id is None:
            if turn.is_uneven:
                await store.level(self.tx, scope, places)
                continue
            if time.monotonic() > deadline:
                raise Unavailable("All agents who are next are being given a lead right now; try again shortly.")
            await asyncio.sleep(_PAUSE_SECONDS)
        assert turn.slot is not None
        return Turn(turn.member_id, turn.slot, turn.count)

    async def give_back(self, scope: str, turn: Turn) -> None:
        """Undo a turn that this transaction took."""
        await store.give_back(self.tx, scope, turn.member_id, turn.slot)

    async def overload(self, seat: Seat, day: date, midnight: datetime) -> str | None:
        """Count the lead, with their row locked: whoever routes to them next waits, and sees what this lead made."""
        if seat.daily_cap is None and seat.open_cap is None:
            return None
        if not await store.count_load(self.tx, seat.id, day, midnight, seat.daily_cap):
            return rules.day_is_full(seat)
        if seat.open_cap is not None and await queries.open_leads(self.tx, seat.id) >= seat.open_cap:
            await store.uncount_load(self.tx, seat.id, day)
            return rules.hands_are_full(seat)
        return None


class HeldTurns:
    """Turns of many leads in one transaction: all lines are locked once, go on in memory, and are written back.

    The places and their order are those of `TakenTurns`, had each lead come alone.
    """

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._turns: defaultdict[str, dict[tuple[int, int], int]] = defaultdict(dict)
        self._is_held = False
        self._changed: set[str] = set()

    async def next(self, scope: str, places: Places) -> Turn:
        """Take a turn."""
        if not self._is_held:
            await self._hold()
        if any(place not in self._turns[scope] for place in places):
            await self.write_back()
            await store.level(self._tx, scope, places)  # makes the rows of those who are new in the line
            await self._hold()
        turns = self._turns[scope]
        place = rules.whose_turn(places, turns)
        turns |= rules.levelled(places, turns)
        turns[place] += 1
        self._changed.add(scope)
        return Turn(*place, turns[place])

    async def _hold(self) -> None:
        _inside.add(self._tx)
        self._turns.clear()
        for scope, member_id, slot, turns in await store.hold_turns(self._tx):
            self._turns[scope][member_id, slot] = turns
        self._is_held = True

    async def write_back(self) -> None:
        """Store the turns that were taken; the next one looks anew."""
        changed = [(scope, *place, turns) for scope in self._changed for place, turns in self._turns[scope].items()]
        if changed:
            await store.write_turns(self._tx, changed)
        self._changed.clear()
        self._is_held = False

    async def give_back(self, scope: str, turn: Turn) -> None:
        """Undo a turn."""
        self._turns[scope][turn.member_id, turn.slot] -= 1

    async def overload(self, seat: Seat, day: date, midnight: datetime) -> str | None:
        """Count the lead, as `TakenTurns` does."""
        return await TakenTurns(self._tx).overload(seat, day, midnight)


class SeenTurns(Struct, frozen=True):
    """Turns that are looked at and stay as they are. The book knows the limits already."""

    tx: Transaction

    async def next(self, scope: str, places: Places) -> Turn:
        """Return whose turn it would be."""
        return Turn(*rules.whose_turn(places, await queries.turns_of(self.tx, scope)))

    async def give_back(self, scope: str, turn: Turn) -> None:
        """Do nothing: none was taken."""

    async def overload(self, seat: Seat, day: date, midnight: datetime) -> str | None:  # noqa: ARG002  the protocol's
        """Return None: whoever is full is not in the line."""
        return None


class ImaginedTurns:
    """Turns of a rehearsal: every line begins anew, days fill up by what the rehearsal itself gives out."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, dict[tuple[int, int], int]] = defaultdict(dict)
        self._loads: Counter[tuple[int, date]] = Counter()

    async def next(self, scope: str, places: Places) -> Turn:
        """Take an imagined turn."""
        turns = self._turns[scope]
        place = rules.whose_turn(places, turns)
        turns |= rules.levelled(places, turns)
        turns[place] += 1
        return Turn(*place, turns[place])

    async def give_back(self, scope: str, turn: Turn) -> None:
        """Undo an imagined turn."""
        self._turns[scope][turn.member_id, turn.slot] -= 1

    async def overload(self, seat: Seat, day: date, midnight: datetime) -> str | None:  # noqa: ARG002  the protocol's
        """Count the lead on its day. Limits of open leads are not imagined: nobody knows when one would be closed."""
        if seat.daily_cap is not None and self._loads[seat.id, day] >= seat.daily_cap:
            return rules.day_is_full(seat)
        self._loads[seat.id, day] += 1
        return None
