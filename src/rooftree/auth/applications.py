"""What is done with applications: make, change, renew the secret, delete."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from typing import Final

from msgspec.structs import replace

from rooftree.auth import rules, store
from rooftree.auth.model import OauthApp
from rooftree.platform import clock, ids
from rooftree.platform.database import Transaction

DEVELOPMENT: Final = "development"
PRODUCTION: Final = "production"


class ApplicationError(Exception):
    """An application that cannot be so; the message says why."""


async def make_app(
    tx: Transaction,
    *,
    name: str,
    description: str = "",
    redirect_uris: Sequence[str] = (),
    grants: Sequence[str] | None = None,
    known_grants: Collection[str] = (),
    is_public: bool = False,
    is_rotating: bool = False,
    limit_per_minute: int | None = None,
) -> tuple[OauthApp, str | None]:
    """Make an application in development; return it with its secret, which nobody can see again.

    A public one has no secret: it runs where a secret cannot be kept. Contract: auth.md 4. Writes: oauth_app.
    Raises: ApplicationError.
    """
    if is_public and not redirect_uris:
        raise ApplicationError("A public application needs a redirect URI: it has no other way to get a token.")
    secret, secret_hash = (None, None) if is_public else _new_secret()
    app = OauthApp(
        team_id=tx.team_id,
        id=(await ids.next_ids(tx, 1))[0],
        client_id=secrets.token_hex(16),
        secret_hash=secret_hash,
        name=_name(name),
        description=description.strip(),
        redirect_uris=_redirects(redirect_uris),
        mode=DEVELOPMENT,
        grants=known(grants, known_grants),
        limit_per_minute=limit_per_minute,
        is_rotating=is_rotating,
        created_at=clock.now(),
    )
    await store.insert_app(tx, app)
    return app, secret


async def change_app(
    tx: Transaction,
    app: OauthApp,
    *,
    name: str | None = None,
    description: str | None = None,
    redirect_uris: Sequence[str] | None = None,
    mode: str | None = None,
) -> OauthApp:
    """Change an application; what is None stays. Its members stay connected.

    Contract: auth.md 4 and 8. Writes: oauth_app. Raises: ApplicationError.
    """
    if mode not in {None, DEVELOPMENT, PRODUCTION}:
        raise ApplicationError(f"An application is in {DEVELOPMENT} or in {PRODUCTION}.")
    changed = replace(
        app,
        name=app.name if name is None else _name(name),
        description=app.description if description is None else description.strip(),
        redirect_uris=app.redirect_uris if redirect_uris is None else _redirects(redirect_uris),
        mode=mode or app.mode,
    )
    await store.update_app(tx, changed)
    return changed


async def grant_app(
    tx: Transaction, app: OauthApp, grants: Sequence[str] | None, known_grants: Collection[str]
) -> OauthApp:
    """Say which operations an application may use, by their tags; None: all.

    In production, what is new waits until each member consents again. Contract: auth.md 8. Writes: oauth_app.
    Raises: ApplicationError.
    """
    changed = replace(app, grants=known(grants, known_grants))
    await store.update_app(tx, changed)
    return changed


async def limit_app(tx: Transaction, app: OauthApp, limit_per_minute: int | None) -> None:
    """Give an application a rate limit of its own; None: that of its mode. Writes: oauth_app."""
    await store.update_app(tx, replace(app, limit_per_minute=limit_per_minute))


async def renew_secret(tx: Transaction, app: OauthApp) -> str:
    """Give an application another secret; the old one is refused from now on, tokens stay. Writes: oauth_app.

    Raises: ApplicationError.
    """
    if app.secret_hash is None:
        raise ApplicationError("A public application has no secret.")
    secret, secret_hash = _new_secret()
    await store.update_app(tx, replace(app, secret_hash=secret_hash))
    return secret


async def delete_app(tx: Transaction, app: OauthApp) -> None:
    """Delete an application; its tokens are refused from now on.

    Writes: oauth_app, oauth_code, oauth_grant, oauth_access, oauth_refresh.
    """
    await store.delete_app(tx, app.id)


def known(grants: Sequence[str] | None, known_grants: Collection[str]) -> list[str] | None:
    """Return tags as the contract spells them; None stays None. Raises: ApplicationError naming an unknown one."""
    if grants is None:
        return None
    spelled = {tag.lower(): tag for tag in known_grants}
    for wish in grants:
        if wish.lower() not in spelled:
            raise ApplicationError(f"There is no scope {wish!r}. There are: {', '.join(sorted(known_grants))}.")
    return sorted({spelled[wish.lower()] for wish in grants})


def _new_secret() -> tuple[str, bytes]:
    secret = secrets.token_urlsafe(32)
    return secret, hashlib.sha256(secret.encode()).digest()


def _name(name: str) -> str:
    if not 1 <= len(name.strip()) <= 100:
        raise ApplicationError("An application has a name of 1 to 100 characters.")
    return name.strip()


def _redirects(uris: Sequence[str]) -> list[str]:
    for uri in uris:
        if complaint := rules.redirect_complaint(uri):
            raise ApplicationError(f"The redirect URI {uri!r} {complaint}.")
    return list(dict.fromkeys(uris))
