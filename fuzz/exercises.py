"""Running examples of one kind after the other: of a decoder in this process, or of something that a server is sent."""

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final

import hypothesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from msgspec import Struct

from fuzz.judge import Ledger

#: Processor time that a decoder may take for one small example.
_PATIENCE_SECONDS: Final = 2.0
_SHOWN: Final = 2000


class Over(BaseException):
    """The time is up: passes through Hypothesis, which takes errors for failures of the test."""


class Exercise(Struct):
    """What is tried, with what, and which errors are its way of refusing."""

    name: str
    examples: st.SearchStrategy[Any]
    run: Callable[[Any], Any]
    refusals: tuple[type[Exception], ...] = ()


def quiet(examples: int, **more: Any) -> hypothesis.settings:
    """Return settings that only make examples: what is wrong is noted, and the run goes on."""
    return hypothesis.settings(
        max_examples=examples,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def run_quietly(check: Callable[[], None]) -> None:
    """Run a check to its end, or to that of the time."""
    try:
        check()
    except Over:
        return
    except HypothesisException as error:  # answers differ from run to run, and some strategies yield too little
        if not {"Unsatisfiable", "Flaky", "FlakyStrategyDefinition"} & {kind.__name__ for kind in type(error).__mro__}:
            raise


def exercise(one: Exercise, ledger: Ledger, *, examples: int, seed: int, deadline: float) -> None:
    """Try so many examples."""

    @hypothesis.seed(seed)
    @quiet(examples)
    @given(one.examples)
    def check(example: Any) -> None:
        if time.monotonic() > deadline:
            raise Over
        ledger.examples[one.name] += 1
        begun = time.process_time()
        try:
            one.run(example)
        except one.refusals:
            pass
        except Exception as error:  # noqa: BLE001 - that is what we look for
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} at {where.filename.rpartition('/')[2]}:{where.lineno}: {error}"[:400]
            ledger.find("decoder", one.name, what, f"{one.name}: {example!r}"[:_SHOWN])
        if (seconds := time.process_time() - begun) > _PATIENCE_SECONDS:
            ledger.find("hang", one.name, f"{seconds:.1f} s of processor time", f"{one.name}: {example!r}"[:_SHOWN])

    run_quietly(check)


@st.composite
def mangled(draw: st.DrawFn, samples: Sequence[bytes], words: Sequence[bytes] = ()) -> bytes:
    """Yield good samples with a few bytes cut, doubled, changed or put in."""
    text = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from(["cut", "double", "bytes", "word", "splice", "many"]))
        if piece == "cut":
            text = text[:start] + text[end:]
        elif piece == "double":
            text = text[:end] + text[start:end] + text[end:]
        elif piece == "bytes":
            text = text[:start] + draw(st.binary(max_size=6)) + text[end:]
        elif piece == "word" and words:
            text = text[:start] + draw(st.sampled_from(words)) + text[start:]
        elif piece == "splice":
            other = draw(st.sampled_from(samples))
            text = text[:start] + other[draw(st.integers(0, len(other))) :]
        elif piece == "many":
            text = text[:end] + text[start:end] * draw(st.integers(0, 200)) + text[end:]
    return text[:100_000]


def mangled_text(samples: Sequence[str], words: Sequence[str] = ()) -> st.SearchStrategy[str]:
    """Return the same of texts, with half characters as they come out of JSON."""
    encoded = [one.encode() for one in samples], [one.encode() for one in words]
    return mangled(*encoded).map(lambda raw: raw.decode("utf-8", "surrogateescape")) | st.text(max_size=60)
