"""The soak's judgement: what it calls flat, and what it calls lost."""

import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from faults.checks import Wanted
from soak.samples import memory_of
from soak.verdict import Events, count_events, trend


def noisy(rise: float, *, spikes: int = 0) -> list[tuple[float, float]]:
    dice = random.Random(1)
    points = [(place * 5.0, 100 + rise * place / 200 + dice.gauss(0, 2)) for place in range(200)]
    for _ in range(spikes):
        place = dice.randrange(200)
        points[place] = (points[place][0], 500.0)
    return points


@pytest.mark.parametrize(
    ("rise", "spikes", "is_flat"), [(0, 0, True), (0, 60, True), (-40, 0, True), (20, 0, False), (20, 40, False)]
)
def test_a_slope_is_found_among_noise(rise: float, spikes: int, is_flat: bool) -> None:
    assert trend("memory", "MiB", noisy(rise, spikes=spikes), 6).is_flat is is_flat


def test_memory_of_a_process_that_lives_ends_or_has_gone() -> None:
    assert memory_of(os.getpid())[0] > 5
    with subprocess.Popen(["true"]) as ended:
        while Path(f"/proc/{ended.pid}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)
        assert memory_of(ended.pid) == (0, 0)
    assert memory_of(ended.pid) == (0, 0)


def counted(feed: list[dict[str, Any]], kept: list[tuple[str, dict[str, Any]]]) -> Events:
    told = Counter({("createdLead", 1): 1, ("updatedLead", 1): 2})
    return count_events(told, feed, {"/hook": Wanted(5, 2)}, {"/hook": kept})


def event(name: str, moment: int) -> dict[str, Any]:
    return {"event": name, "listId": 2, "entry": {"leadId": 1, "updateTime": moment}}


def test_what_is_lost_and_what_is_invented() -> None:
    feed = [event("createdLead", 1), event("updatedLead", 2), event("updatedLead", 3)]
    heard = [(one["event"], one["entry"]) for one in feed]
    good = counted(feed, heard)
    assert (good.acknowledged, good.announced, good.delivered, good.lost, good.invented) == (3, 3, 3, 0, 0)
    assert counted(feed, [heard[0], heard[2]]).lost == 0, "updates may travel as the last of them"
    assert counted(feed, heard[:2]).lost == 1
    assert counted(feed, heard[1:]).lost == 1
    assert counted(feed[:2], heard).lost == 1
    assert counted([*feed, event("updatedLead", 4)], heard).invented == 1
