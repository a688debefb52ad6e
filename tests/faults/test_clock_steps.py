"""The short form of `tests/faults/clock_steps.py`."""

import pytest

from tests.faults.clock_steps import STEPS, polls_after, tell

A_YEAR_BACK = "times written under the wrong clock lie a year ahead, and nothing is due until then"
OUT_OF_SIGHT = "the look-back is counted from the host's clock: a year ahead, every session is too old to be read"
FAST_LOOKS = "the time between two looks is measured by the wall clock alone"
FROZEN = "APScheduler plans by the wall clock, and looks at it again only when the planned time has come"
ONE_BY_ONE = "APScheduler works out each poll missed in a year, one by one"


@pytest.mark.parametrize(
    ("step", "moment", "right_after", "tick_seconds"),
    [
        ("-1 h", "claim to request", None, 120),
        ("-1 h", "between looks", 60, 120),
        ("-5 s", "request to end", None, 120),
        ("+1 h", "in the list", 60, 120),
        ("+1 h", "after the doubt", None, 120),
        pytest.param("+1 h", "after the doubt", None, 10, marks=pytest.mark.xfail(reason=FAST_LOOKS, strict=True)),
        pytest.param("+1 year", "before all", None, 120, marks=pytest.mark.xfail(reason=OUT_OF_SIGHT, strict=True)),
        ("+1 year", "in the list", 600, 120),
        pytest.param("+1 year", "request to end", 60, 120, marks=pytest.mark.xfail(reason=A_YEAR_BACK, strict=True)),
    ],
)
def test_a_clock_that_jumps_loses_nothing_doubles_nothing_and_leaves_no_doubt(
    step: str, moment: str, right_after: int | None, tick_seconds: int
) -> None:
    assert tell(step, moment, right_after=right_after, tick_seconds=tick_seconds) == []


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("-1 h", marks=pytest.mark.xfail(reason=FROZEN, strict=True)),
        "+1 h",
        pytest.param("+1 year", marks=pytest.mark.xfail(reason=ONE_BY_ONE, strict=True)),
    ],
)
def test_the_scheduler_polls_on_after_its_clock_jumped(step: str) -> None:
    intervals, _ = polls_after(STEPS[step], give_up_after=8)
    assert intervals is not None
