"""Making and ending keys."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.jwk import OctKey

from rooftree.auth import store
from rooftree.auth.model import ApiKey
from rooftree.platform import clock, ids
from rooftree.platform.database import Transaction

#: contract: auth.md 2
SCOPE: Final = "THIRD_PARTY_OPERATION"


async def create_key(
    tx: Transaction,
    signing_secret: bytes,
    member_id: int,
    name: str,
    expires_at: datetime | None = None,
    *,
    grants: Sequence[str] | None = None,
) -> tuple[str, ApiKey]:
    """Make a key for a member; return its text, which nobody can see again, and its row. Writes: api_key.

    A compact JWS: header {"alg": "HS256"}, payload jti, user_id, scope, iat and, if it ends, exp (in seconds).
    """
    key_id = (await ids.next_ids(tx, 1))[0]
    payload = {
        "jti": f"{key_id}.{secrets.token_urlsafe(12)}",
        "user_id": member_id,
        "scope": SCOPE,
        "iat": int(clock.now().timestamp()),
    }
    if expires_at:
        payload["exp"] = int(expires_at.timestamp())
    token = signed(signing_secret, payload)
    key_hash = hashlib.sha256(token.encode()).digest()
    return token, await store.insert_key(tx, key_id, member_id, name, key_hash, token[-4:], expires_at, grants)


def signed(signing_secret: bytes, payload: Mapping[str, Any]) -> str:
    """Return a credential of this installation: a compact JWS."""
    secret = OctKey.import_key(signing_secret)
    return jws.serialize_compact({"alg": "HS256"}, msgspec.json.encode(payload), secret)


async def revoke_key(tx: Transaction, key_id: int) -> bool:
    """End a key and the tokens made from it, in every process. False: there is no such living key.

    Writes: api_key, oauth_grant.
    """
    is_done = await store.revoke(tx, key_id)
    await store.revoke_grants_of_key(tx, key_id)
    return is_done


async def revoke_keys_of(tx: Transaction, member_id: int) -> None:
    """End every key, token and session of a member, for good: who gets their access back begins anew.

    Contract: auth.md 3.4. Writes: api_key, oauth_code, oauth_grant, web_session.
    """
    await store.revoke_of_member(tx, member_id)
    await store.revoke_grants_of_member(tx, member_id)
    await store.delete_sessions_of(tx, member_id)
