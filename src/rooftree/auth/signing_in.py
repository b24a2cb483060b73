"""Passwords of members, and the sessions of the pages where they sign in."""

import asyncio
import secrets
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from rooftree.auth import queries, store
from rooftree.auth.granting import hash_of
from rooftree.platform.database import Database, Transaction

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 1000
SESSION_SECONDS: Final = 12 * 3600

_hasher: Final = PasswordHasher()


class PasswordError(Exception):
    """A password that cannot be taken; the message says why."""


async def set_password(tx: Transaction, member_id: int, password: str) -> None:
    """Give a member a password, and end the sessions they have. Writes: member_password, web_session.

    Raises: PasswordError.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise PasswordError(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    await store.put_password(tx, member_id, await asyncio.to_thread(_hasher.hash, password))


class Doorkeeper:
    """Lets people in who know their password."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # A hash takes 64 MiB: so many at once, the others wait.
        self._places = asyncio.Semaphore(2)

    async def sign_in(self, login: str, password: str) -> str | None:
        """Return the cookie of a new session; None for a wrong login or password, which is never said.

        Writes: web_session.
        """
        found = await queries.find_login(self._database, login)
        async with self._places:
            is_right = await asyncio.to_thread(_is_right, found[2] if found else None, password)
        if found is None or not is_right:
            return None
        team_id, member_id, _ = found
        token = secrets.token_urlsafe(32)
        async with self._database.transaction(team_id) as tx:
            if not await store.lock_member(tx, member_id):
                return None
            await store.insert_session(tx, member_id, hash_of(token), SESSION_SECONDS)
        return token


@cache
def _nobodys() -> str:
    """Return what a password is held against when there is none, so that both take as long."""
    return _hasher.hash(secrets.token_urlsafe(32))


def _is_right(password_hash: str | None, password: str) -> bool:
    try:
        return len(password) <= LONGEST_PASSWORD and _hasher.verify(password_hash or _nobodys(), password)
    except (Argon2Error, InvalidHashError, UnicodeError):
        return False


async def sign_out(tx: Transaction, session_id: int) -> None:
    """End a session. Writes: web_session."""
    await store.delete_session(tx, session_id)
