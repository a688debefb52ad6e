"""What a document's note would be now, for a person to look at: the reads and pure functions of a tick, and no more.

A preview holds a patient's words, name and birth date: it goes to the terminal of the person who asked, and nowhere
else.
"""

from dataclasses import dataclass
from functools import cache

from sync_worker.cliniko import ClinikoClient
from sync_worker.errors import ConversionError
from sync_worker.ledger import Ledger
from sync_worker.model import Document, Matched, Note, Patient, PlannedEntry, Session
from sync_worker.prepare import Preparer
from sync_worker.reading import SessionReader
from sync_worker.records import Entry, Reason, Status

NOBODY = ""
"""In place of a patient's id in a note that is only shown."""
SAY_NOTHING_OF_PATIENT = frozenset({Reason.ROUTE, Reason.NOT_CARRIED, Reason.REGENERATED, Reason.LATE_START})
"""Reasons of a plan that are found before the patient is looked for, or after one was found."""


@dataclass(frozen=True, slots=True, repr=False)
class Preview:
    """One document: what a tick would do with it, and the note that it makes now."""

    planned: PlannedEntry
    entry_id: int | None = None
    note_id: str | None = None
    """The note that is filed already."""
    title: str | None = None
    """None where Heidi has the document no more."""
    note: Note | None = None
    """None where the document is gone, or cannot become a note."""
    code: str | None = None
    """Why it cannot: the code of a `ConversionError`."""
    template: str | None = None
    """The name of the practice's template that the note is laid into."""
    characters: int = 0
    """The length of the document in Heidi."""
    patient_id: str | None = None
    patient: Patient | None = None
    """None where Cliniko shows no chart of this id."""
    nobody: Reason | None = None
    """Why there is no patient to file it on."""


class Previewer:
    """Makes previews of one clinician's documents."""

    def __init__(
        self, *, reader: SessionReader, preparer: Preparer, cliniko: ClinikoClient, ledger: Ledger | None
    ) -> None:
        self._reader = reader
        self._preparer = preparer
        self._find_patient = cache(cliniko.find_patient)  # a session's documents are about the same one
        self._ledger = ledger

    def preview(self, planned: PlannedEntry) -> Preview:
        """The note of a document that was planned just before. Raises `RemoteError` and `ConfigurationError`."""
        entry = self._ledger.entries.find(planned.session_id, planned.document_id) if self._ledger else None
        entry_id, note_id = (entry.entry_id, entry.note_id) if entry else (None, None)
        session, document = self._source(planned)
        if session is None or document is None:
            return Preview(planned, entry_id, note_id, patient_id=planned.patient_id)
        patient_id, nobody = self._addressee(session, planned, entry)
        note, code = self._note(session, document, planned, patient_id)
        template = self._preparer.template_for(document) if note is not None else None
        return Preview(
            planned,
            entry_id,
            note_id,
            title=self._preparer.title(session, document),
            note=note,
            code=code,
            template=template.name if template is not None else None,
            characters=len(document.content),
            patient_id=patient_id,
            patient=self._find_patient(patient_id) if patient_id else None,
            nobody=nobody,
        )

    def _source(self, planned: PlannedEntry) -> tuple[Session | None, Document | None]:
        document = self._reader.document(planned.session_id, planned.document_id)
        return (self._reader.session(planned.session_id) if document else None), document

    def _note(
        self, session: Session, document: Document, planned: PlannedEntry, patient_id: str | None
    ) -> tuple[Note | None, str | None]:
        """The note, else why there can be none."""
        if planned.note is not None:
            return planned.note, None
        try:
            return self._preparer.note(session, document, patient_id or NOBODY), None
        except ConversionError as error:
            return None, error.code

    def _addressee(
        self, session: Session, planned: PlannedEntry, entry: Entry | None
    ) -> tuple[str | None, Reason | None]:
        """Whose the note is, or would be; else why nobody's."""
        if planned.note is not None:
            return planned.note.patient_id, None
        if entry is not None and (entry.note_id or entry.status in (Status.POSTING, Status.IN_DOUBT)):
            return entry.patient_id, None
        is_waiting = entry is not None and entry.status is Status.REVIEW  # its reason may be of yesterday
        if planned.action == "review" and planned.reason not in SAY_NOTHING_OF_PATIENT and not is_waiting:
            return None, Reason(planned.reason or "")
        match = self._preparer.patients.patient_for(session, entry)
        return (match.patient_id, None) if isinstance(match, Matched) else (None, match.reason)
