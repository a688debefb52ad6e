"""The short form of `tests/faults/rate_storm.py`."""

import pytest

from tests.faults.rate_storm import FAIR_SHARE, GREEDY_SHARE, live


@pytest.mark.parametrize("share", [FAIR_SHARE, GREEDY_SHARE])
def test_a_budget_shared_with_another_program_is_kept_and_every_reset_waited_for(share: int) -> None:
    day, unkept = live(hours=0.4, backlog=25, share=share)
    assert unkept == []
    assert day.written >= 25
