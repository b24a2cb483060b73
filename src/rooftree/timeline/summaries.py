"""What becomes of the counts and moments of two leads that are merged, and parted again."""

from datetime import datetime
from typing import Any, Final

from rooftree.timeline.model import MergedSummary, Summary

#: A lead's score ends here.
HIGHEST_SCORE: Final = 100


def combined(ours: Summary, theirs: Summary, known: Summary) -> Summary:
    """Return both together, less what was `known` and has been added before."""
    values = {
        name: _sum(name, getattr(ours, name), getattr(theirs, name), getattr(known, name))
        for name in Summary.__struct_fields__
    }
    return Summary(**values)


def parted(now: Summary, merged: MergedSummary) -> Summary:
    """Return what is left without what the merge added.

    Where nothing came since, it is what it was before. A moment since then is the lead's own, and so are counts.
    """
    together = combined(merged.before, merged.added, Summary())
    values = {
        name: _left(
            name, getattr(now, name), getattr(merged.before, name), getattr(merged.added, name), getattr(together, name)
        )
        for name in Summary.__struct_fields__
    }
    return Summary(**values)


def _sum(name: str, ours: Any, theirs: Any, known: Any) -> Any:
    if name.endswith("_at"):
        return _latest(ours, theirs)
    total = (ours or 0) + (theirs or 0) - (known or 0)
    return (min(total, HIGHEST_SCORE) if name == "score" else total) or None


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def _left(name: str, now: Any, before: Any, added: Any, together: Any) -> Any:
    if now == together:
        return before
    if name.endswith("_at"):
        is_later = now is not None and (together is None or now > together)
        return now if is_later else before  # else something was struck out: at most what it was before
    left = (now or 0) - (added or 0)
    if name == "score":
        left = max(left, before or 0)  # a score that reached its end no longer tells what came from whom
    return max(left, 0) or None
