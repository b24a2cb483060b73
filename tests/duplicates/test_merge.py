"""Merging two leads: what each field becomes, what moves, who hears of it, and who may."""

from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.duplicates.history import HISTORY

BOTH = {"emails", "phones", "tags", "segments", "customAttributes", "leadPropertyList", "leadFamilyMemberList"}


def merge_url(lead_id: int) -> str:
    return f"/rooftree/v1/leads/{lead_id}/merge"


def by_field(preview: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["field"]: one for one in preview["fields"]}


async def test_preview_says_what_the_merge_does(client: Client, make: Make) -> None:
    """Non-empty wins, lists come together, the newest inquiry, the earliest creation, the stricter consent."""
    older = await make.lead(
        firstName="Jon",
        lastName="Smith",
        emails=["jon@x.example", "JON@y.example"],
        phones=["(310) 555-0100"],
        tags=["buyer", "hot"],
        segments=["s1"],
        source="Zillow",
        cannotText=True,
        inquiry={"priceMin": 1},
        property={"city": "Austin", "streetAddress": "1 Main St"},
        leadFamilyMemberList=[{"firstName": "Eve"}],
        language="fr",
    )
    newer = await make.lead(
        firstName="John",
        emails=["jon@Y.example"],
        phones=["+1 310 555 0100", "3105550101"],
        tags=["hot", "vip"],
        inquiry={"priceMin": 2},
        stage="Contacted",
        leadFamilyMemberList=[{"firstName": "Eve"}, {"firstName": "Ben"}],
    )
    before = await client.lead(older), await client.lead(newer)
    body = {"otherLeadId": older, "choices": {"firstName": "other", "segments": "other"}}
    preview = await client.ok("POST", f"{merge_url(newer)}/preview", body)
    assert (await client.lead(older), await client.lead(newer)) == before, "a preview stores nothing"
    fields = by_field(preview)
    assert {name for name, field in fields.items() if "both" in field["choices"]} == BOTH | {"leadTypes", "customRoles"}
    assert (fields["firstName"]["winner"], fields["firstName"]["other"]) == ("John", "Jon")
    assert (fields["firstName"]["result"], fields["lastName"]["result"]) == ("Jon", "Smith")

    done = await client.ok("POST", merge_url(newer), body)
    lead = await client.lead(newer)
    for field in fields.values():
        shown = field["result"]
        for key, value in shown.items() if _is_several(field["field"]) else [(field["field"], shown)]:
            assert lead[key] == value, f"{field['field']}: the preview and the merge agree"
    assert lead["emails"] == ["jon@Y.example", "jon@x.example"]
    assert lead["phones"] == ["+1 310 555 0100", "3105550101"]
    assert [tag["tagName"] for tag in lead["tags"]] == ["hot", "vip", "buyer"]
    assert {tag["leadId"] for tag in lead["tags"]} == {newer}
    assert (lead["source"], lead["stage"], lead["language"]) == ("Zillow", "Contacted", "fr")
    assert (lead["cannotText"], lead["leadInquiry"]["priceMin"], lead["segments"]) == (True, 2, ["s1"])
    assert [one["firstName"] for one in lead["leadFamilyMemberList"]] == ["Eve", "Ben"]
    assert [home["leadUserId"] for home in lead["leadPropertyList"]] == [newer]
    assert lead["createTime"] == before[0]["createTime"]
    assert (done["leadId"], done["mergedLeadId"], done["moved"]) == (newer, older, preview["moves"])
    assert await client.refused("GET", f"/v1.0/leads/{older}") == (404, 20006)
    assert await client.ids(key="jon@x.example") == [newer]
    assert await client.ids(tags="buyer") == [newer]
    (told,) = (await client.ok("GET", f"/rooftree/v1/merges?leadId={older}"))["merges"]
    assert told == done, "it says where the lead has gone"


def _is_several(name: str) -> bool:
    return name in {"assignedUser", "customRoles", "ownership", "address"}


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"shoe": "winner"}, "shoe"),
        ({"stage": "both"}, "winner, other"),
        ({"cannotText": "other"}, "stricter"),
        ({"emails": "none"}, "winner, other, both"),
    ],
)
async def test_choices_that_there_are_not(client: Client, make: Make, choices: dict[str, str], says: str) -> None:
    one, other = await make.lead(), await make.lead()
    for url in (merge_url(one), f"{merge_url(one)}/preview"):
        answer = await client.send("POST", url, {"otherLeadId": other, "choices": choices})
        assert (answer.status_code, answer.json()["code"]) == (400, 20012)
        assert says in answer.json()["message"]
    assert await client.refused("POST", merge_url(one), {"otherLeadId": one}) == (400, 20012)
    assert (await client.lead(other))["leadId"] == other


