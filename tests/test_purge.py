"""The nightly purge: what is not needed goes, and a purged ledger files nothing twice and loses nothing."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.errors import LedgerMismatch, LedgerUnavailable
from sync_worker.ledger import copies, files, purge
from sync_worker.ledger.accounts import Accounts, Logins
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.purge import NO_HASH, Purge, Purged
from sync_worker.ledger.storage import open_engine, reading
from sync_worker.ledger.tables import AttemptRow, EntryRow, LoginRow, SessionRow
from sync_worker.ledger.views import Views
from sync_worker.lifecycle import Settlement
from sync_worker.logs import configure_logging
from sync_worker.model import Candidate
from sync_worker.records import Entry, HintSeen, Reason, Role, Status
from sync_worker.upkeep import Upkeep
from tests.conftest import Clinic, TestClock
from tests.ledger_steps import Bench
from tests.test_audit import off

LETTER = (
    "# History\n\nFell off a ladder on Sunday, cannot lift the left arm.\n\n# Plan\n\nRest, ice, and an X-ray first."
)
NEWER = LETTER.replace("an X-ray first", "a sling for a week")
LOOKBACK = timedelta(days=14)
LONG = timedelta(days=60)
OTHERS = ("1000000000000000077", "1000000000000000088")
NAMED = HintSeen(b"n" * 32, OTHERS[1])


@pytest.fixture
def clinic(ledger_url: str, make_clinic: Callable[[str], Clinic]) -> Clinic:
    """A clinic on each kind of ledger in turn."""
    return make_clinic(ledger_url)


@pytest.fixture
def bench(ledger: Any, clock: TestClock) -> Bench:
    return Bench(ledger, clock)


def purged(ledger: Any, clock: TestClock) -> Purged:
    return Purge(ledger.engine, lookback=LOOKBACK).run(clock.now())


def purged_later(clinic: Clinic, after: timedelta = LONG) -> Purged:
    """The nightly purge, with the clinic's own settings, a long time from now."""
    clinic.clock.advance(after.total_seconds())
    return clinic.worker.purge.run(clinic.clock.now())


def row(ledger: Any, entry_id: int) -> Any:
    with reading(ledger.engine) as db:
        return db.execute(sa.select(*EntryRow.__table__.columns).where(EntryRow.id == entry_id)).one()


def fingerprints(ledger: Any, entry_id: int) -> list[bytes]:
    query = sa.select(AttemptRow.fingerprint).where(AttemptRow.entry_id == entry_id).order_by(AttemptRow.number)
    with reading(ledger.engine) as db:
        return [bytes(found) for found in db.execute(query).scalars()]


def sessions(ledger: Any) -> set[str]:
    with reading(ledger.engine) as db:
        return set(db.execute(sa.select(SessionRow.session_id)).scalars())


def asked(bench: Bench, document_id: str = "doc-1") -> Entry:
    """An entry of which a person is asked, with two charts and whom the session named as evidence."""
    candidates = [Candidate(one, ("name",), ("birth_date",)) for one in OTHERS]
    entry, now = bench.a_pending(document_id), bench.clock.now()
    bench.ledger.entries.hold_for_review(bench.lease, entry, Reason.NO_MATCH, candidates, now=now, about=NAMED)
    return bench.only(document_id)


def decided(bench: Bench) -> Decisions:
    return Decisions(bench.ledger.engine, "person test")


def reasons(clinic: Clinic) -> list[str]:
    return [item.reason for item in Views(clinic.ledger.engine).review_list()]


# ---------------------------------------------------------------- what goes


def test_a_settled_question_loses_its_charts_after_a_week_and_the_trail_keeps_what_was_decided(bench: Bench) -> None:
    entry = asked(bench)
    decided(bench).dismiss(entry.entry_id, "filed_by_hand", bench.clock.now())
    steps = list(bench.ledger.trail.steps())
    bench.clock.advance(timedelta(days=6).total_seconds())
    assert purged(bench.ledger, bench.clock) == Purged()
    assert OTHERS[0] in str(row(bench.ledger, entry.entry_id).evidence)
    bench.clock.advance(timedelta(days=2).total_seconds())
    assert purged(bench.ledger, bench.clock) == Purged(evidence=1)
    assert row(bench.ledger, entry.entry_id).evidence is None
    assert purged(bench.ledger, bench.clock) == Purged()
    assert list(bench.ledger.trail.steps()) == steps
    assert bench.ledger.trail.breaks() == []


