"""Seed 001, the communication guide: the rows about logging what took place elsewhere, named by the row."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

PRINTED: dict[str, Any] = {
    "type": "call",
    "direction": "outbound",
    "duration": 240,
    "timestamp": "2026-05-07T10:15:00Z",
    "notes": "Called to confirm showing appointment for tomorrow at 2pm.",
}


async def _log(client: Client, lead_id: int, **changes: Any) -> dict[str, Any]:
    """Log, and return the one entry of the timeline."""
    body = {name: value for name, value in {**PRINTED, **changes}.items() if value is not UNSET}
    answer = await client.ok("POST", f"/v1.0/leads/{lead_id}/activity", body)
    assert answer.keys() == {"leadId", "activityId"}
    assert answer["leadId"] == lead_id
    found = (await client.ok("GET", f"/v2.0/leads/{lead_id}/activities"))["activities"]
    [entry] = [one for one in found if one["activityId"] == answer["activityId"]]
    return entry


async def _refused(client: Client, make: Make, people: People, **changes: Any) -> None:
    url = f"/v1.0/leads/{await make.lead()}/activity"
    before = await make.everything(people.adam.team_id)
    assert await client.refused("POST", url, {**PRINTED, **changes}) == (400, 20012)
    assert await make.everything(people.adam.team_id) == before


async def test_s1_35_d10_a_call_is_logged(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    entry = await _log(client, lead_id)
    expected = {
        **{name: value for name, value in PRINTED.items() if name != "notes"},
        "summary": PRINTED["notes"],
        "agentId": people.adam.id,
        "communicationType": "Logged",
    }
    assert {name: entry[name] for name in expected} == expected
    assert (await client.ok("GET", f"/v2.0/leads/{lead_id}/activities"))["total"] == 1


@pytest.mark.parametrize(
    ("word", "kind", "log_type"),
    [
        ("call", "call", "logCall"),
        ("email", "email", "logEmail"),
        ("text", "sms", "logText"),
        ("sms", "sms", "logText"),
        ("Call", "call", "logCall"),
        ("SMS", "sms", "logText"),
    ],
)
async def test_s1_36_d29_types(client: Client, make: Make, word: str, kind: str, log_type: str) -> None:
    lead_id = await make.lead()
    entry = await _log(client, lead_id, type=word)
    assert entry["type"] == kind
    [log] = (await client.ok("GET", f"/v1.0/logType?leadId={lead_id}&logType={log_type}"))["logType"]
    assert (log["id"], log["content"]) == (entry["id"], PRINTED["notes"])
    assert log["createTime"] == "2026-05-07 10:15:00"


@pytest.mark.parametrize("word", ["fax", "", None, 5, "calls"])
async def test_s1_36_other_types_are_refused(client: Client, make: Make, people: People, word: Any) -> None:
    await _refused(client, make, people, type=word)


async def test_s1_37_s1_38_d30_direction(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    for sent, kept in (("outbound", "outbound"), ("inbound", "inbound"), (UNSET, "outbound"), (None, "outbound")):
        for word in ("call", "text", "email"):
            assert (await _log(client, lead_id, type=word, direction=sent))["direction"] == kept
    for wrong in ("up", "Outbound", "", 1):
        await _refused(client, make, people, direction=wrong)


async def test_s1_39_duration(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    for kept in (240, 0, 2**31 - 1):
        assert (await _log(client, lead_id, duration=kept))["duration"] == kept
    for absent in (UNSET, None):
        assert "duration" not in await _log(client, lead_id, duration=absent)
    for wrong in (-1, "x", 2**31, 1.5):
        await _refused(client, make, people, duration=wrong)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-05-07T10:15:00Z", "2026-05-07T10:15:00Z"),
        ("2026-05-07T10:15:00+02:00", "2026-05-07T08:15:00Z"),
        ("2026-05-07T10:15:00-0730", "2026-05-07T17:45:00Z"),
        ("2026-05-07T10:15:00.999Z", "2026-05-07T10:15:00Z"),
        ("2026-05-07 10:15:00GMT", "2026-05-07T10:15:00Z"),
        ("2026-05-07t10:15z", "2026-05-07T10:15:00Z"),
    ],
)
async def test_s1_40_a_timestamp_is_shown_in_utc(client: Client, make: Make, sent: str, kept: str) -> None:
    assert (await _log(client, await make.lead(), timestamp=sent))["timestamp"] == kept


@pytest.mark.parametrize("absent", [UNSET, None])
async def test_s1_40_without_a_timestamp_it_is_now(client: Client, make: Make, absent: Any) -> None:
    entry = await _log(client, await make.lead(), timestamp=absent)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(entry["timestamp"])) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "wrong",
    [
        *("yesterday", "", "2026-05-07T10:15:00", "2026-05-07", "2026-02-30T10:15:00Z", "2026-05-07T10:15:00+25:00"),
        *("1746612900000", 1746612900000, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "10000-01-01T00:00Z"),
    ],
)
async def test_s1_40_other_timestamps_are_refused(client: Client, make: Make, people: People, wrong: Any) -> None:
    await _refused(client, make, people, timestamp=wrong)


async def test_s1_41_notes_are_the_text(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    call = await _log(client, lead_id)
    assert call["summary"] == call["note"] == PRINTED["notes"]
    sms = await _log(client, lead_id, type="sms", content="not this")
    assert sms["content"] == sms["note"] == PRINTED["notes"]
    sms = await _log(client, lead_id, type="sms", notes=UNSET, content="this")
    assert sms["content"] == sms["note"] == "this"
    email = await _log(client, lead_id, type="email", notes=None)
    assert (email["note"], email["subject"]) == (None, None)


@pytest.mark.parametrize("letter", ["x", "\U0001f3e0"])
async def test_notes_are_cut_like_those_of_a_log(client: Client, make: Make, letter: str) -> None:
    assert (await _log(client, await make.lead(), notes=letter * 5001))["note"] == letter * 5000


async def test_s1_42_d14_it_is_there_at_once(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    answers = await asyncio.gather(*(client.ok("POST", f"/v1.0/leads/{lead_id}/activity", PRINTED) for _ in range(8)))
    shown = await client.ok("GET", f"/v2.0/leads/{lead_id}/activities")
    assert {entry["activityId"] for entry in shown["activities"]} == {answer["activityId"] for answer in answers}
    assert shown["total"] == 8


async def test_s1_43_an_email_has_a_subject(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    entry = await _log(client, lead_id, type="email", subject="Hi")
    assert entry["subject"] == entry["emailSubject"] == "Hi"
    for word in ("call", "text"):
        assert "subject" not in await _log(client, lead_id, type=word, subject="Hi")


@pytest.mark.parametrize("word", ["call", "email", "text"])
async def test_s1_45_nothing_leaves_the_system(client: Client, make: Make, people: People, word: str) -> None:
    lead_id = await make.lead(emails=["jane@example.com"], phones=["5551234567"])
    before = await make.everything(people.adam.team_id)
    await make.talk(lead_id, word)
    after = await make.everything(people.adam.team_id)
    changed = {table for table in after if after[table] != before[table]}
    assert changed <= {"timeline_entry", "timeline_summary", "announcement", "lead", "lead_tally"}


async def test_s1_46_it_stands_at_its_own_time(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    now = await make.log(lead_id)
    earlier = await make.talk(lead_id, timestamp=(datetime.now(UTC) - timedelta(days=7)).isoformat())
    answer = await client.ok("GET", f"/v2.0/leads/{lead_id}/activities")
    assert [entry["id"] for entry in answer["activities"]] == [earlier, now]


async def test_d9_fields_of_the_other_kind_are_ignored(client: Client, make: Make) -> None:
    visit = {"text": 5, "link": None, "picture": [], "created": "x", "listing": "y", "pageName": {}}
    assert (await _log(client, await make.lead(), **visit))["summary"] == PRINTED["notes"]


@pytest.mark.parametrize(("word", "list_id", "thing"), [("call", 6, "Call"), ("email", 7, "Email"), ("sms", 8, "Text")])
async def test_it_is_announced(client: Client, make: Make, word: str, list_id: int, thing: str) -> None:
    lead_id = await make.lead()
    entry_id = await make.talk(lead_id, word)
    sql = "SELECT list_id, verb, payload FROM announcement WHERE lead_id = $1 AND list_id <> 2"
    ((found, verb, payload),) = await make.rows(sql, lead_id)
    assert (found, verb) == (list_id, f"created{thing}")
    assert msgspec.json.decode(payload) == {"leadId": lead_id, "timelineId": entry_id, f"{thing.lower()}Id": entry_id}


async def test_it_is_in_the_histories(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    sms = await make.talk(lead_id, "sms", direction="inbound", timestamp="2026-05-07T10:15:00Z", notes="hello")
    email = await make.talk(lead_id, "email", subject="Hi", timestamp="2026-05-07T10:15:00Z")
    assert await client.ok("GET", f"/v1.0/communication/text?leadId={lead_id}") == {
        "texts": [
            {
                "id": sms,
                "leadId": lead_id,
                "direction": "Inbound",
                "agentId": people.adam.id,
                "textOutcome": None,
                "textTime": "2026-05-07 10:15:00",
                "textType": "Logged",
                "textContent": "hello",
            }
        ]
    }
    assert await client.ok("GET", f"/v1.0/communication/email?leadId={lead_id}") == {
        "emails": [
            {
                "id": email,
                "leadId": lead_id,
                "direction": "Outbound",
                "agentId": people.adam.id,
                "eventType": "Sent",
                "emailEventTime": "2026-05-07 10:15:00",
                "emailType": "Logged",
                "emailSubject": "Hi",
                "fromPond": False,
            }
        ]
    }
