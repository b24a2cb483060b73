"""What a request about a lead can be refused with. contract: errors.md 3."""

from typing import ClassVar

from rooftree.platform.errors import ApiError, Conflict


class LeadNotExist(ApiError):
    """Unknown, trashed, of another team, or hidden from the caller: one answer for all four."""

    status = 404
    code = 20006
    name = "LEAD_NOT_EXIST"
    text = "Lead does not exist."


class PropertyAddressEmpty(ApiError):
    """A property block without any part of an address; nothing is saved."""

    code = 200057
    name = "PROPERTY_ADDRESS_EMPTY"
    text = "property: at least one of city, state, zipCode and streetAddress must be given."


class LeadPropertyNotExist(ApiError):
    """A property id that is not one of this lead's."""

    status = 404
    code = 200108
    name = "LEAD_PROPERTY_NOT_EXIST"
    text = "Lead property does not exist."


class ParamFirstNameFill(ApiError):
    """A routing preview without a first name."""

    code = 900016
    name = "PARAM_FIRST_NAME_FILL"
    text = "firstName: is required."


class ParamEmailMustFill(ApiError):
    """A routing preview without an e-mail address."""

    code = 900017
    name = "PARAM_EMAIL_MUST_FILL"
    text = "email: is required."


class AttributeNameEmpty(ApiError):
    """A custom field without a name."""

    code = 900018
    name = "ATTRIBUTE_NAME_EMPTY"
    text = "attributeName: is required."


class AttributeTypeEmpty(ApiError):
    """A custom field without a type."""

    code = 900019
    name = "ATTRIBUTE_TYPE_EMPTY"
    text = "attributeType: is required."


class LeadTaken(Conflict):
    """A lead that somebody else claimed first."""

    text = "Somebody else claimed the lead first."


class LeadExists(Conflict):
    """A row of a batch that met a lead that is there already, and must not."""

    text = "There is such a lead already."


class BatchStillRunning(Conflict):
    """A batch of leads while another one of the team is being written."""

    text = "Another batch of the team is being written; send this one again in a moment."
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class LeadMergedAway(Conflict):
    """A lead that cannot come back from the trash alone: its history is another lead's now."""

    text = "The lead was merged into another; undo that merge to have it back."
