"""Taking turns."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from rooftree.platform.database import Transaction


class Turn(Struct, frozen=True):
    """A turn that was taken, or, without a member, why none could be."""

    member_id: int | None
    name: str | None
    count: int | None  #: turns of the member, this one included
    agent_ids: list[int]  #: who stood in line
    is_uneven: bool  #: some have no row yet, or are far behind, because they were away


_AGENTS: Final = """
    SELECT m.id FROM member m
     WHERE m.team_id = $1 AND m.role = 'agent' AND m.status = 'active'
       AND ($3::bigint = -1 OR m.office_id IN (
            SELECT o.id FROM office o WHERE o.team_id = $1 AND (o.id = $3 OR $3 = ANY (o.ancestor_ids))))"""

# An agent whose row is locked is being given a lead right now and will have one turn more, if that commits.
# Only rows that stand at the minimum may be taken, so the counts never drift apart by more than one. The minimum is
# the snapshot's; a row that somebody else raised since then fails the recheck, and the next one is tried.
_TAKE: Final = f"""
WITH agents AS MATERIALIZED ({_AGENTS}),
line AS MATERIALIZED (
    SELECT count(*) = (SELECT count(*) FROM agents) AND max(turns) - min(turns) <= 1 AS is_even, min(turns) AS fewest
      FROM routing_turn WHERE team_id = $1 AND scope = $2 AND member_id IN (SELECT id FROM agents)),
free AS MATERIALIZED (
    SELECT t.member_id FROM routing_turn t
     WHERE t.team_id = $1 AND t.scope = $2 AND t.member_id IN (SELECT id FROM agents)
       AND t.turns = (SELECT fewest FROM line WHERE is_even)
     ORDER BY t.member_id LIMIT 1 FOR UPDATE SKIP LOCKED),
taken AS (
    UPDATE routing_turn t SET turns = t.turns + 1 FROM free
     WHERE t.team_id = $1 AND t.scope = $2 AND t.member_id = free.member_id RETURNING t.member_id, t.turns)
SELECT k.member_id, m.first_name AS name, k.turns AS count,
       ARRAY(SELECT id FROM agents ORDER BY id) AS agent_ids, NOT line.is_even AS is_uneven
  FROM line LEFT JOIN taken k ON true LEFT JOIN member m ON m.team_id = $1 AND m.id = k.member_id"""


async def take_turn(tx: Transaction, scope: str, office_id: int) -> Turn:
    """Give the next free agent of a line a turn; office_id -1 is the company. Never waits for a lock.

    No member: the line is empty or uneven, or all who are next are being served right now.
    """
    row = await tx.fetchrow(_TAKE, tx.team_id, scope, office_id)
    assert row is not None
    return Turn(row["member_id"], row["name"], row["count"], row["agent_ids"], bool(row["is_uneven"]))


async def level(tx: Transaction, scope: str, agent_ids: Sequence[int]) -> None:
    """Let newcomers and those who were away stand level with the fewest turns of the others: no flood to catch up."""
    await tx.execute(
        """
WITH line AS MATERIALIZED (
    SELECT member_id, turns, max(turns) OVER () AS most FROM routing_turn
     WHERE team_id = $1 AND scope = $2 AND member_id = ANY ($3)),
fewest AS MATERIALIZED (SELECT coalesce(min(turns), 0) AS turns FROM line WHERE turns >= most - 1),
behind AS MATERIALIZED (
    SELECT t.member_id FROM routing_turn t
     WHERE t.team_id = $1 AND t.scope = $2 AND t.member_id = ANY ($3) AND t.turns < (SELECT turns FROM fewest)
     ORDER BY t.member_id FOR UPDATE),
raised AS (
    UPDATE routing_turn t SET turns = fewest.turns FROM behind, fewest
     WHERE t.team_id = $1 AND t.scope = $2 AND t.member_id = behind.member_id)
INSERT INTO routing_turn (team_id, scope, member_id, turns)
SELECT $1, $2, agent, fewest.turns FROM unnest($3::bigint[]) AS agent, fewest ORDER BY agent
ON CONFLICT DO NOTHING""",
        tx.team_id,
        scope,
        list(agent_ids),
    )
