"""Permission profiles, ponds and vendors."""

import asyncio
from typing import Any

from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

PROFILES, PONDS, VENDORS, HUGE = "/rooftree/v1/profiles", "/rooftree/v1/ponds", "/rooftree/v1/vendors", 2**63 - 1
BUILT_IN = ["Company Owner", "Company Admin", "Office Owner", "Office Admin", "Standard User"]


async def _role(make: Make, member_id: int, role: str) -> None:
    await make.change("UPDATE member SET role = $2 WHERE id = $1", member_id, role)


async def test_profiles_are_listed_made_changed_and_deleted(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    isa = await olive.ok("POST", PROFILES, {"name": " ISA ", "permissions": ["ACCESS_ALL_TEAM_LEADS"] * 2})
    assert isa | {"id": 0} == {
        "id": 0, "name": "ISA", "isBuiltIn": False, "permissions": ["ACCESS_ALL_TEAM_LEADS"], "members": 0,
    }  # fmt: skip
    names = await olive.ok("GET", "/v1.0/org/permission/profiles")
    assert names == [*({"id": n, "name": name} for n, name in enumerate(BUILT_IN, 1)), {"id": isa["id"], "name": "ISA"}]
    await olive.ok("PUT", f"/rooftree/v1/members/{people.adam.id}", {"profileId": isa["id"]})
    changed = await olive.ok("PUT", f"{PROFILES}/{isa['id']}", {"permissions": ["MANAGE_TEAM_AGENT_DEPARTMENT"]})
    assert (changed["name"], changed["members"]) == ("ISA", 1)
    whole = (await client.ok("GET", PROFILES))["profiles"]
    assert whole[-1] == changed, "at once: who has it now manages their office's people"
    assert [(one["name"], len(one["permissions"])) for one in whole[:5]] == list(
        zip(BUILT_IN, (8, 8, 3, 3, 0), strict=True)
    )
    assert await olive.refused("DELETE", f"{PROFILES}/{isa['id']}") == (409, 900409)
    await olive.ok("PUT", f"/rooftree/v1/members/{people.adam.id}", {"profileId": 0})
    assert await olive.ok("DELETE", f"{PROFILES}/{isa['id']}") == {}
    assert await olive.refused("DELETE", f"{PROFILES}/{isa['id']}") == (404, 20007)


async def test_profiles_that_are_refused(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    own = (await olive.ok("POST", PROFILES, {"name": "One"}))["id"]
    theirs = (await client.as_(people.stella).ok("POST", PROFILES, {"name": "One"}))["id"]
    wrong: list[Any] = [{}, {"name": " "}, {"name": "x", "permissions": ["FLY"]}, {"name": 5}, []]
    for body in wrong:
        assert await olive.refused("POST", PROFILES, body) == (400, 20012)
    assert await olive.refused("POST", PROFILES, {"name": "x" * 256}) == (400, 20043)
    for name in ("ONE", "company owner"):
        assert await olive.refused("POST", PROFILES, {"name": name}) == (409, 900409)
    other = (await olive.ok("POST", PROFILES, {"name": "Two"}))["id"]
    assert await olive.refused("PUT", f"{PROFILES}/{other}", {"name": "one"}) == (409, 900409)
    for profile_id in (theirs, 6, HUGE, 0, "x"):
        assert await olive.refused("PUT", f"{PROFILES}/{profile_id}", {"name": "x"}) == (404, 20007)
        assert await olive.refused("DELETE", f"{PROFILES}/{profile_id}") == (404, 20007)
    assert await olive.refused("PUT", f"{PROFILES}/2", {"name": "x"}) == (400, 20012)
    assert await olive.refused("PUT", f"/rooftree/v1/members/{people.ana.id}", {"profileId": theirs}) == (400, 20012)
    for method, path in (("POST", PROFILES), ("PUT", f"{PROFILES}/{own}"), ("DELETE", f"{PROFILES}/{own}")):
        assert await client.refused(method, path, {"name": "x"}) == (403, 20017)
    assert await client.refused("GET", PROFILES) == (403, 20017)
    assert await client.refused("GET", "/v1.0/org/permission/profiles") == (400, 900001)
    for number in range(18):
        await olive.ok("POST", PROFILES, {"name": f"More {number}"})
    assert await olive.refused("POST", PROFILES, {"name": "The twenty-first"}) == (409, 900409)


async def test_nobody_gives_permissions_that_they_do_not_have(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    clerk = await olive.ok(
        "POST", PROFILES, {"name": "Clerk", "permissions": ["MANAGE_PERMISSION_PROFILE", "MANAGE_ORGANIZATION"]}
    )
    boss = await olive.ok("POST", PROFILES, {"name": "Boss", "permissions": ["MANAGE_TEAM_AGENT"]})
    await olive.ok("PUT", f"/rooftree/v1/members/{people.adam.id}", {"profileId": clerk["id"]})
    for body in (
        {"name": "x", "permissions": ["MANAGE_TEAM_AGENT_DEPARTMENT"]},
        {"name": "x", "permissions": boss["permissions"]},
    ):
        assert await client.refused("POST", PROFILES, body) == (403, 20017)
    assert await client.refused("PUT", f"{PROFILES}/{clerk['id']}", {"permissions": ["ACCESS_ALL_TEAM_LEADS"]}) == (
        403,
        20017,
    )
    assert await client.refused("PUT", f"{PROFILES}/{boss['id']}", {"permissions": []}) == (403, 20017)
    assert await client.refused("DELETE", f"{PROFILES}/{boss['id']}") == (403, 20017)
    await client.ok("POST", PROFILES, {"name": "Of offices", "permissions": ["MANAGE_ORGANIZATION_DEPARTMENT"]})


async def test_a_profile_is_not_deleted_under_somebodys_feet(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    profile_id = (await olive.ok("POST", PROFILES, {"name": "Brief"}))["id"]
    gift = olive.send("PUT", f"/rooftree/v1/members/{people.adam.id}", {"profileId": profile_id})
    given, deleted = await asyncio.gather(gift, olive.send("DELETE", f"{PROFILES}/{profile_id}"))
    assert (given.status_code, deleted.status_code) in {(200, 409), (400, 200)}


async def test_ponds(client: Client, people: People, make: Make) -> None:
    olive, ana, otto = (client.as_(person) for person in (people.olive, people.ana, people.otto))
    body = {"pondName": " North shore ", "officeId": people.north, "agentIds": [people.ana.id, people.ana.id]}
    pond = await olive.ok("POST", PONDS, body)
    assert pond == {
        "id": pond["id"], "pondName": "North shore", "pondOwnerId": people.olive.id, "agentIds": [people.ana.id],
        "officeId": people.north, "isEnabled": True,
    }  # fmt: skip
    one, path = {key: pond[key] for key in ("id", "pondName", "pondOwnerId", "agentIds")}, f"{PONDS}/{pond['id']}"
    seen = f"/v1.0/team-features/lead-pond/{pond['id']}"
    for viewer in (olive, ana):
        assert await viewer.ok("GET", "/v1.0/team-features/lead-ponds") == [one]
        assert await viewer.ok("GET", seen) == one
    for viewer in (client, otto, client.as_(people.stella)):
        assert await viewer.ok("GET", "/v1.0/team-features/lead-ponds") == []
        assert await viewer.refused("GET", seen) == (400, 20017)
    await _role(make, people.adam.id, "office_admin")
    assert await client.ok("GET", seen) == one, "it is their office's"
    changed = await client.ok("PUT", path, {"pondOwnerId": people.adam.id, "agentIds": [people.otto.id]})
    assert (changed["pondOwnerId"], changed["agentIds"], changed["pondName"]) == (
        people.adam.id,
        [people.otto.id],
        "North shore",
    )
    assert (await otto.ok("GET", seen))["pondOwnerId"] == people.adam.id
    assert (await client.ok("PUT", path, {"isEnabled": False}))["isEnabled"] is False
    for viewer in (olive, client, otto):
        assert await viewer.refused("GET", seen) == (400, 20017)
    for pond_id in (5, HUGE, 0, "x"):
        assert await olive.refused("GET", f"/v1.0/team-features/lead-pond/{pond_id}") == (400, 20017)


async def test_ponds_that_are_refused(client: Client, people: People, make: Make) -> None:
    olive, theirs = client.as_(people.olive), await client.as_(people.stella).ok("POST", PONDS, {"pondName": "Lake"})
    path = f"{PONDS}/{(await olive.ok('POST', PONDS, {'pondName': 'Lake'}))['id']}"
    await make.change("UPDATE member SET status = 'deactivated' WHERE id = $1", people.otto.id)
    wrong: list[dict[str, Any]] = [
        {"pondName": " "}, {"pondName": 5}, {"pondOwnerId": people.sid.id},
        {"agentIds": [people.otto.id]}, {"agentIds": [HUGE]}, {"agentIds": [2**63]}, {"agentIds": list(range(1, 1002))},
        {"officeId": HUGE}, {"officeId": "x"}, {"isEnabled": 7},
    ]  # fmt: skip
    for fields in wrong:
        assert await olive.refused("POST", PONDS, {"pondName": "Sea", **fields}) == (400, 20012), fields
        assert await olive.refused("PUT", path, fields) == (400, 20012), fields
    assert await olive.refused("POST", PONDS, {}) == (400, 20012)
    assert await olive.refused("POST", PONDS, {"pondName": "x" * 256}) == (400, 20043)
    assert await olive.refused("POST", PONDS, {"pondName": "lake"}) == (409, 900409)
    sea = (await olive.ok("POST", PONDS, {"pondName": "Sea"}))["id"]
    assert await olive.refused("PUT", f"{PONDS}/{sea}", {"pondName": "LAKE"}) == (409, 900409)
    for pond_id in (theirs["id"], 5, HUGE, 0, "x"):
        assert await olive.refused("PUT", f"{PONDS}/{pond_id}", {}) == (404, 20007)
    for method, where in (("POST", PONDS), ("PUT", path)):
        assert await client.refused(method, where, {"pondName": "x"}) == (400, 20017)
    await _role(make, people.adam.id, "office_owner")
    for office_id in (0, people.south, HUGE):
        assert await client.refused("POST", PONDS, {"pondName": "x", "officeId": office_id}) == (400, 20017)
    assert await client.refused("PUT", path, {}) == (404, 20007), "the company's"


async def test_vendors(client: Client, people: People, make: Make) -> None:
    olive = client.as_(people.olive)
    body = {"firstName": "Vera", "phoneNumber": 5551234, "email": "v@example.com", "roleName": "Lender"}
    vendor = await olive.ok("POST", VENDORS, {**body, "agentUserId": people.ana.id, "companyName": "Loans"})
    assert vendor == {
        "id": vendor["id"], "agentUserId": people.ana.id, "firstName": "Vera", "lastName": "", "phoneNumber": "5551234",
        "phoneCode": "1", "phoneCountry": "", "email": "v@example.com", "roleName": "Lender", "companyName": "Loans",
        "companyAddress": "",
    }  # fmt: skip
    assert await client.ok("GET", "/v1.0/vendor/list") == [vendor]
    assert await client.as_(people.stella).ok("GET", "/v1.0/vendor/list") == []
    wrong: list[Any] = [{}, [], {"firstName": " "}, {**body, "email": "x"}, {**body, "agentUserId": people.sid.id}]
    wrong += [{**body, "agentUserId": HUGE}, {**body, "roleName": "\0"}]
    for one in wrong:
        assert await olive.refused("POST", VENDORS, one) == (400, 20012)
    assert await olive.refused("POST", VENDORS, {**body, "companyName": "x" * 256}) == (400, 20043)
    path = f"{VENDORS}/{vendor['id']}"
    await _role(make, people.adam.id, "office_owner")
    assert await client.refused("POST", VENDORS, body) == (400, 20017)
    assert await client.refused("DELETE", path) == (400, 20017)
    assert await client.as_(people.stella).refused("DELETE", path) == (404, 20007)
    for vendor_id in (5, HUGE, 0, "x"):
        assert await olive.refused("DELETE", f"{VENDORS}/{vendor_id}") == (404, 20007)
    assert await olive.ok("DELETE", path) == {}
    assert await client.ok("GET", "/v1.0/vendor/list") == []
