"""The whole way with a client library that others wrote, over a real server on loopback: Authlib's httpx client."""

import asyncio
import re
import socket
import warnings
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest
import uvicorn
from tests.support.oauth import LOOPBACK, VERIFIER, make_app
from tests.support.people import People

from rooftree.auth.signing_in import set_password
from rooftree.platform.database import Database
from rooftree.platform.http.logging import RequestIds

with warnings.catch_warnings():  # it prefers a successor of httpx, and says so
    warnings.simplefilter("ignore")
    from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError

PASSWORD = "correct horse battery"


@pytest.fixture
async def address(app: RequestIds) -> AsyncIterator[str]:
    """A server of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))  # type: ignore[arg-type]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


async def _consent(url: str, login: str) -> str:
    """Do what a person does in a browser; return where they are sent at last."""

    def form(page: httpx.Response) -> tuple[str, dict[str, str]]:
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
        return re.findall(r'action="([^"]+)"', page.text)[0], {name: unescape(value) for name, value in fields[:1]}

    async with httpx.AsyncClient(follow_redirects=True) as browser:
        page = await browser.get(url)
        action, fields = form(page)
        page = await browser.post(str(page.url.join(action)), data={**fields, "login": login, "password": PASSWORD})
        action, fields = form(page)
        data = {**fields, "answer": "allow"}
        answer = await browser.post(str(page.url.join(action)), data=data, follow_redirects=False)
        return answer.headers["location"]


@pytest.mark.parametrize("is_public", [False, True])
async def test_from_consent_to_revocation(address: str, owner_db: Database, people: People, is_public: bool) -> None:
    app = await make_app(owner_db, people.olive, redirect_uris=[LOOPBACK], is_public=is_public)
    async with owner_db.transaction(people.adam.team_id) as tx:
        await set_password(tx, people.adam.id, PASSWORD)
    async with AsyncOAuth2Client(
        app.row.client_id,
        app.secret,
        token_endpoint_auth_method="none" if is_public else "client_secret_basic",
        redirect_uri="http://127.0.0.1:51234/callback",
        code_challenge_method="S256",
        token_endpoint=f"{address}/oauth/token",
        revocation_endpoint_auth_method="none" if is_public else "client_secret_basic",
    ) as client:
        url, state = client.create_authorization_url(f"{address}/oauth/authorize", code_verifier=VERIFIER)
        back = await _consent(url, people.adam.email)
        token = await client.fetch_token(authorization_response=back, state=state, code_verifier=VERIFIER)
        assert token["expires_in"] == 7200
        assert (await client.get(f"{address}/v1.0/me")).json()["email"] == people.adam.email
        fresh = await client.refresh_token()
        assert fresh["refresh_token"] == token["refresh_token"]
        assert (await client.get(f"{address}/v1.0/me")).status_code == 200
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.fetch_token(authorization_response=back, state=state, code_verifier=VERIFIER)
        body = "" if not is_public else f"client_id={app.row.client_id}"
        answer = await client.revoke_token(f"{address}/oauth/revoke", token=fresh["refresh_token"], body=body)
        assert answer.status_code == 200
        client.token = fresh
        assert (await client.get(f"{address}/v1.0/me")).status_code == 401


async def test_client_credentials(address: str, owner_db: Database, people: People) -> None:
    app = await make_app(owner_db, people.olive)
    async with AsyncOAuth2Client(
        app.row.client_id,
        app.secret,
        token_endpoint_auth_method="client_secret_post",
        token_endpoint=f"{address}/api/user-web/oauth/token",
    ) as client:
        await client.fetch_token(grant_type="client_credentials", customer_key=people.ana.key)
        assert (await client.get(f"{address}/v1.0/me")).json()["email"] == people.ana.email
