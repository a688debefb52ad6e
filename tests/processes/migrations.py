"""kill -9 in the middle of `db upgrade`: the next start finds the old version or the new one, and makes it the new one.

Every table's rows are compared by hash, with what they were before and with what an upgrade that nobody killed made of
them. Then the same ledger goes up, down and up again.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from sync_worker.ledger import migrate
from sync_worker.ledger.storage import open_engine, sqlite_path
from sync_worker.ledger.trail import Trail
from tests.processes.clinic import Clinic
from tests.processes.databases import fresh_database, kinds, server
from tests.processes.ledgers import (
    Columns,
    Print,
    bring_to,
    columns_of,
    earlier_versions,
    fill,
    fingerprint,
    in_both,
    take_back_to,
)
from tests.processes.proof import Proof, side_by_side
from tests.processes.worker import LOOK_SECONDS, WorkerProcess

ENTRIES = 10_000
NOTHING = "nothing"
"""The version of a ledger that is not there yet."""
UPGRADE = ("db", "upgrade")
LONGEST_UPGRADE_SECONDS = 600
BEFORE_OPENING = 0.2
"""The share of the kills that come before the process has opened the ledger."""


@dataclass
class Lane:
    """What the kills on one kind of database came to."""

    kills: int = 0
    found: Counter[str] = field(default_factory=Counter)
    """The versions that the kills left behind: what they began with, or this program's."""
    differences: int = 0
    failed_starts: int = 0
    next_starts: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Original:
    """A ledger before its upgrade, and what the upgrade must make of it."""

    version: str
    url: str
    columns: Columns
    rows: dict[str, Print]
    upgraded_columns: Columns = field(default_factory=dict)
    upgraded_rows: dict[str, Print] = field(default_factory=dict)
    shared_rows: dict[str, Print] = field(default_factory=dict)
    """The rows as they are, of the columns that the upgraded ledger has too."""
    opens_after: float = 0.0
    takes: float = 0.0

    @property
    def shared(self) -> Columns:
        """The columns that stay."""
        return in_both(self.columns, self.upgraded_columns)


def prove(count: int, *, database: str = "both", seed: int = 1, entries: int = ENTRIES) -> Proof:
    """Kill `count` upgrades on each database, beginning at each earlier version in turn and at nothing."""
    started = time.monotonic()
    jobs = [(kind, count, seed + index, entries) for index, kind in enumerate(kinds(database))]
    lanes = side_by_side(lambda job: kill_upgrades(*job), jobs)
    proof = Proof(f"kill -9 in `db upgrade`, {entries} entries ({' and '.join(kinds(database))}, seed {seed})")
    proof.add("version", migrate.head())
    proof.add("earlier_versions", len(earlier_versions()))
    proof.add("kills", sum(lane.kills for lane in lanes), must_be=count * len(jobs))
    found = sum((lane.found for lane in lanes), Counter[str]())
    for version, times in sorted(found.items()):
        proof.add(f"left_{version}", times)
    proof.add("next_starts_that_failed", sum(lane.failed_starts for lane in lanes), must_be=0)
    proof.add("ledgers_that_differ", sum(lane.differences for lane in lanes), must_be=0)
    proof.add_seconds("next_start", [each for lane in lanes for each in lane.next_starts])
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


def kill_upgrades(kind: str, count: int, seed: int, entries: int) -> Lane:
    """Kill so many upgrades on one kind of database; go down and up with the rest of the time."""
    lane, random = Lane(), Random(seed)
    versions = [*earlier_versions(), NOTHING]
    for index, version in enumerate(versions):
        # most of them where there are rows to lose
        share = count - count // 4 * (len(versions) - 1) if index == 0 else count // 4
        if not share:
            continue
        with _original(kind, version, entries) as original:
            for _ in range(share):
                _kill_one(lane, original, kind, random)
            if version != NOTHING:
                lane.differences += not _survives_down_and_up(original, kind)
    return lane


# ---------------------------------------------------------------- one kill


def _kill_one(lane: Lane, original: Original, kind: str, random: Random) -> None:
    with _copy(original, kind) as (clinic, engine):
        while True:
            process = clinic.start(*UPGRADE)
            _wait_for_the_moment(process, original, engine, random)
            if process.kill():
                break
            # it was faster than ever before: too late for a kill, so begin once more
            _put_back(original, engine)
        lane.kills += 1
        lane.found[_version_left_in(engine)] += 1
        again = clinic.start(*UPGRADE)
        lane.failed_starts += again.wait(LONGEST_UPGRADE_SECONDS) != 0
        lane.next_starts.append(again.age)
        lane.differences += not _is_as_promised(original, engine)


