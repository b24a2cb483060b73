"""The `key` search: fragments of names, e-mail addresses and phone digits, one typing error allowed.

Two kinds of tokens stand in one GIN index. Trigrams of the folded text ("  sm", "smi", "ith") find fragments;
the one-deletion neighbours of a word ("~smth") find it when one character is wrong, missing, too many or
swapped, because two words one edit apart share a neighbour. What the index finds is checked against the text.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from rooftree.platform.database import Arguments

#: From this length on a word may be mistyped; shorter ones are one edit away from too many others.
FUZZY_LENGTH: Final = 4
LONGEST_WORD: Final = 30
_PHONE_DIGITS: Final = 10
#: Characters before the @ that find an address well enough without its domain.
_TELLING_LOCAL_PART: Final = 4
_WORDS: Final = re.compile(r"[^\W_]+")
_NOT_DIGITS: Final = re.compile(r"[^0-9]+")
_PHONE_LIKE: Final = re.compile(r"[\d\s()+./-]*\d[\d\s()+./-]*")


def fold(text: str) -> str:
    """Return text as it is compared: lower case, without accents."""
    plain = text.casefold()
    if plain.isascii():
        return plain
    plain = unicodedata.normalize("NFKD", plain)
    return "".join(character for character in plain if not unicodedata.combining(character))


def haystack(first_name: str, last_name: str | None, emails: Sequence[str], phones: Sequence[str]) -> str:
    """Return the text that fragments are looked for in: a line per name, address and number (digits only)."""
    name = f"{first_name} {last_name or ''}"
    lines = [fold(name), *(fold(address) for address in emails), *(_digits(number) for number in phones)]
    return "\n".join(f" {' '.join(line.split())}" for line in lines if line.strip())


def search_tokens(first_name: str, last_name: str | None, emails: Sequence[str], phones: Sequence[str]) -> list[str]:
    """Return the index tokens of a lead, distinct and sorted."""
    text = haystack(first_name, last_name, emails, phones)
    found = {gram for line in text.split("\n") for gram in _grams(line)}
    words = [*_words(f"{first_name} {last_name or ''}")]
    words += [word for address in emails for word in _words(address.partition("@")[0])]
    words += [digits[-_PHONE_DIGITS:] for digits in map(_digits, phones)]
    for word in words:
        found |= _neighbours(word)
    return sorted(found)


def _grams(line: str) -> set[str]:
    """Return the trigrams of a line, and at each word's start the one and two characters that begin it."""
    found = {line[place : place + 3] for place in range(len(line) - 2)}
    for match in re.finditer(r"(?<= )\S\S?", line):
        found |= {f" {match[0][0]}", f" {match[0]}"}
    return found


@lru_cache(maxsize=4096)
def _neighbours(word: str) -> frozenset[str]:
    """Return the tokens of a word and of all words with one character less."""
    if len(word) < FUZZY_LENGTH:
        return frozenset()
    word = word[:LONGEST_WORD]
    return frozenset([f"~{word}", *[f"~{word[:place]}{word[place + 1 :]}" for place in range(len(word))]])


def _words(text: str) -> list[str]:
    return _WORDS.findall(fold(text))


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text)


class KeyQuery(Struct, frozen=True):
    """What somebody typed into the search box, made ready for the index."""

    fragments: list[str]  #: each must stand in the haystack
    fuzzy_words: list[str]  #: the same words, to be tried with one typing error each; empty: not allowed

    @classmethod
    def parse(cls, key: str, *, is_precise: bool = False) -> "KeyQuery | None":
        """Return the query of a key, None when it is blank. `is_precise` allows no typing error."""
        if not key.strip():
            return None
        if _PHONE_LIKE.fullmatch(key):
            digits = _digits(key)
            is_whole = len(digits) >= _PHONE_DIGITS and not is_precise
            return cls([digits], [digits[-_PHONE_DIGITS:]] if is_whole else [])
        folded = fold(key)
        words = _words(folded.partition("@")[0] if "@" in folded else folded)
        is_fuzzy = not is_precise and any(len(word) >= FUZZY_LENGTH for word in words)
        return cls(folded.split() or [folded], words if is_fuzzy else [])

    def lead_ids(self, args: Arguments) -> str:
        """Return the sub-select of matching lead ids, adding its arguments.

        Leads that contain every fragment; those that miss by typing errors only when there is no such lead.
        """
        grams = sorted({gram for fragment in self.fragments for gram in _query_grams(fragment)})
        patterns = [f"%{_literal(_anchored(fragment))}%" for fragment in self.fragments]
        long = [word[:LONGEST_WORD] for word in self.fuzzy_words if len(word) >= FUZZY_LENGTH]
        short = sorted({gram for word in self.fuzzy_words if len(word) < FUZZY_LENGTH for gram in _query_grams(word)})
        near = [" ".join(sorted(_neighbours(word))) for word in long]
        arrays = (grams, patterns, short, near, [_one_edit(word) for word in long])
        return f"SELECT find_leads_by_key({', '.join(f'{args.add(array)}::text[]' for array in arrays)})"


def _anchored(fragment: str) -> str:
    """Return a fragment as it is looked for: one or two characters only at the start of a word."""
    return fragment if len(fragment) > 2 else f" {fragment}"


def _query_grams(fragment: str) -> Iterable[str]:
    """Return trigrams that cover a fragment: enough to narrow it down, and each one costs a look into the index.

    Of an address the part before the domain, where that is long enough: very many leads share a domain, and grams
    of it cost more than all the others together.
    """
    if len(fragment) <= 2:
        return (f" {fragment}",)
    local, at, _ = fragment.partition("@")
    text = local + at if at and len(local) >= _TELLING_LOCAL_PART else fragment
    last = len(text) - 3
    return {text[place : place + 3] for place in (*range(0, last, 3), last)}


def _literal(text: str) -> str:
    """Escape what LIKE would read as a pattern."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _one_edit(word: str) -> str:
    """Return a regular expression for a whole word one edit away: lost, changed, added or swapped characters.

    Sharing a neighbour is not enough: "abcd" and "bcde" share one and are two edits apart.
    """
    places = range(len(word))
    forms = [f"{word[:place]}.?{word[place + 1 :]}" for place in places]
    forms += [f"{word[:place]}.{word[place:]}" for place in range(len(word) + 1)]
    forms += [word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in places[:-1]]
    before = "[0-9]{0,3}" if word.isdigit() else ""
    return rf"(^|[^[:alnum:]]){before}({'|'.join(forms)})($|[^[:alnum:]])"
