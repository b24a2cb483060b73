"""Imports on the real thing: what becomes of rows, resuming, undoing."""

import asyncio
import csv
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import fresh_database
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person
from tests.support.tally import counted, tallied

from rooftree.cli.founding import found
from rooftree.imports import actions
from rooftree.imports.actions import ImportRefused, Undone
from rooftree.imports.columns import guess
from rooftree.imports.files import inspect
from rooftree.imports.model import LeadImport
from rooftree.imports.plan import Plan
from rooftree.platform.actor import Actor
from rooftree.platform.database import Database
from rooftree.platform.outbox import number_announcements


class Importer:
    """Imports files as somebody."""

    def __init__(self, owner_db: Database, by: Person, folder: Path) -> None:
        self.db = owner_db
        self.actor = Actor(by.team_id, by.id, "owner", None, [], [by.id], "UTC")
        self.folder = folder

    def file(self, *rows: dict[str, str], name: str = "leads.csv") -> Path:
        """Write a CSV."""
        headers = list(dict.fromkeys(header for row in rows for header in row))
        with (self.folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, headers)
            writer.writeheader()
            writer.writerows(rows)
        return self.folder / name

    def plan(self, path: Path, **options: Any) -> Plan:
        """Take the columns for what they look like; what is unknown is a custom field."""
        known = inspect(path)
        columns = [(header, target or f"custom:{header}") for header, target in guess(known.headers).items()]
        return Plan(format=known.format, encoding=known.encoding, delimiter=known.delimiter, columns=columns, **options)

    async def run(self, path: Path, *, again: bool = False, **options: Any) -> LeadImport:
        """Import a file."""
        async with self.db.transaction(self.actor.team_id) as tx:
            imported = await actions.begin(
                tx, self.actor, inspect(path), self.plan(path, **options), file_name=path.name, is_again=again
            )
        return await actions.run(self.db, self.actor, imported, path, self.errors, lambda *_: None)

    async def undo(self, imported: LeadImport, *, forced: bool = False) -> Undone:
        """Take an import back."""
        return await actions.undo(self.db, self.actor, imported, is_forced=forced, on_progress=lambda _: None)

    @property
    def errors(self) -> Path:
        """Where rows in error are."""
        return self.folder / "errors.csv"


@pytest.fixture
def importer(owner_db: Database, people: People, tmp_path: Path) -> Importer:
    """Olive imports."""
    return Importer(owner_db, people.olive, tmp_path)


def _counts(one: LeadImport) -> tuple[int, int, int, int]:
    return one.created, one.updated, one.skipped, one.failed


async def _ids(make: Make, people: People) -> list[int]:
    rows = await make.rows("SELECT id FROM lead WHERE team_id = $1 ORDER BY id", people.olive.team_id)
    return [row["id"] for row in rows]


async def test_a_row_becomes_what_the_post_makes_of_it(
    importer: Importer, client: Client, make: Make, people: People
) -> None:
    olive = client.as_(people.olive)
    field = {"attributeName": "Pet", "attributeType": "text"}
    await olive.ok("POST", "/v1.0/teamFeatures/custom-field", field)
    path = importer.file(
        {
            "First Name": " Ada " + "a" * 40,
            "Surname": "Lovelace",
            "E-mail 1": "ada@example.com",
            "E-mail 2": "ADA@work.example.com",
            "Mobile Phone": "(512) 555-0100",
            "Street": "1 Oak St",
            "City": "Austin",
            "State": "TX",
            "Zip": "78701",
            "Lead Source": "Fair",
            "Stage": "active",
            "Lead Owner": people.otto.email.upper(),
            "Tags": "VIP; Buyer",
            "Groups": "Newsletter",
            "Type": "Buyer",
            "Budget": "$450k",
            "Birthday": "12/10/1985",
            "Do Not Call": "yes",
            "Pet": "cat",
            "Spouse First Name": "William",
            "preQual": "true",
            "Language": "en",
        }
    )
    assert _counts(await importer.run(path)) == (1, 0, 0, 0)
    body = {
        "firstName": " Ada " + "a" * 40,
        "lastName": "Lovelace",
        "emails": ["ada@example.com", "ADA@work.example.com"],
        "phones": ["(512) 555-0100"],
        "streetAddress": "1 Oak St",
        "city": "Austin",
        "state": "TX",
        "zipCode": "78701",
        "source": "Fair",
        "stage": "active",
        "assignedUserId": people.otto.id,
        "tags": ["VIP", "Buyer"],
        "segments": ["Newsletter"],
        "leadTypes": [2],
        "inquiry": {"priceMax": 450_000},
        "birthday": "Dec 10, 1985",
        "cannotCall": True,
        "customAttributeList": [{"attributeName": "Pet", "value": "cat"}],
        "leadFamilyMemberList": [{"firstName": "William"}],
        "preQual": "Yes",
        "language": "en",
    }
    await make.lead(by=people.olive, **body)
    first, second = [(await olive.ok("GET", f"/v1.0/leads/{one}"))["lead"] for one in await _ids(make, people)]
    assert _timeless(first) == _timeless(second)
    logs = [
        (await make.rows("SELECT kind, actor_id FROM timeline_entry WHERE lead_id = $1 ORDER BY id", one["leadId"]))
        for one in (first, second)
    ]
    assert [tuple(row) for row in logs[0]] == [tuple(row) for row in logs[1]]


