"""Nothing that anybody sends is answered with a 5xx, or outside the contract's shapes; what is refused changes nothing.

contract: errors.md 6. Hypothesis sends rubbish, schemathesis makes requests from the contract itself. The client of
the tests fails on any 5xx, any 422, any answer that is not JSON of the promised shape.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import strategies as st
from tests.contract.test_operations import ALIASES
from tests.support.client import Client
from tests.support.contract import operation_of, served_document
from tests.support.examples import for_all
from tests.support.make import Make
from tests.support.people import People
from tests.support.rubbish import BODIES, EDGY, with_numbers

from rooftree.app import ROUTES

SERVED = sorted(
    (str(method), path.replace(":str}", "}"))
    for handler in ROUTES
    for path in handler.paths
    for method in handler.http_methods
    if str(method) not in {"OPTIONS", "HEAD"}
)
#: What schemathesis can make requests of: JSON of operations that are described.
DESCRIBED = [
    (method, path)
    for method, path in SERVED
    if set(
        (operation_of(method, path.replace("{", "").replace("}", "")) or {}).get("requestBody", {}).get("content", {})
    )
    <= {"application/json"}
    and (method, path) not in ALIASES
]


SCHEMA = schemathesis.openapi.from_dict(with_numbers(served_document()))

Send = Callable[..., Awaitable[Any]]


@pytest.fixture
async def lead_id(make: Make) -> int:
    """A lead that paths may name."""
    return await make.lead(ownershipScope="TEAM", tags=["a"], property={"city": "Austin"})


@pytest.fixture
async def send(client: Client, make: Make, people: People) -> Send:
    """Send as the owner, who may most; if it is refused, see that nothing has changed in either company."""
    teams = (people.adam.team_id, people.stella.team_id)
    before: dict[str, tuple[int, str]] | None = None

    async def _send(method: str, url: str, body: Any = None, *, content: bytes | None = None) -> None:
        nonlocal before
        before = before or await make.everything(*teams)
        headers = {"Authorization": f"Bearer {people.olive.key}"}
        answer = await client.send(method, url, body, content=content, headers=headers)
        if method == "GET" and answer.status_code == 200:
            return
        after = await make.everything(*teams)
        assert answer.status_code == 200 or after == before, f"{method} {url} was refused, but changed something"
        before = after

    return _send


def _path(path: str, lead_id: int) -> str:
    return "/".join(str(lead_id) if part.startswith("{") else part for part in path.split("/"))


def _with(url: str, query: dict[str, Any]) -> str:
    safe = {key: str(value).encode("utf-8", "replace").decode() for key, value in query.items()}
    return f"{url}?{urlencode(safe)}" if safe else url


@pytest.mark.parametrize(("method", "path"), [one for one in SERVED if one[0] != "GET"])
async def test_rubbish_bodies(send: Send, lead_id: int, method: str, path: str) -> None:
    async def check(body: Any) -> None:
        payload: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"body": body}
        await send(method, _path(path, lead_id), **payload)

    await for_all(st.binary(max_size=60) | BODIES | EDGY, check)


@pytest.mark.parametrize(("method", "path"), SERVED)
async def test_rubbish_queries(send: Send, lead_id: int, method: str, path: str) -> None:
    operation = operation_of(method, path.replace("{", "").replace("}", "")) or {}
    names = sorted({one["name"] for one in operation.get("parameters", []) if one["in"] == "query"} | {"x"})
    values = st.text(max_size=12) | st.integers().map(str) | st.sampled_from(["true", "1,2", "[]", "{}", "null", "\0"])

    async def check(query: dict[str, str]) -> None:
        await send(method, _with(_path(path, lead_id), query))

    await for_all(st.dictionaries(st.sampled_from(names), values, max_size=4), check)


@pytest.mark.parametrize(("method", "path"), [one for one in SERVED if "{" in one[1]])
async def test_rubbish_paths(send: Send, method: str, path: str) -> None:
    before, _, rest = path.partition("{")
    after = rest.partition("}")[2]

    async def check(name: str) -> None:
        segment = quote(name.encode("utf-8", "replace"), safe="")
        if segment.strip(".") and segment != "assignee":  # a dot segment names another path
            await send(method, f"{before}{segment}{after}", {"firstName": "T"} if method != "GET" else None)

    await for_all(st.text(min_size=1, max_size=20) | st.integers().map(str), check, cost=2)


@pytest.mark.parametrize(("method", "path"), DESCRIBED)
async def test_requests_made_from_the_contract(send: Send, lead_id: int, method: str, path: str) -> None:
    async def check(case: schemathesis.Case) -> None:
        body = case.body if isinstance(case.body, (dict, list)) else None
        await send(method, _with(_path(path, lead_id), dict(case.query or {})), body)

    await for_all(SCHEMA[path][method].as_strategy(), check)


@pytest.mark.parametrize(("method", "path"), [one for one in DESCRIBED if one[0] != "GET"])
async def test_requests_made_to_break_the_contract(send: Send, lead_id: int, method: str, path: str) -> None:
    """The same, but each case breaks its schema somewhere."""

    async def check(case: schemathesis.Case) -> None:
        body = case.body if isinstance(case.body, (dict, list, str, int, float, bool)) else None
        await send(method, _with(_path(path, lead_id), dict(case.query or {})), body)

    strategy = SCHEMA[path][method].as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    await for_all(strategy, check, cost=2)
