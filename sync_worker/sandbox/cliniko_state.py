"""What the Cliniko stand-in knows: one account's users, patients, bookings, templates and notes, and its switches.

Owns the verbs with which a test or a demo plays the practice: the front desk, the physio who edits a note, the
administrator who revokes a key. Answers no request. Every verb that needs a record raises KeyError where there is none.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sync_worker.sandbox.cliniko_records import (
    AttendeeRecord,
    BookingRecord,
    NoteRecord,
    PatientRecord,
    TemplateRecord,
    UserRecord,
)
from sync_worker.sandbox.filters import Collation
from sync_worker.sandbox.records import set_fields, utc_now
from sync_worker.sandbox.sanitiser import Html
from sync_worker.sandbox.wire import Request

FIRST_ID = 1_700_000_000_000_000_000


class ClinikoState:
    """The records behind the stand-in, its switches, and the verbs that change them. Thread-safe."""

    def __init__(self, now: Callable[[], datetime] = utc_now, shard: str = "au3", seed: int = 1) -> None:
        self.now = now
        self.shard = shard
        self.random = Random(seed)  # noqa: S311 - ids and keys of made-up records, repeatable on purpose
        self.lock = threading.RLock()
        self.requests: list[Request] = []
        self.users: dict[str, UserRecord] = {}
        self.patients: dict[str, PatientRecord] = {}
        self.bookings: dict[str, BookingRecord] = {}
        self.templates: dict[str, TemplateRecord] = {}
        self._notes: dict[str, NoteRecord] = {}
        self._late: list[tuple[datetime, Callable[[datetime], object]]] = []
        self._last_id = FIRST_ID + self.random.randrange(10**15)
        self._set_switches()

    def _set_switches(self) -> None:
        self.strict_user_agent = False
        self.own_notes_only = False
        self.html: str = Html.FULL
        self.error_lists = False
        self.rate_limit_per_minute: int | None = 200
        self.rate_limit_reset_seconds = 2
        self.list_lag_seconds = 0.0
        self.case_sensitive = False
        self.milliseconds_in_filters = False
        self.clamps_per_page = True
        self.archived_patient_by_id = 200
        self.archived_patient_takes_notes = True
        self.offers_public_settings = True
        self.time_zone = "Australia/Hobart"
        self.subdomain = "sandbox-physio"
        self.clock_offset_seconds = 0.0
        self.attachment_processing_seconds = 2.0

    @property
    def collation(self) -> Collation:
        """How filters compare, by the switches."""
        return Collation(self.case_sensitive, self.milliseconds_in_filters)

    def server_time(self, at: datetime | None = None) -> datetime:
        """The account's clock, which may differ from ours, in whole seconds."""
        shown = (at or self.now()) + timedelta(seconds=self.clock_offset_seconds)
        return shown.replace(microsecond=0)

    # users and keys

    def add_user(
        self,
        *,
        first_name: str,
        last_name: str,
        role: str = "practitioner",
        practitioner: bool = True,
        api_key: str | None = None,
        can_read_bookings: bool = True,
    ) -> str:
        """A user with one API key; returns the user's id, which is not the practitioner's."""
        with self.lock:
            user = UserRecord(
                user_id=self.new_id(),
                first_name=first_name,
                last_name=last_name,
                role=role,
                practitioner_id=self.new_id() if practitioner else None,
                practitioner_active=practitioner,
                can_read_bookings=can_read_bookings,
                created_at=self.server_time(),
                updated_at=self.server_time(),
            )
            self.users[user.user_id] = user
            user.keys.append(api_key or self._new_key())
            return user.user_id

    def add_key(self, user_id: str) -> str:
        """One more API key of the same user; it shares the user's rate limit."""
        with self.lock:
            key = self._new_key()
            self.users[user_id].keys.append(key)
            return key

    def key_of(self, user_id: str) -> str:
        """The user's first key that still works; KeyError when all are revoked."""
        with self.lock:
            keys = self.users[user_id].keys
            if not keys:
                raise KeyError(f"user {user_id} has no key left")
            return keys[0]

    def practitioner_of(self, user_id: str) -> str:
        """The practitioner's id of a user; KeyError for a user who is none."""
        with self.lock:
            practitioner_id = self.users[user_id].practitioner_id
            if practitioner_id is None:
                raise KeyError(f"user {user_id} is not a practitioner")
            return practitioner_id

    def revoke(self, api_key: str) -> None:
        """The key is archived and works no more."""
        with self.lock:
            for user in self.users.values():
                if api_key in user.keys:
                    user.keys.remove(api_key)
                    return
            raise KeyError("no user has this key")

    def set_practitioner_active(self, user_id: str, active: bool) -> None:
        """The practice retires a practitioner, or takes one back."""
        with self.lock:
            self.users[user_id].practitioner_active = active

    # patients

    def add_patient(
        self,
        *,
        first_name: str | None,
        last_name: str | None,
        date_of_birth: str | None = None,
        email: str | None = None,
        preferred_first_name: str | None = None,
        phone: str | None = None,
        archived: bool = False,
        old_reference_id: str | None = None,
        accepted_privacy_policy: bool | None = True,
        patient_id: str | None = None,
    ) -> str:
        """A chart; returns its id. `date_of_birth` is `YYYY-MM-DD`."""
        with self.lock:
            patient = PatientRecord(
                patient_id=patient_id or self.new_id(),
                first_name=first_name,
                last_name=last_name,
                date_of_birth=date_of_birth,
                email=email,
                preferred_first_name=preferred_first_name,
                phone=phone,
                old_reference_id=old_reference_id,
                accepted_privacy_policy=accepted_privacy_policy,
                created_at=self.server_time(),
                updated_at=self.server_time(),
                archived_at=self.server_time() if archived else None,
            )
            self.patients[patient.patient_id] = patient
            return patient.patient_id

    def edit_patient(self, patient_id: str, **fields: Any) -> None:
        """The front desk mends a chart; TypeError for a field it cannot edit."""
        with self.lock:
            editable = {"first_name", "last_name", "date_of_birth", "email", "preferred_first_name", "phone"}
            patient = self.patients[patient_id]
            set_fields(patient, fields, editable | {"old_reference_id", "accepted_privacy_policy"})
            patient.updated_at = self.server_time()

    def archive_patient(self, patient_id: str) -> None:
        """The chart is put away."""
        with self.lock:
            patient = self.patients[patient_id]
            patient.archived_at = patient.updated_at = self.server_time()

    def merge_patients(self, loser: str, winner: str) -> None:
        """Two charts were one person's: the loser is archived and names the winner, who gets notes and bookings."""
        with self.lock:
            self.archive_patient(loser)
            record = self.patients[loser]
            record.merged_at, record.merged_into = self.server_time(), self.patients[winner].patient_id
            belongings: list[NoteRecord | AttendeeRecord] = [*self.notes.values(), *self.attendees()]
            for moved in belongings:
                if moved.patient_id == loser:
                    moved.patient_id = winner

    # bookings and templates

    def add_booking(
        self,
        *,
        practitioner_id: str,
        patient_ids: Sequence[str],
        starts_at: datetime,
        ends_at: datetime,
        cancelled: bool = False,
        did_not_arrive: bool = False,
    ) -> str:
        """An appointment of one patient, a group of several, or an unavailable block without any; returns its id."""
        with self.lock:
            booking_id, now = self.new_id(), self.server_time()
            names = [self.patients[patient_id].label for patient_id in patient_ids]
            self.bookings[booking_id] = BookingRecord(
                booking_id=booking_id,
                practitioner_id=practitioner_id,
                starts_at=starts_at,
                ends_at=ends_at,
                is_group=len(patient_ids) > 1,
                attendees=[
                    AttendeeRecord(self.new_id(), booking_id, each, created_at=now, updated_at=now)
                    for each in patient_ids
                ],
                patient_name=names[0] if names else "",
                created_at=now,
                updated_at=now,
                cancelled_at=now if cancelled else None,
                did_not_arrive=did_not_arrive,
            )
            return booking_id

    def attendees(self) -> list[AttendeeRecord]:
        """Everybody's place in every booking."""
        return [attendee for booking in self.bookings.values() for attendee in booking.attendees]

    def add_template(self, *, name: str, content: dict[str, Any] | None) -> str:
        """A treatment note template; returns its id."""
        with self.lock:
            template_id, now = self.new_id(), self.server_time()
            self.templates[template_id] = TemplateRecord(template_id, name, content, now, now)
            return template_id

    # notes

    @property
    def notes(self) -> dict[str, NoteRecord]:
        """Every note by its id, archived ones too."""
        with self.lock:
            self.commit_due()
            return self._notes

    def live_notes(self) -> list[NoteRecord]:
        """The notes that nobody archived, oldest first."""
        with self.lock:
            return [note for note in self.notes.values() if note.archived_at is None]

    def add_note_by_hand(
        self,
        patient_id: str,
        practitioner_id: str,
        title: str,
        content: dict[str, Any] | None,
        booking_id: str | None = None,
    ) -> str:
        """A practitioner writes a draft in the web app, where nothing is validated; returns its id."""
        with self.lock:
            author = next(each for each in self.users.values() if each.practitioner_id == practitioner_id)
            note = NoteRecord(
                note_id=self.new_id(),
                patient_id=self.patients[patient_id].patient_id,
                practitioner_id=practitioner_id,
                author_name=author.name,
                title=title,
                content=content,
                draft=True,
                created_at=self.server_time(),
                updated_at=self.server_time(),
                committed_at=self.now(),
                booking_id=booking_id,
            )
            self.store_note(note)
            return note.note_id

    def store_note(self, note: NoteRecord) -> None:
        """The note exists from now on."""
        self._notes[note.note_id] = note

    def edit_note(self, note_id: str, **fields: Any) -> None:
        """The physio edits a note in the web app: title, content, patient_id or booking_id."""
        with self.lock:
            note = self.notes[note_id]
            set_fields(note, fields, {"title", "content", "patient_id", "booking_id"})
            note.updated_at = self.server_time()

    def finalise_note(self, note_id: str) -> None:
        """The physio signs the note off; nobody can edit it afterwards."""
        with self.lock:
            note = self.notes[note_id]
            note.draft = False
            note.finalized_at = note.updated_at = self.server_time()

    def archive_note(self, note_id: str) -> None:
        """The physio archives the note."""
        with self.lock:
            note = self.notes[note_id]
            note.archived_at = note.updated_at = self.server_time()

    def commit_later(self, due: datetime, commit: Callable[[datetime], object]) -> None:
        """Hold a write back until `due`; it happens at the first look after that, with `due` as its time."""
        self._late.append((due, commit))

    def commit_due(self) -> None:
        """Let the writes happen that were held back until now."""
        due = sorted((each for each in self._late if each[0] <= self.now()), key=lambda each: each[0])
        self._late = [each for each in self._late if each not in due]
        for moment, commit in due:
            commit(moment)

    def new_id(self) -> str:
        """A fresh id: 19 digits, rising, as the real ones."""
        self._last_id += self.random.randrange(1, 10**6)
        return str(self._last_id)

    def _new_key(self) -> str:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return f"MS0sandbox{''.join(self.random.choices(letters, k=24))}-{self.shard}"