def test_a_question_that_waits_keeps_its_charts_for_as_long_as_it_waits(bench: Bench) -> None:
    entry = asked(bench)
    bench.clock.advance(timedelta(days=900).total_seconds())
    assert purged(bench.ledger, bench.clock) == Purged()
    [item] = Views(bench.ledger.engine).review_list()
    assert [one["patient_id"] for one in item.candidates] == list(OTHERS)
    decided(bench).assign(entry.entry_id, OTHERS[0], bench.clock.now())
    assert bench.only().hint_hash == NAMED.hint_hash


def test_a_note_that_was_taken_back_leaves_no_hash_of_its_patient_or_its_text(bench: Bench) -> None:
    entry = bench.a_withdrawn()
    before = row(bench.ledger, entry.entry_id)
    assert (before.hint_hash, before.text_hash) != (None, NO_HASH)
    bench.clock.advance(LONG.total_seconds())
    assert purged(bench.ledger, bench.clock).hashes == 2
    after = row(bench.ledger, entry.entry_id)
    assert (after.hint_hash, after.hint_link, bytes(after.text_hash)) == (None, None, NO_HASH)
    assert fingerprints(bench.ledger, entry.entry_id) == [NO_HASH]
    assert (after.note_id, after.patient_id, after.reference) == (before.note_id, before.patient_id, before.reference)


def test_what_a_refused_request_meant_is_forgotten_and_what_a_filed_one_said_is_kept(bench: Bench) -> None:
    entry = bench.a_pending()
    for outcome in ("refused", "accepted"):
        attempt = bench.ledger.attempts.claim(bench.lease, entry, a_claim(), now=bench.clock.now())
        assert attempt is not None
        if outcome == "refused":
            bench.settle(attempt, Settlement(Status.PENDING, None, None, outcome, "http_422"))
            entry = bench.only()
    bench.settle(attempt, Settlement(Status.POSTED, None, "2000000000000000009", "accepted"))
    bench.clock.advance(LONG.total_seconds())
    assert purged(bench.ledger, bench.clock) == Purged(hashes=1)
    assert fingerprints(bench.ledger, entry.entry_id) == [NO_HASH, b"t" * 32]
    assert bench.ledger.amendments.last_text(bench.only()) == b"t" * 32


def a_claim() -> Any:
    from sync_worker.ledger.attempts import Claim

    return Claim(patient_id=OTHERS[0], fingerprint=b"t" * 32, hint=NAMED)


def test_whom_a_person_chose_a_patient_for_is_kept_with_a_dismissed_document(bench: Bench) -> None:
    entry = asked(bench)
    decided(bench).assign(entry.entry_id, OTHERS[0], bench.clock.now())
    held = bench.only()
    bench.ledger.entries.hold_for_review(bench.lease, held, Reason.PATIENT_CHANGED, now=bench.clock.now())
    decided(bench).dismiss(entry.entry_id, "duplicate", bench.clock.now())
    bench.clock.advance(LONG.total_seconds())
    purged(bench.ledger, bench.clock)
    decided(bench).file_after_all(entry.entry_id, bench.clock.now())
    again = bench.only()
    assert (again.pinned, again.patient_id, again.hint_hash) == (True, OTHERS[0], NAMED.hint_hash)


def test_logins_that_are_over_are_forgotten_with_the_page_off_too(bench: Bench) -> None:
    engine, now = bench.ledger.engine, bench.clock.now()
    account = Accounts(engine).add("desk", Role.DESK, "hash", heidi_user_id=None, wants_second_factor=False, now=now)
    Logins(engine).begin(account.account_id, now, second_factor_passed=False)
    bench.clock.advance(3600)
    assert purged(bench.ledger, bench.clock) == Purged(logins=1)
    with reading(engine) as db:
        assert db.execute(sa.select(LoginRow.id)).all() == []


def test_sessions_without_documents_are_forgotten_once_they_have_long_left_the_lookback(clinic: Clinic) -> None:
    clinic.tick()
    clinic.clock.advance(7200)
    _, kept, _ = clinic.a_finished_document(LETTER)
    empty = clinic.a_session("Ann Other")
    clinic.tick()
    assert sessions(clinic.ledger) == {kept, empty}
    assert purged_later(clinic, timedelta(days=43)).sessions == 0
    assert purged_later(clinic, timedelta(days=2)).sessions == 1
    assert sessions(clinic.ledger) == {kept}


def test_a_new_document_on_an_old_session_of_the_first_walk_is_filed_and_not_taken_for_one_copied_by_hand(
    clinic: Clinic,
) -> None:
    clinic.restart(SYNC_START_AT="2026-11-18", SYNC_LOOKBACK_DAYS="100")
    clinic.a_patient()
    old = clinic.a_session(created_at=clinic.clock.now() - timedelta(days=3))
    clinic.tick()
    assert purged_later(clinic, timedelta(days=200)).sessions == 0
    clinic.heidi.add_document(old, name="Letter", content=LETTER, touch=True)
    clinic.ticks(2)
    assert (clinic.posts(), reasons(clinic)) == (1, [])


