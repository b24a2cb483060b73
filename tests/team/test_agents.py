"""Adding, tagging, changing, shutting out and letting in members."""

import asyncio
from typing import Any

import msgspec
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person

ADD, HUGE = "/v1.0/agent/profile/add", 2**63 - 1


def form(email: str, **account: Any) -> dict[str, Any]:
    """The least that makes a member."""
    info = {"emailAddress": email, "firstName": "Nina", "lastName": "New", "phoneNumber": 4155550123, **account}
    return {"accountType": 1, "accountInfo": info}


def address(people: People, name: str) -> str:
    """A login that no other test uses."""
    return people.olive.email.replace("olive", name)


async def _added(client: Client, **account: Any) -> int:
    answer = await client.ok("POST", ADD, form(**account))
    assert (answer["errorCode"], answer["errorMsg"]) == (0, "success"), answer
    return answer["data"]


async def _not_added(client: Client, body: Any) -> int:
    answer = await client.ok("POST", ADD, body)
    assert answer["data"] == 0
    return answer["errorCode"]


async def _lifecycle(client: Client, verb: str, agent_id: object) -> int:
    answer = await client.ok("POST", f"/v2.0/agents/{agent_id}/{verb}")
    assert answer.get("success", False) is (answer["code"] == 0)
    return answer["code"]


async def _told(make: Make, member_id: int) -> list[str]:
    rows = await make.rows(
        "SELECT verb, audience FROM announcement WHERE list_id = 1 AND (payload->>'agentId')::bigint = $1 ORDER BY id",
        member_id,
    )
    assert all(msgspec.json.decode(row["audience"])["assigned_user_ids"] == [member_id] for row in rows)
    return [row["verb"] for row in rows]


async def _as_role(make: Make, person: Person, role: str) -> None:
    await make.change("UPDATE member SET role = $2 WHERE id = $1", person.id, role)


async def test_a_member_is_added_and_active_at_once(client: Client, people: People, make: Make) -> None:
    olive, email = client.as_(people.olive), address(people, "nina")
    body = form(email, groupId=people.north, roleName="office admin", firstName="N" * 300)
    body["workInfo"] = {"licenseId": 77, "companyName": "x" * 300, "personalIntroduction": "y" * 3000}
    body |= {"agentPid": 5, "socialMedias": {"items": [{"type": "x", "value": 2**70}]}}
    member_id = (await olive.ok("POST", ADD, body))["data"]
    member = await client.ok("GET", f"/v1.0/users/{member_id}")
    assert (member["roleName"], member["groupId"], member["status"]) == ("Office Admin", people.north, 1)
    assert (member["phoneNumber"], member["firstName"]) == ("4155550123", "N" * 255)
    assert member["agentInfo"] | {"mlsAgentId": None} == {
        "licenseId": "77", "position": None, "companyName": "x" * 255, "companyAddress": None, "mlsAgentId": None,
        "agentPid": "5",
    }  # fmt: skip
    assert member["invitorUserId"] == people.olive.id
    assert await _told(make, member_id) == ["createdAgent"]
    assert await _not_added(olive, form(email.upper(), firstName="Other")) == 20012
    assert (await client.ok("GET", f"/v1.0/users/{member_id}"))["firstName"] == "N" * 255, "left as they are"
    assert await _not_added(olive, form(people.sid.email)) == 20012
    lead_id = await make.lead(assignedUserId=member_id, by=people.olive)
    assert (await olive.lead(lead_id))["assignedUserId"] == member_id


async def test_one_login_is_one_member_whoever_comes_first(client: Client, people: People) -> None:
    olive, body = client.as_(people.olive), form(address(people, "twin"))
    answers = await asyncio.gather(*(olive.ok("POST", ADD, body) for _ in range(4)))
    assert sorted(answer["errorCode"] for answer in answers) == [0, 20012, 20012, 20012]


