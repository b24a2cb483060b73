"""Seed 004, the create-lead page: a test per row of its claims (S4-*), named by the row."""

import asyncio
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

LONG = "S" * 10_000
EMOJI = "é🙂" * 16


async def _kept(client: Client, make: Make, **fields: Any) -> dict[str, Any]:
    return await client.lead(await make.lead(**fields))


async def _refused(client: Client, **fields: Any) -> tuple[int, int]:
    refusal = await client.refused("POST", "/v1.0/leads", {"firstName": "T", **fields})
    assert await client.ids() == [], "a refused lead leaves nothing behind"
    return refusal


async def test_s4_02_the_lead_is_readable_at_once(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    assert (await client.lead(lead_id))["leadId"] == lead_id


async def test_s4_03_headers(client: Client, people: People) -> None:
    key = f"Bearer {people.adam.key}"
    for headers in ({"Authorization": key}, {"Authorization": key, "Content-Type": "text/weird"}):
        answer = await client.send("POST", "/v1.0/leads", content=b'{"firstName":"T"}', headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize("name", [None, "", "  "])
async def test_s4_05_first_name_is_required(client: Client, name: str | None) -> None:
    assert await client.refused("POST", "/v1.0/leads", {"firstName": name}) == (400, 20012)
    assert await client.refused("POST", "/v1.0/leads", {}) == (400, 20012)
    assert await client.ids() == []


@pytest.mark.parametrize("name", ["S" * 29, "S" * 30, "S" * 31, EMOJI])
async def test_s4_04_06_07_names_are_cut(client: Client, make: Make, name: str) -> None:
    lead = await _kept(client, make, firstName=name, lastName=name)
    assert (lead["firstName"], lead["lastName"]) == (name[:30], name[:30])


async def test_s4_08_last_name_is_optional(client: Client, make: Make) -> None:
    assert (await _kept(client, make))["lastName"] is None


@pytest.mark.parametrize("field", ["groups", "segments"])
async def test_s4_09_and_10_segments_are_cut(client: Client, make: Make, field: str) -> None:
    lead = await _kept(client, make, **{field: ["S" * 31, "ok", " ok ", ""]})
    assert lead["groups"] == lead["segments"] == ["S" * 30, "ok"]


@pytest.mark.parametrize("field", ["tags", "tagsAdd"])
async def test_s4_11_and_12_tags_are_cut(client: Client, make: Make, field: str) -> None:
    lead = await _kept(client, make, **{field: ["S" * 65]})
    assert [tag["tagName"] for tag in lead["tags"]] == ["S" * 64]


async def test_s4_13_cutting_on_update_too(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    body = {
        "firstName": "F" * 31,
        "lastName": "L" * 31,
        "segments": ["G" * 31],
        "tags": ["T" * 65],
        "tagsAdd": ["U" * 65],
    }
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", body)
    lead = await client.lead(lead_id)
    assert (lead["firstName"], lead["lastName"], lead["segments"]) == ("F" * 30, "L" * 30, ["G" * 30])
    assert [tag["tagName"] for tag in lead["tags"]] == ["T" * 64, "U" * 64]


@pytest.mark.parametrize("flag", ["cannotText", "cannotCall", "cannotEmail", "unsubscription"])
async def test_s4_14_15_16_77_consent(client: Client, make: Make, flag: str) -> None:
    for value in (True, False):
        assert (await _kept(client, make, **{flag: value}))[flag] is value
    assert (await _kept(client, make))[flag] is False


async def test_s4_17_and_18_emails_and_phones_in_order(client: Client, make: Make) -> None:
    lists = {
        "emails": ["jane.doe@example.com", "jdoe-work@company.com"],
        "phones": ["+14155551234", "+12125559876"],
    }
    lead = await _kept(client, make, **lists)
    assert {key: lead[key] for key in lists} == lists
    assert (await _kept(client, make, phones=[5551234567]))["phones"] == ["5551234567"]


async def test_s4_18_a_phone_has_at_most_20_characters(client: Client) -> None:
    assert await _refused(client, phones=["1" * 21]) == (400, 20043)


@pytest.mark.parametrize("types", [[2, 5], [-1], [1], [2], [5], [6], [7], [8], [9], ["2"], []])
async def test_s4_19_lead_types(client: Client, make: Make, types: list[Any]) -> None:
    assert (await _kept(client, make, leadTypes=types))["leadTypes"] == [int(kind) for kind in types]


async def test_s4_19_an_unknown_lead_type(client: Client) -> None:
    assert await _refused(client, leadTypes=[3]) == (400, 20012)


async def test_s4_20_and_21_who_gets_it(client: Client, make: Make, people: People) -> None:
    named = await _kept(client, make, assignedUserId=people.otto.id)
    assert named["assignedUserId"] == people.otto.id
    assert named["assignedUser"] == "Otto"
    routed = [await _kept(client, make, assignedUserId=value) for value in (None, "", "")]
    assert {lead["assignedUserId"] for lead in routed} == {people.adam.id, people.ana.id, people.otto.id}
    assert (await _kept(client, make, assignedUserId=str(people.ana.id)))["assignedUserId"] == people.ana.id


async def test_s4_20_nobody_of_another_team(client: Client, people: People) -> None:
    assert await _refused(client, assignedUserId=people.sid.id) == (400, 20012)


async def test_s4_22_to_25_the_deprecated_address_becomes_a_property(client: Client, make: Make) -> None:
    address = {
        "streetAddress": "1600 Pennsylvania Avenue NW",
        "city": "Washington DC",
        "state": "Washington DC",
        "zipCode": "20500",
    }
    lead = await _kept(client, make, **address)
    assert {key: lead[key] for key in address} == address
    assert {key: lead["leadPropertyList"][0][key] for key in address} == address
    both = await _kept(client, make, **address, property={"city": "Austin"})
    assert both["city"] == "Washington DC"
    assert [place["city"] for place in both["leadPropertyList"]] == ["Austin"], "S4-26"


async def test_s4_27_28_31_plain_texts(client: Client, make: Make) -> None:
    texts = {"referredBy": "a friend", "stage": "Pending", "source": "Open House"}
    lead = await _kept(client, make, **texts)
    assert {key: lead[key] for key in texts} == texts
    assert (await _kept(client, make, stage="S" * 19))["stage"] == "S" * 19
    assert (await _kept(client, make, stage="pending"))["stageId"] == lead["stageId"]


async def test_s4_28_a_stage_of_20_characters(client: Client) -> None:
    assert await _refused(client, stage="S" * 20) == (400, 20043)


async def test_s4_29_and_30_setting_and_adding_tags(client: Client, make: Make) -> None:
    lead_id = await make.lead(tags=["Hot Lead", "Zillow"], tagsAdd=["B"])
    assert await _tags(client, lead_id) == ["Hot Lead", "Zillow", "B"]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tags": ["A"]})
    assert await _tags(client, lead_id) == ["A"]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tagsAdd": ["C"]})
    assert await _tags(client, lead_id) == ["A", "C"]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"tagsRemove": ["A", "D", "*"], "tagsAdd": ["D"]})
    assert await _tags(client, lead_id) == ["C", "D"]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"clearAllTags": True, "tagsAdd": ["E"]})
    assert await _tags(client, lead_id) == []


