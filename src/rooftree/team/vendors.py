"""What members do with vendors: title companies, lenders, photographers and others the team works with."""

import msgspec

from rooftree.platform.actor import MANAGE_ORGANIZATION, Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ResourceNotExist
from rooftree.team import queries, store
from rooftree.team.errors import OrganisationDenied
from rooftree.team.model import Vendor
from rooftree.team.texts import email_of, needed_text, text_of
from rooftree.team.wire import VendorRequest


async def add_vendor(tx: Transaction, actor: Actor, request: VendorRequest) -> Vendor:
    """Add somebody the team works with. Writes: vendor.

    Raises: InvalidParameter (20012), ParameterTooLong (20043), OrganisationDenied (20017).
    """
    first_name, last_name = needed_text("firstName", request.first_name), text_of("lastName", request.last_name)
    role_name, details = text_of("roleName", request.role_name), _details(request)
    _check_may(actor)
    member_id = request.agent_user_id or None
    if member_id is not None and await queries.find_member(tx, member_id) is None:
        raise InvalidParameter("agentUserId: is no member of the team.")
    return await store.insert_vendor(
        tx, member_id=member_id, first_name=first_name, last_name=last_name, role_name=role_name, details=details
    )


async def delete_vendor(tx: Transaction, actor: Actor, vendor_id: int | None) -> None:
    """Forget a vendor. Writes: vendor. Raises: OrganisationDenied (20017), ResourceNotExist (20007)."""
    _check_may(actor)
    if vendor_id is None or not await store.delete_vendor(tx, vendor_id):
        raise ResourceNotExist("There is no such vendor.")


def _details(request: VendorRequest) -> bytes:
    """Return phone, e-mail and company as JSON in their wire form."""
    return msgspec.json.encode(
        {
            "phoneNumber": text_of("phoneNumber", request.phone_number),
            "phoneCode": text_of("phoneCode", request.phone_code) or "1",
            "phoneCountry": text_of("phoneCountry", request.phone_country),
            "email": email_of("email", request.email),
            "companyName": text_of("companyName", request.company_name),
            "companyAddress": text_of("companyAddress", request.company_address),
        }
    )


def _check_may(actor: Actor) -> None:
    if not actor.may(MANAGE_ORGANIZATION):
        raise OrganisationDenied("Needs the permission MANAGE_ORGANIZATION.")
