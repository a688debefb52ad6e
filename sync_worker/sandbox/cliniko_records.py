"""The records of the Cliniko stand-in: their JSON, and the columns by which each list can be filtered.

Field and column names follow Cliniko's reference ("Patients", "Treatment notes", "Bookings", "Attendees",
"Practitioners", "Users", "Patient attachments"). Ids are strings of 19 digits; a related record is a link object, never
an id; stamps have whole seconds and end in `Z`. All people are made up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from sync_worker.sandbox.filters import Column, Columns, Kind
from sync_worker.sandbox.lists import link, stamp

BUSINESS_ID = "1000000000000000001"
APPOINTMENT_TYPE_ID = "1000000000000000002"


def _columns(**kinds: str | tuple[str, str]) -> Columns:
    """Columns by name: the kind, and the record's attribute where it is called otherwise."""
    found: dict[str, Column] = {}
    for name, kind in kinds.items():
        word, attribute = (kind, name) if isinstance(kind, str) else kind
        found[name] = Column(Kind(word), attrgetter(attribute))
    return found


@dataclass(slots=True)
class UserRecord:
    """A user of the account, who may be a practitioner as well: two ids for one person."""

    user_id: str
    first_name: str
    last_name: str
    role: str
    practitioner_id: str | None
    practitioner_active: bool
    can_read_bookings: bool
    created_at: datetime
    updated_at: datetime
    keys: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """First and last name, as a note shows its author."""
        return f"{self.first_name} {self.last_name}"

    @property
    def is_administrator(self) -> bool:
        """Whether the role sees everything."""
        return self.role == "administrator"

    @property
    def may_write_notes(self) -> bool:
        """Only practitioners may, whatever their role."""
        return self.practitioner_id is not None and self.practitioner_active

    def as_json(self, base: str, time_zone: str) -> dict[str, Any]:
        """The object of "Users"."""
        return {
            "id": self.user_id,
            "title": "",
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": f"user-{self.user_id}@example.com",
            "role": self.role,
            "time_zone": time_zone,
            "user_active": True,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            **link(base, "users", self.user_id),
        }

    def as_practitioner(self, base: str) -> dict[str, Any]:
        """The object of "Practitioners"."""
        return {
            "id": self.practitioner_id,
            "title": "",
            "first_name": self.first_name,
            "last_name": self.last_name,
            "label": self.name,
            "designation": "Physiotherapist",
            "active": self.practitioner_active,
            "show_in_online_bookings": True,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            "user": link(base, "users", self.user_id),
            **link(base, "practitioners", str(self.practitioner_id)),
        }


USER_COLUMNS = _columns(created_at="datetime", id=("number", "user_id"), updated_at="datetime")
PRACTITIONER_COLUMNS = _columns(
    created_at="datetime", id=("number", "practitioner_id"), updated_at="datetime", user_id="number"
)


@dataclass(slots=True)
class PatientRecord:
    """A patient chart; optional fields may be None or "", and even the names may be missing."""

    patient_id: str
    first_name: str | None
    last_name: str | None
    date_of_birth: str | None
    email: str | None
    preferred_first_name: str | None
    phone: str | None
    old_reference_id: str | None
    accepted_privacy_policy: bool | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    merged_at: datetime | None = None
    merged_into: str | None = None

    @property
    def label(self) -> str:
        """The full name."""
        return " ".join(part for part in (self.first_name, self.last_name) if part)

    def as_json(self, base: str) -> dict[str, Any]:
        """The object of "Patients"; the loser of a merge names the winner, never the other way round."""
        numbers = [{"phone_type": "Mobile", "number": self.phone}] if self.phone else []
        merged = {"merged_with_patient": link(base, "patients", self.merged_into)} if self.merged_into else {}
        return {
            "id": self.patient_id,
            "title": "",
            "first_name": self.first_name,
            "last_name": self.last_name,
            "preferred_first_name": self.preferred_first_name,
            "label": self.label,
            "date_of_birth": self.date_of_birth,
            "email": self.email,
            "patient_phone_numbers": numbers,
            "old_reference_id": self.old_reference_id,
            "accepted_privacy_policy": self.accepted_privacy_policy,
            "medicare": None,
            "medicare_reference_number": None,
            "dva_card_number": None,
            "post_code": None,
            "time_zone": None,
            "notes": None,
            "archived_at": stamp(self.archived_at),
            "merged_at": stamp(self.merged_at),
            "deleted_at": None,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            **merged,
            **link(base, "patients", self.patient_id),
        }


PATIENT_COLUMNS = _columns(
    archived_at="datetime",
    created_at="datetime",
    date_of_birth="date",
    email="string",
    first_name="string",
    id=("number", "patient_id"),
    last_name="string",
    old_reference_id="string",
    updated_at="datetime",
)


@dataclass(slots=True)
class AttendeeRecord:
    """One patient's place in a booking."""

    attendee_id: str
    booking_id: str
    patient_id: str
    created_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None = None

    def as_json(self, base: str) -> dict[str, Any]:
        """The object of "Attendees"."""
        return {
            "id": self.attendee_id,
            "arrived": None,
            "cancelled_at": stamp(self.cancelled_at),
            "deleted_at": None,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            "booking": link(base, "bookings", self.booking_id),
            "patient": link(base, "patients", self.patient_id),
            **link(base, "attendees", self.attendee_id),
        }


