"""Processes for the tests of copies: clinicians who file without a pause, and a move that is killed half-way."""

from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import event

from sync_worker.errors import LedgerUnavailable
from sync_worker.ledger import Ledger, copies
from sync_worker.ledger.attempts import Claim
from sync_worker.ledger.leases import Leases
from sync_worker.ledger.sessions import IntakeRules
from sync_worker.ledger.storage import open_engine
from sync_worker.lifecycle import Settlement
from sync_worker.model import Revisions
from sync_worker.records import DocumentSeen, HintSeen, Lease, SessionSeen, Status


def file_without_pause(line: Connection, url: str, heidi_user_id: str) -> None:
    """Record documents and file them, one after another, until the line says stop; answer with how many."""
    ledger = Ledger(open_engine(url), region="au")
    leases = Leases(ledger)
    lease = leases.acquire(ledger.clinicians.enter(heidi_user_id).clinician_id, datetime.now(UTC))
    assert lease is not None
    line.send("ready")
    for number in count(1):
        try:
            _file(ledger, lease, f"{heidi_user_id}-{number}")
        except LedgerUnavailable as error:  # a writer that had to give up is a finding
            line.send(f"{heidi_user_id} stopped: {error}")
            return
        if line.poll():
            break
    line.recv()
    leases.close()
    line.send(number)


def _file(ledger: Ledger, lease: Lease, name: str) -> None:
    now = datetime.now(UTC)
    rules = IntakeRules(start_at=now, revisions=Revisions.REVIEW)
    seen = SessionSeen(f"session-{name}", now, now, now, (DocumentSeen(name, ledger.keyed_hash(name)),), gone=False)
    ledger.sessions.record(lease, [seen], rules=rules, now=now, walk_ended=None)
    entry = ledger.entries.find(f"session-{name}", name)
    assert entry is not None
    claim = Claim(patient_id="1", fingerprint=bytes(32), hint=HintSeen(bytes(32), None))
    attempt = ledger.attempts.claim(lease, entry, claim, now=now)
    assert attempt is not None
    ledger.attempts.settle(lease, attempt, Settlement(Status.POSTED, None, name, "accepted"), now=now, due_at=now)


def move(line: Connection, url: str, target_url: str, stop_before: str) -> None:
    """Move the ledger when the line says so; answer "stopped" at a point of the move, to be killed there.

    The points: "copied" (nothing committed yet), "retire" (the copy is committed), "use" (the old one is retired).
    """
    source, target = open_engine(url), open_engine(target_url)

    def stop(*_: Any) -> None:
        line.send("stopped")
        line.recv()

    def stop_at_update(_db: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        clears = None in (parameters.values() if isinstance(parameters, dict) else parameters)
        if statement.startswith("UPDATE installation") and clears == (stop_before == "use"):
            stop()

    match stop_before:
        case "copied":
            event.listen(target, "commit", stop)
        case "retire":
            event.listen(source, "before_cursor_execute", stop_at_update)
        case "use":
            event.listen(target, "before_cursor_execute", stop_at_update)
    line.send("ready")
    line.recv()
    copies.move(source, target, now=datetime.now(UTC))
    line.send("moved")
