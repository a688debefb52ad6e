"""Every measurement, and one table at the end: `python -m bench.summary`, or `make bench`.

Writes bench/results/summary.json, from which `python -m bench.report` makes the table of docs/performance.md.
"""

import importlib
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict, dataclass

from bench.figures import Figure, show, write

MODULES = (
    "bench.throughput",
    "bench.requests",
    "bench.ledger",
    "bench.memory",
    "bench.startup",
    "bench.conversion",
    "bench.matching",
    "bench.pages",
    "bench.workers",
)
"""Each has a `run()` that gives back its figures, with what takes long left out."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a module found within so many seconds, or why it did not."""

    module: str
    figures: list[Figure]
    seconds: int
    failed: str | None


def runner(name: str) -> Callable[[], list[Figure]]:
    """What measures a module's figures."""
    found: Callable[[], list[Figure]] = importlib.import_module(name).run
    return found


def run(names: tuple[str, ...] = MODULES) -> list[Measured]:
    """What each module found. One that fails says why, and the others go on."""
    measured = []
    for name in names:
        started = time.monotonic()
        try:
            figures, failed = runner(name)(), None
        except SystemExit as error:
            figures, failed = [], str(error)
        measured.append(Measured(name, figures, round(time.monotonic() - started), failed))
        show(f"{name} ({measured[-1].seconds} s)" + (f": {failed}" if failed else ""), figures)
    return measured


def main() -> int:
    """Measure, print, write; 1 where something could not be measured."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--only", default="", help="modules with this in their name")
    asked = arguments.parse_args()
    measured = run(tuple(name for name in MODULES if asked.only in name))
    figures = [figure for one in measured for figure in one.figures]
    show("All of it", figures)
    aimed = [figure.is_met for figure in figures if figure.is_met is not None]
    failed = [one.module for one in measured if one.failed]
    told = f"{aimed.count(False)} of {len(aimed)} targets are missed."
    print(told, *(f"{name} could not be measured." for name in failed))  # noqa: T201 - tells a person
    write("summary" if not asked.only else f"summary-{asked.only}", figures, modules=[asdict(one) for one in measured])
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
