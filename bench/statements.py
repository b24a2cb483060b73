"""What the server says to PostgreSQL for one request, turned into a script of pgbench."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from rooftree.platform import database

#: The text of a statement, its arguments, and what came back.
Statement = tuple[str, tuple[Any, ...], Any]


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
            statements.append((sql, args, answer))
            return answer

        return watch

    for name in originals:
        setattr(connection, name, watching(name))
    try:
        yield statements
    finally:
        for name, original in originals.items():
            setattr(connection, name, original)


def script(statements: list[Statement], samples: Sequence[int] = ()) -> str:
    """Return a pgbench script.

    An id among `samples` becomes a random one of them each time. What the server takes from an earlier answer is taken
    from it here too: fresh ids, and the agent whose turn it is. Where everybody who is next is being served, the server
    looks again; pgbench has no loops, so the agent is then the one of the recording, and no turn is taken.
    """
    lines: list[str] = []
    known: dict[int, str] = dict.fromkeys(samples, ":sample")
    if samples:
        lines = [f"\\set place random(0, {len(samples) - 1})", f"\\set sample {_chosen(samples, 0)}"]
    for sql, args, answer in statements:
        text = " ".join(_filled(sql, args, known).split())
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
    return "\n".join(lines) + "\n"


def _chosen(values: Sequence[int], first: int) -> str:
    """Return the value at :place as an expression of pgbench, which has no arrays: a tree of choices."""
    if len(values) == 1:
        return str(values[0])
    half = len(values) // 2
    left, right = _chosen(values[:half], first), _chosen(values[half:], first + half)
    return f"case when :place < {first + half} then {left} else {right} end"


def _filled(sql: str, args: tuple[Any, ...], known: Mapping[int, str]) -> str:
    is_key = "authenticate(" in sql
    return re.sub(r"\$(\d+)", lambda match: _literal(args[int(match[1]) - 1], known, is_key=is_key), sql)


def _literal(value: Any, known: Mapping[int, str], *, is_key: bool = False) -> str:
    """Return a value as SQL; a whole number that is known from an earlier answer as its variable."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return known.get(value) or str(value)
    if isinstance(value, datetime):
        return f"to_timestamp({value.timestamp()!r})"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea" if is_key else _quoted(value.decode())
    if isinstance(value, str):
        return _quoted(value)
    return _array(list(value), known)


def _array(values: list[Any], known: Mapping[int, str]) -> str:
    if not values:
        return "'{}'"
    if isinstance(values[0], int) and not isinstance(values[0], bool):
        return f"ARRAY[{', '.join(_literal(value, known) for value in values)}]::bigint[]"
    kinds = {datetime: "timestamptz", bytes: "jsonb"}
    kind = next((kinds[type(value)] for value in values if type(value) in kinds), "text")
    if all(value is None for value in values):
        return "'{" + ", ".join("NULL" for _ in values) + "}'"
    return f"ARRAY[{', '.join(_literal(value, known) for value in values)}]::{kind}[]"


def _quoted(text: str) -> str:
    """Return a text literal; colons are escaped, or pgbench would see variables in it."""
    plain = "'" + text.replace("'", "''") + "'"
    return "E" + plain.replace("\\", "\\\\").replace(":", "\\x3a") if ":" in text else plain
