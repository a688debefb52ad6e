"""The simulated practice in short: some runs, a replay, and proof that the simulation can fail."""

from collections.abc import Callable, Iterator

import pytest

from tests.simulation import broken_workers, oracle
from tests.simulation.crash_points import DiesAt, tell
from tests.simulation.fate import Scripted
from tests.simulation.installation import Installation, Shape
from tests.simulation.ledgers import FileLedger, a_folder
from tests.simulation.play import Plan, play, settle_down, unheard
from tests.simulation.stories import STORIES, Story, a_document, an_edit

SEEDS = range(2)
CALM_LEDGER = Plan(lost_ledger=False)


@pytest.fixture
def ledger() -> Iterator[FileLedger]:
    made = FileLedger(a_folder())
    yield made
    made.close()


@pytest.fixture
def shape() -> Shape:
    return Shape()


@pytest.fixture
def installation(ledger: FileLedger, shape: Shape) -> Iterator[Installation]:
    with unheard() as unexpected:
        ledger.make()
        made = Installation(1, ledger, ledger.path.parent, shape)
        made.unexpected = unexpected
        yield made
        made.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_ten_sessions_in_a_storm_keep_every_promise(ledger: FileLedger, seed: int) -> None:
    result = play(seed, ledger, ledger.path.parent, Plan(lost_ledger=False))
    assert result.broken == []
    assert result.counts["notes"]
    assert [held for held in result.held if held.by == "nobody"] == []


@pytest.mark.proof
def test_ledgers_that_are_lost_or_put_back_in_a_storm_file_nothing_twice(ledger: FileLedger) -> None:
    results = [play(seed, ledger, ledger.path.parent, Plan(lost_ledger=True)) for seed in (2, 4)]
    # words_lost: see the expected failure below
    assert [broken for result in results for broken in result.broken if broken.promise != "words_lost"] == []
    assert sum(result.counts["ledger_changes"] for result in results)


@pytest.mark.proof
def test_a_seed_is_a_story(ledger: FileLedger) -> None:
    first, second = (play(3, ledger, ledger.path.parent, Plan(sessions=5), tells=True) for _ in range(2))
    assert first.story
    assert first.story == second.story


@pytest.mark.proof
@pytest.mark.parametrize(
    ("mistake", "plan", "expected"),
    [
        (broken_workers.resends_without_looking, CALM_LEDGER, "twice"),
        (broken_workers.trusts_its_cursor, CALM_LEDGER, "lost"),
        (broken_workers.looks_not_first, Plan(lost_ledger=True), "twice"),
    ],
)
def test_a_worker_with_a_mistake_is_found_out(
    ledger: FileLedger,
    monkeypatch: pytest.MonkeyPatch,
    mistake: Callable[[pytest.MonkeyPatch], None],
    plan: Plan,
    expected: str,
) -> None:
    mistake(monkeypatch)
    assert any(
        broken.promise == expected
        for seed in range(20)
        for broken in play(seed, ledger, ledger.path.parent, plan).broken
    )


@pytest.mark.proof
def test_a_worker_that_looks_among_a_charts_live_notes_only_is_found_out(
    ledger: FileLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_workers.looks_by_patient(monkeypatch)
    verdict = tell(the_story_of_an_archived_note(), ledger, ledger.path.parent, DiesAt(None))
    assert any(broken.startswith("twice") for broken in verdict.broken)


def the_story_of_an_archived_note() -> Story:
    [story] = [story for story in STORIES if story.name.endswith("archives the note")]
    return story


# ---------------------------------------------------------------- single days, told by hand


def broken(installation: Installation) -> set[str]:
    settle_down(installation)
    return {each.promise for each in oracle.broken_at_the_end(installation)}


def test_a_calm_day_breaks_nothing(installation: Installation) -> None:
    a_document(installation)
    assert broken(installation) == set()
    assert len(installation.world.creations) == 1


def test_a_clock_that_is_set_forward_does_not_hasten_the_looks(installation: Installation) -> None:
    a_document(installation)
    installation.fate = Scripted(post_faults=["commit_late:30"])
    installation.tick()
    installation.host.step(3600)
    for _ in range(2):
        installation.time.advance(5)  # a person's decisions, or starts of the worker, wake it
        installation.tick()
    assert broken(installation) == set()


def test_a_person_who_says_too_early_that_a_note_is_not_there_makes_no_second_one(installation: Installation) -> None:
    a_document(installation)
    installation.fate = Scripted(post_faults=["commit_late:30"])
    installation.tick()
    installation.decisions().resolve_not_there(1, installation.now())
    assert broken(installation) == set()


def test_an_edit_that_a_lost_ledger_had_not_seen_is_brought_before_a_person(installation: Installation) -> None:
    a_document(installation)
    installation.tick()
    an_edit(installation)
    installation.lose_ledger()
    assert broken(installation) == set()


@pytest.mark.parametrize("shape", [Shape(revisions="update_draft")])
def test_an_edit_while_an_update_is_in_doubt_is_not_forgotten(installation: Installation) -> None:
    a_document(installation)
    installation.tick()
    an_edit(installation)
    installation.fate = Scripted(post_faults=["commit_then_drop"])
    installation.tick()  # the draft is brought up to date, and the answer is lost
    an_edit(installation)
    assert broken(installation) == set()
