"""Puts a backup back, and moves a ledger to another database: never with a worker at work, never two ledgers in use.

Both hold every lease from before the first look to after the last write. A restored ledger says so (`restored_at`), so
that the look before the first request of a tick adopts what was filed after the copy. A moved one is retired. Accounts
go along with both, logins with neither: everybody logs in again.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, Engine, delete, func, inspect, select, text, update

from sync_worker.errors import LedgerMismatch, LedgerUnavailable, NotPossible
from sync_worker.ledger import Ledger, migrate
from sync_worker.ledger.files import (
    COMPANIONS,
    Contents,
    contents_of,
    copy_of,
    into_place,
    require_sound,
    snapshot,
    write_backup,
)
from sync_worker.ledger.leases import WORKING, Leases
from sync_worker.ledger.moves import insert_once
from sync_worker.ledger.rows import Sums, clear, copy_rows, follow_sequences, make_tables, sums
from sync_worker.ledger.storage import lock_file, reading, sqlite_path, writing
from sync_worker.ledger.tables import Base, ClinicianRow, EntryRow, Installation, LeaseRow, LoginRow
from sync_worker.ledger.trail import Event, append

FAR_BEYOND = 1_000_000
"""How far the epochs are raised where those of the replaced ledger cannot be read any more."""


class WorkerRunning(NotPossible):
    """A worker holds a lease: nothing was done."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: what is in the ledger now, and where the one before it is kept."""

    contents: Contents
    replaced: Path | None
    damaged: Path | None
    paused: bool
    was_retired: bool


def require_in_use(engine: Engine) -> None:
    """Raise `LedgerMismatch` if the ledger was moved elsewhere. Needs a ledger of this program's version."""
    with reading(engine) as db:
        retired_at = db.execute(select(Installation.retired_at)).scalar()
    if retired_at is not None:
        raise _retired(retired_at)


# ---------------------------------------------------------------- restore


def restore(target: Engine, file: Path, *, now: datetime, actor: str, replace: bool) -> Restored:
    """Put a backup into the ledger's database, whichever it is. What is there now is backed up beside `file` first.

    Raises `NotPossible` with what to do where a worker is at work, where `file` is no whole backup, or where the
    ledger has entries and `replace` was not said; then nothing has changed.
    """
    file, live = file.resolve(), sqlite_path(target)
    if not file.is_file():
        raise NotPossible(f"There is no backup {file}: check the name.")
    if live is not None and file == live:
        raise NotPossible(f"{file} is the ledger itself: name a backup.")
    require_sound(file)
    with _aside(live) as folder:
        try:
            staged = copy_of(file, folder)
        except LedgerMismatch:
            raise LedgerMismatch(
                f"{file} was written by a newer sync-worker than this: install that version, and restore it there."
            ) from None
        if live is not None and _is_damaged(live):
            return _over_damaged(live, staged, now=now, actor=actor, replace=replace)
        return _over_ledger(target, staged, file, now=now, actor=actor, replace=replace)


def _over_ledger(target: Engine, staged: Engine, file: Path, *, now: datetime, actor: str, replace: bool) -> Restored:
    live = sqlite_path(target)
    if live is None:
        _make_ledger(target)
    with _nobody_working(target, now) as has_ledger:
        if has_ledger:
            migrate.upgrade(target)
        with _held_still(target) as db:
            if not has_ledger:
                _require_no_tables(db)
            kept = _keep_present(target, db, file, now, replace=replace) if has_ledger else None
            was_retired = has_ledger and _retired_at(db) is not None
            epoch = _newest_epoch(db) if has_ledger else 0
            paused = _mark_restored(staged, epoch, now, actor)
            if live is None:
                _refill(db, staged)
            else:
                into_place(_path_of(staged), live)
    return Restored(contents_of(file), kept, None, paused, was_retired)


def _keep_present(target: Engine, db: Connection, file: Path, now: datetime, *, replace: bool) -> Path | None:
    """Back up beside `file` what is in the ledger now, if anything is."""
    present = int(db.execute(select(func.count(EntryRow.id))).scalar_one())
    if not present:
        return None
    kept = file.with_name(f"{file.name}.replaced-{now:%Y%m%dT%H%M%S}")
    if not replace:
        raise NotPossible(
            f"The ledger that DATABASE_URL names holds {present} entries: say --replace if the backup is to take their "
            f"place. They are backed up as {kept.name} first."
        )
    if kept.exists():
        raise NotPossible(f"{kept} is there already: try again in a second.")
    write_backup(target, kept)
    return kept


