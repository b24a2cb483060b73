"""From what a request says to what a row holds: trimming, cutting, refusing. Touches no database.

Silently cut, and nothing else: names and segments to 30 characters, tags to 64. Everything else that is too
long is refused. contract: seed 004 "Silent truncation", behaviour.md 1.5
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec
import phonenumbers
from msgspec import UNSET

from rooftree.leads.errors import PropertyAddressEmpty
from rooftree.leads.wire import (
    BLANK_INQUIRY,
    BLANK_PROPERTY,
    LeadFamilyMember,
    LeadFields,
    LeadInquiry,
    LeadProperty,
    Location,
    LooseId,
    TagName,
)
from rooftree.platform.errors import InvalidParameter, ParameterTooLong
from rooftree.platform.http.reading import INT64_MAX, LooseText
from rooftree.platform.wire_time import birthday_text, iso_z, parse_birthday

NAME_LENGTH: Final = 30
TAG_LENGTH: Final = 64
STAGE_LENGTH: Final = 19
PHONE_LENGTH: Final = 20
TEXT_LENGTH: Final = 255
LONG_TEXT_LENGTH: Final = 2000
LIST_LENGTH: Final = 100
FAMILY_SIZE: Final = 4

LEAD_TYPES: Final = {-1, 1, 2, 5, 6, 7, 8, 9}
LANGUAGES: Final = ("en", "fr", "de", "es", "zh-CN", "zh-TW", "ja")
TIME_FRAMES: Final = ("1-3", "3-6", "6-12", "12+", "Just Looking", "Refinancing", "0-3", "N/A")
YES_NO: Final = ("Yes", "No")
SCOPES: Final = ("TEAM", "OFFICE", "PERSONAL")
#: The contract's pages print this filler; in a closed list, a format or a look-up it means "not supplied".
FILLER: Final = "<string>"

_CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "buying_time_frame": TIME_FRAMES,
    "selling_time_frame": TIME_FRAMES,
    "pre_qual": YES_NO,
    "house_to_sell": YES_NO,
    "fthb": YES_NO,
    "with_buyer_agent": YES_NO,
    "mortgage": YES_NO,
    "buy_house": YES_NO,
    "with_listing_agent": YES_NO,
    "language": LANGUAGES,
}
_INTEGER: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_TEXTS: Final = ("street_address", "city", "state", "zip_code", "referred_by", "source")
_FLAGS: Final = {
    "cannot_text": "cannot_text",
    "cannot_call": "cannot_call",
    "cannot_email": "cannot_email",
    "unsubscription": "is_unsubscribed",
    "is_hidden": "is_hidden",
}
_ADDRESS: Final = ("street_address", "city", "state", "zip_code")


def lead_columns(request: LeadFields) -> dict[str, Any]:
    """Return the plain columns that a request sets; what it leaves out is not in the result.

    null clears what can be unset (names but the first, texts, closed lists) and is "not supplied" elsewhere.
    Raises: InvalidParameter (20012), ParameterTooLong (20043), naming the field.
    """
    row: dict[str, Any] = {}
    for field, column in _FLAGS.items():
        if isinstance(value := getattr(request, field, UNSET), bool):
            row[column] = value
    _names(request, row)
    for field in _TEXTS:
        if (value := getattr(request, field)) is not UNSET:
            row[field] = text_of(_camel(field), value) or None
    for field, allowed in _CLOSED.items():
        if (value := getattr(request, field)) not in (UNSET, FILLER):
            row[field] = one_of(_camel(field), value, allowed)
    if request.birthday not in (UNSET, FILLER):
        row["birthday_on"] = _birthday("birthday", request.birthday)
    _lists(request, row)
    return row


def _names(request: LeadFields, row: dict[str, Any]) -> None:
    first_name = getattr(request, "first_name", UNSET)
    if isinstance(first_name, str):
        row["first_name"] = cut(first_name, NAME_LENGTH)
        if not row["first_name"]:
            raise InvalidParameter("firstName: must not be blank.")
    if request.last_name is not UNSET:
        row["last_name"] = cut(request.last_name or "", NAME_LENGTH) or None


def _lists(request: LeadFields, row: dict[str, Any]) -> None:
    if isinstance(request.emails, list):
        row["emails"] = short_texts("emails", request.emails, 254)
    if isinstance(request.phones, list):
        row["phones"] = short_texts("phones", request.phones, PHONE_LENGTH)
    if isinstance(request.lead_types, list):
        row["lead_types"] = list(dict.fromkeys(request.lead_types))
        if unknown := [kind for kind in row["lead_types"] if kind not in LEAD_TYPES]:
            raise InvalidParameter(f"leadTypes: {unknown[0]} is not one of {sorted(LEAD_TYPES)}.")
    named = [names for names in (request.groups, request.segments) if isinstance(names, list)]
    if named:
        row["segments"] = labels("segments", [name for names in named for name in names], NAME_LENGTH)


def cut(text: str, length: int) -> str:
    """Trim, then keep the first `length` code points."""
    return text.strip()[:length]


def labels(field: str, names: Iterable[str | TagName], length: int) -> list[str]:
    """Return cut, non-blank, distinct names in their first order."""
    texts = (cut(name.tag_name if isinstance(name, TagName) else name, length) for name in names)
    distinct = list(dict.fromkeys(text for text in texts if text))
    if len(distinct) > LIST_LENGTH:
        raise InvalidParameter(f"{field}: at most {LIST_LENGTH} entries are accepted.")
    return distinct


def text_of(field: str, value: LooseText | None, length: int = TEXT_LENGTH) -> str:
    """Return text, trimmed; a number as its digits. Raises: ParameterTooLong (20043)."""
    if value is None:
        return ""
    text = (f"{value:g}" if isinstance(value, float) else str(value)).strip()
    if len(text) > length:
        raise ParameterTooLong(f"{field}: at most {length} characters are accepted.")
    return text


def short_texts(field: str, values: Sequence[LooseText], length: int) -> list[str]:
    """Return non-blank, distinct texts in their first order."""
    if len(values) > LIST_LENGTH:
        raise InvalidParameter(f"{field}: at most {LIST_LENGTH} entries are accepted.")
    texts = (text_of(f"{field}[{index}]", value, length) for index, value in enumerate(values))
    return list(dict.fromkeys(text for text in texts if text))


def one_of(field: str, value: str | None, allowed: Sequence[str]) -> str | None:
    """Return a value of a closed list; null and blank are unset. Raises: InvalidParameter (20012)."""
    if value is None or not value.strip():
        return None
    if value not in allowed:
        raise InvalidParameter(f"{field}: must be one of {', '.join(allowed)}.")
    return value


def id_of(field: str, value: LooseId | msgspec.UnsetType | None) -> int | None:
    """Return an id; absent, null, blank and filler are None. Raises: InvalidParameter (20012)."""
    if value is None or value is UNSET:
        return None
    if isinstance(value, int):
        return value
    text = value.strip()
    if text in ("", FILLER):
        return None
    if not _INTEGER.fullmatch(text) or abs(int(text)) > INT64_MAX:
        raise InvalidParameter(f"{field}: must be an integer.")
    return int(text)


def stage_name(request: LeadFields) -> str | None:
    """Return the stage's name, None when not supplied. Raises: ParameterTooLong (20043)."""
    if not isinstance(request.stage, str) or request.stage.strip() in ("", FILLER):
        return None
    return text_of("stage", request.stage, STAGE_LENGTH)


