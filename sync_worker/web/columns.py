"""A small chart of columns, as numbers that a template draws as SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP = 600, 120, 3
LEAST = 2
"""A day with one note must be seen beside one with a hundred."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: where it stands in a box of 600 by 120, its label and its count."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


def columns(labels: Sequence[str], counts: Sequence[int]) -> list[Column]:
    """Columns of these heights, side by side, the highest one as high as the box."""
    most = max(counts, default=0) or 1
    width = WIDTH / max(len(counts), 1)
    made = []
    for number, (label, count) in enumerate(zip(labels, counts, strict=True)):
        height = max(HEIGHT * count / most, LEAST) if count else 0.0
        made.append(Column(round(number * width, 2), HEIGHT - height, round(width - GAP, 2), height, label, count))
    return made
