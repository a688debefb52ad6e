"""Whether work takes longer the more there is in the ledger: `python -m bench.ledger`.

Fills ledgers of 1,000, 100,000 and 1,000,000 entries, of which the same 250 wait for a person, and measures on
each, on SQLite and on Postgres: a poll without news, a tick that files one document, what `/readyz` asks, and what the
alarms ask. The figure is the median at the most entries over that at the fewest, nothing subtracted.
"""

import statistics
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from bench.commands import databases
from bench.figures import Figure, show, write
from bench.ledgers import Filling, fill
from bench.running import a_worker, tick
from bench.sandboxes import Clinic, Sandboxes
from sync_worker.bootstrap import Worker
from sync_worker.ledger import migrate
from sync_worker.ledger.storage import open_engine
from sync_worker.ledger.views import Views

SIZES = (1_000, 100_000, 1_000_000)
TIMES, FILED, WAITING = 40, 15, 250
MOST_RATIO = 1.2
LISTED = 40
"""Sessions in Heidi's list: all known, and too long unchanged to be read again."""

Medians = dict[str, dict[int, float]]
"""Milliseconds by what was measured on which database, and by the ledger's entries."""


def run(sizes: Sequence[int] = SIZES) -> list[Figure]:
    """By how much each kind of work takes longer at the most entries than at the fewest."""
    return figures_of(measure(sizes))


def figures_of(medians: Medians) -> list[Figure]:
    """The ratio of the largest ledger to the smallest, and what the largest took."""
    figures = []
    for what, by_size in medians.items():
        least, most = min(by_size), max(by_size)
        figures.append(Figure(f"{what}, {most:,} entries", by_size[most], "ms"))
        ratio = by_size[most] / by_size[least]
        figures.append(Figure(f"the same, {most:,} entries over {least:,}", ratio, target=MOST_RATIO))
    return figures


def measure(sizes: Sequence[int] = SIZES, only: str = "") -> Medians:
    """The medians, in milliseconds. The ledgers take turns, so that a busy minute of the machine hits all alike."""
    medians: Medians = {}
    with ExitStack() as stack:
        at_work: dict[str, dict[int, _AtWork]] = {}
        for size in sizes:
            for kind, url in stack.enter_context(databases(only=only)).items():
                _make(url, size)
                at_work.setdefault(kind, {})[size] = stack.enter_context(_at_work(url))
        for kind, by_size in at_work.items():
            for what, (work, times) in WORK.items():
                medians[f"{what}, {kind}"] = _medians(by_size, work, times)
    return medians


def _make(url: str, size: int) -> None:
    engine = open_engine(url, pooled=True)
    migrate.upgrade(engine)
    fill(engine, Filling(size, waiting=WAITING, pending=20, skipped_every=20))
    engine.dispose()


@dataclass(frozen=True, slots=True)
class _AtWork:
    """A worker on a ledger that has filed what is in Heidi's list already."""

    services: Sandboxes
    worker: Worker

    def polls(self) -> float:
        """A poll that finds nothing."""
        return _milliseconds(lambda: tick(self.worker))

    def is_ready(self) -> float:
        """What `/readyz` asks of the ledger."""
        return _milliseconds(Views(self.worker.ledger.engine).clinicians)

    def alarms(self) -> float:
        """Which alarms stand."""
        return _milliseconds(self.worker.alarms)

    def files(self) -> float:
        """A poll that finds a document, and files it."""
        self.services.add(1, now=datetime.now(UTC))
        before = self.services.notes()
        took = _milliseconds(lambda: tick(self.worker))
        if self.services.notes() != before + 1:
            raise SystemExit("a tick did not file its document")
        return took


WORK: dict[str, tuple[Callable[[_AtWork], float], int]] = {
    "a poll without news": (_AtWork.polls, TIMES),
    "/readyz": (_AtWork.is_ready, TIMES),
    "alarms": (_AtWork.alarms, TIMES),
    "a tick that files a note": (_AtWork.files, FILED),
}
"""What is measured, and how often. Filing comes last: its sessions are read again at each poll for two hours."""


@contextmanager
def _at_work(url: str) -> Iterator[_AtWork]:
    with Sandboxes() as services:
        services.fill(Clinic(LISTED, datetime.now(UTC)))
        with a_worker(services.environment, url, SYNC_BRAKE_POSTS_PER_HOUR="1000") as worker:
            tick(worker, full=True)
            if services.notes() != LISTED:
                raise SystemExit(f"{services.notes()} of {LISTED} documents were filed")
            yield _AtWork(services, worker)


def _medians(by_size: dict[int, _AtWork], work: Callable[[_AtWork], float], times: int) -> dict[int, float]:
    """After once to warm up."""
    took = [{size: work(one) for size, one in by_size.items()} for _ in range(times + 1)][1:]
    return {size: statistics.median(round_[size] for round_ in took) for size in by_size}


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    """Fill, measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--size", type=int, action="append", help="entries of a ledger; may be repeated")
    arguments.add_argument("--only", default="", help="sqlite or postgres")
    asked = arguments.parse_args()
    sizes = tuple(asked.size or SIZES)
    medians = measure(sizes, asked.only)
    shown = Table("milliseconds, median", *(f"{size:,} entries" for size in sizes))
    for what, by_size in medians.items():
        shown.add_row(what, *(f"{by_size[size]:.1f}" for size in sizes))
    Console(width=130).print(shown)
    figures = figures_of(medians)
    show("What a full ledger costs", figures)
    write("ledger", figures, medians=medians)


if __name__ == "__main__":
    main()
