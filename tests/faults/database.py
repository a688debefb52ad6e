"""Proof: a database that fails at any one statement of a story costs time, and neither a note nor the truth.

The story is told once to count its statements and commits, and then again for each of them, with a fault at just that
one: locked, disk full, read-only, a link that is lost (on Postgres by ending the server's process), a commit whose
answer is lost. The fault strikes once, or lasts to the end of its tick. No tick may raise or meet anything unexpected,
a failed write must be told as the ledger's trouble, and later ticks must end the story alone: one note a document.

    python -m tests.faults.database --every 1
"""

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import Engine, event

from sync_worker.ledger import migrate
from sync_worker.ledger.storage import open_engine
from tests.engines import empty_postgres
from tests.faults.report import report
from tests.faults.world import World, a_world, quiet

SERVER = os.environ.get("SYNC_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432")
WRITES = ("INSERT", "UPDATE", "DELETE", "BEGIN")
MOST_TICKS = 14
FAULTS = ("locked", "full", "read_only", "link", "answer_lost")
"""The last strikes commits only, and after they happened."""

# ---------------------------------------------------------------- faults

_NUMBERS = count()
"""Databases of one process have different names."""


@dataclass
class Trap:
    """Lets the statements and commits of an engine pass until the one that is to fail."""

    engine: Engine
    at: int = 0
    fault: str = ""
    lasting: bool = False
    armed: bool = False
    passed: list[str] = field(default_factory=list)
    locks_asked: list[int] = field(default_factory=list)
    """Which statements ask, on the connection that holds the clinicians' locks, whether it still lives."""
    struck: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        event.listen(self.engine, "do_execute", self._on_execute)
        self._commit: Callable[[Any], None] = self.engine.dialect.do_commit  # type: ignore[assignment]
        self.engine.dialect.do_commit = self._on_commit  # type: ignore[method-assign]

    def release(self) -> None:
        """The database is well again."""
        self.armed = False

    def _on_execute(self, cursor: Any, statement: str, _parameters: Any, _context: Any) -> None:
        word = statement.split(None, 1)[0].upper()
        if self.armed and statement == "SELECT 1":
            self.locks_asked.append(len(self.passed) + 1)
        if self.fault != "answer_lost" and self._is_due(word):
            self._strike(cursor.connection)

    def _on_commit(self, connection: Any) -> None:
        driver = getattr(connection, "driver_connection", connection)
        if not self._is_due("COMMIT"):
            return self._commit(connection)
        if self.fault != "answer_lost":
            self._strike(driver)  # the link: the commit itself meets its end
            return self._commit(connection)
        self._commit(connection)
        self._strike(driver)
        raise _lost(self.engine)

    def _is_due(self, word: str) -> bool:
        if not self.armed:
            return False
        self.passed.append(word)
        number = len(self.passed)
        if number < self.at or (number > self.at and not self.lasting) or not self.fault:
            return False
        self.struck.append(word)
        return True

    def _strike(self, driver: Any) -> None:
        """Raise what the driver would, or end the server's process, so that it has to."""
        if self.engine.dialect.name == "sqlite":
            raise sqlite_error(self.fault)
        if self.fault in ("link", "answer_lost"):
            _end_server_process(self.engine.url, driver.info.backend_pid)
            return
        raise _postgres_error(self.fault)


def sqlite_error(fault: str) -> sqlite3.OperationalError:
    """What SQLite's driver raises for one of the faults."""
    name, text = {
        "locked": ("SQLITE_BUSY", "database is locked"),
        "full": ("SQLITE_FULL", "database or disk is full"),
        "read_only": ("SQLITE_READONLY", "attempt to write a readonly database"),
        "link": ("SQLITE_IOERR", "disk I/O error"),
        "answer_lost": ("SQLITE_IOERR", "disk I/O error"),
    }[fault]
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


def _postgres_error(fault: str) -> psycopg.Error:
    kinds = {
        "locked": psycopg.errors.LockNotAvailable,
        "full": psycopg.errors.DiskFull,
        "read_only": psycopg.errors.ReadOnlySqlTransaction,
    }
    return kinds[fault]("so it was planned")


def _lost(engine: Engine) -> Exception:
    if engine.dialect.name == "sqlite":
        return sqlite_error("answer_lost")
    return psycopg.OperationalError("server closed the connection unexpectedly")


def _end_server_process(url: sa.URL, pid: int) -> None:
    address = url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as db:
        db.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


# ---------------------------------------------------------------- the story


