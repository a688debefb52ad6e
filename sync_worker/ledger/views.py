"""What people and programs ask of the ledger: counts and the review list. Straight SQL, read only, ids and codes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Row, Select, func, or_, select

from sync_worker import lifecycle
from sync_worker.ledger.clinicians import clinician_of, clinician_rows
from sync_worker.ledger.moves import entries, entry_of
from sync_worker.ledger.storage import reading
from sync_worker.ledger.tables import (
    AttemptRow,
    BackfillRow,
    ClinicianRow,
    EntryRow,
    HeidiTemplateRow,
    Installation,
    SessionRow,
    TrailRow,
)
from sync_worker.records import ClinicianState, Entry, Reason, Status

WAITING = (Status.PENDING, Status.POSTING, Status.IN_DOUBT, Status.REVIEW)
PAGE = 500


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One entry that a person must decide about."""

    entry: int
    reason: str
    waiting_on: str
    heidi_user_id: str
    session_id: str
    document_id: str
    waiting_since: datetime
    candidates: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far backfills came: their documents by what became of them."""

    walked: bool
    """Whether Heidi's whole list was read for each of them, and every session of it."""
    total: int
    waiting: int
    posted: int
    review: int
    skipped: int

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do for a worker."""
        return self.walked and not self.waiting


@dataclass(frozen=True, slots=True)
class EntryLife:
    """One entry as it stands, its attempts and its history."""

    entry: int
    status: str
    reason: str | None
    waiting_on: str | None
    """Whose question it is, where it is one."""
    heidi_user_id: str
    session_id: str
    document_id: str
    found_at: datetime
    patient_id: str | None
    note_id: str | None
    candidates: Sequence[dict[str, Any]]
    attempts: Sequence[dict[str, Any]]
    history: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest step of a clinician's audit trail: its number, and the hash that all before it went into."""

    name: str
    number: int
    hash: bytes | None


def zone_told(states: Iterable[ClinicianState]) -> ZoneInfo:
    """The practice's time zone as Cliniko told it once; UTC where it did not yet."""
    return ZoneInfo(next((state.time_zone for state in states if state.time_zone), "UTC"))


