"""What a page reads of one clinician's Heidi and Cliniko while somebody waits for it.

Everything here is a patient's data: it goes into the page that was asked for and is kept nowhere, but for the names on
the review list, which are kept in memory for a minute. It only reads, and asks Cliniko only for what filing can spare.
Names and old drafts, which a page can do without, are waited for no longer than a page's patience.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sync_worker.background import start
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.doubts import BEFORE_ATTEMPT
from sync_worker.errors import RemoteError, Stopping, Unavailable
from sync_worker.first_look import AuthorsNotes
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import Ledger
from sync_worker.model import Candidate, Document, Hint, MatchOutcome, Patient, Session, StoredNote
from sync_worker.preview import Preview
from sync_worker.records import Entry
from sync_worker.reference import reference_in
from sync_worker.settings import Settings
from sync_worker.workbench import Workbench, scope_of

PATIENCE_SECONDS = 3.0
"""How long one page waits for all that it can do without."""
NAMES_FRESH_SECONDS = 60.0
MOST_NAMES = 512
NAMES_AT_ONCE = 6
DRAFTS_FRESH_SECONDS = 600.0
TROUBLE_FRESH_SECONDS = 60.0
DRAFTS_SINCE = timedelta(days=30)
OLD_DRAFT = timedelta(days=3)


class _Patience(threading.local):
    """How long this page has waited already: every page is made in a thread of its own."""

    waited = 0.0

    def left(self) -> float:
        return max(0.0, PATIENCE_SECONDS - self.waited)


_patience = _Patience()


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom a session names, and the charts that it may mean, in the order of their agreement."""

    session: Session | None
    candidates: Sequence[Candidate] = ()
    charts: dict[str, Patient] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Words:
    """A document as Heidi has it, and its note as it would be filed. Either is None where there is none any more."""

    document: Document | None
    preview: Preview | None


