"""From a cell to what a request holds. A value that cannot be read as what it should be is refused with a reason."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from rooftree.platform.wire_time import FIRST_INSTANT, LAST_INSTANT, birthday_text, parse_birthday, parse_instant


class RowError(Exception):
    """A row that cannot be imported; the message says why."""


#: What people write where there is nothing.
_NOTHING: Final = {"", "-", "--", "n/a", "na", "null", "none", "(none)", "#n/a", "undefined", "nil"}
_TRUE: Final = {"true", "yes", "y", "1", "x", "on", "t", "opted out", "unsubscribed"}
_FALSE: Final = {"false", "no", "n", "0", "off", "f", "opted in", "subscribed"}
_LEAD_TYPES: Final = {
    "other": [-1],
    "seller": [1],
    "buyer": [2],
    "renter": [5],
    "tenant": [5],
    "investor": [6],
    "agent": [7],
    "homeowner": [8],
    "landlord": [9],
    "both": [1, 2],
}
_MANY: Final = re.compile(r"[;|\n]")
_MANY_OR_COMMA: Final = re.compile(r"[;,|\n]")
_AMOUNT: Final = re.compile(r"[^\w.,+-]*(?P<number>[+-]?\d[\d,]*(?:\.\d+)?)(?P<unit>[kKmM]?)\W*")
_UNITS: Final = {"": 1, "k": 1000, "m": 1_000_000}
_DAY: Final = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})")
_CLOCK: Final = re.compile(
    r"(?P<day>[^\sT]+)(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
)


def text(value: Any) -> str:
    """Return a cell as text: a whole number without a fraction, an instant in ISO 8601."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        is_day = not (value.hour or value.minute or value.second)
        return value.date().isoformat() if is_day else value.isoformat(" ", "seconds")
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return str(value)


def is_blank(value: Any) -> bool:
    """Whether there is nothing in a cell."""
    return value is None or value == "" or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def several(value: Any) -> list[str]:
    """Return the addresses or numbers of a cell, separated by ; , | or lines."""
    if isinstance(value, list):
        return [text(one) for one in value if not is_blank(one)]
    return [part.strip() for part in _MANY_OR_COMMA.split(text(value)) if not is_blank(part)]


def labels(value: Any) -> list[str]:
    """Return the words of a cell, separated by ; | or lines; by commas where none of these is."""
    if isinstance(value, list):
        return [text(one.get("tagName") if isinstance(one, dict) else one) for one in value if not is_blank(one)]
    whole = text(value)
    parts = (_MANY if _MANY.search(whole) else _MANY_OR_COMMA).split(whole)
    return [part.strip() for part in parts if not is_blank(part)]


def note(value: Any) -> list[str]:
    """Return a note, whole."""
    return [text(value)]


def number(value: Any) -> Any:
    """Return an amount, however it is written: 450000, $450,000, 450k, 1.2M."""
    if isinstance(value, int | float):
        return int(value) if float(value).is_integer() else value
    match = _AMOUNT.fullmatch(text(value))
    if not match:
        raise RowError(f"{text(value)!r} is not a number")
    amount = float(match["number"].replace(",", "")) * _UNITS[match["unit"].lower()]
    return int(amount) if amount.is_integer() else amount


def flag(value: Any) -> bool:
    """Return yes or no as people write them."""
    word = text(value).lower()
    if word not in _TRUE | _FALSE:
        raise RowError(f"{text(value)!r} is neither yes nor no")
    return word in _TRUE


def yes_no(value: Any) -> str:
    """Return Yes or No; another text as it is, so that it is refused with what is allowed."""
    word = text(value).lower()
    return "Yes" if word in _TRUE else "No" if word in _FALSE else text(value)


def lead_types(value: Any) -> list[int]:
    """Return lead types, given by number or by name."""
    parts = value if isinstance(value, list) else re.split(r"[;,|/&+\n]| and ", text(value))
    found: list[int] = []
    for part in map(text, parts):
        if not part:
            continue
        if part.lstrip("-").isdigit():
            found.append(int(part))
        elif part.lower() in _LEAD_TYPES:
            found += _LEAD_TYPES[part.lower()]
        else:
            raise RowError(f"{part!r} is not a lead type")
    return found


def day(value: Any, *, day_first: bool) -> date:
    """Return a day: 2001-06-05, 6/5/2001 (or 5/6/2001 with `day_first`), Jun 5, 2001."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    given = text(value)
    if known := parse_birthday(given):
        return known
    match = _DAY.fullmatch(re.split(r"[T ]", given, maxsplit=1)[0])
    if not match:
        raise RowError(f"{given!r} is not a date")
    first, second, third = map(int, match.groups())
    if len(match[1]) > 2:
        year, month, of_month = first, second, third
    else:
        year, month, of_month = (third, second, first) if day_first else (third, first, second)
    if len(match[3]) < 3 and len(match[1]) < 3:
        year += 1900 if year > 30 else 2000
    try:
        return date(year, month, of_month)
    except ValueError:
        raise RowError(f"{given!r} is not a date") from None


def birthday(value: Any, *, day_first: bool) -> str:
    """Return a day as the contract writes birthdays."""
    return birthday_text(day(value, day_first=day_first)) or ""


def moment(value: Any, *, day_first: bool, zone: ZoneInfo) -> datetime:
    """Return an instant; without an offset it is a time on the team's clocks. A number is seconds or milliseconds."""
    found = _instant(value, day_first=day_first, zone=zone)
    if not FIRST_INSTANT <= found <= LAST_INSTANT:
        raise RowError(f"{text(value)!r} is not a time")
    return found


def _instant(value: Any, *, day_first: bool, zone: ZoneInfo) -> datetime:
    given = text(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
    if known := parse_instant(given):
        return known
    if re.fullmatch(r"\d{9,13}", given):
        return datetime.fromtimestamp(int(given) / (1000 if len(given) > 11 else 1), UTC)
    match = _CLOCK.fullmatch(given)
    on = day(match["day"] if match else given, day_first=day_first)
    hour, minute, second = (int((match and match[name]) or 0) for name in ("hour", "minute", "second"))
    if match and match["half"]:
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    try:
        return datetime(on.year, on.month, on.day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowError(f"{given!r} is not a time") from None


def person(value: Any, people: Mapping[str, int]) -> int:
    """Return a member, given by id, login or full name."""
    found = people.get(text(value).lower())
    if found is None:
        raise RowError(f"nobody in the team is {text(value)!r}")
    return found


def document(value: Any) -> Any:
    """Return JSON, which a cell holds as text."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise RowError("is not JSON") from None


Reader = Callable[[Any], Any]
