"""Rows."""

from datetime import datetime

from msgspec import Struct


class LeadTransaction(Struct, frozen=True):
    """A deal of a lead. Money and percentages are as the client gave them."""

    team_id: int
    id: int
    lead_id: int
    transaction_name: str
    transaction_type: str
    transaction_status: str
    home_price: float | None
    commission_rate: float | None
    gci: float | None
    team_revenue: float | None
    agent_revenue: float | None
    expected_close_at: datetime | None
    close_at: datetime | None
    appointment_at: datetime | None
    agreement_signed_at: datetime | None
    offer_at: datetime | None
    contract_at: datetime | None
    appraisal_at: datetime | None
    home_inspection_at: datetime | None
    escrow_at: datetime | None
    expires_at: datetime | None
    custom_fields: bytes
    commissions: bytes | None
    created_by: int | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
