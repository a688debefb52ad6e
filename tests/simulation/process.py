"""One worker process: the real `Worker`, which dies at a boundary when its fate says so.

A boundary is a place at which a process can end and leave a trace: before a transaction, before and after its commit,
before a request and after the service acted on it. From its death on every statement and every request of a process
raises `Died` again, so that no `finally` of it reaches anything any more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

import httpx
from sqlalchemy import Engine

from sync_worker import ahead, transport
from sync_worker.bootstrap import Worker
from sync_worker.commands import setup
from sync_worker.commands.setup import open_ledger
from sync_worker.records import TickReport
from sync_worker.settings import Settings
from tests.engines import kept_open
from tests.in_turn import InTurn
from tests.simulation.clocks import HostClock, ProcessClock


class Died(BaseException):
    """The process ends here; nothing may catch it on the way."""


@dataclass(frozen=True, slots=True)
class Point:
    """A boundary: its kind, and what is begun, committed or called there."""

    kind: str
    what: str
    unsafe: bool
    """Whether it lies on the way of the unsafe request: an attempt's commits, and the request itself."""

    def __str__(self) -> str:
        return f"{self.kind} {self.what}"


Carry = Callable[["Process", httpx.Request], httpx.Response]


class Process:
    """A process of the worker. `dies` is asked at each boundary, `carry` takes each request to its service."""

    def __init__(self, name: str, host: HostClock, *, dies: Callable[["Process", Point], bool], carry: Carry) -> None:
        self.name = name
        self.clock = ProcessClock(host)
        self.dead = False
        self.worker: Worker | None = None
        self._dies = dies
        self._carry = carry
        self._written: list[str] = []
        """The tables that the transaction under way has written to."""

    def start(self, settings: Settings) -> Worker:
        """Start the worker as `run` and `once` do. May die on the way."""
        with self._in_place(), self.running():
            ledger = open_ledger(settings, self.clock)
            self.worker = Worker(settings, ledger, self.clock)
            list(self.worker.pipelines.values())  # built here, with what is ours in place
        return self.worker

    def tick(self) -> Iterator[TickReport]:
        """One tick of every clinician, one after the other. May die on the way."""
        assert self.worker is not None
        for pipeline in self.worker.pipelines.values():
            if self.clock.stopping:
                return
            with self.running():
                report = pipeline.tick()
            yield report

    def end(self) -> None:
        """Let go of its locks and connections, as the operating system does for the dead: the ledger stays as it is."""
        self.dead = True
        if self.worker is None:
            return
        with self.running():
            self.worker.leases.close()
        for pipeline in self.worker.pipelines.values():
            pipeline.heidi.close()
            pipeline.cliniko.close()
        self.worker.ledger.engine.dispose()

    def cross(self, kind: str, what: str, *, unsafe: bool) -> None:
        """Pass a boundary, or die at it."""
        if self.dead:
            raise Died
        if self._dies(self, Point(kind, what, unsafe)):
            self.dead = True
            raise Died

    def carry(self, request: httpx.Request) -> httpx.Response:
        """Take a request to its service."""
        return self._carry(self, request)

    # ------------------------------------------------------------ the ledger, as its engine calls us

    def before_statement(self, statement: str) -> None:
        """A transaction begins where it first writes."""
        if self.dead and "pg_advisory_unlock_all" not in statement:
            raise Died
        table = _table_written(statement)
        if table is None:
            return
        if not self._written:
            self.cross("before writing to", table, unsafe=False)
        if table not in self._written:
            self._written.append(table)

    def around_commit(self, commit: Callable[[], None]) -> None:
        """The two boundaries of a commit. A transaction that wrote nothing has none."""
        written, self._written = self._written, []
        what, unsafe = " ".join(written), "attempts" in written
        if written:
            self.cross("before commit of", what, unsafe=unsafe)
        commit()
        if written:
            self.cross("after commit of", what, unsafe=unsafe)

    def after_rollback(self) -> None:
        """Nothing of the transaction is left."""
        self._written = []

    # ------------------------------------------------------------ whose turn it is

    @contextmanager
    def running(self) -> Iterator[None]:
        """What happens in here, this process does: another's tick may run inside a request of this one."""
        _running.append(self)
        try:
            yield
        finally:
            _running.pop()

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """While a worker is built, its engine and its clients become ours."""
        with (
            patch.object(setup, "open_engine", lambda url, *, pooled, **_: _engine(url, pooled=pooled)),
            patch.object(transport, "to_network", lambda *_: _Line(self)),
            patch.object(ahead, "readers", InTurn),
        ):
            yield


def let_go(url: str) -> None:
    """Close the connections of the workers' engine."""
    _engine(url, pooled=True).dispose()


_running: list[Process] = []
"""The processes under way, the innermost last."""


@cache
def _engine(url: str, *, pooled: bool = False) -> Engine:
    """The ledger's engine. One for all processes, since each would compile every statement anew."""
    engine = kept_open(url, pooled=pooled)
    dialect: Any = engine.dialect
    execute, commit, rollback = dialect.do_execute, dialect.do_commit, dialect.do_rollback

    def do_execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        if _running:
            _running[-1].before_statement(statement)
        execute(cursor, statement, parameters, context)

    def do_commit(connection: Any) -> None:
        if _running:
            _running[-1].around_commit(lambda: commit(connection))
        else:
            commit(connection)

    def do_rollback(connection: Any) -> None:
        if _running:
            _running[-1].after_rollback()
        rollback(connection)

    dialect.do_execute, dialect.do_commit, dialect.do_rollback = do_execute, do_commit, do_rollback
    return engine


def _table_written(statement: str) -> str | None:
    verb, *rest = statement.split(None, 3)
    match verb:
        case "INSERT" | "DELETE":
            return rest[1]
        case "UPDATE":
            return rest[0]
        case "CREATE" | "ALTER" | "DROP":
            return "schema"
    return None


class _Line(httpx.BaseTransport):
    """The network as the clients of one process see it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._process.carry(request)
