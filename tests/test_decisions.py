"""People's decisions: each one from each status is either done or refused with a sentence, and never half done."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sync_worker.errors import NotPossible
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import Views
from sync_worker.lifecycle import Settlement
from sync_worker.records import Entry, Reason, Status
from tests.conftest import MORNING, Clinic, TestClock
from tests.ledger_steps import DATABASES, PATIENT, Bench, an_engine, cutting_in, emptied_bench, note_of

OTHER_PATIENT, OTHER_NOTE = "1000000000000000002", "2000000000000000002"


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, request.param) as engine:
        yield engine


@pytest.fixture
def bench(engine: Engine, clock: TestClock) -> Bench:
    return emptied_bench(engine, clock)


@pytest.fixture
def decisions(bench: Bench) -> Decisions:
    return Decisions(bench.ledger.engine, "person Ada")


def review(reason: Reason) -> Callable[[Bench, str], Entry]:
    return lambda bench, document_id: bench.a_review(document_id, reason)


def arrived_changed(bench: Bench, document_id: str) -> Entry:
    _, attempt = bench.begun(document_id)
    note_id = note_of(document_id)
    bench.settle(attempt, Settlement(Status.REVIEW, Reason.CONTENT_CHANGED, note_id, "accepted", "content_changed"))
    return bench.only(document_id)


STANDS: dict[str, Callable[[Bench, str], Entry]] = {
    "pending": Bench.a_pending,
    "posting": Bench.a_posting,
    "posted": Bench.a_posted,
    "in doubt": Bench.an_in_doubt,
    "no match": Bench.a_review,
    "refused": review(Reason.REFUSED),
    "late start": review(Reason.LATE_START),
    "twice in doubt": review(Reason.TWICE_IN_DOUBT),
    "two notes": review(Reason.TWO_NOTES),
    "doubt, key gone": review(Reason.DOUBT_KEY_GONE),
    "revised": Bench.a_revised,
    "arrived changed": arrived_changed,
    "skipped": Bench.a_skipped,
    "withdrawn": Bench.a_withdrawn,
}

Decide = Callable[[Decisions, Entry, TestClock], None]
DECISIONS: dict[str, Decide] = {
    "assign": lambda people, entry, clock: people.assign(entry.entry_id, OTHER_PATIENT, clock.now()),
    "dismiss": lambda people, entry, clock: people.dismiss(entry.entry_id, "filed_by_hand", clock.now()),
    "retry": lambda people, entry, clock: people.retry(entry.entry_id, clock.now()),
    "there": lambda people, entry, clock: people.resolve_there(entry.entry_id, OTHER_NOTE, clock.now()),
    "not there": lambda people, entry, clock: people.resolve_not_there(entry.entry_id, clock.now()),
}

NOTHING, DOUBT_FIRST = "nothing to decide", "may be in Cliniko already"
HAS_NOTE, NO_DOUBT = "never filed again", "not in doubt"
TABLE: dict[str, list[Status | str]] = {
    #                   assign           dismiss          retry             there            not there
    "pending":         [NOTHING,         NOTHING,         Status.PENDING,   NO_DOUBT,        NO_DOUBT],
    "posting":         [NOTHING,         NOTHING,         NOTHING,          NO_DOUBT,        NO_DOUBT],
    "posted":          [NOTHING,         NOTHING,         NOTHING,          NO_DOUBT,        NO_DOUBT],
    "in doubt":        [NOTHING,         NOTHING,         NOTHING,          Status.POSTED,   Status.PENDING],
    "no match":        [Status.PENDING,  Status.SKIPPED,  Status.PENDING,   NO_DOUBT,        NO_DOUBT],
    "refused":         [Status.PENDING,  Status.SKIPPED,  Status.PENDING,   NO_DOUBT,        NO_DOUBT],
    "late start":      [Status.PENDING,  Status.SKIPPED,  Status.PENDING,   NO_DOUBT,        NO_DOUBT],
    "twice in doubt":  [DOUBT_FIRST,     DOUBT_FIRST,     Status.IN_DOUBT,  Status.POSTED,   Status.PENDING],
    "two notes":       [DOUBT_FIRST,     DOUBT_FIRST,     Status.IN_DOUBT,  Status.POSTED,   Status.PENDING],
    "doubt, key gone": [DOUBT_FIRST,     DOUBT_FIRST,     Status.IN_DOUBT,  Status.POSTED,   Status.PENDING],
    "revised":         [HAS_NOTE,        Status.POSTED,   HAS_NOTE,         NO_DOUBT,        NO_DOUBT],
    "arrived changed": [HAS_NOTE,        Status.POSTED,   HAS_NOTE,         NO_DOUBT,        NO_DOUBT],
    "skipped":         [NOTHING,         NOTHING,         NOTHING,          NO_DOUBT,        NO_DOUBT],
    "withdrawn":       [NOTHING,         NOTHING,         NOTHING,          NO_DOUBT,        NO_DOUBT],
}  # fmt: skip


@pytest.mark.parametrize("stand", STANDS)
def test_a_decision_that_does_not_fit_where_an_entry_stands_is_refused_with_a_sentence(
    bench: Bench, decisions: Decisions, stand: str
) -> None:
    entry = STANDS[stand](bench, "doc-1")
    before = bench.everything()
    for (name, decide), ending in zip(DECISIONS.items(), TABLE[stand], strict=True):
        if not isinstance(ending, Status):
            with pytest.raises(NotPossible, match=ending) as refused:
                decide(decisions, entry, bench.clock)
            assert f"ntry {entry.entry_id} " in str(refused.value), name
            assert str(refused.value).endswith((".", "`.")), name
    assert bench.everything() == before


@pytest.mark.parametrize("stand", [name for name, row in TABLE.items() if any(isinstance(one, Status) for one in row)])
def test_a_decision_that_fits_is_done_told_in_the_history_and_wakes_the_worker(
    bench: Bench, decisions: Decisions, stand: str
) -> None:
    for (name, decide), ending in zip(DECISIONS.items(), TABLE[stand], strict=True):
        if isinstance(ending, Status):
            entry, woken = STANDS[stand](bench, name), bench.ledger.decisions()
            decide(decisions, entry, bench.clock)
            assert bench.only(name).status is ending, name
            assert bench.ledger.decisions() == woken + 1
            moved = [(entry.status, ending)] if entry.status is not ending else []
            assert [one[:2] for one in bench.moves(entry) if one[3] == "person Ada"] == moved


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_about_an_entry_that_is_not_there_says_so(bench: Bench, decisions: Decisions, name: str) -> None:
    entry = bench.a_review()
    with pytest.raises(
        NotPossible, match=r"There is no entry .*: `sync-worker review list` and `sync-worker log` show them\."
    ):
        DECISIONS[name](decisions, replace(entry, entry_id=entry.entry_id + 1), bench.clock)
    assert bench.ledger.decisions() == 0


def test_an_assigned_entry_is_filed_on_that_patient_and_is_due_at_once(bench: Bench, decisions: Decisions) -> None:
    entry = bench.a_review()
    bench.clock.advance(3600)
    decisions.assign(entry.entry_id, OTHER_PATIENT, bench.clock.now())
    after = bench.only()
    assert (after.patient_id, after.pinned, after.reason, after.failures) == (OTHER_PATIENT, True, None, 0)
    assert bench.due_at(entry) == bench.clock.now()


def test_a_dismissal_keeps_the_persons_own_reason_in_the_history(bench: Bench, decisions: Decisions) -> None:
    unfiled, filed = bench.a_review("doc-1"), bench.a_revised("doc-2")
    for entry in (unfiled, filed):
        decisions.dismiss(entry.entry_id, "filed_by_hand", bench.clock.now())
    assert bench.moves(unfiled)[-1] == ("review", "skipped", "filed_by_hand", "person Ada")
    assert bench.moves(filed)[-1] == ("review", "posted", "filed_by_hand", "person Ada")
    assert bench.only("doc-1").reason is Reason.DISMISSED
    assert (bench.only("doc-2").reason, bench.only("doc-2").note_id) == (None, filed.note_id)


def test_a_doubt_that_a_person_ended_as_not_there_goes_to_the_same_patient_again(
    bench: Bench, decisions: Decisions
) -> None:
    entry = bench.a_review(reason=Reason.TWICE_IN_DOUBT)
    decisions.resolve_not_there(entry.entry_id, bench.clock.now())
    assert (bench.only().patient_id, bench.only().bound) == (PATIENT, True)
    assert bench.claim(bench.only()) is not None


def says_it_is_not_there(clinic: Clinic) -> None:
    Decisions(clinic.ledger.engine, "person Ada").resolve_not_there(1, clinic.clock.now())


def retries(clinic: Clinic) -> None:
    Decisions(clinic.ledger.engine, "person Ada").retry(1, clinic.clock.now())


def wants_it_filed_now(clinic: Clinic) -> None:
    Decisions(clinic.ledger.engine, "person Ada").file_now(1, clinic.clock.now(), settle=timedelta(seconds=600))


def edits_it(clinic: Clinic) -> None:
    [session] = clinic.heidi.sessions.values()
    clinic.heidi.edit_document(session.documents[0].document_id, "# Plan\n\nRest, and ice.", touch=True)


def deletes_it_and_brings_it_back(clinic: Clinic) -> None:
    [session] = clinic.heidi.sessions.values()
    kept = session.documents.pop()
    clinic.tick()
    session.documents.append(kept)


@pytest.mark.parametrize("act", [retries, wants_it_filed_now, edits_it, deletes_it_and_brings_it_back])
def test_nothing_is_sent_again_while_the_note_may_still_be_on_its_way_whoever_is_impatient(
    clinic: Clinic, act: Callable[[Clinic], None]
) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("commit_late:90")
    clinic.tick()
    clinic.clock.advance(20)
    says_it_is_not_there(clinic)
    act(clinic)
    for _ in range(11):
        clinic.tick()
        clinic.clock.advance(10)
    assert (len(clinic.notes()), clinic.posts()) == (1, 1)
    assert clinic.tick().tally.pending == 0


@pytest.mark.parametrize("act", [retries, wants_it_filed_now])
def test_what_surely_is_not_there_is_filed_two_minutes_after_the_lost_answer(
    clinic: Clinic, act: Callable[[Clinic], None]
) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("500")
    clinic.tick()
    says_it_is_not_there(clinic)
    act(clinic)
    clinic.clock.advance(115)
    assert clinic.tick().tally.posted == 0
    clinic.clock.advance(10)
    assert (clinic.tick().tally.posted, len(clinic.notes())) == (1, 1)


def test_a_doubt_that_a_person_ended_as_there_is_never_sent_again(bench: Bench, decisions: Decisions) -> None:
    entry = bench.an_in_doubt()
    decisions.resolve_there(entry.entry_id, OTHER_NOTE, bench.clock.now())
    assert bench.only().note_id == OTHER_NOTE
    assert bench.claim(bench.only()) is None


def test_one_note_cannot_be_the_answer_to_two_doubts(bench: Bench, decisions: Decisions) -> None:
    first, second = bench.an_in_doubt("doc-1"), bench.a_review("doc-2", Reason.TWO_NOTES)
    decisions.resolve_there(first.entry_id, OTHER_NOTE, bench.clock.now())
    with pytest.raises(NotPossible, match=f"is entry {first.entry_id}'s already"):
        decisions.resolve_there(second.entry_id, OTHER_NOTE, bench.clock.now())
    assert bench.only("doc-2") == second


# ---------------------------------------------------------------- two people, and the worker


def test_of_two_people_who_decide_at_one_moment_the_second_is_told(bench: Bench) -> None:
    entry, together = bench.a_review(), threading.Barrier(2)

    def decide(name: str) -> str:
        together.wait(10)
        try:
            Decisions(bench.ledger.engine, name).assign(entry.entry_id, name, bench.clock.now())
        except NotPossible as refused:
            return str(refused)
        return name

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(decide, ["Ada", "Bo"]))
    winner = bench.only().patient_id
    assert winner in answers
    assert f"Entry {entry.entry_id} is pending: there is nothing to decide about it." in answers
    assert [one[3] for one in bench.moves(entry)].count(winner or "") == 1


@pytest.mark.parametrize("statement", ["FROM entries", "UPDATE entries"])
def test_a_decision_waits_for_one_that_came_first(bench: Bench, decisions: Decisions, statement: str) -> None:
    first, second = bench.an_in_doubt("doc-1"), bench.an_in_doubt("doc-2")

    def rival() -> None:
        Decisions(bench.ledger.engine, "person Bo").resolve_there(second.entry_id, OTHER_NOTE, bench.clock.now())

    with cutting_in(bench.ledger.engine, statement, rival) as raised:
        decisions.resolve_there(first.entry_id, OTHER_NOTE, bench.clock.now())
    assert [type(error) for error in raised] == [NotPossible]
    assert (bench.only("doc-1").note_id, bench.only("doc-2").note_id) == (OTHER_NOTE, None)


def test_asking_for_a_retry_while_the_worker_files_the_entry_does_not_hasten_its_first_look(
    bench: Bench, decisions: Decisions
) -> None:
    entry = bench.a_pending()
    later = bench.clock.now() + timedelta(seconds=30)

    def file_it() -> None:
        attempt = bench.claim(entry)
        assert attempt is not None
        lost = Settlement(Status.IN_DOUBT, None, None, "in_doubt", "unavailable")
        bench.ledger.attempts.settle(bench.lease, attempt, lost, now=bench.clock.now(), due_at=later)

    with cutting_in(bench.ledger.engine, "UPDATE entries", file_it) as raised:
        decisions.retry(entry.entry_id, bench.clock.now())
    assert raised == []
    assert bench.only().status is Status.IN_DOUBT
    assert bench.due_at(entry) == later


# ---------------------------------------------------------------- pause and resume


def test_a_pause_of_everybody_and_one_of_a_clinician_are_two_things(bench: Bench, decisions: Decisions) -> None:
    one, other = bench.lease.clinician_id, Bench(bench.ledger, bench.clock, "physio-2").lease.clinician_id
    clinicians, views = bench.ledger.clinicians, Views(bench.ledger.engine)
    decisions.pause([one], bench.clock.now())
    assert (clinicians.is_paused(one), clinicians.is_paused(other), views.paused_at()) == (True, False, None)
    decisions.pause(None, bench.clock.now())
    assert (clinicians.is_paused(other), views.paused_at()) == (True, bench.clock.now())
    assert decisions.is_everybody_paused()
    decisions.resume([one], MORNING)
    assert clinicians.is_paused(one)  # everybody still is
    decisions.pause([one], bench.clock.now())
    decisions.resume(None, MORNING)
    assert not clinicians.is_paused(one)
    assert not clinicians.is_paused(other)
    assert not decisions.is_everybody_paused()
    assert bench.ledger.decisions() == 5


def test_a_clinician_may_be_paused_before_their_first_tick(bench: Bench, decisions: Decisions) -> None:
    number = bench.ledger.clinicians.enter("physio-9").clinician_id
    decisions.pause([number], bench.clock.now())
    assert bench.ledger.clinicians.enter("physio-9").clinician_id == number
    newcomer = Bench(bench.ledger, bench.clock, "physio-9")
    assert newcomer.claim(newcomer.a_pending()) is None
    assert bench.ledger.clinicians.enter("physio-9").paused_at == bench.clock.now()
