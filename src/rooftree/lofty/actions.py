"""One page each, complete: what it brought, which thing is which, and the place to go on from.

Everything goes through the rooms that own it, silently: no routing, no messages, no webhooks.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from rooftree.calls.actions import put_calls
from rooftree.leads import actions as leads
from rooftree.leads import bulk
from rooftree.leads import queries as lead_queries
from rooftree.leads.errors import AttributeNameEmpty
from rooftree.leads.wire import CustomAttribute
from rooftree.lofty import queries, store
from rooftree.lofty.histories import (
    LONG_AGO,
    Found,
    call_row,
    change_entry,
    channel_of,
    digest_of,
    is_logged,
    people_named,
    talk_entry,
    transaction_row,
    visit_entry,
    visit_ids,
)
from rooftree.lofty.leads import (
    field_of,
    fields_of,
    is_touched_since,
    lead_row,
    lost_roles,
    people_of,
    roles_on,
    stage_of,
    tags_of,
)
from rooftree.lofty.model import Pull, Thing
from rooftree.lofty.wire import Document, SourceCall, SourceLead, SourceMember, SourceNote, SourcePond
from rooftree.lofty.world import World, instant, text
from rooftree.notes import actions as notes
from rooftree.notes.model import Note
from rooftree.platform.database import Transaction
from rooftree.platform.errors import ApiError
from rooftree.platform.ids import next_ids
from rooftree.team import actions as team
from rooftree.team import queries as team_queries
from rooftree.team.actions import TeamError
from rooftree.team.model import Member
from rooftree.timeline import actions as timeline
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry
from rooftree.transactions.actions import put_transactions
from rooftree.transactions.model import LeadTransaction

#: Longer notes are cut here, as everywhere.
_NOTE_LENGTH: Final = notes.CONTENT_LENGTH


class _Placed(Struct):
    """A thing of the source with its id here."""

    own_id: int
    is_new: bool
    is_changed: bool


async def begin(
    tx: Transaction, account: str, base_url: str, wanted: Sequence[str], since: datetime | None, until: datetime
) -> tuple[Pull, bool]:
    """Return the run to go on with, and whether it had begun: the last one, if it did not end and wants the same.

    Raises: ValueError when the team has already taken another account.
    """
    last = await queries.last_pull(tx)
    if last and last.account != account:
        raise ValueError(last.account)
    if last and last.ended_at is None and (last.wanted, last.since) == (list(wanted), since):
        return last, True
    return await store.insert_pull(tx, account, base_url, wanted, since, until), False


async def end(tx: Transaction, pull: Pull) -> None:
    """End a run: list the conversations that the search named and no lead's timeline had."""
    reasons = {
        True: "the search names it, the timeline of its lead does not",
        False: "its lead is not in the list of leads (in the trash there, perhaps)",
    }
    lost = [("talk", source_id, reasons[is_known]) for source_id, is_known in await queries.lost_talk(tx)]
    await store.put_refusals(tx, lost)
    await store.end_pull(tx, pull.id)


# --- The account: people, offices, ponds, words ---


async def open_world(tx: Transaction, runner_id: int, assign_to: int | None) -> World:
    """Return what is known of the account from earlier runs and pages."""
    world = World(tx.team_id, runner_id, assign_to=assign_to)
    strangers = await _known(tx, "stranger")
    world.people = strangers | await _known(tx, "member")
    world.strangers = set(strangers.values())
    world.logins = {member.id: member.email for member in (await team_queries.everybody(tx)).values()}
    world.offices, world.ponds = await _known(tx, "office"), await _known(tx, "pond")
    world.roles = {role.name.lower(): (role.id, role.name) for role in await team_queries.custom_roles(tx)}
    world.fields = {field.name.lower() for field in await lead_queries.custom_fields(tx, tx.team_id)}
    return world


async def _known(tx: Transaction, kind: str) -> dict[int, int]:
    return {int(source_id): own_id for source_id, own_id in (await queries.all_things(tx, kind)).items()}