def _timeless(value: Any) -> Any:
    """Return an answer without what two leads cannot share: ids of their own, times, and shares of it in documents."""
    if isinstance(value, list):
        return [_timeless(one) for one in value]
    if isinstance(value, dict):
        own = {"id", "leadId", "leadUserId"}
        return {key: _timeless(one) for key, one in value.items() if key not in own and not key.endswith("Time")}
    return value


@pytest.mark.parametrize(
    ("duplicates", "counts"), [("skip", (3, 0, 3, 0)), ("update", (2, 3, 1, 0)), ("keep", (6, 0, 0, 0))]
)
async def test_duplicates_are_found_by_address_and_number_in_the_team_and_in_the_file(
    importer: Importer, client: Client, make: Make, people: People, duplicates: str, counts: tuple[int, ...]
) -> None:
    known = await make.lead(by=people.olive, firstName="Ada", emails=["ada@example.com"], tags=["old"])
    foreign = await make.lead(by=people.stella, firstName="Far", emails=["bob@example.com"])
    trashed = await make.lead(by=people.olive, firstName="Gone", emails=["eve@example.com"])
    await client.as_(people.olive).ok("DELETE", f"/v1.0/leads/{trashed}?reason=x")
    before = await make.everything(people.stella.team_id)
    path = importer.file(
        {"First Name": "Augusta", "Email": "ADA@example.com", "Phone": "512-555-0100", "Tags": "new", "Note": "met"},
        {"First Name": "Augusta", "Email": "", "Phone": "+1 (512) 555 0100", "Tags": "newer", "Note": ""},
        {"First Name": "Bob", "Email": "bob@example.com", "Phone": "n/a", "Tags": "", "Note": ""},
        {"First Name": "Bobby", "Email": "Bob@Example.com", "Phone": "", "Tags": "", "Note": ""},
        {"First Name": "Bobby", "Email": "bob@example.com", "Phone": "", "Tags": "", "Note": ""},
        {"First Name": "Eve", "Email": "eve@example.com", "Phone": "n/a", "Tags": "", "Note": ""},
    )
    assert _counts(await importer.run(path, duplicates=duplicates)) == counts
    lead = (await client.as_(people.olive).ok("GET", f"/v1.0/leads/{known}"))["lead"]
    if duplicates == "update":
        assert (lead["firstName"], [tag["tagName"] for tag in lead["tags"]]) == ("Augusta", ["old", "new", "newer"])
        assert lead["emails"][0] == "ada@example.com"
        assert [len(lead["phones"]), len(await make.rows("SELECT FROM note WHERE lead_id = $1", known))] == [2, 1]
    else:
        assert lead["firstName"] == "Ada"
    assert await make.everything(people.stella.team_id) == before
    assert foreign not in await _ids(make, people)
    assert await counted(make, people.olive.team_id) == await tallied(make, people.olive.team_id)


async def test_rows_in_error_are_written_down_and_once_mended_imported(
    importer: Importer, people: People, make: Make
) -> None:
    path = importer.file(
        {"First Name": "Ada", "Agent": "", "Budget": "450k", "Language": "en"},
        {"First Name": "", "Agent": "", "Budget": "450k", "Language": ""},
        {"First Name": "Bob", "Agent": people.sid.email, "Budget": "", "Language": ""},
        {"First Name": "Carl", "Agent": "", "Budget": "much", "Language": ""},
        {"First Name": "Dora", "Agent": str(people.ana.id), "Budget": "", "Language": "xx"},
    )
    imported = await importer.run(path)
    assert (_counts(imported), imported.errors_path) == ((1, 0, 0, 4), str(importer.errors))
    with importer.errors.open(newline="") as file:
        faults = list(csv.DictReader(file))
    assert [(fault["row"], fault["First Name"]) for fault in faults] == [
        ("3", ""),
        ("4", "Bob"),
        ("5", "Carl"),
        ("6", "Dora"),
    ]
    reasons = ["firstName: is required", "Agent: nobody in the team", "Budget: 'much' is not", "language: must be one"]
    assert all(fault["reason"].startswith(reason) for fault, reason in zip(faults, reasons, strict=True))
    mended = importer.errors.read_text().replace(",xx,", ",en,").replace("much", "1").replace(people.sid.email, "")
    (importer.folder / "mended.csv").write_text(mended)
    assert _counts(await importer.run(importer.folder / "mended.csv")) == (3, 0, 0, 1)
    assert len(await _ids(make, people)) == 4


