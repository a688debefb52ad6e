"""What changes after a note is filed: the document, the patient, the clinician's mind, and the pace."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from sync_worker.errors import EntryMoved, NotPossible
from sync_worker.http import READ_ATTEMPTS
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.tables import EntryRow
from sync_worker.ledger.views import Views
from sync_worker.reading import hint_seen
from sync_worker.records import Reason, Status, Wish
from tests.conftest import Clinic

LETTER = (
    "# History\n\nFell off a ladder on Sunday, cannot lift the left arm.\n\n# Plan\n\nRest, ice, and an X-ray first."
)
NEWER_WORDS = "a sling for a week"
NEWER = LETTER.replace("an X-ray first", NEWER_WORDS)
FAULTS = ["drop", "commit_then_drop", "commit_then_504", "500", "502_html", "cut_201", "commit_late:25"]


def reasons(clinic: Clinic) -> list[str]:
    return [item.reason for item in Views(clinic.ledger.engine).review_list()]


def decisions(clinic: Clinic) -> Decisions:
    return Decisions(clinic.ledger.engine, "person test")


def writes(clinic: Clinic, method: str, ending: str) -> int:
    return sum(one.method == method and one.path.endswith(ending) for one in clinic.cliniko.requests)


def filed(clinic: Clinic, **settings: str) -> tuple[str, str]:
    """A filed document: its own id and its note's."""
    clinic.restart(**settings)
    _, _, document = clinic.a_finished_document(LETTER)
    assert clinic.tick().tally.posted == 1
    clinic.clock.advance(60)
    return document, clinic.notes()[0].note_id


# ---------------------------------------------------------------- the document


def test_an_untouched_draft_follows_its_document_where_the_practice_wants_it(clinic: Clinic) -> None:
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.heidi.edit_document(document, NEWER)
    clinic.tick()
    [note] = clinic.notes()
    assert "sling for a week" in str(note.content)
    assert (note.draft, clinic.posts(), reasons(clinic)) == (True, 1, [])
    clinic.heidi.edit_document(document, NEWER.replace("sling", "bandage"))
    clinic.clock.advance(60)
    clinic.tick()
    assert "bandage for a week" in str(clinic.notes()[0].content)
    assert writes(clinic, "PATCH", clinic.notes()[0].note_id) == 2
    clinic.ticks(3)
    assert writes(clinic, "PATCH", clinic.notes()[0].note_id) == 2


@pytest.mark.parametrize("touch", ["edited", "finalised", "archived"])
def test_a_note_that_somebody_touched_is_never_updated(clinic: Clinic, touch: str) -> None:
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    {
        "edited": lambda: clinic.cliniko.edit_note(note_id, title="My own title"),
        "finalised": lambda: clinic.cliniko.finalise_note(note_id),
        "archived": lambda: clinic.cliniko.archive_note(note_id),
    }[touch]()
    clinic.heidi.edit_document(document, NEWER)
    clinic.ticks(3)
    assert reasons(clinic) == ["revised"]
    assert writes(clinic, "PATCH", note_id) == 0


def test_an_update_waits_until_the_new_text_rests(clinic: Clinic) -> None:
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    clinic.heidi.edit_document(document, NEWER)
    clinic.tick()
    clinic.clock.advance(500)
    clinic.tick()
    assert writes(clinic, "PATCH", note_id) == 0
    clinic.clock.advance(200)
    clinic.tick()
    assert writes(clinic, "PATCH", note_id) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_an_update_ends_with_the_new_text_and_one_note(clinic: Clinic, fault: str) -> None:
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.heidi.edit_document(document, NEWER)
    clinic.cliniko.fail("patch", fault)
    clinic.ticks(6)
    [note] = clinic.notes()
    assert "sling for a week" in str(note.content)
    assert (reasons(clinic), clinic.posts()) == ([], 1)


def test_a_clinicians_edit_while_an_update_is_in_doubt_is_never_overwritten(clinic: Clinic) -> None:
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.heidi.edit_document(document, NEWER)
    clinic.cliniko.fail("patch", "drop")
    clinic.tick()
    clinic.cliniko.edit_note(note_id, title="My own title")
    clinic.ticks(5)
    assert clinic.notes()[0].title == "My own title"
    assert (reasons(clinic), writes(clinic, "PATCH", note_id)) == (["revised"], 1)