async def take_offices(tx: Transaction, pull: Pull, world: World, offices: Sequence[Document]) -> None:
    """Take offices, those above first; one of the same name below the same office is the same one."""
    here = {(office.parent_id, office.name.lower()): office.id for office in (await team_queries.offices(tx)).values()}
    wanted, things = list(offices), list[Thing]()
    ids = {office["groupId"] for office in wanted}
    while ready := [one for one in wanted if one.get("parentId") not in ids or one["parentId"] in world.offices]:
        for one in ready:
            parent, name = world.offices.get(one.get("parentId") or 0), text(one.get("groupName")) or "Office"
            own_id = world.offices.get(one["groupId"]) or here.get((parent, name.lower()))
            own_id = own_id or (await team.add_office(tx, name, parent)).id
            world.offices[one["groupId"]] = here[parent, name.lower()] = own_id
            things.append(_thing(pull, "office", str(one["groupId"]), own_id))
        wanted = [one for one in wanted if one["groupId"] not in world.offices]
    await store.put_things(tx, things)
    await store.put_step(tx, pull.id, "office", total=len(offices), is_done=True)


async def take_members(tx: Transaction, pull: Pull, world: World, members: Sequence[SourceMember]) -> None:
    """Take members. Who has the login of somebody here is that person, and left as they are."""
    things, refused = list[Thing](), list[tuple[str, str, str]]()
    for one in members:
        own_id = world.people.get(one.user_id)
        if own_id is None or own_id in world.strangers:
            member, problem = await _member(tx, one, world)
            own_id = member.id
            world.logins[own_id] = member.email
            if problem:
                refused.append(("member", str(one.user_id), problem))
        world.people[one.user_id] = own_id
        things.append(_thing(pull, "member", str(one.user_id), own_id))
    await store.put_things(tx, things)
    await store.put_refusals(tx, refused)
    await store.put_step(tx, pull.id, "member", total=len(members), is_done=True)


_ROLES: Final = {0: "agent", 1: "assistant", 2: "lender", 3: "admin", 4: "admin"}
_ROLE_NAMES: Final = {
    "company admin": "admin",
    "company owner": "admin",
    "office owner": "office_owner",
    "office admin": "office_admin",
    "assistant": "assistant",
    "lender": "lender",
}
_STATUSES: Final = {0: "invited", 1: "active", 2: "deactivated"}


async def _member(tx: Transaction, one: SourceMember, world: World) -> tuple[Member, str | None]:
    """Return the member that somebody of the source is here, and what is not as it was. A second owner is an admin."""
    if one.email and (known := await team_queries.member_by_email(tx, one.email)):
        return known, None
    office_id = world.offices.get(one.group_id or 0)
    role = _ROLE_NAMES.get((one.role_name or "").lower(), _ROLES.get(one.role or 0, "agent"))
    if role.startswith("office_") and office_id is None:
        role = "agent"
    status = (one.account_status or "").lower()
    facts: dict[str, Any] = {
        "first_name": text(one.first_name) or (one.email or "Somebody").partition("@")[0],
        "last_name": text(one.last_name) or "",
        "role": role,
        "office_id": office_id,
        "phone_number": text(one.phone_number),
        "time_zone": one.time_zone_id or None,
    }
    status = (
        status if status in _STATUSES.values() else _STATUSES.get(1 if one.status is None else one.status, "active")
    )
    for member_id in (one.user_id, None):
        try:
            return await team.add_member(tx, email=one.email or "", member_id=member_id, status=status, **facts), None
        except TeamError as error:
            problem = str(error)
    return await _nobody(tx, one.user_id, facts), f"{problem} They are here as an inactive member."


async def _nobody(tx: Transaction, user_id: int, facts: Mapping[str, Any]) -> Member:
    """Return an inactive member for somebody who cannot be, or is no longer, a member: history keeps its people."""
    login = f"lofty-{user_id}-{tx.team_id}@moved.invalid"
    known = await team_queries.member_by_email(tx, login)
    return known or await team.add_member(tx, email=login, status="deactivated", **facts)


