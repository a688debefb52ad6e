"""One history of migrations for both databases: whole or not at all, once, and never on a ledger it does not know."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.ledger import Ledger, migrate, storage
from sync_worker.ledger.storage import open_engine, reading, writing
from sync_worker.ledger.tables import Base
from tests.conftest import MORNING, TestClock
from tests.ledger_processes import another_process, upgrade
from tests.ledger_steps import Bench

TABLES = set(Base.metadata.tables)


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    """An empty database of each kind in turn."""
    engine = open_engine(empty_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger_url(empty_url: str) -> str:
    """A ledger of this test's own, whose version it may change."""
    migrate.upgrade(open_engine(empty_url))
    return empty_url


def tables(engine: Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names())


def downgrade(engine: Engine) -> None:
    with writing(engine) as db:
        config = migrate._config()
        config.attributes["connection"] = db
        command.downgrade(config, "base")


def test_a_ledger_is_made_from_nothing_and_works(engine: Engine, clock: TestClock) -> None:
    assert migrate.current(engine) is None
    assert migrate.upgrade(engine) == migrate.head() == migrate.current(engine)
    migrate.require_current(engine)
    assert tables(engine) == TABLES | {"alembic_version"}
    ledger = Ledger(engine, region="au")
    ledger.prepare_installation(clock.now())
    assert Bench(ledger, clock).a_posted().note_id is not None


def test_upgrading_again_changes_nothing(ledger: Ledger, clock: TestClock) -> None:
    bench = Bench(ledger, clock)
    bench.a_posted()
    before = bench.everything()
    assert migrate.upgrade(ledger.engine) == migrate.head()
    assert bench.everything() == before


