"""Seed 004: inquiry, property, custom attributes, transaction and family of a new lead, named by the row."""

from typing import Any

import pytest
from tests.leads.test_seed_004 import ANN, kept, refused
from tests.support.client import Client
from tests.support.make import Make


async def test_s4_32_inquiry_is_an_object(client: Client, make: Make) -> None:
    assert await refused(client, inquiry="x") == (400, 20012)
    unset = (await kept(client, make))["leadInquiry"]
    assert (unset["id"], unset["priceMin"], unset["bedroomsMax"], unset["bathroomsMin"]) == (0, -1, -1, None)
    assert (await kept(client, make, inquiry={}))["leadInquiry"]["id"] > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("priceMin", 1, id="S4-33"),
        pytest.param("priceMax", 10000000, id="S4-34"),
        pytest.param("propertyType", ["Single Family Home", "Condo"], id="S4-35"),
        pytest.param("bedroomsMin", 1, id="S4-36"),
        pytest.param("bedroomsMax", 123, id="S4-37"),
        pytest.param("bathroomsMin", "1", id="S4-38"),
        pytest.param("bathroomsMax", "3.5", id="S4-39"),
        pytest.param("bathroomsMax", "<string>", id="S4-39-filler"),
        pytest.param("locations", [], id="S4-40-empty"),
        pytest.param("modifyByAgent", True, id="S4-45"),
        pytest.param("defaultValue", True, id="S4-48"),
    ],
)
async def test_inquiry_keeps(client: Client, make: Make, field: str, value: Any) -> None:
    assert (await kept(client, make, inquiry={field: value}))["leadInquiry"][field] == value


async def test_s4_38_bathrooms_are_text(client: Client, make: Make) -> None:
    assert (await kept(client, make, inquiry={"bathroomsMin": 1}))["leadInquiry"]["bathroomsMin"] == "1"


async def test_s4_40_locations_keep_their_order(client: Client, make: Make) -> None:
    places = [{"city": "Waco", "stateCode": "TX"}, {"city": "Austin"}]
    found = (await kept(client, make, inquiry={"locations": places}))["leadInquiry"]["locations"]
    assert [(place["city"], place["stateCode"]) for place in found] == [("Waco", "TX"), ("Austin", None)]


@pytest.mark.parametrize(
    ("field", "value"), [pytest.param("city", "Austin", id="S4-41"), pytest.param("stateCode", "TX", id="S4-42")]
)
async def test_a_location_keeps(client: Client, make: Make, field: str, value: str) -> None:
    found = (await kept(client, make, inquiry={"locations": [{field: value}]}))["leadInquiry"]["locations"]
    assert [place[field] for place in found] == [value]


async def test_s4_43_an_inquiry_gets_an_id_of_its_own(client: Client, make: Make) -> None:
    inquiry = (await kept(client, make, inquiry={"id": 123}))["leadInquiry"]
    assert inquiry["id"] not in (0, 123)


async def test_s4_44_an_inquiry_belongs_to_its_lead(client: Client, make: Make) -> None:
    lead = await kept(client, make, inquiry={"leadUserId": 123})
    assert lead["leadInquiry"]["leadUserId"] == lead["leadUserId"] != 123


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        pytest.param("createTime", "2023-11-07T05:31:56Z", id="S4-46"),
        pytest.param("createTime", "x", id="S4-46-no-time"),
        pytest.param("updateTime", "2023-11-07T05:31:56Z", id="S4-47"),
        pytest.param("updateTime", "x", id="S4-47-no-time"),
    ],
)
async def test_an_inquiry_shows_our_times(client: Client, make: Make, field: str, sent: str) -> None:
    shown = (await kept(client, make, inquiry={field: sent}))["leadInquiry"][field]
    assert shown.endswith("Z")
    assert not shown.startswith("2023")


PROPERTY: dict[str, Any] = {"city": "New York", "streetAddress": "22348 Regnart RD", "price": 100000}


async def test_s4_49_one_property(client: Client, make: Make) -> None:
    found = (await kept(client, make, property=PROPERTY))["leadPropertyList"]
    assert [{key: place[key] for key in PROPERTY} for place in found] == [PROPERTY]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("price", 100000, id="S4-50"),
        pytest.param("state", "California", id="S4-51"),
        pytest.param("city", "New York", id="S4-52"),
        pytest.param("streetAddress", "22348 Regnart RD", id="S4-53"),
        pytest.param("zipCode", "25401", id="S4-54"),
        pytest.param("county", "Loudoun", id="S4-55"),
        pytest.param("propertyType", "Single Family Home", id="S4-56"),
        pytest.param("bedrooms", 3, id="S4-57"),
        pytest.param("bathrooms", 2, id="S4-58"),
        pytest.param("squareFeet", 100, id="S4-59"),
        pytest.param("lotSize", 26.33, id="S4-60"),
        pytest.param("parkingSpace", 1, id="S4-61"),
        pytest.param("floors", 1, id="S4-62"),
        pytest.param("mailAddress", True, id="S4-63"),
        pytest.param("listingId", "MLS-1", id="S4-66"),
        pytest.param("autoListingId", 123, id="S4-67"),
        pytest.param("label", "Home", id="S4-68"),
        pytest.param("labelList", "Home,Saved Listing", id="S4-69"),
        pytest.param("labelType", "x", id="S4-70"),
        pytest.param("note", "corner lot", id="S4-71"),
        pytest.param("listingStatus", "Active", id="S4-72"),
        pytest.param("pictureUrl", "https://example.com/a.jpg", id="S4-73"),
        pytest.param("siteListingUrl", "https://example.com/a", id="S4-74"),
        pytest.param("priceMax", 10000000, id="S4-75"),
        pytest.param("priceMin", 100000, id="S4-76"),
    ],
)
async def test_a_property_keeps(client: Client, make: Make, field: str, value: Any) -> None:
    lead = await kept(client, make, property={"city": "Austin", field: value})
    assert [place[field] for place in lead["leadPropertyList"]] == [value]


