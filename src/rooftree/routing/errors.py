"""What a request about routing can be refused with. contract: errors.md 3, 900030 to 900039"""

from rooftree.platform.errors import ApiError, PermissionDenied


class RoutingDenied(PermissionDenied):
    """Neither MANAGE_LEAD_DISTRIBUTION nor its kind for one's own offices."""

    status = 400
    text = "Needs the permission MANAGE_LEAD_DISTRIBUTION, or ..._DEPARTMENT within one's own offices."


class BusinessTypeError(ApiError):
    """A path that names no kind of lead."""

    code = 900030
    name = "BUSINESS_TYPE_ERROR"
    text = "type: must be 1 (agents), 2 (lenders) or 4 (assistants)."


class StrategyTypeError(ApiError):
    """A strategy that there is not."""

    code = 900031
    name = "STRATEGY_TYPE_ERROR"
    text = "strategyType: must be from 1 (round robin) to 5 (default assignee)."


class StrategyTypeNotMatch(ApiError):
    """A strategy that this kind of rule cannot have."""

    code = 900032
    name = "STRATEGY_TYPE_NOT_MATCH"
    text = "strategyType: is not for this kind of rule."


class InvalidRuleId(ApiError):
    """A rule that is missing or not the team's. Names of the contract keep its spelling."""

    code = 900033
    name = "INVAID_ID"
    text = "id: no such routing rule."


class InvalidRoleId(ApiError):
    """Rules for assistants without the role that they fill."""

    code = 900034
    name = "INVAID_ROLE_ID"
    text = "roleId: must name a role of the team (GET /v1.0/routing/role/list)."


class InvalidGroupId(ApiError):
    """A pond that is missing, closed or not the team's."""

    code = 900035
    name = "INVAID_GROUP_ID"
    text = "groupId: must name an open pond of the team (GET /v1.0/team-features/lead-ponds)."


class InvalidActiveDay(ApiError):
    """Days outside the week."""

    code = 900036
    name = "INVAID_ACTIVE_DAY"
    text = "activeDays: must be from 1 (Monday) to 7 (Sunday), at least one."


class InvalidActiveHours(ApiError):
    """Hours outside the day."""

    code = 900037
    name = "INVAID_ACTIVE_HOURS"
    text = "hoursStart, hoursEnd: must be from 0 to 23."


class InvalidMemberWeight(ApiError):
    """A line with somebody who cannot stand in it, or with weights that no line can have."""

    code = 900038
    name = "INVAID_MEMBER_WEIGHT"
    text = "memberWeights: must name members of the team, each once."


class InvalidTouchMinutes(ApiError):
    """A time to touch a lead that is not on the scale."""

    code = 900039
    name = "INVAID_TOUCHMINUTES"
    text = "touchMinutes: must be from 1 to 60, or a multiple of 60 up to 1440."