async def take_strangers(tx: Transaction, pull: Pull, world: World, people: Mapping[int, str | None]) -> None:
    """Make inactive members of people whom leads and histories name, and the list of members does not."""
    things: list[Thing] = []
    for user_id, name in sorted(people.items()):
        if user_id in world.people:
            continue
        first, _, last = (name or f"Former member {user_id}").strip().partition(" ")
        member = await _nobody(tx, user_id, {"first_name": first, "last_name": last})
        world.people[user_id] = member.id
        world.logins[member.id] = member.email
        world.strangers.add(member.id)
        things.append(_thing(pull, "stranger", str(user_id), member.id))
    await store.put_things(tx, things)


async def take_ponds(tx: Transaction, pull: Pull, world: World, ponds: Sequence[SourcePond]) -> None:
    """Take ponds; one of the same name is the same one."""
    things: list[Thing] = []
    for one in ponds:
        if one.id not in world.ponds:
            agents = [own for agent in one.agent_ids or () if (own := world.person(agent))]
            pond = await team.put_pond(tx, one.pond_name, world.person(one.pond_owner_id) or world.runner_id, agents)
            world.ponds[one.id] = pond.id
        things.append(_thing(pull, "pond", str(one.id), world.ponds[one.id]))
    await store.put_things(tx, things)
    await store.put_step(tx, pull.id, "pond", total=len(ponds), is_done=True)


async def take_stages(tx: Transaction, pull: Pull, world: World, stages: Sequence[Document]) -> None:
    """Take the pipeline of leads, in its order; a stage of the same name is the same one."""
    named = {one["id"]: str(one["name"]).strip() for one in stages if text(one.get("name"))}
    world.stage_names |= named
    world.stages |= await bulk.ensure_stages(tx, list(named.values()))
    things = [_thing(pull, "stage", str(key), world.stages[name.lower()]) for key, name in named.items()]
    await store.put_things(tx, things)
    await store.put_step(tx, pull.id, "stage", total=len(stages), is_done=True)


async def take_tags(tx: Transaction, pull: Pull, world: World, tags: Sequence[Document]) -> None:
    """Take tags, one of each name: definitions, and not each use of them."""
    named = {str(one["tagName"]): one.get("tagId") for one in tags if text(one.get("tagName"))}
    await _ensure_tags(tx, world, list(named))
    things = [_thing(pull, "tag", str(key or name), world.tags[name].id) for name, key in named.items()]
    await store.put_things(tx, things)
    await store.put_step(tx, pull.id, "tag", total=len(things), is_done=True)


async def _ensure_tags(tx: Transaction, world: World, names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in world.tags]:
        _, tags = await leads.ensure_words(tx, [], missing, world.runner_id)
        world.tags |= {tag.name: tag for tag in tags}


async def take_fields(tx: Transaction, pull: Pull, world: World, fields: Sequence[Document]) -> None:
    """Take custom fields; one of the same name is the same one."""
    refused: list[tuple[str, str, str]] = []
    named = {str(one["attributeName"]).strip(): field_of(one) for one in fields if text(one.get("attributeName"))}
    await _ensure_fields(tx, world, list(named.values()), refused)
    here = {field.name.lower(): field.id for field in await lead_queries.custom_fields(tx, tx.team_id)}
    things = [_thing(pull, "field", name, here[name.lower()]) for name in named if name.lower() in here]
    await store.put_things(tx, things)
    await store.put_refusals(tx, refused)
    await store.put_step(tx, pull.id, "field", total=len(named), is_done=True)


async def _ensure_fields(
    tx: Transaction, world: World, fields: Sequence[CustomAttribute], refused: list[tuple[str, str, str]]
) -> None:
    for one in fields:
        name = (one.attribute_name or "").lower()
        if name in world.fields:
            continue
        try:
            await leads.add_custom_field(tx, one)
        except (ApiError, AttributeNameEmpty) as error:
            refused.append(("field", one.attribute_name or "", str(error)))
        world.fields.add(name)


def _thing(pull: Pull, kind: str, source_id: str, own_id: int, digest: bytes = b"") -> Thing:
    return Thing(pull.team_id, kind, source_id, own_id, digest, pull.id)


# --- Leads ---


