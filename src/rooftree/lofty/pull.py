"""A whole run: the account, its leads by scroll, its conversations by window, each lead's past."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from rooftree.lofty import actions, queries, store
from rooftree.lofty.histories import Found, channel_of, convert, is_logged
from rooftree.lofty.model import Pull, Step
from rooftree.lofty.queries import LeadPlace
from rooftree.lofty.source import Refused, Source, SourceError
from rooftree.lofty.wire import (
    Document,
    SourceCall,
    SourceChange,
    SourceEmail,
    SourceLead,
    SourceLog,
    SourceMember,
    SourceNote,
    SourcePond,
    SourceTalk,
    SourceText,
    SourceTransaction,
    SourceVisit,
)
from rooftree.lofty.world import World
from rooftree.platform import clock
from rooftree.platform.database import Database
from rooftree.platform.wire_time import epoch_millis, from_epoch_millis

#: As many leads as the contract gives at once; a source that gives fewer is scrolled in smaller steps.
LEAD_PAGE: Final = 100
_TALK_PAGE: Final = 1000
_SITE_PAGE: Final = 100
#: How many leads' pasts are one transaction.
_HISTORY_PAGE: Final = 25
#: The longest span that the source's search takes. contract: GET /v2.0/communication/agent
WINDOW: Final = timedelta(days=90)
#: So many empty windows before the first lead, and there is nothing earlier.
_EMPTY_WINDOWS: Final = 4
#: A page number beyond anybody's past: what still gives pages there, gives the same one for ever.
_MOST_PAGES: Final = 10_000
#: A scroll that the source forgets as often as this is none.
_MOST_RESTARTS: Final = 3
_LOG_WORDS: Final = {"call": "logCall", "text": "logText", "email": "logEmail"}
#: What is read of a lead's past, by the kind that asks for it.
_HISTORY_KINDS: Final = ("talk", "notes", "visits", "changes", "transactions")

#: Hears how many things of a kind are done, and of how many.
Progress = Callable[[str, int, int | None], None]


class Plan(Struct, frozen=True):
    """What is wanted of a run."""

    runner_id: int
    wanted: list[str]  #: of model.KINDS, in that order
    since: datetime | None
    assign_to: int | None
    region: str


class Run:
    """One run against one source, from where it stands to its end."""

    def __init__(self, database: Database, source: Source, plan: Plan, progress: Progress) -> None:
        """`database`: with the owner's rights, for whole pages are loaded by COPY."""
        self._database = database
        self._source = source
        self._plan = plan
        self._progress = progress
        self._pull: Pull
        self._world: World
        self._steps: dict[str, Step] = {}
        self._problems: dict[str, str] = {}

    async def go(self, team_id: int) -> Pull:
        """Take what is wanted; return the run. Raises: SourceError, when it cannot go on."""
        account = await account_of(self._source)
        async with self._database.transaction(team_id) as tx:
            try:
                begun = await actions.begin(
                    tx, account, self._source.base_url, self._plan.wanted, self._plan.since, clock.now()
                )
            except ValueError as error:
                raise SourceError(
                    f"This team was taken from account {error} before, and the key is of account {account}. "
                    "A team takes from one account; move the other one into a team of its own."
                ) from None
            self._pull, _ = begun
            self._steps = await queries.steps(tx, self._pull.id)
            self._problems = {kind: step.problem for kind, step in self._steps.items() if step.problem}
            self._world = await actions.open_world(tx, self._plan.runner_id, self._plan.assign_to)
        await self._account()
        if "leads" in self._plan.wanted:
            await self._leads()
        if "talk" in self._plan.wanted:
            await self._windows()
        if any(kind in self._plan.wanted for kind in _HISTORY_KINDS):
            await self._histories()
        async with self._database.transaction(team_id) as tx:
            await actions.end(tx, self._pull)
        return self._pull

    def _transaction(self) -> Any:
        return self._database.transaction(self._pull.team_id)

    def _is_done(self, kind: str) -> bool:
        step = self._steps.get(kind)
        return bool(step and step.is_done)

    async def _asked(self, kind: str, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """Return an answer, None when the source does not offer that kind; which is noted."""
        try:
            return await self._source.get(path, query)
        except Refused as refused:
            await self._miss(kind, refused)
            return None

    async def _miss(self, kind: str, refused: Refused) -> None:
        if kind not in self._problems:
            self._problems[kind] = f"not offered by the source ({refused.status})"
            async with self._transaction() as tx:
                await store.put_step(tx, self._pull.id, kind, is_done=True, problem=self._problems[kind])

    # --- The account ---

    async def _account(self) -> None:
        """Take what leads are sorted by and belong to. It is little, and read anew by every run."""
        organisation = await self._asked("office", "/v1.0/org")
        members = await self._paged_members()
        ponds = await self._asked("pond", "/v1.0/team-features/lead-ponds")
        stages = await self._paged_stages()
        tags = await self._asked("tag", "/v1.0/teamFeatures/listTag")
        fields = await self._asked("field", "/v1.0/teamFeatures/listCustomField")
        pull, world = self._pull, self._world
        refused: list[tuple[str, str, str]] = []
        async with self._transaction() as tx:
            if organisation is not None:
                await actions.take_offices(tx, pull, world, _offices(organisation))
            if members is not None:
                await actions.take_members(tx, pull, world, convert(SourceMember, members, refused, "member"))
            if ponds is not None:
                await actions.take_ponds(tx, pull, world, convert(SourcePond, ponds, refused, "pond"))
            if stages is not None:
                await actions.take_stages(tx, pull, world, stages)
            if tags is not None:
                await actions.take_tags(tx, pull, world, tags)
            if fields is not None:
                await actions.take_fields(tx, pull, world, fields)
            await store.put_refusals(tx, refused)
        self._progress("account", 1, 1)

    async def _paged_members(self) -> list[Document] | None:
        query: dict[str, str | int] = {"limit": LEAD_PAGE}
        found: list[Document] = []
        while True:
            answer = await self._asked("member", "/v1.0/members", query)
            if answer is None:
                return None
            found += answer.get("members") or []
            scroll_id = _metadata(answer).get("scrollId")
            if not scroll_id or not answer.get("members"):
                return found
            query["scrollId"] = scroll_id

    async def _paged_stages(self) -> list[Document] | None:
        found: list[Document] = []
        for page in range(_MOST_PAGES):
            query: dict[str, str | int] = {"currPage": page, "pageSize": LEAD_PAGE}
            answer = await self._asked("stage", "/v1.0/teamFeatures/lead-pipelines", query)
            if answer is None:
                return None
            found += (batch := answer.get("pipelines") or [])
            if not batch or len(found) >= (_metadata(answer).get("total") or 0):
                break
        return found

    # --- Leads ---

    async def _leads(self) -> None:
        """Scroll through all leads. A scroll that the source has forgotten begins anew: what was taken is known."""
        step = self._steps.get("leads")
        scroll_id = step.place if step else ""
        total, seen, restarts = (step.total if step else None), 0, 0
        while not self._is_done("leads"):
            query: dict[str, str | int] = {"limit": LEAD_PAGE, **({"scrollId": scroll_id} if scroll_id else {})}
            try:
                answer = await self._source.get("/v1.0/leads", query)
            except Refused as refused:
                if not scroll_id or restarts == _MOST_RESTARTS:
                    raise SourceError(f"The leads cannot be read: {refused}.") from None
                scroll_id, restarts = "", restarts + 1
                continue
            documents = answer.get("leads") or []
            metadata = _metadata(answer)
            total = total or metadata.get("total")
            following = metadata.get("scrollId") if documents else None
            refusals: list[tuple[str, str, str]] = []
            found = convert(SourceLead, documents, refusals, "lead")
            async with self._transaction() as tx:
                await actions.take_leads(
                    tx,
                    self._pull,
                    self._world,
                    found,
                    refused=refusals,
                    scroll_id=following,
                    total=total,
                    region=self._plan.region,
                )
                seen = await queries.count_leads(tx, self._pull.id) if not seen else seen + len(found)
            self._progress("leads", seen, total)
            if not following:
                break
            scroll_id = following

    # --- Conversations, by window ---

    async def _windows(self) -> None:
        """Ask for the team's conversations, 90 days at a time, from now backwards.

        The search has no texts: it says which leads have talked, and how much there must be in the end.
        """
        if self._is_done("windows"):
            return
        async with self._database.reading(self._pull.team_id) as tx:
            oldest = await queries.oldest_lead(tx) or self._pull.until
        step = self._steps.get("windows")
        place = (
            msgspec.json.decode(step.place, type=_Window) if step and step.place else _Window(_millis(self._pull.until))
        )
        total = (step.total if step else None) or 0
        floor = _millis(self._plan.since) if self._plan.since else 0
        while True:
            start = max(place.end - _millis_of(WINDOW) + 1, floor)
            query: dict[str, str | int] = {
                "startTime": start,
                "endTime": place.end,
                "type": "ALL",
                "teamView": "true",
                "limit": _TALK_PAGE,
                **({"cursor": place.cursor} if place.cursor else {}),
            }
            answer = await self._asked("windows", "/v2.0/communication/agent", query)
            if answer is None:
                return
            rows = [row for row in answer.get("data") or [] if row.get("id") and row.get("leadId")]
            if not place.cursor:
                total += answer.get("totalCount") or len(rows)
            place = _after(place, start, len(rows), answer.get("nextCursor"))
            is_over = place.cursor == "" and (
                place.end <= floor
                or (place.empty >= _EMPTY_WINDOWS and (from_epoch_millis(place.end) or oldest) < oldest)
            )
            named = [(str(row["leadId"]), str(row["id"])) for row in rows]
            async with self._transaction() as tx:
                text = msgspec.json.encode(place).decode()
                await actions.note_talk(tx, self._pull, named, place=text, total=total, is_done=is_over)
            self._progress("windows", total, None)
            if is_over:
                return

    # --- Each lead's past ---

    async def _histories(self) -> None:
        """Read the past of every lead, some at a time; the order is that of their ids there."""
        step = self._steps.get("histories")
        if step and step.is_done:
            return
        of_run = self._pull.id if "leads" in self._plan.wanted else None
        place = step.place if step else ""
        async with self._database.reading(self._pull.team_id) as tx:
            total = await queries.count_leads(tx, of_run)
        done = 0
        while True:
            async with self._database.reading(self._pull.team_id) as tx:
                leads = await queries.next_leads(tx, place, limit=_HISTORY_PAGE, pull_id=of_run)
            if not leads:
                break
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._history(lead)) for lead in leads]
            found = [task.result() for task in tasks]
            place = leads[-1].source_id
            async with self._transaction() as tx:
                await actions.take_histories(tx, self._pull, self._world, found, place=place, region=self._plan.region)
            done += len(leads)
            self._progress("histories", done, total)
        async with self._transaction() as tx:
            await store.put_step(tx, self._pull.id, "histories", place=place, total=total, is_done=True)

    async def _history(self, lead: LeadPlace) -> Found:
        """Read one lead's past, as far as it is wanted and offered."""
        found = Found(lead.source_id, lead.own_id)
        readers = {
            "talk": self._talk,
            "notes": self._notes,
            "visits": self._visits,
            "changes": self._changes,
            "transactions": self._transactions,
        }
        for kind in _HISTORY_KINDS:
            if kind not in self._plan.wanted or kind in self._problems:
                continue
            try:
                await readers[kind](lead, found)
            except Refused as refused:
                if refused.is_offered:
                    found.refusals.append((f"{kind} of lead", lead.source_id, str(refused)))
                else:
                    await self._miss(kind, refused)
        return found

    async def _talk(self, lead: LeadPlace, found: Found) -> None:
        is_searched = "windows" not in self._problems
        if is_searched and not lead.talks:
            return
        path = f"/v2.0/leads/{lead.source_id}/activities"
        documents = await self._all(path, {}, "activities")
        found.talk = convert(SourceTalk, documents, found.refusals, "talk")
        logged = {channel_of(talk) for talk in found.talk if is_logged(talk)}
        of_lead: dict[str, str | int] = {"leadId": lead.source_id}
        for channel in sorted(logged - {None}, key=str):
            query = {**of_lead, "logType": _LOG_WORDS[str(channel)]}
            await self._details(found, "log", "/v1.0/logType", query, "logType", SourceLog, found.logs)
        captured = {channel_of(talk) for talk in found.talk if not is_logged(talk)}
        if "call" in captured:
            await self._details(found, "call", "/v1.0/communication/call/v2", of_lead, "calls", SourceCall, found.calls)
        if "text" in captured | logged:
            await self._details(found, "text", "/v1.0/communication/text", of_lead, "texts", SourceText, found.texts)
        if "email" in captured | logged:
            await self._details(
                found, "email", "/v1.0/communication/email", of_lead, "emails", SourceEmail, found.emails
            )
        for call in found.calls.values():
            if call.recording_switch or call.recording_url:
                found.refusals.append(
                    ("recording", str(call.id), "recordings are not taken: keep them from the source")
                )
        if not is_searched:
            async with self._transaction() as tx:
                await store.put_talk(tx, [(lead.source_id, str(talk.id)) for talk in found.talk])

    async def _details(
        self,
        found: Found,
        called: str,
        path: str,
        query: Mapping[str, str | int],
        key: str,
        kind: type[Any],
        into: dict[int, Any],
    ) -> None:
        """Read what else is said of conversations; a source that has none of it is asked once."""
        if called in self._problems:
            return
        try:
            documents = await self._all(path, query, key)
        except Refused as refused:
            await self._miss(called, refused)
            return
        into.update({one.id: one for one in convert(kind, documents, found.refusals, called)})

    async def _all(self, path: str, query: Mapping[str, str | int], key: str) -> list[Document]:
        """Return all pages of a list that has `offset` and `limit`."""
        found: list[Document] = []
        known: set[Any] = set()
        while True:
            answer = await self._source.get(path, {**query, "limit": _TALK_PAGE, "offset": len(found)})
            batch = [one for one in answer.get(key) or [] if one.get("id") not in known]
            known |= {one.get("id") for one in batch}
            found += batch
            if len(batch) < (answer.get("pageSize") or _TALK_PAGE) and len(found) >= (answer.get("total") or 0):
                return found
            if not batch:
                return found

    async def _notes(self, lead: LeadPlace, found: Found) -> None:
        query: dict[str, str | int] = {"leadId": lead.source_id, "includeSystemNote": "true"}
        answer = await self._source.get("/v1.0/notes", query)
        found.notes = convert(SourceNote, answer.get("notes") or [], found.refusals, "note")

    async def _visits(self, lead: LeadPlace, found: Found) -> None:
        documents: list[Document] = []
        for page in range(_MOST_PAGES):
            batch = await self._source.get(f"/v1.0/leads/{lead.source_id}/activities", {"curPage": page})
            documents += batch
            if len(batch) < _SITE_PAGE:
                break
        found.visits = convert(SourceVisit, documents, found.refusals, "visit")

    async def _changes(self, lead: LeadPlace, found: Found) -> None:
        documents: list[Document] = []
        for page in range(_MOST_PAGES):
            query: dict[str, str | int] = {"leadId": lead.source_id, "pageNumber": page, "pageSize": _TALK_PAGE}
            answer = await self._source.get("/v1.0/systemLogs", query)
            documents += answer.get("timeLines") or []
            if not answer.get("hasMore"):
                break
        found.changes = convert(SourceChange, documents, found.refusals, "change")

    async def _transactions(self, lead: LeadPlace, found: Found) -> None:
        documents = await self._source.get(f"/v1.0/leads/{lead.source_id}/transactions")
        found.transactions = convert(SourceTransaction, documents, found.refusals, "transaction")


