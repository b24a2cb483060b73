"""Seed 001, the communication guide: the rows about the timeline, named by the row.

The external log: test_seed_001_log.py. Notes: test_seed_001_notes.py.
"""

import re
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.timeline import kinds

#: The printed example, but for `activityId`.
PRINTED: list[dict[str, Any]] = [
    {
        "type": "call",
        "direction": "outbound",
        "timestamp": "2026-05-06T14:32:00Z",
        "duration": 180,
        "summary": "Discussed property at 123 Main St",
    },
    {
        "type": "sms",
        "direction": "inbound",
        "timestamp": "2026-05-06T16:10:00Z",
        "content": "Thanks for calling! I have a few questions.",
    },
    {
        "type": "email",
        "direction": "outbound",
        "timestamp": "2026-05-07T09:00:00Z",
        "subject": "Follow-up on 123 Main St",
    },
]


async def timeline(client: Client, lead_id: int, query: str = "") -> dict[str, Any]:
    """Return the timeline's answer."""
    return await client.ok("GET", f"/v2.0/leads/{lead_id}/activities{query}")


async def shown(client: Client, lead_id: int, query: str = "") -> list[int]:
    """Return the ids of the timeline's entries."""
    return [entry["id"] for entry in (await timeline(client, lead_id, query))["activities"]]


async def the_printed_three(make: Make, lead_id: int) -> list[int]:
    """Log what the example shows, not in its order; return the ids in its order."""
    call, text, email = PRINTED
    third = await make.talk(lead_id, "email", **_in(email))
    first = await make.talk(lead_id, "call", **_in(call))
    second = await make.talk(lead_id, "sms", **_in(text))
    return [first, second, third]


