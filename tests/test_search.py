"""A person's own search for a patient: whoever is there is found, in whatever way the name is typed."""

from datetime import date

import pytest

from sync_worker.patients import MOST_FOUND, Patients
from sync_worker.search import words_of
from tests.conftest import Clinic

PEOPLE = (
    ("Kim", "Ng"),
    ("Bo", "Li"),
    ("Tom", "Wu"),
    ("Siobhan", "O'Brien"),
    ("Mary", "Jones-Smith"),
    ("Anh", "Nguyễn"),
    ("Christopher", "Smithson"),
)
BORN = date(1977, 7, 7)


@pytest.fixture
def patients(clinic: Clinic) -> Patients:
    for first, last in PEOPLE:
        clinic.a_patient(first, last, BORN.isoformat())
    clinic.tick()
    [pipeline] = clinic.worker.pipelines.values()
    return pipeline.preparer.patients


def found(patients: Patients, name: str, born: date | None = None) -> list[str]:
    return [f"{one.first_name} {one.last_name}" for one in patients.search(name, born)]


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ("Ng", "Kim Ng"),
        ("ng", "Kim Ng"),
        ("Li", "Bo Li"),
        ("WU", "Tom Wu"),
        ("Kim Ng", "Kim Ng"),
        ("Ng, Kim", "Kim Ng"),
        ("O'Brien", "Siobhan O'Brien"),
        ("o’brien", "Siobhan O'Brien"),
        ("Brien", "Siobhan O'Brien"),
        ("Siobhan O'Brien", "Siobhan O'Brien"),
        ("Jones", "Mary Jones-Smith"),
        ("Mary Jones-Smith", "Mary Jones-Smith"),
        ("Nguyen", "Anh Nguyễn"),
        ("Nguyễn", "Anh Nguyễn"),
        ("Christopher Smithson", "Christopher Smithson"),
        ("Smithson Christopher", "Christopher Smithson"),
        ("Christopher", "Christopher Smithson"),
    ],
)
def test_whoever_is_there_is_found(patients: Patients, typed: str, who: str) -> None:
    assert found(patients, typed) == [who]


def test_a_name_and_a_birth_date_say_more_than_either(clinic: Clinic, patients: Patients) -> None:
    clinic.a_patient("Anna", "Smithson", "1990-01-01")
    assert found(patients, "Smithson", BORN) == ["Christopher Smithson"]
    assert len(found(patients, "", BORN)) == len(PEOPLE)
    assert found(patients, "Smithson", date(1950, 1, 1)) == ["Anna Smithson", "Christopher Smithson"]
    assert found(patients, "Siobhan Murphy", BORN) == ["Siobhan O'Brien"]
    assert found(patients, "Jane Smithson") == []


def test_one_more_than_is_shown_is_given_back_where_there_are_more(clinic: Clinic, patients: Patients) -> None:
    for number in range(MOST_FOUND + 10):
        clinic.a_patient(f"P{chr(97 + number % 26)}", "Whitcombe", "1960-01-01")
    assert len(found(patients, "Whitcombe")) == MOST_FOUND + 1


def test_whole_names_and_charts_in_use_come_first(clinic: Clinic, patients: Patients) -> None:
    clinic.a_patient("Alan", "Smithsonian", "1960-01-01")
    gone = clinic.a_patient("Aaron", "Smithson", "1960-01-01")
    clinic.cliniko.archive_patient(gone)
    assert found(patients, "Smithson") == ["Christopher Smithson", "Alan Smithsonian", "Aaron Smithson"]


def test_what_holds_no_letters_asks_for_nobody(patients: Patients) -> None:
    assert words_of(" %~= 12 ") == []
    assert found(patients, "%~=") == []
