"""People's decisions and looks: recorded in the ledger, decisions carried out by the worker's next tick.

Nothing here talks to a service.

Each decision is one transaction, conditional on where the entry stands; where somebody was faster, the answer says so.
Decisions are taken one after another, and none while the worker writes for the same clinician: SQLite locks the whole
ledger for that, on Postgres the installation's row is locked, then the clinician's trail, then the entry.
"""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from sync_worker import lifecycle
from sync_worker.errors import NotPossible
from sync_worker.ledger import trail
from sync_worker.ledger.moves import entries, entry_of, move
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, BackfillRow, ClinicianRow, EntryRow, Installation, TrailRow
from sync_worker.ledger.trail import Event
from sync_worker.records import Entry, PauseReason, Reason, Status, WaitsOn, Wish

ONE_LOOK = timedelta(minutes=5)
"""Who opens the same page again within this time looks once: a trail of every reload would hide what matters."""


class Decisions:
    """What people decide. `actor` says who, for the trail.

    `seen` is the newest step of the entry that the person saw (`Pages.newest_step`): after a newer one they are asked
    to look again. None decides by where the entry stands alone.
    """

    def __init__(self, engine: Engine, actor: str, *, seen: int | None = None) -> None:
        self._engine = engine
        self._actor = actor
        self._seen = seen

    def assign(self, entry_id: int, patient_id: str, now: datetime) -> None:
        """File the entry on this patient. The choice pins the patient, not the text."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW)
            self._require_no_note(entry)
            if entry.reason in lifecycle.DOUBTS:
                raise NotPossible(_doubt_first(entry))
            if patient_id in entry.barred:
                raise NotPossible(f"Somebody said that entry {entry_id} is not patient {patient_id}'s: choose another.")
            waived = lifecycle.waived_by_choice(entry, patient_id, declined=_declined(db, entry))
            chosen = {
                "patient_id": patient_id,
                "pinned": True,
                "bound": False,
                "waived": " ".join(sorted(waived)) or None,
            } | _asked_about(db, entry)
            told = {"decision": "assign", "patient_id": patient_id}
            self._move(db, entry, Status.PENDING, now, told, due_at=now, failures=0, **chosen)

    def dismiss(self, entry_id: int, code: str, now: datetime) -> None:
        """The document is not to be filed (or, once filed, the review is done with). `code` says why."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW)
            if entry.reason in lifecycle.DOUBTS:
                raise NotPossible(_doubt_first(entry))
            told = {"decision": "dismiss"}
            if entry.note_id is not None:
                self._move(
                    db, entry, Status.POSTED, now, told, because=code
                )  # its note stays: the question is answered
            else:
                self._move(db, entry, Status.SKIPPED, now, told, reason=Reason.DISMISSED, because=code)

    def retry(self, entry_id: int, now: datetime) -> None:
        """Try the entry again: match and file it, or look again where it is in doubt."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW, Status.PENDING)
            self._require_no_note(entry)
            told = {"decision": "retry"}
            if entry.status is Status.PENDING:
                db.execute(update(EntryRow).where(EntryRow.id == entry_id).values(due_at=now))
                self._tell(db, entry, Event.DECIDED, now, details=told)
            elif entry.reason in lifecycle.DOUBTS and _was_in_doubt(db, entry):
                self._move(db, entry, Status.IN_DOUBT, now, told, due_at=now)
            else:
                self._move(db, entry, Status.PENDING, now, told, due_at=now, failures=0)

    def ask_clinician(self, entry_id: int, now: datetime) -> None:
        """Pass a question that waits for the front desk on to the clinician whose session it is."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW)
            if entry.asked is WaitsOn.CLINICIAN:
                raise NotPossible(f"The clinician is asked about entry {entry_id} already.")
            db.execute(update(EntryRow).where(EntryRow.id == entry_id).values(asked=WaitsOn.CLINICIAN))
            self._tell(db, entry, Event.DECIDED, now, details={"decision": "ask_clinician"})

    def take_back(self, entry_id: int, now: datetime) -> None:
        """The front desk answers a question itself after all that it had passed on to the clinician."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW)
            if entry.asked is None:
                raise NotPossible(f"Nobody was asked about entry {entry_id}.")
            db.execute(update(EntryRow).where(EntryRow.id == entry_id).values(asked=None))
            self._tell(db, entry, Event.DECIDED, now, details={"decision": "take_back"})

    def file_after_all(self, entry_id: int, now: datetime) -> None:
        """A document that a person had dismissed is to be filed after all: it is matched and looked for anew."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.SKIPPED)
            if entry.reason is not Reason.DISMISSED:
                raise NotPossible(f"Entry {entry_id} was not left unfiled by a person.")
            self._move(db, entry, Status.PENDING, now, {"decision": "file_after_all"}, due_at=now, failures=0)

    def file_now(self, entry_id: int, now: datetime, *, settle: timedelta) -> None:
        """Let the text that is there count as settled; if it changes before the next tick, it settles anew."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.PENDING)
            values = {"text_since": entry.text_since - settle, "due_at": now}
            db.execute(update(EntryRow).where(EntryRow.id == entry_id).values(**values))
            self._tell(db, entry, Event.DECIDED, now, details={"decision": "file_now"})

    def update_draft(self, entry_id: int, now: datetime) -> None:
        """Bring the note of a revised document up to date with the next tick, if it is our own untouched draft."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.REVIEW)
            if entry.reason is not Reason.REVISED or entry.note_id is None:
                raise NotPossible(f"The document of entry {entry_id} was not changed after its note was filed.")
            told = {"decision": "update_draft"}
            self._move(db, entry, Status.POSTED, now, told, wish=Wish.UPDATE_ASKED, due_at=now)

    def wrong_patient(self, entry_id: int, now: datetime) -> None:
        """The note is on the wrong patient: stop this clinician's posting, take the note back, never file it there.

        All in one transaction, so that no further note can follow before the pause. Whether the note is still as we
        left it, the worker sees; a touched one goes to a person.
        """
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.POSTED, Status.REVIEW)
            if entry.note_id is None or entry.patient_id is None:
                raise NotPossible(f"Entry {entry_id} has no note: there is nothing to take back.")
            barred = " ".join(sorted(entry.barred | {entry.patient_id}))
            values = {"barred": barred, "wish": Wish.WITHDRAW, "due_at": now}
            db.execute(update(EntryRow).where(EntryRow.id == entry_id).values(**values))
            told = {"decision": "wrong_patient", "note_id": entry.note_id, "patient_id": entry.patient_id}
            self._tell(db, entry, Event.DECIDED, now, reason="wrong_patient", details=told)
            self._pause(db, entry.clinician_id, now, reason=PauseReason.WRONG_PATIENT)

    def saw(
        self,
        clinician_ids: Iterable[int],
        now: datetime,
        *,
        entry_id: int | None = None,
        patient_id: str | None = None,
        found: Sequence[str] = (),
        of_list: str | None = None,
    ) -> None:
        """Write down that somebody is about to look at a patient's data; committed before it is read.

        `found` are the charts that their own search showed, `of_list` is a list that names patients. Looks of one
        person at the same within `ONE_LOOK` are one step.
        """
        told = {"patient_id": patient_id, "found": sorted(found), "list": of_list}
        details = {name: value for name, value in told.items() if value} or None
        looks = [(clinician_id, entry_id, details) for clinician_id in sorted(set(clinician_ids))]
        with reading(self._engine) as db:  # most looks are told already, and a writer would have to wait
            untold = [look for look in looks if not self._has_told(db, *look, now)]
        if not untold:
            return
        with writing(self._engine) as db:
            for look in untold:
                step: dict[str, Any] = {"at": now, "actor": self._actor, "entry_id": entry_id, "details": details}
                trail.append(db, look[0], Event.VIEWED, **step)

    def _has_told(
        self, db: Connection, clinician_id: int, entry_id: int | None, details: dict[str, Any] | None, now: datetime
    ) -> bool:
        """Whether this person's look is a step already that is not older than a look lasts."""
        same = (
            TrailRow.clinician_id == clinician_id,
            TrailRow.event == Event.VIEWED.value,
            TrailRow.actor == self._actor,
            TrailRow.entry_id.is_not_distinct_from(entry_id),
            TrailRow.details.is_not_distinct_from(trail.written(details)),
        )
        lately = (TrailRow.at > now - ONE_LOOK, TrailRow.at <= now)
        return db.execute(select(TrailRow.id).where(*same, *lately).limit(1)).first() is not None

    def resolve_there(self, entry_id: int, note_id: str, now: datetime) -> None:
        """End a doubt: the note is there, and this is it. The caller has seen it in Cliniko."""
        with self._deciding(entry_id) as (db, entry):
            self._require_doubt(entry)
            taken = db.execute(select(EntryRow.id).where(EntryRow.note_id == note_id)).scalar()
            if taken is not None:
                raise NotPossible(f"Note {note_id} is entry {taken}'s already: look for the other one in Cliniko.")
            told = {"decision": "resolve", "note_id": note_id}
            self._move(db, entry, Status.POSTED, now, told, note_id=note_id)

    def resolve_not_there(self, entry_id: int, now: datetime) -> None:
        """End a doubt: the note is not there. It is filed once more, on the same patient.

        The outbox lets it wait for as long as the note may still be on its way.
        """
        with self._deciding(entry_id) as (db, entry):
            self._require_doubt(entry)
            self._move(db, entry, Status.PENDING, now, {"decision": "resolve_not_there"}, bound=True, due_at=now)

    def withdraw(self, entry_id: int, code: str, now: datetime) -> None:
        """Take the entry's note back: the next tick archives it, if nobody has touched it by then. `code` says why."""
        with self._deciding(entry_id) as (db, entry):
            self._require(entry, Status.POSTED, Status.REVIEW)
            if entry.note_id is None:
                raise NotPossible(f"Entry {entry_id} has no note: there is nothing to take back.")
            db.execute(update(EntryRow).where(EntryRow.id == entry_id).values(wish=Wish.WITHDRAW, due_at=now))
            self._tell(db, entry, Event.WISHED, now, reason=code, details={"wish": Wish.WITHDRAW.value})

    def backfill(self, clinician_id: int, since: datetime, until: datetime, now: datetime) -> int:
        """Bring a clinician's sessions of this time into scope; the same wish again goes on where it was.

        Gives back the backfill's number.
        """
        with writing(self._engine) as db:
            _wake(db)
            trail.lock_trail(db, clinician_id)
            _wake_for(db, clinician_id)
            where = (
                BackfillRow.clinician_id == clinician_id,
                BackfillRow.since == since,
                BackfillRow.walked_at.is_(None),
            )
            columns = (BackfillRow.id, BackfillRow.until, BackfillRow.asked_at)
            open_one = db.execute(select(*columns).where(*where).order_by(BackfillRow.id.desc()).limit(1)).one_or_none()
            if open_one is not None:
                number = open_one.id
                # what lies between may have been read already, when nobody wanted it: it is read again
                is_more = until > open_one.until and open_one.until < open_one.asked_at
                asked_at = now if is_more else open_one.asked_at
                db.execute(update(BackfillRow).where(BackfillRow.id == number).values(until=until, asked_at=asked_at))
            else:
                values = {"clinician_id": clinician_id, "since": since, "until": until, "asked_at": now}
                number = db.execute(insert(BackfillRow).values(**values).returning(BackfillRow.id)).scalar_one()
            details = {"since": since.isoformat(), "until": until.isoformat()}
            trail.append(db, clinician_id, Event.BACKFILL, at=now, actor=self._actor, details=details)
            return int(number)

    def pause(self, clinician_ids: Iterable[int] | None, now: datetime) -> None:
        """Stop posting, for these clinicians or for everybody, at once and over restarts."""
        with writing(self._engine) as db:
            _wake(db)
            for clinician_id in self._chosen(db, clinician_ids):
                if clinician_ids is not None:
                    self._pause(db, clinician_id, now)
                else:
                    trail.append(db, clinician_id, Event.PAUSED, at=now, actor=self._actor)
                _wake_for(db, clinician_id)
            if clinician_ids is None:
                db.execute(update(Installation).values(paused_at=now))

    def resume(self, clinician_ids: Iterable[int] | None, now: datetime, *, own: bool = True) -> None:
        """Post again. Without clinicians, everybody's pause ends, and with `own` each clinician's too.

        Where posting had paused itself, whatever made it do so is known now: the brake counts anew, and notes of
        another worker that are there now are taken for harmless.
        """
        with writing(self._engine) as db:
            _wake(db)
            if clinician_ids is None:
                db.execute(update(Installation).values(paused_at=None))
            for clinician_id in self._chosen(db, clinician_ids):
                trail.append(db, clinician_id, Event.RESUMED, at=now, actor=self._actor)
                _wake_for(db, clinician_id)
                if not own:
                    continue
                where = (ClinicianRow.id == clinician_id, ClinicianRow.paused_at.is_not(None))
                values = {"paused_at": None, "pause_reason": None, "resumed_at": now}
                db.execute(update(ClinicianRow).where(*where).values(**values))

    def _pause(self, db: Connection, clinician_id: int, now: datetime, *, reason: PauseReason | None = None) -> None:
        """Pause one clinician's posting. A reason that stands is kept: whoever resumes must know of it."""
        trail.append(db, clinician_id, Event.PAUSED, at=now, actor=self._actor, reason=reason)
        where = ClinicianRow.id == clinician_id
        kept = reason or ClinicianRow.pause_reason
        db.execute(update(ClinicianRow).where(where).values(paused_at=now, pause_reason=kept))

    @staticmethod
    def _chosen(db: Connection, clinician_ids: Iterable[int] | None) -> list[int]:
        """These clinicians, or all that there are, always in the same order."""
        if clinician_ids is not None:
            return sorted(clinician_ids)
        return list(db.execute(select(ClinicianRow.id).order_by(ClinicianRow.id)).scalars())

    def is_everybody_paused(self) -> bool:
        """Whether posting is paused as a whole: then no single clinician can be resumed."""
        with reading(self._engine) as db:
            return db.execute(select(Installation.paused_at)).scalar() is not None

    @contextmanager
    def _deciding(self, entry_id: int) -> Any:
        with writing(self._engine) as db:
            _wake(db)  # first, as its row lock lets the next decision wait for this one
            owner = db.execute(select(EntryRow.clinician_id).where(EntryRow.id == entry_id)).scalar()
            if owner is not None:
                trail.lock_trail(db, owner)
                _wake_for(db, owner)
            row = db.execute(entries().where(EntryRow.id == entry_id).with_for_update()).one_or_none()
            if row is None:
                raise NotPossible(
                    f"There is no entry {entry_id}: `sync-worker review list` and `sync-worker log` show them."
                )
            if self._seen is not None and trail.newest_step(db, entry_id) != self._seen:
                raise NotPossible(f"Something happened to entry {entry_id} meanwhile: look at it again.")
            yield db, entry_of(row)

    def _tell(self, db: Connection, entry: Entry, event: Event, now: datetime, **what: Any) -> None:
        trail.append(db, entry.clinician_id, event, at=now, actor=self._actor, entry_id=entry.entry_id, **what)

    def _move(
        self, db: Connection, entry: Entry, to: Status, now: datetime, told: dict[str, str], **values: Any
    ) -> None:
        by: dict[str, Any] = {"at": now, "actor": self._actor, "event": Event.DECIDED, "details": told}
        if not move(db, entry.entry_id, entry.status, to, **by, **values):
            raise NotPossible(f"Somebody else was faster with entry {entry.entry_id}: look at it again.")

    @staticmethod
    def _require(entry: Entry, *statuses: Status) -> None:
        if entry.status not in statuses:
            raise NotPossible(f"Entry {entry.entry_id} is {entry.status.value}: there is nothing to decide about it.")

    @staticmethod
    def _require_no_note(entry: Entry) -> None:
        if entry.note_id is not None:
            raise NotPossible(
                f"Entry {entry.entry_id} has note {entry.note_id} already and is never filed again: compare the two in "
                "Cliniko and Heidi, then `review dismiss` it."
            )

    @staticmethod
    def _require_doubt(entry: Entry) -> None:
        in_doubt = entry.status is Status.IN_DOUBT or (
            entry.status is Status.REVIEW and entry.reason in lifecycle.DOUBTS
        )
        if not in_doubt:
            raise NotPossible(f"Entry {entry.entry_id} is not in doubt: `resolve` is for doubts only.")


