"""Partial updates: what the caller sent, and what they left out."""

from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import fields


def given(request: Struct) -> dict[str, Any]:
    """Return the fields that were sent: UNSET dropped, null kept."""
    return {f.name: value for f in fields(request) if (value := getattr(request, f.name)) is not UNSET}
