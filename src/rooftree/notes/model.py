"""Rows."""

from datetime import datetime

from msgspec import Struct


class Note(Struct, frozen=True):
    """A note on a lead."""

    team_id: int
    id: int
    timeline_id: int
    lead_id: int
    creator_id: int | None  #: None: the system
    last_editor_id: int | None
    content: str
    is_pinned: bool
    is_system: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    deleted_by: int | None
