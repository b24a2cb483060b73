"""rooftree duplicates: scan, list, merge, undo."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from tests.cli.test_commands import _found, url  # noqa: F401 - fixture
from typer.testing import CliRunner, Result

from rooftree.cli import app
from rooftree.leads.actions import create_lead, seed_stages
from rooftree.leads.wire import LeadRequest
from rooftree.platform.actor import Actor

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(url: str) -> Run:  # noqa: F811
    """Run `rooftree duplicates ...` in this process, which is quicker than another one."""

    async def _run(*args: str) -> Result:
        environment = {"ROOFTREE_DATABASE_URL": url}
        return await asyncio.to_thread(CliRunner().invoke, app, ["duplicates", *args], env=environment)

    return _run


async def test_from_the_scan_to_the_undoing(url: str, run: Run) -> None:  # noqa: F811
    owner = await _found(url)
    async with owner.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, id FROM member")
    assert row is not None
    actor = Actor(row["team_id"], row["id"], "owner", None, [], [row["id"]], "UTC")
    async with owner.transaction(actor.team_id) as tx:
        if not await tx.fetchval("SELECT count(*) FROM stage"):
            await seed_stages(tx)
        requests = [
            LeadRequest(first_name=name, last_name="Smith", emails=["jon@x.example"]) for name in ("Jon", "Johnny")
        ]
        stays, goes = [(await create_lead(tx, actor, request, region="US")).id for request in requests]
    scanned = await run("scan")
    assert "Compared 2 leads. 1 pairs" in scanned.stderr, scanned.stderr
    assert "Compared 2 leads." in (await run("scan", "--all")).stderr
    listed = (await run("list")).stdout
    assert "Same e-mail address: jon@x.example" in listed
    assert (await run("merge", str(stays), str(goes), "--choose", "firstName")).exit_code == 1
    assert "shoe" in (await run("merge", str(stays), str(goes), "--choose", "shoe=other")).stderr
    preview = await run("merge", str(stays), str(goes), "--choose", "firstName=other", "--preview")
    assert "Nothing was changed." in preview.stderr
    assert "Johnny" in preview.stdout
    merged = await run("merge", str(stays), str(goes), "--choose", "firstName=other")
    found = re.search(r"undo (\d+)", merged.stderr)
    assert found, merged.stderr
    assert "does not exist" in (await run("merge", str(stays), str(goes))).stderr
    assert f"Lead {goes} is back." in (await run("undo", found[1])).stderr
    assert "undone before" in (await run("undo", found[1])).stderr
    async with owner.reading(actor.team_id) as tx:
        names = await tx.fetch("SELECT first_name FROM lead WHERE trashed_at IS NULL ORDER BY id")
    assert [name[0] for name in names] == ["Jon", "Johnny"]
    await owner.close()
