"""What a question about calls can be refused with. contract: errors.md 3 and 7."""

from rooftree.platform.errors import ApiError


class LeadNotFound(ApiError):
    """Unknown, trashed or of another team: the calls operations have a name of their own for it."""

    status = 404
    code = 20006
    name = "LEAD_NOT_FOUND"
    text = "Lead not found."
