"""From query parameters to a LeadFilter, and from a LeadFilter to SQL conditions.

contract: behaviour.md, GET /v1.0/leads; vocab.md, sort keys
"""

from typing import Final

from msgspec import Struct

from rooftree.leads.fields import normal_email, normal_phone
from rooftree.leads.search import KeyQuery
from rooftree.platform.database import Arguments
from rooftree.platform.errors import InvalidParameter, LimitNotValid
from rooftree.platform.http.reading import Int64, Query

DEFAULT_LIMIT: Final = 25
MAX_LIMIT: Final = 100


class RoleFilter(Struct, rename="camel", frozen=True):
    """One entry of `roleAssigneeFilters`."""

    role_name: str
    assignee_to_ids: list[Int64] = []


class LeadFilter(Struct, frozen=True, omit_defaults=True):
    """Which leads are asked for; AND between the fields, "any of" within a list."""

    stages: list[str] = []
    sources: list[str] = []
    assigned_user_ids: list[int] = []
    email: str = ""
    phone: str = ""  #: E.164, or digits
    key: str = ""
    is_precise: bool = False
    any_tags: list[str] = []
    all_tags: list[str] = []
    segments: list[str] = []
    languages: list[str] = []
    is_contacted: bool | None = None
    office_ids: list[int] = []
    has_sub_offices: bool = False
    roles: list[RoleFilter] = []


class SortKey(Struct, frozen=True):
    """What a sort word means: a column, and whether leads may have no value in it."""

    column: str
    is_time: bool = True
    is_nullable: bool = True


_BY_CREATION: Final = SortKey("l.created_at", is_nullable=False)
_BY_ID: Final = SortKey("l.id", is_time=False, is_nullable=False)
SORT_KEYS: Final[dict[str, SortKey]] = {
    "default": _BY_CREATION,
    "createtime": _BY_CREATION,
    "assigntime": SortKey("l.assigned_at"),
    "inquries": SortKey("l.inquiry_updated_at"),
    "inquiries": SortKey("l.inquiry_updated_at"),
    "lender": SortKey("l.lender_user_id", is_time=False),
    "lastcontact": SortKey("s.last_contact_at"),
    "lastcall": SortKey("s.last_call_at"),
    "lastemail": SortKey("s.last_email_at"),
    "lastactivity": SortKey("s.last_activity_at"),
    "score": SortKey("s.score", is_time=False),
    "scorev2": SortKey("s.score", is_time=False),
    "activity": SortKey("s.activity_count", is_time=False),
    "communication": SortKey("s.communication_count", is_time=False),
    "activitysearch": SortKey("s.search_count", is_time=False),
    "activityviews": SortKey("s.view_count", is_time=False),
    "activityfavorites": SortKey("s.favorite_count", is_time=False),
    # What these would sort by does not exist yet, or (DeleteTime) is never listed: the id decides.
    **dict.fromkeys(
        (
            "deletetime",
            "task",
            "hasdrip",
            "hasalert",
            "dripstatus",
            "dripopenrate",
            "alertfrequency",
            "alertopenrate",
            "smartplanstatus",
        ),
        _BY_ID,
    ),
}


class Order(Struct, frozen=True):
    """By what, and in which direction."""

    word: str = "default"
    is_descending: bool = True

    @property
    def key(self) -> SortKey:
        """What the word means."""
        return SORT_KEYS[self.word]


