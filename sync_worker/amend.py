"""Amends notes that are filed: brings our own untouched draft up to its document, or takes it back for a person.

A note is touched as soon as anything of it differs from how we left it: then a person does it by hand. Each request
stands between two commits and is never repeated on a guess; its doubt ends by reading the very note.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_worker import lifecycle
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import canonical_text
from sync_worker.errors import (
    ConversionError,
    EntryMoved,
    LeaseLost,
    LedgerUnavailable,
    NotAuthorised,
    Stopping,
    Unavailable,
)
from sync_worker.ledger import Ledger
from sync_worker.ledger.amendments import Newest
from sync_worker.ledger.leases import Leases
from sync_worker.lifecycle import LookTimes
from sync_worker.logs import get_logger
from sync_worker.model import (
    Accepted,
    AmendOutcome,
    Archived,
    InDoubt,
    KeyTrouble,
    NoteContent,
    NotSent,
    Refused,
    Revisions,
    Session,
    StoredNote,
)
from sync_worker.prepare import Preparer
from sync_worker.reading import SessionReader, hint_seen
from sync_worker.records import Attempt, AttemptKind, Entry, HintSeen, Lease, Reason, Status, Tally, Wish

log = get_logger()


@dataclass(frozen=True, slots=True)
class Amender:
    """Carries out what is wished of one clinician's filed notes."""

    cliniko: ClinikoClient
    ledger: Ledger
    leases: Leases
    reader: SessionReader
    preparer: Preparer
    looks: LookTimes
    clock: Clock
    settle: timedelta
    revisions: Revisions

    def run(self, lease: Lease, tally: Tally, note_error: Callable[[Exception], None]) -> None:
        """Amend what is due, withdrawals first. What keeps one note from it is told and stops no other one.

        Where several in a row get no answer, the others wait for the next tick, and go first then.
        Raises `NotAuthorised` for a refused key, and what the ledger and the lease raise.
        """
        failures = 0
        due = self.ledger.entries.wished(lease.clinician_id, self.clock.now())
        for entry in sorted(due, key=lambda one: one.wish is not Wish.WITHDRAW):
            self.clock.check_stop()
            try:
                self._amend(lease, entry, tally)
                failures = 0
            except EntryMoved:
                continue  # a person was faster
            except (NotAuthorised, LedgerUnavailable, LeaseLost, Stopping):
                raise
            except Unavailable as error:
                note_error(error)
                due_at = self.clock.now() + lifecycle.postponement(failures=0)
                self.ledger.entries.postpone(lease, entry, due_at=due_at, failures=entry.failures)
                failures += 1
                if failures >= lifecycle.FAILURES_IN_A_ROW:
                    return
            except Exception as error:
                note_error(error)
                log.exception("entry.failed", entry=entry.entry_id)

    def _amend(self, lease: Lease, entry: Entry, tally: Tally) -> None:
        match entry.wish:
            case Wish.WITHDRAW:
                self._withdraw(lease, entry, tally)
            case Wish.RECHECK:
                self._recheck(lease, entry, tally)
            case Wish.UPDATE | Wish.UPDATE_ASKED:
                self._update(lease, entry, tally)

    # ------------------------------------------------------------ the three wishes

    def _withdraw(self, lease: Lease, entry: Entry, tally: Tally) -> None:
        newest, note = self.ledger.amendments.newest(entry, AttemptKind.ARCHIVE), self._note_of(entry)
        if note is not None and note.archived:
            attempt = newest.attempt if newest is not None else None
            self.ledger.amendments.amended(lease, entry, attempt, now=self.clock.now(), note_updated_at=None)
            return
        update = self.ledger.amendments.newest(entry, AttemptKind.UPDATE)
        is_updated = note is not None and update is not None and self._says(note, update.attempt)
        if note is None or not (is_updated or is_untouched(self.ledger, entry, note)):
            self._hold(lease, entry, Reason.TOUCHED, tally)
            return
        if newest is not None and not self._is_surely_not_done(lease, entry, newest, tally):
            return
        if attempt := self._begin(lease, entry, AttemptKind.ARCHIVE, canonical_text(note.content)):
            outcome = self.cliniko.archive_treatment_note(note.note_id, self.leases.guard(lease, self.clock))
            self._settle(lease, entry, attempt, outcome, "", tally)

    def _recheck(self, lease: Lease, entry: Entry, tally: Tally) -> None:
        """The session names its patient otherwise than when the note was filed: is that another person?"""
        session = self.reader.session(entry.session_id)
        if session is None:
            self.ledger.entries.change_wish(lease, entry, None, now=self.clock.now())
            return
        named = hint_seen(self.ledger, session)
        is_adopted = self.ledger.amendments.last_text(entry) is None
        question: Reason | None = None
        if not self.preparer.patients.is_about(session, entry.patient_id or ""):
            question = Reason.PATIENT_CHANGED
        elif is_adopted and self._says_other_than_its_document(entry, session):
            question = Reason.REVISED
        if question is not None:  # in one step with the wish's end: who died between the two would never ask
            self._hold(lease, entry, question, tally, hint=named)
            return
        # where the document changed as well; an adopted note was just compared, and is not ours to update
        may_update = self.revisions is Revisions.UPDATE_DRAFT and not is_adopted
        following = Wish.UPDATE if may_update else None
        self.ledger.entries.change_wish(lease, entry, following, now=self.clock.now(), hint=named)

    def _says_other_than_its_document(self, entry: Entry, session: Session) -> bool:
        """Whether a draft that another ledger's worker filed says something else than its document does.

        Which of the two was changed, nobody can tell any more. A note that the clinician has finalised is theirs.
        """
        document, note = self.reader.document(entry.session_id, entry.document_id), self._note_of(entry)
        if document is None or note is None or note.archived or not note.draft:
            return False
        try:
            return canonical_text(note.content) != canonical_text(self.preparer.render(session, document))
        except ConversionError:
            return True

    def _update(self, lease: Lease, entry: Entry, tally: Tally) -> None:
        newest = self.ledger.amendments.newest(entry, AttemptKind.UPDATE)
        if self.ledger.clinicians.is_paused(lease.clinician_id):
            return
        note = self._note_of(entry)
        if newest is not None and note is not None and self._says(note, newest.attempt):
            # its doubt is over; the document may have changed again, so the wish stays for the next tick
            self.ledger.amendments.amended(
                lease, entry, newest.attempt, now=self.clock.now(), note_updated_at=note.updated_at, keep_wish=True
            )
            return
        if note is None or not is_untouched(self.ledger, entry, note):
            self._hold(lease, entry, Reason.REVISED, tally)
            return
        if newest is not None and not self._is_surely_not_done(lease, entry, newest, tally):
            return
        meant = self._meant(lease, entry, tally)
        if meant is None:
            return
        text = canonical_text(meant)
        if canonical_text(note.content) == text:
            now = self.clock.now()
            self.ledger.amendments.amended(lease, entry, None, now=now, note_updated_at=note.updated_at)
        elif attempt := self._begin(lease, entry, AttemptKind.UPDATE, text):
            guard = self.leases.guard(lease, self.clock)
            outcome = self.cliniko.update_treatment_note(note.note_id, meant, guard)
            self._settle(lease, entry, attempt, outcome, text, tally)

    def _meant(self, lease: Lease, entry: Entry, tally: Tally) -> NoteContent | None:
        """What the note should say now; None if there is nothing to say, or not yet."""
        document = self.reader.document(entry.session_id, entry.document_id)
        session = self.reader.session(entry.session_id) if document is not None else None
        now = self.clock.now()
        if document is None or session is None:
            self.ledger.entries.change_wish(lease, entry, None, now=now)  # gone from Heidi: its note stays as it is
            return None
        may_update = entry.wish is Wish.UPDATE_ASKED or self.revisions is Revisions.UPDATE_DRAFT
        if not may_update or entry.status is not Status.POSTED:
            self._hold(lease, entry, Reason.REVISED, tally)
            return None
        named = hint_seen(self.ledger, session)
        if named.hint_hash != entry.hint_hash and not self._is_still_theirs(lease, entry, session, named, tally):
            return None  # perhaps another patient's words
        read_at = self.reader.read_at(entry.session_id)
        text_hash = self.ledger.keyed_hash(document.content.strip())
        if text_hash != entry.text_hash:
            self.ledger.entries.restart_settling(lease, entry, text_hash, read_at=read_at)
            return None
        if not lifecycle.is_finished(text_since=entry.text_since, read_at=read_at, settle=self.settle):
            return None
        try:
            return self.preparer.render(session, document)
        except ConversionError:
            self._hold(lease, entry, Reason.REVISED, tally)
            return None

    def _is_still_theirs(self, lease: Lease, entry: Entry, session: Session, named: HintSeen, tally: Tally) -> bool:
        """Whether a session that names its patient otherwise is the same one's; a person who asked is told if not."""
        if entry.wish is not Wish.UPDATE_ASKED:
            self.ledger.entries.change_wish(lease, entry, Wish.RECHECK, now=self.clock.now())
            return False
        if self.preparer.patients.is_about(session, entry.patient_id or ""):
            return True
        self._hold(lease, entry, Reason.PATIENT_CHANGED, tally, hint=named)
        return False

    # ------------------------------------------------------------ the request and its end

    def _begin(self, lease: Lease, entry: Entry, kind: AttemptKind, text: str) -> Attempt | None:
        self.cliniko.wait_for_turn()
        self.clock.check_stop()
        hashed, now = self.ledger.keyed_hash(text), self.clock.now()
        return self.ledger.amendments.begin(lease, entry, kind, fingerprint=hashed, now=now)  # commit 1

    def _settle(
        self, lease: Lease, entry: Entry, attempt: Attempt, outcome: AmendOutcome, text: str, tally: Tally
    ) -> None:
        now = self.clock.now()
        log.info(
            "note.amended",
            entry=entry.entry_id,
            attempt=attempt.number,
            kind=attempt.kind,
            note_id=entry.note_id,
            code=getattr(outcome, "code", None),
        )
        match outcome:
            case Archived():
                self.ledger.amendments.amended(lease, entry, attempt, now=now, note_updated_at=None)  # commit 2
            case Accepted(note) if canonical_text(note.content) == text:
                self.ledger.amendments.amended(lease, entry, attempt, now=now, note_updated_at=note.updated_at)
            case Accepted():
                self._end(lease, attempt, "accepted", "content_changed", now)
                self._hold(lease, entry, Reason.CONTENT_CHANGED, tally)
            case Refused(status):
                self._end(lease, attempt, "refused", f"http_{status}", now)
                self._hold(lease, entry, _by_hand(entry), tally)
            case KeyTrouble(403):  # the user may not do this; that stops no other document
                self._end(lease, attempt, "refused", "http_403", now)
                self._hold(lease, entry, _by_hand(entry), tally)
            case KeyTrouble(status):
                self._end(lease, attempt, "key_trouble", f"http_{status}", now)
                raise self.cliniko.refusal(status, f"{attempt.kind}_note")
            case InDoubt(code):
                self._end(lease, attempt, "in_doubt", code, self.looks.next_look(ended_at=now, looks=0))
            case NotSent(code):
                self._end(lease, attempt, "not_sent", code, now)
                if code == "stopping":
                    raise Stopping
                if code == "lease_lost":
                    raise LeaseLost
                hint = "Cliniko did not take a change of a note: it is tried again."
                raise Unavailable("cliniko", f"{attempt.kind}_note", hint=hint)

    def _end(self, lease: Lease, attempt: Attempt, outcome: str, code: str, due_at: datetime) -> None:
        now = self.clock.now()
        self.ledger.amendments.end_without_success(lease, attempt, outcome, code, now=now, due_at=due_at)

    # ------------------------------------------------------------ doubt

    def _is_surely_not_done(self, lease: Lease, entry: Entry, newest: Newest, tally: Tally) -> bool:
        """The note is as it was before a try that ended in doubt. True once the try may be repeated."""
        now, attempt = self.clock.now(), newest.attempt
        if attempt.ended_at is None:  # a dead worker's
            self._end(lease, attempt, "in_doubt", "abandoned", self.looks.next_look(ended_at=now, looks=0))
            return False
        looks = attempt.looks + 1
        due_at = now if looks > 1 else self.looks.next_look(ended_at=attempt.ended_at, looks=looks)
        self.ledger.amendments.record_look(lease, attempt, due_at=due_at)
        if looks < 2:
            return False
        if newest.doubts >= lifecycle.MOST_ATTEMPTS_IN_DOUBT:
            self._hold(lease, entry, _by_hand(entry), tally)
            return False
        return True

    def _says(self, note: StoredNote, attempt: Attempt) -> bool:
        """Whether the note is a live draft that says what the attempt meant."""
        is_ours = self.ledger.keyed_hash(canonical_text(note.content)) == attempt.fingerprint
        return is_ours and note.draft and not note.archived

    def _note_of(self, entry: Entry) -> StoredNote | None:
        return self.cliniko.find_note(entry.note_id) if entry.note_id else None

    def _hold(self, lease: Lease, entry: Entry, reason: Reason, tally: Tally, *, hint: HintSeen | None = None) -> None:
        self.ledger.entries.hold_for_review(lease, entry, reason, now=self.clock.now(), hint=hint)
        tally.review += 1
        log.info("entry.held", entry=entry.entry_id, reason=reason)


def is_untouched(ledger: Ledger, entry: Entry, note: StoredNote) -> bool:
    """Whether a note is exactly as we left it: a live draft, with our text, and Cliniko's stamp of that moment."""
    left = ledger.amendments.last_text(entry)
    return (
        note.draft
        and not note.archived
        and entry.note_updated_at is not None
        and note.updated_at == entry.note_updated_at
        and ledger.keyed_hash(canonical_text(note.content)) == left
    )


def _by_hand(entry: Entry) -> Reason:
    return Reason.TOUCHED if entry.wish is Wish.WITHDRAW else Reason.REVISED
