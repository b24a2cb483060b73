"""Reading rules, who may be chosen, and leads on offer."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rooftree.platform.database import Transaction, columns
from rooftree.routing.model import Book, Offer, Rule, Seat

_RULE: Final = columns(Rule, "r")
#: The driver reads arrays inside of rows only if their type stands in the result by itself too, as bigint[] does.
_RULE_IN_BOOK: Final = _RULE.replace("r.active_days", "r.active_days::bigint[]")

#: One round trip: a lead waits for it. Rules that are off or drafts are left out unless they are asked for.
_BOOK: Final = f"""
SELECT t.time_zone,
       ARRAY(SELECT o.id FROM office o WHERE o.team_id = $1) AS office_ids,
       ARRAY(SELECT ROW({_RULE_IN_BOOK}) FROM routing_rule r
              WHERE r.team_id = $1 AND (r.is_on AND NOT r.is_draft OR r.id = ANY ($2))
              ORDER BY r.position, r.id) AS rules,
       ARRAY(SELECT ROW(m.id, m.first_name, m.role, CASE WHEN o.id IS NULL THEN '{{}}' ELSE o.id || o.ancestor_ids END,
                        coalesce(s.is_paused, false), s.paused_until, s.vacations, s.daily_cap, s.open_cap)
               FROM member m
               LEFT JOIN office o ON o.team_id = m.team_id AND o.id = m.office_id
               LEFT JOIN routing_member s ON s.team_id = m.team_id AND s.member_id = m.id
              WHERE m.team_id = $1 AND m.status = 'active' ORDER BY m.id) AS seats,
       ARRAY(SELECT ROW(p.id, p.name) FROM lead_pond p WHERE p.team_id = $1 AND p.is_enabled) AS ponds
  FROM team t WHERE t.id = $1"""


async def book(tx: Transaction, *, drafts: Sequence[int] = ()) -> Book:
    """Return the team's rules and who may be chosen, at this moment. `drafts`: rules to be tried although not on."""
    row = await tx.fetchrow(_BOOK, tx.team_id, list(drafts))
    if row is None:
        raise LookupError("the connection is bound to no team")
    return Book(
        time_zone=row["time_zone"],
        office_ids=frozenset(row["office_ids"]),
        rules=[Rule(*rule) for rule in row["rules"]],
        seats={seat[0]: _seat(seat) for seat in row["seats"]},
        ponds={pond[0]: pond[1] for pond in row["ponds"]},
    )


def _seat(row: Sequence[Any]) -> Seat:
    member_id, name, role, office_ids, is_paused, paused_until, vacations, daily_cap, open_cap = row
    return Seat(member_id, name, role, office_ids, is_paused, paused_until, days_off(vacations), daily_cap, open_cap)


def days_off(document: bytes | None) -> Sequence[tuple[date, date]]:
    """Return the first and last days of vacations, from their row."""
    return msgspec.json.decode(document, type=tuple[tuple[date, date], ...]) if document else ()


async def counted(tx: Transaction, seats: Book, day: date, since: datetime) -> Book:
    """Return the book with the loads of those who have limits. `day`: on the team's calendar, begun at `since`."""
    limited = [seat.id for seat in seats.seats.values() if seat.daily_cap is not None or seat.open_cap is not None]
    if not limited:
        return seats
    sql = f"SELECT m.id, {_TODAY}, {_OPEN} FROM unnest($2::bigint[]) AS m (id)"
    rows = await tx.fetch(sql, tx.team_id, limited, day, since)
    loads = {row[0]: replace(seats.seats[row[0]], today=row[1], open=row[2]) for row in rows}
    return replace(seats, seats=seats.seats | loads)


#: Leads by routing on a day; before the first of the day was counted, those that they were given by anybody.
# sees all: a number, by which nobody learns of a lead
FIRST_LOAD: Final = """(SELECT count(*)::integer FROM lead l
       WHERE l.team_id = $1 AND l.assigned_at >= $4 AND l.assigned_user_id = m.id AND l.trashed_at IS NULL)"""
_TODAY: Final = f"""coalesce((SELECT d.leads FROM routing_load d
                               WHERE d.team_id = $1 AND d.member_id = m.id AND d.day = $3), {FIRST_LOAD})"""
#: Leads that still want work: not in the trash, not archived, closed or never to be contacted.
_OPEN: Final = """(SELECT coalesce(sum(c.amount), 0)::integer
         FROM lead_tally c JOIN stage g ON g.team_id = c.team_id AND g.id = c.stage_id
        WHERE c.team_id = $1 AND c.tag = '' AND c.assigned_user_id = m.id
          AND lower(g.name) NOT IN ('archived', 'closed', 'dnc'))"""


