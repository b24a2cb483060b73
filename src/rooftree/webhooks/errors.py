"""What a request about webhooks can be refused with. contract: errors.md 3"""

from rooftree.platform.errors import ApiError


class WebhookTypeError(ApiError):
    """A list that there is not."""

    code = 900020
    name = "WEBHOOK_TYPE_ERROR"
    text = "listId: must be from 1 to 12."


class WebhookCallbackUrlInvalid(ApiError):
    """An address that nothing is posted to: not https, malformed, or inside of a private network."""

    code = 20049
    name = "WEBHOOK_CALLBACK_URL_INVALID"
    text = "callbackUrl: must be an https URL of a public address."


class WebhookExceedLimit(ApiError):
    """As many subscriptions as a team may have."""

    code = 900022
    name = "WEBHOOK_EXCEED_LIMIT"
    text = "The team has as many subscriptions as it may have; delete some."


class WebhookDeleteNotExist(ApiError):
    """No such subscription."""

    code = 900023
    name = "WEBHOOK_DELETE_NOT_EXIST"
    text = "No such webhook subscription."


class WebhookDeleteNoAuthority(ApiError):
    """A subscription of another team."""

    code = 900024
    name = "WEBHOOK_DELETE_NO_AUTHORITY"
    text = "This webhook subscription belongs to another team."
