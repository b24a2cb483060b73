"""The pages on which people sign in, consent and disconnect. contract: auth.md 3.2 and 3.4"""

import hmac
import secrets
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.types import ExceptionHandlersMap
from msgspec import Struct

from rooftree.auth import granting, pages, queries, rules, signing_in
from rooftree.auth.api.door import address, body, database, door, form, query
from rooftree.auth.granting import hash_of
from rooftree.auth.model import OauthApp, Session
from rooftree.platform import clock
from rooftree.platform.errors import ApiError, InvalidParameter
from rooftree.platform.http.reading import AnyRequest
from rooftree.platform.pages import Sealer

#: How long the button of a page that was left open still works.
_FORM_SECONDS: Final = 3600
_LONGEST_LOGIN: Final = 320
_VISIT_BYTES: Final = 16
#: Parameters of the page; the vendor's own spelling of one stands beside that of the RFC.
_NAMES: Final = {
    "clientId": "client_id",
    **{
        name: name
        for name in ("client_id", "redirect_uri", "response_type", "state", "code_challenge", "code_challenge_method")
    },
}


class Unfit(Exception):
    """What a person asked for cannot be; the text is for them."""

    def __init__(self, text: str, status: int = 400) -> None:
        self.text = text
        self.status = status
        super().__init__(text)


class Knock(Struct, frozen=True, array_like=True):
    """What a sign-in form carries: where to go next, and the browser it was shown to."""

    goal: str
    visit: str
    at: int


class Asked(Struct, frozen=True, array_like=True):
    """What a consent form carries: all that was asked for, and the session it was shown to."""

    session_id: int
    client_id: str
    redirect_uri: str
    is_redirect_named: bool
    state: str | None
    challenge: str | None
    grants: list[str] | None
    at: int


class Wish(Struct, frozen=True, array_like=True):
    """What another button carries: the session it was shown to, and the application to disconnect (0: sign out)."""

    session_id: int
    app_id: int
    at: int


def _html(page: str, *, status: int = 200, form_target: str | None = None) -> Response[str]:
    headers = pages.headers(form_target) if form_target else pages.headers()
    return Response(page, status_code=status, media_type="text/html", headers=headers)


def _go(url: str) -> Response[str]:
    return Response("", status_code=303, media_type="text/html", headers={**pages.headers(), "Location": url})


def _unfit(_: AnyRequest, error: Unfit) -> Response[str]:
    return _html(pages.error_page(error.text), status=error.status)


def _refused_page(_: AnyRequest, error: ApiError) -> Response[str]:
    text = "Too many attempts. Wait a minute." if error.status == 429 else error.message
    return _html(pages.error_page(text), status=error.status)


_HANDLERS: Final[ExceptionHandlersMap] = {Unfit: _unfit, ApiError: _refused_page}


@get(["/page/vendor-auth.html", "/oauth/authorize", "/api/user-web/oauth/authorize"], exception_handlers=_HANDLERS)
async def authorize(request: AnyRequest) -> Response[str]:
    """Ask whether an application may act in somebody's name. contract: auth.md 3.2"""
    app, asked = await _asked(request)
    if isinstance(asked, str):
        return _go(asked)
    session = await _session(request)
    if session is None:
        return _ask_to_sign_in(request, f"/oauth/authorize?{urlencode(query(request))}", app_name=app.name)
    if session.team_id != app.team_id:
        raise Unfit("This application is not one of your company's.", 403)
    shared = door(request)
    target = rules.source_of(asked.redirect_uri)
    page = pages.consent_page(
        app,
        session,
        target.removesuffix(":"),
        shared.asked.seal(msgspec.structs.replace(asked, session_id=session.id)),
        shared.wishes.seal(Wish(session.id, 0, _now())),
    )
    return _html(page, form_target=target)


