"""What people do while the worker works, by chance: see patients, write, change their minds, mend the charts."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from random import Random

from sync_worker import lifecycle
from sync_worker.errors import NotPossible
from sync_worker.ledger.views import ReviewItem, Views
from sync_worker.records import Reason, Status
from tests.simulation import oracle
from tests.simulation.installation import Installation
from tests.simulation.network import Call
from tests.simulation.process import Process
from tests.simulation.world import CLINICIANS, DocumentStory, Person

CHART_MEANWHILE = 0.3
"""Of what people do while a request is on its way, how often it befalls the chart that the request names."""


class People:
    """Everybody in the practice. `sessions` is how many there will be."""

    def __init__(self, installation: Installation, random: Random, *, sessions: int) -> None:
        self._installation = installation
        self._world = installation.world
        self._random = random
        self._sessions_to_come = sessions
        self._acts: list[tuple[int, Callable[[], None]]] = [
            (10, self._write_another),
            (12, self._edit),
            (4, self._delete_document),
            (1, self._delete_session),
            (6, self._touch),
            (3, self._edit_note),
            (3, self._retitle_note),
            (3, self._finalise_note),
            (4, self._archive_note),
            (1, self._archive_chart),
            (5, self._merge_chart),
            (1, self._pause),
            (2, self._resume),
            (8, self._decide),
            (3, self._file_now),
            (3, self._end_a_doubt),
            (2, self._take_back),
        ]

    def all_have_come(self) -> bool:
        """Whether every session was made."""
        return self._sessions_to_come == 0

    def act(self) -> None:
        """Somebody does something: as long as there are sessions to come, mostly those."""
        if self._sessions_to_come and self._random.random() < 0.6:
            self._see_a_patient()
            return
        weights = [weight for weight, _ in self._acts]
        [(_, act)] = self._random.choices(self._acts, weights)
        self._tell(act)
        act()

    def act_meanwhile(self, _process: Process, call: Call) -> None:
        """Somebody does something while a request is on its way: rather to what it is about."""
        person = self._person_of(call)
        if person is not None and self._random.random() < CHART_MEANWHILE:
            self._random.choice([self._world.merge_chart, self._world.merge_chart, self._world.archive_chart])(person)
            self._installation.tell(f"people: the chart of {person.first} is changed")
            return
        document = next((one for one in self._world.documents if one.reference == call.reference), None)
        if document is not None and not document.deleted and self._random.random() < CHART_MEANWHILE:
            self._world.edit_document(document)
            self._installation.tell(f"people: {document.reference} is edited")
            return
        self.act()

    def _person_of(self, call: Call) -> Person | None:
        if call.reference is None:
            return None
        chart = str(call.request.json["patient_id"])
        return next((person for person in self._world.people if chart in person.charts), None)

    def _tell(self, act: Callable[[], None]) -> None:
        self._installation.tell(f"people: {act.__name__.strip('_')}")

    # ------------------------------------------------------------ in Heidi

    def _see_a_patient(self) -> None:
        self._sessions_to_come -= 1
        world, random = self._world, self._random
        person = random.choice(world.people) if world.people and random.random() < 0.3 else world.new_person()
        clinician = random.choice(CLINICIANS[: self._installation.shape.clinicians])
        session = world.new_session(clinician, person, in_scope=random.random() > 0.04)
        for _ in range(random.choice([1, 1, 1, 2, 2, 3])):
            document = world.new_document(session, blank=random.random() < 0.15)
            self._installation.tell(f"people: a document {document.reference} of {person.first}")

    def _write_another(self) -> None:
        if alive := [session for session in self._world.sessions if not session.deleted]:
            document = self._world.new_document(self._random.choice(alive), touch=self._random.random() < 0.5)
            self._installation.tell(f"people: a document {document.reference}")

    def _edit(self) -> None:
        if document := self._a_document():
            touch = self._random.random() < 0.5
            self._world.edit_document(document, touch=touch)
            self._installation.tell(f"people: {document.reference} is edited, {touch=}")

    def _delete_document(self) -> None:
        if document := self._a_document():
            self._world.delete_document(document)
            self._installation.tell(f"people: {document.reference} is deleted")

    def _delete_session(self) -> None:
        if document := self._a_document():
            self._world.delete_session(document.session)

    def _touch(self) -> None:
        if document := self._a_document():
            self._world.touch_session(document.session)

    def _a_document(self) -> DocumentStory | None:
        alive = [document for document in self._world.documents if not document.deleted]
        return self._random.choice(alive) if alive else None

    # ------------------------------------------------------------ in Cliniko

    def _edit_note(self) -> None:
        self._with_a_note(self._world.edit_note)

    def _retitle_note(self) -> None:
        self._with_a_note(self._world.retitle_note)

    def _finalise_note(self) -> None:
        self._with_a_note(self._world.finalise_note)

    def _archive_note(self) -> None:
        self._with_a_note(self._world.archive_note)

    def _with_a_note(self, act: Callable[[str], None]) -> None:
        if self._world.creations:
            act(self._random.choice(self._world.creations[-4:]).note_id)

    def _archive_chart(self) -> None:
        if self._world.people:
            self._world.archive_chart(self._random.choice(self._world.people))

    def _merge_chart(self) -> None:
        if self._world.people:
            self._world.merge_chart(self._random.choice(self._world.people))

    # ------------------------------------------------------------ on the review list

    def _pause(self) -> None:
        if self._installation.has_ledger():
            self._installation.decisions().pause(None, self._installation.now())

    def _resume(self) -> None:
        if self._installation.has_ledger():
            self._installation.decisions().resume(None, self._installation.now())

    def _take_back(self) -> None:
        if self._installation.has_ledger() and (document := self._a_document()):
            take_back(self._installation, document)

    def _decide(self) -> None:
        """Somebody takes what waits longest."""
        if not self._installation.has_ledger():
            return
        if waiting := Views(self._installation.engine).review_list():
            decide(self._installation, self._random.choice(waiting), dismiss=self._random.random() < 0.3)

    def _file_now(self) -> None:
        """Somebody does not wait until a text has settled."""
        installation = self._installation
        if installation.has_ledger() and (pending := oracle.documents_in(installation, Status.PENDING)):
            settle = timedelta(seconds=installation.shape.settle_seconds)
            installation.decisions().file_now(self._random.choice(pending)[0], installation.now(), settle=settle)

    def _end_a_doubt(self) -> None:
        """Somebody looks before the worker has, perhaps while the note is still on its way."""
        installation = self._installation
        if installation.has_ledger() and (doubts := oracle.documents_in(installation, Status.IN_DOUBT)):
            end_doubt(installation, *self._random.choice(doubts))


def take_back(installation: Installation, document: DocumentStory) -> None:
    """A person wants a note gone that was filed; nothing, if there is none."""
    entry_id = oracle.entry_id_of(installation, document.document_id)
    if entry_id is None:
        return
    with suppress(NotPossible):
        installation.decisions().withdraw(entry_id, "wrong_document", installation.now())
        document.turned_down = document.dismissed = True
        document.excuses.add(Reason.TOUCHED)


def decide(installation: Installation, item: ReviewItem, *, dismiss: bool) -> None:
    """A person ends a review as well as they can: in a doubt they look whether Cliniko shows the note now."""
    world, decisions, now = installation.world, installation.decisions(), installation.now()
    document = next(one for one in world.documents if one.document_id == item.document_id)
    installation.tell(f"people: decide {document.reference}, {item.reason}")
    if Reason(item.reason) in lifecycle.DOUBTS:
        end_doubt(installation, item.entry, item.document_id)
        return
    with suppress(NotPossible):  # a document that was filed once is only ever dismissed
        if dismiss or item.reason in (Reason.REVISED, Reason.CONTENT_CHANGED):
            decisions.dismiss(item.entry, "done_by_hand", now)
            document.dismissed = document.turned_down = True
        else:
            decisions.retry(item.entry, now)
            document.wanted = True


def end_doubt(installation: Installation, entry_id: int, document_id: str) -> None:
    """A person looks whether Cliniko shows the note now, and says so."""
    world, decisions, now = installation.world, installation.decisions(), installation.now()
    document = next(one for one in world.documents if one.document_id == document_id)
    shown = [note.note_id for note in world.creations if note.title.endswith(document.reference)]
    shown = [note_id for note_id in shown if note_id in world.cliniko.notes]
    if shown:
        decisions.resolve_there(entry_id, shown[0], now)
    else:
        decisions.resolve_not_there(entry_id, now)
        installation.decided.setdefault(document.reference, []).append(installation.network.journal.calls)