async def test_trying_out_changes_nothing_and_tells_the_truth(importer: Importer, people: People, make: Make) -> None:
    await make.lead(by=people.olive, emails=["ada@example.com"])
    path = importer.file(
        {
            "Name": "Ada L",
            "Email": "ada@example.com",
            "Stage": "Won",
            "Source": "Fair",
            "Tags": "a",
            "Pet": "cat",
        },
        {"Name": "Lovelace, Bob", "Email": "bob@example.com", "Stage": "Won", "Source": "", "Tags": "a", "Pet": ""},
        {"Name": "Bob", "Email": "bob@example.com", "Stage": "Lost", "Source": "", "Tags": "", "Pet": ""},
        {"Name": "", "Email": "x@example.com", "Stage": "", "Source": "", "Tags": "", "Pet": ""},
    )
    before = await make.everything(people.olive.team_id)
    plan = importer.plan(path)
    trial = await actions.rehearse(importer.db, importer.actor, plan, path, lambda *_: None)
    assert await make.everything(people.olive.team_id) == before
    assert (trial.counts.rows, trial.counts.created, trial.counts.skipped, trial.counts.failed) == (4, 1, 2, 1)
    assert (trial.missing.stages, trial.missing.sources, trial.custom_fields) == (["Won", "Lost"], ["Fair"], ["Pet"])
    assert [fault.number for fault in trial.faults] == [5]
    assert _counts(await importer.run(path)) == (1, 0, 2, 1)


async def test_undoing_takes_back_all_that_nobody_touched(
    importer: Importer, client: Client, people: People, make: Make
) -> None:
    olive = client.as_(people.olive)
    known = await make.lead(by=people.olive, firstName="Ada", emails=["ada@example.com"], tags=["old"], city="Paris")
    cool = await make.lead(by=people.olive, firstName="Carl", emails=["carl@example.com"], city="Paris")
    before = await olive.ok("GET", f"/v1.0/leads/{known}")
    path = importer.file(
        {"First Name": "Augusta", "Email": "ada@example.com", "City": "Rome", "Tags": "new", "Notes": ""},
        {"First Name": "Charles", "Email": "carl@example.com", "City": "Rome", "Tags": "new", "Notes": ""},
        {"First Name": "Zed", "Email": "zed@example.com", "City": "Rome", "Tags": "new", "Notes": "came along"},
        {"First Name": "Zoe", "Email": "zoe@example.com", "City": "Rome", "Tags": "new", "Notes": ""},
    )
    imported = await importer.run(path, duplicates="update")
    assert _counts(imported) == (2, 2, 0, 0)
    zed, zoe = (await _ids(make, people))[-2:]
    await make.note(zoe, by=people.olive)
    await olive.ok("PUT", f"/v1.0/leads/{cool}", {"city": "Oslo"})
    undone = await importer.undo(imported)
    assert (undone.removed, undone.kept, undone.restored, undone.partly) == (1, 1, 1, 1)
    after = await olive.ok("GET", f"/v1.0/leads/{known}")
    assert _timeless(after) == _timeless(before)
    carl = (await olive.ok("GET", f"/v1.0/leads/{cool}"))["lead"]
    assert (carl["firstName"], carl["city"], carl["tags"]) == ("Carl", "Oslo", [])
    for table in ("lead_contact", "lead_label", "lead_search", "timeline_entry", "timeline_summary", "note"):
        assert not await make.rows(f"SELECT FROM {table} WHERE lead_id = $1", zed), table
    assert await counted(make, people.olive.team_id) == await tallied(make, people.olive.team_id)
    assert (await olive.ok("GET", "/v1.0/leads?key=zed"))["_metadata"]["total"] == 0
    forced = await importer.undo(imported, forced=True)
    assert (forced.removed, forced.trashed, forced.kept) == (0, 1, 0)
    assert zoe in await _ids(make, people)
    assert await counted(make, people.olive.team_id) == await tallied(make, people.olive.team_id)
    assert _counts(await importer.run(path)) == (2, 0, 2, 0)


