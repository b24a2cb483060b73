"""Turns under real concurrency: every transaction on a connection of its own, every commit real."""

import asyncio
import random
from collections import Counter

import pytest
from tests.support.people import People

from rooftree.platform.database import Database
from rooftree.routing import actions
from rooftree.routing.model import Question
from rooftree.team import actions as team


class Undone(Exception):
    """Rolls a transaction back."""


async def _line(owner_db: Database, people: People, size: int) -> list[int]:
    """Let the company have this many agents; return their ids."""
    members = [people.adam.id, people.ana.id, people.otto.id]
    async with owner_db.transaction(people.olive.team_id) as tx:
        while len(members) < size:
            email = f"agent{len(members)}.{people.olive.id}@example.com"
            members.append((await team.add_member(tx, email=email, first_name="Agent")).id)
    return members


async def _take(db: Database, people: People, *, pause: float = 0, is_undone: bool = False) -> int | None:
    try:
        async with db.transaction(people.olive.team_id) as tx:
            got = (await actions.assign(tx, Question(None, "TEAM", 0, people.olive.id))).agent
            await asyncio.sleep(pause)
            if is_undone:
                raise Undone
            return got.member_id
    except Undone:
        return None


async def test_fifty_connections_at_once_over_five_agents(dsn: str, owner_db: Database, people: People) -> None:
    agents = await _line(owner_db, people, 5)
    db = await Database.connect(dsn, min_size=50, max_size=50)
    try:
        got = Counter(await asyncio.gather(*(_take(db, people, pause=0.002) for _ in range(50))))
    finally:
        await db.close()
    assert got == dict.fromkeys(agents, 10)


async def test_three_hundred_over_seven(db: Database, owner_db: Database, people: People) -> None:
    agents = await _line(owner_db, people, 7)
    got = Counter(await asyncio.gather(*(_take(db, people) for _ in range(300))))
    assert set(got) == set(agents)
    assert sorted(got.values()) == [42] + [43] * 6


@pytest.mark.parametrize("seed", range(3))
async def test_rollbacks_leave_no_gap(db: Database, owner_db: Database, people: People, seed: int) -> None:
    dice = random.Random(seed)
    agents = await _line(owner_db, people, 5)
    wishes = [(dice.random() < 0.4, dice.random() / 200) for _ in range(120)]
    taken = await asyncio.gather(*(_take(db, people, pause=pause, is_undone=undone) for undone, pause in wishes))
    got = Counter(member_id for member_id in taken if member_id)
    assert sum(got.values()) == sum(not undone for undone, _ in wishes)
    assert set(got) == set(agents)
    assert max(got.values()) - min(got.values()) <= 1


async def test_committed_turns_are_level_at_every_moment(db: Database, owner_db: Database, people: People) -> None:
    await _line(owner_db, people, 4)
    dice = random.Random(4)
    await _take(db, people)
    work = asyncio.gather(
        *(_take(db, people, pause=dice.random() / 100, is_undone=dice.random() < 0.3) for _ in range(80))
    )
    looks = 0
    while not work.done():
        async with db.reading(people.olive.team_id) as tx:
            assert await tx.fetchval("SELECT max(turns) - min(turns) FROM routing_turn") <= 1
        looks += 1
        await asyncio.sleep(0.005)
    await work
    assert looks > 3


async def test_a_newcomer_in_the_middle_of_it(db: Database, owner_db: Database, people: People) -> None:
    await _line(owner_db, people, 3)
    before = [asyncio.create_task(_take(db, people, pause=0.002)) for _ in range(60)]
    await asyncio.sleep(0.05)
    newcomer = (await _line(owner_db, people, 4))[-1]
    after = [asyncio.create_task(_take(db, people, pause=0.002)) for _ in range(60)]
    got = Counter(await asyncio.gather(*before, *after))
    assert sum(got.values()) == 120
    assert 14 <= got[newcomer] <= 31, "a fair part of what came after, and nothing of what came before"
    others = [count for member_id, count in got.items() if member_id != newcomer]
    assert max(others) - min(others) <= 1
