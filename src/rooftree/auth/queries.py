"""Reading keys."""

import hashlib
from functools import lru_cache
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from rooftree.auth.model import ApiKey
from rooftree.platform.database import Transaction, columns

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
