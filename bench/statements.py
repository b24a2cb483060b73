"""What the server says to PostgreSQL for one request, turned into a script of pgbench."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, NamedTuple

from rooftree.platform import database


class Statement(NamedTuple):
    """A statement that ran."""

    sql: str
    args: tuple[Any, ...]
    types: list[str]  #: of its arguments, as PostgreSQL writes them
    answer: Any


class Script(NamedTuple):
    """Statements for pgbench, and what it is told beside them: arguments, so that it plans as the server does."""

    text: str
    variables: dict[str, str]


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Record every statement that runs meanwhile, with its arguments and its answer."""
    statements: list[Statement] = []
    connection: Any = database._Connection  # noqa: SLF001 - all statements pass here
    originals = {name: getattr(connection, name) for name in ("fetch", "fetchrow", "fetchval", "execute")}

    def watching(name: str) -> Callable[..., Any]:
        original = originals[name]

        async def watch(self: Any, sql: str, *args: Any, **options: Any) -> Any:
            answer = await original(self, sql, *args, **options)
            types = [kind.name for kind in (await self.prepare(sql)).get_parameters()] if args else []
            statements.append(Statement(sql, args, types, answer))
            return answer

        return watch

    for name in originals:
        setattr(connection, name, watching(name))
    try:
        yield statements
    finally:
        for name, original in originals.items():
            setattr(connection, name, original)


def script(statements: list[Statement], samples: Sequence[int] = (), prefix: str = "v") -> Script:
    """Return what pgbench is to run. Its variables begin with `prefix`.

    An id among `samples` becomes a random one of them each time. What the server takes from an earlier answer is taken
    from it here too: fresh ids, and the agent whose turn it is. Where everybody who is next is being served, the server
    looks again; pgbench has no loops, so the agent is then the one of the recording, and no turn is taken.
    """
    lines: list[str] = []
    variables: dict[str, str] = {}
    known: dict[int, str] = dict.fromkeys(samples, ":sample")
    if samples:
        lines = [f"\\set place random(0, {len(samples) - 1})", f"\\set sample {_chosen(samples, 0)}"]
    for statement in statements:
        text, answer = _filled(statement, known, variables, prefix), statement.answer
        found = set(answer.keys()) if hasattr(answer, "keys") else set()
        if "ids" in found:
            known |= {value: f"(:ids::bigint[])[{place}]" for place, value in enumerate(answer["ids"], 1)}
            lines.append(f"{text} \\gset")
        elif text.startswith("SELECT ARRAY(SELECT next_id()"):
            known |= {value: f"(:fresh::bigint[])[{place}]" for place, value in enumerate(answer, 1)}
            lines.append(f"{text} AS fresh \\gset")
        elif {"id", "timeline_id"} <= found:
            known |= {answer["id"]: ":note_id", answer["timeline_id"]: ":note_timeline_id"}
            lines.append(f"{text} \\gset note_")
        elif {"member_id", "agent_ids"} <= found and answer["member_id"]:
            agent = answer["member_id"]
            known[agent] = f"coalesce(nullif(:turn_member_id::text, '')::bigint, {agent})"
            lines.append(f"{text} \\gset turn_")
        else:
            lines.append(f"{text};")
    return Script("\n".join(lines) + "\n", variables)


def _chosen(values: Sequence[int], first: int) -> str:
    """Return the value at :place as an expression of pgbench, which has no arrays: a tree of choices."""
    if len(values) == 1:
        return str(values[0])
    half = len(values) // 2
    left, right = _chosen(values[:half], first), _chosen(values[half:], first + half)
    return f"case when :place < {first + half} then {left} else {right} end"


def _filled(statement: Statement, known: Mapping[int, str], variables: dict[str, str], prefix: str) -> str:
    """Return a statement on one line. An argument becomes a variable, one that holds known ids an expression."""

    def argument(match: re.Match[str]) -> str:
        place = int(match[1]) - 1
        value, kind = statement.args[place], statement.types[place]
        if value is None:
            return f"NULL::{kind}"
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, int) and part in known for part in parts):
            expressions = [known.get(part) or str(part) for part in parts]
            return f"ARRAY[{', '.join(expressions)}]::{kind}" if isinstance(value, list) else expressions[0]
        text = _text(value, kind)
        if not text:  # which no variable can be
            return f"''::{kind}"
        name = f"{prefix}{len(variables)}"
        variables[name] = text
        return f":{name}::{kind}"

    return " ".join(re.sub(r"\$(\d+)", argument, statement.sql).split())


def _text(value: Any, kind: str) -> str:
    """Return a value as PostgreSQL reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"\\x{value.hex()}" if kind == "bytea" else value.decode()
    if isinstance(value, list | tuple):
        return "{" + ",".join(_element(part, kind.removesuffix("[]")) for part in value) + "}"
    return str(value)


def _element(value: Any, kind: str) -> str:
    if value is None:
        return "NULL"
    return '"' + _text(value, kind).replace("\\", "\\\\").replace('"', '\\"') + '"'
