"""The endpoints of tokens. contract: auth.md 3.1 to 3.4

The protocol's words come from Authlib: its errors, its PKCE, its reading of Basic. Why not more of it: ADR 0021.
"""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
)
from authlib.oauth2.rfc6749.util import extract_basic_authorization
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.types import ExceptionHandlersMap

from rooftree.auth import granting, queries, rules
from rooftree.auth.api.door import address, body, database, door, form, query
from rooftree.auth.granting import hash_of
from rooftree.auth.model import OauthApp, Tokens
from rooftree.auth.queries import KeyReader
from rooftree.platform.http.reading import AnyRequest

_NAMES: Final = {
    "grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "customer_key",
    "refresh_token", "scope", "token",
}  # fmt: skip
_SECRET: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def _oauth_refused(request: AnyRequest, error: OAuth2Error) -> Response[bytes]:
    """Answer as RFC 6749, 5.2 has it. contract: auth.md 3.3"""
    headers = dict(_SECRET)
    if error.status_code == 401 and "authorization" in request.headers:
        headers["WWW-Authenticate"] = 'Basic realm="Rooftree"'
    body = msgspec.json.encode(dict(error.get_body()))
    return Response(body, status_code=error.status_code, media_type="application/json", headers=headers)


_HANDLERS: Final[ExceptionHandlersMap] = {OAuth2Error: _oauth_refused}


@post(["/oauth/token", "/api/user-web/oauth/token"], status_code=200, exception_handlers=_HANDLERS)
async def token(request: AnyRequest) -> Response[bytes]:
    """Give tokens for a code, a customer_key or a refresh token. contract: auth.md 3.1 to 3.3"""
    return await _token(request)


@get("/api/user-web/oauth/token", exception_handlers=_HANDLERS)
async def token_by_query(request: AnyRequest) -> Response[bytes]:
    """Do the same for the published sample, which has all in its query string. contract: auth.md 3.1"""
    return await _token(request)


async def _token(request: AnyRequest) -> Response[bytes]:
    params = await _parameters(request)
    app = await _client(request, params)
    grant_type = params.get("grant_type")
    if grant_type is None:
        raise InvalidRequestError("grant_type is required.")
    give = _GRANTS.get(grant_type)
    if give is None:
        raise UnsupportedGrantTypeError(grant_type)
    tokens = await give(request, app, params)
    if tokens is None:
        raise InvalidGrantError("What was sent is unknown, over, used before, ended, or was given to another client.")
    answer = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "refresh_token": tokens.refresh_token,
        "scope": granting.SCOPE,
    }
    return Response(msgspec.json.encode(answer), media_type="application/json", headers=_SECRET)


async def _by_code(request: AnyRequest, app: OauthApp, params: dict[str, str]) -> Tokens | None:
    code = _needed(params, "code")
    async with database(request).transaction(app.team_id) as tx:
        return await granting.exchange_code(
            tx, door(request).maker, app, code, params.get("redirect_uri"), params.get("code_verifier")
        )


async def _by_key(request: AnyRequest, app: OauthApp, params: dict[str, str]) -> Tokens | None:
    if app.secret_hash is None:
        raise UnauthorizedClientError("A public client acts for people who consent, not for a customer_key.")
    _check_scope(params)
    reader: KeyReader = request.app.state.key_reader
    key_hash = reader.hash_of(_needed(params, "customer_key"))
    if key_hash is None:
        return None
    async with database(request).transaction(app.team_id) as tx:
        return await granting.trust_key(tx, door(request).maker, app, key_hash)


async def _by_refresh(request: AnyRequest, app: OauthApp, params: dict[str, str]) -> Tokens | None:
    _check_scope(params)
    refresh_token = _needed(params, "refresh_token")
    async with database(request).transaction(app.team_id) as tx:
        return await granting.refresh(tx, door(request).maker, app, refresh_token)


_GRANTS: Final[dict[str, Callable[[AnyRequest, OauthApp, dict[str, str]], Awaitable[Tokens | None]]]] = {
    "authorization_code": _by_code,
    "client_credentials": _by_key,
    "refresh_token": _by_refresh,
}


def _needed(params: dict[str, str], name: str) -> str:
    if name not in params:
        raise InvalidRequestError(f"{name} is required.")
    return params[name]


