"""What a claim, its end and each look leave behind: the attempt's row, the entry and the step of the trail, in full."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from sync_worker.errors import EntryMoved, LeaseLost, LedgerError
from sync_worker.ledger.attempts import Claim
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.moves import move
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow, ClinicianRow, EntryRow
from sync_worker.lifecycle import LookTimes, Settlement
from sync_worker.records import Attempt, AttemptKind, Entry, HintSeen, PauseReason, Reason, Status, WaitsOn, Wish
from tests.conftest import MORNING, TestClock
from tests.ledger_steps import DATABASES, NOTE, PATIENT, Bench, an_engine, note_of, successors_bench

LOOKS = LookTimes(first=timedelta(seconds=30), second=timedelta(seconds=120))
TEXT = bytes(range(32))
HINT = HintSeen(bytes(reversed(range(32))), "77")
LATER = MORNING + timedelta(minutes=7)
POSTED = Settlement(Status.POSTED, None, NOTE, "accepted")
DOUBTED = Settlement(Status.IN_DOUBT, None, None, "in_doubt", "http_502")
NOT_SENT = Settlement(Status.PENDING, None, None, "not_sent", "not_connected")
REFUSED = Settlement(Status.REVIEW, Reason.REFUSED, None, "refused", "http_422_title")


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, request.param) as engine:
        yield engine


@pytest.fixture
def bench(engine: Engine, clock: TestClock) -> Bench:
    return successors_bench(engine, clock)


@pytest.fixture
def colleague(bench: Bench) -> Bench:
    """Another clinician's worker on the same ledger."""
    return Bench(bench.ledger, bench.clock, "physio-2")


def rows(bench: Bench, entry: Entry) -> list[dict[str, Any]]:
    """The entry's attempts with everything that is known of them, but their ids."""
    query = sa.select(*AttemptRow.__table__.columns).where(AttemptRow.entry_id == entry.entry_id)
    with reading(bench.ledger.engine) as db:
        found = [dict(row._mapping) for row in db.execute(query.order_by(AttemptRow.number))]
    return [{name: value for name, value in row.items() if name not in ("id", "entry_id")} for row in found]


Told = tuple[str, datetime, str, str | None, str | None, str | None, dict[str, Any]]


def steps(bench: Bench, entry: Entry | None = None) -> list[Told]:
    """The steps of an entry, or those about no entry: event, time, actor, from, to, reason and details."""
    found = [step for step, _ in bench.ledger.trail.steps(None if entry is None else entry.entry_id)]
    return [
        (one.event, one.at, one.actor, one.from_status, one.to_status, one.reason, json.loads(one.details or "{}"))
        for one in found
        if entry is not None or one.entry_id is None
    ]


def change(bench: Bench, entry: Entry, **values: Any) -> Entry:
    """Let the entry have been something else all along."""
    with writing(bench.ledger.engine) as db:
        db.execute(sa.update(EntryRow).where(EntryRow.id == entry.entry_id).values(**values))
    return bench.only(entry.document_id)


# ---------------------------------------------------------------- entries


def test_an_entry_is_read_with_everything_that_is_known_of_it(bench: Bench) -> None:
    bench.a_pending("doc-0")
    entry = bench.a_pending()
    known: dict[str, Any] = {
        "status": Status.POSTED,
        "reason": Reason.REVISED,
        "text_hash": TEXT,
        "text_since": MORNING - timedelta(minutes=1),
        "due_at": MORNING - timedelta(minutes=2),
        "patient_id": PATIENT,
        "pinned": True,
        "bound": False,
        "note_id": NOTE,
        "failures": 3,
        "reference": "7ZK3M0QX",
        "backfilled": True,
        "hint_hash": HINT.hint_hash,
        "hint_link": "77",
        "note_updated_at": MORNING - timedelta(minutes=3),
        "wish": Wish.RECHECK,
        "found_at": MORNING - timedelta(minutes=4),
    }
    stored = change(bench, entry, **known, waived="consent_refused privacy_declined", barred="77 78", asked="desk")
    waived = frozenset({Reason.CONSENT_REFUSED, Reason.PRIVACY_DECLINED})
    passed_on = {"barred": frozenset({"77", "78"}), "asked": WaitsOn.DESK}
    assert stored == replace(entry, **known, waived=waived, **passed_on)
    whose = {"entry_id", "clinician_id", "session_id", "document_id"}
    assert {one.name for one in fields(stored)} == set(known) | whose | {"waived", *passed_on}
    empty = dict.fromkeys(("reason", "patient_id", "hint_hash", "hint_link", "note_updated_at", "wish"))
    other = change(bench, entry, **empty, pinned=False, bound=True, backfilled=False, reference=None)
    assert other == replace(stored, **empty, pinned=False, bound=True, backfilled=False, reference="")


