"""Whether it held: slopes that must be flat, and events that must be there."""

import itertools
import json
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from faults.checks import Wanted
from msgspec import Struct

#: A series may rise by so much over the time that is judged: a part of its median, or an amount if that is more.
RISE: Final = 0.05
RISE_MIB: Final = 6.0
RISE_COUNT: Final = 4.0
#: Of two points of a series one pair in so many is looked at when there are more than this.
_PAIRS: Final = 60_000


class Trend(Struct, frozen=True):
    """How a series went on, after its warm-up."""

    name: str
    unit: str
    first: float  #: median of the first tenth that is judged
    last: float  #: median of the last tenth
    rise: float  #: by the slope, over the time that is judged
    bound: float

    @property
    def is_flat(self) -> bool:
        """Whether it rose by no more than its bound. Falling is no leak."""
        return self.rise <= self.bound


def trend(name: str, unit: str, points: Sequence[tuple[float, float]], floor: float) -> Trend:
    """Judge a series of moments and values by the Theil-Sen slope: half of what is measured may be noise."""
    values = [value for _, value in points]
    tenth = max(1, len(points) // 10)
    pairs = itertools.combinations(points, 2)
    step = max(1, len(points) * (len(points) - 1) // 2 // _PAIRS)
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.islice(pairs, 0, None, step) if b[0] > a[0]]
    rise = statistics.median(slopes) * (points[-1][0] - points[0][0]) if slopes else 0.0
    bound = max(floor, RISE * statistics.median(values))
    return Trend(name, unit, statistics.median(values[:tenth]), statistics.median(values[-tenth:]), rise, bound)


class Events(Struct):
    """What became of the acknowledged changes."""

    acknowledged: int = 0
    announced: int = 0  #: of these, in the feed
    delivered: int = 0  #: entries of the feed that somebody subscribed to and got
    lost: int = 0
    invented: int = 0
    said: list[str] = []  #: the first few of both


def count_events(
    told: Counter[tuple[str, int]],
    feed: Sequence[dict[str, Any]],
    webhooks: dict[str, Wanted],
    kept: dict[str, list[tuple[str, dict[str, Any]]]],
) -> Events:
    """Hold the changes against the feed, once each, and the feed against what the receiver verified and kept.

    The same thing stands in an array once, with its latest time: so the contract has it.
    """
    found = Events(acknowledged=told.total(), said=[])
    shown = Counter((one["event"], one["entry"].get("leadId", 0)) for one in feed)
    names = {name for name, _ in told}
    for one in told.keys() | {one for one in shown if one[0] in names}:
        found.announced += min(told[one], shown[one])
        found.lost += max(0, told[one] - shown[one])
        found.invented += max(0, shown[one] - told[one])
        if told[one] != shown[one] and len(found.said) < 10:
            found.said.append(f"{one}: {told[one]} acknowledged, {shown[one]} in the feed")
    for path, webhook in webhooks.items():
        _count_deliveries(path, webhook, feed, kept.get(path, []), found)
    return found


def _count_deliveries(
    path: str,
    webhook: Wanted,
    feed: Sequence[dict[str, Any]],
    kept: Sequence[tuple[str, dict[str, Any]]],
    found: Events,
) -> None:
    heard = {(name, json.dumps(entry, sort_keys=True)) for name, entry in kept}
    latest: dict[tuple[str, str], int] = {}
    for name, entry in kept:
        latest[name, _thing(entry)] = max(entry["updateTime"], latest.get((name, _thing(entry)), 0))
    for one in feed:
        if one["listId"] != webhook.list_id:
            continue
        name, entry = one["event"], one["entry"]
        is_late = latest.get((name, _thing(entry)), 0) >= entry["updateTime"]
        if is_late or (name, json.dumps(entry, sort_keys=True)) in heard:
            found.delivered += 1
        else:
            found.lost += 1
            if len(found.said) < 10:
                found.said.append(f"not delivered to {path}: {name} {entry}")


def _thing(entry: dict[str, Any]) -> str:
    return json.dumps({name: value for name, value in entry.items() if name != "updateTime"}, sort_keys=True)
