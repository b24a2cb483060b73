"""Seed 004, the create-lead page: a test per row of its claims, named by the row.

Inquiry, property, custom attributes and family: test_seed_004_parts.py. Who gets it, sees it and hears of it:
test_seed_004_people.py. The printed curl: tests/contract/test_printed.py.
"""

from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

LONG = "S" * 10_000
EMOJI = "é🙂" * 16


async def kept(client: Client, make: Make, **fields: Any) -> dict[str, Any]:
    """Create a lead with these fields and read it."""
    return await client.lead(await make.lead(**fields))


async def refused(client: Client, **fields: Any) -> tuple[int, int]:
    """Try to create a lead with these fields; return status and code."""
    refusal = await client.refused("POST", "/v1.0/leads", {"firstName": "T", **fields})
    assert await client.ids() == [], "a refused lead leaves nothing behind"
    return refusal


async def tags(client: Client, lead_id: int) -> list[str]:
    """Return the names of a lead's tags."""
    return [tag["tagName"] for tag in (await client.lead(lead_id))["tags"]]


async def test_s4_02_the_lead_is_readable_at_once(client: Client) -> None:
    answer = await client.send("POST", "/v1.0/leads", {"firstName": "T"})
    lead_id = int(answer.text.removeprefix('{"leadId":').removesuffix("}"))
    assert (await client.lead(lead_id))["leadId"] == lead_id


async def test_s4_03_headers(client: Client, people: People) -> None:
    key = f"Bearer {people.adam.key}"
    for headers in ({"Authorization": key}, {"Authorization": key, "Content-Type": "<content-type>"}):
        answer = await client.send("POST", "/v1.0/leads", content=b'{"firstName":"T"}', headers=headers)
        assert answer.status_code == 200
    assert await client.as_(None).refused("POST", "/v1.0/leads", {"firstName": "T"}) == (401, 900401)


async def test_s4_04_cutting_is_silent(client: Client) -> None:
    answer = await client.ok("POST", "/v1.0/leads", {"firstName": "S" * 31})
    assert list(answer) == ["leadId"], "no warning"


@pytest.mark.parametrize("body", [{}, {"firstName": None}, {"firstName": ""}, {"firstName": "  "}])
async def test_s4_05_first_name_is_required(client: Client, body: Any) -> None:
    assert await client.refused("POST", "/v1.0/leads", body) == (400, 20012)
    assert await client.ids() == []


@pytest.mark.parametrize(
    ("field", "name"),
    [
        pytest.param("firstName", "S" * 29, id="S4-06-29"),
        pytest.param("firstName", "S" * 30, id="S4-06-30"),
        pytest.param("firstName", "S" * 31, id="S4-06-31"),
        pytest.param("firstName", EMOJI[:31], id="S4-06-code-points"),
        pytest.param("lastName", "S" * 31, id="S4-07"),
        pytest.param("lastName", EMOJI, id="S4-07-code-points"),
    ],
)
async def test_names_are_cut(client: Client, make: Make, field: str, name: str) -> None:
    assert (await kept(client, make, **{field: name}))[field] == name[:30]


async def test_s4_08_last_name_is_optional(client: Client, make: Make) -> None:
    assert (await kept(client, make))["lastName"] is None


@pytest.mark.parametrize("field", [pytest.param("groups", id="S4-09"), pytest.param("segments", id="S4-10")])
async def test_segments_are_cut(client: Client, make: Make, field: str) -> None:
    lead = await kept(client, make, **{field: ["S" * 31, "ok", " ok ", ""]})
    assert lead["groups"] == lead["segments"] == ["S" * 30, "ok"]


@pytest.mark.parametrize("field", [pytest.param("tags", id="S4-11"), pytest.param("tagsAdd", id="S4-12")])
async def test_tags_are_cut(client: Client, make: Make, field: str) -> None:
    assert await tags(client, await make.lead(**{field: ["S" * 65]})) == ["S" * 64]


@pytest.mark.parametrize("field", ["firstName", "lastName", "groups", "segments", "tags", "tagsAdd"])
async def test_s4_13_cutting_on_update_too(client: Client, make: Make, field: str) -> None:
    lead_id = await make.lead()
    is_name = field.endswith("Name")
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {field: "S" * 65 if is_name else ["S" * 65]})
    lead = await client.lead(lead_id)
    if field.startswith("tags"):
        assert await tags(client, lead_id) == ["S" * 64]
    else:
        assert lead[field] == ("S" * 30 if is_name else ["S" * 30])


