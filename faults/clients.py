"""Clients that never believe in an error: writers that send again under the same key, and a reader of the feed."""

import asyncio
import random
from collections import Counter
from typing import Any, Final

import httpx
from msgspec import Struct

_PATIENCE_SECONDS: Final = 4.0
#: No answer came. AttributeError is anyio's, about a connection that was cut in the instant it was opened.
_NO_ANSWER: Final = (httpx.HTTPError, AttributeError)
#: How often a writer goes away instead of asking again, and how often a request is sent twice at once.
_GIVES_UP: Final = 0.04
_HAS_TWIN: Final = 0.1


def client(port: int, key: str) -> httpx.AsyncClient:
    """Return a client of the API on loopback."""
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {key}"},
        timeout=_PATIENCE_SECONDS,
        trust_env=False,
    )


class Change(Struct):
    """A write, and what its writer knows of it."""

    kind: str  #: lead, tag, note
    mark: str  #: stands in what it writes, and nowhere else
    lead_id: int = 0  #: of tags and notes: where they go
    state: str = "unknown"  #: or acknowledged, refused
    ids: list[int] = []  #: what each of its answers called the new thing

    def request(self) -> tuple[str, str, dict[str, Any]]:
        """Return method, path and body."""
        if self.kind == "lead":
            return "POST", "/v1.0/leads", {"firstName": "Jane", "lastName": self.mark, "source": "Website"}
        if self.kind == "tag":
            return "PUT", f"/v1.0/leads/{self.lead_id}", {"tagsAdd": [self.mark]}
        return "POST", "/v1.0/notes", {"leadId": self.lead_id, "content": self.mark}


class Writers:
    """Write until they are told to stop, and then until all that they sent is answered."""

    def __init__(self, client: httpx.AsyncClient, seed: int) -> None:
        self._client = client
        self._seed = seed
        self._is_over = False
        self._leads: list[int] = []
        self.changes: list[Change] = []
        self.answers: Counter[str] = Counter()  #: by status, or by the error's name
        self.refusals: list[str] = []

    async def run(self, count: int) -> None:
        """Write with so many writers at once."""
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self._write(number))

    def finish(self) -> None:
        """Begin nothing new; what was begun is asked for until it is answered."""
        self._is_over = True

    async def _write(self, number: int) -> None:
        dice = random.Random(f"{self._seed} writer {number}")
        count = 0
        while not self._is_over:
            await asyncio.sleep(dice.uniform(0.01, 0.12))
            count += 1
            kind = dice.choice(("lead", "tag", "note")) if self._leads else "lead"
            lead_id = dice.choice(self._leads[-100:]) if kind != "lead" else 0
            change = Change(kind, f"m{self._seed}w{number}n{count}", lead_id, ids=[])
            self.changes.append(change)
            is_patient, has_twin = dice.random() >= _GIVES_UP, dice.random() < _HAS_TWIN
            await asyncio.gather(*(self._send(change, is_patient=is_patient) for _ in range(1 + has_twin)))
            if kind == "lead" and change.state == "acknowledged":
                self._leads.append(change.ids[0])

    async def _send(self, change: Change, *, is_patient: bool) -> None:
        method, path, body = change.request()
        while True:
            try:
                answer = await self._client.request(method, path, json=body, headers={"Idempotency-Key": change.mark})
            except _NO_ANSWER as error:
                self.answers[type(error).__name__] += 1
            else:
                self._note(change, answer)
                if answer.status_code == 200 or (400 <= answer.status_code < 500 and answer.status_code != 409):
                    return
            if not is_patient:
                return
            await asyncio.sleep(0.25)

    def _note(self, change: Change, answer: httpx.Response) -> None:
        self.answers["replayed" if "Idempotent-Replayed" in answer.headers else str(answer.status_code)] += 1
        if answer.status_code == 200:
            change.state = "acknowledged"
            told = answer.json()
            change.ids.append(told.get("leadId") or told.get("noteId") or change.lead_id)
        elif answer.status_code < 500 and answer.status_code != 409:
            if change.state == "unknown":
                change.state = "refused"
            self.refusals.append(f"{change.kind} {change.mark}: {answer.status_code} {answer.text[:200]}")


class FeedReader:
    """Reads on from its cursor, which moves only when an answer came."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._place = {"from": "start"}
        self._is_last = False
        self.events: list[dict[str, Any]] = []
        self.refusals: list[str] = []

    async def run(self) -> None:
        """Read until the end that is there once `finish` was called."""
        while True:
            is_last = self._is_last
            try:
                answer = await self._client.get("/rooftree/v1/events", params={"limit": 100, **self._place})
            except _NO_ANSWER:
                await asyncio.sleep(0.25)
                continue
            if answer.status_code != 200:
                if answer.status_code < 500:
                    self.refusals.append(f"feed: {answer.status_code} {answer.text[:200]}")
                await asyncio.sleep(0.25)
                continue
            told = answer.json()
            self.events += told["events"]
            self._place = {"after": told["cursor"]}
            if is_last and not told["hasMore"] and not told["events"]:
                return
            if not told["hasMore"]:
                await asyncio.sleep(0.2)

    def finish(self) -> None:
        """Nothing new is written or numbered any more."""
        self._is_last = True
