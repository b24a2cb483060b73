"""A client that checks every answer against the contract."""

from typing import Any, Self

import httpx
import msgspec

from rooftree.platform.http.logging import RequestIds
from tests.support.contract import check_answer
from tests.support.people import Person

#: Pages, audio, and what Twilio reads.
NOT_JSON = (
    "/docs",
    "/metrics",
    "/llms.txt",
    "/rooftree/v1/unsubscribe/",
    "/rooftree/v1/blobs/",
    "/rooftree/v1/inbound/twilio/",
    "/page/",
    "/oauth/authorize",
    "/oauth/consent",
    "/oauth/sign-",
    "/oauth/connections",
    "/api/user-web/oauth/authorize",
)


class Client:
    """Speaks to the application in the test's own event loop."""

    def __init__(self, app: RequestIds, *, person: Person | None = None, http: httpx.AsyncClient | None = None) -> None:
        self._app = app
        self._person = person
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self._http = http or httpx.AsyncClient(transport=transport, base_url="http://rooftree.test")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    def as_(self, person: Person | None) -> "Client":
        """The same client, speaking as somebody else; None: without a credential."""
        return Client(self._app, person=person, http=self._http)

    async def send(
        self, method: str, url: str, body: Any = None, *, content: bytes | None = None, headers: Any = None
    ) -> httpx.Response:
        """Send anything; check the answer. `body` is sent as JSON, `content` as it is."""
        credentials = {"Authorization": f"Bearer {self._person.key}"} if self._person else {}
        payload = content if content is not None else None if body is None else msgspec.json.encode(body)
        sent = credentials if headers is None else headers
        answer = await self._http.request(method, url, content=payload, headers=sent)
        path = answer.request.url.path
        if answer.status_code == 304:
            assert (method, answer.content, bool(answer.headers["etag"])) == ("GET", b"", True)
        elif not path.startswith(NOT_JSON):
            leaves_out = "returnFields" in answer.request.url.params
            kind = answer.headers["content-type"]
            check_answer(method, path, answer.status_code, kind, answer.content, leaves_out=leaves_out)
        assert answer.headers["x-request-id"]
        return answer

    async def ok(self, method: str, url: str, body: Any = None) -> Any:
        """Send, expect success, return the decoded answer."""
        answer = await self.send(method, url, body)
        assert answer.status_code == 200, f"{method} {url}: {answer.status_code} {answer.text}"
        return msgspec.json.decode(answer.content)

    async def refused(self, method: str, url: str, body: Any = None) -> tuple[int, int]:
        """Send, expect a refusal, return status and code."""
        answer = await self.send(method, url, body)
        assert answer.status_code >= 400, f"{method} {url} was accepted: {answer.text}"
        return answer.status_code, answer.json()["code"]

    async def lead(self, lead_id: int, **query: str) -> dict[str, Any]:
        """Return a lead."""
        suffix = "?" + "&".join(f"{key}={value}" for key, value in query.items()) if query else ""
        return (await self.ok("GET", f"/v1.0/leads/{lead_id}{suffix}"))["lead"]

    async def ids(self, **query: Any) -> list[int]:
        """Return the ids of a list of leads."""
        answer = await self._http.get(
            "/v1.0/leads", params=query, headers={"Authorization": f"Bearer {self._person.key}"} if self._person else {}
        )
        check_answer("GET", "/v1.0/leads", answer.status_code, answer.headers["content-type"], answer.content)
        assert answer.status_code == 200, answer.text
        return [lead["leadId"] for lead in answer.json()["leads"]]