# ---------------------------------------------------------------- the claim


def test_a_claim_records_all_that_the_request_is_about_to_say_and_why(bench: Bench) -> None:
    entry = bench.a_pending()
    bench.clock.advance(60)
    now = bench.clock.now()
    claim = Claim(PATIENT, TEXT, HINT, evidence={"rule": 2, "agrees": ["birth_date"]})
    attempt = bench.ledger.attempts.claim(bench.lease, entry, claim, now=now)
    assert attempt is not None
    assert attempt == Attempt(attempt.attempt_id, entry.entry_id, 1, AttemptKind.CREATE, PATIENT, TEXT, now)
    row = {
        "number": 1,
        "kind": "create",
        "epoch": bench.lease.epoch,
        "patient_id": PATIENT,
        "fingerprint": TEXT,
        "started_at": now,
        "ended_at": None,
        "outcome": None,
        "code": None,
        "looks": 0,
        "looked_at": None,
        "note_id": None,
    }
    assert rows(bench, entry) == [row]
    assert bench.lease.epoch > 1
    why = {"attempt": 1, "patient_id": PATIENT, "rule": 2, "agrees": ["birth_date"]}
    assert steps(bench, entry)[-1] == ("claimed", now, "worker", "pending", "posting", None, why)
    hinted = {"hint_hash": HINT.hint_hash, "hint_link": "77"}
    assert bench.only() == replace(entry, status=Status.POSTING, patient_id=PATIENT, **hinted)


def test_a_claim_forgets_the_charts_that_an_earlier_question_was_about(bench: Bench) -> None:
    entry = change(bench, bench.a_pending(), evidence={"candidates": [{"patient_id": "5"}]})
    assert bench.claim(entry) is not None
    with reading(bench.ledger.engine) as db:
        assert db.execute(sa.select(EntryRow.evidence)).scalar_one() is None


def test_each_document_counts_its_own_attempts(bench: Bench) -> None:
    for document_id in ("doc-2", "doc-1"):
        entry = bench.a_pending(document_id)
        for number in (1, 2, 3):
            attempt = bench.claim(bench.only(document_id))
            assert attempt is not None
            assert attempt.number == number
            bench.settle(attempt, NOT_SENT)
        assert [row["number"] for row in rows(bench, entry)] == [1, 2, 3]


# ---------------------------------------------------------------- the brake


def claimed(bench: Bench, document_id: str, brake: int) -> bool:
    return bench.claim(bench.a_pending(document_id), brake=brake) is not None


def ended(bench: Bench, document_id: str, settlement: Settlement) -> None:
    _, attempt = bench.begun(document_id)
    bench.settle(attempt, replace(settlement, note_id=settlement.note_id and note_of(document_id)))


def test_the_brake_pauses_this_clinician_alone_and_says_why(bench: Bench, colleague: Bench) -> None:
    ended(bench, "doc-2", POSTED)
    ended(bench, "doc-3", POSTED)
    bench.clock.advance(60)
    assert not claimed(bench, "doc-4", brake=2)
    assert bench.only("doc-4").status is Status.PENDING
    told = ("paused", bench.clock.now(), "worker", None, None, "brake", {"posts_per_hour": 2})
    assert steps(bench) == [told]
    clinicians = bench.ledger.clinicians
    assert clinicians.paused_itself(bench.lease.clinician_id) is PauseReason.BRAKE
    assert clinicians.enter("physio-1").paused_at == bench.clock.now()
    assert not clinicians.is_paused(colleague.lease.clinician_id)
    assert claimed(colleague, "doc-5", brake=2)


COUNTED: dict[str, tuple[Settlement | None, bool]] = {
    "filed": (POSTED, True),
    "in doubt": (DOUBTED, True),
    "under way": (None, True),
    "not sent": (NOT_SENT, False),
    "refused": (REFUSED, False),
}


