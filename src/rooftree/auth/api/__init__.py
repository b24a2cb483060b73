"""OAuth 2.0 over HTTP: endpoints of tokens, pages for people."""

from typing import Final

from litestar.handlers import HTTPRouteHandler

from rooftree.auth.api import consent, tokens
from rooftree.auth.api.door import Door

__all__ = ["ROUTES", "Door"]

ROUTES: Final[list[HTTPRouteHandler]] = [*tokens.ROUTES, *consent.ROUTES]
