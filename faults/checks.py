"""The count: what the writers were told, against what is there, what was delivered, and what the feed showed."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
from msgspec import Struct, field

from faults.clients import Change

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: An entry of a body or of the feed, as it is compared: array's name, id of the thing, moment of an update.
Told = tuple[str, int, int]


class Wanted(Struct, frozen=True):
    """A subscription, and what it must hear."""

    webhook_id: int
    list_id: int


class Findings(Struct):
    """What was found, and the first few things that must not be."""

    present: int = 0  #: acknowledged changes that are there
    missing: int = 0  #: acknowledged changes that are not there
    twice: int = 0  #: changes that are there more than once, or were told of twice in the feed
    delivered: int = 0  #: announcements, each counted for every subscription that must hear it
    undelivered: int = 0
    gaps: int = 0  #: changes that are there and not in the feed
    invented: int = 0  #: delivered or shown in the feed, and belongs to nothing that is there; or refused, and there
    said: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """How many things must not be."""
        return self.missing + self.twice + self.undelivered + self.gaps + self.invented

    def say(self, what: str, which: object) -> None:
        """Name an example."""
        if len(self.said) < 12:
            self.said.append(f"{what}: {which}")


class Rows(Struct):
    """What is in the database."""

    leads: list[tuple[str, int]]  #: last name, id
    notes: list[tuple[str, int, int]]  #: content, id, lead
    tags: list[tuple[str, int]]  #: names that stand on leads, lead
    tagged: list[tuple[str, int]]  #: names that the timeline says were added, lead; in order
    told: list[tuple[str, int, int, datetime]]  #: announcements: array's name, lead, note, moment; in order


async def read_rows(owner: asyncpg.Connection) -> Rows:
    """Read everything, with the owner's rights."""
    # sees all: it counts what is there
    leads = await owner.fetch("SELECT last_name, id FROM lead")
    notes = await owner.fetch("SELECT content, id, lead_id FROM note WHERE deleted_at IS NULL")
    tags = await owner.fetch("SELECT t ->> 'tagName', l.id FROM lead l, jsonb_array_elements(l.tags) t")
    tagged = await owner.fetch(
        """SELECT t ->> 'tagName', e.lead_id FROM timeline_entry e, jsonb_array_elements(e.details -> 'to') t
            WHERE e.kind = 'tags_changed'
              AND NOT EXISTS (SELECT FROM jsonb_array_elements(e.details -> 'from') f
                               WHERE f ->> 'tagName' = t ->> 'tagName')
            ORDER BY e.id"""
    )
    told = await owner.fetch(
        """SELECT verb, lead_id, coalesce((payload ->> 'noteId')::bigint, 0), happened_at FROM announcement
            ORDER BY happened_at, id"""
    )
    return Rows(*([tuple(row) for row in rows] for rows in (leads, notes, tags, tagged, told)))  # type: ignore[arg-type]


def count(
    rows: Rows,
    changes: list[Change],
    webhooks: dict[str, Wanted],
    kept: dict[str, list[tuple[str, dict[str, Any]]]],
    events: list[dict[str, Any]],
) -> Findings:
    """Hold everything against everything."""
    found = Findings()
    _count_changes(rows, changes, found)
    expected = _expected(rows, found)
    for path, webhook in webhooks.items():
        heard = {_told(name, entry) for name, entry in kept.get(path, ())}
        _count_deliveries(path, {one for one in expected if _list_of(one) == webhook.list_id}, heard, found)
    _count_feed(expected, Counter(_told(one["event"], one["entry"]) for one in events), found)
    return found


def _count_changes(rows: Rows, changes: list[Change], found: Findings) -> None:
    """Each change by its mark: where it is, how often."""
    places: dict[str, list[tuple[str, int]]] = {}
    for mark, lead_id in rows.leads:
        places.setdefault(mark, []).append(("lead", lead_id))
    for mark, note_id, _ in rows.notes:
        places.setdefault(mark, []).append(("note", note_id))
    for mark, lead_id in rows.tags:
        places.setdefault(mark, []).append(("tag", lead_id))
    often = Counter(mark for mark, _ in rows.tagged)
    for change in changes:
        there = places.pop(change.mark, [])
        if len(there) > 1 or often[change.mark] > 1:
            found.twice += 1
            found.say("twice", f"{change} {there}")
        if there and change.state == "refused":
            found.invented += 1
            found.say("refused, and there", change)
        if change.state != "acknowledged":
            continue
        if there and set(change.ids) == {there[0][1]}:
            found.present += 1
        else:
            found.missing += 1
            found.say("missing, or under another id", f"{change} {there}")
    for mark, there in places.items():
        found.invented += 1
        found.say("nobody wrote", f"{mark} {there}")


def _expected(rows: Rows, found: Findings) -> set[Told]:
    """Return what must be told of what is there.

    An update is told with the lead alone. Those of one lead happen one after the other, so the lead's changes in the
    timeline and its announcements are the same number, in the same order.
    """
    expected: set[Told] = {("createdLead", lead_id, 0) for _, lead_id in rows.leads}
    expected |= {("createdNote", note_id, 0) for _, note_id, _ in rows.notes}
    moments: dict[int, list[int]] = {}
    announced: Counter[Told] = Counter()
    for verb, lead_id, note_id, moment in rows.told:
        if verb == "updatedLead":
            moments.setdefault(lead_id, []).append((moment - _EPOCH) // timedelta(milliseconds=1))
        else:
            announced[verb, note_id or lead_id, 0] += 1
    for one, number in announced.items():
        found.twice += number - 1
        if one not in expected:
            found.invented += 1
            found.say("announced, and not there", one)
    updates = Counter(lead_id for _, lead_id in rows.tagged)
    for lead_id in updates.keys() | moments.keys():
        differing = updates[lead_id] - len(moments.get(lead_id, ()))
        if differing:
            found.say("changes less announcements of a lead", f"{lead_id}: {differing}")
        found.undelivered += max(0, differing)
        found.invented += max(0, -differing)
    return expected | {("updatedLead", lead_id, one) for lead_id, several in moments.items() for one in several}


def _count_deliveries(path: str, expected: set[Told], heard: set[Told], found: Findings) -> None:
    """Count what a subscription heard. Several updates of a lead may travel as the last of them."""
    latest: dict[int, int] = {}
    for verb, thing, moment in heard:
        if verb == "updatedLead":
            latest[thing] = max(moment, latest.get(thing, 0))
    for one in expected:
        if one in heard or (one[0] == "updatedLead" and latest.get(one[1], 0) >= one[2]):
            found.delivered += 1
        else:
            found.undelivered += 1
            found.say("not delivered", f"{path} {one}")
    for one in heard - expected:
        found.invented += 1
        found.say("delivered, and not there", f"{path} {one}")


def _count_feed(expected: set[Told], shown: Counter[Told], found: Findings) -> None:
    for one in expected - shown.keys():
        found.gaps += 1
        found.say("not in the feed", one)
    for one, number in shown.items():
        if one not in expected:
            found.invented += 1
            found.say("in the feed, and not there", one)
        elif number > 1:
            found.twice += 1
            found.say("twice in the feed", one)


def _told(name: str, entry: dict[str, Any]) -> Told:
    if name == "updatedLead":
        return name, entry["leadId"], entry["updateTime"]
    return name, entry.get("noteId") or entry.get("leadId") or hash(json.dumps(entry, sort_keys=True)), 0


def _list_of(one: Told) -> int:
    return 9 if one[0].endswith("Note") else 2
