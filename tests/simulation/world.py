"""The clinic around the worker: who was seen, what was written, and everything that people change meanwhile.

Each verb changes the sandboxes and remembers what the oracle has to know: whose document it is, what it says, and which
reasons for a review were given by people.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from sync_worker.records import Reason
from sync_worker.reference import reference_of
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.cliniko_records import NoteRecord
from sync_worker.sandbox.heidi import HeidiSandbox
from tests.simulation.clocks import TrueTime

CLINICIANS = ("physio-1", "physio-2")
KEYS = {user_id: f"MS0simulated{number}-au3" for number, user_id in enumerate(CLINICIANS)}
START_AT = "2026-11-01"
FIRST_NAMES = ("Mary", "Nora", "Liam", "Ava", "Oscar", "Ruth", "Hugo", "Iris", "Pablo", "Zoe", "Tara", "Quentin")
LAST_NAMES = ("Jones", "Quinn", "Baker", "Nguyen", "Okafor", "Silva", "Walsh", "Kaya", "Moreau", "Lindqvist", "Petrov")

CHART_TROUBLE = frozenset(
    {
        Reason.NO_MATCH,
        Reason.SEVERAL_CHARTS,
        Reason.ARCHIVED_ONLY,
        Reason.PATIENT_UNAVAILABLE,
        Reason.PATIENT_CHANGED,
        Reason.LINK_CONTRADICTED,
        Reason.REFUSED,
    }
)
"""What may become of a document whose patient's chart was put away, merged or mended."""


@dataclass(slots=True)
class Person:
    """A patient, and every chart that this one person ever had."""

    first: str
    last: str
    born: str
    charts: list[str]
    live: str
    excuses: set[Reason] = field(default_factory=set)


@dataclass(slots=True)
class SessionStory:
    """A session, as the clinician had it."""

    session_id: str
    clinician: str
    person: Person
    in_scope: bool
    made_at: float
    deleted: bool = False


@dataclass(slots=True)
class DocumentStory:
    """A document, what it said one time after another, and the reasons for a review that people gave."""

    document_id: str
    session: SessionStory
    reference: str
    texts: list[str]
    came_with_session: bool
    deleted: bool = False
    dismissed: bool = False
    """A person said that it need not be filed as it is now."""
    turned_down: bool = False
    """A person said that it is not to be filed at all."""
    wanted: bool = False
    """A person said that it is to be filed though its session is older than the practice's start."""
    excuses: set[Reason] = field(default_factory=set)

    @property
    def text(self) -> str:
        return self.texts[-1]


@dataclass(frozen=True, slots=True)
class Creation:
    """A note at the moment at which Cliniko made it."""

    note_id: str
    title: str
    patient_id: str
    practitioner_id: str
    draft: bool
    at: float


