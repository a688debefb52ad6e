"""Steps that tests of the ledger share: one clinician's worker without any service, and rivals who cut in on it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from sync_worker import lifecycle
from sync_worker.ledger import Ledger
from sync_worker.ledger.attempts import Claim
from sync_worker.ledger.moves import move
from sync_worker.ledger.sessions import IntakeRules
from sync_worker.ledger.storage import open_engine, reading, sqlite_path, writing
from sync_worker.ledger.tables import AttemptRow, EntryRow
from sync_worker.ledger.views import Views
from sync_worker.lifecycle import Settlement
from sync_worker.model import Revisions
from sync_worker.records import Attempt, DocumentSeen, Entry, HintSeen, Lease, Reason, SessionSeen, Status, Tally
from tests.conftest import MORNING, TestClock
from tests.engines import empty_postgres, new_file

RULES = IntakeRules(start_at=MORNING - timedelta(days=30), revisions=Revisions.REVIEW)
SESSION = "11111111222222223333333344444444555555"
"""Thirty-eight digits: more than any number type of a database holds."""
PATIENT, NOTE = "1000000000000000001", "2000000000000000001"


def note_of(document_id: str) -> str:
    """The id of the note that a bench files for a document."""
    return NOTE + document_id.removeprefix("doc-1")


@dataclass
class Bench:
    """A worker's side of the ledger, for one clinician, by hand."""

    ledger: Ledger
    clock: TestClock
    heidi_user_id: str = "physio-1"
    lease: Lease = field(init=False)

    def __post_init__(self) -> None:
        state = self.ledger.clinicians.enter(self.heidi_user_id)
        self.lease = self.ledger.clinicians.take_lease(state.clinician_id, "bench", self.clock.now())

    # ------------------------------------------------------------ what the worker does

    def read(
        self,
        documents: dict[str, str] | None,
        session_id: str = SESSION,
        *,
        created_at: datetime | None = MORNING,
        updated_at: datetime | None = MORNING,
        gone: bool = False,
        rules: IntakeRules = RULES,
        walk_ended: dict[str, datetime] | None = None,
    ) -> Tally:
        """Record one reading of a session: its documents by id, each with its text."""
        seen = self.a_reading(documents, session_id, created_at, updated_at, gone=gone)
        return self.ledger.sessions.record(self.lease, [seen], rules=rules, now=self.clock.now(), walk_ended=walk_ended)

    def a_reading(
        self,
        documents: dict[str, str] | None,
        session_id: str = SESSION,
        created_at: datetime | None = MORNING,
        updated_at: datetime | None = MORNING,
        *,
        gone: bool = False,
    ) -> SessionSeen:
        """What a reading at this moment brought; None for documents that could not be read."""
        seen = [DocumentSeen(name, self.ledger.keyed_hash(text)) for name, text in (documents or {}).items()]
        return SessionSeen(
            session_id, created_at, updated_at, self.clock.now(), None if documents is None else tuple(seen), gone
        )

    def claim(self, entry: Entry, lease: Lease | None = None, *, brake: int = 0) -> Attempt | None:
        claim = Claim(patient_id=PATIENT, fingerprint=bytes(32), hint=HintSeen(bytes(32), None), brake=brake)
        return self.ledger.attempts.claim(lease or self.lease, entry, claim, now=self.clock.now())

    def settle(self, attempt: Attempt, settlement: Settlement, lease: Lease | None = None) -> None:
        now = self.clock.now()
        self.ledger.attempts.settle(lease or self.lease, attempt, settlement, now=now, due_at=now)

    # ------------------------------------------------------------ an entry in each status

    def a_pending(self, document_id: str = "doc-1") -> Entry:
        self.read({document_id: "Rest."}, f"{SESSION[:-3]}{sum(map(ord, document_id)) % 1000:03}")
        return self.only(document_id)

    def a_posting(self, document_id: str = "doc-1") -> Entry:
        return self.begun(document_id)[0]

    def begun(self, document_id: str = "doc-1") -> tuple[Entry, Attempt]:
        """An entry whose request is under way, and its attempt."""
        attempt = self.claim(self.a_pending(document_id))
        assert attempt is not None
        return self.only(document_id), attempt

    def a_posted(self, document_id: str = "doc-1") -> Entry:
        _, attempt = self.begun(document_id)
        self.settle(attempt, Settlement(Status.POSTED, None, note_of(document_id), "accepted"))
        return self.only(document_id)

    def an_in_doubt(self, document_id: str = "doc-1") -> Entry:
        _, attempt = self.begun(document_id)
        self.settle(attempt, Settlement(Status.IN_DOUBT, None, None, "in_doubt", "unavailable"))
        return self.only(document_id)

    def a_review(self, document_id: str = "doc-1", reason: Reason = Reason.NO_MATCH) -> Entry:
        before = self.an_in_doubt if reason in lifecycle.DOUBTS else self.a_pending
        entry = before(document_id)
        self.ledger.entries.hold_for_review(self.lease, entry, reason, now=self.clock.now())
        return self.only(document_id)

    def a_revised(self, document_id: str = "doc-1") -> Entry:
        """A document that was filed and changed afterwards: its note is there, and a person is asked."""
        entry = self.a_posted(document_id)
        self.read({document_id: "Rest, and ice."}, entry.session_id)
        return self.only(document_id)

    def a_skipped(self, document_id: str = "doc-1") -> Entry:
        self.ledger.entries.skip(self.lease, self.a_pending(document_id), Reason.ROUTE, now=self.clock.now())
        return self.only(document_id)

    def a_withdrawn(self, document_id: str = "doc-1") -> Entry:
        entry = self.a_posted(document_id)
        with writing(self.ledger.engine) as db:
            assert move(db, entry.entry_id, Status.POSTED, Status.WITHDRAWN, at=self.clock.now(), actor="person")
        return self.only(document_id)

    # ------------------------------------------------------------ what is there

    def only(self, document_id: str = "doc-1") -> Entry:
        """The one entry of this document."""
        with reading(self.ledger.engine) as db:
            [entry_id] = db.execute(sa.select(EntryRow.id).where(EntryRow.document_id == document_id)).scalars()
        entry = self.ledger.entries.get(entry_id)
        assert entry is not None
        return entry

    def moves(self, entry: Entry) -> list[tuple[str | None, str, str | None, str]]:
        """The entry's moves: from, to, reason, actor."""
        life = Views(self.ledger.engine).entry_life(entry.entry_id)
        assert life is not None
        return [(one["from_status"], one["to_status"], one["reason"], one["actor"]) for one in life.history]

    def due_at(self, entry: Entry) -> datetime:
        with reading(self.ledger.engine) as db:
            return db.execute(sa.select(EntryRow.due_at).where(EntryRow.id == entry.entry_id)).scalar_one()

    def attempts(self, entry: Entry) -> list[tuple[int, str | None, int]]:
        """The entry's attempts: number, outcome, looks."""
        columns = (AttemptRow.number, AttemptRow.outcome, AttemptRow.looks)
        query = sa.select(*columns).where(AttemptRow.entry_id == entry.entry_id).order_by(AttemptRow.number)
        with reading(self.ledger.engine) as db:
            return [tuple(row) for row in db.execute(query)]

    def everything(self) -> dict[str, list[Any]]:
        """Every row of the tables that a move may touch, to see that nothing changed."""
        tables = ("installation", "clinicians", "sessions", "entries", "attempts", "trail", "backfills")
        with reading(self.ledger.engine) as db:
            return {name: sorted(map(repr, db.execute(sa.text(f"SELECT * FROM {name}")))) for name in tables}  # noqa: S608