@pytest.mark.parametrize(("settlement", "counts"), COUNTED.values(), ids=COUNTED)
def test_the_brake_counts_each_request_that_may_have_made_a_note(
    bench: Bench, settlement: Settlement | None, counts: bool
) -> None:
    if settlement is None:
        bench.begun("doc-2")
    else:
        ended(bench, "doc-2", settlement)
    assert claimed(bench, "doc-3", brake=1) is not counts


def test_the_brake_counts_the_last_hour_and_not_what_began_before_it(bench: Bench) -> None:
    ended(bench, "doc-2", POSTED)
    bench.clock.advance(3599)
    assert not claimed(bench, "doc-3", brake=1)
    with writing(bench.ledger.engine) as db:
        db.execute(sa.update(ClinicianRow).values(paused_at=None, pause_reason=None))
    bench.clock.advance(1)
    assert bench.claim(bench.only("doc-3"), brake=1) is not None


def test_the_brake_counts_neither_another_clinicians_notes_nor_updates_nor_older_sessions_that_a_person_wanted(
    bench: Bench, colleague: Bench
) -> None:
    ended(colleague, "doc-2", POSTED)
    older = change(bench, bench.a_pending("doc-3"), backfilled=True)
    assert bench.claim(older, brake=1) is not None
    filed = change(bench, bench.a_pending("doc-4"), status=Status.POSTED, note_id=note_of("doc-4"), wish=Wish.UPDATE)
    begin = bench.ledger.amendments.begin
    assert begin(bench.lease, filed, AttemptKind.UPDATE, fingerprint=TEXT, now=bench.clock.now()) is not None
    assert claimed(bench, "doc-5", brake=1)
    assert bench.claim(change(bench, bench.a_pending("doc-6"), backfilled=True), brake=1) is not None
    assert not claimed(bench, "doc-7", brake=1)


def test_who_resumes_releases_all_that_waited_and_the_brake_counts_anew_for_what_comes_later(bench: Bench) -> None:
    ended(bench, "doc-2", POSTED)
    bench.a_pending("doc-4")
    assert not claimed(bench, "doc-3", brake=1)
    Decisions(bench.ledger.engine, "person test").resume(None, bench.clock.now())  # in the moment they were found
    bench.clock.advance(60)
    assert [bench.claim(bench.only(waited), brake=1) is not None for waited in ("doc-3", "doc-4")] == [True, True]
    assert not claimed(bench, "doc-5", brake=1)


def test_the_brake_does_not_count_what_was_sent_before_somebody_resumed(bench: Bench) -> None:
    ended(bench, "doc-2", POSTED)
    assert not claimed(bench, "doc-3", brake=1)
    Decisions(bench.ledger.engine, "person test").resume(None, bench.clock.now())
    bench.clock.advance(60)
    assert claimed(bench, "doc-4", brake=1)
    assert not claimed(bench, "doc-5", brake=1)


# ---------------------------------------------------------------- the end of an attempt


ENDS: dict[str, tuple[Settlement, dict[str, Any], dict[str, Any]]] = {
    "filed": (
        POSTED,
        {"attempt": 1, "note_id": NOTE},
        {"note_id": NOTE, "note_updated_at": LATER, "failures": 0},
    ),
    "arrived changed": (
        Settlement(Status.REVIEW, Reason.CONTENT_CHANGED, NOTE, "accepted", "content_changed"),
        {"attempt": 1, "note_id": NOTE, "code": "content_changed"},
        {"note_id": NOTE, "note_updated_at": LATER},
    ),
    "in doubt": (DOUBTED, {"attempt": 1, "code": "http_502"}, {}),
    "not sent": (NOT_SENT, {"attempt": 1, "code": "not_connected"}, {}),
    "refused": (REFUSED, {"attempt": 1, "code": "http_422_title"}, {}),
}


