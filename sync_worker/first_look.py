"""The look before the first request of a tick: what of ours is in Cliniko already, whatever this ledger knows.

One list of the author's notes since the oldest pending session began. A note that carries the reference of a document
we were about to file is that document's note, so a lost, old or second ledger cannot file anything twice. References
that this ledger does not know, and that are newer than it, are another worker's: posting pauses itself. A note without
any reference that says the same was pasted by hand, and a person is asked.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import canonical_text, document_texts, holds
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.logs import get_logger
from sync_worker.model import Document, StoredNote
from sync_worker.records import Lease, PauseReason
from sync_worker.reference import reference_in, references_in

log = get_logger()

BEFORE_SESSION = timedelta(hours=24)
"""How far before the oldest session the list begins: neither clock need be right."""


class AuthorsNotes:
    """The notes of one author, archived ones included, by what ties them to documents of ours."""

    def __init__(self, notes: Iterable[StoredNote]) -> None:
        self._marked: dict[str, list[StoredNote]] = defaultdict(list)
        self._unmarked: list[StoredNote] = []
        for note in notes:
            references = references_in(note.title) | references_in(canonical_text(note.content))
            for reference in references:
                self._marked[reference].append(note)
            if not references and not note.archived:
                self._unmarked.append(note)

    def marked(self, reference: str) -> list[StoredNote]:
        """Those that carry a document's reference."""
        return self._marked.get(reference, [])

    def has_by_hand(self, patient_id: str, document: Document) -> bool:
        """Whether the patient has a live one without any reference of ours that says what this document does.

        Raises `ConversionError` where the document cannot be read.
        """
        theirs = [stored for stored in self._unmarked if stored.patient_id == patient_id]
        texts = document_texts(document) if theirs else []
        return any(holds(stored.content, texts) for stored in theirs)


class FirstLook:
    """One clinician's look. Reads Cliniko at most once a tick; `forget` ends the tick."""

    def __init__(self, *, cliniko: ClinikoClient, identity: Identity, ledger: Ledger, clock: Clock) -> None:
        self._cliniko = cliniko
        self._identity = identity
        self._ledger = ledger
        self._clock = clock
        self._notes: AuthorsNotes | None = None
        self._reaches_to: datetime | None = None

    def forget(self) -> None:
        """The tick is over: the next one looks again."""
        self._notes = None

    def is_new(self, reference: str) -> bool:
        """Whether the notes were read in this tick and do not hold this reference."""
        return self._notes is not None and not self._notes.marked(reference)

    def notes(self, lease: Lease, *, since: datetime) -> AuthorsNotes:
        """The author's notes since a day before the oldest session of which something is pending.

        Looks again where that is younger than `since`, when the session began whose document is to be filed.

        Raises `RemoteError` if the list cannot be read whole: then nothing may be sent.
        """
        if self._notes is None or self._reaches_to is None or since < self._reaches_to:
            oldest = self._ledger.entries.oldest_pending(lease.clinician_id) or self._clock.now()
            self._reaches_to = min(oldest, since)
            author = self._identity.practitioner().practitioner_id
            found = self._cliniko.notes_of(author, self._reaches_to - BEFORE_SESSION)
            self._beware_of_others(lease, found)
            self._notes = AuthorsNotes(found)
        return self._notes

    def _beware_of_others(self, lease: Lease, notes: Sequence[StoredNote]) -> None:
        """Pause where Cliniko holds notes of ours that are younger than this ledger and that it does not know."""
        alone_since = self._ledger.clinicians.alone_since(lease.clinician_id)
        young = {
            reference
            for note in notes
            if (reference := reference_in(note.title)) and note.created_at is not None and note.created_at > alone_since
        }
        unknown = self._ledger.entries.unknown_references(young) if young else set()
        if not unknown or self._ledger.clinicians.is_paused(lease.clinician_id):
            return
        log.error("alarm.another_worker", count=len(unknown))
        details = {"references": sorted(unknown)[:20], "count": len(unknown)}
        self._ledger.clinicians.pause_itself(lease, PauseReason.ANOTHER_WORKER, self._clock.now(), details)