def test_sessions_that_cannot_be_read_are_tried_for_ever(clinic: Clinic) -> None:
    clinic.tick()
    clinic.clock.advance(7200)
    unread = clinic.a_session()
    clinic.heidi.fail("documents", "500", times=100)
    clinic.tick()
    assert Views(clinic.ledger.engine).unread_sessions() == 1
    assert purged_later(clinic).sessions == 0
    assert sessions(clinic.ledger) == {unread}


def test_what_is_purged_is_not_readable_in_the_file(clock: TestClock, tmp_path: Path, make_clinic: Any) -> None:
    clinic = make_clinic(f"sqlite:///{tmp_path / 'ledger.db'}")
    bench = Bench(clinic.ledger, clock)
    for number in range(9):
        asked(bench, f"doc-{number}")
    # the trail goes on naming the charts that were compared; whom the session named is in the evidence alone
    mark = NAMED.hint_hash.hex().encode()
    file = tmp_path / "ledger.db"
    assert mark in file.read_bytes()
    for number in range(9):
        decided(bench).dismiss(bench.only(f"doc-{number}").entry_id, "duplicate", clock.now())
    clock.advance(LONG.total_seconds())
    assert purged(clinic.ledger, clock).evidence == 9
    assert mark not in file.read_bytes()


def test_a_night_takes_so_many_rows_and_the_next_one_the_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    monkeypatch.setattr(purge, "MOST_A_NIGHT", 4)
    for number in range(5):
        decided(bench).dismiss(asked(bench, f"doc-{number}").entry_id, "duplicate", bench.clock.now())
    bench.clock.advance(LONG.total_seconds())
    assert [purged(bench.ledger, bench.clock).evidence for _ in range(3)] == [4, 1, 0]


def test_a_service_that_is_stopping_ends_its_purge(bench: Bench) -> None:
    decided(bench).dismiss(asked(bench).entry_id, "duplicate", bench.clock.now())
    bench.clock.advance(LONG.total_seconds())
    stopped = Purge(bench.ledger.engine, lookback=LOOKBACK).run(bench.clock.now(), is_stopping=lambda: True)
    assert stopped == Purged()


def test_a_ledger_that_was_moved_away_is_not_purged(bench: Bench) -> None:
    decided(bench).dismiss(asked(bench).entry_id, "duplicate", bench.clock.now())
    bench.clock.advance(LONG.total_seconds())
    with bench.ledger.engine.begin() as db:
        db.execute(sa.text("UPDATE installation SET retired_at = created_at"))
    with pytest.raises(LedgerMismatch):
        purged(bench.ledger, bench.clock)
    assert OTHERS[0] in str(row(bench.ledger, 1).evidence)


# ---------------------------------------------------------------- nothing twice, nothing lost


def test_a_lookback_that_is_widened_over_a_purged_time_files_nothing_twice_and_finds_what_is_new(
    clinic: Clinic,
) -> None:
    clinic.tick()
    clinic.clock.advance(7200)
    clinic.a_finished_document(LETTER)
    empty = clinic.a_session("Mary Jones")
    clinic.tick()
    assert purged_later(clinic).sessions == 1
    clinic.heidi.add_document(empty, name="Late letter", content=NEWER, touch=False)
    clinic.tick()
    clinic.restart(SYNC_LOOKBACK_DAYS="365")
    clinic.ticks(3)
    assert (len(clinic.notes()), clinic.posts(), reasons(clinic)) == (2, 2, [])
    assert clinic.worker.alarms() == []  # that no poll listed the session is no surprise
    assert off(clinic, "--since", "2026-11-01") == []


def test_a_backfill_over_a_purged_time_files_nothing_twice(clinic: Clinic) -> None:
    clinic.tick()
    clinic.clock.advance(7200)
    since = clinic.clock.now() - timedelta(days=1)
    clinic.a_finished_document(LETTER)
    empty = clinic.a_session("Mary Jones")
    clinic.tick()
    assert purged_later(clinic).sessions == 1
    clinic.heidi.add_document(empty, name="Late letter", content=NEWER, touch=False)
    state = clinic.ledger.clinicians.enter("physio-1")
    Decisions(clinic.ledger.engine, "person test").backfill(
        state.clinician_id, since, clinic.clock.now(), clinic.clock.now()
    )
    clinic.ticks(3)
    assert (len(clinic.notes()), clinic.posts()) == (2, 2)


