"""Builds the ASGI application: lists every room's routes, and opens each request's transaction.

The order of a request: path and method (the framework), size of the body, credential, and only then what the
body says. contract: errors.md 2
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide

import rooftree.ai.api
import rooftree.auth.api
import rooftree.calls.api
import rooftree.duplicates.api
import rooftree.leads.api
import rooftree.manual_logs.api
import rooftree.messaging.api
import rooftree.messaging.queries
import rooftree.notes.api
import rooftree.routing.api
import rooftree.team.api
import rooftree.timeline.api
import rooftree.transactions.api
import rooftree.webhooks.api
import rooftree.webhooks.queries
from rooftree.auth.queries import KeyReader
from rooftree.auth.store import LastUsed
from rooftree.messaging.intake import ReturnAddresses
from rooftree.messaging.links import Links
from rooftree.platform.actor import Actor
from rooftree.platform.blobs import BlobLinks, BlobStore
from rooftree.platform.database import Database, Transaction
from rooftree.platform.errors import ApiError, BadCredentials, IdempotencyKeyNotTaken, UserInTokenNotExist
from rooftree.platform.http import contract, idempotency, rate_limit, service
from rooftree.platform.http.auth import RefusedCredentials, actor_of, check_grants, credential
from rooftree.platform.http.dependencies import Tx
from rooftree.platform.http.errors import EXCEPTION_HANDLERS
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.http.reading import AnyRequest, body_limit, check_size, wait_for_body
from rooftree.platform.http.security_headers import SecurityHeaders
from rooftree.platform.pages import Sealer
from rooftree.platform.settings import Settings

ROUTES: Final = [
    *rooftree.team.api.ROUTES,
    *rooftree.leads.api.ROUTES,
    *rooftree.routing.api.ROUTES,
    *rooftree.timeline.api.ROUTES,
    *rooftree.notes.api.ROUTES,
    *rooftree.manual_logs.api.ROUTES,
    *rooftree.messaging.api.ROUTES,
    *rooftree.calls.api.ROUTES,
    *rooftree.ai.api.ROUTES,
    *rooftree.transactions.api.ROUTES,
    *rooftree.auth.api.ROUTES,
    *rooftree.webhooks.api.ROUTES,
    *rooftree.duplicates.api.ROUTES,
]
#: What /metrics tells beside the platform's own figures.
MEASURES: Final = (rooftree.messaging.queries.BACKLOG, rooftree.webhooks.queries.BACKLOG)
_READING: Final = {"GET", "HEAD"}


def create_app(settings: Settings, database: Database, signing_secret: bytes) -> RequestIds:
    """Return the application, serving from an open database. The caller opens and closes the database."""
    routes = [*ROUTES, *contract.not_yet_served(ROUTES), *service.ROUTES]
    app = Litestar(
        route_handlers=routes,
        dependencies={
            "tx": Provide(_tx),
            "actor": Provide(_actor, sync_to_thread=False),
            "identity": Provide(_identity),
        },
        after_request=idempotency.note_answer,
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        logging_config=None,  # it would put handlers of its own in the place of ours
        request_max_body_size=settings.body_limit_bytes + 1,
    )
    app.state.description = contract.described(ROUTES)
    app.state.tags = contract.tags_of(routes)
    serve_from(app.state, settings, database, signing_secret)
    return RequestIds(app)


def serve_from(state: State, settings: Settings, database: Database, signing_secret: bytes) -> None:
    """Let an application serve from a database, with nothing left of what it served from before."""
    state.settings = settings
    state.database = database
    state.figures = None
    state.key_reader = KeyReader(signing_secret)
    state.oauth = rooftree.auth.api.Door(signing_secret, settings, database)
    state.sealer = Sealer(signing_secret)
    state.links = Links(signing_secret, settings.address, is_public=bool(settings.public_url))
    state.returns = ReturnAddresses(signing_secret, settings.email_in_domain) if settings.email_in_domain else None
    state.blobs = BlobStore.open(settings.blob_url, settings.data_path / "blobs")
    state.blob_links = BlobLinks(signing_secret, settings.address)
    state.last_used = LastUsed()
    state.refused = RefusedCredentials(settings.auth_failures_per_minute)
    state.security_headers = SecurityHeaders(is_tls=settings.address.startswith("https:"))
    state.limits = rate_limit.Limits(state.refused, is_on=settings.rate_limits != "off")


async def _tx(request: AnyRequest) -> AsyncGenerator[Transaction]:
    """Authenticate, and hold the request's connection: a transaction for writes, single statements for reads.

    The commit happens before the answer leaves; an exception in the handler rolls everything back.
    """
    state = request.app.state
    declared = request.headers.get("content-length", "")
    limit = body_limit(request)
    check_size(int(declared) if declared.isascii() and declared.isdigit() else 0, limit)
    key_hash = _key_hash(request)
    is_writing = request.method not in _READING
    has_key = is_writing and idempotency.has_key(request)
    if is_writing:
        await wait_for_body(request)  # before a connection is held: who sends slowly keeps nobody waiting
    is_counted = state.limits.is_on
    async with state.database.asking(key_hash, is_writing=is_writing, is_counted=is_counted) as (tx, record):
        actor = _admitted(request, record)
        request.scope["actor"] = actor  # type: ignore[typeddict-unknown-key]
        claim = await idempotency.take(request, tx, actor) if has_key else None
        yield tx
        if claim:
            await idempotency.keep(request, tx, claim)


async def _identity(request: AnyRequest) -> Actor:
    """Authenticate, and hold nothing: for requests that take long to come in.

    Nothing of it could be kept with the change, so an Idempotency-Key is refused.
    """
    state = request.app.state
    key_hash, is_counted = _key_hash(request), state.limits.is_on
    async with state.database.asking(key_hash, is_writing=False, is_counted=is_counted) as (_, record):
        actor = _admitted(request, record)
    if request.method not in _READING and idempotency.has_key(request):
        raise IdempotencyKeyNotTaken
    return actor


def _admitted(request: AnyRequest, record: Mapping[str, Any] | None) -> Actor:
    """Return who asks, if their credential is valid and was granted this operation."""
    try:
        actor = actor_of(record)
    except ApiError as error:
        raise _counted(request, error) from None
    state = request.app.state
    rate_limit.show(request.scope, record)
    check_grants(actor, state.tags.get((request.method, request.scope["path_template"]), frozenset()))
    rate_limit.admit(request.scope)
    if actor.key_id is not None:
        state.last_used.note(actor.team_id, actor.key_id)
    return actor


def _actor(request: AnyRequest, tx: Tx) -> Actor:  # noqa: ARG001
    """Return who asks; opening `tx` has found out."""
    return request.scope["actor"]  # type: ignore[typeddict-item]


def _key_hash(request: AnyRequest) -> bytes:
    try:
        key_hash = request.app.state.key_reader.hash_of(credential(request))
        if key_hash is None:
            raise BadCredentials
    except BadCredentials as error:
        raise _counted(request, error) from None
    return key_hash


def _counted(request: AnyRequest, error: ApiError) -> ApiError:
    if not isinstance(error, UserInTokenNotExist):
        request.app.state.refused.note(request.client.host if request.client else "")
    return error


async def write_last_use(app: RequestIds, database: Database) -> None:
    """Write when keys were used since the last time."""
    last_used: LastUsed = app.state.last_used
    await last_used.flush(database)