def test_a_regenerated_document_is_a_persons_to_decide(clinic: Clinic) -> None:
    patient, session, _ = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.a_document(session, LETTER.replace("Sunday", "Monday"))
    clinic.a_document(
        session, "# Exercises\n\nPendulum swings, ten times a day, as far as it does not hurt.", name="Handout"
    )
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["regenerated"], 2)
    [item] = Views(clinic.ledger.engine).review_list()
    decisions(clinic).assign(item.entry, patient, clinic.clock.now())
    clinic.tick()
    assert clinic.posts() == 3


def test_a_document_regenerated_in_place_of_its_filed_sibling_is_known_by_the_note(clinic: Clinic) -> None:
    _, session, document = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.heidi.delete_document(document)
    clinic.a_document(session, LETTER.replace("Sunday", "Monday"))
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["regenerated"], 1)


def test_of_two_alike_that_wait_the_first_is_filed(clinic: Clinic) -> None:
    clinic.a_patient()
    session = clinic.a_session()
    clinic.a_document(session, LETTER)
    clinic.a_document(session, LETTER.replace("Sunday", "Monday"))
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["regenerated"], 1)


def test_a_document_that_changes_again_while_its_update_is_in_doubt_is_brought_up_to_the_newest(clinic: Clinic) -> None:
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.heidi.edit_document(document, NEWER)
    clinic.cliniko.fail("patch", "commit_then_504")
    clinic.tick()
    clinic.heidi.edit_document(document, NEWER.replace("sling", "bandage"))
    clinic.clock.advance(120)
    clinic.ticks(8)
    assert "bandage" in str(clinic.notes()[0].content)


def test_a_title_that_the_clinician_gave_the_note_stays(clinic: Clinic) -> None:
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.heidi.edit_document(document, NEWER)
    clinic.cliniko.fail("patch", "commit_then_504")
    clinic.tick()
    clinic.clock.advance(5)
    clinic.cliniko.edit_note(note_id, title="My own title")
    clinic.ticks(4)
    clinic.heidi.edit_document(document, NEWER.replace("sling", "bandage"))
    clinic.ticks(3)
    assert clinic.notes()[0].title == "My own title"


def test_a_document_regenerated_after_its_note_was_taken_back_is_filed(clinic: Clinic) -> None:
    filed(clinic)
    decisions(clinic).withdraw(1, "wrong_text", clinic.clock.now())
    clinic.tick()
    clinic.a_document(clinic.ledger.entries.get(1).session_id, LETTER.replace("Sunday", "Monday"))
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == ([], 2)


# ---------------------------------------------------------------- the patient


def test_another_patients_words_never_reach_the_note_of_the_first(clinic: Clinic) -> None:
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    session = clinic.ledger.entries.get(1).session_id
    clinic.heidi.edit_patient(session, patient_name="Nora Quinn", birth_date="1971-01-02")
    clinic.heidi.edit_document(document, "# Plan\n\nNora Quinn has hurt her knee and wants nobody to know.")
    clinic.ticks(3)
    assert (reasons(clinic), writes(clinic, "PATCH", note_id)) == (["patient_changed"], 0)


def test_a_patient_changed_while_the_new_text_settles_stops_the_update(clinic: Clinic) -> None:
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    clinic.heidi.edit_document(document, NEWER)
    clinic.tick()
    session = clinic.ledger.entries.get(1).session_id
    clinic.heidi.edit_patient(session, patient_name="Nora Quinn", birth_date="1971-01-02")
    clinic.clock.advance(700)
    clinic.ticks(3)
    assert (reasons(clinic), writes(clinic, "PATCH", note_id)) == (["patient_changed"], 0)


@pytest.mark.parametrize("name", ["Mary Anne Jones", "Jones, Mary", "Ms Mary Jones"])
def test_a_name_that_is_only_mended_is_no_other_patient(clinic: Clinic, name: str) -> None:
    _, session, _ = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(60)
    clinic.heidi.edit_patient(session, patient_name=name)
    clinic.ticks(2)
    assert reasons(clinic) == []


