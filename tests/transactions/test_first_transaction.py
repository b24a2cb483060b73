"""The transaction that comes with a lead, and GET /v1.0/leads/{leadId}/transactions. contract: behaviour.md 14"""

from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.make import Make, actor_for
from tests.support.people import People

from rooftree.platform.database import Database
from rooftree.timeline.actions import Audience, record
from rooftree.transactions.actions import add_transaction

DATES = (
    "expectedCloseDate",
    "closeDate",
    "appointmentDate",
    "agreementSignedDate",
    "offerDate",
    "contractDate",
    "appraisalDate",
    "homeInspectionDate",
    "escrowDate",
    "expiration",
)
NUMBERS = ("homePrice", "commissionRate", "gci", "teamRevenue", "agentRevenue")
#: Neither stored nor refused: an answer may be sent back.
IGNORED = {"created": 1, "updated": 2, "transactionId": 3, "leadName": "x", "assignedAgent": 4, "foo": 5}


async def _stored(client: Client, make: Make, **fields: Any) -> dict[str, Any]:
    lead_id = await make.lead(leadTransaction={"transactionName": "123 Main St", **fields})
    (found,) = await client.ok("GET", f"/v1.0/leads/{lead_id}/transactions")
    return found


async def _refused(client: Client, **fields: Any) -> tuple[int, int, str]:
    body = {"firstName": "T", "leadTransaction": {"transactionName": "123 Main St", **fields}}
    answer = await client.send("POST", "/v1.0/leads", body)
    return answer.status_code, answer.json()["code"], answer.json()["name"]


async def test_a_name_is_enough(client: Client, make: Make, people: People) -> None:
    sent = {"transactionName": " 123 Main St ", **IGNORED}
    lead_id = await make.lead(lastName="Doe", assignedUserId=people.ana.id, leadTransaction=sent)
    (found,) = await client.ok("GET", f"/v1.0/leads/{lead_id}/transactions")
    assert found.pop("transactionId") > 4
    assert found.pop("created") == found.pop("updated") > 1_700_000_000_000
    assert found == {
        "transactionName": "123 Main St",
        "transactionType": "Purchase",
        "transactionStatus": "Pre-contract",
        "leadName": "T Doe",
        "assignedAgent": people.ana.id,
        "customFields": [],
        "commissions": None,
        **dict.fromkeys((*DATES, *NUMBERS)),
    }


async def test_numbers_and_dates_are_kept(client: Client, make: Make) -> None:
    sent: dict[str, Any] = {name: 1_508_580_010_000 + 86_400_000 * place for place, name in enumerate(DATES)}
    sent |= dict(zip(NUMBERS, (1_000_000, 2.5, 25000.75, 0, 4000), strict=True))
    found = await _stored(client, make, **sent)
    assert {name: found[name] for name in sent} == sent


async def test_text_is_read_where_a_number_is_due(client: Client, make: Make) -> None:
    found = await _stored(client, make, homePrice="450000.5", closeDate="1508580010123")
    assert (found["homePrice"], found["closeDate"]) == (450000.5, 1508580010123)


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("Listing", "under contract", ("Listing", "Under Contract")),
        ("listing", None, ("Purchase", "Pre-contract")),
        ("Other", "Pre-contract", ("Other", "Open")),
        ("Lease", "CLOSED", ("Lease", "Closed")),
        ("Barter", "Cancelled", ("Purchase", "Cancelled")),
    ],
)
async def test_type_and_status(
    client: Client, make: Make, kind: str, status: str | None, expected: tuple[str, str]
) -> None:
    found = await _stored(client, make, transactionType=kind, transactionStatus=status)
    assert (found["transactionType"], found["transactionStatus"]) == expected


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "TRANSACTION_NAME_BLANK"),
        ("  ", "TRANSACTION_NAME_BLANK"),
        (None, "TRANSACTION_NAME_BLANK"),
        ("a < b", "TRANSACTION_NAME_HTML"),
        ("a > b", "TRANSACTION_NAME_HTML"),
        ("<b>", "TRANSACTION_NAME_HTML"),
    ],
)
async def test_a_name_that_is_none(client: Client, name: str | None, error: str) -> None:
    assert await _refused(client, transactionName=name, closeDate=2**62) == (400, 200062, error)


async def test_no_name_at_all_and_one_too_long(client: Client) -> None:
    assert await client.refused("POST", "/v1.0/leads", {"firstName": "T", "leadTransaction": {}}) == (400, 200062)
    assert (await _refused(client, transactionName="N" * 256))[:2] == (400, 20043)


