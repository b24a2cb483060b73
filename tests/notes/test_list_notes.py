"""GET /v1.0/notes, and the note that comes with a lead. contract: behaviour.md 6"""

import re
from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.make import Make, actor_for
from tests.support.people import People, Person

from rooftree.notes.actions import add_note
from rooftree.platform.database import Database
from rooftree.timeline.actions import Audience, record


async def _add(db: Database, by: Person, lead_id: int, content: str, **flags: bool) -> int:
    async with db.transaction(by.team_id) as tx:
        entry = await add_note(tx, actor_for(by), lead_id, content, **flags)
        await record(tx, actor_for(by), [entry], audience=Audience([], "TEAM", 0, False))
    return entry.details["noteId"]


async def _notes(client: Client, lead_id: int, query: str = "") -> list[dict[str, Any]]:
    return (await client.ok("GET", f"/v1.0/notes?leadId={lead_id}{query}"))["notes"]


async def test_a_lead_without_notes(client: Client, make: Make) -> None:
    assert await client.ok("GET", f"/v1.0/notes?leadId={await make.lead()}") == {"notes": []}


async def test_pinned_first_then_newest(client: Client, db: Database, make: Make, people: People) -> None:
    lead_id, other = await make.lead(), await make.lead()
    for content, flags in (("1", {"is_pinned": True}), ("2", {}), ("3", {"is_pinned": True}), ("4", {})):
        await _add(db, people.adam, lead_id, content, **flags)
    await _add(db, people.adam, other, "of another lead")
    assert [note["content"] for note in await _notes(client, lead_id)] == ["3", "1", "4", "2"]


async def test_system_notes_only_on_request(client: Client, db: Database, make: Make, people: People) -> None:
    lead_id = await make.lead()
    await _add(db, people.adam, lead_id, "mine")
    await _add(db, people.adam, lead_id, "system", is_system=True)
    without, everything = [("mine", False)], [("system", True), ("mine", False)]
    for value, expected in ((None, without), ("false", without), ("true", everything), ("TRUE", everything)):
        found = await _notes(client, lead_id, "" if value is None else f"&includeSystemNote={value}")
        assert [(note["content"], note["systemNote"]) for note in found] == expected, value


async def test_every_field(client: Client, db: Database, make: Make, people: People) -> None:
    lead_id = await make.lead()
    note_id = await _add(db, people.ana, lead_id, "  kept as sent\n", is_pinned=True)
    change = "UPDATE note SET last_editor_id = $2, updated_at = created_at + interval '5 min' WHERE id = $1"
    await make.change(change, note_id, people.otto.id)
    ((timeline_id, created_at),) = await make.rows("SELECT timeline_id, created_at FROM note WHERE id = $1", note_id)
    (note,) = await _notes(client, lead_id)
    last_update = note.pop("lastUpdate")
    assert note == {
        "id": timeline_id,
        "noteId": note_id,
        "creatorId": people.ana.id,
        "leadId": lead_id,
        "createTime": f"{created_at:%Y-%m-%d %H:%M:%S}",
        "deleteFlag": False,
        "content": "  kept as sent\n",
        "lastEditorId": people.otto.id,
        "creatorName": "Ana",
        "lastEditorName": "Otto",
        "isPin": True,
        "systemNote": False,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", last_update)
    assert last_update > note["createTime"]


async def test_a_deleted_note_is_gone(client: Client, db: Database, make: Make, people: People) -> None:
    lead_id = await make.lead()
    gone, stays = await _add(db, people.adam, lead_id, "gone"), await _add(db, people.adam, lead_id, "stays")
    await make.change("UPDATE note SET deleted_at = now(), deleted_by = creator_id WHERE id = $1", gone)
    assert [note["noteId"] for note in await _notes(client, lead_id)] == [stays]


@pytest.mark.parametrize("letter", ["é", "\U0001f3e0"])
async def test_content_is_cut_to_2000_characters(client: Client, make: Make, letter: str) -> None:
    lead_id = await make.lead(content=letter * 2001)
    assert [note["content"] for note in await _notes(client, lead_id)] == [letter * 2000]


async def test_the_timeline_and_the_announcement_name_the_note(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(content="first call went well")
    (note,) = await _notes(client, lead_id)
    entry = "SELECT id, actor_id, details FROM timeline_entry WHERE lead_id = $1 AND kind = 'note_added'"
    ((entry_id, actor_id, details),) = await make.rows(entry, lead_id)
    assert (entry_id, actor_id) == (note["id"], people.adam.id)
    assert msgspec.json.decode(details) == {"noteId": note["noteId"], "content": "first call went well"}
    announcement = "SELECT verb, payload FROM announcement WHERE lead_id = $1 AND list_id = 9"
    ((verb, payload),) = await make.rows(announcement, lead_id)
    assert verb == "createdNote"
    assert msgspec.json.decode(payload) == {"leadId": lead_id, "noteId": note["noteId"], "timelineId": note["id"]}


@pytest.mark.parametrize(
    "query", ["", "?leadId=", "?leadId=abc", "?leadId=0", "?leadId=-1", "?leadId=1&includeSystemNote=perhaps"]
)
async def test_a_faulty_query(client: Client, query: str) -> None:
    assert await client.refused("GET", f"/v1.0/notes{query}") == (400, 20012)


async def test_an_invisible_lead(client: Client, make: Make, people: People) -> None:
    foreign = await make.lead(by=people.sid)
    unseen = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    trashed = await make.lead()
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    for lead_id in (999, 2**62, foreign, unseen, trashed):
        assert await client.refused("GET", f"/v1.0/notes?leadId={lead_id}") == (404, 20006), lead_id


async def test_nobody(client: Client, make: Make) -> None:
    assert await client.as_(None).refused("GET", f"/v1.0/notes?leadId={await make.lead()}") == (401, 900401)