def test_a_change_during_a_review_is_seen_when_the_review_is_over(clinic: Clinic) -> None:
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    session = clinic.ledger.entries.get(1).session_id
    clinic.heidi.edit_patient(session, patient_name="Mary Jones-Smith", birth_date="1980-02-04")
    clinic.tick()
    assert reasons(clinic) == ["patient_changed"]
    clinic.heidi.edit_document(document, NEWER)
    clinic.clock.advance(60)
    clinic.tick()
    decisions(clinic).dismiss(1, "same_person", clinic.clock.now())
    clinic.ticks(4)
    assert "sling" in str(clinic.notes()[0].content) or reasons(clinic)


def test_a_patient_renamed_in_heidi_after_filing_is_put_before_the_clinician_once(clinic: Clinic) -> None:
    _, session, _ = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(60)
    clinic.heidi.edit_patient(session, patient_name="Nora Quinn", birth_date="1971-01-02")
    clinic.tick()
    assert (reasons(clinic), clinic.posts()) == (["patient_changed"], 1)
    [item] = Views(clinic.ledger.engine).review_list()
    decisions(clinic).dismiss(item.entry, "mended_by_hand", clinic.clock.now())
    clinic.ticks(3)
    assert reasons(clinic) == []


@pytest.mark.parametrize("name", ["Tom", "Tom & Mary Jones", "", "Mother of Mary Jones", "Walk-in", "T Jones"])
def test_a_name_that_says_nothing_of_the_notes_patient_is_asked_about_though_the_birth_date_stays(
    clinic: Clinic, name: str
) -> None:
    _, session, _ = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(60)
    clinic.heidi.edit_patient(session, patient_name=name)
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["patient_changed"], 1)


@pytest.mark.parametrize("linked_before", [True, False])
def test_a_session_that_is_linked_to_another_chart_after_filing_is_asked_about(
    clinic: Clinic, linked_before: bool
) -> None:
    patient, session, _ = clinic.a_finished_document(LETTER)
    clinic.heidi.edit_patient(session, ehr_patient_id=patient if linked_before else None)
    clinic.tick()
    clinic.clock.advance(60)
    clinic.heidi.edit_patient(session, ehr_patient_id=clinic.a_patient("Mary", "Jones", born="2001-09-08"))
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["patient_changed"], 1)


@pytest.mark.parametrize("link", ["the chart", "the chart it was merged into", "of another system"])
def test_a_session_that_is_linked_to_its_own_patient_after_filing_is_no_question(clinic: Clinic, link: str) -> None:
    patient, session, _ = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(60)
    if link.endswith("into"):
        clinic.cliniko.merge_patients(patient, patient := clinic.a_patient())
    clinic.heidi.edit_patient(session, ehr_patient_id=patient if "chart" in link else "EHR-77")
    clinic.ticks(2)
    assert reasons(clinic) == []


def father_by_profile(clinic: Clinic) -> str:
    """A father's session, filed by the birth date that only his profile in Heidi tells; he has a son of his name."""
    clinic.a_patient("John", "Smith", born="1955-06-02")
    clinic.a_patient("John", "Smith", born="1990-03-17")
    session = clinic.a_session("John Smith", None, email="smith@example.com")
    clinic.heidi.edit_profile(session, birth_date="1955-06-02")
    clinic.a_document(session, LETTER)
    assert clinic.tick().tally.posted == 1
    clinic.clock.advance(60)
    return session


@pytest.mark.parametrize("edited", ["another profile", "another birth date"])
def test_a_profile_that_is_the_sons_after_filing_is_asked_about(clinic: Clinic, edited: str) -> None:
    session = father_by_profile(clinic)
    if edited == "another profile":
        clinic.heidi.sessions[session].profile.profile_id = "f" * 24
    clinic.heidi.edit_profile(session, birth_date="1990-03-17")
    clinic.heidi.touch_session(session)
    clinic.ticks(2)
    assert (reasons(clinic), clinic.posts()) == (["patient_changed"], 1)


def test_a_birth_date_that_the_profile_told_already_is_no_other_patient(clinic: Clinic) -> None:
    session = father_by_profile(clinic)
    clinic.heidi.edit_patient(session, birth_date="1955-06-02")
    clinic.tick()
    assert clinic.ledger.entries.get(1).wish is None
    assert reasons(clinic) == []


