"""python -m fuzz: send what nobody thought of, and believe no answer.

A server of its own (`rooftree serve` with its PostgreSQL and worker, and a `rooftree worker` that takes mail) is asked
by an owner, an agent, somebody of another team, and by who has no key or a wrong one: requests made from the contract
and against it, sequences along links in which answers feed later requests, and what no schema describes. Meanwhile
everything that reads what others wrote is called directly. Must not be: a 5xx (501 of what contract/not_yet.txt lists
excepted), an answer of another shape or content type than promised, no answer, an error in a log, a process that ended.
Ends with 1 if something was found.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fuzz.callers import Callers
from fuzz.decoders import decoders
from fuzz.doors import Doors
from fuzz.exercises import Exercise, exercise
from fuzz.installation import installed
from fuzz.judge import Ledger
from fuzz.sequences import Contract
from rooftree.platform.log import configure_logging

console = Console(highlight=False, soft_wrap=True)
#: Of each round's time: sequences, operations by themselves, what no schema describes; decoders have the rest.
_SHARES = (0.5, 0.2, 0.2)
_ROUND_SECONDS = 60.0
_EXAMPLES = 60


def fuzz(minutes: float, seed: int, folder: Path) -> tuple[Ledger, int]:
    """Send for so long; return what was found, and how many operations there are."""
    ledger = Ledger(seed)
    with installed(folder) as installation:
        callers = Callers(installation, ledger)
        contract, doors = Contract(callers, ledger), Doors(installation, callers, ledger)
        begun = time.monotonic()
        end = begun + minutes * 60
        dice = random.Random(seed)
        reading = decoders()
        with Progress(
            TextColumn("{task.description}"), BarColumn(30), TimeElapsedColumn(), console=console, transient=True
        ) as bar:
            task = bar.add_task("", total=minutes * 60)

            def show() -> None:
                told = f"{ledger.requests} requests, {ledger.sequences} sequences, {len(ledger.reached)} reached"
                told += f", {sum(ledger.examples.values())} examples, {len(ledger.findings)} findings"
                bar.update(task, completed=time.monotonic() - begun, description=told)

            while (now := time.monotonic()) < end:
                left = min(_ROUND_SECONDS, end - now)
                until = now + left * _SHARES[0]
                while time.monotonic() < until:
                    contract.in_sequence(dice.randrange(2**32), until, show)
                contract.each_alone(dice.randrange(2**32), until + left * _SHARES[1], show)
                until += left * (_SHARES[1] + _SHARES[2])
                _some(doors.exercises(), ledger, dice, until, show)
                _some(reading, ledger, dice, min(end, now + left), show)
                console.print(f"{time.monotonic() - begun:5.0f} s  {_told(ledger)}")
        callers.close()
        for what in installation.ended():
            ledger.find("process", "ended", what, "")
        for what in installation.accidents():
            ledger.find("process", "logged", what, "")
        return ledger, contract.operations


def _some(
    exercises: Sequence[Exercise], ledger: Ledger, dice: random.Random, until: float, show: Callable[[], None]
) -> None:
    """Try exercises in any order, again and again, until the time is up."""
    while time.monotonic() < until:
        for one in dice.sample(exercises, len(exercises)):
            exercise(one, ledger, examples=_EXAMPLES, seed=dice.randrange(2**32), deadline=until)
            show()


def _told(ledger: Ledger) -> str:
    kinds = Counter(f"{status // 100}xx" for (_, status), number in ledger.answers.items() for _ in range(number))
    answers = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    return f"{ledger.requests} requests ({answers}), {len(ledger.findings)} findings"


def table(ledger: Ledger, operations: int) -> Table:
    """Return what is shown at the end."""
    shown = Table(box=box.SIMPLE, show_header=False, padding=(0, 1, 0, 0))
    statuses = Counter[int]()
    for (_, status), number in ledger.answers.items():
        statuses[status] += number
    asked = {name for name, _ in ledger.answers}
    rows = {
        "seed": ledger.seed,
        "requests": ledger.requests,
        "by caller": ", ".join(f"{name} {number}" for name, number in ledger.callers.most_common()),
        "by status": ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items())),
        "operations asked": f"{len([one for one in asked if '/' in one])} of {operations}",
        "operations reached (2xx)": len([one for one in ledger.reached if "/" in one]),
        "sequences": ledger.sequences,
        "links followed to a 2xx": len(ledger.links),
        "examples of decoders and doors": f"{sum(ledger.examples.values())} for {len(ledger.examples)}",
        "findings": len(ledger.findings),
    }
    for name, value in rows.items():
        shown.add_row(name, str(value))
    return shown


def main() -> int:
    """Read the command line, send, tell; 1 if something was found, 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="to send the same again")
    parser.add_argument("--logs", type=Path, help="a folder where the logs of the server stay")
    parser.add_argument("--unreached", action="store_true", help="list the operations that nothing was done with")
    given = parser.parse_args()
    configure_logging("error", "console")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    again = f"--minutes {given.minutes:g} --seed {seed}"
    console.print(f'seed {seed}: again with make fuzz ARGS="{again}"')
    with tempfile.TemporaryDirectory(prefix="rtz") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)  # PostgreSQL's own account must get in when we are root
        try:
            ledger, operations = fuzz(given.minutes, seed, folder)
        except KeyboardInterrupt:
            console.print("Interrupted; everything that was started has ended.")
            return 130
        finally:
            if given.logs:
                given.logs.mkdir(parents=True, exist_ok=True)
                for log in folder.glob("*.log"):
                    shutil.copy(log, given.logs)
    for one in ledger.findings.values():
        console.print(f"\n{one.kind}: {one.where} ({one.times} times)\n  {one.what}\n  {one.repeat}", markup=False)
    if given.unreached:
        served = {name for name, status in ledger.answers if status != 501 and "/" in name}
        console.print("\nNot reached:", *sorted(served - ledger.reached), sep="\n  ")
    console.print(table(ledger, operations))
    return 1 if ledger.findings else 0


if __name__ == "__main__":
    sys.exit(main())
