"""Backups while clinicians file without a pause, and old copies put back: nothing is lost, nothing is filed again.

    python -m tests.copies.rounds --rounds 30 --documents 200 [--database sqlite|postgres|both] [--server URL]

Each round runs on a fresh ledger of each database. Exits 1 if any promise was broken.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from sync_worker.ledger import Ledger, copies, files, migrate
from sync_worker.ledger.rows import Sums, sums
from sync_worker.ledger.storage import open_engine, reading
from sync_worker.ledger.tables import AttemptRow, ClinicianRow, EntryRow, TrailRow
from sync_worker.ledger.views import Views
from sync_worker.logs import configure_logging
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.heidi import HeidiSandbox
from tests.conftest import Clinic, TestClock
from tests.copies.processes import file_without_pause
from tests.ledger_processes import another_process

SERVER = "postgresql+psycopg://postgres@127.0.0.1:5432"
CLINICIANS = 3
MARKED = ("installation", "clinicians", "leases", "trail")
"""What a restore writes to, beside the rows it puts back."""


# ---------------------------------------------------------------- backup while writing


def back_up_while_writing(url: str, folder: Path, *, backups: int) -> Counter[str]:
    """Back up while clinicians file without a pause, then put the last backup back. Gives what was counted.

    Each backup must be one moment of the ledger, no older than its start. The last must equal the ledger, and the
    ledger must equal it again after the restore. `broken` counts what does not hold.
    """
    engine = open_engine(url)
    migrate.upgrade(engine)
    ledger = Ledger(engine, region="au")
    ledger.prepare_installation(datetime.now(UTC))
    counted: Counter[str] = Counter()
    with ExitStack() as stack:
        others = [
            stack.enter_context(another_process(file_without_pause, engine, f"physio-{number}"))
            for number in range(CLINICIANS)
        ]
        for other in others:
            other.line.recv()
        for number in range(backups):
            time.sleep(0.05)
            before = _filed(engine)
            files.write_backup(engine, folder / f"backup-{number}")
            copy = files.engine_of(folder / f"backup-{number}")
            counted["backups"] += 1
            counted["broken"] += not (before <= _filed(copy) <= _filed(engine) and _is_one_moment(copy))
        answers = [other.ask("stop") for other in others]
    counted["broken"] += sum(not isinstance(answer, int) for answer in answers)
    counted["documents"] += sum(answer for answer in answers if isinstance(answer, int))
    files.write_backup(engine, folder / "last")
    counted["broken"] += _sums_of(files.engine_of(folder / "last")) != _sums_of(engine)
    counted["broken"] += _filed(engine) != counted["documents"]
    counted += _put_back(engine, folder / "last")
    engine.dispose()
    return counted


def _put_back(engine: Engine, file: Path) -> Counter[str]:
    """Restore a backup over a ledger that went on since, and compare every row that a restore does not mark."""
    meant = _sums_of(files.engine_of(file))
    ledger = Ledger(engine, region="au")
    state = ledger.clinicians.enter("physio-0")
    lease = ledger.clinicians.take_lease(state.clinician_id, "later", datetime.now(UTC))
    before = _epochs(engine)
    copies.restore(engine, file, now=datetime.now(UTC), actor="proof", replace=True)
    found = _sums_of(engine)
    same = all(found[name] == total for name, total in meant.items() if name not in MARKED)
    whole = found["trail"].count == meant["trail"].count + CLINICIANS and ledger.trail.breaks() == []
    return Counter(
        restores=1,
        broken=(not same) + (not whole) + (min(_epochs(engine)) <= max(before)) + (lease.epoch > max(before)),
    )


def _is_one_moment(copy: Engine) -> bool:
    """Whether a copy holds no half of anything: each trail whole, each posted entry with its attempt's end."""
    with reading(copy) as db:
        posted = db.execute(sa.select(sa.func.count()).where(EntryRow.status == "posted")).scalar_one()
        accepted = db.execute(sa.select(sa.func.count()).where(AttemptRow.outcome == "accepted")).scalar_one()
        tips = db.execute(sa.select(sa.func.sum(ClinicianRow.trail_number))).scalar_one()
        steps = db.execute(sa.select(sa.func.count(TrailRow.id))).scalar_one()
    return posted == accepted and tips == steps and Ledger(copy, region="au").trail.breaks() == []


def _filed(engine: Engine) -> int:
    return Views(engine).entry_counts()["posted"]


def _epochs(engine: Engine) -> list[int]:
    with reading(engine) as db:
        return list(db.execute(sa.text("SELECT epoch FROM leases")).scalars())


def _sums_of(engine: Engine) -> Sums:
    with files.snapshot(engine) as db:
        return sums(db)


# ---------------------------------------------------------------- an old copy is put back


