"""Decisions about calls that need nothing but their arguments."""

from typing import Final

#: What became of a call, as an agent would have said it. contract: vocab.md, callingOutcome
_OUTCOMES: Final = {
    "Completed": "Talked",
    "VoiceMail": "VoiceMessage",
    "NoAnswer": "NoAnswer",
    "Busy": "NoAnswer",
    "Missed": "NoAnswer",
}
STATUSES: Final = ("Completed", "Missed", "Failed", "Busy", "NoAnswer", "VoiceMail")
OUTCOMES: Final = ("Talked", "VoiceMessage", "NoAnswer", "BadNumber", "DNCNumber", "DNCContact")


def outcome_of(status: str | None) -> str | None:
    """Return the outcome that a provider's status means; None when it says nothing about the person."""
    return _OUTCOMES.get(status or "")


def elapsed_text(seconds: int | None) -> str | None:
    """Return `00:08`: minutes and seconds."""
    return None if seconds is None else f"{seconds // 60:02}:{seconds % 60:02}"
