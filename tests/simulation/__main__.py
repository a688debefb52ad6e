"""Plays many runs, or tells the story of one: `python -m tests.simulation --sessions 2000`, `... --seed 7 --trace`."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests import proofs
from tests.simulation.ledgers import ledger_of_this_process
from tests.simulation.oracle import PROMISES
from tests.simulation.play import LOOKS_FIRST, SESSIONS, Plan, Result, play

RUNS_AT_A_TIME = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if any promise was broken."""
    asked = _asked(arguments)
    plan = Plan(lost_ledger=asked.lost_ledger)
    if asked.seed is not None:
        return _tell_one(asked.seed, plan, trace=asked.trace)
    began = time.monotonic()
    total = Totals()
    runs = -(-asked.sessions // SESSIONS)
    seeds = range(asked.first_seed, asked.first_seed + runs)
    console = Console(stderr=True)
    try:
        for result in track(_results(seeds, plan, asked.jobs), "runs", len(seeds), console=console):
            total.add(result)
    except KeyboardInterrupt:  # what was played so far counts
        console.print("interrupted: these are the runs until then")
    seconds = time.monotonic() - began
    _print(total, seconds)
    proofs.record("simulation", total.figures(seconds))
    return 1 if total.broken else 0


class Totals:
    """What became of all runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.counts: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()
        self.examples: list[str] = []

    def add(self, result: Result) -> None:
        """Count one run."""
        self.runs += 1
        self.counts.update(result.counts)
        for broken in result.broken:
            self.broken[broken.promise] += 1
            self.examples.append(f"seed {result.seed}: {broken.promise}: {broken.what}")
        for held in result.held:
            self.held[held.reason, held.by] += 1

    def held_by(self, who: str) -> int:
        """How many documents wait for a person because of people, of faults, or of nobody."""
        return sum(count for (_, by), count in self.held.items() if by == who)

    def figures(self, seconds: float) -> dict[str, str | int | float]:
        """What to keep of it."""
        documents = max(self.counts["documents"], 1)
        return {
            "runs": self.runs,
            **{name: self.counts[name] for name in ("sessions", "documents", "notes", "requests", "lost_answers")},
            **{name: self.counts[name] for name in ("deaths", "ledger_changes")},
            "duplicates": self.broken["twice"],
            "lost": self.broken["lost"],
            "other_promises_broken": sum(self.broken.values()) - self.broken["twice"] - self.broken["lost"],
            "held_by_people": f"{self.held_by('people') / documents:.1%}",
            "held_by_faults": f"{self.held_by('faults') / documents:.1%}",
            "held_by_nobody": f"{self.held_by('nobody') / documents:.2%}",
            "sessions_a_second": round(self.counts["sessions"] / seconds, 1),
        }


def _results(seeds: Sequence[int], plan: Plan, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from _play_some(seeds, plan)
        return
    with ProcessPoolExecutor(jobs) as pool:
        parts = [seeds[start : start + RUNS_AT_A_TIME] for start in range(0, len(seeds), RUNS_AT_A_TIME)]
        for results in pool.map(_play_some, parts, [plan] * len(parts)):
            yield from results


def _play_some(seeds: Sequence[int], plan: Plan) -> list[Result]:
    ledger, folder = ledger_of_this_process("sqlite")
    return [play(seed, ledger, folder, plan) for seed in seeds]


def _tell_one(seed: int, plan: Plan, *, trace: bool) -> int:
    ledger, folder = ledger_of_this_process("sqlite")
    result = play(seed, ledger, folder, plan, tells=trace)
    console = Console(highlight=False, soft_wrap=True)
    for line in result.story or []:
        console.print(line, markup=False)
    console.print(f"seed {seed}: {dict(result.counts)}", markup=False)
    for broken in result.broken:
        console.print(f"BROKEN {broken.promise} ({PROMISES[broken.promise]}): {broken.what}", markup=False)
    for held in result.held:
        console.print(f"held: {held.reason}, by {held.by}", markup=False)
    return 1 if result.broken else 0


def _print(total: Totals, seconds: float) -> None:
    console = Console(highlight=False)
    table = Table("promise", "broken", title=f"{total.runs} runs, {total.counts['sessions']} sessions")
    for promise, meaning in PROMISES.items():
        table.add_row(meaning, str(total.broken[promise]))
    console.print(table)
    table = Table("held because", "by", "documents", "share")
    documents = max(total.counts["documents"], 1)
    for (reason, by), count in total.held.most_common():
        table.add_row(reason, by, str(count), f"{count / documents:.1%}")
    console.print(table)
    for line in total.examples[:20]:
        console.print(line, markup=False)
    for name, figure in total.figures(seconds).items():
        console.print(f"{name.replace('_', ' ')}: {figure}")


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--sessions", type=int, default=2000, help="how many sessions to play, ten a run")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--lost-ledger", action=argparse.BooleanOptionalAction, default=LOOKS_FIRST)
    parser.add_argument("--seed", type=int, help="play this one run only")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell its story")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
