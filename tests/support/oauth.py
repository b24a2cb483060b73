"""An OAuth application's side of things, and the browser of somebody who is asked for consent."""

import base64
import re
import secrets
from functools import cache
from html import unescape
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from msgspec import Struct

from rooftree.app import create_app
from rooftree.auth import applications, store
from rooftree.auth.api import Door
from rooftree.auth.granting import hash_of
from rooftree.auth.model import OauthApp
from rooftree.platform.database import Database
from rooftree.platform.http.contract import grantable
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.settings import Settings
from tests.support.client import Client
from tests.support.people import Person

CALLBACK = "https://app.example.com/callback?tenant=1"
LOOPBACK = "http://127.0.0.1:8000/callback"
VERIFIER = "abcdefghijklmnopqrstuvwxyz-._~0123456789-ABCDEF"
CHALLENGE = create_s256_code_challenge(VERIFIER)
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@cache
def _built(secret: bytes) -> RequestIds:
    return create_app(Settings(auth_failures_per_minute=1_000_000), cast(Database, None), secret)


def served(database: Database, secret: bytes) -> RequestIds:
    """The application, built once and given each test's connections: building it takes longer than a test."""
    app = _built(secret)
    app.state.database = database
    app.state.oauth = Door(secret, app.state.settings, database)
    return app


class App(Struct):
    """An application with its secret."""

    row: OauthApp
    secret: str | None

    @property
    def proof(self) -> dict[str, str]:
        """What it proves itself with, among the parameters."""
        return {"client_id": self.row.client_id, **({"client_secret": self.secret} if self.secret else {})}

    @property
    def basic(self) -> dict[str, str]:
        """The same as a header."""
        pair = base64.b64encode(f"{self.row.client_id}:{self.secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


async def make_app(owner_db: Database, person: Person, **fields: Any) -> App:
    """Make an application in somebody's team."""
    fields = {"name": "Mailer", "redirect_uris": [CALLBACK, LOOPBACK], "known_grants": grantable(), **fields}
    async with owner_db.transaction(person.team_id) as tx:
        return App(*await applications.make_app(tx, **fields))


async def change_app(owner_db: Database, app: App, **fields: Any) -> None:
    """Change an application as the command line does; `grants` too."""
    async with owner_db.transaction(app.row.team_id) as tx:
        if "grants" in fields:
            app.row = await applications.grant_app(tx, app.row, fields.pop("grants"), grantable())
        app.row = await applications.change_app(tx, app.row, **fields)


def with_token(person: Person, token: str) -> Person:
    """The same person, speaking by another credential."""
    return Person(person.name, person.team_id, person.id, person.email, person.office_id, token)


async def ask(client: Client, params: dict[str, str], *, path: str = "/oauth/token", **headers: str) -> httpx.Response:
    """Send a form to an endpoint of tokens."""
    return await client.as_(None).send("POST", path, content=urlencode(params).encode(), headers=headers)


async def error_of(client: Client, params: dict[str, str], **kwargs: Any) -> tuple[int, str]:
    """Ask, expect a refusal, return status and error."""
    answer = await ask(client, params, **kwargs)
    assert answer.status_code >= 400, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()["error"]


async def tokens_of(client: Client, params: dict[str, str], **kwargs: Any) -> dict[str, Any]:
    """Ask, expect tokens."""
    answer = await ask(client, params, **kwargs)
    assert answer.status_code == 200, answer.text
    return answer.json()


class Browser:
    """A browser with its cookies."""

    def __init__(self, app: RequestIds, *, base_url: str = "http://rooftree.test") -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self.http = httpx.AsyncClient(transport=transport, base_url=base_url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def be(self, db: Database, person: Person) -> None:
        """Be signed in, without the form."""
        cookie = secrets.token_urlsafe(32)
        async with db.transaction(person.team_id) as tx:
            await store.insert_session(tx, person.id, hash_of(cookie), 3600)
        self.http.cookies.clear()
        self.http.cookies.set("rooftree", cookie)

    async def open(self, app: App, *, path: str = "/oauth/authorize", **params: str | None) -> httpx.Response:
        """Open the page of consent."""
        whole = {"client_id": app.row.client_id, "redirect_uri": CALLBACK, **params}
        return await self.http.get(path, params={name: value for name, value in whole.items() if value is not None})

    async def press(self, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
        """Press the button of a page's form."""
        return await self.http.post(action, data={**hidden(page, action), **fields})

    async def consent(self, app: App, *, answer: str = "allow", **params: str | None) -> dict[str, str]:
        """Open the page, answer, and return what the application gets to know."""
        page = await self.open(app, **params)
        assert page.status_code == 200, page.text
        return went(await self.press(page, "/oauth/consent", answer=answer), params.get("redirect_uri", CALLBACK))

    async def code(self, app: App, **params: str | None) -> str:
        """Consent, and return the code."""
        return (await self.consent(app, **params))["code"]


def hidden(page: httpx.Response, action: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    form = next(form for form in re.findall(r"<form.*?</form>", page.text, re.DOTALL) if f'action="{action}"' in form)
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in found}


def went(answer: httpx.Response, to: str | None) -> dict[str, str]:
    """The parameters that a redirect adds to where it leads."""
    assert answer.status_code == 303, answer.text
    there, expected = urlsplit(answer.headers["location"]), urlsplit(to or CALLBACK)
    assert there[:3] == expected[:3]
    known = parse_qsl(expected.query)
    pairs = parse_qsl(there.query, keep_blank_values=True)
    assert pairs[: len(known)] == known
    return dict(pairs[len(known) :])
