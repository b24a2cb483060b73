"""The logbook: entries, what the world is told, and what is counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.support.make import actor_for
from tests.support.people import People

from rooftree.platform import ids
from rooftree.platform.database import Database, Transaction
from rooftree.timeline import kinds
from rooftree.timeline.actions import Audience, Entry, load, record
from rooftree.timeline.kinds import KINDS

NOON = datetime(2026, 5, 7, 12, tzinfo=UTC)
NOBODY = Audience([], "TEAM", 0, False)
STAGE = {"stageId": 42, "stage": "Contacted"}


class Counted:
    """A transaction that counts its statements."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.team_id = tx.team_id
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        self.statements += 1
        return getattr(self._tx, name)


async def _entries(tx: Transaction, lead_id: int) -> list[Any]:
    return await tx.fetch(
        "SELECT id, kind, happened_at, actor_id, details FROM timeline_entry WHERE lead_id = $1 ORDER BY id", lead_id
    )


async def _told(tx: Transaction, lead_id: int) -> list[tuple[int, str, dict[str, Any]]]:
    rows = await tx.fetch("SELECT list_id, verb, payload FROM announcement WHERE lead_id = $1 ORDER BY 1, 2", lead_id)
    return [(row["list_id"], row["verb"], msgspec.json.decode(row["payload"])) for row in rows]


async def _summary(tx: Transaction, lead_id: int) -> dict[str, Any]:
    row = await tx.fetchrow("SELECT * FROM timeline_summary WHERE lead_id = $1", lead_id)
    return {name: value for name, value in dict(row or {}).items() if value is not None and not name.endswith("_id")}


async def test_all_entries_and_announcements_are_one_statement(db: Database, people: People) -> None:
    details = {"to": 1, "reason": "it was Adam's turn"}
    entries = [
        Entry(kinds.LEAD_CREATED, 7, {"name": "Jane"}),
        Entry(kinds.LEAD_ROUTED, 7, details, happened_at=NOON),
        Entry(kinds.NOTE_ADDED, 7, {"noteId": 5}, payload={"noteId": 5, "timelineId": 6}),
    ]
    async with db.transaction(people.adam.team_id) as tx:
        counted = Counted(tx)
        found = await record(counted, actor_for(people.adam), entries, audience=NOBODY)  # type: ignore[arg-type]
        assert counted.statements == 1
        rows = {row["id"]: row for row in await _entries(tx, 7)}
        assert [rows[entry_id]["kind"] for entry_id in found] == [entry.kind for entry in entries]
        routed = rows[found[1]]
        assert (routed["happened_at"], msgspec.json.decode(routed["details"])) == (NOON, details)
        assert {row["actor_id"] for row in rows.values()} == {people.adam.id}
        assert await _told(tx, 7) == [
            (2, "createdLead", {"leadId": 7}),
            (9, "createdNote", {"leadId": 7, "noteId": 5, "timelineId": 6}),
        ]


