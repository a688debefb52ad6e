"""Who may work for a clinician: one worker at a time, as long as it lives.

Life is an operating system's lock: a file lock beside an SQLite ledger, a session advisory lock on Postgres. Both go
with their process, so a dead holder is replaced at once and a stopped one never is. Whoever gets the lock starts a new
epoch in the ledger; moves recorded under an older one are refused there.
"""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol

from sqlalchemy import Connection, Engine, text

from sync_worker.clock import Clock
from sync_worker.errors import LeaseLost, LedgerUnavailable
from sync_worker.ledger import Ledger
from sync_worker.ledger.storage import lock_file, plainly, reading, sqlite_path
from sync_worker.lifecycle import LONGEST_CLAIM
from sync_worker.records import Lease

NAMESPACE = 530_800_815
"""First half of the advisory locks' keys, the clinician's row is the second: any number nobody else uses here."""
WORKING, LEADING = 0, -1
"""Second halves that no clinician has: that a worker works here, which several may, and which one of them leads."""
NAME_LOOKS, NAME_SECONDS = 25, 0.02
"""How often, and how far apart, a lock's file is read until its holder's name is there: where many workers start at
once, one may be held up between the lock and its name. A full disk leaves the name out for good."""


class _Locks(Protocol):
    def are_kept(self) -> bool: ...

    def holder(self, clinician_id: int) -> str | None: ...

    def try_lock(self, clinician_id: int) -> bool: ...

    def try_share(self, key: int) -> bool: ...

    def unlock(self, clinician_id: int) -> None: ...

    def close(self) -> None: ...


class Leases:
    """The leases of this process. They are kept until `close` or `release`, from tick to tick. Thread-safe."""

    def __init__(self, ledger: Ledger, *, is_shared: bool = False) -> None:
        """`is_shared` is for one of several workers: it shows that it works here while it holds nobody."""
        self._ledger = ledger
        self._is_shared = is_shared
        self._leads = False
        path = sqlite_path(ledger.engine)
        self._held: dict[int, Lease] = {}
        self._lock = threading.Lock()
        self.holder = f"{socket.gethostname()} process {os.getpid()}"[-63:]  # as much as Postgres keeps of a name
        self._locks: _Locks = (
            _FileLocks(path, self.holder) if path is not None else _AdvisoryLocks(ledger.engine, self.holder)
        )

    def acquire(self, clinician_id: int, now: datetime) -> Lease | None:
        """This process's lease on a clinician; None while another process holds it.

        A lease without its lock is none: where the locks were lost (Postgres was restarted, somebody removed the lock
        files), all are taken anew, with new epochs, or found with another process. Raises `LedgerUnavailable`.
        """
        with self._lock:
            self._drop_what_is_lost()
            if self._is_shared and not self._locks.try_share(WORKING):
                return None
            if clinician_id not in self._held:
                if not self._locks.try_lock(clinician_id):
                    return None
                self._held[clinician_id] = self._ledger.clinicians.take_lease(clinician_id, self.holder, now)
            return self._held[clinician_id]

    def release(self, clinician_id: int) -> None:
        """Let one go, so that another process may have it. Raises nothing: a lock that cannot be let go is gone."""
        with self._lock:
            if self._held.pop(clinician_id, None) is None:
                return
            try:
                self._locks.unlock(clinician_id)
            except LedgerUnavailable:  # with it all others are gone that the same connection held
                self._held.clear()
                self._locks.close()

    def is_alone(self) -> bool:
        """Whether none of several workers works here; none can begin before `close` then. Raises `LedgerUnavailable`.

        A worker that is no other's shows by its leases.
        """
        with self._lock:
            return isinstance(self._locks, _FileLocks) or self._locks.try_lock(WORKING)

    def join(self) -> bool:
        """Show that one of several workers works here; not where somebody is alone. Raises `LedgerUnavailable`."""
        with self._lock:
            self._drop_what_is_lost()
            return self._locks.try_share(WORKING)

    def leads(self) -> bool:
        """Whether this is the one of several workers that does what is to be done once. Another follows at its end.

        As it was last known where the ledger does not answer: somebody must be able to tell of that.
        """
        with self._lock, suppress(LedgerUnavailable):
            self._drop_what_is_lost()
            self._leads = self._locks.try_lock(LEADING)
        return self._leads

    def _drop_what_is_lost(self) -> None:
        if not self._locks.are_kept():
            self._held.clear()
            self._locks.close()

    def holder_of(self, clinician_id: int) -> str:
        """Who holds a clinician's lock, as they described themselves; asked of the lock, which knows it first."""
        with self._lock:
            found = self._locks.holder(clinician_id)
        return found or self._ledger.clinicians.lease_holder(clinician_id)

    def is_kept(self, lease: Lease) -> bool:
        """Whether the lease is still this process's, lock and all. Raises nothing: a doubt is a no."""
        with self._lock, suppress(LedgerUnavailable):
            return self._held.get(lease.clinician_id) == lease and self._locks.are_kept()
        return False

    def guard(self, lease: Lease, clock: Clock) -> Callable[[], None]:
        """A check for the moment before a request leaves: it raises `LeaseLost` where the request must not any more.

        Made at the claim. The lease may be lost by then, or the machine have slept for so long that a look of somebody
        else's came and went.
        """
        claimed_at = clock.monotonic()

        def check() -> None:
            # the time last: asking for the lock may itself take a while
            if not self.is_kept(lease) or clock.monotonic() - claimed_at > LONGEST_CLAIM.total_seconds():
                raise LeaseLost

        return check

    def forget(self, clinician_id: int) -> None:
        """Start a new epoch at the next `acquire`: somebody else had taken this one over."""
        with self._lock:
            self._held.pop(clinician_id, None)

    def close(self) -> None:
        """Let all of them go. Raises nothing: a lock that cannot be let go is gone already."""
        with self._lock:
            self._held.clear()
            self._locks.close()


