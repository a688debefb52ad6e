"""The short forms of the proofs with real processes; `python -m tests.processes` has the long ones."""

import sys

import pytest

from sync_worker.ledger import migrate
from tests.processes import __main__ as command
from tests.processes import kills, lost_answers, many, migrations, rivals, sigterm, stops
from tests.processes.ledgers import earlier_versions
from tests.processes.proof import Proof
from tests.processes.verdict import Verdict


@pytest.fixture
def postgres(postgres_server: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Postgres server for databases of a proof's own."""
    if postgres_server is None:
        pytest.skip("no Postgres server answers or can be started")
    monkeypatch.setenv("SYNC_TEST_POSTGRES", postgres_server)


def is_sound(verdict: Verdict | None) -> bool:
    proof = Proof("short form")
    assert verdict is not None
    verdict.add_to(proof)
    assert proof.broken == []
    return verdict.documents > 0 and verdict.documents == verdict.notes + verdict.held.total()


@pytest.mark.proof
def test_killed_workers_leave_one_note_of_each_document() -> None:
    lane = kills.kill_often("sqlite", 2, seed=4)
    assert lane.killed.total() == 2
    assert is_sound(lane.verdict)


@pytest.mark.proof
def test_an_upgrade_killed_with_a_full_ledger_is_made_good_by_the_next_start() -> None:
    lane = migrations.kill_upgrades("sqlite", 1, seed=3, entries=300)
    assert (lane.kills, lane.failed_starts, lane.differences) == (1, 0, 0)
    assert lane.found.keys() <= {*earlier_versions(), migrations.NOTHING, migrate.head()}


@pytest.mark.proof
@pytest.mark.postgres
@pytest.mark.usefixtures("postgres")
def test_a_worker_that_stood_still_in_its_request_files_once_and_kept_its_clinician() -> None:
    lane = stops.stop_often("postgres", 1, seed=2, stands_still=2.2)
    assert (lane.stops, lane.wrong_answers) == (1, [])
    assert is_sound(lane.verdict)


@pytest.mark.proof
def test_of_five_workers_at_once_one_works_and_four_say_who_it_is() -> None:
    crowd = rivals.crowd("sqlite", clinicians=1, documents=6, with_late_rival=False)
    assert crowd.wrong == []
    assert len(crowd.refusals) == 4
    assert is_sound(crowd.verdict)


def test_a_worker_that_is_asked_to_stop_leaves_nothing_under_way() -> None:
    lane = sigterm.stop_often("sqlite", 1, seed=2)
    assert (lane.wrong, lane.left_under_way) == ([], 0)
    assert is_sound(lane.verdict)


@pytest.mark.proof
@pytest.mark.postgres
@pytest.mark.usefixtures("postgres")
def test_answers_that_get_lost_after_the_note_was_stored_double_nothing() -> None:
    lane = lost_answers.lose_answers("postgres", 8, seed=1)
    assert (len(lane.lost), lane.posted, lane.most_attempts) == (8, 8, 1)
    assert lane.most_looks <= 2
    assert is_sound(lane.verdict)


@pytest.mark.proof
@pytest.mark.postgres
@pytest.mark.usefixtures("postgres")
def test_of_two_workers_one_is_killed_again_and_again_and_nothing_waits_for_a_hand() -> None:
    lane = many.kill_in_turn(15, seed=1, clinicians=6, each=4)
    assert (lane.kills > 1, lane.restarts_needed, lane.tracebacks, lane.exit_codes) == (True, 0, 0, [0, 0])
    assert is_sound(lane.verdict)
    assert lane.verdict is not None
    assert lane.verdict.notes == 24


@pytest.mark.proof
@pytest.mark.postgres
@pytest.mark.usefixtures("postgres")
def test_two_workers_whose_connections_break_off_at_commits_go_on_by_themselves() -> None:
    lane = many.cut_commits(15, seed=2, clinicians=6, each=4)
    assert (lane.cuts > 1, lane.restarts_needed, lane.tracebacks, lane.exit_codes) == (True, 0, 0, [0, 0])
    assert is_sound(lane.verdict)


def test_every_proof_can_be_called_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tests.processes", "--help"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in command.PROOFS)


def test_a_broken_promise_shows() -> None:
    proof = Proof("a proof")
    proof.add("duplicates", 1, must_be=0)
    proof.add_seconds("stop", [1.0, 50.0], at_most=40)
    assert proof.broken == ["duplicates: 1, promised: 0", "stop: 50.0 s, promised: at most 40 s"]
