"""The attempts: the two commits around each unsafe request, and the looks that end a doubt."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, exists, func, insert, or_, select, update

from sync_worker import lifecycle
from sync_worker.errors import EntryMoved, LeaseLost
from sync_worker.ledger.moves import WORKER, apply_settlement, is_paused, later, move, pause_itself, require_lease
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, ClinicianRow, EntryRow
from sync_worker.ledger.trail import Event, append
from sync_worker.lifecycle import LookTimes, Settlement
from sync_worker.records import Attempt, AttemptKind, Entry, HintSeen, Lease, PauseReason, Status


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request is about to say, as far as the ledger may know: ids, keyed hashes, names of fields."""

    patient_id: str
    fingerprint: bytes
    """Keyed hash of the text that is meant."""
    hint: HintSeen
    """Whom Heidi names as the patient."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """For the trail: rule, version, which fields agree, settings, and whatever else tells why."""
    brake: int = 0
    """The most requests within an hour before posting pauses itself; 0 = no brake."""


class Attempts:
    """The attempts' rows. One method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def claim(self, lease: Lease, entry: Entry, claim: Claim, *, now: datetime) -> Attempt | None:
        """Commit 1: start an attempt. None if posting is paused, or stops itself now, or the entry is not pending.

        Everything that forbids a request is asked in this one transaction: the pause, the brake, the status, the
        lease's epoch, that the entry is this clinician's, and that it has no note yet.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            if is_paused(db, lease.clinician_id) or self._brakes(db, lease, entry, claim.brake, now):
                return None
            where = (EntryRow.note_id.is_(None), EntryRow.clinician_id == lease.clinician_id)
            values: dict[str, Any] = {
                "patient_id": claim.patient_id,
                "hint_hash": claim.hint.hint_hash,
                "hint_link": claim.hint.link,
                "evidence": None,
            }
            number = next_number(db, entry)
            details = {"attempt": number, "patient_id": claim.patient_id, **claim.evidence}
            told: dict[str, Any] = {"at": now, "actor": WORKER, "event": Event.CLAIMED, "details": details}
            if not move(db, entry.entry_id, Status.PENDING, Status.POSTING, *where, **told, **values):
                return None
            return start(db, lease, entry, AttemptKind.CREATE, number, claim.patient_id, claim.fingerprint, now)

    @staticmethod
    def _brakes(db: Connection, lease: Lease, entry: Entry, brake: int, now: datetime) -> bool:
        """Whether this request would be one too many within the hour: then posting pauses itself for a person."""
        resumed_at = db.execute(_RESUMED_AT, {"of_clinician": lease.clinician_id}).scalar()
        released = resumed_at is not None and entry.found_at <= resumed_at  # the person who resumed knew of it
        if not brake or entry.backfilled or released:
            return False
        since = later(resumed_at, now - lifecycle.BRAKE_WINDOW)
        if db.execute(_LATELY, {"of_clinician": lease.clinician_id, "since": since}).scalar_one() < brake:
            return False
        pause_itself(db, lease.clinician_id, PauseReason.BRAKE, now, {"posts_per_hour": brake})
        return True

    def settle(
        self,
        lease: Lease,
        attempt: Attempt,
        settlement: Settlement,
        *,
        now: datetime,
        due_at: datetime,
        note_updated_at: datetime | None = None,
    ) -> None:
        """Commit 2: record how an attempt ended. `due_at` is when the entry wants attention next.

        Raises `LeaseLost` if the attempt has ended already: its entry is then another attempt's business.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            end(db, attempt, settlement.outcome, settlement.code, settlement.note_id, now)
            apply_settlement(
                db, attempt, Status.POSTING, settlement, now=now, due_at=due_at, note_updated_at=note_updated_at
            )

    def doubt_abandoned(self, lease: Lease, *, now: datetime, looks: LookTimes) -> int:
        """Put what a dead worker left in `posting` in doubt, and say how many there were.

        Only the holder of the lease may: nobody else can have a request under way.
        """
        with reading(self.engine) as db:
            abandoned = [attempt_of(row) for row in db.execute(_ABANDONED, {"of_clinician": lease.clinician_id})]
        settlement = Settlement(Status.IN_DOUBT, outcome="in_doubt", code="abandoned")
        for attempt in abandoned:
            due_at = looks.next_look(ended_at=now, looks=0)
            self.settle(lease, attempt, settlement, now=now, due_at=due_at)
        return len(abandoned)

    def doubtful(self, entry: Entry) -> tuple[Attempt, int]:
        """The attempt that put an entry in doubt, and how many of its attempts ended in doubt."""
        where = (
            AttemptRow.entry_id == entry.entry_id,
            AttemptRow.outcome == "in_doubt",
            AttemptRow.kind == AttemptKind.CREATE,
        )
        query = select(*AttemptRow.__table__.columns).where(*where).order_by(AttemptRow.number)
        with reading(self.engine) as db:
            rows = db.execute(query).all()
        return attempt_of(rows[-1]), len(rows)

    def doubted_at(self, entry_id: int) -> datetime | None:
        """When the entry's last request in doubt ended; None without one."""
        where = (AttemptRow.entry_id == entry_id, AttemptRow.outcome == "in_doubt")
        with reading(self.engine) as db:
            return db.execute(select(func.max(AttemptRow.ended_at)).where(*where)).scalar()

    def record_look(
        self,
        lease: Lease,
        attempt: Attempt,
        settlement: Settlement | None,
        *,
        now: datetime,
        looked_at: datetime,
        due_at: datetime,
        note_updated_at: datetime | None = None,
    ) -> None:
        """Count a complete look, and end the doubt if it did. `due_at`: the next look, or when to deliver.

        `looked_at` is the look's time by Cliniko's clock.
        Raises `EntryMoved` if a person ended the doubt meanwhile; then nothing is recorded.
        """
        with writing(self.engine) as db:
            require_lease(db, lease)
            values: dict[str, Any] = {"looks": AttemptRow.looks + 1, "looked_at": looked_at}
            if settlement is not None and settlement.note_id:
                values["note_id"] = settlement.note_id
            db.execute(update(AttemptRow).where(AttemptRow.id == attempt.attempt_id).values(values))
            if settlement is None:
                where = (EntryRow.id == attempt.entry_id, EntryRow.status == Status.IN_DOUBT)
                if db.execute(update(EntryRow).where(*where).values(due_at=due_at)).rowcount != 1:
                    raise EntryMoved
                append(
                    db,
                    lease.clinician_id,
                    Event.LOOKED,
                    at=now,
                    actor=WORKER,
                    entry_id=attempt.entry_id,
                    details={"attempt": attempt.number, "looks": attempt.looks + 1},
                )
            else:
                apply_settlement(
                    db, attempt, Status.IN_DOUBT, settlement, now=now, due_at=due_at, note_updated_at=note_updated_at
                )

    def wait_anew(self, lease: Lease, attempt: Attempt, *, looked_at: datetime) -> None:
        """Let the next look count its distance from `looked_at`. No look is counted."""
        with writing(self.engine) as db:
            require_lease(db, lease)
            where = AttemptRow.id == attempt.attempt_id
            db.execute(update(AttemptRow).where(where).values(looked_at=looked_at))

    def notes_of_others(self, note_ids: Iterable[str], entry: Entry, attempt: Attempt | None = None) -> set[str]:
        """Those of these notes that belong to another entry, or to an earlier attempt of this one."""
        ids = list(note_ids)
        entries = select(EntryRow.note_id).where(EntryRow.note_id.in_(ids), EntryRow.id != entry.entry_id)
        attempts = select(AttemptRow.note_id).where(AttemptRow.note_id.in_(ids))
        if attempt is not None:
            attempts = attempts.where(AttemptRow.id != attempt.attempt_id)
        with reading(self.engine) as db:
            return {str(found) for query in (entries, attempts) for found in db.execute(query).scalars()}


