"""What routing knows and what it says."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

#: contract: vocab.md, business type
AGENT_LEAD: Final = 1
LENDER_LEAD: Final = 2
ASSISTANT_LEAD: Final = 4
BUSINESS_TYPES: Final = (AGENT_LEAD, LENDER_LEAD, ASSISTANT_LEAD)
NO_ROLE: Final = -1

#: contract: vocab.md, strategyType
ROUND_ROBIN: Final = 1
NEXT_UP: Final = 2
BLAST_ALERT: Final = 3
LEAD_POND: Final = 4
DEFAULT_ASSIGNEE: Final = 5
STRATEGY_NAMES: Final = {
    ROUND_ROBIN: "ROUND_ROBIN",
    NEXT_UP: "NEXT_UP",
    BLAST_ALERT: "BLAST_ALERT",
    LEAD_POND: "LEAD_POND",
    DEFAULT_ASSIGNEE: "DEFAULT_ASSIGNEE",
}

#: How a condition compares. contract: vocab.md, match types
ANY: Final = 0
ONE_OF: Final = 1
NONE_OF: Final = 2
ALL_OF: Final = 3

#: The company's rules, where another number names an office.
COMPANY: Final = -1


class Place(Struct, frozen=True):
    """Where a lead looks, or where its property stands; empty: not known."""

    state: str = ""
    county: str = ""
    city: str = ""
    zip_code: str = ""
    street_address: str = ""


class Question(Struct, frozen=True):
    """What is known of a lead when it is asked whose it shall be."""

    assign_group_id: int | None  #: -1 company, an office id, or None: by ownership
    ownership_scope: str
    ownership_id: int
    caller_id: int
    lead_types: Sequence[int] = ()
    source: str = ""
    tags: Sequence[str] = ()
    segments: Sequence[str] = ()
    price_min: int | None = None
    price_max: int | None = None
    property_types: Sequence[str] = ()
    places: Sequence[Place] = ()
    has_phone: bool = False
    language: str = ""
    tried_ids: Sequence[int] = ()  #: who had it already and did not touch it
    spent_rule_ids: Sequence[int] = ()  #: blasts that nobody claimed


class Criteria(Struct, frozen=True, rename="camel"):
    """What a rule asks of a lead; what is empty asks nothing. Lists and comma-separated texts: one of them."""

    source_names: list[str] = []
    source_match: int = ANY
    tag_names: list[str] = []
    tag_match: int = ANY
    segment_names: list[str] = []
    segment_match: int = ANY
    lead_type_ids: list[int] = []  #: 3: buyer and seller
    lead_type_match: int = ONE_OF
    location_match: int = ANY
    state: str = ""
    county: str = ""
    city: str = ""
    zipcode: str = ""
    street_address: str = ""
    phone: str = ""  #: With, Without
    price_min: int | None = None
    price_max: int | None = None
    property_types: list[str] = []
    languages: list[str] = []


class Rule(Struct, frozen=True):
    """A rule of a level, in its row's names."""

    team_id: int
    id: int
    business_type: int
    role_id: int  #: of ASSISTANT_LEAD: the custom role that it fills; else -1
    office_id: int | None  #: None: the company's
    position: int  #: rules are tried from the lowest
    name: str
    is_on: bool
    is_draft: bool  #: tried by rehearsals only
    is_supplement: bool  #: the default rule of its level
    criteria: bytes  #: JSON of Criteria
    active_days: list[int]  #: 1 Monday to 7 Sunday
    hours_start: int
    hours_end: int  #: exclusive; equal to the start: the whole day; below it: past midnight
    time_zone: str | None  #: None: the team's
    strategy: int
    touch_minutes: int | None  #: no touch for so long, and the lead moves on
    pond_id: int | None
    assignee_id: int | None
    weights: bytes  #: JSON: [[member id, weight], ...]; empty: everybody of the level, evenly
    created_at: datetime
    updated_at: datetime


class Seat(Struct, frozen=True):
    """A member as routing sees them."""

    id: int
    name: str
    role: str
    office_ids: Sequence[int] = ()  #: their office and those above it
    is_paused: bool = False
    paused_until: datetime | None = None
    vacations: Sequence[tuple[date, date]] = ()  #: first and last day
    daily_cap: int | None = None
    open_cap: int | None = None
    today: int = 0  #: leads by routing today; counted for those with limits only
    open: int = 0  #: leads they have; likewise


class Book(Struct, frozen=True):
    """The rules of a team and who may be chosen, as they stand at one moment."""

    time_zone: str
    office_ids: frozenset[int]
    rules: Sequence[Rule]
    seats: dict[int, Seat]
    ponds: dict[int, str]  #: names of those that are open


class Tried(Struct, frozen=True, rename="camel"):
    """A rule that was tried, and what stood against it."""

    rule_id: int
    name: str
    level: str  #: company, or office:<id>
    failed: str = ""  #: the condition that the lead or the moment did not meet; empty: it fitted
    wanted: str = ""
    had: str = ""


class Skipped(Struct, frozen=True, rename="camel"):
    """Somebody who stood in line and was passed over."""

    member_id: int
    name: str
    why: str


class Assignment(Struct, frozen=True, kw_only=True):
    """Who gets the lead, and why. Neither member nor pond: it is on offer to several."""

    business_type: int = AGENT_LEAD
    role_id: int = NO_ROLE
    member_id: int | None = None
    pond_id: int | None = None
    scope: str  #: company, office:<id>, rule:<id>, caller, owner
    reason: str
    considered: Sequence[int] = ()  #: who stood in line
    turn: int | None = None  #: how many turns the member has had in this line, this one included
    rule_id: int | None = None
    strategy: int | None = None
    tried: Sequence[Tried] = ()
    skipped: Sequence[Skipped] = ()
    due_in_minutes: int | None = None  #: touched or claimed until then, or it moves on
    offered_to: Sequence[int] = ()

    def details(self) -> dict[str, Any]:
        """Return what the logbook keeps of the choice."""
        return {
            "businessType": self.business_type,
            "roleId": self.role_id,
            "to": self.member_id,
            "pondId": self.pond_id,
            "offeredTo": list(self.offered_to),
            "scope": self.scope,
            "ruleId": self.rule_id,
            "strategy": STRATEGY_NAMES.get(self.strategy or 0),
            "turn": self.turn,
            "touchMinutes": self.due_in_minutes,
            "reason": self.reason,
            "considered": list(self.considered),
            "tried": msgspec.to_builtins(list(self.tried)),
            "skipped": msgspec.to_builtins(list(self.skipped)),
        }


class Offer(Struct, frozen=True):
    """A lead that has to be touched in time, or that the first to claim it gets."""

    team_id: int
    id: int
    lead_id: int
    rule_id: int | None
    strategy: int
    member_ids: list[int]
    tried_ids: list[int]
    spent_rule_ids: list[int]
    status: str  #: open, touched, claimed, passed, ended
    due_at: datetime
    claimed_by: int | None
    created_at: datetime
    ended_at: datetime | None