class _Window(Struct):
    """Where the search stands."""

    end: int  #: of the window, epoch milliseconds, inclusive
    cursor: str = ""  #: within it
    empty: int = 0  #: how many windows before it had nothing


def _after(place: _Window, start: int, rows: int, cursor: str | None) -> _Window:
    """Return where to go on: in the same window, or in the one before."""
    if cursor:
        return _Window(place.end, cursor, place.empty)
    is_empty = rows == 0 and not place.cursor
    return _Window(start - 1, "", place.empty + 1 if is_empty else 0)


def _millis(instant: datetime) -> int:
    return epoch_millis(instant) or 0


def _millis_of(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _metadata(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return answer.get("_metadata") or answer.get("get_metadata") or answer.get("metadata") or {}


def _offices(organisation: Mapping[str, Any]) -> list[Document]:
    """Return the offices that an organisation shows: `groupId`, `groupName`, `parentId`."""
    parts = [organisation.get("enterpriseInfo") or {}, organisation.get("multiTeamInfo") or {}]
    found = [one for part in parts for one in part.get("visibleOrgInfoList") or []]
    return list({one["groupId"]: one for one in found if one.get("groupId")}.values())


async def account_of(source: Source) -> str:
    """Return the number of the account that a key opens. Raises: SourceError."""
    try:
        me = await source.get("/v1.0/me")
    except Refused as refused:
        raise SourceError(f"The source does not say whose key this is: {refused}. Is --base-url right?") from None
    if not isinstance(me, dict):
        raise SourceError("The source does not say whose key this is. Is --base-url right?")
    return str(me.get("teamId") or source.base_url)


async def survey(source: Source, wanted: Sequence[str], since: datetime | None) -> dict[str, int | str]:
    """Return how much of each kind there is, without reading it; a text says why that is not known."""
    await account_of(source)
    found: dict[str, int | str] = {}
    for kind, path, query, count in _COUNTED:
        if kind not in wanted and kind == "leads":
            continue
        try:
            found[kind] = count(await source.get(path, query))
        except Refused as refused:
            found[kind] = f"not offered by the source ({refused.status})"
    if "talk" in wanted:
        found["talk"] = await _count_talk(source, since)
    return found


def _length(answer: Any) -> int:
    return len(answer)


def _total(answer: Any) -> int:
    return int(_metadata(answer).get("total") or 0)


_COUNTED: Final[list[tuple[str, str, Mapping[str, str | int] | None, Callable[[Any], int]]]] = [
    ("offices", "/v1.0/org", None, lambda answer: len(_offices(answer))),
    ("members", "/v1.0/members", {"limit": 1}, _total),
    ("ponds", "/v1.0/team-features/lead-ponds", None, _length),
    ("stages", "/v1.0/teamFeatures/lead-pipelines", {"pageSize": 1}, _total),
    ("tags", "/v1.0/teamFeatures/listTag", None, _length),
    ("fields", "/v1.0/teamFeatures/listCustomField", None, _length),
    ("leads", "/v1.0/leads", {"limit": 1}, _total),
]
_SURVEYED_YEARS: Final = 10


async def _count_talk(source: Source, since: datetime | None) -> int | str:
    """Return how many conversations there were since then, or in ten years."""
    end, total, empty = datetime.now(UTC), 0, 0
    floor = since or end - timedelta(days=365 * _SURVEYED_YEARS)
    while end > floor and empty < 2 * _EMPTY_WINDOWS:
        start = max(end - WINDOW + timedelta(milliseconds=1), floor)
        query: dict[str, str | int] = {
            "startTime": _millis(start),
            "endTime": _millis(end),
            "type": "ALL",
            "teamView": "true",
            "limit": 1,
        }
        try:
            count = (await source.get("/v2.0/communication/agent", query)).get("totalCount") or 0
        except Refused as refused:
            return f"not offered by the source ({refused.status})"
        total, empty = total + count, 0 if count else empty + 1
        end = start - timedelta(milliseconds=1)
    return total
