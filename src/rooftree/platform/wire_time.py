"""The shapes in which the contract writes instants and dates. contract: behaviour.md 1.6."""

import re
from datetime import UTC, date, datetime
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BIRTHDAY: Final = re.compile(r"([A-Za-z]{3}) (\d{1,2}), (\d{4})")


def epoch_millis(instant: datetime | None) -> int | None:
    """Return whole milliseconds since 1970."""
    return None if instant is None else int(instant.timestamp() * 1000)


def from_epoch_millis(millis: int | None) -> datetime | None:
    """Return the instant, aware, in UTC. Raises OverflowError or ValueError outside the years 1 to 9999."""
    return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC)


def utc_text(instant: datetime | None) -> str | None:
    """Return `2026-04-22 10:15:30`, UTC (notes, manual logs)."""
    return None if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def gmt_text(instant: datetime | None) -> str | None:
    """Return `2026-06-17T16:50:40GMT` (the times of a lead)."""
    return None if instant is None else instant.astimezone(UTC).isoformat(timespec="seconds")[:19] + "GMT"


def iso_z(instant: datetime | None) -> str | None:
    """Return `2026-05-06T14:32:00Z` (inquiries, tags, timeline)."""
    return None if instant is None else instant.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def birthday_text(day: date | None) -> str | None:
    """Return `Jun 5, 2001`, whatever the server's language."""
    return None if day is None else f"{_MONTHS[day.month - 1]} {day.day}, {day.year:04}"


def parse_birthday(text: str) -> date | None:
    """Read `Jun 5, 2001` or `Jun 05, 2001`; None when it is neither."""
    match = _BIRTHDAY.fullmatch(text.strip())
    month = match and match[1].capitalize()
    if not match or month not in _MONTHS:
        return None
    try:
        return date(int(match[3]), _MONTHS.index(month) + 1, int(match[2]))
    except ValueError:
        return None
