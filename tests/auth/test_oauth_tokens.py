"""The endpoints of tokens: what they give, what they refuse, and what ends. contract: auth.md 1, 3.1 to 3.4"""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.oauth import (
    CALLBACK,
    LOOPBACK,
    PKCE,
    VERIFIER,
    App,
    Browser,
    ask,
    change_app,
    error_of,
    make_app,
    served,
    tokens_of,
    with_token,
)
from tests.support.people import People, Person

from rooftree.app import ROUTES, create_app
from rooftree.auth import actions, applications, granting
from rooftree.auth.api import tokens as endpoint
from rooftree.platform import clock
from rooftree.platform.database import Database
from rooftree.platform.http import contract
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.settings import Settings
from rooftree.team.actions import deactivate_member, reactivate_member

EVERY_FIELD = {"access_token", "expires_in", "refresh_token", "scope", "token_type"}
TWO_PATHS = ("/oauth/token", "/api/user-web/oauth/token")


@pytest.fixture
def app(db: Database, secret: bytes) -> RequestIds:
    """The application."""
    return served(db, secret)


@pytest.fixture
async def mailer(owner_db: Database, people: People) -> App:
    """An application of Adam's team."""
    return await make_app(owner_db, people.olive)


@pytest.fixture
async def phone(owner_db: Database, people: People) -> App:
    """A public application of Adam's team."""
    return await make_app(owner_db, people.olive, name="Phone", is_public=True)


@pytest.fixture
async def adam(app: RequestIds, owner_db: Database, people: People) -> AsyncIterator[Browser]:
    """Adam's browser; he is signed in."""
    async with Browser(app) as browser:
        await browser.be(owner_db, people.adam)
        yield browser


def _exchange(app: App, code: str, **more: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **app.proof, **more}


def _by_key(app: App, person: Person) -> dict[str, str]:
    return {"grant_type": "client_credentials", "customer_key": person.key, **app.proof}


def _refresh(app: App, found: dict[str, Any]) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": found["refresh_token"], **app.proof}


async def _status(client: Client, person: Person, token: str) -> tuple[int, int]:
    answer = await client.as_(with_token(person, token)).send("GET", "/v1.0/me")
    return answer.status_code, 0 if answer.status_code == 200 else answer.json()["code"]


# --- giving ----------------------------------------------------------------------------------------------------------


async def test_either_scheme_takes_either_credential(client: Client, people: People, mailer: App) -> None:
    token = (await tokens_of(client, _by_key(mailer, people.adam)))["access_token"]
    schemes = ("token {}", "Bearer {}", "BEARER {}", "Token  {}", "bearer {} ")
    for scheme, credential in itertools.product(schemes, (people.adam.key, token)):
        answer = await client.send("GET", "/v1.0/me", headers={"Authorization": scheme.format(credential)})
        assert (answer.status_code, answer.json()["email"]) == (200, people.adam.email)


async def test_a_token_costs_no_statement_more_than_a_key(
    client: Client, dsn: str, secret: bytes, people: People, mailer: App
) -> None:
    token = (await tokens_of(client, _by_key(mailer, people.adam)))["access_token"]
    one = await Database.connect(dsn, min_size=1, max_size=1)
    said: list[str] = []
    async with one._pool.acquire() as connection:
        connection.add_query_logger(lambda record: said.append(record.query))
    async with Client(create_app(Settings(), one, secret)) as asking:
        counts: list[list[str]] = []
        for credential in (people.adam.key, token):
            await _status(asking, people.adam, credential)  # what a connection says once
            said.clear()
            assert await _status(asking, people.adam, credential) == (200, 0)
            counts.append([*said])
    await one.close()
    assert counts[0] == counts[1]
    assert sum("authenticate(" in query for query in counts[1]) == 1