def test_the_migrations_make_what_the_tables_say(ledger: Ledger) -> None:
    with reading(ledger.engine) as db:
        context = MigrationContext.configure(db, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_make_every_constraint_and_index_that_the_tables_promise(engine: Engine) -> None:
    migrate.upgrade(engine)
    migrated = promises(engine)
    downgrade(engine)
    with writing(engine) as db:
        Base.metadata.create_all(db)
    assert migrated == promises(engine)
    assert (len(migrated["entries"]["checks"]), len(migrated["accounts"]["checks"])) == (3, 3)


def promises(engine: Engine) -> dict[str, dict[str, Any]]:
    """What each table's constraints and indexes say; `compare_metadata` looks at neither checks nor conditions."""
    look = sa.inspect(engine)
    return {
        name: {
            "checks": {one["name"]: one["sqltext"] for one in look.get_check_constraints(name)},
            "unique": {one["name"]: one["column_names"] for one in look.get_unique_constraints(name)},
            "foreign": {one["name"]: one["referred_table"] for one in look.get_foreign_keys(name)},
            "indexes": {
                one["name"]: (one["column_names"], one["unique"], conditions(one.get("dialect_options", {})))
                for one in look.get_indexes(name)
            },
            "columns": {one["name"]: (str(one["type"]), one["nullable"]) for one in look.get_columns(name)},
        }
        for name in sorted(TABLES)
    }


def conditions(options: dict[str, Any]) -> list[str]:
    return sorted(f"{name} {value}" for name, value in options.items())


def test_a_ledger_goes_down_and_up_again(engine: Engine) -> None:
    migrate.upgrade(engine)
    made = promises(engine)
    downgrade(engine)
    assert tables(engine) == {"alembic_version"}
    assert migrate.current(engine) is None
    migrate.upgrade(engine)
    assert promises(engine) == made


def test_the_migrations_are_one_line_without_branches() -> None:
    scripts = ScriptDirectory.from_config(migrate._config())
    assert scripts.get_heads() == [migrate.head()]
    assert [each.revision for each in scripts.walk_revisions()] == [*reversed(migrate._versions())]
    assert len(scripts.get_bases()) == 1


# ---------------------------------------------------------------- at once, and killed half way


def test_five_processes_that_upgrade_at_once_all_succeed(engine: Engine) -> None:
    with ExitStack() as end:
        processes = [end.enter_context(another_process(upgrade, engine)) for _ in range(5)]
        assert [process.line.recv() for process in processes] == ["ready"] * 5
        for process in processes:
            process.line.send("go")
        assert [process.line.recv() for process in processes] == [migrate.head()] * 5
    assert tables(engine) == TABLES | {"alembic_version"}


def test_an_upgrade_waits_for_a_slow_one_however_long_that_takes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_SECONDS", 0)
    impatient = open_engine(engine.url.render_as_string(hide_password=False))
    with another_process(upgrade, engine, "CREATE TABLE entries") as slow, ThreadPoolExecutor(1) as pool:
        assert slow.line.recv() == "ready"
        assert slow.ask("go") == "stopped"
        second = pool.submit(migrate.upgrade, impatient)
        assert wait([second], timeout=0.2).not_done == {second}
        assert slow.ask("go on") == migrate.head()
        assert second.result(10) == migrate.head()
    impatient.dispose()


@pytest.mark.parametrize("statement", ["CREATE TABLE entries", "INSERT INTO alembic_version"])
def test_an_upgrade_killed_half_way_leaves_nothing_and_the_next_one_makes_all(engine: Engine, statement: str) -> None:
    kill_upgrade_before(engine, statement)
    assert tables(engine) == set()
    assert migrate.current(engine) is None
    assert migrate.upgrade(engine) == migrate.head()
    assert tables(engine) == TABLES | {"alembic_version"}


def test_pages_that_reached_the_file_before_the_kill_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    engine = open_engine(f"sqlite:///{path}")
    kill_upgrade_before(engine, "INSERT INTO alembic_version")
    assert path.stat().st_size > 0
    assert path.with_name("ledger.db-journal").stat().st_size > 0
    assert tables(engine) == set()
    assert migrate.upgrade(engine) == migrate.head()


def kill_upgrade_before(engine: Engine, statement: str) -> None:
    with another_process(upgrade, engine, statement) as process:
        assert process.line.recv() == "ready"
        assert process.ask("go") == "stopped"
        process.kill()


# ---------------------------------------------------------------- ledgers that are not ours to touch


def test_a_ledger_of_a_newer_program_is_refused_and_not_touched(ledger: Ledger, clock: TestClock) -> None:
    bench = Bench(ledger, clock)
    bench.a_pending()
    with writing(ledger.engine) as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '0099_future'")
    before = bench.everything()
    for look in (migrate.upgrade, migrate.current, migrate.require_current):
        with pytest.raises(LedgerMismatch, match=r"0099_future.*newer sync-worker.*Install that version again"):
            look(ledger.engine)
    assert bench.everything() == before


def test_a_ledger_of_an_older_program_says_how_to_bring_it_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    written = migrate.head()
    monkeypatch.setattr(migrate, "head", lambda: "9999_next")
    with pytest.raises(LedgerMismatch, match=rf"of version {written}.*needs 9999_next.*`sync-worker db upgrade`"):
        migrate.require_current(ledger.engine)


def test_a_missing_ledger_says_what_makes_it(engine: Engine) -> None:
    with pytest.raises(LedgerUnavailable, match=r"There is no ledger yet: .* If there was one, run neither"):
        migrate.require_current(engine)
    assert tables(engine) == set()


# ---------------------------------------------------------------- how SQLite is opened


def pragma(engine: Engine, name: str) -> object:
    with reading(engine) as db:
        return db.exec_driver_sql(f"PRAGMA {name}").scalar()


@pytest.mark.parametrize("read_only", [False, True])
def test_sqlite_keeps_its_journal_in_a_file_and_waits_for_the_disk(tmp_path: Path, read_only: bool) -> None:
    url = f"sqlite:///{tmp_path / 'folder' / 'ledger.db'}"
    migrate.upgrade(open_engine(url))
    engine = open_engine(url, read_only=read_only)
    assert pragma(engine, "journal_mode") == "delete"
    assert pragma(engine, "synchronous") == 2  # FULL: an acknowledged commit survives a power cut
    assert pragma(engine, "foreign_keys") == 1
    assert pragma(engine, "query_only") == read_only
    assert pragma(engine, "busy_timeout") == 10_000


def test_a_ledger_that_another_program_left_in_wal_mode_is_switched_back(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate.upgrade(engine)
    Ledger(engine, region="au").prepare_installation(MORNING)
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    other.close()
    assert pragma(engine, "journal_mode") == "delete"
    assert Ledger(engine, region="au").decisions() == 0


def test_sqlite_begins_as_a_writer_so_that_what_was_read_is_still_true_at_the_commit(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    migrate.upgrade(engine)
    statements: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda _db, _cursor, statement, *_: statements.append(statement))
    with writing(engine) as db:
        db.exec_driver_sql("SELECT 1")
    with reading(engine) as db:
        db.exec_driver_sql("SELECT 2")
    assert statements == ["BEGIN IMMEDIATE", "SELECT 1", "SELECT 2"]
