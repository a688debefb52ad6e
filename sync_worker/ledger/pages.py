"""What the web page shows of the ledger: counts, lists in pages, and the trail. Read only, ids and codes.

Each question takes an index and a limit: a page costs the same whether the ledger holds a week or ten years. `whose`
is the clinicians whose entries somebody may see; None is all of them.
"""

from bisect import bisect
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, String, and_, case, cast, exists, func, or_, select, text
from sqlalchemy.orm import aliased

from sync_worker import lifecycle
from sync_worker.ledger.moves import WORKER
from sync_worker.ledger.storage import reading
from sync_worker.ledger.tables import ACCEPTED, FOUND, AttemptRow, ClinicianRow, EntryRow, SessionRow, TrailRow
from sync_worker.ledger.trail import Event, Step, newest_step
from sync_worker.records import AttemptKind, Reason, Status, WaitsOn, Wish

PAGE = 20
"""Rows of a list on one page."""
Whose = Collection[str] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One entry in a list. Times are aware UTC; `session_at` is None where Heidi did not tell."""

    entry_id: int
    status: Status
    reason: Reason | None
    waits_on: WaitsOn | None
    asked: bool
    """Whether a person passed the question on."""
    heidi_user_id: str
    session_id: str
    session_at: datetime | None
    since: datetime
    reference: str
    patient_id: str | None
    note_id: str | None
    pinned: bool
    wish: Wish | None
    barred: frozenset[str]
    candidates: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of the review list is wanted."""

    whose: Whose = None
    waits_on: WaitsOn | None = None
    reason: Reason | None = None
    heidi_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One step of the trail as the history shows it."""

    trail_id: int
    heidi_user_id: str
    step: Step


class Pages:
    """The questions of the web page."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # ------------------------------------------------------------ counts

    def filed_between(self, moments: Sequence[datetime], whose: Whose = None) -> list[int]:
        """How many notes were filed between each moment and the next one, whatever became of them since."""
        made, found = _filed(moments[0], moments[-1], whose)
        with reading(self._engine) as db:
            times = [*db.execute(made).scalars(), *db.execute(found).scalars()]
        bounds = [moment.astimezone(UTC) for moment in moments]  # as the times: other zones compare slowly
        counts = Counter(bisect(bounds, at) for at in times)
        return [counts[number] for number in range(1, len(moments))]

    def waiting_counts(self, wanted: Waiting | None = None) -> dict[WaitsOn, int]:
        """How many entries wait for each kind of person, of those that are wanted."""
        counted: Any = select(_waits_on, func.count()).select_from(EntryRow)
        query = _wanted(counted, wanted or Waiting())
        with reading(self._engine) as db:
            found = {waits_on: int(count) for waits_on, count in db.execute(query.group_by(_waits_on)).all()}
        return {one: found.get(one.value, 0) for one in WaitsOn}

    def waiting_reasons(self, wanted: Waiting) -> list[Reason]:
        """Why anything that is wanted waits, in the order of the alphabet."""
        query = _wanted(select(EntryRow.reason).select_from(EntryRow), wanted).group_by(EntryRow.reason)
        with reading(self._engine) as db:
            return sorted(Reason(reason) for reason in db.execute(query).scalars())

    def lost_since(self, since: datetime, whose: Whose = None) -> int:
        """How many documents went from Heidi before they were filed: what nobody can file any more."""
        gone = or_(
            and_(EntryRow.status == Status.SKIPPED, EntryRow.reason == Reason.GONE),
            and_(EntryRow.status == Status.REVIEW, EntryRow.reason == Reason.SOURCE_GONE, EntryRow.note_id.is_(None)),
        )
        with reading(self._engine) as db:
            return int(db.execute(_counted(whose).where(gone, EntryRow.status_since >= since)).scalar_one())

    # ------------------------------------------------------------ lists

    def waiting(self, wanted: Waiting, *, page: int = 1) -> tuple[list[Row], bool]:
        """One page of what waits for a person, longest first, and whether there is a next one."""
        query = _wanted(_rows(), wanted)
        return self._page(query.order_by(EntryRow.status_since, EntryRow.id), page)

    def doubts(self, whose: Whose = None) -> list[Row]:
        """The oldest entries that are in doubt."""
        query = _of(_rows(), whose).where(EntryRow.status == Status.IN_DOUBT)
        return self._page(query.order_by(EntryRow.status_since, EntryRow.id), 1)[0]

    def of_patient(
        self, patient_id: str, whose: Whose = None, *, merged: Collection[str] = (), page: int = 1
    ) -> tuple[list[Row], bool]:
        """One page of the entries bound for a patient, newest first, and whether there is a next one.

        `merged` are other charts that were merged into the patient's: entries go on naming these.
        """
        query = _of(_rows(), whose).where(EntryRow.patient_id.in_({patient_id, *merged}))
        return self._page(query.order_by(EntryRow.id.desc()), page)

    def clinicians_of(self, patient_id: str, whose: Whose = None) -> list[int]:
        """The ledger's numbers of the clinicians who have entries of a patient."""
        query = _of(select(EntryRow.clinician_id), whose).where(EntryRow.patient_id == patient_id).distinct()
        with reading(self._engine) as db:
            return list(db.execute(query).scalars())

    def perhaps_of_patient(self, patient_id: str, whose: Whose = None) -> list[Row]:
        """What waits for a person and may be this patient's, as far as the last look told."""
        mark = f'%"patient_id": "{patient_id}"%'
        query = _of(_rows(), whose).where(EntryRow.status == Status.REVIEW, cast(EntryRow.evidence, String).like(mark))
        return self._page(query.order_by(EntryRow.status_since, EntryRow.id), 1)[0]

    def row(self, entry_id: int) -> Row | None:
        """One entry; None if there is no such number."""
        with reading(self._engine) as db:
            found = db.execute(_rows().where(EntryRow.id == entry_id)).one_or_none()
        return _row(found) if found is not None else None

    def _page(self, query: Select[Any], page: int) -> tuple[list[Row], bool]:
        with reading(self._engine) as db:
            found = db.execute(query.limit(PAGE + 1).offset((page - 1) * PAGE)).all()
        return [_row(one) for one in found[:PAGE]], len(found) > PAGE

    # ------------------------------------------------------------ the trail

    def history(
        self,
        whose: Whose = None,
        *,
        entry_id: int | None = None,
        before: int | None = None,
        size: int = 50,
        looks: bool = True,
    ) -> list[Told]:
        """The newest steps of the trail, or those before one of them; of one entry if wanted, and without looks."""
        query = select(TrailRow.id, ClinicianRow.heidi_user_id, *_STEP).join(
            ClinicianRow, ClinicianRow.id == TrailRow.clinician_id
        )
        if whose is not None:
            query = query.where(ClinicianRow.heidi_user_id.in_(sorted(whose)))
        if entry_id is not None:
            query = query.where(TrailRow.entry_id == entry_id)
        if before is not None:
            query = query.where(TrailRow.id < before)
        if not looks:
            query = query.where(TrailRow.event != Event.VIEWED.value)
        with reading(self._engine) as db:
            rows = db.execute(query.order_by(TrailRow.id.desc()).limit(size)).all()
        return [Told(row[0], row[1], Step(*row[2:])) for row in rows]

    def last_decision(self, entry_id: int) -> Step | None:
        """What a person decided about an entry last."""
        events = (Event.DECIDED.value, Event.WISHED.value)
        query = select(*_STEP).where(TrailRow.entry_id == entry_id, TrailRow.event.in_(events))
        query = query.where(TrailRow.actor != WORKER).order_by(TrailRow.id.desc()).limit(1)
        with reading(self._engine) as db:
            row = db.execute(query).one_or_none()
        return Step(*row) if row is not None else None

    def newest_step(self, entry_id: int) -> int:
        """The number in the ledger of an entry's newest step, views aside: who decides by an older one is told."""
        with reading(self._engine) as db:
            return newest_step(db, entry_id)


