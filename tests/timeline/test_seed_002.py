"""Seed 002, site activity: a test per row of its claims, named by the row."""

import re
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

LISTING: dict[str, Any] = {
    "price": 100000,
    "state": "California",
    "city": "New York",
    "streetAddress": "22348 Regnart RD",
    "zipCode": "25401",
    "county": "<string>",
    "propertyType": "Single Family Home",
    "bedrooms": 3,
    "bathrooms": 2,
    "squareFeet": 100,
    "lotSize": 26.33,
    "parkingSpace": 1,
    "floors": 1,
    "mailAddress": True,
    "id": 123,
    "leadUserId": 123,
    "listingId": "<string>",
    "autoListingId": 123,
    "label": "<string>",
    "note": "<string>",
    "listingStatus": "<string>",
    "labelList": "<string>",
    "pictureUrl": "<string>",
    "siteListingUrl": "<string>",
    "labelType": "<string>",
    "priceMax": 10000000,
    "priceMin": 100000,
}
#: The printed body.
SEARCH: dict[str, Any] = {
    "type": "Search",
    "text": "Search",
    "link": "https://lofty.com",
    "picture": "https://lofty.com/default.jpg",
    "created": 1747272300000,
    "listing": LISTING,
    "scheduledDate": "<string>",
    "pageName": "Blog Registration",
}


def _body(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**SEARCH, **changes}.items() if value is not UNSET}


async def _shown(client: Client, lead_id: int, query: str = "") -> list[dict[str, Any]]:
    return await client.ok("GET", f"/v1.0/leads/{lead_id}/activities{query}")


async def _kept(client: Client, make: Make, **changes: Any) -> dict[str, Any]:
    lead_id = await make.lead()
    assert await client.ok("POST", f"/v1.0/leads/{lead_id}/activity", _body(**changes)) == {"leadId": lead_id}
    [activity] = await _shown(client, lead_id)
    return activity


async def _refused(client: Client, make: Make, people: People, **changes: Any) -> None:
    lead_id = await make.lead()
    before = await make.everything(people.adam.team_id)
    refusal = await client.refused("POST", f"/v1.0/leads/{lead_id}/activity", _body(**changes))
    assert refusal == (400, 20012)
    assert await make.everything(people.adam.team_id) == before


async def test_s2_01_it_is_shown_as_it_was_sent(client: Client, make: Make) -> None:
    assert await _kept(client, make) == SEARCH


async def test_s2_02_d10_the_answer_is_the_leads_id(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    answer = await client.send("POST", f"/v1.0/leads/{lead_id}/activity", _body())
    assert answer.text == f'{{"leadId":{lead_id}}}'


async def test_s2_03_headers(client: Client, make: Make, people: People) -> None:
    url = f"/v1.0/leads/{await make.lead()}/activity"
    assert await client.as_(None).refused("POST", url, _body()) == (401, 900401)
    headers, content = {"Authorization": f"Bearer {people.adam.key}"}, msgspec.json.encode(_body())
    assert (await client.send("POST", url, content=content, headers=headers)).status_code == 200


async def test_s2_04_the_lead_must_be_theirs(client: Client, make: Make, people: People) -> None:
    foreign, trashed = await make.lead(by=people.sid), await make.lead()
    await client.ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    unseen = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    before = await make.everything(people.adam.team_id, people.sid.team_id)
    for body in (_body(), {"type": "call"}):
        for lead_id in (foreign, trashed, 999, "abc", unseen, 0, -1, 2**70):
            assert await client.refused("POST", f"/v1.0/leads/{lead_id}/activity", body) == (404, 20006), lead_id
            assert await client.refused("GET", f"/v1.0/leads/{lead_id}/activities") == (404, 20006), lead_id
    assert await make.everything(people.adam.team_id, people.sid.team_id) == before


async def test_s2_04_a_lender_does_not_manage(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(assignedUserId=people.adam.id)
    wish = [{"role": "Lender", "assignee": people.otto.email}]
    await client.ok("POST", f"/v1.0/leads/{lead_id}/assignment", wish)
    otto = client.as_(people.otto)
    assert await otto.refused("POST", f"/v1.0/leads/{lead_id}/activity", _body()) == (404, 20006)
    assert await otto.refused("GET", f"/v1.0/leads/{lead_id}/activities") == (404, 20006)


@pytest.mark.parametrize("word", [UNSET, None, "", 1])
async def test_s2_05_a_type_is_required(client: Client, make: Make, people: People, word: Any) -> None:
    await _refused(client, make, people, type=word)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"type": "Search"}, id="S2-06"),
        pytest.param({"type": "Browse"}, id="S2-07"),
        pytest.param({"type": "Favorite"}, id="S2-08"),
        pytest.param({"type": "Request", "scheduledDate": "May 20, 2026 10:00 AM"}, id="S2-09"),
        pytest.param({"type": "Submission", "pageName": "Contact"}, id="S2-10"),
    ],
)
async def test_five_types(client: Client, make: Make, changes: dict[str, str]) -> None:
    assert await _kept(client, make, **changes) == {**SEARCH, **changes}


