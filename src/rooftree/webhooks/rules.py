"""Who hears of what, what a body looks like, when the next attempt is made. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from rooftree.webhooks.model import BY_OWNERSHIP, Batch, Hearing, Subscriber, Told

#: Seconds between an attempt and the one before it. contract: webhooks.md 6.2
WAITS: Final = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: A receiver that asked for longer is asked again after so long.
LONGEST_WAIT: Final = timedelta(days=1)
#: A subscription is switched off when the last attempt of a delivery fails and nothing was answered for so long.
PATIENCE: Final = timedelta(days=3)
#: Lists whose single entry also stands at the top of the body. contract: webhooks.md 5.2
_FLAT_LISTS: Final = {3, 12}
People: TypeAlias = Mapping[tuple[int, int], Sequence[int]]
_MILLISECOND: Final = timedelta(milliseconds=1)


def hears(subscriber: Subscriber, hearing: Hearing) -> bool:
    """Whether a subscription is told of a change, by the rights of its member when it happened.

    contract: webhooks.md 3
    """
    if subscriber.member_id in hearing.assigned_user_ids:
        return True
    if subscriber.permission_mode != BY_OWNERSHIP:
        return subscriber.sees_all and not hearing.is_hidden
    if subscriber.sees_all or (hearing.ownership_scope, hearing.ownership_id) == ("PERSONAL", subscriber.member_id):
        return True
    if hearing.is_hidden:
        return False
    return (
        hearing.ownership_scope == "TEAM"
        or (hearing.ownership_scope == "OFFICE" and hearing.ownership_id in subscriber.office_ids)
        or subscriber.member_id in hearing.role_user_ids
    )


def with_people(one: Told, people: People) -> Hearing:
    """Return the audience of an announcement, and whoever has a role on its lead."""
    hearing = one.hearing
    more = people.get((one.team_id, one.lead_id or 0))
    return replace(hearing, role_user_ids=[*hearing.role_user_ids, *more]) if more else hearing


def batches(subscribers: Iterable[Subscriber], told: Sequence[Told], people: People, epoch: datetime) -> list[Batch]:
    """Return the bodies to be posted for these announcements, in their order, at most `batch_limit` entries each.

    `people`: who has a role on the leads, by team and lead. What is quiet is for the feed, not for them.
    The same thing in the same array stands there once, with its latest time. contract: webhooks.md 4 and 5
    """
    of_list: dict[tuple[int, int], list[tuple[Told, Hearing]]] = {}
    for one in told:
        if not one.is_quiet:
            of_list.setdefault((one.team_id, one.list_id), []).append((one, with_people(one, people)))
    found: list[Batch] = []
    for subscriber in subscribers:
        entries: dict[tuple[str, bytes], Told] = {}
        for one, hearing in of_list.get((subscriber.team_id, subscriber.list_id), ()):
            if hears(subscriber, hearing):
                entries.pop((one.verb, one.payload), None)  # the later one counts, and stands where it happened
                entries[one.verb, one.payload] = one
        heard, size = list(entries.values()), subscriber.batch_limit
        found += [_batch(subscriber, heard[start : start + size], epoch) for start in range(0, len(heard), size)]
    return found


def _batch(subscriber: Subscriber, heard: Sequence[Told], epoch: datetime) -> Batch:
    return Batch(
        subscriber.team_id,
        subscriber.webhook_id,
        subscriber.list_id,
        body(subscriber.team_id, subscriber.list_id, heard, epoch),
        len(heard),
        sorted({one.lead_id for one in heard if one.lead_id is not None}),
    )


def body(team_id: int, list_id: int, heard: Sequence[Told], epoch: datetime) -> bytes:
    """Return a body: the list, the team, and an array per kind of change. `epoch`: 1970, aware."""
    whole: dict[str, Any] = {"listId": list_id, "teamId": team_id}
    entries = [entry_of(one, epoch) for one in heard]
    if list_id in _FLAT_LISTS and len(entries) == 1:
        whole |= entries[0]
    for one, entry in zip(heard, entries, strict=True):
        whole.setdefault(one.verb, []).append(entry)
    return msgspec.json.encode(whole)


def entry_of(one: Told, epoch: datetime) -> dict[str, Any]:
    """Return what is told of one change; `updateTime` in milliseconds since 1970."""
    return {**msgspec.json.decode(one.payload), "updateTime": (one.happened_at - epoch) // _MILLISECOND}


def next_attempt(number: int, retry_after: timedelta | None, dice: float) -> timedelta | None:
    """Return how long to wait after attempt `number` (from 1) failed; None: it was the last.

    `dice` from 0 to 1 spreads the waits by a tenth to both sides. contract: webhooks.md 6.2
    """
    if number >= len(WAITS):
        return None
    wait = timedelta(seconds=WAITS[number] * (0.9 + 0.2 * dice))
    return max(wait, min(retry_after, LONGEST_WAIT)) if retry_after else wait


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Return what a Retry-After header asks for: seconds, or a date. None: nothing that can be read."""
    if not text:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(timedelta(seconds=int(text.strip()[:9])), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
        return max(until - now, timedelta()) if until.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None


def is_worn_out(number: int, failing_since: datetime | None, now: datetime) -> bool:
    """Whether a subscription is switched off after this failure."""
    return number >= len(WAITS) and failing_since is not None and now - failing_since >= PATIENCE
