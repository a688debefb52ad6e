"""The ledger's promises, on both databases: what is recorded, who may move it, and what no database may ever hold."""

import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from sync_worker import lifecycle
from sync_worker.errors import EntryMoved, LeaseLost, LedgerError, LedgerUnavailable
from sync_worker.ledger import Ledger, migrate, storage
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.moves import move, require_lease
from sync_worker.ledger.sessions import IntakeRules
from sync_worker.ledger.storage import open_engine, writing
from sync_worker.ledger.tables import AttemptRow, Base, ClinicianRow, EntryRow
from sync_worker.ledger.views import Views
from sync_worker.lifecycle import LookTimes, Settlement
from sync_worker.model import Candidate, Practitioner, Revisions
from sync_worker.records import Entry, KnownSession, Lease, Reason, Status
from tests.conftest import MORNING, TestClock
from tests.ledger_steps import (
    DATABASES,
    NOTE,
    PATIENT,
    RULES,
    SESSION,
    Bench,
    an_engine,
    cutting_in,
    emptied_bench,
    note_of,
    on_connect,
)

SETTLE = timedelta(minutes=10)
LOOKS = LookTimes(first=timedelta(seconds=30), second=timedelta(seconds=120))


@pytest.fixture(scope="module")
def sqlite_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, "sqlite") as engine:
        yield engine


@pytest.fixture(scope="module")
def postgres_engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, "postgres") as engine:
        yield engine


@pytest.fixture(params=DATABASES)
def bench(request: pytest.FixtureRequest, clock: TestClock) -> Bench:
    return emptied_bench(request.getfixturevalue(f"{request.param}_engine"), clock)


@pytest.fixture
def sqlite_bench(sqlite_engine: Engine, clock: TestClock) -> Bench:
    return emptied_bench(sqlite_engine, clock)


@pytest.fixture
def postgres_bench(postgres_engine: Engine, clock: TestClock) -> Bench:
    return emptied_bench(postgres_engine, clock)


@pytest.fixture
def colleague(bench: Bench) -> Bench:
    """Another clinician's worker on the same ledger."""
    return Bench(bench.ledger, bench.clock, "physio-2")


# ---------------------------------------------------------------- taking in sessions


