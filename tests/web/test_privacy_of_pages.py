"""Patients' data is on the pages that show it, and nowhere else: no log, no address, no ledger, no failure holds it."""

from pathlib import Path

import pytest
from sqlalchemy import text

from sync_worker.logs import configure_logging
from sync_worker.records import Role
from tests.web.house import House

MARKS = ("Marigoldina", "Canarsson", "1983-07-19", "canary@example.com", "Zyxwords")


def a_marked_clinic(house: House) -> str:
    """A question and a filed note whose every personal field is marked; gives back a patient's id."""
    clinic = house.clinic
    given, family, born, email, words = MARKS
    filed = clinic.a_patient(f"Filed{given}", family, born, email=email)
    for _ in range(2):
        clinic.a_patient(given, family, born, email=email)
    for name in (f"Filed{given} {family}", f"{given} {family}"):
        clinic.a_document(clinic.a_session(name, born, email=email), f"# {words}\n\n{words}", name=words)
    clinic.tick()
    return filed


def everything_in(house: House) -> str:
    """Every value of every table of the ledger."""
    with house.clinic.ledger.engine.connect() as db:
        tables = [row[0] for row in db.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))]
        return "\n".join(str(row) for table in tables for row in db.execute(text(f'SELECT * FROM "{table}"')))  # noqa: S608


@pytest.mark.parametrize("role", list(Role))
def test_a_walk_through_every_page_leaves_no_trace_of_a_patient(
    house: House, role: Role, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="DEBUG", fmt="json")
    patient_id = a_marked_clinic(house)
    person = house.person(role)
    addresses = []
    for path in ("/", "/review", "/history", f"/patients?patient_id={patient_id}", "/review/1", "/review/2"):
        answer = person.get(path)
        addresses += [str(answer.url), answer.headers.get("location", "")]
    [question] = house.waiting()
    person.get(f"/review/{question}")
    answer = person.press("Search", name=MARKS[1], born=MARKS[2])
    assert MARKS[1] in answer.text
    addresses.append(str(answer.url))
    house.clinic.cliniko.fail("patients", "500", times=9)
    person.get(f"/patients?patient_id={patient_id}")
    person.get(f"/review/{question}")
    house.clinic.heidi.fail("session", "500", times=9)
    addresses.append(str(person.get("/review").url))
    said = capfd.readouterr()
    for mark in MARKS:
        assert mark not in said.out + said.err, mark
        assert mark not in "".join(addresses), mark
        assert mark not in everything_in(house), mark


def test_heidi_s_link_and_its_token_are_in_the_clinician_s_page_alone(
    house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="DEBUG", fmt="json")
    ada = house.person(Role.CLINICIAN)
    ada.get("/connect")
    answer = ada.press("Link it anew")
    assert 'class="button" href="http' in answer.text
    link = answer.text.partition('class="button" href="')[2].partition('"')[0]
    token = link.rpartition("=")[2]
    assert len(token) > 8
    said = capfd.readouterr()
    assert token not in said.out + said.err + str(answer.url) + everything_in(house)
    owner = house.person(Role.ADMIN)
    owner.get("/connect")
    assert "Link" not in " ".join(owner.buttons)
    assert owner.send("/connect", clinician="physio-1", csrf=owner.csrf).status_code == 403


def test_a_page_of_a_ledger_that_is_gone_says_one_sentence(house: House, tmp_path: Path) -> None:
    ada = house.person(Role.CLINICIAN)
    database = Path(str(house.clinic.ledger.engine.url.database))
    database.rename(tmp_path / "away.db")
    answer = ada.get("/")
    assert answer.status_code == 503
    assert "ledger" in answer.text
    assert "Traceback" not in answer.text
    (tmp_path / "away.db").rename(database)


def test_when_a_service_is_down_the_page_says_so_and_shows_what_it_can(house: House) -> None:
    house.a_question()
    house.clinic.cliniko.fail("patients", "500", times=50)
    ada = house.person(Role.CLINICIAN)
    answer = ada.get("/review/1")
    assert answer.status_code == 200
    assert "Cliniko cannot be reached or does not answer" in answer.text
    assert "Already filed by hand" in answer.text