def _over_damaged(live: Path, staged: Engine, *, now: datetime, actor: str, replace: bool) -> Restored:
    """The ledger's file cannot be read any more: set it aside as it is, with what belongs to it."""
    if not replace:
        raise NotPossible(
            "The ledger's file is damaged: say --replace if the backup is to take its place. The damaged file is kept."
        )
    with _nobody_locking(live):
        contents = contents_of(_path_of(staged))
        paused = _mark_restored(staged, FAR_BEYOND, now, actor)
        damaged = live.with_name(f"{live.name}.damaged-{now:%Y%m%dT%H%M%S}")
        for ending in (*COMPANIONS, ""):  # its journal first: the new file must never meet it
            if (part := live.with_name(live.name + ending)).exists():
                part.replace(damaged.with_name(damaged.name + ending))
        into_place(_path_of(staged), live)
    return Restored(contents, None, damaged, paused, was_retired=False)


def _mark_restored(staged: Engine, epoch: int, now: datetime, actor: str) -> bool:
    """Let the copy say that it is one: its stamp, epochs beyond all that were, a step in each trail. Is it paused?"""
    with writing(staged) as db:
        db.execute(update(Installation).values(restored_at=now, retired_at=None))
        db.execute(delete(LoginRow))  # one that was ended after the copy must not come back
        # else a copy that was polled while our clock was ahead seems to have been polled since
        db.execute(update(ClinicianRow).values(last_poll_at=None))
        beyond = max(epoch, _newest_epoch(db)) + 1
        clinicians = db.execute(select(ClinicianRow.id, ClinicianRow.trail_number, ClinicianRow.paused_at)).all()
        for clinician in clinicians:
            values = {"clinician_id": clinician.id, "epoch": beyond, "holder": "", "taken_at": now}
            insert_once(db, LeaseRow, values)
            details = {"newest_step": clinician.trail_number}
            append(db, clinician.id, Event.RESTORED, at=now, actor=actor, details=details)
        db.execute(update(LeaseRow).values(epoch=beyond))
        everybody = db.execute(select(Installation.paused_at)).scalar()
    return any(stamp is not None for stamp in (everybody, *(one.paused_at for one in clinicians)))


def _refill(db: Connection, staged: Engine) -> None:
    """Put the copy's rows in place of the ledger's, in the caller's transaction."""
    with reading(staged) as source:
        clear(db)
        meant = copy_rows(source, db)
    _require_same(meant, sums(db))
    follow_sequences(db)


# ---------------------------------------------------------------- move


def move(source: Engine, target: Engine, *, now: datetime) -> Sums:
    """Move the ledger into an empty database, and retire the one it leaves. Gives what was moved, table by table.

    The new one stays retired, under the same stamp, until the old one is: so a move that is broken off leaves at most
    one in use, and the same call again finishes one that retired both.
    """
    with reading(source) as db:
        retired_at = _retired_at(db)
    if retired_at is not None:
        return _finish(source, target, retired_at)
    with _at_the_new_place(), reading(target) as new:
        _require_empty(new)
    with _nobody_working(source, now), _held_still(source) as db:
        db.execute(delete(LoginRow))  # here, so that both ledgers say the same afterwards
        with _at_the_new_place(), writing(target) as new:
            _require_empty(new)
            _without_limit(new)
            make_tables(new)
            moved = copy_rows(db, new)
            _require_same(moved, sums(new))
            follow_sequences(new)
            new.execute(update(Installation).values(retired_at=now))
        paused_at = func.coalesce(Installation.paused_at, now)  # stops what has the ledger open already
        db.execute(update(Installation).values(retired_at=now, paused_at=paused_at))
    _bring_into_use(target)
    return moved


def _finish(source: Engine, target: Engine, retired_at: datetime) -> Sums:
    """Bring the copy into use that a broken-off move left beside the ledger it retired."""
    with snapshot(source) as db:
        meant = sums(db)
    path = sqlite_path(target)
    with _at_the_new_place():
        if (path is not None and not path.exists()) or migrate.current(target) != migrate.head():
            raise _retired(retired_at)
        with snapshot(target) as db:
            same_move, found = _retired_at(db) == retired_at, sums(db)
    if not same_move:
        raise _retired(retired_at)
    _require_same(_without_installation(meant), _without_installation(found))
    _bring_into_use(target)
    return found


def _bring_into_use(target: Engine) -> None:
    with _at_the_new_place(), writing(target) as db:
        db.execute(update(Installation).values(retired_at=None))


def _without_installation(found: Sums) -> Sums:
    """Without the one row in which a retired ledger differs from its copy."""
    return {name: total for name, total in found.items() if name != Installation.__tablename__}


@contextmanager
def _at_the_new_place() -> Iterator[None]:
    try:
        yield
    except LedgerUnavailable as error:
        raise NotPossible(f"The new database cannot be used, so the ledger was not moved. {error}") from None


