"""Single commands, against a database of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from tests.conftest import fresh_database

from rooftree.cli.founding import found
from rooftree.cli.serve import _first_team
from rooftree.platform.database import Database
from rooftree.platform.migrations import shipped
from rooftree.team.actions import TeamError

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
async def url(server_dsn: str) -> str:
    """A migrated database without a team."""
    return await fresh_database(server_dsn)


@pytest.fixture
def run(url: str) -> Run:
    """Run `rooftree ...` on it."""

    def _run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ROOFTREE_")}
        return subprocess.run(
            [sys.executable, "-m", "rooftree", *args],
            env={**inherited, "ROOFTREE_DATABASE_URL": url, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return _run


async def _found(url: str) -> Database:
    owner = await Database.connect(url, server_role=False, min_size=0, max_size=3)
    await found(owner, name="Realty", owner_email="olive@example.com", owner_first_name="Olive")
    return owner


async def _execute(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


async def test_founding_is_all_or_nothing(url: str) -> None:
    owner = await _found(url)
    with pytest.raises(TeamError):
        await found(owner, name="Half", owner_email="olive@example.com")
    async with owner.unscoped() as tx:
        assert await tx.fetchval("SELECT count(*) FROM team") == 1
        assert await tx.fetchval("SELECT count(DISTINCT team_id) FROM custom_role") == 1
    await owner.close()


async def test_one_of_several_first_runs_makes_the_team(url: str) -> None:
    owners = [await Database.connect(url, server_role=False, min_size=0, max_size=3) for _ in range(3)]
    made = await asyncio.gather(*(_first_team(owner) for owner in owners))
    assert sum(first is not None for first in made) == 1
    for owner in owners:
        await owner.close()


async def test_people_come_and_go(url: str, run: Run) -> None:
    owner = await _found(url)
    assert run("users", "add", "nobody", "--first-name", "N").stderr.count("not an e-mail address") == 1
    assert run("users", "add", "ana@example.com", "--first-name", "Ana", "--role", "king").returncode == 1
    assert run("users", "add", "ana@example.com", "--first-name", "Ana", "--office", "North").returncode == 0
    assert "taken" in run("users", "add", "ANA@example.com", "--first-name", "Ana").stderr
    key = "INSERT INTO api_key (team_id, member_id, name, key_hash, last_four) SELECT team_id, id, 'x', 'x', 'x'"
    await _execute(url, f"{key} FROM member WHERE role = 'agent'")
    assert run("users", "deactivate", "ana@example.com").returncode == 0
    async with owner.unscoped() as tx:
        assert await tx.fetchval("SELECT count(*) FROM api_key WHERE revoked_at IS NOT NULL") == 1
        told = await tx.fetch("SELECT verb FROM announcement WHERE list_id = 1 ORDER BY id")
    assert [row["verb"] for row in told] == ["createdAgent", "updatedAgent"]
    assert "deactivated before" in run("users", "deactivate", "ana@example.com").stderr
    assert run("users", "reactivate", "ana@example.com").returncode == 0
    assert "has access already" in run("users", "reactivate", "ana@example.com").stderr
    assert "cannot be deactivated" in run("users", "deactivate", "olive@example.com").stderr
    await owner.close()


async def test_keys_are_made_shown_once_and_revoked(url: str, run: Run) -> None:
    owner = await _found(url)
    plain = run("keys", "create", "--name", "x", "--expires", "90d", "--plain")
    assert plain.stdout.count("\n") == 1
    assert plain.stdout.startswith("eyJ")
    assert run("keys", "create", "--name", "x", "--expires", "soon").returncode == 1
    assert run("keys", "create", "--name", "x", "--user", "nobody@example.com").returncode == 1
    listed = run("keys", "list").stdout
    assert plain.stdout.strip() not in listed
    async with owner.unscoped() as tx:
        key_id = await tx.fetchval("SELECT id FROM api_key")
    assert run("keys", "revoke", str(key_id)).returncode == 0
    assert run("keys", "revoke", str(key_id)).returncode == 1
    assert "revoked" in run("keys", "list").stdout
    await owner.close()


async def test_doctor_is_content(url: str, run: Run) -> None:
    owner = await _found(url)
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert "!!" not in done.stdout
    await owner.close()


async def test_doctor_finds_what_is_broken(url: str, run: Run) -> None:
    owner = await _found(url)
    await owner.close()
    await _execute(url, "ALTER TABLE note DISABLE ROW LEVEL SECURITY; DROP POLICY own_team ON office")
    await _execute(url, "INSERT INTO lead_tally SELECT id, '', 1, NULL, NULL, 'TEAM', id, false, false, 1 FROM team")
    done = run("doctor")
    assert done.returncode == 1
    assert done.stdout.count("Do:") == 2
    assert "off on note, office" in done.stdout or "off on office, note" in done.stdout
    assert "1 teams are miscounted" in done.stdout


async def test_doctor_finds_another_schema_and_leaves_it(url: str, run: Run) -> None:
    await _execute(url, f"DELETE FROM schema_migration WHERE name = '{shipped()[-1].name}'")
    for _ in range(2):
        done = run("doctor")
        assert (done.returncode, "lacks 1 migrations" in done.stdout) == (1, True), done.stdout
    await _execute(url, "INSERT INTO schema_migration (name, checksum) VALUES ('9999_x.sql', '')")
    assert "newer Rooftree" in run("doctor").stdout


def test_doctor_without_a_database(run: Run, tmp_path: Path) -> None:
    gone = run("doctor", ROOFTREE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/x")
    assert gone.returncode == 1
    assert "does not answer" in gone.stdout
    never = run("doctor", ROOFTREE_DATABASE_URL="", ROOFTREE_DATA_DIR=str(tmp_path / "none"))
    assert never.returncode == 1
    assert "rooftree serve makes one" in never.stdout
    assert not (tmp_path / "none").exists()


async def test_no_command_migrates_by_the_way(url: str, run: Run) -> None:
    await _execute(url, f"DELETE FROM schema_migration WHERE name = '{shipped()[-1].name}'")
    done = run("keys", "list")
    assert done.returncode == 1
    assert "run rooftree migrate" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("serve", "--port", "70000"), "65535"),
        (("serve", "--workers", "0"), "greater than or equal to 1"),
        (("keys", "list"), "no team yet"),
        (("seed",), "no team yet"),
        (("leads", "restore", "x"), "valid integer"),
    ],
)
def test_what_cannot_be_is_said_without_a_traceback(run: Run, args: tuple[str, ...], said: str) -> None:
    done = run(*args)
    assert done.returncode != 0
    assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


async def test_seeding_twice_brings_other_people(url: str, run: Run) -> None:
    owner = await _found(url)
    for _ in range(2):
        assert run("seed", "--leads", "30").returncode == 0
    async with owner.unscoped() as tx:
        assert await tx.fetchval("SELECT count(*) FROM lead") == 60
        assert await tx.fetchval("SELECT count(DISTINCT emails[1]) FROM lead") == 60
    assert "miscounted" not in run("doctor").stdout
    await owner.close()