def _wait_for_the_moment(process: WorkerProcess, original: Original, engine: sa.Engine, random: Random) -> None:
    if random.random() < BEFORE_OPENING:
        time.sleep(random.uniform(0, original.opens_after))
        return
    _wait_for_opening(process, engine)
    time.sleep(random.uniform(0, original.takes))


def _wait_for_opening(process: WorkerProcess, engine: sa.Engine) -> None:
    with _watch(engine) as is_open:
        while process.is_running and not is_open():
            time.sleep(LOOK_SECONDS)


def _version_left_in(engine: sa.Engine) -> str:
    """What a kill left, seen in a copy: opening an SQLite ledger would already mend it."""
    path = sqlite_path(engine)
    if path is None:
        return migrate.current(engine) or NOTHING
    with TemporaryDirectory(prefix="sync-worker-proof-") as folder:
        for part in (path, path.with_name(path.name + "-journal")):
            if part.exists():
                shutil.copy(part, folder)
        return migrate.current(open_engine(f"sqlite:///{folder}/{path.name}")) or NOTHING


def _is_as_promised(original: Original, engine: sa.Engine) -> bool:
    if migrate.current(engine) != migrate.head() or columns_of(engine) != original.upgraded_columns:
        return False
    if Trail(engine).breaks():
        return False
    if original.version == NOTHING:
        return True  # its one row holds a random key
    whole = fingerprint(engine, original.upgraded_columns) == original.upgraded_rows
    return whole and fingerprint(engine, original.shared) == original.shared_rows


def _survives_down_and_up(original: Original, kind: str) -> bool:
    with _copy(original, kind) as (_, engine):
        bring_to(engine, "head")
        take_back_to(engine, original.version)
        is_back = columns_of(engine) == original.columns and fingerprint(engine, original.columns) == original.rows
        bring_to(engine, "head")
        return is_back and _is_as_promised(original, engine)


# ---------------------------------------------------------------- originals and copies


@contextmanager
def _original(kind: str, version: str, entries: int) -> Iterator[Original]:
    """A ledger of that version with so many entries, and what one upgrade in peace makes of it."""
    with TemporaryDirectory(prefix="sync-worker-proof-") as folder, fresh_database(kind, Path(folder)) as url:
        engine = open_engine(url)
        if version != NOTHING:
            bring_to(engine, earlier_versions()[0])
            fill(engine, entries)
            bring_to(engine, version)
        columns = columns_of(engine)
        rows = fingerprint(engine, columns) if columns else {}
        engine.dispose()  # Postgres copies a database only while nobody is in it
        original = _upgraded_in_peace(Original(version, url, columns, rows), kind)
        if columns:
            original = replace(original, shared_rows=fingerprint(engine, original.shared))
            engine.dispose()
        yield original


def _upgraded_in_peace(original: Original, kind: str) -> Original:
    with _copy(original, kind) as (clinic, engine):
        process = clinic.start(*UPGRADE)
        _wait_for_opening(process, engine)
        opens_after = process.age
        assert process.wait(LONGEST_UPGRADE_SECONDS) == 0, process.said()
        takes = process.age - opens_after
        columns = columns_of(engine)
        rows = fingerprint(engine, columns)
        return replace(original, upgraded_columns=columns, upgraded_rows=rows, opens_after=opens_after, takes=takes)


@contextmanager
def _copy(original: Original, kind: str) -> Iterator[tuple[Clinic, sa.Engine]]:
    """A copy of the original, and a clinic whose ledger it is."""
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database(kind, Path(folder), template=original.url) as url,
        Clinic(Path(folder), url) as clinic,
    ):
        engine = open_engine(url)
        _put_back(original, engine)
        yield clinic, engine
        engine.dispose()


def _put_back(original: Original, engine: sa.Engine) -> None:
    """Make an SQLite copy anew; a Postgres one was made by its server and goes down to where it was."""
    path, source = sqlite_path(engine), sa.make_url(original.url).database
    if path is None:
        if (now := migrate.current(engine)) is not None and now != original.version:
            take_back_to(engine, "base" if original.version == NOTHING else original.version)
        return
    for leftover in path.parent.glob(f"{path.name}*"):
        leftover.unlink()
    if original.version != NOTHING:
        shutil.copy(str(source), path)


@contextmanager
def _watch(engine: sa.Engine) -> Iterator[Callable[[], bool]]:
    """Says whether a process has opened the ledger: by the lock beside an SQLite file, by Postgres's own list."""
    path = sqlite_path(engine)
    if path is not None:
        yield path.with_name(path.name + ".migrate.lock").exists
        return
    watcher = sa.create_engine(f"{server()}/postgres", isolation_level="AUTOCOMMIT")
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")
    engine.dispose()  # our own connections are not what is looked for
    with watcher.connect() as db:
        yield lambda: db.execute(query, {"name": engine.url.database}).scalar_one() > 0
    watcher.dispose()