def ownership(request: LeadFields, team_id: int) -> tuple[str, int] | None:
    """Return scope and owner, None when not supplied. contract: S4-110 to S4-115."""
    scope = None if request.ownership_scope in (UNSET, FILLER) else request.ownership_scope
    scope = one_of("ownershipScope", scope if isinstance(scope, str) else None, SCOPES)
    if scope is None:
        return None
    if scope == "TEAM":
        return scope, team_id
    owner_id = id_of("ownershipId", request.ownership_id)
    if owner_id is None:
        raise InvalidParameter(f"ownershipId: is required when ownershipScope is {scope}.")
    return scope, owner_id


def family(members: Sequence[LeadFamilyMember]) -> list[dict[str, Any]]:
    """Return family members as documents. Raises: InvalidParameter (20012) on a fifth."""
    if len(members) > FAMILY_SIZE:
        raise InvalidParameter(f"leadFamilyMemberList: at most {FAMILY_SIZE} family members are accepted.")
    return [_relative(f"leadFamilyMemberList[{index}]", member) for index, member in enumerate(members)]


def _relative(path: str, member: LeadFamilyMember) -> dict[str, Any]:
    first_name = cut(member.first_name, NAME_LENGTH)
    if not first_name:
        raise InvalidParameter(f"{path}.firstName: must not be blank.")
    birthday = None if member.birthday == FILLER else _birthday(f"{path}.birthday", member.birthday)
    return {
        "firstName": first_name,
        "relationship": text_of(f"{path}.relationship", member.relationship) or None,
        "lastName": cut(member.last_name or "", NAME_LENGTH) or None,
        "phones": short_texts(f"{path}.phones", member.phones or [], PHONE_LENGTH),
        "emails": short_texts(f"{path}.emails", member.emails or [], 254),
        "birthday": birthday_text(birthday),
    }


def _birthday(field: str, text: str | None) -> Any:
    if text is None or not text.strip():
        return None
    day = parse_birthday(text)
    if day is None:
        raise InvalidParameter(f"{field}: must look like 'Jun 5, 2001'.")
    return day


