"""The statements that several transactions share: above all the one move of an entry from status to status.

Every move is an UPDATE that names the status it moves from, followed by a look at the row count, and adds its step to
the audit trail in the same transaction. A worker's transaction first proves that its lease still holds.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from sync_worker import lifecycle
from sync_worker.errors import EntryMoved, LeaseLost, LedgerError
from sync_worker.ledger import trail
from sync_worker.ledger.tables import Base, ClinicianRow, EntryRow, Installation, LeaseRow
from sync_worker.ledger.trail import Event
from sync_worker.lifecycle import Settlement
from sync_worker.records import Attempt, Entry, Lease, PauseReason, Reason, Status, WaitsOn, Wish

WORKER = "worker"
"""The actor of a move that no person made."""


@cache
def entries() -> Select[Any]:
    """The columns that make an `Entry`."""
    columns: tuple[Any, ...] = (
        EntryRow.id,
        EntryRow.clinician_id,
        EntryRow.session_id,
        EntryRow.document_id,
        EntryRow.status,
        EntryRow.reason,
        EntryRow.text_hash,
        EntryRow.text_since,
        EntryRow.due_at,
        EntryRow.patient_id,
        EntryRow.pinned,
        EntryRow.bound,
        EntryRow.note_id,
        EntryRow.failures,
        EntryRow.reference,
        EntryRow.backfilled,
        EntryRow.hint_hash,
        EntryRow.hint_link,
        EntryRow.note_updated_at,
        EntryRow.wish,
        EntryRow.waived,
        EntryRow.asked,
        EntryRow.barred,
        EntryRow.found_at,
    )
    return select(*columns)


def entries_of(db: Connection, region: str, *session_ids: str, locked: bool = False) -> list[Entry]:
    """These sessions' entries in the order in which they were met. `locked`: until the commit of the transaction."""
    query = _OF_SESSIONS_LOCKED if locked else _OF_SESSIONS
    return [entry_of(row) for row in db.execute(query, {"of_region": region, "of_sessions": session_ids})]


_OF_SESSIONS = (
    entries()
    .where(EntryRow.region == bindparam("of_region"), EntryRow.session_id.in_(bindparam("of_sessions", expanding=True)))
    .order_by(EntryRow.id)
)
_OF_SESSIONS_LOCKED = _OF_SESSIONS.with_for_update()


def move(
    db: Connection,
    entry_id: int,
    from_: Status,
    to: Status,
    *where: Any,
    at: datetime,
    actor: str,
    reason: Reason | None = None,
    because: str | None = None,
    event: Event = Event.MOVED,
    details: Mapping[str, Any] | None = None,
    **values: Any,
) -> bool:
    """Move an entry if it still stands where the caller saw it; say whether it did. Adds the step to the trail.

    `because` is a person's own reason code, for the trail alone; so are `details`.

    Raises `LedgerError` for a move that the table of allowed moves does not name.
    """
    if not lifecycle.is_allowed(from_, to):
        raise LedgerError(f"an entry may not move from {from_} to {to}")
    if to is not Status.REVIEW:
        values["asked"] = None  # whom its question was passed on to
    values |= {"status": to, "reason": reason, "status_since": at}
    told = {f"new_{name}": value for name, value in values.items()}
    statement = _move(frozenset(values)).where(*where)
    clinician_id = db.execute(statement, {"of_entry": entry_id, "from_status": from_, **told}).scalar()
    if clinician_id is None:
        return False
    trail.append(
        db,
        clinician_id,
        event,
        at=at,
        actor=actor,
        entry_id=entry_id,
        from_status=from_,
        to_status=to,
        reason=because or reason,
        details=details,
    )
    return True


@cache
def _move(names: frozenset[str]) -> ReturningUpdate[Any]:
    """The statement of a move that sets these columns: every note takes two, and to build one takes longer than it."""
    return (
        update(EntryRow)
        .where(EntryRow.id == bindparam("of_entry"), EntryRow.status == bindparam("from_status"))
        .values({name: bindparam(f"new_{name}") for name in sorted(names)})
        .returning(EntryRow.clinician_id)
    )


