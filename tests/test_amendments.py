"""What the ledger keeps of each request that updates a note or takes it back, in full, and what it refuses to begin."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from sync_worker.errors import EntryMoved, LeaseLost
from sync_worker.ledger.amendments import Amendments
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AttemptRow
from sync_worker.records import Attempt, AttemptKind, Entry, Reason, Status, Wish
from tests.conftest import MORNING, TestClock
from tests.ledger_steps import DATABASES, NOTE, PATIENT, Bench, an_engine, successors_bench

TEXT = bytes(range(32))
LATER = MORNING + timedelta(minutes=7)
UPDATE, ARCHIVE = AttemptKind.UPDATE, AttemptKind.ARCHIVE


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


@pytest.fixture
def amendments(bench: Bench) -> Amendments:
    return bench.ledger.amendments


def wished(bench: Bench, wish: Wish, document_id: str = "doc-1") -> Entry:
    """A filed document whose note somebody wants changed."""
    entry = bench.a_posted(document_id)
    bench.ledger.entries.change_wish(bench.lease, entry, wish, now=bench.clock.now())
    return bench.only(document_id)


def begun(bench: Bench, entry: Entry, kind: AttemptKind = UPDATE, text: bytes = TEXT) -> Attempt:
    attempt = bench.ledger.amendments.begin(bench.lease, entry, kind, fingerprint=text, now=bench.clock.now())
    assert attempt is not None
    return attempt


def doubted(bench: Bench, entry: Entry, kind: AttemptKind = UPDATE, text: bytes = TEXT) -> Attempt:
    """A request of which nobody knows how it ended."""
    return ended(bench, entry, "in_doubt", kind, text)


def ended(bench: Bench, entry: Entry, outcome: str, kind: AttemptKind = UPDATE, text: bytes = TEXT) -> Attempt:
    attempt, now = begun(bench, entry, kind, text), bench.clock.now()
    bench.ledger.amendments.end_without_success(bench.lease, attempt, outcome, "http_502", now=now, due_at=now)
    return attempt


def row(bench: Bench, attempt: Attempt) -> dict[str, Any]:
    """Everything that is known of an attempt."""
    with reading(bench.ledger.engine) as db:
        query = sa.select(*AttemptRow.__table__.columns).where(AttemptRow.id == attempt.attempt_id)
        return dict(db.execute(query).one()._mapping)


Told = tuple[str, datetime, str, int | None, str | None, str | None, dict[str, Any]]


def newest_step(bench: Bench) -> Told:
    *_, (step, _) = bench.ledger.trail.steps()
    details = json.loads(step.details or "{}")
    return step.event, step.at, step.actor, step.entry_id, step.from_status, step.to_status, details


# ---------------------------------------------------------------- the request


@pytest.mark.parametrize(("kind", "wish"), [(UPDATE, Wish.UPDATE), (ARCHIVE, Wish.WITHDRAW)])
def test_a_request_to_amend_is_recorded_in_full_before_it_leaves(
    bench: Bench, amendments: Amendments, kind: AttemptKind, wish: Wish
) -> None:
    entry = wished(bench, wish)
    bench.clock.advance(60)
    now = bench.clock.now()
    attempt = amendments.begin(bench.lease, entry, kind, fingerprint=TEXT, now=now)
    assert attempt is not None
    assert attempt == Attempt(attempt.attempt_id, entry.entry_id, 2, kind, PATIENT, TEXT, now)
    assert row(bench, attempt) == {
        "id": attempt.attempt_id,
        "entry_id": entry.entry_id,
        "number": 2,
        "kind": kind,
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
    why = {"attempt": 2, "kind": kind.value, "note_id": NOTE, "text": TEXT.hex()}
    assert newest_step(bench) == ("amending", now, "worker", entry.entry_id, None, None, why)
    assert bench.only() == entry


def test_a_request_that_was_left_open_is_in_doubt_as_soon_as_the_next_one_begins(
    bench: Bench, amendments: Amendments
) -> None:
    other = begun(bench, wished(bench, Wish.UPDATE, "doc-2"))
    entry = wished(bench, Wish.UPDATE)
    left = begun(bench, entry)
    Decisions(bench.ledger.engine, "person test").withdraw(entry.entry_id, "wrong_patient", bench.clock.now())
    bench.clock.advance(60)
    now = bench.clock.now()
    before = row(bench, left)
    withdrawal = amendments.begin(bench.lease, bench.only(), ARCHIVE, fingerprint=TEXT, now=now)
    assert withdrawal is not None
    assert withdrawal.number == 3
    assert row(bench, left) == before | {"ended_at": now, "outcome": "in_doubt", "code": "abandoned"}
    told = [step for step, _ in bench.ledger.trail.steps(entry.entry_id) if step.event == "amended"]
    assert [json.loads(step.details or "") for step in told] == [
        {"attempt": 2, "outcome": "in_doubt", "code": "abandoned"}
    ]
    assert row(bench, other)["ended_at"] is None


def test_a_note_that_was_adopted_without_its_patient_can_be_taken_back(bench: Bench) -> None:
    entry = replace(wished(bench, Wish.WITHDRAW), patient_id=None)
    assert begun(bench, entry, ARCHIVE).patient_id == ""


def test_nothing_begins_for_what_changed_since_it_was_read(
    bench: Bench, colleague: Bench, amendments: Amendments
) -> None:
    entry = wished(bench, Wish.UPDATE)
    wished(bench, Wish.UPDATE, "doc-2")
    before = bench.everything()
    for outdated in (replace(entry, wish=Wish.WITHDRAW), replace(entry, status=Status.REVIEW)):
        assert amendments.begin(bench.lease, outdated, UPDATE, fingerprint=TEXT, now=LATER) is None
    assert amendments.begin(colleague.lease, entry, UPDATE, fingerprint=TEXT, now=LATER) is None
    assert amendments.begin(bench.lease, replace(entry, entry_id=404), UPDATE, fingerprint=TEXT, now=LATER) is None
    assert bench.everything() == before


def test_a_pause_stops_an_update_and_no_withdrawal(bench: Bench, amendments: Amendments) -> None:
    update, withdrawal = wished(bench, Wish.UPDATE), wished(bench, Wish.WITHDRAW, "doc-2")
    Decisions(bench.ledger.engine, "person test").pause([bench.lease.clinician_id], MORNING)
    assert amendments.begin(bench.lease, update, UPDATE, fingerprint=TEXT, now=LATER) is None
    assert amendments.begin(bench.lease, withdrawal, ARCHIVE, fingerprint=TEXT, now=LATER) is not None


def test_a_worker_that_was_taken_over_amends_and_records_nothing(bench: Bench, amendments: Amendments) -> None:
    entry = wished(bench, Wish.UPDATE)
    attempt, old = begun(bench, entry), bench.lease
    bench.ledger.clinicians.take_lease(old.clinician_id, "successor", bench.clock.now())
    before = bench.everything()
    with pytest.raises(LeaseLost):
        amendments.begin(old, entry, UPDATE, fingerprint=TEXT, now=LATER)
    with pytest.raises(LeaseLost):
        amendments.end_without_success(old, attempt, "in_doubt", "http_502", now=LATER, due_at=LATER)
    with pytest.raises(LeaseLost):
        amendments.amended(old, entry, attempt, now=LATER, note_updated_at=None)
    with pytest.raises(LeaseLost):
        amendments.record_look(old, attempt, due_at=LATER)
    assert bench.everything() == before


# ---------------------------------------------------------------- its end


def test_a_request_that_did_not_surely_succeed_leaves_the_wish_and_is_told(
    bench: Bench, amendments: Amendments
) -> None:
    other = wished(bench, Wish.UPDATE, "doc-2")
    entry = wished(bench, Wish.UPDATE)
    attempt = begun(bench, entry)
    before = row(bench, attempt)
    bench.clock.advance(2)
    now = bench.clock.now()
    amendments.end_without_success(bench.lease, attempt, "in_doubt", "http_502", now=now, due_at=LATER)
    assert bench.only() == replace(entry, due_at=LATER)
    assert bench.only("doc-2") == other
    assert row(bench, attempt) == before | {"ended_at": now, "outcome": "in_doubt", "code": "http_502"}
    why = {"attempt": 2, "outcome": "in_doubt", "code": "http_502"}
    assert newest_step(bench) == ("amended", now, "worker", entry.entry_id, None, None, why)
    with pytest.raises(LeaseLost):
        amendments.end_without_success(bench.lease, attempt, "refused", "422", now=now, due_at=MORNING)
    assert bench.only().due_at == LATER


@pytest.mark.parametrize("keep", [False, True], ids=["wish over", "wish stays"])
def test_an_update_that_came_true_is_recorded_in_full(bench: Bench, amendments: Amendments, keep: bool) -> None:
    other = wished(bench, Wish.UPDATE, "doc-2")
    elsewhere = begun(bench, other)
    entry = wished(bench, Wish.UPDATE)
    attempt = begun(bench, entry)
    before = row(bench, attempt)
    bench.clock.advance(2)
    now = bench.clock.now()
    kept = {"keep_wish": True} if keep else {}
    amendments.amended(bench.lease, entry, attempt, now=now, note_updated_at=LATER, **kept)
    wish = Wish.UPDATE if keep else None
    assert bench.only() == replace(entry, wish=wish, note_updated_at=LATER, due_at=now)
    assert row(bench, attempt) == before | {"ended_at": now, "outcome": "accepted"}
    why = {"attempt": 2, "outcome": "accepted", "code": ""}
    assert newest_step(bench) == ("amended", now, "worker", entry.entry_id, None, None, why)
    assert bench.only("doc-2") == other
    assert row(bench, elsewhere)["ended_at"] is None


def test_an_update_that_somebody_had_made_already_needs_no_attempt_and_no_step(
    bench: Bench, amendments: Amendments
) -> None:
    entry = wished(bench, Wish.UPDATE)
    before, told = bench.attempts(entry), newest_step(bench)
    amendments.amended(bench.lease, entry, None, now=LATER, note_updated_at=LATER)
    assert bench.only() == replace(entry, wish=None, note_updated_at=LATER, due_at=LATER)
    assert (bench.attempts(entry), newest_step(bench)) == (before, told)


@pytest.mark.parametrize("by_hand", [False, True], ids=["by us", "by hand already"])
def test_a_note_that_was_taken_back_is_withdrawn_and_told_in_full(
    bench: Bench, amendments: Amendments, by_hand: bool
) -> None:
    entry = wished(bench, Wish.WITHDRAW)
    attempt = None if by_hand else begun(bench, entry, ARCHIVE)
    bench.clock.advance(2)
    now = bench.clock.now()
    amendments.amended(bench.lease, entry, attempt, now=now, note_updated_at=None)
    assert bench.only() == replace(entry, status=Status.WITHDRAWN, wish=None)
    why = {"attempt": None if by_hand else 2, "kind": "archive", "note_id": NOTE}
    assert newest_step(bench) == ("amended", now, "worker", entry.entry_id, "posted", "withdrawn", why)
    assert attempt is None or (row(bench, attempt)["ended_at"], row(bench, attempt)["outcome"]) == (now, "accepted")


@pytest.mark.parametrize("wish", [Wish.UPDATE, Wish.WITHDRAW])
def test_what_a_person_changed_meanwhile_is_not_recorded_as_amended(
    bench: Bench, amendments: Amendments, wish: Wish
) -> None:
    entry = wished(bench, wish)
    attempt = begun(bench, entry, ARCHIVE if wish is Wish.WITHDRAW else UPDATE)
    if wish is Wish.WITHDRAW:
        bench.ledger.entries.hold_for_review(bench.lease, entry, Reason.TOUCHED, now=MORNING)
    else:
        bench.ledger.entries.change_wish(bench.lease, entry, Wish.RECHECK, now=MORNING)
    before = bench.everything()
    with pytest.raises(EntryMoved):
        amendments.amended(bench.lease, entry, attempt, now=LATER, note_updated_at=LATER)
    assert bench.everything() == before


# ---------------------------------------------------------------- doubts


def test_the_newest_tries_of_a_kind_whose_end_nobody_knows_are_counted(bench: Bench, amendments: Amendments) -> None:
    other = wished(bench, Wish.UPDATE, "doc-2")
    doubted(bench, other)
    entry = wished(bench, Wish.UPDATE)
    assert amendments.newest(entry, UPDATE) is None
    first = doubted(bench, entry)
    bench.clock.advance(60)
    found = amendments.newest(entry, UPDATE)
    assert found is not None
    assert (found.attempt, found.doubts) == (replace(first, ended_at=MORNING), 1)
    second = begun(bench, entry)
    found = amendments.newest(entry, UPDATE)
    assert found is not None
    assert (found.attempt, found.doubts) == (second, 2)
    assert amendments.newest(entry, ARCHIVE) is None


@pytest.mark.parametrize("outcome", ["refused", "not_sent"])
def test_a_try_whose_end_is_known_ends_the_row_of_doubts(bench: Bench, amendments: Amendments, outcome: str) -> None:
    entry = wished(bench, Wish.UPDATE)
    doubted(bench, entry)
    ended(bench, entry, outcome)
    assert amendments.newest(entry, UPDATE) is None
    newest = doubted(bench, entry)
    found = amendments.newest(entry, UPDATE)
    assert found is not None
    assert (found.attempt.number, found.doubts) == (newest.number, 1)


def test_a_look_that_does_not_find_the_change_is_counted_for_that_try_alone(
    bench: Bench, amendments: Amendments
) -> None:
    other = wished(bench, Wish.UPDATE, "doc-2")
    elsewhere = doubted(bench, other)
    entry = wished(bench, Wish.UPDATE)
    attempt = doubted(bench, entry)
    before = row(bench, attempt)
    for looks in (1, 2):
        amendments.record_look(bench.lease, attempt, due_at=LATER)
        assert row(bench, attempt) == before | {"looks": looks}
    assert bench.only() == replace(entry, due_at=LATER)
    assert (bench.only("doc-2"), row(bench, elsewhere)["looks"]) == (other, 0)


def test_what_the_note_said_when_we_left_it_is_known_by_its_newest_certain_text(
    bench: Bench, amendments: Amendments
) -> None:
    newer, doubtful = bytes(reversed(TEXT)), bytes([7]) * 32
    bench.a_posted("doc-2")
    entry = wished(bench, Wish.UPDATE)
    assert amendments.last_text(entry) == bytes(32)  # as it was filed
    doubted(bench, entry, text=doubtful)
    assert amendments.last_text(entry) == bytes(32)
    amendments.amended(bench.lease, entry, begun(bench, entry, text=TEXT), now=LATER, note_updated_at=None)
    assert amendments.last_text(entry) == TEXT
    entry = bench.only()
    bench.ledger.entries.change_wish(bench.lease, entry, Wish.UPDATE, now=LATER)
    entry = bench.only()
    amendments.amended(bench.lease, entry, begun(bench, entry, text=newer), now=LATER, note_updated_at=None)
    assert amendments.last_text(entry) == newer
    archived = begun(bench, bench.only(), ARCHIVE, text=doubtful)
    with writing(bench.ledger.engine) as db:
        accepted = {"outcome": "accepted", "ended_at": LATER}
        db.execute(sa.update(AttemptRow).where(AttemptRow.id == archived.attempt_id).values(**accepted))
    assert amendments.last_text(entry) == newer  # taking back says nothing new


def test_a_note_found_after_a_doubt_says_what_was_meant_then(bench: Bench, amendments: Amendments) -> None:
    entry = bench.an_in_doubt()
    assert amendments.last_text(replace(entry, note_id=NOTE)) is None
    with writing(bench.ledger.engine) as db:
        db.execute(sa.update(AttemptRow).values(note_id=NOTE))
    assert amendments.last_text(replace(entry, note_id=NOTE)) == bytes(32)
