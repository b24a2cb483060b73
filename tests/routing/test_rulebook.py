"""The rules over HTTP: the contract's operations with every code, and our own beside them."""

from typing import Any

import pytest
from tests.support.client import Client
from tests.support.people import People

from rooftree.platform.database import Database
from rooftree.team import actions as team
from rooftree.team import store as team_store

RULES = "/rooftree/v1/routing/rules"
FORBIDDEN = (400, 20017)


@pytest.fixture
def olive(client: Client, people: People) -> Client:
    return client.as_(people.olive)


async def rule(client: Client, **fields: Any) -> dict[str, Any]:
    return await client.ok("POST", RULES, fields)


async def pond(owner_db: Database, people: People, name: str = "Pond", *, is_enabled: bool = True) -> int:
    async with owner_db.transaction(people.olive.team_id) as tx:
        made = await team_store.insert_pond(
            tx, name=name, owner_id=people.olive.id, office_id=None, agent_ids=[people.ana.id], is_enabled=is_enabled
        )
    assert made
    return made.id


async def member(owner_db: Database, people: People, role: str, office_id: int | None = None) -> int:
    email = f"{role}.{people.olive.id}.{office_id}@example.com"
    async with owner_db.transaction(people.olive.team_id) as tx:
        return (await team.add_member(tx, email=email, first_name=role, role=role, office_id=office_id)).id


# --- the contract's lists --------------------------------------------------------------------------------------------


async def test_a_rule_in_the_contracts_shape(olive: Client, people: People) -> None:
    made = await rule(
        olive,
        name="Zillow, Denver",
        criteria={
            "sourceNames": ["Zillow", "Trulia"],
            "tagNames": ["hot"],
            "tagMatch": 2,
            "segmentNames": ["vip"],
            "leadTypeIds": [1, 3],
            "leadTypeMatch": 3,
            "state": "CO",
            "city": "Denver,Boulder",
            "phone": "With",
            "priceMin": 100_000,
            "priceMax": 900_000,
        },
        hours={"days": [5, 1, 1], "start": 9, "end": 17},
        strategy="NEXT_UP",
        touchMinutes=15,
        members=[{"memberId": people.adam.id, "weight": 3}, {"memberId": people.ana.id}],
    )
    (found,) = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert found.pop("updateTime") > 1_700_000_000_000
    assert found == {
        "id": made["id"],
        "name": "Zillow, Denver",
        "locationRule": {
            "locationMatchType": 1,
            "state": "CO",
            "county": "",
            "city": "Denver,Boulder",
            "zipcode": "",
            "streetAddress": "",
        },
        "sourceName": "Zillow,Trulia",
        "sourceMatchType": 1,
        "tagNames": ["hot"],
        "tagMatchType": 2,
        "groupNames": ["vip"],
        "groupMatchType": 1,
        "phone": "With",
        "priceMin": 100_000,
        "priceMax": 900_000,
        "leadType": "Seller,B&S",
        "leadTypeFilters": '{"type":"all","ids":"1,3"}',
        "activeHours": {"activeDays": [1, 5], "hoursStart": 9, "hoursEnd": 17},
        "routingStrategy": {
            "strategyType": 2,
            "groupId": None,
            "groupName": None,
            "touchMinutes": 15,
            "memberWeights": [
                {"memberId": people.adam.id, "firstName": "Adam", "lastName": "", "weight": 3},
                {"memberId": people.ana.id, "firstName": "Ana", "lastName": "", "weight": 1},
            ],
        },
        "ruleSwitch": True,
    }


async def test_one_member_is_one_object_and_none_is_null(olive: Client, people: People) -> None:
    made = await rule(olive, members=[{"memberId": people.adam.id, "weight": 2}])
    change = {"id": made["id"], "routingStrategy": {"memberWeights": None}}
    (before,) = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert await olive.ok("PUT", "/v1.0/routing/rule/1", change) == "ok"
    (after,) = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert before["routingStrategy"]["memberWeights"]["memberId"] == people.adam.id
    assert after["routingStrategy"]["memberWeights"] is None