def test_a_document_that_changes_after_the_purge_is_a_question_and_no_second_note(clinic: Clinic) -> None:
    _, _, document = clinic.a_finished_document(LETTER)
    clinic.tick()
    purged_later(clinic)
    clinic.heidi.edit_document(document, NEWER, touch=True)
    clinic.ticks(2)
    assert (clinic.posts(), reasons(clinic)) == (1, ["revised"])


def test_a_session_that_names_somebody_else_after_the_purge_is_a_question(clinic: Clinic) -> None:
    _, session, _ = clinic.a_finished_document(LETTER)
    clinic.a_patient("Nora", "Quinn", "1971-05-06")
    clinic.tick()
    purged_later(clinic)
    clinic.heidi.edit_patient(session, patient_name="Nora Quinn", birth_date="1971-05-06")
    clinic.ticks(2)
    assert (clinic.posts(), reasons(clinic)) == (1, ["patient_changed"])


def test_an_older_copy_put_back_over_a_purged_ledger_files_nothing_again(clinic: Clinic, tmp_path: Path) -> None:
    clinic.tick()
    clinic.clock.advance(7200)
    clinic.a_finished_document(LETTER)
    files.write_backup(clinic.ledger.engine, tmp_path / "backup")
    clinic.tick()
    purged_later(clinic)
    files.write_backup(clinic.ledger.engine, tmp_path / "purged")
    for name in ("purged", "backup"):
        clinic.restart(SYNC_LOOKBACK_DAYS="365")
        target = open_engine(clinic.ledger_url)
        copies.restore(target, tmp_path / name, now=clinic.clock.now(), actor="person test", replace=True)
        target.dispose()
        clinic.clock.advance(300)
        clinic.ticks(3)
        assert (len(clinic.notes()), clinic.posts(), reasons(clinic)) == (1, 1, [])


def test_a_dismissed_document_is_filed_after_all_once(clinic: Clinic) -> None:
    clinic.a_document(clinic.a_session("Nobody Known"), LETTER)
    clinic.tick()
    [item] = Views(clinic.ledger.engine).review_list()
    decisions = Decisions(clinic.ledger.engine, "person test")
    decisions.dismiss(item.entry, "not_clinical", clinic.clock.now())
    clinic.tick()
    purged_later(clinic)
    clinic.a_patient("Nobody", "Known", "1980-02-03")
    decisions.file_after_all(item.entry, clinic.clock.now())
    clinic.ticks(3)
    assert (len(clinic.notes()), reasons(clinic)) == (1, [])


def test_a_document_that_was_gone_and_comes_back_after_the_purge_is_filed_once(clinic: Clinic) -> None:
    clinic.restart(SYNC_SETTLE_SECONDS="600")
    _, session, document = clinic.a_finished_document(LETTER)
    clinic.tick()
    documents = clinic.heidi.sessions[session].documents
    [kept] = [one for one in documents if one.document_id == document]
    documents.remove(kept)
    clinic.clock.advance(60)
    clinic.tick()
    assert purged_later(clinic).hashes == 1
    documents.append(kept)
    clinic.heidi.touch_session(session)
    clinic.ticks(3, every=700)
    assert (len(clinic.notes()), clinic.posts(), reasons(clinic)) == (1, 1, [])


def test_a_note_that_was_taken_back_is_not_filed_again_after_the_purge(clinic: Clinic) -> None:
    _, session, document = clinic.a_finished_document(LETTER)
    clinic.tick()
    decisions = Decisions(clinic.ledger.engine, "person test")
    decisions.withdraw(1, "wrong_text", clinic.clock.now())
    clinic.tick()
    assert purged_later(clinic).hashes == 4  # of the patient, of the document, and what both requests meant
    clinic.heidi.edit_document(document, NEWER)
    clinic.heidi.touch_session(session)
    clinic.ticks(3)
    assert clinic.posts() == 1
    assert Views(clinic.ledger.engine).entry_counts()["withdrawn"] == 1


def test_the_audit_the_trail_and_an_entrys_life_tell_the_same_of_a_purged_ledger(clinic: Clinic) -> None:
    clinic.a_patient("Twin", "One", "1990-01-02")
    clinic.a_finished_document(LETTER)
    clinic.a_document(clinic.a_session("Twin One", "1990-01-03"), NEWER)
    clinic.ticks(2)
    [item] = Views(clinic.ledger.engine).review_list()
    Decisions(clinic.ledger.engine, "person test").dismiss(item.entry, "not_clinical", clinic.clock.now())
    before = told(clinic)
    assert purged_later(clinic).evidence == 1
    assert told(clinic) == before
    clinic.restart(SYNC_LOOKBACK_DAYS="365")
    clinic.tick()
    assert off(clinic, "--since", "2026-11-01") == []


