"""The nightly purge: what the ledger holds of people and surely never needs again is overwritten or deleted.

docs/privacy.md lists every column and until when it is needed. Here is only what can be proved to be needed no more:
nothing that keeps a document from being filed twice, lets a change be noticed or says why a note is where it is. The
audit trail is never touched. Each batch is one transaction that first locks the clinician's trail, as the worker and
people's decisions do, and names its conditions again; so it needs no lease, and two workers may purge at once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, String, and_, cast, delete, exists, func, null, or_, select, update

from sync_worker.ledger.accounts import Logins
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, Base, ClinicianRow, EntryRow, SessionRow
from sync_worker.ledger.trail import lock_trail
from sync_worker.records import Reason, Status

SETTLED_FOR = timedelta(days=7)
"""How long a question's evidence stays after the entry was settled. The program never reads it again; somebody who
decided by mistake mostly notices within a week, and then `review show` still tells what the question was about."""
BEYOND_LOOKBACK = timedelta(days=30)
"""How long a session without documents stays known after it left the look-back: a month's holiday of the service, or a
look-back that is widened again, then costs no second reading."""
BATCH = 500
"""Rows changed in one transaction: others wait for it, for milliseconds."""
MOST_A_NIGHT = 10_000
"""Rows of one kind and clinician changed in one night: what is more waits for the next one."""
NO_HASH = bytes(32)
"""Stands where a hash was: no text has it."""

SETTLED = (Status.POSTED, Status.SKIPPED, Status.WITHDRAWN)
NEVER_CREATED = ("refused", "not_sent", "key_trouble")
"""Outcomes after which no look will ever compare what the attempt had meant."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge took, by kind."""

    evidence: int = 0
    """Entries that lost the charts which were compared, and whom the session named then."""
    hashes: int = 0
    """Hashes, of a patient or of a text, that were overwritten."""
    sessions: int = 0
    """Sessions without documents that are known no more."""
    logins: int = 0


@dataclass(frozen=True, slots=True)
class _Kind:
    """Rows of a table to change, or with no `values` to delete."""

    table: type[Base]
    where: Sequence[Any]
    values: dict[str, Any] | None


class Purge:
    """Purges one ledger. `lookback` is how far back sessions are looked at (SYNC_LOOKBACK_DAYS)."""

    def __init__(
        self,
        engine: Engine,
        *,
        lookback: timedelta,
        settled_for: timedelta = SETTLED_FOR,
        beyond_lookback: timedelta = BEYOND_LOOKBACK,
    ) -> None:
        self._engine = engine
        self._unlisted_for = lookback + beyond_lookback
        self._settled_for = settled_for
        self._is_stopping: Callable[[], bool] = lambda: False

    def run(self, now: datetime, *, is_stopping: Callable[[], bool] = lambda: False) -> Purged:
        """Purge what is due; a second run finds nothing. `is_stopping` ends it after the batch under way.

        Raises `LedgerUnavailable`, and `LedgerMismatch` where the ledger was moved away.
        """
        self._is_stopping = is_stopping
        before, unlisted = now - self._settled_for, now - self._unlisted_for
        evidence = hashes = sessions = 0
        with reading(self._engine) as db:
            clinicians = db.execute(select(ClinicianRow.id).order_by(ClinicianRow.id)).scalars().all()
        for clinician_id in clinicians:
            evidence += self._each(clinician_id, [_evidence(clinician_id, before)])
            hashes += self._each(clinician_id, _hashes(clinician_id, before))
            sessions += self._each(clinician_id, [_sessions(clinician_id, unlisted)])
        return Purged(evidence, hashes, sessions, Logins(self._engine).purge(now))

    def _each(self, clinician_id: int, kinds: Iterable[_Kind]) -> int:
        return sum(self._purge(clinician_id, kind) for kind in kinds)

    def _purge(self, clinician_id: int, kind: _Kind) -> int:
        """Batch after batch, found before anything is locked; says how many rows it changed."""
        row_id: Any = kind.table.__table__.c.id
        change: Any = delete(kind.table) if kind.values is None else update(kind.table).values(kind.values)
        seen = done = last = 0
        while seen < MOST_A_NIGHT and not self._is_stopping():
            found = select(row_id).where(*kind.where, row_id > last).order_by(row_id).limit(BATCH)
            with reading(self._engine) as db:
                ids = db.execute(found).scalars().all()
            if ids:
                with writing(self._engine) as db:
                    lock_trail(db, clinician_id)
                    done += db.execute(change.where(row_id.in_(ids), *kind.where)).rowcount
            if len(ids) < BATCH:
                break
            seen, last = seen + len(ids), ids[-1]
        return done


