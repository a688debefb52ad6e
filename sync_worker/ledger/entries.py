"""The entries: one document bound for one note, its status, and what is due."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Engine, Integer, Select, and_, bindparam, exists, func, or_, select, tuple_, update

from sync_worker import lifecycle
from sync_worker.errors import EntryMoved
from sync_worker.ledger.moves import WORKER, entries, entries_of, entry_of, move, require_lease
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, EntryRow, SessionRow, TrailRow, UtcDateTime
from sync_worker.ledger.trail import Event, append
from sync_worker.model import Candidate, StoredNote
from sync_worker.records import Entry, HintSeen, Lease, Reason, Status, Wish

WRONG_PATIENT = "wrong_patient"
OF_THE_DOCUMENT = ("wrong_text", "wrong_document", "duplicate", "filed_by_hand", "not_clinical")
"""People's reason codes for taking a note back that say nothing against its chart. They may use any others."""
PAGE = 200
"""Entries read at a time: a tick's memory must not grow with the ledger."""


class Entries:
    """The entries' rows, but for attempts. One method is one transaction."""

    def __init__(self, engine: Engine, region: str) -> None:
        self.engine = engine
        self.region = region

    def get(self, entry_id: int) -> Entry | None:
        """One entry; None if there is no such number."""
        with reading(self.engine) as db:
            row = db.execute(entries().where(EntryRow.id == entry_id)).one_or_none()
        return entry_of(row) if row else None

    def find(self, session_id: str, document_id: str) -> Entry | None:
        """The entry of a document, if it has one."""
        query = entries().where(
            EntryRow.region == self.region, EntryRow.session_id == session_id, EntryRow.document_id == document_id
        )
        with reading(self.engine) as db:
            row = db.execute(query).one_or_none()
        return entry_of(row) if row else None

    def due(
        self,
        clinician_id: int,
        status: Status,
        now: datetime,
        *,
        rested_since: datetime | None = None,
        doubted_since: datetime | None = None,
        unfiled_for: Iterable[Reason] | None = None,
    ) -> Iterator[Entry]:
        """The clinician's entries of one status that are due, longest due first, each at most once.

        `rested_since` leaves out those whose text changed after it, `doubted_since` those of which a request ended in
        doubt after it, `unfiled_for` those that have a note or wait for other reasons.
        """
        wanted: dict[str, Any] = {"of_clinician": clinician_id, "of_status": status, "until": now, "most": PAGE}
        if rested_since is not None:
            wanted["rested_since"] = rested_since
        if doubted_since is not None:
            wanted["doubted_since"] = doubted_since
        if unfiled_for is not None:
            wanted["reasons"] = sorted(unfiled_for)
        while True:
            with reading(self.engine) as db:
                page = [entry_of(row) for row in db.execute(_due(frozenset(wanted)), wanted)]
            yield from page
            if len(page) < PAGE:
                return
            wanted |= {"last_due_at": page[-1].due_at, "last_id": page[-1].entry_id}

    def unfiled(self, clinician_id: int) -> list[Entry]:
        """The clinician's entries that have no note yet and may get one: those that are pending, and in review."""
        where = (
            EntryRow.clinician_id == clinician_id,
            EntryRow.status.in_([Status.PENDING, Status.REVIEW]),
            EntryRow.note_id.is_(None),
        )
        with reading(self.engine) as db:
            return [entry_of(row) for row in db.execute(entries().where(*where).order_by(EntryRow.id))]

    def wished(self, clinician_id: int, now: datetime) -> list[Entry]:
        """The clinician's entries whose notes are to be updated or withdrawn and are due, longest due first."""
        with reading(self.engine) as db:
            return [entry_of(row) for row in db.execute(_WISHED, {"of_clinician": clinician_id, "until": now})]

    def of_session(self, session_id: str) -> list[Entry]:
        """The entries of a session, in the order in which they were met."""
        with reading(self.engine) as db:
            return entries_of(db, self.region, session_id)

    def ruled_out(self, session_id: str) -> set[int]:
        """The session's entries whose chart a person said is not the patient's: by taking the note back, above all.

        Only where the note is taken back for its document's sake is the chart still the right one.
        """
        taken_back = and_(TrailRow.event == Event.WISHED, TrailRow.reason.not_in(OF_THE_DOCUMENT))
        query = select(EntryRow.id).distinct().join(TrailRow, TrailRow.entry_id == EntryRow.id)
        query = query.where(EntryRow.region == self.region, EntryRow.session_id == session_id)
        with reading(self.engine) as db:
            return set(db.execute(query.where(or_(taken_back, TrailRow.reason == WRONG_PATIENT))).scalars())

    def oldest_pending(self, clinician_id: int) -> datetime | None:
        """When the oldest session began of which something is pending; where Heidi did not tell, when it was met."""
        with reading(self.engine) as db:
            return db.execute(_OLDEST_PENDING, {"of_clinician": clinician_id}).scalar()

    def unknown_references(self, references: Iterable[str]) -> set[str]:
        """Those of these references of which no entry of any clinician is known."""
        wanted = set(references)
        query = select(EntryRow.reference).where(EntryRow.reference.in_(wanted))
        with reading(self.engine) as db:
            return wanted - set(db.execute(query).scalars())

    def open_counts(self, clinician_id: int) -> dict[Status, int]:
        """How many of the clinician's entries are pending and in doubt."""
        with reading(self.engine) as db:
            return {Status(status): count for status, count in db.execute(_OPEN_COUNTS, {"of_clinician": clinician_id})}

    def restart_settling(self, lease: Lease, entry: Entry, text_hash: bytes, *, read_at: datetime) -> None:
        """The text changed since it was last read: the entry settles anew."""
        self._touch(lease, entry, text_hash=text_hash, text_since=read_at)

    def postpone(self, lease: Lease, entry: Entry, *, due_at: datetime, failures: int) -> None:
        """Leave an entry alone until `due_at`."""
        self._touch(lease, entry, due_at=due_at, failures=failures)

    def hold_for_review(
        self,
        lease: Lease,
        entry: Entry,
        reason: Reason,
        candidates: Sequence[Candidate] = (),
        *,
        now: datetime,
        hint: HintSeen | None = None,
        about: HintSeen | None = None,
    ) -> None:
        """Put an entry before a person, with the evidence: ids and names of fields, no values.

        Whatever was wished of its note is over. `hint` is whom its session is known to be about from now on; `about`
        is whom the session names as the question is asked, and a person's choice is about. A question that may answer
        itself is asked again after a while.
        """
        evidence = evidence_of(candidates, about)
        details = evidence_of(candidates) if candidates else None
        values: dict[str, Any] = {"evidence": evidence, "wish": None, "details": details} | _hinted(hint)
        if reason in lifecycle.ASKED_AGAIN and entry.note_id is None:
            values["due_at"] = now + lifecycle.ASK_AGAIN_AFTER
        as_seen = EntryRow.wish.is_not_distinct_from(entry.wish)
        self._move(lease, entry, Status.REVIEW, as_seen, now=now, reason=reason, **values)

    def ask_again(
        self,
        lease: Lease,
        entry: Entry,
        candidates: Sequence[Candidate],
        *,
        now: datetime,
        about: HintSeen | None = None,
    ) -> None:
        """It was asked again, and the answer is the same but perhaps for the evidence: it goes on waiting."""
        self._touch(lease, entry, evidence=evidence_of(candidates, about), due_at=now + lifecycle.ASK_AGAIN_AFTER)

    def reopen(self, lease: Lease, entry: Entry, *, now: datetime) -> Entry:
        """What an entry waited for has come, a mended chart for instance: it may be filed. Gives it back as it is now.

        Raises `EntryMoved` if a person decided meanwhile.
        """
        still = (EntryRow.note_id.is_(None), EntryRow.reason == entry.reason)
        self._move(lease, entry, Status.PENDING, *still, now=now, due_at=now, failures=0)
        return replace(entry, status=Status.PENDING, reason=None, due_at=now, failures=0)

    def adopt(self, lease: Lease, entry: Entry, note: StoredNote, hint: HintSeen | None, *, now: datetime) -> None:
        """The document's note is in Cliniko already, filed by a worker whose ledger is lost: it is this entry's.

        What that worker knew of the patient is lost too, so the next tick looks whether it is on the right chart.
        """
        known = {"note_id": note.note_id, "patient_id": note.patient_id, "failures": 0}
        values: dict[str, Any] = known | _hinted(hint) | {"wish": Wish.RECHECK, "due_at": now}
        details = {"note_id": note.note_id, "patient_id": note.patient_id}
        self._move(lease, entry, Status.POSTED, now=now, event=Event.ADOPTED, details=details, **values)

    def change_wish(
        self, lease: Lease, entry: Entry, wish: Wish | None, *, now: datetime, hint: HintSeen | None = None
    ) -> None:
        """Wish something else of the note, or nothing. Raises `EntryMoved` if a person wished something meanwhile."""
        values: dict[str, Any] = {"wish": wish} | _hinted(hint)
        where = (EntryRow.id == entry.entry_id, EntryRow.status == entry.status, EntryRow.wish == entry.wish)
        with writing(self.engine) as db:
            require_lease(db, lease)
            if db.execute(update(EntryRow).where(*where).values(**values)).rowcount != 1:
                raise EntryMoved
            told: dict[str, Any] = {"at": now, "actor": WORKER, "entry_id": entry.entry_id}
            append(db, lease.clinician_id, Event.WISHED, **told, details={"was": entry.wish, "wish": wish})

    def skip(self, lease: Lease, entry: Entry, reason: Reason, *, now: datetime) -> None:
        """Leave an entry unfiled, by a rule."""
        self._move(lease, entry, Status.SKIPPED, now=now, reason=reason)

    def _touch(self, lease: Lease, entry: Entry, **values: Any) -> None:
        with writing(self.engine) as db:
            require_lease(db, lease)
            where = (EntryRow.id == entry.entry_id, EntryRow.status == entry.status)
            db.execute(update(EntryRow).where(*where).values(**values))

    def _move(self, lease: Lease, entry: Entry, to: Status, *where: Any, now: datetime, **values: Any) -> None:
        with writing(self.engine) as db:
            require_lease(db, lease)
            if not move(db, entry.entry_id, entry.status, to, *where, at=now, actor=WORKER, **values):
                raise EntryMoved


