"""`python -m tests.soak [--short | --hours N] [--database sqlite|postgres] [--seed N]`: soak a worker, and judge it.

The short form takes a minute of squeezed time: a poll every seven seconds, documents that settle in six, a hundred of
them. Prints a table, keeps its figures for the page of results, and exits with 1 if a promise was broken.
"""

import argparse
import sys
import time

from tests.faults.report import report
from tests.processes.proof import Proof
from tests.soak.judges import judge
from tests.soak.run import LEAST_HOURS, SHORT, long, soak


def main() -> int:
    """Run the form that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.partition("\n\n")[2])
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true", help="a minute, in squeezed time")
    form.add_argument("--hours", type=float, default=12.0, help="how long, with the service's own settings (12)")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="the same seed draws the same documents")
    wanted = parser.parse_args()
    if wanted.hours < LEAST_HOURS:
        parser.error(
            f"--hours must be at least {LEAST_HOURS:g}: the first documents become notes after a quarter of one"
        )
    name = "soak-short" if wanted.short else "soak"
    plan = SHORT if wanted.short else long(wanted.hours)
    began = time.monotonic()
    soaked = soak(plan, database=wanted.database, seed=wanted.seed)
    proof = Proof(name)
    proof.add("database", wanted.database)
    proof.add("sessions_per_minute", plan.sessions_per_minute)
    proof.add("warm_up_seconds", plan.warm_up)
    proof.add("measured_seconds", plan.measured)
    judge(soaked, proof)
    proof.add("took_seconds", round(time.monotonic() - began))
    return report(name, proof.figures, proof.broken)


if __name__ == "__main__":
    sys.exit(main())
