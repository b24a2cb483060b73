"""Reading from a query which part of a history is wanted. contract: behaviour.md 1.3 and 1.4"""

from typing import Final

from rooftree.platform.errors import InvalidParameter
from rooftree.platform.http.reading import Query
from rooftree.timeline.queries import Window

HIGHEST_LIMIT: Final = 1000
#: Deeper than anybody's history, and small enough to multiply with a page size.
FURTHEST: Final = 10**9


def timeline_window(query: Query) -> Window:
    """Return the part asked for: by `currentId`, else `page` and `pageSize`, else `offset` and `limit`. contract: D2"""
    page, size = query.integer("page"), query.integer("pageSize")
    limit, offset = query.integer("limit"), query.integer("offset")
    size = _in_range(size if size is not None else limit, 20)
    after_id = _after(query.text("currentId").removeprefix("act_"))
    if after_id is not None:
        return Window(size, 0, after_id)
    if page is not None:
        return Window(size, (min(max(page, 1), FURTHEST) - 1) * size)
    return Window(size, min(max(offset or 0, 0), FURTHEST))


def history_window(query: Query) -> Window:
    """Return the part of a history list asked for; what is out of range is reset."""
    limit = _in_range(query.integer("limit"), 10)
    after_id = _after(query.text("currentId"))
    offset = 0 if after_id is not None else min(max(query.integer("offset") or 0, 0), FURTHEST)
    return Window(limit, offset, after_id)


def _after(text: str) -> int | None:
    """Return the id that a page begins after; None when there is none, or it is not above zero."""
    if not text:
        return None
    digits = text.lstrip("+-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18 or len(text) > len(digits) + 1:
        raise InvalidParameter("currentId: must be an integer.")
    return int(text) if int(text) > 0 else None


def _in_range(limit: int | None, default: int) -> int:
    return limit if limit is not None and 1 <= limit <= HIGHEST_LIMIT else default


def lead_id_of(query: Query) -> int:
    """Return the query's `leadId`. Raises: InvalidParameter (20012) when it is missing or not above zero."""
    lead_id = query.integer("leadId")
    if lead_id is None or lead_id < 1:
        raise InvalidParameter("leadId: is required.")
    return lead_id
