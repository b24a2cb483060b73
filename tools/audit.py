"""Ask whether a version in requirements.lock has a known vulnerability: `make audit`.

PyPI's advisories are asked first, then OSV's, until one knows every package. A vulnerability ends with 1. Advisories
that cannot be had, here or now, are a loud warning and no failure (`--strict`: a failure): a machine without them says
nothing about the code.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
SERVICES = ("pypi", "osv")
PATIENCE_SECONDS = 300


def ask(service: str, lock: Path) -> list[dict[str, Any]] | None:
    """Return what a service says of each package: its `vulns`, or a `skip_reason`; None when it cannot be asked."""
    options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    command = [sys.executable, "-m", "pip_audit", "-r", str(lock), "-s", service, *options]
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
        return msgspec.json.decode(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, msgspec.DecodeError, KeyError):
        return None


def audit(lock: Path) -> tuple[list[str], set[str]]:
    """Return what is vulnerable, a line each, and the packages that nobody could say anything of."""
    found: dict[str, None] = {}
    unknown: set[str] = {"every package"}
    for service in SERVICES:
        told = ask(service, lock)
        if told is None:
            continue
        for one in told:
            for vulnerability in one.get("vulns", ()):
                fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
                found[f"{one['name']} {one['version']}: {vulnerability['id']}, fixed in {fixed}"] = None
        skipped = {one["name"] for one in told if "skip_reason" in one}
        unknown = skipped if unknown == {"every package"} else unknown & skipped
        if not unknown:
            break
    return list(found), unknown


def main() -> int:
    """Ask, and say what was learned."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strict", action="store_true", help="fail, too, when advisories cannot be had")
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock", help=argparse.SUPPRESS)
    given = parser.parse_args()
    vulnerable, unknown = audit(given.lock)
    for line in vulnerable:
        print(f"VULNERABLE  {line}", file=sys.stderr)
    if vulnerable:
        print("Newer versions: make lock ARGS='--upgrade-package NAME'", file=sys.stderr)
        return 1
    if unknown:
        names = ", ".join(sorted(unknown)) if len(unknown) < 10 else f"{len(unknown)} packages"
        print(
            f"\n  WARNING: NOT AUDITED: {names}.\n  Neither {' nor '.join(SERVICES)} told its advisories here. "
            "Run `make audit` where they can be reached before a release.\n",
            file=sys.stderr,
        )
        return int(given.strict)
    print("No known vulnerability in requirements.lock.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
