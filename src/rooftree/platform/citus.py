"""Where each table goes when the database is spread over several machines by Citus, and whether it can go there.

Distributed tables are cut by `team_id`. Reference tables are whole on every node: what is asked before the team is
known (whose credential, login or number is this?), with unique indexes over all teams. Local tables stay on the
coordinator.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from rooftree.platform.database import SERVER_ROLE, Database, Record, Transaction

Place = Literal["distributed", "reference", "local"]
KEY: Final = "team_id"

_ASKED_BEFORE: Final = "asked before the team is known: "
#: Whole on every node, and why. A table that these refer to by a foreign key has to be here, too.
REFERENCE: Final = {
    "team": "the teams themselves; every credential reads its own",
    "office": "members refer to it, and credentials read it",
    "permission_profile": "members refer to it, and credentials read it",
    "member": _ASKED_BEFORE + "logins, user ids and numbers are unique over all teams",
    "lead_pond": "every credential reads which ponds its holder draws from",
    "api_key": _ASKED_BEFORE + "whose key is this?",
    "oauth_app": _ASKED_BEFORE + "whose client id is this?",
    "oauth_grant": "access tokens refer to it",
    "oauth_access": _ASKED_BEFORE + "whose token is this?",
    "member_password": _ASKED_BEFORE + "whose login is this?",
    "web_session": _ASKED_BEFORE + "whose session is this?",
}
#: On the coordinator alone, and why.
LOCAL: Final = {
    "schema_migration": "of the installation, not of a team",
    "server_secret": "of the installation, not of a team",
    "timer": "of the installation, not of a team",
    "job": "workers take the jobs of all teams by FOR UPDATE SKIP LOCKED, which Citus cannot do over several nodes",
    "kept_answer": "cleared for all teams by FOR UPDATE SKIP LOCKED; kept under an advisory lock of the coordinator",
    "webhook": "workers take the deliveries of all teams under its rows' locks, by FOR UPDATE SKIP LOCKED",
    "webhook_delivery": "taken together with its webhook",
    "webhook_attempt": "belongs to its delivery",
    "rate_window": "counted inside a function whose ON CONFLICT looks at the clock, and not logged",
}


class CitusError(Exception):
    """A database that cannot be distributed; the message says why and what to do."""


class ForeignKey(Struct, frozen=True):
    """A foreign key: the columns of both sides, in order."""

    name: str
    columns: list[str]
    table: str
    others: list[str]


class Table(Struct, frozen=True):
    """What the catalogue says of a table, as far as Citus asks."""

    name: str
    columns: list[str]
    unique_keys: dict[str, list[str]]  #: index -> its columns; an expression is ''
    foreign_keys: list[ForeignKey]
    triggers: list[str]
    policies: list[str]  #: their conditions


class Placed(Struct, frozen=True):
    """Where a table goes, and what keeps it from going there."""

    table: str
    place: Place
    reason: str
    problems: list[str]


class Plan(Struct, frozen=True):
    """Where everything goes, and the statements that bring it there."""

    tables: list[Placed]
    statements: list[str]

    @property
    def problems(self) -> list[str]:
        """Whatever Citus would refuse."""
        return [f"{placed.table}: {problem}" for placed in self.tables for problem in placed.problems]


# The catalogue

_TABLES: Final = """
SELECT c.relname::text AS name,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
       ARRAY(SELECT t.tgname::text FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS triggers,
       ARRAY(SELECT pg_get_expr(p.polqual, p.polrelid) FROM pg_policy p
              WHERE p.polrelid = c.oid AND p.polqual IS NOT NULL) AS policies
  FROM pg_class c
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1"""
_UNIQUE: Final = """
SELECT c.relname::text AS table, i.relname::text AS name,
       ARRAY(SELECT coalesce(a.attname, '')::text FROM unnest(x.indkey::smallint[]) WITH ORDINALITY k (number, place)
               LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number ORDER BY k.place) AS columns
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
 WHERE (x.indisunique OR x.indisexclusion) AND c.relnamespace = current_schema()::regnamespace"""
_FOREIGN: Final = """
SELECT f.conname::text AS name, c.relname::text AS table, o.relname::text AS other,
       ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY k (number, place)
               JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number ORDER BY k.place) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY k (number, place)
               JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number ORDER BY k.place) AS others
  FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class o ON o.oid = f.confrelid
 WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace ORDER BY 2, 1"""


async def catalogue(tx: Transaction) -> list[Table]:
    """Return every table of the schema."""
    unique: dict[str, dict[str, list[str]]] = {}
    for row in await tx.fetch(_UNIQUE):
        unique.setdefault(row["table"], {})[row["name"]] = row["columns"]
    foreign: dict[str, list[ForeignKey]] = {}
    for row in await tx.fetch(_FOREIGN):
        key = ForeignKey(row["name"], row["columns"], row["other"], row["others"])
        foreign.setdefault(row["table"], []).append(key)
    return [_table(row, unique, foreign) for row in await tx.fetch(_TABLES)]


def _table(row: Record, unique: dict[str, dict[str, list[str]]], foreign: dict[str, list[ForeignKey]]) -> Table:
    name = row["name"]
    return Table(name, row["columns"], unique.get(name, {}), foreign.get(name, []), row["triggers"], row["policies"])


# The plan


def plan(tables: Sequence[Table], database: str) -> Plan:
    """Return where every table goes, what Citus would refuse, and the statements, in order."""
    ordered = _referenced_first(tables)
    placed = [_placed(table) for table in ordered]
    statements = [
        # Citus connects to its nodes as whoever asks, so the server's role must be let in there.
        f"ALTER ROLE {SERVER_ROLE} LOGIN",
        f"ALTER DATABASE {database} SET citus.propagate_set_commands = 'local'",
        # Rows cannot be locked in a table that is kept twice.
        f"ALTER DATABASE {database} SET citus.shard_replication_factor = 1",
    ]
    for table in ordered:  # local ones, too: those that refer to a reference table become known to Citus
        statements += _policies(table)
    statements += _moves(placed)
    return Plan(sorted(placed, key=lambda found: (found.place, found.table)), statements)


def _moves(placed: Sequence[Placed]) -> Iterator[str]:
    """Yield what moves tables, in order: the distributed ones lie beside the first of them."""
    for found in placed:
        if found.place == "reference":
            yield f"SELECT create_reference_table('{found.table}')"
    first, *others = [found.table for found in placed if found.place == "distributed"]
    yield f"SELECT create_distributed_table('{first}', '{KEY}')"
    for table in others:
        yield f"SELECT create_distributed_table('{table}', '{KEY}', colocate_with => '{first}')"


def _referenced_first(tables: Sequence[Table]) -> list[Table]:
    """Return tables so that each comes after those that it refers to."""
    waiting = {table.name: table for table in tables}
    ordered: list[Table] = []
    while waiting:
        free = [table for table in waiting.values() if not (_parents(table) & waiting.keys())]
        if not free:
            raise CitusError(f"These tables refer to each other in a circle: {', '.join(sorted(waiting))}.")
        ordered += [waiting.pop(table.name) for table in free]
    return ordered


def _parents(table: Table) -> set[str]:
    return {key.table for key in table.foreign_keys} - {table.name}


def place_of(name: str) -> Place:
    """Return where a table goes."""
    return "reference" if name in REFERENCE else "local" if name in LOCAL else "distributed"


def _placed(table: Table) -> Placed:
    place = place_of(table.name)
    reason = REFERENCE.get(table.name) or LOCAL.get(table.name) or f"by {KEY}"
    found = {"distributed": _against_distributing, "reference": _against_copying, "local": _against_staying}[place]
    return Placed(table.name, place, reason, list(found(table)))


def _against_distributing(table: Table) -> Iterable[str]:
    if KEY not in table.columns:
        yield f"has no {KEY}: give it one, or name it in platform/citus.py as REFERENCE or LOCAL, with the reason"
        return
    for index, columns in table.unique_keys.items():
        if KEY not in columns:
            yield f"{index} is unique over all teams, which no node can see: put {KEY} into it, or make it REFERENCE"
    for key in table.foreign_keys:
        other = place_of(key.table)
        if other == "local":
            yield f"{key.name} refers to {key.table}, which stays on the coordinator"
        if other == "distributed" and (KEY, KEY) not in zip(key.columns, key.others, strict=True):
            yield f"{key.name} to {key.table} does not hold {KEY} on both sides"
    yield from _triggers(table)


def _against_copying(table: Table) -> Iterable[str]:
    for key in table.foreign_keys:
        if place_of(key.table) != "reference":
            yield f"{key.name} refers to {key.table}, which is not whole on every node: make that REFERENCE, too"
    yield from _triggers(table)


def _against_staying(table: Table) -> Iterable[str]:
    for key in table.foreign_keys:
        if place_of(key.table) == "distributed":
            yield f"{key.name} refers to {key.table}, which is distributed"


def _triggers(table: Table) -> Iterable[str]:
    for trigger in table.triggers:
        yield f"has the trigger {trigger}, which Citus does not run"


def _policies(table: Table) -> list[str]:
    """Write the team's guard as Citus takes it: without a sub-select, and empty on a node that was not told."""
    if not table.policies:
        return []
    column = "id" if table.name == "team" else KEY
    guard = f"({column} = nullif(current_setting('rooftree.team_id', true), '')::bigint)"
    check = "" if table.name == "team" else f" WITH CHECK {guard}"
    return [f"ALTER POLICY own_team ON {table.name} USING {guard}{check}"]


# Doing it


async def look(database: Database) -> Plan:
    """Return the plan for a database."""
    async with database.unscoped() as tx:
        name: str = await tx.fetchval("SELECT quote_ident(current_database())")
        return plan(await catalogue(tx), name)


async def is_there(database: Database) -> bool:
    """Whether the database has Citus."""
    async with database.unscoped() as tx:
        return await tx.fetchval("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")


async def carry_out(database: Database, found: Plan) -> list[str]:
    """Do what is not done yet, each statement in a transaction of its own; return what was done.

    Raises: CitusError when something would be refused, or there is no Citus.
    """
    if found.problems:
        raise CitusError("Nothing was done. Citus would refuse: " + "; ".join(found.problems))
    if not await is_there(database):
        raise CitusError("The database has no Citus. As an administrator, on every node: CREATE EXTENSION citus.")
    async with database.unscoped() as tx:
        rows = await tx.fetch("SELECT logicalrelid::text AS name FROM pg_dist_partition")
    there = {row["name"] for row in rows}
    done: list[str] = []
    for statement in found.statements:
        if not any(f"_table('{name}'" in statement or f" ON {name} " in statement for name in there):
            async with database.unscoped() as tx:
                await tx.execute(statement)
            done.append(statement)
    return done
