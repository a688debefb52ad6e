"""What the page remembers for a minute, and what it forgets."""

import time

import sqlalchemy as sa

from sync_worker.ledger.tables import LoginRow
from sync_worker.records import Role
from sync_worker.settings import load_settings
from sync_worker.web.office import office_of
from sync_worker.web.server import PageServer
from tests.conftest import Clinic
from tests.web.house import House


def test_the_accounts_of_many_charts_are_read_once_a_minute(house: House) -> None:
    clinic, asked = house.clinic, 0

    def count(*args: object) -> None:
        nonlocal asked
        asked += "clinicians" in str(args[2])

    office = office_of(load_settings(clinic.environment(), env_file=None), clinic.worker, clinic.clock)
    sa.event.listen(clinic.ledger.engine, "before_cursor_execute", count)
    addresses = {office.patient_address("physio-1", "7") for _ in range(20)}
    assert str(office.zone()) == "Australia/Hobart"
    assert asked == 1
    assert len(addresses) == 1
    assert addresses.pop().endswith(".cliniko.com/patients/7")
    clinic.clock.advance(61)
    office.zone()
    assert asked == 2
    sa.event.remove(clinic.ledger.engine, "before_cursor_execute", count)
    office.close()


def logins_kept(clinic: Clinic) -> int:
    with clinic.ledger.engine.connect() as db:
        return db.execute(sa.select(sa.func.count()).select_from(LoginRow)).scalar_one()


def test_logins_that_are_over_are_forgotten_by_the_page(house: House) -> None:
    clinic = house.clinic
    house.person(Role.DESK)
    assert logins_kept(clinic) == 1
    clinic.clock.advance(13 * 3600)
    settings = load_settings(clinic.environment(), env_file=None)
    with PageServer(settings, clinic.worker, clinic.clock) as server:
        assert server.wait_until_ready(30)
        until = time.monotonic() + 5
        while logins_kept(clinic) and time.monotonic() < until:
            time.sleep(0.05)
    assert logins_kept(clinic) == 0
