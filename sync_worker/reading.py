"""What one tick read of Heidi's sessions: kept for a minute, so that a tick does not ask twice, and bounded.

The patients' words pass through here in memory only.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from sync_worker.clock import Clock
from sync_worker.convert import has_words
from sync_worker.heidi import HeidiClient
from sync_worker.ledger import Ledger
from sync_worker.model import Document, Hint, HintSeen, Session

FRESH_SECONDS = 60.0
MOST_SESSIONS = 256


@dataclass(slots=True)
class _Reading:
    at: datetime
    fresh_until: float
    documents: list[Document] | None
    session: Session | None = None


class SessionReader:
    """Reads sessions and their documents, each at most once a minute."""

    def __init__(self, heidi: HeidiClient, clock: Clock) -> None:
        self._heidi = heidi
        self._clock = clock
        self._readings: OrderedDict[str, _Reading] = OrderedDict()

    def documents(self, session_id: str) -> list[Document] | None:
        """The session's documents with words in them, as of `read_at`; None if Heidi has no such session any more."""
        return self._reading(session_id).documents

    def document(self, session_id: str, document_id: str) -> Document | None:
        """One document of a session; None if it is gone, or blank."""
        return next((one for one in self.documents(session_id) or [] if one.document_id == document_id), None)

    def read_at(self, session_id: str) -> datetime:
        """When the documents were asked for: what a text's rest is measured from."""
        return self._reading(session_id).at

    def session(self, session_id: str) -> Session | None:
        """The session itself; None if Heidi has it no more."""
        reading = self._reading(session_id)
        if reading.session is None and reading.documents is not None:
            reading.session = self._heidi.find_session(session_id)
        return reading.session

    def forget(self) -> None:
        """Let all of it go: a tick is over."""
        self._readings.clear()

    def _reading(self, session_id: str) -> _Reading:
        reading = self._readings.get(session_id)
        if reading is None or self._clock.monotonic() > reading.fresh_until:
            reading = self._read(session_id)
            self._readings[session_id] = reading
            if len(self._readings) > MOST_SESSIONS:
                self._readings.popitem(last=False)
        return reading

    def _read(self, session_id: str) -> _Reading:
        at, fresh_until = self._clock.now(), self._clock.monotonic() + FRESH_SECONDS
        documents = self._heidi.find_documents(session_id)
        if documents is not None:
            return _Reading(at, fresh_until, [document for document in documents if has_words(document)])
        # no list of documents: is there no document, or no session?
        session = self._heidi.find_session(session_id)
        return _Reading(at, fresh_until, None if session is None else [], session)


def hint_seen(ledger: Ledger, hint: Hint) -> HintSeen:
    """Whom a session is about, in a form that the ledger may keep: it stays the same while the same person is named."""
    born = hint.birth_date.isoformat() if hint.birth_date else ""
    named = f"{' '.join(hint.name.casefold().split())}\n{born}"
    return HintSeen(ledger.keyed_hash(named), hint.linked_patient_id)
