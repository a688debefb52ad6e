"""What must hold. Judged by what the services hold and by what went over the network; the ledger is asked last.

`broken_so_far` may be asked at any moment; `broken_at_the_end` once everything has come to rest.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sync_worker.ledger.tables import AttemptRow, EntryRow
from sync_worker.records import AttemptKind, Reason, Status
from tests.simulation.installation import Installation
from tests.simulation.network import Post
from tests.simulation.world import DocumentStory

LOOKS_BEFORE_RESEND = 2

PROMISES = {
    "twice": "notes that a document has beyond its one",
    "lost": "documents that nobody files and nobody is asked about",
    "wrong_patient": "notes on another person's chart",
    "wrong_author": "notes of another clinician",
    "not_a_draft": "notes that were not made as drafts",
    "too_old": "notes of sessions from before the practice's start",
    "words_lost": "notes that say something else than their document, with nobody asked",
    "phantom": "entries called posted whose note is not there",
    "sent_too_soon": "requests sent again before two looks found nothing",
    "cursor_back": "cursors that went back",
    "stuck": "entries that never come to an end",
    "unexpected": "errors that nobody expected",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that was not kept, and on what."""

    promise: str
    what: str


@dataclass(frozen=True, slots=True)
class Held:
    """A document that waits for a person, and who or what made it: a person, a fault, or nothing that we know of."""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class _Entry:
    entry_id: int
    document_id: str
    status: Status
    reason: Reason | None
    note_id: str | None
    wish: str | None
    attempts_in_doubt: int


def broken_so_far(installation: Installation) -> list[Broken]:
    """The promises that are broken now and that nothing can mend."""
    return [
        *_notes(installation),
        *_resends(installation),
        *_phantoms(installation, _entries(installation)),
        *(Broken("cursor_back", "") for _ in range(installation.cursor_went_back)),
        *(Broken("unexpected", what) for what in installation.unexpected),
    ]


def broken_at_the_end(installation: Installation) -> list[Broken]:
    """The promises that are broken once everything has come to rest."""
    entries = _entries(installation)
    return [*broken_so_far(installation), *_fates(installation, entries), *_stuck(entries)]


def held(installation: Installation) -> list[Held]:
    """What waits for a person, and why that is so."""
    entries = _entries(installation)
    found = ((document, entries.get(document.document_id)) for document in installation.world.documents)
    return [
        Held(str(entry.reason), _who_made_it(installation, document, entry))
        for document, entry in found
        if entry is not None and entry.status is Status.REVIEW
    ]


def is_open(installation: Installation) -> bool:
    """Whether any entry still waits for the worker."""
    return any(_stuck(_entries(installation)))


def entry_id_of(installation: Installation, document_id: str) -> int | None:
    """The number of a document's entry, if it has one."""
    entry = _entries(installation).get(document_id)
    return None if entry is None else entry.entry_id


def documents_in(installation: Installation, status: Status) -> list[tuple[int, str]]:
    """The entries of one status: their numbers, and which documents they are of."""
    return [(entry.entry_id, id_) for id_, entry in _entries(installation).items() if entry.status is status]


def statuses(installation: Installation) -> list[Status]:
    """Where every entry stands."""
    return [entry.status for entry in _entries(installation).values()]


# ---------------------------------------------------------------- notes


def _notes(installation: Installation) -> Iterator[Broken]:
    world = installation.world
    by_reference = {document.reference: document for document in world.documents}
    seen: Counter[str] = Counter()
    for note in world.creations:
        reference = note.title.rpartition("ref ")[2]
        document = by_reference[reference]
        seen[reference] += 1
        if seen[reference] > 1:
            yield Broken("twice", reference)
        if note.patient_id not in document.session.person.charts:
            yield Broken("wrong_patient", reference)
        if note.practitioner_id != world.practitioners[document.session.clinician]:
            yield Broken("wrong_author", reference)
        if not note.draft:
            yield Broken("not_a_draft", reference)
        if not document.session.in_scope and document.came_with_session and not document.wanted:
            yield Broken("too_old", reference)


def _resends(installation: Installation) -> Iterator[Broken]:
    """A request that may have worked is followed by another only after two whole looks in between."""
    authors = {each.reference: each.session.clinician for each in installation.world.documents}
    of_one: defaultdict[str, list[Post]] = defaultdict(list)
    for post in installation.network.journal.posts:
        of_one[post.reference].append(post)
    for reference, posts in of_one.items():
        author = installation.world.practitioners[authors[reference]]
        uncertain: Post | None = None
        for post in posts:
            if uncertain is not None and not _may_follow(installation, uncertain, post, author):
                yield Broken("sent_too_soon", f"{reference} at {post.at:.2f}")
            if post.end in ("lost", "accepted"):
                uncertain = post


