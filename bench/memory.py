"""How much memory a backlog takes: `python -m bench.memory`.

Runs `once` on a backlog, in a process of its own, and reads the most memory that it ever held (VmHWM). A tick over a
hundred times as many documents should hold hardly more.
"""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.commands import environment
from bench.commands import run as run_command
from bench.figures import Figure, show, write
from bench.sandboxes import Clinic, Sandboxes

FEW, MANY = 100, 2_000
MOST_MB, MOST_RATIO = 110.0, 1.15


def run(few: int = FEW, many: int = MANY) -> list[Figure]:
    """What a small backlog takes, a large one, and one beside the other."""
    small, large = peak_mb(few), peak_mb(many)
    return [
        Figure(f"most memory, {few:,} documents in one go", small, "MB", MOST_MB),
        Figure(f"most memory, {many:,} documents in one go", large, "MB", MOST_MB),
        Figure(f"the same, {many:,} documents over {few:,}", large / small, target=MOST_RATIO),
    ]


def peak_mb(documents: int) -> float:
    """The most memory that `once` held while it filed so many documents."""
    with Sandboxes() as services, TemporaryDirectory() as folder:
        services.fill(Clinic(documents, datetime.now(UTC)))
        settings = environment(services.environment, f"sqlite:///{folder}/ledger.db")
        run_command("db", "upgrade", environment=settings, folder=Path(folder))  # a service finds its ledger made
        ran = run_command("once", "--json", environment=settings, folder=Path(folder))
        if (filed := services.notes()) != documents:
            raise SystemExit(f"{filed} of {documents} documents were filed")
        return ran.peak_mb


def main() -> None:
    """Measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--few", type=int, default=FEW)
    arguments.add_argument("--many", type=int, default=MANY, help="10,000 takes a quarter of an hour")
    asked = arguments.parse_args()
    figures = run(asked.few, asked.many)
    show("Memory", figures)
    write("memory", figures, few=asked.few, many=asked.many)


if __name__ == "__main__":
    main()
