"""What one tick read of Heidi's sessions: kept for a minute, so that a tick does not ask twice, and bounded.

The patients' words pass through here in memory only.
"""

from dataclasses import replace
from datetime import date, datetime
from functools import partial

from sync_worker.clock import Clock
from sync_worker.convert import has_words
from sync_worker.errors import NotAuthorised, RemoteError
from sync_worker.fresh import Answered, Fresh
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import Ledger
from sync_worker.matching import usable_birth_date
from sync_worker.model import Document, PatientProfile, Session
from sync_worker.records import HintSeen

NO_PROFILE = PatientProfile(None, None, None)
"""In place of one that Heidi has no more."""


class SessionReader:
    """Reads sessions, their documents and their patients' profiles, each at most once a minute. Thread-safe."""

    def __init__(self, heidi: HeidiClient, clock: Clock) -> None:
        self._heidi = heidi
        self._clock = clock
        self._documents: Fresh[str, list[Document] | None] = Fresh(clock)
        self._sessions: Fresh[str, Session | None] = Fresh(clock)
        self._profiles: Fresh[str, PatientProfile | None] = Fresh(clock)

    def documents(self, session_id: str) -> list[Document] | None:
        """The session's documents with words in them, as of `read_at`; None if Heidi has no such session any more."""
        return self._reading(session_id).value

    def document(self, session_id: str, document_id: str) -> Document | None:
        """One document of a session; None if it is gone, or blank."""
        return next((one for one in self.documents(session_id) or [] if one.document_id == document_id), None)

    def read_at(self, session_id: str) -> datetime:
        """When the documents were asked for: what a text's rest is measured from."""
        return self._reading(session_id).asked_at

    def session(self, session_id: str) -> Session | None:
        """The session itself; None if Heidi has it no more."""
        return self._session(session_id) if self.documents(session_id) is not None else None

    def profile(self, profile_id: str) -> PatientProfile | None:
        """Heidi's record of a patient; None if there is none. Raises `RemoteError` for one that cannot be read."""
        return self._profiles.get(profile_id, partial(self._heidi.find_patient_profile, profile_id)).value

    def forget(self) -> None:
        """Let all of it go: a tick is over."""
        for answers in (self._documents, self._sessions, self._profiles):
            answers.forget()

    def _reading(self, session_id: str) -> Answered[list[Document] | None]:
        return self._documents.get(session_id, partial(self._read, session_id))

    def _session(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id, partial(self._found, session_id)).value

    def _found(self, session_id: str) -> Session | None:
        session = self._heidi.find_session(session_id)
        return self._with_profile(session) if session is not None else None

    def _with_profile(self, session: Session) -> Session:
        """The session with its patient's profile, which is read here only where it may add the birth date.

        A profile that cannot be read keeps nobody from the session: whoever needs the patient asks again.
        """
        profile_id, today = session.patient_profile_id, self._clock.now().date()
        if profile_id is None or usable_birth_date(session.hint.birth_date, today=today) is not None:
            return session
        try:
            return replace(session, profile=self.profile(profile_id) or NO_PROFILE)
        except NotAuthorised:
            raise
        except RemoteError:
            return replace(session, is_profile_unread=True)

    def _read(self, session_id: str) -> list[Document] | None:
        documents = self._heidi.find_documents(session_id)
        if documents is not None:
            return [document for document in documents if has_words(document)]
        # no list of documents: is there no document, or no session?
        return None if self._session(session_id) is None else []


def hint_seen(ledger: Ledger, session: Session) -> HintSeen:
    """Whom a session is about, in a form that the ledger may keep: it stays the same while the same person is named.

    The patient's profile counts with its id, and with the birth date where the session has none of its own.
    """
    hint, profile = session.hint, session.profile
    name = " ".join(hint.name.casefold().split())
    born = (profile.birth_date if profile is not None else None) or hint.birth_date
    now = f"{name}\n{_day(born)}\n{session.patient_profile_id or ''}"
    former = f"{name}\n{_day(hint.birth_date)}"  # a line less, so that neither is ever the other
    return HintSeen(ledger.keyed_hash(now), hint.linked_patient_id, ledger.keyed_hash(former))


def _day(born: date | None) -> str:
    return born.isoformat() if born else ""
