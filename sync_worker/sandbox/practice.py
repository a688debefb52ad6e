"""A synthetic physiotherapy practice in Hobart, and what must become of each of its documents.

Owns the whole: `build_practice` is pure, so that the same seed, time and size give the same practice; `populate` puts
it into the two sandboxes and says which ids they gave. It refuses to know how the worker decides: what is expected
comes with the people (people.py), from what was made wrong on purpose.
"""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Protocol

from sync_worker.records import Reason
from sync_worker.sandbox.documents import raw_notes
from sync_worker.sandbox.people import PracticePatient, build_people
from sync_worker.sandbox.week import (
    CLINICIANS,
    NOTHING_IN_IT,
    ZONE,
    PracticeBooking,
    PracticeClinician,
    PracticeDocument,
    PracticeSession,
    diary_of,
    sessions_of,
)

__all__ = [
    "ZONE",
    "PopulatedPractice",
    "Practice",
    "PracticeBooking",
    "PracticeClinician",
    "PracticeDocument",
    "PracticePatient",
    "PracticeSession",
    "build_practice",
    "populate",
]


@dataclass(frozen=True, slots=True)
class Practice:
    """Everything the two services know, before they know it."""

    clinicians: tuple[PracticeClinician, ...]
    patients: tuple[PracticePatient, ...]
    bookings: tuple[PracticeBooking, ...]
    sessions: tuple[PracticeSession, ...]

    @property
    def documents(self) -> tuple[PracticeDocument, ...]:
        """The documents of all sessions, in the order of the sessions."""
        return tuple(document for session in self.sessions for document in session.documents)


def build_practice(*, seed: int = 1, now: datetime, patients: int = 400) -> Practice:
    """Make the practice as it stands at `now`, with a week of sessions that are over by then.

    57 sessions have a document made of a note: 50 must be filed, 7 held, each for another thing that is wrong. Two more
    have nothing to file: an empty document and one of white space. Raises ValueError if `now` is naive or there are too
    few `patients`.
    """
    if now.tzinfo is None:
        raise ValueError("now must be an aware time")
    rng = Random(seed)  # noqa: S311 - a repeatable practice, no secrets
    notes = raw_notes()
    charts, visits = build_people(
        rng, today=now.astimezone(ZONE).date(), patients=patients, visits=len(notes) + len(NOTHING_IN_IT)
    )
    sessions = tuple(sessions_of(rng, now=now, notes=notes, visits=visits))
    return Practice(CLINICIANS, charts, diary_of(rng, now=now, sessions=sessions, charts=charts), sessions)


# ---------------------------------------------------------------- into the sandboxes


class HeidiState(Protocol):
    """What is needed of the Heidi sandbox."""

    def add_clinician(self, *, email: str, user_id: str) -> object: ...

    def add_session(
        self,
        *,
        clinician: str,
        patient_name: str,
        birth_date: str | None,
        email: str | None,
        created_at: datetime,
        updated_at: datetime,
        duration: int,
        consent_obtained: bool | None,
        consult_note: str | None,
    ) -> str: ...

    def add_document(
        self,
        session_id: str,
        *,
        name: str,
        content: str,
        template_id: str | None,
        content_type: str | None,
        touch: bool,
    ) -> str: ...


