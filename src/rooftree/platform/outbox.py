"""The outbox: announcements, written in the transaction that made them true and delivered later.

The logbook embeds `insert_announcements()` in the statement that writes its entries, so that both cost one round trip.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from rooftree.platform.database import Arguments


class Announcement(Struct, frozen=True):
    """One entry of a webhook body to come. contract: webhooks.md 5.2"""

    list_id: int
    verb: str  #: the array's name, e.g. createdLead
    lead_id: int | None
    payload: dict[str, Any]  #: the entry, less updateTime
    audience: Any  #: who may hear of it, as JSON
    happened_at: datetime


def insert_announcements(announcements: Sequence[Announcement], args: Arguments) -> str:
    """Return an INSERT of announcements for the team in $1, adding its arguments."""
    lists = (
        ("smallint", [told.list_id for told in announcements]),
        ("text", [told.verb for told in announcements]),
        ("bigint", [told.lead_id for told in announcements]),
        ("jsonb", [msgspec.json.encode(told.payload) for told in announcements]),
        ("jsonb", [msgspec.json.encode(told.audience) for told in announcements]),
        ("timestamptz", [told.happened_at for told in announcements]),
    )
    arrays = ", ".join(f"{args.add(values)}::{kind}[]" for kind, values in lists)
    return f"""INSERT INTO announcement (team_id, list_id, verb, lead_id, payload, audience, happened_at)
    SELECT $1, * FROM unnest({arrays})"""
