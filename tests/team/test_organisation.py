"""The company, its tree of offices, and who may change what of it."""

import asyncio
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.platform.database import Database
from rooftree.team.actions import add_office

OFFICE, HUGE = "/v1.0/org/office", 2**63 - 1


async def _add(client: Client, name: str, parent_id: int | None = None, **fields: Any) -> int:
    answer = await client.ok("PUT", OFFICE, {"name": name, "parentId": parent_id, **fields})
    assert (answer["code"], answer["message"]) == (0, "success")
    return answer["data"]["id"]


async def _seen(client: Client) -> list[tuple[str, int]]:
    visible = (await client.ok("GET", "/v1.0/org"))["enterpriseInfo"]["visibleOrgInfoList"]
    return [(one["groupName"], one["parentId"]) for one in visible]


async def test_where_one_stands(client: Client, people: People, make: Make) -> None:
    olive = client.as_(people.olive)
    org = await olive.ok("GET", "/v1.0/org")
    assert (org["orgType"], org["multiTeamInfo"]) == (1, None)
    assert {key: value for key, value in org["enterpriseInfo"].items() if key != "visibleOrgInfoList"} == {
        "groupId": 0, "groupName": "Realty", "profileId": 1, "profileName": "Company Owner",
    }  # fmt: skip
    assert await _seen(olive) == [("North", 0), ("South", 0)]
    assert (await client.ok("GET", "/v1.0/org"))["enterpriseInfo"] == {
        "groupId": people.north, "groupName": "North", "profileId": 5, "profileName": "Standard User",
        "visibleOrgInfoList": [],
    }  # fmt: skip
    harbour = await _add(olive, "Harbour", people.north)
    await make.change("UPDATE member SET role = 'office_owner' WHERE id = $1", people.adam.id)
    assert await _seen(client) == [("North", 0), ("Harbour", people.north)]
    await _add(client, "Pier", harbour)
    await olive.ok("POST", OFFICE, {"id": people.north, "allowManageSub": False})
    assert await _seen(client) == [("North", 0)], "those below manage themselves"
    assert await client.refused("PUT", OFFICE, {"name": "x", "parentId": people.north}) == (400, 20017)
    assert await client.refused("POST", OFFICE, {"id": people.north, "allowManageSub": True}) == (400, 20017)


async def test_put_adds_and_post_changes(client: Client, people: People, make: Make) -> None:
    olive = client.as_(people.olive)
    fields = {"phone": 5551234, "email": "n@example.com", "city": " Reno ", "zipcode": 89501, "id": people.south}
    harbour = await _add(olive, "Harbour", people.north, **fields)
    await make.change("UPDATE member SET office_id = $2 WHERE id = $1", people.adam.id, harbour)
    office = (await client.ok("GET", "/v1.0/me"))["group"]
    assert (office["name"], office["parentId"], office["layer"]) == ("Harbour", people.north, 3)
    assert (office["phone"], office["city"], office["zipcode"]) == ("5551234", "Reno", "89501")
    answer = await olive.ok("POST", OFFICE, {"id": harbour, "name": "Port", "city": "", "email": "<string>"})
    assert answer == {"code": 0, "message": "success", "data": {"id": harbour}}
    office = (await client.ok("GET", "/v1.0/me"))["group"]
    assert (office["name"], office["city"], office["email"]) == ("Port", "", "n@example.com")
    assert office["phone"] == "5551234"
    await olive.ok("POST", OFFICE, {"id": harbour, "parentId": 0})
    assert (await client.ok("GET", "/v1.0/me"))["group"]["path"] == str(harbour)


