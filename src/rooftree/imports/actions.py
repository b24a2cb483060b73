"""What can be done with an import: begin it or go on with it, try it out, undo it. Needs the owner's rights (COPY)."""

import asyncio
import gc
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rooftree.imports import queries, store
from rooftree.imports.errors_file import ErrorsFile, Fault
from rooftree.imports.files import Found
from rooftree.imports.model import LeadImport
from rooftree.imports.plan import CUSTOM, Plan
from rooftree.imports.reader import Batch, Job, ahead, collecting_by_hand, reading
from rooftree.imports.rows import ReadRow, Told
from rooftree.leads import actions as leads
from rooftree.leads import bulk
from rooftree.leads.bulk import Difference, Missing, NewLead, Vocabulary
from rooftree.leads.model import CustomField, Lead, Tag
from rooftree.leads.queries import custom_fields, holders
from rooftree.leads.wire import CustomAttribute
from rooftree.platform import clock, ids
from rooftree.platform.actor import Actor
from rooftree.platform.database import Database, Transaction
from rooftree.platform.errors import ApiError
from rooftree.platform.outbox import be_quiet
from rooftree.team import queries as team

OnProgress = Callable[["Counts", float], None]
Contact = tuple[str, str]
#: An address has an @, a number so many digits: what else stands in such columns is nobody's.
_SHORTEST_NUMBER: Final = 7
_CHANGES_AT_ONCE: Final = 200


class ImportRefused(Exception):
    """An import that cannot be done; the message says why and what to do."""