def test_a_profile_that_cannot_be_read_after_filing_is_no_other_patient(clinic: Clinic) -> None:
    session = father_by_profile(clinic)
    clinic.heidi.touch_session(session)
    clinic.heidi.fail("profile", "detail_text", times=1)
    assert clinic.tick().trouble is None
    assert reasons(clinic) == []


def forget_profiles(clinic: Clinic) -> None:
    """Leave in the ledger what a version that did not look at profiles would have left."""
    pipeline = clinic.worker.pipelines["physio-1"]
    former = {one: hint_seen(clinic.ledger, pipeline.reader.session(one)).former_hash for one in clinic.heidi.sessions}
    pipeline.reader.forget()
    with clinic.ledger.engine.begin() as db:
        for session, hashed in former.items():
            db.execute(sa.update(EntryRow).where(EntryRow.session_id == session).values(hint_hash=hashed))


def test_what_an_older_version_filed_is_not_asked_about_and_looked_after_from_then_on(clinic: Clinic) -> None:
    session = father_by_profile(clinic)
    forget_profiles(clinic)
    clinic.heidi.touch_session(session)
    clinic.tick()
    assert (clinic.ledger.entries.get(1).wish, reasons(clinic)) == (None, [])
    clinic.clock.advance(60)
    clinic.heidi.edit_profile(session, birth_date="1990-03-17")
    clinic.heidi.touch_session(session)
    clinic.ticks(2)
    assert reasons(clinic) == ["patient_changed"]


def test_a_draft_that_an_older_version_filed_still_follows_its_document(clinic: Clinic) -> None:
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    forget_profiles(clinic)
    clinic.heidi.edit_document(document, NEWER)
    clinic.ticks(2)
    assert ("sling for a week" in str(clinic.notes()[0].content), reasons(clinic)) == (True, [])


def test_other_blanks_or_capitals_in_the_name_are_no_other_patient(clinic: Clinic) -> None:
    _, session, _ = clinic.a_finished_document(LETTER)
    clinic.tick()
    clinic.clock.advance(60)
    clinic.heidi.edit_patient(session, patient_name="  MARY  Jones ")
    clinic.ticks(2)
    assert reasons(clinic) == []


