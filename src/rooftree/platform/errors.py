"""What every refusal is made of, and the codes that belong to no room.

A room adds its own in `<room>/errors.py`: a class with `status`, `code`, `name`, and `text` when the
message is always the same. `platform/http/errors.py` turns them into the envelope. contract: errors.md 3
"""

from typing import ClassVar


class ApiError(Exception):
    """A refusal in the contract's terms: HTTP status, business code, symbolic name, and a sentence for people."""

    status: ClassVar[int] = 400
    code: ClassVar[int]
    name: ClassVar[str]
    text: ClassVar[str] = ""
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, message: str = "") -> None:
        self.message = message or self.text
        super().__init__(self.message)


class InvalidParameter(ApiError):
    """A parameter is missing, of the wrong type, blank, or outside its list or range."""

    code = 20012
    name = "INVALID_PARAMETER"
    text = "Invalid parameter."


class ParameterTooLong(ApiError):
    """A text is longer than the field allows, and the field is not one that is silently cut."""

    code = 20043
    name = "PARAMETER_TOO_LONG"
    text = "Parameter too long."


class LimitNotValid(ApiError):
    """A page size outside its range."""

    code = 20042
    name = "LIMIT_NOT_VALID"
    text = "limit: must be from 1 to 100."


class PermissionDenied(ApiError):
    """A role or permission is missing (403; the operations that answer 400 say so)."""

    status = 403
    code = 20017
    name = "PERMISSION_DENIED"
    text = "Permission denied."


class BadCredentials(ApiError):
    """No credential, or none that is valid; which of the two is never said."""

    status = 401
    code = 900401
    name = "BAD_CREDENTIALS"
    text = "Bad credentials: send 'Authorization: Bearer <key>' with a valid key."
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class UserInTokenNotExist(ApiError):
    """A genuine credential whose user was deactivated. The sentence is the contract's."""

    code = 200058
    name = "USER_IN_TOKEN_NOT_EXIST"
    text = "User in token does not exist."


class VendorPermissionScope(ApiError):
    """The application was not granted this operation (403; a key that was not: 400). The sentence is the contract's."""

    status = 403
    code = 200100
    name = "VENDOR_PERMISSION_SCOPE"
    text = "Sorry, the vendor does not have permission for this API."


class KeyPermissionScope(VendorPermissionScope):
    """A key that was not granted this operation."""

    status = 400


class ResourceNotExist(ApiError):
    """A note, log or other thing that is unknown, deleted or not visible: one answer for all three."""

    status = 404
    code = 20007
    name = "RESOURCE_NOT_EXIST"
    text = "Resource does not exist."


class NotFound(ApiError):
    """No such path."""

    status = 404
    code = 900404
    name = "NOT_FOUND"
    text = "No such path. GET /openapi.json lists what is served."


class MethodNotAllowed(ApiError):
    """The path is known, the method is not."""

    status = 405
    code = 900405
    name = "METHOD_NOT_ALLOWED"
    text = "Method not allowed on this path."


class Conflict(ApiError):
    """Somebody else was first, or something depends on what should go. Only on our own operations."""

    status = 409
    code = 900409
    name = "CONFLICT"
    text = "This does not fit what is stored; the message says what to do first."


class RequestStillRunning(ApiError):
    """A request with the same Idempotency-Key is under way: send this one again in a moment."""

    status = 409
    code = 900410
    name = "REQUEST_STILL_RUNNING"
    text = "A request with this Idempotency-Key is still running; send it again in a moment."
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}


class IdempotencyKeyReused(ApiError):
    """The Idempotency-Key came with another request before: another method, path, query or body."""

    status = 422
    code = 900422
    name = "IDEMPOTENCY_KEY_REUSED"
    text = "This Idempotency-Key came with another request before; a new request needs a new key."


class IdempotencyKeyNotTaken(ApiError):
    """An Idempotency-Key on an operation that does without; the message says why."""

    code = 900411
    name = "IDEMPOTENCY_KEY_NOT_TAKEN"
    text = "This operation takes no Idempotency-Key: sent again as it is, it does the same. Leave the header out."


class PreconditionFailed(ApiError):
    """If-Match names other versions than the present one; the message and the header ETag name that."""

    status = 412
    code = 900412
    name = "PRECONDITION_FAILED"
    text = "If-Match does not name the present version."


class BodyTooSlow(ApiError):
    """A request body that was not there within half a minute."""

    status = 408
    code = 900408
    name = "BODY_TOO_SLOW"
    text = "The request body did not arrive in time."
    headers: ClassVar[dict[str, str]] = {"Connection": "close"}


class BodyTooLarge(ApiError):
    """A request body above the limit of the setting ROOFTREE_BODY_LIMIT_BYTES."""

    status = 413
    code = 900413
    name = "BODY_TOO_LARGE"
    text = "Request body too large."


class TooManyRequests(ApiError):
    """Too many requests of one key, or refused credentials from one address. The sentence is the contract's."""

    status = 429
    code = 900429
    name = "TOO_MANY_REQUESTS"
    text = "Too Many Requests"


class FeatureNotConfigured(ApiError):
    """Something asked for needs a setting that is empty; the message names it."""

    code = 900041
    name = "FEATURE_NOT_CONFIGURED"
    text = "This feature is not configured on this server."


class InternalError(ApiError):
    """Anything unforeseen."""

    status = 500
    code = 20005
    name = "INTERNAL_ERROR"
    text = "Internal server error."


class NotYetServed(ApiError):
    """An operation of the contract that this version does not serve: said plainly, never feigned."""

    status = 501
    code = 900501
    name = "NOT_YET_SERVED"
    text = "This operation is part of the contract but not served by this version of Rooftree."


class Unavailable(ApiError):
    """The database is away, or the server is stopping."""

    status = 503
    code = 900503
    name = "UNAVAILABLE"
    text = "The server is not able to answer right now; try again shortly."
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}