ATTENDEE_COLUMNS = _columns(
    booking_id="number",
    created_at="datetime",
    id=("number", "attendee_id"),
    patient_id="number",
    updated_at="datetime",
)


@dataclass(slots=True)
class BookingRecord:
    """An individual appointment, a group appointment, or with no attendees an unavailable block."""

    booking_id: str
    practitioner_id: str
    starts_at: datetime
    ends_at: datetime
    is_group: bool
    attendees: list[AttendeeRecord]
    patient_name: str
    created_at: datetime
    updated_at: datetime
    cancelled_at: datetime | None = None
    archived_at: datetime | None = None
    did_not_arrive: bool = False
    business_id: str = BUSINESS_ID
    appointment_type_id: str = APPOINTMENT_TYPE_ID

    @property
    def patient_ids(self) -> list[str]:
        """Everybody booked."""
        return [attendee.patient_id for attendee in self.attendees]

    @property
    def patient_id(self) -> str | None:
        """The patient of an individual appointment."""
        return None if self.is_group or not self.attendees else self.attendees[0].patient_id

    def as_json(self, base: str) -> dict[str, Any]:
        """The object of "Bookings", whose fields depend on the sort of booking."""
        return {
            "id": self.booking_id,
            "starts_at": stamp(self.starts_at),
            "ends_at": stamp(self.ends_at),
            "notes": None,
            "archived_at": stamp(self.archived_at),
            "deleted_at": None,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            "business": link(base, "businesses", self.business_id),
            "practitioner": link(base, "practitioners", self.practitioner_id),
            **self._who(base),
            **link(base, "bookings", self.booking_id),
        }

    def _who(self, base: str) -> dict[str, Any]:
        kind = link(base, "appointment_types", self.appointment_type_id)
        if self.is_group:
            attendees = link(base, "group_appointments", self.booking_id, "attendees")
            return {"patient_ids": self.patient_ids, "appointment_type": kind, "attendees": attendees}
        if self.patient_id is None:
            return {}
        return {
            "patient_name": self.patient_name,
            "cancelled_at": stamp(self.cancelled_at),
            "did_not_arrive": self.did_not_arrive,
            "appointment_type": kind,
            "patient": link(base, "patients", self.patient_id),
            "attendees": link(base, "individual_appointments", self.booking_id, "attendees"),
        }


BOOKING_COLUMNS = _columns(
    archived_at="datetime",
    business_id="number",
    cancelled_at="datetime",
    created_at="datetime",
    ends_at="datetime",
    id=("number", "booking_id"),
    patient_ids="array",
    practitioner_id="number",
    starts_at="datetime",
    updated_at="datetime",
)
APPOINTMENT_COLUMNS: Columns = {
    **{name: column for name, column in BOOKING_COLUMNS.items() if name != "patient_ids"},
    **_columns(appointment_type_id="number", patient_id="number"),
}


@dataclass(slots=True)
class TemplateRecord:
    """A treatment note template."""

    template_id: str
    name: str
    content: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None

    def as_json(self, base: str) -> dict[str, Any]:
        """The object of "Treatment note templates"."""
        return {
            "id": self.template_id,
            "name": self.name,
            "content": self.content,
            "archived_at": stamp(self.archived_at),
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            **link(base, "treatment_note_templates", self.template_id),
        }


TEMPLATE_COLUMNS = _columns(created_at="datetime", id=("number", "template_id"), updated_at="datetime")


@dataclass(slots=True)
class NoteRecord:
    """A treatment note; `committed_at` is when it came to be, to the microsecond and by the real clock."""

    note_id: str
    patient_id: str
    practitioner_id: str
    author_name: str
    title: str
    content: dict[str, Any] | None
    draft: bool
    created_at: datetime
    updated_at: datetime
    committed_at: datetime
    finalized_at: datetime | None = None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None
    booking_id: str | None = None
    attendee_id: str | None = None
    template_id: str | None = None

    def as_json(self, base: str) -> dict[str, Any]:
        """The object of "Treatment notes"; a link that is not set is absent."""
        optional: Mapping[str, tuple[str, str | None]] = {
            "booking": ("bookings", self.booking_id),
            "attendee": ("attendees", self.attendee_id),
            "treatment_note_template": ("treatment_note_templates", self.template_id),
        }
        return {
            "id": self.note_id,
            "title": self.title,
            "draft": self.draft,
            "content": self.content,
            "author_name": self.author_name,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            "finalized_at": stamp(self.finalized_at),
            "pinned_at": None,
            "archived_at": stamp(self.archived_at),
            "deleted_at": stamp(self.deleted_at),
            "patient": link(base, "patients", self.patient_id),
            "practitioner": link(base, "practitioners", self.practitioner_id),
            **{name: link(base, plural, id_) for name, (plural, id_) in optional.items() if id_},
            **link(base, "treatment_notes", self.note_id),
        }


NOTE_COLUMNS = _columns(
    archived_at="datetime",
    attendee_id="number",
    booking_id="number",
    created_at="datetime",
    deleted_at="datetime",
    draft="boolean",
    id=("number", "note_id"),
    patient_id="number",
    practitioner_id="number",
    treatment_note_template_id=("number", "template_id"),
    updated_at="datetime",
)
