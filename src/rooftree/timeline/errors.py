"""What a question about the past can be refused with. contract: errors.md 3."""

from rooftree.platform.errors import ApiError, PermissionDenied


class AccessAllTeamLeads(ApiError):
    """`teamView` by somebody who may not see all of the team's leads."""

    code = 900002
    name = "ACCESS_ALL_TEAM_LEADS"
    text = "teamView: needs the permission to see all of the team's leads."


class Forbidden(ApiError):
    """The system log of a lead that is not theirs."""

    status = 403
    code = 900004
    name = "FORBIDDEN"
    text = "Only the lead's owner, its agents and administrators may read this."


class CommunicationDenied(PermissionDenied):
    """A communication that is unknown, of another kind or not theirs: one answer for all three."""

    status = 400
