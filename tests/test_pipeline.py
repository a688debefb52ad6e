"""The story, one behaviour a test: what a tick makes of sessions and documents. Asserted on the far side."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from sync_worker.ledger.views import Views
from sync_worker.lifecycle import REREAD_FOR
from sync_worker.records import Reason, Status
from sync_worker.reference import reference_of
from tests.conftest import Clinic


def reasons(clinic: Clinic) -> list[str]:
    return [item.reason for item in Views(clinic.ledger.engine).review_list()]


def test_a_finished_document_becomes_one_draft_note_on_its_patient_under_its_clinician(clinic: Clinic) -> None:
    patient_id, session_id, document_id = clinic.a_finished_document(
        "# History\n\nROM <90 & stiff.\n\n# Plan\n\n- rest"
    )
    report = clinic.tick()
    [note] = clinic.notes()
    assert (note.patient_id, note.practitioner_id, note.draft) == (patient_id, clinic.practitioner_id, True)
    reference = reference_of(region="au", session_id=session_id, document_id=document_id)
    assert note.title == f"Letter · 19 Nov 2026 · ref {reference}"
    questions = note.content["sections"][0]["questions"]
    assert [question["name"] for question in questions] == ["History", "Plan", "Source"]
    assert "ROM &lt;90 &amp; stiff." in questions[0]["answer"]
    assert (report.tally.posted, report.tally.pending, report.trouble) == (1, 0, None)


def test_a_second_tick_and_a_second_worker_file_nothing_again(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.ticks(2)
    clinic.restart()
    assert clinic.tick().tally.posted == 0
    assert len(clinic.notes()) == clinic.posts() == 1


def test_the_consult_note_is_never_filed(clinic: Clinic) -> None:
    clinic.a_patient()
    clinic.a_session(consult_note="SOAP: she is well.")
    clinic.tick()
    assert clinic.notes() == []


def test_an_empty_document_makes_no_entry(clinic: Clinic) -> None:
    clinic.a_patient()
    session = clinic.a_session()
    clinic.a_document(session, content="  \n ")
    report = clinic.tick()
    assert clinic.notes() == []
    assert sum(Views(clinic.ledger.engine).entry_counts().values()) == 0
    assert report.tally.documents_seen == 0


def test_a_document_waits_until_its_text_rested(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    _, _, document = clinic.a_finished_document()
    clinic.tick()
    clinic.clock.advance(500)
    clinic.heidi.edit_document(document, "# Plan\n\nRest, and ice.")
    clinic.tick()
    clinic.clock.advance(500)
    clinic.tick()
    assert clinic.notes() == []  # edited 500 seconds ago
    clinic.clock.advance(200)
    clinic.tick()
    assert "Rest, and ice." in clinic.notes()[0].content["sections"][0]["questions"][0]["answer"]


def test_a_rehearsal_does_everything_but_write(clinic: Clinic) -> None:
    clinic.restart(SYNC_MODE="rehearse")
    clinic.a_finished_document()
    clinic.a_document(clinic.a_session("Nobody Known"))
    report = clinic.tick()
    assert clinic.posts() == 0
    assert (report.tally.pending, report.tally.review) == (1, 1)
    clinic.restart(SYNC_MODE="auto")
    assert clinic.tick().tally.posted == 1


def test_a_text_that_changed_unseen_is_rehearsed_once(clinic: Clinic) -> None:
    clinic.restart(SYNC_MODE="rehearse")
    _, _, document = clinic.a_finished_document()
    clinic.tick()
    clinic.clock.advance(REREAD_FOR.total_seconds() + 1)
    clinic.heidi.edit_document(document, "# Plan\n\nRest, and ice.")
    with capture_logs() as told:
        clinic.ticks(3)
    assert [one["event"] for one in told].count("note.rehearsed") == 1


def test_an_edit_after_posting_asks_a_person_and_never_posts_again(clinic: Clinic) -> None:
    _, _, document = clinic.a_finished_document()
    clinic.tick()
    clinic.heidi.edit_document(document, "# Plan\n\nSomething else.")
    clinic.ticks(3)
    assert reasons(clinic) == ["revised"]
    assert clinic.posts() == 1


def test_an_edit_after_posting_is_left_alone_where_the_practice_says_so(clinic: Clinic) -> None:
    clinic.restart(SYNC_REVISIONS="ignore")
    _, _, document = clinic.a_finished_document()
    clinic.tick()
    clinic.heidi.edit_document(document, "# Plan\n\nSomething else.")
    clinic.ticks(2)
    assert reasons(clinic) == []


def test_a_document_deleted_before_filing_is_skipped_and_comes_back_with_it(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    _, session, document = clinic.a_finished_document()
    clinic.tick()
    clinic.heidi.delete_document(document)
    assert clinic.tick().tally.skipped == 1
    counts = Views(clinic.ledger.engine).entry_counts()
    assert (counts["skipped"], counts["pending"]) == (1, 0)
    again = clinic.a_document(session, "# Plan\n\nRest.")
    clinic.tick()
    assert clinic.ledger.entries.find(session, again).status is Status.PENDING


def test_a_session_deleted_before_filing_is_put_before_the_clinician(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    _, session, _ = clinic.a_finished_document()
    clinic.tick()
    clinic.heidi.delete_session(session)
    clinic.clock.advance(700)
    clinic.tick()
    assert reasons(clinic) == ["source_gone"]
    assert clinic.posts() == 0


def test_what_was_there_before_the_start_is_left_alone_and_what_comes_later_is_filed(clinic: Clinic) -> None:
    clinic.restart(SYNC_START_AT="2026-11-19")
    clinic.a_patient()
    old = clinic.a_session(created_at=clinic.clock.now() - timedelta(days=3))
    clinic.a_document(old, "# Plan\n\nCopied by hand long ago.")
    report = clinic.tick()
    assert (clinic.notes(), report.tally.skipped) == ([], 1)
    clinic.a_document(old, "# Letter\n\nWritten today.")
    clinic.tick()
    [note] = clinic.notes()
    assert "Written today." in str(note.content)


def test_without_a_start_the_first_tick_is_the_start(clinic: Clinic) -> None:
    clinic.restart(SYNC_START_AT="")
    clinic.a_finished_document()
    assert clinic.tick().tally.skipped == 1
    clinic.clock.advance(60)
    clinic.a_document(clinic.a_session(created_at=clinic.clock.now()))
    assert clinic.tick().tally.posted == 1


def test_one_bad_document_does_not_stop_the_others(clinic: Clinic) -> None:
    clinic.a_patient()
    clinic.a_document(clinic.a_session(), "<div>" * 500 + "deep")
    clinic.a_document(clinic.a_session(), "# Plan\n\nRest.")
    clinic.tick()
    assert len(clinic.notes()) == 1
    assert reasons(clinic) == ["not_carried"]


def test_a_patient_who_cannot_be_told_apart_waits_for_the_desk(clinic: Clinic) -> None:
    clinic.a_patient()
    clinic.a_patient()
    clinic.a_document(clinic.a_session())
    clinic.tick()
    [item] = Views(clinic.ledger.engine).review_list()
    assert (item.reason, item.waiting_on, len(item.candidates)) == ("several_charts", "desk", 2)
    assert clinic.posts() == 0


@pytest.mark.parametrize(
    ("chart", "session", "reason"),
    [
        ({"accepted_privacy_policy": False}, {}, "privacy_declined"),
        ({}, {"consent_obtained": False}, "consent_refused"),
        ({"archived": True}, {}, "archived_only"),
    ],
)
def test_a_patient_or_session_that_forbids_it_is_held(
    clinic: Clinic, chart: dict[str, object], session: dict[str, object], reason: str
) -> None:
    clinic.a_patient(**chart)
    clinic.a_document(clinic.a_session(**session))
    clinic.tick()
    assert reasons(clinic) == [reason]
    assert clinic.posts() == 0


def test_a_merged_chart_leads_to_the_one_that_survived(clinic: Clinic) -> None:
    old, survivor = clinic.a_patient(), clinic.a_patient()
    clinic.cliniko.merge_patients(old, survivor)
    clinic.a_document(clinic.a_session(ehr_patient_id=old))
    clinic.tick()
    assert [note.patient_id for note in clinic.notes()] == [survivor]


def test_a_session_shared_by_two_clinicians_is_a_persons_to_decide(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    _, session, _ = clinic.a_finished_document()
    clinic.tick()
    other = clinic.ledger.clinicians.enter("physio-2")
    assert clinic.ledger.sessions.known(other.clinician_id, [session]) == {}
    clinic.heidi.add_clinician(email="b.physio@example.com", user_id="physio-2")
    clinic.heidi.share_session(session, "physio-2")
    key = clinic.cliniko.key_of(clinic.cliniko.add_user(first_name="Bo", last_name="Physio"))
    clinic.restart(HEIDI_USER_EMAIL="b.physio@example.com", HEIDI_USER_ID="physio-2", CLINIKO_API_KEY=key)
    clinic.tick()
    assert reasons(clinic) == ["shared_session"]


def test_a_paused_clinician_posts_nothing_until_resumed(clinic: Clinic) -> None:
    from sync_worker.ledger.decisions import Decisions

    clinic.a_finished_document()
    state = clinic.ledger.clinicians.enter("physio-1")
    decisions = Decisions(clinic.ledger.engine, "person test")
    decisions.pause([state.clinician_id], clinic.clock.now())
    clinic.restart()
    assert clinic.tick().tally.pending == 1
    assert clinic.posts() == 0
    decisions.resume(None, clinic.clock.now())
    assert clinic.tick().tally.posted == 1


def test_a_note_that_arrived_changed_is_put_before_the_clinician_and_not_sent_again(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_worker.sandbox.validation.sanitised", lambda answer, tags: answer.replace("not ", ""))
    clinic.a_finished_document("# Plan\n\nDo not rest.")
    clinic.tick()
    clinic.ticks(3)
    [note] = clinic.notes()
    [item] = Views(clinic.ledger.engine).review_list()
    assert (item.reason, item.waiting_on) == ("content_changed", "clinician")
    assert Views(clinic.ledger.engine).entry_life(item.entry).note_id == note.note_id
    assert clinic.posts() == 1


def test_an_account_that_keeps_only_div_and_br_gets_such_a_note(clinic: Clinic) -> None:
    clinic.cliniko.html = "legacy"
    clinic.restart(CLINIKO_HTML="basic")
    clinic.a_finished_document("# Plan\n\n- rest\n- **ice**\n\n| side | ROM |\n|---|---|\n| left | <90 |")
    assert clinic.tick().tally.posted == 1
    assert reasons(clinic) == []


def test_a_key_of_somebody_else_files_nothing(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.tick()
    other = clinic.cliniko.key_of(clinic.cliniko.add_user(first_name="Bo", last_name="Physio"))
    clinic.restart(CLINIKO_API_KEY=other)
    clinic.a_document(clinic.a_session())
    report = clinic.tick()
    assert report.trouble is not None
    assert report.trouble.code == "cliniko_another_key"
    assert clinic.posts() == 1


def test_a_pinned_patient_who_is_archived_meanwhile_is_asked_about_again(clinic: Clinic) -> None:
    from sync_worker.ledger.decisions import Decisions

    patient = clinic.a_patient(first="Maria")
    clinic.a_document(clinic.a_session("Mary Unknown"))
    clinic.tick()
    [item] = Views(clinic.ledger.engine).review_list()
    Decisions(clinic.ledger.engine, "person test").assign(item.entry, patient, clinic.clock.now())
    clinic.cliniko.archive_patient(patient)
    clinic.tick()
    assert reasons(clinic) == [Reason.PATIENT_UNAVAILABLE]
    assert clinic.posts() == 0