async def _tags(client: Client, lead_id: int) -> list[str]:
    return [tag["tagName"] for tag in (await client.lead(lead_id))["tags"]]


async def test_s4_32_inquiry_is_an_object(client: Client, make: Make) -> None:
    unset = (await _kept(client, make))["leadInquiry"]
    assert (unset["id"], unset["priceMin"], unset["bedroomsMax"], unset["bathroomsMin"]) == (0, -1, -1, None)
    assert (await _kept(client, make, inquiry={}))["leadInquiry"]["id"] > 0
    assert await client.refused("POST", "/v1.0/leads", {"firstName": "T", "inquiry": "x"}) == (400, 20012)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priceMin", 1),
        ("priceMax", 10000000),
        ("propertyType", ["Single Family Home", "Condo"]),
        ("bedroomsMin", 1),
        ("bedroomsMax", 123),
        ("bathroomsMin", "1"),
        ("bathroomsMax", "3.5"),
        ("locations", []),
        ("modifyByAgent", True),
        ("defaultValue", True),
    ],
)
async def test_s4_33_to_48_inquiry_fields(client: Client, make: Make, field: str, value: Any) -> None:
    assert (await _kept(client, make, inquiry={field: value}))["leadInquiry"][field] == value


async def test_s4_38_bathrooms_are_text(client: Client, make: Make) -> None:
    assert (await _kept(client, make, inquiry={"bathroomsMin": 1}))["leadInquiry"]["bathroomsMin"] == "1"