class Page(Struct, frozen=True):
    """Which part of the list."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    scroll_id: str = ""


def parse_filter(query: Query, region: str) -> LeadFilter:
    """Read the filters. `region` (e.g. US) completes phone numbers. Raises: InvalidParameter (20012)."""
    phone = query.text("phone")
    return LeadFilter(
        stages=[name.lower() for name in query.words("stage")],
        sources=query.words("source"),
        assigned_user_ids=query.integers("assignedUserId"),
        email=normal_email(query.text("email")),
        phone=normal_phone(phone, region) if phone else "",
        key=query.text("key"),
        is_precise=bool(query.boolean("preciseSearchFlag")),
        any_tags=_distinct(query.words("anyTags")),
        all_tags=_distinct(query.words("allTags")),
        segments=_distinct(query.words("segments") + query.words("groups")),
        languages=query.words("languages"),
        is_contacted=query.boolean("contacted"),
        office_ids=query.integers("groupIds"),
        has_sub_offices=bool(query.boolean("querySubGroup")),
        roles=query.json("roleAssigneeFilters", list[RoleFilter]) or [],
    )


def parse_order(query: Query) -> Order:
    """Read `sort` and `desc`. Newest first by creation when neither is given. Raises: InvalidParameter (20012)."""
    word = query.text("sort").lower() or "default"
    if word not in SORT_KEYS:
        raise InvalidParameter(f"sort: must be one of {', '.join(sorted(SORT_KEYS))} (any case).")
    is_descending = query.boolean("desc")
    if is_descending is None:
        is_descending = not query.text("sort") or word == "default"
    return Order(word, is_descending)


def parse_page(query: Query) -> Page:
    """Read `limit` (1-100), `offset` and `scrollId`. Raises: LimitNotValid (20042), InvalidParameter (20012)."""
    limit, offset = query.integer("limit", DEFAULT_LIMIT), query.integer("offset", 0)
    if limit is None or not 1 <= limit <= MAX_LIMIT:
        raise LimitNotValid
    if offset is None or offset < 0:
        raise InvalidParameter("offset: must not be negative.")
    return Page(limit, offset, query.text("scrollId"))


def conditions(wanted: LeadFilter, args: Arguments) -> list[str]:
    """Return the conditions on lead `l` of team $1, adding their arguments."""
    found = [*_own_columns(wanted, args), *_contacts(wanted, args), *_labels(wanted, args)]
    if key := KeyQuery.parse(wanted.key, is_precise=wanted.is_precise):
        found.append(f"l.id IN ({key.lead_ids(args)})")
    found += [_role(role, args) for role in wanted.roles]
    return found


def _own_columns(wanted: LeadFilter, args: Arguments) -> list[str]:
    found: list[str] = []
    if wanted.stages:
        found.append(stage_condition(wanted.stages, "l.stage_id", args))
    if wanted.sources:
        found.append(among("l.source", wanted.sources, args))
    if wanted.assigned_user_ids:
        found.append(among("l.assigned_user_id", wanted.assigned_user_ids, args))
    if wanted.languages:
        found.append(among("l.language", wanted.languages, args))
    if wanted.is_contacted is not None:
        found.append(f"l.is_contacted = {args.add(wanted.is_contacted)}")
    if wanted.office_ids:
        found.append(_offices(wanted, args))
    return found


def among(column: str, values: list[str] | list[int], args: Arguments) -> str:
    """Return "one of these"; a single value as an equation, which keeps an index's order."""
    if len(values) == 1:
        return f"{column} = {args.add(values[0])}"
    return f"{column} = ANY ({args.add(values)})"


def stage_condition(names: list[str], column: str, args: Arguments) -> str:
    """Return "in a stage of one of these names" (lower case)."""
    ids = "SELECT id FROM stage WHERE team_id = $1 AND lower(name) = "
    if len(names) == 1:
        return f"{column} = ({ids}{args.add(names[0])})"
    return f"{column} = ANY (ARRAY({ids}ANY ({args.add(names)})))"


def _contacts(wanted: LeadFilter, args: Arguments) -> list[str]:
    # sees all: narrows leads that visible_leads() already allows.
    return [
        "l.id IN (SELECT c.lead_id FROM lead_contact c "
        f"WHERE c.team_id = $1 AND c.kind = '{kind}' AND c.value = {args.add(value)})"
        for kind, value in (("email", wanted.email), ("phone", wanted.phone))
        if value
    ]


def _labels(wanted: LeadFilter, args: Arguments) -> list[str]:
    found = [_labelled("tag", [name], args) for name in wanted.all_tags]
    if wanted.any_tags:
        found.append(_labelled("tag", wanted.any_tags, args))
    if wanted.segments:
        found.append(_labelled("segment", wanted.segments, args))
    return found


def _labelled(kind: str, names: list[str], args: Arguments) -> str:
    return (
        "EXISTS (SELECT FROM lead_label t WHERE t.team_id = $1 AND t.lead_id = l.id "
        f"AND t.kind = '{kind}' AND {among('t.name', names, args)})"
    )


def leading_tag(wanted: LeadFilter) -> str | None:
    """Return a tag that every lead of the list carries, None when there is none.

    The newest leads of a tag are a range of an index.
    """
    if wanted.all_tags:
        return wanted.all_tags[0]
    return wanted.any_tags[0] if len(wanted.any_tags) == 1 else None


def _offices(wanted: LeadFilter, args: Arguments) -> str:
    """Leads that belong to an office, or whose agent does."""
    ids = args.add(wanted.office_ids)
    offices = f"SELECT o.id FROM office o WHERE o.team_id = $1 AND (o.id = ANY ({ids})"
    offices += f" OR o.ancestor_ids && {ids}::bigint[])" if wanted.has_sub_offices else ")"
    return (
        f"(l.ownership_scope = 'OFFICE' AND l.ownership_id IN ({offices}) OR l.assigned_user_id IN "
        f"(SELECT m.id FROM member m WHERE m.team_id = $1 AND m.office_id IN ({offices})))"
    )


def _role(role: RoleFilter, args: Arguments) -> str:
    name, ids = role.role_name.strip().lower(), args.add(role.assignee_to_ids)
    if name == "agent":
        return f"l.assigned_user_id = ANY ({ids})"
    if name == "lender":
        return f"l.lender_user_id = ANY ({ids})"
    role_id = (
        "-1"
        if name == "assistant"
        else (f"(SELECT id FROM custom_role WHERE team_id = $1 AND lower(name) = {args.add(name)})")
    )
    return (
        "EXISTS (SELECT FROM lead_role r WHERE r.team_id = $1 AND r.lead_id = l.id "
        f"AND r.role_id = {role_id} AND r.member_id = ANY ({ids}))"
    )


def _distinct(words: list[str]) -> list[str]:
    return list(dict.fromkeys(words))
