"""Older sessions that a person brings into scope: filed once, past the brake, whatever interrupts it."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import Views
from sync_worker.records import Status
from tests.conftest import Clinic
from tests.ledger_steps import RULES, Bench
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

TODAY = datetime.now(UTC)


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).date().isoformat()


def an_old_document(terminal: Terminal, days: int, text: str = "Rest.") -> str:  # noqa: F811
    session = terminal.sandbox.heidi.add_session(
        clinician="physio-1",
        patient_name="Mary Jones",
        birth_date="1980-02-03",
        created_at=TODAY - timedelta(days=days),
    )
    return terminal.sandbox.heidi.add_document(session, name="Letter", content=f"# Plan\n\n{text}")


def notes(terminal: Terminal) -> list[str]:  # noqa: F811
    return [str(note.content) for note in terminal.sandbox.cliniko.notes.values()]


@pytest.fixture
def old_practice(terminal: Terminal) -> Terminal:  # noqa: F811
    """Documents 3, 20, 40 and 90 days old, of a practice that starts today; the worker has ticked once."""
    terminal.environment |= {"SYNC_START_AT": days_ago(0), "SYNC_POLL_INTERVAL_SECONDS": "1"}
    for days in (3, 20, 40, 90):
        an_old_document(terminal, days, f"Written {days} days before the start, {'again and ' * days} once.")
    terminal.run("once")
    assert notes(terminal) == []
    return terminal


def test_sessions_of_the_days_asked_for_are_filed_and_no_others(old_practice: Terminal) -> None:
    done = old_practice.run("backfill", "--since", days_ago(50), "--until", days_ago(10))
    assert done.returncode == 0, done.stderr
    assert "2 documents: 2 filed, 0 wait for a person, 0 skipped." in done.stdout
    assert sorted(re.findall(r"Written (\d+) days", " ".join(notes(old_practice)))) == ["20", "40"]


def test_without_an_end_everything_since_is_filed_also_what_was_left_alone(old_practice: Terminal) -> None:
    assert "3 documents: 3 filed" in old_practice.run("backfill", "--since", days_ago(50)).stdout
    old_practice.run("backfill", "--since", days_ago(50))
    old_practice.run("once")
    assert len(notes(old_practice)) == 3


def test_a_backfill_is_not_braked(old_practice: Terminal) -> None:
    assert "3 filed" in old_practice.run("backfill", "--since", days_ago(50), SYNC_BRAKE_POSTS_PER_HOUR="1").stdout


def test_a_document_copied_by_hand_in_the_old_days_is_put_before_a_person(old_practice: Terminal) -> None:
    cliniko = old_practice.sandbox.cliniko
    [patient] = cliniko.patients
    [author] = [user.practitioner_id for user in cliniko.users.values()]
    text = f"Written 20 days before the start, {'again and ' * 20} once."
    content = {"sections": [{"questions": [{"name": "Notes", "type": "text", "answer": text}]}]}
    cliniko.add_note_by_hand(patient, author, "Consult", content)
    done = old_practice.run("backfill", "--since", days_ago(30), "--until", days_ago(10))
    assert "0 filed, 1 wait for a person" in done.stdout
    [item] = old_practice.json("review", "list")["entries"]
    assert item["reason"] == "already_there"


def test_a_running_worker_does_it_and_the_command_watches(old_practice: Terminal) -> None:
    with old_practice.start("run", SYNC_LOG_LEVEL="INFO") as service:
        try:
            _wait_for_a_poll(old_practice)
            done = old_practice.run("backfill", "--since", days_ago(50))
        finally:
            service.terminate()
            service.communicate(timeout=40)
    assert "3 documents: 3 filed" in done.stdout
    assert len(notes(old_practice)) == 3


def _wait_for_a_poll(terminal: Terminal) -> None:  # noqa: F811
    before = terminal.json("status")["clinicians"][0]["last_poll_at"]
    until = time.monotonic() + 30
    while time.monotonic() < until:
        time.sleep(1.1)
        if terminal.json("status")["clinicians"][0]["last_poll_at"] != before:
            return
    raise AssertionError("the worker did not poll")


def test_a_cliniko_that_is_down_ends_the_command_and_the_wish_stays(old_practice: Terminal) -> None:
    old_practice.sandbox.cliniko.fail("patients", "500", times=9)  # each try of each tick
    done = old_practice.run("backfill", "--since", days_ago(30), "--until", days_ago(10))
    assert done.returncode == 1
    assert "waits in the ledger" in done.stderr
    old_practice.run("once")
    assert len(notes(old_practice)) == 1


def test_a_pause_ends_the_command_with_what_to_do(old_practice: Terminal) -> None:
    old_practice.run("pause")
    done = old_practice.run("backfill", "--since", days_ago(50))
    assert done.returncode == 1
    assert "sync-worker resume" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--since", "yesterday"], 2, "--since takes a day"),
        (["--since", "2999-01-01"], 2, "--since is to come"),
        (["--since", "2026-11-02", "--until", "2026-11-01"], 2, "--until is before --since"),
    ],
)
def test_wrong_days_are_told(terminal: Terminal, arguments: list[str], code: int, sentence: str) -> None:  # noqa: F811
    done = terminal.run("backfill", *arguments)
    assert done.returncode == code
    assert sentence in done.stderr


def test_a_rehearsal_backfills_nothing_and_says_what_shows_it(terminal: Terminal) -> None:  # noqa: F811
    done = terminal.run("backfill", "--since", "2026-11-01", SYNC_MODE="rehearse")
    assert done.returncode == 1
    assert "plan --since 2026-11-01" in done.stderr


def test_a_session_that_cannot_be_read_during_the_walk_is_brought_in_later(clinic: Clinic) -> None:
    clinic.restart(SYNC_START_AT="2026-11-19")
    clinic.a_patient()
    created_at = clinic.clock.now() - timedelta(days=40)
    session = clinic.a_session(created_at=created_at)
    clinic.a_document(session, "# Plan\n\nFrom the old days.")
    clinic.tick()
    state = clinic.ledger.clinicians.enter("physio-1")
    decisions = Decisions(clinic.ledger.engine, "person test")
    decisions.backfill(state.clinician_id, created_at - timedelta(days=1), clinic.clock.now(), clinic.clock.now())
    clinic.heidi.fail("documents", "500", times=3)
    clinic.tick()
    assert clinic.notes() == []
    clinic.clock.advance(4000)
    clinic.ticks(2)
    assert len(clinic.notes()) == 1
    assert clinic.ledger.entries.get(1).status is Status.POSTED
    assert Views(clinic.ledger.engine).entry_counts()["skipped"] == 0


def test_more_days_asked_for_during_the_walk_are_walked_too(clinic: Clinic) -> None:
    bench, now = Bench(clinic.ledger, clinic.clock), clinic.clock.now()
    decisions, clinician = Decisions(clinic.ledger.engine, "person test"), bench.lease.clinician_id
    decisions.backfill(clinician, now - timedelta(days=50), now - timedelta(days=40), now)
    walking = clinic.ledger.clinicians.backfills(clinician)
    decisions.backfill(clinician, now - timedelta(days=50), now - timedelta(days=20), now)
    clinic.ledger.sessions.record(bench.lease, [], rules=RULES, now=now, walk_ended={}, walked=walking)
    [after] = clinic.ledger.clinicians.backfills(clinician)
    assert after.walked_at is None


def test_a_list_that_repeats_itself_is_not_taken_for_the_whole_of_it(clinic: Clinic) -> None:
    clinic.restart(SYNC_START_AT="2026-11-19")
    clinic.a_patient()
    clinic.a_document(clinic.a_session(created_at=clinic.clock.now() - timedelta(days=40)))
    for _ in range(120):
        clinic.a_session("Nobody Known", None)
    clinic.heidi.ignores_page = True
    clinic.tick()
    now = clinic.clock.now()
    Decisions(clinic.ledger.engine, "person test").backfill(1, now - timedelta(days=50), now, now)
    assert clinic.tick().trouble.code == "heidi_list_repeats"
    assert not Views(clinic.ledger.engine).backfill_progress([1]).is_done


def test_more_days_asked_for_during_the_walk_bring_in_what_it_had_read_already(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.restart(SYNC_START_AT="2026-11-19")
    clinic.a_patient()
    clinic.a_document(clinic.a_session(created_at=clinic.clock.now() - timedelta(days=10)))
    clinic.tick()
    clinic.clock.advance(86_400)  # the next walk is the night's, and reads every session again
    now, decisions = clinic.clock.now(), Decisions(clinic.ledger.engine, "person test")
    decisions.backfill(1, now - timedelta(days=50), now - timedelta(days=40), now)
    record = clinic.ledger.sessions.record

    def ask_for_more(*what: Any, **more: Any) -> object:
        clinic.clock.advance(1)
        decisions.backfill(1, now - timedelta(days=50), now - timedelta(days=5), clinic.clock.now())
        monkeypatch.undo()
        return record(*what, **more)

    monkeypatch.setattr(clinic.ledger.sessions, "record", ask_for_more)
    clinic.ticks(3)
    progress = Views(clinic.ledger.engine).backfill_progress([1])
    assert (progress.is_done, progress.posted, progress.skipped) == (True, 1, 0)
