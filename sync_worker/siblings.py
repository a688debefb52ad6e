"""Whether a document is another one of its session over again: Heidi gives a regenerated document a new id.

Texts are compared live, since the ledger keeps none: the sibling's document where Heidi still has it, else its note.
"""

from dataclasses import dataclass

from rapidfuzz import fuzz

from sync_worker.cliniko import ClinikoClient
from sync_worker.convert import answers_of, document_texts
from sync_worker.errors import ConversionError
from sync_worker.ledger import Ledger
from sync_worker.model import Document
from sync_worker.records import Entry, Status

SIMILAR = 85.0
"""Of a hundred characters so many are the same: then a person says whether both are wanted."""
FILED = (Status.POSTED, Status.POSTING, Status.IN_DOUBT)
WAITING = (Status.PENDING, Status.REVIEW)


@dataclass(frozen=True, slots=True)
class Siblings:
    """Compares a document with the others of its session that are filed, or that were met before it and wait."""

    ledger: Ledger
    cliniko: ClinikoClient

    def is_regenerated(self, entry: Entry, document: Document, present: list[Document]) -> bool:
        """Whether a filed or earlier sibling says nearly the same. `present` are the session's documents as of now.

        Raises `RemoteError` where a filed sibling's note cannot be read.
        """
        others = [one for one in self.ledger.entries.of_session(entry.session_id) if _counts(one, entry)]
        if not others:
            return False
        by_id = {one.document_id: one for one in present}
        return any(self._is_alike(document, other, by_id.get(other.document_id)) for other in others)

    def _is_alike(self, document: Document, entry: Entry, sibling: Document | None) -> bool:
        if sibling is not None:
            return are_alike(document, sibling)
        note = self.cliniko.find_note(entry.note_id) if entry.note_id else None
        return note is not None and _is_similar(_words(document), " ".join(answers_of(note.content)))


def are_alike(document: Document, other: Document) -> bool:
    """Whether two documents of a session say nearly the same. Two of different templates are meant to be two."""
    if None not in (document.template_id, other.template_id) and document.template_id != other.template_id:
        return False
    return _is_similar(_words(document), _words(other))


def _counts(other: Entry, entry: Entry) -> bool:
    if other.entry_id == entry.entry_id or other.clinician_id != entry.clinician_id or other.status is Status.WITHDRAWN:
        return False
    is_earlier = other.status in WAITING and other.entry_id < entry.entry_id
    return other.status in FILED or other.note_id is not None or is_earlier


def _words(document: Document) -> str:
    try:
        return " ".join(document_texts(document))
    except ConversionError:
        return ""


def _is_similar(text: str, other: str) -> bool:
    """Whether two texts are alike, or their words are: a practice's template may have changed their order."""
    if not text or not other:
        return False
    return max(ratio(text, other, score_cutoff=SIMILAR) for ratio in (fuzz.ratio, fuzz.token_sort_ratio)) >= SIMILAR
