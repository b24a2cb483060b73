"""What must hold of every answer, and what was found when it did not."""

import re
import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import jsonschema
from msgspec import Struct, field
from tests.support.client import NOT_JSON
from tests.support.contract import check_answer, operation_of, served_document

from fuzz.links import not_yet

#: Content types of answers that are not JSON, by how their paths begin.
PAGES: Final = {"text/html", "text/plain", "text/xml", "application/xml", "application/json"}
_SHOWN: Final = 20_000


class Finding(Struct):
    """Something that must not be."""

    kind: str  #: 5xx, schema, hang, content type, decoder, process
    where: str
    what: str
    repeat: str  #: how to see it again
    times: int = 1


class Ledger(Struct):
    """What was sent, and what was found."""

    seed: int
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)  #: by operation and status
    callers: Counter[str] = field(default_factory=Counter)
    sequences: int = 0
    links: set[str] = field(default_factory=set)  #: links that were followed to a 2xx
    examples: Counter[str] = field(default_factory=Counter)  #: by decoder
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return sum(self.answers.values())

    @property
    def reached(self) -> set[str]:
        """Operations that were done at least once: 2xx, or sent on (303)."""
        return {operation for operation, status in self.answers if status < 400}

    def find(self, kind: str, where: str, what: str, repeat: str) -> None:
        """Note a finding, once for each kind of it."""
        key = (kind, where, re.sub(r"\d+|'.*?'|\".*?\"", "#", what)[:80])
        if key in self.findings:
            self.findings[key].times += 1
        else:
            self.findings[key] = Finding(kind, where, what, repeat)


class Sent(Struct):
    """A request as it left."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    @property
    def curl(self) -> str:
        """The command that sends it again."""
        words = ["curl", "-i", "-X", self.method, self.url]
        for name, value in self.headers.items():
            words += ["-H", f"{name}: {value}"]
        if self.body is not None:
            words += ["--data-binary", self.body[:_SHOWN].decode("utf-8", "backslashreplace")]
        return shlex.join(words)


def judge(ledger: Ledger, sent: Sent, path: str, status: int, content_type: str, body: bytes) -> None:
    """Count an answer, and note what is wrong with it."""
    name = name_of(sent.method, path)
    ledger.answers[name, status] += 1
    if status >= 500 and not (status == 501 and name in not_yet()):
        ledger.find("5xx", name, f"{status} {body[:300].decode(errors='replace')}", sent.curl)
        return
    try:
        _check(sent, path, status, content_type, body)
    except (AssertionError, jsonschema.ValidationError, ValueError) as error:
        kind = "content type" if "content type" in str(error) else "schema"
        said = error.message if isinstance(error, jsonschema.ValidationError) else str(error)
        ledger.find(kind, name, f"{status}: {said[:300] or type(error).__name__}; {body[:200]!r}", sent.curl)


def _check(sent: Sent, path: str, status: int, content_type: str, body: bytes) -> None:
    if status in {304, 303}:
        assert not body, "a body where none belongs"
        return
    if path.startswith(NOT_JSON):
        declared = _declared(sent.method, path, status)
        plain = content_type.partition(";")[0].strip()
        allowed = declared | {"application/json"} if declared else PAGES
        assert plain in allowed or "*" in "".join(declared), f"content type {content_type}, of {sorted(allowed)}"
        return
    assert content_type.startswith("application/json"), f"content type {content_type}, of JSON"
    if sent.method in {"GET", "POST", "PUT", "DELETE"} or status >= 400:
        leaves_out = "returnFields" in sent.url
        check_answer(sent.method, path, status, content_type, body, leaves_out=leaves_out)


def _declared(method: str, path: str, status: int) -> set[str]:
    operation = operation_of(method, path) or {}
    return set(operation.get("responses", {}).get(str(status), {}).get("content", {}))


def name_of(method: str, path: str) -> str:
    """Return an operation as the contract has it; `-` for what it does not have."""
    for pattern, template in _PATTERNS:
        if pattern.fullmatch(path.rstrip("/")) and method.lower() in served_document()["paths"][template]:
            return f"{method} {template}"
    return f"{method} -"


def _patterns(paths: dict[str, Any]) -> list[tuple[re.Pattern[str], str]]:
    ordered = sorted(paths, key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in ordered]


_PATTERNS: Final = _patterns(served_document()["paths"])
