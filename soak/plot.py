"""The run as a picture: memory, what waits, open files, answers."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from soak.load import Timing
from soak.samples import GROUPS, Sample

mpl.use("Agg")

from matplotlib import pyplot as plt


def draw(samples: Sequence[Sample], timings: Sequence[Timing], warm_up: float, target: Path) -> list[Path]:
    """Write the picture as PNG and SVG; return both paths."""
    minutes = [one.at / 60 for one in samples]
    figure, places = plt.subplots(2, 2, figsize=(13, 8), sharex=True, layout="constrained")
    memory, waiting, files, answers = places.flat
    for group in GROUPS:
        memory.plot(minutes, [one.memory[group] for one in samples], label=group)
        files.plot(minutes, [one.files[group] for one in samples], label=group)
    memory.plot(minutes, [one.shared for one in samples], label="postgres, shared", linestyle=":")
    for name in samples[0].waiting:
        waiting.plot(minutes, [one.waiting[name] for one in samples], label=name)
    files.plot(minutes, [one.connections for one in samples], label="connections", linestyle=":")
    by_minute: dict[int, list[float]] = {}
    for one in timings:
        by_minute.setdefault(int(one.at // 60), []).append(one.seconds * 1000)
    middles = [minute + 0.5 for minute in sorted(by_minute)]
    for share, label in ((50, "p50"), (95, "p95"), (99, "p99")):
        answers.plot(middles, [quantile(by_minute[minute], share) for minute in sorted(by_minute)], label=label)
    titles = ("memory, MiB", "waiting", "open files, connections", "answers, ms")
    for place, title in zip(places.flat, titles, strict=True):
        place.set_title(title)
        place.set_ylim(bottom=0)
        place.axvspan(0, warm_up / 60, color="0.93")
        place.legend(fontsize="small")
        place.grid(visible=True, color="0.9")
    for place in places[1]:
        place.set_xlabel("minutes")
    target.mkdir(parents=True, exist_ok=True)
    paths = [target / "soak.png", target / "soak.svg"]
    for path in paths:
        figure.savefig(path)
    plt.close(figure)
    return paths


def quantile(values: Sequence[float], share: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return values[0] if len(values) == 1 else statistics.quantiles(values, n=100, method="inclusive")[share - 1]