def put_an_old_copy_back(clinic: Clinic, folder: Path, *, documents: int) -> Counter[str]:
    """File documents, back up, file as many as asked, put the copy back: the next ticks must adopt and send none."""
    clinic.a_patient()
    _file(clinic, range(5))
    engine = clinic.ledger.engine
    files.write_backup(engine, folder / "old")
    deleted = clinic.a_session()
    clinic.a_document(deleted, _text(-2))
    _file(clinic, range(5, documents + 5))
    clinic.heidi.delete_session(deleted)  # so the old copy will never know whose note that is: no other worker's
    clinic.a_document(clinic.a_session(), _text(-1))  # finished, and not seen yet by anybody
    posts, notes = clinic.posts(), {note.note_id for note in clinic.notes()}
    clinic.restart()
    copies.restore(engine, folder / "old", now=clinic.clock.now(), actor="proof", replace=True)
    engine.dispose()
    restored = Views(clinic.ledger.engine).entry_counts()["posted"]
    _tick_until_quiet(clinic)
    counts = Views(clinic.ledger.engine).entry_counts()
    again = clinic.posts() - posts - 1  # the one that nobody had seen is filed, once
    lost = documents + 6 - counts["posted"]
    titles = Counter(note.title for note in clinic.notes())
    return Counter(
        old_copies=1,
        adopted=counts["posted"] - restored - 1,
        posts_again=again,
        duplicates=sum(titles.values()) - len(titles),
        lost=lost,
        broken=bool(again) + bool(lost) + (len(clinic.notes()) != len(notes) + 1) + bool(clinic.ledger.trail.breaks()),
    )


def _file(clinic: Clinic, numbers: range) -> None:
    for number in numbers:
        clinic.a_document(clinic.a_session(), _text(number))
    _tick_until_quiet(clinic)


def _tick_until_quiet(clinic: Clinic) -> None:
    """Ticks until nothing is left to do: a tick does not work for ever."""
    while True:
        report = clinic.tick()
        clinic.clock.advance(120)
        assert report.trouble is None, report.trouble
        if not (report.tally.pending or report.tally.in_doubt or report.tally.posted):
            return


def _text(number: int) -> str:
    return f"# Plan\n\nLetter {number}: rest for {number * 77 + 3} days, then {number * 13 + 5} minutes a day."


# ---------------------------------------------------------------- the long form


@contextmanager
def a_clinic(url: str) -> Iterator[Clinic]:
    """A small clinic outside of pytest."""
    clock = TestClock()
    sandbox = Sandbox(HeidiSandbox(now=clock.now), ClinikoSandbox(now=clock.now))
    sandbox.start()
    sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
    clinic = Clinic(sandbox, clock, url, sandbox.cliniko.add_user(first_name="Ada", last_name="Physio"))
    try:
        yield clinic
    finally:
        clinic.restart()
        sandbox.stop()


@contextmanager
def _databases(wanted: str, server: str) -> Iterator[Mapping[str, Callable[[Path], str]]]:
    """For each database a way to an empty one."""
    made: dict[str, Callable[[Path], str]] = {}
    if wanted in ("sqlite", "both"):
        made["sqlite"] = lambda folder: f"sqlite:///{folder / 'ledger.db'}"
    if wanted == "sqlite":
        yield made
        return
    name = f"sync_worker_rounds_{os.getpid()}"
    admin = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")

    def empty(_: Path) -> str:
        with admin.connect() as db:
            db.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            db.execute(sa.text(f"CREATE DATABASE {name}"))
        return f"{server}/{name}"

    made["postgres"] = empty
    try:
        yield made
    finally:
        with admin.connect() as db:
            db.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.dispose()


def _round(empty: Callable[[Path], str], documents: int) -> Counter[str]:
    counted: Counter[str] = Counter()
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        counted.update(back_up_while_writing(empty(Path(one)), Path(one), backups=5))
        with a_clinic(empty(Path(other))) as clinic:
            counted.update(put_an_old_copy_back(clinic, Path(other), documents=documents))
    return counted


def main() -> int:
    """Run the rounds, show and keep what was counted. 1 if any promise was broken."""
    parser = argparse.ArgumentParser(description="Backups while writing, and old copies put back.")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--documents", type=int, default=200, help="filed after each old copy")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--server", default=SERVER, help="a Postgres server, without a database")
    asked = parser.parse_args()
    configure_logging(level="ERROR", fmt="console")
    together: Counter[str] = Counter()
    shown: dict[str, Counter[str]] = {}
    with _databases(asked.database, asked.server) as databases:
        for name, empty in databases.items():
            counted: Counter[str] = Counter()
            for _ in range(asked.rounds):
                counted.update(_round(empty, asked.documents))
            shown[name] = counted
            together.update(counted)
    table = Table("counted", *shown, title=f"{asked.rounds} rounds")
    for column in _COLUMNS:
        table.add_row(column.replace("_", " "), *(str(counted[column]) for counted in shown.values()))
    Console().print(table)
    figures = {"rounds": asked.rounds, "databases": len(databases)}
    _record(figures | {column: together[column] for column in _COLUMNS})
    return 1 if together["broken"] else 0


_COLUMNS = (
    "backups",
    "documents",
    "restores",
    "old_copies",
    "adopted",
    "posts_again",
    "duplicates",
    "lost",
    "broken",
)


def _record(figures: Mapping[str, int]) -> None:
    from tests.proofs import record

    record("backups", figures)


if __name__ == "__main__":
    sys.exit(main())
