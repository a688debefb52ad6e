"""What the Heidi stand-in knows: clinicians, sessions, documents, and the switches where sources disagree.

Owns the verbs with which a test or a demo plays the clinicians and Heidi itself. Answers no request. Every
verb that needs a record raises KeyError where there is none.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from sync_worker.sandbox.faults import FaultQueue
from sync_worker.sandbox.heidi_records import HeidiClinician, HeidiDocument, HeidiProfile, HeidiSession
from sync_worker.sandbox.records import set_fields, utc_now
from sync_worker.sandbox.wire import Request

FAULTS = frozenset(
    (
        "404",
        "422",
        "detail_text",
        "429",
        "429_retry_after",
        "401",
        "500",
        "502_html",
        "slow:SECONDS",
        "drop",
        "cut",
        "stall",
        "drip",
        "html_200",
        "unexpected_shape",
    )
)
ROUTES = ("jwt", "access", "sessions", "session", "documents", "profile", "templates")


class Envelope(StrEnum):
    """How a list is wrapped; sources disagree, so a client must read them all."""

    DATA = "data"
    SESSIONS = "sessions"
    DOCUMENTS = "documents"
    BARE = "bare"


class Order(StrEnum):
    """The order of the session list, which is undocumented."""

    NEWEST = "newest"
    OLDEST = "oldest"
    UPDATED = "updated"
    RANDOM = "random"


class HeidiState:
    """The records behind the stand-in, its switches, and the verbs that change them. Thread-safe."""

    def __init__(self, now: Callable[[], datetime] = utc_now, seed: int = 1) -> None:
        self.now = now
        self.random = Random(seed)  # noqa: S311 - ids of made-up records, repeatable on purpose
        self.lock = threading.RLock()
        self.requests: list[Request] = []
        self.api_key = "sandbox-heidi-key"
        self.clinicians: dict[str, HeidiClinician] = {}
        self.sessions: dict[str, HeidiSession] = {}
        self.templates: dict[str, dict[str, Any]] = {}
        self.faults = FaultQueue(dict.fromkeys(ROUTES, FAULTS))
        self._set_switches()

    def _set_switches(self) -> None:
        self.envelope: str = Envelope.DATA
        self.order: str = Order.NEWEST
        self.rows_carry_patient = False
        self.session_envelope = True
        self.documents_envelope: str = Envelope.DOCUMENTS
        self.documents_carry_content_type = False
        self.unlinked_status = 400
        self.max_page_size = 200
        self.default_page_size = 20
        self.ignores_page = False
        self.shifts_pages = False
        self.token_lifetime_seconds = 3600.0
        self.retry_after_seconds = 1

    def fail(self, route: str, fault: str, times: int = 1, after: int = 0) -> None:
        """Let `after` requests of `route` pass, then spoil `times` of them. ValueError for unknown names."""
        with self.lock:
            self.faults.plan(route, fault, times, after)

    # clinicians

    def add_clinician(self, *, email: str, user_id: str, linked: bool = True) -> None:
        """A clinician with a Heidi account; `linked`: whether the API user (email, user_id) may read it."""
        with self.lock:
            self.clinicians[user_id] = HeidiClinician(
                email=email,
                user_id=user_id,
                kinde_user_id=f"kp_{self.random.getrandbits(128):032x}",
                link_id=self._hex_id(),
                linked_to=(email, user_id) if linked else None,
                linked_at=self.now(),
            )

    def link(self, email: str) -> None:
        """The clinician follows the link page in a browser. KeyError if nobody has that e-mail."""
        with self.lock:
            clinician = self._clinician_called(email)
            clinician.linked_to = (clinician.email, clinician.user_id)
            clinician.linked_at = self.now()

    def unlink(self, email: str) -> None:
        """The clinician ends the link in Heidi. KeyError if nobody has that e-mail."""
        with self.lock:
            self._clinician_called(email).linked_to = None

    def _clinician_called(self, email: str) -> HeidiClinician:
        for clinician in self.clinicians.values():
            if clinician.email == email:
                return clinician
        raise KeyError(email)

    # sessions

    def add_session(
        self,
        *,
        clinician: str,
        patient_name: str,
        created_at: datetime,
        birth_date: str | None = None,
        gender: str | None = None,
        ehr_patient_id: str | None = None,
        email: str | None = None,
        updated_at: datetime | None = None,
        duration: int = 900,
        consent_obtained: bool | None = None,
        consult_note: str | None = None,
        session_id: str | None = None,
    ) -> str:
        """A finished recording of `clinician` (a user_id); returns the session's id.

        `duration` is in seconds; `email` puts it on a patient profile of its own; `consult_note` "" is a note
        that was created and not filled yet, None is no note at all. KeyError if there is no such clinician.
        """
        with self.lock:
            clinicians = {self.clinicians[clinician].user_id}
            profile = self._new_profile(patient_name, birth_date, gender, email, ehr_patient_id)
            session = HeidiSession(
                session_id=session_id or str(self.random.randrange(10**37, 10**38)),
                clinicians=clinicians,
                patient_name=patient_name,
                birth_date=birth_date,
                gender=gender,
                ehr_patient_id=ehr_patient_id,
                profile=profile if email is not None else None,
                created_at=created_at,
                updated_at=updated_at or created_at + timedelta(seconds=duration),
                duration=duration,
                consent_obtained=consent_obtained,
                consult_note_status="CREATED",
                consult_note=consult_note,
                shuffle=self.random.random(),
            )
            self.sessions[session.session_id] = session
            return session.session_id

    def share_session(self, session_id: str, clinician: str) -> None:
        """The session is in a second clinician's list too."""
        with self.lock:
            self.sessions[session_id].clinicians.add(self.clinicians[clinician].user_id)

    def delete_session(self, session_id: str) -> None:
        """The clinician, or Heidi's retention rule, removes the session and its documents."""
        with self.lock:
            del self.sessions[session_id]

    def touch_session(self, session_id: str) -> None:
        """Something changed the session: `updated_at` is now."""
        with self.lock:
            self.sessions[session_id].updated_at = self.now()

    def edit_patient(self, session_id: str, **fields: str | None) -> None:
        """The clinician corrects the patient: patient_name, birth_date, gender, ehr_patient_id."""
        with self.lock:
            session = self.sessions[session_id]
            set_fields(session, fields, {"patient_name", "birth_date", "gender", "ehr_patient_id"})
            session.updated_at = self.now()

    def edit_profile(self, session_id: str, **fields: str | None) -> None:
        """Somebody edits the patient profile behind a session; the session itself does not change."""
        with self.lock:
            profile = self.sessions[session_id].profile
            if profile is None:
                raise KeyError(f"session {session_id} has no patient profile")
            set_fields(
                profile,
                fields,
                {"first_name", "last_name", "birth_date", "gender", "email", "ehr_patient_id"},
            )

    def edit_consult_note(self, session_id: str, *, status: str, result: str | None) -> None:
        """Heidi writes the consult note: CREATED with or without a result, COMPLETED, or a word unseen."""
        with self.lock:
            session = self.sessions[session_id]
            session.consult_note_status, session.consult_note = status, result
            session.updated_at = self.now()

    def _new_profile(
        self, name: str, birth_date: str | None, gender: str | None, email: str | None, ehr_id: str | None
    ) -> HeidiProfile:
        first, _, last = name.rpartition(" ")
        return HeidiProfile(self._hex_id(), first, last, birth_date, gender, email, ehr_id)

    # documents

    def add_document(
        self,
        session_id: str,
        *,
        name: str,
        content: str | None,
        template_id: str | None = None,
        content_type: str | None = None,
        touch: bool = True,
    ) -> str:
        """The clinician makes a document; returns its id. `touch` sets the session's `updated_at` to now."""
        with self.lock:
            session = self.sessions[session_id]
            document = HeidiDocument(
                document_id=self._hex_id(),
                session_id=session_id,
                index=len(session.documents),
                name=name,
                content=content,
                template_id=template_id,
                content_type=content_type,
            )
            session.documents.append(document)
            if touch:
                session.updated_at = self.now()
            return document.document_id

    def edit_document(self, document_id: str, content: str | None, touch: bool = False) -> None:
        """The same document says something else now: an edit, or the end of its generation."""
        with self.lock:
            session, document = self._find_document(document_id)
            document.content = content
            if touch:
                session.updated_at = self.now()

    def regenerate_document(self, document_id: str, content: str, *, replaces: bool = False) -> str:
        """Heidi writes it once more: a new id under the same name; `replaces` removes the old one."""
        with self.lock:
            _, old = self._find_document(document_id)
            new_id = self.add_document(
                old.session_id,
                name=old.name,
                content=content,
                template_id=old.template_id,
                content_type=old.content_type,
            )
            if replaces:
                self.delete_document(document_id)
            return new_id

    def delete_document(self, document_id: str) -> None:
        """The clinician removes the document; the tabs after it move up."""
        with self.lock:
            session, document = self._find_document(document_id)
            session.documents.remove(document)
            for index, left in enumerate(session.documents):
                left.index = index

    def reorder_documents(self, session_id: str) -> None:
        """The clinician drags the tabs into the opposite order."""
        with self.lock:
            documents = self.sessions[session_id].documents
            documents.reverse()
            for index, document in enumerate(documents):
                document.index = index

    def add_template(self, *, name: str, document: bool = True) -> str:
        """A global template, for documents or else for consult notes; returns its id."""
        with self.lock:
            template_id = self._hex_id()
            self.templates[template_id] = {
                "id": template_id,
                "name": name,
                "structure_template": "",
                "template_category": "DOCUMENT_TEMPLATE" if document else "CONSULT_NOTE_TEMPLATE",
                "template_html": None,
                "author_name": "Sandbox",
            }
            return template_id

    def _find_document(self, document_id: str) -> tuple[HeidiSession, HeidiDocument]:
        for session in self.sessions.values():
            for document in session.documents:
                if document.document_id == document_id:
                    return session, document
        raise KeyError(document_id)

    def _hex_id(self) -> str:
        return f"{self.random.getrandbits(96):024x}"
