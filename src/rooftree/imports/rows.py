"""From a row of a file to the draft of a lead, by the rules of POST /v1.0/leads. Touches no database."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from rooftree.imports import cells
from rooftree.imports.cells import RowError
from rooftree.imports.columns import TARGETS
from rooftree.imports.files import FileRow
from rooftree.imports.plan import CUSTOM, IGNORE, Plan
from rooftree.leads.drafts import Draft, draft_of
from rooftree.leads.handles import Handles, handles_of
from rooftree.leads.wire import LeadRequest
from rooftree.platform.errors import ApiError
from rooftree.platform.http.reading import decode

Put = Callable[[dict[str, Any], Any], None]


class Told(Struct, frozen=True):
    """Who imports, and what the reading needs to know of the team."""

    team_id: int
    member_id: int
    time_zone: str
    people: dict[str, int]  #: active members by id, login and full name, in lower case


class ReadRow(Struct, frozen=True):
    """A row, read: a draft, or why it is none."""

    number: int
    values: list[Any]  #: as in the file
    error: str | None = None
    draft: Draft | None = None
    handles: Handles | None = None
    created_at: datetime | None = None
    contents: Sequence[str] = ()


class RowReader:
    """Reads the rows of one file."""

    def __init__(self, plan: Plan, told: Told) -> None:
        self._plan = plan
        self._told = told
        self._columns = [
            (place, header, put, plan.values.get(header))
            for place, (header, target) in enumerate(plan.columns)
            if (put := self._putter(target)) is not None
        ]

    def read(self, row: FileRow) -> ReadRow:
        """Return a row as a draft, or with the reason why it is none."""
        if row.error:
            return ReadRow(row.number, row.values, row.error)
        try:
            return self._read(row)
        except (RowError, ApiError) as error:
            return ReadRow(row.number, row.values, error.message if isinstance(error, ApiError) else str(error))

    def _read(self, row: FileRow) -> ReadRow:
        body = self._body(row.values)
        created_at, contents = body.pop("createTime", None), body.pop("note", ())
        _split_name(body)
        told = self._told
        request = decode(msgspec.json.encode(body), LeadRequest)
        draft = draft_of(request, told.team_id, told.member_id)
        named = draft.columns
        handles = handles_of(
            named["first_name"],
            named.get("last_name"),
            named.get("emails", ()),
            named.get("phones", ()),
            self._plan.region,
        )
        return ReadRow(row.number, row.values, None, draft, handles, created_at, contents)

    def _body(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the body that POST /v1.0/leads would have had."""
        body: dict[str, Any] = {}
        for place, header, put, others in self._columns:
            value = values[place]
            if others:
                value = others.get(cells.text(value), value)
            if cells.is_blank(value):
                continue
            try:
                put(body, value)
            except RowError as error:
                raise RowError(f"{header}: {error}") from None
        return body

    def _putter(self, target: str) -> Put | None:
        if target == IGNORE:
            return None
        if target.startswith(CUSTOM):
            return partial(_put_custom, target.removeprefix(CUSTOM).strip())
        kind, (head, _, tail) = TARGETS[target], target.partition(".")
        read = self._reader(kind)
        if kind in _JOINED and not tail:
            return partial(_put_more, target, read)
        if kind == "place":
            return partial(_put_place, tail)
        if head == "family":
            return partial(_put_relative, tail, read)
        return partial(_put_part, head, tail, read) if tail else partial(_put, target, read)

    def _reader(self, kind: str) -> cells.Reader:
        day_first = self._plan.day_first
        zone = ZoneInfo(self._told.time_zone)
        return {
            "text": cells.text,
            "place": cells.text,
            "list": cells.several,
            "labels": cells.labels,
            "note": cells.note,
            "number": cells.number,
            "decimal": cells.number,
            "yes_no": cells.yes_no,
            "flag": cells.flag,
            "types": cells.lead_types,
            "day": partial(cells.birthday, day_first=day_first),
            "moment": partial(cells.moment, day_first=day_first, zone=zone),
            "person": partial(cells.person, people=self._told.people),
            "json": cells.document,
        }[kind]


#: Kinds whose columns add up.
_JOINED: Final = {"list", "labels", "note", "types"}


def _put(name: str, read: cells.Reader, body: dict[str, Any], value: Any) -> None:
    body[name] = read(value)


def _put_more(name: str, read: cells.Reader, body: dict[str, Any], value: Any) -> None:
    body.setdefault(name, []).extend(read(value))


def _put_part(head: str, tail: str, read: cells.Reader, body: dict[str, Any], value: Any) -> None:
    body.setdefault(head, {})[tail] = read(value)


def _put_place(tail: str, body: dict[str, Any], value: Any) -> None:
    body.setdefault("inquiry", {}).setdefault("locations", [{}])[0][tail] = cells.text(value)


def _put_relative(tail: str, read: cells.Reader, body: dict[str, Any], value: Any) -> None:
    body.setdefault("leadFamilyMemberList", [{}])[0][tail] = read(value)


def _put_custom(name: str, body: dict[str, Any], value: Any) -> None:
    body.setdefault("customAttributeList", []).append({"attributeName": name, "value": cells.text(value)})


def _split_name(body: dict[str, Any]) -> None:
    """Let a full name be first and last where these are not given: `Ada Lovelace`, or `Lovelace, Ada`."""
    whole = body.pop("name", "")
    if not whole or "firstName" in body:
        return
    last, comma, first = whole.partition(",")
    if not comma or not first.strip():
        first, _, last = whole.rstrip(", ").partition(" ")
    body["firstName"] = first.strip()
    if last.strip():
        body.setdefault("lastName", last.strip())
