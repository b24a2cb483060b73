"""Which leads are worth comparing, and how alike two of them are. Pure.

Addresses are compared without what follows a plus sign, and Gmail's without dots: for the review list only. Whom a
message comes from is decided by the whole address.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from rooftree.duplicates.model import Found, Reason
from rooftree.duplicates.names import folded, sound, whole
from rooftree.leads.model import Comparable

#: From this score on a pair is on the review list.
LOWEST_SCORE: Final = 40
#: From this one on, if nothing but names and places speaks for it.
LOWEST_SCORE_OF_NAMES: Final = 50
#: An address or number that more leads have is an office's: it brings nobody together.
MOST_HOLDERS: Final = 20
#: Names that are at least so alike (0 to 1) count as one name, written differently.
_ALIKE: Final = 0.88
#: Below this, they are two names.
_DIFFERENT: Final = 0.72
#: A shared address or number of two people with different names counts this much.
_OTHER_NAME: Final = 0.6
_MOST_PLACES: Final = 3
_GMAIL: Final = {"gmail.com", "googlemail.com"}
#: Addresses that say what they are for, not whose they are.
_FUNCTIONS: Final = {"admin", "contact", "hello", "home", "info", "mail", "me", "noreply", "office", "sales", "support"}
#: How much each sign says for itself.
_WEIGHTS: Final = {
    "email": 0.85,
    "similar_email": 0.75,
    "phone": 0.7,
    "similar_phone": 0.35,
    "local_part": 0.35,
    "street": 0.4,
    "zip": 0.25,
    "city": 0.1,
}
_SAME_NAME, _ALIKE_NAME = 0.5, 0.4


class Person(Struct, frozen=True):
    """A lead as it is compared."""

    id: int
    first: str  #: folded, made whole
    last: str  #: folded
    given: str  #: the name as it was written
    emails: frozenset[str]
    phones: frozenset[str]
    bare_emails: frozenset[str]  #: without what follows a plus sign, Gmail's without dots
    local_parts: frozenset[str]  #: letters and digits before the @, of addresses that are somebody's
    streets: frozenset[str]
    cities: frozenset[str]
    zips: frozenset[str]


def person_of(lead: Comparable) -> Person:
    """Return a lead as it is compared."""
    places: list[dict[str, Any]] = [
        {"streetAddress": lead.street_address, "city": lead.city, "zipCode": lead.zip_code},
        *msgspec.json.decode(lead.properties)[:_MOST_PLACES],
    ]
    local_parts = {bare_local_part(address) for address in lead.emails}
    return Person(
        id=lead.id,
        first=whole(folded(lead.first_name)),
        last=folded(lead.last_name or ""),
        given=f"{lead.first_name} {lead.last_name or ''}".strip(),
        emails=frozenset(lead.emails),
        phones=frozenset(lead.phones),
        bare_emails=frozenset(bare_email(address) for address in lead.emails),
        local_parts=frozenset(part for part in local_parts if len(part) >= 5 and part not in _FUNCTIONS),
        streets=_set(folded(str(place.get("streetAddress") or "")) for place in places),
        cities=_set(folded(str(place.get("city") or "")) for place in places),
        zips=_set(folded(str(place.get("zipCode") or ""))[:5] for place in places),
    )


def _set(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value for value in values if value)


def bare_email(address: str) -> str:
    """Return a normal address without what follows a plus sign; Gmail's without dots too."""
    local, at, domain = address.rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _GMAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}{at}{domain}"


def bare_local_part(address: str) -> str:
    """Return the letters and digits of what stands before the @."""
    local = bare_email(address).rpartition("@")[0]
    return "".join(character for character in local if character.isalnum())


def keys_of(person: Person) -> set[int]:
    """Return what leads are found by that may be the same person: only those that share a key are compared.

    A key is a name, as it sounds, together with a second sign; or an address that is written otherwise.
    """
    signs = [f"bare {address}" for address in person.bare_emails - person.emails]
    if name := _name_key(person):
        second = [
            *(f"zip {value}" for value in person.zips),
            *(f"city {value}" for value in person.cities),
            *(f"street {value}" for value in person.streets),
            *(f"local {value}" for value in person.local_parts),
            *(f"phone {value[-7:]}" for value in person.phones if len(value) >= 7),
        ]
        signs += [f"{name} {value}" for value in second]
    return {hashed(sign) for sign in signs}


def bare_keys_of(person: Person) -> set[int]:
    """Return the keys under which somebody stands whose address is one of these, written otherwise."""
    return {hashed(f"bare {address}") for address in person.bare_emails}


def _name_key(person: Person) -> str:
    name = person.last or person.first
    return f"{sound(name)} {person.first[:1]}" if name else ""


