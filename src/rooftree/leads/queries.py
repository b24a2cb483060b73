"""Finding leads, already narrowed to what the caller may see.

Every SELECT on leads starts at `visible_leads(actor)`: the one condition that says whose leads these are.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from rooftree.leads.errors import LeadNotExist
from rooftree.leads.fields import normal_email
from rooftree.leads.filters import LeadFilter, Order, Page, among, conditions, leading_tag, stage_condition
from rooftree.leads.model import Comparable, CustomField, Lead, LeadView, Stage, Tag
from rooftree.platform.actor import Actor
from rooftree.platform.database import Arguments, Record, Transaction, columns
from rooftree.platform.errors import ApiError, InvalidParameter
from rooftree.platform.pages import Sealer

_WIDTH: Final = len(Lead.__struct_fields__)

#: Every custom role of the team with nobody in it, as the answer shows it. contract: behaviour.md, customRoleList
_CUSTOM_ROLES: Final = """(
    SELECT coalesce(jsonb_agg(jsonb_build_object('roleId', c.id, 'role', c.name, 'assigneeId', 0, 'assignee', NULL)
                              ORDER BY c.id), '[]')
      FROM custom_role c WHERE c.team_id = $1)"""

_VIEW: Final = f"""{columns(Lead, "l")}, g.name, rtrim(a.first_name || ' ' || a.last_name), pond.name,
       {_CUSTOM_ROLES}, s.last_touch_at, s.last_visit_at, s.score"""

_JOINED: Final = """
  JOIN stage g ON g.team_id = l.team_id AND g.id = l.stage_id
  LEFT JOIN member a ON a.team_id = l.team_id AND a.id = l.assigned_user_id
  LEFT JOIN lead_pond pond ON pond.team_id = l.team_id AND pond.id = l.pond_id
  LEFT JOIN timeline_summary s ON s.team_id = l.team_id AND s.lead_id = l.id"""


def visible_leads(actor: Actor, args: Arguments, *, with_trash: bool = False, is_managing: bool = False) -> str:
    """Return the condition on `lead l` that starts every query; the team becomes $1, or is it already.

    A lead is seen by its owner by scope, whoever it is assigned to in any role, and administrators; a hidden
    one by its agent, its personal owner and administrators only. `is_managing` leaves out those who may only
    read: lenders. contract: behaviour.md 1.2, S4-110 to S4-112, D36
    """
    if not args:
        args.add(actor.team_id)
    elif args[0] != actor.team_id:
        raise ValueError("$1 is not the team")
    found = ["l.team_id = $1"]
    if not with_trash:
        found.append("l.trashed_at IS NULL")
    if is_managing and actor.role == "lender":
        found.append("false")
    elif not actor.sees_all_leads:
        found.append(_seen_by(actor, args, is_managing=is_managing))
    return " AND ".join(found)


def _seen_by(actor: Actor, args: Arguments, *, is_managing: bool) -> str:
    users = args.add(actor.user_ids)
    roles = " AND r.role_id <> -2" if is_managing else ""
    return f"""({_cell_seen_by(actor, args, users, "l")}
        OR NOT l.is_hidden AND EXISTS (SELECT FROM lead_role r WHERE r.team_id = $1 AND r.lead_id = l.id
                                          AND r.member_id = ANY ({users}){roles}))"""


def _cell_seen_by(actor: Actor, args: Arguments, users: str, row: str) -> str:
    """Return the part of visibility that a tally cell knows too."""
    offices = args.add(actor.office_ids)
    ponds = f" OR {row}.pond_id = ANY ({args.add(actor.pond_ids)})" if actor.pond_ids else ""
    return f"""({row}.assigned_user_id = ANY ({users})
        OR {row}.ownership_scope = 'PERSONAL' AND {row}.ownership_id = ANY ({users})
        OR NOT {row}.is_hidden AND ({row}.ownership_scope = 'TEAM'
           OR {row}.ownership_scope = 'OFFICE' AND {row}.ownership_id = ANY ({offices}){ponds}))"""


async def visible_lead(
    tx: Transaction,
    actor: Actor,
    lead_id: int | None,
    *,
    otherwise: type[ApiError] = LeadNotExist,
    with_trash: bool = False,
    is_managing: bool = False,
) -> LeadView:
    """Return one lead. Raises: `otherwise` when it is unknown, trashed, another team's or not theirs to see."""
    args = Arguments()
    seen = visible_leads(actor, args, with_trash=with_trash, is_managing=is_managing)
    sql = f"SELECT {_VIEW} FROM lead l {_JOINED} WHERE {seen} AND l.id = {args.add(lead_id)}"
    record = None if lead_id is None else await tx.fetchrow(sql, *args)
    if record is None:
        raise otherwise
    return _view(record)


