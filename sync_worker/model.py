"""What Heidi and Cliniko know and answered, and what becomes of a document: frozen values, without behaviour or I/O.

Rows and JSON never travel: each edge (Heidi, Cliniko, the ledger) turns what it reads into these, and into those of
`records`, at its border. Heidi's session ids are 38-digit decimal strings and Cliniko's ids 19-digit ones: every id is
a `str`, never a number.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sync_worker.records import Reason

# ---------------------------------------------------------------- what Heidi knows


@dataclass(frozen=True, slots=True)
class Hint:
    """What Heidi knows of the patient. Blank and missing are the same: "" for text, None for the rest."""

    name: str
    birth_date: date | None = None
    linked_patient_id: str | None = None
    """Heidi's `ehr_patient_id`: perhaps a Cliniko patient id, to be checked and never trusted."""
    email: str | None = None


@dataclass(frozen=True, slots=True)
class ListedSession:
    """One row of Heidi's session list: only what a list row can be trusted for."""

    session_id: str
    created_at: datetime | None
    updated_at: datetime | None

    @property
    def latest(self) -> datetime | None:
        """The newer of its stamps, if it has any."""
        return max((stamp for stamp in (self.created_at, self.updated_at) if stamp is not None), default=None)


@dataclass(frozen=True, slots=True)
class Session:
    """A Heidi clinical session, as read by its id. Stamps are aware UTC."""

    session_id: str
    created_at: datetime
    updated_at: datetime
    hint: Hint
    consent: bool | None = None
    patient_profile_id: str | None = None
    profile_link: str | None = None
    """The patient id that the session's profile links, as far as the session tells it."""
    profile: "PatientProfile | None" = None
    """The profile itself, where it was read already."""
    is_profile_unread: bool = False
    """Whether it should have been read and could not be: then the session does not tell all of whom it is about."""


@dataclass(frozen=True, slots=True)
class PatientProfile:
    """Heidi's own record of a patient, which a session may point to."""

    birth_date: date | None
    email: str | None
    linked_patient_id: str | None
    first_name: str = ""
    last_name: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a clinician made in a session (never the consult note)."""

    document_id: str
    session_id: str
    name: str
    content: str
    content_type: str | None = None
    """"MARKDOWN", "HTML", or None where Heidi's list leaves it out."""
    template_id: str | None = None


# ---------------------------------------------------------------- what Cliniko knows


@dataclass(frozen=True, slots=True)
class Patient:
    """A Cliniko patient chart. Blank and missing are the same, as with `Hint`."""

    patient_id: str
    first_name: str
    last_name: str
    preferred_first_name: str = ""
    birth_date: date | None = None
    email: str | None = None
    archived: bool = False
    merged_into: str | None = None
    """The surviving chart's id, when this one lost a merge."""
    accepted_privacy_policy: bool | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a note. `answer` is Cliniko HTML for "paragraph", one plain line for "text"; None = no answer."""

    name: str
    kind: str = "paragraph"
    answer: str | None = None
    choices: tuple[str | None, ...] = ()
    """What a clinician may tick or choose; nothing is chosen here."""
    has_other: bool = False
    """Whether a clinician may also write a choice of their own."""

    def as_json(self) -> dict[str, Any]:
        """The question in a request; what is absent is left out, as Cliniko refuses empty values."""
        values: dict[str, Any] = {"name": self.name, "type": self.kind}
        if self.kind in ("checkboxes", "radiobuttons"):
            choices = {"answers": [{"value": choice} for choice in self.choices]} if self.choices else {}
            return values | choices | ({"other": {"enabled": True}} if self.has_other else {})
        return values | ({"answer": self.answer} if self.answer else {})


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a note or template; Cliniko refuses one without questions."""

    questions: tuple[Question, ...]
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class NoteContent:
    """What a note says, in Cliniko's own structure (its reference, "Treatment notes")."""

    sections: tuple[Section, ...]

    def as_json(self) -> dict[str, Any]:
        """The `content` of a request: absent answers and names are left out, as Cliniko refuses empty ones."""
        return {
            "sections": [
                ({"name": section.name} if section.name else {})
                | ({"description": section.description} if section.description else {})
                | {"questions": [question.as_json() for question in section.questions]}
                for section in self.sections
            ]
        }


