"""What people decide on the page, and what becomes of it in Cliniko."""

import html

from sync_worker.records import Reason, Role, Status
from sync_worker.web.words import TITLES, inside
from tests.conftest import Clinic
from tests.web.house import House, open_house


def test_reception_chooses_between_two_charts_and_the_note_is_filed_under_its_clinician(house: House) -> None:
    entry = house.a_question()
    reception = house.person(Role.DESK)
    reception.get(f"/review/{entry}")
    assert "Several charts fit" in reception.page.text
    assert "Mary Jones, born 3 February 1980" in reception.page.text
    reception.press("File on Mary Jones")
    assert "Somebody chose Mary Jones, born 3 February 1980. It is filed within seconds" in reception.page.text
    house.clinic.tick()
    [note] = house.clinic.notes()
    assert note.draft
    assert note.practitioner_id == house.clinic.practitioner_id
    assert reception.get(f"/review/{entry}").text.count("Filed as a draft for Mary Jones, born 3 February 1980") == 1


def test_reception_searches_another_patient_by_family_name_and_by_birth_date(house: House) -> None:
    house.clinic.a_patient("Maria", "Jonson", "1979-05-06")
    house.clinic.a_document(house.clinic.a_session("Maria Johnsson", "1980-05-06"))
    house.clinic.tick()
    [entry] = house.waiting()
    reception = house.person(Role.DESK)
    reception.get(f"/review/{entry}")
    reception.press("Search", name="Jonson")
    assert "1 found by your search" in reception.page.text
    assert "Maria Jonson" in reception.page.text
    reception.press("Search", name="", born="1979-05-06")
    reception.press("File on Maria Jonson, 6 May 1979")
    house.clinic.tick()
    assert len(house.clinic.notes()) == 1


def test_reception_asks_the_clinician_and_can_decide_no_more(house: House) -> None:
    entry = house.a_question()
    reception, ada = house.person(Role.DESK), house.person(Role.CLINICIAN)
    reception.get(f"/review/{entry}")
    reception.press("Ask the clinician")
    assert "waiting for the clinician" in reception.page.text
    assert "Try again" not in reception.buttons
    ada.get("/")
    assert "1 waits for you" in ada.page.text
    reception.press("Take the question back")
    assert "waiting for the front desk" in reception.page.text
    assert "File on Mary Jones, 3 February 1980" in reception.buttons


def test_a_clinician_reads_the_document_and_the_note_and_says_that_it_is_filed_already(house: House) -> None:
    entry = house.a_question()
    ada = house.person(Role.CLINICIAN)
    ada.get(f"/review/{entry}")
    assert "# Plan" in ada.page.text
    assert "ref " in ada.page.text
    ada.press("Already filed by hand")
    found = house.pages.row(entry)
    assert found is not None
    assert found.status is Status.SKIPPED
    ada.press("File it after all")
    house.clinic.tick()
    assert house.waiting() == [entry]


def test_the_slower_of_two_is_told_what_the_first_one_did(house: House) -> None:
    entry = house.a_question()
    reception, ada = house.person(Role.DESK), house.person(Role.CLINICIAN)
    reception.get(f"/review/{entry}")
    ada.get(f"/review/{entry}")
    ada.press("Not a patient's document")
    answer = reception.press("File on Mary Jones")
    assert answer.status_code == 409
    assert "clinician ada decided that it is not filed" in answer.text
    house.clinic.tick()
    assert house.clinic.notes() == []


def test_whoever_saw_an_older_question_is_asked_to_look_again(house: House) -> None:
    entry = house.a_question()
    reception, other = house.person(Role.DESK), house.person(Role.DESK, "second")
    reception.get(f"/review/{entry}")
    other.get(f"/review/{entry}")
    other.press("Try again")
    house.clinic.tick()  # it waits again, for the same reason
    answer = reception.press("File on Mary Jones")
    assert answer.status_code == 409
    assert "meanwhile" in answer.text


def test_a_document_is_filed_at_once_where_nobody_wants_to_wait(clinic: Clinic) -> None:
    with open_house(clinic, SYNC_SETTLE_SECONDS="600") as house:
        house.clinic.a_finished_document()
        house.clinic.tick()
        ada = house.person(Role.CLINICIAN)
        ada.get("/review/1")
        assert house.clinic.notes() == []
        ada.press("File it now")
        house.clinic.clock.advance(3)
        house.clinic.tick()
        assert len(house.clinic.notes()) == 1


def test_a_text_that_changes_after_all_settles_anew(clinic: Clinic) -> None:
    with open_house(clinic, SYNC_SETTLE_SECONDS="600") as house:
        _, _, document_id = house.clinic.a_finished_document()
        house.clinic.tick()
        ada = house.person(Role.CLINICIAN)
        ada.get("/review/1")
        ada.press("File it now")
        house.clinic.heidi.edit_document(document_id, content="# Plan\n\nRest, and ice.")
        house.clinic.clock.advance(3)
        house.clinic.tick()
        assert house.clinic.notes() == []


