"""The operations on people and what they belong to."""

from typing import Final

from litestar.handlers import HTTPRouteHandler

from rooftree.team.api import agents, members, organisation, ponds, profiles, vendors

ROUTES: Final[list[HTTPRouteHandler]] = [
    *members.ROUTES,
    *agents.ROUTES,
    *organisation.ROUTES,
    *profiles.ROUTES,
    *ponds.ROUTES,
    *vendors.ROUTES,
]
