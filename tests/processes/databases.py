"""Fresh databases for a proof: an SQLite file, or a Postgres database of a name that nobody else uses."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy as sa

KINDS = ("sqlite", "postgres")
_numbers = count(1)


def server() -> str:
    """Where the Postgres server of the tests answers."""
    return os.environ.get("SYNC_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432")


def kinds(wanted: str) -> Sequence[str]:
    """The kinds that `--database` names."""
    return KINDS if wanted == "both" else (wanted,)


@contextmanager
def fresh_database(kind: str, folder: Path, *, template: str | None = None) -> Iterator[str]:
    """The address of an empty database, or of a copy of the Postgres database `template`; gone at the end."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'ledger.db'}"
        return
    name = f"sync_worker_proof_{os.getpid()}_{next(_numbers)}"
    copied = f" TEMPLATE {sa.make_url(template).database}" if template else ""
    _tell_server(f"CREATE DATABASE {name}{copied}")
    try:
        yield f"{server()}/{name}"
    finally:
        _tell_server(f"DROP DATABASE {name} WITH (FORCE)")


def _tell_server(statement: str) -> None:
    engine = sa.create_engine(f"{server()}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        db.exec_driver_sql(statement)
    engine.dispose()
