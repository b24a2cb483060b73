"""From the Authorization header to the credential in it, and from its owner's row to an Actor. contract: auth.md 1."""

from collections.abc import Mapping
from typing import Any, Final

from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.errors import (
    BadCredentials,
    KeyPermissionScope,
    TooManyRequests,
    UserInTokenNotExist,
    VendorPermissionScope,
)
from rooftree.platform.http.reading import AnyRequest

_SCHEMES: Final = {"bearer", "token"}


def credential(request: AnyRequest) -> str:
    """Return the credential: `Bearer K` or `token K`, the scheme in any case. Raises: BadCredentials (401)."""
    headers = [value for name, value in request.scope["headers"] if name == b"authorization"]
    if len(headers) != 1:
        raise BadCredentials
    scheme, _, token = headers[0].decode("latin-1").strip().partition(" ")
    if scheme.lower() not in _SCHEMES or not token.strip():
        raise BadCredentials
    return token.strip()


def actor_of(record: Mapping[str, Any] | None) -> Actor:
    """Return who a row of `authenticate()` is. Raises: BadCredentials (401), UserInTokenNotExist (400)."""
    if record is None or not record["is_key_valid"]:
        raise BadCredentials
    if not record["is_member_active"]:
        raise UserInTokenNotExist
    return Actor(
        team_id=record["team_id"],
        member_id=record["member_id"],
        role=record["role"],
        office_id=record["office_id"],
        office_ids=record["office_ids"],
        user_ids=record["user_ids"],
        time_zone=record["time_zone"],
        key_id=record["key_id"],
        profile=None if record["permissions"] is None else frozenset(record["permissions"]),
        department_ids=record["department_ids"],
        pond_ids=record["pond_ids"],
        app_id=record["app_id"],
        app_mode=record["app_mode"],
        app_limit=record["app_limit"],
        grants=None if record["grants"] is None else frozenset(record["grants"]),
    )


def check_grants(actor: Actor, tags: frozenset[str]) -> None:
    """Refuse an operation, by its tags, that the caller's credential was not granted. contract: auth.md 4

    Raises: VendorPermissionScope (403 200100), KeyPermissionScope (400 200100).
    """
    if actor.grants is not None and not tags & actor.grants:
        raise KeyPermissionScope if actor.app_id is None else VendorPermissionScope


class RefusedCredentials:
    """Counts refused credentials per source address and minute. A valid credential is never held up."""

    def __init__(self, limit_per_minute: int) -> None:
        self.limit = limit_per_minute
        self._minute = 0
        self._counts: dict[str, int] = {}

    def note(self, address: str) -> None:
        """Count one refusal. Raises: TooManyRequests (429) once the address used up this minute."""
        self._counts[address] = self.count(address) + 1
        if self._counts[address] > self.limit:
            raise TooManyRequests

    def count(self, address: str) -> int:
        """Return how many of an address were refused in this minute."""
        minute = int(clock.now().timestamp()) // 60
        if self._minute != minute:
            self._minute, self._counts = minute, {}
        return self._counts.get(address, 0)
