"""The attempts: the two commits around the one unsafe request, and the looks that end a doubt."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, func, insert, select, update

from sync_worker.errors import EntryMoved, LeaseLost
from sync_worker.ledger.moves import WORKER, apply_settlement, is_paused, move, require_lease
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, EntryRow
from sync_worker.lifecycle import LookTimes, Settlement
from sync_worker.model import Attempt, Entry, Lease, Status


class Attempts:
    """The attempts' rows. One method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def claim(
        self, lease: Lease, entry: Entry, *, patient_id: str, fingerprint: bytes, now: datetime
    ) -> Attempt | None:
        """Commit 1: start an attempt. None if posting is paused or the entry is not pending any more.

        Everything that forbids a request is asked in this one transaction: the pause, the status, the lease's epoch,
        that the entry is this clinician's, and that it has no note yet.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            if is_paused(db, lease.clinician_id):
                return None
            where = (EntryRow.note_id.is_(None), EntryRow.clinician_id == lease.clinician_id)
            values: dict[str, Any] = {"patient_id": patient_id, "evidence": None}
            if not move(db, entry.entry_id, Status.PENDING, Status.POSTING, *where, at=now, actor=WORKER, **values):
                return None
            query = select(func.max(AttemptRow.number)).where(AttemptRow.entry_id == entry.entry_id)
            number = (db.execute(query).scalar() or 0) + 1
            attempt_id = db.execute(
                insert(AttemptRow)
                .values(
                    entry_id=entry.entry_id,
                    number=number,
                    epoch=lease.epoch,
                    patient_id=patient_id,
                    fingerprint=fingerprint,
                    started_at=now,
                    looks=0,
                )
                .returning(AttemptRow.id)
            ).scalar_one()
        return Attempt(attempt_id, entry.entry_id, number, patient_id, fingerprint, now)

    def settle(
        self, lease: Lease, attempt: Attempt, settlement: Settlement, *, now: datetime, due_at: datetime
    ) -> None:
        """Commit 2: record how an attempt ended. `due_at` is when the entry wants attention next.

        Raises `LeaseLost` if the attempt has ended already: its entry is then another attempt's business.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            ended = db.execute(
                update(AttemptRow)
                .where(AttemptRow.id == attempt.attempt_id, AttemptRow.ended_at.is_(None))
                .values(
                    ended_at=now, outcome=settlement.outcome, code=settlement.code or None, note_id=settlement.note_id
                )
            )
            if ended.rowcount != 1:
                raise LeaseLost
            apply_settlement(db, attempt.entry_id, Status.POSTING, settlement, now=now, due_at=due_at)

    def doubt_abandoned(self, lease: Lease, *, now: datetime, looks: LookTimes) -> int:
        """Put what a dead worker left in `posting` in doubt, and say how many there were.

        Only the holder of the lease may: nobody else can have a request under way.
        """
        with reading(self.engine) as db:
            query = select(AttemptRow).join(EntryRow, EntryRow.id == AttemptRow.entry_id)
            query = query.where(
                EntryRow.clinician_id == lease.clinician_id,
                EntryRow.status == Status.POSTING,
                AttemptRow.ended_at.is_(None),
            )
            abandoned = [attempt_of(row) for row in db.execute(query.with_only_columns(*AttemptRow.__table__.columns))]
        settlement = Settlement(Status.IN_DOUBT, outcome="in_doubt", code="abandoned")
        for attempt in abandoned:
            due_at = looks.next_look(ended_at=now, looks=0)
            self.settle(lease, attempt, settlement, now=now, due_at=due_at)
        return len(abandoned)

    def doubtful(self, entry: Entry) -> tuple[Attempt, int]:
        """The attempt that put an entry in doubt, and how many of its attempts ended in doubt."""
        where = (AttemptRow.entry_id == entry.entry_id, AttemptRow.outcome == "in_doubt")
        query = select(*AttemptRow.__table__.columns).where(*where).order_by(AttemptRow.number)
        with reading(self.engine) as db:
            rows = db.execute(query).all()
        return attempt_of(rows[-1]), len(rows)

    def record_look(
        self,
        lease: Lease,
        entry: Entry,
        attempt: Attempt,
        settlement: Settlement | None,
        *,
        now: datetime,
        due_at: datetime,
    ) -> None:
        """Count a complete look, and end the doubt if it did. `due_at`: the next look, or when to deliver.

        Raises `EntryMoved` if a person ended the doubt meanwhile; then nothing is recorded.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            values: dict[str, Any] = {"looks": AttemptRow.looks + 1}
            if settlement is not None and settlement.note_id:
                values["note_id"] = settlement.note_id
            db.execute(update(AttemptRow).where(AttemptRow.id == attempt.attempt_id).values(values))
            if settlement is None:
                where = (EntryRow.id == entry.entry_id, EntryRow.status == Status.IN_DOUBT)
                if db.execute(update(EntryRow).where(*where).values(due_at=due_at)).rowcount != 1:
                    raise EntryMoved
            else:
                apply_settlement(db, entry.entry_id, Status.IN_DOUBT, settlement, now=now, due_at=due_at)

    def notes_of_others(self, note_ids: Iterable[str], entry: Entry, attempt: Attempt) -> set[str]:
        """Those of these notes that belong to another entry, or to an earlier attempt of this one."""
        ids = list(note_ids)
        entries = select(EntryRow.note_id).where(EntryRow.note_id.in_(ids), EntryRow.id != entry.entry_id)
        attempts = select(AttemptRow.note_id).where(AttemptRow.note_id.in_(ids), AttemptRow.id != attempt.attempt_id)
        with reading(self.engine) as db:
            return {str(found) for query in (entries, attempts) for found in db.execute(query).scalars()}


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(
        attempt_id=row.id,
        entry_id=row.entry_id,
        number=row.number,
        patient_id=row.patient_id,
        fingerprint=bytes(row.fingerprint),
        started_at=row.started_at,
        ended_at=row.ended_at,
        looks=row.looks,
    )
