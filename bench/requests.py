"""How many requests a note costs, and a poll that finds nothing: `python -m bench.requests`.

Counted in the stand-ins, by operation. Cliniko lets each user ask 200 times a minute, Heidi's list is asked for every
two minutes and clinician, so both are worth counting.
"""

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench.commands import environment
from bench.commands import run as run_command
from bench.figures import Figure, show, write
from bench.running import a_worker, tick
from bench.sandboxes import A_DAY, Arrival, Clinic, Sandboxes

MOST_A_NOTE_OF_A_DAY, MOST_A_NOTE_ALONE = 2.4, 4.0
IDLE_HEIDI, IDLE_CLINIKO = 1.0, 0.0
ID = re.compile(r"/(\d+|[0-9a-f]{24})(?=/|$)")

DAY = f"Cliniko a note, a day of {A_DAY} in one tick"
EMAILS = f"Cliniko a note, a day of {A_DAY} whose e-mails Heidi tells"
ALONE = "Cliniko a note filed alone, running worker"
FRESH = "Cliniko a note filed alone, new process"
IDLE = "a poll without news"

Operations = dict[str, Counter[str]]
"""How often each operation was asked for, by situation."""


def run() -> list[Figure]:
    """Requests a note, of a day at once and alone, and requests of a poll without news."""
    return measure()[0]


def measure() -> tuple[list[Figure], Operations]:
    """The figures, and what was asked for in each situation."""
    asked: Operations = {}
    with TemporaryDirectory() as folder:
        _with_a_worker(asked, Path(folder))
        _with_emails(asked, Path(folder))
    day, emails, alone, fresh = (asked[name] for name in (DAY, EMAILS, ALONE, FRESH))
    figures = [
        Figure(DAY, _cliniko(day) / A_DAY, "requests", MOST_A_NOTE_OF_A_DAY),
        Figure(EMAILS, _cliniko(emails) / A_DAY, "requests", MOST_A_NOTE_OF_A_DAY),
        Figure(ALONE, _cliniko(alone), "requests", MOST_A_NOTE_ALONE),
        Figure(FRESH, _cliniko(fresh), "requests", MOST_A_NOTE_ALONE),
        Figure("Heidi a poll without news", asked[IDLE].total() - _cliniko(asked[IDLE]), "requests", IDLE_HEIDI),
        Figure("Cliniko a poll without news", _cliniko(asked[IDLE]), "requests", IDLE_CLINIKO),
    ]
    return figures, asked


def _with_a_worker(asked: Operations, folder: Path) -> None:
    url = f"sqlite:///{folder}/ledger.db"
    with Sandboxes() as services:
        services.fill(Clinic(A_DAY, datetime.now(UTC)))
        with a_worker(services.environment, url) as worker:
            tick(worker, full=True)
            asked[DAY] = _asked(services, filed=A_DAY)
            tick(worker)
            asked[IDLE] = _asked(services, filed=A_DAY)
            services.add(1, now=datetime.now(UTC))
            tick(worker)
            asked[ALONE] = _asked(services, filed=A_DAY + 1)
        services.add(1, now=datetime.now(UTC))
        run_command("once", environment=environment(services.environment, url), folder=folder)
        asked[FRESH] = _asked(services, filed=A_DAY + 2)


def _with_emails(asked: Operations, folder: Path) -> None:
    with Sandboxes() as services:
        services.fill(Clinic(A_DAY, datetime.now(UTC), tells_email=True))
        with a_worker(services.environment, f"sqlite:///{folder}/emails.db") as worker:
            tick(worker, full=True)
        asked[EMAILS] = _asked(services, filed=A_DAY)


def _asked(services: Sandboxes, *, filed: int) -> Counter[str]:
    """What was asked for since the last time. Raises `SystemExit` where not so many notes are filed by now."""
    if (found := services.notes()) != filed:
        raise SystemExit(f"{found} of {filed} documents were filed")
    return Counter(map(operation_of, services.arrivals()))


def operation_of(one: Arrival) -> str:
    """A request's operation: service, method and path without ids, and the fields that a list was filtered by."""
    asked = one.request
    path = ID.sub("/ID", asked.path.removeprefix("/api/v2/ml-scribe/open-api").removeprefix("/v1"))
    fields = [value.partition(":")[0] for name, value in asked.query if name == "q[]"]
    by = f" by {', '.join(dict.fromkeys(field for field in fields if field != 'archived_at'))}" if fields else ""
    return f"{one.service} {asked.method} {path}{by}"


def _cliniko(operations: Counter[str]) -> int:
    return sum(count for name, count in operations.items() if name.startswith("cliniko"))


def operations_table(asked: Operations) -> Table:
    """What was asked for, by situation."""
    shown = Table("situation", "operation", "requests", title="What was asked for")
    for situation, operations in asked.items():
        for number, (name, count) in enumerate(sorted(operations.items())):
            shown.add_row(situation if not number else "", name, str(count))
        shown.add_section()
    return shown


def main() -> None:
    """Count, print, write."""
    figures, asked = measure()
    Console(width=130).print(operations_table(asked))
    show("Requests", figures)
    write("requests", figures, operations=asked)


if __name__ == "__main__":
    main()
