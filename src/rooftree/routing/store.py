"""Every INSERT, UPDATE and DELETE of routing."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from msgspec import Struct

from rooftree.platform.database import Arguments, Transaction, columns
from rooftree.routing.model import AGENT_LEAD, NO_ROLE, Offer, Rule
from rooftree.routing.queries import FIRST_LOAD

Places = Sequence[tuple[int, int]]


class Turn(Struct, frozen=True):
    """A turn that was taken, or, without a member, why none could be."""

    member_id: int | None
    slot: int | None
    count: int | None  #: turns of this place, this one included
    is_uneven: bool  #: some have no row yet, or are far behind, because they were away


# A place whose row is locked is being given a lead right now and will have one turn more, if that commits.
# Only rows that stand at the minimum may be taken, so the counts never drift apart by more than one. The minimum is
# the snapshot's; a row that somebody else raised since then fails the recheck, and the next one is tried.
_TAKE: Final = """
WITH places AS MATERIALIZED (
    SELECT * FROM unnest($3::bigint[], $4::integer[]) WITH ORDINALITY AS p (member_id, slot, place)),
line AS MATERIALIZED (
    SELECT count(*) = (SELECT count(*) FROM places) AND max(turns) - min(turns) <= 1 AS is_even, min(turns) AS fewest
      FROM routing_turn t JOIN places p USING (member_id, slot) WHERE t.team_id = $1 AND t.scope = $2),
free AS MATERIALIZED (
    SELECT t.member_id, t.slot FROM routing_turn t JOIN places p USING (member_id, slot)
     WHERE t.team_id = $1 AND t.scope = $2 AND t.turns = (SELECT fewest FROM line WHERE is_even)
     ORDER BY p.place LIMIT 1 FOR UPDATE OF t SKIP LOCKED),
taken AS (
    UPDATE routing_turn t SET turns = t.turns + 1 FROM free
     WHERE t.team_id = $1 AND t.scope = $2 AND t.member_id = free.member_id AND t.slot = free.slot
    RETURNING t.member_id, t.slot, t.turns)
SELECT k.member_id, k.slot, k.turns, NOT line.is_even AS is_uneven FROM line LEFT JOIN taken k ON true"""


async def take_turn(tx: Transaction, scope: str, places: Places) -> Turn:
    """Give the next free place of a line a turn. Never waits for a lock.

    No member: the line is uneven, or all who are next are being served right now.
    """
    row = await tx.fetchrow(_TAKE, tx.team_id, scope, *_columns(places))
    assert row is not None
    return Turn(row["member_id"], row["slot"], row["turns"], bool(row["is_uneven"]))


async def give_back(tx: Transaction, scope: str, member_id: int, slot: int) -> None:
    """Undo a turn that this transaction took."""
    await tx.execute(
        """UPDATE routing_turn SET turns = turns - 1
            WHERE team_id = $1 AND scope = $2 AND member_id = $3 AND slot = $4""",
        tx.team_id,
        scope,
        member_id,
        slot,
    )


async def level(tx: Transaction, scope: str, places: Places) -> None:
    """Let new places and those that were away stand level with the fewest turns of the others: no flood to catch up."""
    await tx.execute(
        """
WITH places AS MATERIALIZED (SELECT * FROM unnest($3::bigint[], $4::integer[]) AS p (member_id, slot)),
line AS MATERIALIZED (
    SELECT member_id, slot, turns, max(turns) OVER () AS most FROM routing_turn t JOIN places p USING (member_id, slot)
     WHERE t.team_id = $1 AND t.scope = $2),
fewest AS MATERIALIZED (SELECT coalesce(min(turns), 0) AS turns FROM line WHERE turns >= most - 1),
behind AS MATERIALIZED (
    SELECT t.member_id, t.slot FROM routing_turn t JOIN places p USING (member_id, slot)
     WHERE t.team_id = $1 AND t.scope = $2 AND t.turns < (SELECT turns FROM fewest)
     ORDER BY t.member_id, t.slot FOR UPDATE OF t),
raised AS (
    UPDATE routing_turn t SET turns = fewest.turns FROM behind b, fewest
     WHERE t.team_id = $1 AND t.scope = $2 AND t.member_id = b.member_id AND t.slot = b.slot)