async def test_s4_40_to_42_locations(client: Client, make: Make) -> None:
    places = [{"city": "Austin", "stateCode": "TX"}, {"city": "Waco"}]
    kept = (await _kept(client, make, inquiry={"locations": places}))["leadInquiry"]["locations"]
    assert [(place["city"], place["stateCode"]) for place in kept] == [("Austin", "TX"), ("Waco", None)]


async def test_s4_43_to_47_ids_and_times_of_an_inquiry_are_ours(client: Client, make: Make) -> None:
    sent = {"id": 123, "leadUserId": 123, "createTime": "2023-11-07T05:31:56Z", "updateTime": "x", "priceMin": 1}
    lead = await _kept(client, make, inquiry=sent)
    inquiry = lead["leadInquiry"]
    assert inquiry["id"] != 123
    assert inquiry["leadUserId"] == lead["leadUserId"]
    assert inquiry["createTime"].endswith("Z")
    assert not inquiry["createTime"].startswith("2023")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", 100000),
        ("state", "California"),
        ("city", "New York"),
        ("streetAddress", "22348 Regnart RD"),
        ("zipCode", "25401"),
        ("county", "Loudoun"),
        ("propertyType", "Single Family Home"),
        ("bedrooms", 3),
        ("bathrooms", 2),
        ("squareFeet", 100),
        ("lotSize", 26.33),
        ("parkingSpace", 1),
        ("floors", 1),
        ("mailAddress", True),
        ("listingId", "MLS-1"),
        ("autoListingId", 123),
        ("label", "Home"),
        ("labelList", "Home,Saved Listing"),
        ("labelType", "x"),
        ("note", "corner lot"),
        ("listingStatus", "Active"),
        ("pictureUrl", "https://example.com/a.jpg"),
        ("siteListingUrl", "https://example.com/a"),
        ("priceMax", 10000000),
        ("priceMin", 100000),
    ],
)
async def test_s4_49_to_76_property_fields(client: Client, make: Make, field: str, value: Any) -> None:
    lead = await _kept(client, make, property={"city": "Austin", field: value})
    assert [place[field] for place in lead["leadPropertyList"]] == [value]


async def test_s4_64_and_65_ids_of_a_property_are_ours(client: Client, make: Make) -> None:
    lead = await _kept(client, make, property={"city": "Austin", "id": 123, "leadUserId": 123})
    assert lead["leadPropertyList"][0]["id"] != 123
    assert lead["leadPropertyList"][0]["leadUserId"] == lead["leadUserId"]


async def _messages(make: Make, lead_id: int) -> list[tuple[str, str]]:
    rows = await make.rows("SELECT purpose, recipient FROM message WHERE lead_id = $1 ORDER BY id", lead_id)
    return [(row["purpose"], row["recipient"]) for row in rows]


