"""Real processes on one ledger, to be killed and stopped: each is forked from a server that has imported this module.

It imports nothing but the ledger, so that a process is there in milliseconds and knows nothing of the test's own.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Engine, event

from sync_worker.ledger import Ledger, migrate
from sync_worker.ledger.leases import Leases
from sync_worker.ledger.storage import open_engine

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.ledger_processes"])


@dataclass
class Other:
    """Another process, and the line to it."""

    process: Any
    line: Connection

    def ask(self, question: object = None) -> Any:
        """Tell it something, and wait for its answer."""
        self.line.send(question)
        return self.line.recv()

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.process.join(10)

    def stop(self) -> None:
        """Stop it where it stands, as a laptop's lid does."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@contextmanager
def another_process(what: Callable[..., None], engine: Engine, *more: object) -> Iterator[Other]:
    """A process that does this with the ledger; killed at the end if it is still there."""
    ours, theirs = _FORKS.Pipe()
    url = engine.url.render_as_string(hide_password=False)
    process = _FORKS.Process(target=what, args=(theirs, url, *more), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Other(process, ours)
    finally:
        process.kill()
        process.join(10)
        process.close()
        ours.close()


def take_leases(line: Connection, url: str) -> None:
    """Try for the lease of each clinician that the line names; answer with its epoch, or None where it is held."""
    leases = Leases(Ledger(open_engine(url), region="au"))
    while True:
        lease = leases.acquire(line.recv(), datetime.now(UTC))
        line.send(lease.epoch if lease else None)


def upgrade(line: Connection, url: str, stop_before: str = "") -> None:
    """Upgrade the ledger when the line says so; answer with its version, or with the statement to be killed before."""
    engine = open_engine(url)

    def stop(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if stop_before and stop_before in statement:
            line.send("stopped")
            line.recv()

    event.listen(engine, "before_cursor_execute", stop)
    if engine.dialect.name == "sqlite":
        # pages reach the file before the commit, as they do in a large migration
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA cache_size = 1"))
    line.send("ready")
    line.recv()
    line.send(migrate.upgrade(engine))
