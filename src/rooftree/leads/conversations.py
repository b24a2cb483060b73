"""Conversations of leads that the caller may see: of one lead, of an agent, of the whole team."""

from datetime import datetime

from msgspec import Struct

from rooftree.leads.queries import seen_lead, visible_leads
from rooftree.platform.actor import Actor
from rooftree.platform.database import Arguments, Transaction, columns
from rooftree.platform.http.reading import Query
from rooftree.timeline import queries
from rooftree.timeline.errors import CommunicationDenied
from rooftree.timeline.model import TimelineEntry
from rooftree.timeline.window import history_window, lead_id_of


async def history_of(tx: Transaction, actor: Actor, query: Query, channel: str) -> list[TimelineEntry]:
    """Return the part of a lead's history that a query asks for. Raises: InvalidParameter, LeadNotExist (20006)."""
    lead_id, window = lead_id_of(query), history_window(query)
    lead = await seen_lead(tx, actor, lead_id)
    return await queries.conversations(tx, lead.id, window, channel=channel)


async def managed_conversation(tx: Transaction, actor: Actor, entry_id: int | None, channel: str) -> TimelineEntry:
    """Return a conversation of a lead that they manage. Raises: CommunicationDenied (20017), whatever is wrong."""
    entry = await queries.find_entry(tx, entry_id, channel=channel)
    if entry is None:
        raise CommunicationDenied
    await seen_lead(tx, actor, entry.lead_id, otherwise=CommunicationDenied, is_managing=True)
    return entry


class Search(Struct, frozen=True, array_like=True):
    """Which conversations are wanted."""

    channel: str | None  #: call, text, email; None: all
    since: datetime  #: inclusive
    until: datetime  #: inclusive
    is_team_view: bool  #: everybody's, else the caller's own


async def search_conversations(
    tx: Transaction,
    actor: Actor,
    wanted: Search,
    *,
    limit: int,
    offset: int = 0,
    after: tuple[datetime, int] | None = None,
) -> list[TimelineEntry]:
    """Return a page, oldest first, ties by id; `after`: time and id of the last entry of the page before."""
    args = Arguments()
    found = _found(actor, wanted, args)
    if after:
        found += f" AND (e.happened_at, e.id) > ({args.add(after[0])}, {args.add(after[1])})"
    # sees all: _found() starts at visible_leads()
    rows = await tx.fetch(
        f"""SELECT {columns(TimelineEntry, "e")}
              FROM timeline_entry e JOIN lead l ON l.team_id = e.team_id AND l.id = e.lead_id
             WHERE {found} ORDER BY e.happened_at, e.id LIMIT {args.add(limit)} OFFSET {args.add(offset)}""",
        *args,
    )
    return [TimelineEntry(*row) for row in rows]


async def count_found(tx: Transaction, actor: Actor, wanted: Search) -> int:
    """Return how many conversations match, exactly."""
    args = Arguments()
    found = _found(actor, wanted, args)
    # sees all: _found() starts at visible_leads()
    return await tx.fetchval(
        f"""SELECT count(*) FROM timeline_entry e JOIN lead l ON l.team_id = e.team_id AND l.id = e.lead_id
             WHERE {found}""",
        *args,
    )


def _found(actor: Actor, wanted: Search, args: Arguments) -> str:
    conditions = [
        visible_leads(actor, args),
        "e.team_id = $1 AND e.channel IS NOT NULL AND e.deleted_at IS NULL",
        f"e.happened_at BETWEEN {args.add(wanted.since)} AND {args.add(wanted.until)}",
    ]
    if wanted.channel:
        conditions.append(f"e.channel = {args.add(wanted.channel)}")
    if not wanted.is_team_view:
        conditions.append(f"e.actor_id = {args.add(actor.member_id)}")
    return " AND ".join(conditions)