def test_a_patient_changed_before_filing_is_matched_again(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    _, session, _ = clinic.a_finished_document(LETTER)
    other = clinic.a_patient(first="Nora", last="Quinn", born="1971-01-02")
    clinic.tick()
    clinic.heidi.edit_patient(session, patient_name="Nora Quinn", birth_date="1971-01-02")
    clinic.clock.advance(700)
    clinic.tick()
    assert [note.patient_id for note in clinic.notes()] == [other]


# ---------------------------------------------------------------- taking back


def test_a_note_that_nobody_touched_is_taken_back(clinic: Clinic) -> None:
    _, note_id = filed(clinic)
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.tick()
    [note] = clinic.notes()
    assert note.archived_at is not None
    assert clinic.ledger.entries.get(1).status is Status.WITHDRAWN
    clinic.ticks(3)
    assert (clinic.posts(), writes(clinic, "POST", f"{note_id}/archive")) == (1, 1)


def test_a_note_is_taken_back_although_posting_is_paused(clinic: Clinic) -> None:
    filed(clinic)
    decisions(clinic).pause(None, clinic.clock.now())
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.tick()
    assert clinic.ledger.entries.get(1).status is Status.WITHDRAWN


def test_a_note_that_somebody_touched_is_not_taken_back(clinic: Clinic) -> None:
    _, note_id = filed(clinic)
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.cliniko.finalise_note(note_id)
    clinic.tick()
    assert (reasons(clinic), clinic.notes()[0].archived_at) == (["touched"], None)


def test_a_note_that_somebody_archived_already_is_withdrawn_without_a_request(clinic: Clinic) -> None:
    _, note_id = filed(clinic)
    clinic.cliniko.archive_note(note_id)
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.tick()
    assert clinic.ledger.entries.get(1).status is Status.WITHDRAWN
    assert writes(clinic, "POST", "/archive") == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_of_taking_back_ends_with_the_note_archived(clinic: Clinic, fault: str) -> None:
    filed(clinic)
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.cliniko.fail("archive", fault)
    clinic.ticks(6)
    assert clinic.notes()[0].archived_at is not None
    assert clinic.ledger.entries.get(1).status is Status.WITHDRAWN


def test_a_role_that_may_not_archive_stops_no_other_document(clinic: Clinic) -> None:
    filed(clinic)
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.cliniko.fail("archive", "403", times=9)
    clinic.a_document(clinic.a_session(), "# Plan\n\nQuite another document about something else.")
    clinic.ticks(3)
    assert (clinic.posts(), reasons(clinic)) == (2, ["touched"])


def test_a_withdrawal_waits_for_no_other_notes_trouble(clinic: Clinic) -> None:
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.a_document(clinic.a_session(), "# Plan\n\nQuite another document about something else.")
    clinic.tick()
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    clinic.heidi.edit_document(document, NEWER)
    clinic.clock.advance(60)
    clinic.tick()
    clinic.clock.advance(60)
    decisions(clinic).withdraw(2, "wrong_patient", clinic.clock.now())
    clinic.heidi.fail("documents", "500", times=999)
    clinic.tick()
    assert clinic.ledger.entries.get(2).status is Status.WITHDRAWN


def test_a_cliniko_that_is_down_is_not_asked_for_each_note_and_the_others_go_first_when_it_is_back(
    clinic: Clinic,
) -> None:
    first, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    documents = [first, *(clinic.a_document(clinic.a_session(), LETTER) for _ in range(4))]
    clinic.tick()
    for document in documents:
        clinic.heidi.edit_document(document, NEWER)
    clinic.cliniko.fail("notes", "500", times=3 * READ_ATTEMPTS)
    clinic.tick()
    clinic.clock.advance(30)
    clinic.tick()
    assert [NEWER_WORDS in str(note.content) for note in clinic.notes()] == [False, False, False, True, True]
    clinic.clock.advance(60)
    clinic.tick()
    assert all(NEWER_WORDS in str(note.content) for note in clinic.notes())


def test_a_withdrawal_that_a_person_asks_for_meanwhile_is_not_forgotten(clinic: Clinic) -> None:
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    clinic.heidi.edit_document(document, NEWER)
    clinic.tick()
    entry = clinic.ledger.entries.get(1)  # as the worker read it
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    lease = clinic.worker.leases.acquire(1, clinic.clock.now())
    with pytest.raises(EntryMoved):
        clinic.ledger.entries.change_wish(lease, entry, None, now=clinic.clock.now())
    with pytest.raises(EntryMoved):
        clinic.ledger.entries.hold_for_review(lease, entry, Reason.REVISED, now=clinic.clock.now())
    assert clinic.ledger.entries.get(1).wish is Wish.WITHDRAW


def test_a_note_archived_by_hand_after_an_update_in_doubt_is_withdrawn(clinic: Clinic) -> None:
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.heidi.edit_document(document, NEWER)
    clinic.cliniko.fail("patch", "drop")
    clinic.tick()
    clinic.cliniko.edit_note(note_id, title="Mine")
    clinic.clock.advance(200)
    clinic.tick()
    assert reasons(clinic) == ["revised"]
    clinic.cliniko.archive_note(note_id)
    decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.tick()
    assert clinic.ledger.entries.get(1).status is Status.WITHDRAWN


def test_what_was_never_filed_cannot_be_taken_back(clinic: Clinic) -> None:
    clinic.a_document(clinic.a_session("Nobody Known"))
    clinic.tick()
    with pytest.raises(NotPossible, match="no note"):
        decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())


class Died(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("wish", ["update", "withdraw"])
@pytest.mark.parametrize("moment", ["before the request", "after it"])
def test_a_worker_that_dies_around_an_amendment_leaves_it_done_once(
    make_clinic: Callable[[str], Clinic], ledger_url: str, monkeypatch: pytest.MonkeyPatch, wish: str, moment: str
) -> None:
    clinic = make_clinic(ledger_url)
    document, note_id = filed(clinic, SYNC_REVISIONS="update_draft")
    if wish == "update":
        clinic.heidi.edit_document(document, NEWER)
    else:
        decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())

    def die(*_: object, **__: object) -> None:
        raise Died

    if moment == "after it":
        monkeypatch.setattr(clinic.ledger.amendments, "amended", die)
    else:
        cliniko = clinic.worker.pipelines["physio-1"].cliniko
        monkeypatch.setattr(cliniko, "update_treatment_note", die)
        monkeypatch.setattr(cliniko, "archive_treatment_note", die)
    with pytest.raises(Died):
        clinic.worker.pipelines["physio-1"].tick(full=True)
    monkeypatch.undo()
    clinic.restart()
    clinic.ticks(6)
    [note] = clinic.notes()
    assert "sling for a week" in str(note.content) if wish == "update" else note.archived_at is not None
    requests = writes(clinic, "PATCH", note_id) + writes(clinic, "POST", f"{note_id}/archive")
    assert requests == 1


