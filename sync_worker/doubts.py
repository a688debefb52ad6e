"""Ends doubt by looking: is the note of which nobody knows whether it was made among the author's notes?

A complete look reads every note that the author wrote since a day before the attempt, archived ones included, and knows
ours by its reference, else by its text. Two looks that find nothing allow one more request; nothing here sends one.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_worker import lifecycle
from sync_worker.cliniko import ClinikoClient
from sync_worker.clock import Clock
from sync_worker.convert import canonical_text
from sync_worker.errors import EntryMoved, NotAuthorised
from sync_worker.identity import Identity
from sync_worker.ledger import Ledger
from sync_worker.lifecycle import LookTimes
from sync_worker.logs import get_logger
from sync_worker.model import StoredNote
from sync_worker.records import Attempt, Entry, Lease, Reason, Status, Tally

log = get_logger()

BEFORE_ATTEMPT = timedelta(hours=24)
"""How far before an attempt a look begins: neither clock need be right."""
DATE_PRECISION = timedelta(seconds=1)
"""An answer's `Date` has whole seconds."""


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

    def resolve(
        self, lease: Lease, tally: Tally, *, has_another_key: Callable[[NotAuthorised], bool] = lambda _error: False
    ) -> None:
        """Look once for every doubt that is due; what a dead worker left open is a doubt too.

        Raises `RemoteError` if the look failed, which then was none. A refused key puts the doubts before a person:
        nothing may be sent until somebody with a working key has looked. Unless `has_another_key`: then the next tick
        looks with that one.
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
        except NotAuthorised as error:
            for doubt in [] if has_another_key(error) else doubts:
                with suppress(EntryMoved):
                    self._ledger.entries.hold_for_review(lease, doubt.entry, Reason.DOUBT_KEY_GONE, now=now)
                    tally.review += 1
            raise
        for doubt in doubts:
            with suppress(EntryMoved):  # a person ended this one meanwhile
                self._look(lease, doubt, notes, tally)

    def _is_apart(self, attempt: Attempt, at: datetime) -> bool:
        """Whether time has really passed since the look before this one.

        By Cliniko's clock: ours may be set, and the process that looked before may be dead.
        """
        apart = self._looks.second - self._looks.first
        return attempt.looked_at is None or apart <= timedelta() or at - attempt.looked_at >= apart + DATE_PRECISION

    def _wait_anew_where_it_went_back(self, lease: Lease, attempt: Attempt, at: datetime) -> None:
        """Count the distance from now where the last look's clock was ahead: else the doubt waits for that time."""
        if attempt.looked_at is not None and attempt.looked_at > at:
            self._ledger.attempts.wait_anew(lease, attempt, looked_at=at)

    def _authors_notes(self, doubts: list[Doubt]) -> list[StoredNote]:
        since = min(doubt.attempt.started_at for doubt in doubts) - BEFORE_ATTEMPT
        self._identity.trust_no_memory()
        return self._cliniko.notes_of(self._identity.practitioner().practitioner_id, since)

    def _look(self, lease: Lease, doubt: Doubt, notes: list[StoredNote], tally: Tally) -> None:
        found = self._found(doubt, notes)
        looked_at = self._cliniko.server_date or self._clock.now()
        if not found and not self._is_apart(doubt.attempt, looked_at):
            self._wait_anew_where_it_went_back(lease, doubt.attempt, looked_at)
            return
        looks = doubt.attempt.looks + 1
        ids = [note.note_id for note in found]
        settlement = lifecycle.after_look(ids, looks=looks, attempts_in_doubt=doubt.attempts_in_doubt)
        now = self._clock.now()
        ended_at = doubt.attempt.ended_at or now
        due_at = now if settlement else self._looks.next_look(ended_at=ended_at, looks=looks)
        as_left = [note.updated_at for note in found if self._says(note, doubt.attempt)]
        stamp = as_left[0] if len(as_left) == 1 else None
        self._ledger.attempts.record_look(
            lease, doubt.attempt, settlement, now=now, looked_at=looked_at, due_at=due_at, note_updated_at=stamp
        )
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

    def _found(self, doubt: Doubt, notes: list[StoredNote]) -> list[StoredNote]:
        """Our notes among the author's, in whatever state they are; those of other attempts excluded."""
        mark = f"ref {doubt.entry.reference}"
        ours = [
            note
            for note in notes
            if mark in note.title or mark in canonical_text(note.content) or self._says(note, doubt.attempt)
        ]
        taken = self._ledger.attempts.notes_of_others([note.note_id for note in ours], doubt.entry, doubt.attempt)
        return [note for note in ours if note.note_id not in taken]

    def _says(self, note: StoredNote, attempt: Attempt) -> bool:
        """Whether a note's text is the one that the attempt meant."""
        return self._ledger.keyed_hash(canonical_text(note.content)) == attempt.fingerprint
