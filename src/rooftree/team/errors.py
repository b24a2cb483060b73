"""What a request about people can be refused with."""

from rooftree.platform.errors import ApiError


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
