"""What a request about a note can be refused with. contract: errors.md 3."""

from rooftree.platform.errors import ApiError


class InvalidUpdateLeadId(ApiError):
    """A note cannot move to another lead."""

    code = 900014
    name = "INVALID_UPDATE_OPERATION_LEADID"
    text = "leadId: is not the lead of this note."
