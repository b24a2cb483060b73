"""Rows."""

from datetime import datetime

from msgspec import Struct


class Call(Struct, frozen=True):
    """A call that a dialer or provider reported."""

    team_id: int
    id: int  #: of its entry in the logbook
    lead_id: int | None  #: None: nobody known; it lies in the tray
    user_id: int | None  #: the agent
    user_phone: str | None
    lead_phone: str | None
    direction: str  #: outbound, inbound
    status: str | None  #: Completed, Missed, Failed, Busy, NoAnswer, VoiceMail; None: it rings or goes on
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: int | None
    ring_seconds: int | None
    outcome: str | None
    rate_score: int | None  #: 0 to 5
    caller_id: str | None  #: the number that was shown
    note: str | None
    is_machine_answered: bool | None
    price: float | None
    provider_id: str | None
    is_told: bool  #: its entry is in the logbook
    recording_url: str | None  #: where the provider keeps it, until it is fetched
    recording_key: str | None  #: in the blob store
    recording_type: str | None
    transcript: str | None
    summary: str | None
    summary_state: int | None  #: 0 pending, 1 processing, 2 finished, 3 failed
    summary_data: bytes | None  #: the contract's RecordingSummary
    summary_error: str | None
    created_at: datetime
    updated_at: datetime
