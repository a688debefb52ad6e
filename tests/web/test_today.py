"""The first page: it says that all is well only where it is."""

import re

from sync_worker.records import Role
from tests.conftest import Clinic
from tests.web.house import House, Person, open_house


def first_line(person: Person) -> str:
    found = re.search(r'class="first">(.*?)</p>', person.get("/").text, re.DOTALL)
    assert found is not None
    return found[1]


def tags(person: Person) -> list[str]:
    return re.findall(r'class="tag[^"]*">([^<]*)<', person.page.text)


def test_all_is_well(house: House) -> None:
    owner = house.person(Role.ADMIN)
    assert first_line(owner) == (
        "Filing is on. Heidi was checked just now. Today: 0 filed, 0 wait for a person, 0 lost."
    )
    assert tags(owner) == ["on"]


def test_a_refused_key_stands_in_the_first_line_and_beside_the_drafts(house: House) -> None:
    house.clinic.a_finished_document()
    for where in ("patients", "user", "settings", "notes"):
        house.clinic.cliniko.fail(where, "401", times=99)
    house.clinic.tick()
    owner = house.person(Role.ADMIN)
    assert first_line(owner).startswith("Filing stands still for physio-1 (Cliniko refuses the key).")
    assert tags(owner) == ["Cliniko refuses the key"]
    assert "Cliniko refuses this clinician&#39;s key: make a new one" in owner.page.text
    assert "did not answer" not in owner.page.text


def test_an_account_that_is_not_linked_is_told_once_with_the_way_to_link_it(house: House) -> None:
    house.clinic.heidi.unlink("a.physio@example.com")
    house.clinic.clock.advance(4000)
    house.clinic.tick()
    ada, reception = house.person(Role.CLINICIAN), house.person(Role.DESK)
    assert "Filing stands still for physio-1 (Heidi is not linked)." in first_line(ada)
    assert tags(ada).count("Heidi is not linked") == 1
    assert "on" not in tags(ada)
    assert '<a href="/connect">Link it</a>' in ada.page.text
    assert "/connect" not in reception.get("/").text


def test_a_day_without_a_look_is_no_good_day(house: House) -> None:
    house.clinic.clock.advance(24 * 3600)
    owner = house.person(Role.ADMIN)
    assert first_line(owner).startswith(
        "Filing stands still for physio-1. Heidi was last checked 1 day ago for physio-1."
    )
    assert tags(owner) == ["late", "stands still"]


def test_who_left_the_settings_is_told_so(house: House) -> None:
    house.an_account("gone", Role.CLINICIAN, of="physio-9")
    gone = house.somebody()
    gone.log_in("gone")
    assert first_line(gone).startswith("Nobody whose notes you see is in the settings any more: nothing is filed.")


def test_a_pause_is_shown_with_who_made_it_and_since_when(house: House) -> None:
    ada = house.person(Role.CLINICIAN)
    ada.get("/")
    ada.press("Pause physio-1")
    assert first_line(ada).startswith("Filing is paused. Heidi was checked just now.")
    assert re.search(r"since \w+ \d+ \w+ \d+, \d\d:\d\d, by a person", ada.page.text)


def test_a_pause_of_the_program_s_own_says_why(clinic: Clinic) -> None:
    with open_house(clinic, SYNC_BRAKE_POSTS_PER_HOUR="1") as house:
        said = {"Anna": "knee bends twice daily", "Bella": "the shoulder rotates well", "Clara": "ankle swollen"}
        for number, (name, text) in enumerate(said.items(), start=1):
            clinic.a_patient(name, "Whitcombe", f"1980-01-0{number}")
            clinic.a_document(clinic.a_session(f"{name} Whitcombe", f"1980-01-0{number}"), f"# h\n\n{text * 3}")
        clinic.ticks(2)
        ada = house.person(Role.CLINICIAN)
        assert first_line(ada).startswith("Filing is paused.")
        assert "by itself: see above" in ada.page.text
        assert "More notes than SYNC_BRAKE_POSTS_PER_HOUR allows" in ada.page.text


def test_a_rehearsal_is_not_on(clinic: Clinic) -> None:
    with open_house(clinic, SYNC_MODE="rehearse") as house:
        owner = house.person(Role.ADMIN)
        assert first_line(owner).startswith("This is a rehearsal: nothing is filed. Heidi was checked")
        assert tags(owner) == ["rehearsal"]
