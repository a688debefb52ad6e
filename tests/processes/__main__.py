"""`python -m tests.processes PROOF [--count N] [--database sqlite|postgres|both] [--seed N]`: the long forms.

Prints a table, keeps its figures for the page of results, and exits with 1 if a promise was broken.
"""

import argparse
import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tests import proofs
from tests.processes import kills, lost_answers, many, migrations, rivals, sigterm, stops
from tests.processes.proof import Proof

PROOFS: dict[str, tuple[Callable[..., Proof], int, str]] = {
    "kills": (kills.prove, 60, "kill -9 of a working worker; N on each database"),
    "migrations": (migrations.prove, 12, "kill -9 of `db upgrade`; N on each database"),
    "stops": (stops.prove, 12, "SIGSTOP longer than the second look, with a second worker; N on each database"),
    "rivals": (rivals.prove, 4, "five workers started at once; N rounds on each database"),
    "sigterm": (sigterm.prove, 30, "SIGTERM at random moments, and while the peer stalls; N on each database"),
    "many": (many.prove, 60, "two workers on one Postgres ledger: N seconds of kill -9, N of cut commits, one rate"),
    "lost-answers": (lost_answers.prove, 200, "answers lost after Cliniko stored the note; N on each database"),
}


def main() -> int:
    """Run the proof that the arguments name."""
    wanted = _arguments()
    proof = PROOFS[wanted.proof][0](wanted.count, database=wanted.database, seed=wanted.seed)
    table = Table(title=proof.title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, figure in proof.figures.items():
        table.add_row(name.replace("_", " "), str(figure))
    console = Console()
    console.print(table)
    for broken in proof.broken:
        console.print(f"BROKEN: {broken}")
    proofs.record(f"processes-{wanted.proof}", proof.figures)
    return 1 if proof.broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.processes", description=__doc__.partition("\n\n")[2])
    commands = parser.add_subparsers(dest="proof", required=True)
    for name, (_, count, what) in PROOFS.items():
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--count", type=int, default=count, help=f"how often ({count})")
        command.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
        command.add_argument("--seed", type=int, default=1, help="the same seed draws the same moments")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
