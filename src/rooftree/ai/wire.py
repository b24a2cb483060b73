"""The contract's shapes of summaries."""

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from rooftree.calls.model import Call
from rooftree.platform.http.reading import Int64

#: What a keyword of a summary can name. contract: vocab.md
KeywordType: TypeAlias = Literal[
    "leadName",
    "leadPhone",
    "leadEmail",
    "propertyLocation",
    "propertyPrice",
    "propertyType",
    "bedroom",
    "bathroom",
    "apptTime",
    "apptLocation",
    "participants",
]


class GenerateCallSummaryRequest(Struct, rename="camel"):
    """POST /v2.0/ai/call-summary/generate."""

    call_record_id: Int64
    lead_id: Int64


def call_summary_response(call: Call) -> dict[str, Any]:
    """Return how far a call's summary is, and what it says. contract: RecordingSummary, status in vocab.md"""
    found: dict[str, Any] = msgspec.json.decode(call.summary_data) if call.summary_data else {}
    return {
        "id": call.id,
        "recordingId": call.id,
        "status": call.summary_state or 0,
        "userId": call.user_id,
        "text": call.transcript,
        "summary": call.summary,
        "keywords": found.get("keywords", []),
        "score": found.get("score"),
        "comment": call.summary_error or found.get("comment"),
    }
