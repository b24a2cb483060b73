"""What the handlers of one process share, and how they read a request."""

from typing import Final
from urllib.parse import parse_qsl

from rooftree.auth import signing_in
from rooftree.auth.granting import Maker
from rooftree.platform.database import Database
from rooftree.platform.http.auth import RefusedCredentials
from rooftree.platform.http.reading import AnyRequest, check_size
from rooftree.platform.pages import Sealer
from rooftree.platform.settings import Settings

#: Attempts to sign in with one login in a minute. Unlike a key, a password may be guessed: after that not even the
#: right one is looked at.
SIGN_INS_PER_MINUTE: Final = 10
_MOST_PARAMETERS: Final = 50


class Door:
    """What the handlers of one process share."""

    def __init__(self, signing_secret: bytes, settings: Settings, database: Database) -> None:
        self.maker = Maker(signing_secret, settings.oauth_access_seconds)
        self.knocks = Sealer(signing_secret, "sign-in form")
        self.asked = Sealer(signing_secret, "consent form")
        self.wishes = Sealer(signing_secret, "session form")
        self.doorkeeper = signing_in.Doorkeeper(database)
        self.by_login = RefusedCredentials(SIGN_INS_PER_MINUTE)
        self.by_address = RefusedCredentials(settings.auth_failures_per_minute)


def door(request: AnyRequest) -> Door:
    """Return what is shared."""
    return request.app.state.oauth


def database(request: AnyRequest) -> Database:
    """Return the pool: who asks, and so the team, is found out here and not by the request's dependencies."""
    return request.app.state.database


def address(request: AnyRequest) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else ""


def query(request: AnyRequest) -> list[tuple[str, str]]:
    """Return the query string's pairs. Raises: ValueError."""
    text = request.scope["query_string"].decode("latin-1")
    return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)


async def body(request: AnyRequest) -> bytes:
    """Return a body. Raises: BodyTooLarge (900413)."""
    content = await request.body()
    check_size(len(content), request.app.state.settings.body_limit_bytes)
    return content


def form(content: bytes) -> list[tuple[str, str]]:
    """Return a form's pairs. Raises: ValueError."""
    return parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
