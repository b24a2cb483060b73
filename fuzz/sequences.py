"""Requests made from the contract: each operation by itself, and sequences in which answers feed later requests."""

import json
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any, Final
from urllib.parse import urlencode

import hypothesis
import requests
import schemathesis
from hypothesis import given
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.generation.stateful.state_machine import StepInput, StepOutput, normalize_name

from fuzz.callers import Callers
from fuzz.exercises import Over, quiet, run_quietly
from fuzz.judge import Ledger
from fuzz.links import can_begin, linked_document, not_yet
from fuzz.plausible import Plausible

#: Steps of a sequence at most.
_STEPS: Final = 40
#: Examples of an operation by itself, and sequences, before it is another one's turn.
_PART: Final = 10
#: As the contract has it, and broken somewhere.
_MODES: Final = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


@schemathesis.serializer("application/x-ndjson")
def _lines(_: Any, value: Any) -> bytes:
    """Return the items of a list as a line of JSON each, and anything else as the only line."""
    rows = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(row).encode() for row in rows)


class Contract:
    """Makes requests of the linked contract, and sends them."""

    def __init__(self, callers: Callers, ledger: Ledger) -> None:
        config = SchemathesisConfig()
        config.projects.default.phases.stateful.inference.algorithms = []  # the links are ours
        document = linked_document()
        self._schema = schemathesis.openapi.from_dict(document, config=config)
        self._machine = _led(self._schema.as_state_machine(), lambda name: can_begin(document, name))
        self._callers, self._ledger = callers, ledger
        self._plausible = Plausible(ledger.seed)
        operations = (one.ok() for one in self._schema.get_all_operations())
        #: Audio is sent elsewhere: no schema describes it.
        alone = [one for one in operations if one is not None and not _is_audio(one)]
        self._turns = cycle(alone)
        self.operations = len(alone) + 1

    def send(self, case: schemathesis.Case, caller: str | None = None) -> Response | None:
        """Send a request that was made; return the answer, None when there was none."""
        case.headers = None
        case.path_parameters = self._plausible.path(dict(case.path_parameters or {}))
        case.query = self._plausible.query(dict(case.query or {}))
        case.body = self._plausible.body(case.body, case.path)
        given = case.as_transport_kwargs(base_url="http://x")
        headers = {name: str(value) for name, value in (given.get("headers") or {}).items() if name == "Content-Type"}
        url = _path_of(given)
        # Of numbers beyond 64 bits, which msgspec does not write.
        body = json.dumps(given["json"]) if "json" in given else given.get("data")
        who = caller or self._callers.anyone()
        answer = self._callers.send(case.method.upper(), url, caller=who, headers=headers, body=_bytes(body))
        return None if answer is None else Response.from_httpx(answer, verify=False)

    def each_alone(self, seed: int, deadline: float, progress: Callable[[], None]) -> None:
        """Send a few requests to one operation after the other, by the contract and against it."""
        while time.monotonic() < deadline:
            operation = next(self._turns)
            examples = 1 if operation.label in not_yet() else _PART
            for mode in _MODES:
                self._some(operation.as_strategy(generation_mode=mode), examples, seed, deadline)
            progress()

    def _some(self, cases: Any, examples: int, seed: int, deadline: float) -> None:
        @hypothesis.seed(seed)
        @quiet(examples)
        @given(cases)
        def check(case: schemathesis.Case) -> None:
            if time.monotonic() > deadline:
                raise Over
            self.send(case)

        run_quietly(check)

    def in_sequence(self, seed: int, deadline: float, progress: Callable[[], None]) -> None:
        """Follow links until the time is up."""
        contract, ledger = self, self._ledger

        class Sequences(self._machine):  # type: ignore[name-defined, misc]
            """One sequence: one caller mostly, whose ids others try as well."""

            def setup(self) -> None:
                if time.monotonic() > deadline:
                    raise Over
                ledger.sequences += 1
                progress()

            def step(self, input: StepInput) -> StepOutput | None:  # noqa: A002 - as it is called there
                who = contract._callers.anyone()
                answer = contract.send(input.case, "owner" if input.transition is None else who)
                if answer is None:
                    return None
                self.recorder.record_response(case_id=input.case.id, response=answer)
                if input.transition is not None and answer.status_code < 400:
                    ledger.links.add(input.transition.id)
                return StepOutput(answer, input.case)

        hypothesis.seed(seed)(Sequences)
        run_quietly(lambda: Sequences.run(settings=quiet(_PART, stateful_step_count=_STEPS)))


def _led(machine: Any, can_begin: Callable[[str], bool]) -> Any:
    """Return a state machine whose sequences begin with what needs no id: a guessed one is never there."""
    begins = {normalize_name(f"RANDOM -> {name}"): can_begin(name) for name in machine._root_labels}  # noqa: SLF001
    without = {rule: None for rule, can in begins.items() if not can}
    return type("Led", (machine,), {**without, "root_rules": frozenset(rule for rule, can in begins.items() if can)})


def _is_audio(operation: Any) -> bool:
    return any("audio" in one.media_type for one in operation.body)


def _path_of(given: dict[str, Any]) -> str:
    """Return path and query of a request made for `requests`."""
    return requests.Request(given["method"], given["url"], params=given.get("params")).prepare().path_url


def _bytes(body: Any) -> bytes | None:
    """Return a body that is none yet, a text, or the fields of a form."""
    if body is None or isinstance(body, bytes):
        return body
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else urlencode(body, doseq=True).encode()