async def test_s4_78_and_79_welcome_and_alert_are_queued(client: Client, make: Make, people: People) -> None:
    fields = {"emails": ["jane@example.com"], "assignedUserId": people.ana.id}
    lead_id = await make.lead(**fields, welcomeEmail=True, leadAlert=True)
    assert await _messages(make, lead_id) == [("welcome_email", "jane@example.com"), ("lead_alert", people.ana.email)]
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"welcomeEmail": True, "leadAlert": True, "lastName": "x"})
    assert len(await _messages(make, lead_id)) == 2
    assert await _messages(make, await make.lead(**fields)) == []


@pytest.mark.parametrize("flag", ["cannotEmail", "unsubscription"])
async def test_s4_131_consent_wins_over_the_welcome(client: Client, make: Make, people: People, flag: str) -> None:
    fields = {"emails": ["jane@example.com"], "assignedUserId": people.ana.id, flag: True}
    lead_id = await make.lead(**fields, welcomeEmail=True, leadAlert=True)
    assert await _messages(make, lead_id) == [("lead_alert", people.ana.email)]


TYPES = ("number", "text", "date", "anniversary_date", "single_select", "multi_select", "percentage", "currency")


@pytest.mark.parametrize("kind", TYPES)
async def test_s4_80_to_84_custom_attributes(client: Client, make: Make, kind: str) -> None:
    field = {"attributeName": f"My {kind}", "attributeType": kind, "params": '{"option":["a"]}'}
    assert await client.ok("POST", "/v1.0/teamFeatures/custom-field", field) == "success"
    assert [known["attributeName"] for known in await client.ok("GET", "/v1.0/teamFeatures/listCustomField")] == [
        f"My {kind}"
    ]
    sent = [{"attributeName": f"my {kind}", "attributeType": kind, "value": '["a"]'}]
    kept = (await _kept(client, make, customAttributeList=sent))["customAttributes"]
    assert kept == [{**field, "value": '["a"]'}]


async def test_s4_80_and_81_what_is_no_custom_attribute(client: Client, make: Make) -> None:
    assert (await _kept(client, make, customAttributeList=[]))["customAttributes"] == []
    assert (await _kept(client, make, customAttributeList=[{"attributeName": "<string>"}]))["customAttributes"] == []
    body = {"firstName": "T", "customAttributeList": [{"attributeName": "unknown", "value": "x"}]}
    assert await client.refused("POST", "/v1.0/leads", body) == (400, 20012)
    assert await client.refused("POST", "/v1.0/leads", {"firstName": "T", "customAttributeList": "x"}) == (400, 20012)


@pytest.mark.parametrize(
    ("sent", "kept"), [("Jun 5, 2001", "Jun 5, 2001"), ("Jun 05, 2001", "Jun 5, 2001"), ("<string>", None)]
)
async def test_s4_85_birthday(client: Client, make: Make, sent: str, kept: str | None) -> None:
    assert (await _kept(client, make, birthday=sent))["birthday"] == kept


@pytest.mark.parametrize("sent", ["2001-06-05", "Xyz 5, 2001", "Feb 30, 2001", "x"])
async def test_s4_85_no_birthday(client: Client, sent: str) -> None:
    assert await _refused(client, birthday=sent) == (400, 20012)


async def test_s4_86_lead_routing_has_no_effect(client: Client, make: Make, people: People) -> None:
    assert (await _kept(client, make, leadRouting=False))["assignedUserId"]
    named = await _kept(client, make, leadRouting=True, assignedUserId=people.otto.id)
    assert named["assignedUserId"] == people.otto.id