def next_number(db: Connection, entry: Entry) -> int:
    return (db.execute(_NEWEST_NUMBER, {"of_entry": entry.entry_id}).scalar() or 0) + 1


def start(
    db: Connection,
    lease: Lease,
    entry: Entry,
    kind: AttemptKind,
    number: int,
    patient_id: str,
    fingerprint: bytes,
    now: datetime,
) -> Attempt:
    values = {
        "entry_id": entry.entry_id,
        "number": number,
        "kind": kind,
        "epoch": lease.epoch,
        "patient_id": patient_id,
        "fingerprint": fingerprint,
        "started_at": now,
        "looks": 0,
    }
    attempt_id = db.execute(_START, values).scalar_one()
    return Attempt(attempt_id, entry.entry_id, number, kind, patient_id, fingerprint, now)


def end(db: Connection, attempt: Attempt, outcome: str, code: str, note_id: str | None, now: datetime) -> None:
    told = {"now": now, "new_outcome": outcome, "new_code": code or None, "new_note_id": note_id}
    ended = db.execute(_END, {"of_attempt": attempt.attempt_id, **told})
    if ended.rowcount != 1:
        raise LeaseLost


# built once, since each note needs them: to build a statement takes longer than to run it
_START = insert(AttemptRow).returning(AttemptRow.id)
_END = (
    update(AttemptRow)
    .where(AttemptRow.id == bindparam("of_attempt"), AttemptRow.ended_at.is_(None))
    .values(
        ended_at=bindparam("now"),
        outcome=bindparam("new_outcome"),
        code=bindparam("new_code"),
        note_id=bindparam("new_note_id"),
    )
)
_NEWEST_NUMBER = select(func.max(AttemptRow.number)).where(AttemptRow.entry_id == bindparam("of_entry"))
_RESUMED_AT = select(ClinicianRow.resumed_at).where(ClinicianRow.id == bindparam("of_clinician"))
# the attempts first, of which the last hour saw few: joined, SQLite begins with every entry of the clinician
_LATELY = select(func.count(AttemptRow.id)).where(
    AttemptRow.kind == AttemptKind.CREATE,
    AttemptRow.started_at > bindparam("since"),
    or_(AttemptRow.outcome.is_(None), AttemptRow.outcome.in_(["accepted", "in_doubt"])),
    exists()
    .where(EntryRow.id == AttemptRow.entry_id, EntryRow.clinician_id == bindparam("of_clinician"))
    .where(~EntryRow.backfilled),
)
_ABANDONED = (
    select(*AttemptRow.__table__.columns)
    .join(EntryRow, EntryRow.id == AttemptRow.entry_id)
    .where(
        EntryRow.clinician_id == bindparam("of_clinician"),
        EntryRow.status == Status.POSTING,
        AttemptRow.kind == AttemptKind.CREATE,
        AttemptRow.ended_at.is_(None),
    )
)


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(
        attempt_id=row.id,
        entry_id=row.entry_id,
        number=row.number,
        kind=AttemptKind(row.kind),
        patient_id=row.patient_id,
        fingerprint=bytes(row.fingerprint),
        started_at=row.started_at,
        ended_at=row.ended_at,
        looks=row.looks,
        looked_at=row.looked_at,
    )
