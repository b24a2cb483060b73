"""Calls, texts and e-mails, read one by one, by lead and by agent."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import UNSET
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People
from tests.timeline.test_readers import lender_on, unseen_lead

NOON = datetime(2026, 5, 7, 12, tzinfo=UTC)
START = int(NOON.timestamp() * 1000)
DAY = 24 * 3600 * 1000


def _at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


# --- histories and single communications -----------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "key"), [("text", "texts"), ("email", "emails")])
async def test_a_history_of_one_channel(client: Client, make: Make, people: People, word: str, key: str) -> None:
    lead_id = await make.lead()
    made = [await make.talk(lead_id, word, timestamp=_at(minute)) for minute in (3, 1, 2, *range(4, 13))]
    await make.talk(lead_id, "call")
    await make.talk(lead_id, "email" if word == "text" else "text")
    made = [made[1], made[2], made[0], *made[3:]]
    for query, expected in {
        "": made[:10],
        "&limit=0": made[:10],
        "&limit=1001": made[:10],
        "&limit=1000": made,
        "&offset=10": made[10:],
        "&offset=-1&limit=2": made[:2],
        f"&currentId={made[1]}&limit=3&offset=7": made[2:5],
        f"&currentId={made[11]}": [],
        "&currentId=0&limit=1": made[:1],
    }.items():
        found = (await client.ok("GET", f"/v1.0/communication/{word}?leadId={lead_id}{query}"))[key]
        assert [one["id"] for one in found] == expected, query
    for query in ("", "leadId=0", "leadId=x", f"leadId={lead_id}&limit=x", f"leadId={lead_id}&currentId=x"):
        assert await client.refused("GET", f"/v1.0/communication/{word}?{query}") == (400, 20012), query


async def test_one_text_and_one_email(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    text = await make.talk(lead_id, "sms", notes="hello", direction="inbound", timestamp=_at(0))
    email = await make.talk(lead_id, "email", subject="Hi", timestamp=_at(1))
    assert await client.ok("GET", f"/v2.0/communication/text/{text}") == {
        "id": text,
        "leadId": lead_id,
        "direction": "Inbound",
        "agentId": people.adam.id,
        "textOutcome": None,
        "textTime": "2026-05-07 12:00:00",
        "textType": "Logged",
        "textContent": "hello",
    }
    assert await client.ok("GET", f"/v2.0/communication/email/{email}") == {
        "id": email,
        "leadId": lead_id,
        "direction": "Outbound",
        "agentId": people.adam.id,
        "eventType": "Sent",
        "emailEventTime": "2026-05-07 12:01:00",
        "emailType": "Logged",
        "emailSubject": "Hi",
        "fromPond": False,
    }


@pytest.mark.parametrize(("word", "other"), [("text", "email"), ("email", "text")])
async def test_one_answer_for_every_communication_that_is_not_theirs(
    client: Client, make: Make, people: People, word: str, other: str
) -> None:
    lead_id, trashed = await make.lead(), await make.lead()
    gone = await make.talk(lead_id, word)
    in_trash = await make.talk(trashed, word)
    await client.ok("DELETE", f"/v1.0/logType/{gone}")
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    await make.note(lead_id)
    ((note_id,),) = await make.rows("SELECT timeline_id FROM note WHERE lead_id = $1", lead_id)
    refused: list[Any] = [999, 0, -1, "abc", f"act_{gone}", gone, in_trash, note_id]
    refused += [await make.talk(lead_id, one) for one in ("call", other)]
    refused.append(await make.talk(await make.lead(by=people.sid), word, by=people.sid))
    refused.append(await make.talk(await unseen_lead(make, people), word, by=people.otto))
    answers = [await client.send("GET", f"/v2.0/communication/{word}/{one}") for one in refused]
    assert {(answer.status_code, answer.content) for answer in answers} == {(400, answers[0].content)}
    assert answers[0].json()["code"] == 20017
    lent, lender = await lender_on(client, make, people)
    theirs = await make.talk(lent, word)
    assert await lender.refused("GET", f"/v2.0/communication/{word}/{theirs}") == (400, 20017)


# --- searches by agent -----------------------------------------------------------------------------------------------


async def _talks(make: Make, people: People) -> dict[str, int]:
    """What Adam and Ana said at noon and the minutes after, on leads that everybody sees."""
    lead_id = await make.lead(ownershipScope="TEAM")
    found = {
        "call": await make.talk(lead_id, "call", timestamp=_at(0), duration=240),
        "text": await make.talk(lead_id, "text", timestamp=_at(1), direction="inbound"),
        "email": await make.talk(lead_id, "email", timestamp=_at(2)),
        "ana": await make.talk(lead_id, "call", timestamp=_at(1), by=people.ana),
    }
    gone = await make.talk(lead_id, "call", timestamp=_at(1))
    await make.client.ok("DELETE", f"/v1.0/logType/{gone}")
    await make.talk(await make.lead(by=people.sid), "call", timestamp=_at(1), by=people.sid)
    trashed = await make.lead()
    await make.talk(trashed, "call", timestamp=_at(1))
    await make.client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    await make.note(lead_id)
    await make.site(lead_id, created=START + 60_000)
    return found


def _body(**changes: Any) -> dict[str, Any]:
    body = {"type": "ALL", "startTime": START, "endTime": START + DAY, **changes}
    return {name: value for name, value in body.items() if value is not UNSET}


def _url(**changes: Any) -> str:
    query = {"startTime": START, "endTime": START + DAY, **changes}
    return "/v2.0/communication/agent?" + "&".join(f"{key}={value}" for key, value in query.items() if value != "")


async def _both(client: Client, **changes: Any) -> list[int]:
    """Search in both ways, which must agree; return the ids."""
    first = await client.ok("POST", "/v1.0/agent/communication", _body(**changes))
    wish = {name: str(value).lower() if isinstance(value, bool) else value for name, value in changes.items()}
    second = await client.ok("GET", _url(**wish))
    assert first["pageData"] == second["data"]
    assert first["totalCount"] == second["totalCount"] == len(first["pageData"])
    return [entry["id"] for entry in first["pageData"]]


async def test_searches_by_agent(client: Client, make: Make, people: People) -> None:
    ids = await _talks(make, people)
    assert await _both(client) == [ids["call"], ids["text"], ids["email"]]
    for word in ("call", "text", "email"):
        assert await _both(client, type=word.upper()) == [ids[word]]
    assert await _both(client.as_(people.ana)) == [ids["ana"]]
    assert await _both(client.as_(people.otto)) == []
    everybody = [ids["call"], *sorted((ids["text"], ids["ana"])), ids["email"]]
    assert await _both(client.as_(people.olive), teamView=True) == everybody, "by time, then id"
    assert await _both(client.as_(people.olive), teamView=True, type="CALL") == [ids["call"], ids["ana"]]
    assert await _both(client.as_(people.olive), teamView=False) == []
    assert await _both(client.as_(people.stella), teamView=True) not in ([], everybody)


async def test_both_ends_of_a_search_are_inclusive(client: Client, make: Make, people: People) -> None:
    ids = await _talks(make, people)
    minute = 60_000
    for since, until, expected in (
        (START, START, ["call"]),
        (START + 1, START + 2 * minute - 1, ["text"]),
        (START + minute, START + 2 * minute, ["text", "email"]),
        (START - DAY, START, ["call"]),
        (START - DAY, START - 1, []),
    ):
        found = await _both(client, startTime=since, endTime=until)
        assert found == [ids[name] for name in expected], (since, until)


async def test_an_entry_of_a_search(client: Client, make: Make, people: People) -> None:
    await _talks(make, people)
    answer = await client.ok("POST", "/v1.0/agent/communication", _body())
    call, text, email = answer.pop("pageData")
    assert answer == {"offset": 0, "limit": 10, "hasMore": False, "totalCount": 3}
    of_all = {"leadId": call["leadId"], "agentId": people.adam.id, "communicationType": "LOGGED", "fromPond": False}
    assert call == {
        **of_all,
        "id": call["id"],
        "direction": "Outbound",
        "callOutcome": None,
        "callDuration": "240",
        "status": None,
        "communicationTime": "2026-05-07 12:00:00",
        "eventType": "Call",
    }
    assert text == {
        **of_all,
        "id": text["id"],
        "direction": "Inbound",
        "callOutcome": None,
        "callDuration": None,
        "status": None,
        "communicationTime": "2026-05-07 12:01:00",
        "eventType": "Text",
    }
    assert email == {
        **of_all,
        "id": email["id"],
        "direction": "Outbound",
        "callOutcome": None,
        "callDuration": None,
        "status": "Sent",
        "communicationTime": "2026-05-07 12:02:00",
        "eventType": "Sent Email",
    }


async def test_team_view_needs_permission(client: Client, people: People) -> None:
    assert await client.refused("POST", "/v1.0/agent/communication", _body(teamView=True)) == (400, 900002)
    assert await client.refused("GET", _url(teamView="true")) == (400, 900002)


@pytest.mark.parametrize(
    "changes",
    [
        *({"type": wrong} for wrong in (UNSET, None, "", "call", "SMS", 1)),
        *({"startTime": wrong} for wrong in (UNSET, None, "x", 2**62, -(2**62), START + DAY + 1, START - 1)),
        *({"endTime": wrong} for wrong in (UNSET, None, "x", 2**62, START - 1, START + DAY + 1)),
        *({"limit": wrong} for wrong in (0, -1, 1001, "x")),
        *({"offset": wrong} for wrong in (-1, "x")),
        {"teamView": "x"},
    ],
    ids=str,
)
async def test_a_faulty_search(client: Client, changes: dict[str, Any]) -> None:
    assert await client.refused("POST", "/v1.0/agent/communication", _body(**changes)) == (400, 20012)


@pytest.mark.parametrize(
    "changes",
    [
        *({"type": wrong} for wrong in ("call", "SMS")),
        *({"startTime": wrong} for wrong in ("", "x", 2**62, START + DAY + 1, START - 89 * DAY - 1)),
        *({"endTime": wrong} for wrong in ("", "x", 2**62, START - 1, START + 90 * DAY + 1)),
        *({"limit": wrong} for wrong in (0, -1, 1001, "x")),
        *({"cursor": wrong} for wrong in ("x", "AAAA", "é", "A" * 200)),
        {"teamView": "x"},
    ],
    ids=str,
)
async def test_a_faulty_scroll(client: Client, changes: dict[str, Any]) -> None:
    assert await client.refused("GET", _url(**changes)) == (400, 20012)


async def test_a_scroll_spans_90_days(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    made = [await make.talk(lead_id, timestamp=_at(minutes)) for minutes in (0, 90 * 24 * 60)]
    found = await client.ok("GET", _url(endTime=START + 90 * DAY))
    assert [entry["id"] for entry in found["data"]] == made
    assert {name: found[name] for name in found if name != "data"} == {
        "nextCursor": None,
        "hasMore": False,
        "limit": 100,
        "totalCount": 2,
    }


async def test_a_search_is_paged(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    made = [await make.talk(lead_id, timestamp=_at(minute)) for minute in range(12)]
    for limit, offset, expected, has_more in (
        (UNSET, UNSET, made[:10], True),
        (12, 0, made, False),
        (11, 0, made[:11], True),
        (5, 10, made[10:], False),
        (5, 7, made[7:], False),
        (1000, 12, [], False),
        (None, None, made[:10], True),
    ):
        found = await client.ok("POST", "/v1.0/agent/communication", _body(limit=limit, offset=offset))
        assert [entry["id"] for entry in found["pageData"]] == expected
        assert (found["hasMore"], found["totalCount"]) == (has_more, 12)


async def test_a_scroll_never_repeats_or_loses_while_others_write(client: Client, make: Make) -> None:
    lead_id = await make.lead(ownershipScope="TEAM")
    made = [await make.talk(lead_id, timestamp=_at(minute // 3)) for minute in range(24)]
    removed = made[20]
    seen: list[int] = []
    cursor, total, pages = "", None, 0
    while cursor is not None:
        found = await client.ok("GET", _url(limit=5, cursor=cursor))
        seen += [entry["id"] for entry in found["data"]]
        total = total or found["totalCount"]
        assert (found["totalCount"], found["limit"], found["hasMore"]) == (total, 5, found["nextCursor"] is not None)
        cursor, pages = found["nextCursor"], pages + 1
        await asyncio.gather(*(make.talk(lead_id, timestamp=_at(minute)) for minute in (0, 0.5, 2, 7.5)))
        if pages == 1:
            await client.ok("DELETE", f"/v1.0/logType/{removed}")
        assert pages < 40
    assert total == 24
    assert len(seen) == len(set(seen)), "none twice"
    known = [entry_id for entry_id in seen if entry_id in made]
    order = {row["id"]: row["happened_at"] for row in await make.rows("SELECT id, happened_at FROM timeline_entry")}
    assert known == [entry_id for entry_id in made if entry_id != removed], "none lost"
    assert seen == sorted(seen, key=lambda entry_id: (order[entry_id], entry_id))


async def test_a_cursor_belongs_to_its_search_and_person(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(ownershipScope="TEAM")
    for minute in range(3):
        await make.talk(lead_id, timestamp=_at(minute))
    cursor = (await client.ok("GET", _url(limit=1)))["nextCursor"]
    assert len((await client.ok("GET", _url(limit=2, cursor=cursor)))["data"]) == 2, "the limit may change"
    for changes in ({"type": "CALL"}, {"startTime": START + 1}, {"endTime": START + DAY - 1}):
        assert await client.refused("GET", _url(cursor=cursor, **changes)) == (400, 20012), changes
    assert await client.as_(people.ana).refused("GET", _url(cursor=cursor)) == (400, 20012)
    assert await client.refused("GET", _url(cursor=cursor[:-2] + "AA")) == (400, 20012)
