"""Checks answers against contract/openapi.json."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

CONTRACT = Path(__file__).parents[2] / "contract"
#: Statuses that any operation may give. contract: errors.md 7 and 8
GENERAL = {400, 401, 404, 405, 408, 413, 429, 500, 501, 503}
#: Operations that leave out what does not apply. contract: behaviour.md 4
LEAVING_OUT = {"/v2.0/leads/{leadId}/activities", "/v2.0/communication/call/{communicationId}"}
#: Printed as one object, an array where there are several. contract: behaviour.md 11
ONE_OR_MORE = {"memberWeights"}
#: What only requests with headers of ours are answered, by status: Idempotency-Key and If-Match. See ADR 0020.
OURS = {409: 900410, 412: 900412, 422: 900422}
#: What any operation answers an application that it was not granted to, with 403. contract: auth.md 4
UNGRANTED = 200100
#: Endpoints of tokens, whose refusals are those of RFC 6749; contract: errors.md 1, exception 4
TOKENS = re.compile(r"(/api/user-web)?/oauth/(token|revoke)/?")
ERROR_KEYS = {"code", "message", "errorCode", "errorMsg", "name"}
#: Operations with a body of refusal of their own; only a body that is too large is refused as elsewhere.
#: contract: errors.md 1, exception 2
RESULTS = re.compile(r"/v1\.0/agent/(profile|[^/]+/tag)/add/?")
RESULT_KEYS = {"data", "errorCode", "errorMsg", "errorData"}


@cache
def document() -> dict[str, Any]:
    """The contract."""
    return msgspec.json.decode((CONTRACT / "openapi.json").read_bytes())


@cache
def served_document() -> dict[str, Any]:
    """The contract with our own operations beside it."""
    ours = msgspec.json.decode((CONTRACT / "extensions.json").read_bytes())
    return {**document(), "paths": {**document()["paths"], **ours["paths"]}}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    ordered = sorted(served_document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in ordered]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation that a request names, None when nobody described it."""
    for pattern, template in _patterns():
        if pattern.fullmatch(path.rstrip("/")) and method.lower() in served_document()["paths"][template]:
            return served_document()["paths"][template][method.lower()]
    return None


def check_answer(
    method: str, path: str, status: int, content_type: str, body: bytes, *, leaves_out: bool = False
) -> None:
    """Fail when an answer is not what the contract promises; `leaves_out`: some fields only were asked for."""
    assert status < 500 or status in (501, 503), f"{method} {path}: {status} {body[:500]!r}"
    assert content_type.startswith("application/json"), f"{method} {path}: {content_type}"
    content = msgspec.json.decode(body)
    if status in OURS and content.get("code") == OURS[status]:
        _check_error(content)
        return
    assert status != 422, "a validation error is 400"
    operation = operation_of(method, path)
    declared = {int(code) for code in operation["responses"]} if operation else {200}
    is_ungranted = status == 403 and content.get("code") == UNGRANTED
    assert status in declared | GENERAL or is_ungranted, f"{method} {path}: {status} is not declared"
    if status in {400, 401} and TOKENS.fullmatch(path):
        assert "error" in content
        assert content.keys() <= {"error", "error_description"}
        return
    if status >= 400:
        if RESULTS.fullmatch(path) and status not in {405, 413}:
            assert content.keys() == RESULT_KEYS
            assert (not content["data"], content["errorCode"] > 0, content["errorMsg"] > "") == (True, True, True)
        else:
            _check_error(content)
        return
    if operation is None:
        return
    schema = operation["responses"][str(status)].get("content", {}).get("application/json", {}).get("schema")
    if schema:
        _validator(msgspec.json.encode(schema)).validate(content)
        if not leaves_out and operation not in [document()["paths"][left].get("get") for left in LEAVING_OUT]:
            _check_keys(schema, content, f"{method} {path}")


def _check_error(content: Any) -> None:
    assert isinstance(content, dict)
    assert content.keys() == ERROR_KEYS
    assert isinstance(content["code"], int)
    assert content["message"]
    assert isinstance(content["message"], str)
    assert content["name"].isupper(), "a symbolic name"
    assert (content["errorCode"], content["errorMsg"]) == (content["code"], content["message"])


@cache
def _validator(schema: bytes) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_lenient(msgspec.json.decode(schema)))


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _lenient(schema: dict[str, Any]) -> dict[str, Any]:
    """Every property may be null (behaviour.md 1.1); formats of the generator are not checked."""
    schema = _resolved(schema)
    found = {key: value for key, value in schema.items() if key in {"type", "enum", "required", "minimum", "maximum"}}
    if "properties" in schema:
        found["properties"] = {
            name: {} if name in ONE_OR_MORE else {"anyOf": [{"type": "null"}, _lenient(value)]}
            for name, value in schema["properties"].items()
        }
    if "items" in schema:
        found["items"] = _lenient(schema["items"])
    return found


def _check_keys(schema: dict[str, Any], content: Any, where: str) -> None:
    """Every documented key is there, null when unset; `scrollId` is left out at the end of a scroll."""
    schema = _resolved(schema)
    if isinstance(content, list) and "items" in schema:
        for item in content[:3]:
            _check_keys(schema["items"], item, where)
    if isinstance(content, dict) and "properties" in schema:
        missing = schema["properties"].keys() - content.keys() - {"scrollId"}
        assert not missing, f"{where}: keys left out: {sorted(missing)}"
        for name, value in schema["properties"].items():
            _check_keys(value, content.get(name), f"{where}.{name}")