@pytest.mark.parametrize("when", ["while the update is under way", "after its worker died"])
def test_a_withdrawal_that_overtakes_an_update_is_carried_out(
    make_clinic: Callable[[str], Clinic], ledger_url: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    clinic = make_clinic(ledger_url)
    document, _ = filed(clinic, SYNC_REVISIONS="update_draft")
    clinic.heidi.edit_document(document, NEWER)
    cliniko = clinic.worker.pipelines["physio-1"].cliniko
    update = cliniko.update_treatment_note

    def take_back(*what: Any) -> object:
        decisions(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
        if when == "after its worker died":
            raise Died
        return update(*what)

    monkeypatch.setattr(cliniko, "update_treatment_note", take_back)
    with suppress(Died):
        clinic.worker.pipelines["physio-1"].tick(full=True)
    clinic.restart()
    assert [report.trouble for report in clinic.ticks(2)] == [None, None]
    assert clinic.notes()[0].archived_at is not None
    assert clinic.ledger.entries.get(1).status is Status.WITHDRAWN
    assert [one["outcome"] for one in Views(clinic.ledger.engine).entry_life(1).attempts] == [
        "accepted",
        "in_doubt",
        "accepted",
    ]


# ---------------------------------------------------------------- the pace


def test_more_notes_within_an_hour_than_the_practice_allows_pause_the_clinician(clinic: Clinic) -> None:
    clinic.restart(SYNC_BRAKE_POSTS_PER_HOUR="3")
    clinic.a_patient()
    for number in range(5):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nDocument {number} says {'again ' * number}.")
    report = clinic.tick()
    assert (report.tally.posted, report.tally.pending, report.trouble.code) == (3, 2, "brake")
    clinic.clock.advance(4000)
    assert clinic.tick().tally.posted == 0  # it does not let go by itself
    decisions(clinic).resume(None, clinic.clock.now())
    assert clinic.tick().tally.posted == 2


def test_without_a_brake_nothing_is_held_up(clinic: Clinic) -> None:
    clinic.restart(SYNC_BRAKE_POSTS_PER_HOUR="0")
    clinic.a_patient()
    for number in range(32):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nDocument {number}.")
    assert clinic.tick().tally.posted == 32


def test_the_brake_counts_an_hour_and_no_more(clinic: Clinic) -> None:
    clinic.restart(SYNC_BRAKE_POSTS_PER_HOUR="2")
    clinic.a_patient()
    for hour in range(3):
        for number in range(2):
            clinic.a_document(clinic.a_session(), f"# Plan\n\nDocument {number} of hour {hour} {'again ' * hour}.")
        assert clinic.tick().tally.posted == 2
        clinic.clock.advance(3700)


def test_one_resume_releases_all_that_waited_and_the_brake_is_told_until_then(clinic: Clinic) -> None:
    clinic.restart(SYNC_BRAKE_POSTS_PER_HOUR="3")
    clinic.a_patient()
    for number in range(12):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nDocument {number} says {'again ' * number}.")
    assert [report.trouble.code for report in clinic.ticks(2)] == ["brake", "brake"]
    decisions(clinic).resume(None, clinic.clock.now())
    clinic.tick()
    assert clinic.posts() == 12


def test_requests_that_cliniko_refused_do_not_count_for_the_brake(clinic: Clinic) -> None:
    clinic.restart(SYNC_BRAKE_POSTS_PER_HOUR="3")
    clinic.a_finished_document(LETTER)
    clinic.cliniko.fail("post", "403", times=6)
    assert {report.trouble.code for report in clinic.ticks(6)} == {"cliniko_not_a_practitioner"}
    assert clinic.tick().tally.posted == 1
