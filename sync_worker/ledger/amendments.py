"""Amendments: updating or archiving a note that is filed, each request between two commits, as creating one is."""

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Engine, or_, select, update

from sync_worker.errors import EntryMoved
from sync_worker.ledger.attempts import attempt_of, end, next_number, start
from sync_worker.ledger.moves import WORKER, is_paused, move, require_lease
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, EntryRow
from sync_worker.ledger.trail import Event, append
from sync_worker.records import Attempt, AttemptKind, Entry, Lease, Status, Wish


@dataclass(frozen=True, slots=True)
class Newest:
    """An entry's newest attempt at amending its note, of which nobody knows how it ended."""

    attempt: Attempt
    doubts: int
    """How many in a row ended in doubt."""


class Amendments:
    """What becomes of an entry's wish. One method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def begin(
        self, lease: Lease, entry: Entry, kind: AttemptKind, *, fingerprint: bytes, now: datetime
    ) -> Attempt | None:
        """Commit 1 of an update or a withdrawal. None if the entry is not as it was, or if posting is paused.

        A pause does not stop a withdrawal: whoever sees a note on the wrong patient stops posting and takes it back.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            where = (
                EntryRow.id == entry.entry_id,
                EntryRow.status == entry.status,
                EntryRow.wish == entry.wish,
                EntryRow.clinician_id == lease.clinician_id,
            )
            waits = kind is AttemptKind.UPDATE and is_paused(db, lease.clinician_id)
            if waits or db.execute(select(EntryRow.id).where(*where)).scalar() is None:
                return None
            _end_abandoned(db, lease, entry, now)
            number = next_number(db, entry)
            details = {"attempt": number, "kind": kind.value, "note_id": entry.note_id, "text": fingerprint.hex()}
            append(
                db,
                lease.clinician_id,
                Event.AMENDING,
                at=now,
                actor=WORKER,
                entry_id=entry.entry_id,
                details=details,
            )
            return start(db, lease, entry, kind, number, entry.patient_id or "", fingerprint, now)

    def end_without_success(
        self, lease: Lease, attempt: Attempt, outcome: str, code: str, *, now: datetime, due_at: datetime
    ) -> None:
        """Record how such a request ended without a certain success: the wish stays, to be looked at from `due_at` on.

        Raises `LeaseLost` if the attempt has ended already.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            end(db, attempt, outcome, code, None, now)
            db.execute(update(EntryRow).where(EntryRow.id == attempt.entry_id).values(due_at=due_at))
            _tell(db, lease, attempt, outcome, code, now)

    def amended(
        self,
        lease: Lease,
        entry: Entry,
        attempt: Attempt | None,
        *,
        now: datetime,
        note_updated_at: datetime | None,
        keep_wish: bool = False,
    ) -> None:
        """The wish came true: the note says what the document says now, or is archived. Ends the attempt, if open.

        `keep_wish`: an earlier try's doubt is over, and the document may say something else by now.
        `attempt` is None where somebody else had done it already. Raises `EntryMoved` if a person changed the wish.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            if attempt is not None:
                where = (AttemptRow.id == attempt.attempt_id,)
                db.execute(update(AttemptRow).where(*where).values(ended_at=now, outcome="accepted"))
            kind = AttemptKind.ARCHIVE if entry.wish is Wish.WITHDRAW else AttemptKind.UPDATE
            details = {"attempt": attempt.number if attempt else None, "kind": kind.value, "note_id": entry.note_id}
            if kind is AttemptKind.ARCHIVE:
                told: dict[str, Any] = {"at": now, "actor": WORKER, "event": Event.AMENDED, "details": details}
                if not move(db, entry.entry_id, entry.status, Status.WITHDRAWN, **told, wish=None):
                    raise EntryMoved
                return
            values = {"wish": entry.wish if keep_wish else None, "note_updated_at": note_updated_at, "due_at": now}
            where_entry = (EntryRow.id == entry.entry_id, EntryRow.wish == entry.wish)
            if db.execute(update(EntryRow).where(*where_entry).values(**values)).rowcount != 1:
                raise EntryMoved
            if attempt is not None:
                _tell(db, lease, attempt, "accepted", "", now)

    def newest(self, entry: Entry, kind: AttemptKind) -> Newest | None:
        """The newest try of a kind at amending the entry's note, if nobody knows how it ended."""
        where = (AttemptRow.entry_id == entry.entry_id, AttemptRow.kind == kind)
        query = select(*AttemptRow.__table__.columns).where(*where)
        with reading(self.engine) as db:
            rows = db.execute(query.order_by(AttemptRow.number.desc())).all()
        doubts = list(takewhile(lambda row: row.outcome in (None, "in_doubt"), rows))
        return Newest(attempt_of(doubts[0]), len(doubts)) if doubts else None

    def last_text(self, entry: Entry) -> bytes | None:
        """The keyed hash of what the entry's note said when we left it; None where we did not write it."""
        where = (
            AttemptRow.entry_id == entry.entry_id,
            AttemptRow.kind != AttemptKind.ARCHIVE,
            or_(AttemptRow.outcome == "accepted", AttemptRow.note_id == entry.note_id),
        )
        query = select(AttemptRow.fingerprint).where(*where).order_by(AttemptRow.number.desc()).limit(1)
        with reading(self.engine) as db:
            found = db.execute(query).scalar()
        return bytes(found) if found is not None else None

    def record_look(self, lease: Lease, attempt: Attempt, *, due_at: datetime) -> None:
        """Count a look that did not find the change; `due_at` is when to look, or to try, again."""
        with writing(self.engine) as db:
            require_lease(db, lease)
            where = AttemptRow.id == attempt.attempt_id
            db.execute(update(AttemptRow).where(where).values(looks=AttemptRow.looks + 1))
            db.execute(update(EntryRow).where(EntryRow.id == attempt.entry_id).values(due_at=due_at))


def _end_abandoned(db: Connection, lease: Lease, entry: Entry, now: datetime) -> None:
    """End a try that was left open, by a dead worker or since a person wished something else meanwhile.

    Only the holder of the lease may: nobody else can have a request under way.
    """
    query = select(*AttemptRow.__table__.columns)
    query = query.where(AttemptRow.entry_id == entry.entry_id, AttemptRow.ended_at.is_(None))
    for row in db.execute(query).all():
        attempt = attempt_of(row)
        end(db, attempt, "in_doubt", "abandoned", None, now)
        _tell(db, lease, attempt, "in_doubt", "abandoned", now)


def _tell(db: Connection, lease: Lease, attempt: Attempt, outcome: str, code: str, now: datetime) -> None:
    details = {"attempt": attempt.number, "outcome": outcome, "code": code}
    append(db, lease.clinician_id, Event.AMENDED, at=now, actor=WORKER, entry_id=attempt.entry_id, details=details)