INSERT INTO routing_turn (team_id, scope, member_id, slot, turns)
SELECT $1, $2, p.member_id, p.slot, fewest.turns FROM places p, fewest ORDER BY p.member_id, p.slot
ON CONFLICT DO NOTHING""",
        tx.team_id,
        scope,
        *_columns(places),
    )


# An agent's lines come first, then those of the other roles, as a lead that comes in alone goes through them: so the
# two cannot wait for each other. A line is named `rule:<id>`, or belongs to a level and to agents.
_HOLD: Final = """
SELECT t.scope, t.member_id, t.slot, t.turns
  FROM routing_turn t LEFT JOIN routing_rule r ON r.team_id = t.team_id AND t.scope = 'rule:' || r.id
 WHERE t.team_id = $1
 ORDER BY coalesce(r.business_type, $2) <> $2 OR r.role_id <> $3, r.business_type, r.role_id,
          t.scope, t.member_id, t.slot
   FOR UPDATE OF t"""


async def hold_turns(tx: Transaction) -> list[tuple[str, int, int, int]]:
    """Lock all lines of the team until the transaction ends; return scope, member, slot and turns."""
    rows = await tx.fetch(_HOLD, tx.team_id, AGENT_LEAD, NO_ROLE)
    return [(row["scope"], row["member_id"], row["slot"], row["turns"]) for row in rows]


async def write_turns(tx: Transaction, turns: Sequence[tuple[str, int, int, int]]) -> None:
    """Store the turns of places that are held: scope, member, slot and turns."""
    scopes, members, slots, counts = zip(*turns, strict=True)
    await tx.execute(
        """UPDATE routing_turn t SET turns = n.turns
             FROM unnest($2::text[], $3::bigint[], $4::integer[], $5::bigint[]) AS n (scope, member_id, slot, turns)
            WHERE t.team_id = $1 AND t.scope = n.scope AND t.member_id = n.member_id AND t.slot = n.slot""",
        tx.team_id,
        scopes,
        members,
        slots,
        counts,
    )


def _columns(places: Places) -> tuple[list[int], list[int]]:
    return [member_id for member_id, _ in places], [slot for _, slot in places]


async def count_load(tx: Transaction, member_id: int, day: date, since: datetime, cap: int | None) -> bool:
    """Count a lead for somebody with limits; False when their day is full. They stay locked until the commit."""
    await tx.execute(
        f"""INSERT INTO routing_load (team_id, member_id, day, leads)
            SELECT $1, m.id, $3, {FIRST_LOAD} FROM (SELECT $2::bigint AS id) AS m ON CONFLICT DO NOTHING""",
        tx.team_id,
        member_id,
        day,
        since,
    )
    done = await tx.execute(
        """UPDATE routing_load SET leads = leads + 1
            WHERE team_id = $1 AND member_id = $2 AND day = $3 AND ($4::integer IS NULL OR leads < $4)""",
        tx.team_id,
        member_id,
        day,
        cap,
    )
    return done == "UPDATE 1"


async def uncount_load(tx: Transaction, member_id: int, day: date) -> None:
    """Undo a count that this transaction made."""
    await tx.execute(
        "UPDATE routing_load SET leads = leads - 1 WHERE team_id = $1 AND member_id = $2 AND day = $3",
        tx.team_id,
        member_id,
        day,
    )


async def insert_offer(
    tx: Transaction,
    lead_id: int,
    *,
    rule_id: int | None,
    strategy: int,
    member_ids: Sequence[int],
    tried_ids: Sequence[int],
    spent_rule_ids: Sequence[int],
    due_at: datetime,
) -> int:
    """Store an open offer, return its id. A lead has one at a time."""
    return await tx.fetchval(
        """INSERT INTO routing_offer
             (team_id, lead_id, rule_id, strategy, member_ids, tried_ids, spent_rule_ids, due_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
        tx.team_id,
        lead_id,
        rule_id,
        strategy,
        list(member_ids),
        list(tried_ids),
        list(spent_rule_ids),
        due_at,
    )


async def end_offer(tx: Transaction, lead_id: int, status: str, claimed_by: int | None = None) -> Offer | None:
    """Close the open offer of a lead: touched, claimed, passed, ended. None when there is none."""
    row = await tx.fetchrow(
        f"""UPDATE routing_offer SET status = $3, claimed_by = $4, ended_at = clock_timestamp()
             WHERE team_id = $1 AND lead_id = $2 AND status = 'open' RETURNING {columns(Offer)}""",
        tx.team_id,
        lead_id,
        status,
        claimed_by,
    )
    return Offer(*row) if row else None


