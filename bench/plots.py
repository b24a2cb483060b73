"""Plots of what was measured: shares of pgbench, growth, and a plot for each case (PNG and SVG)."""

import html
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from bench.report import RATIO_BARS

#: The same figures give the same file.
mpl.rcParams.update({"svg.hashsalt": "rooftree", "font.size": 8, "figure.constrained_layout.use": True})
_INK, _RULE = "#1f5f8b", "#c2452d"


def draw(results: list[dict[str, Any]], folder: Path) -> None:
    """Write the plots of all sizes into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _ratios(results, folder)
    _growth(results, folder)
    for name in results[0]["cases"]:
        _case(name, results, folder)


def _ratios(results: list[dict[str, Any]], folder: Path) -> None:
    names = list(results[0]["cases"])
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(names) + 1))
    height = 0.8 / len(results)
    for place, result in enumerate(results):
        shares = [result["cases"][name]["ratio"] for name in names]
        offsets = [row + place * height for row in range(len(names))]
        axes.barh(offsets, shares, height, label=f"{result['leads']:,} leads", alpha=1 - 0.25 * place, color=_INK)
    for row, name in enumerate(names):
        if bar := next((bar for prefix, bar in RATIO_BARS.items() if name.startswith(prefix)), None):
            axes.plot([bar, bar], [row - height / 2, row + 0.8 - height / 2], color=_RULE, linewidth=1.5)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xlabel("HTTP requests per pgbench transaction of the same statements (red: the bar)")
    axes.legend()
    _save(figure, folder / "ratios")


def _growth(results: list[dict[str, Any]], folder: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 5))
    sizes = [result["leads"] for result in results]
    for name in results[0]["cases"]:
        medians = [result["cases"][name]["p50_ms"] for result in results]
        axes.plot(sizes, [median / medians[0] for median in medians], marker="o", linewidth=1, label=name)
    axes.axhline(1.5, color=_RULE, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("leads, 20 timeline entries each")
    axes.set_ylabel("median latency, against the smallest size")
    axes.legend(ncols=3, fontsize=6)
    _save(figure, folder / "growth")


def _case(name: str, results: list[dict[str, Any]], folder: Path) -> None:
    figure, (rate, latency) = plt.subplots(1, 2, figsize=(6, 2.2))
    sizes = [f"{result['leads']:,}" for result in results]
    cases = [result["cases"][name] for result in results]
    rate.bar(sizes, [case["per_second"] for case in cases], color=_INK, width=0.5)
    for place, case in enumerate(cases):
        rate.annotate(
            f"{case['ratio']:.2f} of pgbench", (place, case["per_second"]), ha="center", va="bottom", fontsize=6
        )
    rate.set_ylabel("requests/s")
    rate.margins(y=0.2)
    for percentile in ("p50", "p95", "p99"):
        latency.plot(sizes, [case[f"{percentile}_ms"] for case in cases], marker="o", label=percentile)
    latency.set_ylabel("ms")
    latency.set_ylim(bottom=0)
    latency.legend(fontsize=6)
    figure.suptitle(name)
    _save(figure, folder / re.sub(r"[^a-z0-9]+", "-", name))


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path.with_suffix(".png"), dpi=110, metadata={"Software": None})
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    plt.close(figure)


#: A frame of py-spy's graph: its name, its rectangle with the width in percent, and the label that a script would fill.
_FRAME = re.compile(r'(<title>([^<]*?) \([^<]*</title><rect [^>]*width="([\d.]+)%"[^>]*/><text [^>]*>)</text>')
#: What only the script needs.
_SCRIPTED = re.compile(
    r'<script.*?</script>|<!--.*?-->| onload="[^"]*"|<text id="(?:unzoom|search|matched)".*?</text>', re.DOTALL
)
#: Letters that fit into one percent of the width, at 7.2 pixels each.
_LETTERS_PER_PERCENT = 11.8 / 7.2


def still_flame(file: Path, title: str) -> None:
    """Make a still picture of a graph by py-spy: labels instead of the script that writes them.

    The title replaces the command line, which names folders of this machine.
    """
    text = _FRAME.sub(_labelled, _SCRIPTED.sub("", file.read_text()))
    file.write_text(re.sub(r'(<text id="title"[^>]*>)[^<]*', rf"\g<1>{title}", text, count=1))


def _labelled(frame: re.Match[str]) -> str:
    name, room = html.unescape(frame[2]), int(float(frame[3]) * _LETTERS_PER_PERCENT)
    label = name if len(name) <= room else f"{name[: room - 2]}.." if room > 4 else ""
    return f"{frame[1]}{html.escape(label)}</text>"
