"""Decisions about messages that need nothing but their arguments."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: How long to wait after each attempt that failed for the moment, in seconds; then the message has failed for good.
PAUSES_SECONDS: Final = (15.0, 60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)
_LONGEST_PATIENCE_SECONDS: Final = 24 * 3600.0


def pause_after(attempts: int, asked_seconds: float | None) -> float | None:
    """Return how long to wait after so many attempts, at least what the provider asked for; None: give up."""
    if attempts > len(PAUSES_SECONDS):
        return None
    return max(PAUSES_SECONDS[attempts - 1], min(asked_seconds or 0.0, _LONGEST_PATIENCE_SECONDS))


def refusal(
    channel: str, *, cannot_email: bool, cannot_text: bool, is_unsubscribed: bool, suppressed: str | None
) -> str | None:
    """Return why a lead must not be written to by this channel, naming the flag; None when they may."""
    if channel == "email" and cannot_email:
        return "cannotEmail: the lead must not be e-mailed."
    if channel == "email" and is_unsubscribed:
        return "unsubscription: the lead wants no e-mails."
    if channel == "sms" and cannot_text:
        return "cannotText: the lead must not be texted."
    return _SUPPRESSED.get(suppressed or "")


_SUPPRESSED: Final = {
    "opted_out": "optedOut: this number answered STOP; only its START lifts that.",
    "bounced": "bounced: mail to this address came back as undeliverable.",
    "unsubscribed": "unsubscription: this address wants no e-mails.",
}


def parse_quiet_hours(text: str) -> tuple[time, time] | None:
    """Read `21:00-08:00`; None for an empty text. Raises: ValueError."""
    if not text:
        return None
    start, _, end = text.partition("-")
    return time.fromisoformat(start), time.fromisoformat(end)


def after_quiet_hours(moment: datetime, zone: ZoneInfo, quiet: tuple[time, time] | None) -> datetime:
    """Return the moment itself, or the end of the quiet hours that it falls into, on the clocks of a zone."""
    if quiet is None or quiet[0] == quiet[1]:
        return moment
    start, end = quiet
    local = moment.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    is_over_midnight = start > end
    is_quiet = (clock >= start or clock < end) if is_over_midnight else start <= clock < end
    if not is_quiet:
        return moment
    day = local.date() + timedelta(days=1 if is_over_midnight and clock >= start else 0)
    return datetime.combine(day, end, tzinfo=zone).astimezone(moment.tzinfo)