async def take_leads(
    tx: Transaction,
    pull: Pull,
    world: World,
    found: Sequence[SourceLead],
    *,
    refused: Sequence[tuple[str, str, str]],
    scroll_id: str | None,
    total: int | None,
    region: str,
) -> None:
    """Take a page of leads: new ones, and those that changed since the last run."""
    wanted = {one.lead_id: one for one in found if pull.since is None or is_touched_since(one, pull.since)}
    lost = [*refused]
    await _ensure_words(tx, world, list(wanted.values()), lost)
    for one in wanted.values():
        await take_strangers(tx, pull, world, people_of(one))
        lost += [("role", f"{one.lead_id}: {role}", "no role of this name here") for role in lost_roles(one, world)]
    # The digest is that of the row: a lead whose people have become known since then is another one, too.
    digests = {str(key): digest_of(lead_row(one, 0, world), roles_on(one, world)) for key, one in wanted.items()}
    placed = await _placed(tx, pull, "lead", {key: (int(key), digest) for key, digest in digests.items()})
    new: list[tuple[SourceLead, int]] = []
    for key, one in wanted.items():
        place = placed[str(key)]
        if place.is_new:
            new.append((one, place.own_id))
        elif place.is_changed:
            row = lead_row(one, place.own_id, world)
            await bulk.rewrite_lead(tx, row, region=region)
            await bulk.put_roles(tx, row, roles_on(one, world))
    await _load(tx, pull, world, new, region)
    await store.put_refusals(tx, lost)
    await store.put_step(tx, pull.id, "leads", place=scroll_id or "", total=total, is_done=not scroll_id)


async def _ensure_words(
    tx: Transaction, world: World, found: Sequence[SourceLead], refused: list[tuple[str, str, str]]
) -> None:
    """Make sure that the team has the stages, sources, tags and fields that leads name."""
    stages = {stage_of(one, world) for one in found}
    world.stages |= await bulk.ensure_stages(tx, sorted(name for name in stages if name.lower() not in world.stages))
    sources = sorted({one.source for one in found if one.source} - world.sources.keys())
    numbers, _ = await leads.ensure_words(tx, sources, [], world.runner_id)
    world.sources |= numbers
    await _ensure_tags(tx, world, tags_of(found))
    await _ensure_fields(tx, world, fields_of(found), refused)


async def _load(tx: Transaction, pull: Pull, world: World, new: Sequence[tuple[SourceLead, int]], region: str) -> None:
    """Store new leads. That they came in is among their changes; if these are not wanted, it is said here."""
    rows = [lead_row(one, own_id, world) for one, own_id in new]
    await bulk.load_leads(tx, rows, [], region=region)
    for (one, _), row in zip(new, rows, strict=True):
        if people := roles_on(one, world):
            await bulk.put_roles(tx, row, people)
    if "changes" not in pull.wanted:
        there = {own_id: str(one.lead_id) for one, own_id in new}
        arrivals = [(row.id, row.first_name, row.last_name, row.source, row.created_at) for row in rows]
        await _arrive(tx, pull, {there[arrival[0]]: arrival for arrival in arrivals})


async def _arrive(tx: Transaction, pull: Pull, arrivals: Mapping[str, queries.Arrival]) -> None:
    """Write down that leads came in when they did, for the source does not. `arrivals`: by id there."""
    things: list[Thing] = []
    history: list[tuple[int | None, Entry]] = []
    fresh = await next_ids(tx, len(arrivals))
    for entry_id, (source_id, arrival) in zip(fresh, arrivals.items(), strict=True):
        lead_id, first_name, last_name, source, created_at = arrival
        details = {"name": f"{first_name} {last_name or ''}".strip(), "source": source}
        history.append((None, Entry(kinds.LEAD_CREATED, lead_id, details, created_at, id=entry_id)))
        things.append(_thing(pull, "arrival", source_id, entry_id))
    await timeline.put(tx, history)
    await store.put_things(tx, things)


