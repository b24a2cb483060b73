"""GET /v1.0/me, /v1.0/members, /v1.0/members/{account}, /v1.0/users/{userId}."""

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People


async def test_me(client: Client, people: People, make: Make) -> None:
    await make.lead(assignedUserId=people.adam.id)
    me = await client.ok("GET", "/v1.0/me")
    assert (me["id"], me["memberUserId"], me["email"]) == (people.adam.id, people.adam.id, people.adam.email)
    assert (me["role"], me["roleName"], me["isAdmin"]) == (0, "Agent", False)
    assert (me["groupId"], me["groupName"], me["group"]["id"]) == (people.north, "North", people.north)
    assert (me["assignedLeadCount"], me["newLeadCount"], me["status"]) == (1, 1, 1)


async def test_members_are_paged(client: Client, people: People) -> None:
    everybody = [people.olive, people.adam, people.ana, people.otto]
    page = await client.ok("GET", "/v1.0/members?limit=3")
    rest = await client.ok("GET", f"/v1.0/members?limit=3&scrollId={page['_metadata']['scrollId']}")
    assert page["_metadata"] == page["get_metadata"]
    assert (page["_metadata"]["total"], page["_metadata"]["collection"]) == (4, "members")
    assert [one["id"] for one in page["members"] + rest["members"]] == sorted(person.id for person in everybody)
    assert "scrollId" not in rest["_metadata"]
    assert len((await client.ok("GET", "/v1.0/members?offset=3"))["members"]) == 1
    assert len((await client.ok("GET", "/v1.0/members?offset=-3"))["members"]) == 4


async def test_a_scroll_is_not_counted_off_again(client: Client) -> None:
    """A client that sends both its offset and the scrollId loses nobody."""
    first = await client.ok("GET", "/v1.0/members?limit=2")
    rest = await client.ok("GET", f"/v1.0/members?limit=2&offset=2&scrollId={first['_metadata']['scrollId']}")
    assert len({one["id"] for one in first["members"] + rest["members"]}) == 4


async def test_members_of_offices(client: Client, people: People) -> None:
    north = await client.ok("GET", f"/v1.0/members?groupIds={people.north}")
    assert {one["id"] for one in north["members"]} == {people.adam.id, people.ana.id}
    both = await client.ok("GET", f"/v1.0/members?groupIds={people.north},{people.south}")
    assert len(both["members"]) == 3
    assert await client.refused("GET", "/v1.0/members?groupIds=12345") == (404, 20003)


@pytest.mark.parametrize(("query", "code"), [("limit=1001", 900011), ("limit=x", 20012), ("limit=0", 20012)])
async def test_members_limit(client: Client, query: str, code: int) -> None:
    assert await client.refused("GET", f"/v1.0/members?{query}") == (400, code)


async def test_one_member(client: Client, people: People, make: Make) -> None:
    by_login = await client.ok("GET", f"/v1.0/members/{people.ana.email.upper()}")
    by_id = await client.ok("GET", f"/v1.0/users/{people.ana.id}")
    assert by_login == by_id
    assert by_login["id"] == people.ana.id
    for path in (
        "members/nobody@example.com",
        f"members/{people.sid.email}",
        f"users/{people.sid.id}",
        "users/x",
        "users/0",
    ):
        assert await client.refused("GET", f"/v1.0/{path}") == (404, 20003)
    await make.change("UPDATE member SET status = 'invited' WHERE id = $1", people.ana.id)
    assert await client.refused("GET", f"/v1.0/members/{people.ana.email}") == (404, 20003)


async def test_lead_pipelines(client: Client) -> None:
    page = await client.ok("GET", "/v1.0/teamFeatures/lead-pipelines?pageSize=2")
    assert ([one["name"] for one in page["pipelines"]], page["_metadata"]["total"]) == (["New Lead", "Pending"], 5)
    found = await client.ok("GET", "/v1.0/teamFeatures/lead-pipelines?name=CONT")
    assert [one["name"] for one in found["pipelines"]] == ["Contacted"]
    assert await client.refused("GET", "/v1.0/teamFeatures/lead-pipelines?pageSize=0") == (400, 20012)


async def test_tags_of_the_team(client: Client, make: Make, people: People) -> None:
    await make.lead(tags=["b", "a"])
    await make.lead(tags=["a"], by=people.stella)
    tags = await client.ok("GET", "/v1.0/teamFeatures/listTag")
    assert [(tag["tagName"], tag["leadId"], tag["creatorUserId"]) for tag in tags] == [
        ("a", 0, people.adam.id),
        ("b", 0, people.adam.id),
    ]


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({}, 900018),
        ({"attributeName": " "}, 900018),
        ({"attributeName": "x"}, 900019),
        ({"attributeName": "x", "attributeType": "colour"}, 20012),
    ],
)
async def test_custom_fields_that_are_refused(client: Client, field: dict[str, str], code: int) -> None:
    assert await client.refused("POST", "/v1.0/teamFeatures/custom-field", field) == (400, code)


async def test_a_lender_adds_no_custom_field(client: Client, make: Make, people: People) -> None:
    await make.change("UPDATE member SET role = 'lender' WHERE id = $1", people.adam.id)
    field = {"attributeName": "Budget", "attributeType": "number"}
    assert await client.refused("POST", "/v1.0/teamFeatures/custom-field", field) == (400, 20017)
    assert await client.ok("GET", "/v1.0/teamFeatures/listCustomField") == []


async def test_a_custom_field_name_is_taken_once(client: Client) -> None:
    field = {"attributeName": "Budget", "attributeType": "number"}
    await client.ok("POST", "/v1.0/teamFeatures/custom-field", field)
    again = {"attributeName": " budget ", "attributeType": "text"}
    assert await client.refused("POST", "/v1.0/teamFeatures/custom-field", again) == (400, 20012)
