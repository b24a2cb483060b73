"""The rules of the house that a machine checks."""

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct
from tests.support.make import Make
from tests.support.people import People

import rooftree
from rooftree.platform.database import Database
from rooftree.platform.errors import ApiError

ROOT = Path(__file__).parents[2]


def _modules(ending: str) -> list[Any]:
    names = [module.name for module in pkgutil.walk_packages(rooftree.__path__, "rooftree.")]
    return [import_module(name) for name in names if name.endswith(ending)]


@pytest.mark.parametrize("command", [["lint-imports"], [sys.executable, "tools/check_house.py"]])
def test_contracts_are_kept(command: list[str]) -> None:
    program = [str(Path(sys.executable).parent / command[0]), *command[1:]] if command[0] == "lint-imports" else command
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "tools/make_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


ROWS = {
    "Lead": "lead",
    "Stage": "stage",
    "Tag": "tag",
    "CustomField": "custom_field",
    "Team": "team",
    "Office": "office",
    "Member": "member",
    "CustomRole": "custom_role",
    "PermissionProfile": "permission_profile",
    "MemberTag": "member_tag",
    "Vendor": "vendor",
    "LeadPond": "lead_pond",
    "ApiKey": "api_key",
    "OauthApp": "oauth_app",
    "OauthGrant": "oauth_grant",
    "OauthCode": "oauth_code",
    "Webhook": "webhook",
    "Delivery": "webhook_delivery",
    "Attempt": "webhook_attempt",
    "TimelineEntry": "timeline_entry",
    "Note": "note",
    "LeadTransaction": "lead_transaction",
    "Pull": "lofty_pull",
    "Step": "lofty_step",
    "Thing": "lofty_thing",
    "Refusal": "lofty_refusal",
    "DuplicatePair": "duplicate_pair",
    "LeadMerge": "lead_merge",
    "LeadImport": "lead_import",
    "ImportBatch": "lead_import_batch",
    "ImportChange": "lead_import_change",
}


async def test_row_structs_are_their_tables(make: Make) -> None:
    """Same names, and a field may be None exactly where its column may be null."""
    rows = await make.rows(
        """SELECT table_name, column_name, is_nullable FROM information_schema.columns
            WHERE table_schema = current_schema()"""
    )
    tables: dict[str, dict[str, bool]] = {}
    for row in rows:
        tables.setdefault(row["table_name"], {})[row["column_name"]] = row["is_nullable"] == "YES"
    found: set[str] = set()
    for module in _modules(".model"):
        for name, struct in inspect.getmembers(module, inspect.isclass):
            if issubclass(struct, Struct) and struct.__module__ == module.__name__ and name in ROWS:
                found.add(name)
                hints = get_type_hints(struct)
                assert {field: _is_nullable(hints[field]) for field in hints} == tables[ROWS[name]], name
    assert found == set(ROWS)


def _is_nullable(hint: Any) -> bool:
    return get_origin(hint) in (UnionType, Union) and type(None) in get_args(hint)


async def test_without_a_team_the_server_sees_nothing(db: Database, make: Make, people: People) -> None:
    """The second lock: a forgotten WHERE shows nothing, in every table that belongs to teams."""
    await make.lead(tags=["a"], segments=["s"], content="n", emails=["a@example.com"], welcomeEmail=True)
    tables = await make.rows(
        """SELECT c.relname AS name, c.relrowsecurity AS is_guarded FROM pg_class c
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_id'
            WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"""
    )
    assert all(table["is_guarded"] for table in tables)
    names = [table["name"] for table in tables]
    assert {"lead", "api_key", "announcement", "lead_search", "lead_tally"} <= set(names)
    filled = 0
    for name in [*names, "team"]:
        filled += (await make.rows(f"SELECT count(*) FROM {name}"))[0][0] > 0
        async with db.unscoped() as tx:
            assert await tx.fetchval(f"SELECT count(*) FROM {name}") == 0, name
        column = "id" if name == "team" else "team_id"
        async with db.reading(people.stella.team_id) as tx:
            seen = await tx.fetchval(f"SELECT count(*) FROM {name} WHERE {column} <> $1", people.stella.team_id)
            assert seen == 0, name
    assert filled > 12, "the test looked at tables that hold something"


async def test_the_server_cannot_write_for_another_team(db: Database, people: People) -> None:
    async with db.reading(people.olive.team_id) as tx:
        with pytest.raises(Exception, match="row-level security"):
            await tx.execute("INSERT INTO stage (team_id, name, position) VALUES ($1, 'x', 9)", people.stella.team_id)


def test_every_error_has_its_own_code_and_name() -> None:
    errors = [error for module in _modules("errors") for _, error in inspect.getmembers(module, inspect.isclass)]
    kinds = {error for error in errors if issubclass(error, ApiError) and error is not ApiError}
    names = [kind.name for kind in kinds if kind.__base__ is ApiError]  # others say the same with another status
    assert len(set(names)) == len(names)
    assert all(kind.text for kind in kinds)
