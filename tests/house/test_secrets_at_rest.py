"""Whoever gets hold of the database gets hold of no secret: one of everything is made, and the whole of it searched."""

import base64
import secrets
from pathlib import Path
from typing import Any

import asyncpg
from tests.conftest import fresh_database
from tests.support.installation import Installation, installation
from tests.support.oauth import CALLBACK, PKCE, VERIFIER, Browser, hidden, make_app, tokens_of

from rooftree.auth.signing_in import set_password
from rooftree.messaging.actions import set_account
from rooftree.webhooks.secrets import vault_of

#: Columns whose names speak of secrets, and what they hold instead. A new one belongs here, with its secret made below.
KEPT = {
    "api_key.key_hash": "hash",
    "mail_account.url": "encrypted",
    "member_password.password_hash": "hash",
    "oauth_access.token_hash": "hash",
    "oauth_app.secret_hash": "hash",
    "oauth_code.code_hash": "hash",
    "oauth_refresh.token_hash": "hash",
    "web_session.token_hash": "hash",
    "webhook.old_secret": "encrypted",
    "webhook.secret": "encrypted",
}
#: Columns of such names that hold none.
NO_SECRET = {
    "lead_search.tokens": "fragments of names",
    "lead_import.content_hash": "of a file",
    "webhook.old_secret_until": "a moment",
}
_WORDS = "(secret|token|passw|_hash|credential|private)"
PASSWORD = "a password that nobody else has"
SMTP = "smtp://adam:smtp-password-of-adam@mail.example.com:587"


async def test_no_secret_is_in_the_database(server_dsn: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "secret_key": secrets.token_urlsafe(),
        "inbound_secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "twilio_auth_token": secrets.token_hex(),
        "ai_key": secrets.token_urlsafe(),
        "webhook_allow_insecure": True,
        "public_url": "http://rooftree.test",
    }
    dsn = await fresh_database(server_dsn)
    async with installation(dsn, tmp_path, **settings) as home:
        made = await _one_of_everything(home, tmp_path)
        made += [str(settings[name]) for name in ("secret_key", "inbound_secret", "twilio_auth_token", "ai_key")]
    owner = await asyncpg.connect(dsn)
    try:
        whole, filled = await _everything(owner)
        suspicious = await _suspicious(owner)
    finally:
        await owner.close()
    assert suspicious == KEPT.keys() | NO_SECRET.keys()
    assert {name.partition(".")[0] for name in KEPT} <= filled, "one of everything was made"
    assert "Olive" in whole, "what is stored is found"
    for secret in made:
        assert secret not in whole
        assert secret.encode().hex() not in whole
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in whole


async def _one_of_everything(home: Installation, folder: Path) -> list[str]:
    """Make each kind of secret and use it; return all that must not be found."""
    people = home.people
    app = await make_app(home.owner_db, people.olive)
    async with home.owner_db.transaction(people.adam.team_id) as tx:
        await set_password(tx, people.adam.id, PASSWORD)
        await set_account(tx, people.adam.id, vault_of(home.settings).seal(SMTP), None)
    async with Browser(home.app) as browser:
        page = await browser.open(app, response_type="code", **PKCE)
        signing_in = {**hidden(page, "/oauth/sign-in"), "login": people.adam.email, "password": PASSWORD}
        assert (await browser.http.post("/oauth/sign-in", data=signing_in)).status_code == 303
        codes = [(await browser.consent(app, response_type="code", **PKCE))["code"] for _ in range(2)]
        cookie = browser.http.cookies["rooftree"]
    exchange = {"grant_type": "authorization_code", "code": codes[0], "redirect_uri": CALLBACK, **app.proof}
    tokens = await tokens_of(home.client, {**exchange, "code_verifier": VERIFIER})
    hook = await home.client.ok("POST", "/v1.0/webhook", {"listId": 2, "callbackUrl": "http://127.0.0.1:9/x"})
    path = f"/rooftree/v1/webhooks/{hook['subscribeId']}/secret"
    hook_secrets = [(await home.client.ok(method, path))["secret"] for method in ("GET", "POST")]
    keys = [people.adam.key, people.olive.key]
    words = [PASSWORD, SMTP, "smtp-password-of-adam", VERIFIER, cookie, app.secret or "", *codes, *hook_secrets, *keys]
    return [*words, tokens["access_token"], tokens["refresh_token"]]


async def _everything(owner: asyncpg.Connection) -> tuple[str, set[str]]:
    """Return the text of every row of every table, past row-level security, and the tables that have rows."""
    tables = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
    )
    found = {
        table["relname"]: await owner.fetchval(f"SELECT string_agg(t::text, E'\n') FROM {table['relname']} t")
        for table in tables
    }
    return "\n".join(text for text in found.values() if text), {name for name, text in found.items() if text}


async def _suspicious(owner: asyncpg.Connection) -> set[str]:
    rows = await owner.fetch(
        """SELECT table_name || '.' || column_name AS name FROM information_schema.columns
            WHERE table_schema = current_schema() AND column_name ~ $1""",
        _WORDS,
    )
    return {row["name"] for row in rows} | {"mail_account.url"}