def _require_empty(db: Connection) -> None:
    if not inspect(db).get_table_names():
        return
    raise NotPossible(
        "The new database is not empty: name an empty one. If a move to it was broken off, or a ledger was moved away "
        "from it, delete its file or its tables first."
    )


# ---------------------------------------------------------------- what both need


@contextmanager
def _nobody_working(engine: Engine, now: datetime) -> Iterator[bool]:
    """Hold every lease; says whether there is a ledger at all. Raises `WorkerRunning` if a worker holds one."""
    path = sqlite_path(engine)
    if path is not None and not path.exists():
        yield False
        return
    if migrate.current(engine) is None:
        yield False
        return
    ledger = Ledger(engine, region="")
    leases = Leases(ledger)
    try:
        with reading(engine) as db:
            clinicians = db.execute(select(ClinicianRow.id, ClinicianRow.heidi_user_id)).all()
        if not leases.is_alone():
            raise _running(leases.holder_of(WORKING))
        for clinician_id, heidi_user_id in clinicians:
            if leases.acquire(clinician_id, now) is None:
                raise _running(f"{heidi_user_id} is held by {ledger.clinicians.lease_holder(clinician_id)}")
        yield True
    finally:
        leases.close()


@contextmanager
def _nobody_locking(live: Path) -> Iterator[None]:
    """The same where the ledger cannot say who its clinicians are: their lock files can."""
    with ExitStack() as stack:
        for path in sorted(live.parent.glob(f"{live.name}.clinician-*.lock")):
            file = stack.enter_context(lock_file(path))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _running(f"{path.name} is held") from None
        yield


@contextmanager
def _held_still(engine: Engine) -> Iterator[Connection]:
    """A transaction beside which nobody else can write, people's decisions included; all may read."""
    with writing(engine) as db:
        _without_limit(db)
        if db.dialect.name == "postgresql":
            names = ", ".join(table.name for table in Base.metadata.sorted_tables)
            db.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))
        yield db


@contextmanager
def _aside(live: Path | None) -> Iterator[Path]:
    """A folder for work, beside an SQLite ledger, since a file takes another's name only on one disk."""
    prefix = f".{live.name}." if live else None
    try:
        folder = TemporaryDirectory(dir=live.parent if live else None, prefix=prefix)
    except OSError as error:
        place = live.parent if live else "the folder for temporary files"
        raise LedgerUnavailable(f"{place} cannot be written ({error.strerror}): check its rights and space.") from None
    with folder as name:
        yield Path(name)


def _is_damaged(live: Path) -> bool:
    """Whether an SQLite ledger's file is there and does not hold together, its journal played back."""
    if not live.exists():
        return False
    try:
        with closing(sqlite3.connect(live, timeout=10)) as db:
            return bool(db.execute("PRAGMA integrity_check").fetchall() != [("ok",)])
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return True
        raise LedgerUnavailable(
            "The ledger cannot be opened: close what holds it open, and check its rights."
        ) from None


def _path_of(staged: Engine) -> Path:
    path = sqlite_path(staged)
    assert path is not None  # noqa: S101 - a copy is an SQLite file
    return path


def _make_ledger(target: Engine) -> None:
    """Let an empty Postgres database have a ledger's tables."""
    if migrate.current(target) is None:
        with reading(target) as db:
            _require_no_tables(db)
        migrate.upgrade(target)


def _require_no_tables(db: Connection) -> None:
    if inspect(db).get_table_names():
        raise NotPossible("The database that DATABASE_URL names holds other tables, and no ledger: name another.")


def _require_same(meant: Sums, found: Sums) -> None:
    if wrong := sorted(name for name, total in meant.items() if found.get(name) != total):
        raise NotPossible(f"What arrived is not what was sent ({', '.join(wrong)}): nothing was changed. Try again.")


def _without_limit(db: Connection) -> None:
    if db.dialect.name == "postgresql":
        db.execute(text("SET LOCAL statement_timeout = 0"))


def _newest_epoch(db: Connection) -> int:
    return int(db.execute(select(func.max(LeaseRow.epoch))).scalar() or 0)


def _retired_at(db: Connection) -> datetime | None:
    return db.execute(select(Installation.retired_at)).scalar()


def _running(who: str) -> WorkerRunning:
    return WorkerRunning(f"A worker is running ({who}): stop it, as with `systemctl stop sync-worker`, and try again.")


def _retired(retired_at: datetime) -> LedgerMismatch:
    return LedgerMismatch(
        f"This ledger was moved to another database on {retired_at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC: set "
        "DATABASE_URL to the new one, or put a backup into this one by `sync-worker db restore FILE --replace`. If the "
        "new one is refused in the same words, the move was broken off: set DATABASE_URL to the old one, and run the "
        "same `sync-worker db move` once more."
    )
