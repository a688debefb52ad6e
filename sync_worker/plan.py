"""What a tick would do, without doing it: the same reads and the same pure functions, and no ledger but to look at.

The text of a document whose session rested for the settling time counts as settled: without two readings of our own,
that is the best that can be said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_worker.clock import Clock
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import Ledger
from sync_worker.model import Document, Entry, ListedSession, PlannedEntry, Reason, Session, Status
from sync_worker.prepare import NeedsReview, Prepared, Preparer, Skipped
from sync_worker.reading import SessionReader

DONE = (Status.POSTED, Status.SKIPPED, Status.WITHDRAWN)
OPEN_ATTEMPT = (Status.POSTING, Status.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class PlanScope:
    """Which sessions are looked at: those from `oldest` on; those created before `start_at` would be left alone."""

    oldest: datetime
    start_at: datetime
    settle: timedelta


class Planner:
    """Plans one clinician's next tick. `ledger` is None where there is none yet."""

    def __init__(
        self,
        *,
        heidi: HeidiClient,
        reader: SessionReader,
        preparer: Preparer,
        ledger: Ledger | None,
        scope: PlanScope,
        clock: Clock,
    ) -> None:
        self._heidi = heidi
        self._reader = reader
        self._preparer = preparer
        self._ledger = ledger
        self._scope = scope
        self._clock = clock

    def plan(self) -> Iterator[PlannedEntry]:
        """Each document that a tick would touch, and what it would do. Raises `RemoteError`."""
        for row in self._heidi.walk_sessions():
            if not self._is_in_scope(row):
                continue
            for document in self._reader.documents(row.session_id) or []:
                planned = self._document(row.session_id, document)
                if planned is not None:
                    yield planned

    def _is_in_scope(self, row: ListedSession) -> bool:
        latest = max((stamp for stamp in (row.created_at, row.updated_at) if stamp is not None), default=None)
        return latest is None or latest >= self._scope.oldest

    def _document(self, session_id: str, document: Document) -> PlannedEntry | None:
        entry = self._ledger.entries.find(session_id, document.document_id) if self._ledger else None
        if entry is not None and entry.status in DONE:
            return None
        session = self._reader.session(session_id)
        if session is None:
            return None
        action, reason, patient_id = self._decide(session, document, entry)
        return PlannedEntry(session_id, document.document_id, action, reason, patient_id)

    def _decide(self, session: Session, document: Document, entry: Entry | None) -> tuple[str, str | None, str | None]:
        if entry is not None and entry.status in OPEN_ATTEMPT:
            return "wait", entry.status.value, entry.patient_id
        if entry is not None and entry.status is Status.REVIEW and entry.reason is not None:
            return "review", entry.reason.value, entry.patient_id
        if entry is None and session.created_at < self._scope.start_at:
            return "skip", Reason.BEFORE_START.value, None
        pinned = entry.patient_id if entry is not None and entry.pinned else None
        match self._preparer.prepare(session, document, pinned_patient_id=pinned):
            case NeedsReview(reason):
                return "review", reason.value, None
            case Skipped(reason):
                return "skip", reason.value, None
            case Prepared(note) if self._is_settled(session, entry):
                return "post", None, note.patient_id
            case Prepared(note):
                return "wait", "settling", note.patient_id

    def _is_settled(self, session: Session, entry: Entry | None) -> bool:
        since = entry.text_since if entry is not None else session.updated_at
        return self._clock.now() - since >= self._scope.settle