# ---------------------------------------------------------------- an empty ledger, migrated once

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@contextmanager
def an_engine(request: pytest.FixtureRequest, kind: str) -> Iterator[Engine]:
    """An engine for tests to use in turn, each after `emptied_bench`. It does not wait for the disk."""
    if kind == "sqlite":
        path = request.getfixturevalue("tmp_path_factory").mktemp("ledgers") / "ledger.db"
        engine = open_engine(f"sqlite:///{path}")
        on_connect(engine, "PRAGMA synchronous = OFF")
    else:
        engine = open_engine(request.getfixturevalue("migrated_postgres"), pooled=True)
    yield engine
    engine.dispose()


def on_connect(engine: Engine, statement: str) -> None:
    """Let each new connection begin with this statement."""

    def begin(connection: Any, _record: Any) -> None:
        connection.execute(statement)
        connection.commit()

    event.listen(engine, "connect", begin)


def emptied_bench(engine: Engine, clock: TestClock) -> Bench:
    """A bench on an empty ledger, whatever an earlier test left there."""
    path = sqlite_path(engine)
    if path is not None:
        path.write_bytes(new_file())
    else:
        empty_postgres(engine)
    ledger = Ledger(engine, region="au")
    ledger.prepare_installation(clock.now())
    return Bench(ledger, clock)


def successors_bench(engine: Engine, clock: TestClock) -> Bench:
    """An emptied bench whose worker took over from another one, so that its epoch is not the first."""
    bench = emptied_bench(engine, clock)
    bench.lease = bench.ledger.clinicians.take_lease(bench.lease.clinician_id, "successor", clock.now())
    return bench


# ---------------------------------------------------------------- rivals


@contextmanager
def cutting_in(engine: Engine, fragment: str, rival: Callable[[], object]) -> Iterator[list[BaseException]]:
    """Let a rival act just before the next statement that holds `fragment`, in a thread and connection of its own.

    The statement goes on when the rival has finished or waits for a lock that we hold. Gives what the rival raised.
    """
    raised: list[BaseException] = []
    started: list[threading.Thread] = []

    def run() -> None:
        try:
            rival()
        except Exception as error:  # noqa: BLE001 - a thread's errors are the test's to judge
            raised.append(error)

    def before(_db: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if fragment in statement and not started:
            started.append(threading.Thread(target=run))
            started[0].start()
            _until_done_or_waiting(engine, started[0], before_ours=statement.startswith("BEGIN"))

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield raised
    finally:
        event.remove(engine, "before_cursor_execute", before)
        for thread in started:
            thread.join(30)
    assert started, f"no statement held {fragment!r}"


def _until_done_or_waiting(engine: Engine, thread: threading.Thread, *, before_ours: bool) -> None:
    if engine.dialect.name == "sqlite":
        thread.join(30 if before_ours else 0.1)  # one writer at a time: inside our transaction the rival can only wait
        return
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while thread.is_alive():
        thread.join(0.02)
        with engine.connect() as db:
            if db.exec_driver_sql(query).scalar():
                return