async def _asked(request: AnyRequest) -> tuple[OauthApp, Asked | str]:
    """Return which application asks for what; a URL instead, if it must be told why not. Raises: Unfit."""
    try:
        params = rules.one_of_each((_NAMES[name], value) for name, value in query(request) if name in _NAMES)
    except ValueError:
        raise Unfit("The link that led here has a parameter twice.") from None
    client_id = params.get("client_id", "")
    app = await queries.find_app(database(request), client_id) if client_id and "\0" not in client_id else None
    if app is None:
        raise Unfit("The link that led here names no application that this server knows.")
    wanted = params.get("redirect_uri")
    redirect_uri = rules.matching_redirect(app.redirect_uris, wanted)
    if redirect_uri is None:
        raise Unfit(f"{app.name} has not registered the address that it wants you to go on to.")
    state, challenge = params.get("state"), params.get("code_challenge")
    if params.get("response_type", "code") != "code":
        return app, rules.redirect_with(redirect_uri, ("error", "unsupported_response_type"), ("state", state))
    method = params.get("code_challenge_method")
    if complaint := rules.challenge_complaint(challenge, method, is_needed=app.secret_hash is None):
        what = ("error_description", complaint)
        return app, rules.redirect_with(redirect_uri, ("error", "invalid_request"), what, ("state", state))
    return app, Asked(0, app.client_id, redirect_uri, wanted is not None, state, challenge, app.grants, _now())


@post("/oauth/consent", status_code=200, exception_handlers=_HANDLERS)
async def consent(request: AnyRequest) -> Response[str]:
    """Take the answer, and send the person back to the application. contract: auth.md 3.2"""
    fields = await _fields(request)
    session = await _session(request)
    asked = _opened(door(request).asked, fields.get("asked"), Asked)
    app = await queries.find_app(database(request), asked.client_id)
    if session is None or asked.session_id != session.id or app is None or app.team_id != session.team_id:
        raise Unfit("You are not signed in any more as whom this page was shown to. Begin again.", 403)
    redirect_uri = rules.matching_redirect(app.redirect_uris, asked.redirect_uri)
    if redirect_uri is None or app.grants != asked.grants:
        raise Unfit("The application was changed meanwhile. Begin again.")
    if fields.get("answer") != "allow":
        return _go(rules.redirect_with(redirect_uri, ("error", "access_denied"), ("state", asked.state)))
    async with database(request).transaction(app.team_id) as tx:
        code = await granting.give_code(
            tx,
            app,
            session.member_id,
            redirect_uri=redirect_uri,
            is_redirect_named=asked.is_redirect_named,
            challenge=asked.challenge,
        )
    if code is None:
        raise Unfit("You have no access any more.", 403)
    return _go(rules.redirect_with(redirect_uri, ("code", code), ("state", asked.state)))


@post("/oauth/sign-in", status_code=200, exception_handlers=_HANDLERS)
async def sign_in(request: AnyRequest) -> Response[str]:
    """Let somebody in who knows their password, and on to the page they came for."""
    fields = await _fields(request)
    shared = door(request)
    knock = _opened(shared.knocks, fields.get("knock"), Knock)
    if not hmac.compare_digest(knock.visit.encode(), request.cookies.get(_visit_name(request), "").encode()):
        raise Unfit("This form was not shown to this browser, or it takes no cookies. Begin again.", 403)
    login = fields.get("login", "").strip()[:_LONGEST_LOGIN]
    shared.by_address.note(address(request))
    shared.by_login.note(login.lower())
    cookie = await shared.doorkeeper.sign_in(login, fields.get("password", ""))
    if cookie is None:
        return _ask_to_sign_in(request, knock.goal, login=login, complaint="Wrong e-mail or password.")
    answer = _go(knock.goal)
    answer.cookies.append(_cookie(request, _session_name(request), cookie))
    return answer


@post("/oauth/sign-out", status_code=200, exception_handlers=_HANDLERS)
async def sign_out(request: AnyRequest) -> Response[str]:
    """End the session."""
    session, _ = await _wished(request)
    async with database(request).transaction(session.team_id) as tx:
        await signing_in.sign_out(tx, session.id)
    return _go("/oauth/connections")


