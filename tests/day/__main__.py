"""`python -m tests.day [--seed N]`: play a clinic day on which one thing after the other goes wrong.

Prints a table, keeps its figures for the page of results, and exits with 1 if a promise was broken.
"""

import argparse
import sys
import time

from tests.day.day import play
from tests.faults.report import report
from tests.faults.world import quiet


def main() -> int:
    """Play one day."""
    parser = argparse.ArgumentParser(prog="python -m tests.day", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same day")
    wanted = parser.parse_args()
    quiet()
    began = time.monotonic()
    figures, broken = play(wanted.seed)
    return report("day", {"seed": wanted.seed, **figures, "took_seconds": round(time.monotonic() - began)}, broken)


if __name__ == "__main__":
    sys.exit(main())