async def test_s4_64_a_property_gets_an_id_of_its_own(client: Client, make: Make) -> None:
    lead = await kept(client, make, property={"city": "Austin", "id": 123})
    assert lead["leadPropertyList"][0]["id"] not in (0, 123)


async def test_s4_65_a_property_belongs_to_its_lead(client: Client, make: Make) -> None:
    lead = await kept(client, make, property={"city": "Austin", "leadUserId": 123})
    assert lead["leadPropertyList"][0]["leadUserId"] == lead["leadUserId"] != 123


async def _add_field(client: Client, name: str, kind: str, params: str | None = None) -> None:
    field = {"attributeName": name, "attributeType": kind, "params": params}
    assert await client.ok("POST", "/v1.0/teamFeatures/custom-field", field) == "success"


async def test_s4_80_custom_attributes_are_a_list(client: Client, make: Make) -> None:
    assert await refused(client, customAttributeList="x") == (400, 20012)
    assert (await kept(client, make))["customAttributes"] == []
    assert (await kept(client, make, customAttributeList=[]))["customAttributes"] == []
    for name in ("Budget", "Pet"):
        await _add_field(client, name, "text")
    sent = [{"attributeName": "Budget", "value": "1"}, {"attributeName": "Pet", "value": "cat"}]
    found = (await kept(client, make, customAttributeList=sent))["customAttributes"]
    assert [(one["attributeName"], one["value"]) for one in found] == [("Budget", "1"), ("Pet", "cat")]


async def test_s4_81_a_custom_attribute_is_one_of_the_teams(client: Client, make: Make) -> None:
    assert await refused(client, customAttributeList=[{"attributeName": "Budget", "value": "x"}]) == (400, 20012)
    assert (await kept(client, make, customAttributeList=[{"attributeName": "<string>"}]))["customAttributes"] == []
    await _add_field(client, "Budget", "text")
    found = (await kept(client, make, customAttributeList=[{"attributeName": "Budget"}]))["customAttributes"]
    assert [one["attributeName"] for one in found] == ["Budget"]


VALUES = {
    "number": "5",
    "text": "some text",
    "date": "2026-05-06",
    "anniversary_date": "2026-05-06",
    "single_select": "a",
    "multi_select": '["a","b"]',
    "percentage": "12.5",
    "currency": "1000000",
}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=f"S4-82-S4-83-{kind}") for kind in VALUES])
async def test_types_and_values_of_custom_attributes(client: Client, make: Make, kind: str) -> None:
    await _add_field(client, f"My {kind}", kind)
    sent = {"attributeName": f"My {kind}", "attributeType": kind, "value": VALUES[kind]}
    found = (await kept(client, make, customAttributeList=[sent]))["customAttributes"]
    assert found == [{**sent, "params": None}]


@pytest.mark.parametrize("kind", ["single_select", "multi_select"])
async def test_s4_84_options_are_returned(client: Client, make: Make, kind: str) -> None:
    options = '{"option":["a","b"]}'
    await _add_field(client, "Choice", kind, options)
    [field] = await client.ok("GET", "/v1.0/teamFeatures/listCustomField")
    assert field["params"] == options
    lead = await kept(client, make, customAttributeList=[{"attributeName": "Choice", "value": "a"}])
    assert lead["customAttributes"][0]["params"] == options


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


async def test_s4_100_up_to_four_family_members(client: Client, make: Make) -> None:
    assert await refused(client, leadFamilyMemberList=[ANN] * 5) == (400, 20012)
    assert (await kept(client, make, leadFamilyMemberList=[ANN] * 4))["leadFamilyMemberList"] == [ANN] * 4


@pytest.mark.parametrize(
    "field",
    [
        pytest.param("firstName", id="S4-101"),
        pytest.param("relationship", id="S4-102"),
        pytest.param("lastName", id="S4-103"),
        pytest.param("phones", id="S4-104"),
        pytest.param("emails", id="S4-105"),
        pytest.param("birthday", id="S4-106"),
    ],
)
async def test_a_family_member_keeps(client: Client, make: Make, field: str) -> None:
    sent = {"firstName": "A", field: ANN[field]}
    [member] = (await kept(client, make, leadFamilyMemberList=[sent]))["leadFamilyMemberList"]
    assert member[field] == ANN[field]


@pytest.mark.parametrize("member", [{"lastName": "Li"}, {"firstName": " "}, {"firstName": None}])
async def test_s4_101_a_family_member_has_a_first_name(client: Client, member: Any) -> None:
    assert await refused(client, leadFamilyMemberList=[member]) == (400, 20012)
