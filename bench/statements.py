"""What the server says to PostgreSQL for one request, turned into a script of pgbench."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from rooftree.platform import database

type_of_statement = tuple[str, tuple[Any, ...]]


@contextmanager
def recorded() -> Iterator[list[type_of_statement]]:
    """Record every statement that runs meanwhile, with its arguments."""
    statements: list[type_of_statement] = []
    connection: Any = database._Connection  # noqa: SLF001 - all statements pass here
    originals = {name: getattr(connection, name) for name in ("fetch", "fetchrow", "fetchval", "execute")}

    def watching(name: str) -> Callable[..., Any]:
        original = originals[name]

        async def watch(self: Any, sql: str, *args: Any, **options: Any) -> Any:
            statements.append((sql, args))
            return await original(self, sql, *args, **options)

        return watch

    for name in originals:
        setattr(connection, name, watching(name))
    try:
        yield statements
    finally:
        for name, original in originals.items():
            setattr(connection, name, original)


def script(statements: list[type_of_statement], fresh_id: int | None = None) -> str:
    """Return a pgbench script; the id of a lead that is made becomes a random one each time."""
    lines = ["\\set id random(1000000000000, 8000000000000000)"] if fresh_id else []
    for sql, args in statements:
        text = " ".join(_filled(sql, args).split())
        lines.append((re.sub(rf"(?<!\w){fresh_id}(?!\w)", ":id", text) if fresh_id else text) + ";")
    return "\n".join(lines) + "\n"


def _filled(sql: str, args: tuple[Any, ...]) -> str:
    is_key = "authenticate(" in sql
    return re.sub(r"\$(\d+)", lambda match: _literal(args[int(match[1]) - 1], is_key=is_key), sql)


def _literal(value: Any, *, is_key: bool = False) -> str:
    """Return a value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, datetime):
        return f"to_timestamp({value.timestamp()!r})"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea" if is_key else _quoted(value.decode())
    if isinstance(value, str):
        return _quoted(value)
    return _array(list(value))


def _array(values: list[Any]) -> str:
    if not values:
        return "'{}'"
    if isinstance(values[0], int) and not isinstance(values[0], bool):
        return f"ARRAY[{', '.join(_literal(value) for value in values)}]::bigint[]"
    kinds = {datetime: "timestamptz", bytes: "jsonb"}
    kind = next((kinds[type(value)] for value in values if type(value) in kinds), "text")
    if all(value is None for value in values):
        return "'{" + ", ".join("NULL" for _ in values) + "}'"
    return f"ARRAY[{', '.join(_literal(value) for value in values)}]::{kind}[]"


def _quoted(text: str) -> str:
    """Return a text literal; colons are escaped, or pgbench would see variables in it."""
    plain = "'" + text.replace("'", "''") + "'"
    return "E" + plain.replace("\\", "\\\\").replace(":", "\\x3a") if ":" in text else plain
