"""A session is about one patient: what a person said of one of its documents holds for the next one too."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from sync_worker.ledger.tables import EntryRow
from sync_worker.ledger.views import Views
from sync_worker.records import Status
from tests.conftest import Clinic
from tests.test_patients import AN_HOUR, booking, decide, filed_on, planned, reasons

LETTER = "Dear doctor, thank you for sending this man to us with his shoulder, which hurts at night."
HANDOUT = "# Exercises\n\nPendulum swings, ten times a day, as far as it does not hurt."


def filed(clinic: Clinic) -> tuple[str, str]:
    """A session of which one document is filed by the rules, and its chart."""
    anna = clinic.a_patient("Anna", "Smith")
    session = clinic.a_session("Anna Smith")
    clinic.a_document(session)
    clinic.tick()
    assert filed_on(clinic) == [anna]
    clinic.clock.advance(60)
    return session, anna


def first_waiting(clinic: Clinic) -> int:
    return min(item.entry for item in Views(clinic.ledger.engine).review_list())


def take_back(clinic: Clinic, code: str = "wrong_patient") -> None:
    decide(clinic).withdraw(1, code, clinic.clock.now())
    clinic.tick()
    assert clinic.ledger.entries.get(1).status is Status.WITHDRAWN
    clinic.clock.advance(60)


@pytest.mark.parametrize("code", ["wrong_patient", "filed_by_mistake"])
def test_the_next_document_does_not_go_back_to_a_chart_that_a_person_ruled_out(clinic: Clinic, code: str) -> None:
    session, anna = filed(clinic)
    take_back(clinic, code)
    clinic.a_document(session, LETTER, name="Other")
    assert planned(clinic)[-1] == ("review", "patient_changed")
    clinic.tick()
    assert (clinic.posts(), reasons(clinic)) == (1, ["patient_changed"])
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert (clinic.posts(), reasons(clinic)) == (1, ["patient_changed"])
    decide(clinic).assign(first_waiting(clinic), anna, clinic.clock.now())
    clinic.tick()
    assert (clinic.posts(), reasons(clinic)) == (2, [])


@pytest.mark.parametrize("code", ["wrong_text", "wrong_document", "duplicate"])
def test_a_note_taken_back_for_its_documents_sake_says_nothing_against_its_chart(clinic: Clinic, code: str) -> None:
    session, anna = filed(clinic)
    take_back(clinic, code)
    clinic.a_document(session, LETTER, name="Other")
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([anna, anna], [])


def test_the_next_document_does_not_go_back_where_the_wrong_note_had_to_be_taken_away_by_hand(clinic: Clinic) -> None:
    session, _ = filed(clinic)
    clinic.cliniko.finalise_note(clinic.notes()[0].note_id)
    decide(clinic).withdraw(1, "wrong_patient", clinic.clock.now())
    clinic.tick()
    decide(clinic).dismiss(1, "moved_by_hand", clinic.clock.now())
    clinic.a_document(session, LETTER, name="Other")
    clinic.clock.advance(60)
    clinic.tick()
    assert (clinic.posts(), reasons(clinic)) == (1, ["patient_changed"])


def test_a_ruled_out_chart_stays_ruled_out_when_it_is_merged(clinic: Clinic) -> None:
    session, anna = filed(clinic)
    take_back(clinic)
    clinic.cliniko.merge_patients(anna, clinic.a_patient("Anna", "Smith"))
    clinic.a_document(session, LETTER, name="Other")
    clinic.tick()
    assert (clinic.posts(), reasons(clinic)) == (1, ["patient_changed"])


def test_once_the_session_names_the_right_patient_the_next_document_is_filed_there(clinic: Clinic) -> None:
    session, anna = filed(clinic)
    bob = clinic.a_patient("Bob", "Brown", born="1971-01-01")
    take_back(clinic)
    clinic.heidi.edit_patient(session, patient_name="Bob Brown", birth_date="1971-01-01")
    clinic.a_document(session, LETTER, name="Other")
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([anna, bob], [])


def diary_disagrees(clinic: Clinic, bob: str) -> str:
    booked = booking(clinic, bob)
    session = clinic.a_session("Anna Smith")
    clinic.a_document(session)
    clinic.a_document(session, LETTER, name="Other")
    clinic.tick()
    assert reasons(clinic) == ["diary_disagrees"] * 2
    clinic.cliniko.bookings[booked].cancelled_at = clinic.clock.now()
    return session


def consent_refused(clinic: Clinic, bob: str) -> str:
    session = clinic.a_session("Anna Smith", consent_obtained=False)
    clinic.a_document(session)
    clinic.a_document(session, LETTER, name="Other")
    clinic.tick()
    assert reasons(clinic) == ["consent_refused"] * 2
    clinic.heidi.sessions[session].consent_obtained = True
    return session


@pytest.mark.parametrize("held", [diary_disagrees, consent_refused])
def test_what_a_person_said_of_one_document_of_a_session_is_asked_about_the_other(
    clinic: Clinic, held: Callable[[Clinic, str], str]
) -> None:
    """The question that held both has gone by itself; that the first went to Bob has not."""
    clinic.a_patient("Anna", "Smith")
    bob = clinic.a_patient("Bob", "Brown", born="1971-01-01")
    held(clinic, bob)
    decide(clinic).assign(first_waiting(clinic), bob, clinic.clock.now())
    clinic.tick()
    clinic.clock.advance(AN_HOUR)
    assert planned(clinic)[-1] == ("review", "patient_changed")
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([bob], ["patient_changed"])


def test_a_choice_that_is_not_carried_out_yet_counts_too(clinic: Clinic) -> None:
    clinic.a_patient("Anna", "Smith")
    bob = clinic.a_patient("Bob", "Brown", born="1971-01-01")
    diary_disagrees(clinic, bob)
    clinic.cliniko.archive_patient(bob)
    decide(clinic).assign(first_waiting(clinic), bob, clinic.clock.now())
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert (filed_on(clinic), sorted(reasons(clinic))) == ([], ["patient_changed", "patient_unavailable"])


def test_a_document_that_comes_after_a_persons_choice_is_asked_about_and_a_choice_of_its_own_ends_that(
    clinic: Clinic,
) -> None:
    bob = clinic.a_patient("Bob", "Brown", born="1971-01-01")
    session = clinic.a_session("Anna Smith")
    clinic.a_document(session)
    clinic.tick()
    decide(clinic).assign(1, bob, clinic.clock.now())
    clinic.tick()
    anna = clinic.a_patient("Anna", "Smith")
    clinic.a_document(session, LETTER, name="Other")
    clinic.clock.advance(60)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([bob], ["patient_changed"])
    decide(clinic).assign(2, anna, clinic.clock.now())
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([bob, anna], [])


def test_documents_on_either_of_two_merged_charts_are_one_patients(clinic: Clinic) -> None:
    session, anna = filed(clinic)
    kept = clinic.a_patient("Anna", "Smith")
    clinic.cliniko.merge_patients(anna, kept)
    clinic.a_document(session, LETTER, name="Other")
    clinic.a_document(session, HANDOUT, name="Handout")
    clinic.tick()
    assert (filed_on(clinic)[1:], reasons(clinic)) == ([kept, kept], [])


# ---------------------------------------------------------------- a choice, and a session that names another since


def chosen_while_paused(clinic: Clinic, patient: str) -> str:
    """A person gave a document to this patient while nothing is filed; gives back its session."""
    session = clinic.a_session("Anna Smith-Jonez")
    clinic.a_document(session)
    clinic.tick()
    decide(clinic).pause(None, clinic.clock.now())
    decide(clinic).assign(1, patient, clinic.clock.now())
    clinic.tick()
    return session


def go_on(clinic: Clinic) -> None:
    decide(clinic).resume(None, clinic.clock.now())
    clinic.clock.advance(60)
    clinic.tick()


def test_a_choice_does_not_hold_for_somebody_whom_the_session_names_later(clinic: Clinic) -> None:
    anna, bob = clinic.a_patient("Anna", "Smyth"), clinic.a_patient("Bob", "Brown")
    session = chosen_while_paused(clinic, anna)
    clinic.heidi.edit_patient(session, patient_name="Bob Brown")
    assert planned(clinic) == [("review", "patient_changed")]
    go_on(clinic)
    assert (filed_on(clinic), reasons(clinic)) == ([], ["patient_changed"])
    for _ in range(3):
        clinic.clock.advance(AN_HOUR)
        clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["patient_changed"])
    decide(clinic).retry(1, clinic.clock.now())
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["patient_changed"])
    decide(clinic).assign(1, bob, clinic.clock.now())
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([bob], [])


def test_whoever_is_asked_again_may_choose_the_same_patient(clinic: Clinic) -> None:
    anna = clinic.a_patient("Anna", "Smyth")
    session = chosen_while_paused(clinic, anna)
    clinic.heidi.edit_patient(session, patient_name="Bob Brown")
    go_on(clinic)
    decide(clinic).assign(1, anna, clinic.clock.now())
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([anna], [])
    clinic.clock.advance(60)
    clinic.ticks(2)
    assert reasons(clinic) == []


@pytest.mark.parametrize("name", ["anna  SMITH-jonez", "Anna Smyth"])
def test_a_name_that_is_only_mended_leaves_a_choice_as_it_is(clinic: Clinic, name: str) -> None:
    anna = clinic.a_patient("Anna", "Smyth")
    session = chosen_while_paused(clinic, anna)
    clinic.heidi.edit_patient(session, patient_name=name)
    go_on(clinic)
    assert (filed_on(clinic), reasons(clinic)) == ([anna], [])


def test_a_session_that_is_named_as_before_again_is_filed_as_it_was_chosen(clinic: Clinic) -> None:
    anna = clinic.a_patient("Anna", "Smyth")
    session = chosen_while_paused(clinic, anna)
    clinic.heidi.edit_patient(session, patient_name="Bob Brown")
    go_on(clinic)
    clinic.heidi.edit_patient(session, patient_name="Anna Smith-Jonez")
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([anna], [])


def test_a_choice_is_about_whom_the_session_named_when_it_was_last_asked(clinic: Clinic) -> None:
    """It named Cleo first; it was asked again, with the name that the person saw."""
    anna = clinic.a_patient("Anna", "Smyth")
    session = clinic.a_session("Cleo Gray")
    clinic.a_document(session)
    clinic.tick()
    clinic.heidi.edit_patient(session, patient_name="Anna Smith-Jonez")
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    decide(clinic).assign(1, anna, clinic.clock.now())
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([anna], [])


def test_a_choice_that_an_older_version_recorded_is_filed(clinic: Clinic) -> None:
    anna = clinic.a_patient("Anna", "Smyth")
    session = chosen_while_paused(clinic, anna)
    with clinic.ledger.engine.begin() as db:
        db.execute(sa.update(EntryRow).values(hint_hash=None, hint_link=None))
    clinic.heidi.edit_patient(session, patient_name="Bob Brown")
    go_on(clinic)
    assert (filed_on(clinic), reasons(clinic)) == ([anna], [])
