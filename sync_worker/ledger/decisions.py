"""People's decisions: recorded on the entry, carried out by the worker's next tick. Nothing here talks to a service.

Each decision is one transaction, conditional on where the entry stands; where somebody was faster, the answer says so.
Decisions are taken one after another, and none while the worker moves the same entry: SQLite locks the whole ledger
for that, on Postgres the installation's row and the entry's are locked.
"""

from collections.abc import Iterable
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from sync_worker import lifecycle
from sync_worker.errors import NotPossible
from sync_worker.ledger.moves import entries, entry_of, move
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, ClinicianRow, EntryRow, Installation
from sync_worker.model import Entry, Reason, Status


class Decisions:
    """What people decide. `actor` says who, for the history."""

    def __init__(self, engine: Engine, actor: str) -> None:
        self._engine = engine
        self._actor = actor

    def assign(self, entry_id: int, patient_id: str, now: datetime) -> None:
        """File the entry on this patient. The choice pins the patient, not the text."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW)
            self._require_no_note(entry)
            if entry.reason in lifecycle.DOUBTS:
                raise NotPossible(_doubt_first(entry))
            self._move(
                db, entry, Status.PENDING, now, patient_id=patient_id, pinned=True, bound=False, due_at=now, failures=0
            )

    def dismiss(self, entry_id: int, code: str, now: datetime) -> None:
        """The document is not to be filed (or, once filed, the review is done with). `code` says why."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW)
            if entry.reason in lifecycle.DOUBTS:
                raise NotPossible(_doubt_first(entry))
            if entry.note_id is not None:
                self._move(db, entry, Status.POSTED, now, because=code)  # its note stays, and the question is answered
            else:
                self._move(db, entry, Status.SKIPPED, now, reason=Reason.DISMISSED, because=code)

    def retry(self, entry_id: int, now: datetime) -> None:
        """Try the entry again: match and file it, or look again where it is in doubt."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW, Status.PENDING)
            self._require_no_note(entry)
            if entry.status is Status.PENDING:
                db.execute(update(EntryRow).where(EntryRow.id == entry_id).values(due_at=now))
            elif entry.reason in lifecycle.DOUBTS:
                self._move(db, entry, Status.IN_DOUBT, now, due_at=now)
            else:
                self._move(db, entry, Status.PENDING, now, due_at=now, failures=0)

    def resolve_there(self, entry_id: int, note_id: str, now: datetime) -> None:
        """End a doubt: the note is there, and this is it. The caller has seen it in Cliniko."""
        with self._deciding(entry_id) as (db, entry):
            self._require_doubt(entry)
            taken = db.execute(select(EntryRow.id).where(EntryRow.note_id == note_id)).scalar()
            if taken is not None:
                raise NotPossible(f"Note {note_id} is entry {taken}'s already: look for the other one in Cliniko.")
            self._move(db, entry, Status.POSTED, now, note_id=note_id)

    def resolve_not_there(self, entry_id: int, now: datetime, *, surely_ended: timedelta = timedelta()) -> None:
        """End a doubt: the note is not there. It is filed once more, on the same patient.

        Not before the last attempt is `surely_ended` old: until then the note may still be on its way.
        """
        with self._deciding(entry_id) as (db, entry):
            self._require_doubt(entry)
            query = select(func.max(AttemptRow.ended_at)).where(AttemptRow.entry_id == entry_id)
            ended_at = db.execute(query).scalar() or now
            self._move(db, entry, Status.PENDING, now, bound=True, due_at=max(now, ended_at + surely_ended))

    def pause(self, clinician_ids: Iterable[int] | None, now: datetime) -> None:
        """Stop posting, for these clinicians or for everybody, at once and over restarts."""
        self._set_pause(clinician_ids, now)

    def resume(self, clinician_ids: Iterable[int] | None) -> None:
        """Post again. Without clinicians, everybody's pause ends, each clinician's own included."""
        self._set_pause(clinician_ids, None)

    def is_everybody_paused(self) -> bool:
        """Whether posting is paused as a whole: then no single clinician can be resumed."""
        with reading(self._engine) as db:
            return db.execute(select(Installation.paused_at)).scalar() is not None

    def _set_pause(self, clinician_ids: Iterable[int] | None, at: datetime | None) -> None:
        with writing(self._engine) as db:
            if clinician_ids is not None:
                db.execute(update(ClinicianRow).where(ClinicianRow.id.in_(list(clinician_ids))).values(paused_at=at))
            else:
                db.execute(update(Installation).values(paused_at=at))
                if at is None:
                    db.execute(update(ClinicianRow).values(paused_at=None))
            _wake(db)

    @contextmanager
    def _deciding(self, entry_id: int) -> Any:
        with writing(self._engine) as db:
            _wake(db)  # first, as its row lock lets the next decision wait for this one
            row = db.execute(entries().where(EntryRow.id == entry_id).with_for_update()).one_or_none()
            if row is None:
                raise NotPossible(f"There is no entry {entry_id}: `sync-worker review list` shows them.")
            yield db, entry_of(row)

    def _move(self, db: Connection, entry: Entry, to: Status, now: datetime, **values: Any) -> None:
        if not move(db, entry.entry_id, entry.status, to, at=now, actor=self._actor, **values):
            raise NotPossible(f"Somebody else was faster with entry {entry.entry_id}: look at it again.")

    @staticmethod
    def _require(entry: Entry, *statuses: Status) -> None:
        if entry.status not in statuses:
            raise NotPossible(f"Entry {entry.entry_id} is {entry.status.value}: there is nothing to decide about it.")

    @staticmethod
    def _require_no_note(entry: Entry) -> None:
        if entry.note_id is not None:
            raise NotPossible(
                f"Entry {entry.entry_id} has note {entry.note_id} already and is never filed again: compare the two in "
                "Cliniko and Heidi, then `review dismiss` it."
            )

    @staticmethod
    def _require_doubt(entry: Entry) -> None:
        in_doubt = entry.status is Status.IN_DOUBT or (
            entry.status is Status.REVIEW and entry.reason in lifecycle.DOUBTS
        )
        if not in_doubt:
            raise NotPossible(f"Entry {entry.entry_id} is not in doubt: `resolve` is for doubts only.")


def _doubt_first(entry: Entry) -> str:
    return (
        f"Entry {entry.entry_id} may be in Cliniko already: look there, then say "
        f"`review resolve {entry.entry_id} --note ID` or `review resolve {entry.entry_id} --not-there`."
    )


def _wake(db: Connection) -> None:
    """Let the running worker notice: it watches this number."""
    db.execute(update(Installation).values(decisions=Installation.decisions + 1))
