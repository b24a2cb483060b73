"""Texts in the cells of a CSV that a spreadsheet opens: none of them is calculated."""

import re
from typing import Final

#: What a spreadsheet would calculate. Numbers, among them phone numbers, are nothing but themselves.
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?[\d .()/-]*\d[\d .()/-]*")


def guarded(text: str) -> str:
    """Return a text that no spreadsheet calculates: `=1+1` becomes `'=1+1`. What is a number stays as it is."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """Return what `guarded` was given."""
    return text[1:] if text.startswith("'") and guarded(text[1:]) == text else text