# ---------------------------------------------------------------- doubts


def a_doubt(house: House) -> tuple[int, str]:
    """A note that was made twice without an answer: its entry, and the note's id. The list does not show it yet."""
    house.clinic.a_finished_document()
    house.clinic.cliniko.fail_post("commit_then_drop", times=1)
    house.clinic.tick()
    [note] = house.clinic.notes()
    return 1, note.note_id


def test_a_product_keeps_its_capital_inside_a_sentence(house: House) -> None:
    entry, _ = a_doubt(house)
    ada = house.person(Role.CLINICIAN)
    ada.get(f"/review/{entry}")
    assert "Entry 1: being looked for in Cliniko, for" in " ".join(ada.page.text.split())
    assert "The worker moved it: being looked for in Cliniko" in ada.get("/history").text
    assert inside(TITLES[Reason.LINK_CONTRADICTED]) == "Heidi's link leads to somebody else"


def test_a_doubt_is_ended_by_the_note_that_cliniko_shows(house: House) -> None:
    entry, note_id = a_doubt(house)
    ada = house.person(Role.CLINICIAN)
    ada.get(f"/review/{entry}")
    assert f"It is there: note {note_id}" in ada.buttons
    ada.press(f"It is there: note {note_id}")
    house.clinic.tick()
    assert len(house.clinic.notes()) == 1
    assert "Filed as a draft for Mary Jones" in ada.get(f"/review/{entry}").text


def test_a_note_that_is_not_there_is_filed_once_more_after_two_minutes(house: House) -> None:
    house.clinic.a_finished_document()
    house.clinic.cliniko.fail_post("drop", times=1)
    house.clinic.tick()
    ada = house.person(Role.CLINICIAN)
    ada.get("/review/1")
    ada.press("It is not there")
    house.clinic.tick()
    assert house.clinic.notes() == []
    assert "at the soonest: until then its note may still arrive" in ada.get("/review/1").text
    house.clinic.ticks(3)
    assert len(house.clinic.notes()) == 1


def test_a_note_of_somebody_else_and_one_without_the_reference_end_no_doubt(house: House) -> None:
    entry, _ = a_doubt(house)
    ours = house.pages.row(entry)
    assert ours is not None
    other = house.clinic.a_patient("Other", "Person", "1950-01-01")
    for patient_id, said in ((other, "another patient's"), (ours.patient_id or "", "does not carry this document's")):
        note_id = house.clinic.cliniko.add_note_by_hand(
            patient_id=patient_id, practitioner_id=house.clinic.practitioner_id, title="Mine", content=None
        )
        ada = house.person(Role.CLINICIAN, f"ada-{note_id[-3:]}")
        ada.get(f"/review/{entry}")
        answer = ada.press("It is there", note_id=note_id)
        assert answer.status_code == 409
        assert said in html.unescape(answer.text)
    assert house.pages.row(entry) == ours


def test_a_note_of_another_number_ends_no_doubt(house: House) -> None:
    entry, _ = a_doubt(house)
    ada = house.person(Role.CLINICIAN)
    ada.get(f"/review/{entry}")
    answer = ada.press("It is there", note_id="123")
    assert answer.status_code == 409
    assert "shows this clinician no note of that number" in answer.text


# ---------------------------------------------------------------- notes that are filed


def a_filed_note(house: House) -> tuple[str, str, str]:
    """A note that is filed: the ids of its patient, session and document."""
    found = house.clinic.a_finished_document()
    house.clinic.tick()
    assert len(house.clinic.notes()) == 1
    return found


def test_the_wrong_patient_stops_the_clinician_takes_the_note_back_and_bars_the_chart(house: House) -> None:
    patient_id, session_id, _ = a_filed_note(house)
    ada = house.person(Role.CLINICIAN)
    ada.get("/review/1")
    ada.press("It is the wrong patient")
    assert "Reported as the wrong patient" in ada.page.text
    house.clinic.a_document(session_id, "# Other\n\nWords.", name="Other")
    house.clinic.tick()
    [note] = house.clinic.notes()
    assert note.archived_at is not None
    assert house.clinic.posts() == 1  # nothing further was filed: the clinician is paused
    page = ada.get("/review/1").text
    assert "Its note was taken back" in page
    assert "What is left to do by hand" in page
    row = house.pages.row(1)
    assert row is not None
    assert row.barred == {patient_id}
    told = [one.step.reason for one in house.pages.history(entry_id=1)]
    assert "wrong_patient" in told
    assert "Filing is paused" in ada.get("/").text


