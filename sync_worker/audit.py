"""The audit: where Heidi, the ledger and Cliniko do not say the same. Pure: what was read goes in, findings come out.

A note is known by its id, or by the reference in its title or its text; a copy of our text carries that too. What a
clinician does with a note is theirs: finishing it with other words, or archiving it, is counted and is no finding. A
finding tells ids, and what to do; never a value and no text.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sync_worker.model import Revisions
from sync_worker.records import Backfill, DocumentSeen, Entry, Status

STUCK_AFTER = timedelta(minutes=15)
"""No request takes so long, and two looks at the usual times have ended a doubt by then."""


class Code(StrEnum):
    """What is off."""

    MISSING = "missing"
    """A document of which the ledger, or a note of which Cliniko knows nothing; or one that got stuck on its way."""
    DUPLICATE = "duplicate"
    """More than one live note of one document."""
    CHANGED = "changed"
    """Two of the three say different things, or the note is on a patient for whom it was not meant."""
    FOREIGN = "foreign"
    """A note of this program that this ledger did not file."""
    BROKEN_CHAIN = "broken_chain"
    """Somebody changed the ledger past this program."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is off, by ids alone, and what to do about it."""

    code: Code
    hint: str
    entry: int | None = None
    session_id: str | None = None
    document_id: str | None = None
    note_id: str | None = None


@dataclass(frozen=True, slots=True)
class NoteSeen:
    """A note as Cliniko showed it; of its text only a keyed hash and the references that stand in it."""

    note_id: str
    patient_id: str | None
    draft: bool
    archived: bool
    created_at: datetime | None
    text_hash: bytes
    references: frozenset[str]
    title_reference: str | None
    """The reference with which its title ends: only this program ends titles so."""


@dataclass(frozen=True, slots=True)
class Filing:
    """An entry, and everything that may be its note."""

    entry: Entry
    status_since: datetime
    left: bytes | None
    """Keyed hash of what its note said when we left it; None where we did not write it."""
    notes: Sequence[NoteSeen]
    charts: frozenset[str]
    """The patient for whom it was filed, and every chart into which that one was merged."""

    @property
    def note(self) -> NoteSeen | None:
        """Its note: the one whose id the ledger holds, else one that carries its reference, a live one first."""
        by_id = [note for note in self.notes if note.note_id == self.entry.note_id]
        return next(iter([*by_id, *self.live, *self.notes]), None)

    @property
    def live(self) -> list[NoteSeen]:
        """Those that nobody archived."""
        return [note for note in self.notes if not note.archived]


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """A session of Heidi's list, and its documents that have words."""

    session_id: str
    created_at: datetime | None
    latest: datetime | None
    documents: Sequence[DocumentSeen]


@dataclass(frozen=True, slots=True)
class Scope:
    """What the audit goes by."""

    now: datetime
    since: datetime
    start_at: datetime
    """From when on sessions are this clinician's business."""
    backfills: Sequence[Backfill]
    rest: timedelta
    """How long after its last change a session must have been taken in."""
    revisions: Revisions

    def includes(self, session: SessionSeen) -> bool:
        """Whether the session's documents ought to be entries by now."""
        if session.latest is None or session.created_at is None or session.latest > self.now - self.rest:
            return False
        created_at = session.created_at
        wanted = any(one.covers(created_at) for one in self.backfills if one.walked_at is not None)
        return wanted or created_at >= self.start_at


# ---------------------------------------------------------------- Heidi and the ledger


def compare_session(
    session: SessionSeen, entries: Iterable[Entry], scope: Scope, clinician_id: int
) -> Iterator[Finding]:
    """A session's documents against its entries: what the ledger does not know, or knows otherwise."""
    if session.latest is None or session.latest > scope.now - scope.rest:
        return  # still on its way
    known = {entry.document_id: entry for entry in entries}
    for document in session.documents:
        entry = known.get(document.document_id)
        if entry is not None:
            if entry.clinician_id == clinician_id and _is_unnoticed_revision(document, entry, scope):
                yield _about(Code.CHANGED, entry, UNNOTICED_REVISION)
        elif scope.includes(session):
            ids = (session.session_id, document.document_id)
            yield Finding(Code.MISSING, UNKNOWN_DOCUMENT, None, *ids)


def _is_unnoticed_revision(document: DocumentSeen, entry: Entry, scope: Scope) -> bool:
    return (
        scope.revisions is not Revisions.IGNORE
        and entry.status is Status.POSTED
        and entry.wish is None
        and document.text_hash != entry.text_hash
    )


# ---------------------------------------------------------------- the ledger and Cliniko


def compare_filing(filing: Filing, scope: Scope) -> Iterator[Finding]:
    """An entry against what Cliniko holds of it."""
    entry = filing.entry
    if entry.status in (Status.POSTING, Status.IN_DOUBT) and scope.now - filing.status_since > STUCK_AFTER:
        yield _about(Code.MISSING, entry, STUCK.format(entry=entry.entry_id))
    yield from duplicates(filing)
    if entry.status is Status.SKIPPED:
        for made in filing.live:
            if made.title_reference == entry.reference:
                yield _about(Code.FOREIGN, entry, LEFT_UNFILED.format(entry=entry.entry_id), made.note_id)
    if not is_filed(entry):
        return
    note = filing.note
    if note is None:
        yield _about(Code.MISSING, entry, NO_NOTE.format(note=entry.note_id))
    elif not note.archived:
        if note.draft and has_other_text(filing, note):
            yield _about(Code.CHANGED, entry, OTHER_TEXT, note.note_id)
        if is_elsewhere(filing, note):
            hint = OTHER_PATIENT.format(there=note.patient_id, meant=entry.patient_id)
            yield _about(Code.CHANGED, entry, hint, note.note_id)


