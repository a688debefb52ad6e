"""What a tick would do, without doing it: the same reads and the same pure functions, and no ledger but to look at.

The text of a document whose session rested for the settling time counts as settled: without two readings of our own,
that is the best that can be said.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from sync_worker import lifecycle
from sync_worker.clock import Clock
from sync_worker.errors import ConfigurationError, NotAuthorised, RemoteError
from sync_worker.first_look import BEFORE_SESSION, AuthorsNotes
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import Ledger
from sync_worker.model import Document, Note, PlannedEntry, Session, StoredNote
from sync_worker.one_patient import OnePatient
from sync_worker.prepare import NeedsReview, Prepared, Preparer, Skipped
from sync_worker.reading import SessionReader
from sync_worker.records import Backfill, ClinicianState, Entry, Reason, Status
from sync_worker.reference import reference_of
from sync_worker.siblings import are_alike

DONE = (Status.POSTED, Status.SKIPPED, Status.WITHDRAWN)
ALREADY_FILED = "already_filed"


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
        self._one_patient = OnePatient(ledger, preparer.patients)
        self._clock = clock

    def plan(self) -> Iterator[PlannedEntry | RemoteError | ConfigurationError]:
        """Each document that a tick would touch, and what it would do; an error for each session that cannot be read.

        Also an error for each document whose route cannot be followed.

        Raises `RemoteError` where the list itself, or the clinician's key, is the trouble.
        """
        for row in self._heidi.walk_sessions():
            if row.latest is not None and row.latest < self._scope.oldest:
                continue
            try:
                documents = self._reader.documents(row.session_id) or []
                for number, document in enumerate(documents):
                    entry = self._entry(row.session_id, document.document_id)
                    session = None if entry and entry.status in DONE else self._reader.session(row.session_id)
                    if session is not None:
                        yield self._decided(session, document, entry, documents[:number])
            except NotAuthorised:
                raise
            except RemoteError as error:
                yield error

    def plan_entry(self, entry: Entry) -> PlannedEntry:
        """What a tick would do with one entry, also where that is nothing. Raises `RemoteError`."""
        documents = self._reader.documents(entry.session_id) or []
        session = self._reader.session(entry.session_id)
        for number, document in enumerate(documents):
            if document.document_id == entry.document_id and session is not None:
                return self._decide(session, document, entry, documents[:number])
        action, reason = ("review", Reason.SOURCE_GONE) if session is None else ("skip", Reason.GONE)
        standing, _ = _standing(entry.status, entry.reason)
        return PlannedEntry(entry.session_id, entry.document_id, standing or action, reason, entry.patient_id)

    def _decided(
        self, session: Session, document: Document, entry: Entry | None, earlier: list[Document]
    ) -> PlannedEntry | ConfigurationError:
        try:
            return self._decide(session, document, entry, earlier)
        except ConfigurationError as error:
            return error  # it keeps no other document from being filed

    def _entry(self, session_id: str, document_id: str) -> Entry | None:
        return self._ledger.entries.find(session_id, document_id) if self._ledger else None

    def _decide(
        self, session: Session, document: Document, entry: Entry | None, earlier: list[Document]
    ) -> PlannedEntry:
        if entry is not None and lifecycle.is_asked_again(entry, self._clock.now()):
            action, reason = None, None
        else:
            action, reason = _standing(*((entry.status, entry.reason) if entry else self._beginning(session)))
        reference = reference_of(region=self._region, session_id=session.session_id, document_id=document.document_id)
        patient_id, note = entry.patient_id if entry else None, None
        if action is None and self._notes().marked(reference):
            action, reason, patient_id = "skip", ALREADY_FILED, None
        elif action is None and not (entry and entry.pinned) and any(are_alike(document, one) for one in earlier):
            action, reason, patient_id = "review", Reason.REGENERATED, None
        elif action is None:
            action, reason, note = self._prepare(session, document, entry)
            patient_id = note.patient_id if note else None
        return PlannedEntry(session.session_id, document.document_id, action, reason, patient_id, note)

    def _prepare(
        self, session: Session, document: Document, entry: Entry | None
    ) -> tuple[str, str | None, Note | None]:
        match self._one_patient.check(self._preparer.prepare(session, document, entry), session, entry):
            case NeedsReview(reason):
                return "review", reason, None
            case Skipped(reason):
                return "skip", reason, None
            case Prepared(note) if not (entry and entry.pinned) and self._by_hand(note, document):
                return "review", Reason.ALREADY_THERE, note
            case Prepared(note) if self._is_settled(session, document, entry):
                return "post", None, note
            case Prepared(note):
                return "wait", "settling", note

    def _by_hand(self, note: Note, document: Document) -> bool:
        return self._notes().has_by_hand(note.patient_id, document)

    def _notes(self) -> AuthorsNotes:
        """What of ours is in Cliniko already, whatever the ledger knows: a tick looks too."""
        if self._there is None:
            self._there = AuthorsNotes(self._notes_since(self._scope.oldest - BEFORE_SESSION))
        return self._there

    def _beginning(self, session: Session) -> tuple[Status, Reason | None]:
        """How a tick would enter a document that it has not seen."""
        known, first_sweep_at = None, None
        if self._ledger is not None and self._state is not None:
            known = self._ledger.sessions.known(self._state.clinician_id, [session.session_id]).get(session.session_id)
            first_sweep_at = self._state.first_sweep_at
        return lifecycle.beginning(
            session.created_at,
            start_at=self._scope.start_at,
            backfilled=any(one.covers(session.created_at) for one in self._backfills),
            was_read=known is not None and known.read_at is not None,
            in_first_sweep=first_sweep_at is None or (known is not None and known.first_listed_at <= first_sweep_at),
        )

    @cached_property
    def _backfills(self) -> list[Backfill]:
        if self._ledger is None or self._state is None:
            return []
        return self._ledger.clinicians.backfills(self._state.clinician_id)

    def _is_settled(self, session: Session, document: Document, entry: Entry | None) -> bool:
        since = session.updated_at
        if entry is not None and self._ledger is not None:
            is_same = self._ledger.keyed_hash(document.content.strip()) == entry.text_hash
            since = entry.text_since if is_same else self._clock.now()
        return self._clock.now() - since >= self._scope.settle


def _standing(status: Status, reason: Reason | None) -> tuple[str | None, str | None]:
    """What follows from where an entry stands; no action where its document decides."""
    match status:
        case Status.PENDING:
            return None, None
        case Status.REVIEW:
            return "review", reason
        case Status.POSTING | Status.IN_DOUBT:
            return "wait", status
        case Status.POSTED:
            return "skip", ALREADY_FILED
        case Status.SKIPPED:
            return "skip", reason
        case Status.WITHDRAWN:
            return "skip", status