def told(clinic: Clinic) -> Any:
    """What the ledger tells of its entries and its trail, the charts of settled questions aside."""
    lives = [Views(clinic.ledger.engine).entry_life(entry_id) for entry_id in (1, 2)]
    kept = [(one.status, one.reason, one.note_id, one.patient_id, one.attempts, one.history) for one in lives if one]
    return kept, list(clinic.ledger.trail.steps()), clinic.ledger.trail.breaks()


def test_a_purge_beside_a_worker_takes_nothing_that_is_on_its_way(bench: Bench) -> None:
    begun, attempt = bench.begun("doc-1")
    in_doubt = bench.an_in_doubt("doc-2")
    pending = bench.a_pending("doc-3")
    bench.clock.advance(LONG.total_seconds())
    before = bench.everything()
    assert purged(bench.ledger, bench.clock) == Purged()
    assert bench.everything() == before
    bench.settle(attempt, Settlement(Status.POSTED, None, "2000000000000000009", "accepted"))
    assert [bench.only(f"doc-{number}").status for number in (1, 2, 3)] == [
        Status.POSTED,
        in_doubt.status,
        pending.status,
    ]
    assert begun.text_hash == bench.only("doc-1").text_hash


# ---------------------------------------------------------------- when


class _Nights:
    """Stands for the worker under the service: counts purges, and fails the first ones if asked."""

    def __init__(self, fails: int = 0) -> None:
        self.purges: list[datetime] = []
        self.fails = fails
        self.purge = self
        self.night_zone = ZoneInfo("Australia/Hobart")
        self.pipelines = {"physio-1": SimpleNamespace(tick=lambda: SimpleNamespace(is_cut_short=False))}
        self.ledger = SimpleNamespace(decisions=lambda: 0)

    def run(self, now: datetime, *, is_stopping: Callable[[], bool]) -> Purged:
        if self.fails:
            self.fails -= 1
            raise LedgerUnavailable("The ledger was locked for too long.")
        self.purges.append(now)
        return Purged(evidence=2, logins=1)


class _Wall(SystemClock):
    """The service's clock, set by a test."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.at = now

    def now(self) -> datetime:
        return self.at


def asked_every_quarter(nights: _Nights, begin: datetime, hours: int) -> list[datetime]:
    """When it purged, by Hobart's clock, of a service that was asked every quarter of an hour."""
    clock = _Wall(begin)
    upkeep = Upkeep(cast(Worker, nights), poll_seconds=60, clock=clock)
    for _ in range(hours * 4):
        upkeep.purge()
        clock.at += timedelta(minutes=15)
    return [at.astimezone(nights.night_zone) for at in nights.purges]


def test_it_comes_after_a_start_and_then_in_each_nights_quiet_hour_of_the_practice() -> None:
    begin = datetime(2026, 11, 19, 3, 0, tzinfo=UTC)  # two in the afternoon
    nights = asked_every_quarter(_Nights(), begin, 48)
    assert [(at.day, at.hour) for at in nights] == [(19, 14), (20, 2), (21, 2)]


def test_a_purge_that_failed_is_tried_again_in_a_quarter_of_an_hour_and_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging(level="INFO", fmt="json")
    nights = asked_every_quarter(_Nights(fails=1), datetime(2026, 11, 19, 3, 0, tzinfo=UTC), 1)
    assert len(nights) == 1
    failed, done = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert failed["event"] == "ledger.not_purged"
    assert {name: done[name] for name in ("event", "evidence", "hashes", "sessions", "logins")} == {
        "event": "ledger.purged",
        "evidence": 2,
        "hashes": 0,
        "sessions": 0,
        "logins": 1,
    }


def test_the_service_purges_by_itself(clinic: Clinic) -> None:
    bench = Bench(clinic.ledger, clinic.clock)
    decided(bench).dismiss(asked(bench).entry_id, "duplicate", clinic.clock.now() - LONG)
    nights, clock = _Nights(), SystemClock()
    seen = threading.Event()

    def run(now: datetime, **_: Any) -> Purged:
        seen.set()
        return clinic.worker.purge.run(now)

    nights.run = run  # type: ignore[method-assign,assignment]
    upkeep = Upkeep(cast(Worker, nights), poll_seconds=60, clock=clock)
    running = threading.Thread(target=upkeep.run)
    running.start()
    assert seen.wait(10)
    clock.stop.set()
    running.join(20)
    assert row(clinic.ledger, 1).evidence is None