@dataclass
class Story:
    """A week in small: a note, a doubt, a hold and an edit, in which the database fails once."""

    world: World
    trap: Trap
    broken: list[str] = field(default_factory=list)

    def play(self) -> list[str]:
        """What promises were broken."""
        world = self.world
        world.a_patient()
        plain, doubtful = (world.a_document(world.a_session(), f"# Plan\n\nLetter {one}.") for one in (1, 2))
        world.a_document(world.a_session("Nobody Known"), "# Plan\n\nRest.")
        world.cliniko.fail_post("commit_then_drop", after=1)
        self.trap.armed = True
        for number in range(MOST_TICKS):
            self._tick()
            world.clock.advance(130)
            if number == 3 and world.entries().get(plain) == "posted":
                world.heidi.edit_document(plain, "# Plan\n\nSomething else.", touch=True)
            if number >= 5 and not self._unkept(plain, doubtful):
                break
        return [*self.broken, *self._unkept(plain, doubtful)]

    def _tick(self) -> None:
        struck = len(self.trap.struck)
        try:
            trouble = self.world.tick(full=False).trouble
        except Exception as error:  # noqa: BLE001 - whatever it is, the promise is that there is none
            self.broken.append(f"a tick raised {type(error).__name__}")
            return
        finally:
            now_struck = self.trap.struck[struck:]
            if now_struck:
                self.trap.release()
        code = trouble.code if trouble else None
        if code not in (None, "ledger_unavailable"):
            self.broken.append(f"a tick's trouble was {code}")
        if code is None and any(word in (*WRITES, "COMMIT") for word in now_struck):
            self.broken.append("a write failed and the tick did not say so")

    def _unkept(self, *filed: str) -> list[str]:
        texts = [str(note.content) for note in self.world.notes()]
        found = [sum(f"Letter {one}." in text for text in texts) for one in (1, 2)]
        statuses = self.world.entries()
        unkept = [f"{count} notes instead of one" for count in found if count != 1]
        unkept += [f"{len(texts)} notes in all"] * (len(texts) != 2)
        unkept += ["an entry was lost"] * (len(statuses) != 3)
        unfinished = [statuses.get(one, "missing") for one in filed if statuses.get(one) not in ("posted", "review")]
        waiting = [status for one, status in statuses.items() if one not in filed and status != "review"]
        return unkept + [f"an entry stays {status}" for status in (*unfinished, *waiting)]


def tell(ledger_url: str | None, *, at: int = 0, fault: str = "", lasting: bool = False) -> tuple[list[str], Trap]:
    """Tell the story with this fault at this statement; what was broken, and what the trap saw."""
    if ledger_url is not None:
        empty_postgres(open_engine(ledger_url))
    with a_world(ledger_url) as world:
        trap = Trap(world.ledger.engine, at, fault, lasting)
        try:
            return Story(world, trap).play(), trap
        finally:
            trap.release()


def statements(ledger_url: str | None) -> list[str]:
    """The first words of every statement and commit of the story, in order."""
    broken, trap = tell(ledger_url)
    assert broken == [], "the story does not end well even without a fault"
    return trap.passed


def places(words: list[str], fault: str, *, every: int, writes_only: bool) -> Iterator[int]:
    """The numbers of the statements that this fault may strike, thinned out to one of `every`."""
    writes = (*WRITES, "COMMIT")
    fitting = [
        number
        for number, word in enumerate(words, 1)
        if (word == "COMMIT" or fault != "answer_lost") and (word in writes or not writes_only)
    ]
    yield from fitting[::every]


# ---------------------------------------------------------------- databases


@contextmanager
def a_postgres_database(address: str = SERVER) -> Iterator[str]:
    """A migrated database of this process's own; sqlalchemy's OperationalError where no server answers."""
    name = f"sync_worker_faults_{os.getpid()}_{next(_NUMBERS)}"
    server = sa.create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    with server.connect() as db:
        db.execute(sa.text(f"CREATE DATABASE {name}"))
    try:
        engine = open_engine(f"{address}/{name}")
        migrate.upgrade(engine)
        engine.dispose()
        yield f"{address}/{name}"
    finally:
        with server.connect() as db:
            db.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


# ---------------------------------------------------------------- the long form


def main() -> int:
    """Every fault at every statement, once and lasting, on both databases. 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="only each N-th statement")
    parser.add_argument("--database", choices=["sqlite", "postgres", "both"], default="both")
    wanted = parser.parse_args()
    quiet()
    broken: list[str] = []
    figures: dict[str, str | int] = {}
    for name in ("sqlite", "postgres") if wanted.database == "both" else (wanted.database,):
        with a_postgres_database() if name == "postgres" else nullcontext() as url:
            words = statements(url)
            told = 0
            for fault in FAULTS:
                for lasting in (False, True):
                    for at in places(words, fault, every=wanted.every, writes_only=False):
                        told += 1
                        how = f"{name}: {fault} at {at} of {len(words)} ({words[at - 1]}){', lasting' * lasting}"
                        broken += [f"{how}: {promise}" for promise in tell(url, at=at, fault=fault, lasting=lasting)[0]]
        figures |= {f"{name}_statements": len(words), f"{name}_stories": told}
    return report("database", figures, broken)


if __name__ == "__main__":
    sys.exit(main())