class Views:
    """Read-only views of the ledger."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def entry_counts(self) -> dict[str, int]:
        """How many entries have each status; every status is named."""
        query = select(EntryRow.status, func.count()).group_by(EntryRow.status)
        with reading(self._engine) as db:
            found = {status: count for status, count in db.execute(query)}
        return {status.value: found.get(status.value, 0) for status in Status}

    def review_reasons(self) -> dict[str, int]:
        """How many entries wait for each reason."""
        return self.reasons(Status.REVIEW)

    def reasons(self, status: Status) -> dict[str, int]:
        """How many entries of a status have each reason."""
        query = (
            select(EntryRow.reason, func.count())
            .where(EntryRow.status == status)
            .group_by(EntryRow.reason)
            .order_by(EntryRow.reason)
        )
        with reading(self._engine) as db:
            return {str(reason): count for reason, count in db.execute(query)}

    def oldest_waiting(self, *, pending: bool = True) -> datetime | None:
        """When the oldest document that still waits was found; `pending` counts those that nobody has to do with."""
        waiting = [status for status in WAITING if pending or status is not Status.PENDING]
        query = select(func.min(EntryRow.found_at)).where(EntryRow.status.in_(waiting))
        with reading(self._engine) as db:
            return db.execute(query).scalar()

    def waiting_by_clinician(self) -> dict[str, int]:
        """How many entries still wait, by the clinician's Heidi user id."""
        query = (
            select(ClinicianRow.heidi_user_id, func.count())
            .join(EntryRow, EntryRow.clinician_id == ClinicianRow.id)
            .where(EntryRow.status.in_(WAITING))
            .group_by(ClinicianRow.heidi_user_id)
        )
        with reading(self._engine) as db:
            return {user_id: count for user_id, count in db.execute(query)}

    def unread_sessions(self) -> int:
        """How many sessions could not be read when last tried."""
        with reading(self._engine) as db:
            return int(db.execute(select(func.count()).where(SessionRow.unread)).scalar_one())

    def paused_at(self) -> datetime | None:
        """Since when posting is paused for everybody."""
        with reading(self._engine) as db:
            return db.execute(select(Installation.paused_at)).scalar()

    def clinicians(self) -> dict[str, ClinicianState]:
        """Every clinician that ever ticked, by Heidi user id."""
        with reading(self._engine) as db:
            found = [clinician_of(row) for row in db.execute(clinician_rows().order_by(ClinicianRow.id))]
        return {clinician.heidi_user_id: clinician for clinician in found}

    def heidi_templates(self) -> dict[str, datetime]:
        """The Heidi templates that documents were made from, and when each was met first."""
        first = func.min(HeidiTemplateRow.met_at)
        query = select(HeidiTemplateRow.template_id, first).group_by(HeidiTemplateRow.template_id).order_by(first)
        with reading(self._engine) as db:
            return {template_id: met_at for template_id, met_at in db.execute(query)}

    def oldest_waiting_session(self) -> datetime | None:
        """When the oldest session began of which a document is not in Cliniko yet; where unknown, when it was met."""
        began = func.coalesce(SessionRow.created_at, EntryRow.found_at)
        listed = (SessionRow.clinician_id == EntryRow.clinician_id) & (SessionRow.session_id == EntryRow.session_id)
        query = select(func.min(began)).select_from(EntryRow).outerjoin(SessionRow, listed)
        # not "is null", for which SQLite would read all that never got a note, rather than those few that wait
        without_note = func.coalesce(EntryRow.note_id, "") == ""
        query = query.where(EntryRow.status.in_(WAITING), without_note)
        with reading(self._engine) as db:
            return db.execute(query).scalar()

    def tips(self, names: Mapping[str, str]) -> list[Tip]:
        """The newest step of each clinician's audit trail. `names` are theirs by Heidi user id."""
        query = select(ClinicianRow.heidi_user_id, ClinicianRow.trail_number, ClinicianRow.trail_hash)
        with reading(self._engine) as db:
            rows = db.execute(query.order_by(ClinicianRow.id)).all()
        return [Tip(names.get(row[0], row[0]), row[1], bytes(row[2]) if row[2] is not None else None) for row in rows]

    def documents_since(self, since: datetime) -> bool:
        """Whether a document was found since a time."""
        newest = select(EntryRow.found_at).order_by(EntryRow.id.desc()).limit(1)
        with reading(self._engine) as db:
            found_at = db.execute(newest).scalar()
        return found_at is not None and found_at >= since

    def doubts_older_than(self, since: datetime) -> int:
        """How many entries have been in doubt, or under way, since before a time."""
        where = (EntryRow.status.in_([Status.IN_DOUBT, Status.POSTING]), EntryRow.status_since < since)
        with reading(self._engine) as db:
            return int(db.execute(select(func.count()).select_from(EntryRow).where(*where)).scalar_one())

    def oldest_doubt(self) -> datetime | None:
        """Since when the entry is in doubt, or under way, that has been so for longest."""
        where = EntryRow.status.in_([Status.IN_DOUBT, Status.POSTING])
        with reading(self._engine) as db:
            return db.execute(select(func.min(EntryRow.status_since)).where(where)).scalar()

    def backfill_progress(self, backfill_ids: Sequence[int]) -> BackfillProgress:
        """How far these backfills came."""
        columns = (BackfillRow.clinician_id, BackfillRow.since, BackfillRow.until, BackfillRow.walked_at)
        counts: Counter[str] = Counter()
        unread = 0
        with reading(self._engine) as db:
            found = db.execute(select(*columns).where(BackfillRow.id.in_(list(backfill_ids)))).all()
            for one in found:
                counts.update(_backfilled(db, one.clinician_id, one.since, one.until))
                unread += _unread(db, one.clinician_id, one.since, one.until)
        return BackfillProgress(
            walked=all(one.walked_at is not None for one in found) and not unread,
            total=counts.total(),
            waiting=sum(counts[status] for status in (Status.PENDING, Status.POSTING, Status.IN_DOUBT)),
            posted=counts[Status.POSTED] + counts[Status.WITHDRAWN],
            review=counts[Status.REVIEW],
            skipped=counts[Status.SKIPPED],
        )

    def review_list(self) -> list[ReviewItem]:
        """What waits for a person, longest waiting first."""
        query = (
            select(
                EntryRow.id,
                EntryRow.reason,
                ClinicianRow.heidi_user_id,
                EntryRow.session_id,
                EntryRow.document_id,
                EntryRow.status_since,
                EntryRow.evidence,
                EntryRow.asked,
            )
            .join(ClinicianRow, ClinicianRow.id == EntryRow.clinician_id)
            .where(EntryRow.status == Status.REVIEW)
            .order_by(EntryRow.status_since, EntryRow.id)
        )
        with reading(self._engine) as db:
            return [
                ReviewItem(
                    entry=row.id,
                    reason=str(row.reason),
                    waiting_on=_waits_on(row.asked, row.reason),
                    heidi_user_id=row.heidi_user_id,
                    session_id=row.session_id,
                    document_id=row.document_id,
                    waiting_since=row.status_since,
                    candidates=_candidates(row.evidence),
                )
                for row in db.execute(query)
            ]

    def entries_since(self, clinician_id: int, since: datetime) -> Iterator[tuple[Entry, datetime]]:
        """A clinician's entries that were met, moved or tried since a time, and those with an open end.

        Each with the moment since which it has its status, in the order in which they were met.
        """
        tried = select(AttemptRow.id).where(AttemptRow.entry_id == EntryRow.id, AttemptRow.started_at >= since)
        happened = or_(
            EntryRow.status_since >= since,
            EntryRow.status.in_((Status.POSTING, Status.IN_DOUBT)),
            tried.exists(),
        )
        query = _entries_with_age().where(EntryRow.clinician_id == clinician_id, happened)
        query, last = query.order_by(EntryRow.id).limit(PAGE), 0
        while True:
            with reading(self._engine) as db:
                rows = db.execute(query.where(EntryRow.id > last)).all()
            yield from (_with_age(row) for row in rows)
            if len(rows) < PAGE:
                return
            last = rows[-1].id

    def entries_marked(self, references: Iterable[str]) -> Iterator[tuple[Entry, datetime]]:
        """The entries, of whatever clinician, that these references name; each as `entries_since` gives it."""
        wanted = sorted(set(references))
        for start in range(0, len(wanted), PAGE):
            where = EntryRow.reference.in_(wanted[start : start + PAGE])
            with reading(self._engine) as db:
                rows = db.execute(_entries_with_age().where(where).order_by(EntryRow.id)).all()
            yield from (_with_age(row) for row in rows)

    def entry_life(self, entry_id: int) -> EntryLife | None:
        """One entry with its whole life; None if there is no such number."""
        query = (
            select(EntryRow, ClinicianRow.heidi_user_id)
            .join(ClinicianRow, ClinicianRow.id == EntryRow.clinician_id)
            .where(EntryRow.id == entry_id)
            .with_only_columns(*EntryRow.__table__.columns, ClinicianRow.heidi_user_id)
        )
        with reading(self._engine) as db:
            row = db.execute(query).one_or_none()
            if row is None:
                return None
            attempts = db.execute(_attempts_of(entry_id)).mappings().all()
            history = db.execute(_history_of(entry_id)).mappings().all()
        return EntryLife(
            entry=row.id,
            status=row.status,
            reason=row.reason,
            waiting_on=_waits_on(row.asked, row.reason) if row.status == Status.REVIEW else None,
            heidi_user_id=row.heidi_user_id,
            session_id=row.session_id,
            document_id=row.document_id,
            found_at=row.found_at,
            patient_id=row.patient_id,
            note_id=row.note_id,
            candidates=_candidates(row.evidence),
            attempts=[dict(attempt) for attempt in attempts],
            history=[dict(step) for step in history],
        )