def _evidence(clinician_id: int, before: datetime) -> _Kind:
    """Ids of charts that were compared. Only a question that is asked reads them, and each asking writes its own."""
    is_there = cast(EntryRow.evidence, String) != "null"  # JSON's null is written where there is none, too
    where = (*_settled(clinician_id, before), EntryRow.status.in_(SETTLED), is_there)
    return _Kind(EntryRow, where, {"evidence": null()})


def _hashes(clinician_id: int, before: datetime) -> list[_Kind]:
    """Hashes by which no change can be noticed any more, since nothing follows it.

    A filed entry keeps them all: its document may change, and its session may name another patient, years later. So
    does one that a person chose the patient for: the choice is about whom the session named then.
    """
    settled = _settled(clinician_id, before)
    withdrawn, skipped = EntryRow.status == Status.WITHDRAWN, EntryRow.status == Status.SKIPPED
    unchosen = and_(skipped, ~EntryRow.pinned, ~EntryRow.bound)
    named = or_(EntryRow.hint_hash.is_not(None), EntryRow.hint_link.is_not(None))
    left_out = and_(skipped, EntryRow.reason != Reason.DISMISSED)  # that one may be filed after all, with no new wait
    of_theirs = select(EntryRow.id).where(EntryRow.clinician_id == clinician_id)
    of_withdrawn = select(EntryRow.id).where(*settled, withdrawn)
    is_dead = or_(
        and_(AttemptRow.outcome.in_(NEVER_CREATED), AttemptRow.note_id.is_(None)), AttemptRow.entry_id.in_(of_withdrawn)
    )
    tried = (AttemptRow.entry_id.in_(of_theirs), AttemptRow.ended_at < before, AttemptRow.fingerprint != NO_HASH)
    return [
        _Kind(EntryRow, (*settled, or_(withdrawn, unchosen), named), {"hint_hash": None, "hint_link": None}),
        _Kind(EntryRow, (*settled, or_(withdrawn, left_out), EntryRow.text_hash != NO_HASH), {"text_hash": NO_HASH}),
        _Kind(AttemptRow, (*tried, is_dead), {"fingerprint": NO_HASH}),
    ]


def _sessions(clinician_id: int, unlisted: datetime) -> _Kind:
    """Sessions without a document that left the look-back: if one comes back, it is read as a new one.

    Not those from before the clinician's first walk: of a new document on them only the row says that it is new.
    """
    has_entry = exists().where(EntryRow.session_id == SessionRow.session_id)
    first_sweep_at = select(ClinicianRow.first_sweep_at).where(ClinicianRow.id == clinician_id).scalar_subquery()
    where = (
        SessionRow.clinician_id == clinician_id,
        ~SessionRow.unread,
        SessionRow.created_at >= first_sweep_at,
        func.coalesce(SessionRow.read_at, SessionRow.first_listed_at) < unlisted,
        *(or_(one.is_(None), one < unlisted) for one in (SessionRow.created_at, SessionRow.updated_at)),
        or_(SessionRow.reread_until.is_(None), SessionRow.reread_until < unlisted),
        ~has_entry,
    )
    return _Kind(SessionRow, where, None)


def _settled(clinician_id: int, before: datetime) -> tuple[Any, ...]:
    return (EntryRow.clinician_id == clinician_id, EntryRow.status_since < before)
