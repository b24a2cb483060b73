"""Finding pairs, and deciding on them."""

from typing import Final

from rooftree.duplicates import queries, rules, store
from rooftree.duplicates.model import ReviewedPair
from rooftree.duplicates.rules import MOST_HOLDERS, Person
from rooftree.leads import actions as leads
from rooftree.leads import queries as known
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import ResourceNotExist

#: How many leads are compared in one transaction.
BATCH: Final = 250


async def scan(tx: Transaction, limit: int = BATCH) -> int:
    """Compare leads that came or changed since the last time with the rest of the team; return how many were taken.

    What it costs depends on how many it takes, not on how many there are: a lead is compared with those that share an
    address, a number or a key with it, and with nobody where more than MOST_HOLDERS do.
    Writes: lead_to_compare, duplicate_key, duplicate_pair.
    """
    lead_ids = await leads.take_to_compare(tx, limit)
    if not lead_ids:
        return 0
    people = await _people(tx, lead_ids)
    keys = {lead_id: rules.keys_of(people[lead_id]) if lead_id in people else set[int]() for lead_id in lead_ids}
    await store.replace_keys(tx, keys)
    groups, crowded = await _groups(tx, list(people.values()))
    others = {lead_id for group in groups for lead_id in group} - set(lead_ids)
    everybody = people | await _people(tx, sorted(others))
    wanted = {pair for group in groups for pair in _pairs(group, set(people), everybody)}
    found = [rules.compared(everybody[one], everybody[other], crowded) for one, other in sorted(wanted)]
    await store.put_pairs(tx, lead_ids, [pair for pair in found if pair])
    return len(lead_ids)


async def _people(tx: Transaction, lead_ids: list[int]) -> dict[int, Person]:
    return {lead.id: rules.person_of(lead) for lead in await known.to_compare(tx, lead_ids)} if lead_ids else {}


async def _groups(tx: Transaction, people: list[Person]) -> tuple[list[list[int]], frozenset[str]]:
    """Return groups of leads that share something, none too large, and what too many share."""
    contacts = {(kind, value) for one in people for kind, value in _contacts(one)}
    holders = await known.holders_of(tx, sorted(contacts), MOST_HOLDERS + 1)
    keys = {key for one in people for key in rules.keys_of(one) | rules.bare_keys_of(one)}
    sharers = await queries.holders_of_keys(tx, sorted(keys), MOST_HOLDERS + 1)
    crowded = frozenset(value for (_, value), found in holders.items() if len(found) > MOST_HOLDERS)
    groups = [found for found in (*holders.values(), *sharers.values()) if len(found) <= MOST_HOLDERS]
    return [*groups, *_written_otherwise(people, holders, sharers)], crowded


def _contacts(person: Person) -> list[tuple[str, str]]:
    addresses = sorted(person.emails | person.bare_emails)
    return [("email", address) for address in addresses] + [("phone", number) for number in sorted(person.phones)]


def _written_otherwise(
    people: list[Person], holders: dict[tuple[str, str], list[int]], sharers: dict[int, list[int]]
) -> list[list[int]]:
    """Return, for each lead, those whose address is the same mailbox, written the plain way or another."""
    groups: list[list[int]] = []
    for one in people:
        for address in one.bare_emails:
            plain = holders.get(("email", address), [])
            other = sharers.get(rules.hashed(f"bare {address}"), [])
            if 0 < len(plain) + len(other) <= MOST_HOLDERS:
                groups.append([one.id, *plain, *other])
    return groups


def _pairs(group: list[int], scanned: set[int], everybody: dict[int, Person]) -> set[tuple[int, int]]:
    """Return the pairs of a group of which at least one lead is being scanned, smaller id first."""
    return {
        (min(one, other), max(one, other))
        for one in group
        if one in scanned
        for other in group
        if other != one and other in everybody
    }


async def decide(tx: Transaction, actor: Actor, pair_id: int | None, *, is_dismissed: bool) -> ReviewedPair:
    """Say that two leads are not the same person, or that they may be after all. Both must be theirs to change.

    A pair stays dismissed, whatever later scans find. Writes: duplicate_pair. Raises: ResourceNotExist (20007).
    """
    found = await queries.find_pair(tx, actor, pair_id, is_managing=True)
    if found is None:
        raise ResourceNotExist
    state = "dismissed" if is_dismissed else "open"
    if found.pair.state == state:
        return found
    changed = await store.set_state(tx, found.pair.id, state, actor.member_id if is_dismissed else None)
    if changed is None:
        raise ResourceNotExist
    return ReviewedPair(changed, found.lead, found.other)