def _check_scope(params: dict[str, str]) -> None:
    if set(params.get("scope", granting.SCOPE).split()) != {granting.SCOPE}:
        raise InvalidScopeError(f"The only scope is {granting.SCOPE}; leave it out.")


@post("/oauth/revoke", status_code=200, exception_handlers=_HANDLERS)
async def revoke(request: AnyRequest) -> Response[bytes]:
    """End a token: an access token alone, a refresh token with all that came of it (RFC 7009). contract: auth.md 3.4"""
    params = await _parameters(request)
    app = await _client(request, params)
    async with database(request).transaction(app.team_id) as tx:
        await granting.revoke_token(tx, app, _needed(params, "token"))
    return Response(b"{}", media_type="application/json", headers=_SECRET)


async def _parameters(request: AnyRequest) -> dict[str, str]:
    """Read form or JSON body, and query string. Raises: InvalidRequestError."""
    content = await body(request)
    try:
        pairs = [*query(request), *(_json(content) if content.lstrip().startswith(b"{") else form(content))]
        found = rules.one_of_each((name, value) for name, value in pairs if name in _NAMES)
    except ValueError as error:
        twice = str(error)
        raise InvalidRequestError(
            f"{twice} has two values." if twice in _NAMES else "The request cannot be read."
        ) from None
    if any("\0" in value for value in found.values()):
        raise InvalidRequestError("No parameter may contain the character U+0000.")
    return found


def _json(body: bytes) -> list[tuple[str, str]]:
    """Return a JSON object's pairs. Raises: ValueError."""
    try:
        content = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise ValueError from None
    known = [(name, value) for name, value in content.items() if name in _NAMES and value is not None]
    if any(not isinstance(value, str) for _, value in known):
        raise ValueError
    return known


async def _client(request: AnyRequest, params: dict[str, str]) -> OauthApp:
    """Return the application that asks, proven by its secret if it has one.

    Raises: InvalidRequestError, InvalidClientError; TooManyRequests (429) when too many could not prove themselves.
    """
    headers = request.headers.getall("authorization", [])
    if len(headers) > 1:
        raise InvalidRequestError("Authorization is sent twice.")
    client_id, secret = _basic(headers[0]) if headers else (None, None)
    for value, name in ((client_id, "client_id"), (secret, "client_secret")):
        if value is not None and params.get(name, value) != value:
            raise InvalidRequestError(f"{name} has two values.")
    client_id = client_id or params.get("client_id")
    secret = secret or params.get("client_secret")
    app = await queries.find_app(database(request), client_id) if client_id else None
    if app is None or not _is_proven(app, secret):
        request.app.state.refused.note(address(request))
        raise InvalidClientError("Unknown client, or not proven.", status_code=401)
    return app


def _basic(header: str) -> tuple[str | None, str | None]:
    """Return id and secret of `Authorization: Basic`; another scheme says nothing about the client."""
    try:
        client_id, secret = extract_basic_authorization({"Authorization": header.strip()})
    except ValueError:
        client_id, secret = None, None
    if client_id and "\0" in client_id:
        client_id = None
    if not client_id and header.strip().lower().startswith("basic"):
        raise InvalidClientError("Unknown client, or not proven.", status_code=401)
    return client_id, secret or None


def _is_proven(app: OauthApp, secret: str | None) -> bool:
    if app.secret_hash is None or secret is None:
        return app.secret_hash is None and secret is None
    return hmac.compare_digest(hash_of(secret), app.secret_hash)


@get("/.well-known/oauth-authorization-server", exception_handlers=_HANDLERS)
async def metadata(request: AnyRequest) -> Response[bytes]:
    """Say where everything is (RFC 8414)."""
    home: str = request.app.state.settings.address
    proofs = ["client_secret_basic", "client_secret_post", "none"]
    found = AuthorizationServerMetadata(
        issuer=home,
        authorization_endpoint=f"{home}/oauth/authorize",
        token_endpoint=f"{home}/oauth/token",
        revocation_endpoint=f"{home}/oauth/revoke",
        scopes_supported=[granting.SCOPE],
        response_types_supported=["code"],
        grant_types_supported=list(_GRANTS),
        token_endpoint_auth_methods_supported=proofs,
        revocation_endpoint_auth_methods_supported=proofs,
        code_challenge_methods_supported=["S256"],
    )
    return Response(msgspec.json.encode(dict(found)), media_type="application/json")


ROUTES: Final[list[HTTPRouteHandler]] = [token, token_by_query, revoke, metadata]
