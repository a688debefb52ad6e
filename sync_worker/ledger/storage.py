"""How the ledger's database is opened, read and written: one engine, SQLite or Postgres, no statement of ours.

SQLite runs in DELETE journal mode with synchronous FULL: libraries before 3.51.3 can corrupt a WAL file that two
connections write (the page process and the worker would be two), and at our volume the price is not noticeable. A file
that another program left in WAL mode, which the file itself remembers, is switched back.
Every failure of the database becomes `LedgerUnavailable` with a sentence saying what to do; the driver's own text
never travels, since Postgres puts values into it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.pool import NullPool

from sync_worker.errors import LedgerError, LedgerUnavailable

BUSY_TIMEOUT_SECONDS = 10
POSTGRES_LIMITS: dict[str, Any] = {
    "connect_timeout": BUSY_TIMEOUT_SECONDS,
    "options": f"-c lock_timeout={BUSY_TIMEOUT_SECONDS}s -c statement_timeout=30s",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A lock that somebody else holds, or a server that died without a word, must end in a sentence, as SQLite's does."""


def open_engine(url: str, *, read_only: bool = False, pooled: bool = False, at_once: int = 8) -> Engine:
    """An engine for the ledger at `url`. Makes SQLite's folder if missing, unless `read_only`.

    `pooled` keeps connections to Postgres open between statements, for a worker with `at_once` ticks beside each other;
    dispose of the engine at its end.

    Raises `LedgerUnavailable` if the folder cannot be made. The database itself is opened at first use.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite_engine(url, read_only=read_only)
    limits = dict(POSTGRES_LIMITS)
    if read_only:
        limits["options"] += " -c default_transaction_read_only=on"
    if pooled:
        most = at_once + 2  # each tick has one at a time, and so have the locks and the page
        return create_engine(
            url, hide_parameters=True, pool_pre_ping=True, pool_size=5, max_overflow=most, connect_args=limits
        )
    return create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=limits)


def sqlite_path(engine: Engine) -> Path | None:
    """The file of an SQLite ledger; None for Postgres."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    return Path(str(engine.url.query.get("file") or engine.url.database))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that writes nothing and holds no lock between statements."""
    with plainly(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        yield db


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back if the block raises."""
    with plainly(), engine.begin() as db:
        yield db


@contextmanager
def lock_file(path: Path) -> Iterator[IO[str]]:
    """An open file to lock, beside the ledger; made readable by our user only."""
    with plainly(), os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as handle:
        yield handle


def _sqlite_engine(url: str, *, read_only: bool) -> Engine:
    database = make_url(url).database or ""
    path = Path(database).resolve()  # two names of one file must not have two locks beside it
    if not read_only:
        _make_folder(path.parent)
    engine = create_engine(
        make_url(url).set(database=str(path)),
        hide_parameters=True,
        poolclass=NullPool,  # a connection is opened in microseconds, and none is carried from thread to thread
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA secure_delete = ON")  # what is purged must not stay readable in the file
        cursor.execute("PRAGMA query_only = ON" if read_only else "PRAGMA journal_mode = DELETE")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(db: Connection) -> None:
        # a deferred transaction that reads first fails at once when it wants to write
        if db.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            db.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerUnavailable(_advice_for_os(error)) from None


@contextmanager
def plainly() -> Iterator[None]:
    """Turn the database's failures into sentences."""
    try:
        yield
    except IntegrityError as error:
        raise LedgerError(f"a promise of the ledger was broken ({_driver_code(error)})") from None
    except DBAPIError as error:
        raise LedgerUnavailable(_advice_for(error)) from None
    except OSError as error:
        raise LedgerUnavailable(_advice_for_os(error)) from None
    except StatementError as error:  # refused before it reached the database, as a naive time is
        raise LedgerError(f"a statement of the ledger is wrong ({type(error.orig).__name__})") from None
    except SQLAlchemyError as error:
        raise LedgerUnavailable(f"The ledger's database failed ({type(error).__name__}).") from None


_ADVICE = {
    "SQLITE_FULL": "The disk of the ledger is full: free some space; nothing was lost.",
    "SQLITE_READONLY": "The ledger cannot be written: make its file and folder writable for this user.",
    "SQLITE_CANTOPEN": "The ledger cannot be opened: check DATABASE_URL, and that this user may write in its folder.",
    "SQLITE_IOERR": "The disk of the ledger failed to read or write: check it, and its free space; nothing was lost.",
    "55P03": "The ledger was locked for too long by another program: close what holds it open.",
    "57014": "The ledger's database took too long to answer: look at its load.",
    "SQLITE_BUSY": "The ledger was locked for too long by another program: close what holds it open.",
    "SQLITE_NOTADB": "DATABASE_URL names no ledger, or a damaged one: name another file, or restore the newest backup.",
    "SQLITE_CORRUPT": "The ledger's file is damaged: restore the newest backup.",
    "53100": "The disk of the ledger's server is full: free some space there; nothing was lost.",
    "25006": "The ledger's server takes no writes: point DATABASE_URL at the primary, not at a standby.",
    "42501": "The ledger's database refuses this user a right: let the user of DATABASE_URL own its tables.",
    "40": "Two programs were in each other's way in the ledger: it is tried again at the next tick.",
}


def _advice_for(error: DBAPIError) -> str:
    code = _driver_code(error)
    for prefix, advice in _ADVICE.items():
        if code.startswith(prefix):
            return advice
    if isinstance(error, OperationalError):
        return f"The ledger's database does not answer ({code}): check DATABASE_URL and that the server is running."
    return f"The ledger's database refused a statement ({code}): check that DATABASE_URL names this program's ledger."


def _advice_for_os(error: OSError) -> str:
    return (
        f"The ledger's folder cannot be used ({error.strerror or type(error).__name__}): check DATABASE_URL, "
        "the folder's rights and the disk's free space."
    )


def _driver_code(error: DBAPIError) -> str:
    return str(
        getattr(error.orig, "sqlite_errorname", None)
        or getattr(error.orig, "sqlstate", None)
        or type(error.orig).__name__
    )
