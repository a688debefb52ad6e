"""Backups as files: each is an SQLite ledger of its own, marked as a copy, proved before it gets its name.

A live SQLite ledger is copied by SQLite itself, never as a file, which may be half-way through a commit. A Postgres
ledger is read in one transaction that sees one moment. Nothing here writes to the ledger that is copied.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from sync_worker.errors import LedgerUnavailable, NotPossible
from sync_worker.ledger import migrate
from sync_worker.ledger.rows import Sum, Sums, copy_rows, make_tables, sums
from sync_worker.ledger.storage import open_engine, plainly, reading, sqlite_path

MARK = 0x53574C42
"""SQLite's application id of a backup: tells it from a ledger in use."""
COMPANIONS = ("-journal", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds. The newest step is the audit trail's."""

    entries: int
    step: int | None
    step_at: str | None

    def __str__(self) -> str:
        entries = "1 entry" if self.entries == 1 else f"{self.entries} entries"
        if self.step is None:
            return f"{entries}, and no step in the audit trail yet"
        return f"{entries}; its newest step is number {self.step}, of {self.step_at} UTC"


def write_backup(engine: Engine, file: Path) -> Contents:
    """Copy the ledger as it is at one moment into `file`, while others work with it. Replaces an older backup.

    Raises `NotPossible` where `file` must not be replaced or cannot be written: nothing is left behind then.
    """
    file = file.resolve()
    _require_place(engine, file)
    with _telling_of(file), TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:
        copy = Path(folder) / "copy"
        with snapshot(engine) as db, _telling_of(file):
            meant = _fill(copy, db)
        _mark(copy, MARK)
        require_sound(copy)
        with closing(_opened(copy)) as made:
            same = meant == (_sums_of(made) if engine.dialect.name == "sqlite" else _typed_sums_of(copy))
            contents = _contents(made)
        if not same:
            raise NotPossible(f"The copy at {file} would not be what the ledger holds: try again, on another disk.")
        into_place(copy, file)
    return contents


def copy_of(file: Path, folder: Path) -> Engine:
    """A copy of a sound backup to work with, brought to this program's version; `file` stays as it is.

    Raises `LedgerMismatch` where a newer program wrote it, `NotPossible` where it cannot be copied into `folder`.
    """
    copy = folder / "copy"
    with _telling_of(folder), closing(_opened(file)) as source:
        _copy_pages(source, copy)
    _mark(copy, 0)
    engine = engine_of(copy)
    migrate.upgrade(engine)
    return engine


def contents_of(file: Path) -> Contents:
    """What a ledger's file holds."""
    with closing(_opened(file)) as db:
        return _contents(db)


def require_sound(file: Path) -> None:
    """Raise `NotPossible` unless the file is a whole ledger: its pages, its references, its newest steps."""
    try:
        with closing(_opened(file)) as db:
            whole = db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            whole = whole and not db.execute("PRAGMA foreign_key_check").fetchall()
            whole = whole and db.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
            whole = whole and db.execute("SELECT count(*) FROM installation").fetchone() == (1,)
            whole = whole and not (_has_trail(db) and db.execute(_LOST_STEPS).fetchone())
    except sqlite3.DatabaseError:
        whole = False
    if not whole:
        raise NotPossible(f"{file} is not a whole backup of a ledger: nothing was done with it. Use an older one.")


def into_place(made: Path, file: Path) -> None:
    """Give a finished file its name, in one step that also holds through a power cut."""
    _sync(made)
    made.replace(file)
    _sync(file.parent)


def engine_of(file: Path) -> Engine:
    """An engine for a ledger's file."""
    return open_engine(URL.create("sqlite", database=str(file)).render_as_string())


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """The ledger as it is at one moment, however long one reads. On SQLite nobody can commit meanwhile."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as db:
            db.exec_driver_sql("BEGIN")
            db.exec_driver_sql("SELECT count(*) FROM sqlite_schema")  # from here on it stands still
            yield db
            db.exec_driver_sql("ROLLBACK")
        return
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with plainly(), engine.connect().execution_options(**options) as db:
        db.execute(text("SET LOCAL statement_timeout = 0"))
        yield db


# ---------------------------------------------------------------- copying


def _fill(copy: Path, db: Connection) -> Sums:
    """Copy what the transaction sees into a new file; gives the sums of what it saw."""
    source = db.connection.driver_connection
    if isinstance(source, sqlite3.Connection):
        _copy_pages(source, copy)
        return _sums_of(source)
    _make_private(copy)
    with engine_of(copy).begin() as target:
        make_tables(target)
        return copy_rows(db, target)


def _copy_pages(source: sqlite3.Connection, copy: Path) -> None:
    _make_private(copy)
    with closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA synchronous = OFF")  # writers wait meanwhile, and `into_place` waits for the disk
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # a file in WAL mode remembers it: then it is more than a file


def _mark(file: Path, mark: int) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA application_id = {mark}")


def _sums_of(db: sqlite3.Connection) -> Sums:
    """The sums of whatever tables a file has, in the order in which the rows lie: quick, since writers wait."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    found = {}
    for name in names:
        count, hashed = 0, hashlib.sha256()
        for row in db.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - the names are the file's own
            count += 1
            hashed.update(repr(row).encode())
        found[name] = Sum(count, hashed.hexdigest())
    return found


def _typed_sums_of(file: Path) -> Sums:
    with reading(engine_of(file)) as db:
        return sums(db)


# ---------------------------------------------------------------- looking at files


_LOST_STEPS = """
    SELECT 1 FROM clinicians LEFT JOIN trail ON trail.clinician_id = clinicians.id AND number = trail_number
    WHERE trail_number > 0 AND trail.hash IS NOT trail_hash
"""


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)


