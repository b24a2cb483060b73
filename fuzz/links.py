"""What answers give to later requests, as OpenAPI links: derived from the contract, by the names of ids.

`POST /v1.0/leads` answers a `leadId`; whatever asks for one, in its path, query or body, can follow. So a lead that was
made is read, noted, assigned, merged and trashed in orders that nobody wrote down, and a new operation joins by itself.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct
from tests.support.contract import CONTRACT, served_document
from tests.support.rubbish import with_numbers

#: What an id is of, by the name under which it is asked for.
KINDS: Final = {
    "leadId": "lead", "leadIds": "lead", "primaryLeadId": "lead", "keepLeadId": "lead", "mergeLeadId": "lead",
    "winnerId": "lead", "loserId": "lead", "otherLeadId": "lead",
    "userId": "member", "agentId": "member", "assignedUserId": "member", "assigneeId": "member", "agentIds": "member",
    "agentUserId": "member", "pondOwnerId": "member", "assigneeAgentId": "member", "account": "account",
    "noteId": "note", "logTypeId": "log", "callId": "call", "callRecordId": "call", "communicationId": "conversation",
    "subscribeId": "webhook", "deliveryId": "delivery", "deliveryIds": "delivery", "arrivalId": "arrival",
    "ruleId": "rule", "ruleIds": "rule", "draftIds": "rule", "profileId": "profile", "roleId": "role",
    "officeId": "office", "parentId": "office", "pondId": "pond", "scrollId": "scroll", "currentId": "entry",
    "after": "cursor", "transactionId": "transaction", "importId": "import", "duplicateId": "duplicate",
    "pairId": "duplicate", "mergeId": "merge",
}  # fmt: skip
#: The same for what is called plainly `id`, by where it stands.
PLAIN: Final = {
    "/vendors/{id}": "vendor", "/vendor/": "vendor", "/vendors": "vendor", "pond": "pond", "/org/office": "office",
    "/me": "member", "/members": "member", "/notes": "note", "/logType": "log", "/activities": "conversation",
    "/communication/": "conversation", "/calls": "call", "/routing/rules": "rule", "/routing/role/": "role",
    "profile": "profile", "/tray": "arrival", "/imports": "import", "/duplicates": "duplicate", "/merges": "merge",
}  # fmt: skip
#: Names of answers that mean the same as one asked for.
ALSO: Final = {"cursor": "cursor", "memberId": "member", "groupId": "office", "next": "cursor"}
#: Bodies that no single id makes: what the operation wants whole, by what it may follow.
WHOLE: Final[dict[str, list[tuple[str, Any]]]] = {
    "POST /v1.0/leads/{leadId}/assignment": [
        ("GET /v1.0/members", [{"role": "Agent", "assignee": "$response.body#/members/0/account"}]),
    ],
    "POST /v1.0/leads/assignee": [("POST /v1.0/leads", ["$response.body#/leadId"])],
}
_METHODS: Final = ("get", "post", "put", "delete")
#: How deep in an answer an id is looked for, and how many answers are asked for ids of one kind.
_DEPTH: Final = 3
_GIVERS: Final = 4


class Given(Struct, frozen=True):
    """An id in an answer."""

    operation: str  #: `POST /v1.0/leads`
    kind: str
    expression: str  #: where it stands: `$response.body#/leadId`


class Asked(Struct, frozen=True):
    """An id in a request."""

    operation: str
    kind: str
    place: str  #: path, query or body
    name: str
    is_list: bool = False


def linked_document() -> dict[str, Any]:
    """Return the contract with our own operations, links between all of them, and no headers to be guessed."""
    whole = msgspec.json.decode(msgspec.json.encode(served_document()))
    operations = dict(_operations(whole))
    for name, operation in operations.items():
        operation["operationId"] = name
        operation["parameters"] = [one for one in operation.get("parameters", []) if one["in"] != "header"]
        operation.pop("security", None)
        if lines := operation.get("requestBody", {}).get("content", {}).get("application/x-ndjson"):
            lines["schema"] = {"type": "array", "items": {"$ref": "#/components/schemas/LeadRequest"}, "maxItems": 20}
    served = {name: one for name, one in operations.items() if name not in not_yet()}
    givers = _nearest([given for name, one in served.items() if _begins(name) for given in _given(whole, name, one)])
    for name, operation in served.items():
        for number, (source, link) in enumerate(_links_to(name, list(_asked(whole, name, operation)), givers)):
            links = operations[source]["responses"]["200"].setdefault("links", {})
            links[f"{name} {number}"] = {"operationId": name, **link}
    return with_numbers(whole)


@cache
def not_yet() -> frozenset[str]:
    """Return the operations that answer 501."""
    lines = (CONTRACT / "not_yet.txt").read_text().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def can_begin(document: dict[str, Any], name: str) -> bool:
    """Whether an operation can be the first of a sequence: it wants nothing in its path, and no lead."""
    operation = dict(_operations(document))[name]
    return not any(one.place == "path" or one.kind == "lead" for one in _asked(document, name, operation))


def count_links(document: dict[str, Any]) -> int:
    """Return how many links a document has."""
    return sum(len(one["responses"].get("200", {}).get("links", ())) for _, one in _operations(document))


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def _begins(name: str) -> bool:
    """Whether an operation makes or lists things: what is read or changed by its id was known before."""
    method, path = name.split(" ")
    return method == "POST" or (method == "GET" and not path.endswith("}"))


def _nearest(givers: list[Given]) -> list[Given]:
    """Return of each kind the answers that are most about it: where its id stands outermost, on the shortest path."""
    ordered = sorted(givers, key=lambda one: (one.expression.count("/"), len(one.operation), one.operation))
    kinds = dict.fromkeys(one.kind for one in givers)
    return [one for kind in kinds for one in [given for given in ordered if given.kind == kind][:_GIVERS]]


def _links_to(name: str, asked: list[Asked], givers: list[Given]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, for an operation, each answer that can precede it, and how that answer's ids are used."""
    sources = dict.fromkeys(given.operation for given in givers if given.operation != name)
    for source in sources:
        link: dict[str, Any] = {}
        for one in asked:
            found = [given for given in givers if given.operation == source and given.kind == one.kind]
            if not found:
                continue
            if one.place == "body":
                value: Any = found[0].expression
                link.setdefault("requestBody", {})[one.name] = [value] if one.is_list else value
            else:
                link.setdefault("parameters", {})[f"{one.place}.{one.name}"] = found[0].expression
        is_led = any(one.place == "path" for one in asked)
        if link and (not is_led or any(key.startswith("path.") for key in link.get("parameters", {}))):
            yield source, link
    for source, body in WHOLE.get(name, []):
        yield source, {"requestBody": body}


