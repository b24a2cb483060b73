"""Reading keys."""

import hashlib
from functools import lru_cache

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from rooftree.auth.model import ApiKey
from rooftree.platform.database import Transaction, columns


class KeyReader:
    """Tells a key of this installation from garbage, without asking the database."""

    def __init__(self, signing_secret: bytes) -> None:
        self._key = OctKey.import_key(signing_secret)
        self.hash_of = lru_cache(maxsize=4096)(self._hash_of)

    def _hash_of(self, token: str) -> bytes | None:
        """Return the hash under which a key is stored, None when this installation never signed it."""
        try:
            jws.deserialize_compact(token.encode(), self._key, algorithms=["HS256"])
        except (JoseError, ValueError, UnicodeError, KeyError, TypeError):
            return None
        return hashlib.sha256(token.encode()).digest()


async def list_keys(tx: Transaction) -> list[ApiKey]:
    """Return the team's keys, newest first."""
    rows = await tx.fetch(f"SELECT {columns(ApiKey)} FROM api_key WHERE team_id = $1 ORDER BY id DESC", tx.team_id)
    return [ApiKey(*row) for row in rows]