async def test_s4_87_to_89_which_line(client: Client, make: Make, people: People) -> None:
    company = {people.adam.id, people.ana.id, people.otto.id}
    assert {(await _kept(client, make, assignGroupId=-1))["assignedUserId"] for _ in range(3)} == company
    assert {(await _kept(client, make, assignGroupId=people.south))["assignedUserId"] for _ in range(2)} == {
        people.otto.id
    }
    office = {"ownershipScope": "OFFICE", "ownershipId": people.north}
    assert {(await _kept(client, make, **office))["assignedUserId"] for _ in range(2)} == {
        people.adam.id,
        people.ana.id,
    }
    body = {"firstName": "T", "assignGroupId": 12345}
    assert await client.refused("POST", "/v1.0/leads", body) == (400, 20012)


FRAMES = ("1-3", "3-6", "6-12", "12+", "Just Looking", "Refinancing", "0-3", "N/A")


@pytest.mark.parametrize("field", ["buyingTimeFrame", "sellingTimeFrame"])
async def test_s4_90_and_91_time_frames(client: Client, make: Make, field: str) -> None:
    for value in FRAMES:
        assert (await _kept(client, make, **{field: value}))[field] == value
    assert await client.refused("POST", "/v1.0/leads", {"firstName": "T", field: "soon"}) == (400, 20012)


@pytest.mark.parametrize(
    "field", ["preQual", "houseToSell", "fthb", "withBuyerAgent", "mortgage", "buyHouse", "withListingAgent"]
)
async def test_s4_92_to_98_yes_and_no(client: Client, make: Make, field: str) -> None:
    for value in ("Yes", "No"):
        assert (await _kept(client, make, **{field: value}))[field] == value
    assert (await _kept(client, make))[field] is None
    assert await client.refused("POST", "/v1.0/leads", {"firstName": "T", field: "Maybe"}) == (400, 20012)


async def test_s4_99_a_transaction_comes_with_the_lead(client: Client, make: Make) -> None:
    lead_id = await make.lead(leadTransaction={"transactionName": "123 Main St", "transactionType": "Purchase"})
    found = await client.ok("GET", f"/v1.0/leads/{lead_id}/transactions")
    assert [(one["transactionName"], one["transactionType"], one["transactionStatus"]) for one in found] == [
        ("123 Main St", "Purchase", "Pre-contract")
    ]
    for name in ("", "<b>"):
        body = {"firstName": "T", "leadTransaction": {"transactionName": name}}
        assert await client.refused("POST", "/v1.0/leads", body) == (400, 200062)
    assert await client.ids() == [lead_id]


ANN = {
    "firstName": "Ann",
    "relationship": "Husband",
    "lastName": "Li",
    "phones": ["+14155551234"],
    "emails": ["spouse@example.com"],
    "birthday": "Jun 5, 2001",
}


async def test_s4_100_to_106_family(client: Client, make: Make) -> None:
    assert (await _kept(client, make, leadFamilyMemberList=[ANN] * 4))["leadFamilyMemberList"] == [ANN] * 4
    for family in ([ANN] * 5, [{"lastName": "Li"}], [{"firstName": " "}]):
        body = {"firstName": "T", "leadFamilyMemberList": family}
        assert await client.refused("POST", "/v1.0/leads", body) == (400, 20012)


async def test_s4_107_language(client: Client, make: Make) -> None:
    for value in ("en", "fr", "de", "es", "zh-CN", "zh-TW", "ja"):
        assert (await _kept(client, make, language=value))["language"] == value
    assert await client.refused("POST", "/v1.0/leads", {"firstName": "T", "language": "xx"}) == (400, 20012)


