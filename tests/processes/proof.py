"""What a proof comes to: figures to keep, and the promises that were broken."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
Figure = str | int | float


@dataclass
class Proof:
    """The result of one proof."""

    title: str
    figures: dict[str, Figure] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def add(self, name: str, figure: Figure, *, must_be: Figure | None = None) -> None:
        """Keep a figure; `must_be` makes it a promise."""
        self.figures[name] = figure
        if must_be is not None and figure != must_be:
            self.broken.append(f"{name.replace('_', ' ')}: {figure}, promised: {must_be}")

    def add_seconds(self, name: str, seconds: Sequence[float], *, at_most: float | None = None) -> None:
        """Keep the least, the middle and the largest of some durations; `at_most` makes the largest a promise."""
        if not seconds:
            return
        parts = [("min", min(seconds)), ("median", median(seconds)), ("max", max(seconds))]
        self.figures |= {f"{name}_{part}_seconds": round(value, 2) for part, value in parts}
        if at_most is not None and max(seconds) > at_most:
            self.broken.append(f"{name.replace('_', ' ')}: {max(seconds):.1f} s, promised: at most {at_most:g} s")


def side_by_side(work: Callable[[T], R], of: Iterable[T]) -> list[R]:
    """Do the same for several, each in a thread of its own: their processes sleep more than they work."""
    lanes = list(of)
    with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        return list(pool.map(work, lanes))