async def _placed(
    tx: Transaction, pull: Pull, kind: str, wanted: Mapping[str, tuple[int | None, bytes]]
) -> dict[str, _Placed]:
    """Return the ids here of things of a kind, and note them. `wanted`: by id there, the id it would like, its digest.

    A thing keeps its id, unless something else here has it.
    """
    known = await queries.things(tx, kind, list(wanted))
    wishes = [wish for key, (wish, _) in wanted.items() if key not in known and wish and wish > 0]
    taken = await queries.taken_ids(tx, queries.TABLES[kind], wishes)
    found: dict[str, _Placed] = {}
    homeless: list[str] = []
    for key, (wish, digest) in wanted.items():
        if one := known.get(key):
            found[key] = _Placed(one.own_id, is_new=False, is_changed=one.digest != digest)
        elif wish and wish > 0 and wish not in taken:
            taken.add(wish)
            found[key] = _Placed(wish, is_new=True, is_changed=True)
        else:
            homeless.append(key)
    for key, own_id in zip(homeless, await next_ids(tx, len(homeless)), strict=True):
        found[key] = _Placed(own_id, is_new=True, is_changed=True)
    await store.put_things(
        tx, [_thing(pull, kind, key, found[key].own_id, digest) for key, (_, digest) in wanted.items()]
    )
    return found


# --- Conversations by window ---


async def note_talk(
    tx: Transaction, pull: Pull, named: Sequence[tuple[str, str]], *, place: str, total: int, is_done: bool
) -> None:
    """Note a page of the source's search: pairs of lead and conversation, by their ids there."""
    await store.put_talk(tx, named)
    await store.put_step(tx, pull.id, "windows", place=place, total=total, is_done=is_done)


# --- Histories ---


async def take_histories(
    tx: Transaction, pull: Pull, world: World, found: Sequence[Found], *, place: str, region: str
) -> None:
    """Take what happened to some leads: new things, and those that changed since the last run."""
    await take_strangers(tx, pull, world, people_named(found))
    await _take_talk(tx, pull, world, found, region)
    await _take_notes(tx, pull, world, found)
    await _take_visits(tx, pull, found)
    await _take_changes(tx, pull, world, found)
    await _take_transactions(tx, pull, world, found)
    await store.put_refusals(tx, [refusal for one in found for refusal in one.refusals])
    await store.put_step(tx, pull.id, "histories", place=place)


async def _put(
    tx: Transaction, pull: Pull, kind: str, entries: Sequence[tuple[str, int | None, int | None, Entry]]
) -> dict[str, Entry]:
    """Write the entries of a kind that are new or changed; return them by id there.

    `entries`: id there, the id it would like, who did it, and what.
    """
    digests = {key: (wish, digest_of(by, entry)) for key, wish, by, entry in entries}
    placed = await _placed(tx, pull, kind, digests)
    written = {
        key: (by, replace(entry, id=placed[key].own_id)) for key, _, by, entry in entries if placed[key].is_changed
    }
    if written:
        await timeline.put(tx, list(written.values()))
    return {key: entry for key, (_, entry) in written.items()}


async def _take_talk(tx: Transaction, pull: Pull, world: World, found: Sequence[Found], region: str) -> None:
    entries: list[tuple[str, int | None, int | None, Entry]] = []
    calls: dict[str, tuple[SourceCall, int | None]] = {}
    for one in found:
        for talk in one.talk:
            if channel := channel_of(talk):
                by = world.person(talk.agent_id)
                entries.append((str(talk.id), talk.id, by, talk_entry(talk, one, channel)))
                if channel == "call" and not is_logged(talk) and talk.id in one.calls:
                    calls[str(talk.id)] = one.calls[talk.id], by
            else:
                one.refusals.append(("talk", str(talk.id), f"{talk.channel or talk.type} is no call, text or e-mail"))
    written = await _put(tx, pull, "talk", entries)
    dialled = [(*calls[key], entry) for key, entry in written.items() if key in calls]
    if dialled:
        await put_calls(tx, [call_row(call, entry, world, by) for call, by, entry in dialled])
    contacted = {
        entry.lead_id
        for entry in written.values()
        if entry.direction == "outbound" and kinds.KINDS[entry.kind].origin != "auto"
    }
    await bulk.mark_all_contacted(tx, list(contacted), region=region)


