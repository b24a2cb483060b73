"""Partial updates: what is sent changes, the rest stays."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.client import Client
from tests.support.examples import for_all
from tests.support.make import Make
from tests.support.people import People

from rooftree.leads import fields, rules
from rooftree.leads.wire import EditLeadRequest
from rooftree.platform.http.reading import decode

FILLED: dict[str, Any] = {
    "firstName": "Jane",
    "lastName": "Smith",
    "emails": ["a@example.com"],
    "phones": ["5551234567"],
    "leadTypes": [2],
    "stage": "Pending",
    "source": "Website",
    "referredBy": "a friend",
    "birthday": "Jun 5, 2001",
    "language": "en",
    "preQual": "Yes",
    "buyingTimeFrame": "3-6",
    "segments": ["VIP"],
    "cannotText": True,
}
CHANGED: dict[str, Any] = {
    "firstName": "Joan",
    "lastName": None,
    "emails": ["b@example.com", "c@example.com"],
    "phones": [],
    "leadTypes": [1, 5],
    "stage": "Active",
    "source": None,
    "referredBy": None,
    "birthday": None,
    "language": "fr",
    "preQual": None,
    "buyingTimeFrame": "12+",
    "segments": [],
    "cannotText": False,
}


#: Keys of the answer that follow from a field of the request.
FOLLOWING = {
    "stage": {"stageId"},
    "source": {"leadSource"},
    "segments": {"groups"},
    "leadTypes": {"leadType"},
    "phones": {"phoneStatuses"},
}


@pytest.mark.parametrize("field", CHANGED)
async def test_one_field_changes_alone(client: Client, make: Make, field: str) -> None:
    lead_id = await make.lead(**FILLED)
    before = await client.lead(lead_id)
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {field: CHANGED[field]})
    after = await client.lead(lead_id)
    assert after[field] == CHANGED[field]
    differing = {key for key in before if before[key] != after[key]} - {"lastUpdateTime"}
    assert differing == {field} | FOLLOWING.get(field, set())


async def test_any_subset_of_fields_changes_alone(client: Client, make: Make) -> None:
    """Whatever a request names has the value sent; every other key of the answer is as before."""
    lead_id = await make.lead(**FILLED)

    async def check(fields: dict[str, dict[str, Any]]) -> None:
        body = {field: versions[field] for field, versions in fields.items()}
        before = await client.lead(lead_id)
        await client.ok("PUT", f"/v1.0/leads/{lead_id}", body)
        after = await client.lead(lead_id)
        assert {field: after[field] for field in body} == body
        allowed = set(body).union({"lastUpdateTime"}, *(FOLLOWING.get(field, set()) for field in body))
        assert {key for key in before if before[key] != after[key]} <= allowed

    await for_all(st.dictionaries(st.sampled_from(sorted(CHANGED)), st.sampled_from([FILLED, CHANGED])), check)


async def test_what_is_cut_is_cut_as_the_contract_says(client: Client, make: Make) -> None:
    """Trimmed, then cut by code points, blanks and doubles dropped, first order kept; the rest never complains."""

    def cut(text: str, length: int) -> str:
        return "".join(list(text.strip())[:length])

    def distinct(names: list[str], length: int) -> list[str]:
        found: list[str] = []
        for name in names:
            if (short := cut(name, length)) and short not in found:
                found.append(short)
        return found

    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=70)
    names = texts.filter(str.strip)
    lists = st.lists(texts | st.sampled_from(["a", " a", "b" * 64, "b" * 65]), max_size=6)

    async def check(body: dict[str, Any]) -> None:
        lead_id = await make.lead(**body)
        for _ in range(2):
            lead = await client.lead(lead_id)
            assert lead["firstName"] == cut(body["firstName"], 30)
            assert lead["lastName"] == (cut(body["lastName"], 30) or None)
            assert lead["groups"] == lead["segments"] == distinct(body["groups"] + body["segments"], 30)
            assert [tag["tagName"] for tag in lead["tags"]] == distinct(body["tags"] + body["tagsAdd"], 64)
            await client.ok("PUT", f"/v1.0/leads/{lead_id}", body)

    parts = {"firstName": names, "lastName": texts}
    await for_all(st.fixed_dictionaries(parts | dict.fromkeys(("groups", "segments", "tags", "tagsAdd"), lists)), check)


@pytest.mark.parametrize("body", [{}, None, {"stage": None}, {"cannotText": None}, {"unknown": 1}, {"firstName": None}])
async def test_nothing_sent_changes_nothing(client: Client, make: Make, body: Any) -> None:
    lead_id = await make.lead(**FILLED)
    before = await client.lead(lead_id)
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", body)
    assert await client.lead(lead_id) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"firstName": " "}, 20012),
        ({"stage": "S" * 20}, 20043),
        ({"phones": ["1" * 21]}, 20043),
        ({"referredBy": "r" * 256}, 20043),
        ({"property": {"note": "x"}}, 200057),
        ({"leadTypes": ["two"]}, 20012),
        ({"emails": "a@example.com"}, 20012),
        ({"assignedUserId": 12}, 20012),
        ({"ownershipScope": "OFFICE"}, 20012),
        ({"inquiry": {"priceMin": 5, "priceMax": 1}}, 20012),
        ({"inquiry": {"priceMin": 2**63}}, 20012),
        ({"tags": [{"name": "x"}]}, 20012),
        ({"lastName": "a\x00b"}, 20012),
    ],
)
async def test_a_refused_update_changes_nothing(client: Client, make: Make, body: Any, code: int) -> None:
    lead_id = await make.lead(**FILLED)
    before = await client.lead(lead_id)
    assert await client.refused("PUT", f"/v1.0/leads/{lead_id}", {"lastName": "New", **body}) == (400, code)
    assert await client.lead(lead_id) == before


async def test_properties_merge_by_address_and_by_id(client: Client, make: Make) -> None:
    lead_id = await make.lead(property={"city": "Austin", "streetAddress": "1 Oak St", "price": 5})
    url = f"/v1.0/leads/{lead_id}/property"
    await client.ok("POST", url, {"city": " austin ", "streetAddress": "1 OAK ST", "bedrooms": 3})
    await client.ok("POST", url, {"city": "Waco"})
    first, second = (await client.lead(lead_id))["leadPropertyList"]
    assert (first["price"], first["bedrooms"], second["city"]) == (5, 3, "Waco")
    await client.ok("POST", url, {"id": second["id"], "city": "Dallas"})
    assert [place["city"] for place in (await client.lead(lead_id))["leadPropertyList"]] == [
        " austin ".strip(),
        "Dallas",
    ]
    assert await client.refused("POST", url, {"id": 12345, "city": "x"}) == (404, 200108)
    assert await client.refused("POST", url, {"id": second["id"], "city": " "}) == (400, 200057)
    assert await client.refused("POST", url, {}) == (400, 200057)


async def test_an_inquiry_keeps_what_is_not_sent(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    url = f"/v1.0/leads/{lead_id}/inquiry"
    await client.ok("POST", url, {"priceMin": 5, "bathroomsMin": 2})
    await client.ok("POST", url, {"priceMax": 9, "priceMin": -1})
    inquiry = (await client.lead(lead_id))["leadInquiry"]
    assert (inquiry["priceMin"], inquiry["priceMax"], inquiry["bathroomsMin"]) == (-1, 9, "2")


async def test_phone_statuses_stay_with_their_phones(client: Client, make: Make) -> None:
    lead_id = await make.lead(phones=["5551234567", "5551234568"])
    await make.change("UPDATE lead SET phone_statuses = '{4,2}' WHERE id = $1", lead_id)
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"phones": ["5550000000", "5551234567"]})
    assert (await client.lead(lead_id))["phoneStatuses"] == [2, 4]


async def test_duplicates_are_kept_apart_and_found(client: Client, make: Make, people: People) -> None:
    first = await make.lead(emails=["same@example.com"], phones=["(555) 123-4567"])
    second = await make.lead(emails=["SAME@example.com"])
    third = await make.lead(phones=["+1 555 123 4567"])
    await make.lead(by=people.stella, emails=["same@example.com"])
    found = (await client.ok("GET", f"/rooftree/v1/leads/{first}/duplicates"))["duplicates"]
    assert [(one["leadId"], one["matches"][0]["kind"]) for one in found] == [(second, "email"), (third, "phone")]
    rows = await make.rows("SELECT details FROM timeline_entry WHERE lead_id = $1 AND kind = 'lead_created'", second)
    assert str(first) in rows[0]["details"].decode()


@given(st.text(max_size=80), st.integers(1, 64))
def test_cutting_never_lengthens_and_keeps_the_beginning(text: str, length: int) -> None:
    kept = fields.cut(text, length)
    assert len(kept) <= length
    assert text.strip().startswith(kept)
    assert fields.cut(kept.strip(), length) == kept.strip()


@given(st.lists(st.text(max_size=70), max_size=10))
def test_labels_are_distinct_and_never_blank(names: list[str]) -> None:
    kept = fields.labels("tags", names, 64)
    assert len(set(kept)) == len(kept)
    assert all(name.strip() and len(name) <= 64 for name in kept)


@given(
    st.lists(st.sampled_from("abcd")), st.none() | st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd"))
)
def test_removing_spares_what_the_request_brings(old: list[str], new: list[str] | None, removed: list[str]) -> None:
    kept = rules.tags_after(old, new=new, added=["d"], removed=removed, is_cleared=False)
    assert "d" in kept
    assert set(new or ()) <= set(kept)
    assert not {name for name in removed if name in old and name not in (new or []) and name != "d"} & set(kept)
    assert rules.tags_after(old, new=new, added=["d"], removed=removed, is_cleared=True) == []


@given(st.sampled_from(sorted(CHANGED)))
def test_unset_is_not_null(field: str) -> None:
    sent = fields.lead_columns(decode(f'{{"{field}": null}}'.encode(), EditLeadRequest))
    assert fields.lead_columns(EditLeadRequest()) == {}
    assert all(value is None for value in sent.values())
