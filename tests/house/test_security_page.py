"""docs/security.md names tests, and each of them exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page))
    assert len(named) == len(set(re.findall(r"tests/[^`\s]+::[^`\s]+", page))), "each in the form of the others"
    missing = sorted(f"{file}::{test}" for file, test in named if test not in _functions(ROOT / file))
    assert missing == []
    for number in range(1, 11):
        (row,) = re.findall(rf"^\| \*\*API{number}\*\* .*$", page, re.MULTILINE)
        assert "::test_" in row, f"API{number} has no test"


def _functions(file: Path) -> set[str]:
    if not file.exists():
        return set()
    return {
        one.name for one in ast.parse(file.read_text()).body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
