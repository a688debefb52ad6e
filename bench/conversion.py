"""How long documents take to become notes: `python -m bench.conversion`.

Prints a table of the processor's seconds for each document of `bench.documents` at several sizes, its speed at the
largest that was carried, and by how much twice the size multiplied the time; writes what it measured to
bench/results/conversion.json. Asserts nothing on time: that depends on the machine, and on what else it does.
"""

import json
import platform
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.documents import HOSTILE, ORDINARY, Maker
from bench.figures import Figure
from sync_worker.convert import render_note_content
from sync_worker.errors import ConversionError
from sync_worker.model import Document

MOST_TIMES = 2.5
"""Twice the size may cost so many times as much: hardly more than twice."""
SIZES = (250_000, 500_000, 1_000_000, 2_000_000)
RESULTS = Path(__file__).parent / "results" / "conversion.json"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One document at one size. `outcome` is "carried", or the code of the refusal."""

    name: str
    markup: str
    size: int
    characters: int
    seconds: float
    outcome: str

    @property
    def speed(self) -> float:
        """Millions of characters a second."""
        return self.characters / 1e6 / max(self.seconds, 1e-6)


def measure(name: str, markup: str, maker: Maker, size: int) -> Measurement:
    """Convert one document once, and tell the processor's time that it took."""
    content = maker(size)
    document = Document("document", "session", name, content, markup)
    started = time.process_time()
    try:
        render_note_content(document, source="bench")
        outcome = "carried"
    except ConversionError as refusal:
        outcome = refusal.code
    seconds = time.process_time() - started
    return Measurement(name, markup, size, len(content), round(seconds, 3), outcome)


def measurements(documents: dict[str, tuple[str, Maker]], *, sizes: tuple[int, ...]) -> Iterator[list[Measurement]]:
    """The measurements of each document, one a size."""
    for name, (markup, maker) in documents.items():
        yield [measure(name, markup, maker, size) for size in sizes]


def table(title: str, *, sizes: tuple[int, ...]) -> Table:
    """A table without rows yet."""
    heads = [f"{size // 1000} kB" for size in sizes]
    shown = Table(title=title)
    shown.add_column("document", no_wrap=True)
    for head in (*heads, "MB/s", "x2"):
        shown.add_column(head, justify="right", no_wrap=True)
    return shown


def row(measured: list[Measurement]) -> list[str]:
    """A document's row: seconds, or what it was refused as; its speed; what twice the size multiplies the time by."""
    carried = [each for each in measured if each.outcome == "carried"]
    cells = [f"{each.seconds:.2f}" + ("" if each in carried else f" {each.outcome}") for each in measured]
    twice = doubling(carried)
    ratio = f"{twice:.1f}" if twice else "-"
    return [measured[0].name, *cells, f"{carried[-1].speed:.2f}" if carried else "-", ratio]


def run() -> list[Figure]:
    """The speed of ordinary documents at the largest size that is carried, and what twice the size costs."""
    figures = list[Figure]()
    for measured in measurements(ORDINARY, sizes=SIZES[:3]):
        carried = [each for each in measured if each.outcome == "carried"]
        largest = carried[-1]
        what = f"{largest.name}, {largest.size // 1000} kB"
        figures.append(Figure(f"converting {what}", largest.speed, "MB/s"))
        if twice := doubling(carried):
            figures.append(Figure(f"twice the size: {what}", twice, "times", MOST_TIMES))
    return figures


def doubling(carried: Sequence[Measurement]) -> float | None:
    """By how much the largest pair's twice the size multiplied the time; None where there is no pair."""
    pairs = [(small, large) for small in carried for large in carried if large.size == 2 * small.size]
    return pairs[-1][1].seconds / max(pairs[-1][0].seconds, 1e-6) if pairs else None


def main() -> None:
    """Measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--size", type=int, action="append", help="characters of each document; may be repeated")
    arguments.add_argument("--only", default="", help="documents with this in their name")
    asked = arguments.parse_args()
    sizes = tuple(asked.size or SIZES)
    console = Console(width=130)
    found: list[Measurement] = []
    for title, documents in (("Ordinary documents", ORDINARY), ("Hostile documents", HOSTILE)):
        shown = table(f"{title}: seconds, and why refused", sizes=sizes)
        for measured in measurements({k: v for k, v in documents.items() if asked.only in k}, sizes=sizes):
            found.extend(measured)
            shown.add_row(*row(measured))
        console.print(shown)
    RESULTS.parent.mkdir(exist_ok=True)
    about = {"python": platform.python_version(), "machine": platform.platform()}
    RESULTS.write_text(json.dumps(about | {"measurements": [asdict(each) for each in found]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