def _asked(document: dict[str, Any], name: str, operation: dict[str, Any]) -> Iterator[Asked]:
    for one in operation.get("parameters", []):
        if kind := _kind(one["name"], name):
            yield Asked(name, kind, one["in"], one["name"])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for field, schema in _resolved(document, body).get("properties", {}).items():
        if field in KINDS:
            yield Asked(name, KINDS[field], "body", field, _resolved(document, schema).get("type") == "array")


def _given(document: dict[str, Any], name: str, operation: dict[str, Any]) -> Iterator[Given]:
    schema = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    seen: set[str] = set()
    for field, pointer in _fields(document, schema or {}, "", _DEPTH):
        kind = ALSO.get(field) or _kind(field, name)
        if kind and kind not in seen:
            seen.add(kind)
            yield Given(name, kind, f"$response.body#{pointer}")


def _kind(field: str, name: str) -> str | None:
    if field == "id":
        path = name.split(" ")[1]
        return next((kind for part, kind in PLAIN.items() if part in path), None)
    return KINDS.get(field)


def _fields(document: dict[str, Any], schema: dict[str, Any], pointer: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each property of an answer with where it stands, the outermost first; of a list, those of its first."""
    schema = _resolved(document, schema)
    if "items" in schema and depth:
        yield from _fields(document, schema["items"], f"{pointer}/0", depth - 1)
    properties = schema.get("properties", {})
    yield from ((field, f"{pointer}/{field}") for field in properties)
    if depth:
        for field, inner in properties.items():
            if not re.fullmatch(r"_?(get_)?metadata", field) or depth == _DEPTH:
                yield from _fields(document, inner, f"{pointer}/{field}", depth - 1)


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema
