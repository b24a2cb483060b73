"""What the server does about callers who mean harm, before it knows who they are. See docs/security.md."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from tests.support.client import Client
from tests.support.people import People

from rooftree.app import create_app
from rooftree.cli.serving import listening_socket, server_of
from rooftree.platform.database import Database
from rooftree.platform.http.connections import LONGEST_HEAD, BoundedHead
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.settings import Settings

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


@pytest.fixture
async def port(app: RequestIds) -> AsyncIterator[int]:
    """A port on which the application is really served."""
    listener = listening_socket("127.0.0.1", 0)
    server = server_of(app)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/v1.0/me", "/nope", "/v1.0/leads/1", "/healthz", "/openapi.json"])
@pytest.mark.parametrize("is_known", [True, False])
async def test_every_answer_has_security_headers(client: Client, people: People, path: str, is_known: bool) -> None:
    answer = await client.as_(people.adam if is_known else None)._http.get(path)
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert "strict-transport-security" not in answer.headers, "http is how this one is reached"


async def test_pages_say_more_for_themselves(client: Client) -> None:
    page = await client._http.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "unsafe-inline" not in policy
    assert page.headers["x-frame-options"] == "DENY"


async def test_what_has_a_version_may_be_kept_by_who_asked(client: Client, people: People) -> None:
    lead_id = (await client.as_(people.adam).ok("POST", "/v1.0/leads", {"firstName": "T"}))["leadId"]
    answer = await client.as_(people.adam).send("GET", f"/v1.0/leads/{lead_id}")
    assert (bool(answer.headers["etag"]), answer.headers["cache-control"]) == (True, "private, no-cache")


async def test_https_is_for_good(db: Database, secret: bytes) -> None:
    app = create_app(Settings(public_url="https://crm.example.com"), db, secret)
    answer = await Client(app)._http.get("/healthz")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_no_other_site_may_read_answers(client: Client) -> None:
    """CORS is closed, and methods that nobody serves are refused."""
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for method in ("OPTIONS", "GET", "TRACE"):
        answer = await client._http.request(method, "/v1.0/leads", headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert method != "TRACE" or answer.status_code == 405


async def test_an_accident_tells_nothing(app: RequestIds, client: Client, people: People) -> None:
    class Broken:
        def open(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("SELECT the inside of the house")

    real, app.state.sealer = app.state.sealer, Broken()
    try:
        answer = await client._http.get("/v1.0/leads?scrollId=x", headers=_bearer(people.adam.key))
    finally:
        app.state.sealer = real
    assert (answer.status_code, answer.json()["name"]) == (500, "INTERNAL_ERROR")
    assert "house" not in answer.text
    assert "Traceback" not in answer.text


async def test_nothing_is_inflated(client: Client, people: People) -> None:
    """A megabyte of nothing packs into a kilobyte: nobody unpacks it."""
    body = gzip.compress(b'{"firstName": "' + b" " * 1_000_000 + b'"}')
    headers = {**_bearer(people.adam.key), "Content-Encoding": "gzip"}
    answer = await client.send("POST", "/v1.0/leads", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, 20012)


async def test_the_server_does_not_name_itself(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        for path in ("/healthz", "/nope"):
            assert "server" not in (await http.get(f"http://127.0.0.1:{port}{path}")).headers


@pytest.mark.parametrize(
    "beginning", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /"]
)
async def test_a_head_without_end_is_refused(port: int, beginning: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(beginning)
    answer = b""
    try:
        for _ in range(100):
            writer.write(b"y" * LONGEST_HEAD)
            await writer.drain()
        answer = await reader.read()
    except ConnectionError:
        pass
    else:
        assert b" 431 " in answer or answer == b""
    writer.close()


async def test_who_never_ends_a_head_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHead, "head_seconds", 0.2)
    for beginning in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def test_a_long_head_and_many_requests_are_served(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(3):
            answer = await http.get(f"http://127.0.0.1:{port}/healthz", headers={"X-Long": "y" * 60_000})
            assert answer.status_code == 200


async def test_who_sends_slowly_keeps_nobody_waiting(port: int, people: People) -> None:
    """More requests that never end than there are connections to the database: others are served meanwhile."""
    head = (
        f"POST /v1.0/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {people.adam.key}\r\n"
        "Content-Length: 100\r\n\r\n{"
    ).encode()
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
    for _, writer in slow:
        writer.write(head)
        await writer.drain()
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/v1.0/me", headers=_bearer(people.adam.key))
    assert answer.status_code == 200
    for _, writer in slow:
        writer.close()


async def test_a_body_that_never_comes_is_said_so(port: int, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooftree.platform.http.reading.BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /v1.0/leads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {people.adam.key}\r\n"
        "Content-Length: 100\r\n\r\n{".encode()
    )
    async with asyncio.timeout(20):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["name"] == "BODY_TOO_SLOW"
    writer.close()
