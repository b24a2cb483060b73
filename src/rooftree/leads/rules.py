"""Decisions about leads that need nothing but their arguments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def tags_after(
    old: Sequence[str],
    *,
    new: Sequence[str] | None,
    added: Sequence[str],
    removed: Sequence[str],
    is_cleared: bool,
) -> list[str]:
    """Return a lead's tags after an update: set, then add, then remove; clearing beats all three.

    Only a tag that the lead had before can be removed; one brought in by the same request stays.
    contract: behaviour.md, PUT /v1.0/leads/{leadId}
    """
    if is_cleared:
        return []
    brought = [*(new or ()), *added]
    gone = {name for name in removed if name in old and name not in brought}
    start = old if new is None else new
    return list(dict.fromkeys(name for name in [*start, *added] if name not in gone))


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of `new` that differ from `old`."""
    return {name: value for name, value in new.items() if old[name] != value}


def statuses_after(old: Sequence[str], statuses: Sequence[int], new: Iterable[str]) -> list[int]:
    """Return phone statuses parallel to the new phones: kept for numbers that stay, 2 (valid) for new ones."""
    known = dict(zip(old, statuses, strict=False))
    return [known.get(phone, 2) for phone in new]


def full_name(first_name: str, last_name: str | None) -> str:
    """Return a name for people to read."""
    return f"{first_name} {last_name or ''}".strip()
