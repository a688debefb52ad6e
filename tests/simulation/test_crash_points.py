"""Dying at each boundary of the plainest story; `crash_points.py` dies in all of them, twice, on both databases."""

from collections.abc import Iterator

import pytest

from tests.simulation.crash_points import DiesAt, die_everywhere, points_of, tell
from tests.simulation.ledgers import FileLedger, a_folder
from tests.simulation.stories import STORIES


@pytest.fixture
def ledger() -> Iterator[FileLedger]:
    made = FileLedger(a_folder())
    yield made
    made.close()


@pytest.mark.proof
def test_a_worker_that_dies_anywhere_files_the_document_once(ledger: FileLedger) -> None:
    folder = ledger.path.parent
    points = points_of(STORIES[0], ledger, folder)
    kinds = {point.kind for point in points}
    assert kinds == {"before writing to", "before commit of", "after commit of", "before", "after"}
    # the suite takes every boundary of the attempt, and of the others every fifth
    numbers = [number for number, point in enumerate(points) if point.unsafe or number % 5 == 0]
    verdicts = list(die_everywhere(STORIES[0], ledger, folder, numbers, again=False))
    assert [verdict for verdict in verdicts if verdict.broken] == []
    assert {verdict.deaths for verdict in verdicts} == {1}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_each_story_ends_as_it_should(ledger: FileLedger, story: object) -> None:
    verdict = tell(story, ledger, ledger.path.parent, DiesAt(None))  # type: ignore[arg-type]
    assert (verdict.broken, verdict.deaths) == ((), 0)
