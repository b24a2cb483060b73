"""make audit: a vulnerability fails, advisories that cannot be had are said and do not."""

from pathlib import Path
from typing import Any

import pytest
from tools import audit

GOOD: dict[str, Any] = {"name": "good", "version": "1.0", "vulns": []}
BAD: dict[str, Any] = {
    "name": "bad", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}],
}  # fmt: skip
UNKNOWN: dict[str, Any] = {"name": "bad", "skip_reason": "Dependency not found on PyPI"}

Told = dict[str, list[dict[str, Any]] | None]


@pytest.mark.parametrize(
    ("told", "options", "code", "said"),
    [
        ({"pypi": [GOOD]}, [], 0, "No known vulnerability"),
        ({"pypi": [GOOD, BAD]}, [], 1, "bad 1.0: PYSEC-1, fixed in 1.1"),
        ({"pypi": [GOOD, UNKNOWN], "osv": [GOOD, BAD]}, [], 1, "PYSEC-1"),
        ({"pypi": None, "osv": [GOOD]}, [], 0, "No known vulnerability"),
        ({"pypi": [GOOD, UNKNOWN], "osv": None}, [], 0, "NOT AUDITED: bad"),
        ({"pypi": None, "osv": None}, [], 0, "NOT AUDITED: every package"),
        ({"pypi": None, "osv": None}, ["--strict"], 1, "NOT AUDITED: every package"),
    ],
)
def test_what_an_audit_says(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    told: Told,
    options: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(audit, "ask", lambda service, _: told[service])
    monkeypatch.setattr("sys.argv", ["audit", *options])
    assert audit.main() == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def test_what_cannot_be_asked_is_none(tmp_path: Path) -> None:
    """pip-audit refuses a file that is not there, without JSON."""
    assert audit.ask("pypi", tmp_path / "missing.txt") is None