_STEP: tuple[Any, ...] = tuple(getattr(TrailRow, name) for name in Step.__slots__)


def _reasons_of(waits_on: WaitsOn) -> list[str]:
    return [reason.value for reason, who in lifecycle.WAITS_ON.items() if who is waits_on]


_waits_on: ColumnElement[str] = func.coalesce(
    EntryRow.asked, case(*((EntryRow.reason.in_(_reasons_of(one)), one.value) for one in WaitsOn))
)


def _filed(since: datetime, until: datetime, whose: Whose) -> tuple[Select[Any], Select[Any]]:
    """When, in this time: the requests that made a note, and the steps that gave an entry its first one otherwise."""
    made = select(AttemptRow.ended_at).where(text(ACCEPTED))
    made = made.where(AttemptRow.ended_at >= since, AttemptRow.ended_at < until)
    found = select(TrailRow.at).where(text(FOUND), TrailRow.at >= since, TrailRow.at < until)
    found = found.where(~_had_a_note())
    if whose is not None:
        of_them = select(ClinicianRow.id).where(ClinicianRow.heidi_user_id.in_(sorted(whose)))
        entry = exists().where(EntryRow.id == AttemptRow.entry_id, EntryRow.clinician_id.in_(of_them))
        made, found = made.where(entry), found.where(TrailRow.clinician_id.in_(of_them))
    return made, found


