"""What the logbook moves in the lead list: sort keys, `contacted` and its totals."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make, actor_for
from tests.support.people import People

from rooftree.manual_logs.actions import add_log, delete_log
from rooftree.manual_logs.wire import LogTypeRequest
from rooftree.platform.database import Database
from rooftree.timeline import kinds

#: What sorts by the logbook, and by nothing else.
SORT_KEYS = (
    *("LastActivity", "LastCall", "LastEmail", "LastContact", "Communication", "Activity", "ActivitySearch"),
    *("ActivityViews", "ActivityFavorites", "Score", "ScoreV2"),
)
VISITED = {"LastActivity", "Activity", "Score", "ScoreV2"}
HAPPENINGS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "call out": ({"word": "call"}, {"LastCall", "LastContact", "Communication"}),
    "call in": ({"word": "call", "direction": "inbound"}, {"LastCall", "LastActivity", "Communication"}),
    "text out": ({"word": "text"}, {"LastContact", "Communication"}),
    "text in": ({"word": "text", "direction": "inbound"}, {"LastActivity", "Communication"}),
    "email out": ({"word": "email"}, {"LastEmail", "LastContact", "Communication"}),
    "email in": ({"word": "email", "direction": "inbound"}, {"LastEmail", "LastActivity", "Communication"}),
    "search": ({"visit": "Search"}, {*VISITED, "ActivitySearch"}),
    "browse": ({"visit": "Browse"}, {*VISITED, "ActivityViews"}),
    "favorite": ({"visit": "Favorite"}, {*VISITED, "ActivityFavorites"}),
    "request": ({"visit": "Request"}, VISITED),
    "submission": ({"visit": "Submission"}, VISITED),
    "note": ({"note": "x"}, set()),
}
TALK = ("call out", "call in", "text out", "text in", "email out", "email in")


async def _happen(make: Make, lead_id: int, what: dict[str, Any]) -> int:
    fields = dict(what)
    if "word" in fields:
        return await make.talk(lead_id, fields.pop("word"), **fields)
    if "visit" in fields:
        await make.site(lead_id, fields["visit"])
    else:
        await make.note(lead_id, fields["note"])
    return 0


async def _moved(client: Client, middle: int) -> set[str]:
    """The keys by which the middle one of three leads comes first: where nothing happened, ids decide."""
    return {key for key in SORT_KEYS if (await client.ids(sort=key, desc="true"))[0] == middle}


@pytest.mark.parametrize("what", HAPPENINGS)
async def test_what_moves_which_sort_keys(client: Client, make: Make, what: str) -> None:
    _, middle, _ = [await make.lead() for _ in range(3)]
    assert await _moved(client, middle) == set()
    happening, expected = HAPPENINGS[what]
    await _happen(make, middle, happening)
    assert await _moved(client, middle) == expected


async def test_what_the_system_says_is_no_contact(client: Client, make: Make, people: People) -> None:
    _, middle, _ = [await make.lead() for _ in range(3)]
    await make.happening(middle, kinds.TEXT_SENT_BY_ITSELF, people.adam, direction="outbound")
    assert await _moved(client, middle) == {"Communication"}


@pytest.mark.parametrize("what", TALK)
async def test_a_deletion_moves_the_keys_back(client: Client, make: Make, what: str) -> None:
    _, middle, _ = [await make.lead() for _ in range(3)]
    before = await client.lead(middle)
    entry_id = await _happen(make, middle, HAPPENINGS[what][0])
    await client.ok("DELETE", f"/v1.0/logType/{entry_id}")
    assert await _moved(client, middle) == set()
    assert (await client.lead(middle))["lastTouch"] == before["lastTouch"]


@pytest.mark.parametrize(
    ("key", "word"),
    [("LastCall", "call"), ("LastEmail", "email"), ("LastContact", "text"), ("LastActivity", "visit")],
)
async def test_the_latest_time_counts_not_the_latest_entry(client: Client, make: Make, key: str, word: str) -> None:
    first, second = await make.lead(), await make.lead()

    async def happen(lead_id: int, day: int) -> int:
        at = datetime(2026, 5, day, tzinfo=UTC)
        if word == "visit":
            await make.site(lead_id, created=int(at.timestamp() * 1000))
            return 0
        return await make.talk(lead_id, word, timestamp=at.isoformat())

    latest = await happen(first, 9)
    await happen(second, 5)
    await happen(first, 1)
    assert await client.ids(sort=key, desc="true") == [first, second]
    assert await client.ids(sort=key, desc="false") == [second, first]
    if latest:
        await client.ok("DELETE", f"/v1.0/logType/{latest}")
        assert await client.ids(sort=key, desc="true") == [second, first], "the next one counts"


async def test_numbers_sort_by_how_many(client: Client, make: Make) -> None:
    leads = [await make.lead() for _ in range(3)]
    for times, lead_id in zip((2, 3, 1), leads, strict=True):
        for _ in range(times):
            await make.talk(lead_id)
            await make.site(lead_id, "Browse")
    order = [leads[1], leads[0], leads[2]]
    for key in ("Communication", "Activity", "ActivityViews", "Score"):
        assert await client.ids(sort=key, desc="true") == order, key
        assert await client.ids(sort=key, desc="false") == order[::-1], key


async def test_the_score_ends_at_100(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    scores: list[int] = []
    for word in ("Browse", "Search", "Favorite", "Submission", *["Request"] * 11):
        await make.site(lead_id, word)
        scores.append((await client.lead(lead_id))["score"])
    assert scores[:6] == [1, 2, 5, 10, 20, 30]
    assert scores[-2:] == [100, 100]


async def _contacted(client: Client) -> tuple[list[int], list[int]]:
    """Who was contacted and who was not, with the totals checked."""
    found = []
    for word in ("true", "false"):
        answer = await client.ok("GET", f"/v1.0/leads?contacted={word}&limit=100")
        ids = [lead["leadId"] for lead in answer["leads"]]
        assert answer["_metadata"]["total"] == len(ids)
        found.append(sorted(ids))
    return found[0], found[1]


@pytest.mark.parametrize("what", TALK)
async def test_contacted_after_the_first_log_and_after_its_deletion(client: Client, make: Make, what: str) -> None:
    lead_id, other = await make.lead(), await make.lead()
    assert await _contacted(client) == ([], [lead_id, other])
    entry_id = await _happen(make, lead_id, HAPPENINGS[what][0])
    nobody, everybody, the_other = [], [lead_id, other], [other]
    contacted = ([lead_id], the_other) if what.endswith("out") else (nobody, everybody)
    assert await _contacted(client) == contacted
    await client.ok("DELETE", f"/v1.0/logType/{entry_id}")
    assert await _contacted(client) == (nobody, everybody)


async def test_contacted_as_long_as_one_outbound_log_is_left(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    first, second = await make.log(lead_id), await make.log(lead_id, "logText")
    await make.log(lead_id, outboundOrInbound="inbound")
    await client.ok("DELETE", f"/v1.0/logType/{second}")
    assert await _contacted(client) == ([lead_id], [])
    await client.ok("DELETE", f"/v1.0/logType/{first}")
    assert await _contacted(client) == ([], [lead_id])
    await make.log(lead_id)
    assert await _contacted(client) == ([lead_id], [])


async def test_a_note_or_a_visit_is_no_contact(client: Client, make: Make) -> None:
    lead_id = await make.lead(content="a note")
    await make.note(lead_id)
    await make.site(lead_id)
    assert await _contacted(client) == ([], [lead_id])


async def test_a_deletion_does_not_lose_a_log_written_meanwhile(
    client: Client, db: Database, make: Make, people: People
) -> None:
    lead_id = await make.lead()
    first = await make.log(lead_id)
    async with db.transaction(people.adam.team_id) as tx:
        second = (await add_log(tx, actor_for(people.adam), _request(lead_id), region="US")).id
        deleting = asyncio.create_task(client.ok("DELETE", f"/v1.0/logType/{first}"))
        await asyncio.wait({deleting}, timeout=0.5)
    await deleting
    await _only_this_log_counts(client, make, lead_id, second)


async def test_a_log_written_during_a_deletion_is_not_lost(
    client: Client, db: Database, make: Make, people: People
) -> None:
    lead_id = await make.lead()
    first = await make.log(lead_id)
    async with db.transaction(people.adam.team_id) as tx:
        await delete_log(tx, actor_for(people.adam), first, region="US")
        adding = asyncio.create_task(make.log(lead_id))
        await asyncio.wait({adding}, timeout=0.5)
    await _only_this_log_counts(client, make, lead_id, await adding)


def _request(lead_id: int) -> LogTypeRequest:
    return LogTypeRequest(lead_id=lead_id, log_type="logCall", content="x", lead_phone_number="5551234567")


async def _only_this_log_counts(client: Client, make: Make, lead_id: int, log_id: int) -> None:
    assert await _contacted(client) == ([lead_id], [])
    shown = await client.ok("GET", f"/v2.0/leads/{lead_id}/activities")
    assert ([entry["id"] for entry in shown["activities"]], shown["total"]) == ([log_id], 1)
    ((at, call_at, contact_at),) = await make.rows(
        """SELECT e.happened_at, s.last_call_at, s.last_contact_at
             FROM timeline_entry e JOIN timeline_summary s USING (team_id, lead_id) WHERE e.id = $1""",
        log_id,
    )
    assert at == call_at == contact_at


async def test_many_logs_and_deletions_at_once_are_counted_exactly(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    made = [await make.log(lead_id) for _ in range(6)]
    deletions = [client.ok("DELETE", f"/v1.0/logType/{log_id}") for log_id in made]
    additions = [make.talk(lead_id, timestamp=f"2026-05-07T10:0{minute}:00Z") for minute in range(6)]
    answers = await asyncio.gather(*deletions, *additions)
    shown = await client.ok("GET", f"/v2.0/leads/{lead_id}/activities")
    assert ([entry["id"] for entry in shown["activities"]], shown["total"]) == (answers[6:], 6)
    assert await _contacted(client) == ([lead_id], [])
    sql = "SELECT last_call_at, last_contact_at, communication_count FROM timeline_summary WHERE lead_id = $1"
    ((call_at, contact_at, count),) = await make.rows(sql, lead_id)
    assert call_at == contact_at == datetime(2026, 5, 7, 10, 5, tzinfo=UTC)
    assert count == 6
    assert (
        len(await make.rows("SELECT id FROM timeline_entry WHERE lead_id = $1 AND kind = 'log_deleted'", lead_id)) == 6
    )


async def test_of_two_deletions_one_wins(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    log_id, _ = await make.log(lead_id), await make.log(lead_id)
    answers = await asyncio.gather(*(client.send("DELETE", f"/v1.0/logType/{log_id}") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert (await client.ok("GET", f"/v2.0/leads/{lead_id}/activities"))["total"] == 1


async def test_first_contact_and_the_deletion_of_another_log_do_not_deadlock(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    for _ in range(4):
        received = [await make.log(lead_id, "logText", outboundOrInbound="inbound") for _ in range(3)]
        deletions = [client.ok("DELETE", f"/v1.0/logType/{log_id}") for log_id in received]
        *_, first = await asyncio.gather(*deletions, make.log(lead_id))
        assert await _contacted(client) == ([lead_id], [])
        await client.ok("DELETE", f"/v1.0/logType/{first}")
        assert await _contacted(client) == ([], [lead_id])
