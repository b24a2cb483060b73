"""The pages: signing in, consenting, disconnecting, and what nobody can make somebody else do. contract: auth.md 3.2"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from urllib.parse import urlencode

import httpx
import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.oauth import (
    CALLBACK,
    LOOPBACK,
    PKCE,
    App,
    Browser,
    change_app,
    error_of,
    hidden,
    make_app,
    served,
    tokens_of,
    went,
    with_token,
)
from tests.support.people import People, Person

from rooftree.app import create_app
from rooftree.auth import signing_in
from rooftree.auth.actions import revoke_keys_of
from rooftree.platform import clock
from rooftree.platform.database import Database
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.settings import Settings
from rooftree.team.actions import deactivate_member

PASSWORD = "correct horse battery"
PATHS = ("/oauth/authorize", "/page/vendor-auth.html", "/api/user-web/oauth/authorize")


@pytest.fixture
def app(db: Database, secret: bytes) -> RequestIds:
    """The application."""
    return served(db, secret)


@pytest.fixture
async def mailer(owner_db: Database, people: People) -> App:
    """An application of Adam's team."""
    return await make_app(owner_db, people.olive, description="Sends <b>mail</b>")


@pytest.fixture
async def stranger(app: RequestIds) -> AsyncIterator[Browser]:
    """A browser of nobody known."""
    async with Browser(app) as browser:
        yield browser


@pytest.fixture
async def adam(stranger: Browser, owner_db: Database, people: People) -> Browser:
    """Adam's browser; he is signed in."""
    await stranger.be(owner_db, people.adam)
    return stranger


async def _password(owner_db: Database, person: Person) -> None:
    async with owner_db.transaction(person.team_id) as tx:
        await signing_in.set_password(tx, person.id, PASSWORD)


def _is_page(answer: httpx.Response, status: int, text: str) -> bool:
    assert answer.status_code == status, answer.text
    assert "location" not in answer.headers
    return text in answer.text


# --- what every page is ----------------------------------------------------------------------------------------------


async def test_a_page_has_no_scripts_and_no_frame_around_it(adam: Browser, mailer: App) -> None:
    pages = [
        await adam.open(mailer),
        await adam.http.get("/oauth/connections"),
        await adam.http.get("/oauth/authorize"),
        await adam.press(await adam.open(mailer), "/oauth/consent", answer="deny"),
        await adam.http.post("/oauth/sign-in"),
    ]
    adam.http.cookies.clear()
    pages.append(await adam.open(mailer))
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        assert "<script" not in page.text
    assert "form-action 'self' https://app.example.com;" in pages[0].headers["content-security-policy"]
    assert "form-action 'self';" in pages[1].headers["content-security-policy"]


async def test_three_addresses_and_two_names_are_one_page(adam: Browser, mailer: App) -> None:
    for path, name in itertools.product(PATHS, ("clientId", "client_id")):
        page = await adam.http.get(path, params={name: mailer.row.client_id, "scope": "ignored"})
        assert _is_page(page, 200, "Connect Mailer?")
        assert "Sends &lt;b&gt;mail&lt;/b&gt;" in page.text
        assert "in development" in page.text
        assert went(await adam.press(page, "/oauth/consent", answer="allow"), CALLBACK).keys() == {"code"}


async def test_the_page_names_what_is_asked_for(adam: Browser, owner_db: Database, mailer: App) -> None:
    assert "everything that you can" in (await adam.open(mailer)).text
    await change_app(owner_db, mailer, grants=["Leads", "Notes"], mode="production", name='<script>"x"')
    page = (await adam.open(mailer)).text
    assert "<li>Leads</li><li>Notes</li>" in page
    assert "in development" not in page
    assert "&lt;script&gt;&quot;x&quot;" in page


# --- where people are sent -------------------------------------------------------------------------------------------


