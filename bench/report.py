"""Tables of what was measured, and whether it reaches its bars."""

from typing import Any

from rich.console import Console
from rich.table import Table

from bench.cases import LONG, SHORT

console = Console()
#: The least share of pgbench, by the beginning of a case's name.
RATIO_BARS = {"get": 0.18, "list": 0.25, "scroll": 0.25, "create": 0.28}
#: How much the median may grow from the smallest size to the largest. A filtered list counts what matches, too.
GROWTH_BARS = {"get": 1.5, "list": 2.0, "scroll": 1.5, "create": 1.5}
#: How much longer than get a search by key may take, p95.
KEY_BAR = 5.0


def show(result: dict[str, Any]) -> None:
    """Print one size."""
    title = f"{result['leads']:,} leads; server {result['idle_mb']:.0f} MB idle, {result['end_mb']:.0f} MB after"
    table = Table("", "req/s", "p50 ms", "p95 ms", "p99 ms", "pgbench /s", "ratio", "failed", title=title)
    for name, case in result["cases"].items():
        cells = [f"{case['per_second']:,.0f}", *(f"{case[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms"))]
        cells += [f"{case['pgbench_per_second']:,.0f}", f"{case['ratio']:.2f}", str(case["failed"])]
        table.add_row(name, *cells)
    console.print(table)
    short, long = (result["cases"].get(f"timeline of {entries:,}") for entries in (SHORT, LONG))
    if short and long:
        console.print(f"timeline of {LONG:,} against {SHORT}: p95 {long['p95_ms'] / short['p95_ms']:.2f} x")


def show_growth(results: list[dict[str, Any]]) -> None:
    """Print how medians grow from the smallest size to the largest."""
    first, last = results[0], results[-1]
    table = Table("", f"{first['leads']:,}", f"{last['leads']:,}", "growth", title="medians, ms")
    for name in first["cases"]:
        before, after = first["cases"][name]["p50_ms"], last["cases"][name]["p50_ms"]
        table.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f} x")
    console.print(table)


def show_bars(results: list[dict[str, Any]]) -> None:
    """Print which figures reach their bars, and which do not."""
    table = Table("", "measured", "bar", "", title="bars")
    for label, value, bar, is_reached in _judged(results):
        table.add_row(label, f"{value:.2f}", f"{bar:.2f}", "reached" if is_reached else "[red]missed")
    console.print(table)


def _judged(results: list[dict[str, Any]]) -> list[tuple[str, float, float, bool]]:
    found: list[tuple[str, float, float, bool]] = []
    for result in results:
        cases = result["cases"]
        for name, case in cases.items():
            if (bar := _bar(RATIO_BARS, name)) is not None:
                label = f"{name}, {result['leads']:,}: share of pgbench"
                found.append((label, case["ratio"], bar, case["ratio"] >= bar))
        if "key" in cases and "get" in cases:
            times = cases["key"]["p95_ms"] / cases["get"]["p95_ms"]
            found.append((f"key, {result['leads']:,}: p95 against get", times, KEY_BAR, times <= KEY_BAR))
    failed = sum(case["failed"] for result in results for case in result["cases"].values())
    found.append(("answers that failed", failed, 0, failed == 0))
    for name, case in results[0]["cases"].items() if len(results) > 1 else ():
        if (bar := _bar(GROWTH_BARS, name)) is not None:
            growth = results[-1]["cases"][name]["p50_ms"] / case["p50_ms"]
            found.append((f"{name}: growth", growth, bar, growth <= bar))
    return found


def _bar(bars: dict[str, float], name: str) -> float | None:
    return next((bar for prefix, bar in bars.items() if name.startswith(prefix)), None)
