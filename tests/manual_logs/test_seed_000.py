"""Seed 000, manual logs: a test per row of its claims, named by the row. Fields: test_seed_000_fields.py."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.timeline import kinds

#: The printed body, but for the lead.
LOG: dict[str, Any] = {
    "logType": "logCall",
    "content": "Discussed Austin inventory, will send pre-approval doc tomorrow.",
    "leadPhoneNumber": "5865865860",
    "callingOutcome": "VoiceMessage",
    "outboundOrInbound": "outbound",
    "isPin": False,
    "emailSubject": "Follow-up on Austin listings",
    "toEmail": "sarah.johnson@example.com",
    "fromEmail": "agent@lofty.com",
}
KEYS = {
    *("id", "leadId", "leadPhoneNumber", "callingOutcome", "content", "createTime", "outboundOrInbound", "isPin"),
    *("agentId", "emailSubject", "toEmail", "fromEmail"),
}


async def add(client: Client, lead_id: int, **changes: Any) -> dict[str, Any]:
    """Write down the printed log with changes; UNSET leaves a field out. Return the answered entry, read again."""
    answered = (await client.ok("POST", "/v1.0/logType", body_for(lead_id, **changes)))["logType"]
    read = (await client.ok("GET", f"/v1.0/logType/{answered['id']}"))["logType"]
    assert read == answered
    return read


def body_for(lead_id: Any, **changes: Any) -> dict[str, Any]:
    """Return the printed body with changes."""
    body = {"leadId": lead_id, **LOG, **changes}
    return {name: value for name, value in body.items() if value is not msgspec.UNSET}


async def listed(client: Client, lead_id: int, kind: str = "logCall", query: str = "") -> list[dict[str, Any]]:
    """Return a list of logs."""
    return (await client.ok("GET", f"/v1.0/logType?leadId={lead_id}&logType={kind}{query}"))["logType"]


async def unseen_leads(client: Client, make: Make, people: People) -> list[int]:
    """Return leads that Adam may not see: another company's, a trashed one, an unknown one, another agent's."""
    foreign, trashed = await make.lead(by=people.sid), await make.lead()
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    others = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    return [foreign, trashed, 999, others]


async def test_s0_01_the_answer_is_what_was_sent(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    log = await add(client, lead_id)
    assert log["id"] > 0
    expected = {
        **LOG,
        "leadId": lead_id,
        "agentId": people.adam.id,
        **dict.fromkeys(("emailSubject", "toEmail", "fromEmail")),
    }
    del expected["logType"]
    assert {name: log[name] for name in expected} == expected


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_s0_02_path_and_method(client: Client, make: Make, people: People, method: str) -> None:
    lead_id = await make.lead()
    before = await make.everything(people.adam.team_id)
    assert (await client.send(method, "/v1.0/logType", body_for(lead_id))).status_code == 405
    assert await make.everything(people.adam.team_id) == before
    assert await listed(client, lead_id) == [], "GET is the list"


async def test_s0_03_a_token_is_needed(client: Client, make: Make, people: People) -> None:
    body = body_for(await make.lead())
    assert await client.as_(None).refused("POST", "/v1.0/logType", body) == (401, 900401)
    headers = {"Authorization": f"Bearer {people.adam.key}"}
    content = msgspec.json.encode(body)
    assert (await client.send("POST", "/v1.0/logType", content=content, headers=headers)).status_code == 200


@pytest.mark.parametrize("header", [{}, {"Content-Type": "application/json"}])
async def test_s0_04_content_type(client: Client, make: Make, people: People, header: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {people.adam.key}", **header}
    content = msgspec.json.encode(body_for(await make.lead()))
    assert (await client.send("POST", "/v1.0/logType", content=content, headers=headers)).status_code == 200


async def test_s0_05_the_answer_is_wrapped(client: Client, make: Make) -> None:
    answer = await client.ok("POST", "/v1.0/logType", body_for(await make.lead()))
    assert list(answer) == ["logType"]
    assert isinstance(answer["logType"], dict)


async def test_s0_06_reading_wraps_alike(client: Client, make: Make) -> None:
    answer = await client.ok("POST", "/v1.0/logType", body_for(await make.lead()))
    assert await client.ok("GET", f"/v1.0/logType/{answer['logType']['id']}") == answer


async def test_s0_07_each_log_gets_an_id(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    first, second = await add(client, lead_id), await add(client, lead_id)
    assert first["id"] != second["id"]


async def test_s0_08_a_log_is_there_at_once(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    log = await add(client, lead_id)
    assert await listed(client, lead_id) == [log]


async def test_s0_09_the_answers_keys(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    for kind in ("logCall", "logEmail", "logText"):
        assert (await add(client, lead_id, logType=kind)).keys() == KEYS


async def test_s0_10_ids_are_numbers(client: Client, make: Make) -> None:
    answer = await client.send("POST", "/v1.0/logType", body_for(await make.lead()))
    for name in ("id", "leadId", "agentId"):
        assert re.search(rf'"{name}":[1-9]\d*[,}}]', answer.text), name


async def test_s0_11_the_form_of_create_time(client: Client, make: Make) -> None:
    text = (await add(client, await make.lead()))["createTime"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(f"{text}+00:00")) < timedelta(seconds=5)


async def test_s0_12_the_agent_is_who_wrote_it(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(assignedUserId=people.adam.id)
    for person in (people.adam, people.olive):
        log = (await client.as_(person).ok("POST", "/v1.0/logType", body_for(lead_id)))["logType"]
        assert log["agentId"] == person.id


@pytest.mark.parametrize("lead_id", [msgspec.UNSET, None, "abc", "", 1.5, True, [], 2**63])
async def test_s0_13_a_lead_is_required(client: Client, make: Make, people: People, lead_id: Any) -> None:
    before = await make.everything(people.adam.team_id)
    assert await client.refused("POST", "/v1.0/logType", body_for(lead_id)) == (400, 20012)
    assert await make.everything(people.adam.team_id) == before


@pytest.mark.parametrize("as_", [int, str])
async def test_s0_14_a_lead_is_a_number_or_its_text(client: Client, make: Make, as_: Any) -> None:
    lead_id = await make.lead()
    log = (await client.ok("POST", "/v1.0/logType", body_for(as_(lead_id))))["logType"]
    assert log["leadId"] == lead_id


async def test_s0_15_the_lead_must_be_accessible(client: Client, make: Make, people: People) -> None:
    refused = await unseen_leads(client, make, people)
    teams = (people.adam.team_id, people.sid.team_id)
    before = await make.everything(*teams)
    answers = [await client.send("POST", "/v1.0/logType", body_for(lead_id)) for lead_id in (*refused, 0, -1)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert answers[0].json()["code"] == 20006
    assert await make.everything(*teams) == before


async def test_s0_15_a_lender_and_a_role_holder_may_log(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(assignedUserId=people.adam.id)
    otto = client.as_(people.otto)
    assert await otto.refused("POST", "/v1.0/logType", body_for(lead_id)) == (404, 20006)
    wish = [{"role": "Lender", "assignee": people.otto.email}]
    await client.ok("POST", f"/v1.0/leads/{lead_id}/assignment", wish)
    assert (await add(otto, lead_id))["agentId"] == people.otto.id
    assert len(await listed(otto, lead_id)) == 1


async def test_s0_34_a_pinned_log_stands_on_top(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    old = await make.log(lead_id, isPin=True)
    new = await make.log(lead_id)
    timeline = await client.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline")
    shown = [entry["id"] for entry in timeline["entries"]]
    assert (shown[0], shown[1]) == (old, new)


async def test_s0_36_what_is_no_json_object(client: Client) -> None:
    for content in (b"{", b"[]", b"", b"null", b'"x"', b"\xff", b"{}"):
        answer = await client.send("POST", "/v1.0/logType", content=content)
        assert (answer.status_code, answer.json()["code"]) == (400, 20012), content


async def test_s0_37_a_log_is_in_the_history(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    log = await add(client, lead_id)
    assert await listed(client, lead_id) == [log]
    [activity] = (await client.ok("GET", f"/v2.0/leads/{lead_id}/activities"))["activities"]
    assert (activity["id"], activity["communicationType"]) == (log["id"], "Logged")
    assert (activity["note"], activity["leadPhoneNumber"]) == (LOG["content"], LOG["leadPhoneNumber"])


async def test_s0_38_there_is_an_index_of_the_documentation(client: Client) -> None:
    answer = await client.as_(None).send("GET", "/llms.txt")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert "/openapi.json" in answer.text
    assert "POST /v1.0/logType" in answer.text


@pytest.mark.parametrize("kind", ["logCall", "logEmail", "logText"])
async def test_s0_39_nothing_leaves_the_system(client: Client, make: Make, people: People, kind: str) -> None:
    lead_id = await make.lead(emails=["jane@example.com"], phones=["5551234567"])
    before = await make.everything(people.adam.team_id)
    await make.log(lead_id, kind)
    after = await make.everything(people.adam.team_id)
    changed = {table for table in after if after[table] != before[table]}
    assert changed <= {"timeline_entry", "timeline_summary", "announcement", "lead", "lead_tally"}


async def test_d13_d44_the_answer_is_the_whole_entry_of_the_lead_that_was_named(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    answer = (await client.ok("POST", "/v1.0/logType", body_for(lead_id)))["logType"]
    assert (answer.keys(), answer["leadId"]) == (KEYS, lead_id)


@pytest.mark.parametrize(
    ("kind", "list_id", "thing"), [("logCall", 6, "Call"), ("logEmail", 7, "Email"), ("logText", 8, "Text")]
)
async def test_a_log_is_announced(client: Client, make: Make, kind: str, list_id: int, thing: str) -> None:
    lead_id = await make.lead()
    log_id = await make.log(lead_id, kind)
    sql = "SELECT list_id, verb, payload FROM announcement WHERE lead_id = $1 AND list_id <> 2"
    ((found, verb, payload),) = await make.rows(sql, lead_id)
    assert (found, verb) == (list_id, f"created{thing}")
    assert msgspec.json.decode(payload) == {"leadId": lead_id, "timelineId": log_id, f"{thing.lower()}Id": log_id}


async def test_a_list_is_of_one_lead_and_one_channel(client: Client, make: Make, people: People) -> None:
    lead_id, other = await make.lead(), await make.lead()
    made = {kind: await make.log(lead_id, kind) for kind in ("logCall", "logEmail", "logText")}
    await make.log(other)
    payload = {"timelineId": 1, "callId": 1}
    await make.happening(lead_id, kinds.CALL_MADE, people.adam, direction="outbound", payload=payload)
    await make.happening(lead_id, kinds.CALL_RECEIVED, people.adam, direction="inbound")
    for kind, log_id in made.items():
        assert [log["id"] for log in await listed(client, lead_id, kind)] == [log_id], "never captured talk"


@pytest.mark.parametrize(
    "query",
    [
        *("", "leadId=1", "logType=logCall", "leadId=abc&logType=logCall", "leadId=0&logType=logCall"),
        *("leadId=1&logType=logcall", "leadId=1&logType=call", "leadId=1&logType=", "leadId=1&logType=logCall&limit=x"),
        *("leadId=1&logType=logCall&sort=agent", "leadId=1&logType=logCall&order=up"),
        *("leadId=1&logType=logCall&currentId=x", "leadId=1&logType=logCall&offset=1.5"),
    ],
)
async def test_a_faulty_list_query(client: Client, query: str) -> None:
    assert await client.refused("GET", f"/v1.0/logType?{query}") == (400, 20012)


async def test_lists_and_logs_of_unseen_leads(client: Client, make: Make, people: People) -> None:
    trashed = await make.lead()
    hidden = [await make.log(trashed), await make.log(await make.lead(by=people.sid), by=people.sid)]
    others = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    hidden.append(await make.log(others, by=people.otto))
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    for lead_id in [*await unseen_leads(client, make, people), trashed, others]:
        assert await client.refused("GET", f"/v1.0/logType?leadId={lead_id}&logType=logCall") == (404, 20006)
    for log_id in hidden:
        assert await client.refused("GET", f"/v1.0/logType/{log_id}") == (404, 20007), "as if it were not there"
    assert await client.refused("DELETE", f"/v1.0/logType/{hidden[0]}") == (404, 20006)
    assert await client.refused("DELETE", f"/v1.0/logType/{hidden[1]}") == (404, 20007), "another company's"
    assert await client.refused("DELETE", f"/v1.0/logType/{hidden[2]}") == (404, 20006)
    assert len(await listed(client.as_(people.otto), others)) == 1


async def test_limits_out_of_range_are_reset(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    made = [await make.log(lead_id) for _ in range(12)]
    for query, expected in {
        "": made[:10],
        "&limit=0": made[:10],
        "&limit=-1": made[:10],
        "&limit=1001": made[:10],
        "&limit=1000": made,
        "&limit=1": made[:1],
        "&limit=5&offset=10": made[10:],
        "&offset=-3": made[:10],
        "&offset=12": [],
        "&offset=19990": [],
        "&offset=19000&limit=1000": [],
        "&currentId=0": made[:10],
        "&currentId=-1": made[:10],
    }.items():
        assert [log["id"] for log in await listed(client, lead_id, query=query)] == expected, query


async def test_a_deep_page_is_refused(client: Client, make: Make) -> None:
    url = f"/v1.0/logType?leadId={await make.lead()}&logType=logCall"
    for query in ("&offset=19991", "&offset=19999&limit=2", "&offset=19001&limit=1000", f"&offset={2**62}"):
        assert await client.refused("GET", url + query) == (400, 200104), query
    assert await client.ok("GET", f"{url}&offset=20000&currentId=1") == {"logType": []}, "a cursor has no offset"


async def test_sorting(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    times = ("2026-05-02T00:00:00Z", "2026-05-01T00:00:00Z", "2026-05-03T00:00:00Z", "2026-05-02T00:00:00Z")
    a, b, c, d = [await make.talk(lead_id, "call", timestamp=time) for time in times]
    for query, expected in {
        "": [b, a, d, c],
        "&order=asc": [b, a, d, c],
        "&sort=createTime&order=desc": [c, d, a, b],
        "&sort=id": [a, b, c, d],
        "&sort=id&order=desc": [d, c, b, a],
        f"&sort=createTime&currentId={a}": [b, c, d],
        f"&currentId={b}&limit=1&offset=5": [c],
        f"&sort=createTime&order=desc&currentId={d}": [c, b, a],
        f"&order=desc&currentId={b}": [a],
        f"&currentId={d}": [],
        "&currentId=1": [a, b, c, d],
        f"&currentId={2**53}&order=desc": [d, c, b, a],
    }.items():
        assert [log["id"] for log in await listed(client, lead_id, query=query)] == expected, query


async def test_what_is_no_log_cannot_be_read_or_deleted(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    await make.note(lead_id)
    await make.site(lead_id)
    await make.happening(lead_id, kinds.CALL_RECEIVED, people.adam, direction="inbound")
    entries = [row["id"] for row in await make.rows("SELECT id FROM timeline_entry WHERE lead_id = $1", lead_id)]
    before = await make.everything(people.adam.team_id)
    for log_id in (*entries, 999, 0, -1, "abc", "act_1", 2**70):
        for method in ("GET", "DELETE"):
            assert await client.refused(method, f"/v1.0/logType/{log_id}") == (404, 20007), (method, log_id)
    assert await make.everything(people.adam.team_id) == before


async def test_deleting_keeps_it_for_the_audit(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    log_id, stays = await make.log(lead_id, content="slip", isPin=True), await make.log(lead_id)
    assert await client.ok("DELETE", f"/v1.0/logType/{log_id}") == {}
    for method in ("GET", "DELETE"):
        assert await client.refused(method, f"/v1.0/logType/{log_id}") == (404, 20007)
    assert [log["id"] for log in await listed(client, lead_id)] == [stays]
    shown = await client.ok("GET", f"/v2.0/leads/{lead_id}/activities")
    assert ([one["id"] for one in shown["activities"]], shown["total"]) == ([stays], 1)
    row, *_ = await make.rows("SELECT deleted_by, deleted_at, details FROM timeline_entry WHERE id = $1", log_id)
    assert (row["deleted_by"], msgspec.json.decode(row["details"])["content"]) == (people.adam.id, "slip")
    assert abs(datetime.now(UTC) - row["deleted_at"]) < timedelta(seconds=5)
    [deletion] = [
        entry
        for entry in (await client.ok("GET", f"/v1.0/systemLogs?leadId={lead_id}"))["timeLines"]
        if entry["timelineTypeDesc"] == "LogDelete"
    ]
    assert (deletion["agentId"], deletion["refId"]) == (people.adam.id, log_id)
    assert deletion["content"]["was"]["content"] == "slip"


async def test_a_lender_may_not_delete(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(assignedUserId=people.adam.id)
    wish = [{"role": "Lender", "assignee": people.otto.email}]
    await client.ok("POST", f"/v1.0/leads/{lead_id}/assignment", wish)
    log_id = await make.log(lead_id)
    assert await client.as_(people.otto).refused("DELETE", f"/v1.0/logType/{log_id}") == (404, 20006)
    assert len(await listed(client, lead_id)) == 1