async def test_the_state_comes_back_unchanged(adam: Browser, mailer: App) -> None:
    for state in ("simple", "a b&c=d#e+f/%41?é€\n\"'<>", "x" * 2000):
        assert (await adam.consent(mailer, state=state, response_type="code"))["state"] == state
        assert await adam.consent(mailer, answer="deny", state=state) == {"error": "access_denied", "state": state}
        assert await adam.consent(mailer, answer="deny") == {"error": "access_denied"}


async def test_an_unknown_client_sends_nobody_anywhere(adam: Browser, mailer: App) -> None:
    for client_id in ("", "x", "a\0b", None):
        page = await adam.open(mailer, client_id=client_id)
        assert _is_page(page, 400, "no application")


async def test_a_redirect_uri_is_compared_letter_by_letter(adam: Browser, mailer: App) -> None:
    for uri in ("https://evil.com/callback?tenant=1", CALLBACK + "0", CALLBACK + "#x", "http://127.0.0.1:8000/other"):
        assert _is_page(await adam.open(mailer, redirect_uri=uri), 400, "has not registered")


async def test_the_port_of_loopback_does_not_count(client: Client, adam: Browser, mailer: App) -> None:
    for uri in (LOOPBACK, "http://127.0.0.1/callback", "http://127.0.0.1:51234/callback"):
        page = await adam.open(mailer, redirect_uri=uri)
        answer = await adam.press(page, "/oauth/consent", answer="allow")
        assert answer.headers["location"].startswith(uri + "?code=")
        code = went(answer, uri)["code"]
        params = {"grant_type": "authorization_code", "code": code, **mailer.proof}
        await tokens_of(client, {**params, "redirect_uri": uri})


async def test_one_parameter_with_two_values(adam: Browser, mailer: App) -> None:
    known = mailer.row.client_id
    for query in (
        f"client_id={known}&clientId=x",
        f"client_id={known}&{urlencode({'redirect_uri': CALLBACK})}&redirect_uri=x",
        "&".join(["a=1"] * 60),
    ):
        assert _is_page(await adam.http.get(f"/oauth/authorize?{query}"), 400, "twice")


