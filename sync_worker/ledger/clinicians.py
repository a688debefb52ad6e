"""What the ledger remembers of each clinician: how far their list was read, whose key it is, who works for them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, bindparam, select, update

from sync_worker.ledger import trail
from sync_worker.ledger.moves import WORKER, insert_once, is_paused, later, pause_itself, require_lease
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import (
    AttemptRow,
    BackfillRow,
    ClinicianRow,
    EntryRow,
    Installation,
    LeaseRow,
    SessionRow,
    TrailRow,
)
from sync_worker.ledger.trail import Event
from sync_worker.lifecycle import LONGEST_POSTPONEMENT, REREAD_FOR
from sync_worker.model import Practitioner
from sync_worker.records import Backfill, ClinicianState, Lease, PauseReason, Status


class Clinicians:
    """The clinicians' rows and their leases. One method is one transaction."""

    def __init__(self, engine: Engine, region: str) -> None:
        self.engine = engine
        self.region = region

    def enter(self, heidi_user_id: str) -> ClinicianState:
        """What is remembered of a clinician; they are entered at first sight."""
        this = {"of_region": self.region, "of_user": heidi_user_id}
        with reading(self.engine) as db:  # first, as a writer may have to wait for another one
            known = db.execute(_OF_USER, this).one_or_none()
        if known is not None:
            return clinician_of(known)
        with writing(self.engine) as db:
            insert_once(db, ClinicianRow, {"region": self.region, "heidi_user_id": heidi_user_id})
            return clinician_of(db.execute(_OF_USER, this).one())

    def remember_start(self, clinician_id: int, start_at: datetime) -> None:
        """Fix the moment from which on sessions are ours, unless it is fixed already."""
        self._update(clinician_id, ClinicianRow.start_at.is_(None), start_at=start_at)

    def remember_link(self, clinician_id: int, *, linked: bool) -> None:
        """Keep whether the clinician's Heidi account is linked, for `status`."""
        self._update(clinician_id, linked=linked)

    def remember_identity(self, clinician_id: int, who: Practitioner, *, key_hash: bytes, now: datetime) -> None:
        """Keep whom the clinician's Cliniko key stands for; it was compared with what was known."""
        self._update(
            clinician_id,
            key_hash=key_hash,
            identified_at=now,
            cliniko_account=who.account,
            cliniko_user_id=who.user_id,
            cliniko_practitioner_id=who.practitioner_id,
            time_zone=who.time_zone,
        )

    def remember_trouble(self, clinician_id: int, code: str | None, since: datetime | None) -> None:
        """Keep why the clinician's last tick stopped early, and since when ticks do; None when it did not."""
        self._update(clinician_id, trouble=code, trouble_since=since)

    def unheeded(self) -> set[int]:
        """The clinicians about whom a person decided something since their newest tick began."""
        query = select(ClinicianRow.id).where(ClinicianRow.decisions != ClinicianRow.heeded)
        with reading(self.engine) as db:
            return set(db.execute(query).scalars())

    def heed(self, clinician_id: int) -> None:
        """A tick begins that carries out whatever was decided by now."""
        self._update(clinician_id, ClinicianRow.decisions != ClinicianRow.heeded, heeded=ClinicianRow.decisions)

    def is_paused(self, clinician_id: int) -> bool:
        """Whether posting is paused, for everybody or for this clinician."""
        with reading(self.engine) as db:
            return is_paused(db, clinician_id)

    def paused_itself(self, clinician_id: int) -> PauseReason | None:
        """Why the clinician's posting paused itself; None if it did not."""
        with reading(self.engine) as db:
            reason = db.execute(select(ClinicianRow.pause_reason).where(ClinicianRow.id == clinician_id)).scalar()
        return PauseReason(reason) if reason else None

    def pause_itself(self, lease: Lease, reason: PauseReason, now: datetime, details: Mapping[str, Any]) -> None:
        """Stop the clinician's posting until a person resumes it."""
        with writing(self.engine) as db:
            require_lease(db, lease)
            pause_itself(db, lease.clinician_id, reason, now, details)

    def alone_since(self, clinician_id: int) -> datetime:
        """From when on every note of this program in Cliniko should be one that this ledger knows.

        Since the ledger was made or put back from a copy, or since a person resumed posting knowing of the others.
        """
        installation = select(Installation.created_at, Installation.restored_at)
        resumed = select(ClinicianRow.resumed_at).where(ClinicianRow.id == clinician_id)
        with reading(self.engine) as db:
            created_at, restored_at = db.execute(installation).one()
            stamps = [created_at, restored_at, db.execute(resumed).scalar()]
        return max(stamp for stamp in stamps if stamp is not None)

    def was_clock_ahead(self, state: ClinicianState, *, now: datetime) -> bool:
        """Whether our clock was far ahead when something was written that is still to be done."""
        if state.last_poll_at is not None and state.last_poll_at > now:
            return True
        far = {"of_clinician": state.clinician_id, "far": now + 2 * LONGEST_POSTPONEMENT}
        with reading(self.engine) as db:
            return db.execute(_DUE_FAR_OFF, far).first() is not None

    def forget_the_future(self, lease: Lease, *, now: datetime) -> None:
        """What was written while our clock was ahead must not wait until that time comes: it is due now."""
        entries = EntryRow.clinician_id == lease.clinician_id
        sessions = SessionRow.clinician_id == lease.clinician_id
        attempts = AttemptRow.entry_id.in_(select(EntryRow.id).where(entries))
        with writing(self.engine) as db:
            require_lease(db, lease)
            for column, ours in (
                (EntryRow.due_at, entries),
                (EntryRow.text_since, entries),
                (AttemptRow.ended_at, attempts),
                (SessionRow.retry_at, sessions),
                (ClinicianRow.resumed_at, ClinicianRow.id == lease.clinician_id),  # else the brake counts from then
            ):
                db.execute(update(column.class_).where(ours, column > now).values({column: now}))
            far = SessionRow.reread_until > now + REREAD_FOR  # else they are read at every poll until then
            db.execute(update(SessionRow).where(sessions, far).values(reread_until=now + REREAD_FOR))
            for column in (ClinicianRow.last_sweep_at, ClinicianRow.last_deep_at):
                where = (ClinicianRow.id == lease.clinician_id, column > now)
                db.execute(update(ClinicianRow).where(*where).values({column: None}))

    def backfills(self, clinician_id: int) -> list[Backfill]:
        """What people brought into scope, oldest wish first."""
        with reading(self.engine) as db:
            return [Backfill(*row) for row in db.execute(_BACKFILLS, {"of_clinician": clinician_id})]

    def told_of_residency(self, clinician_id: int, by: str, details: Mapping[str, Any]) -> bool:
        """Whether the trail's newest word on residency is this very override."""
        with reading(self.engine) as db:
            return _newest_override(db, clinician_id) == (by, trail.written(details))

    def override_residency(self, clinician_id: int, by: str, details: Mapping[str, Any], now: datetime) -> None:
        """Say in the trail that a person lets clinical data leave Australia, unless its newest word is the same."""
        with writing(self.engine) as db:
            trail.lock_trail(db, clinician_id)
            if _newest_override(db, clinician_id) != (by, trail.written(details)):
                trail.append(db, clinician_id, Event.RESIDENCY_OVERRIDDEN, at=now, actor=by, details=details)

    def restore_residency(self, now: datetime) -> None:
        """Say in every trail that holds an override in force that it is over."""
        query = select(TrailRow.clinician_id).where(TrailRow.event == Event.RESIDENCY_OVERRIDDEN).distinct()
        with reading(self.engine) as db:
            ever = db.execute(query).scalars().all()
        for clinician_id in ever:
            with writing(self.engine) as db:
                trail.lock_trail(db, clinician_id)
                if _newest_override(db, clinician_id) is not None:
                    trail.append(db, clinician_id, Event.RESIDENCY_RESTORED, at=now, actor=WORKER)

    def _update(self, clinician_id: int, *where: Any, **values: Any) -> None:
        with writing(self.engine) as db:
            db.execute(update(ClinicianRow).where(ClinicianRow.id == clinician_id, *where).values(**values))

    def take_lease(self, clinician_id: int, holder: str, now: datetime) -> Lease:
        """Start a new epoch. Only for whoever holds the clinician's lock (`leases.py`)."""
        with writing(self.engine) as db:
            insert_once(db, LeaseRow, {"clinician_id": clinician_id, "epoch": 0, "holder": holder, "taken_at": now})
            values = {"epoch": LeaseRow.epoch + 1, "holder": holder, "taken_at": now}
            db.execute(update(LeaseRow).where(LeaseRow.clinician_id == clinician_id).values(values))
            epoch = db.execute(select(LeaseRow.epoch).where(LeaseRow.clinician_id == clinician_id)).scalar_one()
        return Lease(clinician_id, epoch)

    def lease_holder(self, clinician_id: int) -> str:
        """Who holds the clinician's lease, as they described themselves."""
        with reading(self.engine) as db:
            found = db.execute(select(LeaseRow.holder).where(LeaseRow.clinician_id == clinician_id)).scalar()
        return found or "another worker"


