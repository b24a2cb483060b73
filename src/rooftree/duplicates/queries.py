"""Reading the review list and merges. Whoever reads a pair must see both leads."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from rooftree.duplicates.model import DuplicatePair, LeadMerge, ReviewedPair
from rooftree.leads.model import Lead
from rooftree.leads.queries import visible_leads
from rooftree.platform.actor import Actor
from rooftree.platform.database import Arguments, Record, Transaction, columns

_PAIR: Final = len(DuplicatePair.__struct_fields__)
_LEAD: Final = len(Lead.__struct_fields__)


class Wanted(Struct, frozen=True):
    """Which pairs are asked for."""

    state: str = "open"
    min_score: int = 0
    lead_id: int | None = None


class Place(Struct, frozen=True, array_like=True):
    """Where a page ended."""

    score: int
    pair_id: int


async def review_list(
    tx: Transaction, actor: Actor, wanted: Wanted, *, limit: int, after: Place | None = None
) -> list[ReviewedPair]:
    """Return pairs of which the caller sees both leads, the likeliest first."""
    args = Arguments()
    seen = visible_leads(actor, args)
    found = [f"d.team_id = $1 AND d.state = {args.add(wanted.state)} AND d.score >= {args.add(wanted.min_score)}"]
    if wanted.lead_id is not None:
        lead_id = args.add(wanted.lead_id)
        found.append(f"(d.lead_id = {lead_id} OR d.other_id = {lead_id})")
    if after:
        found.append(f"(d.score, d.id) < ({args.add(after.score)}, {args.add(after.pair_id)})")
    return await _pairs(tx, seen, args, " AND ".join(found), limit)


async def count_open(tx: Transaction) -> int:
    """Return how many pairs of the team are open, for its operator."""
    return await tx.fetchval("SELECT count(*) FROM duplicate_pair WHERE team_id = $1 AND state = 'open'", tx.team_id)


async def find_pair(
    tx: Transaction, actor: Actor, pair_id: int | None, *, is_managing: bool = False
) -> ReviewedPair | None:
    """Return a pair of which the caller sees, or with `is_managing` may change, both leads."""
    args = Arguments()
    seen = visible_leads(actor, args, is_managing=is_managing)
    found = await _pairs(tx, seen, args, f"d.team_id = $1 AND d.id = {args.add(pair_id)}", 1)
    return found[0] if found else None


async def _pairs(tx: Transaction, seen: str, args: Arguments, condition: str, limit: int) -> list[ReviewedPair]:
    # sees all: both leads are looked up by `seen`, which starts at visible_leads()
    rows = await tx.fetch(
        f"""SELECT {columns(DuplicatePair, "d")}, {columns(Lead, "one")}, {columns(Lead, "other")}
              FROM (SELECT {columns(DuplicatePair, "d")} FROM duplicate_pair d
                     WHERE {condition} AND EXISTS (SELECT FROM lead l WHERE {seen} AND l.id = d.lead_id)
                       AND EXISTS (SELECT FROM lead l WHERE {seen} AND l.id = d.other_id)
                     ORDER BY d.score DESC, d.id DESC LIMIT {args.add(limit)}) d
              JOIN lead one ON one.team_id = d.team_id AND one.id = d.lead_id
              JOIN lead other ON other.team_id = d.team_id AND other.id = d.other_id
             ORDER BY d.score DESC, d.id DESC""",
        *args,
    )
    return [_reviewed(row) for row in rows]


def _reviewed(row: Record) -> ReviewedPair:
    values = tuple(row)
    one, other = values[_PAIR : _PAIR + _LEAD], values[_PAIR + _LEAD :]
    return ReviewedPair(DuplicatePair(*values[:_PAIR]), Lead(*one), Lead(*other))


async def holders_of_keys(tx: Transaction, keys: Sequence[int], most: int) -> dict[int, list[int]]:
    """Return at most so many leads that stand under each of these keys."""
    rows = await tx.fetch(
        """SELECT w.key, ARRAY(SELECT k.lead_id FROM duplicate_key k
                                WHERE k.team_id = $1 AND k.key = w.key LIMIT $3) AS lead_ids
             FROM unnest($2::bigint[]) AS w (key)""",
        tx.team_id,
        list(keys),
        most,
    )
    return {row["key"]: row["lead_ids"] for row in rows}


async def history_counts(tx: Transaction, lead_id: int) -> dict[str, int]:
    """Return how much there is of a lead that would move with it, by kind."""
    row = await tx.fetchrow(
        """SELECT (SELECT count(*) FROM timeline_entry WHERE team_id = $1 AND lead_id = $2
                      AND kind NOT IN ('lead_merged_away', 'lead_came_back')) AS timeline,
                  (SELECT count(*) FROM note WHERE team_id = $1 AND lead_id = $2 AND deleted_at IS NULL) AS notes,
                  (SELECT count(*) FROM lead_transaction
                    WHERE team_id = $1 AND lead_id = $2 AND deleted_at IS NULL) AS transactions,
                  (SELECT count(*) FROM call WHERE team_id = $1 AND lead_id = $2) AS calls,
                  (SELECT count(*) FROM message WHERE team_id = $1 AND lead_id = $2) AS messages,
                  (SELECT count(*) FROM arrival WHERE team_id = $1 AND lead_id = $2) AS arrivals,
                  (SELECT count(*) FROM routing_offer
                    WHERE team_id = $1 AND lead_id = $2 AND status <> 'open') AS offers""",
        tx.team_id,
        lead_id,
    )
    return dict(row) if row else {}


async def merges(
    tx: Transaction, actor: Actor, *, lead_id: int | None, limit: int, before_id: int | None = None
) -> list[LeadMerge]:
    """Return merges into leads that the caller sees, newest first. `lead_id`: of either side."""
    args = Arguments()
    seen = visible_leads(actor, args, with_trash=True)
    found = ["m.team_id = $1"]
    if lead_id is not None:
        place = args.add(lead_id)
        found.append(
            f"""m.id IN (SELECT id FROM lead_merge WHERE team_id = $1 AND lead_id = {place}
                         UNION ALL SELECT id FROM lead_merge WHERE team_id = $1 AND merged_lead_id = {place})"""
        )
    if before_id is not None:
        found.append(f"m.id < {args.add(before_id)}")
    rows = await tx.fetch(
        f"""SELECT {columns(LeadMerge, "m")} FROM lead_merge m
             WHERE {" AND ".join(found)} AND EXISTS (SELECT FROM lead l WHERE {seen} AND l.id = m.lead_id)
             ORDER BY m.id DESC LIMIT {args.add(limit)}""",
        *args,
    )
    return [LeadMerge(*row) for row in rows]


async def find_merge(tx: Transaction, merge_id: int | None, *, is_held: bool = False) -> LeadMerge | None:
    """Return a merge; `is_held`: locked until the transaction ends. The caller checks who may see it."""
    held = " FOR UPDATE" if is_held else ""
    row = await tx.fetchrow(
        f"SELECT {columns(LeadMerge)} FROM lead_merge WHERE team_id = $1 AND id = $2{held}", tx.team_id, merge_id
    )
    return LeadMerge(*row) if row else None


async def moves_of(tx: Transaction, merge_id: int) -> dict[str, list[int]]:
    """Return the rows that a merge moved, by kind."""
    rows = await tx.fetch(
        "SELECT kind, ids FROM lead_merge_move WHERE team_id = $1 AND merge_id = $2", tx.team_id, merge_id
    )
    return {row["kind"]: row["ids"] for row in rows}


async def merged_away(tx: Transaction, lead_id: int) -> LeadMerge | None:
    """Return the merge by which a lead went into another, if it still stands."""
    row = await tx.fetchrow(
        f"""SELECT {columns(LeadMerge)} FROM lead_merge
             WHERE team_id = $1 AND merged_lead_id = $2 AND undone_at IS NULL ORDER BY id DESC LIMIT 1""",
        tx.team_id,
        lead_id,
    )
    return LeadMerge(*row) if row else None
