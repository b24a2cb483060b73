"""Every operation of the contract is served by one route, or honestly listed as not yet served."""

from typing import Any

import msgspec
import pytest
from tests.support.client import Client
from tests.support.contract import CONTRACT, document
from tests.support.make import Make
from tests.support.people import People

from rooftree.app import ROUTES
from rooftree.platform.http import contract, service

#: May only shrink.
NOT_YET = 55


#: Other spellings that live clients use, served like the operations they stand for. contract: D24
ALIASES = {
    ("POST", "/v1.0/leads/{leadId}/activities"),
    ("POST", "/v1.0/webhooks"),
    ("DELETE", "/v1.0/webhooks/{subscribeId}"),
}


#: contract: auth.md 3.1, and the pages behind the first one
OAUTH = {
    "/oauth/token",
    "/api/user-web/oauth/token",
    "/oauth/revoke",
    "/oauth/authorize",
    "/page/vendor-auth.html",
    "/api/user-web/oauth/authorize",
    "/oauth/consent",
    "/oauth/sign-in",
    "/oauth/sign-out",
    "/oauth/connections",
    "/.well-known/oauth-authorization-server",
}


def _served() -> set[tuple[str, str]]:
    found = [
        (str(method), path.replace(":str}", "}"))
        for handler in [*ROUTES, *service.ROUTES]
        for path in handler.paths
        for method in handler.http_methods
    ]
    assert len(found) == len(set(found)), "two routes for one operation"
    return set(found)