def _had_a_note() -> ColumnElement[bool]:
    """Whether the entry of a step was filed before that step: then a question about its note ended with it."""
    before, made = aliased(TrailRow), aliased(AttemptRow)
    filed = (before.entry_id == TrailRow.entry_id, before.id < TrailRow.id, before.to_status == Status.POSTED)
    accepted = (made.entry_id == TrailRow.entry_id, made.kind == AttemptKind.CREATE, made.outcome == "accepted")
    return or_(exists().where(*filed), exists().where(*accepted, made.ended_at <= TrailRow.at))


def _counted(whose: Whose) -> Select[Any]:
    query: Select[Any] = select(func.count())
    return _of(query.select_from(EntryRow), whose)


def _of(query: Select[Any], whose: Whose) -> Select[Any]:
    """Only the entries of these clinicians."""
    if whose is None:
        return query
    ids = select(ClinicianRow.id).where(ClinicianRow.heidi_user_id.in_(sorted(whose)))
    return query.where(EntryRow.clinician_id.in_(ids))


def _wanted(query: Select[Any], wanted: Waiting) -> Select[Any]:
    """Only what of the review list is wanted."""
    query = _of(query, wanted.whose).where(EntryRow.status == Status.REVIEW)
    if wanted.waits_on is not None:
        query = query.where(_waits_on == wanted.waits_on.value)
    if wanted.reason is not None:
        query = query.where(EntryRow.reason == wanted.reason)
    return query if wanted.heidi_user_id is None else _of(query, {wanted.heidi_user_id})


def _rows() -> Select[Any]:
    listed = (SessionRow.clinician_id == EntryRow.clinician_id) & (SessionRow.session_id == EntryRow.session_id)
    columns: tuple[Any, ...] = (
        EntryRow.id,
        EntryRow.status,
        EntryRow.reason,
        _waits_on.label("waits_on"),
        EntryRow.asked,
        ClinicianRow.heidi_user_id,
        EntryRow.session_id,
        SessionRow.created_at,
        EntryRow.status_since,
        EntryRow.reference,
        EntryRow.patient_id,
        EntryRow.note_id,
        EntryRow.pinned,
        EntryRow.wish,
        EntryRow.barred,
        EntryRow.evidence,
    )
    joined: Select[Any] = select(*columns).join(ClinicianRow, ClinicianRow.id == EntryRow.clinician_id)
    return joined.outerjoin(SessionRow, listed)


def _row(row: Any) -> Row:
    is_waiting = row.status == Status.REVIEW
    return Row(
        entry_id=row.id,
        status=Status(row.status),
        reason=Reason(row.reason) if row.reason else None,
        waits_on=WaitsOn(row.waits_on) if is_waiting and row.waits_on else None,
        asked=row.asked is not None,
        heidi_user_id=row.heidi_user_id,
        session_id=row.session_id,
        session_at=row.created_at,
        since=row.status_since,
        reference=row.reference or "",
        patient_id=row.patient_id,
        note_id=row.note_id,
        pinned=row.pinned,
        wish=Wish(row.wish) if row.wish else None,
        barred=frozenset((row.barred or "").split()),
        candidates=(row.evidence or {}).get("candidates", ()),
    )
