"""Rows."""

from datetime import datetime

from msgspec import Struct


class ApiKey(Struct, frozen=True):
    """A key of a member. The key's text is not in it."""

    team_id: int
    id: int
    member_id: int
    name: str
    key_hash: bytes
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
