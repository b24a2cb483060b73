"""House rules that imports cannot show. Prints `file:line: what is wrong`, ends with 1 if anything is.

1. INSERT, UPDATE, DELETE, TRUNCATE, MERGE and COPY stand only in a room's `store.py` (or in `platform`), and only on
   tables of the same room. A table belongs to the room that the last `-- room: <name>` line before its CREATE TABLE
   names, in src/rooftree/migrations/*.sql.
   A COPY names its table where it stands. archive/store.py alone may be told a table, since it puts rows back as the
   stores of their own rooms wrote them (ADR 0025).
2. Whoever reads the table `lead` starts at `visible_leads(actor)` in the same function, or says `# sees all: <reason>`
   in it.

Run: python tools/check_house.py [root of the repository]
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_NAME = r"(?P<table>\w+|\{[^}]*\})"
_WRITES = re.compile(
    rf"\b(?P<verb>INSERT\s+INTO|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|MERGE\s+INTO)\s+(?:ONLY\s+)?{_NAME}"
    rf"|(?<!FOR\s)(?<!KEY\s)(?<!DO\s)\b(?P<update>UPDATE)\s+(?:ONLY\s+)?{_NAME.replace('table', 'updated')}"
    r"(?:\s+(?:AS\s+)?\w+)?\s+SET\b"
)
_READS_LEAD = re.compile(r"(?<!DELETE\s)\b(?:FROM|JOIN)\s+(?:ONLY\s+|LATERAL\s+)?lead\b")
_SEES_ALL = re.compile(r"#\s*sees all:\s*\S")
_ROOM_OR_TABLE = re.compile(
    r"^--\s*room:\s*(\w+)|^\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.MULTILINE | re.IGNORECASE
)
_COPIES = {"copy_records", "copy_csv", "copy_records_to_table", "copy_to_table"}
#: Loads whatever table it is told.
_RESTORER = Path("archive/store.py")

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class _Literal:
    """A string of the code, with the functions around it; a placeholder of an f-string stays as `{its source}`."""

    text: str
    node: ast.expr
    around: list[ast.stmt] = field(default_factory=list)


def owners(migrations: Path) -> tuple[dict[str, str], list[str]]:
    """Return which room each table belongs to, and complaints about tables without a room."""
    found: dict[str, str] = {}
    complaints: list[str] = []
    for file in sorted(migrations.glob("*.sql")):
        room = ""
        text = file.read_text(encoding="utf-8")
        for match in _ROOM_OR_TABLE.finditer(text):
            if match[1]:
                room = match[1]
            elif room:
                found[match[2]] = room
            else:
                line = text.count("\n", 0, match.start(2)) + 1
                complaints.append(f"{file}:{line}: no `-- room: <name>` line says whose table {match[2]} is")
    return found, complaints


def check_file(path: Path, package: Path, tables: dict[str, str]) -> list[str]:
    """Return what is wrong in one module."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source, str(path))
    literals = list(_literals(tree))
    inside = path.relative_to(package)
    complaints = [*_check_writes(inside, tree, literals, tables), *_check_reads(literals, _remarks(source))]
    return [f"{path}:{line}: {text}" for line, text in sorted(complaints)]


def _literals(tree: ast.Module) -> Iterator[_Literal]:
    """Yield the strings of a module that are not docstrings."""

    def visit(node: ast.AST, around: list[ast.stmt]) -> Iterator[_Literal]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            yield _Literal(_text(node), node, around)
            return
        if isinstance(node, _FUNCTIONS):
            around = [*around, node]
        elif isinstance(node, ast.stmt) and not around and not isinstance(node, ast.ClassDef):
            around = [node]  # a statement of the module or of a class stands for itself
        for child in ast.iter_child_nodes(node):
            yield from visit(child, around)

    yield from visit(tree, [])


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    parts = (
        str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"
        for part in node.values
        if isinstance(part, ast.Constant | ast.FormattedValue)
    )
    return "".join(parts)


def _remarks(source: str) -> list[int]:
    """Return the lines with a `# sees all: <reason>`."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.start[0] for token in tokens if token.type == tokenize.COMMENT and _SEES_ALL.match(token.string)]


def _check_writes(
    inside: Path, tree: ast.Module, literals: list[_Literal], tables: dict[str, str]
) -> Iterator[tuple[int, str]]:
    room = inside.parts[0]
    is_store = inside.name == "store.py" or room == "platform"
    for line, verb, table in (*_written(literals), *_copied(tree)):
        if not is_store:
            yield line, f"{verb} {table} belongs into {tables.get(table, room)}/store.py"
        elif verb == "COPY" and table.startswith("{") and (inside == _RESTORER or room == "platform"):
            continue
        elif table.startswith("{"):
            yield line, f"{verb} {table}: write the table's name out, so that its owner can be checked"
        elif table in tables and tables[table] != room:
            yield line, f"{verb} {table}: the table belongs to {tables[table]}, not to {room}; ask its actions"
        elif table not in tables and room != "platform":
            yield line, f"{verb} {table}: no migration makes a table of this name"


def _written(literals: list[_Literal]) -> Iterator[tuple[int, str, str]]:
    for literal in literals:
        for match in _WRITES.finditer(literal.text):
            verb = " ".join((match["verb"] or match["update"]).split())
            yield literal.node.lineno, verb, match["table"] or match["updated"]


def _copied(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name), args=[table, *_]) if name in _COPIES:
                yield node.lineno, "COPY", str(table.value) if isinstance(table, ast.Constant) else _source(table)
            case ast.Call(func=ast.Attribute(attr=name)) if name in _COPIES:
                yield node.lineno, "COPY", _source(node)
            case _:
                pass


def _source(node: ast.expr) -> str:
    """Return what stands in the place of a name, marked as in an f-string."""
    return "{" + ast.unparse(node) + "}"


def _check_reads(literals: list[_Literal], remarks: list[int]) -> Iterator[tuple[int, str]]:
    for literal in literals:
        if not _READS_LEAD.search(literal.text) or "{visible_leads" in literal.text:
            continue
        if not any(_asks_visibility(scope) or _has_remark(scope, remarks) for scope in literal.around):
            yield literal.node.lineno, "reads lead without visible_leads(actor); if it may, say `# sees all: <reason>`"


def _asks_visibility(scope: ast.stmt) -> bool:
    for node in ast.walk(scope):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "visible_leads":
                return True
    return False


def _has_remark(scope: ast.stmt, remarks: list[int]) -> bool:
    """Whether a remark stands in the scope or on the line above it."""
    first = min([scope.lineno, *(d.lineno for d in getattr(scope, "decorator_list", []))])
    return any(first - 1 <= line <= (scope.end_lineno or first) for line in remarks)


def check(root: Path) -> list[str]:
    """Return everything that is wrong in a repository."""
    package = root / "src" / "rooftree"
    tables, complaints = owners(package / "migrations")
    for path in sorted(package.rglob("*.py")):
        complaints += check_file(path, package, tables)
    return complaints


def main() -> int:
    """Check the repository that is named, or the one we stand in."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    complaints = check(root)
    for complaint in complaints:
        print(complaint)
    print(f"House rules: {len(complaints) or 'nothing'} to mend.", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
