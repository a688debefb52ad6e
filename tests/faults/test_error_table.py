"""The short form of `tests/faults/error_table.py`: each row once, but for those that cost a whole deadline."""

from collections.abc import Iterator

import pytest

from tests.faults.error_table import Bench, Row, a_bench, rows


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One clinic for all rows."""
    with a_bench() as made:
        yield made


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in rows() if not row.slow])
def test_each_way_in_which_the_request_can_end_has_its_one_meaning(bench: Bench, row: Row) -> None:
    assert bench.file(row) == []