def _listed() -> list[tuple[str, str]]:
    lines = (CONTRACT / "not_yet.txt").read_text().splitlines()
    return [tuple(line.split(" ")) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def test_served_and_not_yet_are_the_whole_contract() -> None:
    listed = _listed()
    assert listed == sorted(set(listed))
    promised = set(contract.operations())
    assert _served() & set(listed) == set()
    assert promised - _served() == set(listed)
    assert len(listed) <= NOT_YET


def test_nothing_is_served_beside_the_contract_but_our_own() -> None:
    ours = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/docs", "/llms.txt", *OAUTH}
    others = {path for _, path in _served() - set(contract.operations()) - ALIASES}
    assert {path for path in others if not path.startswith("/rooftree/")} == ours


def test_the_packaged_contract_is_the_contract() -> None:
    ours = {path for path in contract.document()["paths"] if path.startswith("/rooftree/") or path in OAUTH}
    assert contract.contract() == document()
    assert ours == {path for _, path in _served() if path.startswith("/rooftree/")} | OAUTH


@pytest.mark.parametrize(("method", "path"), _listed())
async def test_what_is_not_served_says_so(client: Client, method: str, path: str) -> None:
    url = "/".join("1" if part.startswith("{") else part for part in path.split("/"))
    answer = await client.send(method, url, {} if method in {"POST", "PUT"} else None)
    assert (answer.status_code, answer.json()["name"]) == (501, "NOT_YET_SERVED")
    assert (await client.as_(None).send(method, url)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nope", 404, 900404),
        ("GET", "/v1.0/lead", 404, 900404),
        ("PATCH", "/v1.0/leads", 405, 900405),
        ("DELETE", "/v1.0/leads", 405, 900405),
        ("GET", "/v1.0/leads/assignee", 405, 900405),
    ],
)
async def test_paths_and_methods_that_are_not(client: Client, method: str, path: str, status: int, code: int) -> None:
    answer = await client.as_(None).send(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert status != 405 or answer.headers["allow"]


async def test_d25_a_trailing_slash_changes_nothing(client: Client, make: Make) -> None:
    lead_id = await make.lead()
    assert await client.ok("GET", f"/v1.0/leads/{lead_id}/") == await client.ok("GET", f"/v1.0/leads/{lead_id}")


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b'"x"', b"\xff", b'{"firstName":"\\ud800"}', b"[" * 100_000])
@pytest.mark.parametrize("path", ["/v1.0/leads", "/v1.0/leads/assignee", "/v1.0/teamFeatures/custom-field"])
async def test_what_is_not_json_is_refused(client: Client, people: People, path: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {people.adam.key}"}
    answer = await client.send("POST", path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, 20012)


async def test_a_body_over_the_limit(client: Client, people: People) -> None:
    headers = {"Authorization": f"Bearer {people.adam.key}"}
    answer = await client.send("POST", "/v1.0/leads", content=b" " * 1_048_577, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, 900413)
    assert (await client.send("GET", "/v1.0/me", headers={**headers, "Content-Length": "x"})).status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer abc", "token a.b.c", "Bearer {key}x", "Bearer é"]
)
async def test_credentials_that_are_none(client: Client, people: People, header: str) -> None:
    headers = {"Authorization": header.format(key=people.adam.key).encode("latin-1")}
    answer = await client.send("GET", "/v1.0/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, 900401)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_two_credentials_are_none(client: Client, people: People) -> None:
    key = ("Authorization", f"Bearer {people.adam.key}")
    assert (await client.send("GET", "/v1.0/me", headers=[key, key])).status_code == 401


async def test_a_request_id_of_the_client_is_kept(client: Client) -> None:
    for sent, kept in (("my-id_1.2", True), ("bad id", False), ("x" * 65, False)):
        answer = await client.send("GET", "/nope", headers={"X-Request-Id": sent})
        assert (answer.headers["x-request-id"] == sent) is kept


async def test_the_description_marks_what_is_not_served(client: Client) -> None:
    paths = (await client.as_(None).ok("GET", "/openapi.json"))["paths"]
    marked = {
        (method.upper(), path) for path in paths for method, one in paths[path].items() if one.get("x-not-yet-served")
    }
    assert marked == set(_listed())


async def test_the_service_pages_need_no_credential(client: Client) -> None:
    nobody = client.as_(None)
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs", "/metrics", "/llms.txt", "/"):
        assert (await nobody._http.get(path)).status_code == 200, path
    page = (await nobody._http.get("/docs")).text
    assert "http://" not in page
    assert "https://" not in page, "no asset from outside"


WRONG: list[tuple[str, Any]] = [
    ("firstName", 5),
    ("emails", [5]),
    ("leadTypes", "2"),
    ("inquiry", {"bedroomsMin": "x"}),
    ("inquiry", {"locations": [{"city": 5}]}),
    ("property", {"price": True}),
    ("cannotText", "perhaps"),
    ("assignedUserId", "x"),
    ("leadFamilyMemberList", {}),
    ("ownershipId", {}),
    ("leadTransaction", {"homePrice": "x", "transactionName": "a"}),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
async def test_a_wrong_type_is_named(client: Client, field: str, value: Any) -> None:
    body = {"firstName": "T", "ownershipScope": "PERSONAL", field: value}
    if field != "ownershipId":
        del body["ownershipScope"]
    answer = await client.send("POST", "/v1.0/leads", body)
    assert (answer.status_code, answer.json()["code"]) == (400, 20012)
    assert field in answer.json()["message"]


QUERIES = [
    "limit=x", "offset=-1", "offset=x", "desc=maybe", "sort=foo", "contacted=2", "assignedUserId=x",
    "roleAssigneeFilters=x", "roleAssigneeFilters=[{}]", "groupIds=1,x", "stage=%00", "key=%00", "limit=1e3",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
async def test_a_wrong_parameter_is_refused(client: Client, query: str) -> None:
    answer = await client.send("GET", f"/v1.0/leads?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["message"]


async def test_lenient_types_are_read(client: Client, make: Make, people: People) -> None:
    lead = await client.lead(
        await make.lead(leadTypes=["2", 5.0], phones=[5551234567], cannotText="true", zipCode=25401)
    )
    assert (lead["leadTypes"], lead["phones"], lead["cannotText"], lead["zipCode"]) == (
        [2, 5],
        ["5551234567"],
        True,
        "25401",
    )
    assert msgspec.json.encode(lead)