async def test_forms_that_are_refused(client: Client, people: People) -> None:
    email = address(people, "nobody")
    wrong: list[dict[str, Any]] = [
        {"emailAddress": "x"}, {"emailAddress": "<string>"}, {"emailAddress": None}, {"phoneNumber": " "},
        {"phoneNumber": None}, {"firstName": ""}, {"lastName": None}, {"groupId": HUGE}, {"groupId": 2**63},
        {"groupId": "x"}, {"tagIds": [5]}, {"roleName": "Office Owner"}, {"roleName": "Company Owner"},
        {"roleId": 1}, {"firstName": "\0"}, {"firstName": {}},
    ]  # fmt: skip
    for account in wrong:
        assert await _not_added(client.as_(people.olive), form(**{"email": email, **account})) == 20012, account
    assert await client.refused("GET", f"/v1.0/members/{email}") == (404, 20003)


async def test_refusals_of_the_agent_operations_have_their_own_shape(client: Client, people: People) -> None:
    olive, nobody = client.as_(people.olive), client.as_(None)
    assert await _not_added(olive, []) == 20012
    assert await _not_added(olive, {"accountType": 1}) == 20012
    for method, path in (("POST", ADD), ("POST", f"/v1.0/agent/{people.adam.id}/tag/add")):
        answer = await nobody.send(method, path, {})
        assert (answer.status_code, answer.json()["errorCode"], answer.json()["data"]) == (401, 900401, 0)
    answer = await nobody.send("POST", f"/v2.0/agents/{people.adam.id}/deactivate")
    assert (answer.status_code, answer.json()["code"]) == (401, 900401)


async def test_who_may_add_whom(client: Client, people: People, make: Make) -> None:
    assert await _not_added(client, form(address(people, "a"))) == 20017, "an agent"
    await _as_role(make, people.adam, "office_owner")
    for account in ({"groupId": people.south}, {"groupId": HUGE}, {"roleName": "Company Admin"}, {"roleId": 2}):
        assert await _not_added(client, form(address(people, "a"), **account)) == 20017
    member_id = await _added(client, email=address(people, "a"), roleName="wizard")
    member = await client.ok("GET", f"/v1.0/users/{member_id}")
    assert (member["groupId"], member["roleName"]) == (people.north, "Agent"), "their office; an unknown role is none"
    owner_of_north = await _added(client, email=address(people, "b"), roleId=3)
    assert (await client.ok("GET", f"/v1.0/users/{owner_of_north}"))["roleName"] == "Office Owner"
    profile = await client.as_(people.olive).ok(
        "POST", "/rooftree/v1/profiles", {"name": "ISA", "permissions": ["ACCESS_ALL_TEAM_LEADS"]}
    )
    for account in ({"roleId": profile["id"]}, {"roleName": "isa"}):
        assert await _not_added(client, form(address(people, "c"), **account)) == 20017, "more than they have"
    await _added(client.as_(people.olive), email=address(people, "c"), roleName="isa")


async def test_tags(client: Client, people: People, make: Make) -> None:
    olive, path = client.as_(people.olive), f"/v1.0/agent/{people.adam.id}/tag/add"
    assert await _refused(olive, path, {"tagNames": ["VIP"]}) == (400, 20012), "unknown, and not to be made"
    body = {"tagNames": [" VIP ", "vip", "t" * 70], "autoCreate": "true"}
    assert await olive.ok("POST", path, body) == {"data": True, "errorCode": 0, "errorMsg": "success"}
    assert (await olive.ok("POST", path, {"tagNames": ["Vip"]}))["data"] is True
    rows = await make.rows("SELECT id, name FROM member_tag WHERE team_id = $1 ORDER BY id", people.olive.team_id)
    assert [row["name"] for row in rows] == ["VIP", "t" * 64]
    assert await _told(make, people.adam.id) == ["updatedAgent"], "nothing new is nothing to tell"
    added = await _added(olive, email=address(people, "nina"), tagIds=[rows[0]["id"]])
    carried = await make.rows("SELECT id, tag_ids FROM member WHERE id = ANY ($1)", [added, people.adam.id])
    assert {row[0]: row[1] for row in carried} == {added: [rows[0]["id"]], people.adam.id: [row["id"] for row in rows]}


