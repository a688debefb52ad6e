"""What a clinic day costs in requests, counted where they arrive."""

from collections import Counter
from datetime import timedelta

from sync_worker.sandbox.wire import Request
from tests.conftest import Clinic

WHO_IS_IT = {"/user", "/practitioners", "/settings/public"}


def asked(clinic: Clinic) -> Counter[str]:
    """Cliniko's requests so far: method and path beneath the version."""
    return Counter(f"{one.method} {_path(one)}" for one in clinic.cliniko.requests)


def _path(request: Request) -> str:
    return "/" + request.path.split("/v1/")[-1]


def identity_questions(clinic: Clinic) -> int:
    return sum(count for what, count in asked(clinic).items() if what.split()[1] in WHO_IS_IT)


# ---------------------------------------------------------------- whom a key stands for


def test_a_restarted_worker_remembers_whom_the_key_stands_for(clinic: Clinic) -> None:
    clinic.a_finished_document()
    assert clinic.tick().tally.posted == 1
    first = identity_questions(clinic)
    clinic.restart()
    clinic.a_document(clinic.a_session(), "# Plan\n\nWalk.")
    assert clinic.tick().tally.posted == 1
    assert identity_questions(clinic) == first == 3


def test_after_a_day_a_restarted_worker_asks_again(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.tick()
    clinic.restart()
    clinic.clock.advance(timedelta(hours=25).total_seconds())
    clinic.a_document(clinic.a_session(), "# Plan\n\nWalk.")
    assert clinic.tick().tally.posted == 1
    assert identity_questions(clinic) == 6


def test_another_key_is_asked_about_whatever_is_remembered_of_the_first(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.tick()
    other = clinic.cliniko.add_user(first_name="Ben", last_name="Osteo")
    clinic.restart(CLINIKO_API_KEY=clinic.cliniko.key_of(other))
    clinic.a_document(clinic.a_session(), "# Plan\n\nWalk.")
    report = clinic.tick()
    assert report.trouble is not None
    assert report.trouble.code == "cliniko_another_key"
    assert len(clinic.notes()) == 1


def test_another_key_of_the_same_practitioner_is_asked_about_and_files(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.tick()
    clinic.restart(CLINIKO_API_KEY=clinic.cliniko.add_key(clinic.user_id))
    clinic.a_document(clinic.a_session(), "# Plan\n\nWalk.")
    assert clinic.tick().tally.posted == 1
    assert identity_questions(clinic) == 6
