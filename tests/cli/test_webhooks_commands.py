"""rooftree webhooks: what is subscribed to, signed, delivered, and made again."""

import base64
from datetime import UTC, datetime

from standardwebhooks import Webhook as Verifier
from tests.cli.test_commands import Run, _found, run, url  # noqa: F401 - fixtures
from tests.webhooks.conftest import SETTINGS

from rooftree.cli.webhooks import judged
from rooftree.webhooks import store
from rooftree.webhooks.secrets import new_secret, vault_of

KEY = {"ROOFTREE_SECRET_KEY": SETTINGS.secret_key}


async def test_a_subscription_is_shown_tried_and_replayed(url: str, run: Run) -> None:  # noqa: F811
    owner = await _found(url)
    async with owner.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, id FROM member WHERE role = 'owner'")
    assert row
    secret = new_secret()
    async with owner.transaction(row["team_id"]) as tx:
        made = await store.insert_webhook(
            tx,
            member_id=row["id"],
            list_id=2,
            callback_url="https://example.com/[hook]",
            batch_limit=100,
            permission_mode=0,
            secret=vault_of(SETTINGS).seal(secret),
        )
    listed = run("webhooks", "list").stdout
    assert str(made.id) in listed
    assert "active" in listed
    assert run("webhooks", "secret", str(made.id), **KEY).stdout.strip() == secret
    other = run("webhooks", "secret", str(made.id), "--renew", **KEY).stdout.strip()
    assert other.startswith("whsec_")
    assert other != secret
    assert run("webhooks", "test", str(made.id)).returncode == 0
    async with owner.unscoped() as tx:
        delivery_id = await tx.fetchval("UPDATE webhook_delivery SET state = 'failed' RETURNING id")
    assert str(delivery_id) in run("webhooks", "deliveries", "--state", "failed").stdout
    assert '"updatedLead"' in run("webhooks", "show", str(delivery_id)).stdout
    assert "1 deliveries" in run("webhooks", "replay", str(made.id)).stderr
    async with owner.unscoped() as tx:
        assert await tx.fetchval("SELECT state FROM webhook_delivery") == "waiting"
    for command in (("secret", "1"), ("show", "1"), ("replay", "1"), ("test", "1")):
        assert run("webhooks", *command, **KEY).returncode == 1
    await owner.close()


def test_a_listener_says_whether_a_signature_is_right() -> None:
    secret, other = new_secret(), "whsec_" + base64.b64encode(bytes(32)).decode()
    now, body = datetime.now(UTC), b'{"listId": 2}'
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Verifier(secret).sign("msg_1", now, body.decode()),
    }
    assert "right" in judged([Verifier(other), Verifier(secret)], body, headers)
    assert "wrong" in judged([Verifier(other)], body, headers)
    assert "not verified" in judged([], body, headers)
