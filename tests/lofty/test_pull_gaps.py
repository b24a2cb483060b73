"""Sources that do not offer everything, people who left, ids that are taken."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.lofty.account import asgi, fill, reader
from tests.support.faulty import Faulty, faulty
from tests.support.installation import Installation
from tests.support.moved import differences

from rooftree.lofty import counts, queries
from rooftree.lofty.model import KINDS
from rooftree.lofty.pull import Plan, Run, survey
from rooftree.lofty.source import Source, SourceError


@pytest.fixture
async def proxy(there: Installation) -> AsyncIterator[Faulty]:
    """What stands before the source."""
    async with asgi(there.app) as upstream, faulty(upstream) as found:
        yield found


class Taken:
    """What a run left behind."""

    def __init__(self, found: list[counts.Count], refused: list[Any], ids: dict[str, dict[str, int]]) -> None:
        self.counts = {one.kind: one for one in found}
        self.refused = refused
        self.ids = ids


async def pull(proxy: Faulty, there: Installation, here: Installation, *only: str, **plan: Any) -> Taken:
    """Take an account over in this process."""
    wanted = [kind for kind in KINDS if not only or kind in only]
    given = Plan(here.people.olive.id, wanted, plan.get("since"), plan.get("assign_to"), "US")
    key = plan.get("key", there.people.olive.key)
    async with Source(proxy.url, key) as source:
        done = await Run(here.owner_db, source, given, lambda *_: None).go(here.team_id)
    async with here.owner_db.reading(here.team_id) as tx:
        found = await counts.compare(tx, done)
        refused = [one async for page in queries.refusals(tx) for one in page]
        ids: dict[str, dict[str, int]] = {}
        async for page in queries.id_map(tx):
            for one in page:
                ids.setdefault(one.kind, {})[one.source_id] = one.own_id
    return Taken(found, refused, ids)


async def test_what_a_source_does_not_offer_is_said_and_the_rest_comes(
    proxy: Faulty, there: Installation, here: Installation
) -> None:
    rich, hidden, _ = await fill(there)
    no = {"code": 900501, "message": "This operation is not part of this version yet."}
    proxy.refused = {
        "/v1.0/org": (403, {"code": 1, "message": "no"}),
        "/v1.0/members": (403, {"code": 1, "message": "no"}),
        "/v1.0/systemLogs": (501, no),
        "/v1.0/communication/call/v2": (501, no),
        "/v2.0/communication/agent": (400, {"code": 900002, "message": "not for you"}),
        f"/v1.0/leads/{hidden}/transactions": (404, {"code": 20006, "message": "LEAD_NOT_EXIST"}),
    }
    for _ in range(2):
        taken = await pull(proxy, there, here)
        kinds = ("office", "member", "changes")
        assert {kind for kind, one in taken.counts.items() if one.problem} == set(kinds)
        assert [one.kind for one in taken.refused] == ["transactions of lead"]
        assert [kind for kind, one in taken.counts.items() if not one.is_equal] == ["transactions"]
        assert taken.counts["talk"].total == taken.counts["talk"].here == 4
        second = reader(asgi(here.app), here.people.olive)
        lead = (await second(f"/v1.0/leads/{rich}"))["lead"]
        # Nobody knows the people: they are here as inactive members, and the office's lead is its agent's own.
        assert lead["assignedUserId"] == taken.ids["stranger"][str(there.people.ana.id)]
        assert (lead["assignedUser"], lead["ownershipScope"]) == ("Ana", "PERSONAL")
        ((status,),) = await here.rows("SELECT status FROM member WHERE id = $1", lead["assignedUserId"])
        assert status == "deactivated"
        logs = (await second(f"/v1.0/systemLogs?leadId={rich}"))["timeLines"]
        assert [(one["timelineTypeDesc"], one["agentId"]) for one in logs] == [("LeadCreated", 0)]
    proxy.refused = {}
    taken = await pull(proxy, there, here)
    assert all(one.is_equal for one in taken.counts.values())
    first = reader(asgi(there.app), there.people.olive)
    found = await differences(first, second, {rich: rich})
    # That the lead came in was written here first: among changes of the same millisecond it may stand elsewhere.
    assert [one for one in found if not one.startswith("/v1.0/systemLogs")] == []
    logs = [(await read(f"/v1.0/systemLogs?leadId={rich}"))["timeLines"] for read in (first, second)]
    there_and_here = [sorted((one["timelineTypeDesc"], one["timelineTime"]) for one in log) for log in logs]
    assert there_and_here[0] == there_and_here[1]


async def test_leads_of_people_who_left_go_to_whom_is_named(
    proxy: Faulty, there: Installation, here: Installation
) -> None:
    lead_id = await there.make.lead(by=there.people.olive, assignedUserId=there.people.ana.id)
    await there.make.note(lead_id, by=there.people.ana)
    olive = await reader(asgi(there.app), there.people.olive)("/v1.0/me")
    proxy.refused = {"/v1.0/members": (200, {"_metadata": {"total": 1}, "members": [olive]})}
    taken = await pull(proxy, there, here, assign_to=here.people.adam.id)
    second = reader(asgi(here.app), here.people.olive)
    assert (await second(f"/v1.0/leads/{lead_id}"))["lead"]["assignedUserId"] == here.people.adam.id
    (note,) = (await second(f"/v1.0/notes?leadId={lead_id}"))["notes"]
    assert note["creatorId"] == taken.ids["stranger"][str(there.people.ana.id)]


async def test_an_id_that_is_taken_here_is_another_one(proxy: Faulty, there: Installation, here: Installation) -> None:
    lead_id = await there.make.lead(by=there.people.olive, firstName="Theirs")
    note_id = await there.make.note(lead_id, by=there.people.olive)
    log_id = await there.make.log(lead_id, by=there.people.olive)
    await here.make.lead_with_id(lead_id, here.people.olive, firstName="Ours")
    arrival = "UPDATE timeline_entry SET id = $1 WHERE lead_id = $2 AND kind = 'lead_created'"
    await here.make.change(arrival, log_id, lead_id)
    taken = await pull(proxy, there, here)
    own_id = taken.ids["lead"][str(lead_id)]
    assert own_id != lead_id
    assert taken.ids["talk"][str(log_id)] != log_id
    assert taken.ids["note"][str(note_id)] == note_id
    second = reader(asgi(here.app), here.people.olive)
    assert (await second(f"/v1.0/leads/{lead_id}"))["lead"]["firstName"] == "Ours"
    first = reader(asgi(there.app), there.people.olive)
    assert await differences(first, second, {lead_id: own_id}) == []
    again = await pull(proxy, there, here)
    assert again.ids == taken.ids


async def test_what_cannot_be_read_is_listed_and_counted(
    proxy: Faulty, there: Installation, here: Installation
) -> None:
    lead_id = await there.make.lead(by=there.people.olive)
    visit = {"type": "Teleport", "created": 1747272300000}
    proxy.refused = {
        "/v1.0/notes": (200, {"notes": [{"id": 5, "noteId": [1]}, {"noteId": "77", "content": "kept"}]}),
        f"/v1.0/leads/{lead_id}/activities": (200, [visit, {"type": "Browse", "created": 10**18}]),
    }
    taken = await pull(proxy, there, here)
    assert sorted(one.kind for one in taken.refused) == ["note", "visit", "visit"]
    assert {kind for kind, one in taken.counts.items() if not one.is_equal} == {"notes", "visits"}
    assert (taken.counts["notes"].seen, taken.counts["notes"].here) == (2, 1)


async def test_only_and_since_take_less(proxy: Faulty, there: Installation, here: Installation) -> None:
    old = await there.make.lead(by=there.people.olive)
    new = await there.make.lead(by=there.people.olive)
    await there.make.change(
        "UPDATE lead SET created_at = '2020-01-01', updated_at = '2020-01-01', assigned_at = NULL WHERE id = $1", old
    )
    taken = await pull(proxy, there, here, "leads", since=datetime(2025, 1, 1, tzinfo=UTC))
    assert set(taken.ids["lead"]) == {str(new)}
    assert not any(path.startswith(("/v1.0/notes", "/v2.0")) for path in proxy.requests)
    assert taken.counts["leads"].is_equal
    taken = await pull(proxy, there, here, "leads", "notes")
    assert set(taken.ids["lead"]) == {str(old), str(new)}


async def test_a_team_takes_from_one_account_only(proxy: Faulty, there: Installation, here: Installation) -> None:
    await pull(proxy, there, here, "leads")
    with pytest.raises(SourceError, match="from one account"):
        await pull(proxy, there, here, key=there.people.stella.key)


async def test_a_survey_writes_nothing(proxy: Faulty, there: Installation, here: Installation) -> None:
    lead_id = await there.make.lead(by=there.people.olive)
    await there.make.log(lead_id, by=there.people.olive)
    proxy.refused = {"/v1.0/org": (501, {})}
    async with Source(proxy.url, there.people.olive.key) as source:
        found = await survey(source, KINDS, None)
    assert (found["leads"], found["talk"], found["members"]) == (1, 1, 4)
    assert found["offices"] == "not offered by the source (501)"