def _in(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the body that logs an entry."""
    return {"notes" if name == "summary" else name: value for name, value in entry.items() if name != "type"}


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/v2.0/leads/789012345678/activities"),
        ("POST", "/v1.0/message/email/send"),
        ("POST", "/v1.0/message/sms/send"),
        ("GET", "/v1.0/communication/call?leadId=789012345678"),
        ("GET", "/v1.0/communication/call/v2?leadId=789012345678"),
        ("GET", "/v1.0/notes?leadId=789012345678"),
        ("POST", "/v1.0/notes"),
        ("PUT", "/v1.0/notes/note_abc123"),
        ("DELETE", "/v1.0/notes/note_abc123"),
        ("POST", "/v1.0/leads/789012345678/activity"),
    ],
)
async def test_s1_01_s1_44_the_operations_are_there_and_need_a_token(
    client: Client, people: People, method: str, url: str
) -> None:
    assert await client.as_(None).refused(method, url, {}) == (401, 900401)
    answer = await client.send(method, url, {})
    assert answer.status_code == 400 or answer.json()["code"] in {20006, 20007}, "there is such an operation"


async def test_s1_02_content_type_is_not_looked_at(client: Client, make: Make, people: People) -> None:
    headers = {"Authorization": f"Bearer {people.adam.key}", "Content-Type": "application/json"}
    url = f"/v2.0/leads/{await make.lead()}/activities"
    assert (await client.send("GET", url, headers=headers)).status_code == 200


async def test_s1_03_calls_texts_and_emails(client: Client, make: Make) -> None:
    lead_id = await make.lead(content="a note")
    for word in ("call", "text", "email"):
        await make.talk(lead_id, word)
    await make.note(lead_id)
    await make.site(lead_id)
    answer = await timeline(client, lead_id)
    assert [entry["type"] for entry in answer["activities"]] == ["call", "sms", "email"]
    assert answer["total"] == 3


async def test_s1_04_oldest_first_and_ties_by_id(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    times = ("2026-05-03T00:00:00Z", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z")
    third, first, second, tied = [await make.talk(lead_id, timestamp=time) for time in times]
    assert await shown(client, lead_id) == [first, tied, second, third]


async def test_s1_05_d2_the_answers_keys(client: Client, make: Make) -> None:
    answer = await timeline(client, await make.lead())
    assert answer == {"activities": [], "page": 1, "pageSize": 20, "total": 0}


async def test_s1_06_the_printed_example(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await the_printed_three(make, lead_id)
    answer = await timeline(client, lead_id)
    assert len(answer["activities"]) == 3
    for entry, printed in zip(answer["activities"], PRINTED, strict=True):
        assert {name: entry.get(name) for name in printed} == printed
    assert (answer["page"], answer["pageSize"], answer["total"]) == (1, 20, 3)


async def test_s1_07_activity_id_is_text_and_stays(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    ids = await the_printed_three(make, lead_id)
    answers = [await timeline(client, lead_id) for _ in range(2)]
    assert answers[0] == answers[1]
    assert [entry["activityId"] for entry in answers[0]["activities"]] == [f"act_{entry_id}" for entry_id in ids]


async def test_s1_08_s1_09_s1_10_words_and_times(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await the_printed_three(make, lead_id)
    for kind in ("logCall", "logText", "logEmail"):
        await make.log(lead_id, kind, outboundOrInbound="inbound")
    for entry in (await timeline(client, lead_id))["activities"]:
        assert entry["type"] in {"call", "sms", "email"}
        assert entry["direction"] in {"outbound", "inbound"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["timestamp"])


async def test_s1_11_s1_12_s1_13_what_does_not_apply_is_left_out(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    body: dict[str, Any] = {"notes": "n", "content": "c", "subject": "s", "duration": 5}
    for word in ("call", "text", "email"):
        await make.talk(lead_id, word, **body)
    found = (await timeline(client, lead_id))["activities"]
    common = {
        *("activityId", "id", "leadId", "agentId", "type", "channel", "communicationType", "direction", "timestamp"),
        *("activityTime", "note"),
    }
    assert [entry.keys() - common for entry in found] == [
        {"duration", "summary", "callingOutcome", "leadPhoneNumber"},
        {"content"},
        {"subject", "emailSubject", "emailEventType"},
    ]
    assert all(common <= entry.keys() for entry in found)


async def test_d1_d29_both_published_shapes_in_one(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    await make.change("UPDATE member SET time_zone = 'America/Los_Angeles' WHERE id = $1", people.adam.id)
    call = await make.log(lead_id, callingOutcome="Talked", content="Discussed the property")
    sms = await make.talk(lead_id, "sms", direction="inbound", notes="Thanks for calling!")
    email = await make.log(lead_id, "logEmail", content="Hello", emailSubject="Follow-up")
    sql = "UPDATE timeline_entry SET happened_at = '2026-05-06T14:32:00Z' WHERE id = ANY ($1)"
    await make.change(sql, [call, sms, email])
    of_all = {
        "leadId": lead_id,
        "agentId": people.adam.id,
        "communicationType": "Logged",
        "timestamp": "2026-05-06T14:32:00Z",
        "activityTime": "2026-05-06T07:32:00-07:00",
    }
    assert (await timeline(client, lead_id))["activities"] == [
        {
            **of_all,
            "activityId": f"act_{call}",
            "id": call,
            "type": "call",
            "channel": "Call",
            "direction": "outbound",
            "summary": "Discussed the property",
            "note": "Discussed the property",
            "callingOutcome": "Talked",
            "leadPhoneNumber": "5551234567",
        },
        {
            **of_all,
            "activityId": f"act_{sms}",
            "id": sms,
            "type": "sms",
            "channel": "Text",
            "direction": "inbound",
            "content": "Thanks for calling!",
            "note": "Thanks for calling!",
        },
        {
            **of_all,
            "activityId": f"act_{email}",
            "id": email,
            "type": "email",
            "channel": "Email",
            "direction": "outbound",
            "subject": "Follow-up",
            "emailSubject": "Follow-up",
            "emailEventType": "Sent",
            "note": "Hello",
        },
    ]


async def test_d1_captured_talk_is_auto_or_manual_and_has_no_note(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    payload = {"timelineId": 1, "textId": 1}
    await make.happening(
        lead_id, kinds.TEXT_SENT, people.adam, details={"content": "hi"}, direction="outbound", payload=payload
    )
    await make.happening(lead_id, kinds.TEXT_RECEIVED, people.adam, details={"content": "yo"}, direction="inbound")
    found = (await timeline(client, lead_id))["activities"]
    assert [(one["communicationType"], one["content"]) for one in found] == [("Manual", "hi"), ("Auto", "yo")]
    assert all("note" not in one for one in found)


@pytest.mark.parametrize(
    ("query", "time"),
    [
        ("?timeZoneCode=America/Chicago", "2026-05-06T09:32:00-05:00"),
        ("?timeZoneCode=Asia/Kathmandu", "2026-05-06T20:17:00+05:45"),
        ("?timeZoneCode=UTC", "2026-05-06T14:32:00+00:00"),
        ("", "2026-05-06T16:32:00+02:00"),
    ],
)
async def test_the_time_zone_asked_for(client: Client, make: Make, people: People, query: str, time: str) -> None:
    lead_id = await make.lead()
    await make.change("UPDATE member SET time_zone = 'Europe/Berlin' WHERE id = $1", people.adam.id)
    await make.talk(lead_id, timestamp="2026-05-06T14:32:00.999Z")
    [entry] = (await timeline(client, lead_id, query))["activities"]
    assert (entry["timestamp"], entry["activityTime"]) == ("2026-05-06T14:32:00Z", time)


async def test_old_times_in_any_zone(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    for time in ("0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z", "1875-01-01T00:00:00Z"):
        await make.talk(lead_id, timestamp=time)
    for zone in ("America/Los_Angeles", "Pacific/Kiritimati", "UTC"):
        for entry in (await timeline(client, lead_id, f"?timeZoneCode={zone}"))["activities"]:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", entry["activityTime"])
    logs = (await client.ok("GET", f"/v1.0/logType?leadId={lead_id}&logType=logCall"))["logType"]
    assert [log["createTime"] for log in logs] == ["0001-01-02 00:00:00", "1875-01-01 00:00:00", "9999-12-30 00:00:00"]


@pytest.mark.parametrize(
    "query",
    [
        *("timeZoneCode=Mars/Olympus", "timeZoneCode=../etc/passwd", "timeZoneCode=PSTX", "page=x", "pageSize=1.5"),
        *("limit=x", "offset=x", "currentId=x", "currentId=act_x", "currentId=--5", "currentId=5-"),
    ],
)
async def test_a_faulty_query(client: Client, make: Make, query: str) -> None:
    assert await client.refused("GET", f"/v2.0/leads/{await make.lead()}/activities?{query}") == (400, 20012)


async def test_s1_14_twenty_by_default(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    made = [await make.log(lead_id) for _ in range(25)]
    answer = await timeline(client, lead_id)
    assert [entry["id"] for entry in answer.pop("activities")] == made[:20]
    assert answer == {"page": 1, "pageSize": 20, "total": 25}
    answer = await timeline(client, lead_id, "?page=2")
    assert [entry["id"] for entry in answer.pop("activities")] == made[20:]
    assert answer == {"page": 2, "pageSize": 20, "total": 25}


async def test_d2_three_ways_to_page_and_their_precedence(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    made = [await make.log(lead_id, kind) for kind in ("logCall", "logText", "logEmail") * 2]
    for query, expected, page, size in (
        ("?page=1&pageSize=4", made[:4], 1, 4),
        ("?page=2&pageSize=4", made[4:], 2, 4),
        ("?page=3&pageSize=4", [], 3, 4),
        ("?page=0&pageSize=4", made[:4], 1, 4),
        ("?page=-2&pageSize=4", made[:4], 1, 4),
        (f"?page={2**62}&pageSize=4", [], 10**9, 4),
        ("?offset=2&limit=2", made[2:4], 2, 2),
        ("?offset=-2&limit=2", made[:2], 1, 2),
        ("?offset=5", made[5:], 1, 20),
        ("?limit=0", made, 1, 20),
        ("?limit=1001", made, 1, 20),
        ("?pageSize=-1", made, 1, 20),
        ("?limit=1000", made, 1, 1000),
        ("?page=2&pageSize=2&offset=0&limit=5", made[2:4], 2, 2),
        ("?page=2&limit=2&offset=0", made[2:4], 2, 2),
        (f"?currentId={made[1]}&limit=2&offset=5", made[2:4], 1, 2),
        (f"?currentId=act_{made[1]}&page=3&pageSize=2", made[2:4], 1, 2),
        (f"?currentId={made[5]}", [], 1, 20),
        ("?currentId=0", made, 1, 20),
        ("?currentId=-7&offset=4", made[4:], 1, 20),
        ("?currentId=1", made, 1, 20),
        (f"?currentId={2**53}", [], 1, 20),
    ):
        answer = await timeline(client, lead_id, query)
        assert [entry["id"] for entry in answer["activities"]] == expected, query
        assert (answer["page"], answer["pageSize"], answer["total"]) == (page, size, 6), query


async def test_a_cursor_whose_entry_was_deleted_goes_on_where_it_stood(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    made = [await make.talk(lead_id, timestamp=f"2026-05-0{day}T00:00:00Z") for day in (4, 3, 2, 1)]
    await client.ok("DELETE", f"/v1.0/logType/{made[1]}")
    assert await shown(client, lead_id, f"?currentId={made[1]}") == [made[0]]


async def test_d14_what_is_written_is_there_at_once(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    for kind in ("logCall", "logEmail", "logText"):
        log_id = await make.log(lead_id, kind)
        assert (await shown(client, lead_id))[-1] == log_id


async def test_leads_that_are_not_theirs(client: Client, make: Make, people: People) -> None:
    foreign, trashed = await make.lead(by=people.sid), await make.lead()
    unseen = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    for lead_id in (foreign, trashed, unseen, 999, "abc", 0, -1):
        for url in (f"/v2.0/leads/{lead_id}/activities", f"/rooftree/v1/leads/{lead_id}/timeline"):
            assert await client.refused("GET", url) == (404, 20006), url
    for lead_id in (foreign, trashed, unseen, 999):
        for what in ("text", "email"):
            url = f"/v1.0/communication/{what}?leadId={lead_id}"
            assert await client.refused("GET", url) == (404, 20006), url
    assert await shown(client.as_(people.otto), unseen) == []
