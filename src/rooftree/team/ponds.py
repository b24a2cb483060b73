"""What members do with ponds: leads that belong to nobody yet, for several to draw from."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from rooftree.platform.actor import MANAGE_LEAD_DISTRIBUTION, Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import Conflict, InvalidParameter, ResourceNotExist
from rooftree.team import queries, store
from rooftree.team.errors import OrganisationDenied
from rooftree.team.model import LeadPond
from rooftree.team.texts import needed_text
from rooftree.team.wire import PondRequest

MOST_AGENTS: Final = 1000


async def add_pond(tx: Transaction, actor: Actor, request: PondRequest) -> LeadPond:
    """Add a pond; without an owner it is the caller's. Writes: lead_pond.

    Raises: InvalidParameter (20012), ParameterTooLong (20043), OrganisationDenied (20017), Conflict (900409) when the
    name is taken.
    """
    name, agent_ids = needed_text("pondName", request.pond_name), _agent_ids(request.agent_ids or ())
    _check_may_somewhere(actor)
    await store.lock_team(tx)
    office_id = request.office_id or None
    await _check_office(tx, actor, office_id)
    owner_id = request.pond_owner_id or actor.member_id
    await _check_members(tx, [owner_id, *agent_ids])
    pond = await store.insert_pond(
        tx,
        name=name,
        owner_id=owner_id,
        office_id=office_id,
        agent_ids=agent_ids,
        is_enabled=request.is_enabled is not False,
    )
    return _named(pond)


async def edit_pond(tx: Transaction, actor: Actor, pond_id: int | None, request: PondRequest) -> LeadPond:
    """Change a pond; what is absent stays. One that is switched off keeps its leads, but nobody draws from it.

    Writes: lead_pond. Raises: InvalidParameter (20012), ParameterTooLong (20043), OrganisationDenied (20017),
    ResourceNotExist (20007) on one that is unknown or not of the caller's offices, Conflict (900409).
    """
    name = None if request.pond_name is None else needed_text("pondName", request.pond_name)
    agent_ids = None if request.agent_ids is None else _agent_ids(request.agent_ids)
    _check_may_somewhere(actor)
    await store.lock_team(tx)
    old = next((pond for pond in await queries.ponds(tx) if pond.id == pond_id), None)
    if old is None or not actor.may(MANAGE_LEAD_DISTRIBUTION, old.office_id):
        raise ResourceNotExist("There is no such pond.")
    new = replace(
        old,
        name=name or old.name,
        owner_id=request.pond_owner_id or old.owner_id,
        office_id=old.office_id if request.office_id is None else request.office_id or None,
        agent_ids=old.agent_ids if agent_ids is None else agent_ids,
        is_enabled=old.is_enabled if request.is_enabled is None else request.is_enabled,
    )
    if new.office_id != old.office_id:
        await _check_office(tx, actor, new.office_id)
    await _check_members(tx, list({new.owner_id, *new.agent_ids} - {old.owner_id, *old.agent_ids}))
    return _named(await _update(tx, new))


async def _update(tx: Transaction, pond: LeadPond) -> LeadPond | None:
    return await store.update_pond(
        tx,
        pond.id,
        name=pond.name,
        owner_id=pond.owner_id,
        office_id=pond.office_id,
        agent_ids=pond.agent_ids,
        is_enabled=pond.is_enabled,
    )


def _named(pond: LeadPond | None) -> LeadPond:
    if pond is None:
        raise Conflict("pondName: another pond has this name; choose another.")
    return pond


def _agent_ids(agent_ids: Sequence[int]) -> list[int]:
    found = list(dict.fromkeys(agent_ids))
    if len(found) > MOST_AGENTS:
        raise InvalidParameter(f"agentIds: at most {MOST_AGENTS} are accepted.")
    return found


def _check_may_somewhere(actor: Actor) -> None:
    if not actor.may_somewhere(MANAGE_LEAD_DISTRIBUTION):
        raise OrganisationDenied("Needs the permission MANAGE_LEAD_DISTRIBUTION.")


async def _check_office(tx: Transaction, actor: Actor, office_id: int | None) -> None:
    if not actor.may(MANAGE_LEAD_DISTRIBUTION, office_id):
        raise OrganisationDenied("officeId: names no office whose leads you distribute.")
    if office_id is not None and office_id not in await queries.offices(tx):
        raise InvalidParameter("officeId: there is no such office.")


async def _check_members(tx: Transaction, member_ids: Sequence[int]) -> None:
    if unknown := await queries.without_access(tx, member_ids):
        raise InvalidParameter(f"pondOwnerId, agentIds: {unknown[0]} is no active member of the team.")