def inquiry_document(
    request: LeadInquiry, old: Mapping[str, Any] | None, *, lead_id: int, inquiry_id: int, now: datetime
) -> dict[str, Any]:
    """Return the lead's inquiry after this request: what it leaves out keeps its value.

    contract: POST /v1.0/leads/{leadId}/inquiry. Raises: InvalidParameter (20012).
    """
    stamp = iso_z(now)
    document: dict[str, Any] = (
        dict(old) if old else {**BLANK_INQUIRY, "id": inquiry_id, "leadUserId": lead_id, "createTime": stamp}
    )
    document["updateTime"] = stamp
    for field in ("price_min", "price_max", "bedrooms_min", "bedrooms_max"):
        _set(document, request, field, lambda value, name: _amount(f"inquiry.{name}", value))
    for field in ("bathrooms_min", "bathrooms_max"):
        _set(document, request, field, lambda value, name: text_of(f"inquiry.{name}", value, 20) or None)
    for field in ("modify_by_agent", "default_value"):
        _set(document, request, field, lambda value, _: value)
    _set(document, request, "property_type", lambda value, name: short_texts(f"inquiry.{name}", value, TEXT_LENGTH))
    _set(document, request, "locations", lambda value, _: [_place(i, place) for i, place in enumerate(value)])
    for low, high in (("priceMin", "priceMax"), ("bedroomsMin", "bedroomsMax")):
        if 0 <= document[high] < document[low]:
            raise InvalidParameter(f"inquiry.{low}: must not be above {high}.")
    return document


def _place(index: int, place: Location) -> dict[str, Any]:
    if index >= LIST_LENGTH:
        raise InvalidParameter(f"inquiry.locations: at most {LIST_LENGTH} entries are accepted.")
    path = f"inquiry.locations[{index}]"
    sent = msgspec.structs.asdict(place)
    return {_camel(name): text_of(f"{path}.{_camel(name)}", value) or None for name, value in sent.items()}


_OF_PROPERTY: Final = tuple(name for name in LeadProperty.__struct_fields__ if name != "id")
_WHOLE: Final = ("price", "bedrooms", "square_feet", "parking_space", "floors", "price_min", "price_max")
_MINUS_WHEN_UNSET: Final = {"price", "lot_size", "parking_space", "floors"}


def property_document(
    request: LeadProperty, old: Mapping[str, Any] | None, *, lead_id: int, property_id: int, now: datetime
) -> dict[str, Any]:
    """Return a property after this request: what it leaves out keeps its value.

    Raises: PropertyAddressEmpty (200057), InvalidParameter (20012), ParameterTooLong (20043).
    """
    if not any(_given_text(request, field) for field in _ADDRESS):
        raise PropertyAddressEmpty
    fresh = {**BLANK_PROPERTY, "id": property_id, "leadUserId": lead_id, "createTime": iso_z(now)}
    document = dict(old) if old else fresh
    for field in _OF_PROPERTY:
        _set(document, request, field, _property_value)
    return document


def _property_value(value: Any, name: str) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        length = LONG_TEXT_LENGTH if name in {"note", "pictureUrl", "siteListingUrl", "labelList"} else TEXT_LENGTH
        return text_of(f"property.{name}", value, length) or None
    if name in {"zipCode", "listingId"}:
        return text_of(f"property.{name}", value)
    if name != "autoListingId" and value < 0 and value != -1:
        raise InvalidParameter(f"property.{name}: must not be negative.")
    return BLANK_PROPERTY[name] if value == -1 else value


def same_address(document: Mapping[str, Any], request: LeadProperty) -> bool:
    """Whether a property has the address of the request: trimmed, ignoring case."""
    return all(
        (document[_camel(field)] or "").strip().lower() == _given_text(request, field).lower() for field in _ADDRESS
    )


def address_of(row: Mapping[str, Any]) -> LeadProperty | None:
    """Return the deprecated four address fields as a property, None when all are blank. contract: S4-22."""
    if not any(row.get(field) for field in _ADDRESS):
        return None
    return LeadProperty(**{field: row.get(field) for field in _ADDRESS})


def _given_text(request: LeadProperty, field: str) -> str:
    value = getattr(request, field)
    return "" if value is UNSET else text_of(f"property.{_camel(field)}", value)


def _set(document: dict[str, Any], request: Any, field: str, read: Callable[[Any, str], Any]) -> None:
    """Put a sent field into a document; null is "not supplied"."""
    value = getattr(request, field)
    if value is not UNSET and value is not None:
        document[_camel(field)] = read(value, _camel(field))


def _amount(field: str, value: int) -> int:
    if value < -1:
        raise InvalidParameter(f"{field}: must not be negative.")
    return value


@cache
def _camel(field: str) -> str:
    head, *tail = field.split("_")
    return head + "".join(word.capitalize() for word in tail)


def normal_email(address: str) -> str:
    """Return an address as it is compared: trimmed, lower case."""
    return address.strip().lower()


#: A number as most are written in North America: there the library takes most of the time of an import.
_NANP: Final = {"US", "CA"}
_NANP_NUMBER: Final = re.compile(r"\(?([2-9][0-9]{2})\)?[ .-]?([0-9]{3})[ .-]?([0-9]{4})")


def normal_phone(number: str, region: str) -> str:
    """Return a number as it is compared: E.164 when it is one of the region (e.g. US), else its digits."""
    if region in _NANP and (match := _NANP_NUMBER.fullmatch(number.strip())):
        return "+1" + "".join(match.groups())
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return digits_of(number)
    if not phonenumbers.is_possible_number(parsed):
        return digits_of(number)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def digits_of(text: str) -> str:
    """Return the ASCII digits of a text."""
    return "".join(character for character in text if character in "0123456789")
