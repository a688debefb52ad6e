"""Dies at every boundary of short stories, once and twice, restarts, and counts the notes.

`python -m tests.simulation.crash_points [--database sqlite|postgres|both]`. Boundaries are counted in a clean telling:
before each transaction, before and after each commit, before each request and after the service acted on it. 1 if any
promise was broken.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import proofs
from tests.simulation import oracle
from tests.simulation.fate import Calm, Scripted
from tests.simulation.installation import Installation
from tests.simulation.ledgers import AnyLedger, ledger_of_this_process
from tests.simulation.play import settle_down, unheard
from tests.simulation.process import Point
from tests.simulation.stories import STORIES, Story

SERVER = os.environ.get("SYNC_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432")
AT_A_TIME = 10
"""Boundaries that a process takes at a time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a story ended after a death at one boundary."""

    story: str
    point: str
    deaths: int
    broken: tuple[str, ...]
    asked: int
    """How many documents a person was asked about."""


class DiesAt:
    """Dies at the boundary of this number; `again`: and once more at the next boundary of the same kind."""

    def __init__(self, number: int | None, *, again: bool = False) -> None:
        self.points: list[Point] = []
        self.died_at: list[Point] = []
        self._number = number
        self._again = again

    def __call__(self, point: Point) -> bool:
        self.points.append(point)
        if not self.died_at:
            dies = len(self.points) - 1 == self._number
        else:
            dies = self._again and len(self.died_at) == 1 and point == self.died_at[0]
        if dies:
            self.died_at.append(point)
        return dies


def points_of(story: Story, ledger: AnyLedger, folder: Path) -> list[Point]:
    """Every boundary that a clean telling crosses. Raises AssertionError if even that breaks a promise."""
    dying = DiesAt(None)
    verdict = tell(story, ledger, folder, dying)
    assert not verdict.broken, verdict
    return dying.points


def tell(story: Story, ledger: AnyLedger, folder: Path, dying: DiesAt) -> Verdict:
    """Tell a story in which the worker dies as said; then let everything come to rest and judge."""
    with unheard() as unexpected:
        if story.from_nothing:
            ledger.forget_everything()
        else:
            ledger.make()
        installation = Installation(1, ledger, folder, story.shape)
        installation.unexpected = unexpected
        try:
            story.play(installation, Scripted(dies_at=dying))
            installation.fate = Calm()
            settle_down(installation)
            broken = [f"{each.promise}: {each.what}" for each in oracle.broken_at_the_end(installation)]
            ended_well = story.has_ended_well(installation, killed=bool(dying.died_at))
            if not ended_well and not (len(dying.died_at) == 2 and _is_doubt(installation)):
                broken.append(f"ended as {oracle.statuses(installation)}")
            asked = len(oracle.held(installation))
        finally:
            installation.close()
    return Verdict(story.name, str(dying.died_at[:1]), len(dying.died_at), tuple(broken), asked)


def _is_doubt(installation: Installation) -> bool:
    """Twice killed before its request, a document is in doubt twice: that is a person's to end."""
    return {each.reason for each in oracle.held(installation)} <= {"twice_in_doubt"}


def die_everywhere(
    story: Story, ledger: AnyLedger, folder: Path, numbers: Sequence[int], *, again: bool
) -> Iterator[Verdict]:
    """A verdict for each of these boundaries of a story."""
    for number in numbers:
        yield tell(story, ledger, folder, DiesAt(number, again=again))


# ---------------------------------------------------------------- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if any promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.crash_points", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--once", action="store_true", help="die once at each, not also twice")
    parser.add_argument("--every", type=int, default=1, help="only at each so many-th boundary")
    asked = parser.parse_args(arguments)
    databases = ["sqlite", "postgres"] if asked.database == "both" else [asked.database]
    began = time.monotonic()
    console = Console(highlight=False)
    table = Table("database", "story", "boundaries", "died once", "died twice", "a person asked", "broken")
    total: Counter[str] = Counter()
    for database, story, count, verdicts in _everywhere(databases, asked.jobs, once=asked.once, every=asked.every):
        broken = [verdict for verdict in verdicts if verdict.broken]
        died = Counter(verdict.deaths for verdict in verdicts)
        held = sum(verdict.asked for verdict in verdicts)
        table.add_row(database, story.name, str(count), str(died[1]), str(died[2]), str(held), str(len(broken)))
        for verdict in broken[:10]:
            console.print(f"BROKEN {database}: {verdict}", markup=False)
        total.update(boundaries=count, tellings=len(verdicts), deaths=died[1] + 2 * died[2], broken=len(broken))
    console.print(table)
    seconds = time.monotonic() - began
    figures: dict[str, str | int | float] = {"stories": len(STORIES), "databases": " and ".join(databases), **total}
    figures["seconds"] = round(seconds)
    console.print(", ".join(f"{name} {figure}" for name, figure in figures.items()))
    if asked.every == 1:
        proofs.record("crash points, once" if asked.once else "crash points", figures)
    return 1 if total["broken"] else 0


def _everywhere(
    databases: Sequence[str], jobs: int, *, once: bool, every: int
) -> Iterator[tuple[str, Story, int, list[Verdict]]]:
    """By database and story: how many boundaries it has, and the verdicts of those that were tried."""
    pairs = [(database, index) for database in databases for index in range(len(STORIES))]
    with ProcessPoolExecutor(jobs) as pool:
        counts = list(pool.map(_count, *zip(*pairs, strict=True)))
        waiting = [
            [pool.submit(_some, *pair, numbers, once) for numbers in _parts(range(0, count, every))]
            for pair, count in zip(pairs, counts, strict=True)
        ]
        for (database, index), count, parts in zip(pairs, counts, waiting, strict=True):
            yield database, STORIES[index], count, [verdict for part in parts for verdict in part.result()]


def _parts(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + AT_A_TIME] for start in range(0, len(numbers), AT_A_TIME)]


def _count(database: str, index: int) -> int:
    return len(points_of(STORIES[index], *ledger_of_this_process(database, SERVER)))


def _some(database: str, index: int, numbers: Sequence[int], once: bool) -> list[Verdict]:
    return [
        verdict
        for again in ((False,) if once else (False, True))
        for verdict in die_everywhere(STORIES[index], *ledger_of_this_process(database, SERVER), numbers, again=again)
    ]


if __name__ == "__main__":
    sys.exit(main())