def _has_trail(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'trail'").fetchone() is not None


def _contents(db: sqlite3.Connection) -> Contents:
    (entries,) = db.execute("SELECT count(*) FROM entries").fetchone()
    newest = db.execute("SELECT number, at FROM trail ORDER BY id DESC LIMIT 1").fetchone() if _has_trail(db) else None
    return Contents(entries, newest[0], newest[1][:16]) if newest else Contents(entries, None, None)


def _require_place(engine: Engine, file: Path) -> None:
    """Raise `NotPossible` if writing to `file` would replace anything but an older backup of this installation."""
    live = sqlite_path(engine)
    if live is not None and (file == live.resolve() or (file.exists() and live.exists() and file.samefile(live))):
        raise NotPossible(f"{file} is the ledger itself: name another file.")
    beside = [file.with_name(file.name + ending) for ending in COMPANIONS]
    if any(one.exists() for one in beside) or file.name.endswith(COMPANIONS):
        raise NotPossible(f"{file} is part of a database that is in use, or was cut off: name another file.")
    if not file.parent.is_dir():
        raise NotPossible(f"There is no folder {file.parent}: make it, or name another file.")
    if file.exists() and not _is_backup_of(engine, file):
        raise NotPossible(f"{file} is there, and is no backup of this ledger: name another file. It was left alone.")


def _is_backup_of(engine: Engine, file: Path) -> bool:
    try:
        with closing(_opened(file)) as db:
            marked = db.execute("PRAGMA application_id").fetchone() == (MARK,)
            keys = db.execute("SELECT hash_key FROM installation").fetchall() if marked else []
    except sqlite3.DatabaseError:
        return False
    with reading(engine) as db:
        return [bytes(key) for (key,) in keys] == [bytes(key) for (key,) in db.execute(text(_HASH_KEY))]


_HASH_KEY = "SELECT hash_key FROM installation"


def _make_private(file: Path) -> None:
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _telling_of(file: Path) -> Iterator[None]:
    """Say of a file what the storage would say of the ledger."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _unwritten(file, getattr(error, "sqlite_errorname", type(error).__name__)) from None
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise _unwritten(file, getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)) from None
    except OSError as error:
        raise _unwritten(file, error.strerror or type(error).__name__) from None


_WHY = {"SQLITE_FULL": "the disk is full", "SQLITE_IOERR": "the disk failed, or is full"}


def _unwritten(file: Path, code: str) -> NotPossible | LedgerUnavailable:
    if code.startswith("SQLITE_BUSY"):
        return LedgerUnavailable("The ledger was locked for too long by another program: close what holds it open.")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return LedgerUnavailable("The ledger's file is damaged: restore the newest backup.")
    why = next((words for start, words in _WHY.items() if code.startswith(start)), code)
    return NotPossible(
        f"The copy cannot be written to {file} ({why}): free some space there, check the folder's rights, or choose "
        "another. Nothing was left behind."
    )