async def test_s4_108_and_109_content_becomes_a_note(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(content="example_note", isPin=True)
    notes = (await client.ok("GET", f"/v1.0/notes?leadId={lead_id}"))["notes"]
    assert [(note["content"], note["isPin"], note["creatorId"]) for note in notes] == [
        ("example_note", True, people.adam.id)
    ]
    bare = await make.lead(isPin=True)
    assert (await client.ok("GET", f"/v1.0/notes?leadId={bare}"))["notes"] == []
    long = await make.lead(content="N" * 2001)
    assert (await client.ok("GET", f"/v1.0/notes?leadId={long}"))["notes"][0]["content"] == "N" * 2000


async def test_s4_110_to_112_who_sees_it(client: Client, make: Make, people: People) -> None:
    mine = {"assignedUserId": people.adam.id}
    team = await make.lead(**mine, ownershipScope="TEAM", ownershipId=5)
    office = await make.lead(**mine, ownershipScope="OFFICE", ownershipId=people.north)
    personal = await make.lead(**mine, ownershipScope="PERSONAL", ownershipId=people.ana.id)
    assert await client.as_(people.ana).ids() == [personal, office, team]
    assert await client.as_(people.otto).ids() == [team]
    assert await client.as_(people.olive).ids() == [personal, office, team]
    assert await client.as_(people.stella).ids() == []
    for stranger, lead_id in ((people.otto, office), (people.otto, personal), (people.sid, team)):
        assert await client.as_(stranger).refused("GET", f"/v1.0/leads/{lead_id}") == (404, 20006)


@pytest.mark.parametrize("scope", ["OFFICE", "PERSONAL"])
async def test_s4_113_an_owner_is_required(client: Client, scope: str) -> None:
    assert await _refused(client, ownershipScope=scope) == (400, 20012)
    assert await _refused(client, ownershipScope=scope, ownershipId=99) == (400, 20012)


async def test_s4_114_personal_by_default(client: Client, make: Make, people: People) -> None:
    lead = await _kept(client, make)
    assert (lead["ownershipScope"], lead["ownershipId"]) == ("PERSONAL", people.adam.id)


async def test_s4_115_no_other_scope(client: Client) -> None:
    assert await _refused(client, ownershipScope="GLOBAL") == (400, 20012)


@pytest.mark.parametrize("field", ["defaultInquiryParam", "specifiedAssignGroupId"])
async def test_s4_116_and_117_accepted_flags(make: Make, field: str) -> None:
    for value in (True, False):
        await make.lead(**{field: value})


async def test_s4_118_the_six_never_complain(client: Client, make: Make) -> None:
    lists = {field: [LONG] for field in ("groups", "segments", "tags", "tagsAdd")}
    lead = await _kept(client, make, firstName=LONG, lastName=LONG, **lists)
    assert lead["firstName"] == LONG[:30]


@pytest.mark.parametrize(
    "fault", [{"leadFamilyMemberList": [ANN] * 5}, {"property": {"county": "x"}}, {"property": {"city": " "}}]
)
async def test_s4_130_one_refused_field_refuses_all(client: Client, make: Make, people: People, fault: Any) -> None:
    counted = "SELECT (SELECT count(*) FROM {0} WHERE team_id = $1)"
    tables = ("lead", "tag", "note", "lead_transaction", "message", "announcement", "timeline_entry", "lead_tally")
    body = {"firstName": "T", "tags": ["new"], "content": "note", "welcomeEmail": True, "emails": ["a@b.c"], **fault}
    assert (await client.refused("POST", "/v1.0/leads", body))[0] == 400
    for table in tables:
        assert (await make.rows(counted.format(table), people.adam.team_id))[0][0] == 0, table


async def test_s4_132_fifty_creates_at_once(client: Client, make: Make, people: People) -> None:
    made = await asyncio.gather(*(make.lead(ownershipScope="TEAM") for _ in range(51)))
    assert len(set(made)) == 51
    listed = (await client.ok("GET", "/v1.0/leads?limit=100"))["leads"]
    shares = [
        sum(lead["assignedUserId"] == person.id for lead in listed) for person in (people.adam, people.ana, people.otto)
    ]
    assert shares == [17, 17, 17]


async def test_s4_133_labels_that_become_equal(client: Client, make: Make) -> None:
    lead = await _kept(client, make, tags=["T" * 64 + "a", "T" * 64 + "b"])
    assert len(lead["tags"]) == 1
