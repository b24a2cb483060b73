"""The curl examples of the seeds, byte for byte but for host, token and ids that a path leaves open.

`printed/*.txt` holds the commands as the pages print them; the header `Content-Type: <content-type>` stays as printed.
"""

import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from tests.conftest import fresh_database
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, settle

from rooftree.app import create_app
from rooftree.leads.actions import add_custom_field
from rooftree.leads.wire import CustomAttribute
from rooftree.platform.database import Database
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings

PRINTED = Path(__file__).parent / "printed"
AGENT, LEAD, GUIDES_LEAD = 10000000514, 563172647619608, 789012345678


@pytest.fixture
async def printed(server_dsn: str) -> AsyncIterator[tuple[Client, Make, People]]:
    """A database of its own, in which the printed lead and agent have their printed ids."""
    dsn = await fresh_database(server_dsn)
    owner_db = await Database.connect(dsn, min_size=0, max_size=2, server_role=False)
    database = await Database.connect(dsn, min_size=0, max_size=2)
    secret = await shared_secret(owner_db)
    people = await settle(owner_db, secret, adam_id=AGENT)
    async with Client(create_app(Settings(), database, secret)) as client:
        caller = client.as_(people.adam)
        make = Make(caller, people, owner_db)
        await make.lead_with_id(LEAD, people.adam, tags=["old"])
        async with owner_db.transaction(people.adam.team_id) as tx:
            await add_custom_field(tx, CustomAttribute(attribute_name="Budget", attribute_type="text"))
        yield caller, make, people
    await database.close()
    await owner_db.close()