async def seen_lead(
    tx: Transaction,
    actor: Actor,
    lead_id: int | None,
    *,
    otherwise: type[ApiError] = LeadNotExist,
    is_managing: bool = False,
    is_held: bool = False,
) -> Lead:
    """Return the row of one lead that they may see, or with `is_managing` change. Raises: `otherwise`, as above.

    `is_held`, for whoever adds to its history: until the transaction ends, nobody merges it into another. Such holders
    hinder neither each other nor those who change the lead.
    """
    args = Arguments()
    seen = visible_leads(actor, args, is_managing=is_managing)
    held = " FOR KEY SHARE OF l" if is_held else ""
    sql = f"SELECT {columns(Lead, 'l')} FROM lead l WHERE {seen} AND l.id = {args.add(lead_id)}{held}"
    record = None if lead_id is None else await tx.fetchrow(sql, *args)
    if record is None:
        raise otherwise
    return Lead(*record)


async def seen_ids(tx: Transaction, actor: Actor, lead_ids: Sequence[int], *, is_managing: bool = False) -> set[int]:
    """Return which of these leads they may see, or with `is_managing` change."""
    args = Arguments()
    seen = visible_leads(actor, args, is_managing=is_managing)
    rows = await tx.fetch(f"SELECT l.id FROM lead l WHERE {seen} AND l.id = ANY ({args.add(list(lead_ids))})", *args)
    return {row["id"] for row in rows}