class ClinikoState(Protocol):
    """What is needed of the Cliniko sandbox."""

    def add_user(self, *, first_name: str, last_name: str) -> str: ...

    def key_of(self, user_id: str, /) -> str: ...

    def practitioner_of(self, user_id: str, /) -> str: ...

    def add_patient(
        self,
        *,
        first_name: str,
        last_name: str,
        date_of_birth: str | None,
        email: str | None,
        preferred_first_name: str | None,
        archived: bool,
    ) -> str: ...

    def merge_patients(self, loser: str, winner: str, /) -> object: ...

    def add_booking(
        self,
        *,
        practitioner_id: str,
        patient_ids: list[str],
        starts_at: datetime,
        ends_at: datetime,
        cancelled: bool,
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class PopulatedPractice:
    """The practice with the ids that the sandboxes gave. Maps go from keys (a clinician's: user_id) to ids."""

    practice: Practice
    api_keys: dict[str, str] = field(default_factory=dict, repr=False)
    practitioners: dict[str, str] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)

    @property
    def by_document_id(self) -> dict[str, PracticeDocument]:
        """Every document by the id Heidi gave it."""
        return {self.documents[document.key]: document for document in self.practice.documents}

    @property
    def expected(self) -> dict[str, str]:
        """Ids of the documents to be filed, and of the patient each belongs to."""
        filed = ((name, document.expected_patient) for name, document in self.by_document_id.items())
        return {document_id: self.patients[patient] for document_id, patient in filed if patient}

    @property
    def held(self) -> dict[str, Reason]:
        """Ids of the documents that wait for a person, and why."""
        fates = ((name, document.held) for name, document in self.by_document_id.items())
        return {document_id: reason for document_id, reason in fates if reason}

    @property
    def blank(self) -> frozenset[str]:
        """Ids of the documents with nothing in them."""
        return frozenset(self.by_document_id) - set(self.expected) - set(self.held)


def populate(practice: Practice, heidi: HeidiState, cliniko: ClinikoState) -> PopulatedPractice:
    """Put the practice into both sandboxes and return the ids they gave."""
    populated = PopulatedPractice(practice)
    for clinician in practice.clinicians:
        _add_clinician(populated, clinician, heidi, cliniko)
    for patient in practice.patients:
        populated.patients[patient.key] = _add_patient(patient, cliniko)
    for loser in (patient for patient in practice.patients if patient.merged_into):
        cliniko.merge_patients(populated.patients[loser.key], populated.patients[str(loser.merged_into)])
    for booking in practice.bookings:
        _add_booking(populated, booking, cliniko)
    for session in practice.sessions:
        _add_session(populated, session, heidi)
    return populated


def _add_clinician(
    populated: PopulatedPractice, clinician: PracticeClinician, heidi: HeidiState, cliniko: ClinikoState
) -> None:
    heidi.add_clinician(email=clinician.email, user_id=clinician.user_id)
    first_name, _, last_name = clinician.name.rpartition(" ")
    user_id = cliniko.add_user(first_name=first_name, last_name=last_name)
    populated.api_keys[clinician.user_id] = cliniko.key_of(user_id)
    populated.practitioners[clinician.user_id] = cliniko.practitioner_of(user_id)


def _add_patient(patient: PracticePatient, cliniko: ClinikoState) -> str:
    return cliniko.add_patient(
        first_name=patient.first_name,
        last_name=patient.last_name,
        date_of_birth=patient.birth_date.isoformat() if patient.birth_date else None,
        email=patient.email,
        preferred_first_name=patient.preferred_first_name,
        archived=patient.archived and not patient.merged_into,  # a merge archives its loser itself
    )


def _add_booking(populated: PopulatedPractice, booking: PracticeBooking, cliniko: ClinikoState) -> None:
    cliniko.add_booking(
        practitioner_id=populated.practitioners[booking.clinician],
        patient_ids=[populated.patients[key] for key in booking.patients],
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        cancelled=booking.cancelled,
    )


def _add_session(populated: PopulatedPractice, session: PracticeSession, heidi: HeidiState) -> None:
    session_id = heidi.add_session(
        clinician=session.clinician,
        patient_name=session.patient_name,
        birth_date=session.birth_date.isoformat() if session.birth_date else None,
        email=session.email,
        created_at=session.created_at,
        updated_at=session.updated_at,
        duration=session.duration_seconds,
        consent_obtained=session.consent,
        consult_note=session.consult_note,
    )
    populated.sessions[session.key] = session_id
    for document in session.documents:
        populated.documents[document.key] = heidi.add_document(
            session_id,
            name=document.name,
            content=document.content,
            template_id=document.template_id,
            content_type=document.content_type,
            touch=False,  # the stamps of the past stay
        )