@pytest.mark.parametrize(("settlement", "why", "values"), ENDS.values(), ids=ENDS)
def test_an_attempts_end_is_told_in_full(
    bench: Bench, settlement: Settlement, why: dict[str, Any], values: dict[str, Any]
) -> None:
    bystander, _ = bench.begun("doc-2")
    change(bench, bench.a_pending(), failures=4)
    entry, attempt = bench.begun()
    before = rows(bench, entry)[0]
    bench.clock.advance(2)
    now, due_at = bench.clock.now(), bench.clock.now() + LOOKS.first
    bench.ledger.attempts.settle(bench.lease, attempt, settlement, now=now, due_at=due_at, note_updated_at=LATER)
    kept = replace(entry, status=settlement.to, reason=settlement.reason, due_at=due_at)
    assert bench.only() == replace(kept, **values)
    end = {"ended_at": now, "outcome": settlement.outcome, "code": settlement.code or None}
    assert rows(bench, entry) == [before | end | {"note_id": settlement.note_id}]
    assert steps(bench, entry)[-1] == ("moved", now, "worker", "posting", settlement.to, settlement.reason, why)
    assert bench.only("doc-2") == bystander
    assert rows(bench, bystander)[0]["ended_at"] is None


def test_an_attempt_whose_entry_was_moved_meanwhile_is_not_ended_either(bench: Bench) -> None:
    entry, attempt = bench.begun()
    change(bench, entry, status=Status.PENDING)
    with pytest.raises(LeaseLost):
        bench.settle(attempt, POSTED)
    assert rows(bench, entry)[0]["ended_at"] is None


def test_what_a_dead_worker_left_open_is_told_as_a_doubt_and_looked_for(bench: Bench) -> None:
    bench.settle(bench.begun()[1], NOT_SENT)
    bench.an_in_doubt("doc-2")
    entry, other = bench.begun()[0], bench.a_posting("doc-3")
    bench.clock.advance(5)
    now = bench.clock.now()
    assert bench.ledger.attempts.doubt_abandoned(bench.lease, now=now, looks=LOOKS) == 2
    for left in (entry, other):
        stands = bench.only(left.document_id)
        assert stands == replace(left, status=Status.IN_DOUBT, due_at=now + LOOKS.first)
        assert (rows(bench, left)[-1]["outcome"], rows(bench, left)[-1]["code"]) == ("in_doubt", "abandoned")
    assert [row["outcome"] for row in rows(bench, entry)] == ["not_sent", "in_doubt"]
    assert steps(bench, entry)[-1][-1] == {"attempt": 2, "code": "abandoned"}


# ---------------------------------------------------------------- looks


def test_the_attempt_in_doubt_is_read_with_everything_that_is_known_of_it(bench: Bench) -> None:
    bench.an_in_doubt("doc-2")
    entry = bench.a_pending()
    claim = Claim(PATIENT, TEXT, HINT)
    attempt = bench.ledger.attempts.claim(bench.lease, entry, claim, now=bench.clock.now())
    assert attempt is not None
    bench.clock.advance(5)
    bench.settle(attempt, DOUBTED)
    doubtful, doubts = bench.ledger.attempts.doubtful(bench.only())
    assert (doubtful, doubts) == (replace(attempt, ended_at=bench.clock.now()), 1)
    later = bench.clock.now() + LOOKS.second
    times = {"now": bench.clock.now(), "looked_at": LATER, "due_at": later}
    bench.ledger.attempts.record_look(bench.lease, doubtful, None, **times)
    doubtful, _ = bench.ledger.attempts.doubtful(bench.only())
    assert (doubtful.looks, doubtful.looked_at) == (1, LATER)


def test_a_look_that_finds_nothing_is_told_and_leaves_other_doubts_alone(bench: Bench) -> None:
    other, entry = bench.an_in_doubt("doc-2"), bench.an_in_doubt()
    before = rows(bench, entry)[0]
    for looks in (1, 2):
        bench.clock.advance(60)
        attempt, _ = bench.ledger.attempts.doubtful(entry)
        now, due_at = bench.clock.now(), bench.clock.now() + LOOKS.second
        bench.ledger.attempts.record_look(bench.lease, attempt, None, now=now, looked_at=LATER, due_at=due_at)
        assert bench.only() == replace(entry, due_at=due_at)
        assert rows(bench, entry) == [before | {"looks": looks, "looked_at": LATER}]
        assert steps(bench, entry)[-1] == ("looked", now, "worker", None, None, None, {"attempt": 1, "looks": looks})
    assert bench.only("doc-2") == other
    assert rows(bench, other)[0]["looks"] == 0


