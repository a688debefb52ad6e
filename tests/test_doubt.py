"""Answers lost, bad or late: whatever happens to the one unsafe request, exactly one note comes of a document."""

from collections.abc import Callable

import pytest

from sync_worker.ledger.views import Views
from sync_worker.records import Status
from tests.conftest import Clinic

POST_FAULTS = [
    "drop",
    "commit_then_drop",
    "commit_then_504",
    "500",
    "502_html",
    "503",
    "408",
    "cut_201",
    "bad_json_201",
    "404_html",
    "slow:1.5",
    "commit_late:25",
    "429",
]


class Died(BaseException):
    """The process ends here; nothing may catch it on the way."""


def test_either_database_files_a_document(make_clinic: Callable[[str], Clinic], ledger_url: str) -> None:
    clinic = make_clinic(ledger_url)
    clinic.a_finished_document()
    assert clinic.tick().tally.posted == 1


@pytest.mark.parametrize("fault", POST_FAULTS)
def test_each_fault_of_the_request_ends_in_exactly_one_note(clinic: Clinic, fault: str) -> None:
    patient, _, _ = clinic.a_finished_document()
    clinic.cliniko.fail_post(fault)
    clinic.ticks(5)
    assert [note.patient_id for note in clinic.notes()] == [patient]
    assert Views(clinic.ledger.engine).entry_counts()["posted"] == 1


@pytest.mark.parametrize("fault", POST_FAULTS)
def test_lists_that_lag_a_minute_behind_do_not_make_a_second_note(clinic: Clinic, fault: str) -> None:
    clinic.cliniko.list_lag_seconds = 60
    clinic.a_finished_document()
    clinic.cliniko.fail_post(fault)
    clinic.ticks(6, every=35)
    assert len(clinic.notes()) == 1


