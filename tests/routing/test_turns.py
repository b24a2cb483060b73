"""Whose turn it is: fair, exact, and never taken by what was rolled back."""

import asyncio
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.support.people import People

from rooftree.platform.database import Database
from rooftree.routing import actions, rules
from rooftree.routing.model import Question
from rooftree.team import actions as team


class Undone(Exception):
    """Rolls a transaction back."""


async def _take(db: Database, people: People, *, is_undone: bool = False, pause: float = 0) -> int | None:
    try:
        async with db.transaction(people.olive.team_id) as tx:
            got = (await actions.assign(tx, Question(None, "TEAM", 0, people.olive.id))).agent
            await asyncio.sleep(pause)
            if is_undone:
                raise Undone
            return got.member_id
    except Undone:
        return None


async def test_fifty_at_once_over_five_agents(db: Database, owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        for name in ("Bea", "Cal"):
            await team.add_member(tx, email=f"{name}.{people.olive.team_id}@example.com", first_name=name)
    got = Counter(await asyncio.gather(*(_take(db, people) for _ in range(50))))
    assert sorted(got.values()) == [10] * 5


async def test_rolled_back_turns_are_not_taken(db: Database, people: People) -> None:
    dice = random.Random(1)
    wishes = [(dice.random() < 0.4, dice.random() / 100) for _ in range(60)]
    got = Counter(await asyncio.gather(*(_take(db, people, is_undone=undone, pause=pause) for undone, pause in wishes)))
    del got[None]
    assert sum(got.values()) == sum(not undone for undone, _ in wishes)
    assert max(got.values()) - min(got.values()) <= 1


async def test_a_newcomer_gets_no_flood(db: Database, owner_db: Database, people: People) -> None:
    for _ in range(9):
        await _take(db, people)
    async with owner_db.transaction(people.olive.team_id) as tx:
        bea = await team.add_member(tx, email=f"bea.{people.olive.team_id}@example.com", first_name="Bea")
    got = Counter([await _take(db, people) for _ in range(8)])
    assert got == {people.adam.id: 2, people.ana.id: 2, people.otto.id: 2, bea.id: 2}


async def test_who_was_away_gets_no_flood(db: Database, owner_db: Database, people: People) -> None:
    await _take(db, people)
    async with owner_db.transaction(people.olive.team_id) as tx:
        await team.deactivate_member(tx, people.otto.email)
    for _ in range(10):
        await _take(db, people)
    async with owner_db.transaction(people.olive.team_id) as tx:
        await team.reactivate_member(tx, people.otto.email)
    got = Counter([await _take(db, people) for _ in range(6)])
    assert max(got.values()) - min(got.values()) <= 1
    assert set(got) == {people.adam.id, people.ana.id, people.otto.id}


async def test_a_lead_is_never_without_an_agent(db: Database, owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        for person in (people.adam, people.ana, people.otto):
            await team.deactivate_member(tx, person.email)
    async with db.transaction(people.olive.team_id) as tx:
        got = (await actions.assign(tx, Question(None, "OFFICE", people.north, people.adam.id))).agent
    assert (got.scope, got.member_id) == ("owner", people.olive.id)


async def test_an_office_without_agents_asks_the_company(db: Database, owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        await team.deactivate_member(tx, people.otto.email)
    async with db.transaction(people.olive.team_id) as tx:
        got = (await actions.assign(tx, Question(people.south, "TEAM", 0, people.olive.id))).agent
    assert got.scope == "company"
    assert got.member_id in {people.adam.id, people.ana.id}


@given(st.lists(st.integers(1, 9), min_size=1, unique=True), st.integers(1, 60))
def test_turns_are_fair_whatever_the_line(agents: list[int], count: int) -> None:
    turns = dict.fromkeys(agents, 0)
    for _ in range(count):
        turns[rules.whose_turn(agents, turns)] += 1
    assert max(turns.values()) - min(turns.values()) <= 1