LOOKED: dict[str, tuple[Settlement, dict[str, Any], dict[str, Any]]] = {
    "found": (
        Settlement(Status.POSTED, None, NOTE),
        {"attempt": 1, "note_id": NOTE},
        {"note_id": NOTE, "note_updated_at": LATER, "failures": 0},
    ),
    "absent": (Settlement(Status.PENDING), {"attempt": 1}, {"bound": True}),
    "two notes": (Settlement(Status.REVIEW, Reason.TWO_NOTES), {"attempt": 1}, {}),
}


@pytest.mark.parametrize(("settlement", "why", "values"), LOOKED.values(), ids=LOOKED)
def test_a_look_that_ends_a_doubt_is_told_in_full(
    bench: Bench, settlement: Settlement, why: dict[str, Any], values: dict[str, Any]
) -> None:
    entry = change(bench, bench.an_in_doubt(), failures=4)
    before = rows(bench, entry)[0]
    attempt, _ = bench.ledger.attempts.doubtful(entry)
    bench.clock.advance(60)
    now = bench.clock.now()
    record = bench.ledger.attempts.record_look
    record(bench.lease, attempt, settlement, now=now, looked_at=LATER, due_at=now, note_updated_at=LATER)
    kept = replace(entry, status=settlement.to, reason=settlement.reason, due_at=now)
    assert bench.only() == replace(kept, **values)
    assert rows(bench, entry) == [before | {"looks": 1, "looked_at": LATER, "note_id": settlement.note_id}]
    assert steps(bench, entry)[-1] == ("moved", now, "worker", "in_doubt", settlement.to, settlement.reason, why)


@pytest.mark.parametrize("settlement", [None, Settlement(Status.PENDING)], ids=["no end", "an end"])
def test_a_look_for_what_is_no_longer_in_doubt_says_that_the_entry_moved(
    bench: Bench, settlement: Settlement | None
) -> None:
    entry = bench.an_in_doubt()
    attempt, _ = bench.ledger.attempts.doubtful(entry)
    change(bench, entry, status=Status.REVIEW, reason=Reason.TWO_NOTES)
    times = {"now": MORNING, "looked_at": MORNING, "due_at": LATER}
    with pytest.raises(EntryMoved):
        bench.ledger.attempts.record_look(bench.lease, attempt, settlement, **times)
    assert (rows(bench, entry)[0]["looks"], bench.only().due_at) == (0, entry.due_at)


def test_a_note_of_this_very_entry_is_not_another_ones(bench: Bench) -> None:
    entry = bench.a_posted()
    other = bench.a_pending("doc-2")
    attempts = bench.ledger.attempts
    assert attempts.notes_of_others([NOTE, "8"], other) == {NOTE}
    with writing(bench.ledger.engine) as db:
        db.execute(sa.update(AttemptRow).values(note_id=None))
    assert attempts.notes_of_others([NOTE, "8"], other) == {NOTE}  # the entry alone says so
    assert attempts.notes_of_others([NOTE, "8"], entry) == set()


# ---------------------------------------------------------------- moves


def test_a_persons_own_reason_is_told_in_the_trail_and_the_entrys_reason_stays_its_own(bench: Bench) -> None:
    entry = bench.a_pending()
    with writing(bench.ledger.engine) as db:
        by: dict[str, Any] = {"at": LATER, "actor": "person test", "because": "filed_by_hand"}
        assert move(db, entry.entry_id, Status.PENDING, Status.SKIPPED, reason=Reason.DISMISSED, **by)
    assert (bench.only().status, bench.only().reason) == (Status.SKIPPED, Reason.DISMISSED)
    assert steps(bench, entry)[-1] == ("moved", LATER, "person test", "pending", "skipped", "filed_by_hand", {})
    with reading(bench.ledger.engine) as db:
        assert db.execute(sa.select(EntryRow.status_since)).scalar_one() == LATER


def test_a_move_of_an_entry_that_stands_elsewhere_changes_and_tells_nothing(bench: Bench) -> None:
    entry = bench.a_posted()
    before = bench.everything()
    with writing(bench.ledger.engine) as db:
        assert not move(db, entry.entry_id, Status.PENDING, Status.POSTING, at=LATER, actor="worker")
    assert bench.everything() == before


def test_a_move_that_is_not_allowed_is_named(bench: Bench) -> None:
    entry = bench.a_posted()
    with pytest.raises(LedgerError, match="from posted to pending"), writing(bench.ledger.engine) as db:
        move(db, entry.entry_id, Status.POSTED, Status.PENDING, at=LATER, actor="worker")
