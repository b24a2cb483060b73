"""Every table of a migrated database has a place in a distributed one, and nothing that Citus refuses.

A migration that fails here: give the new table `team_id` in its key, unique indexes and foreign keys, or name it in
`platform/citus.py` with the reason why it is whole on every node, or stays on the coordinator.
"""

import re

import pytest
from tests.conftest import fresh_database

from rooftree.platform import citus
from rooftree.platform.citus import LOCAL, REFERENCE, CitusError, ForeignKey, Table
from rooftree.platform.database import Database

GUARD = ["(team_id = (SELECT current_team()))"]


async def test_every_table_has_its_place(owner_db: Database) -> None:
    plan = await citus.look(owner_db)
    assert plan.problems == []
    names = {placed.table for placed in plan.tables}
    assert {*REFERENCE, *LOCAL} <= names, "a table that is named here is gone"
    places = {placed.table: placed.place for placed in plan.tables}
    assert [places[name] for name in ("lead", "timeline_entry", "member", "job")] == [
        "distributed",
        "distributed",
        "reference",
        "local",
    ]


async def test_the_statements_come_in_an_order_that_works(owner_db: Database) -> None:
    plan = await citus.look(owner_db)
    moved = [match[1] for line in plan.statements if (match := re.search(r"create_\w+_table\('(\w+)'", line))]
    assert sorted(moved) == sorted(placed.table for placed in plan.tables if placed.place != "local")
    async with owner_db.unscoped() as tx:
        tables = await citus.catalogue(tx)
    for table in tables:
        for key in table.foreign_keys:
            if table.name in moved and key.table != table.name:
                assert moved.index(key.table) < moved.index(table.name), (table.name, key.table)


async def test_the_guards_hold_in_the_form_that_citus_takes(server_dsn: str) -> None:
    """What of the plan a plain PostgreSQL can do is done: the policies, without a sub-select, let nothing through."""
    dsn = await fresh_database(server_dsn)
    owner = await Database.connect(dsn, max_size=1, server_role=False)
    plan = await citus.look(owner)
    async with owner.unscoped() as tx:
        for statement in plan.statements:
            if statement.startswith("ALTER POLICY"):
                await tx.execute(statement)
        await tx.execute("INSERT INTO team (id, name) VALUES (1, 'a'), (2, 'b')")
        await tx.execute("INSERT INTO stage (team_id, name, position) VALUES (1, 's', 1), (2, 's', 1)")
    server = await Database.connect(dsn, max_size=1, is_pooled=True)
    async with server.unscoped() as tx:
        assert await tx.fetchval("SELECT count(*) FROM stage") == 0
        assert await tx.fetchval("SELECT count(*) FROM team") == 0
    async with server.transaction(1) as tx:
        assert [row[0] for row in await tx.fetch("SELECT team_id FROM stage UNION SELECT id FROM team")] == [1]
    with pytest.raises(Exception, match="row-level security"):
        async with server.transaction(1) as tx:
            await tx.execute("INSERT INTO stage (team_id, name, position) VALUES (2, 'x', 1)")
    with pytest.raises(CitusError, match="has no Citus"):
        await citus.carry_out(owner, plan)
    await server.close()
    await owner.close()


def _table(name: str, **changes: object) -> Table:
    fields: dict[str, object] = {
        "columns": ["team_id", "id"],
        "unique_keys": {f"{name}_pkey": ["team_id", "id"]},
        "foreign_keys": [],
        "triggers": [],
        "policies": GUARD,
    }
    return Table(name, **{**fields, **changes})  # type: ignore[arg-type]


def _key(table: str, *columns: str) -> list[ForeignKey]:
    return [ForeignKey("fk", list(columns), table, ["team_id", "id"][-len(columns) :])]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (_table("new", columns=["id"]), "new: has no team_id"),
        (
            _table("new", unique_keys={"new_pkey": ["team_id", "id"], "u": ["", "id"]}),
            "new: u is unique over all teams",
        ),
        (_table("new", foreign_keys=_key("lead", "lead_id")), "new: fk to lead does not hold team_id"),
        (_table("new", foreign_keys=_key("lead", "id", "team_id")), "new: fk to lead does not hold team_id"),
        (_table("new", foreign_keys=_key("job", "team_id", "job_id")), "new: fk refers to job, which stays"),
        (_table("new", triggers=["t"]), "new: has the trigger t"),
        (_table("member", foreign_keys=_key("lead", "team_id", "id")), "member: fk refers to lead, which is not whole"),
        (_table("timer", foreign_keys=_key("lead", "team_id", "id")), "timer: fk refers to lead, which is distributed"),
    ],
)
async def test_what_citus_would_refuse_is_found(owner_db: Database, table: Table, problem: str) -> None:
    plan = citus.plan([_table("lead"), _table("job"), table], "x")
    assert [found[: len(problem)] for found in plan.problems] == [problem]
    with pytest.raises(CitusError, match="Nothing was done"):
        await citus.carry_out(owner_db, plan)


def test_tables_in_a_circle_are_said() -> None:
    with pytest.raises(CitusError, match="in a circle: a, b"):
        citus.plan([_table("a", foreign_keys=_key("b", "id")), _table("b", foreign_keys=_key("a", "id"))], "x")