async def test_tags_that_are_refused(client: Client, people: People, make: Make) -> None:
    olive, path = client.as_(people.olive), f"/v1.0/agent/{people.adam.id}/tag/add"
    for names in (None, [], [" "], ["x"] * 21, "x", [None]):
        assert await _refused(olive, path, {"tagNames": names, "autoCreate": True}) == (400, 20012)
    body = {"tagNames": ["x"], "autoCreate": True}
    for agent_id in (people.sid.id, 5, HUGE, 0, "x", "-1"):
        assert await _refused(olive, f"/v1.0/agent/{agent_id}/tag/add", body) == (404, 20003)
    assert await _refused(client, path, body) == (404, 20003), "not theirs to tag"
    await _as_role(make, people.adam, "office_admin")
    assert await _refused(client, f"/v1.0/agent/{people.otto.id}/tag/add", body) == (404, 20003)
    assert (await client.ok("POST", f"/v1.0/agent/{people.ana.id}/tag/add", body))["data"] is True


async def _refused(client: Client, path: str, body: Any) -> tuple[int, int]:
    answer = await client.send("POST", path, body)
    return answer.status_code, answer.json()["errorCode"]


async def test_who_is_deactivated_is_out_at_once_and_their_leads_stay(
    client: Client, people: People, make: Make
) -> None:
    olive, lead_id = client.as_(people.olive), await make.lead(assignedUserId=people.adam.id)
    answer = await olive.ok("POST", f"/v2.0/agents/{people.adam.id}/deactivate")
    assert answer == {"code": 0, "message": "success", "data": {"success": True}, "success": True}
    assert await client.refused("GET", "/v1.0/me") == (400, 200058)
    assert (await olive.ok("GET", f"/v1.0/users/{people.adam.id}"))["status"] == 2
    assert (await olive.lead(lead_id))["assignedUserId"] == people.adam.id
    assert await _lifecycle(olive, "deactivate", people.adam.id) == 990105
    assert await _lifecycle(olive, "reactivate", people.adam.id) == 0
    assert await client.refused("GET", "/v1.0/me") == (401, 900401), "their old key stays dead"
    assert await _lifecycle(olive, "reactivate", people.adam.id) == 990112
    back = await olive.ok("GET", f"/v1.0/users/{people.adam.id}")
    assert (back["status"], back["groupId"], back["roleName"]) == (1, people.north, "Agent")
    assert await _told(make, people.adam.id) == ["updatedAgent", "updatedAgent"]


async def test_an_expired_key_is_no_credential_even_of_somebody_who_is_out(
    client: Client, people: People, make: Make
) -> None:
    await make.change("UPDATE api_key SET expires_at = now() - interval '1 s' WHERE member_id = $1", people.adam.id)
    assert await _lifecycle(client.as_(people.olive), "deactivate", people.adam.id) == 0
    assert await client.refused("GET", "/v1.0/me") == (401, 900401)


async def test_who_cannot_be_deactivated(client: Client, people: People, make: Make) -> None:
    olive, ana = client.as_(people.olive), client.as_(people.ana)
    for agent_id in (people.sid.id, 5, HUGE, 0, "x", "-1", "1e3", 2**64):
        assert await _lifecycle(olive, "deactivate", agent_id) == 20012
        assert await _lifecycle(olive, "reactivate", agent_id) == 20012
        assert await _lifecycle(client, "deactivate", agent_id) == 1900012
    assert await _lifecycle(olive, "deactivate", people.olive.id) == 990107
    await _as_role(make, people.ana, "admin")
    assert await _lifecycle(ana, "deactivate", people.olive.id) == 990106
    await _as_role(make, people.ana, "office_owner")
    assert await _lifecycle(olive, "deactivate", people.ana.id) == 990106
    for stranger in (people.otto.id, people.olive.id):
        assert await _lifecycle(ana, "deactivate", stranger) == 1900012, "no office of theirs"
    await _as_role(make, people.adam, "admin")
    assert await _lifecycle(ana, "deactivate", people.adam.id) == 1900012, "stands above them"
    await make.change("UPDATE member SET role = 'agent', status = 'invited' WHERE id = $1", people.adam.id)
    assert await _lifecycle(ana, "deactivate", people.adam.id) == 990113
    assert await _lifecycle(ana, "reactivate", people.adam.id) == 990113