async def test_both_must_be_theirs_to_change(client: Client, make: Make, people: People) -> None:
    own, colleagues, foreign = await make.lead(), await make.lead(by=people.otto), await make.lead(by=people.sid)
    for one, other in ((own, colleagues), (colleagues, own), (own, foreign), (own, 1)):
        for url in (merge_url(one), f"{merge_url(one)}/preview"):
            assert await client.refused("POST", url, {"otherLeadId": other}) == (404, 20006)
    done = await client.as_(people.olive).ok("POST", merge_url(own), {"otherLeadId": colleagues})
    undo = f"/rooftree/v1/merges/{done['mergeId']}/undo"
    assert await client.refused("POST", undo) == (404, 20007), "the lead that comes back is not Adam's"
    assert await client.as_(people.stella).refused("POST", undo) == (404, 20007)
    assert (await client.as_(people.stella).ok("GET", "/rooftree/v1/merges"))["merges"] == []
    assert (await client.as_(people.otto).ok("GET", "/rooftree/v1/merges"))["merges"] == []


async def test_both_leads_logbooks_and_the_world_hear_of_both_ids(client: Client, make: Make, people: People) -> None:
    stays, goes = await make.lead(firstName="A", stage="New Lead"), await make.lead(firstName="B", stage="Active")
    done = await client.ok(
        "POST", merge_url(stays), {"otherLeadId": goes, "choices": {"stage": "other", "tags": "both"}}
    )
    entry = (await client.ok("GET", f"/rooftree/v1/leads/{stays}/timeline"))["entries"]
    (merged,) = [one for one in entry if one["kind"] == "lead_merged"]
    assert merged["memberId"] == people.adam.id
    details = merged["details"]
    assert (details["mergeId"], details["mergedLeadId"]) == (done["mergeId"], goes)
    assert details["choices"] == {"stage": "other", "tags": "both"}
    await client.ok("POST", f"/rooftree/v1/merges/{done['mergeId']}/undo")
    entry = (await client.ok("GET", f"/rooftree/v1/leads/{goes}/timeline"))["entries"]
    assert [one["details"]["mergedIntoLeadId"] for one in entry if one["kind"] == "lead_merged_away"] == [stays]
    rows = await make.rows(
        """SELECT list_id, verb, payload FROM announcement WHERE team_id = $1 AND lead_id = ANY ($2)
              AND verb <> 'createdLead' ORDER BY id""",
        people.adam.team_id,
        [stays, goes],
    )
    told = [(row[0], row[1], msgspec.json.decode(row[2])) for row in rows]
    assert (2, "updatedLead", {"leadId": stays, "mergedLeadId": goes}) in told[:3]
    assert (2, "deletedLead", {"leadId": goes, "mergedIntoLeadId": stays}) in told[:3]
    assert told[0][0] + told[1][0] + told[2][0] == 2 + 12 + 2, "each thing once, and the stage"
    assert (2, "updatedLead", {"leadId": stays, "unmergedLeadId": goes}) in told[3:]
    assert (2, "updatedLead", {"leadId": goes, "unmergedFromLeadId": stays}) in told[3:]


async def test_history_moves_whatever_it_is(client: Client, make: Make, people: People) -> None:
    stays, goes = await make.lead(emails=["a@x.example"]), await make.lead(emails=["b@x.example"], content="hello")
    note = await make.note(goes, "a note")
    await client.ok("DELETE", f"/v1.0/notes/{await make.note(goes, 'gone')}")
    await make.log(goes)
    await make.site(goes, "Favorite")
    await client.ok(
        "POST", "/v1.0/message/email/send", {"leadId": goes, "subject": "s", "body": "b", "toEmail": "b@x.example"}
    )
    done = await client.ok("POST", merge_url(stays), {"otherLeadId": goes})
    assert done["moved"]["notes"] == 3
    assert done["moved"]["messages"] == 1
    notes = (await client.ok("GET", f"/v1.0/notes?leadId={stays}"))["notes"]
    assert {one["content"] for one in notes} == {"hello", "a note"}
    assert (await client.ok("GET", f"/v1.0/notes/{note}"))["note"]["leadId"] == stays
    assert (await client.lead(stays))["score"] == 3
    for table in ("note", "message", "timeline_entry"):
        left = await make.rows(
            f"SELECT count(*) FROM {table} WHERE team_id = $1 AND lead_id = $2", people.adam.team_id, goes
        )
        assert left[0][0] == (1 if table == "timeline_entry" else 0), "all but that it was merged away"


