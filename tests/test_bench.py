"""The measurements: what they share, and that the page can hold what they find. No time is judged here."""

import pytest

from bench.figures import Figure
from bench.report import BEGIN, END, PAGE, replaced, table
from bench.summary import MODULES, runner


@pytest.mark.parametrize("name", MODULES)
def test_every_measurement_of_the_summary_can_be_run(name: str) -> None:
    assert callable(runner(name))


@pytest.mark.parametrize(
    ("figure", "is_met"),
    [
        (Figure("a", 2.0, target=2.0), True),
        (Figure("a", 2.1, target=2.0), False),
        (Figure("a", 0.5, target=0.5, at_least=True), True),
        (Figure("a", 0.4, target=0.5, at_least=True), False),
        (Figure("a", 0.0, target=0.0), True),
        (Figure("a", 1.0, target=0.0), False),
        (Figure("a", 1.0), None),
    ],
)
def test_a_figure_knows_whether_it_is_what_it_should_be(figure: Figure, is_met: bool | None) -> None:
    assert figure.is_met is is_met


def test_what_was_measured_replaces_what_was_measured_before() -> None:
    figure = {"what": "a poll", "measured": 1.0, "unit": "requests", "target": 2.0, "at_least": False}
    found = {"module": "bench.requests", "figures": [figure], "seconds": 1, "failed": None}
    failed = {"module": "bench.memory", "figures": [], "seconds": 1, "failed": "no memory"}
    machine = {"commit": "abc", "python": "3.11", "machine": "m", "processors": 2, "processor": "p", "load": 0.1}
    measured = table({**machine, "versions": {"httpx": "0.28.1"}, "modules": [found, failed]})
    assert "| a poll | 1 requests | <= 2 requests | 0.50 | yes |" in measured
    assert "bench.memory" not in measured
    page = replaced(f"before {BEGIN} old {END} after", measured)
    assert page.startswith("before ")
    assert page.endswith(" after")
    assert measured in page
    assert "old" not in page


def test_the_page_has_a_place_for_what_was_measured() -> None:
    assert "measured anew" in replaced(PAGE.read_text(), "measured anew")
    with pytest.raises(ValueError, match="measured: begin"):
        replaced("a page without marks", "measured anew")
