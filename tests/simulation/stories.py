"""Short stories with a known end, for dying in: what happens before each tick, and what goes wrong with which request.

Add a story here and `crash_points.py` dies at every boundary of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sync_worker.records import Status
from tests.simulation.fate import Scripted
from tests.simulation.installation import Installation, Shape
from tests.simulation.oracle import statuses
from tests.simulation.people import take_back

BETWEEN_TICKS_SECONDS = 120

Scene = Callable[[Installation], None]


@dataclass(frozen=True)
class Story:
    """`scenes` come before the tick of their number; `ends` are the statuses that its entries may end with."""

    name: str
    scenes: dict[int, Scene]
    ticks: int
    post_faults: tuple[str | None, ...] = ()
    ends: frozenset[Status] = frozenset({Status.POSTED})
    ends_if_killed: frozenset[Status] = frozenset()
    """What else may be after a death: where two requests are in doubt and no note is found, a person is asked."""
    from_nothing: bool = False
    """Whether it begins without a ledger, so that making one is part of it."""
    shape: Shape = field(default_factory=lambda: Shape(settle_seconds=60))

    def play(self, installation: Installation, fate: Scripted) -> None:
        """Play it; a worker that died is started again at once."""
        fate.post_faults = list(self.post_faults)
        installation.fate = fate
        for number in range(self.ticks):
            if scene := self.scenes.get(number):
                scene(installation)
            while not installation.tick():
                installation.time.advance(5)
            installation.time.advance(BETWEEN_TICKS_SECONDS)

    def has_ended_well(self, installation: Installation, *, killed: bool) -> bool:
        """Whether every entry ended as this story may end."""
        allowed = self.ends | self.ends_if_killed if killed else self.ends
        found = statuses(installation)
        return bool(found) and set(found) <= allowed


def a_document(installation: Installation) -> None:
    """A clinician finishes a document about a patient with one chart."""
    world = installation.world
    world.new_document(world.new_session("physio-1", world.new_person()))


def two_documents(installation: Installation) -> None:
    """Two patients, one document each."""
    a_document(installation)
    a_document(installation)


def an_edit(installation: Installation) -> None:
    """The clinician changes the first document."""
    installation.world.edit_document(installation.world.documents[0], touch=True)


def a_merge(installation: Installation) -> None:
    """The front desk merges the first patient's chart into another."""
    installation.world.merge_chart(installation.world.people[0])


def an_archived_note(installation: Installation) -> None:
    """The clinician archives the first note, if there is one by now."""
    for creation in installation.world.creations[:1]:
        installation.world.archive_note(creation.note_id)


def a_withdrawal(installation: Installation) -> None:
    """A person wants the first document's note gone, if there is one by now."""
    take_back(installation, installation.world.documents[0])


REVIEW = frozenset({Status.REVIEW})
POSTED = frozenset({Status.POSTED})

STORIES = [
    Story("a document is found, settles and is filed", {0: a_document}, ticks=3),
    Story("two documents, from an empty disk", {0: two_documents}, ticks=3, from_nothing=True),
    Story(
        "the answer is lost, and looking finds the note",
        {0: a_document},
        ticks=4,
        post_faults=("commit_then_drop",),
        # killed between the claim and the request, the first attempt is in doubt without any note
        ends_if_killed=REVIEW,
    ),
    Story(
        "the note comes late, on a chart that is merged meanwhile",
        {0: a_document, 2: a_merge},
        ticks=4,
        post_faults=("commit_late:25",),
        ends_if_killed=REVIEW,
    ),
    Story(
        "the answer is lost, and the clinician archives the note",
        {0: a_document, 2: an_archived_note},
        ticks=4,
        post_faults=("commit_then_drop",),
        ends_if_killed=REVIEW,
    ),
    Story(
        "the request is lost, two looks find nothing, and it is sent once more",
        {0: a_document},
        ticks=6,
        post_faults=("drop",),
        ends_if_killed=REVIEW,
    ),
    Story(
        "the document is edited after it was filed",
        {0: a_document, 3: an_edit},
        ticks=4,
        ends=REVIEW,
        ends_if_killed=POSTED,  # not filed yet when it was edited
    ),
    Story(
        "the draft is brought up to the edited document",
        {0: a_document, 3: an_edit},
        ticks=6,
        shape=Shape(settle_seconds=60, revisions="update_draft"),
    ),
    Story(
        "the answer to the update is lost",
        {0: a_document, 3: an_edit},
        ticks=8,
        post_faults=(None, "commit_then_drop"),
        shape=Shape(settle_seconds=60, revisions="update_draft"),
        ends_if_killed=REVIEW,
    ),
    Story(
        "a person takes the note back",
        {0: a_document, 3: a_withdrawal},
        ticks=5,
        ends=frozenset({Status.WITHDRAWN}),
        ends_if_killed=POSTED | REVIEW,  # not filed yet when it was to be taken back, or not surely taken back
    ),
    Story(
        "the answer to taking it back is lost",
        {0: a_document, 3: a_withdrawal},
        ticks=7,
        post_faults=(None, "commit_then_drop"),
        ends=frozenset({Status.WITHDRAWN}),
        ends_if_killed=POSTED | REVIEW,
    ),
]
