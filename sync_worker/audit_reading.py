"""What an audit reads: one clinician's notes, entries and documents, side by side. Reads only, and keeps no text.

Texts are turned into keyed hashes as they come. Heidi and Cliniko are asked apart from each other: where one of them
does not answer, the other is compared all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from sync_worker import audit, lifecycle
from sync_worker.audit import Filing, Finding, NoteSeen, Scope, SessionSeen
from sync_worker.charts import Charts
from sync_worker.cliniko import ClinikoClient
from sync_worker.convert import canonical_text
from sync_worker.errors import NotAuthorised, RemoteError, Unavailable
from sync_worker.first_look import BEFORE_SESSION
from sync_worker.heidi import HeidiClient
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.ledger.views import Views
from sync_worker.model import ListedSession, StoredNote
from sync_worker.reading import SessionReader
from sync_worker.records import ClinicianState, DocumentSeen, Entry, Trouble
from sync_worker.reference import reference_in, references_in


@dataclass(slots=True)
class Audited:
    """What the audit of one clinician came to. A number is None where its part could not be read."""

    name: str
    documents: int | None = None
    entries: int | None = None
    notes: int | None = None
    finished_differently: int = 0
    archived: int = 0
    error: Trouble | None = None
    findings: list[Finding] = field(default_factory=list)


class Auditor:
    """Audits one clinician. `state` is None where the ledger has never met them."""

    def __init__(
        self,
        *,
        heidi: HeidiClient,
        cliniko: ClinikoClient,
        charts: Charts,
        identity: Identity,
        reader: SessionReader,
        ledger: Ledger,
        state: ClinicianState | None,
        scope: Scope,
    ) -> None:
        self._heidi = heidi
        self._cliniko = cliniko
        self._charts = charts
        self._identity = identity
        self._reader = reader
        self._ledger = ledger
        self._views = Views(ledger.engine)
        self._state = state
        self._clinician_id = state.clinician_id if state else 0
        self._scope = scope

    def run(self, audited: Audited) -> None:
        """Compare all three and write into `audited` what came of it, the trouble of a service included."""
        for part in (self._compare_notes, self._compare_documents):
            try:
                part(audited)
            except RemoteError as error:
                audited.error = audited.error or Trouble(f"{error.service}_{error.code}", error.sentence)

    # ------------------------------------------------------------ the ledger and Cliniko

    def _compare_notes(self, audited: Audited) -> None:
        notes = _Notes(self._notes())  # before the entries: whatever is there by now was an entry first
        judged: set[int] = set()
        for entry, status_since in self._views.entries_since(self._clinician_id, self._scope.since):
            judged.add(entry.entry_id)
            self._judge(self._filing(entry, status_since, notes), audited)
        known: set[str] = set()
        for entry, status_since in self._views.entries_marked(notes.by_reference):
            known.add(entry.reference)
            if entry.entry_id not in judged:  # an older one, or another clinician's
                self._judge(self._filing(entry, status_since, notes), audited)
        since = self._scope.since
        audited.findings += audit.foreign(notes.by_id.values(), known, since)
        audited.entries = len(judged)
        audited.notes = sum(audit.is_ours(note, known, since) for note in notes.by_id.values())

    def _judge(self, filing: Filing, audited: Audited) -> None:
        if filing.entry.clinician_id != self._clinician_id:
            audited.findings += audit.second_authors(filing)
            return
        audited.findings += audit.compare_filing(filing, self._scope)
        audited.finished_differently += audit.is_finished_differently(filing)
        audited.archived += audit.is_archived(filing)

    def _notes(self) -> Iterator[NoteSeen]:
        who = self._identity.practitioner()
        if self._state is not None and self._state.cliniko_practitioner_id not in (None, who.practitioner_id):
            hint = (
                "This Cliniko key belongs to another practitioner than the one under whom this clinician's notes were "
                "filed: put the right clinician's key back."
            )
            raise NotAuthorised("cliniko", "identify", hint=hint, code="another_key")
        for note in self._cliniko.walk_notes(who.practitioner_id, self._scope.since - BEFORE_SESSION):
            yield self._seen(note)

    def _seen(self, note: StoredNote) -> NoteSeen:
        text = canonical_text(note.content)
        return NoteSeen(
            note_id=note.note_id,
            patient_id=note.patient_id,
            draft=note.draft,
            archived=note.archived,
            created_at=note.created_at,
            text_hash=self._ledger.keyed_hash(text),
            references=references_in(note.title) | references_in(text),
            title_reference=reference_in(note.title),
        )

    def _filing(self, entry: Entry, status_since: datetime, notes: "_Notes") -> Filing:
        found = {note.note_id: note for note in notes.of(entry)}
        filing = Filing(
            entry, status_since, self._ledger.amendments.last_text(entry), tuple(found.values()), frozenset()
        )
        is_own = entry.clinician_id == self._clinician_id  # this key may not see another's note
        if is_own and entry.note_id and audit.is_filed(entry) and self._needs_another_look(filing):
            fresh = self._cliniko.find_note(entry.note_id)
            if fresh is not None:
                found[fresh.note_id] = self._seen(fresh)
        filing = replace(filing, notes=tuple(found.values()))
        note = filing.note
        is_elsewhere = note is not None and audit.is_elsewhere(filing, note)
        return replace(filing, charts=self._charts_of(entry.patient_id)) if is_elsewhere else filing

    @staticmethod
    def _needs_another_look(filing: Filing) -> bool:
        """Whether the entry's note is older than the list, or may have been changed by us since it was listed."""
        note = filing.note
        if note is None or note.note_id != filing.entry.note_id:
            return True
        return not note.archived and audit.has_other_text(filing, note)

    def _charts_of(self, patient_id: str | None) -> frozenset[str]:
        """A patient's chart, and every chart into which it was merged."""
        if patient_id is None:
            return frozenset()
        merged = self._charts.with_survivors(self._charts.with_id(patient_id))
        return frozenset({patient_id, *(one.patient_id for one in merged)})

    # ------------------------------------------------------------ Heidi and the ledger

    def _compare_documents(self, audited: Audited) -> None:
        self._heidi.require_linked()
        documents = failures = unread = 0
        for row in self._heidi.walk_sessions():
            try:
                session = self._session(row)
            except NotAuthorised:
                raise
            except RemoteError as error:
                unread, failures = unread + 1, failures + isinstance(error, Unavailable)
                if failures >= lifecycle.FAILURES_IN_A_ROW:
                    raise
                hint = f"Sessions that could not be read in Heidi, and were not compared: {unread}. {error.sentence}"
                audited.error = Trouble(f"{error.service}_{error.code}", hint)
                continue
            failures = 0
            if session is not None:
                documents += len(session.documents)
                entries = self._ledger.entries.of_session(session.session_id)
                audited.findings += audit.compare_session(session, entries, self._scope, self._clinician_id)
        audited.documents = documents

    def _session(self, row: ListedSession) -> SessionSeen | None:
        """A session of the period with its documents; None for an older one, and for one that Heidi has no more."""
        if row.latest is not None and row.latest < self._scope.since:
            return None
        try:
            if row.created_at is None or row.updated_at is None:  # a list row may lack its stamps
                session = self._reader.session(row.session_id)
                if session is None or session.updated_at < self._scope.since:
                    return None
                row = ListedSession(row.session_id, session.created_at, session.updated_at)
            found = self._reader.documents(row.session_id)
        finally:
            self._reader.forget()
        if found is None:
            return None
        hashed = self._ledger.keyed_hash
        documents = [DocumentSeen(one.document_id, hashed(one.content.strip())) for one in found]
        return SessionSeen(row.session_id, row.created_at, row.latest, documents)


class _Notes:
    """A practitioner's notes, to be found by id and by reference: what says the same as ours carries it in its text."""

    def __init__(self, notes: Iterable[NoteSeen]) -> None:
        self.by_id = {note.note_id: note for note in notes}
        self.by_reference: dict[str, list[NoteSeen]] = defaultdict(list)
        for note in self.by_id.values():
            for reference in note.references:
                self.by_reference[reference].append(note)

    def of(self, entry: Entry) -> Iterator[NoteSeen]:
        """Every note that may be the entry's."""
        if entry.note_id in self.by_id:
            yield self.by_id[entry.note_id]
        yield from self.by_reference.get(entry.reference, ())
