"""What a measurement found, beside what it should be: the small interface that all modules of the summary share.

Such a module has a `run()` that gives back its figures. Nothing is asserted here either: a target that is missed is
shown as missed, since what a machine takes depends on it and on what else it does.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent
LIBRARIES = ("httpx", "sqlalchemy", "psycopg", "pydantic", "markdown-it-py", "beautifulsoup4")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `target` is the most that it should be, or with `at_least` the least; None where there is none."""

    what: str
    measured: float
    unit: str = ""
    target: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """What was measured over the target."""
        return self.measured / self.target if self.target else None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.target is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """As a row of a table: what, measured, target, measured over target, and whether it is met."""
        sign = ">=" if self.at_least else "<="
        target = f"{sign} {plain(self.target)} {self.unit}".strip() if self.target is not None else "-"
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else "-"
        met = {True: "yes", False: "NO", None: "-"}[self.is_met]
        return self.what, f"{plain(self.measured)} {self.unit}".strip(), target, ratio, met


HEADS = ("what", "measured", "target", "measured / target", "met")


def plain(number: float) -> str:
    """A number as a person reads it: three digits that say something."""
    if number == int(number) or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def show(title: str, figures: Iterable[Figure]) -> None:
    """Print the figures as a table."""
    shown = Table(title=title)
    shown.add_column(HEADS[0])
    for head in HEADS[1:]:
        shown.add_column(head, justify="right", no_wrap=True)
    for figure in figures:
        shown.add_row(*figure.cells())
    Console(width=130).print(shown)


def write(name: str, figures: Sequence[Figure], **more: Any) -> Path:
    """Keep figures in bench/results, with the machine they were measured on and whatever else belongs to them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    kept: Mapping[str, Any] = {**machine(), **more, "figures": [asdict(one) for one in figures]}
    path.write_text(json.dumps(kept, indent=1) + "\n")
    return path


def machine() -> dict[str, Any]:
    """What the numbers hang on: the machine, what else it did, Python, the libraries, the commit."""
    return {
        "python": platform.python_version(),
        "machine": platform.platform(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {name: version(name) for name in LIBRARIES},
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, no input
    return found.stdout.strip() or "unknown"
