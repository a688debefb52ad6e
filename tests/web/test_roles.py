"""Three roles, every address, every action: nobody gets anywhere that is not theirs."""

import itertools

import pytest

from sync_worker.records import Role, Status
from sync_worker.web.access import DESK_ACTIONS, Action
from sync_worker.web.app import ADDRESSES
from tests.web.house import House, Person

OWN, FOREIGN = "own", "another clinician's"
SECRET_WORDS = ("Unspoken diagnosis", "Confidential letter name")


@pytest.fixture
def entries(house: House) -> dict[tuple[str, Status], int]:
    """One entry of each kind that people decide about, of the clinician who looks and of another one."""
    clinic = house.clinic
    made: dict[tuple[str, Status], int] = {}
    for whose in (OWN, FOREIGN):
        clinic.a_patient("Two", f"Charts{whose[:3]}")
        clinic.a_patient("Two", f"Charts{whose[:3]}")
        for first in ("Filed", "Two"):
            last = f"Charts{whose[:3]}"
            if first == "Filed":
                clinic.a_patient(first, last)
            session = clinic.a_session(f"{first} {last}")
            clinic.a_document(session, f"# {SECRET_WORDS[0]}\n\nWords.", name=SECRET_WORDS[1])
        clinic.tick()
        known = set(made.values())
        rows = [house.pages.row(number) for number in range(1, 9)]
        for row in rows:
            if row is not None and row.entry_id not in known:
                made[whose, row.status] = row.entry_id
    # the one clinician of the sandbox is two people to the accounts below
    return made


def visitors(house: House) -> dict[str, Person]:
    """One account of each role, and a clinician whose sessions these are not."""
    people = {role.value: house.person(role) for role in Role}
    house.an_account("other", Role.CLINICIAN, of="physio-2")
    people["other"] = house.somebody()
    people["other"].log_in("other")
    return people


def test_every_entry_and_every_action_by_every_role(house: House, entries: dict[tuple[str, Status], int]) -> None:
    people = visitors(house)
    crossings = []
    for (name, person), ((_, status), entry) in itertools.product(people.items(), entries.items()):
        page = person.get(f"/review/{entry}")
        may_see = name != "other"
        if page.status_code != (200 if may_see else 404):
            crossings.append((name, "see", status, page.status_code))
        reads = any(word in page.text for word in SECRET_WORDS)
        if reads is not (name == "clinician"):
            crossings.append((name, "read", status, reads))
    assert crossings == []
    for name, person in people.items():
        if name in ("clinician", "admin"):
            continue  # what they may do is tried where it is decided
        person.get("/")
        csrf = person.csrf
        for action, ((_, status), entry) in itertools.product(Action, entries.items()):
            before = house.pages.row(entry)
            typed = {"patient_id": "1", "note_id": "1", "code": "done", "seen": "1", "name": "Jones"}
            answer = person.send(f"/review/{entry}/{action}", **typed, csrf=csrf)
            allowed = name == "desk" and action in DESK_ACTIONS
            if not allowed and answer.status_code not in (403, 404):
                crossings.append((name, action, status, answer.status_code))
            if not allowed and house.pages.row(entry) != before:
                crossings.append((name, action, status, "changed"))
    assert crossings == []


def test_no_answer_to_the_front_desk_holds_a_document_s_words_or_name(
    house: House, entries: dict[tuple[str, Status], int]
) -> None:
    reception = house.person(Role.DESK)
    [note] = [one for one in house.clinic.notes()][:1]
    paths = ["/", "/review", "/history", f"/patients?patient_id={note.patient_id}", "/connect"]
    paths += [f"/review/{entry}" for entry in entries.values()]
    for path in paths:
        answer = reception.get(path)
        assert not any(word in answer.text for word in SECRET_WORDS), path
    for entry in entries.values():
        reception.get(f"/review/{entry}")
        if "Search" in reception.buttons:
            assert not any(word in reception.press("Search", name="Chartsown").text for word in SECRET_WORDS)


@pytest.mark.parametrize("address", [one for one in ADDRESSES if one.roles is not None], ids=lambda one: str(one.path))
def test_nobody_gets_past_the_login(house: House, address: object) -> None:
    path = address.path.replace("{entry}", "1")  # type: ignore[attr-defined]
    stranger = house.somebody()
    if address.method == "GET":  # type: ignore[attr-defined]
        answer = stranger.get(f"{path}?patient_id=1" if path == "/patients" else path)
    else:
        stranger.get("/login")
        answer = stranger.send(path, csrf=stranger.csrf)
    assert answer.url.path == "/login"
    assert "Log in" in answer.text


def test_an_admin_reads_no_document_unless_they_are_its_clinician(house: House) -> None:
    house.a_question()
    house.an_account("ada-owner", Role.ADMIN, of="physio-1")
    owner = house.somebody()
    owner.log_in("ada-owner")
    assert "# Plan" in owner.get("/review/1").text
    assert "# Plan" not in house.person(Role.ADMIN).get("/review/1").text


def test_a_clinician_pauses_nobody_else(house: House) -> None:
    house.an_account("other", Role.CLINICIAN, of="physio-2")
    other = house.somebody()
    other.log_in("other")
    assert other.send("/pause", clinician="physio-1", csrf=other.csrf).status_code == 403
    assert other.send("/pause", clinician="", csrf=other.csrf).status_code == 403
    assert house.pages.history() == []


def test_reception_pauses_and_lets_others_resume(house: House) -> None:
    reception = house.person(Role.DESK)
    reception.get("/")
    reception.press("Pause filing for everybody")
    assert "Filing is paused." in reception.page.text
    assert reception.send("/resume", clinician="", csrf=reception.csrf).status_code == 403
