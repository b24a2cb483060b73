"""Reading the Range header of players. Touches nothing."""

import re
from typing import Final

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def part_of(header: str, size: int) -> tuple[int, int] | None:
    """Return the part that a Range header asks for, its end exclusive; None: the whole, or nothing that can be given.

    Several parts in one header are answered with the whole, which HTTP allows.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or not (match[1] or match[2]):
        return None
    if match[1]:
        start, end = int(match[1]), int(match[2]) + 1 if match[2] else size
    else:
        start, end = max(size - int(match[2]), 0), size
    return (start, min(end, size)) if start < min(end, size) else None