async def open_leads(tx: Transaction, member_id: int) -> int:
    """Return how many leads somebody has that still want work."""
    return await tx.fetchval(f"SELECT {_OPEN} FROM (SELECT $2::bigint AS id) AS m", tx.team_id, member_id)


async def turns_of(tx: Transaction, scope: str) -> dict[tuple[int, int], int]:
    """Return how many turns each place of a line has had."""
    rows = await tx.fetch(
        "SELECT member_id, slot, turns FROM routing_turn WHERE team_id = $1 AND scope = $2", tx.team_id, scope
    )
    return {(row["member_id"], row["slot"]): row["turns"] for row in rows}


async def find_rule(tx: Transaction, rule_id: int | None) -> Rule | None:
    """Return a rule of the team, locked until the transaction ends."""
    sql = f"SELECT {_RULE} FROM routing_rule r WHERE r.team_id = $1 AND r.id = $2 FOR UPDATE"
    row = await tx.fetchrow(sql, tx.team_id, rule_id) if rule_id is not None else None
    return Rule(*row) if row else None


async def list_rules(tx: Transaction, business_type: int | None, role_id: int | None) -> list[Rule]:
    """Return the rules of a type and role, the company's first, in order; drafts and default rules too."""
    rows = await tx.fetch(
        f"""SELECT {_RULE} FROM routing_rule r
             WHERE r.team_id = $1 AND ($2::smallint IS NULL OR r.business_type = $2)
               AND ($3::bigint IS NULL OR r.role_id = $3)
             ORDER BY r.business_type, r.role_id, r.office_id NULLS FIRST, r.is_supplement, r.position, r.id""",
        tx.team_id,
        business_type,
        role_id,
    )
    return [Rule(*row) for row in rows]


class Availability(Struct, frozen=True):
    """When somebody takes no leads, and how many they take, in its row's names."""

    team_id: int
    member_id: int
    is_paused: bool
    paused_until: datetime | None
    vacations: bytes
    daily_cap: int | None
    open_cap: int | None
    updated_at: datetime


async def availability(tx: Transaction, member_id: int) -> Availability | None:
    """Return a member's limits and absences; None: always in, no limits."""
    row = await tx.fetchrow(
        f"SELECT {columns(Availability)} FROM routing_member WHERE team_id = $1 AND member_id = $2",
        tx.team_id,
        member_id,
    )
    return Availability(*row) if row else None


async def availabilities(tx: Transaction) -> dict[int, Availability]:
    """Return the limits and absences of all who have any, by member."""
    rows = await tx.fetch(f"SELECT {columns(Availability)} FROM routing_member WHERE team_id = $1", tx.team_id)
    return {row["member_id"]: Availability(*row) for row in rows}


async def open_offer(tx: Transaction, lead_id: int) -> Offer | None:
    """Return the open offer of a lead, locked until the transaction ends. Lock the lead first."""
    row = await tx.fetchrow(
        f"""SELECT {columns(Offer)} FROM routing_offer
             WHERE team_id = $1 AND lead_id = $2 AND status = 'open' FOR UPDATE""",
        tx.team_id,
        lead_id,
    )
    return Offer(*row) if row else None


async def claimed_before(tx: Transaction, lead_id: int, member_id: int) -> str | None:
    """Return the name of whoever claimed a lead that was offered to this member too; None: nobody did."""
    return await tx.fetchval(
        """SELECT m.first_name FROM routing_offer o JOIN member m ON m.team_id = o.team_id AND m.id = o.claimed_by
            WHERE o.team_id = $1 AND o.lead_id = $2 AND $3 = ANY (o.member_ids) ORDER BY o.created_at DESC LIMIT 1""",
        tx.team_id,
        lead_id,
        member_id,
    )


async def offers_to(tx: Transaction, member_id: int) -> list[Offer]:
    """Return the open offers that somebody may claim, those due first."""
    rows = await tx.fetch(
        f"""SELECT {columns(Offer)} FROM routing_offer
             WHERE team_id = $1 AND status = 'open' AND $2 = ANY (member_ids) ORDER BY due_at, id LIMIT 200""",
        tx.team_id,
        member_id,
    )
    return [Offer(*row) for row in rows]


async def is_touched(tx: Transaction, lead_id: int, since: datetime) -> bool:
    """Whether somebody of the team called, texted or wrote to a lead since a moment."""
    sql = """SELECT EXISTS (SELECT FROM timeline_summary
                             WHERE team_id = $1 AND lead_id = $2 AND last_contact_at >= $3)"""
    return await tx.fetchval(sql, tx.team_id, lead_id, since)