async def test_the_list_holds_neither_drafts_nor_defaults_and_is_in_order(olive: Client, people: People) -> None:
    first, second = await rule(olive, name="first"), await rule(olive, name="second")
    await rule(olive, name="draft", isDraft=True)
    await rule(olive, name="default", isDefault=True)
    north = await rule(olive, name="north", officeId=people.north)
    await olive.ok("PUT", "/rooftree/v1/routing/order", {"ruleIds": [second["id"]]})
    found = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert [one["id"] for one in found] == [north["id"], second["id"], first["id"]]
    assert [one["name"] for one in (await olive.ok("GET", RULES))["rules"]] == [
        "north",
        "second",
        "first",
        "draft",
        "default",
    ]


async def test_what_is_sent_back_as_it_came_changes_nothing(olive: Client, people: People) -> None:
    await rule(olive, members=[{"memberId": people.adam.id}, {"memberId": people.ana.id, "weight": 2}])
    (before,) = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert await olive.ok("PUT", "/v1.0/routing/rule/1", before) == "ok"
    (after,) = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert {**before, "updateTime": 0} == {**after, "updateTime": 0}


async def test_only_hours_and_strategy_change(olive: Client) -> None:
    made = await rule(olive, name="R", criteria={"sourceNames": ["Zillow"]})
    change = {"id": made["id"], "name": "X", "sourceName": "Y", "ruleSwitch": False, "activeHours": {"activeDays": [7]}}
    await olive.ok("PUT", "/v1.0/routing/rule/1", change)
    (found,) = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert (found["name"], found["sourceName"], found["ruleSwitch"]) == ("R", "Zillow", True)
    assert found["activeHours"] == {"activeDays": [7], "hoursStart": 0, "hoursEnd": 0}


async def test_roles_and_members(olive: Client, owner_db: Database, people: People) -> None:
    lender, assistant = await member(owner_db, people, "lender"), await member(owner_db, people, "assistant")
    roles = await olive.ok("GET", "/v1.0/routing/role/list")
    assert {"id": 20, "name": "Referral Partner"} in roles
    agents = {people.olive.id, people.adam.id, people.ana.id, people.otto.id}
    for path, ids in (("1", agents), ("2", {lender}), ("4?roleId=20", agents | {assistant})):
        found = await olive.ok("GET", f"/v1.0/routing/member/list/{path}")
        assert {one["id"] for one in found} == ids
        assert {one["type"] for one in found} == {int(path[0])}


# --- the contract's refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("rule/list/3", 900030),
        ("rule/list/x", 900030),
        ("rule/list/99999999999999999999", 900030),
        ("rule/list/4", 900034),
        ("rule/list/4?roleId=7", 900034),
        ("rule/list/4?roleId=99999999999", 900034),
        ("rule/supplement/0", 900030),
        ("rule/supplement/4", 900034),
        ("member/list/5", 900030),
        ("member/list/4", 900034),
    ],
)
async def test_kinds_that_there_are_not(olive: Client, path: str, code: int) -> None:
    assert await olive.refused("GET", f"/v1.0/routing/{path}") == (400, code)


@pytest.mark.parametrize(
    ("hours", "code"),
    [
        ({"activeDays": [0]}, 900036),
        ({"activeDays": [8]}, 900036),
        ({"activeDays": []}, 900036),
        ({"hoursStart": 24}, 900037),
        ({"hoursEnd": -1}, 900037),
    ],
)
async def test_hours_that_there_are_not(olive: Client, hours: dict[str, Any], code: int) -> None:
    made = await rule(olive)
    assert await olive.refused("PUT", "/v1.0/routing/rule/1", {"id": made["id"], "activeHours": hours}) == (400, code)


