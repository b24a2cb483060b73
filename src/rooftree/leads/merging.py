"""Two leads made one, field by field, and parted again.

The one that goes keeps its row as it was, in the trash; what is known of it moves into the row of the one that stays.
`region` (e.g. US) completes phone numbers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, get_type_hints

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict, replace

from rooftree.leads import handover, rules, store
from rooftree.leads.edits import logged
from rooftree.leads.fields import normal_email, normal_phone
from rooftree.leads.model import Document, Lead, LeadView
from rooftree.leads.wire import lead_response
from rooftree.platform import clock
from rooftree.platform.database import Transaction
from rooftree.platform.errors import InvalidParameter

#: Where a field's value comes from.
WINNER, OTHER, BOTH, STRICTER = "winner", "other", "both", "stricter"
_EITHER: Final = (WINNER, OTHER)
_ANY: Final = (WINNER, OTHER, BOTH)
#: Not a column of the lead: who works it besides its agent, pairs of role and member id.
ROLES: Final = "roles"
_SHARED_ROLE: Final = 0

Pairs: TypeAlias = Sequence[tuple[int, int]]


class Field(Struct, frozen=True):
    """A part of a lead that is chosen as a whole."""

    name: str  #: as choices name it
    columns: tuple[str, ...]
    choices: tuple[str, ...] = _EITHER
    shown: tuple[str, ...] = ()  #: keys of the lead's answer; by default the name


def _field(name: str, *columns: str, choices: tuple[str, ...] = _EITHER, shown: tuple[str, ...] = ()) -> Field:
    return Field(name, columns, choices, shown or (name,))


FIELDS: Final[dict[str, Field]] = {
    field.name: field
    for field in (
        _field("firstName", "first_name"),
        _field("lastName", "last_name"),
        _field("birthday", "birthday_on"),
        _field("emails", "emails", choices=_ANY),
        _field("phones", "phones", "phone_statuses", choices=_ANY),
        _field("leadTypes", "lead_types", choices=_ANY),
        _field("stage", "stage_id"),
        _field("source", "source", "source_id"),
        _field(
            "assignedUser",
            "assigned_user_id",
            "assigned_at",
            "pond_id",
            shown=("assignedUserId", "assignedUser", "pondId", "pondName"),
        ),
        _field(
            "customRoles", "lender_user_id", "role_assignees", choices=_ANY, shown=("lenderUserId", "customRoleList")
        ),
        _field("ownership", "ownership_scope", "ownership_id", shown=("ownershipScope", "ownershipId")),
        _field("hiddenFlag", "is_hidden", choices=()),
        _field("cannotText", "cannot_text", choices=()),
        _field("cannotCall", "cannot_call", choices=()),
        _field("cannotEmail", "cannot_email", choices=()),
        _field("unsubscription", "is_unsubscribed", choices=()),
        _field(
            "address",
            "street_address",
            "city",
            "state",
            "zip_code",
            shown=("streetAddress", "city", "state", "zipCode"),
        ),
        _field("referredBy", "referred_by"),
        _field("facebook", "facebook"),
        _field("twitter", "twitter"),
        _field("buyingTimeFrame", "buying_time_frame"),
        _field("sellingTimeFrame", "selling_time_frame"),
        _field("preQual", "pre_qual"),
        _field("houseToSell", "house_to_sell"),
        _field("fthb", "fthb"),
        _field("withBuyerAgent", "with_buyer_agent"),
        _field("mortgage", "mortgage"),
        _field("buyHouse", "buy_house"),
        _field("withListingAgent", "with_listing_agent"),
        _field("language", "language"),
        _field("opportunity", "opportunity"),
        _field("segments", "segments", choices=_ANY),
        _field("tags", "tags", choices=_ANY),
        _field("leadInquiry", "inquiry", "inquiry_updated_at"),
        _field("leadPropertyList", "properties", choices=_ANY),
        _field("leadFamilyMemberList", "family_members", choices=_ANY),
        _field("customAttributes", "custom_attributes", choices=_ANY),
        _field("createTime", "created_at", "created_by"),
    )
}
#: No field of the answer: an agent reached out to either of them.
_CONTACTED: Final = "is_contacted"


class Plan(Struct, frozen=True):
    """What a merge would make of the lead that stays."""

    picks: dict[str, str]  #: by field: winner, other, both, stricter
    row: dict[str, Any]  #: columns
    pairs: list[tuple[int, int]]  #: who works it besides its agent


class Merged(Struct, frozen=True):
    """A merge that is done."""

    lead: Lead
    changes: bytes  #: JSON: by field, by column: old and new value


def check_choices(choices: Mapping[str, str]) -> None:
    """Refuse what is no field, or no choice of one. Raises: InvalidParameter (20012)."""
    for name, choice in choices.items():
        field = FIELDS.get(name)
        if field is None:
            raise InvalidParameter(f"choices.{name}: is no field; there are {', '.join(FIELDS)}.")
        if not field.choices:
            raise InvalidParameter(f"choices.{name}: cannot be chosen; the stricter of the two stands.")
        if choice not in field.choices:
            raise InvalidParameter(f"choices.{name}: must be one of {', '.join(field.choices)}.")


def plan(
    winner: Lead, loser: Lead, pairs: Pairs, other_pairs: Pairs, choices: Mapping[str, str], *, region: str
) -> Plan:
    """Return what a merge would make of two leads.

    What is not chosen: non-empty wins, lists come together, the newest inquiry, the earliest creation, the stricter
    consent. Raises: InvalidParameter (20012).
    """
    check_choices(choices)
    picks = {name: choices.get(name) or _default(field, winner, loser) for name, field in FIELDS.items()}
    row: dict[str, Any] = {_CONTACTED: winner.is_contacted or loser.is_contacted}
    for name, pick in picks.items():
        row |= _picked(FIELDS[name], pick, winner, loser, region)
    role_pairs = {WINNER: list(pairs), OTHER: list(other_pairs), BOTH: _joined_pairs(pairs, other_pairs)}
    return Plan(picks, row, role_pairs[picks["customRoles"]])


def _default(field: Field, winner: Lead, loser: Lead) -> str:
    if not field.choices:
        return STRICTER
    if BOTH in field.choices:
        return BOTH
    if field.name == "leadInquiry":
        ours, theirs = winner.inquiry_updated_at, loser.inquiry_updated_at
        return OTHER if theirs and (ours is None or theirs > ours) else WINNER
    if field.name == "createTime":
        return OTHER if loser.created_at < winner.created_at else WINNER
    return OTHER if _is_empty(field, winner) and not _is_empty(field, loser) else WINNER


def _is_empty(field: Field, lead: Lead) -> bool:
    return all(getattr(lead, column) in (None, "", -1) for column in field.columns)


def _picked(field: Field, pick: str, winner: Lead, loser: Lead, region: str) -> dict[str, Any]:
    """Return the columns of a field."""
    if pick == WINNER:
        return {column: getattr(winner, column) for column in field.columns}
    if pick == OTHER:
        return {column: _owned(column, getattr(loser, column), loser, winner) for column in field.columns}
    if pick == STRICTER:
        return {column: getattr(winner, column) or getattr(loser, column) for column in field.columns}
    return _JOINED[field.name](winner, loser, region)


#: Documents that name the lead they are of, and the key that does.
_OWNER_KEYS: Final = {"tags": "leadId", "properties": "leadUserId", "inquiry": "leadUserId"}


def _owned(column: str, value: Any, old: Lead, new: Lead) -> Any:
    """Return a column's value with the new lead's id where its documents name the old one."""
    key = _OWNER_KEYS.get(column)
    if key is None or value is None:
        return value
    content = msgspec.json.decode(value)
    for document in content if isinstance(content, list) else [content]:
        if document.get(key) == old.id:
            document[key] = new.id
    return msgspec.json.encode(content)


def _emails(winner: Lead, loser: Lead, _: str) -> dict[str, Any]:
    return {"emails": _distinct([*winner.emails, *loser.emails], normal_email)}


def _phones(winner: Lead, loser: Lead, region: str) -> dict[str, Any]:
    given = [
        *zip(winner.phones, winner.phone_statuses, strict=False),
        *zip(loser.phones, loser.phone_statuses, strict=False),
    ]
    kept = _distinct(given, lambda pair: normal_phone(pair[0], region) or pair[0])
    return {"phones": [phone for phone, _ in kept], "phone_statuses": [status for _, status in kept]}


def _lead_types(winner: Lead, loser: Lead, _: str) -> dict[str, Any]:
    found = _distinct([*winner.lead_types, *loser.lead_types], lambda kind: kind)
    return {"lead_types": [kind for kind in found if kind != -1] or found}


def _segments(winner: Lead, loser: Lead, _: str) -> dict[str, Any]:
    return {"segments": _distinct([*winner.segments, *loser.segments], lambda name: name)}


def _people(winner: Lead, loser: Lead, _: str) -> dict[str, Any]:
    roles = _documents("role_assignees", lambda role: role["roleId"], winner, loser)
    return {"lender_user_id": winner.lender_user_id or loser.lender_user_id, **roles}


def _joined_pairs(pairs: Pairs, other_pairs: Pairs) -> list[tuple[int, int]]:
    """Shared agents come together; every other role is one person's, the winner's if there is one."""
    taken = {role_id for role_id, _ in pairs if role_id != _SHARED_ROLE}
    return list(dict.fromkeys([*pairs, *(pair for pair in other_pairs if pair[0] not in taken)]))


def _attributes(winner: Lead, loser: Lead, _: str) -> dict[str, Any]:
    """Return the custom attributes of both; where both have a name, the winner's unless it is empty."""
    values: dict[str, Any] = {one["attributeName"]: one for one in msgspec.json.decode(winner.custom_attributes)}
    for one in msgspec.json.decode(loser.custom_attributes):
        if values.get(one["attributeName"], {}).get("value") in (None, ""):
            values[one["attributeName"]] = one
    return {"custom_attributes": msgspec.json.encode(list(values.values()))}


