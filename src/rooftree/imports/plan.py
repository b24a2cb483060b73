"""How an import reads a file and what it does with the rows. It is stored with the import."""

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Duplicates = Literal["skip", "update", "keep"]
#: What the mapping may name besides the targets of `columns.py`.
IGNORE: Final = "ignore"
CUSTOM: Final = "custom:"


class Plan(Struct, frozen=True, kw_only=True):
    """Everything that decides what becomes of a row: the same file and plan are the same import."""

    format: Literal["csv", "xlsx", "ndjson"]
    encoding: str = "utf-8"  #: of CSV
    delimiter: str = ","
    sheet: str | None = None  #: of Excel; None: the first
    columns: list[tuple[str, str]]  #: each header and what it is, in the file's order (jsonb keeps none of an object)
    values: dict[str, dict[str, str]] = {}  #: by header: what to read instead of a value
    duplicates: Duplicates = "skip"
    assign: str = "me"  #: who gets rows that name nobody: me, nobody, route, or a member's id
    day_first: bool = False  #: 03/04/2026 is the 3rd of April
    is_announced: bool = False  #: to subscribers, not in the feed alone
    region: str = "US"  #: of phone numbers that are given without a country


class Mapping(Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file: columns by header, and values to be read as others, by header."""

    columns: dict[str, str]
    values: dict[str, dict[str, str]] = {}


def decode_mapping(text: str, *, is_toml: bool) -> Mapping:
    """Read a mapping file. Raises: msgspec.DecodeError, msgspec.ValidationError."""
    return (msgspec.toml if is_toml else msgspec.json).decode(text.encode(), type=Mapping)


def encode_mapping(mapping: Mapping, *, is_toml: bool) -> str:
    """Write a mapping file."""
    whole: dict[str, Any] = {"columns": mapping.columns, "values": mapping.values}
    if not is_toml:
        return msgspec.json.format(msgspec.json.encode(whole)).decode() + "\n"
    lines: list[str] = []
    for table, entries in (
        ("columns", mapping.columns),
        *((f"values.{_quoted(k)}", v) for k, v in mapping.values.items()),
    ):
        lines += [f"[{table}]", *(f"{_quoted(key)} = {_quoted(value)}" for key, value in entries.items()), ""]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Return a TOML basic string: its escapes are JSON's."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