@dataclass(frozen=True, slots=True)
class Template:
    """A treatment note template of the practice."""

    template_id: str
    name: str
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A treatment note that we mean to create."""

    patient_id: str
    title: str
    content: NoteContent
    draft: bool = True
    booking_id: str | None = None
    template_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A treatment note as Cliniko holds it. `content` is Cliniko's JSON, or None."""

    note_id: str
    title: str
    content: dict[str, Any] | None
    patient_id: str | None
    draft: bool
    archived: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Practitioner:
    """Whom a Cliniko key stands for. `account` tells one practice from another; `time_zone` is an IANA name."""

    user_id: str
    practitioner_id: str
    name: str
    account: str
    time_zone: str | None


@dataclass(frozen=True, slots=True)
class Booking:
    """One booking in a practitioner's diary that is neither cancelled nor archived, and no unavailable block."""

    booking_id: str
    starts_at: datetime
    ends_at: datetime
    """Not before its start; both are aware UTC."""
    patient_ids: tuple[str, ...]
    """Whoever is booked: one of an appointment, all of a group. Empty where Cliniko does not tell who is in a group."""
    attended: bool = True
    """False where the practice noted that the patient did not come."""


# ---------------------------------------------------------------- how a match ended


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chart that was looked at, and which fields spoke for and against it: names of fields, never their values."""

    patient_id: str
    agrees: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matched:
    """Exactly one live chart fits and nothing contradicts."""

    patient_id: str
    rule: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Charts fit, but choosing is a person's business."""

    reason: Reason
    candidates: tuple[Candidate, ...]
    rule: int | None = None
    """The rule that decided; None where it was none of the matcher's."""


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No chart fits, or the hint says too little."""

    reason: Reason
    candidates: tuple[Candidate, ...] = ()
    rule: int | None = None


MatchOutcome = Matched | Ambiguous | NoMatch


# ---------------------------------------------------------------- how an attempt ended


@dataclass(frozen=True, slots=True)
class Accepted:
    """Cliniko said 201 and we could read it."""

    note: StoredNote


@dataclass(frozen=True, slots=True)
class Refused:
    """Cliniko certainly refused this note. `fields` are the names of the fields it complained of."""

    status: int
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request certainly had no effect: no connection was made, or Cliniko said 429."""

    code: str


@dataclass(frozen=True, slots=True)
class KeyTrouble:
    """Cliniko refused the key (401) or its user (403); no note was made."""

    status: int


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows whether the note exists. `code` says how the answer was lost."""

    code: str


@dataclass(frozen=True, slots=True)
class Archived:
    """Cliniko said that the note is archived."""


PostOutcome = Accepted | Refused | NotSent | KeyTrouble | InDoubt
AmendOutcome = PostOutcome | Archived


# ---------------------------------------------------------------- what becomes of a document


class Revisions(StrEnum):
    """What becomes of a document that changed after it was filed."""

    REVIEW = "review"
    UPDATE_DRAFT = "update_draft"
    """Only our own untouched draft is brought up to date; else a person is asked."""
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of a kind of document; the first that fits wins (clinic.toml)."""

    heidi_template: str | None = None
    document_name: str | None = None
    cliniko_template: str | None = None
    layout: str = "sections"
    title: str = "{document}"
    action: str = "post"


DEFAULT_ROUTE = Route()


@dataclass(frozen=True, slots=True)
class PlannedEntry:
    """What a tick would do with one document."""

    session_id: str
    document_id: str
    action: str
    reason: str | None = None
    patient_id: str | None = None
    note: Note | None = field(default=None, repr=False)
    """What would be sent, where there is something to send: a patient's words, for showing only."""
