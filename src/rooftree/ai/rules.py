"""Finding in a transcript what an agent looks for first: numbers, prices, rooms, times, addresses."""

import re
import textwrap
from typing import Final

from rooftree.ai.model import Keyword

# Every repetition has an end, so that the time taken grows with the transcript and no faster, whatever it holds.
_DIGIT_WORD: Final = r"one|two|three|four|five|six|seven|eight|nine|ten"
_NUMBER: Final = rf"(?:\d{{1,2}}|{_DIGIT_WORD})"
_NUMBER_WORD: Final = (
    rf"(?:{_DIGIT_WORD}|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|"
    r"fifty|sixty|seventy|eighty|ninety|hundred|point)"
)
_AMOUNT: Final = r"\d{1,12}(?:,\d{3}){0,4}(?:\.\d{1,3})?"
_NO_MONEY: Final = r"(?!\s(?:square|sq|feet|foot|people|miles|times|steps)\b)"
_MONTH: Final = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY: Final = (
    r"(?:(?:next|this)\s)?(?:\b(?:today|tonight|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b|"
    rf"\b{_MONTH}\s\d{{1,2}}(?:st|[nr]d|th)?\b(?:,?\s\d{{4}}\b)?|"
    r"(?<![\d/])\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})(?![\d/])|(?<![\d-])\d{4}-\d\d-\d\d(?![\d-]))"
)
_CLOCK: Final = (
    r"(?:(?<![\d:.,$/])\d{1,2}(?::\d\d)?\s?(?:[ap]\.m\.|[ap]m\b)|(?<![\d:.,$/])\d{1,2}(?::\d\d(?![\d:])|\so'clock\b)|"
    r"\bnoon\b|\bmidnight\b)"
)
_STREET: Final = (
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way|place|pl|circle|cir|terrace|ter|"
    r"parkway|pkwy|highway|hwy)"
)
_COMPASS: Final = r"(?:North|South|East|West|N|S|E|W|NE|NW|SE|SW)\b"
#: In the order in which they are shown.
_PATTERNS: Final = (
    (
        "leadPhone",
        re.compile(
            r"(?<![\w.$+])(?:\+\d(?:[\s().-]{0,2}\d){7,13}|(?:1[\s.-]?)?(?:\(\d{3}\)\s?|\d{3}[\s.-]?)\d{3}[\s.-]?\d{4})(?!\d)"
        ),
    ),
    ("leadEmail", re.compile(r"(?<![\w.+'-])\w[\w.+'-]{0,63}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")),
    (
        "propertyPrice",
        re.compile(
            rf"\$\s?{_AMOUNT}(?:\s?(?:k|m|thousand|grand|million)\b)?|"
            rf"(?<![\w.,$]){_AMOUNT}\s?(?:k|thousand|grand|million|dollars)\b{_NO_MONEY}|"
            rf"\b{_NUMBER_WORD}(?:[\s-](?:and\s)?{_NUMBER_WORD}){{0,5}}\s(?:thousand|grand|million)\b(?:\sdollars\b)?"
            rf"{_NO_MONEY}",
            re.IGNORECASE,
        ),
    ),
    (
        "bedroom",
        re.compile(
            rf"(?<![\w.,$/]){_NUMBER}(?:\s?(?:to|-|or)\s?{_NUMBER})?[\s-]?(?:bedrooms?|beds?|br|bd)\b", re.IGNORECASE
        ),
    ),
    (
        "bathroom",
        re.compile(
            rf"(?<![\w.,$]){_NUMBER}(?:\.\d|\sand\sa\shalf|\s1/2|½)?[\s-]?(?:full\s|half\s)?(?:bathrooms?|baths?|ba)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "propertyType",
        re.compile(
            r"\b(?:single[- ]family(?:\s(?:home|house))?|condos?|condominiums?|town\s?(?:house|home)s?|multi[- ]family|"
            r"duplex|apartments?|vacant\s(?:land|lot)|mobile\shome)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "propertyLocation",
        # A name in capitals: "2 kids on the way" is no address.
        re.compile(
            rf"(?<![\w.,$])\d{{1,6}}\s(?:{_COMPASS}\.?\s)?(?:(?:[A-Z][\w'-]{{0,30}}|\d{{1,3}}(?:st|[nr]d|th))\s){{1,3}}"
            rf"(?i:{_STREET})\b(?:\.?\s{_COMPASS})?(?:\.?,?\s(?:Apt|Unit|Suite)\.?\s[\w-]{{1,8}})?"
        ),
    ),
    (
        "apptTime",
        re.compile(
            rf"{_DAY}(?:\s(?:morning|afternoon|evening|night)\b)?(?:,?\s(?:(?:at|around|by|before|after)\s)?{_CLOCK})?|"
            rf"{_CLOCK}(?:\s(?:on\s)?{_DAY})?",
            re.IGNORECASE,
        ),
    ),
)
_MOST_OF_A_KIND: Final = 5
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")
#: What ends in a dot that ends no sentence: always, or when what follows is no capital.
_TITLE: Final = re.compile(r"\b(?:Mr|Mrs|Ms|Dr)\.$")
_ABBREVIATION: Final = re.compile(r"(?:\b(?:st|ave|rd|blvd|apt|approx|sq|ft|vs|etc)|[ap]\.m)\.$", re.IGNORECASE)
#: In characters. What some machines write down has no full stops.
_LONGEST_SENTENCE: Final = 400


def keywords_of(transcript: str) -> list[Keyword]:
    """Return what is named, each once, at most five of a kind, in the order in which it is said."""
    found: list[Keyword] = []
    for kind, pattern in _PATTERNS:
        seen: dict[str, None] = {}
        for match in pattern.finditer(transcript):
            seen[" ".join(match[0].split())] = None
            if len(seen) == _MOST_OF_A_KIND:
                break
        found += [Keyword(text, kind) for text in seen]
    return found


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a transcript; a new line ends one too, and so do 400 characters."""
    sentences: list[str] = []
    for line in text.splitlines():
        for sentence in _sentences_of_line(line):
            whole = len(sentence) <= _LONGEST_SENTENCE
            sentences += [sentence] if whole else textwrap.wrap(sentence, _LONGEST_SENTENCE, break_on_hyphens=False)
    return sentences


def _sentences_of_line(line: str) -> list[str]:
    sentences: list[list[str]] = []
    for part in filter(None, map(str.strip, _SENTENCE_END.split(line))):
        if sentences and _goes_on(sentences[-1][-1], part):
            sentences[-1].append(part)
        else:
            sentences.append([part])
    return [" ".join(parts) for parts in sentences]


def _goes_on(before: str, after: str) -> bool:
    end = before[-12:]
    return bool(_TITLE.search(end) or (_ABBREVIATION.search(end) and not after[0].isupper()))


def words_of(sentence: str) -> list[str]:
    """Return the words of a sentence, in lower case."""
    return re.findall(r"[^\W\d_]+", sentence.lower())


def shortened(transcript: str, longest: int) -> str:
    """Return at most so many characters, and a mark: how a call began and how it ended says most."""
    if len(transcript) <= longest:
        return transcript
    half = longest // 2
    return f"{transcript[:half]}\n[...]\n{transcript[-half:]}"