def evidence_of(candidates: Sequence[Candidate], about: HintSeen | None = None) -> dict[str, Any]:
    """What was found of each chart: its id and names of fields, no values; and whom the question is about, hashed."""
    found: dict[str, Any] = {
        "candidates": [
            {"patient_id": one.patient_id, "for": list(one.agrees), "against": list(one.against)} for one in candidates
        ]
    }
    return found | ({"about": {"hint": about.hint_hash.hex(), "link": about.link}} if about is not None else {})


def _hinted(hint: HintSeen | None) -> dict[str, Any]:
    return {"hint_hash": hint.hint_hash, "hint_link": hint.link} if hint is not None else {}


# ---------------------------------------------------------------- what every tick asks, made once

_OF_CLINICIAN = EntryRow.clinician_id == bindparam("of_clinician")


@cache
def _due(asked: frozenset[str]) -> Select[Any]:
    """The statement of `Entries.due` for these of its parameters."""
    query = entries().where(
        _OF_CLINICIAN, EntryRow.status == bindparam("of_status"), EntryRow.due_at <= bindparam("until")
    )
    if "rested_since" in asked:
        query = query.where(EntryRow.text_since <= bindparam("rested_since"))
    if "doubted_since" in asked:
        doubt = (AttemptRow.outcome == "in_doubt", AttemptRow.ended_at > bindparam("doubted_since"))
        query = query.where(~exists().where(AttemptRow.entry_id == EntryRow.id, *doubt))
    if "reasons" in asked:
        query = query.where(EntryRow.note_id.is_(None), EntryRow.reason.in_(bindparam("reasons", expanding=True)))
    if "last_id" in asked:
        last = tuple_(bindparam("last_due_at", type_=UtcDateTime()), bindparam("last_id", type_=Integer()))
        query = query.where(tuple_(EntryRow.due_at, EntryRow.id) > last)
    return query.order_by(EntryRow.due_at, EntryRow.id).limit(bindparam("most"))


_WISHED = (
    entries()
    .where(_OF_CLINICIAN, EntryRow.wish.is_not(None), EntryRow.due_at <= bindparam("until"))
    .order_by(EntryRow.due_at, EntryRow.id)
)
_OLDEST_PENDING = (
    select(func.min(func.coalesce(SessionRow.created_at, EntryRow.found_at)))
    .select_from(EntryRow)
    .outerjoin(
        SessionRow,
        (SessionRow.clinician_id == EntryRow.clinician_id) & (SessionRow.session_id == EntryRow.session_id),
    )
    .where(_OF_CLINICIAN, EntryRow.status == Status.PENDING)
)
_OPEN_COUNTS = (
    select(EntryRow.status, func.count())
    .where(_OF_CLINICIAN, EntryRow.status.in_([Status.PENDING, Status.IN_DOUBT]))
    .group_by(EntryRow.status)
)
