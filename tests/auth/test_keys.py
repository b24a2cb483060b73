"""API keys: only a hash is stored, and what ended has ended for everybody."""

import base64
from datetime import timedelta

import pytest
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person

from rooftree.app import create_app
from rooftree.auth import actions, queries
from rooftree.auth.store import LastUsed
from rooftree.platform import clock
from rooftree.platform.database import Database
from rooftree.platform.settings import Settings
from rooftree.team.actions import deactivate_member


def _with_key(person: Person, key: str) -> Person:
    return Person(person.name, person.team_id, person.id, person.email, person.office_id, key)


async def test_a_key_is_a_signed_token_and_not_in_the_database(people: People, make: Make) -> None:
    assert people.adam.key.startswith("eyJ")
    assert people.adam.key.count(".") == 2
    rows = await make.rows("SELECT k::text AS whole, last_four FROM api_key k WHERE member_id = $1", people.adam.id)
    assert people.adam.key not in rows[0]["whole"]
    assert rows[0]["last_four"] == people.adam.key[-4:]


async def test_an_expired_key_is_refused(client: Client, db: Database, people: People, secret: bytes) -> None:
    for ends, status in ((timedelta(hours=1), 200), (timedelta(seconds=-1), 401)):
        async with db.transaction(people.adam.team_id) as tx:
            key, _ = await actions.create_key(tx, secret, people.adam.id, "x", clock.now() + ends)
        assert (await client.as_(_with_key(people.adam, key)).send("GET", "/v1.0/me")).status_code == status


async def test_a_revoked_key_is_refused_on_the_next_request(
    client: Client, dsn: str, owner_db: Database, people: People, secret: bytes
) -> None:
    """In another process too: a second application with connections of its own."""
    other_db = await Database.connect(dsn, min_size=0, max_size=2)
    async with Client(create_app(Settings(), other_db, secret)) as other:
        for door in (client, other.as_(people.adam)):
            assert (await door.send("GET", "/v1.0/me")).status_code == 200
        async with owner_db.transaction(people.adam.team_id) as tx:
            key = next(key for key in await queries.list_keys(tx) if key.member_id == people.adam.id)
            assert await actions.revoke_key(tx, key.id)
            assert not await actions.revoke_key(tx, key.id)
        for door in (client, other.as_(people.adam)):
            assert await door.refused("GET", "/v1.0/me") == (401, 900401)
    await other_db.close()


async def test_a_deactivated_user_is_told_so(client: Client, owner_db: Database, people: People) -> None:
    async with owner_db.transaction(people.adam.team_id) as tx:
        await deactivate_member(tx, people.adam.email)
    answer = await client.send("GET", "/v1.0/me")
    assert (answer.status_code, answer.json()["code"]) == (400, 200058)
    assert answer.json()["message"] == "User in token does not exist."


async def test_last_use_is_written(app: object, client: Client, db: Database, people: People, make: Make) -> None:
    await client.ok("GET", "/v1.0/me")
    await app.state.last_used.flush(db)  # type: ignore[attr-defined]
    rows = await make.rows("SELECT last_used_at FROM api_key WHERE member_id = $1", people.adam.id)
    assert rows[0]["last_used_at"] is not None


async def test_last_use_is_kept_while_the_database_is_away(db: Database, people: People, make: Make) -> None:
    rows = await make.rows("SELECT id FROM api_key WHERE member_id = $1", people.adam.id)
    last_used = LastUsed()
    last_used.note(people.adam.team_id, rows[0]["id"])
    with pytest.raises(RuntimeError):
        await last_used.flush(_Away())  # type: ignore[arg-type]
    await last_used.flush(db)
    rows = await make.rows("SELECT last_used_at FROM api_key WHERE member_id = $1", people.adam.id)
    assert rows[0]["last_used_at"] is not None
    await last_used.flush(_Away())  # type: ignore[arg-type] - nothing is left to write


class _Away:
    def reading(self, team_id: int) -> None:
        raise RuntimeError


async def test_a_foreign_signature_never_reaches_the_database(people: People, secret: bytes) -> None:
    reader = queries.KeyReader(secret)
    assert reader.hash_of(people.adam.key) == reader.hash_of(people.adam.key) is not None
    assert queries.KeyReader(b"x" * 32).hash_of(people.adam.key) is None
    head, payload, signature = people.adam.key.split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    garbage = ("", "x", "a.b.c", f"{unsigned}.{payload}.", f"{unsigned}.{payload}.{signature}", f"{head}.{payload}.x")
    assert [reader.hash_of(text) for text in garbage] == [None] * len(garbage)


async def test_long_garbage_is_not_remembered(secret: bytes) -> None:
    """Else a stranger could fill the memory with what they send."""
    reader = queries.KeyReader(secret)
    assert reader.hash_of("x" * 60_000) is None
    assert reader._remembered.cache_info().currsize == 0


async def test_guessing_is_slowed_down(db: Database, secret: bytes, people: People) -> None:
    async with Client(create_app(Settings(auth_failures_per_minute=3), db, secret)) as client:
        guesses = [await client.send("GET", "/v1.0/me", headers={"Authorization": "Bearer x"}) for _ in range(5)]
        assert [answer.status_code for answer in guesses] == [401, 401, 401, 429, 429]
        assert guesses[-1].json()["message"] == "Too Many Requests"
        assert (await client.as_(people.adam).send("GET", "/v1.0/me")).status_code == 200
