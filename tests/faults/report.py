"""How a long proof ends: its figures as a table, kept for the page of results, and what was broken."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests import proofs


def report(name: str, figures: Mapping[str, proofs.Figure], broken: Sequence[str]) -> int:
    """Print and keep the figures. 1, with what was broken, if anything was; else 0."""
    table = Table("figure", "value", title=f"proof: {name}")
    for figure, value in figures.items():
        table.add_row(figure.replace("_", " "), str(value))
    console = Console()
    console.print(table)
    for text in broken:
        console.print(f"BROKEN: {text}", markup=False, highlight=False)
    proofs.record(name, {**figures, "broken": len(broken)})
    return 1 if broken else 0
