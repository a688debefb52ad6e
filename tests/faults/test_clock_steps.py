"""The short form of `tests/faults/clock_steps.py`."""

import pytest

from tests.faults.clock_steps import STEPS, polls_after, tell


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
