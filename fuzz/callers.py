"""Who asks: several kinds of callers over one connection pool, and every answer judged."""

import random
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from fuzz.installation import Installation
from fuzz.judge import Ledger, Sent, judge

#: So long any answer may take; the machine may be busy with other things.
PATIENCE_SECONDS: Final = 30
_SHARES: Final = {"owner": 60, "agent": 15, "other team": 10, "nobody": 5, "no key": 5, "two keys": 5}


class Callers:
    """Sends, as one caller or another, and lets the answer be judged."""

    def __init__(self, installation: Installation, ledger: Ledger) -> None:
        people = installation.people
        owner, agent = f"Bearer {people.olive.key}", f"Bearer {people.adam.key}"
        self._credentials: dict[str, str | None] = {
            "owner": owner,
            "agent": agent,
            "other team": f"token {people.stella.key}",
            "nobody": None,
            "no key": "Bearer not-a-key",
            "two keys": f"{owner}, {agent}",
        }
        self._http = httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False, follow_redirects=False)
        self._base = installation.url
        self._ledger = ledger
        self._dice = random.Random(f"{ledger.seed} callers")

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def anyone(self) -> str:
        """Draw who asks."""
        return self._dice.choices(list(_SHARES), list(_SHARES.values()))[0]

    def send(
        self, method: str, url: str, *, caller: str, headers: dict[str, str] | None = None, body: Any = None
    ) -> httpx.Response | None:
        """Send, and judge the answer; None: there was none, which is a finding."""
        given = dict(headers or {})
        credential = self._credentials[caller]
        if credential and "Authorization" not in given:
            given["Authorization"] = credential
        content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        request = self._http.build_request(method, f"{self._base}{url}", headers=given, content=content)
        for name in ("accept", "accept-encoding", "user-agent"):
            if name not in {one.lower() for one in given}:
                request.headers.pop(name, None)
        path = urlsplit(str(request.url)).path
        sent = Sent(method, str(request.url), given, content)
        self._ledger.callers[caller] += 1
        try:
            answer = self._http.send(request)
        except httpx.TimeoutException:
            self._ledger.find("hang", f"{method} {path}", f"no answer within {PATIENCE_SECONDS} s", sent.curl)
            return None
        except httpx.HTTPError as error:
            self._ledger.find("hang", f"{method} {path}", f"{type(error).__name__}: {error}", sent.curl)
            return None
        judge(self._ledger, sent, path, answer.status_code, answer.headers.get("content-type", ""), answer.content)
        return answer
