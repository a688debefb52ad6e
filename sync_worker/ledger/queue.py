"""Where the jobs of several workers lie: Procrastinate's tables, in a Postgres schema of their own beside the ledger.

The schema is named after Procrastinate's version. Its jobs say no more than whose tick is due, so that they are thrown
away without harm: another version gets a schema of its own, and old and new workers can work side by side until the
last old one is replaced. What is in no schema of ours is never touched, and backups leave these tables out.
"""

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import Connection, Engine, text

from sync_worker.ledger.storage import reading, writing

LOCK = 5_318_008_002
"""Postgres advisory lock of whoever makes the tables: any number that nobody else uses on this database."""
DEAD_SECONDS = 15.0
"""A worker that was not heard of for so long is dead: five of its signs are missing. One that only stood still loses
nothing but its turn, since the lease keeps whoever follows from its clinicians."""


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """The queue at one moment."""

    waiting: int
    """Ticks that are planned, those that are due included."""
    due: int
    running: int
    oldest_due_seconds: float
    """How long the oldest tick is due that nobody has begun; 0 if none is."""
    workers: int


def schema_name() -> str | None:
    """The schema of the installed Procrastinate; None where there is none. Does not load it."""
    try:
        return "procrastinate_" + re.sub(r"[^a-z0-9]+", "_", version("procrastinate").lower())
    except PackageNotFoundError:
        return None


def prepare(engine: Engine) -> str:
    """Make the tables where they are missing, and name their schema. Raises `LedgerUnavailable`."""
    from procrastinate.schema import SchemaManager

    name = schema_name() or ""
    with reading(engine) as db:
        if _is_there(db, name):
            return name
    with writing(engine) as db:
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        if not _is_there(db, name):
            plain = db.execution_options(no_parameters=True)  # the statements hold per cent signs
            plain.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name}; SET LOCAL search_path = {name}")
            plain.exec_driver_sql(SchemaManager.get_schema())
    return name


def look(engine: Engine) -> QueueSeen | None:
    """The queue as it is now; None where its tables are not made yet. Raises `LedgerUnavailable`."""
    name = schema_name()
    with reading(engine) as db:
        if name is None or not _is_there(db, name):
            return None
        row = db.execute(text(_LOOK.format(schema=name)), {"dead": DEAD_SECONDS}).one()
    return QueueSeen(row.waiting, row.due, row.running, float(row.oldest), row.workers)


def _is_there(db: Connection, name: str) -> bool:
    # asked of the catalogue itself: what resolves a name may not have heard yet of what another connection made
    query = "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = :name AND tablename = 'procrastinate_workers'"
    return db.execute(text(query), {"name": name}).first() is not None


_LOOK = """
    WITH planned AS (
        SELECT status, coalesce(scheduled_at, deferred.at) AS due_at
        FROM {schema}.procrastinate_jobs AS jobs,
            LATERAL (SELECT max(at) AS at FROM {schema}.procrastinate_events WHERE job_id = jobs.id) AS deferred
    ), alive AS (
        SELECT count(*) AS workers FROM {schema}.procrastinate_workers
        WHERE last_heartbeat > now() - :dead * interval '1 second'
    ), overdue AS (
        SELECT count(*) AS due, min(due_at) AS oldest FROM planned WHERE status = 'todo' AND due_at <= now()
    )
    SELECT
        (SELECT count(*) FROM planned WHERE status = 'todo') AS waiting,
        (SELECT count(*) FROM planned WHERE status = 'doing') AS running,
        due,
        coalesce(extract(epoch FROM now() - oldest), 0) AS oldest,
        workers
    FROM overdue, alive
"""
