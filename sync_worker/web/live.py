"""What a page reads of one clinician's Heidi and Cliniko while somebody waits for it.

Everything here is a patient's data: it goes into the page that was asked for and is kept nowhere, but for the names on
the review list, which are kept in memory for a minute. It only reads. Requests count against the same budget as the
worker's own.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sync_worker.bootstrap import Bench, scope_of
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import canonical_text
from sync_worker.errors import RemoteError
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import Ledger
from sync_worker.model import Candidate, Document, Entry, Hint, MatchOutcome, Patient, Session, StoredNote
from sync_worker.preview import Preview
from sync_worker.settings import Settings

NAMES_FRESH_SECONDS = 60.0
MOST_NAMES = 512
NAMES_AT_ONCE = 6
DRAFTS_FRESH_SECONDS = 600.0
DRAFTS_SINCE = timedelta(days=30)
OLD_DRAFT = timedelta(days=3)
BEFORE_ATTEMPT = timedelta(hours=24)


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
        bench: Callable[[], Bench],
        ledger: Ledger,
        settings: Settings,
        clock: Clock,
    ) -> None:
        """`bench` makes a new one for each page, since a bench remembers what it read."""
        self._heidi = heidi
        self._cliniko = cliniko
        self._bench = bench
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._hints: dict[str, tuple[Hint | None, float]] = {}
        self._drafts: tuple[list[StoredNote], float] | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self._heidi.close()
        self._cliniko.close()

    # ------------------------------------------------------------ whose it is

    def whom(self, entry: Entry) -> Whom:
        """Whom the entry's session names, and which charts that may be. Raises `RemoteError`."""
        bench = self._linked_bench()
        session = bench.reader.session(entry.session_id)
        if session is None:
            return Whom(None)
        outcome, charts = bench.patients.look(session)
        return Whom(session, outcome.candidates, {chart.patient_id: chart for chart in charts})

    def search(self, entry: Entry, name: str, birth_date: date | None) -> tuple[MatchOutcome, list[Patient]]:
        """The charts of a person's own search, beside what the entry's session says. Raises `RemoteError`."""
        bench = self._linked_bench()
        charts = bench.patients.search(name, birth_date)
        session = bench.reader.session(entry.session_id)
        hint = session.hint if session is not None else Hint("")
        return bench.patients.compare(hint, charts), charts

    def patient(self, patient_id: str) -> Patient | None:
        """A chart by its id, archived ones included. Raises `RemoteError`."""
        return self._cliniko.find_patient(patient_id)

    def hints(self, session_ids: Sequence[str]) -> dict[str, Hint]:
        """Whom these sessions name, as far as Heidi tells within a reasonable time: what it does not is left out."""
        with ThreadPoolExecutor(NAMES_AT_ONCE) as pool:
            found = zip(session_ids, pool.map(self._hint, session_ids), strict=True)
            return {session_id: hint for session_id, hint in found if hint is not None}

    def _hint(self, session_id: str) -> Hint | None:
        with self._lock:
            known, until = self._hints.get(session_id, (None, 0.0))
        if self._clock.monotonic() < until:
            return known
        try:
            session = self._heidi.find_session(session_id)
        except RemoteError:
            return None
        hint = session.hint if session is not None else None
        with self._lock:
            if len(self._hints) >= MOST_NAMES:
                self._hints.clear()
            self._hints[session_id] = (hint, self._clock.monotonic() + NAMES_FRESH_SECONDS)
        return hint

    # ------------------------------------------------------------ what it says

    def words(self, entry: Entry) -> Words:
        """The document, and the note that it makes now. Raises `RemoteError` and `ConfigurationError`."""
        bench = self._linked_bench()
        document = bench.reader.document(entry.session_id, entry.document_id)
        if document is None:
            return Words(None, None)
        scope = scope_of(self._settings, bench.state, bench.identity, None, self._clock.now())
        return Words(document, bench.previewer.preview(bench.planner(scope).plan_entry(entry)))

    # ------------------------------------------------------------ notes that are there

    def note(self, note_id: str) -> StoredNote | None:
        """A note by its id; None if this clinician's key sees none. Raises `RemoteError`."""
        return self._cliniko.find_note(note_id)

    def notes_like(self, entry: Entry, since: datetime) -> list[StoredNote]:
        """The author's notes that carry the entry's reference. Raises `RemoteError`."""
        mark = f"ref {entry.reference}"
        practitioner = self._bench().identity.practitioner()
        notes = self._cliniko.walk_notes(practitioner.practitioner_id, since - BEFORE_ATTEMPT)
        return [note for note in notes if mark in note.title or mark in canonical_text(note.content)]

    def old_drafts(self) -> list[StoredNote]:
        """Our notes that are drafts still after three days, oldest first; read at most every ten minutes.

        Raises `RemoteError`.
        """
        with self._lock:
            if self._drafts is not None and self._clock.monotonic() < self._drafts[1]:
                return self._drafts[0]
        now = self._clock.now()
        practitioner = self._bench().identity.practitioner()
        notes = self._cliniko.walk_notes(practitioner.practitioner_id, now - DRAFTS_SINCE)
        found = [note for note in notes if _is_old_draft(note, now)]
        found = sorted(found, key=lambda note: note.created_at or now)
        with self._lock:
            self._drafts = (found, self._clock.monotonic() + DRAFTS_FRESH_SECONDS)
        return found

    # ------------------------------------------------------------ the link

    def is_linked(self) -> bool:
        """Whether the clinician's own Heidi account is linked. Raises `RemoteError`."""
        return self._heidi.is_linked()

    def link_url(self) -> str:
        """Where the clinician links their Heidi account: it holds a live token. Raises `RemoteError`."""
        return self._heidi.link_url()

    def _linked_bench(self) -> Bench:
        if not self._heidi.is_known_linked():
            self._heidi.require_linked()
        return self._bench()


def _is_old_draft(note: StoredNote, now: datetime) -> bool:
    is_ours = "ref " in note.title
    return is_ours and note.draft and not note.archived and (note.created_at or now) <= now - OLD_DRAFT
