"""What a request about people can be refused with."""

from rooftree.platform.errors import ApiError, PermissionDenied


class UserNotExist(ApiError):
    """A member who is unknown, of another team, or has not accepted their invitation."""

    status = 404
    code = 20003
    name = "USER_NOT_EXIST"
    text = "User does not exist."


class LimitParamOversize(ApiError):
    """A page of members larger than the maximum."""

    code = 900011
    name = "LIMIT_PARAM_OVERSIZE"
    text = "limit: at most 1000 members are given at once."


class OrganisationDenied(PermissionDenied):
    """The operations on offices, the company, ponds and vendors refuse with 400."""

    status = 400


class VendorHasNoPermission(ApiError):
    """The list of permission profiles, asked for by somebody who gives none to anybody."""

    code = 900001
    name = "VENDOR_HAS_NO_PERMISSION"
    text = "Needs the permission MANAGE_TEAM_AGENT or MANAGE_PERMISSION_PROFILE."


class AgentAlreadyDeactivated(ApiError):
    """Deactivating somebody who was deactivated before."""

    status = 200
    code = 990105
    name = "AGENT_ALREADY_DEACTIVATED"
    text = "This agent was deactivated before."


class AgentIsOwner(ApiError):
    """Deactivating the owner of the team or of an office."""

    status = 200
    code = 990106
    name = "AGENT_IS_OWNER"
    text = "An owner of the team or of an office cannot be deactivated; give them another role first."


class AgentIsOneself(ApiError):
    """Deactivating one's own account."""

    status = 200
    code = 990107
    name = "AGENT_IS_ONESELF"
    text = "Nobody can deactivate their own account."


class AgentAlreadyActive(ApiError):
    """Reactivating somebody who has access."""

    status = 200
    code = 990112
    name = "AGENT_ALREADY_ACTIVE"
    text = "This agent is active."


class AgentNotOnboarded(ApiError):
    """Deactivating somebody who has not accepted their invitation."""

    status = 200
    code = 990113
    name = "AGENT_NOT_ONBOARDED"
    text = "This agent has not accepted the invitation."


class AgentNotAuthorised(ApiError):
    """Deactivating or reactivating without MANAGE_TEAM_AGENT, outside the own offices, or somebody who stands above."""

    status = 200
    code = 1900012
    name = "AGENT_NOT_AUTHORISED"
    text = "Not authorised to manage this agent."