async def test_chains(client: Client, make: Make) -> None:
    """A into B, then B into C; undone in the other order, and in no other."""
    a, b, c = [await make.lead(firstName=name) for name in "ABC"]
    note = await make.note(a, "of A")
    first = await client.ok("POST", merge_url(b), {"otherLeadId": a})
    second = await client.ok("POST", merge_url(c), {"otherLeadId": b})
    assert (await client.ok("GET", f"/v1.0/notes/{note}"))["note"]["leadId"] == c
    answer = await client.send("POST", f"/rooftree/v1/merges/{first['mergeId']}/undo")
    assert (answer.status_code, answer.json()["code"]) == (409, 900409)
    assert str(second["mergeId"]) in answer.json()["message"]
    await client.ok("POST", f"/rooftree/v1/merges/{second['mergeId']}/undo")
    assert (await client.ok("GET", f"/v1.0/notes/{note}"))["note"]["leadId"] == b
    await client.ok("POST", f"/rooftree/v1/merges/{first['mergeId']}/undo")
    assert (await client.ok("GET", f"/v1.0/notes/{note}"))["note"]["leadId"] == a
    assert await client.refused("POST", f"/rooftree/v1/merges/{first['mergeId']}/undo") == (409, 900409)


async def test_undo_keeps_what_somebody_changed_since(client: Client, make: Make) -> None:
    stays = await make.lead(firstName="Ann", emails=["a@x.example"], tags=["t1"])
    goes = await make.lead(firstName="Anna", lastName="Lee", emails=["b@x.example"], tags=["t2"])
    done = await client.ok("POST", merge_url(stays), {"otherLeadId": goes})
    await client.ok("PUT", f"/v1.0/leads/{stays}", {"lastName": "Li", "emails": ["c@x.example"]})
    later = await make.note(stays, "later")
    undone = await client.ok("POST", f"/rooftree/v1/merges/{done['mergeId']}/undo")
    assert sorted(undone["kept"]) == ["emails", "lastName"]
    lead = await client.lead(stays)
    assert (lead["lastName"], lead["emails"]) == ("Li", ["c@x.example"])
    assert [tag["tagName"] for tag in lead["tags"]] == ["t1"]
    back = await client.lead(goes)
    assert (back["lastName"], back["emails"], [tag["tagName"] for tag in back["tags"]]) == (
        "Lee",
        ["b@x.example"],
        ["t2"],
    )
    assert (await client.ok("GET", f"/v1.0/notes/{later}"))["note"]["leadId"] == stays
    (told,) = (await client.ok("GET", f"/rooftree/v1/merges?leadId={stays}"))["merges"]
    assert (told["undoUntil"], told["undoneAt"] is not None) == (None, True)


async def test_a_merged_lead_does_not_come_back_alone(client: Client, make: Make) -> None:
    stays, goes = await make.lead(), await make.lead()
    await client.ok("POST", merge_url(stays), {"otherLeadId": goes})
    answer = await client.send("POST", f"/rooftree/v1/leads/{goes}/restore")
    assert (answer.status_code, answer.json()["code"]) == (409, 900409)
    assert str(stays) in answer.json()["message"]
    assert await client.refused("POST", merge_url(stays), {"otherLeadId": goes}) == (404, 20006)


async def test_versions_and_keys(client: Client, make: Make, people: People) -> None:
    stays, goes = await make.lead(), await make.lead()
    url, body = merge_url(stays), {"otherLeadId": goes}
    mine = {"Authorization": f"Bearer {people.adam.key}"}
    tag = (await client.send("GET", f"/v1.0/leads/{stays}")).headers["etag"]
    await client.ok("PUT", f"/v1.0/leads/{stays}", {"firstName": "Z"})
    assert (await client.send("POST", url, body, headers={**mine, "If-Match": tag})).status_code == 412
    tag = (await client.send("GET", f"/v1.0/leads/{stays}")).headers["etag"]
    headers = {**mine, "If-Match": tag, "Idempotency-Key": "merge-once"}
    first = await client.send("POST", url, body, headers=headers)
    again = await client.send("POST", url, body, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert len((await client.ok("GET", f"/rooftree/v1/merges?leadId={stays}"))["merges"]) == 1


def test_every_kind_of_history_has_a_name() -> None:
    assert list(HISTORY) == ["timeline", "notes", "transactions", "calls", "messages", "arrivals", "offers"]
