"""Taking turns."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from rooftree.platform.database import Transaction


class Turn(Struct, frozen=True):
    """A turn that was taken, or, without a member, why none could be."""

    member_id: int | None
    name: str | None
    agent_ids: list[int]  #: who stood in line
    has_newcomers: bool  #: some of them have no row yet


_AGENTS: Final = """
    SELECT m.id FROM member m
     WHERE m.team_id = $1 AND m.role = 'agent' AND m.status = 'active'
       AND ($3::bigint = -1 OR m.office_id IN (
            SELECT o.id FROM office o WHERE o.team_id = $1 AND (o.id = $3 OR $3 = ANY (o.ancestor_ids))))"""

# An agent whose row is locked is being given a lead right now and will have one turn more, if that commits.
# Only rows that stand at the minimum may be taken, so the counts never drift apart by more than one.
_TAKE: Final = f"""
WITH agents AS MATERIALIZED ({_AGENTS}),
line AS MATERIALIZED (
    SELECT t.member_id, t.turns FROM routing_turn t JOIN agents a ON a.id = t.member_id
     WHERE t.team_id = $1 AND t.scope = $2),
free AS MATERIALIZED (
    SELECT t.member_id FROM routing_turn t
     WHERE t.team_id = $1 AND t.scope = $2 AND t.turns = (SELECT min(turns) FROM line)
       AND t.member_id IN (SELECT id FROM agents)
       AND (SELECT count(*) FROM line) = (SELECT count(*) FROM agents)
     ORDER BY t.member_id LIMIT 1 FOR UPDATE SKIP LOCKED),
taken AS (
    UPDATE routing_turn t SET turns = t.turns + 1 FROM free
     WHERE t.team_id = $1 AND t.scope = $2 AND t.member_id = free.member_id RETURNING t.member_id)
SELECT (SELECT member_id FROM taken) AS member_id,
       (SELECT m.first_name FROM member m JOIN taken k ON m.team_id = $1 AND m.id = k.member_id) AS name,
       ARRAY(SELECT id FROM agents ORDER BY id) AS agent_ids,
       (SELECT count(*) FROM line) < (SELECT count(*) FROM agents) AS has_newcomers"""


async def take_turn(tx: Transaction, scope: str, office_id: int) -> Turn:
    """Give the next free agent of a line a turn; office_id -1 is the company. Never waits for a lock.

    No member: the line is empty, or has newcomers without a row, or all who are next are being served right now.
    """
    row = await tx.fetchrow(_TAKE, tx.team_id, scope, office_id)
    assert row is not None
    return Turn(row["member_id"], row["name"], row["agent_ids"], row["has_newcomers"])


async def let_in(tx: Transaction, scope: str, agent_ids: Sequence[int]) -> None:
    """Put newcomers into a line, level with those who had the fewest turns: no flood to catch up."""
    await tx.execute(
        """INSERT INTO routing_turn (team_id, scope, member_id, turns)
           SELECT $1, $2, agent, (SELECT coalesce(min(turns), 0) FROM routing_turn
                                   WHERE team_id = $1 AND scope = $2 AND member_id = ANY ($3))
             FROM unnest($3::bigint[]) AS agent ORDER BY agent
           ON CONFLICT DO NOTHING""",
        tx.team_id,
        scope,
        list(agent_ids),
    )