class Counts(Struct):
    """What became of rows."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    skipped: int = 0
    failed: int = 0


async def begin(
    tx: Transaction, actor: Actor, found: Found, plan: Plan, *, file_name: str, is_again: bool = False
) -> LeadImport:
    """Return the import of this file: a new one, or the one that was stopped on the way.

    Writes: lead_import; custom_field for columns that are kept as fields the team does not have.
    Raises: ImportRefused when the file was imported before, or is halfway in with another plan.
    """
    before = await queries.newest_of_file(tx, found.content_hash)
    if before and before.state == "running":
        if msgspec.json.decode(before.plan, type=Plan) != plan:
            raise ImportRefused(
                f"Import {before.id} of this file stopped after {before.position:,} rows, with other options. Give the "
                f"same ones to go on, or take it back: rooftree import undo {before.id}"
            )
        return before
    if before and before.state == "undoing":
        raise ImportRefused(f"Import {before.id} of this file is half undone: rooftree import undo {before.id}")
    if before and before.state == "done" and not is_again:
        raise ImportRefused(f"This file was imported already: rooftree import show {before.id}. Once more: --again")
    for name in await missing_fields(tx, plan):
        await leads.add_custom_field(tx, CustomAttribute(name, "text"))
    return await store.insert_import(tx, actor.member_id, file_name, found.content_hash, msgspec.json.encode(plan))


async def missing_fields(tx: Transaction, plan: Plan) -> list[str]:
    """Return the custom fields that the plan fills and the team does not have."""
    known = {field.name.lower() for field in await custom_fields(tx, tx.team_id)}
    wanted = (target.removeprefix(CUSTOM).strip() for _, target in plan.columns if target.startswith(CUSTOM))
    return [name for name in dict.fromkeys(wanted) if name.lower() not in known]


async def told_of(tx: Transaction, actor: Actor) -> Told:
    """Return what the reading needs to know of the team."""
    people: dict[str, int] = {}
    for member in (await team.everybody(tx)).values():
        if member.status == "active":
            name = f"{member.first_name} {member.last_name}".strip().lower()
            people.setdefault(name, member.id)
            people |= {str(member.id): member.id, member.email.lower(): member.id}
    return Told(actor.team_id, actor.member_id, (await team.find_team(tx)).time_zone, people)


async def run(
    owner: Database, actor: Actor, imported: LeadImport, path: Path, errors_path: Path, on_progress: OnProgress
) -> LeadImport:
    """Load what is left of a file, batch by batch; each batch and its position are one transaction.

    Killed anywhere, the same command goes on: what is counted is on disk, and nothing else is.
    Writes: what create_leads and edit_lead write, lead_import, lead_import_batch, lead_import_change.
    Raises: ImportRefused when somebody else goes on with it.
    """
    plan = msgspec.json.decode(imported.plan, type=Plan)
    async with owner.transaction(actor.team_id) as tx:
        told = await told_of(tx, actor)
        maker = _Maker(actor, plan, await bulk.vocabulary(tx))
    loader = _Loader(actor, imported, plan)
    errors_path = Path(imported.errors_path) if imported.errors_path else errors_path
    errors = ErrorsFile(errors_path, [header for header, _ in plan.columns], imported.errors_bytes)
    job = Job(str(path), plan, told, imported.position)
    with collecting_by_hand():
        async with reading(job) as batches, aclosing(ahead(maker.all(owner, batches))) as coming:
            async for made in coming:
                async with owner.transaction(actor.team_id) as tx:
                    imported = await loader.load(tx, made, errors)
                on_progress(Counts(len(made.batch.rows)), made.batch.share)
                gc.collect()
    async with owner.transaction(actor.team_id) as tx:
        return await store.set_state(tx, imported.id, "done")


class _Made(Struct):
    """A batch whose rows are leads, as far as they can be, under ids of their own."""

    batch: Batch
    leads: list[Lead | str]  #: parallel to its rows; a text says why it is none


class _Maker:
    """Makes leads of drafts, in a thread: PostgreSQL loads the batch before meanwhile."""

    def __init__(self, actor: Actor, plan: Plan, known: Vocabulary) -> None:
        self._actor = actor
        self._plan = plan
        self._known = known

    async def all(self, owner: Database, batches: AsyncIterable[Batch]) -> AsyncGenerator[_Made]:
        """Yield the leads of every batch."""
        async for batch in batches:
            yield await self._make(owner, batch)

    async def _make(self, owner: Database, batch: Batch) -> _Made:
        """Make the leads of a batch. Words that the team lacks are added first. Writes: stage, source, tag."""
        missing = self._known.missing([row.draft for row in batch.rows if row.draft])
        async with owner.transaction(self._actor.team_id) as tx:
            await bulk.learn(tx, self._known, missing, self._actor.member_id)
            fresh = await ids.next_ids(tx, 3 * len(batch.rows))
        return _Made(batch, await asyncio.to_thread(self.leads_of, batch.rows, fresh))

    def leads_of(self, rows: Sequence[ReadRow], fresh: Sequence[int]) -> list[Lead | str]:
        """Return the rows as leads, or why they are none. `fresh`: three ids per row."""
        return [self._lead_of(row, fresh[3 * place : 3 * place + 3]) for place, row in enumerate(rows)]

    def _lead_of(self, row: ReadRow, new_ids: Sequence[int]) -> Lead | str:
        if row.draft is None:
            return row.error or ""
        draft = row.draft
        if draft.assigned_user_id is None and self._plan.assign not in {"nobody", "route"}:
            member_id = self._actor.member_id if self._plan.assign == "me" else int(self._plan.assign)
            draft = replace(draft, assigned_user_id=member_id)
        try:
            return bulk.lead_of(
                draft,
                self._known,
                new_ids,
                team_id=self._actor.team_id,
                member_id=self._actor.member_id,
                created_at=row.created_at,
            )
        except ApiError as error:
            return error.message


class _Loader:
    """Loads batches of one import."""

    def __init__(self, actor: Actor, imported: LeadImport, plan: Plan) -> None:
        self._actor = actor
        self._number = imported.id
        self._plan = plan

    async def load(self, tx: Transaction, made: _Made, errors: ErrorsFile) -> LeadImport:
        """Load a batch in the caller's transaction."""
        batch = made.batch
        if not await store.advance(tx, self._number, first=batch.first, rows=len(batch.rows)):
            raise ImportRefused(
                f"Import {self._number} went on without us: does another process import the file, or undo it?"
            )
        if not self._plan.is_announced:
            await be_quiet(tx)
        sorter = _Sorter(self._plan, await _holders(tx, batch.rows))
        sorter.sort(batch.rows, made.leads)
        for new in sorter.new:
            new.details["importId"] = self._number
            if self._plan.assign == "route" and new.lead.assigned_user_id is None:
                await bulk.route(tx, new)
        await bulk.create_leads(tx, self._actor, sorter.new)
        updated = await self._update(tx, sorter)
        errors.append(sorter.faults)
        if sorter.faults:
            await store.set_errors_path(tx, self._number, str(errors.path.absolute()))
        await store.insert_batch(tx, self._number, batch.first, [new.lead.id for new in sorter.new])
        return await store.count(
            tx,
            self._number,
            created=len(sorter.new),
            updated=updated,
            skipped=sorter.skipped + len(sorter.updates) - updated - sorter.failed_updates,
            failed=len(sorter.faults),
            errors_bytes=errors.size,
        )

    async def _update(self, tx: Transaction, sorter: "_Sorter") -> int:
        """Bring rows to the leads they match; return how many changed something."""
        changed = 0
        for row, lead_id in sorter.updates:
            try:
                async with tx.savepoint():
                    difference = await self._add(tx, row, lead_id)
            except ApiError as error:
                sorter.fail(row, error.message)
                sorter.failed_updates += 1
                continue
            if difference:
                changed += 1
                await store.insert_change(tx, self._number, row.number, lead_id, difference.before, difference.after)
        return changed

    async def _add(self, tx: Transaction, row: ReadRow, lead_id: int) -> Difference | None:
        assert row.draft is not None
        return await bulk.add_to_lead(tx, self._actor, lead_id, row.draft, row.contents, region=self._plan.region)