@get("/oauth/connections", exception_handlers=_HANDLERS)
async def connections(request: AnyRequest) -> Response[str]:
    """Show somebody which applications they are connected to."""
    session = await _session(request)
    if session is None:
        return _ask_to_sign_in(request, "/oauth/connections")
    wishes = door(request).wishes
    async with database(request).reading(session.team_id) as tx:
        found = await queries.list_connections(tx, session.member_id)
    listed = [(one, wishes.seal(Wish(session.id, one.app_id, _now()))) for one in found]
    return _html(pages.connections_page(listed, session, wishes.seal(Wish(session.id, 0, _now()))))


@post("/oauth/connections", status_code=200, exception_handlers=_HANDLERS)
async def disconnect(request: AnyRequest) -> Response[str]:
    """Disconnect an application: all its tokens for this person end. contract: auth.md 3.4"""
    session, wish = await _wished(request)
    async with database(request).transaction(session.team_id) as tx:
        await granting.disconnect(tx, session.member_id, wish.app_id)
    return _go("/oauth/connections")


async def _wished(request: AnyRequest) -> tuple[Session, Wish]:
    fields = await _fields(request)
    session = await _session(request)
    wish = _opened(door(request).wishes, fields.get("wish"), Wish)
    if session is None or wish.session_id != session.id:
        raise Unfit("You are not signed in any more as whom this page was shown to. Begin again.", 403)
    return session, wish


async def _fields(request: AnyRequest) -> dict[str, str]:
    """Return a form's fields. Raises: Unfit."""
    try:
        found = rules.one_of_each(form(await body(request)))
    except ValueError:
        raise Unfit("This form cannot be read.") from None
    if any("\0" in value for value in found.values()):
        raise Unfit("This form cannot be read.")
    return found


def _opened(sealer: Sealer, text: str | None, kind: type[Any]) -> Any:
    """Return what a form of ours carried. Raises: Unfit."""
    try:
        found = sealer.open(text or "", kind)
    except InvalidParameter:
        raise Unfit("This form is not one that this server made. Begin again.", 403) from None
    if not 0 <= _now() - found.at <= _FORM_SECONDS:
        raise Unfit("This page was open for too long. Begin again.", 403)
    return found


def _now() -> int:
    return int(clock.now().timestamp())


async def _session(request: AnyRequest) -> Session | None:
    cookie = request.cookies.get(_session_name(request))
    return await queries.find_session(database(request), hash_of(cookie)) if cookie else None


def _ask_to_sign_in(
    request: AnyRequest, goal: str, *, app_name: str | None = None, login: str = "", complaint: str = ""
) -> Response[str]:
    made = secrets.token_urlsafe(_VISIT_BYTES)
    known = request.cookies.get(_visit_name(request), "")
    visit = known if len(known) == len(made) else made  # another tab's form stays good
    sealed = door(request).knocks.seal(Knock(goal, visit, _now()))
    page = pages.sign_in_page(sealed, app_name=app_name, login=login, complaint=complaint)
    answer = _html(page, status=403 if complaint else 200)
    answer.cookies.append(_cookie(request, _visit_name(request), visit))
    return answer


def _is_https(request: AnyRequest) -> bool:
    return request.app.state.settings.address.startswith("https:") or request.scope["scheme"] == "https"


def _session_name(request: AnyRequest) -> str:
    return "__Host-rooftree" if _is_https(request) else "rooftree"


def _visit_name(request: AnyRequest) -> str:
    return _session_name(request) + "-visit"


def _cookie(request: AnyRequest, name: str, value: str) -> Cookie:
    return Cookie(key=name, value=value, path="/", httponly=True, samesite="lax", secure=_is_https(request))


ROUTES: Final[list[HTTPRouteHandler]] = [authorize, consent, sign_in, sign_out, connections, disconnect]
