"""Seed 001, the communication guide: the rows about notes, named by the row."""

import asyncio
import re
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

HOUSE = "\U0001f3e0"


async def _note(client: Client, note_id: Any) -> dict[str, Any]:
    return (await client.ok("GET", f"/v1.0/notes/{note_id}"))["note"]


async def _listed(client: Client, lead_id: int) -> list[dict[str, Any]]:
    return (await client.ok("GET", f"/v1.0/notes?leadId={lead_id}"))["notes"]


async def _refused(client: Client, make: Make, people: People, method: str, url: str, body: Any, code: int) -> None:
    before = await make.everything(people.adam.team_id)
    status = 400 if code not in {20006, 20007} else 404
    assert await client.refused(method, url, body) == (status, code), body
    assert await make.everything(people.adam.team_id) == before


async def _told(make: Make, lead_id: int) -> list[str]:
    rows = await make.rows("SELECT verb FROM announcement WHERE lead_id = $1 AND list_id = 9 ORDER BY id", lead_id)
    return [row["verb"] for row in rows]


@pytest.mark.parametrize("form", ["{}", "note_{}"])
async def test_s1_20_d6_both_forms_of_a_notes_id(client: Client, make: Make, form: str) -> None:
    lead_id = await make.lead()
    name = form.format(await make.note(lead_id))
    assert await client.ok("PUT", f"/v1.0/notes/{name}", {"content": "new"}) == {}
    assert (await _note(client, name))["content"] == "new"
    assert await client.ok("DELETE", f"/v1.0/notes/{name}") == {}
    assert await _listed(client, lead_id) == []


@pytest.mark.parametrize("name", ["note_abc123", "abc", "note_", "note_0", "0", "-1", "999", "NOTE_1", "note_note_1"])
async def test_s1_20_other_names_are_unknown_notes(client: Client, make: Make, people: People, name: str) -> None:
    note_id = await make.note(await make.lead())
    name = name.replace("_1", f"_{note_id}")
    for method, body in (("GET", None), ("PUT", {"content": "x"}), ("DELETE", None)):
        await _refused(client, make, people, method, f"/v1.0/notes/{name}", body, 20007)