async def test_an_office_moves_with_all_below_it(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    mid = await _add(olive, "Mid", people.north)
    low = await _add(olive, "Low", mid)
    await olive.ok("POST", OFFICE, {"id": mid, "parentId": people.south})
    await olive.ok("PUT", f"/rooftree/v1/members/{people.adam.id}", {"officeId": low})
    assert (await client.ok("GET", "/v1.0/me"))["group"]["path"] == f"{people.south}/{mid}/{low}"
    for parent_id in (people.south, mid, low):
        assert await olive.refused("POST", OFFICE, {"id": people.south, "parentId": parent_id}) == (400, 20012)


async def test_two_moves_at_once_make_no_cycle(client: Client, people: People, make: Make) -> None:
    olive = client.as_(people.olive)
    moves = [{"id": people.north, "parentId": people.south}, {"id": people.south, "parentId": people.north}]
    answers = await asyncio.gather(*(olive.send("POST", OFFICE, move) for move in moves))
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    rows = await make.rows("SELECT id, ancestor_ids FROM office WHERE team_id = $1", people.olive.team_id)
    assert sorted(len(row["ancestor_ids"]) for row in rows) == [0, 1]
    assert all(row["id"] not in row["ancestor_ids"] for row in rows)


async def test_ten_tiers(client: Client, people: People) -> None:
    olive, parent_id = client.as_(people.olive), people.north
    for tier in range(3, 11):
        parent_id = await _add(olive, f"Tier {tier}", parent_id)
    assert await olive.refused("PUT", OFFICE, {"name": "Tier 11", "parentId": parent_id}) == (400, 20012)
    assert await olive.refused("POST", OFFICE, {"id": people.north, "parentId": people.south}) == (400, 20012)


async def test_five_hundred_offices_under_one(client: Client, people: People, owner_db: Database) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        for number in range(500):
            await add_office(tx, f"Office {number}", people.north)
    olive, body = client.as_(people.olive), {"name": "One more", "parentId": people.north}
    assert await olive.refused("PUT", OFFICE, body) == (400, 20012)
    assert await olive.refused("POST", OFFICE, {"id": people.south, "parentId": people.north}) == (400, 20012)
    await olive.ok("PUT", OFFICE, {**body, "parentId": people.south})


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_offices_that_are_refused(client: Client, people: People, make: Make, method: str) -> None:
    olive = client.as_(people.olive)
    theirs = await _add(client.as_(people.stella), "Theirs")
    good: dict[str, Any] = {"name": "x", "id": people.north}
    wrong: list[dict[str, Any]] = [
        {"name": " "}, {"name": {}}, {"parentId": theirs}, {"parentId": HUGE}, {"parentId": "x"},
        {"parentId": -1}, {"parentId": 2**63}, {"email": "x"}, {"phone": []}, {"city": "\0"}, {"allowManageSub": "x"},
    ]  # fmt: skip
    for fields in wrong:
        assert await olive.refused(method, OFFICE, {**good, **fields}) == (400, 20012), fields
    assert await olive.refused(method, OFFICE, {**good, "city": "x" * 256}) == (400, 20043)
    assert await client.refused(method, OFFICE, {**good, "parentId": people.north}) == (400, 20017), "an agent"
    await make.change("UPDATE member SET role = 'office_admin' WHERE id = $1", people.adam.id)
    for parent_id in (0, people.south, theirs, HUGE):
        assert await client.refused(method, OFFICE, {**good, "parentId": parent_id or None, "id": parent_id}) == (
            400,
            20017,
        ), parent_id


async def test_offices_that_are_not_there(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    assert await olive.refused("POST", OFFICE, {"name": "x"}) == (400, 20012)
    for office_id in (await _add(client.as_(people.stella), "Theirs"), HUGE, 0, -1):
        assert await olive.refused("POST", OFFICE, {"id": office_id, "name": "x"}) == (404, 20007)


async def test_the_company(client: Client, people: People, make: Make) -> None:
    olive = client.as_(people.olive)
    answer = await olive.ok("POST", "/v1.0/org/company", {"name": "Homes", "phone": "1", "header": "h" * 1999})
    assert answer == {"code": 0, "message": "success", "data": {"id": people.olive.team_id}}
    await olive.ok("POST", "/v1.0/org/company", {"city": "Reno"})
    assert (await olive.ok("GET", "/v1.0/org"))["enterpriseInfo"]["groupName"] == "Homes"
    [row] = await make.rows("SELECT details FROM team WHERE id = $1", people.olive.team_id)
    assert row["details"] == b'{"city": "Reno", "phone": "1", "header": "%s"}' % (b"h" * 1999)
    for body in ({"name": ""}, {"name": 2**70, "email": "x"}, {"city": []}, []):
        assert await olive.refused("POST", "/v1.0/org/company", body) == (400, 20012)
    await make.change("UPDATE member SET role = 'office_owner' WHERE id = $1", people.adam.id)
    assert await client.refused("POST", "/v1.0/org/company", {"name": "Mine"}) == (400, 20017)
