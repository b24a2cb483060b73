"""The load: so many operations a second, drawn from a fixed mix, each checked, timed and noted."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
from msgspec import Struct

#: How many of a hundred operations are of which kind. A batch has BATCH_ROWS leads, half of them known.
MIX: Final = {
    "create": 12,
    "update": 14,
    "note": 8,
    "site": 14,
    "message": 5,
    "get": 22,
    "list": 10,
    "search": 5,
    "timeline": 5,
    "notes": 4,
    "batch": 1,
}
BATCH_ROWS: Final = 40
#: More are not sent at once: what is due then waits, and is counted as late.
_IN_FLIGHT: Final = 64
_STAGES: Final = ("New Lead", "Pending", "Contacted", "Active")
_LEADS_KEPT: Final = 2000


class Timing(Struct):
    """An answer: when it was asked for, since the beginning, and how long it took. Both in seconds."""

    at: float
    seconds: float
    kind: str


class Load:
    """Sends operations at a constant rate, whatever the answers take."""

    def __init__(self, client: httpx.AsyncClient, seed: int) -> None:
        self._client = client
        self._dice = random.Random(seed)
        self._gate = asyncio.Semaphore(_IN_FLIGHT)
        self._batches = asyncio.Lock()
        self._leads: list[tuple[int, str]] = []  #: id and e-mail address of those that came last
        self._number = 0
        self._begun = 0.0
        self.told: Counter[tuple[str, int]] = Counter()  #: acknowledged changes: event's name, lead
        self.statuses: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self.timings: list[Timing] = []
        self.faults: list[str] = []  #: answers that must not be, and requests without one
        self.fault_count = 0
        self.late = 0

    async def run(self, rate: float, seconds: float) -> None:
        """Send for so long, and wait until all is answered."""
        self._begun = time.monotonic()
        kinds, weights = list(MIX), list(MIX.values())
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, self._begun + number / rate - time.monotonic()))
                self.late += self._gate.locked()
                await self._gate.acquire()
                kind = self._dice.choices(kinds, weights)[0] if len(self._leads) > 20 else "create"
                group.create_task(self._one(kind))

    async def _one(self, kind: str) -> None:
        begun = time.monotonic()
        try:
            do: Callable[[], Awaitable[None]] = getattr(self, f"_{kind}")
            await do()
            self.kinds[kind] += 1
            self.timings.append(Timing(begun - self._begun, time.monotonic() - begun, kind))
        except (httpx.HTTPError, KeyError, ValueError) as error:
            self._fault(f"{kind}: {error!r}")
        finally:
            self._gate.release()

    def _fault(self, text: str) -> None:
        self.fault_count += 1
        if len(self.faults) < 20:
            self.faults.append(text[:300])

    async def ask(self, method: str, url: str, **sent: Any) -> Any:
        """Return an answer's content. Raises: ValueError on anything but 200."""
        answer = await self._client.request(method, url, **sent)
        self.statuses[answer.status_code] += 1
        if answer.status_code != 200:
            raise ValueError(f"{method} {url}: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    def _mark(self) -> str:
        self._number += 1
        return f"s{self._number}"

    def _lead(self) -> tuple[int, str]:
        return self._dice.choice(self._leads)

    def _fresh(self, mark: str) -> dict[str, Any]:
        return {
            "firstName": "Jane",
            "lastName": mark,
            "emails": [f"{mark}@soak.example"],
            "phones": [f"415{self._number % 7_999_999 + 2_000_000:07d}"],
            "source": f"Source {self._number % 10}",
            "tags": [f"tag {self._number % 20}"],
            "stage": self._dice.choice(_STAGES),
        }

    def _keep(self, lead_id: int, email: str) -> None:
        self._leads.append((lead_id, email))
        if len(self._leads) > _LEADS_KEPT:
            del self._leads[0]

    async def _create(self) -> None:
        mark = self._mark()
        body = self._fresh(mark)
        told = await self.ask("POST", "/v1.0/leads", json=body, headers={"Idempotency-Key": mark})
        self.told["createdLead", told["leadId"]] += 1
        self._keep(told["leadId"], body["emails"][0])

    async def _update(self) -> None:
        lead_id, _ = self._lead()
        body = {"lastName": self._mark(), "stage": self._dice.choice(_STAGES)}
        await self.ask("PUT", f"/v1.0/leads/{lead_id}", json=body)
        self.told["updatedLead", lead_id] += 1

    async def _note(self) -> None:
        lead_id, _ = self._lead()
        await self.ask("POST", "/v1.0/notes", json={"leadId": lead_id, "content": f"a note, {self._mark()}"})
        self.told["createdNote", lead_id] += 1

    async def _site(self) -> None:
        lead_id, _ = self._lead()
        word = self._dice.choice(("Search", "Browse", "Favorite"))
        body = {"type": word, "text": self._mark(), "link": "", "picture": "", "created": int(time.time() * 1000)}
        await self.ask("POST", f"/v1.0/leads/{lead_id}/activity", json=body)
        self.told["createdLeadActivity", lead_id] += 1

    async def _message(self) -> None:
        lead_id, _ = self._lead()
        body = {"leadId": lead_id, "subject": "Hello", "body": f"How are you, {self._mark()}?"}
        await self.ask("POST", "/v1.0/message/email/send", json=body)
        self.told["createdEmail", lead_id] += 1

    async def _batch(self) -> None:
        async with self._batches:  # of a team one runs at a time
            known = self._dice.sample(self._leads, min(BATCH_ROWS // 2, len(self._leads)))
            rows = [{"lastName": self._mark(), "emails": [email]} for _, email in known]
            rows += [self._fresh(self._mark()) for _ in range(BATCH_ROWS - len(rows))]
            lines = "\n".join(json.dumps(row) for row in rows)
            told = await self.ask("POST", "/rooftree/v1/leads/batch?matchOn=email", content=lines)
        for row, result in zip(rows, told["results"], strict=True):
            event = {"created": "createdLead", "updated": "updatedLead"}[result["status"]]
            self.told[event, result["leadId"]] += 1
            if event == "createdLead":
                self._keep(result["leadId"], row["emails"][0])

    async def _get(self) -> None:
        lead_id, _ = self._lead()
        told = await self.ask("GET", f"/v1.0/leads/{lead_id}")
        if told["lead"]["leadId"] != lead_id:
            raise ValueError(f"asked for lead {lead_id}, got {told['lead']['leadId']}")

    async def _list(self) -> None:
        query = self._dice.choice(("", "&stage=Active", "&anyTags=tag+3", "&sort=LastActivity&desc=true"))
        await self.ask("GET", f"/v1.0/leads?limit=20{query}")

    async def _search(self) -> None:
        _, email = self._lead()
        await self.ask("GET", "/v1.0/leads", params={"key": email, "limit": 10})

    async def _timeline(self) -> None:
        await self.ask("GET", f"/rooftree/v1/leads/{self._lead()[0]}/timeline")

    async def _notes(self) -> None:
        await self.ask("GET", f"/v1.0/notes?leadId={self._lead()[0]}")