async def test_the_answer_has_five_fields(client: Client, people: People, mailer: App, adam: Browser) -> None:
    answer = await ask(client, _exchange(mailer, await adam.code(mailer)))
    found = answer.json()
    assert found.keys() == EVERY_FIELD
    assert (found["token_type"], found["scope"], found["expires_in"]) == ("Bearer", "openApi", 7200)
    assert found["access_token"].startswith("eyJ")
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert await _status(client, people.adam, found["access_token"]) == (200, 0)
    again = await tokens_of(client, _refresh(mailer, found))
    assert again.keys() == EVERY_FIELD
    assert again["access_token"] != found["access_token"]


async def test_parameters_come_by_form_by_json_and_by_query(client: Client, people: People, mailer: App) -> None:
    params = {**_by_key(mailer, people.adam), "scope": "openApi", "unknown": "x"}
    nobody, form, query = client.as_(None), urlencode(params).encode(), urlencode(params)
    for path in TWO_PATHS:
        for answer in (
            await ask(client, params, path=path),
            await nobody.send("POST", path, content=json.dumps({**params, "code": None}).encode(), headers={}),
            await nobody.send("POST", f"{path}?{query}", headers={}),
            await nobody.send("POST", f"{path}?{query}", content=form, headers={}),
        ):
            assert answer.status_code == 200, answer.text


async def test_the_published_sample_is_a_get(client: Client, people: People, mailer: App) -> None:
    query = urlencode(_by_key(mailer, people.adam))
    nobody = client.as_(None)
    assert (await nobody.send("GET", f"/api/user-web/oauth/token?{query}")).status_code == 200
    assert (await nobody.send("GET", f"/oauth/token?{query}")).status_code == 405


async def test_the_secret_comes_by_header_or_among_the_parameters(client: Client, people: People, mailer: App) -> None:
    key = {"grant_type": "client_credentials", "customer_key": people.adam.key}
    await tokens_of(client, key, **mailer.basic)
    await tokens_of(client, {**key, **mailer.proof})
    await tokens_of(client, {**key, **mailer.proof}, **mailer.basic)
    for name in ("client_id", "client_secret"):
        assert await error_of(client, {**key, name: "other"}, **mailer.basic) == (400, "invalid_request")


async def test_a_token_does_what_its_user_may(client: Client, people: People, make: Make, mailer: App) -> None:
    mine = await make.lead(by=people.adam)
    theirs = await make.lead(by=people.otto, ownershipScope="PERSONAL", ownershipId=people.otto.id)
    token = (await tokens_of(client, _by_key(mailer, people.adam)))["access_token"]
    adam = client.as_(with_token(people.adam, token))
    assert (await adam.lead(mine))["leadId"] == mine
    assert await adam.refused("GET", f"/v1.0/leads/{theirs}") == (404, 20006)
    note = await adam.ok("POST", "/v1.0/notes", {"leadId": mine, "content": "by the application"})
    assert note["noteId"]


async def test_a_public_client_needs_no_secret_but_the_verifier(
    client: Client, people: People, phone: App, adam: Browser
) -> None:
    code = await adam.code(phone, **PKCE)
    found = await tokens_of(client, _exchange(phone, code, code_verifier=VERIFIER))
    assert await _status(client, people.adam, found["access_token"]) == (200, 0)
    assert (await tokens_of(client, _refresh(phone, found)))["refresh_token"] == found["refresh_token"]
    secret = {**_refresh(phone, found), "client_secret": "x"}
    assert await error_of(client, secret) == (401, "invalid_client")


# --- refusing --------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, str | None], int, str]] = [
    ({"grant_type": None}, 400, "invalid_request"),
    ({"grant_type": ""}, 400, "invalid_request"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"grant_type": '\u00e9 "x\\'}, 400, "unsupported_grant_type"),
    ({"customer_key": None}, 400, "invalid_request"),
    ({"customer_key": "x"}, 400, "invalid_grant"),
    ({"customer_key": "x" * 5000}, 400, "invalid_grant"),
    ({"customer_key": "a\0b"}, 400, "invalid_request"),
    ({"scope": "everything"}, 400, "invalid_scope"),
    ({"scope": "openApi more"}, 400, "invalid_scope"),
    ({"client_secret": None}, 401, "invalid_client"),
    ({"client_secret": "x"}, 401, "invalid_client"),
    ({"client_id": "x"}, 401, "invalid_client"),
    ({"client_id": None}, 401, "invalid_client"),
    ({"grant_type": "authorization_code"}, 400, "invalid_request"),
    ({"grant_type": "authorization_code", "code": "x"}, 400, "invalid_grant"),
    ({"grant_type": "refresh_token"}, 400, "invalid_request"),
    ({"grant_type": "refresh_token", "refresh_token": "x"}, 400, "invalid_grant"),
    ({"grant_type": "refresh_token", "refresh_token": "x", "scope": "x"}, 400, "invalid_scope"),
]  # fmt: skip


