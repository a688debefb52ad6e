"""The look before the first request of a tick: a lost, an old and a second ledger, and notes pasted by hand."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sync_worker.errors import Unavailable
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import Views
from sync_worker.records import Status
from tests.conftest import Clinic

LETTER = (
    "# History\n\nFell off a ladder on Sunday, cannot lift the left arm.\n\n# Plan\n\nRest, ice, and an X-ray first."
)


def reasons(clinic: Clinic) -> list[str]:
    return [item.reason for item in Views(clinic.ledger.engine).review_list()]


def counts(clinic: Clinic) -> dict[str, int]:
    return Views(clinic.ledger.engine).entry_counts()


def forget_everything(clinic: Clinic, tmp_path: Path) -> None:
    """The ledger is lost, and the worker starts anew on an empty one."""
    clinic.restart()
    clinic.ledger_url = f"sqlite:///{tmp_path / 'another.db'}"


def test_a_lost_ledger_files_nothing_again(clinic: Clinic, tmp_path: Path) -> None:
    clinic.a_patient()
    for number in range(3):
        clinic.a_document(
            clinic.a_session(), f"# Letter\n\nNumber {number} of three, each unlike the others: {number * 77}"
        )
    clinic.tick()
    before = {note.note_id for note in clinic.notes()}
    forget_everything(clinic, tmp_path)
    clinic.clock.advance(300)
    report = clinic.tick()
    assert (clinic.posts(), len(clinic.notes())) == (3, 3)
    assert report.trouble is None  # they are older than the new ledger: no other worker's
    assert counts(clinic)["posted"] == 3
    adopted = {Views(clinic.ledger.engine).entry_life(number).note_id for number in (1, 2, 3)}
    assert adopted == before


def test_notes_that_a_lost_ledgers_worker_filed_are_no_questions_where_drafts_are_updated(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.restart(SYNC_REVISIONS="update_draft")
    clinic.a_patient()
    document = clinic.a_document(clinic.a_session(), LETTER)
    clinic.tick()
    forget_everything(clinic, tmp_path)
    for _ in range(3):
        clinic.clock.advance(300)
        clinic.tick()
    assert counts(clinic)["posted"] == 1
    clinic.heidi.edit_document(document, "# Letter\n\nSomething else.")
    clinic.clock.advance(300)
    clinic.tick()
    clinic.tick()
    assert counts(clinic)["review"] == 1  # whether the note is as that worker left it, nobody knows


def test_a_note_whose_patient_only_a_person_could_know_is_shown_to_one_after_a_lost_ledger(
    clinic: Clinic, tmp_path: Path
) -> None:
    """The ledger that knew that a person chose this chart is lost; the note stays, and somebody looks at it."""
    patient = clinic.a_patient(first="Maria")
    clinic.a_document(clinic.a_session("Mary Smith"), LETTER)
    clinic.tick()
    Decisions(clinic.ledger.engine, "person test").assign(1, patient, clinic.clock.now())
    clinic.tick()
    forget_everything(clinic, tmp_path)
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["patient_changed"], 1)


def test_a_note_whose_session_names_another_patient_by_now_is_shown_to_a_person_after_a_lost_ledger(
    clinic: Clinic, tmp_path: Path
) -> None:
    _, session, _ = clinic.a_finished_document(LETTER)
    clinic.a_patient(first="Nora", last="Quinn", born="1971-01-02")
    clinic.tick()
    clinic.heidi.edit_patient(session, patient_name="Nora Quinn", birth_date="1971-01-02")
    forget_everything(clinic, tmp_path)
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["patient_changed"], 1)


def test_a_document_edited_while_the_ledger_was_lost_is_shown_to_a_person(clinic: Clinic, tmp_path: Path) -> None:
    _, _, document = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.heidi.edit_document(document, LETTER.replace("ice", "heat"))
    forget_everything(clinic, tmp_path)
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["revised"], 1)


def test_a_worker_that_dies_as_it_asks_about_an_adopted_note_leaves_the_question_to_the_next(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, document = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.heidi.edit_document(document, LETTER.replace("ice", "heat"))
    forget_everything(clinic, tmp_path)
    clinic.tick()

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(clinic.ledger.entries, "hold_for_review", die)
    with pytest.raises(SystemExit):
        clinic.tick()
    monkeypatch.undo()
    clinic.restart()
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["revised"], 1)


def test_a_lost_ledger_and_a_session_that_cannot_be_read_at_first_file_nothing_again(
    clinic: Clinic, tmp_path: Path
) -> None:
    _, session, _ = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(5 * 86_400)
    for _ in range(110):  # it is far down the list by now: a poll does not come to it
        clinic.a_session("Nobody Known", None)
    forget_everything(clinic, tmp_path)
    readable = unreadable(clinic, session)
    clinic.tick()
    readable()
    clinic.clock.advance(400)
    clinic.tick(full=False)
    clinic.tick(full=False)
    assert (clinic.posts(), counts(clinic)["posted"]) == (1, 1)


def test_a_session_older_than_the_start_stays_alone_although_it_could_not_be_read_at_first(clinic: Clinic) -> None:
    clinic.restart(SYNC_START_AT="2026-11-19")
    clinic.a_patient()
    old = clinic.a_session(created_at=clinic.clock.now() - timedelta(days=5))
    clinic.a_document(old, LETTER)
    for _ in range(110):
        clinic.a_session("Nobody Known", None)
    readable = unreadable(clinic, old)
    clinic.tick()
    readable()
    clinic.clock.advance(400)
    clinic.tick(full=False)
    assert (clinic.posts(), counts(clinic)["skipped"]) == (0, 1)


def unreadable(clinic: Clinic, session: str) -> Callable[[], None]:
    """Let a session's documents be unreadable until the answer is called."""
    heidi = clinic.worker.pipelines["physio-1"].heidi
    find = heidi.find_documents

    def find_but_this(session_id: str) -> object:
        if session_id == session:
            raise Unavailable("heidi", "list_documents", status=500)
        return find(session_id)

    heidi.find_documents = find_but_this

    def readable() -> None:
        heidi.find_documents = find

    return readable