async def _holders(tx: Transaction, rows: Iterable[ReadRow]) -> dict[Contact, list[int]]:
    return await holders(tx, dict.fromkeys(contact for row in rows for contact in _comparable(row)))


def _comparable(row: ReadRow) -> list[Contact]:
    """Return the contact points by which a row is compared: what can be an address, or a number."""
    if row.handles is None:
        return []
    return [
        (kind, value)
        for kind, value in row.handles.contacts
        if ("@" in value if kind == "email" else len(value) >= _SHORTEST_NUMBER)
    ]


class _Sorter:
    """Decides what becomes of each row of a batch: a new lead, a change to one, nothing, or a fault."""

    def __init__(self, plan: Plan, before: dict[Contact, list[int]]) -> None:
        self._plan = plan
        self._holders = before
        self.new: list[NewLead] = []
        self.updates: list[tuple[ReadRow, int]] = []
        self.faults: list[Fault] = []
        self.skipped = 0
        self.failed_updates = 0

    def sort(self, rows: Sequence[ReadRow], leads: Sequence[Lead | str]) -> None:
        """Sort rows in their order."""
        for row, lead in zip(rows, leads, strict=True):
            if isinstance(lead, str):
                self.fail(row, lead)
            else:
                self._place(row, lead)

    def fail(self, row: ReadRow, reason: str) -> None:
        """Put a row among those in error."""
        self.faults.append(Fault(row.number, row.values, reason))

    def _place(self, row: ReadRow, lead: Lead) -> None:
        contacts = _comparable(row)
        same = list(dict.fromkeys(lead_id for contact in contacts for lead_id in self._holders.get(contact, ())))
        if same and self._plan.duplicates == "skip":
            self.skipped += 1
            return
        is_update = bool(same) and self._plan.duplicates == "update"
        lead_id = same[0] if is_update else lead.id
        if is_update:
            self.updates.append((row, lead_id))
        else:
            assert row.handles is not None
            details = {"duplicateOf": same[:5]} if same else {}
            self.new.append(NewLead(lead, row.handles, details, row.contents))
        for contact in contacts:
            self._holders.setdefault(contact, []).append(lead_id)


class Trial(Struct):
    """What an import would do."""

    counts: Counts
    missing: Missing
    custom_fields: list[str]
    faults: list[Fault]  #: the first ones


_SHOWN_FAULTS: Final = 10


async def rehearse(owner: Database, actor: Actor, plan: Plan, path: Path, on_progress: OnProgress) -> Trial:
    """Say what an import would do, row by row; change nothing."""
    async with owner.reading(actor.team_id) as tx:
        told, known = await told_of(tx, actor), await bulk.vocabulary(tx)
        trial = Trial(Counts(), Missing([], [], []), await missing_fields(tx, plan), [])
    known.fields += [CustomField(actor.team_id, 0, name, "text", None, clock.now()) for name in trial.custom_fields]
    maker = _Maker(actor, plan, known)
    async with reading(Job(str(path), plan, told, 0)) as batches:
        with closing(_Seen()) as seen:
            async for batch in batches:
                _imagine(known, known.missing([row.draft for row in batch.rows if row.draft]), trial.missing, actor)
                async with owner.reading(actor.team_id) as tx:
                    before = await _holders(tx, batch.rows)
                before |= {contact: [0] for contact in seen.among(batch.rows) if contact not in before}
                sorter = _Sorter(plan, before)
                sorter.sort(batch.rows, maker.leads_of(batch.rows, [0] * (3 * len(batch.rows))))
                seen.add(contact for row in batch.rows for contact in _comparable(row))
                _add_up(trial, batch, sorter)
                on_progress(Counts(len(batch.rows)), batch.share)
    return trial


