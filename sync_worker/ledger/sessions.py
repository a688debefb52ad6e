"""Taking in what a reading of Heidi's list brought: sessions, and an entry for each document."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, exists, select, union, update

from sync_worker import lifecycle
from sync_worker.errors import LeaseLost
from sync_worker.ledger.clinicians import clinician_of, clinician_rows, move_stamps
from sync_worker.ledger.moves import WORKER, entries_of, insert_once, later, move, require_lease
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import BackfillRow, ClinicianRow, EntryRow, HeidiTemplateRow, SessionRow, TrailRow
from sync_worker.ledger.trail import Event, append, lock_trail
from sync_worker.model import ListedSession, Revisions
from sync_worker.records import (
    Backfill,
    ClinicianState,
    DocumentSeen,
    Entry,
    HintSeen,
    KnownSession,
    Lease,
    Reason,
    SessionSeen,
    Status,
    Tally,
    Wish,
)
from sync_worker.reference import reference_of

NOT_FILED = (Status.PENDING, Status.REVIEW)
PERSONS_ONLY = (Reason.LATE_START, Reason.SHARED_SESSION)
"""Reviews that no later preparing would find again: a document that goes and comes back must not slip past them."""


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What decides how a document begins and changes."""

    start_at: datetime
    revisions: Revisions
    """What becomes of a document that changed after it was filed."""
    backfills: Sequence[Backfill] = ()
    """What a person brought into scope although it is older."""

    def is_backfilled(self, created_at: datetime | None) -> bool:
        """Whether a person brought a session of this age into scope."""
        return created_at is not None and any(one.covers(created_at) for one in self.backfills)


class Sessions:
    """The sessions' rows. One method is one transaction."""

    def __init__(self, engine: Engine, region: str) -> None:
        self.engine = engine
        self.region = region

    def known(self, clinician_id: int, session_ids: Iterable[str]) -> dict[str, KnownSession]:
        """What is remembered of those among these sessions that were listed before."""
        these = {"of_region": self.region, "of_clinician": clinician_id, "of_sessions": list(session_ids)}
        if not these["of_sessions"]:
            return {}
        with reading(self.engine) as db:
            return {row.session_id: KnownSession(*row) for row in db.execute(_KNOWN, these)}

    def to_reread(self, clinician_id: int, now: datetime) -> list[ListedSession]:
        """Sessions to read again whatever the list says: changed lately, or not readable when last tried."""
        with reading(self.engine) as db:
            found = db.execute(_TO_REREAD, {"of_clinician": clinician_id, "at": now})
            return [ListedSession(*row[1:]) for row in found]

    def record(
        self,
        lease: Lease,
        seen: Sequence[SessionSeen],
        *,
        rules: IntakeRules,
        now: datetime,
        walk_ended: dict[str, datetime] | None = None,
        walked: Iterable[Backfill] = (),
    ) -> Tally:
        """Record what a page of sessions brought and, with its last page, how far the walk came.

        `walk_ended` names the clinician's stamps to move (`cursor_at`, `last_poll_at`, `last_sweep_at`,
        `last_deep_at`, `first_sweep_at`); the cursor only ever moves forward. One transaction, so that the cursor
        never runs ahead of the entries. `walked` are the backfills for which the walk read the whole list.
        """
        tally = Tally()
        with writing(self.engine) as db:
            self._lock_owners(db, lease, [session.session_id for session in seen])
            require_lease(db, lease)
            clinician = clinician_of(db.execute(clinician_rows().where(ClinicianRow.id == lease.clinician_id)).one())
            _PageRecorder(db, self.region, clinician, rules, now, tally).record(seen)
            if walk_ended is not None:
                move_stamps(db, clinician, walk_ended)
            for backfill in walked:  # unless a person asked for more meanwhile
                where = (BackfillRow.id == backfill.backfill_id, BackfillRow.until == backfill.until)
                db.execute(update(BackfillRow).where(*where).values(walked_at=now))
        return tally

    def _lock_owners(self, db: Connection, lease: Lease, session_ids: Sequence[str]) -> None:
        """Lock the trails of all whose entries these sessions have, always in the same order.

        Else two clinicians who share sessions could wait for each other.
        """
        where = (EntryRow.region == self.region, EntryRow.session_id.in_(session_ids))
        query = select(EntryRow.clinician_id).where(*where).distinct()
        owners = set(db.execute(query).scalars()) if session_ids else set()
        for clinician_id in sorted(owners | {lease.clinician_id}):
            lock_trail(db, clinician_id)


