"""No question of a tick, a poll or the alarms reads more rows the older the ledger is: each goes by an index.

The statements are those that a real worker runs, caught on their way to the database, so that a new one is looked at
too. A plan that names an index is not enough: one by which a clinician's every entry matches reads them all.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from bench.ledgers import Filling, fill
from sync_worker.ledger import migrate
from sync_worker.ledger.storage import open_engine
from tests.conftest import Clinic

GROWING = ("entries", "sessions", "attempts", "trail")
ENTRIES = 10_000
MOST_ROWS, MOST_STEPS = 200, 10_000
"""Read by one statement. A pass over the filled ledger reads 10,000 rows, and takes SQLite more than 30,000 steps."""

Statements = dict[str, Any]
"""Each statement, and the values that it was asked with."""


@pytest.fixture
def filled_clinic(ledger_url: str, make_clinic: Callable[[str], Clinic]) -> Clinic:
    """A clinic of some years. Nobody analyses an SQLite ledger's tables; Postgres analyses its own by itself."""
    clinic = make_clinic(ledger_url)
    clinic.extra |= {"SYNC_BRAKE_POSTS_PER_HOUR": "30", "HEIDI_RETENTION_DAYS": "30"}
    engine = open_engine(ledger_url)
    migrate.upgrade(engine)
    fill(engine, Filling(ENTRIES, waiting=50, pending=5, skipped_every=20), now=clinic.clock.now())
    return clinic


@contextmanager
def noted(engine: Engine) -> Iterator[Statements]:
    """The statements that are run in the block, but for those that only add rows."""
    found: Statements = {}

    def note(_db: Any, _cursor: Any, statement: str, values: Any, _context: Any, is_many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            found.setdefault(statement, values[0] if is_many else values)

    sa.event.listen(engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(engine, "before_cursor_execute", note)


def too_much(engine: Engine, statements: Statements) -> list[str]:
    """Those of the statements that read more than a little, and what of it."""
    look = steps_on_sqlite if engine.dialect.name == "sqlite" else rows_on_postgres
    with engine.connect() as db:
        found = {statement: look(db, statement, values) for statement, values in statements.items()}
        db.rollback()
    return [f"{why}: {statement}" for statement, why in found.items() if why]


def steps_on_sqlite(db: sa.Connection, statement: str, values: Any) -> str:
    raw: Any = db.connection.driver_connection
    plan = [str(row[3]) for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    scans = [line for line in plan if any(line.startswith(f"SCAN {table}") for table in GROWING)]
    passed: list[int] = []
    raw.set_progress_handler(lambda: passed.append(100), 100)
    db.exec_driver_sql("SAVEPOINT looked")
    raw.execute(statement, values).fetchall()
    db.exec_driver_sql("ROLLBACK TO looked")
    raw.set_progress_handler(None, 0)
    return ", ".join([*scans, *([f"{sum(passed)} steps"] if sum(passed) > MOST_STEPS else [])])


def rows_on_postgres(db: sa.Connection, statement: str, values: Any) -> str:
    raw: Any = db.connection.driver_connection
    told = raw.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).fetchone()[0]
    raw.rollback()
    plan = json.loads(told) if isinstance(told, str) else told
    return ", ".join(chain.from_iterable(map(of_node, nodes(plan[0]["Plan"]))))


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in node.get("Plans", []):
        yield from nodes(part)


def of_node(node: dict[str, Any]) -> Iterator[str]:
    if node.get("Relation Name") not in GROWING:
        return
    if node["Node Type"] == "Seq Scan":
        yield f"a pass over {node['Relation Name']}"
    read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    if read > MOST_ROWS:
        yield f"{read} rows of {node['Relation Name']}"


def test_a_poll_that_finds_nothing_reads_little(filled_clinic: Clinic) -> None:
    filled_clinic.tick()
    with noted(filled_clinic.ledger.engine) as statements:
        [user_id] = filled_clinic.worker.pipelines
        assert filled_clinic.worker.tick(user_id).trouble is None
    assert len(statements) > 10
    assert too_much(filled_clinic.ledger.engine, statements) == []


def test_a_tick_that_files_a_document_reads_little(filled_clinic: Clinic) -> None:
    filled_clinic.tick()
    filled_clinic.a_finished_document()
    with noted(filled_clinic.ledger.engine) as statements:
        assert filled_clinic.tick().tally.posted == 1
    assert len(statements) >= 30
    assert too_much(filled_clinic.ledger.engine, statements) == []


def test_alarms_read_little(filled_clinic: Clinic) -> None:
    filled_clinic.tick()
    with noted(filled_clinic.ledger.engine) as statements:
        assert filled_clinic.worker.alarms()
    assert len(statements) == 4
    assert too_much(filled_clinic.ledger.engine, statements) == []


def test_a_pass_over_the_ledger_is_noticed(filled_clinic: Clinic) -> None:
    """Else this file would prove nothing: a scan, and an index by which everything matches."""
    engine = filled_clinic.ledger.engine
    queries = (
        "SELECT id FROM entries WHERE failures = 1",
        "SELECT count(failures) FROM entries WHERE clinician_id = 1 AND status = 'posted'",
    )
    assert len(too_much(engine, dict.fromkeys(queries, ()))) == len(queries)
