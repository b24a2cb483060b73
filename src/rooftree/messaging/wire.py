"""The contract's shapes of messages, and our own of the tray."""

from typing import Any

from msgspec import Struct

from rooftree.messaging.model import Arrival
from rooftree.platform.http.reading import Int64, LooseText
from rooftree.platform.wire_time import iso_z


class EmailSendRequest(Struct, rename="camel", kw_only=True):
    """POST /v1.0/message/email/send. The text is `body`, or `content`. contract: seed 001, D3"""

    lead_id: Int64
    subject: str
    body: str | None = None
    content: str | None = None
    to_email: str | None = None


class SmsRequest(Struct, rename="camel", kw_only=True):
    """POST /v1.0/message/sms/send."""

    lead_id: Int64
    content: str
    phone_number: LooseText | None = None
    phone_code: LooseText | None = None


class TrayPlacement(Struct, rename="camel"):
    """POST /rooftree/v1/tray/{arrivalId}/lead: whose it is. None: nobody's, away with it."""

    lead_id: Int64 | None = None


def arrival_response(arrival: Arrival) -> dict[str, Any]:
    """Return something in the tray."""
    return {
        "id": arrival.id,
        "channel": arrival.channel,
        "from": arrival.sender,
        "to": arrival.recipient,
        "subject": arrival.subject,
        "text": arrival.body,
        "arrivedAt": iso_z(arrival.arrived_at),
    }
