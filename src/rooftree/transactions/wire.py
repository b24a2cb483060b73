"""The contract's shapes of transactions."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.reading import Int64, LooseText
from rooftree.platform.wire_time import epoch_millis, from_epoch_millis
from rooftree.transactions.model import LeadTransaction as Row

_PARTY = Literal["TEAM", "AGENT", "VENDOR_PARTNER", "LEAD", "OTHER", "BROKERAGE", "UPLINE"]


class CustomFieldRequest(Struct, rename="camel"):
    """A value of one of the team's own transaction fields."""

    id: Int64 | None = None
    value: LooseText | None = None


class Commission(Struct, rename="camel"):
    """A line of a commission block. `value`: a percentage, or an amount of money."""

    id: Int64 | None = None
    split_pay_type: _PARTY | None = None
    split_pay_to: Int64 | None = None
    split_pay_to_name: str | None = None
    pay_type: _PARTY | None = None
    pay_to: Int64 | None = None
    pay_to_name: str | None = None
    value: Int64 | None = None
    calculate_type: Literal["PERCENT", "AMOUNT"] | None = None
    desc: str | None = None


class Commissions(Struct, rename="camel"):
    """Who is paid before, by and after the split."""

    pre_split: list[Commission] | None = None
    split: list[Commission] | None = None
    post_split: list[Commission] | None = None


class LeadTransaction(Struct, rename="camel", kw_only=True):
    """A transaction as it is sent. Dates are epoch milliseconds."""

    transaction_name: str | None = None
    transaction_type: str | None = None
    transaction_status: str | None = None
    home_price: float | None = None
    commission_rate: float | None = None
    gci: float | None = None
    team_revenue: float | None = None
    agent_revenue: float | None = None
    expected_close_date: Int64 | None = None
    close_date: Int64 | None = None
    appointment_date: Int64 | None = None
    agreement_signed_date: Int64 | None = None
    offer_date: Int64 | None = None
    contract_date: Int64 | None = None
    appraisal_date: Int64 | None = None
    home_inspection_date: Int64 | None = None
    escrow_date: Int64 | None = None
    expiration: Int64 | None = None
    custom_fields: list[CustomFieldRequest] | None = None
    commissions: Commissions | None = None


#: The wire's name of each date, and the row's.
DATES: Final = {
    "expected_close_date": "expected_close_at",
    "close_date": "close_at",
    "appointment_date": "appointment_at",
    "agreement_signed_date": "agreement_signed_at",
    "offer_date": "offer_at",
    "contract_date": "contract_at",
    "appraisal_date": "appraisal_at",
    "home_inspection_date": "home_inspection_at",
    "escrow_date": "escrow_at",
    "expiration": "expires_at",
}
NUMBERS: Final = ("home_price", "commission_rate", "gci", "team_revenue", "agent_revenue")


def instant(field: str, millis: int | None) -> datetime | None:
    """Return a date of the wire as an instant. Raises: InvalidParameter (20012) outside the years 1 to 9999."""
    try:
        return from_epoch_millis(millis)
    except (OverflowError, ValueError, OSError):
        raise InvalidParameter(f"{field}: is not a date in epoch milliseconds.") from None


def transaction_response(row: Row, lead_name: str, agent_id: int | None) -> dict[str, Any]:
    """Return a transaction in the contract's shape `LeadTransaction`."""
    camel = {field.name: field.encode_name for field in msgspec.structs.fields(LeadTransaction)}
    dates = {camel[name]: epoch_millis(getattr(row, column)) for name, column in DATES.items()}
    return {
        "created": epoch_millis(row.created_at),
        "updated": epoch_millis(row.updated_at),
        "transactionId": row.id,
        "transactionName": row.transaction_name,
        "leadName": lead_name,
        "assignedAgent": agent_id,
        "transactionType": row.transaction_type,
        "transactionStatus": row.transaction_status,
        **{camel[name]: getattr(row, name) for name in NUMBERS},
        **dates,
        "customFields": msgspec.Raw(row.custom_fields),
        "commissions": msgspec.Raw(row.commissions) if row.commissions else None,
    }
