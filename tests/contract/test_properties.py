"""Nobody sets what is not theirs to set by naming it, and no answer has a place for a secret. OWASP API3."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.contract import document, served_document
from tests.support.make import Make
from tests.support.people import People

#: Answers whose very purpose it is to give a secret.
GIVEN = {
    "POST /oauth/token", "POST /api/user-web/oauth/token", "GET /api/user-web/oauth/token",
    "GET /rooftree/v1/webhooks/{subscribeId}/secret", "POST /rooftree/v1/webhooks/{subscribeId}/secret",
}  # fmt: skip
#: Names of the contract that only sound like one.
HARMLESS = {"dialerToken", "calendarToken", "authorized", "authorizationCode"}


async def test_what_is_not_theirs_to_set_is_not_set(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(by=people.olive, ownershipScope="TEAM")
    stolen: dict[str, Any] = {
        "teamId": people.stella.team_id, "leadId": 1, "id": 1, "leadUserId": 1, "createTime": "2001-01-01 00:00:00",
        "score": 99, "isDeleted": True, "creatorId": people.stella.id, "profile": ["ACCESS_ALL_TEAM_LEADS"],
    }  # fmt: skip
    before = await client.lead(lead_id)
    await client.ok("PUT", f"/v1.0/leads/{lead_id}", {"firstName": before["firstName"], **stolen})
    after = await client.lead(lead_id)
    same = before.keys() - {"lastUpdate", "lastUpdateTime", "updateTime", "lastTouch"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    made = await client.ok("POST", "/v1.0/leads", {"firstName": "T", **stolen})
    assert (await client.lead(made["leadId"]))["teamId"] == people.adam.team_id
    assert await client.as_(people.stella).refused("GET", f"/v1.0/leads/{made['leadId']}")


@pytest.mark.parametrize("field", [{"role": "owner"}, {"teamId": 1, "role": "admin"}])
async def test_nobody_makes_themselves_more(client: Client, people: People, field: dict[str, Any]) -> None:
    status, _ = await client.refused("PUT", f"/rooftree/v1/members/{people.adam.id}", field)
    assert status in {400, 403}


def test_no_answer_is_documented_to_hold_a_secret() -> None:
    """Tests elsewhere hold every answer to what is documented."""
    found = [
        f"{name} {field}"
        for name, schema in _answers()
        if name not in GIVEN
        for field in _names(schema, 6)
        if re.search("secret|passw|hash|token|credential|apiKey", field, re.IGNORECASE) and field not in HARMLESS
    ]
    assert found == []


def _answers() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in served_document()["paths"].items():
        for method, operation in methods.items():
            for answer in operation["responses"].values():
                for content in answer.get("content", {}).values():
                    yield f"{method.upper()} {path}", content.get("schema", {})


def _names(schema: dict[str, Any], depth: int) -> Iterator[str]:
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", {})
    if depth:
        for inner in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
            yield from _names(inner, depth - 1)
