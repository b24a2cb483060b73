"""`rooftree import leads` against COPY: rows a second, on the same server with the same settings, in the same run.

`python -m bench.imports --rows 100000`. A file is made and imported; then what the import stored is written to files,
and loaded by one COPY per table into the same tables of an empty database, with the same indexes and foreign keys.
"""

import argparse
import asyncio
import csv
import random
import resource
import tempfile
import time
from pathlib import Path

import asyncpg

from rooftree.cli import demo
from rooftree.cli.founding import found
from rooftree.imports import actions
from rooftree.imports.columns import guess
from rooftree.imports.files import inspect
from rooftree.imports.plan import Plan
from rooftree.platform import embedded_postgres
from rooftree.platform.actor import Actor
from rooftree.platform.database import Database
from rooftree.platform.migrations import migrate
from rooftree.team.model import Member

#: What an import fills, in an order that foreign keys allow.
TABLES = (
    "lead",
    "lead_contact",
    "lead_to_compare",
    "lead_label",
    "lead_search",
    "lead_tally",
    "timeline_entry",
    "timeline_summary",
)
#: What these refer to; not timed.
BEFORE = ("team", "office", "member", "stage")
HEADER = (
    *("First Name", "Last Name", "E-mail 1", "Mobile Phone", "Street", "City", "State", "Zip", "Lead Source", "Stage"),
    *("Tags", "Groups", "Lead Type", "Min Price", "Budget", "Created Date"),
)


def make_file(path: Path, count: int) -> None:
    """Write leads as another program exports them. No contact point comes twice."""
    dice = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(count):
            first, last = dice.choice(demo.FIRST_NAMES), dice.choice(demo.LAST_NAMES)
            city, state, zip_code, _ = dice.choice(demo.PLACES)
            low = dice.randrange(150, 900) * 1000
            writer.writerow(
                (
                    *(first, last, f"{demo.fields_fold(first)}.{demo.fields_fold(last)}{number}@example.com"),
                    f"({200 + number // 10_000_000}) {200 + number // 10_000 % 800}-{number % 10_000:04}",
                    f"{dice.randrange(1, 9999)} {dice.choice(demo.STREETS)}",
                    *(city, state, zip_code, dice.choice(demo.SOURCES)),
                    dice.choice(("New Lead", "Contacted", "Active")),
                    "; ".join(dice.sample(demo.TAGS, dice.choice((0, 1, 1, 2)))),
                    dice.choice(("", "", demo.SEGMENTS[0])),
                    *(dice.choice(("Buyer", "Seller")), f"${low:,}", f"${low + 100_000:,}"),
                    f"{dice.randrange(1, 13)}/{dice.randrange(1, 28)}/{dice.randrange(2015, 2026)}",
                )
            )


async def measure_import(owner: Database, member: Member, path: Path) -> float:
    """Import a file; return the seconds."""
    actor = Actor(member.team_id, member.id, "owner", None, [], [member.id], "UTC")
    started = time.perf_counter()
    file = inspect(path)
    columns = [(header, target or "ignore") for header, target in guess(file.headers).items()]
    plan = Plan(format=file.format, encoding=file.encoding, delimiter=file.delimiter, columns=columns)
    async with owner.transaction(member.team_id) as tx:
        imported = await actions.begin(tx, actor, file, plan, file_name=path.name)
    errors = path.with_suffix(".errors.csv")
    done = await actions.run(owner, actor, imported, path, errors, lambda *_: None)
    seconds = time.perf_counter() - started
    assert (done.failed, done.skipped) == (0, 0), done
    return seconds


async def measure_copy(dsn: str, empty_dsn: str, folder: Path) -> float:
    """Load what the import stored into an empty database by COPY; return the seconds."""
    source, empty = await asyncpg.connect(dsn), await asyncpg.connect(empty_dsn)
    for table in (*BEFORE, *TABLES):
        await source.copy_from_table(table, output=folder / table, format="binary")
    for table in BEFORE:
        await empty.copy_to_table(table, source=folder / table, format="binary")
    await empty.execute("CHECKPOINT")
    started = time.perf_counter()
    for table in TABLES:
        await empty.copy_to_table(table, source=folder / table, format="binary")
    seconds = time.perf_counter() - started
    for table in TABLES:
        count = f"SELECT count(*) FROM {table}"
        assert await source.fetchval(count) == await empty.fetchval(count), table
    await source.close()
    await empty.close()
    return seconds


async def run(rows: int, folder: Path) -> None:
    """Measure both and print them."""
    path = folder / "leads.csv"
    make_file(path, rows)
    server = await embedded_postgres.start(folder)
    try:
        await migrate(server.dsn)
        owner = await Database.connect(server.dsn, server_role=False, max_size=2)
        member = await found(owner, name="Realty", owner_email="olive@example.com")
        importing = await measure_import(owner, member, path)
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        await owner.close()
        admin = await asyncpg.connect(server.admin_dsn)
        await admin.execute("CREATE DATABASE empty")
        await admin.close()
        empty_dsn = server.admin_dsn.replace("/postgres?", "/empty?")
        await migrate(empty_dsn)
        copying = await measure_copy(server.dsn, empty_dsn, folder)
    finally:
        await server.stop()
    print(f"{rows:,} rows")
    print(f"import  {importing:8.1f} s  {rows / importing:8,.0f} rows/s")
    print(f"COPY    {copying:8.1f} s  {rows / copying:8,.0f} rows/s")
    print(f"ratio   {copying / importing:.2f}")
    for name, one in zip(("loader", "reader"), used, strict=True):
        print(f"{name}: {one.ru_utime + one.ru_stime:.1f} s of a processor, at most {one.ru_maxrss // 1024} MB")


def main() -> None:
    """Measure in a folder that is gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="rt") as name:
        folder = Path(name)
        folder.chmod(0o755)
        asyncio.run(run(rows, folder))


if __name__ == "__main__":
    main()
