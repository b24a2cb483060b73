"""Rows of webhooks, and what is told."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

#: How subscribers are chosen. contract: webhooks.md 3
BY_ASSIGNMENT = 0
BY_OWNERSHIP = 1


class Webhook(Struct, frozen=True):
    """A subscription: who wants to hear of what, where."""

    team_id: int
    id: int
    member_id: int
    vendor_id: int | None
    list_id: int
    callback_url: str
    batch_limit: int  #: entries in one POST
    permission_mode: int
    status: str  #: active, disabled, deleted
    reason: str | None
    secret: bytes  #: encrypted
    old_secret: bytes | None
    old_secret_until: datetime | None
    failing_since: datetime | None
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Delivery(Struct, frozen=True):
    """One POST: waiting, sending, delivered, failed or cancelled."""

    team_id: int
    id: int
    webhook_id: int
    list_id: int
    body: bytes
    entries: int
    lead_ids: list[int]
    state: str
    attempts: int
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None


class Attempt(Struct, frozen=True):
    """One try of a delivery."""

    team_id: int
    id: int
    delivery_id: int
    number: int
    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    answer: str
    next_at: datetime | None


class Hearing(Struct, frozen=True):
    """The audience of an announcement, as it was written. contract: webhooks.md 3"""

    assigned_user_ids: list[int] = []
    ownership_scope: str = "TEAM"
    ownership_id: int = 0
    is_hidden: bool = False
    role_user_ids: list[int] = []


class Told(Struct, frozen=True):
    """An announcement, numbered in commit order."""

    team_id: int
    seq: int
    list_id: int
    verb: str  #: the array's name
    lead_id: int | None
    payload: bytes
    audience: bytes
    happened_at: datetime
    is_quiet: bool = False  #: for the feed only

    @property
    def hearing(self) -> Hearing:
        """Who may hear of it."""
        return _HEARING.decode(self.audience)


_HEARING = msgspec.json.Decoder(Hearing)


class Subscriber(Struct, frozen=True):
    """A subscription with what decides what its member may hear of."""

    webhook_id: int
    team_id: int
    list_id: int
    batch_limit: int
    permission_mode: int
    member_id: int
    sees_all: bool
    office_ids: Sequence[int]


class Batch(Struct, frozen=True):
    """The body of one POST to be made."""

    team_id: int
    webhook_id: int
    list_id: int
    body: bytes
    entries: int
    lead_ids: list[int]