def test_a_document_becomes_an_entry_that_waits_until_its_text_has_rested(bench: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    entry = bench.only()
    assert (entry.session_id, entry.status, entry.reason, entry.note_id) == (SESSION, Status.PENDING, None, None)
    assert entry.text_since == MORNING
    assert due(bench, rested=SETTLE) == []
    bench.clock.advance(SETTLE.total_seconds())
    assert due(bench, rested=SETTLE) == ["doc-1"]
    assert bench.moves(entry) == [(None, "pending", None, "worker")]


def test_reading_a_session_again_changes_nothing_about_its_entries(bench: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    before = bench.only()
    bench.clock.advance(300)
    bench.read({"doc-1": "Rest."})
    assert bench.only() == before
    assert len(bench.moves(before)) == 1


def test_an_edit_before_filing_lets_the_text_rest_anew(bench: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    bench.clock.advance(300)
    bench.read({"doc-1": "Rest, and ice."})
    assert bench.only().text_since == MORNING + timedelta(seconds=300)
    bench.clock.advance(599)
    assert due(bench, rested=SETTLE) == []
    bench.clock.advance(1)
    assert due(bench, rested=SETTLE) == ["doc-1"]


def due(bench: Bench, *, rested: timedelta | None = None) -> list[str]:
    """The pending documents that may be filed now."""
    now = bench.clock.now()
    since = None if rested is None else now - rested
    found = bench.ledger.entries.due(bench.lease.clinician_id, Status.PENDING, now, rested_since=since)
    return [entry.document_id for entry in found]


def test_a_document_listed_twice_in_one_answer_makes_one_entry(bench: Bench) -> None:
    once = bench.a_reading({"doc-1": "Rest."})
    seen = replace(once, documents=(once.documents or ()) * 2)
    bench.ledger.sessions.record(bench.lease, [seen, seen], rules=RULES, now=bench.clock.now())
    assert bench.only().status is Status.PENDING


def test_documents_from_before_the_start_are_left_alone_and_later_ones_are_not(bench: Bench) -> None:
    old = RULES.start_at - timedelta(days=1)
    tally = bench.read({"doc-1": "Copied by hand."}, created_at=old, walk_ended={"first_sweep_at": bench.clock.now()})
    bench.clock.advance(60)
    bench.read({"doc-1": "Copied by hand.", "doc-2": "Written today."}, created_at=old)
    assert (bench.only("doc-1").status, bench.only("doc-1").reason) == (Status.SKIPPED, Reason.BEFORE_START)
    assert (bench.only("doc-2").status, tally.skipped) == (Status.PENDING, 1)


def an_old_session_seen_late(bench: Bench) -> Entry:
    old = RULES.start_at - timedelta(days=1)
    bench.read(None, "99", walk_ended={"first_sweep_at": bench.clock.now()})
    bench.clock.advance(60)
    bench.read({"doc-1": "Rest."}, created_at=old)
    return bench.only()


def test_an_old_session_that_turns_up_after_the_first_sweep_is_a_persons_to_decide(bench: Bench) -> None:
    entry = an_old_session_seen_late(bench)
    assert (entry.status, entry.reason) == (Status.REVIEW, Reason.LATE_START)


def test_a_document_that_goes_and_comes_back_is_filed_after_resting_anew(bench: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    assert bench.read({}).skipped == 1
    assert (bench.only().status, bench.only().reason) == (Status.SKIPPED, Reason.GONE)
    bench.clock.advance(900)
    bench.read({"doc-1": "Rest."})
    assert (bench.only().status, bench.only().text_since) == (Status.PENDING, bench.clock.now())


@pytest.mark.parametrize("gone", [True, False], ids=["session gone", "document gone"])
def test_how_often_a_document_failed_counts_no_more_once_it_comes_back(bench: Bench, gone: bool) -> None:
    bench.read({"doc-1": "Rest."})
    failed = lifecycle.FAILURES_BEFORE_REVIEW - 1
    bench.ledger.entries.postpone(bench.lease, bench.only(), due_at=bench.clock.now(), failures=failed)
    bench.read(None if gone else {}, gone=gone)
    assert bench.only().failures == failed
    bench.read({"doc-1": "Rest."})
    assert (bench.only().status, bench.only().failures) == (Status.PENDING, 0)


def test_how_often_a_document_failed_counts_no_more_once_it_can_be_carried(bench: Bench) -> None:
    entry = bench.a_review(reason=Reason.NOT_CARRIED)
    bench.ledger.entries.postpone(bench.lease, entry, due_at=bench.clock.now(), failures=1)
    bench.read({"doc-1": "Plain words."}, entry.session_id)
    assert (bench.only().status, bench.only().failures) == (Status.PENDING, 0)


@pytest.mark.parametrize("gone", [True, False], ids=["session gone", "document gone"])
def test_going_and_coming_back_does_not_slip_past_a_persons_decision(bench: Bench, gone: bool) -> None:
    entry = an_old_session_seen_late(bench)
    old = RULES.start_at - timedelta(days=1)
    bench.read(None if gone else {}, created_at=old, gone=gone)
    bench.read({"doc-1": "Rest."}, created_at=old)
    assert bench.only() == entry


def test_a_dismissed_document_that_goes_and_comes_back_stays_dismissed(bench: Bench) -> None:
    entry = bench.a_review()
    Decisions(bench.ledger.engine, "person test").dismiss(entry.entry_id, "filed_by_hand", bench.clock.now())
    bench.read({}, entry.session_id)
    bench.read({"doc-1": "Rest."}, entry.session_id)
    assert (bench.only().status, bench.only().reason) == (Status.SKIPPED, Reason.DISMISSED)


def test_a_session_that_is_gone_puts_its_waiting_documents_before_a_person(bench: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    assert bench.read(None, gone=True).review == 1
    assert (bench.only().status, bench.only().reason) == (Status.REVIEW, Reason.SOURCE_GONE)
    assert bench.read(None, gone=True).review == 0


def test_a_session_that_was_gone_and_is_there_again_goes_on_where_it_stood(bench: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    bench.read(None, gone=True)
    bench.clock.advance(900)
    bench.read({"doc-1": "Rest."})
    assert (bench.only().status, bench.only().text_since) == (Status.PENDING, bench.clock.now())


def test_what_may_be_in_cliniko_is_not_touched_when_its_source_goes(bench: Bench) -> None:
    steps = (bench.a_posting, bench.a_posted, bench.an_in_doubt, bench.a_revised)
    for number, step in enumerate(steps):
        entry = step(f"doc-{number}")
        for gone in (True, False):
            bench.read(None if gone else {}, entry.session_id, gone=gone)
            assert bench.only(entry.document_id) == entry


@pytest.mark.parametrize(
    ("ask", "status", "reason"), [(True, Status.REVIEW, Reason.REVISED), (False, Status.POSTED, None)]
)
def test_an_edit_after_filing_is_asked_about_once_where_the_practice_wants_it(
    bench: Bench, ask: bool, status: Status, reason: Reason | None
) -> None:
    entry = bench.a_posted()
    rules = IntakeRules(start_at=RULES.start_at, revisions=Revisions.REVIEW if ask else Revisions.IGNORE)
    for _ in range(2):
        bench.read({"doc-1": "Rest, and ice."}, entry.session_id, rules=rules)
    assert (bench.only().status, bench.only().reason, bench.only().note_id) == (status, reason, NOTE)
    assert bench.moves(entry)[3:] == ([("posted", "review", "revised", "worker")] if ask else [])


def test_an_edit_of_what_could_not_be_carried_is_tried_again(bench: Bench) -> None:
    entry = bench.a_review(reason=Reason.NOT_CARRIED)
    bench.read({"doc-1": "Plain words."}, entry.session_id)
    assert bench.only().status is Status.PENDING


@pytest.mark.parametrize("reason", sorted(lifecycle.DOUBTS))
def test_an_edit_during_a_doubt_is_still_noticed_when_the_note_turns_out_to_be_there(
    bench: Bench, reason: Reason
) -> None:
    entry = bench.a_review(reason=reason)
    bench.read({"doc-1": "Rest, and ice."}, entry.session_id)
    Decisions(bench.ledger.engine, "person test").resolve_there(entry.entry_id, NOTE, bench.clock.now())
    bench.read({"doc-1": "Rest, and ice."}, entry.session_id)
    assert (bench.only().status, bench.only().reason) == (Status.REVIEW, Reason.REVISED)


def test_a_session_in_two_clinicians_lists_is_a_persons_to_decide(bench: Bench, colleague: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    assert colleague.read({"doc-1": "Rest."}).review == 1
    assert (bench.only().status, bench.only().reason) == (Status.REVIEW, Reason.SHARED_SESSION)
    assert bench.only().clinician_id == bench.lease.clinician_id


def test_a_persons_decision_about_a_shared_session_stands(bench: Bench, colleague: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    colleague.read({"doc-1": "Rest."})
    Decisions(bench.ledger.engine, "person test").assign(bench.only().entry_id, PATIENT, bench.clock.now())
    colleague.read({"doc-1": "Rest."})
    assert (bench.only().status, bench.only().patient_id) == (Status.PENDING, PATIENT)


def test_a_shared_session_that_a_person_lets_go_on_is_not_held_again(bench: Bench, colleague: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    colleague.read({"doc-1": "Rest."})
    Decisions(bench.ledger.engine, "person test").retry(bench.only().entry_id, bench.clock.now())
    assert colleague.read({"doc-1": "Rest."}).review == 0
    assert (bench.only().status, bench.only().clinician_id) == (Status.PENDING, bench.lease.clinician_id)


@pytest.mark.postgres
def test_two_clinicians_who_read_a_shared_session_at_one_moment_make_one_entry(postgres_bench: Bench) -> None:
    bench, colleague = postgres_bench, Bench(postgres_bench.ledger, postgres_bench.clock, "physio-2")
    with cutting_in(bench.ledger.engine, "INSERT INTO entries", lambda: colleague.read({"doc-1": "Rest."})) as raised:
        bench.read({"doc-1": "Rest."})
    assert raised == []
    assert (bench.only().status, bench.only().reason) == (Status.REVIEW, Reason.SHARED_SESSION)


def test_a_decision_during_a_reading_waits_for_its_end_and_stands(bench: Bench) -> None:
    entry = bench.a_review()

    def assign() -> None:
        Decisions(bench.ledger.engine, "person test").assign(entry.entry_id, PATIENT, bench.clock.now())

    with cutting_in(bench.ledger.engine, "UPDATE entries", assign) as raised:
        bench.read(None, entry.session_id, gone=True)
    assert raised == []
    assert (bench.only().status, bench.only().patient_id) == (Status.PENDING, PATIENT)
    assert [one[2:] for one in bench.moves(entry)[2:]] == [("source_gone", "worker"), (None, "person test")]


# ---------------------------------------------------------------- sessions and the cursor


def test_a_session_that_could_not_be_read_is_remembered_and_read_again(bench: Bench) -> None:
    clinician, yesterday = bench.lease.clinician_id, MORNING - timedelta(days=1)
    bench.read(None, "1", updated_at=yesterday)
    bench.read({}, "2", updated_at=yesterday)
    known = bench.ledger.sessions.known(clinician, ["1", "2", "3"])
    again = MORNING + lifecycle.postponement(1)
    assert known == {
        "1": KnownSession("1", yesterday, MORNING, None, unread=True, retry_at=again),
        "2": KnownSession("2", yesterday, MORNING, MORNING, unread=False, retry_at=None),
    }
    assert to_reread(bench, again - timedelta(seconds=1)) == []
    assert to_reread(bench, again) == ["1"]
    bench.clock.advance(3600)
    bench.read({}, "1", updated_at=yesterday)
    assert to_reread(bench, bench.clock.now()) == []


def test_a_session_that_stays_unreadable_is_tried_at_growing_intervals(bench: Bench) -> None:
    waits = []
    for _ in range(3):
        bench.read(None, "1")
        retry_at = bench.ledger.sessions.known(bench.lease.clinician_id, ["1"])["1"].retry_at
        assert retry_at is not None
        waits.append(retry_at - bench.clock.now())
    assert waits == sorted(set(waits))


def to_reread(bench: Bench, at: datetime) -> list[str]:
    return [row.session_id for row in bench.ledger.sessions.to_reread(bench.lease.clinician_id, at)]


@pytest.mark.parametrize("updated_at", [MORNING, MORNING + timedelta(days=365)], ids=["now", "a stamp from the future"])
def test_a_session_is_read_again_for_two_hours_after_its_last_change(bench: Bench, updated_at: datetime) -> None:
    bench.read({"doc-1": "Rest."}, updated_at=updated_at)
    almost = MORNING + lifecycle.REREAD_FOR - timedelta(seconds=1)
    assert to_reread(bench, almost) == [SESSION]
    assert to_reread(bench, almost + timedelta(seconds=1)) == []


def test_an_edit_keeps_its_session_under_watch_although_the_session_kept_its_stamp(bench: Bench) -> None:
    bench.read({"doc-1": "Rest."})
    bench.clock.advance(7000)
    bench.read({"doc-1": "Rest, and ice."})
    bench.clock.advance(7000)
    assert to_reread(bench, bench.clock.now()) == [SESSION]


def test_the_cursor_only_moves_forward_and_the_first_sweep_stays_the_first(bench: Bench) -> None:
    later = MORNING + timedelta(hours=1)
    bench.read({}, walk_ended={"cursor_at": later, "first_sweep_at": MORNING, "last_poll_at": MORNING})
    bench.read({}, walk_ended={"cursor_at": MORNING, "first_sweep_at": later, "last_poll_at": later})
    state = bench.ledger.clinicians.enter("physio-1")
    assert (state.cursor_at, state.first_sweep_at, state.last_poll_at) == (later, MORNING, later)


def test_the_cursor_never_runs_ahead_of_the_entries(bench: Bench) -> None:
    with pytest.raises(LedgerError):  # the walk's last stamp is unusable, and the page goes with it
        bench.read({"doc-1": "Rest."}, walk_ended={"cursor_at": MORNING, "last_poll_at": datetime(2026, 11, 19)})  # noqa: DTZ001
    assert bench.ledger.clinicians.enter("physio-1").cursor_at is None
    assert bench.ledger.entries.find(SESSION, "doc-1") is None
    assert bench.ledger.sessions.known(bench.lease.clinician_id, [SESSION]) == {}


def test_what_is_remembered_of_a_clinician_is_there_after_a_restart(bench: Bench) -> None:
    clinicians, clinician = bench.ledger.clinicians, bench.lease.clinician_id
    clinicians.remember_start(clinician, MORNING)
    clinicians.remember_start(clinician, MORNING + timedelta(days=1))
    clinicians.remember_link(clinician, linked=True)
    who = Practitioner("3", "4", "A. Physio", "Example Physiotherapy", "Australia/Hobart")
    clinicians.remember_identity(clinician, who, key_hash=bytes(32), now=MORNING)
    clinicians.remember_trouble(clinician, "heidi_unavailable", MORNING)
    state = Views(bench.ledger.engine).clinicians()["physio-1"]
    assert state == clinicians.enter("physio-1")
    assert (state.start_at, state.linked, state.trouble) == (MORNING, True, "heidi_unavailable")
    assert (state.cliniko_user_id, state.cliniko_practitioner_id, state.time_zone) == ("3", "4", "Australia/Hobart")
    assert (state.key_hash, state.identified_at) == (bytes(32), MORNING)


# ---------------------------------------------------------------- the two commits


def test_a_claim_starts_an_attempt_before_anything_is_sent(bench: Bench) -> None:
    bench.ledger.entries.hold_for_review(
        bench.lease, bench.a_pending(), Reason.NO_MATCH, [Candidate("5", ("name",), ("birth_date",))], now=MORNING
    )
    Decisions(bench.ledger.engine, "person test").retry(bench.only().entry_id, MORNING)
    attempt = bench.claim(bench.only())
    assert attempt is not None
    assert (attempt.number, attempt.patient_id, attempt.ended_at) == (1, PATIENT, None)
    assert (bench.only().status, bench.only().patient_id) == (Status.POSTING, PATIENT)
    life = Views(bench.ledger.engine).entry_life(attempt.entry_id)
    assert life is not None
    assert life.candidates == []
    assert (life.attempts[0]["started_at"], life.attempts[0]["outcome"]) == (bench.clock.now(), None)


def test_only_a_pending_entry_is_claimed(bench: Bench) -> None:
    steps = (bench.a_posting, bench.a_posted, bench.an_in_doubt, bench.a_review, bench.a_skipped, bench.a_withdrawn)
    unclaimable = [step(f"doc-{number}") for number, step in enumerate(steps)]
    assert {entry.status for entry in unclaimable} == set(Status) - {Status.PENDING}
    before = bench.everything()
    assert [bench.claim(entry) for entry in unclaimable] == [None] * 6
    assert bench.everything() == before


def test_an_entry_with_a_note_is_never_claimed_whatever_its_status_says(bench: Bench) -> None:
    entry = bench.a_posted()
    with writing(bench.ledger.engine) as db:
        db.execute(sa.update(EntryRow).values(status=Status.PENDING))
    assert bench.claim(bench.only()) is None
    assert bench.only().note_id == entry.note_id


def test_nobody_claims_another_clinicians_entry(bench: Bench, colleague: Bench) -> None:
    entry = bench.a_pending()
    assert colleague.claim(entry) is None
    assert bench.only().status is Status.PENDING


@pytest.mark.parametrize("everybody", [True, False])
def test_a_pause_forbids_the_claim_until_it_ends(bench: Bench, colleague: Bench, everybody: bool) -> None:
    entry, other = bench.a_pending(), colleague.a_pending("doc-2")
    decisions = Decisions(bench.ledger.engine, "person test")
    decisions.pause(None if everybody else [bench.lease.clinician_id], MORNING)
    assert bench.ledger.clinicians.is_paused(bench.lease.clinician_id)
    assert bench.claim(entry) is None
    assert bench.only().status is Status.PENDING
    assert (colleague.claim(other) is None) is everybody
    decisions.resume(None if everybody else [bench.lease.clinician_id], bench.clock.now())
    assert bench.claim(entry) is not None


def test_of_many_claims_at_one_moment_exactly_one_succeeds(bench: Bench) -> None:
    entry, together = bench.a_pending(), threading.Barrier(4)

    def claim(_: int) -> bool:
        together.wait(10)
        return bench.claim(entry) is not None

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(claim, range(4))) == [False, False, False, True]
    assert bench.attempts(entry) == [(1, None, 0)]


SETTLEMENTS = {
    "accepted": Settlement(Status.POSTED, None, NOTE, "accepted"),
    "accepted but changed": Settlement(Status.REVIEW, Reason.CONTENT_CHANGED, NOTE, "accepted", "content_changed"),
    "refused": Settlement(Status.REVIEW, Reason.REFUSED, None, "refused", "http_422_title"),
    "not sent": Settlement(Status.PENDING, None, None, "not_sent", "not_connected"),
    "in doubt": Settlement(Status.IN_DOUBT, None, None, "in_doubt", "unavailable"),
}


@pytest.mark.parametrize("settlement", SETTLEMENTS.values(), ids=SETTLEMENTS)
def test_an_attempts_end_is_recorded_on_entry_attempt_and_history_at_once(bench: Bench, settlement: Settlement) -> None:
    entry, attempt = bench.begun()
    bench.clock.advance(2)
    bench.settle(attempt, settlement)
    after = bench.only()
    assert (after.status, after.reason, after.note_id) == (settlement.to, settlement.reason, settlement.note_id)
    assert bench.moves(entry)[-1] == ("posting", settlement.to, settlement.reason, "worker")
    life = Views(bench.ledger.engine).entry_life(entry.entry_id)
    assert life is not None
    [ended] = life.attempts
    assert (ended["ended_at"], ended["outcome"]) == (bench.clock.now(), settlement.outcome)
    assert (ended["code"], ended["note_id"]) == (settlement.code or None, settlement.note_id)
    assert (bench.claim(after) is not None) is (settlement.to is Status.PENDING)


def test_an_attempt_ends_once_and_a_late_answer_does_not_end_the_next_one(bench: Bench) -> None:
    _, first = bench.begun()
    bench.settle(first, SETTLEMENTS["not sent"])
    second = bench.claim(bench.only())
    assert second is not None
    assert second.number == 2
    before = bench.everything()
    with pytest.raises(LeaseLost):
        bench.settle(first, SETTLEMENTS["accepted"])
    assert bench.everything() == before


def test_what_a_dead_worker_left_open_is_in_doubt_until_the_first_look(bench: Bench, colleague: Bench) -> None:
    entry, theirs = bench.a_posting(), colleague.a_posting("doc-2")
    successor = bench.ledger.clinicians.take_lease(bench.lease.clinician_id, "successor", bench.clock.now())
    bench.clock.advance(5)
    assert bench.ledger.attempts.doubt_abandoned(successor, now=bench.clock.now(), looks=LOOKS) == 1
    assert bench.only().status is Status.IN_DOUBT
    assert bench.due_at(entry) == bench.clock.now() + LOOKS.first
    assert bench.ledger.attempts.doubtful(entry)[0].ended_at == bench.clock.now()
    assert colleague.only("doc-2") == theirs
    assert bench.ledger.attempts.doubt_abandoned(successor, now=bench.clock.now(), looks=LOOKS) == 0


# ---------------------------------------------------------------- looks


def look(bench: Bench, settlement: Settlement | None, lease: Lease | None = None) -> None:
    attempt, _ = bench.ledger.attempts.doubtful(bench.only())
    now = bench.clock.now()
    bench.ledger.attempts.record_look(
        lease or bench.lease, attempt, settlement, now=now, looked_at=now, due_at=now + LOOKS.second
    )


def test_a_look_that_finds_nothing_is_counted_and_the_next_one_is_set(bench: Bench) -> None:
    entry = bench.an_in_doubt()
    look(bench, None)
    assert bench.only().status is Status.IN_DOUBT
    assert bench.attempts(entry) == [(1, "in_doubt", 1)]
    assert bench.due_at(entry) == bench.clock.now() + LOOKS.second


def test_a_look_that_finds_the_note_ends_the_doubt(bench: Bench) -> None:
    entry = bench.an_in_doubt()
    look(bench, Settlement(Status.POSTED, None, NOTE))
    assert (bench.only().status, bench.only().note_id) == (Status.POSTED, NOTE)
    assert bench.attempts(entry) == [(1, "in_doubt", 1)]
    assert bench.ledger.attempts.notes_of_others([NOTE], bench.a_pending("doc-2"), bench.begun("doc-3")[1]) == {NOTE}


def test_the_one_more_request_after_a_doubt_goes_to_the_same_patient(bench: Bench) -> None:
    bench.an_in_doubt()
    look(bench, Settlement(Status.PENDING))
    after = bench.only()
    assert (after.status, after.patient_id, after.bound, after.pinned) == (Status.PENDING, PATIENT, True, False)


def test_doubts_are_counted_over_all_attempts_and_the_last_one_is_looked_for(bench: Bench) -> None:
    bench.an_in_doubt()
    look(bench, Settlement(Status.PENDING))
    for ending in ("not sent", "in doubt"):
        attempt = bench.claim(bench.only())
        assert attempt is not None
        bench.settle(attempt, SETTLEMENTS[ending])
    attempt, doubts = bench.ledger.attempts.doubtful(bench.only())
    assert (attempt.number, attempt.looks, doubts) == (3, 0, 2)


@pytest.mark.parametrize("settlement", [None, Settlement(Status.PENDING)], ids=["no end", "an end"])
def test_a_look_is_void_once_a_person_has_ended_the_doubt(bench: Bench, settlement: Settlement | None) -> None:
    entry = bench.an_in_doubt()

    def find_it() -> None:
        Decisions(bench.ledger.engine, "person test").resolve_there(entry.entry_id, NOTE, bench.clock.now())

    first = "SELECT clinicians.trail" if _is_postgres(bench) else "BEGIN IMMEDIATE"
    with cutting_in(bench.ledger.engine, first, find_it), pytest.raises(EntryMoved):
        look(bench, settlement)
    assert (bench.only().status, bench.only().note_id) == (Status.POSTED, NOTE)
    assert bench.attempts(entry) == [(1, "in_doubt", 0)]


def _is_postgres(bench: Bench) -> bool:
    return bench.ledger.engine.dialect.name == "postgresql"


def test_notes_of_other_entries_and_of_earlier_attempts_are_not_ours(bench: Bench) -> None:
    bench.a_posted("doc-2")
    entry, first = bench.begun()
    bench.settle(first, SETTLEMENTS["not sent"])
    with writing(bench.ledger.engine) as db:
        db.execute(sa.update(AttemptRow).where(AttemptRow.id == first.attempt_id).values(note_id="7"))
    second = bench.claim(bench.only())
    assert second is not None
    attempts = bench.ledger.attempts
    theirs = note_of("doc-2")
    assert attempts.notes_of_others(["7", "8", theirs], entry, second) == {"7", theirs}
    assert attempts.notes_of_others(["7"], entry, first) == set()
    assert attempts.notes_of_others([], entry, second) == set()


# ---------------------------------------------------------------- moves


def test_the_ledger_refuses_every_move_that_the_table_does_not_name(bench: Bench) -> None:
    entry = bench.a_pending()
    refused = [(from_, to) for from_ in Status for to in Status if not lifecycle.is_allowed(from_, to)]
    for from_, to in refused:
        with pytest.raises(LedgerError), writing(bench.ledger.engine) as db:
            move(db, entry.entry_id, from_, to, at=MORNING, actor="worker")
    assert len(refused) > 20
    assert bench.moves(entry) == [(None, "pending", None, "worker")]


def test_a_move_whose_history_cannot_be_written_does_not_happen(bench: Bench) -> None:
    entry = bench.a_pending()
    with writing(bench.ledger.engine) as db:
        db.exec_driver_sql("ALTER TABLE trail RENAME TO trail_elsewhere")
    with pytest.raises(LedgerUnavailable):
        bench.claim(entry)
    with writing(bench.ledger.engine) as db:
        db.exec_driver_sql("ALTER TABLE trail_elsewhere RENAME TO trail")
    assert bench.only() == entry
    assert bench.attempts(entry) == []


def test_the_history_tells_every_move_with_its_time_and_actor(bench: Bench) -> None:
    entry = bench.a_review()
    bench.clock.advance(60)
    Decisions(bench.ledger.engine, "person test").assign(entry.entry_id, PATIENT, bench.clock.now())
    assert bench.moves(entry) == [
        (None, "pending", None, "worker"),
        ("pending", "review", "no_match", "worker"),
        ("review", "pending", None, "person test"),
    ]
    life = Views(bench.ledger.engine).entry_life(entry.entry_id)
    assert life is not None
    assert [step["at"] for step in life.history] == [MORNING, MORNING, bench.clock.now()]


OUTDATED: dict[str, Callable[[Bench, Entry, Lease], object]] = {
    "claim": lambda bench, entry, lease: bench.claim(entry, lease),
    "postpone": lambda bench, entry, lease: bench.ledger.entries.postpone(lease, entry, due_at=MORNING, failures=1),
    "settle anew": lambda bench, entry, lease: bench.ledger.entries.restart_settling(
        lease, entry, bytes(32), read_at=MORNING
    ),
    "hold": lambda bench, entry, lease: bench.ledger.entries.hold_for_review(lease, entry, Reason.ROUTE, now=MORNING),
    "skip": lambda bench, entry, lease: bench.ledger.entries.skip(lease, entry, Reason.ROUTE, now=MORNING),
    "record": lambda bench, entry, lease: bench.ledger.sessions.record(
        lease, [bench.a_reading(None, entry.session_id, gone=True)], rules=RULES, now=MORNING
    ),
}


def test_a_worker_that_was_taken_over_records_nothing(bench: Bench) -> None:
    entry, old = bench.a_pending(), bench.lease
    bench.ledger.clinicians.take_lease(old.clinician_id, "successor", bench.clock.now())
    before = bench.everything()
    for name, verb in OUTDATED.items():
        with pytest.raises(LeaseLost):
            verb(bench, entry, old)
        assert bench.everything() == before, name


def test_a_worker_that_was_taken_over_ends_neither_its_attempt_nor_a_doubt(bench: Bench) -> None:
    _, attempt = bench.begun()
    bench.an_in_doubt("doc-2")
    doubt, _ = bench.ledger.attempts.doubtful(bench.only("doc-2"))
    bench.ledger.clinicians.take_lease(bench.lease.clinician_id, "successor", bench.clock.now())
    before = bench.everything()
    with pytest.raises(LeaseLost):
        bench.settle(attempt, SETTLEMENTS["accepted"])
    with pytest.raises(LeaseLost):
        bench.ledger.attempts.record_look(
            bench.lease, doubt, Settlement(Status.PENDING), now=MORNING, looked_at=MORNING, due_at=MORNING
        )
    with pytest.raises(LeaseLost):
        bench.ledger.attempts.doubt_abandoned(bench.lease, now=MORNING, looks=LOOKS)
    assert bench.everything() == before


def test_nobody_takes_over_between_the_look_at_the_lease_and_the_claims_commit(bench: Bench) -> None:
    entry, taken = bench.a_pending(), []

    def take_over() -> None:
        taken.append(bench.ledger.clinicians.take_lease(bench.lease.clinician_id, "rival", bench.clock.now()))
        taken.append(bench.only().status)

    with cutting_in(bench.ledger.engine, "INSERT INTO attempts", take_over) as raised:
        assert bench.claim(entry) is not None
    assert raised == []
    assert taken == [Lease(bench.lease.clinician_id, bench.lease.epoch + 1), Status.POSTING]


def test_due_entries_come_once_each_longest_waiting_first_and_only_the_clinicians_own(
    bench: Bench, colleague: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_worker.ledger.entries.PAGE", 2)
    documents = [f"doc-{number}" for number in range(5)]
    bench.read(dict.fromkeys(documents, "Rest."))
    bench.clock.advance(60)
    colleague.a_pending("theirs")
    bench.a_pending("younger")
    bench.ledger.entries.postpone(bench.lease, bench.only("doc-3"), due_at=bench.clock.now(), failures=1)
    found = []
    for entry in bench.ledger.entries.due(bench.lease.clinician_id, Status.PENDING, bench.clock.now()):
        found.append(entry.document_id)
        later = bench.clock.now() + timedelta(seconds=1)
        bench.ledger.entries.postpone(bench.lease, entry, due_at=later, failures=0)
    assert found == ["doc-0", "doc-1", "doc-2", "doc-4", "doc-3", "younger"]
    assert due(bench) == []
    assert bench.ledger.entries.open_counts(bench.lease.clinician_id) == {Status.PENDING: 6}


def test_the_views_count_every_status_and_show_the_longest_waiting_first(bench: Bench) -> None:
    first, _ = bench.a_review("doc-1"), bench.clock.advance(60)
    second = bench.a_review("doc-2", Reason.REFUSED)
    bench.a_posted("doc-3")
    views = Views(bench.ledger.engine)
    assert views.entry_counts() == dict.fromkeys(Status, 0) | {"review": 2, "posted": 1}
    assert views.review_reasons() == {"no_match": 1, "refused": 1}
    assert [(item.entry, item.waiting_on) for item in views.review_list()] == [
        (first.entry_id, "desk"),
        (second.entry_id, "admin"),
    ]
    assert views.oldest_waiting() == MORNING
    assert views.waiting_by_clinician() == {"physio-1": 2}
    assert views.unread_sessions() == 0
    assert views.entry_life(404) is None
    assert views.paused_at() is None


# ---------------------------------------------------------------- promises of the database itself

BROKEN = {
    "two entries of one document": (
        "INSERT INTO entries (clinician_id, region, session_id, document_id, status, status_since, found_at, text_hash,"
        " text_since, due_at, failures, pinned) SELECT clinician_id, region, session_id, document_id, status,"
        " status_since, found_at, text_hash, text_since, due_at, failures, pinned FROM entries"
    ),
    "two entries of one note": "UPDATE entries SET note_id = 'canary-1'",
    "an unknown status": "UPDATE entries SET status = 'canary-1'",
    "posted without a note": "UPDATE entries SET note_id = NULL, status = 'posted'",
    "review without a reason": "UPDATE entries SET status = 'review', reason = NULL",
    "two open attempts": (
        "INSERT INTO attempts (entry_id, number, epoch, patient_id, fingerprint, started_at, looks)"
        " SELECT entry_id, 2, epoch, 'canary-1', fingerprint, started_at, looks FROM attempts WHERE ended_at IS NULL"
    ),
    "one attempt's number twice": (
        "INSERT INTO attempts (entry_id, number, epoch, patient_id, fingerprint, started_at, ended_at, looks)"
        " SELECT entry_id, number, epoch, 'canary-1', fingerprint, started_at, started_at, looks FROM attempts"
    ),
    "a step about no entry": (
        "INSERT INTO trail (clinician_id, number, at, entry_id, event, actor, hash)"
        " SELECT clinician_id, 99, found_at, 404, 'moved', 'canary-1', text_hash FROM entries"
    ),
    "one step's number twice": (
        "INSERT INTO trail (clinician_id, number, at, event, actor, hash)"
        " SELECT clinician_id, 1, found_at, 'moved', 'canary-1', text_hash FROM entries"
    ),
    "one clinician twice": (
        "INSERT INTO clinicians (region, heidi_user_id) SELECT region, heidi_user_id FROM clinicians"
    ),
    "two installations": (
        "INSERT INTO installation (id, hash_key, created_at, decisions)"
        " SELECT 2, hash_key, created_at, decisions FROM installation"
    ),
}


def test_the_database_itself_refuses_what_would_break_a_promise(bench: Bench) -> None:
    bench.a_posted("doc-1")
    bench.a_posting("doc-2")
    before = bench.everything()
    for name, statement in BROKEN.items():
        with pytest.raises(LedgerError) as refused, writing(bench.ledger.engine) as db:
            db.exec_driver_sql(statement)
        assert bench.everything() == before, name
        told = "".join(traceback.format_exception(refused.value))
        assert "canary-1" not in told, name  # neither the statement's values, nor the row that the driver quotes
        assert SESSION[:30] not in told, name


# ---------------------------------------------------------------- hashes and times


def test_a_hash_tells_sameness_and_means_nothing_without_this_ledgers_key(bench: Bench, tmp_path: Path) -> None:
    ledger = bench.ledger
    again = Ledger(ledger.engine, region="au")
    again.prepare_installation(MORNING + timedelta(days=1))
    assert again.keyed_hash("Rest.") == ledger.keyed_hash("Rest.")
    assert ledger.keyed_hash("Rest.") != ledger.keyed_hash("Rest")
    assert len(ledger.keyed_hash("half a pair: \ud83d")) == 32
    other = Ledger(open_engine(f"sqlite:///{tmp_path / 'other.db'}"), region="au")
    migrate.upgrade(other.engine)
    other.prepare_installation(MORNING)
    assert other.keyed_hash("Rest.") != ledger.keyed_hash("Rest.")


def test_five_starting_at_once_agree_on_one_key(bench: Bench) -> None:
    ledger = bench.ledger
    with writing(ledger.engine) as db:
        db.exec_driver_sql("DELETE FROM installation")

    def start(_: int) -> bytes:
        one = Ledger(ledger.engine, region="au")
        one.prepare_installation(MORNING)
        return one.keyed_hash("Rest.")

    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(start, range(5)))) == 1


def test_times_come_back_as_the_same_moment_in_utc(bench: Bench) -> None:
    hobart = datetime(2026, 11, 19, 9, 30, 15, 123456, tzinfo=ZoneInfo("Australia/Hobart"))
    bench.ledger.clinicians.remember_start(bench.lease.clinician_id, hobart)
    found = bench.ledger.clinicians.enter("physio-1").start_at
    assert found == hobart
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_refused_rather_than_guessed(bench: Bench) -> None:
    with pytest.raises(LedgerError):
        bench.ledger.clinicians.remember_start(bench.lease.clinician_id, datetime(2026, 11, 19))  # noqa: DTZ001
    assert bench.ledger.clinicians.enter("physio-1").start_at is None


def test_every_column_of_a_time_is_one_that_keeps_its_zone() -> None:
    stamps = [column for table in Base.metadata.tables.values() for column in table.columns if "_at" in column.name]
    assert len(stamps) > 15
    assert {type(column.type).__name__ for column in stamps} == {"UtcDateTime"}


# ---------------------------------------------------------------- when the database fails


def test_a_full_disk_is_said_in_a_sentence_and_loses_nothing(sqlite_bench: Bench) -> None:
    entry = sqlite_bench.a_pending()
    documents = {f"doc-{number}": "Rest." for number in range(100)}
    full = open_engine(str(sqlite_bench.ledger.engine.url))

    on_connect(full, "PRAGMA max_page_count = 1")  # what is there stays, and not a page more
    seen = [sqlite_bench.a_reading(documents, "many")]
    with pytest.raises(LedgerUnavailable, match="disk of the ledger is full"):
        Ledger(full, region="au").sessions.record(sqlite_bench.lease, seen, rules=RULES, now=MORNING)
    assert sqlite_bench.only() == entry
    assert sqlite_bench.ledger.sessions.known(sqlite_bench.lease.clinician_id, ["many"]) == {}
    sqlite_bench.read(documents, "many")
    assert sqlite_bench.ledger.entries.open_counts(sqlite_bench.lease.clinician_id) == {Status.PENDING: 101}


def test_a_ledger_opened_to_be_read_cannot_be_written(sqlite_bench: Bench) -> None:
    entry = sqlite_bench.a_pending()
    read_only = Ledger(open_engine(str(sqlite_bench.ledger.engine.url), read_only=True), region="au")
    assert read_only.entries.get(entry.entry_id) == entry
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        read_only.clinicians.enter("physio-9")


@pytest.mark.postgres
def test_a_standby_server_is_told_from_a_broken_one(postgres_bench: Bench) -> None:
    entry = postgres_bench.a_pending()
    url = postgres_bench.ledger.engine.url.render_as_string(hide_password=False)
    standby = Ledger(open_engine(url), region="au")
    on_connect(standby.engine, "SET default_transaction_read_only = on")
    assert standby.entries.get(entry.entry_id) == entry
    with pytest.raises(LedgerUnavailable, match="takes no writes"):
        standby.clinicians.enter("physio-9")
    standby.engine.dispose()


def test_a_ledger_locked_for_too_long_is_said_in_a_sentence_and_works_again_afterwards(
    sqlite_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_SECONDS", 0)
    impatient = Ledger(open_engine(str(sqlite_bench.ledger.engine.url)), region="au")
    with writing(sqlite_bench.ledger.engine), pytest.raises(LedgerUnavailable, match="locked for too long"):
        impatient.clinicians.enter("physio-9")
    assert impatient.clinicians.enter("physio-9").heidi_user_id == "physio-9"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"This is a letter, not a ledger." * 40, "names no ledger"), (None, "cannot be opened")],
    ids=["another file", "a folder"],
)
def test_a_file_that_is_no_ledger_is_said_in_a_sentence(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "ledger.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(LedgerUnavailable, match=sentence):
        migrate.upgrade(open_engine(f"sqlite:///{path}"))
    assert content is None or path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnavailable, match="folder cannot be used"):
        open_engine(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")


def test_a_server_that_does_not_answer_is_said_without_its_password() -> None:
    engine = open_engine("postgresql+psycopg://somebody:canary-1@127.0.0.1:1/ledger")
    with pytest.raises(LedgerUnavailable, match="does not answer") as down:
        migrate.upgrade(engine)
    assert "canary-1" not in "".join(traceback.format_exception(down.value))


def test_no_statement_of_the_ledger_ever_shows_its_values(bench: Bench) -> None:
    with pytest.raises(sa.exc.DBAPIError) as broken, bench.ledger.engine.begin() as db:
        db.execute(sa.insert(ClinicianRow), {"region": "au", "heidi_user_id": None, "trouble": "canary-1"})
    assert "canary-1" not in str(broken.value).partition("DETAIL")[0]


@pytest.mark.postgres
def test_two_clinicians_who_share_a_session_do_not_wait_for_each_other(
    request: pytest.FixtureRequest, clock: TestClock
) -> None:
    """One reads the session while the other moves its entry: each needs the other's trail."""
    with an_engine(request, "postgres") as engine:
        reader = emptied_bench(engine, clock)
        owner = Bench(reader.ledger, clock, "physio-2")
        owner.read({"doc-1": "Rest."})
        entry, raised = owner.only(), []

        def read() -> None:
            try:
                reader.read({"doc-1": "Rest."})
            except Exception as error:  # noqa: BLE001 - a thread's errors are the test's to judge
                raised.append(error)

        with writing(engine) as db:
            require_lease(db, owner.lease)
            thread = threading.Thread(target=read)
            thread.start()
            thread.join(0.5)
            assert move(db, entry.entry_id, Status.PENDING, Status.POSTING, at=clock.now(), actor="worker")
        thread.join(30)
        assert raised == []
