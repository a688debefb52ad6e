"""The records of the Heidi stand-in and their JSON, field by field as on Heidi's reference pages.

Session ids are 38-digit decimal strings, other ids 24 hex digits, stamps naive UTC with microseconds
("Sessions", "Documents", "Patient profiles"). All people are made up.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

ApiUser = tuple[str, str]
"""Heidi's shadow account: `email` and `third_party_internal_id`; another spelling is another user."""


@dataclass(slots=True)
class HeidiClinician:
    """A Heidi account, and the API user it is linked to, if any."""

    email: str
    user_id: str
    kinde_user_id: str
    link_id: str
    linked_to: ApiUser | None
    linked_at: datetime


@dataclass(slots=True)
class HeidiProfile:
    """A patient profile, as linked to sessions."""

    profile_id: str
    first_name: str
    last_name: str
    birth_date: str | None
    gender: str | None
    email: str | None
    ehr_patient_id: str | None

    def as_json(self) -> dict[str, Any]:
        """The object of the "Patient profiles" page."""
        return {
            "id": self.profile_id,
            "ehr_patient_id": self.ehr_patient_id,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "birth_date": self.birth_date,
            "gender": self.gender,
            "phone": None,
            "email": self.email,
            "patient_sex_code": None,
            "identifiers": [],
            "demographic_string": "",
            "additional_context": "",
        }


@dataclass(slots=True)
class HeidiDocument:
    """A document of a session; `index` is the order of its tab, not an identity."""

    document_id: str
    session_id: str
    index: int
    name: str
    content: str | None
    template_id: str | None
    content_type: str | None

    def as_json(self, *, with_content_type: bool) -> dict[str, Any]:
        """The object of the "Documents" page, whose list leaves `content_type` out."""
        typed = {"content_type": self.content_type} if with_content_type and self.content_type else {}
        return {
            "id": self.document_id,
            "session_id": self.session_id,
            "index": self.index,
            "name": self.name,
            "template_id": self.template_id,
            "content": self.content,
            "generation_type": "TEMPLATE",
            "brain": "LEFT",
            **typed,
        }


@dataclass(slots=True)
class HeidiSession:
    """A session, with the consult note that is never ours to file."""

    session_id: str
    clinicians: set[str]
    patient_name: str
    birth_date: str | None
    gender: str | None
    ehr_patient_id: str | None
    profile: HeidiProfile | None
    created_at: datetime
    updated_at: datetime
    duration: int
    consent_obtained: bool | None
    consult_note_status: str
    consult_note: str | None
    shuffle: float
    ehr_appt_id: str | None = None
    documents: list[HeidiDocument] = field(default_factory=list)

    def as_row(self) -> dict[str, Any]:
        """A list row that says nothing of the patient, as one client expects it."""
        return {
            "session_id": self.session_id,
            "session_name": f"Session {self.session_id[-4:]}",
            "created_at": naive(self.created_at),
            "updated_at": naive(self.updated_at),
            "duration": self.duration,
        }

    def as_json(self) -> dict[str, Any]:
        """The object of the "Sessions" page; `documents` is null there, whatever the session holds."""
        optional: dict[str, Any] = {}
        if self.profile is not None:
            optional["patient_profile"] = {
                "id": self.profile.profile_id,
                "ehr_patient_id": self.profile.ehr_patient_id,
            }
        if self.consent_obtained is not None:
            optional["consent_obtained"] = self.consent_obtained
        patient = {"name": self.patient_name, "gender": self.gender, "dob": self.birth_date}
        return {
            **self.as_row(),
            "patient": patient,
            "audio": [],
            "clinician_notes": [],
            "consult_note": self._consult_note(),
            "language_code": "en",
            "output_language_code": "en",
            "documents": None,
            "ehr_appt_id": self.ehr_appt_id,
            "ehr_provider": "sandbox",
            "ehr_patient_id": self.ehr_patient_id,
            "linked_sessions_for_context": [],
            **optional,
        }

    def _consult_note(self) -> dict[str, Any] | None:
        if self.consult_note is None:
            return None
        unset = ("voice_style", "ai_command_id", "ai_command_text", "feedback", "dictation_cleanup_mode")
        return {
            "status": self.consult_note_status,
            "result": self.consult_note,
            "heading": "Note",
            "brain": "LEFT",
            "generation_method": "TEMPLATE",
            "template_id": None,
            **dict.fromkeys(unset),
        }


def naive(moment: datetime) -> str:
    """Heidi's session stamps: UTC, microseconds, no time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