@pytest.mark.parametrize("minutes", [-1, 61, 90, 1441, 1500, 2**40])
@pytest.mark.parametrize("strategy", [1, 2, 3])
async def test_minutes_off_the_scale(olive: Client, strategy: int, minutes: int) -> None:
    made = await rule(olive)
    change = {"id": made["id"], "routingStrategy": {"strategyType": strategy, "touchMinutes": minutes}}
    assert await olive.refused("PUT", "/v1.0/routing/rule/1", change) == (400, 900039)
    assert await olive.refused("PUT", "/v1.0/routing/rule/supplement/1", change["routingStrategy"]) == (400, 900039)


@pytest.mark.parametrize(
    ("business_type", "strategy", "code"),
    [
        (1, 0, 900031),
        (1, 6, 900031),
        (1, 2, 900039),  # NEXT_UP without minutes
        (1, 3, 900039),
        (1, 4, 900035),  # a pond is missing
        (1, 5, 900032),  # DEFAULT_ASSIGNEE is for default rules
        (2, 4, 900032),
        (4, 2, 900032),
        (4, 3, 900032),
        (4, 4, 900032),
    ],
)
async def test_strategies_that_do_not_fit(olive: Client, business_type: int, strategy: int, code: int) -> None:
    made = await rule(olive, type=business_type, **({"roleId": 20} if business_type == 4 else {}))
    change = {"id": made["id"], "routingStrategy": {"strategyType": strategy}}
    assert await olive.refused("PUT", f"/v1.0/routing/rule/{business_type}", change) == (400, code)


async def test_ponds(olive: Client, owner_db: Database, people: People) -> None:
    made = await rule(olive)
    closed, lake = await pond(owner_db, people, "Closed", is_enabled=False), await pond(owner_db, people, "Lake")
    for pond_id in (0, 1, closed, 2**62):
        change = {"id": made["id"], "routingStrategy": {"strategyType": 4, "groupId": pond_id}}
        assert await olive.refused("PUT", "/v1.0/routing/rule/1", change) == (400, 900035)
    await olive.ok(
        "PUT", "/v1.0/routing/rule/1", {"id": made["id"], "routingStrategy": {"strategyType": 4, "groupId": lake}}
    )
    (found,) = await olive.ok("GET", "/v1.0/routing/rule/list/1")
    assert (found["routingStrategy"]["groupId"], found["routingStrategy"]["groupName"]) == (lake, "Lake")


async def test_weights(olive: Client, owner_db: Database, people: People) -> None:
    made = await rule(olive)
    lender = await member(owner_db, people, "lender")
    adam = people.adam.id
    refused: list[Any] = [
        {"memberId": people.stella.id, "weight": 1},
        {"memberId": lender},
        {"memberId": adam, "weight": 0},
        [{"memberId": adam}, {"memberId": adam}],
        [{"memberId": adam, "weight": 1000}, {"memberId": people.ana.id}],
    ]
    for weights in refused:
        change = {"id": made["id"], "routingStrategy": {"memberWeights": weights}}
        assert await olive.refused("PUT", "/v1.0/routing/rule/1", change) == (400, 900038), weights
    change = {"id": made["id"], "routingStrategy": {"memberWeights": [{"memberId": adam, "weight": -1}]}}
    assert (await olive.refused("PUT", "/v1.0/routing/rule/1", change))[1] == 20012
    large = [{"memberId": adam, "weight": 600_000}, {"memberId": people.ana.id, "weight": 400_000}]
    await olive.ok("PUT", "/v1.0/routing/rule/1", {"id": made["id"], "routingStrategy": {"memberWeights": large}})