@pytest.mark.parametrize(
    "fields",
    [
        {"transactionName": 5},
        {"homePrice": "much"},
        {"homePrice": "nan"},
        {"gci": "inf"},
        {"closeDate": "2026-01-01"},
        {"closeDate": 2**62},
        {"expiration": -(2**62)},
        {"customFields": {"id": 1}},
        {"commissions": {"split": [{"payType": "NOBODY"}]}},
        {"commissions": {"split": [{"payType": "AGENT", "calculateType": "SHARE"}]}},
        {"commissions": {"preSplit": [{"calculateType": "AMOUNT", "value": 1}]}},
        {"commissions": {"postSplit": [{"payType": "AGENT", "value": -1}]}},
        {"commissions": {"split": [{"payType": "AGENT", "calculateType": "PERCENT", "value": 60}] * 2}},
    ],
)
async def test_a_faulty_field(client: Client, make: Make, people: People, fields: dict[str, Any]) -> None:
    assert await _refused(client, **fields) == (400, 20012, "INVALID_PARAMETER")
    for table in ("lead", "lead_transaction", "timeline_entry", "announcement", "routing_turn"):
        rows = await make.rows(f"SELECT FROM {table} WHERE team_id = $1", people.adam.team_id)
        assert rows == [], f"{table}: one refused field refuses all"


async def test_commissions_and_custom_fields_are_kept(client: Client, make: Make) -> None:
    line = {"id": 1, "payType": "AGENT", "payTo": 5, "payToName": "Ana", "value": 60, "calculateType": "PERCENT"}
    line |= {"splitPayType": "TEAM", "splitPayTo": 6, "splitPayToName": "Realty", "desc": "half"}
    other = {**dict.fromkeys(line), "payType": "TEAM", "value": 40, "calculateType": "PERCENT"}
    blocks = {"preSplit": None, "split": [line, other], "postSplit": [{**line, "value": 100}]}
    values = [{"id": 1, "value": "a"}, {"id": 2, "value": None}]
    found = await _stored(client, make, commissions=blocks, customFields=values)
    assert (found["commissions"], found["customFields"]) == (blocks, values)


async def test_the_timeline_and_the_announcement_name_it(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(leadTransaction={"transactionName": "123 Main St", "transactionType": "Lease"})
    (found,) = await client.ok("GET", f"/v1.0/leads/{lead_id}/transactions")
    number = found["transactionId"]
    entry = "SELECT actor_id, details FROM timeline_entry WHERE lead_id = $1 AND kind = 'transaction_added'"
    ((actor_id, details),) = await make.rows(entry, lead_id)
    assert actor_id == people.adam.id
    expected = {"transactionId": number, "name": "123 Main St", "type": "Lease", "status": "Pre-contract"}
    assert msgspec.json.decode(details) == expected
    announcement = "SELECT verb, payload FROM announcement WHERE lead_id = $1 AND list_id = 5"
    ((verb, payload),) = await make.rows(announcement, lead_id)
    assert verb == "createdTransaction"
    assert msgspec.json.decode(payload) == {"leadId": lead_id, "transactionId": number}


async def test_the_list_is_bare_and_oldest_first(client: Client, db: Database, make: Make, people: People) -> None:
    lead_id = await make.lead()
    assert await client.ok("GET", f"/v1.0/leads/{lead_id}/transactions") == []
    numbers: dict[str, int] = {}
    for name in ("first", "second", "deleted"):
        async with db.transaction(people.adam.team_id) as tx:
            entry = await add_transaction(tx, actor_for(people.adam), lead_id, {"transactionName": name})
            await record(tx, actor_for(people.adam), [entry], audience=Audience([], "TEAM", 0, False))
        numbers[name] = entry.details["transactionId"]
    await make.change("UPDATE lead_transaction SET deleted_at = now() WHERE id = $1", numbers["deleted"])
    found = await client.ok("GET", f"/v1.0/leads/{lead_id}/transactions")
    assert [one["transactionId"] for one in found] == [numbers["first"], numbers["second"]]


async def test_a_lead_that_is_not_theirs_to_manage(client: Client, make: Make, people: People) -> None:
    foreign = await make.lead(by=people.sid)
    unseen = await make.lead(assignedUserId=people.otto.id, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    lent = await make.lead(assignedUserId=people.adam.id)
    wish = [{"role": "Lender", "assignee": people.otto.email}]
    await client.ok("POST", f"/v1.0/leads/{lent}/assignment", wish)
    hidden = [f"/v1.0/leads/{lead_id}/transactions" for lead_id in (999, "abc", foreign, unseen)]
    refused = [await client.refused("GET", path) for path in hidden]
    refused.append(await client.as_(people.otto).refused("GET", f"/v1.0/leads/{lent}/transactions"))
    assert set(refused) == {(404, 20006)}
    assert await client.as_(None).refused("GET", f"/v1.0/leads/{lent}/transactions") == (401, 900401)


async def test_a_fresh_team_has_its_pipelines(make: Make, people: People) -> None:
    rows = await make.rows(
        "SELECT transaction_type, stages FROM transaction_pipeline WHERE team_id = $1 ORDER BY position",
        people.stella.team_id,
    )
    deal = ["Pre-contract", "Under Contract", "Closed", "Cancelled"]
    assert [tuple(row) for row in rows] == [
        ("Purchase", deal),
        ("Listing", deal),
        ("Lease", deal),
        ("Other", ["Open", "Closed", "Cancelled"]),
    ]