async def test_what_is_wrong_has_its_error(client: Client, people: People, mailer: App) -> None:
    for change, status, error in REFUSED:
        whole = {**_by_key(mailer, people.adam), **change}
        params = {name: value for name, value in whole.items() if value is not None}
        answer = await ask(client, params)
        assert (answer.status_code, answer.json()["error"]) == (status, error), change
        assert "www-authenticate" not in answer.headers


UNREADABLE = [b'{"grant_type": 1}', b"{", b'{"a', b"[" * 9, b"{" * 3000, b"a=1&" * 60, b"\xff=\xfe", b"%00", b""]


async def test_what_cannot_be_read(client: Client, mailer: App) -> None:
    for path, body in itertools.product(("/oauth/token", "/oauth/revoke"), UNREADABLE):
        answer = await client.as_(None).send("POST", path, content=body, headers=mailer.basic)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), body


async def test_one_name_with_two_values(client: Client, people: People, mailer: App) -> None:
    params = _by_key(mailer, people.adam)
    nobody = client.as_(None)
    answer = await nobody.send("POST", "/oauth/token?client_id=x", content=urlencode(params).encode(), headers={})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    twice = urlencode([*params.items(), ("grant_type", "password")]).encode()
    assert (await nobody.send("POST", "/oauth/token", content=twice, headers={})).json()["error"] == "invalid_request"
    headers = [("Authorization", mailer.basic["Authorization"]), ("Authorization", "Basic eDp5")]
    answer = await nobody.send("POST", "/oauth/token", content=urlencode(params).encode(), headers=headers)
    assert answer.json()["error"] == "invalid_request"


async def test_a_client_unproven_by_basic_is_asked_for_it(client: Client) -> None:
    for header in ("Basic eDp5", "basic eDp5", "Basic", "Basic é", "Basic =", "Basic //79", "Basic AA=="):
        headers = {"Authorization": header.encode("latin-1")}
        answer = await client.as_(None).send("POST", "/oauth/token", content=b"grant_type=x", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), header
        assert answer.headers["www-authenticate"].startswith("Basic")


async def test_secrets_are_compared_in_constant_time(
    client: Client, mailer: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bool] = []

    class Spy:
        @staticmethod
        def compare_digest(a: bytes, b: bytes) -> bool:
            compared.append(len(a) == len(b) == 32)
            return a == b

    monkeypatch.setattr(endpoint, "hmac", Spy)
    wrong = {"client_id": mailer.row.client_id, "client_secret": (mailer.secret or "")[:-1] + "!"}
    assert await error_of(client, {"grant_type": "x", **wrong}) == (401, "invalid_client")
    assert await error_of(client, {"grant_type": "x", **mailer.proof}) == (400, "unsupported_grant_type")
    assert compared == [True, True]


