"""What the proofs' short forms share."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True, scope="package")
def _quiet() -> Iterator[None]:
    """Thousands of planned faults are not worth a line each."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def statements_compiled_once() -> None:
    """Not here: what these tests put between an engine and its database must be that engine's alone."""
