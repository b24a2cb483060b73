"""Nothing that anybody sends is answered with a 5xx, or outside the contract's shapes.

schemathesis makes requests from the contract itself; Hypothesis sends rubbish.
"""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.client import Client
from tests.support.contract import document
from tests.support.make import Make
from tests.support.people import People

from rooftree.app import ROUTES
from rooftree.platform.database import Database

SERVED = sorted(
    (str(method), path.replace(":str}", "}"))
    for handler in ROUTES
    for path in handler.paths
    for method in handler.http_methods
    if str(method) not in {"OPTIONS", "HEAD"}
)
SCHEMA = schemathesis.openapi.from_dict(document())


@pytest.fixture
async def lead_id(make: Make) -> int:
    """A lead that paths may name."""
    return await make.lead(ownershipScope="TEAM")


def _path(path: str, lead_id: int) -> str:
    return "/".join(str(lead_id) if part.startswith("{") else part for part in path.split("/"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def _fields(name: str) -> list[str]:
    return sorted(document()["components"]["schemas"][name]["properties"])


FIELDS = _fields("LeadRequest") + _fields("EditLeadRequest") + _fields("LeadInquiry") + _fields("LeadProperty")
BODIES = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).map(lambda body: {"firstName": "T", **body})
PARAMETERS = [
    parameter["name"]
    for parameter in document()["paths"]["/v1.0/leads"]["get"]["parameters"]
    if parameter["in"] == "query"
]


@pytest.mark.parametrize(("method", "path"), SERVED)
async def test_rubbish_is_refused_politely(client: Client, lead_id: int, method: str, path: str) -> None:
    """The client fails the test on any 5xx and any answer outside its schema."""
    loop = asyncio.get_running_loop()
    url = _path(path, lead_id)

    @given(
        st.binary(max_size=60) | BODIES, st.dictionaries(st.sampled_from(PARAMETERS), st.text(max_size=12), max_size=4)
    )
    def send(body: Any, query: dict[str, str]) -> None:
        payload: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"body": body}
        if method == "GET":
            payload = {}
        asyncio.run_coroutine_threadsafe(client.send(method, _with(url, query), **payload), loop).result(30)

    await asyncio.to_thread(send)


def _with(url: str, query: dict[str, str]) -> str:
    safe = {key: value.encode("utf-8", "replace").decode() for key, value in query.items()}
    return f"{url}?{urlencode(safe)}" if safe else url


@pytest.mark.parametrize(("method", "path"), [one for one in SERVED if one[1] in document()["paths"]])
async def test_requests_made_from_the_contract(
    client: Client, lead_id: int, owner_db: Database, people: People, method: str, path: str
) -> None:
    loop = asyncio.get_running_loop()
    operation = SCHEMA[path][method]

    @given(operation.as_strategy())
    @settings(max_examples=15)
    def send(case: schemathesis.Case) -> None:
        names = {name: str(lead_id) for name in case.path_parameters or {}}
        url = path
        for name, value in names.items():
            url = url.replace(f"{{{name}}}", value)
        body = case.body if isinstance(case.body, (dict, list)) else None
        query = {key: str(value) for key, value in (case.query or {}).items()}
        asyncio.run_coroutine_threadsafe(client.send(method, _with(url, query), body), loop).result(30)

    await asyncio.to_thread(send)
