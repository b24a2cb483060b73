"""Rows of the logbook."""

from datetime import datetime

from msgspec import Struct


class TimelineEntry(Struct, frozen=True):
    """One thing that happened. `details` holds what belongs to its kind, old and new values of a change too."""

    team_id: int
    lead_id: int
    id: int
    kind: str
    happened_at: datetime
    recorded_at: datetime
    actor_id: int | None  #: None: the system
    details: bytes
