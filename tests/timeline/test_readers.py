"""The readers of the logbook: the system log and the whole timeline.

Histories and searches: test_readers_talk.py. What the lead list sorts by: test_readers_sorting.py.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.platform.database import Database
from rooftree.timeline import kinds
from rooftree.timeline.actions import Audience, Entry, record

NOON = datetime(2026, 5, 7, 12, tzinfo=UTC)
START = int(NOON.timestamp() * 1000)
ISO_MILLIS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"


async def unseen_lead(make: Make, people: People) -> int:
    """A lead of Otto's that Adam may not see."""
    return await make.lead(
        by=people.otto, assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id
    )


async def lender_on(client: Client, make: Make, people: People) -> tuple[int, Client]:
    """A lead of Adam's, and Otto, who is its lender."""
    lead_id = await make.lead(assignedUserId=people.adam.id)
    wish = [{"role": "Lender", "assignee": people.otto.email}]
    await client.ok("POST", f"/v1.0/leads/{lead_id}/assignment", wish)
    return lead_id, client.as_(people.otto)


# --- system log ------------------------------------------------------------------------------------------------------


async def _log(client: Client, lead_id: int, query: str = "") -> dict[str, Any]:
    return await client.ok("GET", f"/v1.0/systemLogs?leadId={lead_id}{query}")


async def test_the_system_log_knows_changes_and_nothing_else(client: Client, make: Make) -> None:
    lead_id = await make.lead(assignedUserId=None)
    note_id = await make.note(lead_id)
    for kind in ("logCall", "logText", "logEmail"):
        log_id = await make.log(lead_id, kind)
    for word in ("Search", "Browse", "Favorite", "Request", "Submission"):
        await make.site(lead_id, word, created=START)
    before = {entry["timelineType"] for entry in (await _log(client, lead_id))["timeLines"]}
    assert 900 in before, "it came in"
    assert before <= {900, 903, 904}, "how, and to whom; no talk, no visits, no added notes"
    await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": "new"})
    await client.ok("DELETE", f"/v1.0/notes/{note_id}")
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tags": ["x"]})
    await client.ok("DELETE", f"/v1.0/logType/{log_id}")
    changes = (await _log(client, lead_id))["timeLines"]
    assert [(entry["timelineType"], entry["timelineTypeDesc"]) for entry in changes[:5]] == [
        (910, "LogDelete"),
        (906, "TagChange"),
        (38, "TeamStageChange"),
        (18, "NoteDelete"),
        (17, "NoteEdit"),
    ]


