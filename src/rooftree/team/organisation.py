"""What members do with the company and its tree of offices."""

from collections.abc import Mapping
from typing import Final

import msgspec

from rooftree.platform.actor import MANAGE_ORGANIZATION, Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter, ResourceNotExist
from rooftree.team import queries, rules, store
from rooftree.team.errors import OrganisationDenied
from rooftree.team.model import Office
from rooftree.team.texts import email_of, needed_text, text_of
from rooftree.team.wire import CompanyRequest, OfficeRequest

_COLUMNS: Final = {"id", "parentId", "name", "allowManageSub"}
#: The address of a picture may be long.
_ADDRESS_LENGTH: Final = 2000


def managed_offices(actor: Actor, offices: Mapping[int, Office]) -> list[Office]:
    """Return the offices that somebody manages, those above before those below. contract: GET /v1.0/org

    All of them; or one's own and those below it, unless those manage themselves; or none.
    """
    found = [office for office in offices.values() if _manages(actor, offices, office.id)]
    return sorted(found, key=lambda office: (rules.tier(office), office.id))


async def add_office(tx: Transaction, actor: Actor, request: OfficeRequest) -> Office:
    """Add an office below another, or below the company. `id` is ignored.

    Contract: PUT /v1.0/org/office. Writes: office.
    Raises: InvalidParameter (20012), ParameterTooLong (20043), OrganisationDenied (20017).
    """
    name = needed_text("name", request.name)
    details = _record(request)
    _check_may_somewhere(actor)
    await store.lock_team(tx)
    offices, parent_id = await queries.offices(tx), request.parent_id or None
    _check_manages(actor, offices, parent_id, is_below=True)
    _check_tree(offices, parent_id)
    office = await store.insert_office(
        tx, name, parent_id, msgspec.json.encode(details), allow_manage_sub=request.allow_manage_sub is not False
    )
    if office is None:
        raise InvalidParameter("parentId: there is no such office.")
    return office


async def edit_office(tx: Transaction, actor: Actor, request: OfficeRequest) -> Office:
    """Change an office, or put it elsewhere with all that lies below it; what is absent stays.

    Contract: POST /v1.0/org/office. Writes: office.
    Raises: InvalidParameter (20012), ParameterTooLong (20043), OrganisationDenied (20017), ResourceNotExist (20007).
    """
    if request.id is None:
        raise InvalidParameter("id: is required.")
    name = None if request.name is None else needed_text("name", request.name)
    details = _record(request)
    _check_may_somewhere(actor)
    await store.lock_team(tx)
    offices = await queries.offices(tx)
    _check_manages(actor, offices, request.id)
    office = offices.get(request.id)
    if office is None:
        raise ResourceNotExist("There is no such office.")
    if request.parent_id is not None and (request.parent_id or None) != office.parent_id:
        await _move(tx, actor, offices, office, request.parent_id or None)
    if request.allow_manage_sub not in {None, office.allow_manage_sub}:
        _check_manages(actor, offices, office.parent_id, is_below=True)  # else an office would set its own limits
    await store.update_office(
        tx,
        office.id,
        name or office.name,
        _merged(office.details, details),
        allow_manage_sub=office.allow_manage_sub if request.allow_manage_sub is None else request.allow_manage_sub,
    )
    return office


async def edit_company(tx: Transaction, actor: Actor, request: CompanyRequest) -> None:
    """Change the company's name and record; what is absent stays.

    Contract: POST /v1.0/org/company. Writes: team.
    Raises: InvalidParameter (20012), ParameterTooLong (20043), OrganisationDenied (20017).
    """
    name = None if request.name is None else needed_text("name", request.name)
    details = _record(request)
    if not actor.may(MANAGE_ORGANIZATION):
        raise OrganisationDenied("Needs the permission MANAGE_ORGANIZATION.")
    await store.lock_team(tx)
    team = await queries.find_team(tx)
    await store.update_team(tx, name or team.name, _merged(team.details, details))


async def _move(
    tx: Transaction, actor: Actor, offices: Mapping[int, Office], office: Office, parent_id: int | None
) -> None:
    _check_manages(actor, offices, office.parent_id, is_below=True)
    _check_manages(actor, offices, parent_id, is_below=True)
    _check_tree(offices, parent_id, office)
    parent = offices[parent_id] if parent_id is not None else None
    await store.move_office(tx, office.id, parent_id, [parent.id, *parent.ancestor_ids] if parent else [])


def _manages(actor: Actor, offices: Mapping[int, Office], office_id: int | None, *, is_below: bool = False) -> bool:
    """Whether somebody manages an office (None: the company), or those directly below it."""
    if actor.may(MANAGE_ORGANIZATION) or not actor.may(MANAGE_ORGANIZATION, office_id):
        return actor.may(MANAGE_ORGANIZATION)
    own = offices.get(actor.office_id or 0)
    is_own = office_id == actor.office_id and not is_below
    return is_own or own is None or own.allow_manage_sub


def _check_may_somewhere(actor: Actor) -> None:
    if not actor.may_somewhere(MANAGE_ORGANIZATION):
        raise OrganisationDenied("Needs the permission MANAGE_ORGANIZATION.")


def _check_manages(
    actor: Actor, offices: Mapping[int, Office], office_id: int | None, *, is_below: bool = False
) -> None:
    if not _manages(actor, offices, office_id, is_below=is_below):
        raise OrganisationDenied("This is no office that you manage.")


def _check_tree(offices: Mapping[int, Office], parent_id: int | None, moved: Office | None = None) -> None:
    if reason := rules.why_not_below(offices, parent_id, moved):
        raise InvalidParameter(f"parentId: {reason}.")


def _record(request: OfficeRequest | CompanyRequest) -> dict[str, str]:
    """Return phone, address and so on as they are kept; what is absent is left out."""
    given = {key: value for key, value in msgspec.to_builtins(request).items() if key not in _COLUMNS}
    lengths = {"header": _ADDRESS_LENGTH}
    texts = {
        key: email_of(key, value) if key == "email" else text_of(key, value, lengths.get(key, rules.TEXT_LENGTH))
        for key, value in given.items()
        if value is not None
    }
    return {key: text for key, text in texts.items() if text is not None}


def _merged(old: bytes, new: Mapping[str, str]) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(old), **new})
