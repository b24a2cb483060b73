"""Which clocks a lead lives by: their address first, then the area code of their number."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

from rooftree.platform.wire_time import parse_zone

#: The zone in which most people of each state of the USA live.
_STATES: Final = {
    "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
    "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    "America/Denver": "CO ID MT NM UT WY",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA NV OR WA",
    "America/Anchorage": "AK",
    "Pacific/Honolulu": "HI",
    "America/Puerto_Rico": "PR VI",
}
_ZONE_OF: Final = {state: zone for zone, states in _STATES.items() for state in states.split()}
_NAMES: Final = {
    "alabama": "AL", "alaska": "AK", "arizona": "AZ", "arkansas": "AR", "california": "CA", "colorado": "CO",
    "connecticut": "CT", "delaware": "DE", "district of columbia": "DC", "florida": "FL", "georgia": "GA",
    "hawaii": "HI", "idaho": "ID", "illinois": "IL", "indiana": "IN", "iowa": "IA", "kansas": "KS",
    "kentucky": "KY", "louisiana": "LA", "maine": "ME", "maryland": "MD", "massachusetts": "MA", "michigan": "MI",
    "minnesota": "MN", "mississippi": "MS", "missouri": "MO", "montana": "MT", "nebraska": "NE", "nevada": "NV",
    "new hampshire": "NH", "new jersey": "NJ", "new mexico": "NM", "new york": "NY", "north carolina": "NC",
    "north dakota": "ND", "ohio": "OH", "oklahoma": "OK", "oregon": "OR", "pennsylvania": "PA",
    "puerto rico": "PR", "rhode island": "RI", "south carolina": "SC", "south dakota": "SD", "tennessee": "TN",
    "texas": "TX", "utah": "UT", "vermont": "VT", "virginia": "VA", "washington": "WA", "west virginia": "WV",
    "wisconsin": "WI", "wyoming": "WY",
}  # fmt: skip


def zone_of(state: str | None, phones: Sequence[str], region: str, otherwise: str) -> ZoneInfo:
    """Return a lead's time zone: of their state, else of their first number's area, else the team's."""
    word = (state or "").strip()
    name = _ZONE_OF.get(_NAMES.get(word.lower(), word.upper()))
    for candidate in (name, *(_area_zone(phone, region) for phone in phones[:1]), otherwise):
        if candidate and (zone := parse_zone(candidate)):
            return zone
    return ZoneInfo("UTC")


def _area_zone(phone: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        return None
    zones = timezone.time_zones_for_geographical_number(number) or timezone.time_zones_for_number(number)
    known = [zone for zone in zones if zone != timezone.UNKNOWN_TIMEZONE]
    return known[0] if known else None
