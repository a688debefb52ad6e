"""Ledgers made once and used again: to migrate one, to open a connection or to compile a statement takes longer than
to use it.
"""

import tempfile
from functools import cache
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from sync_worker.ledger import migrate, storage
from sync_worker.ledger.tables import Base


def kept_open(url: str, *, pooled: bool = False) -> Engine:
    """An engine that keeps its connections, for one thread. Dispose of it before the ledger's file is replaced."""
    with patch.object(storage, "NullPool", QueuePool):
        return storage.open_engine(url, pooled=pooled)


@cache
def new_file() -> bytes:
    """An SQLite ledger as the migrations make it: how they make it is another test's matter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        engine = storage.open_engine(f"sqlite:///{path}")
        migrate.upgrade(engine)
        engine.dispose()
        return path.read_bytes()


def empty_postgres(engine: Engine) -> None:
    """Make a Postgres ledger as the migrations make it: numbers begin at 1 again. Quicker than TRUNCATE, by files."""
    tables = reversed(Base.metadata.sorted_tables)
    statements = [*(f"DELETE FROM {table}" for table in tables), "SELECT setval(seqrelid, 1, false) FROM pg_sequence"]  # noqa: S608
    with storage.writing(engine) as db:
        db.exec_driver_sql("; ".join(statements))