class World:
    """Both services with a small practice in them."""

    def __init__(self, seed: int, time: TrueTime, *, clinicians: int = 1) -> None:
        self.time = time
        self.heidi = HeidiSandbox(now=time.now, seed=seed)
        self.cliniko = ClinikoSandbox(now=time.now, seed=seed)
        self.people: list[Person] = []
        self.sessions: list[SessionStory] = []
        self.documents: list[DocumentStory] = []
        self._creations: list[Creation] = []
        self.touched_notes: set[str] = set()
        """Notes that a clinician has edited, finalised or archived."""
        self.practitioners: dict[str, str] = {}
        self._words = Random(seed)
        store = self.cliniko.store_note

        def store_and_remember(note: NoteRecord) -> None:
            store(note)
            self._remember(note)

        self.cliniko.store_note = store_and_remember  # type: ignore[method-assign]
        for number in range(clinicians):
            self._add_clinician(CLINICIANS[number])

    def _add_clinician(self, user_id: str) -> None:
        self.heidi.add_clinician(email=f"{user_id}@example.com", user_id=user_id)
        their_id = self.cliniko.add_user(first_name="Ada", last_name=user_id, api_key=KEYS[user_id])
        self.practitioners[user_id] = self.cliniko.practitioner_of(their_id)

    def _remember(self, note: NoteRecord) -> None:
        creation = Creation(
            note.note_id, note.title, note.patient_id, note.practitioner_id, note.draft, self.time.passed
        )
        self._creations.append(creation)

    @property
    def creations(self) -> list[Creation]:
        """Every note that Cliniko ever made by request, those included that came late but are due by now."""
        with self.cliniko.lock:
            self.cliniko.commit_due()
        return self._creations

    # ------------------------------------------------------------ patients

    def new_person(self) -> Person:
        """Somebody new, of whom there is one chart. No two people agree in name or birth date."""
        number = len(self.people)
        first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
        born = f"{1940 + number % 60}-{2 + number % 11:02d}-{3 + number % 25:02d}"
        chart = self.cliniko.add_patient(first_name=first, last_name=last, date_of_birth=born)
        self.people.append(Person(first, last, born, [chart], chart))
        return self.people[-1]

    def archive_chart(self, person: Person) -> None:
        """The front desk puts the person's chart away."""
        self.cliniko.archive_patient(person.live)
        person.excuses |= CHART_TROUBLE

    def merge_chart(self, person: Person) -> None:
        """The front desk finds a second chart of the same person, and merges the one in use into it."""
        other = self.cliniko.add_patient(first_name=person.first, last_name=person.last, date_of_birth=person.born)
        self.cliniko.merge_patients(person.live, other)
        person.charts.append(other)
        person.live = other
        person.excuses |= CHART_TROUBLE

    # ------------------------------------------------------------ sessions and documents

    def new_session(self, clinician: str, person: Person, *, in_scope: bool = True) -> SessionStory:
        """A finished session; out of scope means before the day from which on the worker files."""
        created_at: datetime = self.time.now() - (timedelta(hours=1) if in_scope else timedelta(days=20))
        session_id = self.heidi.add_session(
            clinician=clinician,
            patient_name=f"{person.first} {person.last}",
            birth_date=person.born,
            created_at=created_at,
            updated_at=self.time.now(),
        )
        self.sessions.append(SessionStory(session_id, clinician, person, in_scope, self.time.passed))
        return self.sessions[-1]

    def new_document(self, session: SessionStory, *, blank: bool = False, touch: bool = True) -> DocumentStory:
        """The clinician makes a document; a blank one is filled by a later edit."""
        text = "" if blank else self.a_text()
        document_id = self.heidi.add_document(session.session_id, name="Letter", content=text, touch=touch)
        reference = reference_of(region="au", session_id=session.session_id, document_id=document_id)
        came_with_session = session.made_at == self.time.passed and not blank
        self.documents.append(DocumentStory(document_id, session, reference, [text], came_with_session))
        if not session.in_scope:
            self.documents[-1].excuses.add(Reason.LATE_START)
        return self.documents[-1]

    def edit_document(self, document: DocumentStory, *, touch: bool = False) -> None:
        """The document says something else from now on."""
        document.texts.append(self.a_text())
        document.dismissed = False
        self.heidi.edit_document(document.document_id, document.text, touch=touch)
        document.excuses |= {Reason.REVISED, Reason.CONTENT_CHANGED}

    def delete_document(self, document: DocumentStory) -> None:
        """The clinician throws the document away."""
        self.heidi.delete_document(document.document_id)
        document.deleted = True

    def delete_session(self, session: SessionStory) -> None:
        """The clinician throws the whole session away."""
        self.heidi.delete_session(session.session_id)
        session.deleted = True
        for document in self.documents:
            if document.session is session:
                document.deleted = True
                document.excuses.add(Reason.SOURCE_GONE)

    def touch_session(self, session: SessionStory) -> None:
        """Something about the session changes that is of no concern to us."""
        self.heidi.touch_session(session.session_id)

    def a_text(self) -> str:
        """A page that no other page resembles: two headings, a list, and words of which each run has its own."""
        word = self._word
        items = "\n".join(f"- {word()} {word()} {word()}" for _ in range(self._words.randrange(1, 4)))
        return f"# {word()}\n\n{word()} {word()} {word()}.\n\n## {word()}\n\n{items}\n\n{word()} {word()}."

    def _word(self) -> str:
        return f"{self._words.getrandbits(48):012x}".translate(_LETTERS)

    # ------------------------------------------------------------ notes

    def finalise_note(self, note_id: str) -> None:
        """The clinician signs a note off."""
        self.touched_notes.add(note_id)
        self.cliniko.finalise_note(note_id)

    def archive_note(self, note_id: str) -> None:
        """The clinician archives a note."""
        self.touched_notes.add(note_id)
        self.cliniko.archive_note(note_id)

    def retitle_note(self, note_id: str) -> None:
        """The clinician gives a note a title of their own, without our reference."""
        self.touched_notes.add(note_id)
        self.cliniko.edit_note(note_id, title="Seen and well")

    def edit_note(self, note_id: str) -> None:
        """The clinician adds a line to a note: who adopts it later cannot tell which of the two texts is right."""
        self.touched_notes.add(note_id)
        for document in self.documents:
            if document.reference in self.cliniko.notes[note_id].title:
                document.excuses.add(Reason.REVISED)
        content = self.cliniko.notes[note_id].content or {"sections": []}
        answer = {"name": "Added", "type": "paragraph", "answer": "<p>By hand.</p>"}
        self.cliniko.edit_note(note_id, content={"sections": [*content["sections"], {"questions": [answer]}]})


_LETTERS = str.maketrans("0123456789", "ghijklmnop")
