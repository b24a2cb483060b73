"""What an operator and a newcomer ask for: health, figures, the API's description. No credential needed."""

import base64
import hashlib
import html
import os
import re
from functools import cache
from importlib import resources
from typing import Any, Final

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from rooftree import __version__
from rooftree.platform.errors import Unavailable
from rooftree.platform.http.answers import answer
from rooftree.platform.http.contract import document
from rooftree.platform.http.reading import AnyRequest

BUILD: Final = Gauge(
    "rooftree_build_info", "Always 1; the label says the version.", ["version"], multiprocess_mode="max"
)
BUILD.labels(__version__).set(1)


@get("/healthz")
async def healthz() -> Response[bytes]:
    """Say that the process lives."""
    return answer({"status": "ok"})


@get("/readyz")
async def readyz(request: AnyRequest) -> Response[bytes]:
    """Say whether requests can be served: the database answers."""
    try:
        async with request.app.state.database.unscoped() as tx:
            await tx.fetchval("SELECT 1")
    except Exception as error:
        raise Unavailable from error
    return answer({"status": "ready"})


@get("/metrics")
async def metrics(request: AnyRequest) -> Response[bytes]:
    """Return figures in Prometheus' format: of all API processes on this socket, and of the installation."""
    text = generate_latest(_processes())
    if figures := request.app.state.figures:
        text += generate_latest(await figures.registry())
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _processes() -> CollectorRegistry:
    """Return the counters of this process or, where several share a socket, of all of them added up."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # the library's own variable, set by `rooftree serve`
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


@get("/openapi.json")
async def openapi(request: AnyRequest) -> Response[bytes]:
    """Return the contract, with our own operations, and what answers 501 marked."""
    return Response(request.app.state.description, media_type="application/json")


@get(["/", "/docs"])
async def api_page() -> Response[str]:
    """Return a page to read and try the API with, in one file."""
    page = _api_page()
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": _policy_of(page)})


@get("/llms.txt")
async def llms() -> Response[str]:
    """Return where the documentation is. contract: S0-38"""
    lines = ["# Rooftree", "", "- [API description](/openapi.json)", "- [API page](/docs)", ""]
    lines += [f"- {html.unescape(line)}" for line in _summaries(document())]
    return Response("\n".join(lines), media_type="text/plain")


@cache
def _api_page() -> str:
    return resources.files("rooftree").joinpath("static", "api.html").read_text(encoding="utf-8")


@cache
def _policy_of(page: str) -> str:
    """Return a policy under which a page does what it came with, and talks to us alone."""
    hashes = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for text in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        )
        for tag in ("script", "style")
    }
    return (
        f"default-src 'none'; connect-src 'self'; script-src {hashes['script']}; style-src {hashes['style']}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def _summaries(contract: dict[str, Any]) -> list[str]:
    return [f"{method.upper()} {path}" for path, methods in contract["paths"].items() for method in methods]


ROUTES: Final[list[HTTPRouteHandler]] = [healthz, readyz, metrics, openapi, api_page, llms]
