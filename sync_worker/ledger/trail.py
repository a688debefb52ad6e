"""The audit trail: what was done to Cliniko, what people decided, and every move, written before it takes effect.

Each clinician has a trail of their own. Every step holds a hash over itself and the step before it, and the clinician's
row holds the newest, so that a step that was changed, removed or slipped in shows. A trail says who, when, which entry
and why, in ids, codes and names of fields: no patient's data, no text but the reason of a residency override, which is
the owner's.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, insert, select, update

from sync_worker.errors import LedgerMismatch
from sync_worker.ledger.storage import reading
from sync_worker.ledger.tables import ClinicianRow, Installation, TrailRow

PAGE = 500


class Event(StrEnum):
    """What kind of step it is."""

    ENTERED = "entered"
    """A document became an entry."""
    MOVED = "moved"
    """An entry moved from one status to another."""
    CLAIMED = "claimed"
    """A request to create its note is about to leave."""
    ADOPTED = "adopted"
    """Its note was in Cliniko already."""
    LOOKED = "looked"
    """A complete look for a note in doubt."""
    WISHED = "wished"
    """The note is to be updated or withdrawn by the next tick."""
    AMENDING = "amending"
    """A request to update or archive its note is about to leave."""
    AMENDED = "amended"
    """How such a request ended."""
    DECIDED = "decided"
    """A person decided about an entry."""
    PAUSED = "paused"
    RESUMED = "resumed"
    BACKFILL = "backfill"
    """A person brought older sessions into scope."""
    RESTORED = "restored"
    """The ledger was put back from a copy."""
    VIEWED = "viewed"
    """A person looked at a patient's page."""
    RESIDENCY_OVERRIDDEN = "residency_overridden"
    """A person lets clinical data leave Australia; its details hold the hosts and their own words why."""
    RESIDENCY_RESTORED = "residency_restored"
    """That override is over."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a clinician's trail. `details` is JSON as it is hashed, or None."""

    clinician_id: int
    number: int
    at: datetime
    entry_id: int | None
    event: str
    from_status: str | None
    to_status: str | None
    reason: str | None
    actor: str
    details: str | None


@dataclass(frozen=True, slots=True)
class Break:
    """Where a clinician's trail does not hold: the number of the first step that is wrong or missing."""

    heidi_user_id: str
    number: int


def link(before: bytes | None, step: Step) -> bytes:
    """SHA-256 over the hash of the step before (32 zero bytes for the first) and the step as JSON."""
    at = step.at if step.at.tzinfo else step.at.replace(tzinfo=UTC)
    fields = [
        step.clinician_id,
        step.number,
        at.astimezone(UTC).isoformat(timespec="microseconds"),
        step.entry_id,
        step.event,
        step.from_status,
        step.to_status,
        step.reason,
        step.actor,
        step.details,
    ]
    return hashlib.sha256((before or bytes(32)) + json.dumps(fields, ensure_ascii=True).encode()).digest()


def written(details: Mapping[str, Any] | None) -> str | None:
    """A step's details as they are kept and hashed."""
    return json.dumps(details, sort_keys=True) if details else None


def told(step: Step) -> Mapping[str, Any] | None:
    """A step's details; None where they cannot be read any more, since somebody changed them."""
    try:
        details = json.loads(step.details) if step.details else {}
    except ValueError:
        return None
    return details if isinstance(details, dict) else {}


def moved_away() -> LedgerMismatch:
    """What a writer hears whose ledger was moved away since it was opened."""
    return LedgerMismatch("This ledger was moved to another database meanwhile: start again with that one.")


def newest_step(db: Connection, entry_id: int) -> int:
    """The number in the ledger of an entry's newest step, looks aside; 0 where it has none."""
    query = select(func.max(TrailRow.id)).where(TrailRow.entry_id == entry_id, TrailRow.event != Event.VIEWED.value)
    return int(db.execute(query).scalar() or 0)


