"""What the page asks of the ledger and writes into it, on both databases: lists, counts, looks and decisions."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sync_worker.errors import NotPossible
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.pages import PAGE, Pages, Waiting
from sync_worker.model import Candidate
from sync_worker.records import Reason, Status, WaitsOn, Wish
from tests.conftest import MORNING, TestClock
from tests.ledger_steps import DATABASES, PATIENT, Bench, an_engine, emptied_bench

TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, request.param) as engine:
        yield engine


@pytest.fixture
def bench(engine: Engine, clock: TestClock) -> Bench:
    return emptied_bench(engine, clock)


@pytest.fixture
def pages(bench: Bench) -> Pages:
    return Pages(bench.ledger.engine)


@pytest.fixture
def reception(bench: Bench) -> Decisions:
    return Decisions(bench.ledger.engine, "desk reception")


# ---------------------------------------------------------------- lists and counts


def test_what_waits_is_counted_by_whom_it_waits_for(bench: Bench, pages: Pages, reception: Decisions) -> None:
    for number, reason in enumerate((Reason.NO_MATCH, Reason.SEVERAL_CHARTS, Reason.ROUTE, Reason.REFUSED)):
        bench.a_review(f"doc-1{number}", reason)
    counts = {WaitsOn.DESK: 2, WaitsOn.CLINICIAN: 1, WaitsOn.ADMIN: 1}
    assert pages.waiting_counts() == counts
    assert pages.waiting_counts(Waiting({"physio-1"})) == counts
    assert sum(pages.waiting_counts(Waiting({"physio-2"})).values()) == 0
    first = pages.waiting(Waiting(waits_on=WaitsOn.DESK))[0][0]
    reception.ask_clinician(first.entry_id, MORNING)
    assert pages.waiting_counts() == {WaitsOn.DESK: 1, WaitsOn.CLINICIAN: 2, WaitsOn.ADMIN: 1}


def test_a_long_list_comes_in_pages_that_leave_nothing_out(bench: Bench, pages: Pages, clock: TestClock) -> None:
    for number in range(PAGE + 3):
        bench.a_review("doc-1" + "1" * number)
        clock.advance(1)
    first, has_more = pages.waiting(Waiting())
    second, has_third = pages.waiting(Waiting(), page=2)
    assert (len(first), has_more, len(second), has_third) == (PAGE, True, 3, False)
    ids = [row.entry_id for row in (*first, *second)]
    assert ids == sorted(set(ids))


def test_the_list_is_narrowed_by_reason_and_clinician(bench: Bench, pages: Pages) -> None:
    bench.a_review("doc-11", Reason.NO_MATCH)
    entry = bench.a_review("doc-12", Reason.SEVERAL_CHARTS)
    assert [row.entry_id for row in pages.waiting(Waiting(reason=Reason.SEVERAL_CHARTS))[0]] == [entry.entry_id]
    assert len(pages.waiting(Waiting(heidi_user_id="physio-1"))[0]) == 2
    assert pages.waiting(Waiting(heidi_user_id="physio-2"))[0] == []
    assert pages.waiting(Waiting(whose={"physio-2"}))[0] == []


def test_what_may_be_a_patient_s_is_found_by_the_evidence_of_the_last_look(bench: Bench, pages: Pages) -> None:
    entry = bench.a_pending()
    evidence = [Candidate(PATIENT, ("birth_date",), ("given_name",))]
    bench.ledger.entries.hold_for_review(bench.lease, entry, Reason.NO_MATCH, evidence, now=MORNING)
    assert [row.entry_id for row in pages.perhaps_of_patient(PATIENT)] == [entry.entry_id]
    assert pages.perhaps_of_patient(PATIENT[:-1]) == []
    assert pages.perhaps_of_patient(PATIENT, {"physio-2"}) == []


def test_notes_are_counted_by_the_day_on_which_they_were_filed(bench: Bench, pages: Pages, clock: TestClock) -> None:
    bench.a_posted("doc-11")
    clock.advance(24 * 3600)
    bench.a_posted("doc-12")
    bench.a_posted("doc-13")
    days = [MORNING + timedelta(days=day) - timedelta(hours=1) for day in range(3)]
    assert pages.filed_between(days) == [1, 2]
    assert pages.filed_between(days, {"physio-2"}) == [0, 0]


def test_a_document_that_went_before_it_was_filed_is_told_as_lost(bench: Bench, pages: Pages) -> None:
    entry = bench.a_pending()
    bench.a_review("doc-12")
    assert pages.lost_since(MORNING) == 0
    bench.read({}, entry.session_id)
    assert pages.lost_since(MORNING) == 1
    assert pages.lost_since(MORNING + timedelta(seconds=1)) == 0


# ---------------------------------------------------------------- looks and decisions


def test_a_look_is_written_down_and_keeps_nobody_from_deciding(bench: Bench, pages: Pages) -> None:
    entry = bench.a_review()
    seen = pages.newest_step(entry.entry_id)
    Decisions(bench.ledger.engine, "desk other").saw([entry.clinician_id], MORNING, entry_id=entry.entry_id)
    Decisions(bench.ledger.engine, "desk reception", seen=seen).assign(entry.entry_id, PATIENT, MORNING)
    steps = [(one.step.event, one.step.actor) for one in pages.history(entry_id=entry.entry_id)]
    assert steps[:2] == [("decided", "desk reception"), ("viewed", "desk other")]
    assert bench.ledger.trail.breaks() == []


def test_who_saw_less_than_has_happened_is_asked_to_look_again(
    bench: Bench, pages: Pages, reception: Decisions
) -> None:
    entry = bench.a_review()
    seen = pages.newest_step(entry.entry_id)
    reception.ask_clinician(entry.entry_id, MORNING)
    with pytest.raises(NotPossible, match="meanwhile"):
        Decisions(bench.ledger.engine, "clinician ada", seen=seen).dismiss(entry.entry_id, "duplicate", MORNING)
    last = pages.last_decision(entry.entry_id)
    assert last is not None
    assert last.actor == "desk reception"


def test_a_question_that_was_passed_on_is_nobody_s_once_it_is_answered(bench: Bench, reception: Decisions) -> None:
    entry = bench.a_review()
    reception.ask_clinician(entry.entry_id, MORNING)
    assert bench.only().asked is WaitsOn.CLINICIAN
    with pytest.raises(NotPossible, match="asked about entry"):
        reception.ask_clinician(entry.entry_id, MORNING)
    reception.assign(entry.entry_id, PATIENT, MORNING)
    assert bench.only().asked is None


def test_filing_now_lets_the_text_count_as_settled(bench: Bench, reception: Decisions) -> None:
    entry = bench.a_pending()
    reception.file_now(entry.entry_id, MORNING, settle=TEN_MINUTES)
    assert bench.only().text_since == entry.text_since - TEN_MINUTES
    with pytest.raises(NotPossible):
        reception.file_now(bench.a_posted("doc-12").entry_id, MORNING, settle=TEN_MINUTES)


def test_a_revised_draft_is_updated_on_a_person_s_wish_only_where_it_was_revised(
    bench: Bench, reception: Decisions
) -> None:
    entry = bench.a_revised()
    reception.update_draft(entry.entry_id, MORNING)
    assert (bench.only().status, bench.only().wish) == (Status.POSTED, Wish.UPDATE_ASKED)
    with pytest.raises(NotPossible):
        reception.update_draft(bench.a_review("doc-12").entry_id, MORNING)


def test_the_wrong_patient_stops_the_clinician_and_bars_the_chart_in_one_step(
    bench: Bench, reception: Decisions
) -> None:
    entry = bench.a_posted()
    reception.wrong_patient(entry.entry_id, MORNING)
    barred = bench.only()
    assert (barred.wish, barred.barred) == (Wish.WITHDRAW, frozenset({PATIENT}))
    assert bench.ledger.clinicians.is_paused(entry.clinician_id)
    with pytest.raises(NotPossible, match="has no note"):
        reception.wrong_patient(bench.a_review("doc-12").entry_id, MORNING)
