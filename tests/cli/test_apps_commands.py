"""rooftree apps, and what came with it to keys and users."""

import asyncio
import uuid
from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from rooftree.auth.signing_in import Doorkeeper
from rooftree.cli import app
from rooftree.cli.founding import found
from rooftree.platform.database import Database
from rooftree.team.model import Member

Run = Callable[..., Result]
CALLBACK = "https://app.example.com/callback"


async def _found(dsn: str) -> Member:
    owner = await Database.connect(dsn, min_size=0, max_size=2, server_role=False)
    try:
        return await found(owner, name="Realty", owner_email=f"olive.{uuid.uuid4().hex[:8]}@example.com")
    finally:
        await owner.close()


@pytest.fixture
def olive(dsn: str) -> Member:
    """The owner of a team."""
    return asyncio.run(_found(dsn))


@pytest.fixture
def run(dsn: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `rooftree ...`, and expect it to succeed unless `code` says otherwise."""
    monkeypatch.setenv("ROOFTREE_DATABASE_URL", dsn)

    def _run(*args: str, code: int = 0, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, args, input=stdin)
        assert result.exit_code == code, result.output
        return result

    return _run


def test_an_application_from_its_making_to_its_end(run: Run, olive: Member) -> None:
    team = ("--team-of", olive.email)
    made = run("apps", "create", "Mailer", "--redirect-uri", CALLBACK, "--scope", "leads", "--plain", *team)
    client_id, secret = made.stdout.split()
    assert len(secret) == 43
    shown = run("apps", "show", client_id).stdout
    for fact in ("Mailer", "development", "Leads", CALLBACK, "with a secret", "that of its mode", "stay"):
        assert fact in shown
    assert secret not in shown + run("apps", "list", *team).stdout
    assert client_id in run("apps", "list", *team).stdout

    other = run("apps", "rotate", client_id).stdout.strip()
    assert len(other) == 43
    assert other != secret
    run("apps", "mode", client_id, "Production")
    run("apps", "change", client_id, "--name", "Post", "--all-scopes", "--limit", "7", "--description", "Sends mail")
    shown = run("apps", "show", client_id).stdout
    for fact in ("Post", "production", "all", CALLBACK, "7", "Sends mail"):
        assert fact in shown
    run("apps", "change", client_id, "--scope", "Notes", "--limit", "0", "--redirect-uri", CALLBACK + "/2")
    assert "Notes" in run("apps", "show", client_id).stdout

    assert "is not connected" in run("apps", "disconnect", client_id, olive.email, code=1).output
    run("apps", "delete", client_id)
    assert "There is no application" in run("apps", "show", client_id, code=1).output


def test_a_public_one_has_no_secret(run: Run, olive: Member) -> None:
    team = ("--team-of", olive.email)
    made = run("apps", "create", "Phone", "--public", "--rotating", "--redirect-uri", "com.example.app:/back", *team)
    client_id = made.stdout.split()[1]
    assert "client_secret" not in made.output
    assert "rotate" in run("apps", "show", client_id).stdout
    assert "has no secret" in run("apps", "rotate", client_id, code=1).output


def test_what_cannot_be_is_said_in_a_sentence(run: Run, olive: Member) -> None:
    create = ("apps", "create", "--team-of", olive.email)
    assert "needs a redirect URI" in run(*create, "X", "--public", code=1).output
    assert "must be https" in run(*create, "X", "--redirect-uri", "http://example.com/", code=1).output
    assert "no scope 'Nonsense'" in run(*create, "X", "--scope", "Nonsense", code=1).output
    assert "1 to 100 characters" in run(*create, " ", code=1).output
    client_id = run(*create, "X", "--plain").stdout.split()[0]
    assert "development or in production" in run("apps", "mode", client_id, "beta", code=1).output


def test_a_password_and_a_key_with_scopes(run: Run, olive: Member, dsn: str) -> None:
    assert "12 to 1000" in run("users", "password", olive.email, "--stdin", stdin="short\n", code=1).output
    run("users", "password", olive.email, "--stdin", stdin="correct horse battery\n")
    run("users", "password", olive.email, stdin="correct horse stable\ncorrect horse stable\n")
    assert asyncio.run(_signs_in(dsn, olive.email, "correct horse stable"))
    assert not asyncio.run(_signs_in(dsn, olive.email, "correct horse battery"))
    create = ("keys", "create", "--name", "x", "--user", olive.email)
    run(*create, "--scope", "Leads")
    assert "no scope 'Nonsense'" in run(*create, "--scope", "Nonsense", code=1).output


async def _signs_in(dsn: str, login: str, password: str) -> bool:
    database = await Database.connect(dsn, min_size=0, max_size=2)
    try:
        return await Doorkeeper(database).sign_in(login, password) is not None
    finally:
        await database.close()