def test_nothing_is_sent_again_before_two_looks_found_nothing(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("drop")
    assert clinic.tick().tally.in_doubt == 1
    assert _looks(clinic) == 1  # the one before the first request of a tick
    clinic.clock.advance(20)
    clinic.tick()  # too early to look
    assert _looks(clinic) == 1
    clinic.clock.advance(15)
    clinic.tick()
    assert (_looks(clinic), clinic.posts()) == (2, 1)
    clinic.clock.advance(60)
    clinic.tick()  # the second look waits for two minutes after the attempt
    assert (_looks(clinic), clinic.posts()) == (2, 1)
    clinic.clock.advance(60)
    assert clinic.tick().tally.posted == 1
    assert (_looks(clinic), clinic.posts()) == (4, 2)  # and the one before the first request of this tick


def test_a_failed_look_is_no_look(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("drop")
    clinic.tick()
    clinic.clock.advance(40)
    clinic.cliniko.fail("notes", "500", times=3)
    assert clinic.tick().trouble.code == "cliniko_unavailable"
    clinic.clock.advance(100)
    clinic.tick()
    assert clinic.posts() == 1


def test_a_note_that_the_clinician_archived_edited_or_retitled_meanwhile_is_found(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.tick()
    [note] = clinic.notes()
    clinic.cliniko.edit_note(note.note_id, title="My own title")
    clinic.cliniko.archive_note(note.note_id)
    clinic.clock.advance(40)
    assert clinic.tick().tally.posted == 1
    assert clinic.posts() == 1


def test_a_note_that_a_merge_moved_to_another_chart_is_found(clinic: Clinic) -> None:
    patient, _, _ = clinic.a_finished_document()
    survivor = clinic.a_patient(first="Marie")
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.tick()
    clinic.cliniko.merge_patients(patient, survivor)
    clinic.clock.advance(40)
    assert clinic.tick().tally.posted == 1


def test_the_one_more_request_never_goes_to_another_patient_nor_to_one_that_heidi_now_contradicts(
    clinic: Clinic,
) -> None:
    _, session, _ = clinic.a_finished_document()
    clinic.cliniko.fail_post("drop")
    clinic.tick()
    clinic.a_patient(first="Nora", last="Quinn", born="1971-01-02")
    clinic.heidi.edit_patient(session, patient_name="Nora Quinn", birth_date="1971-01-02")
    clinic.ticks(4)
    [item] = Views(clinic.ledger.engine).review_list()
    assert (item.reason, item.waiting_on) == ("patient_changed", "clinician")
    assert (clinic.notes(), clinic.posts()) == ([], 1)


def test_a_cliniko_that_cannot_write_puts_two_documents_in_doubt_a_tick_and_not_the_whole_backlog(
    clinic: Clinic,
) -> None:
    clinic.a_patient()
    for number in range(8):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nLetter {number}.")
    clinic.cliniko.fail_post("503", times=4)
    first = clinic.tick()
    assert (first.tally.in_doubt, first.tally.pending) == (2, 6)
    clinic.ticks(8)
    assert len(clinic.notes()) == 8
    assert Views(clinic.ledger.engine).entry_counts()["review"] == 0


def test_a_look_that_fails_keeps_no_other_document_waiting(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("drop")
    clinic.tick()
    clinic.clock.advance(60)
    clinic.a_document(clinic.a_session(), "# Another")
    clinic.cliniko.fail("notes", "500", times=3)
    report = clinic.tick()
    assert (report.trouble.code, report.tally.posted, report.tally.in_doubt) == ("cliniko_unavailable", 1, 1)


def test_a_second_doubt_is_looked_for_and_then_a_persons(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("drop", times=2)
    clinic.ticks(8)
    [item] = Views(clinic.ledger.engine).review_list()
    assert item.reason == "twice_in_doubt"
    assert clinic.posts() == 2


def test_a_second_doubt_whose_note_is_there_ends_by_itself(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("drop")
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.ticks(8)
    assert len(clinic.notes()) == 1
    assert Views(clinic.ledger.engine).entry_counts()["posted"] == 1


def test_two_notes_that_are_ours_are_a_persons(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.tick()
    [note] = clinic.notes()
    clinic.cliniko.add_note_by_hand(note.patient_id, note.practitioner_id, note.title, note.content)
    clinic.ticks(3)
    [item] = Views(clinic.ledger.engine).review_list()
    assert item.reason == "two_notes"


def test_a_key_that_went_in_the_middle_of_a_doubt_leaves_it_to_the_admin(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.tick()
    clinic.cliniko.revoke(clinic.cliniko.key_of(clinic.user_id))
    clinic.clock.advance(40)
    report = clinic.tick()
    assert report.trouble.code == "cliniko_key_refused"
    [item] = Views(clinic.ledger.engine).review_list()
    assert (item.reason, item.waiting_on) == ("doubt_key_gone", "admin")


@pytest.mark.parametrize(("fault", "code"), [("401", "cliniko_key_refused"), ("403", "cliniko_not_a_practitioner")])
def test_a_refused_key_leaves_the_entry_pending_and_says_what_to_do(clinic: Clinic, fault: str, code: str) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post(fault)
    report = clinic.tick()
    assert (report.trouble.code, report.tally.pending) == (code, 1)
    assert clinic.tick().tally.posted == 1


def test_a_refused_note_is_the_admins(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("422")
    clinic.ticks(2)
    [item] = Views(clinic.ledger.engine).review_list()
    assert (item.reason, item.waiting_on) == ("refused", "admin")


def test_a_429_waits_for_the_reset_and_files_within_the_tick(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("429")
    before = clinic.clock.now()
    assert clinic.tick().tally.posted == 1
    assert (clinic.clock.now() - before).total_seconds() >= clinic.cliniko.rate_limit_reset_seconds


def test_a_service_that_is_down_costs_no_entry_its_place(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.tick()
    clinic.a_document(clinic.a_session())
    clinic.cliniko.fail("patients", "500", times=60)
    for report in clinic.ticks(8, every=4000):
        assert (report.trouble.code, report.tally.review) == ("cliniko_unavailable", 0)
    assert Views(clinic.ledger.engine).entry_counts()["pending"] == 1


# ---------------------------------------------------------------- the process dies


def _die_before_the_claim(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinic.ledger.attempts, "claim", _die)


def _die_between_the_claim_and_the_request(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinic.worker.pipelines["physio-1"].cliniko, "create_treatment_note", _die)


def _die_between_the_request_and_its_end(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinic.ledger.attempts, "settle", _die)


def _die(*_: object, **__: object) -> None:
    raise Died


@pytest.mark.parametrize(
    "moment",
    [_die_before_the_claim, _die_between_the_claim_and_the_request, _die_between_the_request_and_its_end],
)
def test_a_worker_that_dies_around_the_request_leaves_exactly_one_note(
    make_clinic: Callable[[str], Clinic], ledger_url: str, monkeypatch: pytest.MonkeyPatch, moment: Callable[..., None]
) -> None:
    clinic = make_clinic(ledger_url)
    clinic.a_finished_document()
    moment(clinic, monkeypatch)
    with pytest.raises(Died):
        clinic.worker.pipelines["physio-1"].tick(full=True)
    monkeypatch.undo()
    clinic.restart()
    clinic.ticks(5)
    assert len(clinic.notes()) == 1
    assert Views(clinic.ledger.engine).entry_counts()["posted"] == 1


def test_what_a_dead_worker_left_open_is_never_sent_again_without_looking(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, session, document = clinic.a_finished_document()
    _die_between_the_request_and_its_end(clinic, monkeypatch)
    with pytest.raises(Died):
        clinic.worker.pipelines["physio-1"].tick(full=True)
    monkeypatch.undo()
    clinic.restart()
    assert clinic.ledger.entries.find(session, document).status is Status.POSTING
    assert clinic.tick().tally.in_doubt == 1
    clinic.clock.advance(40)
    clinic.tick()
    assert clinic.posts() == 1


def _looks(clinic: Clinic) -> int:
    return sum("treatment_notes" in one.path and one.method == "GET" for one in clinic.cliniko.requests)
