"""python -m faults: kill everything at random, let the receiver lie, and count what is left.

Each round has an installation of its own: `rooftree serve --workers 2` with its PostgreSQL inside (fsync on), and a
`rooftree worker` beside it. Eight writers send leads, tags and notes, each with an Idempotency-Key, and send again
until they are answered; a client reads the feed by its cursor; six subscriptions go to a receiver that fails, hangs
and lies. Meanwhile `kill -9` hits API processes, workers, backends, the whole of PostgreSQL, and `serve` itself. Then
there is peace, what waits is made due, and everything is counted. Ends with 1 if anything is lost, there twice,
invented or wrongly signed.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from pathlib import Path

import uvloop
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from faults.processes import TARGETS
from faults.rounds import Result, play

console = Console(highlight=False, soft_wrap=True)


async def rounds(given: argparse.Namespace) -> list[Result]:
    """Play the rounds one after the other; those that were finished when it is interrupted are returned."""
    task = asyncio.current_task()
    assert task
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    seeds = random.Random(given.seed) if given.seed is not None else random.SystemRandom()
    results: list[Result] = []
    try:
        for number in range(1, given.rounds + 1):
            seed = given.seed if number == 1 and given.seed is not None else seeds.randrange(1_000_000)
            results.append(await _play(number, seed, given))
    except asyncio.CancelledError:
        console.print("Interrupted; everything that was started has ended.")
    return results


async def _play(number: int, seed: int, given: argparse.Namespace) -> Result:
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(escape(f"  {number}/{given.rounds} {time.monotonic() - begun:5.0f} s  {text}"))

    say(f"seed {seed}: again with --rounds 1 --seconds {given.seconds:g} --seed {seed}")
    result = await play(seed, given.seconds, say, given.logs)
    for line in (*result.notes, *result.findings.said, *result.faults):
        say(line)
    say("good" if result.is_good else "BAD")
    return result


def table(results: list[Result]) -> Table:
    """Return what is shown at the end."""
    kinds = list(dict.fromkeys(TARGETS))
    shown = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    counts = ("acknow-\nledged", "re-\nfused", "un-\nknown", "present", "missing", "twice")
    announced = ("deli-\nvered", "undeli-\nvered", "feed\ngaps", "in-\nvented", "bad\nsigned", "s", "")
    kill_columns = (kind if len(kind) < 7 else f"{kind[:4]}-\n{kind[4:]}" for kind in kinds)
    for title in ("round", "seed", *kill_columns, *counts, *announced):
        shown.add_column(title, justify="right", vertical="bottom")
    sums = [0] * (len(kinds) + len(counts) + len(announced) - 1)
    for number, one in enumerate(results, 1):
        found = one.findings
        row = [*(one.kills[kind] for kind in kinds), one.acknowledged, one.refused, one.unknown, found.present]
        row += [found.missing, found.twice, found.delivered, found.undelivered, found.gaps, found.invented]
        row += [one.bad_signatures, round(one.seconds)]
        sums = [old + new for old, new in zip(sums, row, strict=True)]
        shown.add_row(str(number), str(one.seed), *map(str, row), "good" if one.is_good else "BAD")
    shown.add_section()
    shown.add_row("all", "", *map(str, sums), "good" if all(one.is_good for one in results) else "BAD")
    return shown


def main() -> int:
    """Read the command line, play, show the table; 1 if a round was bad, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20, help="how long a round is under fire")
    parser.add_argument("--seed", type=int, help="of the first round; the others follow from it")
    parser.add_argument("--logs", type=Path, help="a folder where the logs of the rounds stay")
    given = parser.parse_args()
    results = uvloop.run(rounds(given))
    if results:
        Console(highlight=False, width=160).print(table(results))
    if not all(one.is_good for one in results):
        return 1
    return 0 if len(results) == given.rounds else 130


if __name__ == "__main__":
    sys.exit(main())
