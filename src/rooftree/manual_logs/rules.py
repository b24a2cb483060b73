"""Decisions about logs that need nothing but their arguments."""

from typing import Final

#: contract: vocab.md
OUTCOMES: Final = frozenset({"Talked", "VoiceMessage", "NoAnswer", "BadNumber", "DNCNumber", "DNCContact"})


def outcome_of(text: str | None) -> str | None:
    """Return a call's outcome as it is kept: unknown words mean Talked. contract: S0-29"""
    if text is None or not text.strip():
        return None
    return text if text in OUTCOMES else "Talked"