def apply_settlement(
    db: Connection,
    attempt: Attempt,
    from_: Status,
    settlement: Settlement,
    *,
    now: datetime,
    due_at: datetime,
    note_updated_at: datetime | None = None,
) -> None:
    """Move the attempt's entry as its end says. `note_updated_at`: Cliniko's stamp of a note as we meant it."""
    values: dict[str, Any] = {"due_at": due_at}
    if settlement.note_id:
        values |= {"note_id": settlement.note_id, "note_updated_at": note_updated_at}
    if from_ is Status.IN_DOUBT and settlement.to is Status.PENDING:
        values |= {"bound": True}  # the one more request goes to the same patient, or to none
    if settlement.to is Status.POSTED:
        values |= {"failures": 0}
    told = {"attempt": attempt.number, "code": settlement.code, "note_id": settlement.note_id}
    details = {name: value for name, value in told.items() if value}
    reason = settlement.reason
    if not move(
        db, attempt.entry_id, from_, settlement.to, at=now, actor=WORKER, reason=reason, details=details, **values
    ):
        # nobody but the lease's holder ends an attempt; a doubt may be ended by a person meanwhile
        raise LeaseLost if from_ is Status.POSTING else EntryMoved


def require_lease(db: Connection, lease: Lease) -> None:
    """Raise `LeaseLost` unless the lease's epoch is the clinician's newest.

    Locks the clinician's trail first, as people's decisions do: so writers of one clinician come one after another.
    """
    trail.lock_trail(db, lease.clinician_id)
    if db.execute(_EPOCH, {"of_clinician": lease.clinician_id}).scalar() != lease.epoch:
        raise LeaseLost


# locked, so that nobody takes the lease over between this look and our commit; SQLite has one writer anyway
_EPOCH = select(LeaseRow.epoch).where(LeaseRow.clinician_id == bindparam("of_clinician")).with_for_update(read=True)


def is_paused(db: Connection, clinician_id: int) -> bool:
    return any(at is not None for at in db.execute(_PAUSES, {"of_clinician": clinician_id}).one())


_PAUSES = select(ClinicianRow.paused_at, select(Installation.paused_at).scalar_subquery()).where(
    ClinicianRow.id == bindparam("of_clinician")
)


def pause_itself(
    db: Connection, clinician_id: int, reason: PauseReason, now: datetime, details: Mapping[str, Any]
) -> None:
    """Pause a clinician's posting until a person resumes it."""
    db.execute(update(ClinicianRow).where(ClinicianRow.id == clinician_id).values(paused_at=now, pause_reason=reason))
    trail.append(db, clinician_id, Event.PAUSED, at=now, actor=WORKER, reason=reason, details=details)


def insert_once(db: Connection, table: type[Base], values: dict[str, Any]) -> bool:
    """Insert a row unless there is one already, perhaps since this moment; say whether it was inserted."""
    return db.execute(_insert_once(table, db.dialect.name), values).first() is not None


@cache
def _insert_once(table: type[Base], dialect: str) -> Any:
    made_by = import_module(f"sqlalchemy.dialects.{dialect}")  # each takes a while to load, and one is enough
    return made_by.insert(table).on_conflict_do_nothing().returning(*table.__table__.primary_key)


def later(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else max(one, other)


def entry_of(row: Row[Any]) -> Entry:
    return Entry(
        entry_id=row.id,
        clinician_id=row.clinician_id,
        session_id=row.session_id,
        document_id=row.document_id,
        status=Status(row.status),
        reason=Reason(row.reason) if row.reason else None,
        text_hash=bytes(row.text_hash),
        text_since=row.text_since,
        due_at=row.due_at,
        patient_id=row.patient_id,
        pinned=row.pinned,
        bound=row.bound,
        note_id=row.note_id,
        failures=row.failures,
        reference=row.reference or "",
        backfilled=row.backfilled,
        hint_hash=bytes(row.hint_hash) if row.hint_hash is not None else None,
        hint_link=row.hint_link,
        note_updated_at=row.note_updated_at,
        wish=Wish(row.wish) if row.wish else None,
        waived=frozenset(map(Reason, (row.waived or "").split())),
        asked=WaitsOn(row.asked) if row.asked else None,
        barred=frozenset((row.barred or "").split()),
        found_at=row.found_at,
    )
