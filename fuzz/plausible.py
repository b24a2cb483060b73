"""What makes a request likely to be done: few fields, and of some of them values that mean something.

The contract says little of which texts a field takes, so a body made from it alone is nearly always refused, and what
lies behind the refusals would never be tried.
"""

import random
from typing import Any, Final
from urllib.parse import urlsplit

from fuzz.links import KINDS

#: Values by the name of their field.
VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "firstName": ("Jane",), "lastName": ("Doe", "Döe"), "name": ("North", "Sale"), "content": ("Called back.",),
    "emails": (["jane@example.com"], []), "phones": (["5551234567"], ["+1 415 555 2671"], []),
    "email": ("jane@example.com", "agent@example.com"), "phone": ("5551234567",), "source": ("Website",),
    "tags": (["Buyer"],), "tagsAdd": (["Buyer"],), "segments": (["A"],), "stage": ("New Leads",), "leadTypes": ([2],),
    "ownershipScope": ("PERSONAL", "TEAM"), "birthday": ("Jun 5, 2001",), "language": ("en",), "city": ("Austin",),
    "logType": ("logCall", "logEmail", "logText", "logOther"), "leadPhoneNumber": ("5551234567",),
    "autoCreate": (True,), "limit": (1, 20),
    "offset": (0, 5), "listId": (2, 9), "callbackUrl": ("https://example.com/hook",), "type": (1, 2, 3, 5, "1"),
    "activityType": (1, 6, 11), "role": ("Agent",), "subject": ("Hello",), "body": ("Hello",), "message": ("Hello",),
    "criteria": ({"sourceNames": ["nowhere"], "sourceMatch": 1},), "strategy": (1, 2, 3), "assigneeType": (1, 2),
    "direction": ("outbound", "inbound"), "status": ("Completed",), "phoneNumber": ("5551234567",),
    "startedAt": ("2026-05-06T14:32:00Z",), "from": ("start",), "agentTag": ("Buyer",), "tagName": ("Buyer",),
    "pageSize": (5,), "pageNum": (1,), "endTime": (1_760_000_000_000,),
    "permissions": (["ACCESS_ALL_TEAM_LEADS"],), "address": ("1 Main St",), "streetAddress": ("1 Main St",),
    "fieldName": ("Pet",), "fieldType": ("TEXT",), "grant_type": ("refresh_token", "authorization_code"),
    "durationSeconds": (61,), "transcript": ("Agent: Hello.\nLead: I would buy it.",), "officeName": ("North",),
    "reason": ("x",), "tagNames": (["Buyer"],), "startTime": (1_750_000_000_000, "2026-05-06T14:32:00Z"),
    "state": ("delivered",), "weight": (1,), "isEnabled": (True,), "desc": ("true",),
}  # fmt: skip
_THINNED: Final = 0.75
_KEPT: Final = 0.3
_FIELDS: Final = 1.0
_MEANT: Final = 0.6


class Plausible:
    """Thins requests out and fills them, as its dice say."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"{seed} plausible")

    def body(self, body: Any, path: str) -> Any:
        """Return a body with some of its fields, some of which mean something."""
        if not isinstance(body, dict) or self._dice.random() > _THINNED:
            return body
        share = min(_KEPT, _FIELDS / max(1, len(body)))  # of many guessed fields one is nearly always refused
        kept = {name: value for name, value in body.items() if name in KINDS or self._dice.random() < share}
        for name in body:
            if name in VALUES and self._dice.random() < _MEANT:
                kept[name] = self._dice.choice(VALUES[name])
        return self._required(kept, path)

    def query(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return a query with some of its parameters, of which some mean something."""
        is_thin = self._dice.random() < _THINNED
        return {
            name: self._dice.choice(VALUES[name]) if name in VALUES and self._dice.random() < _MEANT else value
            for name, value in query.items()
            if not is_thin or name in KINDS or self._dice.random() < _KEPT
        }

    def path(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return parameters of a path; `type` is one of a few."""
        if "type" in parameters and self._dice.random() < _MEANT:
            return {**parameters, "type": self._dice.choice((1, 2, 3, 5))}
        return parameters

    def _required(self, body: dict[str, Any], path: str) -> dict[str, Any]:
        for name in _NEEDED.get(urlsplit(path).path, ()):
            if self._dice.random() < _MEANT:
                body[name] = self._dice.choice(VALUES[name])
        return body


#: What an operation does nothing without, though the contract does not say so.
_NEEDED: Final = {
    "/v1.0/leads": ("firstName",),
    "/v1.0/notes": ("content",),
    "/v1.0/logType": ("logType", "content"),
    "/v1.0/webhook": ("listId", "callbackUrl"),
    "/rooftree/v1/calls": ("direction", "phoneNumber"),
    "/v1.0/org/office": ("name",),
}
