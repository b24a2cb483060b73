"""Finding in a transcript what an agent looks for first: numbers, prices, rooms, times, addresses."""

import re
from typing import Final

from rooftree.ai.model import Keyword

_NUMBER: Final = r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten)"
_DAY: Final = r"(?:today|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_CLOCK: Final = r"\d{1,2}(?::\d{2})?\s*(?:a\.?m\.?|p\.?m\.?)"
_STREETS: Final = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|place|pl|circle|terrace)"
)
#: In the order in which they are shown.
_PATTERNS: Final = (
    ("leadPhone", re.compile(r"(?<![\w.])\+?1?[\s.-]?\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}(?!\d)")),
    ("leadEmail", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")),
    (
        "propertyPrice",
        re.compile(
            r"\$\s?\d[\d,.]*\d?(?:\s?(?:k|m|thousand|million))?\b|\b\d[\d,.]*\s?(?:k|thousand|million|dollars)\b",
            re.IGNORECASE,
        ),
    ),
    ("bedroom", re.compile(rf"\b{_NUMBER}(?:\s?(?:to|-|or)\s?{_NUMBER})?[\s-]bed(?:room)?s?\b", re.IGNORECASE)),
    ("bathroom", re.compile(rf"\b{_NUMBER}(?:\.5|\sand\sa\shalf)?[\s-]bath(?:room)?s?\b", re.IGNORECASE)),
    (
        "propertyType",
        re.compile(
            r"\b(?:single[- ]family|condo(?:minium)?|town\s?house|multi[- ]family|duplex|vacant land)\b", re.IGNORECASE
        ),
    ),
    ("propertyLocation", re.compile(rf"\b\d{{1,6}}\s(?:[A-Z][\w'-]*\s){{1,3}}{_STREETS}\b\.?", re.IGNORECASE)),
    ("apptTime", re.compile(rf"\b{_DAY}(?:\s(?:at|around)\s{_CLOCK})?\b|\b{_CLOCK}", re.IGNORECASE)),
)
_MOST_OF_A_KIND: Final = 5


def keywords_of(transcript: str) -> list[Keyword]:
    """Return what is named, each once, at most five of a kind, in the order in which it is said."""
    found: list[Keyword] = []
    for kind, pattern in _PATTERNS:
        seen = dict.fromkeys(" ".join(match[0].split()) for match in pattern.finditer(transcript))
        found += [Keyword(text, kind) for text in list(seen)[:_MOST_OF_A_KIND]]
    return found


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a transcript; a new line ends one too."""
    parts = re.split(r"(?<=[.!?])\s+|\n+", text)
    return [part.strip() for part in parts if part.strip()]


def words_of(sentence: str) -> list[str]:
    """Return the words of a sentence, in lower case."""
    return re.findall(r"[^\W\d_]+", sentence.lower())
