"""Where a simulated installation keeps its ledger: migrated once and copied, since that takes longest."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

import sqlalchemy as sa

from sync_worker.ledger import copies, migrate
from sync_worker.ledger.storage import open_engine, writing
from tests.engines import empty_postgres, new_file

MEMORY = Path("/dev/shm")


def a_folder() -> Path:
    """A new folder, in memory where the machine has such a place."""
    return Path(tempfile.mkdtemp(prefix="sync-worker-", dir=MEMORY if MEMORY.is_dir() else None))


class FileLedger:
    """An SQLite ledger in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.url = f"sqlite:///{self.path}"
        self._copy: bytes | None = None

    def make(self) -> None:
        """An empty ledger, migrated; its first worker makes its key. No process may have it open."""
        self.forget_everything()
        self.path.write_bytes(new_file())

    def forget_everything(self) -> None:
        """Not even migrated, as on a new machine."""
        for file in self.path.parent.glob("ledger.db*"):
            file.unlink()
        self._copy = None

    def lose_locks(self) -> None:
        """Somebody tidies up, and removes the lock files of running workers."""
        for file in self.path.parent.glob("ledger.db.clinician-*.lock"):
            file.unlink()

    def keep_copy(self) -> None:
        """A backup, taken while nobody writes, of a ledger that some worker has begun."""
        with closing(sqlite3.connect(self.path)) as db:
            if db.execute("SELECT count(*) FROM installation").fetchone() == (1,):
                self._copy = self.path.read_bytes()

    def has_copy(self) -> bool:
        """Whether this ledger was ever copied."""
        return self._copy is not None

    def put_copy_back(self) -> None:
        """Somebody copies the backup over the ledger by hand, who tells nobody. No process may have it open."""
        assert self._copy is not None
        self.path.write_bytes(self._copy)

    def restore(self, now: datetime) -> None:
        """`db restore`. No process may have the ledger open."""
        assert self._copy is not None
        backup = self.path.with_name("backup.db")
        backup.write_bytes(self._copy)
        engine = open_engine(self.url)
        copies.restore(engine, backup, now=now, actor="person", replace=True)
        engine.dispose()
        for file in self.path.parent.glob("backup.db*"):
            file.unlink()

    def close(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)


class PostgresLedger:
    """A ledger in a Postgres database of its own, dropped at the end."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._name = f"sync_worker_sim_{os.getpid()}"
        self.url = f"{server}/{self._name}"
        self._on_server(f"CREATE DATABASE {self._name}")
        self._on_server(f"ALTER DATABASE {self._name} SET synchronous_commit = off")
        self._engine = open_engine(self.url)
        migrate.upgrade(self._engine)

    def make(self) -> None:
        """An empty ledger. No process may have it open."""
        empty_postgres(self._engine)

    def forget_everything(self) -> None:
        """Not even migrated."""
        with writing(self._engine) as db:
            db.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self._engine.dispose()

    def close(self) -> None:
        self._engine.dispose()
        self._on_server(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _on_server(self, statement: str) -> None:
        engine = sa.create_engine(f"{self._server}/postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as db:
            db.exec_driver_sql(statement)
        engine.dispose()


AnyLedger = FileLedger | PostgresLedger


@cache
def ledger_of_this_process(database: str, server: str = "") -> tuple[AnyLedger, Path]:
    """This process's ledger and its folder, for all that is played in it: to make one takes longer than to use one.

    Another folder's engine would compile every statement anew, and keep what it compiled.
    """
    folder = a_folder()
    ledger: AnyLedger = FileLedger(folder) if database == "sqlite" else PostgresLedger(server)
    Finalize(None, _let_go, args=(ledger, folder), exitpriority=1)
    return ledger, folder


def _let_go(ledger: AnyLedger, folder: Path) -> None:
    ledger.close()
    shutil.rmtree(folder, ignore_errors=True)
