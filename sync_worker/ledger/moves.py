"""The statements that several transactions share: above all the one move of an entry from status to status.

Every move is an UPDATE that names the status it moves from, followed by a look at the row count, and writes its history
row in the same transaction. A worker's transaction first proves that its lease still holds.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from sync_worker import lifecycle
from sync_worker.errors import EntryMoved, LeaseLost, LedgerError
from sync_worker.ledger.tables import Base, ClinicianRow, EntryRow, HistoryRow, Installation, LeaseRow
from sync_worker.lifecycle import Settlement
from sync_worker.model import Entry, Lease, Reason, Status

WORKER = "worker"
"""The actor of a move that no person made."""


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
    )
    return select(*columns)


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
    **values: Any,
) -> bool:
    """Move an entry if it still stands where the caller saw it; say whether it did. Writes the history row.

    `because` is a person's own reason code, for the history alone.

    Raises `LedgerError` for a move that the table of allowed moves does not name.
    """
    if not lifecycle.is_allowed(from_, to):
        raise LedgerError(f"an entry may not move from {from_} to {to}")
    done = db.execute(
        update(EntryRow)
        .where(EntryRow.id == entry_id, EntryRow.status == from_, *where)
        .values(status=to, reason=reason, status_since=at, **values)
    )
    if done.rowcount != 1:
        return False
    write_history(db, entry_id, from_, to, at=at, reason=because or reason, actor=actor)
    return True


def apply_settlement(
    db: Connection, entry_id: int, from_: Status, settlement: Settlement, *, now: datetime, due_at: datetime
) -> None:
    values: dict[str, Any] = {"due_at": due_at}
    if settlement.note_id:
        values |= {"note_id": settlement.note_id}
    if from_ is Status.IN_DOUBT and settlement.to is Status.PENDING:
        values |= {"bound": True}  # the one more request goes to the same patient, or to none
    if settlement.to is Status.POSTED:
        values |= {"failures": 0}
    if not move(db, entry_id, from_, settlement.to, at=now, actor=WORKER, reason=settlement.reason, **values):
        # nobody but the lease's holder ends an attempt; a doubt may be ended by a person meanwhile
        raise LeaseLost if from_ is Status.POSTING else EntryMoved


def write_history(
    db: Connection,
    entry_id: int,
    from_: Status | None,
    to: Status,
    *,
    at: datetime,
    reason: str | None,
    actor: str,
) -> None:
    db.execute(
        insert(HistoryRow).values(entry_id=entry_id, at=at, from_status=from_, to_status=to, reason=reason, actor=actor)
    )


def require_lease(db: Connection, lease: Lease) -> None:
    """Raise `LeaseLost` unless the lease's epoch is the clinician's newest."""
    query = select(LeaseRow.epoch).where(LeaseRow.clinician_id == lease.clinician_id)
    if db.dialect.name == "postgresql":
        # nobody may take the lease over between this look and our commit
        query = query.with_for_update(read=True)
    if db.execute(query).scalar() != lease.epoch:
        raise LeaseLost


def is_paused(db: Connection, clinician_id: int) -> bool:
    everybody = select(Installation.paused_at)
    clinician = select(ClinicianRow.paused_at).where(ClinicianRow.id == clinician_id)
    return any(db.execute(query).scalar() is not None for query in (everybody, clinician))


def insert_once(db: Connection, table: type[Base], values: dict[str, Any]) -> bool:
    """Insert a row unless there is one already, perhaps since this moment; say whether it was inserted."""
    statement: Any = sqlite_insert(table) if db.dialect.name == "sqlite" else postgres_insert(table)
    statement = statement.values(**values).on_conflict_do_nothing().returning(*table.__table__.primary_key)
    return db.execute(statement).first() is not None


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
    )
