"""Pages while Heidi or Cliniko stalls: they come within seconds, say what could not be read, and do not ask again."""

import time
from collections.abc import Iterator

import pytest

from sync_worker.records import Role
from sync_worker.web import live
from tests.conftest import Clinic
from tests.web.house import House, Person, open_house


@pytest.fixture
def slow_house(clinic: Clinic) -> Iterator[House]:
    """A clinic with the deadlines of a real one."""
    with open_house(clinic, HEIDI_TIMEOUT_SECONDS="20", CLINIKO_TIMEOUT_SECONDS="35") as opened:
        yield opened


def seconds_of(person: Person, path: str) -> float:
    """How long a page takes."""
    began = time.monotonic()
    assert person.get(path).status_code == 200
    return time.monotonic() - began


def many_questions(house: House, count: int) -> None:
    """Documents of sessions that name nobody whom Cliniko knows."""
    for number in range(count):
        session = house.clinic.a_session(f"Zed Nobody{number}", "1950-01-01")
        house.clinic.a_document(session, f"# Plan {number}\n\n" + f"words{number} " * 9)
    house.clinic.tick()


def test_a_stalled_heidi_delays_the_review_list_by_seconds_and_the_next_one_not_at_all(slow_house: House) -> None:
    many_questions(slow_house, 14)
    reception = slow_house.person(Role.DESK)
    slow_house.clinic.heidi.fail("session", "stall", times=1000)
    assert seconds_of(reception, "/review") < 5
    time.sleep(4)  # the first requests end without an answer
    assert seconds_of(reception, "/review") < 1
    assert "/review/1" in reception.page.text


def test_a_name_that_comes_late_is_there_for_the_next_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.a_question()
    reception = house.person(Role.DESK)
    monkeypatch.setattr(live, "PATIENCE_SECONDS", 0.0)
    assert "Mary Jones" not in reception.get("/review").text
    monkeypatch.setattr(live, "PATIENCE_SECONDS", 3.0)
    time.sleep(0.5)
    assert "Mary Jones" in reception.get("/review").text


def test_a_stalled_cliniko_delays_today_by_seconds_and_is_then_left_alone(slow_house: House) -> None:
    ada = slow_house.person(Role.CLINICIAN)
    for kind in ("user", "patients", "notes"):
        slow_house.clinic.cliniko.fail(kind, "stall", times=1000)
    slow_house.clinic.clock.advance(700)
    assert seconds_of(ada, "/") < 5
    time.sleep(4)
    asked = len(slow_house.clinic.cliniko.requests)
    assert seconds_of(ada, "/") < 1
    assert seconds_of(ada, "/patients?patient_id=1") < 1
    assert "did not answer a moment ago" in ada.page.text
    assert len(slow_house.clinic.cliniko.requests) == asked


def test_a_service_that_answers_again_is_asked_again_after_a_minute(house: House) -> None:
    patient_id = house.clinic.a_patient()
    reception = house.person(Role.DESK)
    house.clinic.cliniko.fail("patients", "drop", times=1)
    assert "cannot be reached" in reception.get(f"/patients?patient_id={patient_id}").text
    assert "a moment ago" in reception.get(f"/patients?patient_id={patient_id}").text
    house.clinic.clock.advance(61)
    assert "Mary Jones" in reception.get(f"/patients?patient_id={patient_id}").text
