"""When somebody takes no leads, and how many they take."""

from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.wire_time import parse_instant
from rooftree.routing import queries, store
from rooftree.routing.errors import RoutingDenied
from rooftree.routing.model import Book
from rooftree.routing.rulebook import manages
from rooftree.routing.wire import AvailabilityRequest, Vacation
from rooftree.team import queries as team
from rooftree.team.errors import UserNotExist
from rooftree.team.model import Member

_ALWAYS_IN: Final[dict[str, Any]] = {
    "is_paused": False,
    "paused_until": None,
    "vacations": b"[]",
    "daily_cap": None,
    "open_cap": None,
}


async def seats(tx: Transaction) -> Book:
    """Return who may be chosen at this moment, with the leads of those who have limits."""
    book = await queries.book(tx)
    today = clock.now().astimezone(ZoneInfo(book.time_zone)).date()
    midnight = datetime.combine(today, datetime.min.time(), ZoneInfo(book.time_zone))
    return await queries.counted(tx, book, today, midnight)


async def shown(tx: Transaction, actor: Actor) -> list[Member]:
    """Return the members whose absences somebody may see: their own, and those they manage; deactivated ones not."""
    members = (await team.everybody(tx)).values()
    return [member for member in members if member.status == "active" and _may_see(actor, member)]


def _may_see(actor: Actor, member: Member) -> bool:
    return member.id == actor.member_id or manages(actor, None) or manages(actor, member.office_id)


async def find(tx: Transaction, actor: Actor, member_id: int | None) -> Member:
    """Return a member whose absences somebody may see.

    Raises: UserNotExist (404, 20003), RoutingDenied (20017).
    """
    member = (await team.everybody(tx)).get(member_id or 0)
    if member is None:
        raise UserNotExist
    if not _may_see(actor, member):
        raise RoutingDenied
    return member


async def change(tx: Transaction, actor: Actor, member: Member, request: AvailabilityRequest) -> None:
    """Change when somebody takes no leads: they themselves; their limits: whoever manages the distribution.

    Writes: routing_member, routing_load. Raises: RoutingDenied (20017), InvalidParameter (20012).
    """
    limits = (request.daily_limit, request.open_limit)
    is_manager = manages(actor, None) or manages(actor, member.office_id)
    if not is_manager and any(limit is not UNSET for limit in limits):
        raise RoutingDenied("dailyLimit, openLimit: are set by whoever manages the distribution of leads.")
    known = await queries.availability(tx, member.id)
    row = {name: getattr(known, name) for name in _ALWAYS_IN} if known else dict(_ALWAYS_IN)
    wanted = {
        "is_paused": request.is_paused,
        "paused_until": _instant(request.paused_until),
        "vacations": _vacations(request.vacations),
        "daily_cap": request.daily_limit,
        "open_cap": request.open_limit,
    }
    row |= {name: value for name, value in wanted.items() if value is not UNSET}
    if row["is_paused"] is False:
        row["paused_until"] = None
    await store.set_availability(tx, member.id, **row)


def _instant(text: str | UnsetType | None) -> datetime | UnsetType | None:
    if text is UNSET or text is None:
        return text
    instant = parse_instant(text)
    if instant is None:
        raise InvalidParameter("pausedUntil: must be a time with its offset, such as 2026-12-24T18:00:00-05:00.")
    return instant


def _vacations(given: list[Vacation] | UnsetType) -> bytes | UnsetType:
    if given is UNSET:
        return UNSET
    days: list[tuple[date, date]] = []
    for one in given:
        if one.to < one.from_:
            raise InvalidParameter(f"vacations: ends on {one.to}, before it begins on {one.from_}.")
        days.append((one.from_, one.to))
    return msgspec.json.encode(sorted(days))
