"""Ends doubt by looking: is the note of which nobody knows whether it was made among the author's notes?

A complete look reads every note that the author wrote since a day before the attempt, archived ones included, and knows
ours by its reference, else by its text. Two looks that find nothing allow one more request; nothing here sends one.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sync_worker import lifecycle
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import canonical_text, reference_of
from sync_worker.errors import EntryMoved, NotAuthorised
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.lifecycle import LookTimes
from sync_worker.logs import get_logger
from sync_worker.model import Attempt, Entry, Lease, Reason, Status, StoredNote, Tally

log = get_logger()

BEFORE_ATTEMPT = timedelta(hours=24)
"""How far before an attempt a look begins: neither clock need be right."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An entry in doubt, the attempt that put it there, and how many of its attempts ended so."""

    entry: Entry
    attempt: Attempt
    attempts_in_doubt: int


class DoubtResolver:
    """Looks for one clinician's notes in doubt."""

    def __init__(
        self, *, cliniko: ClinikoClient, identity: Identity, ledger: Ledger, looks: LookTimes, clock: Clock
    ) -> None:
        self._cliniko = cliniko
        self._identity = identity
        self._ledger = ledger
        self._looks = looks
        self._clock = clock

    def resolve(self, lease: Lease, tally: Tally) -> None:
        """Look once for every doubt that is due; what a dead worker left open is a doubt too.

        Raises `RemoteError` if the look failed, which then was none. A refused key puts the doubts before a person:
        nothing may be sent until somebody with a working key has looked.
        """
        now = self._clock.now()
        if left := self._ledger.attempts.doubt_abandoned(lease, now=now, looks=self._looks):
            log.warning("attempt.abandoned", count=left)
        due = self._ledger.entries.due(lease.clinician_id, Status.IN_DOUBT, now)
        doubts = [Doubt(entry, *self._ledger.attempts.doubtful(entry)) for entry in due]
        if not doubts:
            return
        try:
            notes = self._authors_notes(doubts)
        except NotAuthorised:
            for doubt in doubts:
                with suppress(EntryMoved):
                    self._ledger.entries.hold_for_review(lease, doubt.entry, Reason.DOUBT_KEY_GONE, now=now)
                    tally.review += 1
            raise
        for doubt in doubts:
            with suppress(EntryMoved):  # a person ended this one meanwhile
                self._look(lease, doubt, notes, tally)

    def _authors_notes(self, doubts: list[Doubt]) -> list[StoredNote]:
        since = min(doubt.attempt.started_at for doubt in doubts) - BEFORE_ATTEMPT
        return self._cliniko.notes_of(self._identity.practitioner().practitioner_id, since)

    def _look(self, lease: Lease, doubt: Doubt, notes: list[StoredNote], tally: Tally) -> None:
        found = self._found(doubt, notes)
        looks = doubt.attempt.looks + 1
        settlement = lifecycle.after_look(found, looks=looks, attempts_in_doubt=doubt.attempts_in_doubt)
        now = self._clock.now()
        ended_at = doubt.attempt.ended_at or now
        due_at = now if settlement else self._looks.next_look(ended_at=ended_at, looks=looks)
        self._ledger.attempts.record_look(lease, doubt.entry, doubt.attempt, settlement, now=now, due_at=due_at)
        status = settlement.to if settlement else Status.IN_DOUBT
        tally.posted += status is Status.POSTED
        tally.review += status is Status.REVIEW
        log.info(
            "doubt.looked",
            entry=doubt.entry.entry_id,
            attempt=doubt.attempt.number,
            count=len(found),
            looks=looks,
            status=status,
            note_id=settlement.note_id if settlement else None,
        )

    def _found(self, doubt: Doubt, notes: list[StoredNote]) -> list[str]:
        """Our notes among the author's, in whatever state they are; those of other attempts excluded."""
        reference = reference_of(
            region=self._ledger.region, session_id=doubt.entry.session_id, document_id=doubt.entry.document_id
        )
        ours = [note.note_id for note in notes if self._is_ours(note, reference, doubt.attempt.fingerprint)]
        taken = self._ledger.attempts.notes_of_others(ours, doubt.entry, doubt.attempt)
        return [note_id for note_id in ours if note_id not in taken]

    def _is_ours(self, note: StoredNote, reference: str, fingerprint: bytes) -> bool:
        text = canonical_text(note.content)
        mark = f"ref {reference}"
        return mark in note.title or mark in text or self._ledger.keyed_hash(text) == fingerprint