async def test_an_entry_of_the_system_log(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(firstName="Jane", lastName="Smith")
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    answer = await client.send("GET", f"/v1.0/systemLogs?leadId={lead_id}&pageSize=1")
    entry = answer.json()["timeLines"][0]
    assert re.fullmatch(r"[1-9]\d*", entry["id"])
    for name in ("timelineTime", "createTime", "updateTime"):
        assert re.fullmatch(ISO_MILLIS, entry[name]), name
    expected = {
        "leadId": lead_id,
        "agentId": people.adam.id,
        "timelineType": 38,
        "timelineTypeDesc": "TeamStageChange",
        "fromId": people.adam.id,
        "fromType": 1,
        "fromFirstName": "Adam",
        "toId": lead_id,
        "toType": 2,
        "toFirstName": "Jane",
        "toLastName": "Smith",
        "sticky": False,
        "canSticky": False,
    }
    assert {name: entry[name] for name in expected} == expected
    assert (entry["content"]["fromStageName"], entry["content"]["toStageName"]) == ("New Lead", "Contacted")


async def test_what_the_system_did_has_agent_0(client: Client, db: Database, make: Make, people: People) -> None:
    lead_id = await make.lead()
    async with db.transaction(people.adam.team_id) as tx:
        await record(tx, None, [Entry(kinds.LEAD_UPDATED, lead_id, {})], audience=Audience([], "TEAM", 0, False))
    entry = (await _log(client, lead_id))["timeLines"][0]
    assert [entry[name] for name in ("agentId", "fromId", "fromType", "refId")] == [0, 0, 0, 0]
    assert (entry["fromFirstName"], entry["fromLastName"], entry["content"]) == (None, None, {})


async def test_whose_system_log_it_is(client: Client, make: Make, people: People) -> None:
    trashed, foreign, unseen = await make.lead(), await make.lead(by=people.sid), await unseen_lead(make, people)
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    for lead_id in (trashed, foreign, unseen, 999):
        assert await client.refused("GET", f"/v1.0/systemLogs?leadId={lead_id}") == (403, 900004), "there or not"
    lent, lender = await lender_on(client, make, people)
    assert await lender.refused("GET", f"/v1.0/systemLogs?leadId={lent}") == (403, 900004)
    for person, lead_id in ((people.olive, unseen), (people.otto, unseen), (people.olive, lent), (people.adam, lent)):
        assert (await _log(client.as_(person), lead_id))["timeLines"]


async def _changes(make: Make, people: People, minutes: list[float]) -> int:
    """A lead whose log has nothing but changes at these times."""
    lead_id = await make.lead()
    await make.change("UPDATE timeline_entry SET happened_at = '2000-01-01Z' WHERE lead_id = $1", lead_id)
    for minute in minutes:
        at = NOON + timedelta(minutes=minute)
        await make.happening(lead_id, kinds.TAGS_CHANGED, people.adam, happened_at=at, details={"minute": minute})
    return lead_id


async def test_the_system_log_is_paged_newest_first(client: Client, make: Make, people: People) -> None:
    lead_id = await _changes(make, people, [3, 1, 2, 1, 5])
    bounds = f"&startTime={START}"
    pages = [await _log(client, lead_id, f"{bounds}&pageSize=2&pageNumber={page}") for page in range(4)]
    assert [page["hasMore"] for page in pages] == [1, 1, 0, 0]
    assert [[entry["content"]["minute"] for entry in page["timeLines"]] for page in pages] == [[5, 3], [2, 1], [1], []]
    ids = [entry["id"] for page in pages for entry in page["timeLines"]]
    assert int(ids[3]) > int(ids[4]), "ties: the newest id first"
    whole = await _log(client, lead_id, bounds)
    assert (whole["hasMore"], [entry["id"] for entry in whole["timeLines"]]) == (0, ids)
    exact = await _log(client, lead_id, f"{bounds}&pageSize=5")
    assert (exact["hasMore"], len(exact["timeLines"])) == (0, 5)


async def test_the_system_log_between_two_times(client: Client, make: Make, people: People) -> None:
    lead_id = await _changes(make, people, [0, 1, 2])
    minute = 60_000
    for since, until, expected in (
        (START, START + 2 * minute, [2, 1, 0]),
        (START + 1, START + 2 * minute, [2, 1]),
        (START + minute, START + minute, [1]),
        (START, START + 2 * minute - 1, [1, 0]),
        (START + minute, -1, [2, 1]),
        (START + 3 * minute, -1, []),
        (START + 5, START, []),
    ):
        found = await _log(client, lead_id, f"&startTime={since}&endTime={until}")
        assert [entry["content"]["minute"] for entry in found["timeLines"]] == expected, (since, until)
    older = await _log(client, lead_id, f"&startTime=-1&endTime={START}")
    assert older["timeLines"][0]["content"]["minute"] == 0
    assert len(older["timeLines"]) > 1


@pytest.mark.parametrize(
    "query",
    [
        *("", "leadId=0", "leadId=-1", "leadId=x", "leadId=1&pageSize=0", "leadId=1&pageSize=1001"),
        *("leadId=1&pageSize=x", "leadId=1&pageNumber=-1", "leadId=1&pageNumber=x"),
    ],
)
async def test_a_faulty_query_of_the_system_log(client: Client, query: str) -> None:
    assert await client.refused("GET", f"/v1.0/systemLogs?{query}") == (400, 20012)


async def test_a_faulty_time_of_the_system_log(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    for query in ("startTime=x", "endTime=yesterday", f"startTime={2**62}", f"endTime=-{2**62}"):
        assert await client.refused("GET", f"/v1.0/systemLogs?leadId={lead_id}&{query}") == (400, 20012), query
    assert (await _log(client, lead_id, f"&pageNumber={2**62}"))["timeLines"] == []


# --- the whole timeline ----------------------------------------------------------------------------------------------


async def _whole(client: Client, lead_id: int, limit: int, query: str = "") -> list[dict[str, Any]]:
    """Read all pages."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        suffix = f"&cursor={cursor}" if cursor else ""
        page = await client.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline?limit={limit}{query}{suffix}")
        assert len(page["entries"]) <= limit
        found += page["entries"]
        if page["nextCursor"] is None:
            return found
        assert len(page["entries"]) == limit
        cursor = page["nextCursor"]


async def _lively(client: Client, make: Make) -> int:
    lead_id = await make.lead(content="a note")
    for minute, pinned in enumerate((False, True, False, True, False)):
        log_id = await make.log(lead_id, isPin=pinned, content=str(minute))
        at = NOON - timedelta(minutes=minute // 2)
        await make.change("UPDATE timeline_entry SET happened_at = $2 WHERE id = $1", log_id, at)
    await make.note(lead_id, "pinned note", isPin=True)
    await make.site(lead_id)
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"stage": "Contacted"})
    return lead_id


@pytest.mark.parametrize("query", ["", "&audit=true"])
async def test_the_whole_timeline_in_pages(client: Client, make: Make, query: str) -> None:
    lead_id = await _lively(client, make)
    everything = await _whole(client, lead_id, 100, query)
    is_audit = bool(query)
    ids = [row["id"] for row in await make.rows("SELECT id FROM timeline_entry WHERE lead_id = $1", lead_id)]
    assert sorted(entry["id"] for entry in everything) == sorted(ids)

    def place(entry: dict[str, Any]) -> tuple[bool, str, int]:
        return entry["isPinned"] and not is_audit, entry["happenedAt"], entry["id"]

    assert [place(entry) for entry in everything] == sorted(map(place, everything), reverse=True)
    assert [entry["isPinned"] for entry in everything][:4] == ([True] * 3 + [False]) or is_audit
    for limit in (1, 2, 3, 5):
        assert await _whole(client, lead_id, limit, query) == everything, limit


async def test_the_audit_shows_deletions_with_who_and_when(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(ownershipScope="TEAM")
    note_id, log_id = await make.note(lead_id, "secret", isPin=True), await make.log(lead_id, content="slip")
    await client.as_(people.ana).ok("DELETE", f"/v1.0/notes/{note_id}")
    await client.ok("DELETE", f"/v1.0/logType/{log_id}")
    shown = await _whole(client, lead_id, 100)
    assert all(entry["deletedAt"] is None for entry in shown)
    assert {entry["kind"] for entry in shown} & {"note_added", "call_logged"} == set()
    assert {"note_deleted", "log_deleted"} <= {entry["kind"] for entry in shown}
    audit = {entry["kind"]: entry for entry in await _whole(client, lead_id, 100, "&audit=true")}
    for kind, text, by in (("note_added", "secret", people.ana), ("call_logged", "slip", people.adam)):
        entry = audit[kind]
        assert entry["details"]["content"] == text
        assert (entry["deletedBy"], entry["memberName"]) == (by.id, "Adam")
        assert re.fullmatch(ISO_MILLIS, entry["deletedAt"])
    assert (audit["note_deleted"]["memberName"], audit["log_deleted"]["memberName"]) == ("Ana", "Adam")


async def test_who_only_reads_a_lead_reads_what_was_said_and_written(
    client: Client, make: Make, people: People
) -> None:
    lent, lender = await lender_on(client, make, people)
    note_id, log_id = await make.note(lent, "bankrupt"), await make.log(lent, content="slip")
    await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": "solvent"})
    kept = await make.note(lent)
    await make.site(lent)
    await client.ok("DELETE", f"/v1.0/notes/{note_id}")
    await client.ok("DELETE", f"/v1.0/logType/{log_id}")
    await client.ok("PUT", f"/v1.0/leads/{lent}", {"stage": "Contacted"})
    for limit in (1, 2, 100):
        seen = await _whole(lender, lent, limit)
        assert [entry["kind"] for entry in seen] == ["note_added"]
        assert seen[0]["details"]["noteId"] == kept
    for url in (f"/rooftree/v1/leads/{lent}/routing", f"/v1.0/leads/{lent}/activities"):
        assert await lender.refused("GET", url) == (404, 20006)
    text = str(await _whole(client, lent, 100))
    assert "bankrupt" in text, "whoever manages the lead reads what became of it"
    assert "slip" in text


async def test_who_may_read_the_whole_timeline(client: Client, make: Make, people: People) -> None:
    lent, lender = await lender_on(client, make, people)
    await make.note(lent)
    assert await _whole(lender, lent, 100)
    url = f"/rooftree/v1/leads/{lent}/timeline"
    assert await lender.refused("GET", f"{url}?audit=true") == (404, 20006)
    assert await client.as_(None).refused("GET", url) == (401, 900401)
    for query, code in (("limit=0", 20042), ("limit=101", 20042), ("cursor=x", 20012), ("audit=x", 20012)):
        assert await client.refused("GET", f"{url}?{query}") == (400, code), query
