"""Rows."""

from datetime import datetime

from msgspec import Struct


class ApiKey(Struct, frozen=True):
    """A key of a member. The key's text is not in it."""

    team_id: int
    id: int
    member_id: int
    name: str
    key_hash: bytes
    last_four: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    grants: list[str] | None  #: tags of operations; None: all


class OauthApp(Struct, frozen=True):
    """An application that may ask members for access. Its secret is not in it."""

    team_id: int
    id: int  #: the vendorId of its webhook subscriptions
    client_id: str
    secret_hash: bytes | None  #: None: a public client, which proves itself by PKCE
    name: str
    description: str
    redirect_uris: list[str]
    mode: str  #: development, production
    grants: list[str] | None  #: tags of operations; None: all
    limit_per_minute: int | None  #: None: that of its mode
    is_rotating: bool  #: each refresh gives a new refresh token, and the old one ends the grant
    created_at: datetime


class OauthGrant(Struct, frozen=True):
    """A member's consent to an application."""

    team_id: int
    id: int
    app_id: int
    member_id: int
    key_id: int | None  #: the customer_key that stood for the consent
    grants: list[str] | None  #: what was asked for when they consented
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class OauthCode(Struct, frozen=True):
    """An authorization code, without its text."""

    team_id: int
    id: int
    app_id: int
    member_id: int
    code_hash: bytes
    redirect_uri: str
    is_redirect_named: bool  #: whether the page was asked with a redirect URI, so that the exchange needs it too
    challenge: str | None
    grants: list[str] | None
    expires_at: datetime
    used_at: datetime | None
    grant_id: int | None


class Session(Struct, frozen=True):
    """Somebody who signed in on a page of ours."""

    team_id: int
    id: int
    member_id: int
    email: str
    name: str


class Connection(Struct, frozen=True):
    """An application that a member is connected to."""

    app_id: int
    name: str
    description: str
    since: datetime


class Tokens(Struct, frozen=True):
    """What the token endpoint answers. contract: auth.md 3.3"""

    access_token: str
    expires_in: int  #: seconds that remain
    refresh_token: str