def _imagine(known: Vocabulary, missing: Missing, total: Missing, actor: Actor) -> None:
    """Take missing words for known, so that each is told once."""
    now = clock.now()
    known.stages.update({name.lower(): 0 for name in missing.stages})
    known.sources.update(dict.fromkeys(missing.sources, 0))
    known.tags.update({name: Tag(actor.team_id, 0, name, None, 0, now, now) for name in missing.tags})
    total.stages += missing.stages
    total.sources += missing.sources
    total.tags += missing.tags


def _add_up(trial: Trial, batch: Batch, sorter: _Sorter) -> None:
    counts = trial.counts
    counts.rows += len(batch.rows)
    counts.created += len(sorter.new)
    counts.updated += len(sorter.updates)
    counts.skipped += sorter.skipped
    counts.failed += len(sorter.faults)
    trial.faults += sorter.faults[: _SHOWN_FAULTS - len(trial.faults)]


class _Seen:
    """The contact points of rows tried so far, in a file that is gone afterwards: memory stays flat."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("")
        self._base.execute("CREATE TABLE seen (contact TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, contacts: Iterable[Contact]) -> None:
        """Note contact points."""
        self._base.executemany("INSERT OR IGNORE INTO seen VALUES (?)", ((kind + value,) for kind, value in contacts))

    def among(self, rows: Iterable[ReadRow]) -> list[Contact]:
        """Return those of rows that were seen before."""
        return [
            contact
            for row in rows
            for contact in _comparable(row)
            if self._base.execute("SELECT 1 FROM seen WHERE contact = ?", ("".join(contact),)).fetchone()
        ]

    def close(self) -> None:
        """Let the file go."""
        self._base.close()


class Undone(Struct):
    """What undoing an import did."""

    removed: int = 0
    trashed: int = 0
    kept: int = 0
    restored: int = 0
    partly: int = 0  #: leads of which something was changed since, and stayed


async def undo(
    owner: Database, actor: Actor, imported: LeadImport, *, is_forced: bool, on_progress: Callable[[int], None]
) -> Undone:
    """Take back an import: leads it made go, unless people worked on them; leads it changed get their values back.

    `is_forced` moves what people worked on to the trash. Killed anywhere, the same command goes on.
    Writes: what remove_leads, trash_lead and take_back write, lead_import, lead_import_batch, lead_import_change.
    """
    plan = msgspec.json.decode(imported.plan, type=Plan)
    async with owner.transaction(actor.team_id) as tx:
        await store.set_state(tx, imported.id, "undoing")
    undone = Undone()
    before_row: int | None = None
    while True:
        async with owner.transaction(actor.team_id) as tx:
            if not plan.is_announced:
                await be_quiet(tx)
            batch = await queries.batch_to_undo(tx, imported.id, before_row=before_row)
            if batch is None:
                break
            before_row = batch.first_row
            gone = await bulk.untouched(tx, batch.lead_ids, await queries.moments(tx, imported.id))
            await bulk.remove_leads(tx, sorted(gone))
            kept = [lead_id for lead_id in batch.lead_ids if lead_id not in gone]
            if is_forced:
                undone.trashed += await _trash(tx, actor, kept, imported.id, plan.region)
                kept = []
            await store.undo_batch(tx, imported.id, batch.first_row, kept)
        undone.removed += len(gone)
        undone.kept += len(kept)
        on_progress(len(batch.lead_ids))
    await _take_back(owner, actor, imported.id, plan, undone, on_progress)
    async with owner.transaction(actor.team_id) as tx:
        await store.set_state(tx, imported.id, "undone")
    return undone


async def _trash(tx: Transaction, actor: Actor, lead_ids: Sequence[int], number: int, region: str) -> int:
    """Move leads to the trash; return how many were not there yet."""
    trashed = 0
    for lead_id in lead_ids:
        try:
            await leads.trash_lead(tx, actor, lead_id, f"Import {number} was undone.", region=region)
            trashed += 1
        except ApiError:  # in the trash already
            continue
    return trashed


async def _take_back(
    owner: Database, actor: Actor, number: int, plan: Plan, undone: Undone, on_progress: Callable[[int], None]
) -> None:
    """Give changed leads their former values, the last change first."""
    while True:
        async with owner.transaction(actor.team_id) as tx:
            if not plan.is_announced:
                await be_quiet(tx)
            changes = await queries.last_changes(tx, number, _CHANGES_AT_ONCE)
            if not changes:
                return
            for change in changes:
                difference = Difference(change.before, change.after)
                is_whole = await bulk.take_back(tx, actor, change.lead_id, difference, region=plan.region)
                undone.restored += is_whole is True
                undone.partly += is_whole is False
            await store.delete_changes(tx, number, [change.row_number for change in changes])
        on_progress(len(changes))