async def test_an_entry_keeps_the_id_and_the_moment_it_is_given(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        (wanted,) = await ids.next_ids(tx, 1)
        before = datetime.now(UTC)
        entries = [Entry(kinds.LEAD_UPDATED, 7, {}), Entry(kinds.LEAD_ROUTED, 7, {}, happened_at=NOON, id=wanted)]
        fresh, given = await record(tx, None, entries, audience=NOBODY)
        rows = {row["id"]: row for row in await _entries(tx, 7)}
    assert given == wanted
    assert rows[given]["happened_at"] == NOON
    assert before <= rows[fresh]["happened_at"] <= datetime.now(UTC)
    assert rows[fresh]["actor_id"] is None, "nobody did it: the system"


async def test_a_lead_is_announced_once_per_list(db: Database, people: People) -> None:
    updates = (kinds.LEAD_UPDATED, kinds.TAGS_CHANGED, kinds.LEAD_ASSIGNED)
    entries = [Entry(kind, lead_id, {}) for lead_id in (7, 8) for kind in updates]
    entries.append(Entry(kinds.STAGE_CHANGED, 7, {}, payload=STAGE))
    async with db.transaction(people.adam.team_id) as tx:
        await record(tx, None, entries, audience=NOBODY)
        assert await _told(tx, 7) == [
            (2, "updatedLead", {"leadId": 7}),
            (12, "updatedPipeline", {"leadId": 7, **STAGE}),
        ]
        assert await _told(tx, 8) == [(2, "updatedLead", {"leadId": 8})]
        assert len(await _entries(tx, 7)) == 4, "the logbook keeps each"


async def test_what_was_created_is_not_told_as_updated_too(db: Database, people: People) -> None:
    made = [Entry(kinds.LEAD_ASSIGNED, 7, {}), Entry(kinds.LEAD_CREATED, 7, {}), Entry(kinds.TAGS_CHANGED, 7, {})]
    async with db.transaction(people.adam.team_id) as tx:
        await record(tx, None, made, audience=NOBODY)
        assert await _told(tx, 7) == [(2, "createdLead", {"leadId": 7})]


async def test_two_things_of_one_lead_are_both_announced(db: Database, people: People) -> None:
    entries = [Entry(kinds.TRANSACTION_ADDED, 7, {}, payload={"transactionId": number}) for number in (1, 2)]
    async with db.transaction(people.adam.team_id) as tx:
        await record(tx, None, entries, audience=NOBODY)
        told = await _told(tx, 7)
    assert sorted(payload["transactionId"] for _, _, payload in told) == [1, 2]


async def test_an_announcement_tells_when_and_who_may_hear(db: Database, people: People) -> None:
    audience = Audience([people.adam.id, people.ana.id], "OFFICE", people.north, True, [people.otto.id])
    async with db.transaction(people.adam.team_id) as tx:
        before = datetime.now(UTC)
        await record(tx, None, [Entry(kinds.LEAD_UPDATED, 7, {}, happened_at=NOON)], audience=audience)
        row = await tx.fetchrow("SELECT team_id, audience, happened_at FROM announcement")
    assert row is not None
    assert row["team_id"] == people.adam.team_id
    assert row["happened_at"] >= before, "when it became known, however long ago it was"
    assert msgspec.json.decode(row["audience"], type=Audience) == audience


async def test_what_nobody_is_told_of_is_only_written_down(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        await record(tx, None, [Entry(kinds.LEAD_ROUTED, 7, {})], audience=NOBODY)
        assert await _told(tx, 7) == []
        assert await _summary(tx, 7) == {}
        assert len(await _entries(tx, 7)) == 1


async def test_nothing_to_write_is_no_statement(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        counted = Counted(tx)
        assert await record(counted, None, [], audience=NOBODY) == []  # type: ignore[arg-type]
    assert counted.statements == 0


_LACKING = [
    (kind.name, dict.fromkeys(set(told.keys) - {key}, 1), key)
    for kind in KINDS.values()
    for told in kind.told
    for key in told.keys
]


@pytest.mark.parametrize(("kind", "payload", "missing"), [*_LACKING, (kinds.STAGE_CHANGED, None, "stageId, stage")])
async def test_a_payload_that_lacks_a_key_is_refused(
    db: Database, people: People, kind: str, payload: dict[str, Any] | None, missing: str
) -> None:
    entries = [Entry(kinds.LEAD_CREATED, 7, {}), Entry(kind, 7, {}, payload=payload)]
    async with db.transaction(people.adam.team_id) as tx:
        with pytest.raises(ValueError, match=missing):
            await record(tx, None, entries, audience=NOBODY)
        assert await _entries(tx, 7) == []


async def test_an_unknown_kind_is_refused(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        with pytest.raises(KeyError, match="lead_exploded"):
            await record(tx, None, [Entry("lead_exploded", 7, {})], audience=NOBODY)


async def test_rolled_back_nothing_happened(db: Database, people: People) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(people.adam.team_id) as tx:
            await record(tx, None, [Entry(kinds.SITE_BROWSE, 7, {})], audience=NOBODY)
            raise ZeroDivisionError
    async with db.transaction(people.adam.team_id) as tx:
        assert (await _entries(tx, 7), await _told(tx, 7), await _summary(tx, 7)) == ([], [], {})


async def test_another_company_sees_nothing_of_it(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        await record(tx, None, [Entry(kinds.SITE_BROWSE, 7, {})], audience=NOBODY)
    async with db.transaction(people.sid.team_id) as tx:
        assert (await _entries(tx, 7), await _told(tx, 7), await _summary(tx, 7)) == ([], [], {})


async def test_site_activity_is_counted_and_dated(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        for minute, kind in enumerate((kinds.SITE_BROWSE, kinds.SITE_BROWSE, kinds.SITE_SEARCH, kinds.SITE_REQUEST)):
            at = NOON + timedelta(minutes=minute)
            await record(tx, None, [Entry(kind, 7, {}, happened_at=at)], audience=NOBODY)
        latest = NOON + timedelta(minutes=3)
        assert await _summary(tx, 7) == {
            "activity_count": 4,
            "view_count": 2,
            "search_count": 1,
            "last_activity_at": latest,
            "last_visit_at": latest,
            "last_touch_at": latest,
            "score": 1 + 1 + 1 + 10,
        }
        assert [told[:2] for told in await _told(tx, 7)] == [(3, "createdLeadActivity")] * 4


async def test_a_late_entry_counts_but_moves_nothing_back(db: Database, people: People) -> None:
    async with db.transaction(people.adam.team_id) as tx:
        for at in (NOON, NOON - timedelta(days=7)):
            await record(tx, None, [Entry(kinds.SITE_FAVORITE, 7, {}, happened_at=at)], audience=NOBODY)
        summary = await _summary(tx, 7)
    assert (summary["favorite_count"], summary["last_activity_at"]) == (2, NOON)


async def test_loading_counts_like_recording_and_announces_nothing(owner_db: Database, people: People) -> None:
    history = [
        (kinds.LEAD_CREATED, NOON),
        (kinds.SITE_SEARCH, NOON + timedelta(hours=2)),
        (kinds.SITE_BROWSE, NOON + timedelta(hours=1)),
        (kinds.SITE_BROWSE, NOON),
        (kinds.SITE_SUBMISSION, NOON),
    ]
    async with owner_db.transaction(people.adam.team_id) as tx:
        recorded, loaded, *fresh = await ids.next_ids(tx, 2 + len(history))
        for kind, at in history:
            await record(tx, None, [Entry(kind, recorded, {}, happened_at=at)], audience=NOBODY)
        entries = [
            (people.adam.id, Entry(kind, loaded, {"n": 1}, at, None, entry_id))
            for (kind, at), entry_id in zip(history, fresh, strict=True)
        ]
        await load(tx, entries)
        assert await _summary(tx, loaded) == await _summary(tx, recorded) != {}
        assert await _told(tx, loaded) == []
        rows = await _entries(tx, loaded)
    assert [row["id"] for row in rows] == sorted(fresh)
    assert {(row["actor_id"], row["details"]) for row in rows} == {(people.adam.id, b'{"n": 1}')}


async def test_every_kind_counts_only_what_the_summary_has(db: Database, people: People) -> None:
    sql = "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'timeline_summary'::regclass"
    async with db.transaction(people.adam.team_id) as tx:
        types = dict(tuple(row) for row in await tx.fetch(sql))
    assert {types[name] for kind in KINDS.values() for name in kind.counters} == {"integer"}
    assert {types[name] for kind in KINDS.values() for name in kind.moments} == {"timestamp with time zone"}


def test_the_table_of_kinds_says_what_the_contract_says() -> None:
    assert all(name == kind.name for name, kind in KINDS.items())
    told = {
        (name, one.list_id, f"{one.verb}{one.thing}", one.keys) for name, kind in KINDS.items() for one in kind.told
    }
    assert (kinds.STAGE_CHANGED, 12, "updatedPipeline", ("stageId", "stage")) in told
    assert (kinds.LEAD_TRASHED, 2, "deletedLead", ()) in told
    assert {list_id for _, list_id, _, _ in told} <= set(range(2, 13)), "list 1 has no lead"
    stage = KINDS[kinds.STAGE_CHANGED]
    assert (stage.system_log_type, stage.system_log_name) == (38, "TeamStageChange")
    ours = {kind.system_log_type for kind in KINDS.values() if kind.system_log_type} - {17, 18, 38}
    assert all(number >= 900 for number in ours), "our own numbers never meet the vendor's"
    never_logged = [kind for kind in KINDS.values() if kind.site_code or kind.name == kinds.NOTE_ADDED]
    assert all(kind.system_log_type is None for kind in never_logged)
    assert {name: kind.site_code for name, kind in KINDS.items() if kind.site_code} == {
        kinds.SITE_BROWSE: 1,
        kinds.SITE_SEARCH: 2,
        kinds.SITE_FAVORITE: 3,
        kinds.SITE_REQUEST: 23,
        kinds.SITE_SUBMISSION: 39,
    }
