"""Reading keys, applications and connections; finding who knocks before their team is known."""

import hashlib
from functools import lru_cache
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from rooftree.auth.model import ApiKey, Connection, OauthApp, Session
from rooftree.platform.database import Database, Transaction, columns

#: Ours have about 230 characters. What is longer is not looked at, and above all not remembered.
_LONGEST_KEY: Final = 1024


class KeyReader:
    """Tells a key of this installation from garbage, without asking the database."""

    def __init__(self, signing_secret: bytes) -> None:
        self._key = OctKey.import_key(signing_secret)
        self._remembered = lru_cache(maxsize=4096)(self._hash_of)

    def hash_of(self, token: str) -> bytes | None:
        """Return the hash under which a key is stored, None when this installation never signed it."""
        return self._remembered(token) if len(token) <= _LONGEST_KEY else None

    def _hash_of(self, token: str) -> bytes | None:
        try:
            jws.deserialize_compact(token.encode(), self._key, algorithms=["HS256"])
        except (JoseError, ValueError, UnicodeError, KeyError, TypeError):
            return None
        return hashlib.sha256(token.encode()).digest()


async def list_keys(tx: Transaction) -> list[ApiKey]:
    """Return the team's keys, newest first."""
    rows = await tx.fetch(f"SELECT {columns(ApiKey)} FROM api_key WHERE team_id = $1 ORDER BY id DESC", tx.team_id)
    return [ApiKey(*row) for row in rows]


async def find_app(database: Database, client_id: str) -> OauthApp | None:
    """Return an application of any team by its client id."""
    async with database.unscoped() as tx:
        row = await tx.fetchrow(f"SELECT {columns(OauthApp)} FROM find_oauth_app($1)", client_id)
    return OauthApp(*row) if row else None


async def list_apps(tx: Transaction) -> list[OauthApp]:
    """Return the team's applications, newest first."""
    rows = await tx.fetch(f"SELECT {columns(OauthApp)} FROM oauth_app WHERE team_id = $1 ORDER BY id DESC", tx.team_id)
    return [OauthApp(*row) for row in rows]


async def list_connections(tx: Transaction, member_id: int) -> list[Connection]:
    """Return the applications that a member is connected to, by name."""
    rows = await tx.fetch(
        """SELECT p.id, p.name, p.description, min(g.created_at)
             FROM oauth_grant g JOIN oauth_app p ON p.team_id = g.team_id AND p.id = g.app_id
            WHERE g.team_id = $1 AND g.member_id = $2 AND g.revoked_at IS NULL AND g.expires_at > now()
            GROUP BY p.id, p.name, p.description ORDER BY lower(p.name), p.id""",
        tx.team_id,
        member_id,
    )
    return [Connection(*row) for row in rows]


async def find_login(database: Database, login: str) -> tuple[int, int, str] | None:
    """Return team, member and the password's hash of somebody who may sign in."""
    async with database.unscoped() as tx:
        row = await tx.fetchrow("SELECT team_id, member_id, password_hash FROM find_login($1)", login)
    return (row[0], row[1], row[2]) if row else None


async def find_session(database: Database, token_hash: bytes) -> Session | None:
    """Return who signed in and got this cookie, while they may and it lasts."""
    async with database.unscoped() as tx:
        row = await tx.fetchrow(f"SELECT {columns(Session)} FROM find_session($1)", token_hash)
    return Session(*row) if row else None
