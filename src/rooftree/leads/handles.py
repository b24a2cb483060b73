"""By what a lead is found: how it is reached, and what the key search reads."""

from collections.abc import Sequence

from msgspec import Struct

from rooftree.leads.fields import normal_email, normal_phone
from rooftree.leads.search import haystack, search_tokens


def contact_points(emails: Sequence[str], phones: Sequence[str], region: str) -> list[tuple[str, str]]:
    """Return how a lead is reached, as it is compared: pairs of kind and value."""
    addresses = dict.fromkeys(normal_email(address) for address in emails)
    numbers = dict.fromkeys(normal_phone(number, region) for number in phones)
    return [("email", value) for value in addresses if value] + [("phone", value) for value in numbers if value]


class Handles(Struct, frozen=True):
    """By what a lead is found: its contact points, and what the key search reads."""

    contacts: list[tuple[str, str]]
    haystack: str
    tokens: list[str]


def handles_of(
    first_name: str, last_name: str | None, emails: Sequence[str], phones: Sequence[str], region: str
) -> Handles:
    """Return by what a lead is found. `region` (e.g. US) completes phone numbers."""
    return Handles(
        contact_points(emails, phones, region),
        haystack(first_name, last_name, emails, phones),
        search_tokens(first_name, last_name, emails, phones),
    )