async def test_rules_that_are_not_there_to_be_changed(olive: Client, people: People) -> None:
    assistants = await rule(olive, type=4, roleId=20)
    draft, default = await rule(olive, isDraft=True), await rule(olive, isDefault=True)
    for rule_id in (None, 0, 1, 2**63 - 1, assistants["id"], draft["id"], default["id"]):
        body = {} if rule_id is None else {"id": rule_id}
        assert await olive.refused("PUT", "/v1.0/routing/rule/1", body) == (400, 900033)
    stella = olive.as_(people.stella)
    assert await stella.refused("PUT", "/v1.0/routing/rule/4", {"id": assistants["id"]}) == (400, 900033)
    assert await stella.refused("PUT", f"{RULES}/{assistants['id']}", {}) == (400, 900033)
    assert await stella.refused("DELETE", f"{RULES}/{assistants['id']}") == (400, 900033)


# --- the default rule ------------------------------------------------------------------------------------------------


async def test_the_default_rule_where_nobody_made_one(olive: Client) -> None:
    agents = await olive.ok("GET", "/v1.0/routing/rule/supplement/1")
    lenders = await olive.ok("GET", "/v1.0/routing/rule/supplement/2")
    assert (agents["strategyType"], agents["assigneeAgentId"], agents["updateTime"]) == (1, None, None)
    assert (lenders["strategyType"], lenders["assigneeAgentId"]) == (5, None)


async def test_a_default_assignee(olive: Client, owner_db: Database, people: People) -> None:
    lake = await pond(owner_db, people, "Lake")
    url = "/v1.0/routing/rule/supplement/1"
    for body in ({}, {"assigneeAgentId": people.ana.id, "assigneeGroupId": lake}, {"assigneeAgentId": people.sid.id}):
        assert await olive.refused("PUT", url, {"strategyType": 5, **body}) == (400, 20012)
    assert await olive.ok("PUT", url, {"strategyType": 5, "assigneeAgentId": people.ana.id}) == "ok"
    found = await olive.ok("GET", url)
    assert (found["assigneeAgentName"], found["assigneeGroupId"]) == ("Ana", None)
    assert (await olive.ok("POST", "/v1.0/leads", {"firstName": "T"}))["leadId"]
    await olive.ok("PUT", url, {"strategyType": 5, "assigneeGroupId": lake})
    found = await olive.ok("GET", url)
    assert (found["assigneeAgentId"], found["assigneeGroupName"]) == (None, "Lake")
    assert await olive.refused("PUT", "/v1.0/routing/rule/supplement/4", {"strategyType": 5}) == (400, 900034)
    assert await olive.refused("PUT", "/v1.0/routing/rule/supplement/4", {"roleId": 20, "strategyType": 3}) == (
        400,
        900032,
    )
    assert await olive.ok("PUT", "/v1.0/routing/rule/supplement/4", {"roleId": 20, "strategyType": 1}) == "ok"


async def test_a_default_rule_stays(olive: Client, people: People) -> None:
    company, north = await rule(olive, isDefault=True), await rule(olive, isDefault=True, officeId=people.north)
    for one in (company, north):
        assert await olive.refused("DELETE", f"{RULES}/{one['id']}") == (400, 20012)
    assert await olive.refused("POST", RULES, {"isDefault": True}) == (400, 20012)
    assert await olive.refused("POST", RULES, {"isDefault": True, "isDraft": True, "officeId": people.south}) == (
        400,
        20012,
    )


# --- our own ---------------------------------------------------------------------------------------------------------


