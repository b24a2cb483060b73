"""What a manual log can be refused with. contract: errors.md 3."""

from rooftree.platform.errors import ApiError


class OffsetExceedLimit(ApiError):
    """Too deep a page: a cursor reaches further."""

    code = 200104
    name = "OFFSET_EXCEED_LIMIT"
    text = "offset and limit must not exceed 20000 together; use currentId instead."
