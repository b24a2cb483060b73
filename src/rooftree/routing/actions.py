"""Choosing an agent."""

import asyncio
import time
from typing import Any, Final

from msgspec import Struct

from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, Unavailable
from rooftree.routing import queries, rules, store
from rooftree.routing.rules import Question

__all__ = ["Assignment", "Question", "assign", "preview", "reason_details"]

#: Who holds a turn for so long has stopped. Giving up also parts two who wait for each other.
LONGEST_WAIT_SECONDS: Final = 15.0
#: Never growing: who has waited long looks as often as who has just come.
_PAUSE_SECONDS: Final = 0.004


class Assignment(Struct, frozen=True):
    """Who gets the lead, and why."""

    member_id: int
    scope: str  #: company, office:<id>, caller, owner
    reason: str
    considered: list[int]  #: who stood in line
    turn: int | None = None  #: how many turns the agent has had in this line, this one included


async def assign(tx: Transaction, question: Question) -> Assignment:
    """Choose an agent and take their turn, in the caller's transaction: rolled back, it was never taken.

    A lead is never without an agent: the office's line, the company's, the caller, the owner of the team.
    Writes: routing_turn. Raises: InvalidParameter (20012) on an office that the team does not have, Unavailable
    (900503) when others keep all who are next for too long.
    """
    for scope in await _scopes(tx, question):
        name = rules.scope_name(scope)
        turn = await _turn(tx, name, scope)
        if turn.member_id is not None:
            reason = rules.reason(name, len(turn.agent_ids), turn.name or "")
            return Assignment(turn.member_id, name, reason, turn.agent_ids, turn.count)
    return await _fallen_back(tx, question)


async def preview(tx: Transaction, question: Question) -> Assignment:
    """Say whom `assign` would choose now; take no turn. contract: POST /v1.0/leads/assignee"""
    for scope in await _scopes(tx, question):
        name = rules.scope_name(scope)
        if agents := await queries.agents_of(tx, scope):
            chosen = rules.whose_turn(agents, await queries.turns_of(tx, name))
            return Assignment(chosen, name, rules.reason(name, len(agents), await queries.name_of(tx, chosen)), agents)
    return await _fallen_back(tx, question)


def reason_details(assignment: Assignment) -> dict[str, Any]:
    """Return what the logbook keeps of a choice."""
    return {
        "to": assignment.member_id,
        "scope": assignment.scope,
        "turn": assignment.turn,
        "reason": assignment.reason,
        "considered": assignment.considered,
    }


async def _scopes(tx: Transaction, question: Question) -> list[int]:
    group_id = question.assign_group_id
    if group_id not in (None, rules.COMPANY) and not await queries.is_office(tx, group_id):
        raise InvalidParameter("assignGroupId: must be -1 (the company) or an office of the team.")
    return rules.scopes(question)


async def _turn(tx: Transaction, name: str, scope: int) -> store.Turn:
    """Take a turn; while everybody who is next is being served, look again shortly. No member: nobody is in line.

    Waiting for a row lock instead could deadlock: a row that was taken a moment ago stays locked by whoever then
    finds it is no longer next. Looking again cannot, for who holds such a row may take it when its turn comes.
    """
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while (turn := await store.take_turn(tx, name, scope)).member_id is None and turn.agent_ids:
        if turn.is_uneven:
            await store.level(tx, name, turn.agent_ids)
            continue
        if time.monotonic() > deadline:
            raise Unavailable("All agents who are next are being given a lead right now; try again shortly.")
        await asyncio.sleep(_PAUSE_SECONDS)
    return turn


async def _fallen_back(tx: Transaction, question: Question) -> Assignment:
    scope, member_id = await queries.fallback(tx, question.caller_id)
    return Assignment(member_id, scope, rules.reason(scope, 0, await queries.name_of(tx, member_id)), [])