WRONG: list[tuple[dict[str, str], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"code_challenge": PKCE["code_challenge"]}, "invalid_request"),
    ({**PKCE, "code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "S256"}, "invalid_request"),
    ({**PKCE, "code_challenge": "short"}, "invalid_request"),
    ({**PKCE, "code_challenge": PKCE["code_challenge"] + "\n"}, "invalid_request"),
]


async def test_the_application_is_told_what_it_asked_wrongly(stranger: Browser, mailer: App) -> None:
    for params, error in WRONG:
        told = went(await stranger.open(mailer, state="s", **params), CALLBACK)
        assert (told["error"], told["state"]) == (error, "s")


async def test_a_public_client_needs_a_challenge(stranger: Browser, owner_db: Database, people: People) -> None:
    phone = await make_app(owner_db, people.olive, is_public=True, redirect_uris=["com.example.app:/back"])
    answer = await stranger.open(phone, redirect_uri=None)
    assert answer.headers["location"].startswith("com.example.app:/back?error=invalid_request")
    await stranger.be(owner_db, people.adam)
    page = await stranger.open(phone, redirect_uri=None, **PKCE)
    assert "form-action 'self' com.example.app:;" in page.headers["content-security-policy"]
    answer = await stranger.press(page, "/oauth/consent", answer="allow")
    assert answer.headers["location"].startswith("com.example.app:/back?code=")


async def test_an_application_without_a_redirect_has_no_page(adam: Browser, owner_db: Database, people: People) -> None:
    app = await make_app(owner_db, people.olive, redirect_uris=[])
    assert _is_page(await adam.open(app, redirect_uri=None), 400, "has not registered")


async def test_another_teams_application(
    stranger: Browser, owner_db: Database, people: People, mailer: App, client: Client
) -> None:
    await stranger.be(owner_db, people.stella)
    assert _is_page(await stranger.open(mailer), 403, "not one of your company")
    foreign = await make_app(owner_db, people.stella)
    theirs = await stranger.open(foreign)
    await stranger.be(owner_db, people.adam)
    answer = await stranger.press(theirs, "/oauth/consent", answer="allow")
    assert _is_page(answer, 403, "not signed in any more")
    key = {"grant_type": "client_credentials", "customer_key": people.adam.key}
    assert await error_of(client, {**key, **foreign.proof}) == (400, "invalid_grant")


# --- signing in ------------------------------------------------------------------------------------------------------


async def test_signing_in_leads_to_the_page_that_was_asked_for(
    stranger: Browser, owner_db: Database, people: People, mailer: App
) -> None:
    await _password(owner_db, people.adam)
    page = await stranger.open(mailer, path="/page/vendor-auth.html", state="a&b=c")
    assert _is_page(page, 200, "To connect <b>Mailer</b>")
    wrong = await stranger.press(page, "/oauth/sign-in", login=people.adam.email, password="wrong")
    assert _is_page(wrong, 403, "Wrong e-mail or password")
    right = await stranger.press(wrong, "/oauth/sign-in", login=people.adam.email.upper(), password=PASSWORD)
    assert right.status_code == 303
    (cookie,) = (one for one in right.headers.get_list("set-cookie") if one.startswith("rooftree="))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    page = await stranger.http.get(right.headers["location"])
    assert _is_page(page, 200, "Connect Mailer?")
    assert went(await stranger.press(page, "/oauth/consent", answer="allow"), CALLBACK)["state"] == "a&b=c"


async def test_on_https_the_cookie_never_leaves_it(
    db: Database, secret: bytes, owner_db: Database, people: People, mailer: App
) -> None:
    await _password(owner_db, people.adam)
    app = create_app(Settings(public_url="https://crm.example.com"), db, secret)
    async with Browser(app, base_url="https://rooftree.test") as browser:
        page = await browser.open(mailer)
        answer = await browser.press(page, "/oauth/sign-in", login=people.adam.email, password=PASSWORD)
        cookies = [*page.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")]
        assert [one.partition("=")[0] for one in cookies] == ["__Host-rooftree-visit", "__Host-rooftree"]
        assert all({"HttpOnly", "Secure", "SameSite=lax"} <= set(one.split("; ")) for one in cookies)
        assert _is_page(await browser.http.get(answer.headers["location"]), 200, "Connect Mailer?")


async def test_nobody_learns_who_has_an_account(
    stranger: Browser, owner_db: Database, people: People, mailer: App
) -> None:
    """Unknown, without a password, shut out: one answer."""
    await _password(owner_db, people.ana)
    async with owner_db.transaction(people.ana.team_id) as tx:
        await tx.execute("UPDATE member SET status = 'deactivated' WHERE id = $1", people.ana.id)
    told = set()
    page = await stranger.open(mailer)
    for login in ("nobody@example.com", people.otto.email, people.ana.email):
        answer = await stranger.press(page, "/oauth/sign-in", login=login, password=PASSWORD)
        assert _is_page(answer, 403, "Wrong e-mail or password")
        told.add(answer.text.replace(login, "").replace(hidden(answer, "/oauth/sign-in")["knock"], ""))
    assert len(told) == 1


async def test_guessing_a_password_ends_after_ten(
    stranger: Browser, owner_db: Database, people: People, mailer: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then not even the right one is looked at, until the next minute."""
    await _password(owner_db, people.adam)
    page = await stranger.open(mailer)
    monkeypatch.setattr(signing_in, "_is_right", lambda password_hash, password: password == PASSWORD)
    login = {"login": people.adam.email}
    tried = [await stranger.press(page, "/oauth/sign-in", **login, password="x") for _ in range(10)]
    assert {answer.status_code for answer in tried} == {403}
    assert _is_page(await stranger.press(page, "/oauth/sign-in", **login, password=PASSWORD), 429, "Wait a minute")
    other = await stranger.press(page, "/oauth/sign-in", login=people.ana.email, password="x")
    assert other.status_code == 403


async def test_a_form_belongs_to_the_browser_it_was_shown_to(
    app: RequestIds, stranger: Browser, owner_db: Database, people: People, mailer: App
) -> None:
    """Nobody is signed in as somebody else by a form that another page sends."""
    await _password(owner_db, people.adam)
    page = await stranger.open(mailer)
    knows = {"login": people.adam.email, "password": PASSWORD}
    async with Browser(app) as victim:
        assert _is_page(await victim.press(page, "/oauth/sign-in", **knows), 403, "not shown to this browser")
        await victim.open(mailer)
        assert _is_page(await victim.press(page, "/oauth/sign-in", **knows), 403, "not shown to this browser")
    forged = await stranger.http.post("/oauth/sign-in", data={"knock": "x", **knows})
    assert _is_page(forged, 403, "not one that this server made")
    again = await stranger.open(mailer)
    assert (await stranger.press(page, "/oauth/sign-in", **knows)).status_code == 303, "another tab's form stays good"
    assert again.status_code == 200


async def test_a_consent_belongs_to_the_session_it_was_shown_to(
    app: RequestIds, adam: Browser, owner_db: Database, people: People, mailer: App, make: Make
) -> None:
    page = await adam.open(mailer)
    async with Browser(app) as ana:
        assert _is_page(await ana.press(page, "/oauth/consent", answer="allow"), 403, "not signed in any more")
        await ana.be(owner_db, people.ana)
        assert _is_page(await ana.press(page, "/oauth/consent", answer="allow"), 403, "not signed in any more")
        connected = await ana.http.get("/oauth/connections")
        assert _is_page(await adam.press(connected, "/oauth/sign-out"), 403, "not signed in any more")
    fields = hidden(page, "/oauth/consent")
    wish = hidden(page, "/oauth/sign-out")["wish"]
    for forged in ("", "x", fields["asked"][:-2] + "AA", wish):
        answer = await adam.http.post("/oauth/consent", data={"asked": forged, "answer": "allow"})
        assert _is_page(answer, 403, "not one that this server made")
    assert (await adam.http.get("/oauth/consent")).status_code == 405
    assert await make.rows("SELECT FROM oauth_code WHERE app_id = $1", mailer.row.id) == []


async def test_a_page_left_open_for_long_is_of_no_use(
    adam: Browser, mailer: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await adam.open(mailer)
    later: datetime = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert _is_page(await adam.press(page, "/oauth/consent", answer="allow"), 403, "open for too long")


async def test_an_application_that_changed_meanwhile_asks_again(adam: Browser, owner_db: Database, mailer: App) -> None:
    page = await adam.open(mailer)
    await change_app(owner_db, mailer, grants=["Leads"])
    assert _is_page(await adam.press(page, "/oauth/consent", answer="allow"), 400, "changed meanwhile")
    page = await adam.open(mailer)
    await change_app(owner_db, mailer, redirect_uris=[LOOPBACK])
    assert _is_page(await adam.press(page, "/oauth/consent", answer="allow"), 400, "changed meanwhile")


async def test_who_is_shut_out_meanwhile_neither_consents_nor_signs_in(
    app: RequestIds, adam: Browser, owner_db: Database, people: People, mailer: App
) -> None:
    await _password(owner_db, people.adam)
    await adam.be(owner_db, people.adam)
    page = await adam.open(mailer)
    async with Browser(app) as other:
        form = await other.open(mailer)
        async with owner_db.transaction(people.adam.team_id) as tx:
            await deactivate_member(tx, people.adam.email)
            pressed = [
                asyncio.create_task(adam.press(page, "/oauth/consent", answer="allow")),
                asyncio.create_task(
                    other.press(form, "/oauth/sign-in", login=people.adam.email, password=PASSWORD),
                ),
            ]
            await asyncio.sleep(0.4)
            assert not any(task.done() for task in pressed)
            await revoke_keys_of(tx, people.adam.id)
        assert _is_page(await pressed[0], 403, "no access any more")
        assert _is_page(await pressed[1], 403, "Wrong e-mail or password")


async def test_whatever_is_not_allow_is_a_refusal(adam: Browser, mailer: App) -> None:
    for answer in ("deny", "", "ALLOW"):
        assert await adam.consent(mailer, answer=answer) == {"error": "access_denied"}


async def test_a_session_ends(client: Client, adam: Browser, owner_db: Database, people: People, mailer: App) -> None:
    out = await adam.press(await adam.open(mailer), "/oauth/sign-out")
    assert out.status_code == 303
    assert "Sign in" in (await adam.open(mailer)).text
    await adam.be(owner_db, people.adam)
    assert "Sign in" not in (await adam.open(mailer)).text
    await _password(owner_db, people.adam)
    assert "Sign in" in (await adam.open(mailer)).text, "a new password ends what an older one began"
    await adam.be(owner_db, people.adam)
    async with owner_db.transaction(people.adam.team_id) as tx:
        await tx.execute("UPDATE web_session SET expires_at = now() WHERE member_id = $1", people.adam.id)
    assert "Sign in" in (await adam.open(mailer)).text


async def test_a_password_is_neither_short_nor_endless(owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.adam.team_id) as tx:
        for password in ("", "x" * 11, "x" * 1001):
            with pytest.raises(signing_in.PasswordError, match="12 to 1000"):
                await signing_in.set_password(tx, people.adam.id, password)


async def test_rubbish_forms(adam: Browser) -> None:
    paths = ("/oauth/sign-in", "/oauth/consent", "/oauth/sign-out", "/oauth/connections")
    bodies = (b"\xff", b"%00=%00&login=%00", b"a=1&" * 60, b"login=a&login=b", b"{}")
    for path, body in itertools.product(paths, bodies):
        answer = await adam.http.post(path, content=body)
        assert 400 <= answer.status_code < 404, answer.text


# --- disconnecting ---------------------------------------------------------------------------------------------------


async def test_disconnecting_ends_all_tokens_of_this_person_at_once(
    client: Client, adam: Browser, owner_db: Database, people: People, mailer: App
) -> None:
    other = await make_app(owner_db, people.olive, name="Other")
    found = []
    for app in (mailer, mailer, other):
        code = await adam.code(app)
        params = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **app.proof}
        found.append(await tokens_of(client, params))
    ana = {"grant_type": "client_credentials", "customer_key": people.ana.key, **mailer.proof}
    hers = await tokens_of(client, ana)
    waiting = await adam.code(mailer)
    page = await adam.http.get("/oauth/connections")
    assert [page.text.count(f"<b>{name}</b>") for name in ("Mailer", "Other")] == [1, 1]
    assert (await adam.press(page, "/oauth/connections")).status_code == 303  # the first form is the Mailer's
    page = await adam.http.get("/oauth/connections")
    assert [page.text.count(f"<b>{name}</b>") for name in ("Mailer", "Other")] == [0, 1]

    async def works(person: Person, tokens: dict[str, str]) -> bool:
        answer = await client.as_(with_token(person, tokens["access_token"])).send("GET", "/v1.0/me")
        return answer.status_code == 200

    assert [await works(people.adam, one) for one in found] == [False, False, True]
    assert await works(people.ana, hers)
    refresh = {"grant_type": "refresh_token", "refresh_token": found[0]["refresh_token"], **mailer.proof}
    assert await error_of(client, refresh) == (400, "invalid_grant")
    code = {"grant_type": "authorization_code", "code": waiting, "redirect_uri": CALLBACK, **mailer.proof}
    assert await error_of(client, code) == (400, "invalid_grant")


async def test_connections_ask_who_it_is(stranger: Browser) -> None:
    assert _is_page(await stranger.http.get("/oauth/connections"), 200, "Sign in")
