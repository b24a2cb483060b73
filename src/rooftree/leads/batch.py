"""Many leads in one request: each row is created, or changes the lead that it matches.

Rows are taken in order, some hundred at a time: what they name is looked up in one statement, what they store is
written in a few. A row ends its part when it could meet a lead that the same part has touched; so every row finds the
leads as the rows before it left them.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, field
from msgspec.structs import asdict, replace

from rooftree.leads import drafts, edits, fields, handover, queries, rules, store
from rooftree.leads.actions import FIRST_STAGES, audience, create_lead
from rooftree.leads.drafts import Draft
from rooftree.leads.errors import BatchStillRunning, LeadExists, LeadNotExist
from rooftree.leads.handles import contact_points
from rooftree.leads.model import Lead
from rooftree.leads.store import Change, Words, WordsOfMany
from rooftree.leads.wire import BatchLead, BatchResult, EditLeadRequest
from rooftree.notes import actions as notes
from rooftree.platform import clock
from rooftree.platform.actor import Actor
from rooftree.platform.database import Transaction
from rooftree.platform.errors import ApiError, InvalidParameter
from rooftree.platform.http.reading import check_size, decode
from rooftree.routing import actions as routing
from rooftree.team import queries as team
from rooftree.team.model import Member
from rooftree.timeline import kinds
from rooftree.timeline.actions import Audience, Entry, record_all

ROW_LIMIT: Final = 10_000
BODY_LIMIT_BYTES: Final = 33_554_432
MATCH_ON: Final[dict[str, tuple[str, ...]]] = {
    "email": ("email",),
    "phone": ("phone",),
    "emailOrPhone": ("email", "phone"),
    "id": (),
    "none": (),
}
ON_CONFLICT: Final = ("update", "skip", "error", "create")
#: Rows that are looked up and stored together: enough to make statements cheap, few enough for others to get a word in.
_PART: Final = 200

_Contact = tuple[str, str]


class Plan(Struct, frozen=True):
    """How the rows of a batch meet the leads that are there."""

    match_on: str = "emailOrPhone"
    on_conflict: str = "update"
    is_dry_run: bool = False


class _Row(Struct):
    """A row that was read and is valid by itself."""

    number: int
    request: BatchLead
    draft: Draft
    ownership: tuple[str, int] | None  #: what the row says of it
    lead_id: int | None  #: the lead it names
    contacts: list[_Contact]
    keys: list[_Contact]  #: contacts by which it finds its lead

    @property
    def member_ids(self) -> list[int]:
        """The members it names."""
        return [] if self.draft.assigned_user_id is None else [self.draft.assigned_user_id]

    @property
    def source(self) -> str:
        """The source it names; "": none."""
        return self.draft.columns.get("source") or ""

    @property
    def stands_alone(self) -> bool:
        """Whether its arrival does more than a part can do for many at once."""
        request = self.request
        return isinstance(request.lead_transaction, dict) or bool(request.welcome_email or request.lead_alert)


class _Arrival(Struct):
    """A row that becomes a lead."""

    row: _Row
    words: Words
    lead: Lead  #: its words and people are not yet known
    group_id: int | None
    routed: routing.Routed | None = None


class _Edit(Struct):
    """A row that changes a lead."""

    row: _Row
    words: Words
    old: Lead
    request: EditLeadRequest
    tags: list[str]
    columns: dict[str, Any]
    now: datetime


class _Part(Struct):
    """Rows that are stored together."""

    vocabulary: WordsOfMany
    matches: dict[_Contact, int]
    locked: dict[int, Lead]
    arrivals: list[_Arrival] = field(default_factory=list)
    edits: list[_Edit] = field(default_factory=list)
    touched: set[_Contact | int] = field(default_factory=set)  #: contacts and ids that later rows must find changed


class _Undone(Exception):
    """A dry run has come to its end."""


async def upsert_leads(
    tx: Transaction, actor: Actor, body: bytes, plan: Plan, *, region: str, row_bytes: int
) -> list[BatchResult]:
    """Create a lead for each line of the body, or change the one it matches; return what became of each, in order.

    A row is what POST /v1.0/leads takes, and does the same; on a lead that is there it does what PUT does. A row that
    is refused leaves nothing, and hinders no other. Ours: POST /rooftree/v1/leads/batch.
    Raises: InvalidParameter (20012) on a line that is not JSON and on too many, BatchStillRunning (409).
    """
    lines = list(_lines(body))
    if not await store.begin_batch(tx):
        raise BatchStillRunning
    batch = _Batch(tx, actor, plan, region, row_bytes, await routing.Assigner.begin(tx))
    with suppress(_Undone):
        async with tx.savepoint():
            await batch.run(lines)
            if plan.is_dry_run:
                raise _Undone
    results = [batch.results[number] for number, _ in lines]
    if plan.is_dry_run:
        return [replace(one, lead_id=None) if one.status == "created" else one for one in results]
    return results


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the lines that are not blank."""
    if body.count(b"\n") > ROW_LIMIT:
        raise InvalidParameter(f"Request body: at most {ROW_LIMIT} rows are accepted, one a line.")
    for number, line in enumerate(body.split(b"\n"), 1):
        if line := line.strip():
            if number > ROW_LIMIT:
                raise InvalidParameter(f"Request body: at most {ROW_LIMIT} rows are accepted, one a line.")
            yield number, line


