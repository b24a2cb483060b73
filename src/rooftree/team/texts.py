"""Reading what people wrote into a form: trimmed, of a length that is kept, an address where one is due."""

import re
from collections.abc import Mapping
from typing import Any, Final

from rooftree.platform.errors import InvalidParameter, ParameterTooLong
from rooftree.platform.http.reading import LooseText
from rooftree.team.rules import INTRODUCTION_LENGTH, TEXT_LENGTH

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
#: The contract's pages print this filler; in a format it means "not supplied".
_FILLER: Final = "<string>"
#: More entries of a list are not kept.
_LIST_LENGTH: Final = 100


def text_of(field: str, value: LooseText | None, length: int = TEXT_LENGTH) -> str:
    """Return text without surrounding blanks; a number as its digits. Raises: ParameterTooLong (20043)."""
    text = _plain(value)
    if len(text) > length:
        raise ParameterTooLong(f"{field}: at most {length} characters are accepted.")
    return text


def needed_text(field: str, value: LooseText | None, length: int = TEXT_LENGTH) -> str:
    """Return text that may not be blank. Raises: InvalidParameter (20012), ParameterTooLong (20043)."""
    text = text_of(field, value, length)
    if not text:
        raise InvalidParameter(f"{field}: must not be blank.")
    return text


def email_of(field: str, value: LooseText | None) -> str | None:
    """Return an e-mail address, "" for a blank one, None when none is supplied.

    Raises: InvalidParameter (20012), ParameterTooLong (20043).
    """
    text = text_of(field, value)
    if value is None or text == _FILLER:
        return None
    if text and not _EMAIL.fullmatch(text):
        raise InvalidParameter(f"{field}: is not an e-mail address.")
    return text


def cut(value: Any, length: int = TEXT_LENGTH) -> Any:
    """Return JSON whose texts and lists are cut to what is kept, numbers as their digits. contract: behaviour.md 1.5"""
    match value:
        case None | bool():
            return value
        case list():
            return [cut(one, length) for one in value[:_LIST_LENGTH]]
        case Mapping():
            longer = {"personalIntroduction": INTRODUCTION_LENGTH}
            return {key: one if key == "size" else cut(one, longer.get(key, length)) for key, one in value.items()}
        case _:
            return _plain(value)[:length]


def _plain(value: LooseText | None) -> str:
    if value is None:
        return ""
    return (f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)).strip()