async def test_guessing_secrets_is_slowed_down(db: Database, secret: bytes, people: People, mailer: App) -> None:
    async with Client(create_app(Settings(auth_failures_per_minute=2), db, secret)) as client:
        guess = {"grant_type": "x", "client_id": mailer.row.client_id, "client_secret": "x"}
        answers = [await ask(client, guess) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        assert answers[-1].json()["message"] == "Too Many Requests"
        await tokens_of(client, _by_key(mailer, people.adam))


async def test_a_public_client_has_no_other_grant(client: Client, people: People, phone: App) -> None:
    assert await error_of(client, _by_key(phone, people.adam)) == (400, "unauthorized_client")


# --- codes -----------------------------------------------------------------------------------------------------------


async def test_a_code_brought_twice_ends_what_it_gave(
    client: Client, people: People, mailer: App, adam: Browser
) -> None:
    code = await adam.code(mailer)
    found = await tokens_of(client, _exchange(mailer, code))
    assert await error_of(client, _exchange(mailer, code)) == (400, "invalid_grant")
    assert await _status(client, people.adam, found["access_token"]) == (401, 900401)
    assert await error_of(client, _refresh(mailer, found)) == (400, "invalid_grant")


async def test_of_many_at_once_one_gets_the_code(client: Client, mailer: App, adam: Browser) -> None:
    code = await adam.code(mailer)
    answers = await asyncio.gather(*(ask(client, _exchange(mailer, code)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}


UNPROVEN: list[dict[str, str]] = [
    {"code_verifier": VERIFIER[:-1] + "x"},
    {"code_verifier": VERIFIER + "\n"},
    {"code_verifier": "short"},
    {"code_verifier": PKCE["code_challenge"]},
    {"code_verifier": ""},
    {"redirect_uri": LOOPBACK},
    {"redirect_uri": CALLBACK + "&x=1"},
    {"redirect_uri": ""},
]


async def test_a_code_has_one_try_and_needs_all_it_was_bound_to(client: Client, mailer: App, adam: Browser) -> None:
    for change in UNPROVEN:
        right = _exchange(mailer, await adam.code(mailer, **PKCE), code_verifier=VERIFIER)
        assert await error_of(client, {**right, **change}) == (400, "invalid_grant"), change
        assert await error_of(client, right) == (400, "invalid_grant")


async def test_a_verifier_without_a_challenge_is_a_downgrade(client: Client, mailer: App, adam: Browser) -> None:
    code = await adam.code(mailer)
    assert await error_of(client, _exchange(mailer, code, code_verifier=VERIFIER)) == (400, "invalid_grant")


async def test_a_page_without_a_redirect_needs_none_later(client: Client, mailer: App, adam: Browser) -> None:
    for given in ({}, {"redirect_uri": CALLBACK}):
        params = _exchange(mailer, await adam.code(mailer, redirect_uri=None))
        del params["redirect_uri"]
        await tokens_of(client, {**params, **given})


async def test_a_code_and_a_refresh_token_are_their_clients_alone(
    client: Client, owner_db: Database, people: People, mailer: App, adam: Browser
) -> None:
    other = await make_app(owner_db, people.olive, name="Other")
    foreign = await make_app(owner_db, people.stella, name="Foreign")
    code = await adam.code(mailer)
    for stranger in (other, foreign):
        assert await error_of(client, _exchange(stranger, code)) == (400, "invalid_grant")
    found = await tokens_of(client, _exchange(mailer, code))
    for stranger in (other, foreign):
        assert await error_of(client, _refresh(stranger, found)) == (400, "invalid_grant")
        answer = await ask(client, {"token": found["refresh_token"], **stranger.proof}, path="/oauth/revoke")
        assert answer.status_code == 200
    await tokens_of(client, _refresh(mailer, found))
    assert await _status(client, people.adam, found["access_token"]) == (200, 0)


async def test_a_code_is_over_after_ten_minutes(
    client: Client, owner_db: Database, mailer: App, adam: Browser, make: Make
) -> None:
    code = await adam.code(mailer)
    rows = await make.rows(
        "SELECT extract(epoch FROM expires_at - now())::int FROM oauth_code WHERE app_id = $1", mailer.row.id
    )
    assert 590 <= rows[0][0] <= 600
    async with owner_db.transaction(mailer.row.team_id) as tx:
        await tx.execute("UPDATE oauth_code SET expires_at = now() WHERE app_id = $1", mailer.row.id)
    assert await error_of(client, _exchange(mailer, code)) == (400, "invalid_grant")


# --- customer_key ----------------------------------------------------------------------------------------------------


async def test_only_a_valid_key_of_the_team_stands_for_its_owner(
    client: Client, owner_db: Database, people: People, secret: bytes, mailer: App
) -> None:
    async with owner_db.transaction(people.adam.team_id) as tx:
        expired, _ = await actions.create_key(tx, secret, people.adam.id, "x", clock.now() - timedelta(seconds=1))
        revoked, row = await actions.create_key(tx, secret, people.adam.id, "x")
        await actions.revoke_key(tx, row.id)
    token = (await tokens_of(client, _by_key(mailer, people.adam)))["access_token"]
    for key in (expired, revoked, token, people.stella.key, people.adam.key[:-1]):
        params = _by_key(mailer, with_token(people.adam, key))
        assert await error_of(client, params) == (400, "invalid_grant")


async def test_what_came_of_a_key_ends_with_it(
    client: Client, owner_db: Database, people: People, secret: bytes, mailer: App
) -> None:
    async with owner_db.transaction(people.adam.team_id) as tx:
        text, key = await actions.create_key(tx, secret, people.adam.id, "x", clock.now() + timedelta(hours=1))
    found = await tokens_of(client, _by_key(mailer, with_token(people.adam, text)))
    assert 3500 < found["expires_in"] <= 3600, "not longer than the key"
    assert await _status(client, people.adam, found["access_token"]) == (200, 0)
    async with owner_db.transaction(people.adam.team_id) as tx:
        await actions.revoke_key(tx, key.id)
    assert await _status(client, people.adam, found["access_token"]) == (401, 900401)
    assert await error_of(client, _refresh(mailer, found)) == (400, "invalid_grant")


# --- refreshing ------------------------------------------------------------------------------------------------------


async def test_a_refresh_token_stays_and_works_again(client: Client, people: People, mailer: App) -> None:
    found = await tokens_of(client, _by_key(mailer, people.adam))
    for _ in range(2):
        again = await tokens_of(client, _refresh(mailer, found))
        assert again["refresh_token"] == found["refresh_token"]
        assert await _status(client, people.adam, again["access_token"]) == (200, 0)


async def test_a_refresh_token_is_over_180_days_after_it_was_first_given(
    client: Client, owner_db: Database, people: People, mailer: App, make: Make
) -> None:
    found = await tokens_of(client, _by_key(mailer, people.adam))
    life = "SELECT round(extract(epoch FROM expires_at - created_at) / 86400)::int FROM oauth_grant WHERE app_id = $1"
    await tokens_of(client, _refresh(mailer, found))
    assert (await make.rows(life, mailer.row.id))[0][0] == 180
    async with owner_db.transaction(mailer.row.team_id) as tx:
        await tx.execute(
            "UPDATE oauth_grant SET expires_at = now() + interval '9.5 s' WHERE app_id = $1", mailer.row.id
        )
    assert (await tokens_of(client, _refresh(mailer, found)))["expires_in"] == 9, "no longer than the consent"
    async with owner_db.transaction(mailer.row.team_id) as tx:
        await tx.execute("UPDATE oauth_grant SET expires_at = now() WHERE app_id = $1", mailer.row.id)
    assert await error_of(client, _refresh(mailer, found)) == (400, "invalid_grant")


async def test_an_application_that_rotates_loses_all_when_an_old_token_comes_back(
    client: Client, owner_db: Database, people: People
) -> None:
    app = await make_app(owner_db, people.olive, is_rotating=True)
    first = await tokens_of(client, _by_key(app, people.adam))
    second = await tokens_of(client, _refresh(app, first))
    third = await tokens_of(client, _refresh(app, second))
    assert len({one["refresh_token"] for one in (first, second, third)}) == 3
    assert await _status(client, people.adam, third["access_token"]) == (200, 0)
    assert await error_of(client, _refresh(app, first)) == (400, "invalid_grant")
    assert await error_of(client, _refresh(app, third)) == (400, "invalid_grant")
    assert await _status(client, people.adam, third["access_token"]) == (401, 900401)


async def test_of_many_rotations_at_once_one_succeeds(client: Client, owner_db: Database, people: People) -> None:
    app = await make_app(owner_db, people.olive, is_rotating=True)
    first = await tokens_of(client, _by_key(app, people.adam))
    answers = await asyncio.gather(*(ask(client, _refresh(app, first)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]


# --- ending ----------------------------------------------------------------------------------------------------------


async def test_an_access_token_is_over(client: Client, owner_db: Database, people: People, mailer: App) -> None:
    token = (await tokens_of(client, _by_key(mailer, people.adam)))["access_token"]
    async with owner_db.transaction(mailer.row.team_id) as tx:
        await tx.execute("UPDATE oauth_access SET expires_at = now() WHERE token_hash = $1", granting.hash_of(token))
    assert await _status(client, people.adam, token) == (401, 900401)


async def test_the_lifetime_is_a_setting(db: Database, secret: bytes, people: People, mailer: App) -> None:
    async with Client(create_app(Settings(oauth_access_seconds=60), db, secret)) as client:
        assert (await tokens_of(client, _by_key(mailer, people.adam)))["expires_in"] == 60


async def test_revoking(client: Client, people: People, mailer: App) -> None:
    found = await tokens_of(client, _by_key(mailer, people.adam))
    again = await tokens_of(client, _refresh(mailer, found))

    async def end(token: str) -> None:
        for headers, params in ((mailer.basic, {}), ({}, mailer.proof)):
            answer = await ask(client, {"token": token, **params}, path="/oauth/revoke", **headers)
            assert (answer.status_code, answer.json()) == (200, {})

    await end("unknown")
    await end(found["access_token"])
    assert await _status(client, people.adam, found["access_token"]) == (401, 900401)
    assert await _status(client, people.adam, again["access_token"]) == (200, 0)
    await end(found["refresh_token"])
    assert await _status(client, people.adam, again["access_token"]) == (401, 900401)
    assert await error_of(client, _refresh(mailer, found)) == (400, "invalid_grant")
    assert await error_of(client, {"token": "x"}, path="/oauth/revoke") == (401, "invalid_client")
    assert await error_of(client, mailer.proof, path="/oauth/revoke") == (400, "invalid_request")


async def test_who_is_deactivated_loses_tokens_codes_and_sessions_for_good(
    client: Client, owner_db: Database, people: People, mailer: App, adam: Browser
) -> None:
    code, found = await adam.code(mailer), await tokens_of(client, _exchange(mailer, await adam.code(mailer)))
    assert "Sign in" not in (await adam.open(mailer)).text
    async with owner_db.transaction(people.adam.team_id) as tx:
        await deactivate_member(tx, people.adam.email)
        await actions.revoke_keys_of(tx, people.adam.id)
    assert await _status(client, people.adam, found["access_token"]) == (400, 200058)
    for params in (_exchange(mailer, code), _refresh(mailer, found), _by_key(mailer, people.adam)):
        assert await error_of(client, params) == (400, "invalid_grant")
    assert "Sign in" in (await adam.open(mailer)).text
    async with owner_db.transaction(people.adam.team_id) as tx:
        await reactivate_member(tx, people.adam.email)
    assert await _status(client, people.adam, found["access_token"]) == (401, 900401)
    for params in (_exchange(mailer, code), _refresh(mailer, found), _by_key(mailer, people.adam)):
        assert await error_of(client, params) == (400, "invalid_grant")


async def test_deactivating_over_http_ends_tokens_in_the_same_transaction(
    client: Client, people: People, mailer: App
) -> None:
    token = (await tokens_of(client, _by_key(mailer, people.adam)))["access_token"]
    await client.as_(people.olive).ok("POST", f"/v2.0/agents/{people.adam.id}/deactivate")
    assert await _status(client, people.adam, token) == (400, 200058)
    await client.as_(people.olive).ok("POST", f"/v2.0/agents/{people.adam.id}/reactivate")
    assert await _status(client, people.adam, token) == (401, 900401)


async def test_nobody_gets_a_token_while_they_are_shut_out(
    client: Client, owner_db: Database, people: People, mailer: App, adam: Browser
) -> None:
    """An exchange that comes while the deactivation runs waits for it, and then gives nothing."""
    code = await adam.code(mailer)
    async with owner_db.transaction(people.adam.team_id) as tx:
        await deactivate_member(tx, people.adam.email)
        asked = [
            asyncio.create_task(ask(client, _exchange(mailer, code))),
            asyncio.create_task(ask(client, _by_key(mailer, people.adam))),
        ]
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in asked)
        await actions.revoke_keys_of(tx, people.adam.id)
    assert [(await task).status_code for task in asked] == [400, 400]


async def test_giving_and_ending_at_once_never_wait_for_each_other_in_a_circle(
    client: Client, owner_db: Database, people: People, secret: bytes, mailer: App, adam: Browser
) -> None:
    async def end(turn: int) -> None:
        async with owner_db.transaction(people.adam.team_id) as tx:
            if turn % 3 == 0:
                await deactivate_member(tx, people.adam.email)
                await actions.revoke_keys_of(tx, people.adam.id)
            elif turn % 3 == 1:
                await granting.disconnect(tx, people.adam.id, mailer.row.id)
            else:
                await actions.revoke_key(tx, key.id)

    for turn in range(9):
        async with owner_db.transaction(people.adam.team_id) as tx:
            text, key = await actions.create_key(tx, secret, people.adam.id, "x")
        await adam.be(owner_db, people.adam)
        by_key = _by_key(mailer, with_token(people.adam, text))
        found = await tokens_of(client, by_key)
        code = _exchange(mailer, await adam.code(mailer))
        giving = [ask(client, params) for params in (code, code, by_key, _refresh(mailer, found)) for _ in range(2)]
        *answers, _ = await asyncio.gather(*giving, end(turn))
        assert {answer.status_code for answer in answers} <= {200, 400}
        given = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
        async with owner_db.transaction(people.adam.team_id) as tx:
            await reactivate_member(tx, people.adam.email)
        alive = [token for token in given if await _status(client, people.adam, token) == (200, 0)]
        assert turn % 3 or not alive, "nobody got a token that outlived the deactivation"


async def test_a_secret_is_renewed_and_an_application_deleted(
    client: Client, owner_db: Database, people: People, mailer: App
) -> None:
    found = await tokens_of(client, _by_key(mailer, people.adam))
    async with owner_db.transaction(mailer.row.team_id) as tx:
        fresh = App(mailer.row, await applications.renew_secret(tx, mailer.row))
    assert await error_of(client, _refresh(mailer, found)) == (401, "invalid_client")
    assert await _status(client, people.adam, found["access_token"]) == (200, 0)
    await tokens_of(client, _refresh(fresh, found))
    async with owner_db.transaction(mailer.row.team_id) as tx:
        await applications.delete_app(tx, mailer.row)
    assert await _status(client, people.adam, found["access_token"]) == (401, 900401)
    assert await error_of(client, _refresh(fresh, found)) == (401, "invalid_client")


async def test_nothing_secret_is_in_the_database(
    client: Client, make: Make, people: People, mailer: App, adam: Browser
) -> None:
    code = await adam.code(mailer, **PKCE)
    found = await tokens_of(client, _exchange(mailer, code, code_verifier=VERIFIER))
    kept = ""
    for table in ("oauth_app", "oauth_grant", "oauth_code", "oauth_access", "oauth_refresh", "web_session"):
        rows = await make.rows(f"SELECT t::text AS whole FROM {table} t WHERE team_id = $1", people.adam.team_id)
        assert rows, table
        kept += "".join(row["whole"] for row in rows)
    cookie = adam.http.cookies["rooftree"]
    for secret in (mailer.secret or "-", code, VERIFIER, found["access_token"], found["refresh_token"], cookie):
        assert secret not in kept
        assert secret.encode().hex() not in kept
        assert base64.b64encode(secret.encode()).decode() not in kept


# --- scopes ----------------------------------------------------------------------------------------------------------


async def test_an_application_uses_what_it_was_granted(
    client: Client, owner_db: Database, people: People, make: Make, mailer: App
) -> None:
    lead_id = await make.lead(by=people.adam)
    await change_app(owner_db, mailer, grants=["leads", "Lead Activity V2 API", "Tasks & Appointments"])
    adam = client.as_(with_token(people.adam, (await tokens_of(client, _by_key(mailer, people.adam)))["access_token"]))
    assert (await adam.lead(lead_id))["leadId"] == lead_id
    await adam.ok("GET", f"/v2.0/leads/{lead_id}/activities")
    answer = await adam.send("POST", "/v1.0/notes", {"leadId": lead_id, "content": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, 200100)
    assert answer.json()["message"] == "Sorry, the vendor does not have permission for this API."
    assert await adam.refused("POST", "/v1.0/notes", {}) == (403, 200100), "before the body is looked at"
    assert await adam.refused("POST", f"/rooftree/v1/leads/{lead_id}/restore") == (403, 200100)
    assert await adam.refused("GET", "/v2.0/tasks/1") == (403, 200100), "before it is said that it is not served"
    assert await adam.refused("GET", "/nope") == (404, 900404)
    await change_app(owner_db, mailer, grants=None)
    await adam.ok("POST", "/v1.0/notes", {"leadId": lead_id, "content": "x"})
    with pytest.raises(applications.ApplicationError, match="no scope 'Nonsense'"):
        await change_app(owner_db, mailer, grants=["Nonsense"])


async def test_in_production_new_scopes_need_renewed_consent_and_lost_ones_are_lost(
    client: Client, owner_db: Database, people: People, make: Make, mailer: App, adam: Browser
) -> None:
    lead_id = await make.lead(by=people.adam)
    await change_app(owner_db, mailer, grants=["Leads", "Calls"], mode="production")
    old = (await tokens_of(client, _exchange(mailer, await adam.code(mailer))))["access_token"]
    speaking = client.as_(with_token(people.adam, old))
    note = ("POST", "/v1.0/notes", {"leadId": lead_id, "content": "x"})
    await change_app(owner_db, mailer, grants=["Leads", "Notes"], name="Renamed", redirect_uris=[CALLBACK])
    await speaking.lead(lead_id)
    assert await speaking.refused(*note) == (403, 200100)
    assert await speaking.refused("GET", f"/v1.0/calls?leadId={lead_id}") == (403, 200100)
    new = (await tokens_of(client, _exchange(mailer, await adam.code(mailer))))["access_token"]
    await client.as_(with_token(people.adam, new)).ok(*note)
    await change_app(owner_db, mailer, mode="development")
    await speaking.ok(*note)


async def test_a_key_with_scopes_and_what_comes_of_it(
    client: Client, owner_db: Database, people: People, secret: bytes, make: Make, mailer: App
) -> None:
    lead_id = await make.lead(by=people.adam)
    async with owner_db.transaction(people.adam.team_id) as tx:
        text, _ = await actions.create_key(tx, secret, people.adam.id, "x", grants=["Leads"])
    limited = with_token(people.adam, text)
    await client.as_(limited).lead(lead_id)
    note = ("POST", "/v1.0/notes", {"leadId": lead_id, "content": "x"})
    assert await client.as_(limited).refused(*note) == (400, 200100)
    token = (await tokens_of(client, _by_key(mailer, limited)))["access_token"]
    await client.as_(with_token(people.adam, token)).lead(lead_id)
    assert await client.as_(with_token(people.adam, token)).refused(*note) == (403, 200100)


def test_every_operation_has_a_tag_to_be_granted_by() -> None:
    """Else nobody with limited scopes could ever use it."""
    assert [route for route, tags in contract.tags_of(ROUTES).items() if not tags] == []
    assert "OAuth" not in contract.grantable()
    assert {"Leads", "Notes", "Webhooks", "Rooftree"} <= contract.grantable()


async def test_metadata(client: Client) -> None:
    found = await client.as_(None).ok("GET", "/.well-known/oauth-authorization-server")
    assert found["issuer"] == "http://127.0.0.1:8420"
    assert found["token_endpoint"] == "http://127.0.0.1:8420/oauth/token"
    assert found["code_challenge_methods_supported"] == ["S256"]