@pytest.mark.parametrize(
    ("flag", "path"),
    [
        pytest.param("cannotText", "sms", id="S4-14"),
        pytest.param("cannotCall", None, id="S4-15"),
        pytest.param("cannotEmail", "email", id="S4-16"),
        pytest.param("unsubscription", "email", id="S4-77"),
    ],
)
async def test_consent(client: Client, make: Make, flag: str, path: str | None) -> None:
    assert (await kept(client, make, **{flag: False}))[flag] is False
    assert (await kept(client, make))[flag] is False
    lead = await kept(client, make, **{flag: True}, emails=["a@example.com"], phones=["5551234567"])
    assert lead[flag] is True
    if path:
        body = {"leadId": lead["leadId"], "subject": "Hi", "body": "Hi", "content": "Hi"}
        assert await client.refused("POST", f"/v1.0/message/{path}/send", body) == (400, 20012)


async def test_s4_17_emails_in_order(client: Client, make: Make) -> None:
    emails = ["jane.doe@example.com", "jdoe-work@company.com"]
    assert (await kept(client, make, emails=emails))["emails"] == emails


async def test_s4_18_phones_in_order_of_at_most_20_characters(client: Client, make: Make) -> None:
    assert await refused(client, phones=["1" * 21]) == (400, 20043)
    phones = ["+14155551234", "+12125559876", "1" * 20]
    assert (await kept(client, make, phones=phones))["phones"] == phones


@pytest.mark.parametrize("types", [[2, 5], [-1], [1], [2], [5], [6], [7], [8], [9], ["2"], []])
async def test_s4_19_lead_types(client: Client, make: Make, types: list[Any]) -> None:
    assert (await kept(client, make, leadTypes=types))["leadTypes"] == [int(kind) for kind in types]


async def test_s4_19_an_unknown_lead_type(client: Client) -> None:
    assert await refused(client, leadTypes=[3]) == (400, 20012)


ADDRESS = {
    "streetAddress": "1600 Pennsylvania Avenue NW",
    "city": "Washington DC",
    "state": "Washington DC",
    "zipCode": "20500",
}


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("streetAddress", id="S4-22"),
        pytest.param("city", id="S4-23"),
        pytest.param("state", id="S4-24"),
        pytest.param("zipCode", id="S4-25"),
    ],
)
async def test_the_deprecated_address_becomes_a_property(client: Client, make: Make, field: str) -> None:
    lead = await kept(client, make, **{field: ADDRESS[field]})
    assert lead[field] == ADDRESS[field]
    assert [place[field] for place in lead["leadPropertyList"]] == [ADDRESS[field]]


async def test_s4_26_property_wins_over_the_deprecated_address(client: Client, make: Make) -> None:
    lead = await kept(client, make, **ADDRESS, property={"city": "Austin"})
    assert {key: lead[key] for key in ADDRESS} == ADDRESS
    assert [(place["city"], place["zipCode"]) for place in lead["leadPropertyList"]] == [("Austin", None)]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        pytest.param("referredBy", "a friend", id="S4-27"),
        pytest.param("stage", "Pending", id="S4-28"),
        pytest.param("stage", "S" * 19, id="S4-28-19"),
        pytest.param("source", "Open House", id="S4-31"),
    ],
)
async def test_plain_texts(client: Client, make: Make, field: str, text: str) -> None:
    assert (await kept(client, make, **{field: text}))[field] == text


async def test_s4_28_a_stage_of_20_characters(client: Client) -> None:
    assert await refused(client, stage="S" * 20) == (400, 20043)


async def test_s4_29_tags_set_all(client: Client, make: Make) -> None:
    lead_id = await make.lead(tags=["Hot Lead", "Zillow"])
    assert await tags(client, lead_id) == ["Hot Lead", "Zillow"]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tags": ["A"]})
    assert await tags(client, lead_id) == ["A"]


