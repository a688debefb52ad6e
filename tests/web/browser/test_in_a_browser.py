"""What people do on the page, in a real browser, and what is in Cliniko seconds later."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from sync_worker.ledger.accounts import Accounts
from sync_worker.ledger.views import Views
from tests.web.browser.conftest import OpenHouse

pytestmark = pytest.mark.proof


def wait_for(is_so: Callable[[], object]) -> None:
    """Until something has become true by itself; the worker needs seconds."""
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until, "it did not happen within 20 seconds"
        time.sleep(0.1)


def a_question(house: OpenHouse) -> None:
    """Two charts of one name and birth date, and a document that waits for a person."""
    house.everybody()
    clinic = house.clinic
    clinic.a_patient()
    clinic.a_patient()
    clinic.a_document(clinic.a_session())
    wait_for(house.waiting)


def a_filed_note(house: OpenHouse) -> str:
    """A note that the worker has filed; gives back its patient."""
    house.everybody()
    patient_id, _, _ = house.clinic.a_finished_document()
    wait_for(lambda: (row := house.pages.row(1)) is not None and row.note_id)
    return patient_id


def reload_until(page: Page, text: str) -> None:
    """Look again, as a person does, until the page says it."""

    def says() -> bool:
        page.goto(page.url.partition("?")[0])
        return page.get_by_text(text).count() > 0

    wait_for(says)


def test_reception_decides_an_ambiguous_match_and_the_note_is_in_cliniko_within_seconds(house: OpenHouse) -> None:
    a_question(house)
    page = house.at_the_browser()
    house.log_in(page, "reception")
    expect(page.get_by_text("1 waits for you")).to_be_visible()
    page.get_by_role("link", name="See what waits").click()
    page.get_by_role("link", name="Several charts fit").click()
    page.get_by_role("button", name="File on Mary Jones, 3 February 1980").first.click()
    expect(page.get_by_role("status")).to_contain_text("Noted.")
    wait_for(house.clinic.notes)
    [note] = house.clinic.notes()
    assert note.practitioner_id == house.clinic.practitioner_id
    assert note.draft
    reload_until(page, "Filed as a draft for Mary Jones, born 3 February 1980")


def test_the_patient_button_leads_by_the_login_to_the_patient_and_straight_there_afterwards(house: OpenHouse) -> None:
    patient_id = a_filed_note(house)
    page = house.at_the_browser()
    house.log_in(page, "reception", f"/patients?patient_id={patient_id}")
    expect(page.get_by_role("heading", name="Mary Jones")).to_be_visible()
    assert page.url.endswith(f"/patients?patient_id={patient_id}")
    page.goto(f"/patients?patient_id={patient_id}")
    expect(page.get_by_role("heading", name="Mary Jones")).to_be_visible()
    expect(page.get_by_role("link", name="Filed")).to_be_visible()


def test_of_two_people_who_decide_at_once_the_second_is_told_what_the_first_did(house: OpenHouse) -> None:
    a_question(house)
    one, other = house.at_the_browser(), house.at_the_browser()
    house.log_in(one, "ada", "/review/1")
    house.log_in(other, "reception", "/review/1")
    one.get_by_role("button", name="Already filed by hand").click()
    expect(one.get_by_role("status")).to_be_visible()
    other.get_by_role("button", name="File on Mary Jones, 3 February 1980").first.click()
    expect(other.get_by_role("alert")).to_contain_text("clinician ada decided that it is not filed")
    assert house.clinic.notes() == []


def test_a_note_on_the_wrong_patient_is_taken_back_and_filing_stops(house: OpenHouse) -> None:
    a_filed_note(house)
    page = house.at_the_browser()
    house.log_in(page, "ada", "/review/1")
    page.get_by_text("Wrong patient?").click()
    page.get_by_role("button", name="It is the wrong patient").click()
    expect(page.get_by_text("Reported as the wrong patient.")).to_be_visible()
    wait_for(lambda: house.clinic.notes()[0].archived_at)
    reload_until(page, "Its note was taken back.")
    page.goto("/")
    expect(page.get_by_text("Filing is paused.")).to_be_visible()


def test_a_doubt_is_ended_by_the_note_that_is_there(house: OpenHouse) -> None:
    house.clinic.cliniko.fail_post("commit_then_drop", times=1)
    house.clinic.cliniko.list_lag_seconds = 2
    house.everybody()
    house.clinic.a_finished_document()
    wait_for(house.pages.doubts)
    page = house.at_the_browser()
    house.log_in(page, "ada", "/review/1")
    note = house.clinic.notes()[0].note_id
    wait_for(lambda: page.reload() and page.get_by_role("button", name=f"It is there: note {note}").count())
    page.get_by_role("button", name=f"It is there: note {note}").click()
    expect(page.get_by_text("Filed as a draft for Mary Jones")).to_be_visible()
    assert len(house.clinic.notes()) == 1


def test_pausing_stops_filing_and_resuming_goes_on(house: OpenHouse) -> None:
    house.everybody()
    page = house.at_the_browser()
    house.log_in(page, "owner")
    page.get_by_role("button", name="Pause filing for everybody").click()
    expect(page.get_by_text("Filing is paused.")).to_be_visible()
    house.clinic.a_finished_document()
    wait_for(lambda: Views(house.clinic.ledger.engine).entry_counts()["pending"])
    time.sleep(3)  # more than one tick
    assert house.clinic.notes() == []
    page.get_by_role("button", name="Resume filing for everybody").click()
    expect(page.get_by_text("Filing is on.")).to_be_visible()
    wait_for(house.clinic.notes)


def test_a_login_that_was_ended_leads_back_to_the_login(house: OpenHouse) -> None:
    house.everybody()
    page = house.at_the_browser()
    house.log_in(page, "reception", "/review")
    expect(page.get_by_role("heading", name="What waits for a person")).to_be_visible()
    Accounts(house.clinic.ledger.engine).disable("reception", house.clinic.clock.now())
    page.reload()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_everything_can_be_done_by_the_keyboard(house: OpenHouse) -> None:
    a_question(house)
    page = house.at_the_browser()
    page.goto("/review/1")
    for key in ("name", "password"):
        page.locator(f"#{key}").focus()
        page.keyboard.type("reception" if key == "name" else "quiet harbour lantern")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Several charts fit")).to_be_visible()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText"))
        if str(reached[-1]).startswith("File on Mary Jones"):
            break
    assert reached[0] == "To the page's content"
    page.keyboard.press("Enter")
    wait_for(house.clinic.notes)