async def test_two_deactivations_at_once_are_one(client: Client, people: People) -> None:
    olive = client.as_(people.olive)
    codes = await asyncio.gather(*(_lifecycle(olive, "deactivate", people.otto.id) for _ in range(3)))
    assert sorted(codes) == [0, 990105, 990105]


async def test_a_member_is_changed(client: Client, people: People, make: Make) -> None:
    olive, adams = client.as_(people.olive), f"/rooftree/v1/members/{people.adam.id}"
    changed = await olive.ok("PUT", adams, {"role": "Office Owner", "officeId": people.south, "lastName": "Able"})
    assert (changed["roleName"], changed["groupName"], changed["lastName"]) == ("Office Owner", "South", "Able")
    assert await client.ok("GET", "/v1.0/me") == changed
    assert await olive.ok("PUT", adams, {}) == changed
    assert await _told(make, people.adam.id) == ["updatedAgent"]
    profile = await olive.ok("POST", "/rooftree/v1/profiles", {"name": "ISA", "permissions": ["ACCESS_ALL_TEAM_LEADS"]})
    changed = await olive.ok("PUT", adams, {"role": "agent", "officeId": 0, "profileId": profile["id"]})
    assert (changed["roleName"], changed["groupId"]) == ("Agent", 0)
    assert (await client.ok("GET", "/v1.0/org"))["enterpriseInfo"]["profileName"] == "ISA"
    lead_id = await make.lead(by=people.otto, assignedUserId=people.otto.id)
    assert (await client.lead(lead_id))["leadId"] == lead_id, "the profile allows it"
    await olive.ok("PUT", adams, {"profileId": 0})
    assert await client.refused("GET", f"/v1.0/leads/{lead_id}") == (404, 20006)


async def test_ones_own_names_are_ones_own(client: Client, people: People) -> None:
    own = f"/rooftree/v1/members/{people.adam.id}"
    assert (await client.ok("PUT", own, {"firstName": "Addie", "phoneNumber": 5551234}))["phoneNumber"] == "5551234"
    for body in ({"role": "admin"}, {"officeId": people.south}, {"profileId": 0}):
        assert await client.refused("PUT", own, body) == (403, 20017)
    assert await client.refused("PUT", f"/rooftree/v1/members/{people.ana.id}", {"firstName": "x"}) == (403, 20017)


async def test_changes_of_members_that_are_refused(client: Client, people: People, make: Make) -> None:
    olive, adams = client.as_(people.olive), f"/rooftree/v1/members/{people.adam.id}"
    bodies: list[Any] = [
        {"role": "wizard"}, {"role": "owner"}, {"profileId": 2}, {"profileId": HUGE}, {"officeId": HUGE},
        {"role": "office_admin", "officeId": 0}, {"firstName": " "}, {"role": 5}, [],
    ]  # fmt: skip
    for body in bodies:
        assert await olive.refused("PUT", adams, body) == (400, 20012), body
    assert await olive.refused("PUT", adams, {"firstName": "x" * 256}) == (400, 20043)
    for body in ({"role": "admin"}, {"officeId": people.north}):
        assert await olive.refused("PUT", f"/rooftree/v1/members/{people.olive.id}", body) == (400, 20012)
    for member_id in (people.sid.id, 5, HUGE, 0, "x"):
        assert await olive.refused("PUT", f"/rooftree/v1/members/{member_id}", {}) == (404, 20003)
    await _as_role(make, people.ana, "office_admin")
    ana = client.as_(people.ana)
    for body in ({"role": "office_owner"}, {"officeId": people.south}, {"officeId": 0}, {"officeId": HUGE}):
        assert await ana.refused("PUT", adams, body) == (403, 20017), body
    assert (await ana.ok("PUT", adams, {"role": "Office Admin"}))["roleName"] == "Office Admin"
    for person in (people.otto, people.olive):
        assert await ana.refused("PUT", f"/rooftree/v1/members/{person.id}", {"firstName": "x"}) == (403, 20017)
    await _as_role(make, people.adam, "office_owner")
    assert await ana.refused("PUT", adams, {"firstName": "x"}) == (403, 20017), "stands above them"