async def managed_matches(
    tx: Transaction, actor: Actor, contacts: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return by contact (kind and normalised value) the first lead that has it and that they may change."""
    args = Arguments()
    seen = visible_leads(actor, args, is_managing=True)
    kinds, values = args.add([kind for kind, _ in contacts]), args.add([value for _, value in contacts])
    rows = await tx.fetch(
        f"""SELECT w.kind, w.value, m.id
              FROM unnest({kinds}::text[], {values}::text[]) AS w (kind, value),
                   LATERAL (SELECT l.id FROM lead_contact c JOIN lead l ON l.team_id = c.team_id AND l.id = c.lead_id
                             WHERE c.team_id = $1 AND c.kind = w.kind AND c.value = w.value AND {seen}
                             ORDER BY c.lead_id LIMIT 1) m""",
        *args,
    )
    return {(row["kind"], row["value"]): row["id"] for row in rows}


async def managed_leads(tx: Transaction, actor: Actor, lead_ids: Collection[int]) -> dict[int, Lead]:
    """Return those of these leads that they may change, locked until the transaction ends."""
    args = Arguments()
    seen = visible_leads(actor, args, is_managing=True)
    rows = await tx.fetch(
        f"""SELECT {columns(Lead, "l")} FROM lead l WHERE {seen} AND l.id = ANY ({args.add(list(lead_ids))})
             ORDER BY l.id FOR NO KEY UPDATE OF l""",
        *args,
    )
    return {(lead := Lead(*row)).id: lead for row in rows}


async def people_on(tx: Transaction, leads: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[int]]:
    """Return who has a role on leads, shared agents and assistants too, by team and lead id."""
    rows = await tx.fetch(
        """SELECT r.team_id, r.lead_id, array_agg(r.member_id) AS member_ids
             FROM unnest($1::bigint[], $2::bigint[]) AS asked (team_id, lead_id)
             JOIN lead_role r ON r.team_id = asked.team_id AND r.lead_id = asked.lead_id GROUP BY 1, 2""",
        [team_id for team_id, _ in leads],
        [lead_id for _, lead_id in leads],
    )
    return {(row["team_id"], row["lead_id"]): row["member_ids"] for row in rows}


async def newest_leads(tx: Transaction, actor: Actor, limit: int) -> list[Lead]:
    """Return the leads that came in last and that they may see, newest first."""
    args = Arguments()
    seen = visible_leads(actor, args)
    rows = await tx.fetch(
        f"""SELECT {columns(Lead, "l")} FROM lead l WHERE {seen}
             ORDER BY l.created_at DESC, l.id DESC LIMIT {args.add(limit)}""",
        *args,
    )
    return [Lead(*row) for row in rows]


async def has_lead(tx: Transaction, lead_id: int | None) -> bool:
    """Whether the team has such a lead outside the trash, visible to the caller or not."""
    # sees all: for the operations that say "forbidden" where others say "not there"
    sql = "SELECT EXISTS (SELECT FROM lead WHERE team_id = $1 AND id = $2 AND trashed_at IS NULL)"
    return lead_id is not None and await tx.fetchval(sql, tx.team_id, lead_id)


async def is_marked_contacted(tx: Transaction, lead_id: int) -> bool:
    """Whether a lead counts as contacted at this moment."""
    # sees all: the system asks, not a person
    return await tx.fetchval("SELECT is_contacted FROM lead WHERE team_id = $1 AND id = $2", tx.team_id, lead_id)


async def leads_with_contact(tx: Transaction, kind: str, value: str) -> list[Lead]:
    """Return the leads with an address or number (`email`, `phone`, normalised), those last touched first."""
    # sees all: what arrives from outside belongs to the team, whoever works the lead
    rows = await tx.fetch(
        f"""SELECT {columns(Lead, "l")} FROM lead_contact c JOIN lead l ON l.team_id = c.team_id AND l.id = c.lead_id
              LEFT JOIN timeline_summary s ON s.team_id = l.team_id AND s.lead_id = l.id
             WHERE c.team_id = $1 AND c.kind = $2 AND c.value = $3 AND l.trashed_at IS NULL
             ORDER BY s.last_touch_at DESC NULLS LAST, l.created_at DESC, l.id LIMIT 50""",
        tx.team_id,
        kind,
        value,
    )
    return [Lead(*row) for row in rows]


async def locked_lead(tx: Transaction, lead_id: int, *, is_followed: bool = True) -> Lead | None:
    """Return a lead for what the system itself does to it, locked until the transaction ends.

    One that was merged away stands for the lead that it became, unless `is_followed` says otherwise.
    """
    # sees all: the system acts, not a person
    sql = f"SELECT {columns(Lead)} FROM lead WHERE team_id = $1 AND id = $2 FOR NO KEY UPDATE"
    wanted_id = await became(tx, lead_id) if is_followed else lead_id
    while row := await tx.fetchrow(sql, tx.team_id, wanted_id):
        lead = Lead(*row)
        if lead.merged_into is None or not is_followed:
            return lead
        wanted_id = await became(tx, lead.merged_into)  # it was merged away while we waited for it
    return None


async def locked_leads(tx: Transaction, lead_ids: Collection[int]) -> list[Lead]:
    """Return leads as `locked_lead` does one: each once, with what those became that were merged away."""
    # sees all: the system acts, not a person
    sql = f"SELECT {columns(Lead)} FROM lead WHERE team_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE"
    found = {row["id"]: Lead(*row) for row in await tx.fetch(sql, tx.team_id, list(lead_ids))}
    for merged in [lead for lead in found.values() if lead.merged_into]:
        del found[merged.id]
        if heir := await locked_lead(tx, merged.id):
            found[heir.id] = heir
    return list(found.values())


async def became(tx: Transaction, lead_id: int) -> int:
    """Return the lead that a lead was merged into, at the end of the chain; itself when it was not."""
    # sees all: the system asks, not a person
    return await tx.fetchval(
        """WITH RECURSIVE chain AS (
               SELECT id, merged_into FROM lead WHERE team_id = $1 AND id = $2
               UNION SELECT l.id, l.merged_into FROM lead l JOIN chain c ON l.team_id = $1 AND l.id = c.merged_into)
           SELECT coalesce((SELECT id FROM chain WHERE merged_into IS NULL LIMIT 1), $2)""",
        tx.team_id,
        lead_id,
    )


async def managed_lead(tx: Transaction, actor: Actor, lead_id: int | None, *, with_trash: bool = False) -> Lead:
    """Return one lead that they may change, locked until the transaction ends. Raises: LeadNotExist (20006)."""
    args = Arguments()
    seen = visible_leads(actor, args, with_trash=with_trash, is_managing=True)
    sql = f"SELECT {columns(Lead, 'l')} FROM lead l WHERE {seen} AND l.id = {args.add(lead_id)} FOR NO KEY UPDATE OF l"
    record = None if lead_id is None else await tx.fetchrow(sql, *args)
    if record is None:
        raise LeadNotExist
    return Lead(*record)


async def managed_pair(
    tx: Transaction,
    actor: Actor,
    lead_id: int | None,
    other_id: int | None,
    *,
    otherwise: type[ApiError] = LeadNotExist,
    with_trash: bool = False,
) -> tuple[Lead, Lead]:
    """Return two leads that they may change, for a merge. Raises: `otherwise` when one is not theirs to change.

    They are locked in the order of their ids, against everybody who writes to them or adds to their history.
    """
    args = Arguments()
    seen = visible_leads(actor, args, with_trash=with_trash, is_managing=True)
    wanted = [one for one in (lead_id, other_id) if one is not None]
    sql = f"""SELECT {columns(Lead, "l")} FROM lead l WHERE {seen} AND l.id = ANY ({args.add(wanted)})
               ORDER BY l.id FOR UPDATE OF l"""
    found = {lead.id: lead for lead in (Lead(*row) for row in await tx.fetch(sql, *args))}
    if lead_id not in found or other_id not in found:
        raise otherwise
    return found[lead_id], found[other_id]


async def hold_leads(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Lock leads as `managed_pair` does, for what the system itself does to them."""
    # sees all: the system acts, not a person
    sql = "SELECT FROM lead WHERE team_id = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE"
    await tx.fetch(sql, tx.team_id, list(lead_ids))


def _view(record: Record) -> LeadView:
    values = tuple(record)
    return LeadView(Lead(*values[:_WIDTH]), *values[_WIDTH : _WIDTH + 7])


class LeadPage(Struct, frozen=True):
    """A part of a list of leads."""

    leads: list[LeadView]
    limit: int
    offset: int  #: how many leads stand before this page
    total: int  #: how many match, before paging
    scroll_id: str | None  #: None: nothing follows


class _Scroll(Struct, frozen=True, array_like=True):
    """What a scroll cursor carries: its owner, its list, and the last lead given out."""

    member_id: int
    wanted: LeadFilter
    order: Order
    value: str | int | None  #: of the last lead; None: leads without a value have begun
    lead_id: int
    offset: int
    total: int | None  #: carried when counting again would cost more than the page


async def search_leads(
    tx: Transaction, actor: Actor, wanted: LeadFilter, order: Order, page: Page, sealer: Sealer
) -> LeadPage:
    """Return a page of the leads that match.

    By `page.scroll_id` the page begins after the last lead of the one before, wherever that lead is now, so
    leads that come or go meanwhile neither repeat nor push others out; filters and order then come from the
    scroll, and ones that contradict it are refused. The total is exact. contract: GET /v1.0/leads
    Raises: InvalidParameter (20012) on a foreign, changed or contradicted scroll.
    """
    scroll = _opened(sealer, page.scroll_id, actor, wanted, order) if page.scroll_id else None
    if scroll:
        wanted, order = scroll.wanted, scroll.order
    offset = scroll.offset if scroll else page.offset
    found, total = await _found(tx, actor, wanted, order, page, scroll)
    has_more = len(found) > page.limit
    found = found[: page.limit]
    scroll_id = None
    if has_more:
        carried = None if _is_tallied(wanted) else total
        lead_id, value = found[-1]
        following = _Scroll(actor.member_id, wanted, order, _sealed_value(value), lead_id, offset + len(found), carried)
        scroll_id = sealer.seal(following)
    views = await _views(tx, actor, [lead_id for lead_id, _ in found])
    return LeadPage(views, page.limit, offset, total, scroll_id)


def _opened(sealer: Sealer, scroll_id: str, actor: Actor, wanted: LeadFilter, order: Order) -> _Scroll:
    scroll = sealer.open(scroll_id, _Scroll)
    if scroll.member_id != actor.member_id:
        raise InvalidParameter("scrollId: belongs to somebody else.")
    if (wanted != LeadFilter() and wanted != scroll.wanted) or (order != Order() and order != scroll.order):
        raise InvalidParameter("scrollId: was made for another filter or order; repeat those, or leave them out.")
    return scroll


#: A lead of a list: its id, and the value that it is sorted by.
_Place = tuple[int, datetime | int | None]


async def _found(
    tx: Transaction, actor: Actor, wanted: LeadFilter, order: Order, page: Page, scroll: _Scroll | None
) -> tuple[list[_Place], int]:
    """Return up to one lead more than the page, first those with a value to sort by; and how many match in all."""
    needed, skipped = page.limit + 1, 0 if scroll else page.offset
    total = scroll.total if scroll else None
    found: list[_Place] = []
    if not scroll or scroll.value is not None:
        found, total = await _slice(tx, actor, wanted, order, scroll, needed, skipped, total, has_value=True)
    if order.key.is_nullable and len(found) < needed:
        if skipped and not found:
            skipped -= await _count_with_value(tx, actor, wanted, order)
        elif found:
            skipped = 0
        after = scroll if scroll and scroll.value is None else None
        wanting = needed - len(found)
        rest, total = await _slice(tx, actor, wanted, order, after, wanting, max(skipped, 0), total, has_value=False)
        found += rest
    return found, await count_leads(tx, actor, wanted) if total is None else total


async def _slice(
    tx: Transaction,
    actor: Actor,
    wanted: LeadFilter,
    order: Order,
    after: _Scroll | None,
    limit: int,
    offset: int,
    total: int | None,
    *,
    has_value: bool,
) -> tuple[list[_Place], int | None]:
    """Return one run of the list, by index alone where it can be; with it the total, unless that is known.

    Without a row there is nothing that could carry the total. The rows are fetched by a statement of their own:
    this one is planned anew each time, since its best plan depends on the values, and should therefore be small.
    """
    args = Arguments()
    tag = leading_tag(wanted) if order.key.column == "l.created_at" else None
    found = [visible_leads(actor, args), *conditions(_without_tag(wanted, tag), args)]
    source, column, lead_id = _source(order, tag, args, has_value=has_value)
    value = column if has_value else "NULL::bigint"
    direction, beyond = ("DESC", "<") if order.is_descending else ("ASC", ">")
    if order.key.is_nullable:
        found.append(f"{column} IS {'NOT ' if has_value else ''}NULL")
    if after and has_value:
        found.append(f"({value}, {lead_id}) {beyond} ({_opened_value(after, order, args)}, {args.add(after.lead_id)})")
    elif after:
        found.append(f"{lead_id} {beyond} {args.add(after.lead_id)}")
    by = f"{value} {direction}, {lead_id} {direction}" if has_value else f"{lead_id} {direction}"
    counted = f"{args.add(total)}::bigint" if total is not None else _counted(actor, wanted, order, args)
    sql = f"""
SELECT l.id, {value} AS sort_value, {counted} AS total FROM {source}
 WHERE {" AND ".join(found)}
 ORDER BY {by} LIMIT {args.add(limit)} OFFSET {args.add(offset)}"""
    rows = await tx.fetch(sql, *args)
    return [(row[0], row[1]) for row in rows], int(rows[0][2]) if rows else total


async def _views(tx: Transaction, actor: Actor, lead_ids: list[int]) -> list[LeadView]:
    """Return leads in the order of their ids, without those that went out of sight meanwhile."""
    if not lead_ids:
        return []
    args = Arguments()
    seen = visible_leads(actor, args)
    sql = f"SELECT {_VIEW} FROM lead l {_JOINED} WHERE {seen} AND l.id = ANY ({args.add(lead_ids)})"
    views = {view.lead.id: view for view in map(_view, await tx.fetch(sql, *args))}
    return [views[lead_id] for lead_id in lead_ids if lead_id in views]


def _without_tag(wanted: LeadFilter, tag: str | None) -> LeadFilter:
    """Return what is left of a filter whose list is read off this tag's index."""
    rest = [name for name in wanted.all_tags if name != tag]
    return replace(wanted, all_tags=rest, any_tags=[] if wanted.any_tags == [tag] else wanted.any_tags)


def _source(order: Order, tag: str | None, args: Arguments, *, has_value: bool) -> tuple[str, str, str]:
    """Return where the list is read from, the column it is sorted by, and the lead's id there.

    A tag's leads by creation are read off the tag's index, in order. (Joining on the time of creation too would be
    the same, but the planner takes that for a rare coincidence and sorts all of them.) Only leads with a value to
    sort by need their summary to exist.
    """
    # sees all: a part of statements whose WHERE starts at visible_leads()
    if tag is not None:
        label = f"d.team_id = $1 AND d.kind = 'tag' AND d.name = {args.add(tag)} AND d.lead_id = l.id"
        return f"lead_label d JOIN lead l ON {label}", "d.created_at", "d.lead_id"
    if not order.key.column.startswith("s."):
        return "lead l", order.key.column, "l.id"
    join = "JOIN" if has_value else "LEFT JOIN"
    summary = f"{join} timeline_summary s ON s.team_id = l.team_id AND s.lead_id = l.id"
    return f"lead l {summary}", order.key.column, "l.id"


def _sealed_value(value: datetime | int | None) -> str | int | None:
    return value.isoformat() if isinstance(value, datetime) else value


def _opened_value(after: _Scroll, order: Order, args: Arguments) -> str:
    if order.key.is_time:
        return f"{args.add(datetime.fromisoformat(str(after.value)))}::timestamptz"
    return f"{args.add(after.value)}::bigint"


async def _count_with_value(tx: Transaction, actor: Actor, wanted: LeadFilter, order: Order) -> int:
    args = Arguments()
    found = [visible_leads(actor, args), *conditions(wanted, args), f"{order.key.column} IS NOT NULL"]
    sql = f"SELECT count(*) FROM {_source(order, None, args, has_value=True)[0]} WHERE {' AND '.join(found)}"
    return int(await tx.fetchval(sql, *args))


async def count_leads(tx: Transaction, actor: Actor, wanted: LeadFilter) -> int:
    """Return exactly how many leads match: from the tally where it knows the filter, else by counting them."""
    args = Arguments([actor.team_id])
    return int(await tx.fetchval(f"SELECT {_total(actor, wanted, args)}", *args))


def _counted(actor: Actor, wanted: LeadFilter, order: Order, args: Arguments) -> str:
    """Return the total as a column of the list.

    What `key` finds is found whole and sorted afterwards, so it is counted on the way, not looked for again.
    """
    is_whole = bool(wanted.key.strip()) and not order.key.is_nullable
    return "count(*) OVER ()" if is_whole else f"({_total(actor, wanted, args)})"


def _total(actor: Actor, wanted: LeadFilter, args: Arguments) -> str:
    """Return how many leads match, as an expression."""
    if _is_tallied(wanted):
        return _tallied(actor, wanted, args)
    found = [visible_leads(actor, args), *conditions(wanted, args)]
    return f"(SELECT count(*) FROM lead l WHERE {' AND '.join(found)})"


def _is_tallied(wanted: LeadFilter) -> bool:
    """Whether every field that is set is one the tally's cells know."""
    known = replace(
        wanted,
        stages=[],
        sources=[],
        assigned_user_ids=[],
        is_contacted=None,
        any_tags=[],
        all_tags=[],
        is_precise=False,
    )
    return known == LeadFilter() and len(_tags(wanted)) <= 1


def _tags(wanted: LeadFilter) -> list[str]:
    return wanted.any_tags + wanted.all_tags


def _tallied(actor: Actor, wanted: LeadFilter, args: Arguments) -> str:
    cells = f"(SELECT coalesce(sum(c.amount), 0) FROM lead_tally c WHERE {_cells(wanted, args)}"
    if actor.sees_all_leads:
        return f"{cells})"
    seen = _cell_seen_by(actor, args, args.add(actor.user_ids), "c")
    return f"{cells} AND {seen}) + {_by_role_only(actor, wanted, args)}"


def _cells(wanted: LeadFilter, args: Arguments) -> str:
    found = ["c.team_id = $1", f"c.tag = {args.add((*_tags(wanted), '')[0])}"]
    if wanted.stages:
        found.append(stage_condition(wanted.stages, "c.stage_id", args))
    if wanted.sources:
        found.append(among("c.source", wanted.sources, args))
    if wanted.assigned_user_ids:
        found.append(among("c.assigned_user_id", wanted.assigned_user_ids, args))
    if wanted.is_contacted is not None:
        found.append(f"c.is_contacted = {args.add(wanted.is_contacted)}")
    return " AND ".join(found)


def _by_role_only(actor: Actor, wanted: LeadFilter, args: Arguments) -> str:
    """Return how many leads they see through a role on the lead alone: few, and found from the role."""
    found = [visible_leads(actor, args), *conditions(wanted, args)]
    users = args.add(actor.user_ids)
    otherwise = _cell_seen_by(actor, args, users, "l")
    return f"""(SELECT count(*) FROM lead l WHERE {" AND ".join(found)} AND {otherwise} IS NOT TRUE
       AND l.id IN (SELECT r.lead_id FROM lead_role r WHERE r.team_id = $1 AND r.member_id = ANY ({users})))"""


async def count_assigned(tx: Transaction, actor: Actor, member_ids: list[int]) -> dict[int, tuple[int, int]]:
    """Return, by member, how many leads are assigned to them, and how many of those nobody contacted yet."""
    rows = await tx.fetch(
        """SELECT c.assigned_user_id AS id, sum(c.amount)::bigint AS assigned,
                  coalesce(sum(c.amount) FILTER (WHERE NOT c.is_contacted), 0)::bigint AS untouched
             FROM lead_tally c WHERE c.team_id = $1 AND c.tag = '' AND c.assigned_user_id = ANY ($2) GROUP BY 1""",
        actor.team_id,
        member_ids,
    )
    return {row["id"]: (row["assigned"], row["untouched"]) for row in rows}


async def duplicates(tx: Transaction, actor: Actor, lead_id: int) -> list[tuple[int, str, str]]:
    """Return visible leads that share an e-mail address or phone number: id, kind, value; oldest first."""
    args = Arguments()
    seen = visible_leads(actor, args)
    rows = await tx.fetch(
        f"""SELECT l.id, o.kind, o.value FROM lead_contact m
              JOIN lead_contact o ON o.team_id = m.team_id AND o.kind = m.kind AND o.value = m.value
               AND o.lead_id <> m.lead_id
              JOIN lead l ON l.team_id = o.team_id AND l.id = o.lead_id
             WHERE {seen} AND m.team_id = $1 AND m.lead_id = {args.add(lead_id)}
             ORDER BY l.created_at, l.id, o.kind, o.value LIMIT 100""",
        *args,
    )
    return [(row["id"], row["kind"], row["value"]) for row in rows]


async def to_compare(tx: Transaction, lead_ids: Sequence[int]) -> list[Comparable]:
    """Return what duplicates are recognised by, of those of these leads that are not in the trash."""
    # sees all: the system compares, not a person; whoever reads the outcome must see both leads
    rows = await tx.fetch(
        """SELECT l.id, l.first_name, l.last_name, l.street_address, l.city, l.zip_code, l.properties,
                  ARRAY(SELECT c.value FROM lead_contact c
                         WHERE c.team_id = $1 AND c.lead_id = l.id AND c.kind = 'email' ORDER BY 1) AS emails,
                  ARRAY(SELECT c.value FROM lead_contact c
                         WHERE c.team_id = $1 AND c.lead_id = l.id AND c.kind = 'phone' ORDER BY 1) AS phones
             FROM lead l WHERE l.team_id = $1 AND l.id = ANY ($2) AND l.trashed_at IS NULL""",
        tx.team_id,
        list(lead_ids),
    )
    return [Comparable(**dict(row)) for row in rows]


async def holders_of(
    tx: Transaction, contacts: Sequence[tuple[str, str]], most: int
) -> dict[tuple[str, str], list[int]]:
    """Return at most so many leads that have each of these addresses and numbers, trashed ones too."""
    rows = await tx.fetch(
        """SELECT w.kind, w.value,
                  ARRAY(SELECT c.lead_id FROM lead_contact c
                         WHERE c.team_id = $1 AND c.kind = w.kind AND c.value = w.value LIMIT $4) AS lead_ids
             FROM unnest($2::text[], $3::text[]) AS w (kind, value)""",
        tx.team_id,
        [kind for kind, _ in contacts],
        [value for _, value in contacts],
        most,
    )
    return {(row["kind"], row["value"]): row["lead_ids"] for row in rows}


async def teams_to_compare(tx: Transaction) -> list[int]:
    """Return the teams of which leads wait to be compared. Needs the owner's rights."""
    rows = await tx.fetch(
        "SELECT t.id FROM team t WHERE EXISTS (SELECT FROM lead_to_compare q WHERE q.team_id = t.id) ORDER BY random()"
    )
    return [row["id"] for row in rows]


async def count_to_compare(tx: Transaction) -> int:
    """Return how many times leads of the team wait to be compared."""
    return await tx.fetchval("SELECT count(*) FROM lead_to_compare WHERE team_id = $1", tx.team_id)


async def newest_with_email(tx: Transaction, actor: Actor, email: str) -> int:
    """Return the newest visible lead with this address, 0 when there is none."""
    args = Arguments()
    seen = visible_leads(actor, args)
    sql = f"""SELECT l.id FROM lead_contact c JOIN lead l ON l.team_id = c.team_id AND l.id = c.lead_id
               WHERE {seen} AND c.team_id = $1 AND c.kind = 'email' AND c.value = {args.add(normal_email(email))}
               ORDER BY l.created_at DESC, l.id DESC LIMIT 1"""
    return int(await tx.fetchval(sql, *args) or 0)


async def stage_names(tx: Transaction, stage_ids: list[int]) -> dict[int, str]:
    """Return stage names by id."""
    rows = await tx.fetch("SELECT id, name FROM stage WHERE team_id = $1 AND id = ANY ($2)", tx.team_id, stage_ids)
    return {row["id"]: row["name"] for row in rows}


async def tags(tx: Transaction, actor: Actor) -> list[Tag]:
    """Return the team's tags and the caller's own, by name."""
    rows = await tx.fetch(
        f"""SELECT {columns(Tag)} FROM tag
             WHERE team_id = $1 AND (visible_type = 0 OR creator_user_id = $2) ORDER BY name""",
        actor.team_id,
        actor.member_id,
    )
    return [Tag(*row) for row in rows]


async def all_tags(tx: Transaction) -> list[Tag]:
    """Return every tag of the team, whoever sees it in the list."""
    return [Tag(*row) for row in await tx.fetch(f"SELECT {columns(Tag)} FROM tag WHERE team_id = $1", tx.team_id)]


async def all_sources(tx: Transaction) -> dict[str, int]:
    """Return the team's sources, their numbers by name."""
    rows = await tx.fetch("SELECT id, name FROM source WHERE team_id = $1", tx.team_id)
    return {row["name"]: row["id"] for row in rows}


async def holders(tx: Transaction, contacts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    """Return the leads that have these contact points, oldest first, at most five each; those in the trash not."""
    asked = list(contacts)
    # sees all: who loads leads compares them with every lead of the team
    rows = await tx.fetch(
        """SELECT w.kind, w.value, array_agg(c.lead_id ORDER BY c.lead_id) AS lead_ids
             FROM unnest($2::text[], $3::text[]) AS w (kind, value),
                  LATERAL (SELECT c.lead_id FROM lead_contact c
                             JOIN lead l ON l.team_id = c.team_id AND l.id = c.lead_id
                            WHERE c.team_id = $1 AND c.kind = w.kind AND c.value = w.value AND l.trashed_at IS NULL
                            ORDER BY c.lead_id LIMIT 5) c
            GROUP BY 1, 2""",
        tx.team_id,
        [kind for kind, _ in asked],
        [value for _, value in asked],
    )
    return {(row["kind"], row["value"]): row["lead_ids"] for row in rows}


async def custom_fields(tx: Transaction, team_id: int) -> list[CustomField]:
    """Return the team's own lead fields, oldest first."""
    rows = await tx.fetch(f"SELECT {columns(CustomField)} FROM custom_field WHERE team_id = $1 ORDER BY id", team_id)
    return [CustomField(*row) for row in rows]


async def stages(tx: Transaction, team_id: int, name: str, limit: int, offset: int) -> tuple[list[Stage], int]:
    """Return a page of the lead pipeline in order, and how many stages match. `name`: a part of it, any case."""
    where = "team_id = $1 AND strpos(lower(name), lower($2)) > 0"
    rows = await tx.fetch(
        f"SELECT {columns(Stage)} FROM stage WHERE {where} ORDER BY position, id LIMIT $3 OFFSET $4",
        team_id,
        name,
        limit,
        offset,
    )
    total = await tx.fetchval(f"SELECT count(*) FROM stage WHERE {where}", team_id, name)
    return [Stage(*row) for row in rows], int(total)
