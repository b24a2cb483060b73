"""Which agent gets a lead: the lines, what is tried when they are empty, and what it costs."""

import asyncio
import random
from typing import Any

import pytest
from tests.support.people import People, Person

from rooftree.platform.database import Database, Transaction
from rooftree.platform.errors import InvalidParameter, Unavailable
from rooftree.routing import actions, lines, rules
from rooftree.routing.model import Assignment, Question
from rooftree.team import actions as team


class Counted:
    """A transaction that counts its statements."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.team_id = tx.team_id
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        self.statements += 1
        return getattr(self._tx, name)


def company(people: People) -> Question:
    return Question(None, "TEAM", 0, people.olive.id)


async def _assign(db: Database, people: People, question: Question | None = None) -> Assignment:
    async with db.transaction(people.olive.team_id) as tx:
        return (await actions.assign(tx, question or company(people))).agent


async def _preview(db: Database, people: People, question: Question | None = None) -> Assignment:
    async with db.reading(people.olive.team_id) as tx:
        return (await actions.preview(tx, question or company(people))).agent


async def _set_active(owner_db: Database, *members: Person, is_active: bool) -> None:
    change = team.reactivate_member if is_active else team.deactivate_member
    for member in members:
        async with owner_db.transaction(member.team_id) as tx:
            await change(tx, member.email)


async def _turns(db: Database, people: People, scope: str = "company") -> dict[int, int]:
    async with db.reading(people.olive.team_id) as tx:
        rows = await tx.fetch("SELECT member_id, turns FROM routing_turn WHERE scope = $1", scope)
    return {row["member_id"]: row["turns"] for row in rows}


async def test_one_after_the_other_by_id(db: Database, people: People) -> None:
    agents = sorted([people.adam.id, people.ana.id, people.otto.id])
    assert [(await _assign(db, people)).member_id for _ in range(7)] == [*agents, *agents, agents[0]]


async def test_rules_are_one_statement_and_a_turn_another(db: Database, people: People) -> None:
    await _assign(db, people)
    async with db.transaction(people.olive.team_id) as tx:
        counted = Counted(tx)
        await actions.assign(counted, company(people))  # type: ignore[arg-type]
    assert counted.statements == 2


async def test_what_the_logbook_keeps(db: Database, people: People) -> None:
    await _assign(db, people)
    details = (await _assign(db, people)).details()
    agents = sorted([people.adam.id, people.ana.id, people.otto.id])
    assert {key: value for key, value in details.items() if value} == {
        "businessType": 1,
        "roleId": -1,
        "strategy": "ROUND_ROBIN",
        "tried": [{"ruleId": 0, "name": "Default rule", "level": "company", "failed": "", "wanted": "", "had": ""}],
        "to": people.ana.id,
        "scope": "company",
        "turn": 1,
        "reason": "Round robin over 3 active agents of the company: it was Ana's turn.",
        "considered": agents,
    }


async def test_only_active_agents_stand_in_line(db: Database, owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        for role in ("admin", "office_owner", "office_admin", "assistant", "lender"):
            await team.add_member(
                tx, email=f"{role}.{people.olive.id}@example.com", first_name=role, office_id=people.north, role=role
            )
    await _set_active(owner_db, people.ana, is_active=False)
    assert (await _assign(db, people)).considered == sorted([people.adam.id, people.otto.id])
    assert (await _assign(db, people, Question(people.north, "TEAM", 0, people.olive.id))).considered == [
        people.adam.id
    ]


async def test_an_offices_line_has_its_own_turns(db: Database, people: People) -> None:
    south = Question(people.south, "TEAM", 0, people.olive.id)
    for _ in range(3):
        found = await _assign(db, people, south)
        assert (found.member_id, found.scope) == (people.otto.id, f"office:{people.south}")
    assert await _turns(db, people) == {}
    assert await _turns(db, people, f"office:{people.south}") == {people.otto.id: 3}


async def test_offices_below_belong_to_the_line(db: Database, owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        branch = await team.add_office(tx, "Branch", people.north)
        twig = await team.add_office(tx, "Twig", branch.id)
        bea = await team.add_member(tx, email=f"bea.{people.olive.id}@example.com", first_name="Bea", office_id=twig.id)
    north = await _assign(db, people, Question(people.north, "TEAM", 0, people.olive.id))
    assert north.considered == sorted([people.adam.id, people.ana.id, bea.id])
    assert (await _assign(db, people, Question(branch.id, "TEAM", 0, people.olive.id))).considered == [bea.id]


async def test_ownership_by_an_office_chooses_its_line(db: Database, people: People) -> None:
    assert (await _assign(db, people, Question(None, "OFFICE", people.south, 0))).member_id == people.otto.id
    assert (await _assign(db, people, Question(-1, "OFFICE", people.south, 0))).scope == "company"


async def test_an_office_of_nobody_is_refused(db: Database, people: People) -> None:
    async with db.transaction(people.stella.team_id) as tx:
        foreign = (await team.add_office(tx, "Rivals' office")).id
    for office_id in (999, 0, -2, foreign):
        for ask in (_assign, _preview):
            with pytest.raises(InvalidParameter, match="assignGroupId"):
                await ask(db, people, Question(office_id, "TEAM", 0, people.olive.id))


async def test_without_agents_the_caller_keeps_it_and_else_the_owner(
    db: Database, owner_db: Database, people: People
) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        admin = await team.add_member(tx, email=f"admin.{people.olive.id}@example.com", first_name="Amy", role="admin")
    await _set_active(owner_db, people.adam, people.ana, people.otto, is_active=False)
    for caller_id, expected in (
        (admin.id, (admin.id, "caller")),
        (people.adam.id, (people.olive.id, "owner")),
        (people.sid.id, (people.olive.id, "owner")),
    ):
        question = Question(people.north, "TEAM", 0, caller_id)
        for found in (await _assign(db, people, question), await _preview(db, people, question)):
            assert (found.member_id, found.scope) == expected
            assert (list(found.considered), found.turn) == ([], None)
    assert await _turns(db, people) == {}


async def test_a_preview_takes_nothing(db: Database, people: People) -> None:
    for _ in range(4):
        assert (await _preview(db, people)).member_id == (await _preview(db, people)).member_id
        before = await _turns(db, people)
        expected = await _preview(db, people)
        assert await _turns(db, people) == before
        got = await _assign(db, people)
        assert (got.member_id, got.scope, got.reason, got.considered) == (
            expected.member_id,
            expected.scope,
            expected.reason,
            expected.considered,
        )


async def test_preview_and_turn_agree_however_people_come_and_go(
    db: Database, owner_db: Database, people: People
) -> None:
    dice = random.Random(7)
    agents = [people.adam, people.ana, people.otto]
    active = set(agents)
    for _ in range(40):
        if dice.random() < 0.3 and (len(active) > 1 or agents[0] not in active):
            who = dice.choice(agents)
            await _set_active(owner_db, who, is_active=who not in active)
            active ^= {who}
        if not active:
            continue
        expected = await _preview(db, people)
        got = await _assign(db, people)
        assert got.member_id == expected.member_id
        turns = await _turns(db, people)
        standing = [turns[agent.id] for agent in active]
        assert max(standing) - min(standing) <= 1
        assert rules.levelled([agent.id for agent in active], turns) == {agent.id: turns[agent.id] for agent in active}


async def test_a_rolled_back_turn_is_next_again(db: Database, people: People) -> None:
    first = await _assign(db, people)
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(people.olive.team_id) as tx:
            undone = (await actions.assign(tx, company(people))).agent
            raise ZeroDivisionError
    again = await _assign(db, people)
    assert again == undone
    assert again.member_id != first.member_id


async def test_two_turns_in_one_transaction_are_two_agents(db: Database, people: People) -> None:
    async with db.transaction(people.olive.team_id) as tx:
        got = [(await actions.assign(tx, company(people))).agent.member_id for _ in range(6)]
    assert sorted(got) == sorted([people.adam.id, people.ana.id, people.otto.id] * 2)


async def test_nobody_gets_a_second_turn_of_a_round_that_is_not_decided(db: Database, people: People) -> None:
    await _assign(db, people)
    await _assign(db, people)
    async with db.transaction(people.olive.team_id) as tx:
        last = (await actions.assign(tx, company(people))).agent
        waiting = asyncio.create_task(_assign(db, people))
        await asyncio.sleep(0.1)
        assert not waiting.done(), "whether the round is over is not yet known"
    assert (await waiting).member_id != last.member_id


async def test_who_waits_takes_the_turn_that_was_given_back(db: Database, people: People) -> None:
    await _assign(db, people)
    await _assign(db, people)
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(people.olive.team_id) as tx:
            last = (await actions.assign(tx, company(people))).agent
            waiting = asyncio.create_task(_assign(db, people))
            await asyncio.sleep(0.05)
            raise ZeroDivisionError
    assert await waiting == last


async def test_waiting_ends(db: Database, owner_db: Database, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    await _set_active(owner_db, people.ana, people.otto, is_active=False)
    monkeypatch.setattr(lines, "LONGEST_WAIT_SECONDS", 0.05)
    await _assign(db, people)
    async with db.transaction(people.olive.team_id) as tx:
        await actions.assign(tx, company(people))
        with pytest.raises(Unavailable):
            await asyncio.wait_for(_assign(db, people), 5)
    assert (await _assign(db, people)).turn == 3


async def test_companies_do_not_wait_for_each_other(db: Database, people: People) -> None:
    async with db.transaction(people.olive.team_id) as tx:
        for _ in range(3):
            await actions.assign(tx, company(people))
        async with db.transaction(people.stella.team_id) as other:
            found = (
                await asyncio.wait_for(actions.assign(other, Question(None, "TEAM", 0, people.stella.id)), 5)
            ).agent
    assert found.member_id == people.sid.id