def _doubt_first(entry: Entry) -> str:
    return (
        f"Entry {entry.entry_id} may be in Cliniko already: look there, then say "
        f"`review resolve {entry.entry_id} --note ID` or `review resolve {entry.entry_id} --not-there`."
    )


def _evidence(db: Connection, entry: Entry) -> dict[str, Any]:
    return db.execute(select(EntryRow.evidence).where(EntryRow.id == entry.entry_id)).scalar() or {}


def _asked_about(db: Connection, entry: Entry) -> dict[str, Any]:
    """Whom the session named as the person was asked: the choice is about that one, and about nobody named later."""
    about = _evidence(db, entry).get("about")
    return {"hint_hash": bytes.fromhex(about["hint"]), "hint_link": about["link"]} if about else {}


def _declined(db: Connection, entry: Entry) -> set[str]:
    """The patients of whom the entry's question tells that they declined the practice's privacy policy."""
    evidence = _evidence(db, entry)
    told = evidence.get("candidates", []) if entry.reason is Reason.PRIVACY_DECLINED else []
    return {one["patient_id"] for one in told if "privacy" in one["against"]}


def _was_in_doubt(db: Connection, entry: Entry) -> bool:
    """Whether a request of ours is the doubt; two notes may also have been found before any."""
    where = (AttemptRow.entry_id == entry.entry_id, AttemptRow.outcome == "in_doubt")
    return db.execute(select(AttemptRow.id).where(*where).limit(1)).first() is not None


def _wake(db: Connection) -> None:
    """Let the running worker notice: it watches this number."""
    db.execute(update(Installation).values(decisions=Installation.decisions + 1))


def _wake_for(db: Connection, clinician_id: int) -> None:
    """Let several workers know for whom: the caller holds the clinician's trail."""
    values = {"decisions": ClinicianRow.decisions + 1}
    db.execute(update(ClinicianRow).where(ClinicianRow.id == clinician_id).values(**values))