def _may_follow(installation: Installation, first: Post, second: Post, author: str) -> bool:
    between = range(first.number, second.number)  # what happens after a call bears the call's number
    if any(number in between for number in installation.ledger_changes):
        return True  # another ledger knows nothing of the first; whether a note is twice is judged all the same
    if any(number in between for number in installation.decided.get(second.reference, ())):
        return True  # a person said that it is not there
    looks = [
        look for look in installation.network.journal.looks if look.number in between and look.number != first.number
    ]
    return sum(look.practitioner_id == author for look in looks) >= LOOKS_BEFORE_RESEND


# ---------------------------------------------------------------- documents


def _fates(installation: Installation, entries: dict[str, _Entry]) -> Iterator[Broken]:
    notes = installation.world.cliniko.notes
    theirs = {
        made.title.rpartition("ref ")[2]
        for made in installation.world.creations
        if not notes[made.note_id].draft or notes[made.note_id].archived_at is not None
    }
    said = {note.title.rpartition("ref ")[2]: str(notes[note.note_id].content) for note in installation.world.creations}
    for document in installation.world.documents:
        if document.deleted or not document.text or not document.session.in_scope:
            continue
        entry = entries.get(document.document_id)
        if document.dismissed or (document.turned_down and entry and _is_ended(entry)):
            continue
        if entry is None or entry.status in (Status.SKIPPED, Status.WITHDRAWN):
            yield Broken("lost", f"{document.reference} {entry.reason if entry else ''}")
        elif document.reference in theirs and installation.ledger_changes:
            continue  # which of the two was changed while the ledger was away nobody can tell, and the note is theirs
        elif entry.status is Status.POSTED and not _says_it_all(said.get(document.reference, ""), document.text):
            yield Broken("words_lost", document.reference)


def _is_ended(entry: _Entry) -> bool:
    """Whether it stands where only a person can have put it."""
    return entry.reason is Reason.DISMISSED or entry.status is Status.WITHDRAWN


def _says_it_all(stored: str, text: str) -> bool:
    return all(word.strip("#-.") in stored for word in text.split())


def _phantoms(installation: Installation, entries: dict[str, _Entry]) -> Iterator[Broken]:
    made = {note.note_id: note.title.rpartition("ref ")[2] for note in installation.world.creations}
    references = {document.document_id: document.reference for document in installation.world.documents}
    for entry in entries.values():
        if entry.status is Status.POSTED and made.get(entry.note_id or "") != references[entry.document_id]:
            yield Broken("phantom", references[entry.document_id])


def _stuck(entries: dict[str, _Entry]) -> Iterator[Broken]:
    for entry in entries.values():
        if entry.status in (Status.PENDING, Status.POSTING, Status.IN_DOUBT):
            yield Broken("stuck", f"entry {entry.entry_id} is {entry.status}")
        elif entry.wish is not None and entry.status is Status.POSTED:
            yield Broken("stuck", f"entry {entry.entry_id} waits for its {entry.wish}")


def _who_made_it(installation: Installation, document: DocumentStory, entry: _Entry) -> str:
    if entry.reason in document.excuses | document.session.person.excuses or document.deleted:
        return "people"
    posts = [post for post in installation.network.journal.posts if post.reference == document.reference]
    match entry.reason:
        case Reason.REFUSED if any(post.end == "refused" for post in posts):
            return "faults"
        case Reason.TWICE_IN_DOUBT if entry.attempts_in_doubt > 1:
            return "faults"
        case Reason.DOUBT_KEY_GONE | Reason.FAILING if installation.network.journal.spoilt:
            return "faults"
    return "nobody"


def _entries(installation: Installation) -> dict[str, _Entry]:
    creating_it = (AttemptRow.entry_id == EntryRow.id, AttemptRow.kind == AttemptKind.CREATE)
    in_doubt = sa.select(sa.func.count()).where(*creating_it, AttemptRow.outcome == "in_doubt").scalar_subquery()
    query = sa.select(
        EntryRow.id,
        EntryRow.document_id,
        EntryRow.status,
        EntryRow.reason,
        EntryRow.note_id,
        EntryRow.wish,
        in_doubt,
    ).order_by(EntryRow.id)
    with installation.reading() as db:
        rows: Any = db.execute(query)
        return {
            document_id: _Entry(id_, document_id, Status(status), Reason(reason) if reason else None, *more)
            for id_, document_id, status, reason, *more in rows
        }