class _FileLocks:
    def __init__(self, ledger_path: Path, name: str) -> None:
        self._ledger_path = ledger_path
        self._name = name
        self._files: dict[int, IO[str]] = {}
        self._stacks: dict[int, ExitStack] = {}

    def are_kept(self) -> bool:
        """Whether each locked file is still the one that others would try to lock."""
        return all(_is_file_at(self._path(clinician_id), file) for clinician_id, file in self._files.items())

    def try_lock(self, clinician_id: int) -> bool:
        if clinician_id in self._files:
            return True
        with ExitStack() as attempt:
            file = attempt.enter_context(lock_file(self._path(clinician_id)))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._stacks[clinician_id] = attempt.pop_all()
        self._files[clinician_id] = file
        self._say(file, self._name)
        return True

    def try_share(self, key: int) -> bool:
        return True  # a file is worked on by one

    def unlock(self, clinician_id: int) -> None:
        self._say(self._files.pop(clinician_id), "")
        self._stacks.pop(clinician_id).close()

    def holder(self, clinician_id: int) -> str | None:
        """What the lock's holder wrote into its file; who has only just taken it is about to."""
        for _ in range(NAME_LOOKS):
            try:
                name = self._path(clinician_id).read_text()
            except OSError:
                return None
            if name:
                return name
            time.sleep(NAME_SECONDS)
        return None

    def close(self) -> None:
        for clinician_id in list(self._files):
            self.unlock(clinician_id)

    @staticmethod
    def _say(file: IO[str], name: str) -> None:
        with suppress(OSError):  # a full disk: the lock holds without a name
            os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), name.encode(), 0)  # past the buffer, which would be written when the file closes

    def _path(self, clinician_id: int) -> Path:
        return self._ledger_path.with_name(f"{self._ledger_path.name}.clinician-{clinician_id}.lock")


class _AdvisoryLocks:
    """One connection of its own holds them all; if it breaks, they are gone."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._stack = ExitStack()
        self._db: Connection | None = None
        self._locked: set[int] = set()
        """Ours: the server counts how often a lock was taken, and keeps it until it was let go as often."""

    def are_kept(self) -> bool:
        """Whether the connection that holds the locks still lives."""
        if self._db is None:
            return False
        try:
            self._ask("SELECT 1")
        except LedgerUnavailable:
            return False
        return True

    def try_lock(self, clinician_id: int) -> bool:
        return self._try("pg_try_advisory_lock", clinician_id)

    def try_share(self, key: int) -> bool:
        """Hold a lock beside others that share it."""
        return self._try("pg_try_advisory_lock_shared", key)

    def unlock(self, clinician_id: int) -> None:
        self._locked.discard(clinician_id)
        self._ask("SELECT pg_advisory_unlock(:namespace, :clinician)", namespace=NAMESPACE, clinician=clinician_id)

    def _try(self, function: str, key: int) -> bool:
        if key in self._locked:
            return True
        try:
            is_ours = bool(self._ask(f"SELECT {function}(:namespace, :key)", namespace=NAMESPACE, key=key))
        except LedgerUnavailable:
            self.close()  # the next try has a connection of its own again
            raise
        if is_ours:
            self._locked.add(key)
        return is_ours

    def holder(self, clinician_id: int) -> str | None:
        """How the session that holds the lock calls itself."""
        query = (
            "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid) "
            "WHERE locktype = 'advisory' AND classid = :namespace AND objid = :clinician AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return self._ask(query, namespace=NAMESPACE, clinician=clinician_id) or None

    def close(self) -> None:
        if self._db is not None:
            try:
                self._ask("SELECT pg_advisory_unlock_all()")
            except LedgerUnavailable:
                self._db.invalidate()  # else the pool would keep a connection that may hold the locks
        self._stack.close()
        self._db = None
        self._locked.clear()

    def _ask(self, query: str, **values: int) -> Any:
        if self._db is None:
            self._db = self._stack.enter_context(reading(self._engine))
            with plainly():
                self._db.execute(text("SELECT set_config('application_name', :name, false)"), {"name": self._name})
        with plainly():
            return self._db.execute(text(query), values).scalar()


def _is_file_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
