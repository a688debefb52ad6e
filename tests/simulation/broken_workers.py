"""Workers with a mistake in them, to see that the oracle finds it."""

from typing import Any

import pytest

from sync_worker.collect import _Walk
from sync_worker.doubts import Doubt, DoubtResolver
from sync_worker.first_look import AuthorsNotes
from sync_worker.ledger.sessions import Sessions
from sync_worker.lifecycle import Settlement
from sync_worker.model import StoredNote
from sync_worker.records import Lease, Status, Tally


def looks_not_first(patch: pytest.MonkeyPatch) -> None:
    """Nothing is looked for before a tick's first request."""
    patch.setattr(AuthorsNotes, "marked", lambda *_: [])


def resends_without_looking(patch: pytest.MonkeyPatch) -> None:
    """A lost answer counts as a failure: the request is simply sent again."""
    looks_not_first(patch)  # which would find most of them

    def resolve(self: Any, lease: Lease, tally: Tally, **_: object) -> None:
        now, ledger = self._clock.now(), self._ledger
        ledger.attempts.doubt_abandoned(lease, now=now, looks=self._looks)
        for entry in ledger.entries.due(lease.clinician_id, Status.IN_DOUBT, now):
            attempt, _ = ledger.attempts.doubtful(entry)
            ledger.attempts.record_look(lease, attempt, Settlement(Status.PENDING), now=now, looked_at=now, due_at=now)

    patch.setattr(DoubtResolver, "resolve", resolve)


def looks_by_patient(patch: pytest.MonkeyPatch) -> None:
    """A note in doubt is looked for on its patient's chart, among the notes that are not archived."""
    looks_not_first(patch)
    notes_of_author = DoubtResolver._authors_notes

    def notes_of_patients(self: DoubtResolver, doubts: list[Doubt]) -> list[StoredNote]:
        patients = {doubt.attempt.patient_id for doubt in doubts}
        return [note for note in notes_of_author(self, doubts) if note.patient_id in patients and not note.archived]

    patch.setattr(DoubtResolver, "_authors_notes", notes_of_patients)


def trusts_its_cursor(patch: pytest.MonkeyPatch) -> None:
    """What is not newer than the cursor is not read, and the cursor moves before the entries are recorded."""
    record = _Walk._record

    def is_news(self: Any, row: Any, before: Any) -> bool:
        return self.state.cursor_at is None or row.latest > self.state.cursor_at

    def record_cursor_first(self: Any, stamps: Any = None) -> None:
        if stamps is not None:
            self.of.ledger.sessions.record(self.lease, [], rules=self.rules, now=self.now, walk_ended=stamps)
        record(self)

    patch.setattr(_Walk, "_is_news", is_news)
    patch.setattr(_Walk, "_record", record_cursor_first)
    patch.setattr(Sessions, "to_reread", lambda *_: [])