def test_a_note_that_the_clinician_archived_is_not_filed_again_after_a_lost_ledger(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.cliniko.archive_note(clinic.notes()[0].note_id)
    forget_everything(clinic, tmp_path)
    clinic.tick()
    assert (clinic.posts(), counts(clinic)["posted"]) == (1, 1)


def test_an_old_copy_of_the_ledger_adopts_what_was_filed_since(clinic: Clinic, tmp_path: Path) -> None:
    clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.restart()
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy.db")
    clinic.clock.advance(600)
    clinic.a_document(clinic.a_session(), "# Plan\n\nFiled after the copy was taken, and not in it.")
    clinic.tick()
    clinic.restart()
    shutil.copy(tmp_path / "copy.db", tmp_path / "ledger.db")
    clinic.clock.advance(600)
    report = clinic.tick()
    assert (clinic.posts(), counts(clinic)["posted"], report.trouble) == (2, 2, None)


def test_a_second_installation_stops_both_instead_of_filing_twice(clinic: Clinic, tmp_path: Path) -> None:
    """The other one files a session that this one never saw: nobody but a person can tell what goes on."""
    clinic.a_finished_document(LETTER)
    clinic.tick()  # our ledger is made
    clinic.clock.advance(60)
    patient, author = clinic.notes()[0].patient_id, clinic.practitioner_id
    theirs = clinic.cliniko.add_note_by_hand(patient, author, "Letter · 19 Nov 2026 · ref 7ABC9DEF", {"sections": []})
    clinic.clock.advance(60)
    clinic.a_document(clinic.a_session(), "# Plan\n\nAnother document, to be filed by us.")
    report = clinic.tick()
    assert (report.trouble.code, report.tally.pending) == ("another_worker", 1)
    assert clinic.posts() == 1
    Decisions(clinic.ledger.engine, "person test").resume(None, clinic.clock.now())
    clinic.clock.advance(60)
    assert clinic.tick().tally.posted == 1  # a person has looked: that note is known now
    assert theirs in {note.note_id for note in clinic.notes()}


def test_a_reference_in_a_clinicians_own_words_stops_nothing(clinic: Clinic) -> None:
    clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(60)
    content = {"sections": [{"questions": [{"name": "Plan", "type": "text", "answer": "Referral, ref 12345678."}]}]}
    clinic.cliniko.add_note_by_hand(
        clinic.notes()[0].patient_id, clinic.practitioner_id, "Referral ref 12345678", content
    )
    clinic.clock.advance(60)
    clinic.a_document(clinic.a_session(), "# Plan\n\nAnother document, to be filed by us.")
    assert clinic.tick().tally.posted == 1


@pytest.mark.parametrize(
    "pasted",
    [
        "<p>Fell off a ladder on Sunday, cannot lift the left arm.</p><p>Rest, ice, and an X-ray first.</p>",
        "Fell off a ladder on Sunday,<br>cannot lift the left arm.<br><b>Plan</b> Rest, ice, and an x-ray first",
    ],
)
def test_a_document_pasted_by_hand_is_a_persons_to_decide(clinic: Clinic, pasted: str) -> None:
    patient, _, _ = clinic.a_finished_document(LETTER)
    content = {"sections": [{"questions": [{"name": "Notes", "type": "paragraph", "answer": pasted}]}]}
    clinic.cliniko.add_note_by_hand(patient, clinic.practitioner_id, "Initial consult", content)
    clinic.tick()
    assert (reasons(clinic), clinic.posts()) == (["already_there"], 0)
    [item] = Views(clinic.ledger.engine).review_list()
    Decisions(clinic.ledger.engine, "person test").assign(item.entry, patient, clinic.clock.now())
    assert clinic.tick().tally.posted == 1  # the person wants it all the same


def test_the_same_text_on_another_patients_chart_or_archived_stops_nothing(clinic: Clinic) -> None:
    patient, _, _ = clinic.a_finished_document(LETTER)
    other = clinic.a_patient(first="Nora", last="Quinn", born="1971-01-02")
    text = "Fell off a ladder on Sunday, cannot lift the left arm. Rest, ice, and an X-ray first."
    content = {"sections": [{"questions": [{"name": "Notes", "type": "text", "answer": text}]}]}
    clinic.cliniko.add_note_by_hand(other, clinic.practitioner_id, "Consult", content)
    archived = clinic.cliniko.add_note_by_hand(patient, clinic.practitioner_id, "Consult", content)
    clinic.cliniko.archive_note(archived)
    assert clinic.tick().tally.posted == 1


def test_nothing_is_sent_while_the_look_cannot_be_had(clinic: Clinic) -> None:
    clinic.a_finished_document(LETTER)
    clinic.cliniko.fail("notes", "500", times=9)
    report = clinic.tick()
    assert (report.trouble.code, clinic.posts()) == ("cliniko_unavailable", 0)
    assert clinic.ledger.entries.get(1).status is Status.PENDING


def test_a_tick_looks_once_however_many_documents_it_files(clinic: Clinic) -> None:
    clinic.a_patient()
    for number in range(4):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nDocument {number}, which says {'again ' * number}.")
    clinic.tick()
    looks = [one for one in clinic.cliniko.requests if one.method == "GET" and "treatment_notes" in one.path]
    assert (len(looks), clinic.posts()) == (1, 4)


def test_the_look_goes_back_to_the_oldest_session_that_waits(clinic: Clinic) -> None:
    clinic.a_patient()
    clinic.a_document(clinic.a_session(created_at=clinic.clock.now() - timedelta(days=9)), LETTER)
    clinic.tick()
    [look] = [one for one in clinic.cliniko.requests if one.method == "GET" and "treatment_notes" in one.path]
    since = next(value for _, value in look.query if value.startswith("created_at:>="))
    assert since < f"created_at:>={(clinic.clock.now() - timedelta(days=9)).date()}"


def test_both_databases_adopt(make_clinic: Callable[[str], Clinic], ledger_url: str, tmp_path: Path) -> None:
    clinic = make_clinic(f"sqlite:///{tmp_path / 'first.db'}")
    clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.restart()
    clinic.ledger_url = ledger_url
    clinic.tick()
    assert (clinic.posts(), counts(clinic)["posted"]) == (1, 1)