async def test_a_rule_is_made_changed_and_deleted(olive: Client, people: People) -> None:
    made = await rule(olive, name=" R ", hours={"timeZone": "America/Denver"})
    assert (made["name"], made["isOn"], made["hours"]["timeZone"]) == ("R", True, "America/Denver")
    changed = await olive.ok("PUT", f"{RULES}/{made['id']}", {"isOn": False, "criteria": {"languages": ["Spanish"]}})
    assert changed["criteria"]["languages"] == ["Spanish"]
    assert {**changed, "updatedAt": "", "isOn": True, "criteria": made["criteria"]} == {**made, "updatedAt": ""}
    same = {"type": 1, "officeId": None, "isDefault": False}
    await olive.ok("PUT", f"{RULES}/{made['id']}", same)
    for other in ({"type": 2}, {"officeId": people.north}, {"isDefault": True}, {"roleId": 20}):
        assert await olive.refused("PUT", f"{RULES}/{made['id']}", other) == (400, 20012)
    assert await olive.ok("DELETE", f"{RULES}/{made['id']}") == {}
    assert await olive.refused("DELETE", f"{RULES}/{made['id']}") == (400, 900033)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"type": 3}, 20012),
        ({"officeId": 77}, 20012),
        ({"strategy": "LUCK"}, 20012),
        ({"criteria": {"phone": "Maybe"}}, 20012),
        ({"criteria": {"leadTypeIds": [4]}}, 20012),
        ({"criteria": {"priceMin": 2, "priceMax": 1}}, 20012),
        ({"criteria": {"tagMatch": 9}}, 20012),
        ({"hours": {"timeZone": "Mars/Olympus"}}, 20012),
        ({"hours": {"timeZone": "../etc/passwd"}}, 20012),
        ({"hours": {"days": []}}, 900036),
        ({"hours": {"start": 25}}, 900037),
        ({"type": 4}, 900034),
        ({"name": "x" * 101}, 20012),
        ({"name": None}, 20012),
        ({"members": [{"memberId": 2**64}]}, 20012),
    ],
)
async def test_rules_that_cannot_be(olive: Client, body: dict[str, Any], code: int) -> None:
    assert await olive.refused("POST", RULES, body) == (400, code)
    assert (await olive.ok("GET", RULES))["rules"] == []


async def test_an_order_is_of_one_level(olive: Client, people: People) -> None:
    company, north = await rule(olive), await rule(olive, officeId=people.north)
    default = await rule(olive, isDefault=True)
    url = "/rooftree/v1/routing/order"
    for ids in ([company["id"], north["id"]], [company["id"], company["id"]], [company["id"], default["id"]]):
        assert await olive.refused("PUT", url, {"ruleIds": ids}) == (400, 20012)
    assert await olive.refused("PUT", url, {"ruleIds": [1]}) == (400, 900033)
    assert await olive.refused("PUT", url, {"ruleIds": []}) == (400, 20012)


# --- who may ---------------------------------------------------------------------------------------------------------


async def test_agents_may_not(client: Client, olive: Client) -> None:
    made = await rule(olive)
    for method, url, body in (
        ("GET", "/v1.0/routing/rule/list/1", None),
        ("PUT", "/v1.0/routing/rule/1", {"id": made["id"]}),
        ("GET", "/v1.0/routing/rule/supplement/1", None),
        ("PUT", "/v1.0/routing/rule/supplement/1", {"strategyType": 1}),
        ("GET", "/v1.0/routing/role/list", None),
        ("GET", "/v1.0/routing/member/list/1", None),
        ("GET", RULES, None),
        ("POST", RULES, {}),
        ("PUT", f"{RULES}/{made['id']}", {}),
        ("DELETE", f"{RULES}/{made['id']}", None),
        ("PUT", "/rooftree/v1/routing/order", {"ruleIds": [made["id"]]}),
        ("POST", "/rooftree/v1/routing/rehearse", {}),
    ):
        assert await client.refused(method, url, body) == FORBIDDEN, url