async def _take_notes(tx: Transaction, pull: Pull, world: World, found: Sequence[Found]) -> None:
    there = {str(note.note_id): (one, note) for one in found for note in one.notes}
    people = {
        key: (world.person(note.creator_id), world.person(note.last_editor_id)) for key, (_, note) in there.items()
    }
    digests = {key: (note.note_id, digest_of(note, people[key])) for key, (_, note) in there.items()}
    placed = await _placed(tx, pull, "note", digests)
    changed = {key: there[key] for key in there if placed[key].is_changed}
    shown = await _placed(
        tx, pull, "note entry", {key: (note.id, digests[key][1]) for key, (_, note) in changed.items()}
    )
    rows = [
        _note(note, one.lead_id, placed[key].own_id, shown[key].own_id, world) for key, (one, note) in changed.items()
    ]
    if rows:
        await timeline.put(tx, await notes.put_notes(tx, rows))


def _note(note: SourceNote, lead_id: int, note_id: int, timeline_id: int, world: World) -> Note:
    created_at = instant(note.create_time) or instant(note.last_update) or LONG_AGO
    creator = world.person(note.creator_id)
    return Note(
        team_id=world.team_id,
        id=note_id,
        timeline_id=timeline_id,
        lead_id=lead_id,
        creator_id=creator,
        last_editor_id=world.person(note.last_editor_id) or creator,
        content=(text(note.content) or "")[:_NOTE_LENGTH],
        is_pinned=bool(note.is_pin),
        is_system=bool(note.system_note),
        created_at=created_at,
        updated_at=instant(note.last_update) or created_at,
        deleted_at=None,
        deleted_by=None,
    )


async def _take_visits(tx: Transaction, pull: Pull, found: Sequence[Found]) -> None:
    entries: list[tuple[str, int | None, int | None, Entry]] = []
    for one in found:
        visits = one.visits[::-1]  # the oldest first, so that those of one moment keep their order
        for key, visit in zip(visit_ids(visits, one.source_id), visits, strict=True):
            try:
                entry = visit_entry(visit, one.lead_id)
            except OverflowError:
                entry = None
            if entry:
                entries.append((key, None, None, entry))
            else:
                one.refusals.append(("visit", key, f"type {visit.type} or time {visit.created} is unknown"))
    await _put(tx, pull, "visit", entries)


async def _take_changes(tx: Transaction, pull: Pull, world: World, found: Sequence[Found]) -> None:
    entries: list[tuple[str, int | None, int | None, Entry]] = []
    written = await queries.things(tx, "arrival", [one.source_id for one in found])
    unsaid: dict[str, int] = {one.source_id: one.lead_id for one in found if one.source_id not in written}
    for one in found:
        for change in one.changes:
            by, entry = world.person(change.agent_id), change_entry(change, one.lead_id, world)
            if entry is None:
                what = change.timeline_type_desc or change.timeline_type
                one.refusals.append(("change", str(change.id), f"{what} is unknown here"))
            elif entry.kind == kinds.LEAD_CREATED and one.source_id in written:
                await timeline.put(tx, [(by, replace(entry, id=written[one.source_id].own_id))])
            else:
                wish = int(change.id) if str(change.id).isdecimal() else None
                entries.append((str(change.id), wish, by, entry))
                if entry.kind == kinds.LEAD_CREATED:
                    unsaid.pop(one.source_id, None)
    await _put(tx, pull, "change", entries)
    if unsaid and "changes" in pull.wanted:
        arrivals = await queries.arrivals(tx, list(unsaid.values()))
        await _arrive(tx, pull, {key: arrivals[own_id] for key, own_id in unsaid.items() if own_id in arrivals})


async def _take_transactions(tx: Transaction, pull: Pull, world: World, found: Sequence[Found]) -> None:
    there = {str(deal.transaction_id): (one, deal) for one in found for deal in one.transactions}
    placed = await _placed(
        tx, pull, "transaction", {key: (deal.transaction_id, digest_of(deal)) for key, (_, deal) in there.items()}
    )
    changed: list[LeadTransaction] = []
    for key, (one, deal) in there.items():
        if placed[key].is_changed:
            try:
                changed.append(transaction_row(deal, placed[key].own_id, one.lead_id, world))
            except OverflowError:
                one.refusals.append(("transaction", key, "has a date that is none"))
    if changed:
        await put_transactions(tx, changed)