@pytest.mark.parametrize("word", ["search", "SUBMISSION", " Browse "])
async def test_d9_the_case_of_a_type_does_not_matter(client: Client, make: Make, word: str) -> None:
    assert (await _kept(client, make, type=word))["type"] == word.strip().capitalize()


@pytest.mark.parametrize("word", ["Like", "note", "meeting", "showing", "Searches"])
async def test_s2_11_d40_other_types_are_refused(client: Client, make: Make, people: People, word: str) -> None:
    await _refused(client, make, people, type=word, content="x")


async def test_d9_fields_of_the_other_kind_are_ignored(client: Client, make: Make) -> None:
    talk = {"direction": "up", "duration": -1, "timestamp": "yesterday", "notes": 5}
    assert await _kept(client, make, **talk) == SEARCH


@pytest.mark.parametrize(
    ("field", "text"),
    [
        pytest.param("text", "Search", id="S2-12"),
        pytest.param("link", "https://lofty.com", id="S2-13"),
        pytest.param("picture", "https://lofty.com/default.jpg", id="S2-14"),
    ],
)
async def test_required_texts_d11(client: Client, make: Make, people: People, field: str, text: str) -> None:
    for missing in (UNSET, None, 5):
        await _refused(client, make, people, **{field: missing})
    for kept in ("", text):
        assert (await _kept(client, make, **{field: kept}))[field] == kept


async def test_s2_15_created_is_in_milliseconds(client: Client, make: Make, people: People) -> None:
    for wrong in (UNSET, None, "x", 1.5, 2**63, 2**62, -(2**62), -62135596800000, 253402300799999):
        await _refused(client, make, people, created=wrong)
    for kept in (1747272300000, 1747272300001, 0, -1, 253402128000000, -62135510400000):
        answer = await client.send("GET", f"/v1.0/leads/{await _with(client, make, created=kept)}/activities")
        assert re.search(rf'"created":{kept}[,}}]', answer.text)


async def _with(client: Client, make: Make, **changes: Any) -> int:
    lead_id = await make.lead()
    await client.ok("POST", f"/v1.0/leads/{lead_id}/activity", _body(**changes))
    return lead_id


async def test_s2_16_listing_is_an_optional_object(client: Client, make: Make, people: People) -> None:
    for absent in (UNSET, None):
        assert (await _kept(client, make, listing=absent))["listing"] is None
    assert (await _kept(client, make, listing=LISTING))["listing"] == LISTING
    for wrong in ("a house", [], 5):
        await _refused(client, make, people, listing=wrong)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        pytest.param("scheduledDate", "May 20, 2026 10:00 AM", id="S2-17"),
        pytest.param("pageName", "Blog Registration", id="S2-18"),
    ],
)
async def test_optional_texts(client: Client, make: Make, field: str, text: str) -> None:
    for absent in (UNSET, None):
        assert (await _kept(client, make, **{field: absent}))[field] is None
    assert (await _kept(client, make, **{field: text}))[field] == text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("price", 100000, id="S2-19"),
        pytest.param("state", "California", id="S2-20"),
        pytest.param("city", "New York", id="S2-21"),
        pytest.param("streetAddress", "22348 Regnart RD", id="S2-22"),
        pytest.param("zipCode", "25401", id="S2-23"),
        pytest.param("county", "Loudoun", id="S2-24"),
        pytest.param("propertyType", "Single Family Home", id="S2-25"),
        pytest.param("bedrooms", 3, id="S2-26"),
        pytest.param("bathrooms", 2, id="S2-27"),
        pytest.param("bathrooms", 2.5, id="S2-27-half"),
        pytest.param("squareFeet", 100, id="S2-28"),
        pytest.param("lotSize", 26.33, id="S2-29"),
        pytest.param("parkingSpace", 1, id="S2-30"),
        pytest.param("floors", 1, id="S2-31"),
        pytest.param("mailAddress", True, id="S2-32"),
        pytest.param("id", 123, id="S2-33"),
        pytest.param("leadUserId", 123, id="S2-34"),
        pytest.param("listingId", "MLS-1", id="S2-35"),
        pytest.param("autoListingId", 123, id="S2-36"),
        pytest.param("label", "Saved Listing", id="S2-37"),
        pytest.param("note", "corner lot", id="S2-38"),
        pytest.param("listingStatus", "Active", id="S2-39"),
        pytest.param("labelList", "a,b", id="S2-40"),
        pytest.param("pictureUrl", "https://example.com/1.jpg", id="S2-41"),
        pytest.param("siteListingUrl", "https://example.com/1", id="S2-42"),
        pytest.param("labelType", "x", id="S2-43"),
        pytest.param("priceMax", 10000000, id="S2-44"),
        pytest.param("priceMin", 100000, id="S2-45"),
    ],
)
async def test_a_listing_keeps(client: Client, make: Make, field: str, value: Any) -> None:
    lead_id = await make.lead()
    lead = await client.lead(lead_id)
    await client.ok("POST", f"/v1.0/leads/{lead_id}/activity", _body(listing={field: value}))
    answer = await client.send("GET", f"/v1.0/leads/{lead_id}/activities")
    assert answer.json()[0]["listing"] == {**dict.fromkeys(LISTING), field: value}
    assert re.search(rf'"{field}": ?{re.escape(msgspec.json.encode(value).decode())}[,}}]', answer.text), "exactly"
    assert (await client.lead(lead_id))["leadPropertyList"] == lead["leadPropertyList"] == []


