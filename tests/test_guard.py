"""The last question before a request leaves: is the lease still ours, and is the claim still fresh?"""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync_worker.errors import LeaseLost
from sync_worker.ledger.storage import writing
from sync_worker.records import Status
from tests.conftest import Clinic


def after_the_claim(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen between the claim's commit and the request's first byte, once."""
    claim = clinic.ledger.attempts.claim
    pipeline = clinic.worker.pipelines["physio-1"]
    create = pipeline.cliniko.create_treatment_note

    def create_later(*arguments: object) -> object:
        monkeypatch.undo()
        happens()
        return create(*arguments)

    assert claim is not None
    monkeypatch.setattr(pipeline.cliniko, "create_treatment_note", create_later)


def test_a_machine_that_slept_after_the_claim_sends_nothing(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.a_finished_document()
    after_the_claim(clinic, monkeypatch, lambda: clinic.clock.advance(300))
    report = clinic.tick()
    assert (clinic.posts(), report.trouble.code) == (0, "lease_lost")
    assert clinic.ledger.entries.get(1).status is Status.PENDING  # surely not sent: no doubt
    assert clinic.tick().tally.posted == 1
    assert clinic.posts() == 1


def test_a_worker_whose_lock_is_lost_after_the_claim_sends_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clinic.a_finished_document()
    after_the_claim(clinic, monkeypatch, lambda: [one.unlink() for one in tmp_path.glob("*.clinician-*.lock")])
    report = clinic.tick()
    assert (clinic.posts(), report.trouble.code) == (0, "lease_lost")
    assert clinic.tick().tally.posted == 1


def test_time_that_the_last_question_itself_took_counts(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    leases = clinic.worker.leases
    state = clinic.ledger.clinicians.enter("physio-1")
    guard = leases.guard(leases.acquire(state.clinician_id, clinic.clock.now()), clinic.clock)

    def slowly(_: object) -> bool:
        clinic.clock.advance(60)
        return True

    monkeypatch.setattr(leases, "is_kept", slowly)
    with pytest.raises(LeaseLost):
        guard()


@pytest.mark.postgres
def test_a_worker_whose_database_session_ended_after_the_claim_sends_nothing(
    make_clinic: Callable[[str], Clinic], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = make_clinic(postgres_url)
    clinic.a_finished_document()

    def end_the_lock_holders_session() -> None:
        with writing(clinic.ledger.engine) as db:
            query = """
                SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
            db.execute(sa.text(query))

    after_the_claim(clinic, monkeypatch, end_the_lock_holders_session)
    report = clinic.tick()
    assert (clinic.posts(), report.trouble.code) == (0, "lease_lost")
    assert clinic.tick().tally.posted == 1
    assert clinic.posts() == 1