async def test_an_office_admin_manages_their_office_only(
    client: Client, olive: Client, owner_db: Database, people: People
) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        await tx.execute("UPDATE member SET role = 'office_admin' WHERE id = $1", people.adam.id)
    company, south = await rule(olive, name="company"), await rule(olive, name="south", officeId=people.south)
    north = await rule(client, name="north", officeId=people.north, members=[{"memberId": people.ana.id}])
    assert [one["name"] for one in (await client.ok("GET", RULES))["rules"]] == ["north"]
    for one in (company, south):
        assert await client.refused("PUT", f"{RULES}/{one['id']}", {}) == FORBIDDEN
        assert await client.refused("PUT", "/v1.0/routing/rule/1", {"id": one["id"]}) == FORBIDDEN
        assert await client.refused("DELETE", f"{RULES}/{one['id']}") == FORBIDDEN
    assert await client.refused("POST", RULES, {}) == FORBIDDEN
    assert await client.refused("POST", RULES, {"officeId": people.south}) == FORBIDDEN
    theirs = {"members": [{"memberId": people.otto.id}]}
    assert await client.refused("PUT", f"{RULES}/{north['id']}", theirs) == (400, 900038)
    named = {one["id"] for one in await client.ok("GET", "/v1.0/routing/member/list/1")}
    assert named == {people.adam.id, people.ana.id}
    await client.ok("PUT", "/v1.0/routing/rule/supplement/1", {"strategyType": 5, "assigneeAgentId": people.ana.id})
    assert (await client.ok("GET", "/v1.0/routing/rule/supplement/1"))["assigneeAgentId"] == people.ana.id
    assert (await olive.ok("GET", "/v1.0/routing/rule/supplement/1"))["assigneeAgentId"] is None


async def test_an_office_admin_sends_leads_to_nobody_of_another_office(
    client: Client, owner_db: Database, people: People
) -> None:
    async with owner_db.transaction(people.olive.team_id) as tx:
        await tx.execute("UPDATE member SET role = 'office_admin' WHERE id = $1", people.adam.id)
    for person in (people.otto, people.olive, people.sid):
        default = {"strategyType": 5, "assigneeAgentId": person.id}
        assert await client.refused("PUT", "/v1.0/routing/rule/supplement/1", default) == (400, 20012), person.name
        own = {"isDefault": True, "officeId": people.north, "strategy": "DEFAULT_ASSIGNEE", "assigneeId": person.id}
        assert await client.refused("POST", RULES, own) == (400, 20012), person.name


# --- absences and limits ---------------------------------------------------------------------------------------------


async def test_pauses_are_ones_own_and_limits_the_managers(client: Client, olive: Client, people: People) -> None:
    own, other = f"/rooftree/v1/routing/members/{people.adam.id}", f"/rooftree/v1/routing/members/{people.ana.id}"
    vacations = [{"from": "2026-12-24", "to": "2027-01-02"}]
    found = await client.ok(
        "PUT", own, {"isPaused": True, "pausedUntil": "2030-01-01T08:00:00-05:00", "vacations": vacations}
    )
    assert (found["isPaused"], found["pausedUntil"], found["vacations"]) == (True, "2030-01-01T13:00:00Z", vacations)
    assert await client.refused("PUT", own, {"dailyLimit": 5}) == FORBIDDEN
    assert await client.refused("PUT", other, {"isPaused": True}) == FORBIDDEN
    assert await client.refused("GET", other) == FORBIDDEN
    found = await olive.ok("PUT", own, {"dailyLimit": 5, "openLimit": 0, "isPaused": False})
    assert (found["dailyLimit"], found["openLimit"], found["pausedUntil"], found["vacations"]) == (
        5,
        0,
        None,
        vacations,
    )
    assert [one["name"] for one in (await client.ok("GET", "/rooftree/v1/routing/members"))["members"]] == ["Adam"]
    assert len((await olive.ok("GET", "/rooftree/v1/routing/members"))["members"]) == 4
    for body in (
        {"pausedUntil": "soon"},
        {"vacations": [{"from": "2026-12-24", "to": "2026-12-23"}]},
        {"dailyLimit": -1},
    ):
        assert await olive.refused("PUT", own, body) == (400, 20012)
    assert await olive.refused("GET", f"/rooftree/v1/routing/members/{people.sid.id}") == (404, 20003)
    assert await olive.refused("GET", "/rooftree/v1/routing/members/x") == (404, 20003)