@pytest.mark.parametrize("listing", [{"city": "Austin"}, {}, {"unknown": 1}, {"city": None}])
async def test_s2_46_a_listing_may_be_partial(client: Client, make: Make, listing: dict[str, Any]) -> None:
    kept = (await _kept(client, make, listing=listing))["listing"]
    assert kept == {**dict.fromkeys(LISTING), "city": listing.get("city")}


async def test_s2_47_filler_is_text(client: Client, make: Make) -> None:
    kept = await _kept(client, make)
    filled = [name for name, value in LISTING.items() if value == "<string>"]
    assert len(filled) == 9
    assert {kept["listing"][name] for name in filled} | {kept["scheduledDate"]} == {"<string>"}


async def test_s2_48_both_kinds_of_body_on_one_path(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await client.ok("POST", f"/v1.0/leads/{lead_id}/activity", _body())
    talk = {"type": "call", "direction": "outbound", "duration": 240, "timestamp": "2026-05-07T10:15:00Z"}
    answer = await client.ok("POST", f"/v1.0/leads/{lead_id}/activity", talk)
    assert await _shown(client, lead_id) == [SEARCH]
    v2 = await client.ok("GET", f"/v2.0/leads/{lead_id}/activities")
    assert ([entry["activityId"] for entry in v2["activities"]], v2["total"]) == ([answer["activityId"]], 1)


async def test_d24_the_path_has_an_alias(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    url = f"/v1.0/leads/{lead_id}/activities"
    assert await client.ok("POST", url, _body()) == {"leadId": lead_id}
    assert (await client.ok("POST", url, {"type": "call"})).keys() == {"leadId", "activityId"}
    assert await _shown(client, lead_id) == [SEARCH]
    assert await client.as_(None).refused("POST", url, _body()) == (401, 900401)


async def test_newest_first_in_pages_of_100_and_ties_by_id(client: Client, make: Make) -> None:
    lead_id, other = await make.lead(), await make.lead()
    times = [1747272300000 + number // 3 * 1000 for number in range(203)]
    for number, created in sorted(enumerate(times), key=lambda pair: pair[0] % 7):
        await make.site(lead_id, text=str(number), created=created)
    await make.site(other)
    await make.note(lead_id)
    await make.log(lead_id)
    pages = [await _shown(client, lead_id, query) for query in ("", "?curPage=1", "?curPage=2", "?curPage=3")]
    assert [len(page) for page in pages] == [100, 100, 3, 0]
    ids = await make.rows("SELECT id, details FROM timeline_entry WHERE lead_id = $1 AND kind = 'site_search'", lead_id)
    id_of = {msgspec.json.decode(row["details"])["text"]: row["id"] for row in ids}
    expected = sorted(range(203), key=lambda number: (-times[number], -id_of[str(number)]))
    assert [int(activity["text"]) for page in pages for activity in page] == expected
    for query, page in (("?curPage=0", 0), ("?curPage=-1", 0), ("?curPage=", 0), (f"?curPage={2**62}", 3)):
        assert await _shown(client, lead_id, query) == pages[page], query
    assert await client.refused("GET", f"/v1.0/leads/{lead_id}/activities?curPage=x") == (400, 20012)


async def test_a_lead_without_activity(client: Client, make: Make) -> None:
    assert await _shown(client, await make.lead()) == []


async def test_a_visit_is_announced_and_counts_as_visit(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    await make.site(lead_id, "Browse", created=1747272300000)
    sql = "SELECT list_id, verb, payload FROM announcement WHERE lead_id = $1 AND list_id <> 2"
    ((list_id, verb, payload),) = await make.rows(sql, lead_id)
    assert (list_id, verb, msgspec.json.decode(payload)) == (3, "createdLeadActivity", {"leadId": lead_id})
    lead = await client.lead(lead_id)
    assert lead["lastVisit"] == "2025-05-15T01:25:00GMT"


async def test_a_text_has_an_end(client: Client, make: Make, people: People) -> None:
    assert (await _kept(client, make, text="x" * 20_000))["text"] == "x" * 20_000
    await _refused(client, make, people, text="x" * 20_001)