class _Batch:
    """A batch while it is being stored."""

    def __init__(
        self, tx: Transaction, actor: Actor, plan: Plan, region: str, row_bytes: int, assigner: routing.Assigner
    ) -> None:
        self._tx, self._actor, self._plan, self._region, self._row_bytes = tx, actor, plan, region, row_bytes
        self._assigner = assigner
        self._part_size = 1 if assigner.has_limits else _PART
        self._people: tuple[dict[int, str], dict[int, Member]] | None = None
        self.results: dict[int, BatchResult] = {}

    async def run(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """Store all rows."""
        waiting = self._rows(lines)
        row = next(waiting, None)
        while row:
            rows, row = self._together(row, waiting)
            while rows:
                rows = await self._store(rows)
        await self._assigner.write_back()

    def _rows(self, lines: Sequence[tuple[int, bytes]]) -> Iterator[_Row]:
        for number, line in lines:
            try:
                yield self._read(number, line)
            except ApiError as error:
                self._refuse(number, error)

    def _together(self, row: _Row, waiting: Iterator[_Row]) -> tuple[list[_Row], _Row | None]:
        """Return a row with those after it that can be stored with it, and the one after them."""
        rows, keys = [row], {*row.keys, row.lead_id}
        for other in waiting:
            is_met = not keys.isdisjoint(other.keys) or (other.lead_id is not None and other.lead_id in keys)
            if is_met or other.stands_alone or rows[0].stands_alone or len(rows) == self._part_size:
                return rows, other
            rows.append(other)
            keys.update((*other.keys, other.lead_id))
        return rows, None

    def _refuse(self, number: int, error: ApiError, lead_id: int | None = None) -> None:
        if error.status >= 500 or isinstance(error, _NotJson):
            raise error
        self.results[number] = BatchResult(number, "error", lead_id, error.code, error.message)

    def _read(self, number: int, line: bytes) -> _Row:
        """Return what a line says. Raises: any refusal of a lead; for the whole batch, when it is not JSON."""
        check_size(len(line), self._row_bytes)
        try:
            request = decode(line, BatchLead)
        except InvalidParameter as error:
            raise _told_of_row(number, line, error) from None
        draft = drafts.draft_of(request, self._actor.team_id, self._actor.member_id)
        columns, is_new = draft.columns, self._plan.on_conflict == "create"
        contacts = contact_points(columns.get("emails", ()), columns.get("phones", ()), self._region)
        matched = () if is_new else MATCH_ON[self._plan.match_on]
        return _Row(
            number=number,
            request=request,
            draft=draft,
            ownership=fields.ownership(request, self._actor.team_id),
            lead_id=fields.id_of("id", request.id) if self._plan.match_on == "id" and not is_new else None,
            contacts=contacts,
            keys=[contact for contact in contacts if contact[0] in matched],
        )

    async def _store(self, rows: Sequence[_Row]) -> Sequence[_Row]:
        """Store rows; return those that must wait until the others are stored."""
        part = await self._look_up(rows)
        left: Sequence[_Row] = ()
        for place, row in enumerate(rows):
            target = self._target(part, row)
            if target in part.touched or not part.touched.isdisjoint(row.keys):
                left = rows[place:]
                break
            try:
                await self._decide(part, row, target)
            except ApiError as error:
                self._refuse(row.number, error, target if isinstance(error, LeadExists) else None)
        await self._ensure_words(part)
        told = [*await self._store_arrivals(part), *await self._store_edits(part)]
        told.sort(key=lambda one: one[0])
        await record_all(self._tx, self._actor, [group for _, group in told])
        return left

    async def _look_up(self, rows: Sequence[_Row]) -> _Part:
        ownerships = [row.ownership for row in rows if row.ownership]
        attributes = (drafts.attributes(row.request) for row in rows)
        contacts = dict.fromkeys(contact for row in rows for contact in row.contacts)
        vocabulary = await store.look_up_many(
            self._tx,
            stages={row.draft.stage for row in rows if row.draft.stage},
            sources={row.source for row in rows if row.source},
            tags={tag for row in rows for tag in row.draft.tags},
            fields={one.attribute_name.strip() for several in attributes for one in several if one.attribute_name},
            member_ids={
                self._actor.member_id,
                *(member_id for row in rows for member_id in row.member_ids),
                *(owner_id for scope, owner_id in ownerships if scope == "PERSONAL"),
            },
            office_ids={owner_id for scope, owner_id in ownerships if scope == "OFFICE"},
            contacts=contacts,
            id_count=3 * len(rows),  # each may be a lead with an inquiry and a property
        )
        keys = dict.fromkeys(key for row in rows for key in row.keys)
        matches = await queries.managed_matches(self._tx, self._actor, keys) if keys else {}
        part = _Part(vocabulary, matches, {})
        targets = {target for row in rows if (target := self._target(part, row))}
        if targets and (self._plan.on_conflict == "update" or self._plan.match_on == "id"):
            part.locked = await queries.managed_leads(self._tx, self._actor, targets)
        return part

    @staticmethod
    def _target(part: _Part, row: _Row) -> int | None:
        """Return the lead that a row means: the one it names, else the first that has its first known contact."""
        return row.lead_id or next((part.matches[key] for key in row.keys if key in part.matches), None)

    async def _decide(self, part: _Part, row: _Row, target: int | None) -> None:
        """Say what becomes of a row. Raises: any refusal of a lead, LeadExists."""
        words = _words_for(part.vocabulary, row)
        if row.lead_id is not None and row.lead_id not in part.locked:
            raise LeadNotExist
        if target is not None and self._plan.on_conflict == "error":
            raise LeadExists(f"Lead {target} is there already.")
        if target is not None and self._plan.on_conflict == "skip":
            self.results[row.number] = BatchResult(row.number, "skipped", target)
        elif target is not None and target in part.locked:
            edits.check_people(words, row.member_ids, row.ownership)
            self._edit(part, row, words, part.locked[target])
        elif row.request.first_name is UNSET or row.request.first_name is None:
            raise InvalidParameter("firstName: is required.")
        elif row.stands_alone:
            await self._create_alone(row)
        else:
            edits.check_people(words, row.member_ids, row.draft.ownership)
            self._arrive(part, row, words)

    def _edit(self, part: _Part, row: _Row, words: Words, old: Lead) -> None:
        now = clock.now()
        request = EditLeadRequest(**{name: getattr(row.request, name) for name in _EDITED})
        columns = dict(row.draft.columns)
        edits.put_into_row(columns, old, row.ownership, row.draft.assigned_user_id, now)
        columns |= drafts.documents(request, columns, words.fields, [old.id, *words.ids[1:]], now, old)
        tags = edits.tags_after(old, request)
        part.edits.append(_Edit(row, words, old, request, tags, columns, now))
        part.touched.update((old.id, *row.contacts, *contact_points(old.emails, old.phones, self._region)))

    def _arrive(self, part: _Part, row: _Row, words: Words) -> None:
        actor, now = self._actor, clock.now()
        lead = drafts.new_lead(
            row.draft, _NO_WORDS, words.fields, words.ids, team_id=actor.team_id, member_id=actor.member_id, now=now
        )
        group_id = fields.id_of("assignGroupId", row.request.assign_group_id)
        if lead.assigned_user_id is None:
            self._assigner.check_group(group_id)
        part.arrivals.append(_Arrival(row, words, lead, group_id))
        part.touched.update(row.contacts)
        for contact in row.contacts:
            known = part.vocabulary.duplicates.setdefault(contact, [])
            if len(known) < _NAMED_DUPLICATES:
                known.append(words.ids[0])

    async def _create_alone(self, row: _Row) -> None:
        """Create a lead as if it came by itself. Raises: any refusal of a lead, and then nothing of it is left."""
        await self._assigner.write_back()
        async with self._tx.savepoint():
            lead = await create_lead(self._tx, self._actor, row.request, region=self._region)
        self.results[row.number] = BatchResult(row.number, "created", lead.id)

    async def _ensure_words(self, part: _Part) -> None:
        """Add to the team the words that it does not have yet, and complete those of each row."""
        known = part.vocabulary
        rows = [*(one.row for one in part.arrivals), *(one.row for one in part.edits)]
        tags = {tag for one in part.arrivals for tag in one.row.draft.tags} | {
            tag for one in part.edits for tag in one.tags
        }
        if missing := sorted(tags - known.tags.keys()):
            added = await store.ensure_tags(self._tx, missing, self._actor.member_id)
            known.tags |= {tag.name: tag for tag in added}
        sources = dict.fromkeys(row.source for row in rows if row.source)
        if missing := [name for name in sources if name not in known.sources]:
            known.sources |= await store.ensure_sources(self._tx, missing)
        for name in dict.fromkeys(row.draft.stage for row in rows):
            if name and name not in known.stages:
                known.stages[name] = await store.ensure_stage(self._tx, name)
        if rows and known.first_stage_id is None:
            known.first_stage_id = await store.ensure_stage(self._tx, FIRST_STAGES[0])
        for arrival in part.arrivals:
            arrival.words = _completed(known, arrival.words, arrival.row, arrival.row.draft.tags)
        for edit in part.edits:
            edit.words = _completed(known, edit.words, edit.row, edit.tags)

    async def _store_arrivals(self, part: _Part) -> list[tuple[int, tuple[list[Entry], Audience]]]:
        if not part.arrivals:
            return []
        leads: list[Lead] = []
        roles: list[tuple[int, int, int]] = []
        for one in part.arrivals:
            lead, pairs = await self._given_to_people(one)
            leads.append(lead)
            roles += [(lead.id, *pair) for pair in pairs]
        await store.insert_leads(self._tx, leads, self._region)
        if roles:
            await store.insert_roles(self._tx, roles)
        for one, lead in zip(part.arrivals, leads, strict=True):
            if one.routed:
                await handover.put_on_offer(self._tx, lead, one.routed.agent)
        written = await self._store_notes(part.arrivals)
        told: list[tuple[int, tuple[list[Entry], Audience]]] = []
        for one, lead in zip(part.arrivals, leads, strict=True):
            details = edits.creation_details(lead, one.words)
            created = Entry(kinds.LEAD_CREATED, lead.id, details, happened_at=lead.created_at)
            entries = [created, *edits.first_assignments(lead, one.routed), *written.get(lead.id, ())]
            told.append((one.row.number, (entries, audience(lead))))
            self.results[one.row.number] = BatchResult(one.row.number, "created", lead.id)
        return told

    async def _given_to_people(self, one: _Arrival) -> tuple[Lead, list[tuple[int, int]]]:
        """Return a lead with its people: those whom the rules choose, unless its agent was named."""
        draft = one.row.draft
        lead = replace(one.lead, **edits.word_columns(draft.columns, one.words, one.lead.id, draft.tags))
        if lead.assigned_user_id is not None:
            return lead, []
        one.routed = await self._assigner.assign(handover.question_about(lead, self._actor.member_id, one.group_id))
        if one.routed.others and self._people is None:
            roles = {role.id: role.name for role in await team.custom_roles(self._tx)}
            self._people = roles, await team.everybody(self._tx)
        return handover.with_people(lead, one.routed, *(self._people or ({}, {})))

    async def _store_notes(self, arrivals: Sequence[_Arrival]) -> dict[int, list[Entry]]:
        given = [
            (one.lead.id, content, bool(one.row.request.is_pin))
            for one in arrivals
            if (content := one.row.request.content) and content.strip()
        ]
        return {entry.lead_id: [entry] for entry in await notes.add_notes(self._tx, self._actor, given)}

    async def _store_edits(self, part: _Part) -> list[tuple[int, tuple[list[Entry], Audience]]]:
        changes: list[tuple[_Edit, Change, dict[str, Any]]] = []
        settled: list[int] = []
        for one in part.edits:
            words = edits.changed_word_columns(one.request, one.columns, one.words, one.old, one.tags)
            changed = rules.changed(asdict(one.old), one.columns | words)
            if not edits.is_meaningful(changed):
                self.results[one.row.number] = BatchResult(one.row.number, "skipped", one.old.id)
                continue
            if handover.leaves_offer(one.old, changed):
                settled.append(one.old.id)
            changed["updated_at"] = one.now
            changes.append((one, Change(one.old, replace(one.old, **changed), changed.keys()), changed))
            self.results[one.row.number] = BatchResult(one.row.number, "updated", one.old.id)
        if settled:
            await routing.end_offers(self._tx, settled, "ended")
        if changes:
            await store.update_leads(self._tx, [change for _, change, _ in changes], self._region)
        return await self._told_of_edits(changes)

    async def _told_of_edits(
        self, changes: Sequence[tuple[_Edit, Change, dict[str, Any]]]
    ) -> list[tuple[int, tuple[list[Entry], Audience]]]:
        moved = [change for _, change, changed in changes if "stage_id" in changed]
        stage_ids = {stage_id for change in moved for stage_id in (change.old.stage_id, change.new.stage_id)}
        names = await queries.stage_names(self._tx, list(stage_ids)) if stage_ids else {}
        told: list[tuple[int, tuple[list[Entry], Audience]]] = []
        for one, change, changed in changes:
            before, after = change.old.assigned_user_id, change.new.assigned_user_id
            heard = audience(change.new, formerly=[before] if before and before != after else [])
            told.append((one.row.number, (edits.change_entries(change.old, change.new, changed, names), heard)))
        return told


#: What stands for the team's words until they are known to be there.
_NO_WORDS: Final[dict[str, Any]] = {"stage_id": 0, "tags": b"[]"}
#: How many leads with the same contact the logbook names; as many as the look-up returns.
_NAMED_DUPLICATES: Final = 5
#: What a row may say about a lead that is there; the rest belongs to an arrival.
_EDITED: Final = tuple(
    name for name in EditLeadRequest.__struct_fields__ if name in frozenset(BatchLead.__struct_fields__)
)


def _told_of_row(number: int, line: bytes, error: InvalidParameter) -> Exception:
    """Return the refusal of a row; of the whole batch when the line is not even JSON."""
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NotJson(f"Row {number}: {error.message.removeprefix('Request body ')}")
    return InvalidParameter(error.message.replace("Request body", "Row", 1))


class _NotJson(InvalidParameter):
    """A line that nobody can read: what else was cut off or mixed up is anybody's guess, so nothing is stored."""


def _words_for(known: WordsOfMany, row: _Row) -> Words:
    """Return what is known of a row's words, with ids for what it may create."""
    duplicates: Collection[int] = {lead_id for one in row.contacts for lead_id in known.duplicates.get(one, ())}
    ids = [known.ids.pop(0) for _ in range(3)]
    return Words(ids, None, None, [], known.fields, known.members, known.offices, sorted(duplicates))


def _completed(known: WordsOfMany, words: Words, row: _Row, tags: Sequence[str]) -> Words:
    return replace(
        words,
        stage_id=known.stages[row.draft.stage] if row.draft.stage else known.first_stage_id,
        source_id=known.sources.get(row.source),
        tags=[known.tags[name] for name in tags],
    )