async def test_s1_27_notes_are_listed(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    note_id = await make.note(lead_id)
    headers = {"Authorization": f"Bearer {people.adam.key}", "Content-Type": "application/json"}
    answer = (await client.send("GET", f"/v1.0/notes?leadId={lead_id}", headers=headers)).json()
    assert [note["noteId"] for note in answer["notes"]] == [note_id]


async def test_s1_28_s1_31_a_note_is_written(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    answer = await client.ok("POST", "/v1.0/notes", {"leadId": lead_id, "content": "Budget up to $650,000."})
    assert list(answer) == ["noteId"]
    note = await _note(client, answer["noteId"])
    expected = {
        "leadId": lead_id,
        "content": "Budget up to $650,000.",
        "isPin": False,
        "creatorId": people.adam.id,
        "systemNote": False,
        "deleteFlag": False,
    }
    assert {name: note[name] for name in expected} == expected
    assert [note] == await _listed(client, lead_id)
    assert await _told(make, lead_id) == ["createdNote"]


async def test_s1_29_a_lead_is_required(client: Client, make: Make, people: People) -> None:
    for wrong in (UNSET, None, "abc", -1, 1.5):
        body = {name: value for name, value in {"leadId": wrong, "content": "x"}.items() if value is not UNSET}
        await _refused(client, make, people, "POST", "/v1.0/notes", body, 20012)
    foreign, trashed = await make.lead(by=people.sid), await make.lead()
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    unseen = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    for lead_id in (foreign, trashed, unseen, 999):
        await _refused(client, make, people, "POST", "/v1.0/notes", {"leadId": lead_id, "content": "x"}, 20006)


async def test_s1_30_content_is_required(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    note_id = await make.note(lead_id, "old")
    for wrong in (UNSET, None, "", "  ", 5):
        body = {} if wrong is UNSET else {"content": wrong}
        await _refused(client, make, people, "POST", "/v1.0/notes", {"leadId": lead_id, **body}, 20012)
        await _refused(client, make, people, "PUT", f"/v1.0/notes/{note_id}", body, 20012)


@pytest.mark.parametrize("letter", ["x", "é", HOUSE])
async def test_s1_30_content_is_silently_cut(client: Client, make: Make, letter: str) -> None:
    lead_id = await make.lead()
    for length in (1999, 2000, 2001):
        note_id = await make.note(lead_id, letter * length)
        assert (await _note(client, note_id))["content"] == letter * min(length, 2000)
        await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": f"y{letter * length}"})
        assert (await _note(client, note_id))["content"] == f"y{letter * min(length, 1999)}"


async def test_s1_31_d7_pinning(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    for sent, kept in ((True, True), (False, False)):
        assert (await _note(client, await make.note(lead_id, isPin=sent)))["isPin"] is kept
    for wrong in (None, "x"):
        body = {"leadId": lead_id, "content": "x", "isPin": wrong}
        await _refused(client, make, people, "POST", "/v1.0/notes", body, 20012)
        url = f"/v1.0/notes/{await make.note(lead_id)}"
        await _refused(client, make, people, "PUT", url, {"content": "x", "isPin": wrong}, 20012)


@pytest.mark.parametrize("is_pinned", [True, False])
async def test_s1_32_d7_d8_content_alone_changes(client: Client, make: Make, people: People, is_pinned: bool) -> None:
    lead_id = await make.lead()
    note_id = await make.note(lead_id, "old", by=people.olive, isPin=is_pinned)
    before = await _note(client, note_id)
    await make.change("UPDATE note SET updated_at = updated_at - interval '1 min' WHERE id = $1", note_id)
    assert await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": "new"}) == {}
    after = await _note(client, note_id)
    changed = {name for name in after if after[name] != before[name]} - {"lastUpdate"}
    assert changed == {"content", "lastEditorId", "lastEditorName"}
    assert (after["content"], after["isPin"], after["lastEditorId"]) == ("new", is_pinned, people.adam.id)
    assert after["lastUpdate"] >= before["lastUpdate"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", after["lastUpdate"])
    assert await _told(make, lead_id) == ["createdNote", "updatedNote"]


async def test_s1_32_last_update_moves(client: Client, make: Make) -> None:
    note_id = await make.note(await make.lead())
    sql = "UPDATE note SET created_at = created_at - interval '1 day', updated_at = updated_at - interval '1 day'"
    await make.change(f"{sql} WHERE id = $1", note_id)
    before = (await _note(client, note_id))["lastUpdate"]
    await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": "new"})
    after = await _note(client, note_id)
    assert after["lastUpdate"] > before >= after["createTime"]


async def test_d8_all_fields_may_be_sent_but_not_another_lead(client: Client, make: Make, people: People) -> None:
    lead_id, other = await make.lead(), await make.lead()
    url = f"/v1.0/notes/{await make.note(lead_id)}"
    await client.ok("PUT", url, {"content": "new", "leadId": lead_id, "isPin": True})
    await client.ok("PUT", url, {"content": "newer", "leadId": None})
    [note] = await _listed(client, lead_id)
    assert (note["content"], note["isPin"]) == ("newer", True)
    await _refused(client, make, people, "PUT", url, {"content": "x", "leadId": other}, 900014)


async def test_a_change_is_kept_with_old_and_new(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    note_id = await make.note(lead_id, "old")
    await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": "new", "isPin": True})
    await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": "new"})
    sql = "SELECT actor_id, details FROM timeline_entry WHERE lead_id = $1 AND kind = 'note_edited'"
    ((actor_id, details),) = await make.rows(sql, lead_id)
    assert (actor_id, msgspec.json.decode(details)) == (
        people.adam.id,
        {
            "noteId": note_id,
            "from": {"content": "old", "isPin": False},
            "to": {"content": "new", "isPin": True},
        },
    )
    timeline = await client.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline")
    shown = timeline["entries"][0]
    assert (shown["isPinned"], shown["details"]["content"]) == (True, "new")


async def test_s1_33_a_note_is_deleted(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead()
    note_id, stays = await make.note(lead_id, "gone", isPin=True), await make.note(lead_id)
    headers = {"Authorization": f"Bearer {people.adam.key}", "Content-Type": "application/json"}
    answer = await client.send("DELETE", f"/v1.0/notes/{note_id}", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    for method, body in (("GET", None), ("PUT", {"content": "x"}), ("DELETE", None)):
        assert await client.refused(method, f"/v1.0/notes/{note_id}", body) == (404, 20007)
    assert [note["noteId"] for note in await _listed(client, lead_id)] == [stays]
    assert await _told(make, lead_id) == ["createdNote", "createdNote", "deletedNote"]
    sql = "SELECT actor_id, details FROM timeline_entry WHERE lead_id = $1 AND kind = 'note_deleted'"
    ((actor_id, details),) = await make.rows(sql, lead_id)
    assert (actor_id, msgspec.json.decode(details)) == (people.adam.id, {"noteId": note_id, "content": "gone"})


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/1"), ("PATCH", "/1"), ("POST", "/note_1")],
)
async def test_s1_34_other_methods(client: Client, method: str, path: str) -> None:
    assert (await client.send(method, f"/v1.0/notes{path}", {"content": "x"})).status_code == 405


async def test_notes_of_leads_that_are_not_theirs(client: Client, make: Make, people: People) -> None:
    foreign = await make.note(await make.lead(by=people.sid), by=people.sid)
    lead_id = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    unseen = await make.note(lead_id, by=people.otto)
    trashed_lead = await make.lead()
    trashed = await make.note(trashed_lead)
    await client.ok("DELETE", f"/v1.0/leads/{trashed_lead}?reason=x")
    for note_id, code in ((foreign, 20007), (unseen, 20006), (trashed, 20006)):
        url = f"/v1.0/notes/{note_id}"
        await _refused(client, make, people, "GET", url, None, 20007)
        await _refused(client, make, people, "PUT", url, {"content": "x"}, code)
        await _refused(client, make, people, "DELETE", url, None, code)


async def test_a_lender_writes_but_does_not_delete(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(assignedUserId=people.adam.id)
    wish = [{"role": "Lender", "assignee": people.otto.email}]
    await client.ok("POST", f"/v1.0/leads/{lead_id}/assignment", wish)
    sql = "UPDATE member SET role = 'lender' WHERE id = $1"
    note_id = await make.note(lead_id, by=people.otto)
    assert await client.as_(people.otto).refused("DELETE", f"/v1.0/notes/{note_id}") == (404, 20006)
    await make.change(sql, people.otto.id)
    assert await client.as_(people.otto).refused("DELETE", f"/v1.0/notes/{note_id}") == (404, 20006)
    assert len(await _listed(client, lead_id)) == 1


async def test_of_two_deletions_one_wins(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    note_id = await make.note(lead_id)
    answers = await asyncio.gather(*(client.send("DELETE", f"/v1.0/notes/{note_id}") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert await _told(make, lead_id) == ["createdNote", "deletedNote"]
