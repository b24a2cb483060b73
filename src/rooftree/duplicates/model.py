"""Rows."""

from datetime import datetime
from typing import Final

from msgspec import Raw, Struct

from rooftree.leads.model import Document, Lead

#: How long a merge can be undone.
UNDO_DAYS: Final = 30


class Reason(Struct, frozen=True):
    """Why two leads may be one person."""

    kind: str  #: email, similar_email, phone, similar_phone, name, street, zip, city
    text: str  #: for people


class DuplicatePair(Struct, frozen=True):
    """Two leads that may be one person. `lead_id` is the smaller id."""

    team_id: int
    id: int
    lead_id: int
    other_id: int
    score: int  #: 1 to 100
    reasons: Document  #: a list of reasons
    state: str  #: open, dismissed
    found_at: datetime
    dismissed_at: datetime | None
    dismissed_by: int | None


class Found(Struct, frozen=True):
    """A pair that a scan found."""

    lead_id: int  #: the smaller id
    other_id: int
    score: int
    reasons: list[Reason]


class ReviewedPair(Struct, frozen=True):
    """A pair with its leads, both visible to who asks."""

    pair: DuplicatePair
    lead: Lead
    other: Lead


class LeadMerge(Struct, frozen=True):
    """One lead merged into another."""

    team_id: int
    id: int
    lead_id: int  #: who stayed
    merged_lead_id: int  #: who went
    merged_by: int
    merged_at: datetime
    choices: Document  #: what the caller chose, by field
    moved: Document  #: how many rows moved, by kind
    changes: Document | None  #: of who stayed: by field, by column, old and new value; None: can no longer be undone
    summary: Document | None  #: a MergedSummary; None: as above
    undone_at: datetime | None
    undone_by: int | None


#: By field, by column: old and new value, still as JSON.
Changes = dict[str, dict[str, Raw]]
