"""Rows."""

from datetime import datetime
from typing import Final

from msgspec import Struct

#: What a run can be asked for, in the order in which it is taken; the account itself is always read.
KINDS: Final = ("leads", "talk", "notes", "visits", "changes", "transactions")


class Pull(Struct, frozen=True):
    """One run."""

    team_id: int
    id: int
    account: str  #: the source's own number of the account
    base_url: str
    wanted: list[str]  #: of KINDS
    since: datetime | None
    until: datetime
    started_at: datetime
    ended_at: datetime | None


class Step(Struct, frozen=True):
    """Where a run stands with one kind of thing."""

    team_id: int
    pull_id: int
    kind: str
    place: str  #: where to go on from; "": at the beginning
    total: int | None  #: as the source says
    is_done: bool
    problem: str | None  #: why the source does not give it


class Thing(Struct, frozen=True):
    """Something that was taken."""

    team_id: int
    kind: str
    source_id: str
    own_id: int
    digest: bytes
    pull_id: int


class Refusal(Struct, frozen=True):
    """Something that could not be taken."""

    team_id: int
    kind: str
    source_id: str
    reason: str
