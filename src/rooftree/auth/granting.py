"""Codes and tokens: given for a consent, exchanged, ended.

Whoever changes a grant locks its member first, then the key, then the grant, as deactivating a member does. So nobody
gets a token after their access ended.
"""

import hashlib
import secrets
from typing import Final

from msgspec import Struct

from rooftree.auth import rules, store
from rooftree.auth.actions import signed
from rooftree.auth.model import OauthApp, Tokens
from rooftree.platform import clock
from rooftree.platform.database import Transaction

#: contract: auth.md 3.3
SCOPE: Final = "openApi"
CODE_SECONDS: Final = 600
GRANT_DAYS: Final = 180


class Maker(Struct, frozen=True):
    """What access tokens are made with."""

    signing_secret: bytes
    access_seconds: int


def hash_of(text: str) -> bytes:
    """Return what is stored of a secret text. They have 256 random bits, so a quick hash keeps them."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


async def give_code(
    tx: Transaction,
    app: OauthApp,
    member_id: int,
    *,
    redirect_uri: str,
    is_redirect_named: bool,
    challenge: str | None,
) -> str | None:
    """Return a code for a consent just given; None when the member has no access any more.

    Contract: auth.md 3.2. Writes: oauth_code.
    """
    if not await store.lock_member(tx, member_id):
        return None
    code = secrets.token_urlsafe(32)
    await store.insert_code(
        tx,
        app,
        member_id,
        hash_of(code),
        redirect_uri=redirect_uri,
        is_redirect_named=is_redirect_named,
        challenge=challenge,
        seconds=CODE_SECONDS,
    )
    return code


async def exchange_code(
    tx: Transaction, maker: Maker, app: OauthApp, code: str, redirect_uri: str | None, verifier: str | None
) -> Tokens | None:
    """Return tokens for a code. None: it is unknown, over, used, another's, or not proven; commit that too.

    Its application has one try. Brought again, it ends what it gave the first time.
    Contract: auth.md 3.2. Writes: oauth_code, oauth_grant, oauth_access, oauth_refresh.
    """
    code_hash = hash_of(code)
    member_id = await store.find_code(tx, app.id, code_hash)
    has_access = member_id is not None and await store.lock_member(tx, member_id)
    locked = await store.lock_code(tx, app.id, code_hash)
    if locked is None:
        return None
    found, is_over = locked
    if found.used_at is not None:
        if found.grant_id is not None:
            await store.revoke_grant(tx, found.grant_id)
        return None
    is_same_redirect = redirect_uri == found.redirect_uri or (redirect_uri is None and not found.is_redirect_named)
    is_proven = is_same_redirect and rules.is_verified(found.challenge, verifier)
    if is_over or not is_proven or not has_access:
        await store.use_code(tx, found.id, None)
        return None
    grant_id = await store.insert_grant(tx, app.id, found.member_id, found.grants, key=None, days=GRANT_DAYS)
    await store.use_code(tx, found.id, grant_id)
    return await _give(tx, maker, app, grant_id, found.member_id, await _new_refresh(tx, grant_id))


async def trust_key(tx: Transaction, maker: Maker, app: OauthApp, key_hash: bytes) -> Tokens | None:
    """Return tokens for a customer_key, which stands for its owner's consent. None: it is not a valid key of the team.

    Contract: auth.md 3.2. Writes: oauth_grant, oauth_access, oauth_refresh.
    """
    member_id = await store.find_key(tx, key_hash)
    if member_id is None or not await store.lock_member(tx, member_id):
        return None
    key = await store.lock_key(tx, key_hash)
    if key is None:
        return None
    grant_id = await store.insert_grant(tx, app.id, key.member_id, app.grants, key=key, days=GRANT_DAYS)
    return await _give(tx, maker, app, grant_id, key.member_id, await _new_refresh(tx, grant_id))


async def refresh(tx: Transaction, maker: Maker, app: OauthApp, refresh_token: str) -> Tokens | None:
    """Return a fresh access token. None: the refresh token is unknown, over, ended or another's; commit that too.

    An application that rotates gets another refresh token as well; the old one, shown again, ends the grant.
    Contract: auth.md 3.2. Writes: oauth_access, oauth_refresh, oauth_grant.
    """
    token_hash = hash_of(refresh_token)
    member_id = await store.find_refresh(tx, app.id, token_hash)
    if member_id is None or not await store.lock_member(tx, member_id):
        return None
    locked = await store.lock_refresh(tx, app.id, token_hash)
    if locked is None:
        return None
    grant, is_alive, is_replaced = locked
    if is_replaced:
        await store.revoke_grant(tx, grant.id)
    if is_replaced or not is_alive:
        return None
    kept = await _new_refresh(tx, grant.id) if app.is_rotating else refresh_token
    return await _give(tx, maker, app, grant.id, member_id, kept)


async def revoke_token(tx: Transaction, app: OauthApp, token: str) -> None:
    """End an access token of an application, or a refresh token with all that came of it. Others' stay.

    Contract: auth.md 3.4. Writes: oauth_access, oauth_grant.
    """
    await store.end_token(tx, app.id, hash_of(token))


async def disconnect(tx: Transaction, member_id: int, app_id: int) -> bool:
    """End all that a member granted an application. False: there was nothing.

    Contract: auth.md 3.4. Writes: oauth_code, oauth_grant.
    """
    return await store.revoke_grants_of_member(tx, member_id, app_id)


async def _new_refresh(tx: Transaction, grant_id: int) -> str:
    text = secrets.token_urlsafe(32)
    await store.insert_refresh(tx, grant_id, hash_of(text))
    return text


async def _give(
    tx: Transaction, maker: Maker, app: OauthApp, grant_id: int, member_id: int, refresh_token: str
) -> Tokens:
    payload = {
        "jti": secrets.token_urlsafe(24),
        "user_id": member_id,
        "client_id": app.client_id,
        "scope": SCOPE,
        "iat": int(clock.now().timestamp()),
    }
    text = signed(maker.signing_secret, payload)
    seconds = await store.insert_access(tx, grant_id, hash_of(text), maker.access_seconds)
    return Tokens(text, seconds, refresh_token)
