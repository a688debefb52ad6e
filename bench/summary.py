"""Every measurement, and one table at the end: `python -m bench.summary`, or `make bench`.

Writes bench/results/summary.json, from which `python -m bench.report` makes the table of docs/performance.md.
"""

import importlib
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict

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
)
"""Each has a `run()` that gives back its figures, with what takes long left out."""


def runner(name: str) -> Callable[[], list[Figure]]:
    """What measures a module's figures."""
    found: Callable[[], list[Figure]] = importlib.import_module(name).run
    return found


def run(names: tuple[str, ...] = MODULES) -> list[tuple[str, list[Figure], float]]:
    """Each module's name, figures, and the seconds that it took."""
    measured = []
    for name in names:
        started = time.monotonic()
        figures = runner(name)()
        measured.append((name, figures, time.monotonic() - started))
        show(f"{name} ({measured[-1][2]:.0f} s)", figures)
    return measured


def main() -> None:
    """Measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--only", default="", help="modules with this in their name")
    asked = arguments.parse_args()
    measured = run(tuple(name for name in MODULES if asked.only in name))
    figures = [figure for _, found, _ in measured for figure in found]
    show("All of it", figures)
    modules = [
        {"module": name, "seconds": round(seconds), "figures": [asdict(one) for one in found]}
        for name, found, seconds in measured
    ]
    missed = sum(figure.is_met is False for figure in figures)
    print(f"{missed} of {sum(one.target is not None for one in figures)} targets are missed.")  # noqa: T201 - tells a person
    write("summary" if not asked.only else f"summary-{asked.only}", figures, modules=modules)


if __name__ == "__main__":
    main()
