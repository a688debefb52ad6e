"""What a tick would do, without doing it: the same reads and the same pure functions, and no ledger but to look at.

The text of a document whose session rested for the settling time counts as settled: without two readings of our own,
that is the best that can be said.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_worker import lifecycle
from sync_worker.clock import Clock
from sync_worker.errors import NotAuthorised, RemoteError
from sync_worker.first_look import BEFORE_SESSION, AuthorsNotes
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import Ledger
from sync_worker.model import ClinicianState, Document, Entry, PlannedEntry, Reason, Session, Status, StoredNote
from sync_worker.prepare import NeedsReview, Prepared, Preparer, Skipped
from sync_worker.reading import SessionReader
from sync_worker.reference import reference_of
from sync_worker.siblings import are_alike

DONE = (Status.POSTED, Status.SKIPPED, Status.WITHDRAWN)
OPEN_ATTEMPT = (Status.POSTING, Status.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class PlanScope:
    """Which sessions are looked at: those from `oldest` on; those created before `start_at` would be left alone."""

    oldest: datetime
    start_at: datetime
    settle: timedelta


class Planner:
    """Plans one clinician's next tick. `ledger` and `state` are None where there is none yet.

    `notes_since` reads the author's notes in Cliniko; it is asked once, before the first document that would be filed.
    """

    def __init__(
        self,
        *,
        heidi: HeidiClient,
        reader: SessionReader,
        preparer: Preparer,
        ledger: Ledger | None,
        state: ClinicianState | None,
        scope: PlanScope,
        notes_since: Callable[[datetime], Iterable[StoredNote]],
        clock: Clock,
    ) -> None:
        self._heidi = heidi
        self._region = heidi.region
        self._reader = reader
        self._preparer = preparer
        self._ledger = ledger
        self._state = state
        self._scope = scope
        self._notes_since = notes_since
        self._there: AuthorsNotes | None = None
        self._clock = clock

    def plan(self) -> Iterator[PlannedEntry | RemoteError]:
        """Each document that a tick would touch, and what it would do; an error for each session that cannot be read.

        Raises `RemoteError` where the list itself, or the clinician's key, is the trouble.
        """
        for row in self._heidi.walk_sessions():
            if row.latest is not None and row.latest < self._scope.oldest:
                continue
            try:
                documents = self._reader.documents(row.session_id) or []
                for number, document in enumerate(documents):
                    if (planned := self._document(row.session_id, document, documents[:number])) is not None:
                        yield planned
            except NotAuthorised:
                raise
            except RemoteError as error:
                yield error

    def _document(self, session_id: str, document: Document, earlier: list[Document]) -> PlannedEntry | None:
        entry = self._ledger.entries.find(session_id, document.document_id) if self._ledger else None
        if entry is not None and entry.status in DONE:
            return None
        session = self._reader.session(session_id)
        if session is None:
            return None
        action, reason, patient_id = self._decide(session, document, entry, earlier)
        return PlannedEntry(session_id, document.document_id, action, reason, patient_id)

    def _decide(
        self, session: Session, document: Document, entry: Entry | None, earlier: list[Document]
    ) -> tuple[str, str | None, str | None]:
        if entry is None:
            status, reason = self._beginning(session)
            if status is not Status.PENDING:
                return ("skip" if status is Status.SKIPPED else "review"), reason, None
        elif entry.status in OPEN_ATTEMPT:
            return "wait", entry.status.value, entry.patient_id
        elif entry.status is Status.REVIEW:
            return "review", entry.reason, entry.patient_id
        reference = reference_of(region=self._region, session_id=session.session_id, document_id=document.document_id)
        if self._notes().marked(reference):
            return "skip", "already_filed", None
        if not (entry and entry.pinned) and any(are_alike(document, other) for other in earlier):
            return "review", Reason.REGENERATED, None
        match self._preparer.prepare(
            session,
            document,
            pinned_patient_id=entry.patient_id if entry and entry.pinned else None,
            bound_patient_id=entry.patient_id if entry and entry.bound else None,
        ):
            case NeedsReview(reason):
                return "review", reason, None
            case Skipped(reason):
                return "skip", reason, None
            case Prepared(note) if not (entry and entry.pinned) and self._notes().has_by_hand(note):
                return "review", Reason.ALREADY_THERE, note.patient_id
            case Prepared(note) if self._is_settled(session, document, entry):
                return "post", None, note.patient_id
            case Prepared(note):
                return "wait", "settling", note.patient_id

    def _notes(self) -> AuthorsNotes:
        """What of ours is in Cliniko already, whatever the ledger knows: a tick looks too."""
        if self._there is None:
            self._there = AuthorsNotes(self._notes_since(self._scope.oldest - BEFORE_SESSION))
        return self._there

    def _beginning(self, session: Session) -> tuple[Status, Reason | None]:
        """How a tick would enter a document that it has not seen."""
        known, first_sweep_at, backfilled = None, None, False
        if self._ledger is not None and self._state is not None:
            known = self._ledger.sessions.known(self._state.clinician_id, [session.session_id]).get(session.session_id)
            first_sweep_at = self._state.first_sweep_at
            wished = self._ledger.clinicians.backfills(self._state.clinician_id)
            backfilled = any(one.since <= session.created_at < one.until for one in wished)
        return lifecycle.beginning(
            session.created_at,
            start_at=self._scope.start_at,
            backfilled=backfilled,
            was_read=known is not None and known.read_at is not None,
            in_first_sweep=first_sweep_at is None or (known is not None and known.first_listed_at <= first_sweep_at),
        )

    def _is_settled(self, session: Session, document: Document, entry: Entry | None) -> bool:
        since = session.updated_at
        if entry is not None and self._ledger is not None:
            is_same = self._ledger.keyed_hash(document.content.strip()) == entry.text_hash
            since = entry.text_since if is_same else self._clock.now()
        return self._clock.now() - since >= self._scope.settle