def duplicates(filing: Filing) -> Iterator[Finding]:
    """Every live note of one document but the one that is to stay."""
    stays = filing.note
    if stays is None or stays.archived:
        stays = next(iter(filing.live), None)
    for note in filing.live:
        if stays is not None and note.note_id != stays.note_id:
            yield _about(Code.DUPLICATE, filing.entry, TWO_NOTES.format(first=stays.note_id), note.note_id)


def second_authors(filing: Filing) -> Iterator[Finding]:
    """Every live note of a document that another clinician's note is made of."""
    for note in filing.live:
        if is_filed(filing.entry) and note.note_id != filing.entry.note_id:
            yield _about(Code.DUPLICATE, filing.entry, TWO_NOTES.format(first=filing.entry.note_id), note.note_id)


def is_filed(entry: Entry) -> bool:
    """Whether the ledger says that the entry's note is in Cliniko; one that was put before a person after it counts."""
    return entry.note_id is not None and entry.status in (Status.POSTED, Status.REVIEW)


def has_other_text(filing: Filing, note: NoteSeen) -> bool:
    """Whether a note says something else than what we left, as far as we know; not while we are about to change it."""
    return filing.left is not None and filing.entry.wish is None and note.text_hash != filing.left


def is_elsewhere(filing: Filing, note: NoteSeen) -> bool:
    """Whether a note is on a chart for which it was not meant."""
    return None not in (note.patient_id, filing.entry.patient_id) and note.patient_id not in filing.charts


def is_archived(filing: Filing) -> bool:
    """Whether somebody archived the note of an entry that we did not take back."""
    return is_filed(filing.entry) and filing.note is not None and filing.note.archived


def is_finished_differently(filing: Filing) -> bool:
    """Whether the clinician finished the note with words of their own."""
    note = filing.note
    if note is None or note.archived or note.draft:
        return False
    return is_filed(filing.entry) and has_other_text(filing, note)


# ---------------------------------------------------------------- Cliniko and the ledger


def is_ours(note: NoteSeen, known: set[str], since: datetime) -> bool:
    """Whether a live note of the period carries our mark."""
    return (
        not note.archived
        and (note.created_at is None or note.created_at >= since)
        and (note.title_reference is not None or bool(note.references & known))
    )


def foreign(notes: Iterable[NoteSeen], known: set[str], since: datetime) -> Iterator[Finding]:
    """The live notes of the period that this program made, but not by this ledger, which knows these references."""
    for note in notes:
        if note.title_reference is not None and note.title_reference not in known and is_ours(note, known, since):
            yield Finding(Code.FOREIGN, UNKNOWN_REFERENCE.format(reference=note.title_reference), note_id=note.note_id)


def broken_chain(number: int) -> Finding:
    """A trail that does not hold."""
    return Finding(Code.BROKEN_CHAIN, BROKEN.format(number=number))


def _about(code: Code, entry: Entry, hint: str, note_id: str | None = None) -> Finding:
    return Finding(code, hint, entry.entry_id, entry.session_id, entry.document_id, note_id or entry.note_id)


# ---------------------------------------------------------------- what to do

UNKNOWN_DOCUMENT = (
    "Heidi has this document and the ledger knows nothing of it. Run `sync-worker once`, then `audit` again; if it is "
    "older than the look-back, `sync-worker backfill --since DATE` takes it in."
)
UNNOTICED_REVISION = (
    "The document was changed in Heidi after its note was filed, and nobody was told. The nightly walk takes it up; "
    "if it is still here tomorrow, bring the note up to date by hand."
)
STUCK = (
    "Its request was never ended. Start the worker: it looks whether the note is there. If that does not end it, look "
    "in Cliniko, then `sync-worker review resolve {entry}`."
)
NO_NOTE = (
    "The ledger says that note {note} was filed, and Cliniko does not show it to this clinician's key. Look on the "
    "patient's chart, and who removed it; if the note is gone, copy the document by hand."
)
TWO_NOTES = "Note {first} is this document's note, and here is another. Compare the two and archive one in Cliniko."
OTHER_TEXT = (
    "The draft does not say what was filed. If its clinician edited it, finishing it ends this; if not, compare it "
    "with the document and mend it by hand."
)
OTHER_PATIENT = (
    "The note is on patient {there} and was filed for patient {meant}, and these were not merged. Look whose it is; if "
    "somebody moved it by mistake, mend it in Cliniko."
)
LEFT_UNFILED = (
    "This program made the note, but this ledger left entry {entry} unfiled. Look whether the ledger was begun anew: "
    "whether its disk is there, and DATABASE_URL names the right one."
)
UNKNOWN_REFERENCE = (
    "This program made the note (ref {reference}), but this ledger did not. Look whether a second worker runs, or "
    "whether the ledger is an old copy or was begun anew."
)
BROKEN = (
    "The audit trail does not hold from step {number} on: somebody changed the ledger past this program. Find out who "
    "may write to it, and compare it with a backup by `sync-worker log --csv`."
)
