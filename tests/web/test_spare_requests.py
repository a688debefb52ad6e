"""Pages and filing share each key's requests: filing comes first, and pages hear at once that none is to spare."""

import pytest

from sync_worker.errors import RateLimited
from sync_worker.rate import RateBudget, SpareBudget
from sync_worker.records import Role
from tests.conftest import Clinic, TestClock
from tests.web.house import open_house


def test_a_page_gets_a_place_only_while_a_third_is_free(clock: TestClock) -> None:
    own = RateBudget(9, clock)
    spare = SpareBudget(own, "cliniko")
    for _ in range(7):
        spare.take()
    with pytest.raises(RateLimited) as refused:
        spare.take()
    assert refused.value.sentence == "Cliniko is busy with filing: look again in a minute."
    began = clock.monotonic()
    own.take()
    own.take()
    assert clock.monotonic() == began
    clock.advance(61)
    spare.take()


def test_while_the_service_wants_us_to_wait_no_page_asks(clock: TestClock) -> None:
    own = RateBudget(9, clock)
    own.block(30)
    with pytest.raises(RateLimited):
        SpareBudget(own, "cliniko").take()
    clock.advance(31)
    SpareBudget(own, "cliniko").take()


def test_many_looks_at_an_entry_make_no_tick_wait(clinic: Clinic) -> None:
    with open_house(clinic, CLINIKO_RATE_PER_MINUTE="60") as house:
        entry = house.a_question()
        clinic.clock.advance(61)
        ada = house.person(Role.CLINICIAN)
        began = clinic.clock.monotonic()
        pages = [ada.get(f"/review/{entry}") for _ in range(12)]
        assert all(page.status_code == 200 for page in pages)
        assert "Cliniko is busy with filing: look again in a minute." in pages[-1].text
        clinic.tick()
        assert clinic.clock.monotonic() == began
