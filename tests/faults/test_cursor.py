"""The short form of `tests/faults/cursor.py`."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sync_worker.sandbox.heidi_state import Order
from tests.faults import cursor
from tests.faults.cursor import Scene


@settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(cursor.scenes, cursor.steps)
def test_whatever_happens_to_the_list_every_document_is_entered_once(scene: Scene, script: list[Any]) -> None:
    cursor.play(scene, script)


@pytest.mark.proof
@pytest.mark.parametrize("order", list(Order))
def test_five_hundred_sessions_of_one_stamp_are_each_entered_once(order: Order) -> None:
    assert cursor.equal_stamps(order, sessions=500 if order is Order.UPDATED else 60, page_size=50) >= 60