async def _run(
    client: Client, people: People | None, name: str, replaced: tuple[str, object] = ("", "")
) -> httpx.Response:
    """Send what curl would send. `replaced`: what a path leaves open, and what belongs there."""
    text = (PRINTED / f"{name}.txt").read_text()
    if replaced[0]:
        assert text.count(replaced[0]) == 1
        text = text.replace(replaced[0], str(replaced[1]))
    words = shlex.split(text.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    method, url, headers, body = "", "", {}, None
    while words:
        word = words.pop(0)
        if word in ("-X", "--request"):
            method = words.pop(0)
        elif word in ("-H", "--header"):
            key, _, value = words.pop(0).partition(": ")
            headers[key] = value
        elif word in ("-d", "--data"):
            body = words.pop(0).encode()
        elif word == "--url":
            url = words.pop(0)
        else:
            url = word
    assert "Authorization" in headers
    if people:
        headers["Authorization"] = f"Bearer {people.adam.key}"
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return await client.send(method or ("POST" if body else "GET"), path, content=body, headers=headers)


Printed = tuple[Client, Make, People]


async def test_s0_01_a_log_runs_as_printed(printed: Printed) -> None:
    client, _, people = printed
    answer = await _run(client, people, "000_log")
    assert answer.status_code == 200, answer.text
    log = answer.json()["logType"]
    assert log.pop("id") > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", log.pop("createTime"))
    assert log == {
        "leadId": LEAD,
        "leadPhoneNumber": "5865865860",
        "callingOutcome": "VoiceMessage",
        "content": "Discussed Austin inventory, will send pre-approval doc tomorrow.",
        "outboundOrInbound": "outbound",
        "isPin": False,
        "agentId": AGENT,
        "emailSubject": None,
        "toEmail": None,
        "fromEmail": None,
    }


async def test_s1_02_timeline_runs_as_printed(printed: Printed) -> None:
    client, make, people = printed
    await make.lead_with_id(GUIDES_LEAD, people.adam)
    log_id = await make.log(GUIDES_LEAD)
    answer = (await _run(client, people, "001_timeline")).json()
    assert [entry["activityId"] for entry in answer["activities"]] == [f"act_{log_id}"]


async def test_s1_27_s1_28_s1_32_s1_33_notes_run_as_printed(printed: Printed) -> None:
    client, make, people = printed
    await make.lead_with_id(GUIDES_LEAD, people.adam)
    note_id = (await _run(client, people, "001_note_create")).json()["noteId"]
    [note] = (await _run(client, people, "001_notes")).json()["notes"]
    content = "Lead is interested in 3-bedroom homes in the Riverside area. Budget up to $650,000."
    assert (note["noteId"], note["content"], note["isPin"]) == (note_id, content, False)
    named = ("note_abc123", f"note_{note_id}")
    assert (await _run(client, people, "001_note_update", named)).json() == {}
    [note] = (await _run(client, people, "001_notes")).json()["notes"]
    assert note["content"].endswith("Budget up to $700,000 after pre-approval.")
    assert (await _run(client, people, "001_note_delete", named)).json() == {}
    assert (await _run(client, people, "001_notes")).json() == {"notes": []}


@pytest.mark.parametrize("name", ["001_note_update", "001_note_delete"])
async def test_s1_20_the_printed_note_is_unknown(printed: Printed, name: str) -> None:
    client, _, people = printed
    answer = await _run(client, people, name)
    assert (answer.status_code, answer.json()["code"]) == (404, 20007)


async def test_s1_35_external_log_runs_as_printed(printed: Printed) -> None:
    client, make, people = printed
    await make.lead_with_id(GUIDES_LEAD, people.adam)
    answer = (await _run(client, people, "001_log")).json()
    assert answer["leadId"] == GUIDES_LEAD
    [call] = (await _run(client, people, "001_timeline")).json()["activities"]
    expected = {
        "activityId": answer["activityId"],
        "type": "call",
        "direction": "outbound",
        "duration": 240,
        "timestamp": "2026-05-07T10:15:00Z",
        "summary": "Called to confirm showing appointment for tomorrow at 2pm.",
        "agentId": AGENT,
    }
    assert {key: call[key] for key in expected} == expected


async def test_s2_01_site_activity_runs_as_printed(printed: Printed) -> None:
    client, _, people = printed
    answer = await _run(client, people, "002_activity", ("{leadId}", LEAD))
    assert answer.text == f'{{"leadId":{LEAD}}}'
    [activity] = await client.ok("GET", f"/v1.0/leads/{LEAD}/activities")
    printed_body = (PRINTED / "002_activity.txt").read_text().partition("--data '")[2].rpartition("'")[0]
    assert activity == msgspec.json.decode(printed_body)


async def test_s3_02_create_runs_as_printed(printed: Printed) -> None:
    client, _, people = printed
    answer = await _run(client, people, "003_create")
    assert answer.status_code == 200, answer.text
    assert re.fullmatch(r'\{"leadId":\d+\}', answer.text)
    lead = await client.lead(answer.json()["leadId"])
    assert (lead["firstName"], lead["source"]) == ("Jane", "Website")


async def test_s3_13_retrieve_runs_as_printed(printed: Printed) -> None:
    client, _, people = printed
    answer = (await _run(client, people, "003_retrieve")).json()
    assert (list(answer), answer["lead"]["leadId"]) == (["lead"], LEAD)


async def test_s3_14_list_runs_as_printed(printed: Printed) -> None:
    client, make, people = printed
    await make.lead(stage="Contacted")
    answer = (await _run(client, people, "003_list")).json()
    assert [lead["leadId"] for lead in answer["leads"]] == [LEAD]
    assert answer["_metadata"]["total"] == 1


async def test_s3_29_update_runs_as_printed(printed: Printed) -> None:
    client, _, people = printed
    assert (await _run(client, people, "003_update")).json() == {"leadId": LEAD}
    lead = await client.lead(LEAD)
    assert (lead["stage"], [tag["tagName"] for tag in lead["tags"]]) == ("Contacted", ["follow-up"])


async def test_s3_34_assign_runs_as_printed(printed: Printed) -> None:
    client, _, people = printed
    await client.ok("POST", f"/v1.0/leads/{LEAD}/assignment", {"assignees": [{"userId": people.ana.id}]})
    assert (await _run(client, people, "003_assign")).json() == {"leadId": LEAD}
    assert (await client.lead(LEAD))["assignedUserId"] == AGENT


async def test_s3_38_delete_runs_as_printed(printed: Printed) -> None:
    client, _, people = printed
    answer = await _run(client, people, "003_delete")
    assert (answer.status_code, answer.json()) == (200, {"deleted": True, "leadId": str(LEAD)})
    assert (await _run(client, people, "003_retrieve")).status_code == 404


@pytest.mark.parametrize("name", sorted(path.stem for path in PRINTED.iterdir()))
async def test_s3_01_the_printed_token_is_none(printed: Printed, name: str) -> None:
    """As printed to the last byte, credential included: refused, and nothing happens."""
    client, make, people = printed
    before = await make.everything(people.adam.team_id)
    assert (await _run(client, None, name)).status_code == 401
    assert await make.everything(people.adam.team_id) == before


async def test_s4_01_create_runs_as_printed(printed: Printed) -> None:
    client, make, people = printed
    answer = await _run(client, people, "004_create")
    assert answer.status_code == 200, answer.text
    lead = await client.lead(answer.json()["leadId"])
    expected = {
        "firstName": "Bob",
        "lastName": "Li",
        "emails": ["jane.doe@example.com", "jdoe-work@company.com"],
        "phones": ["+14155551234", "+12125559876"],
        "leadTypes": [2, 5],
        "assignedUserId": AGENT,
        "streetAddress": "The White House,1600 Pennsylvania Avenue NW",
        "referredBy": "Jeremy Kelly",
        "stage": "Pending",
        "segments": ["VIP Clients", "Open House Feb", "First-Time Buyers", "Downtown Area"],
        "source": "Open House",
        "birthday": "Jun 5, 2001",
        "language": "en",
        "customAttributes": [],
        "ownershipScope": "PERSONAL",
        "ownershipId": AGENT,
        "cannotText": True,
        "unsubscription": True,
    }
    assert {key: lead[key] for key in expected} == expected
    assert [tag["tagName"] for tag in lead["tags"]] == ["Hot Lead", "Zillow", "Referral", "Pre-Approved"]
    assert [(one["firstName"], one["birthday"]) for one in lead["leadFamilyMemberList"]] == [("<string>", None)]
    assert lead["leadInquiry"]["bathroomsMax"] == "<string>"
    assert lead["leadPropertyList"][0]["county"] == "<string>"
    messages = await make.rows("SELECT purpose FROM message")
    assert [row["purpose"] for row in messages] == ["lead_alert"], "consent wins over the welcome"