def _waits_on(asked: str | None, reason: str) -> str:
    """Who can end a review: to whom it was passed on, else who knows about its reason."""
    return asked or lifecycle.WAITS_ON[Reason(reason)].value


def _backfilled(db: Connection, clinician_id: int, since: datetime, until: datetime) -> dict[str, int]:
    """The backfilled documents of sessions of a time, counted by status."""
    listed = (SessionRow.clinician_id == EntryRow.clinician_id) & (SessionRow.session_id == EntryRow.session_id)
    query = select(EntryRow.status, func.count()).join(SessionRow, listed).group_by(EntryRow.status)
    where = (SessionRow.created_at >= since, SessionRow.created_at < until)
    found = db.execute(query.where(EntryRow.clinician_id == clinician_id, EntryRow.backfilled, *where))
    return {status: count for status, count in found}


def _unread(db: Connection, clinician_id: int, since: datetime, until: datetime) -> int:
    where = (SessionRow.clinician_id == clinician_id, SessionRow.unread)
    span = (SessionRow.created_at >= since, SessionRow.created_at < until)
    return int(db.execute(select(func.count()).select_from(SessionRow).where(*where, *span)).scalar_one())


def _entries_with_age() -> Select[Any]:
    return entries().add_columns(EntryRow.status_since)


def _with_age(row: Row[Any]) -> tuple[Entry, datetime]:
    return entry_of(row), row.status_since


def _attempts_of(entry_id: int) -> Any:
    columns = (
        AttemptRow.number,
        AttemptRow.kind,
        AttemptRow.started_at,
        AttemptRow.ended_at,
        AttemptRow.outcome,
        AttemptRow.code,
        AttemptRow.looks,
        AttemptRow.patient_id,
        AttemptRow.note_id,
    )
    return select(*columns).where(AttemptRow.entry_id == entry_id).order_by(AttemptRow.number)


def _history_of(entry_id: int) -> Any:
    columns = (TrailRow.at, TrailRow.from_status, TrailRow.to_status, TrailRow.reason, TrailRow.actor)
    where = (TrailRow.entry_id == entry_id, TrailRow.to_status.is_not(None))
    return select(*columns).where(*where).order_by(TrailRow.id)


def _candidates(evidence: dict[str, Any] | None) -> Sequence[dict[str, Any]]:
    return list((evidence or {}).get("candidates", []))