def hashed(text: str) -> int:
    """Return 64 bits of a text, signed."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)


def compared(one: Person, other: Person, crowded: frozenset[str]) -> Found | None:
    """Return how alike two leads are, None when that is not enough for the review list.

    `crowded`: addresses and numbers that many leads have; they say nothing. Names that are alike need a second sign.
    """
    one, other = sorted((one, other), key=lambda person: person.id)
    signs = [*_contact_signs(one, other, crowded), *_second_signs(one, other, crowded)]
    alike = likeness(one, other)
    has_contact = any(reason.kind in ("email", "similar_email", "phone") for _, reason in signs)
    if not signs or (not has_contact and (alike is None or alike < _ALIKE)):
        return None
    doubt = 1.0
    for weight, _ in signs:
        doubt *= 1 - weight
    reasons = [reason for _, reason in signs]
    if alike is not None and alike >= _ALIKE:
        doubt *= 1 - (_SAME_NAME if alike == 1 else _ALIKE_NAME)
        reasons.insert(0, _name_reason(one, other, alike))
    score = (1 - doubt) * (_OTHER_NAME if alike is not None and alike < _DIFFERENT else 1)
    points = max(1, min(100, round(score * 100)))
    lowest = LOWEST_SCORE if has_contact else LOWEST_SCORE_OF_NAMES
    return Found(one.id, other.id, points, reasons) if points >= lowest else None


def likeness(one: Person, other: Person) -> float | None:
    """Return how alike two names are, 0 to 1; None when one of them is not known well enough to tell."""
    if not (one.first and other.first) or bool(one.last) != bool(other.last):
        return None
    last = _similar(one.last, other.last) if one.last else 1.0
    first = _similar(one.first, other.first)
    if 1 in (len(one.first), len(other.first)) and one.first[0] == other.first[0]:
        first = max(first, 0.9)  # an initial
    swapped = min(_similar(one.first, other.last), _similar(one.last, other.first))
    return max(min(first, last), swapped if one.last else 0.0)


def _similar(one: str, other: str) -> float:
    """Return how alike two words are. A letter more, less, other or swapped in a long one makes no other person."""
    if one == other:
        return 1.0
    if not one or not other:
        return 0.0
    typo = DamerauLevenshtein.distance(one, other, score_cutoff=1) == 1 and min(len(one), len(other)) >= 4
    return max(_ALIKE, JaroWinkler.similarity(one, other)) if typo else min(JaroWinkler.similarity(one, other), 0.99)


def _name_reason(one: Person, other: Person, alike: float) -> Reason:
    if alike == 1 and folded(one.given) == folded(other.given):
        return Reason("name", f"Same name: {one.given}")
    return Reason("name", f"Names alike: {one.given}, {other.given}")


def _contact_signs(one: Person, other: Person, crowded: frozenset[str]) -> list[tuple[float, Reason]]:
    found: list[tuple[float, Reason]] = []
    if shared := sorted((one.emails & other.emails) - crowded):
        found.append((_WEIGHTS["email"], Reason("email", f"Same e-mail address: {shared[0]}")))
    elif (one.bare_emails & other.bare_emails) - crowded:
        bare = min((one.bare_emails & other.bare_emails) - crowded)
        words = ", ".join(next(a for a in sorted(p.emails) if bare_email(a) == bare) for p in (one, other))
        found.append(
            (_WEIGHTS["similar_email"], Reason("similar_email", f"Same mailbox, written differently: {words}"))
        )
    if numbers := sorted((one.phones & other.phones) - crowded):
        found.append((_WEIGHTS["phone"], Reason("phone", f"Same phone number: {numbers[0]}")))
    return found


def _second_signs(one: Person, other: Person, crowded: frozenset[str]) -> list[tuple[float, Reason]]:
    found: list[tuple[float, Reason]] = []
    shared_streets, shared_zips = sorted(one.streets & other.streets), sorted(one.zips & other.zips)
    if shared_streets:
        found.append((_WEIGHTS["street"], Reason("street", f"Same street address: {shared_streets[0]}")))
    if shared_zips:
        found.append((_WEIGHTS["zip"], Reason("zip", f"Same zip code: {shared_zips[0]}")))
    elif cities := sorted(one.cities & other.cities):
        found.append((_WEIGHTS["city"], Reason("city", f"Same city: {cities[0]}")))
    if not one.bare_emails & other.bare_emails and (parts := sorted(one.local_parts & other.local_parts)):
        found.append((_WEIGHTS["local_part"], Reason("similar_email", f"Same name before the @: {parts[0]}")))
    if not one.phones & other.phones and (near := _near_phone(one, other)):
        found.append((_WEIGHTS["similar_phone"], Reason("similar_phone", f"Similar phone numbers: {near}")))
    elif (one.phones & other.phones) and not ((one.phones & other.phones) - crowded):
        number = min(one.phones & other.phones)
        found.append(
            (_WEIGHTS["similar_phone"], Reason("similar_phone", f"Same phone number as many others: {number}"))
        )
    return found


def _near_phone(one: Person, other: Person) -> str:
    """Return two numbers that differ by one digit, or only before their last seven."""
    for ours in sorted(one.phones):
        for theirs in sorted(other.phones):
            is_near = ours[-7:] == theirs[-7:] or DamerauLevenshtein.distance(ours, theirs, score_cutoff=1) == 1
            if is_near and min(len(ours), len(theirs)) >= 7:
                return f"{ours}, {theirs}"
    return ""
