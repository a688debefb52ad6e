"""How long a hint takes to find its chart: `python -m bench.matching`.

Prints a table of the processor's seconds for 1,000 matches against 50 candidates each, one row for each kind of list;
writes what it measured to bench/results/matching.json. Asserts nothing on time: that depends on the machine, and on
what else it does. Everybody here is put together from lists of names.
"""

import json
import platform
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from sync_worker.matching import match_patient
from sync_worker.model import Hint, Matched, Patient

MATCHES, CANDIDATES = 1_000, 50
RESULTS = Path(__file__).parent / "results" / "matching.json"
TODAY, BORN = date(2026, 11, 20), date(1984, 3, 17)
GIVEN = ("Robert", "Mary", "Susan", "Thomas", "Eleanor", "William", "Priya", "Mei", "Jacqueline", "Alexander")
FAMILY = ("Jones", "Whitford", "Papadopoulos", "O'Brien", "Smith-Taylor")
FOREIGN_GIVEN = ("Nguyễn Văn", "Łukasz", "Zoë", "Jürgen", "Ольга", "小明", "Tāne", "José María", "Işıl", "Siobhán")
FOREIGN_FAMILY = ("Trần", "Wiśniewski", "García Márquez", "Ivanova", "Parāone")


@dataclass(frozen=True, slots=True)
class Measurement:
    """So many matches of one kind of list. `filed` is how many found a chart."""

    name: str
    matches: int
    candidates: int
    seconds: float
    filed: int

    @property
    def speed(self) -> float:
        """Matches a second."""
        return self.matches / max(self.seconds, 1e-6)


def people(given: Sequence[str] = GIVEN, family: Sequence[str] = FAMILY) -> list[Patient]:
    """Fifty charts of one birth date, no two of one name."""
    names = [(first, last) for first in given for last in family]
    return [
        Patient(str(number), first, last, birth_date=BORN, email=f"p{number}@example.com")
        for number, (first, last) in enumerate(names)
    ]


def hints(charts: Sequence[Patient], form: str = "{0} {1}") -> list[Hint]:
    """The hint of each chart's patient, the name written in this form."""
    return [Hint(form.format(chart.first_name, chart.last_name), chart.birth_date) for chart in charts]


def lists() -> dict[str, tuple[list[Hint], list[Patient]]]:
    """Each kind of list with the hints to lay beside it."""
    everybody, foreign = people(), people(FOREIGN_GIVEN, FOREIGN_FAMILY)
    long = people([f"{name} {' '.join(GIVEN)}" for name in GIVEN], ["-".join([name, *FAMILY]) for name in FAMILY])
    merged = [replace(chart, archived=True, merged_into=str(number + 1)) for number, chart in enumerate(everybody[:-1])]
    return {
        "one fits": (hints(everybody), everybody),
        "nobody fits": ([Hint("Geoffrey Katsaros", BORN)], everybody),
        "names the other way round": (hints(everybody, "{1}, {0}"), everybody),
        "a letter too much": (hints(everybody, "{0} {1}e"), everybody),
        "no birth date, an e-mail": ([Hint(one.name, email="p1@example.com") for one in hints(everybody)], everybody),
        "names of many languages": (hints(foreign), foreign),
        "one family": (hints(everybody), [replace(chart, last_name="Jones") for chart in everybody]),
        "fifty charts of one person": (
            hints(everybody[:1]),
            [replace(everybody[0], patient_id=str(n)) for n in range(50)],
        ),
        "a chain of merged charts": (hints(everybody), [*merged, everybody[-1]]),
        "very long names": ([Hint(" ".join(GIVEN + FAMILY[:2]), BORN)], long),
    }


def measure(name: str, asked: Sequence[Hint], charts: Sequence[Patient], *, matches: int) -> Measurement:
    """Match so many times, and tell the processor's time that it took."""
    filed = 0
    started = time.process_time()
    for number in range(matches):
        filed += isinstance(match_patient(asked[number % len(asked)], charts, today=TODAY), Matched)
    return Measurement(name, matches, len(charts), round(time.process_time() - started, 3), filed)


def run(matches: int = MATCHES // 2) -> list[Figure]:
    """Matches a second, by the kind of list."""
    found = [measure(name, *made, matches=matches) for name, made in lists().items()]
    return [Figure(f"matches a second of {CANDIDATES} charts: {one.name}", one.speed) for one in found]


def main() -> None:
    """Measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--matches", type=int, default=MATCHES, help="how many matches of each kind")
    arguments.add_argument("--only", default="", help="kinds of list with this in their name")
    asked = arguments.parse_args()
    kinds = {name: made for name, made in lists().items() if asked.only in name}
    found = [measure(name, *made, matches=asked.matches) for name, made in kinds.items()]
    shown = Table(
        "list",
        "filed",
        "seconds",
        "matches a second",
        title=f"{asked.matches:,} matches against {CANDIDATES} candidates each",
    )
    for one in found:
        shown.add_row(one.name, str(one.filed), f"{one.seconds:.2f}", f"{one.speed:,.0f}")
    Console(width=130).print(shown)
    RESULTS.parent.mkdir(exist_ok=True)
    about = {"python": platform.python_version(), "machine": platform.platform()}
    RESULTS.write_text(json.dumps(about | {"measurements": [asdict(each) for each in found]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
