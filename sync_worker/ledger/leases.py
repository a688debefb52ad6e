"""Who may work for a clinician: one worker at a time, as long as it lives.

Life is an operating system's lock: a file lock beside an SQLite ledger, a session advisory lock on Postgres. Both go
with their process, so a dead holder is replaced at once and a stopped one never is. Whoever gets the lock starts a new
epoch in the ledger; moves recorded under an older one are refused there.
"""

import fcntl
import os
import socket
import threading
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text

from sync_worker.ledger import Ledger
from sync_worker.ledger.storage import lock_file, reading, sqlite_path
from sync_worker.model import Lease

NAMESPACE = 530_800_815
"""First half of the advisory locks' keys, the clinician's row is the second: any number nobody else uses here."""


class _Locks(Protocol):
    def try_lock(self, clinician_id: int) -> bool: ...

    def close(self) -> None: ...


class Leases:
    """The leases of this process. They are kept until `close`, from tick to tick. Thread-safe."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        path = sqlite_path(ledger.engine)
        self._locks: _Locks = _FileLocks(path) if path is not None else _AdvisoryLocks(ledger.engine)
        self._held: dict[int, Lease] = {}
        self._lock = threading.Lock()
        self.holder = f"{socket.gethostname()} process {os.getpid()}"[:128]

    def acquire(self, clinician_id: int, now: datetime) -> Lease | None:
        """This process's lease on a clinician; None while another process holds it."""
        with self._lock:
            if clinician_id not in self._held:
                if not self._locks.try_lock(clinician_id):
                    return None
                self._held[clinician_id] = self._ledger.clinicians.take_lease(clinician_id, self.holder, now)
            return self._held[clinician_id]

    def forget(self, clinician_id: int) -> None:
        """Start a new epoch at the next `acquire`: somebody else had taken this one over."""
        with self._lock:
            self._held.pop(clinician_id, None)

    def close(self) -> None:
        """Let all of them go."""
        with self._lock:
            self._held.clear()
            self._locks.close()


class _FileLocks:
    def __init__(self, ledger_path: Path) -> None:
        self._path = ledger_path
        self._files = ExitStack()
        self._locked: set[int] = set()

    def try_lock(self, clinician_id: int) -> bool:
        if clinician_id in self._locked:
            return True
        with ExitStack() as attempt:
            handle = attempt.enter_context(
                lock_file(self._path.with_name(f"{self._path.name}.clinician-{clinician_id}.lock"))
            )
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._files.push(attempt.pop_all())
        self._locked.add(clinician_id)
        return True

    def close(self) -> None:
        self._locked.clear()
        self._files.close()


class _AdvisoryLocks:
    """One connection of its own holds them all; if it breaks, they are gone, and the next look takes them anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stack = ExitStack()
        self._db: Connection | None = None

    def try_lock(self, clinician_id: int) -> bool:
        if self._db is None or self._db.closed or self._db.invalidated:
            self._stack.close()
            self._db = self._stack.enter_context(reading(self._engine))
        query = text("SELECT pg_try_advisory_lock(:namespace, :clinician)")
        return bool(self._db.execute(query, {"namespace": NAMESPACE, "clinician": clinician_id}).scalar())

    def close(self) -> None:
        if self._db is not None and not self._db.closed:
            self._db.execute(text("SELECT pg_advisory_unlock_all()"))
        self._stack.close()
        self._db = None
