"""What the page's tests share."""

from collections.abc import Iterator

import pytest

from tests.conftest import Clinic
from tests.web.house import House, open_house


@pytest.fixture
def house(clinic: Clinic) -> Iterator[House]:
    """A clinic whose page is open."""
    with open_house(clinic) as opened:
        yield opened