class _PageRecorder:
    """Records sessions inside one transaction of `Sessions.record`."""

    def __init__(
        self, db: Connection, region: str, clinician: ClinicianState, rules: IntakeRules, now: datetime, tally: Tally
    ) -> None:
        self.db = db
        self.region = region
        self.clinician = clinician
        self.rules = rules
        self.now = now
        self.tally = tally

    def record(self, page: Sequence[SessionSeen]) -> None:
        """Record them, with as few statements for sessions in which nothing changed as for one."""
        if not page:
            return
        ids = [seen.session_id for seen in page]
        rows = self._session_rows(ids)
        known: dict[str, list[Entry]] = {session_id: [] for session_id in ids}
        for entry in self._entries_of(*ids):
            known[entry.session_id].append(entry)
        updates = [self._record(seen, rows[seen.session_id], known[seen.session_id]) for seen in page]
        self.db.execute(_UPDATE_SESSION, updates)

    def _record(self, seen: SessionSeen, row: Any, known: list[Entry]) -> dict[str, Any]:
        """Record the session's documents; say what its row is to hold."""
        if seen.gone:
            self._source_gone(known)
        changed = seen.documents is not None and self._documents(seen, row, known)
        values = {name: getattr(row, name) for name in _SESSION_VALUES}
        if not seen.gone:  # when it began says how far back to look for its notes
            values |= {"created_at": seen.created_at or row.created_at, "updated_at": seen.updated_at or row.updated_at}
        if seen.documents is not None:
            values |= {"read_at": seen.read_at, "reread_until": self._reread_until(seen, row, changed=changed)}
        if seen.gone:
            values["reread_until"] = None
        unread = seen.documents is None and not seen.gone
        failures = row.failures + 1 if unread else 0
        retry_at = self.now + lifecycle.postponement(failures) if unread else None
        values |= {"unread": unread, "failures": failures, "retry_at": retry_at}
        return {"of_row": row.id} | {f"new_{name}": value for name, value in values.items()}

    def _reread_until(self, seen: SessionSeen, row: Any, *, changed: bool) -> datetime | None:
        """Until when to read the session's documents again: two hours from the last change that anybody told us of."""
        stamps = [seen.updated_at, self.now if changed and row.read_at is not None else None]
        latest = max((stamp for stamp in stamps if stamp is not None), default=None)
        if latest is None:
            return row.reread_until  # type: ignore[no-any-return]
        # a stamp from the future must not keep a session hot for ever
        return later(row.reread_until, min(latest, self.now) + lifecycle.REREAD_FOR)

    def _session_rows(self, session_ids: Sequence[str]) -> dict[str, Any]:
        """Their rows, made where they were never listed before."""
        these = {"of_clinician": self.clinician.clinician_id, "of_sessions": session_ids}
        rows = {row.session_id: row for row in self.db.execute(_SESSIONS, these)}
        new = [session_id for session_id in session_ids if session_id not in rows]
        if not new:
            return rows
        first = {"first_listed_at": self.now, "unread": True, "failures": 0}
        for session_id in new:
            names = {"clinician_id": self.clinician.clinician_id, "session_id": session_id}
            insert_once(self.db, SessionRow, names | first)
        return {row.session_id: row for row in self.db.execute(_SESSIONS, these)}

    def _documents(self, seen: SessionSeen, row: Any, entries: list[Entry]) -> bool:
        """Record the documents of a session; say whether any is new or changed."""
        known = {entry.document_id: entry for entry in entries}
        present = {document.document_id: document for document in seen.documents or ()}  # each once, however listed
        changed = False
        for document_id, document in present.items():
            entry = known.get(document_id)
            if entry is None:
                self._enter(seen, document, row)
                changed = True
            else:
                changed |= self._compare(entry, document, seen.read_at)
                changed |= self._bring_into_scope(entry, document, seen, row)
        if seen.patient is not None:
            self._follow_patient(self._entries_of(seen.session_id) if changed else entries, seen.patient)
        for document_id, entry in known.items():
            if document_id not in present and self._may_go(entry):
                self._move(entry, Status.SKIPPED, Reason.GONE)
                self.tally.skipped += 1
        return changed

    def _enter(self, seen: SessionSeen, document: DocumentSeen, row: Any) -> None:
        status, reason = self._beginning(seen, row)
        reference = reference_of(region=self.region, session_id=seen.session_id, document_id=document.document_id)
        is_new = insert_once(
            self.db,
            EntryRow,
            {
                "clinician_id": self.clinician.clinician_id,
                "region": self.region,
                "session_id": seen.session_id,
                "document_id": document.document_id,
                "status": status,
                "reason": reason,
                "status_since": self.now,
                "found_at": self.now,
                "text_hash": document.text_hash,
                "text_since": seen.read_at,
                "due_at": seen.read_at,
                "failures": 0,
                "pinned": False,
                "bound": False,
                "reference": reference,
                "backfilled": self.rules.is_backfilled(seen.created_at or row.created_at),
            },
        )
        [entry] = [one for one in self._entries_of(seen.session_id) if one.document_id == document.document_id]
        if not is_new:  # another clinician's tick entered it at this very moment
            self._compare(entry, document, seen.read_at)
            return
        append(
            self.db,
            self.clinician.clinician_id,
            Event.ENTERED,
            at=self.now,
            actor=WORKER,
            entry_id=entry.entry_id,
            to_status=status,
            reason=reason,
            details={"reference": reference},
        )
        self.tally.skipped += status is Status.SKIPPED
        self.tally.review += status is Status.REVIEW
        if document.template_id is not None:
            names = {"clinician_id": self.clinician.clinician_id, "template_id": document.template_id}
            insert_once(self.db, HeidiTemplateRow, names | {"met_at": self.now})

    def _beginning(self, seen: SessionSeen, row: Any) -> tuple[Status, Reason | None]:
        first_sweep_at = self.clinician.first_sweep_at
        created_at = seen.created_at or row.created_at
        return lifecycle.beginning(
            created_at,
            backfilled=self.rules.is_backfilled(created_at),
            start_at=self.rules.start_at,
            was_read=row.read_at is not None,
            in_first_sweep=first_sweep_at is None or row.first_listed_at <= first_sweep_at,
        )

    def _compare(self, entry: Entry, document: DocumentSeen, read_at: datetime) -> bool:
        """Follow a document that we know; say whether its text changed."""
        if entry.clinician_id != self.clinician.clinician_id:
            if entry.status is Status.PENDING and not self._has_a_person_decided(entry):
                self._move(entry, Status.REVIEW, Reason.SHARED_SESSION)
                self.tally.review += 1
            return False
        if entry.reason in (Reason.GONE, Reason.SOURCE_GONE):
            self._begin_anew(entry, document, read_at)  # it is there again
            return True
        if document.text_hash == entry.text_hash:
            return False
        return self._changed(entry, document, read_at)

    def _has_a_person_decided(self, entry: Entry) -> bool:
        """Whether a person knows that the session is in two lists: nobody else lets such an entry go on."""
        where = (TrailRow.entry_id == entry.entry_id, TrailRow.reason == Reason.SHARED_SESSION)
        return entry.pinned or self.db.execute(select(TrailRow.id).where(*where).limit(1)).first() is not None

    def _bring_into_scope(self, entry: Entry, document: DocumentSeen, seen: SessionSeen, row: Any) -> bool:
        """Make an entry that was left alone for its age pending, where a person wants it; say whether it was one."""
        was_left = entry.reason in (Reason.BEFORE_START, Reason.LATE_START)
        is_ours = entry.clinician_id == self.clinician.clinician_id
        if not (was_left and is_ours and self.rules.is_backfilled(seen.created_at or row.created_at)):
            return False
        self._begin_anew(entry, document, seen.read_at, backfilled=True)
        return True

    def _follow_patient(self, entries: Iterable[Entry], now_named: HintSeen) -> None:
        """Ask a person where a session names another patient than it did when its document was filed."""
        for entry in entries:
            if entry.status is not Status.POSTED or entry.clinician_id != self.clinician.clinician_id:
                continue
            if not lifecycle.names_another(entry, now_named):
                self._remember_hint(entry, now_named)
            elif entry.wish not in (Wish.WITHDRAW, Wish.UPDATE_ASKED):  # the tick looks whether that is another person
                self._wish(entry, Wish.RECHECK)

    def _remember_hint(self, entry: Entry, now_named: HintSeen) -> None:
        link = now_named.link or entry.hint_link
        if (entry.hint_hash, entry.hint_link) != (now_named.hint_hash, link):
            self._set(entry, hint_hash=now_named.hint_hash, hint_link=link)

    def _fresh(self, document: DocumentSeen, read_at: datetime) -> dict[str, Any]:
        """What makes an entry settle anew."""
        return {"text_hash": document.text_hash, "text_since": read_at, "due_at": read_at}

    def _begin_anew(self, entry: Entry, document: DocumentSeen, read_at: datetime, **values: Any) -> None:
        """Make an entry pending that was not to be filed as it stood; how often it failed before counts no more."""
        self._move(entry, Status.PENDING, None)
        self._set(entry, **self._fresh(document, read_at), failures=0, **values)

    def _changed(self, entry: Entry, document: DocumentSeen, read_at: datetime) -> bool:
        match entry.status, entry.reason:
            case Status.POSTED, _:
                self._revised(entry)
                self._set(entry, text_hash=document.text_hash, text_since=read_at)
            case Status.REVIEW, Reason.NOT_CARRIED:
                self._begin_anew(entry, document, read_at)
            case Status.REVIEW, reason if entry.note_id is not None and reason is not Reason.REVISED:
                return False  # another question comes first; then the difference is still there to be seen
            case ((Status.PENDING | Status.REVIEW), reason) if reason not in lifecycle.DOUBTS:
                self._set(entry, **self._fresh(document, read_at))
            case _:
                return False  # an attempt's end comes first; then the difference is still there to be seen
        return True

    def _revised(self, entry: Entry) -> None:
        """Its document changed after it was filed."""
        match self.rules.revisions:
            case Revisions.REVIEW:
                self._move(entry, Status.REVIEW, Reason.REVISED)
                self.tally.review += 1
            case Revisions.UPDATE_DRAFT if entry.wish is None:
                self._wish(entry, Wish.UPDATE)

    def _wish(self, entry: Entry, wish: Wish) -> None:
        """Have the tick do something to the entry's note."""
        if entry.wish is wish:
            return
        self._set(entry, wish=wish, due_at=self.now)
        told: dict[str, Any] = {"at": self.now, "actor": WORKER, "entry_id": entry.entry_id}
        append(self.db, entry.clinician_id, Event.WISHED, **told, details={"wish": wish.value})

    def _source_gone(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if self._may_go(entry) and entry.reason is not Reason.SOURCE_GONE:
                self._move(entry, Status.REVIEW, Reason.SOURCE_GONE)
                self.tally.review += 1

    def _may_go(self, entry: Entry) -> bool:
        """Whether its source's end may be its own: nothing of it can be in Cliniko, and no person must decide first."""
        return (
            entry.clinician_id == self.clinician.clinician_id
            and entry.status in NOT_FILED
            and entry.note_id is None
            and entry.reason not in lifecycle.DOUBTS
            and entry.reason not in PERSONS_ONLY
        )

    def _entries_of(self, *session_ids: str) -> list[Entry]:
        """The sessions' entries, locked until our commit: a person's decision comes before this reading or after it."""
        return entries_of(self.db, self.region, *session_ids, locked=True)

    def _move(self, entry: Entry, to: Status, reason: Reason | None) -> None:
        if not move(self.db, entry.entry_id, entry.status, to, at=self.now, actor=WORKER, reason=reason):
            raise LeaseLost

    def _set(self, entry: Entry, **values: Any) -> None:
        self.db.execute(update(EntryRow).where(EntryRow.id == entry.entry_id).values(**values))


# built once: to build a statement takes longer than to run it
_LISTED = select(SessionRow.id, SessionRow.session_id, SessionRow.created_at, SessionRow.updated_at).where(
    SessionRow.clinician_id == bindparam("of_clinician")
)
# two questions, each with an index of its own: asked as one, SQLite reads every session that there ever was
_TO_REREAD = union(
    _LISTED.where(SessionRow.unread, SessionRow.retry_at <= bindparam("at")),
    _LISTED.where(SessionRow.reread_until > bindparam("at")),
).order_by("id")
_KNOWN = select(
    SessionRow.session_id,
    SessionRow.updated_at,
    SessionRow.first_listed_at,
    SessionRow.read_at,
    SessionRow.unread,
    SessionRow.retry_at,
    exists()
    .where(EntryRow.region == bindparam("of_region"), EntryRow.session_id == SessionRow.session_id)
    .where(EntryRow.clinician_id == SessionRow.clinician_id, EntryRow.status == Status.POSTED),
).where(
    SessionRow.clinician_id == bindparam("of_clinician"),
    SessionRow.session_id.in_(bindparam("of_sessions", expanding=True)),
)
_SESSION_VALUES = ("read_at", "created_at", "updated_at", "reread_until", "unread", "failures", "retry_at")
_SESSIONS = select(
    SessionRow.id,
    SessionRow.session_id,
    SessionRow.first_listed_at,
    *[getattr(SessionRow, name) for name in _SESSION_VALUES],
).where(
    SessionRow.clinician_id == bindparam("of_clinician"),
    SessionRow.session_id.in_(bindparam("of_sessions", expanding=True)),
)
_UPDATE_SESSION = (
    update(SessionRow)
    .where(SessionRow.id == bindparam("of_row"))
    .values({name: bindparam(f"new_{name}") for name in _SESSION_VALUES})
)
