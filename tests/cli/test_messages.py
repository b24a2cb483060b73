"""The commands about messages, accounts, numbers, the tray and held jobs."""

from pathlib import Path

import pytest
from tests.cli.test_commands import Run, _execute, _found, run, url  # noqa: F401 - fixtures

from rooftree.messaging.actions import keep_arrival, queue_message
from rooftree.messaging.model import NewMessage
from rooftree.platform.vault import open_vault


async def test_the_outbox_is_listed_and_shown(url: str, run: Run) -> None:  # noqa: F811
    owner = await _found(url)
    async with owner.unscoped() as tx:
        team_id = await tx.fetchval("SELECT id FROM team")
    async with owner.transaction(team_id) as tx:
        message = NewMessage(None, None, "email", "manual", "jane@example.com", "Hello [b]you[/b]", "First\nSecond")
        message_id = await queue_message(tx, message)
    listed = run("outbox", "list").stdout
    assert "jane@example.com" in listed
    assert "Hello [b]you[/b]" in listed
    assert "queued" in listed
    assert "jane" not in run("outbox", "list", "--state", "sent").stdout
    shown = run("outbox", "show", str(message_id)).stdout
    assert "First\nSecond" in shown
    assert run("outbox", "show", "1").returncode == 1
    await owner.close()


async def test_the_tray_is_listed_and_emptied(url: str, run: Run) -> None:  # noqa: F811
    owner = await _found(url)
    async with owner.unscoped() as tx:
        team_id = await tx.fetchval("SELECT id FROM team")
    async with owner.transaction(team_id) as tx:
        arrival = await keep_arrival(
            tx, channel="sms", provider_id="1", sender="+13125550199", recipient="+15125550100", body="For sale?"
        )
        assert arrival is not None
    assert "For sale?" in run("tray", "list").stdout
    assert run("tray", "dismiss", str(arrival.id)).returncode == 0
    assert "For sale?" not in run("tray", "list").stdout
    assert run("tray", "dismiss", "1").returncode == 1
    async with owner.unscoped() as tx:
        assert await tx.fetchval("SELECT count(*) FROM arrival") == 1, "dismissed, and kept"
    await owner.close()


async def test_accounts_are_stored_encrypted(url: str, run: Run, tmp_path: Path) -> None:  # noqa: F811
    owner = await _found(url)
    place = {"ROOFTREE_DATA_DIR": str(tmp_path)}
    account = "smtp://adam:s3cret@mail.example.com:587"
    done = run("mail", "add", account, "--from", "team@example.com", **place)
    assert done.returncode == 0, done.stderr
    assert run("mail", "add", account, "--user", "olive@example.com", **place).returncode == 0
    listed = run("mail", "list", **place).stdout
    assert "mail.example.com:587" in listed
    assert "olive@example.com" in listed
    assert "s3cret" not in listed
    async with owner.unscoped() as tx:
        sealed = await tx.fetchval("SELECT url FROM mail_account WHERE member_id = 0")
    assert b"s3cret" not in sealed
    assert open_vault("", tmp_path).open(sealed) == account
    assert run("mail", "remove", **place).returncode == 0
    assert run("mail", "remove", **place).returncode == 1
    wrong = run("mail", "add", "smtp://u:s3cret@h:port", **place)
    assert wrong.returncode == 1
    assert "s3cret" not in wrong.stderr
    assert run("mail", "add", account, "--user", "nobody@example.com", **place).returncode == 1
    await owner.close()


async def test_a_number_belongs_to_one(url: str, run: Run) -> None:  # noqa: F811
    owner = await _found(url)
    assert run("users", "add", "ana@example.com", "--first-name", "Ana").returncode == 0
    assert "+15125550100" in run("users", "number", "ana@example.com", "(512) 555-0100").stderr
    assert "somebody else's" in run("users", "number", "olive@example.com", "+15125550100").stderr
    assert run("users", "number", "olive@example.com", "nonsense").returncode == 1
    assert run("users", "number", "ana@example.com", "").returncode == 0
    assert run("users", "number", "olive@example.com", "+15125550100").returncode == 0
    await owner.close()


async def test_held_jobs_are_listed_and_tried_again(url: str, run: Run) -> None:  # noqa: F811
    owner = await _found(url)
    await _execute(
        url,
        """INSERT INTO job (team_id, id, name, args, attempts, held_at, error)
           SELECT id, 77, 'send_message', '{"message_id": 5}', 10, now(), 'ValueError: what went wrong' FROM team""",
    )
    listed = run("jobs", "list").stdout
    assert "what went wrong" in listed
    doctor = run("doctor")
    assert doctor.returncode == 1
    assert "1 jobs are held" in doctor.stdout
    assert run("jobs", "retry", "77").returncode == 0
    assert run("jobs", "retry", "77").returncode == 1
    assert run("doctor").returncode == 0
    await owner.close()


@pytest.mark.parametrize(
    ("args", "environment", "said"),
    [
        (("--smtp-in", "127.0.0.1:2525"), {}, "ROOFTREE_EMAIL_IN_DOMAIN"),
        (("--smtp-in", "here"), {"ROOFTREE_EMAIL_IN_DOMAIN": "in.test"}, "HOST:PORT"),
        ((), {"ROOFTREE_SMS_PROVIDER": "twilio"}, "wilio"),
        ((), {"ROOFTREE_BLOB_URL": "ftp://x"}, "ROOFTREE_BLOB_URL"),
        ((), {"ROOFTREE_QUIET_HOURS": "25:00-08:00"}, "ROOFTREE_QUIET_HOURS"),
    ],
)
def test_a_worker_that_cannot_be_says_why(
    run: Run,  # noqa: F811
    args: tuple[str, ...],
    environment: dict[str, str],
    said: str,
) -> None:
    done = run("worker", *args, **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
