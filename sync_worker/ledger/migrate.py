"""Brings a ledger to this program's version, under a lock, in one transaction; and says which version it has.

One history of migrations serves SQLite and Postgres. A ledger from a newer program is never touched. Which versions
there are is read from the migrations' file names; Alembic itself is loaded only where there is something to migrate,
since it takes longer to load than everything else that a start does with the ledger.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.ledger.storage import lock_file, reading, sqlite_path, writing

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATION_LOCK = 5_318_008_001
"""Postgres advisory lock of whoever migrates: any number that nobody else uses on this database."""


def upgrade(engine: Engine) -> str:
    """Create or migrate the ledger and return its version.

    Raises `LedgerMismatch` for a ledger from a newer program, `LedgerUnavailable` if it cannot be opened or written.
    """
    with _one_at_a_time(engine):
        if current(engine) == head():
            return head()
        with writing(engine) as db:
            if db.dialect.name == "postgresql":
                db.execute(text("SET LOCAL statement_timeout = 0"))
            _migrate(db)
    return head()


def current(engine: Engine) -> str | None:
    """The ledger's version, None where there is no ledger yet. Raises `LedgerMismatch` if it is a newer one's."""
    with reading(engine) as db:
        exists = inspect(db).has_table("alembic_version")
        revision = db.execute(text("SELECT version_num FROM alembic_version")).scalar() if exists else None
    if revision is not None and revision not in _versions():
        raise LedgerMismatch(
            f"The ledger is of version {revision}, which this program does not know: it was written by a newer "
            "sync-worker. Install that version again, or point DATABASE_URL at another ledger."
        )
    return revision


def head() -> str:
    """The version that this program writes."""
    return _versions()[-1]


def require_current(engine: Engine) -> None:
    """Raise a sentence saying what to do unless the ledger is of this program's version."""
    revision = current(engine)
    if revision is None:
        raise no_ledger()
    if revision != head():
        raise LedgerMismatch(
            f"The ledger is of version {revision}, this program needs {head()}: run `sync-worker db upgrade`."
        )


def no_ledger() -> LedgerUnavailable:
    """What to say where there is no ledger."""
    return LedgerUnavailable(
        "There is no ledger yet: `sync-worker db upgrade` or the first `run` makes it. If there was one, run neither: "
        "the disk may not be mounted, or DATABASE_URL may be wrong."
    )


@cache
def _versions() -> tuple[str, ...]:
    """Every version there ever was, oldest first: each migration's file is called after the version that it makes."""
    return tuple(sorted(path.stem for path in (_folder() / "versions").glob("[0-9]*.py")))


def _migrate(db: Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = db
    command.upgrade(config, "head")


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return config


def _folder() -> Path:
    """The migrations: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


@contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[None]:
    path = sqlite_path(engine)
    if path is None:
        with reading(engine) as db, _advisory_lock(db):
            yield
        return
    with lock_file(path.with_name(path.name + ".migrate.lock")) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _advisory_lock(db: Connection) -> Iterator[None]:
    db.execute(text("SET lock_timeout = 0"))  # another process's migration may take its time
    db.execute(text("SET statement_timeout = 0"))
    db.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    try:
        yield
    finally:
        db.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        db.execute(text("RESET ALL"))