def append(
    db: Connection,
    clinician_id: int,
    event: Event,
    *,
    at: datetime,
    actor: str,
    entry_id: int | None = None,
    from_status: str | None = None,
    to_status: str | None = None,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a step to a clinician's trail, in the caller's transaction: it is committed with what it tells of."""
    number, before = lock_trail(db, clinician_id)
    step = Step(
        clinician_id=clinician_id,
        number=number + 1,
        at=at,
        entry_id=entry_id,
        event=event.value,
        from_status=from_status,
        to_status=to_status,
        reason=reason,
        actor=actor,
        details=written(details),
    )
    tip = link(before, step)
    db.execute(_ADD, {**_columns(step), "hash": tip})
    db.execute(_SET_TIP, {"of_clinician": clinician_id, "new_number": step.number, "new_hash": tip})


def lock_trail(db: Connection, clinician_id: int) -> tuple[int, bytes | None]:
    """The trail's newest number and hash, locked until our commit; also what orders all writers of one clinician.

    Raises `LedgerMismatch` where the ledger was moved away since it was opened.
    """
    number, hashed, retired_at = db.execute(_TIP, {"of_clinician": clinician_id}).one()
    if retired_at is not None:
        raise moved_away()
    return number, bytes(hashed) if hashed is not None else None


# built once, since every transaction of a worker runs them: to build a statement takes longer than to run it
_TIP = (
    select(ClinicianRow.trail_number, ClinicianRow.trail_hash, select(Installation.retired_at).scalar_subquery())
    .where(ClinicianRow.id == bindparam("of_clinician"))
    .with_for_update(key_share=True)
)
_SET_TIP = (
    update(ClinicianRow)
    .where(ClinicianRow.id == bindparam("of_clinician"))
    .values(trail_number=bindparam("new_number"), trail_hash=bindparam("new_hash"))
)
_ADD = insert(TrailRow)


class Trail:
    """The trails as they stand, to read and to prove."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def steps(self, entry_id: int | None = None) -> Iterator[tuple[Step, bytes]]:
        """Every step with its hash, or one entry's, oldest first."""
        query = select(TrailRow.id, *_COLUMNS, TrailRow.hash).order_by(TrailRow.id).limit(PAGE)
        if entry_id is not None:
            query = query.where(TrailRow.entry_id == entry_id)
        last = 0
        while True:
            with reading(self._engine) as db:
                rows = db.execute(query.where(TrailRow.id > last)).all()
            for row in rows:
                yield Step(*row[1:-1]), bytes(row.hash)
            if len(rows) < PAGE:
                return
            last = rows[-1].id

    def breaks(self) -> list[Break]:
        """Every clinician whose trail was changed by something else than this program."""
        columns = (ClinicianRow.id, ClinicianRow.heidi_user_id, ClinicianRow.trail_number, ClinicianRow.trail_hash)
        with reading(self._engine) as db:
            clinicians = db.execute(select(*columns).order_by(ClinicianRow.id)).all()
        found = ((row.heidi_user_id, self._first_break(row)) for row in clinicians)
        return [Break(user_id, number) for user_id, number in found if number is not None]

    def _first_break(self, clinician: Any) -> int | None:
        number, before = 0, None
        query = select(*_COLUMNS, TrailRow.hash).order_by(TrailRow.number).limit(PAGE)
        while number < clinician.trail_number:
            newer = (TrailRow.number > number, TrailRow.number <= clinician.trail_number)
            where = (TrailRow.clinician_id == clinician.id, *newer)
            with reading(self._engine) as db:
                rows = db.execute(query.where(*where)).all()
            for row in rows:
                step = Step(*row[:-1])
                if step.number != number + 1 or link(before, step) != row.hash:
                    return number + 1
                number, before = step.number, bytes(row.hash)
            if not rows:
                return number + 1  # the newest steps are missing
        if before != clinician.trail_hash:
            return number
        return self._step_beyond(clinician.id)

    def _step_beyond(self, clinician_id: int) -> int | None:
        """A step that the clinician's row knows nothing of: somebody slipped it in at the end."""
        newest = select(func.max(TrailRow.number)).where(TrailRow.clinician_id == clinician_id)
        tip = select(ClinicianRow.trail_number).where(ClinicianRow.id == clinician_id)
        with reading(self._engine) as db:
            last = db.execute(newest).scalar() or 0
            known = db.execute(tip).scalar_one()  # asked last: a step of ours may come in between
        return known + 1 if last > known else None


_COLUMNS: tuple[Any, ...] = tuple(getattr(TrailRow, name) for name in Step.__slots__)


def _columns(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in Step.__slots__}
