"""The short form of `tests/faults/clock_steps.py`."""

from datetime import timedelta
from pathlib import Path

import pytest

from sync_worker.ledger import copies, files
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.storage import open_engine
from tests.faults.clock_steps import STEPS, polls_after, tell
from tests.faults.world import World, a_world

pytestmark = pytest.mark.proof


@pytest.mark.parametrize(
    ("step", "moment", "right_after", "tick_seconds"),
    [
        ("-1 h", "claim to request", None, 120),
        ("-1 h", "between looks", 60, 120),
        ("-5 s", "request to end", None, 120),
        ("+1 h", "in the list", 60, 120),
        ("+1 h", "after the doubt", None, 120),
        ("+1 h", "after the doubt", None, 10),
        ("+1 year", "before all", None, 120),
        ("+1 year", "in the list", 600, 120),
        ("+1 year", "request to end", 60, 120),
    ],
)
def test_a_clock_that_jumps_loses_nothing_doubles_nothing_and_leaves_no_doubt(
    step: str, moment: str, right_after: int | None, tick_seconds: int
) -> None:
    assert tell(step, moment, right_after=right_after, tick_seconds=tick_seconds) == []


@pytest.mark.parametrize(
    "step",
    [
        "-1 h",
        "+1 h",
        "+1 year",
    ],
)
def test_the_scheduler_polls_on_after_its_clock_jumped(step: str) -> None:
    intervals, _ = polls_after(STEPS[step], give_up_after=8)
    assert intervals is not None


def a_note_that_shows_late(world: World) -> None:
    """A document in doubt: its note was made, the answer was lost, and Cliniko lists it a minute later."""
    world.a_patient()
    world.a_document(world.a_session(), "# Plan\n\nRest.")
    world.cliniko.list_lag_seconds = 60
    world.cliniko.fail_post("commit_then_drop")
    world.tick()


@pytest.mark.parametrize("step_before", [0, 1], ids=["before the first look", "between the looks"])
def test_a_worker_that_died_between_its_looks_does_not_take_a_step_of_the_clock_for_time_that_passed(
    step_before: int,
) -> None:
    with a_world(SYNC_SETTLE_SECONDS="0") as world:
        a_note_that_shows_late(world)
        world.clock.advance(30)
        for number in range(4):
            if number == step_before:
                world.clock.step(timedelta(hours=1))
            world.clock.advance(5)
            world.restart()
            world.tick(full=False)
        assert world.entries().popitem()[1] == "in_doubt"
        world.clock.advance(100)
        world.restart()
        world.tick(full=False)
        assert world.entries().popitem()[1] == "posted"
        assert len(world.notes()) == 1


def test_two_looks_are_no_closer_where_the_clock_is_set_back_between_them() -> None:
    with a_world(SYNC_SETTLE_SECONDS="0") as world:
        a_note_that_shows_late(world)
        world.clock.advance(31)
        world.tick(full=False)
        world.clock.step(timedelta(hours=-1))
        for _ in range(4):
            world.clock.advance(5)
            world.tick(full=False)
            assert world.entries().popitem()[1] == "in_doubt"
        world.clock.advance(100)
        world.tick(full=False)
        assert world.entries().popitem()[1] == "posted"
        assert len(world.notes()) == 1


def test_a_doubt_does_not_wait_until_a_time_that_clinikos_clock_told_by_mistake() -> None:
    with a_world(SYNC_SETTLE_SECONDS="0") as world:
        world.a_patient()
        world.a_document(world.a_session(), "# Plan\n\nRest.")
        world.cliniko.fail_post("drop")
        world.tick()
        world.clock.advance(31)
        world.cliniko.clock_offset_seconds = 365 * 86_400
        world.tick(full=False)
        world.cliniko.clock_offset_seconds = 0
        for _ in range(3):
            world.clock.advance(100)
            world.tick(full=False)
        assert world.entries().popitem()[1] == "posted"
        assert (len(world.notes()), world.posts()) == (1, 2)


def test_the_brake_holds_after_somebody_resumed_while_the_clock_was_a_year_ahead() -> None:
    with a_world(SYNC_SETTLE_SECONDS="0") as world:
        world.a_patient()
        world.clock.step(timedelta(days=365))
        world.tick()
        decisions = Decisions(world.ledger.engine, "person test")
        decisions.pause([1], world.clock.now())
        decisions.resume([1], world.clock.now())
        world.clock.step(timedelta(days=-365))
        world.clock.advance(120)
        world.extra["SYNC_BRAKE_POSTS_PER_HOUR"] = "2"
        world.restart()
        world.tick()
        world.clock.advance(120)
        for number in range(4):
            world.a_document(world.a_session(), f"# Plan\n\nLetter {number}: {'again ' * number}.")
        world.tick()
        assert len(world.notes()) == 2
        assert world.state().pause_reason == "brake"


def test_a_session_that_changed_while_the_clock_was_a_year_ahead_is_not_read_at_every_poll_for_a_year() -> None:
    with a_world() as world:
        world.a_patient()
        session = world.a_session()
        world.tick()
        world.clock.step(timedelta(days=365))
        world.a_document(session)
        world.tick()
        world.clock.step(timedelta(days=-365))
        world.tick()
        world.clock.advance(3 * 3600)
        assert world.ledger.sessions.to_reread(1, world.clock.now()) == []


def test_the_one_more_request_waits_for_a_late_note_although_the_clock_is_set_back() -> None:
    with a_world(SYNC_SETTLE_SECONDS="0") as world:
        world.a_patient()
        world.a_document(world.a_session(), "# Plan\n\nRest.")
        world.cliniko.fail_post("commit_late:25")
        world.tick()
        decisions = Decisions(world.ledger.engine, "person test")
        decisions.resolve_not_there(1, world.clock.now())
        world.clock.step(timedelta(hours=-1))
        for _ in range(3):
            world.clock.advance(5)
            world.tick(full=False)
        assert world.posts() == 1
        world.clock.advance(130)
        world.tick(full=False)
        assert world.entries().popitem()[1] == "posted"
        assert (len(world.notes()), world.posts()) == (1, 1)


HOUR = timedelta(hours=1)
NO = timedelta()


@pytest.mark.parametrize(
    ("before_the_copy", "after_the_copy", "after_the_restore"),
    [(NO, NO, NO), (HOUR, -HOUR, NO), (NO, NO, -HOUR), (HOUR, NO, -HOUR)],
    ids=["none", "ahead when it was copied", "back after the restore", "ahead until the restore"],
)
def test_a_note_filed_just_before_a_restore_is_not_filed_again_whatever_the_clock_did(
    tmp_path: Path, before_the_copy: timedelta, after_the_copy: timedelta, after_the_restore: timedelta
) -> None:
    with a_world(SYNC_SETTLE_SECONDS="0", SYNC_MODE="rehearse") as world:
        world.cliniko.list_lag_seconds = 60
        world.a_patient()
        world.a_document(world.a_session(), "# Plan\n\nRest.")
        world.clock.step(before_the_copy)
        world.tick()
        files.write_backup(world.ledger.engine, tmp_path / "old")
        world.clock.step(after_the_copy)
        world.restart(SYNC_MODE="auto")
        world.clock.advance(60)
        world.tick()
        assert len(world.notes()) == 1
        world.restart()
        world.clock.advance(5)
        copies.restore(
            open_engine(world.ledger_url), tmp_path / "old", now=world.clock.now(), actor="test", replace=True
        )
        world.clock.step(after_the_restore)
        world.ticks(3)
        assert (len(world.notes()), world.posts()) == (1, 1)