def _newest_override(db: Connection, clinician_id: int) -> tuple[str, str | None] | None:
    """The override that the trail says is in force: who, and its details as they are written."""
    kinds = (Event.RESIDENCY_OVERRIDDEN, Event.RESIDENCY_RESTORED)
    query = (
        select(TrailRow.event, TrailRow.actor, TrailRow.details)
        .where(TrailRow.clinician_id == clinician_id, TrailRow.event.in_(kinds))
        .order_by(TrailRow.number.desc())
        .limit(1)
    )
    found = db.execute(query).one_or_none()
    return (found.actor, found.details) if found and found.event == Event.RESIDENCY_OVERRIDDEN else None


def clinician_rows() -> Select[Any]:
    """The columns that make a `ClinicianState`."""
    fields = [getattr(ClinicianRow, name) for name in ClinicianState.__slots__ if name != "clinician_id"]
    return select(ClinicianRow.id, *fields)


_OF_USER = clinician_rows().where(
    ClinicianRow.region == bindparam("of_region"), ClinicianRow.heidi_user_id == bindparam("of_user")
)
_DUE_FAR_OFF = (
    select(EntryRow.id)
    .where(
        EntryRow.clinician_id == bindparam("of_clinician"),
        EntryRow.status.in_([Status.PENDING, Status.IN_DOUBT, Status.REVIEW]),
        EntryRow.due_at > bindparam("far"),
    )
    .limit(1)
)
_BACKFILLS = (
    select(BackfillRow.id, BackfillRow.since, BackfillRow.until, BackfillRow.asked_at, BackfillRow.walked_at)
    .where(BackfillRow.clinician_id == bindparam("of_clinician"))
    .order_by(BackfillRow.id)
)


def clinician_of(row: Row[Any]) -> ClinicianState:
    """A row of `clinician_rows` as a value."""
    values: tuple[Any, ...] = tuple(row)
    return ClinicianState(*values)


def move_stamps(db: Connection, clinician: ClinicianState, stamps: dict[str, datetime]) -> None:
    """Move a clinician's stamps; the cursor never goes back, and the first sweep stays the first."""
    values = dict(stamps)
    if "cursor_at" in values:
        values["cursor_at"] = later(clinician.cursor_at, values["cursor_at"])
    if clinician.first_sweep_at is not None:
        values.pop("first_sweep_at", None)
    if values:
        db.execute(update(ClinicianRow).where(ClinicianRow.id == clinician.clinician_id).values(**values))