async def end_offers(tx: Transaction, lead_ids: Sequence[int], status: str) -> None:
    """Close the open offers of leads."""
    await tx.execute(
        """UPDATE routing_offer SET status = $3, ended_at = clock_timestamp()
            WHERE team_id = $1 AND lead_id = ANY ($2) AND status = 'open'""",
        tx.team_id,
        list(lead_ids),
        status,
    )


async def insert_rule(tx: Transaction, values: Mapping[str, Any]) -> Rule | None:
    """Store a rule; None when its level has its default rule already."""
    args = Arguments([tx.team_id])
    places = ", ".join(args.add(value) for value in values.values())
    row = await tx.fetchrow(
        f"""INSERT INTO routing_rule (team_id, {", ".join(values)}) VALUES ($1, {places})
            ON CONFLICT DO NOTHING RETURNING {columns(Rule)}""",
        *args,
    )
    return Rule(*row) if row else None


async def update_rule(tx: Transaction, rule_id: int, values: Mapping[str, Any]) -> Rule:
    """Change columns of a rule that is locked."""
    args = Arguments([tx.team_id, rule_id])
    changes = "".join(f"{name} = {args.add(value)}, " for name, value in values.items())
    row = await tx.fetchrow(
        f"""UPDATE routing_rule SET {changes}updated_at = clock_timestamp()
             WHERE team_id = $1 AND id = $2 RETURNING {columns(Rule)}""",
        *args,
    )
    assert row is not None
    return Rule(*row)


async def delete_rule(tx: Transaction, rule_id: int) -> None:
    """Remove a rule and its line."""
    await tx.execute(
        "DELETE FROM routing_turn WHERE team_id = $1 AND scope = 'rule:' || $2::bigint::text", tx.team_id, rule_id
    )
    await tx.execute("DELETE FROM routing_rule WHERE team_id = $1 AND id = $2", tx.team_id, rule_id)


async def reorder(tx: Transaction, rule_ids: Sequence[int]) -> None:
    """Let rules be tried in this order."""
    await tx.execute(
        """UPDATE routing_rule r SET position = o.place, updated_at = clock_timestamp()
             FROM unnest($2::bigint[]) WITH ORDINALITY AS o (id, place)
            WHERE r.team_id = $1 AND r.id = o.id""",
        tx.team_id,
        list(rule_ids),
    )


async def set_availability(
    tx: Transaction,
    member_id: int,
    *,
    is_paused: bool,
    paused_until: datetime | None,
    vacations: bytes,
    daily_cap: int | None,
    open_cap: int | None,
) -> None:
    """Set when somebody takes no leads, and how many they take. What was counted today is counted anew."""
    await tx.execute(
        """INSERT INTO routing_member (team_id, member_id, is_paused, paused_until, vacations, daily_cap, open_cap)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (team_id, member_id) DO UPDATE SET is_paused = EXCLUDED.is_paused,
               paused_until = EXCLUDED.paused_until, vacations = EXCLUDED.vacations, daily_cap = EXCLUDED.daily_cap,
               open_cap = EXCLUDED.open_cap, updated_at = clock_timestamp()""",
        tx.team_id,
        member_id,
        is_paused,
        paused_until,
        vacations,
        daily_cap,
        open_cap,
    )
    await tx.execute("DELETE FROM routing_load WHERE team_id = $1 AND member_id = $2", tx.team_id, member_id)


async def repoint_offers(tx: Transaction, from_id: int, to_id: int, ids: Sequence[int] | None) -> list[int]:
    """Give a lead's past offers, all or these, to another lead; return the ids of those that moved."""
    rows = await tx.fetch(
        """UPDATE routing_offer SET lead_id = $3
            WHERE team_id = $1 AND lead_id = $2 AND ($4::bigint[] IS NULL OR id = ANY ($4)) AND status <> 'open'
            RETURNING id""",
        tx.team_id,
        from_id,
        to_id,
        None if ids is None else list(ids),
    )
    return [row["id"] for row in rows]


async def forget(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Delete the offers of leads."""
    await tx.execute("DELETE FROM routing_offer WHERE team_id = $1 AND lead_id = ANY ($2)", tx.team_id, list(lead_ids))
