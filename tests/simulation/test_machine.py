"""Stories that Hypothesis tells: a few in the suite, the same ones each time; `machine.py` searches longer."""

from tests.simulation.machine import search


def test_no_short_story_breaks_a_promise() -> None:
    search(examples=8, derandomize=True, shorten=False)
