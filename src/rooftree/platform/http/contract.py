"""The contract file: what it promises, and an honest 501 for what this version does not serve yet."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

import msgspec
from litestar import HttpMethod, route
from litestar.handlers import HTTPRouteHandler

import rooftree
from rooftree.platform.errors import NotYetServed
from rooftree.platform.http.dependencies import Tx

_METHODS: Final = {"get", "post", "put", "delete", "patch"}


@cache
def contract() -> dict[str, Any]:
    """Return the OpenAPI document of the contract as it was given to us."""
    return _packaged("openapi.json")


@cache
def document() -> dict[str, Any]:
    """Return the contract with our own operations (/rooftree/...), as /openapi.json shows it."""
    whole = msgspec.json.decode(msgspec.json.encode(contract()))
    whole["info"] = {**whole["info"], "title": "Rooftree", "version": rooftree.__version__}
    whole["paths"] |= _packaged("extensions.json")["paths"]
    return whole


def _packaged(name: str) -> dict[str, Any]:
    return msgspec.json.decode(resources.files("rooftree").joinpath("contract", name).read_bytes())


def operations() -> Iterator[tuple[str, str]]:
    """Yield each operation of the contract as (`GET`, `/v1.0/leads/{leadId}`)."""
    for path, methods in contract()["paths"].items():
        for method in methods.keys() & _METHODS:
            yield method.upper(), path


def grantable() -> frozenset[str]:
    """Return the tags that a credential can be limited to: those of the operations that ask for one."""
    return frozenset(
        tag
        for methods in document()["paths"].values()
        for method, operation in methods.items()
        if method in _METHODS and operation.get("security") != []
        for tag in operation["tags"]
    )


def tags_of(served: Iterable[HTTPRouteHandler]) -> dict[tuple[str, str], frozenset[str]]:
    """Return the tags of each route by method and path; another spelling of a path has those of the documented one."""
    paths = document()["paths"]
    found: dict[tuple[str, str], frozenset[str]] = {}
    for handler in served:
        for method in handler.http_methods:
            documented = [paths.get(_plain(path), {}).get(method.lower(), {}) for path in handler.paths]
            tags = frozenset(tag for operation in documented for tag in operation.get("tags", ()))
            found |= {(str(method), _plain(path)): tags for path in handler.paths}
    return found


def not_yet_served(served: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Return handlers that answer 501 for each operation of the contract without a handler of its own."""
    missing: dict[str, list[HttpMethod]] = {}
    for method, path in _missing(served):
        missing.setdefault(path, []).append(HttpMethod(method))
    return [_refusing(path, methods) for path, methods in sorted(missing.items())]


def described(served: Sequence[HTTPRouteHandler]) -> bytes:
    """Return the OpenAPI document as JSON, with `x-not-yet-served` on what answers 501."""
    whole = msgspec.json.decode(msgspec.json.encode(document()))
    for method, path in _missing(served):
        whole["paths"][path][method.lower()]["x-not-yet-served"] = True
    return msgspec.json.encode(whole)


def _missing(served: Sequence[HTTPRouteHandler]) -> Iterator[tuple[str, str]]:
    done = {(method, _plain(path)) for handler in served for path in handler.paths for method in handler.http_methods}
    return (operation for operation in operations() if operation not in done)


def _refusing(path: str, methods: Iterable[HttpMethod]) -> HTTPRouteHandler:
    async def refuse(tx: Tx) -> None:  # noqa: ARG001 - opening it asks for the credential
        raise NotYetServed(f"{path} is part of the contract but not served by this version of Rooftree.")

    return route(path.replace("}", ":str}"), http_method=list(methods), name=f"not yet served {path}")(refuse)


def _plain(path: str) -> str:
    return path.replace(":str}", "}")