def _words(document: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    return tuple(str(document.get(key) or "").strip().lower() for key in keys)


def _documents(column: str, key: Callable[[dict[str, Any]], Any], winner: Lead, loser: Lead) -> dict[str, Any]:
    """Return a column that holds documents: the winner's, and those of the other that are not the same thing."""
    theirs = _owned(column, getattr(loser, column), loser, winner)
    both = [*msgspec.json.decode(getattr(winner, column)), *msgspec.json.decode(theirs)]
    return {column: msgspec.json.encode(_distinct(both, key))}


_JOINED: Final[dict[str, Callable[[Lead, Lead, str], dict[str, Any]]]] = {
    "emails": _emails,
    "phones": _phones,
    "leadTypes": _lead_types,
    "segments": _segments,
    "customRoles": _people,
    "customAttributes": _attributes,
    "tags": lambda winner, loser, _: _documents("tags", lambda tag: tag["tagName"], winner, loser),
    "leadPropertyList": lambda winner, loser, _: _documents(
        "properties", lambda home: _words(home, "streetAddress", "city", "state", "zipCode"), winner, loser
    ),
    "leadFamilyMemberList": lambda winner, loser, _: _documents(
        "family_members", lambda one: _words(one, "firstName", "lastName", "relationship"), winner, loser
    ),
}


def _distinct(values: Iterable[Any], key: Callable[[Any], Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in values:
        found.setdefault(key(value), value)
    return list(found.values())


def shown(planned: Plan, winner: LeadView, loser: LeadView) -> list[dict[str, Any]]:
    """Return a plan field by field: what each has, in the shape of the lead's answer, and what would come of it."""
    merged = LeadView(
        replace(winner.lead, **planned.row),
        (loser if planned.picks["stage"] == OTHER else winner).stage,
        (loser if planned.picks["assignedUser"] == OTHER else winner).assigned_user,
        (loser if planned.picks["assignedUser"] == OTHER else winner).pond,
        winner.custom_roles,
        winner.last_touch_at,
        winner.last_visit_at,
        winner.score,
    )
    ours, theirs, result = (
        msgspec.json.decode(msgspec.json.encode(lead_response(view))) for view in (winner, loser, merged)
    )
    return [
        {
            "field": field.name,
            "winner": _value(field, ours),
            "other": _value(field, theirs),
            "result": _value(field, result),
            "choice": planned.picks[field.name],
            "choices": list(field.choices),
        }
        for field in FIELDS.values()
    ]


def _value(field: Field, answer: Mapping[str, Any]) -> Any:
    values = {key: answer[key] for key in field.shown}
    return values if len(values) > 1 else values[field.shown[0]]


async def role_pairs(tx: Transaction, lead: Lead) -> list[tuple[int, int]]:
    """Return who works a locked lead besides its agent: pairs of role and member id."""
    return await store.roles_of(tx, lead)


async def absorb(
    tx: Transaction, member_id: int, winner: Lead, loser: Lead, planned: Plan, pairs: Pairs, *, region: str
) -> Merged:
    """Make the winner what was planned, and put the other into the trash, pointing to it. Both are locked.

    Writes: lead and what finds it, lead_role, routing_offer. What happened is for the caller to record.
    """
    now = clock.now()
    changes = rules.changed(asdict(winner), planned.row)
    changed = _changes_by_field(winner, changes, pairs, planned.pairs)
    await handover.settle(tx, winner, changes)
    changes["updated_at"] = now
    new = replace(winner, **changes)
    await store.update_lead(tx, winner, new, changes, region)
    if sorted(pairs) != sorted(planned.pairs):
        await store.replace_roles(tx, new, planned.pairs)
    gone = {
        "trashed_at": now,
        "trashed_by": member_id,
        "trash_reason": f"Merged into lead {winner.id}.",
        "merged_into": winner.id,
        "updated_at": now,
    }
    await store.update_lead(tx, loser, replace(loser, **gone), gone, region)
    return Merged(new, msgspec.json.encode(changed))


def _changes_by_field(winner: Lead, changes: Mapping[str, Any], before: Pairs, after: Pairs) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for name, columns in [*((field.name, field.columns) for field in FIELDS.values()), (_CONTACTED, (_CONTACTED,))]:
        values = {
            column: [logged(getattr(winner, column)), logged(changes[column])]
            for column in columns
            if column in changes
        }
        if values:
            found[name] = values
    if sorted(before) != sorted(after):
        found.setdefault("customRoles", {})[ROLES] = [sorted(before), sorted(after)]
    return found


class Parted(Struct, frozen=True):
    """A merge that was undone."""

    lead: Lead  #: who stayed
    other: Lead  #: who came back
    kept: list[str]  #: fields that somebody changed since: they keep the newer value


_HINTS: Final = get_type_hints(Lead)


async def part(
    tx: Transaction,
    winner: Lead,
    loser: Lead,
    changed: Mapping[str, Mapping[str, Raw]],
    *,
    is_contacted: bool,
    region: str,
) -> Parted:
    """Give the winner back what it had in the fields that nobody changed since, and take the other out of the trash.

    `is_contacted`: whether the winner's own history says so by now. Both are locked.
    Writes: lead and what finds it, lead_role.
    """
    now = clock.now()
    pairs = await store.roles_of(tx, winner)
    row: dict[str, Any] = {}
    kept: list[str] = []
    for name, columns in changed.items():
        values = {column: _decoded(column, both) for column, both in columns.items()}
        present = {column: sorted(pairs) if column == ROLES else getattr(winner, column) for column in values}
        if all(_is_same(present[column], after) for column, (_, after) in values.items()):
            row |= {column: before for column, (before, _) in values.items()}
        elif name != _CONTACTED:
            kept.append(name)
    roles = row.pop(ROLES, None)
    if _CONTACTED in row:
        row[_CONTACTED] = row[_CONTACTED] or is_contacted
    changes = rules.changed(asdict(winner), row) | {"updated_at": now}
    await handover.settle(tx, winner, changes)
    new = replace(winner, **changes)
    await store.update_lead(tx, winner, new, changes, region)
    if roles is not None:
        await store.replace_roles(tx, new, roles)
    back = {"trashed_at": None, "trashed_by": None, "trash_reason": None, "merged_into": None, "updated_at": now}
    other = replace(loser, **back)
    await store.update_lead(tx, loser, other, back, region)
    return Parted(new, other, kept)


def _decoded(column: str, both: Raw) -> tuple[Any, Any]:
    before, after = msgspec.json.decode(both, type=list[Raw])
    return _typed(column, before), _typed(column, after)


def _typed(column: str, value: Raw) -> Any:
    if column == ROLES:
        return msgspec.json.decode(value, type=list[tuple[int, int]])
    hint = _HINTS[column]
    if hint in (Document, Document | None):
        return None if bytes(value) == b"null" else bytes(value)
    return msgspec.json.decode(value, type=hint)


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, bytes) and isinstance(other, bytes):
        return msgspec.json.decode(one) == msgspec.json.decode(other)
    return one == other