async def test_a_file_is_imported_once_and_with_one_plan(importer: Importer, people: People, make: Make) -> None:
    path = importer.file({"First Name": "Ada", "Email": "ada@example.com"})
    first = await importer.run(path)
    with pytest.raises(ImportRefused, match=f"imported already: rooftree import show {first.id}"):
        await importer.run(path)
    assert _counts(await importer.run(path, again=True)) == (0, 0, 1, 0)
    async with importer.db.transaction(people.olive.team_id) as tx:
        await tx.execute("UPDATE lead_import SET state = 'running' WHERE team_id = $1 AND id = 2", tx.team_id)
    with pytest.raises(ImportRefused, match="stopped after 1 rows, with other options"):
        await importer.run(path, duplicates="keep")
    assert (await importer.run(path)).id == 2
    other = Importer(importer.db, people.stella, importer.folder)
    assert (await other.run(path)).id == 1


@pytest.mark.parametrize(("assign", "wanted"), [("me", "olive"), ("nobody", None), ("route", "olive")])
async def test_who_gets_rows_that_name_nobody(
    importer: Importer, make: Make, people: People, assign: str, wanted: str | None
) -> None:
    path = importer.file({"First Name": "Ada", "Agent": ""}, {"First Name": "Bob", "Agent": people.ana.email})
    assert _counts(await importer.run(path, assign=assign)) == (2, 0, 0, 0)
    rows = await make.rows(
        """SELECT l.first_name, l.assigned_user_id, array_agg(e.kind ORDER BY e.id) FROM lead l
             JOIN timeline_entry e ON e.team_id = l.team_id AND e.lead_id = l.id
            WHERE l.team_id = $1 GROUP BY l.id, 1, 2 ORDER BY 1""",
        people.olive.team_id,
    )
    told = {"me": ["lead_assigned"], "nobody": [], "route": ["lead_routed"]}[assign]
    holder = getattr(people, wanted).id if wanted and assign != "route" else rows[0][1]
    assert [tuple(row) for row in rows] == [
        ("Ada", holder, ["lead_created", *told]),
        ("Bob", people.ana.id, ["lead_created", "lead_assigned"]),
    ]
    assert (holder is None) == (assign == "nobody")


@pytest.mark.parametrize("is_announced", [False, True])
async def test_the_feed_hears_of_every_lead_and_subscribers_only_when_asked(
    importer: Importer, client: Client, make: Make, people: People, is_announced: bool
) -> None:
    path = importer.file({"First Name": "Ada", "Notes": "n"}, {"First Name": "Bob", "Notes": ""})
    imported = await importer.run(path, is_announced=is_announced)
    await importer.undo(imported)
    async with importer.db.unscoped() as tx:
        told = await number_announcements(tx, 100_000)
    ours = [one for one in told if one["team_id"] == people.olive.team_id]
    assert {one["is_quiet"] for one in ours} == {not is_announced}
    feed = await client.as_(people.olive).ok("GET", "/rooftree/v1/events?from=start&limit=100")
    events = [event["event"] for event in feed["events"]]
    assert sorted(events) == ["createdLead"] * 2 + ["createdNote"] + ["deletedLead"] * 2


async def test_killed_in_the_middle_the_same_command_goes_on(server_dsn: str, tmp_path: Path) -> None:
    url = await fresh_database(server_dsn)
    owner = await Database.connect(url, server_role=False, min_size=0, max_size=2)
    member = await found(owner, name="Realty", owner_email="olive@example.com")
    path = tmp_path / "leads.csv"
    rows = [f"N{number},n{number % 6500}@example.com,{'' if number % 1000 else 'much'}" for number in range(7000)]
    path.write_text("First Name,Email,Budget\n" + "\n".join(rows) + "\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROOFTREE_")}
    command = [sys.executable, "-m", "rooftree", "import", "leads", str(path)]
    kills = 0
    while True:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**inherited, "ROOFTREE_DATABASE_URL": url},
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        started = await _position(owner, member.team_id)
        while kills < 2 and process.returncode is None:
            await asyncio.sleep(0.02)
            if await _position(owner, member.team_id) > started:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
                break
        _, said = await process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said.decode()
    assert kills == 2
    assert b"Going on with import 1 after" in said
    async with owner.transaction(member.team_id) as tx:
        counts = await tx.fetchrow("SELECT position, created, skipped, failed FROM lead_import")
        assert tuple(counts or ()) == (7000, 6494, 499, 7)
        assert await tx.fetchval("SELECT count(*) FROM lead") == 6494
        assert await tx.fetchval("SELECT count(DISTINCT emails) FROM lead") == 6494
        assert await tx.fetchval("SELECT sum(amount) FROM lead_tally WHERE tag = ''") == 6494
    with next(tmp_path.glob("*.errors.csv")).open(newline="") as file:
        assert [int(row["row"]) for row in csv.DictReader(file)] == [2 + 1000 * number for number in range(7)]
    await owner.close()


async def _position(owner: Database, team_id: int) -> int:
    async with owner.reading(team_id) as tx:
        return await tx.fetchval("SELECT coalesce(sum(position), 0)::bigint FROM lead_import")
