"""What tests of this folder do otherwise than the rest."""

import pytest


@pytest.fixture(autouse=True)
def statements_compiled_once() -> None:
    """Not here: what these tests put between an engine and its database must be that engine's alone."""