class Live:
    """One clinician's two services, as the pages ask them. Thread-safe."""

    def __init__(
        self,
        *,
        heidi: HeidiClient,
        cliniko: ClinikoClient,
        workbench: Callable[[], Workbench],
        ledger: Ledger,
        settings: Settings,
        clock: Clock,
    ) -> None:
        """`workbench` makes a new one for each page, since a workbench remembers what it read."""
        self._heidi = heidi
        self._cliniko = cliniko
        self._workbench = workbench
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._lock = threading.Condition()
        self._hints: dict[str, tuple[Hint | None, float]] = {}
        self._wanted: deque[str] = deque()
        self._unread: set[str] = set()
        self._readers = 0
        self._drafts: tuple[Future[list[StoredNote]], float] | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self._heidi.close()
        self._cliniko.close()

    # ------------------------------------------------------------ whose it is

    def whom(self, entry: Entry) -> Whom:
        """Whom the entry's session names, and which charts that may be. Raises `RemoteError`."""
        workbench = self._linked_workbench()
        session = workbench.reader.session(entry.session_id)
        if session is None:
            return Whom(None)
        outcome, charts = workbench.patients.look(session)
        return Whom(session, outcome.candidates, {chart.patient_id: chart for chart in charts})

    def search(self, entry: Entry, name: str, birth_date: date | None) -> tuple[MatchOutcome, list[Patient]]:
        """The charts of a person's own search, beside what the entry's session says. Raises `RemoteError`."""
        workbench = self._linked_workbench()
        charts = workbench.patients.search(name, birth_date)
        session = workbench.reader.session(entry.session_id)
        hint = session.hint if session is not None else Hint("")
        return workbench.patients.compare(hint, charts), charts

    def patient(self, patient_id: str) -> Patient | None:
        """A chart by its id, archived ones included. Raises `RemoteError`."""
        return self._cliniko.find_patient(patient_id)

    def merged_into(self, patient: Patient) -> list[str]:
        """The ids of the charts that were merged into this one, as far as they can be found. Raises `RemoteError`."""
        return [one.patient_id for one in self._workbench().patients.merged_into(patient)]

    def hints(self, session_ids: Sequence[str]) -> dict[str, Hint]:
        """Whom these sessions name, as far as Heidi tells within a reasonable time: what it does not is left out."""
        began = self._clock.monotonic()
        with self._lock:
            self._want([one for one in session_ids if not self._is_known(one)])
            self._lock.wait_for(lambda: self._unread.isdisjoint(session_ids), _patience.left())
            _patience.waited += self._clock.monotonic() - began
            known = {one: self._hints[one][0] for one in session_ids if self._is_known(one)}
        return {session_id: hint for session_id, hint in known.items() if hint is not None}

    def _is_known(self, session_id: str) -> bool:
        return session_id in self._hints and self._clock.monotonic() < self._hints[session_id][1]

    def _want(self, session_ids: Sequence[str]) -> None:
        """Let these be read, few at once however many pages want them; what comes late is there for the next page."""
        fresh = [one for one in session_ids if one not in self._unread]
        self._unread.update(fresh)
        self._wanted.extend(fresh)
        while self._readers < min(NAMES_AT_ONCE, len(self._unread)):
            self._readers += 1
            start(self._read_names)

    def _read_names(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._readers -= 1
                    return
                session_id = self._wanted.popleft()
            try:
                self._read_name(session_id)
            finally:
                with self._lock:
                    self._unread.discard(session_id)
                    self._lock.notify_all()

    def _read_name(self, session_id: str) -> None:
        try:
            session = self._heidi.find_session(session_id)
        except (RemoteError, Stopping):
            return
        with self._lock:
            if len(self._hints) >= MOST_NAMES:
                self._hints.clear()
            hint = session.hint if session is not None else None
            self._hints[session_id] = (hint, self._clock.monotonic() + NAMES_FRESH_SECONDS)

    # ------------------------------------------------------------ what it says

    def words(self, entry: Entry, *, with_note: bool = True) -> Words:
        """The document, and the note that it makes now if wanted. Raises `RemoteError` and `ConfigurationError`."""
        workbench = self._linked_workbench()
        document = workbench.reader.document(entry.session_id, entry.document_id)
        if document is None or not with_note:
            return Words(document, None)
        scope = scope_of(self._settings, workbench.state, workbench.identity, None, self._clock.now())
        return Words(document, workbench.previewer.preview(workbench.planner(scope).plan_entry(entry)))

    # ------------------------------------------------------------ notes that are there

    def note(self, note_id: str) -> StoredNote | None:
        """A note by its id; None if this clinician's key sees none. Raises `RemoteError`."""
        return self._cliniko.find_note(note_id)

    def notes_like(self, entry: Entry, since: datetime) -> list[StoredNote]:
        """The author's notes that carry the entry's reference. Raises `RemoteError`."""
        practitioner = self._workbench().identity.practitioner()
        notes = self._cliniko.walk_notes(practitioner.practitioner_id, since - BEFORE_ATTEMPT)
        return AuthorsNotes(notes).marked(entry.reference)

    def old_drafts(self) -> list[StoredNote]:
        """Our notes that are drafts still after three days, oldest first; read at most every ten minutes.

        Raises `RemoteError`, for a minute the same one; also where the page's patience ends before they are read.
        """
        began = self._clock.monotonic()
        reading = self.begin_old_drafts()
        wait_for([reading], _patience.left())
        _patience.waited += self._clock.monotonic() - began
        if not reading.done():
            hint = "Cliniko takes long to answer: look again in a minute."
            raise Unavailable("cliniko", "list_notes", hint=hint)
        return reading.result()

    def begin_old_drafts(self) -> Future[list[StoredNote]]:
        """Begin to read the old drafts where they are not known, so that several clinicians' are read side by side."""
        with self._lock:
            if self._drafts is None or self._is_stale(*self._drafts):
                self._drafts = (start(self._read_old_drafts), self._clock.monotonic())
            return self._drafts[0]

    def _is_stale(self, reading: Future[list[StoredNote]], began: float) -> bool:
        if not reading.done():
            return False
        fresh = TROUBLE_FRESH_SECONDS if reading.exception() else DRAFTS_FRESH_SECONDS
        return self._clock.monotonic() - began >= fresh

    def _read_old_drafts(self) -> list[StoredNote]:
        now = self._clock.now()
        practitioner = self._workbench().identity.practitioner()
        notes = self._cliniko.walk_notes(practitioner.practitioner_id, now - DRAFTS_SINCE)
        found = [note for note in notes if _is_old_draft(note, now)]
        return sorted(found, key=lambda note: note.created_at or now)

    # ------------------------------------------------------------ the link

    def is_linked(self) -> bool:
        """Whether the clinician's own Heidi account is linked. Raises `RemoteError`."""
        return self._heidi.is_linked()

    def link_url(self) -> str:
        """Where the clinician links their Heidi account: it holds a live token. Raises `RemoteError`."""
        return self._heidi.link_url()

    def _linked_workbench(self) -> Workbench:
        if not self._heidi.is_known_linked():
            self._heidi.require_linked()
        return self._workbench()


def _is_old_draft(note: StoredNote, now: datetime) -> bool:
    is_ours = reference_in(note.title) is not None
    return is_ours and note.draft and not note.archived and (note.created_at or now) <= now - OLD_DRAFT
