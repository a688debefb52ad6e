"""What a support bundle tells of the ledger: counts, codes and ages. Read only; no id but an entry's number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, select

from sync_worker.ledger.storage import reading
from sync_worker.ledger.tables import AttemptRow, Base, ClinicianRow, EntryRow
from sync_worker.ledger.trail import Trail
from sync_worker.ledger.views import WAITING

MOST_WAITING = 500
"""So many waiting entries tell what is wrong; more only make the file larger."""


@dataclass(frozen=True, slots=True)
class Group:
    """A clinician's entries of one status and reason: how many, and since when the first and the last have it."""

    heidi_user_id: str
    status: str
    reason: str | None
    count: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class WaitingEntry:
    """An entry that waits, and how its attempts ended: kind, outcome and code of each."""

    entry: int
    heidi_user_id: str
    status: str
    reason: str | None
    since: datetime
    failures: int
    wish: str | None
    outcomes: Sequence[str]


class Contents:
    """What the ledger holds, in numbers. All raise `LedgerUnavailable`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with reading(self._engine) as db:
            return {
                table.name: int(db.execute(select(func.count()).select_from(table)).scalar_one())
                for table in Base.metadata.sorted_tables
            }

    def entries(self) -> list[Group]:
        """Every entry, by clinician, status and reason."""
        of = (ClinicianRow.heidi_user_id, EntryRow.status, EntryRow.reason)
        told: tuple[Any, ...] = (func.count(), func.min(EntryRow.status_since), func.max(EntryRow.status_since))
        query = select(*of, *told).join(ClinicianRow, ClinicianRow.id == EntryRow.clinician_id)
        with reading(self._engine) as db:
            return [Group(*row) for row in db.execute(query.group_by(*of).order_by(*of))]

    def waiting(self) -> list[WaitingEntry]:
        """The entries that wait, the longest waiting first."""
        columns = (
            EntryRow.id,
            ClinicianRow.heidi_user_id,
            EntryRow.status,
            EntryRow.reason,
            EntryRow.status_since,
            EntryRow.failures,
            EntryRow.wish,
        )
        query = select(*columns).join(ClinicianRow, ClinicianRow.id == EntryRow.clinician_id)
        query = query.where(EntryRow.status.in_(WAITING)).order_by(EntryRow.status_since, EntryRow.id)
        with reading(self._engine) as db:
            rows = db.execute(query.limit(MOST_WAITING)).all()
            outcomes = _outcomes(db, [row.id for row in rows])
        return [WaitingEntry(*row, outcomes.get(row.id, [])) for row in rows]

    def broken_trails(self) -> dict[str, int]:
        """By Heidi user id: the first step from which a clinician's audit trail does not hold."""
        return {one.heidi_user_id: one.number for one in Trail(self._engine).breaks()}


def _outcomes(db: Any, entry_ids: Sequence[int]) -> dict[int, list[str]]:
    query = select(AttemptRow.entry_id, AttemptRow.kind, AttemptRow.outcome, AttemptRow.code)
    query = query.where(AttemptRow.entry_id.in_(entry_ids)).order_by(AttemptRow.entry_id, AttemptRow.number)
    found: dict[int, list[str]] = {}
    for row in db.execute(query):
        found.setdefault(row.entry_id, []).append(" ".join(one for one in row[1:] if one))
    return found