async def test_s4_30_tags_add_keeps_the_rest(client: Client, make: Make) -> None:
    lead_id = await make.lead(tags=["A"], tagsAdd=["B"])
    assert await tags(client, lead_id) == ["A", "B"]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tagsAdd": ["C"]})
    assert await tags(client, lead_id) == ["A", "B", "C"]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tagsRemove": ["A", "D", "*"], "tagsAdd": ["D"]})
    assert await tags(client, lead_id) == ["B", "C", "D"], "a tag brought in by the same request stays"
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"clearAllTags": True, "tagsAdd": ["E"]})
    assert await tags(client, lead_id) == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("Jun 5, 2001", "Jun 5, 2001"), ("Jun 05, 2001", "Jun 5, 2001"), ("<string>", None)],
)
async def test_s4_85_birthday(client: Client, make: Make, sent: str, shown: str | None) -> None:
    assert (await kept(client, make, birthday=sent))["birthday"] == shown


@pytest.mark.parametrize("sent", ["2001-06-05", "Xyz 5, 2001", "Feb 30, 2001", "x"])
async def test_s4_85_no_birthday(client: Client, sent: str) -> None:
    assert await refused(client, birthday=sent) == (400, 20012)


FRAMES = ("1-3", "3-6", "6-12", "12+", "Just Looking", "Refinancing")


@pytest.mark.parametrize(
    "field", [pytest.param("buyingTimeFrame", id="S4-90"), pytest.param("sellingTimeFrame", id="S4-91")]
)
async def test_time_frames(client: Client, make: Make, field: str) -> None:
    assert await refused(client, **{field: "soon"}) == (400, 20012)
    for value in FRAMES:
        assert (await kept(client, make, **{field: value}))[field] == value


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("preQual", id="S4-92"),
        pytest.param("houseToSell", id="S4-93"),
        pytest.param("fthb", id="S4-94"),
        pytest.param("withBuyerAgent", id="S4-95"),
        pytest.param("mortgage", id="S4-96"),
        pytest.param("buyHouse", id="S4-97"),
        pytest.param("withListingAgent", id="S4-98"),
    ],
)
async def test_yes_and_no(client: Client, make: Make, field: str) -> None:
    assert await refused(client, **{field: "Maybe"}) == (400, 20012)
    for value in ("Yes", "No"):
        assert (await kept(client, make, **{field: value}))[field] == value
    assert (await kept(client, make))[field] is None


async def test_s4_107_language(client: Client, make: Make) -> None:
    assert await refused(client, language="xx") == (400, 20012)
    for value in ("en", "fr", "de", "es", "zh-CN", "zh-TW", "ja"):
        assert (await kept(client, make, language=value))["language"] == value


@pytest.mark.parametrize(
    "field",
    [pytest.param("defaultInquiryParam", id="S4-116"), pytest.param("specifiedAssignGroupId", id="S4-117")],
)
async def test_accepted_flags(make: Make, field: str) -> None:
    for value in (True, False):
        await make.lead(**{field: value})


@pytest.mark.parametrize("field", ["firstName", "lastName", "groups", "segments", "tags", "tagsAdd"])
async def test_s4_118_the_six_never_complain(client: Client, make: Make, field: str) -> None:
    lead = await kept(client, make, **{field: LONG if field.endswith("Name") else [LONG]})
    assert LONG[:30] in str(lead[field.removesuffix("Add")])


ANN: dict[str, Any] = {
    "firstName": "Ann",
    "relationship": "Husband",
    "lastName": "Li",
    "phones": ["+14155551234"],
    "emails": ["spouse@example.com"],
    "birthday": "Jun 5, 2001",
}


@pytest.mark.parametrize(
    "fault", [{"leadFamilyMemberList": [ANN] * 5}, {"property": {"county": "x"}}, {"property": {"city": " "}}]
)
async def test_s4_130_one_refused_field_refuses_all(client: Client, make: Make, people: People, fault: Any) -> None:
    body = {
        "firstName": "T",
        "tags": ["new"],
        "source": "new",
        "stage": "new",
        "content": "note",
        "leadTransaction": {"transactionName": "1 Oak St"},
        "welcomeEmail": True,
        "emails": ["a@b.c"],
        **fault,
    }
    before = await make.everything(people.adam.team_id)
    assert (await client.refused("POST", "/v1.0/leads", body))[0] == 400
    assert await make.everything(people.adam.team_id) == before


async def test_s4_133_labels_that_become_equal(client: Client, make: Make) -> None:
    assert await tags(client, await make.lead(tags=["T" * 64 + "a", "T" * 64 + "b"])) == ["T" * 64]