def test_the_session_s_other_notes_are_named_and_its_next_document_is_asked_about(house: House) -> None:
    _, session_id, _ = a_filed_note(house)
    house.clinic.a_document(session_id, "# Exercises\n\nSquats, ten times a day, with the band.", name="Exercises")
    house.clinic.tick()
    assert house.clinic.posts() == 2
    ada = house.person(Role.CLINICIAN)
    ada.get("/review/1")
    ada.press("It is the wrong patient")
    assert "entry 2</a>, and report it too" in ada.page.text
    house.clinic.tick()
    house.clinic.a_document(session_id, "# Letter\n\nDear doctor, thank you for your referral.", name="GP letter")
    ada.get("/")
    ada.press("Resume physio-1")
    house.clinic.ticks(2)
    assert house.clinic.posts() == 2
    assert "names another patient now" in ada.get("/review").text


def test_resuming_everybody_does_not_end_what_a_wrong_patient_began(house: House) -> None:
    a_filed_note(house)
    owner = house.person(Role.ADMIN)
    owner.get("/review/1")
    owner.press("It is the wrong patient")
    owner.get("/")
    owner.press("Pause filing for everybody")
    owner.press("Resume filing for everybody")
    assert "Filing is paused." in owner.page.text
    owner.press("Resume physio-1")
    assert "Filing is on." in owner.page.text


def test_the_receipt_says_whom_heidi_names_and_whom_to_tell(house: House) -> None:
    a_filed_note(house)
    reception = house.person(Role.DESK)
    page = html.unescape(reception.get("/review/1").text)
    assert "Heidi's session names Mary Jones, born 3 February 1980" in page
    assert "tell physio-1 or an admin of this page at once" in page


def test_a_note_that_its_author_touched_is_left_to_them_with_the_steps(house: House) -> None:
    a_filed_note(house)
    [note] = house.clinic.notes()
    house.clinic.clock.advance(60)
    house.clinic.cliniko.edit_note(note.note_id, title="Mine now")
    ada = house.person(Role.CLINICIAN)
    ada.get("/review/1")
    ada.press("It is the wrong patient")
    house.clinic.tick()
    assert house.clinic.notes()[0].archived_at is None
    assert "copy what the clinician added" in ada.get("/review/1").text


def test_a_revised_document_updates_its_untouched_draft_when_its_clinician_wants_it(house: House) -> None:
    _, _, document_id = a_filed_note(house)
    house.clinic.clock.advance(300)
    house.clinic.heidi.edit_document(document_id, content="# Plan\n\nRest, and ice.")
    house.clinic.tick()
    ada = house.person(Role.CLINICIAN)
    ada.get("/review/1")
    assert "Changed after it was filed" in ada.page.text
    ada.press("Update the draft")
    house.clinic.ticks(2)
    [note] = house.clinic.notes()
    assert "ice" in str(note.content)
    assert house.pages.row(1).status is Status.POSTED  # type: ignore[union-attr]


def test_pausing_and_resuming(house: House) -> None:
    ada = house.person(Role.CLINICIAN)
    ada.get("/")
    ada.press("Pause physio-1")
    assert "Filing is paused." in ada.page.text
    house.clinic.a_finished_document()
    house.clinic.tick()
    assert house.clinic.notes() == []
    ada.press("Resume physio-1")
    house.clinic.tick()
    assert len(house.clinic.notes()) == 1


def test_an_admin_pauses_everybody(house: House) -> None:
    owner = house.person(Role.ADMIN)
    owner.get("/")
    owner.press("Pause filing for everybody")
    assert "Filing is paused." in owner.page.text
    owner.press("Resume filing for everybody")
    assert "Filing is on." in owner.page.text


# ---------------------------------------------------------------- the patient's page


def test_cliniko_s_button_leads_by_the_login_to_the_patient_s_documents(house: House) -> None:
    patient_id, _, _ = a_filed_note(house)
    house.an_account("reception", Role.DESK)
    reception = house.somebody()
    answer = reception.log_in("reception", path=f"/patients?patient_id={patient_id}")
    assert answer.url.path == "/patients"
    assert "Mary Jones" in answer.text
    assert "Filed" in answer.text
    steps = house.pages.history()
    assert any(one.step.event == "viewed" and patient_id in (one.step.details or "") for one in steps)


def test_what_may_be_a_patient_s_is_looked_at_again_once_the_chart_is_mended(house: House) -> None:
    patient_id = house.clinic.a_patient(born="1980-02-04")
    house.clinic.a_document(house.clinic.a_session(email="m.jones@example.com"))
    house.clinic.tick()
    reception = house.person(Role.DESK)
    reception.get(f"/patients?patient_id={patient_id}")
    assert "No chart fits" in reception.page.text
    house.clinic.cliniko.edit_patient(patient_id, date_of_birth="1980-02-03")
    reception.press("Look again now")
    house.clinic.clock.advance(61)
    house.clinic.tick()
    assert len(house.clinic.notes()) == 1
