"""What a clinic day costs in requests, counted where they arrive."""

from collections import Counter
from collections.abc import Sequence
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


def test_whose_notes_a_doubt_is_looked_for_in_is_no_memory(clinic: Clinic) -> None:
    clinic.a_finished_document()
    clinic.cliniko.fail_post("commit_then_drop")
    clinic.tick()
    clinic.restart()
    clinic.clock.advance(60)
    assert clinic.tick().tally.posted == 1
    assert identity_questions(clinic) == 6


# ---------------------------------------------------------------- what a note costs

SURNAMES = "Abbott Baker Carter Dixon Evans Foster Grant Hughes Irwin Jacobs Keller Lawson Mercer Norton Osborne Porter"


def a_clinic_day(clinic: Clinic, patients: Sequence[str]) -> None:
    """Patients of a day, each with a booking and a finished document, taken in and not filed yet."""
    for number, family in enumerate(patients):
        begins = clinic.clock.now() - timedelta(hours=1, minutes=30 * number)
        born = f"19{50 + number}-0{number % 9 + 1}-17"
        clinic.cliniko.add_booking(
            practitioner_id=clinic.practitioner_id,
            patient_ids=[clinic.a_patient("Mary", family, born)],
            starts_at=begins,
            ends_at=begins + timedelta(minutes=30),
        )
        clinic.a_document(clinic.a_session(f"Mary {family}", born, created_at=begins), f"# Plan\n\nRest {number} days.")


def test_a_clinic_day_of_sixteen_documents_costs_less_than_two_and_a_half_requests_a_note(clinic: Clinic) -> None:
    a_clinic_day(clinic, ["Zander"])
    clinic.tick()
    clinic.cliniko.requests.clear()
    a_clinic_day(clinic, SURNAMES.split())
    assert clinic.tick().tally.posted == 16
    cost = asked(clinic)
    assert all(note.booking_id for note in clinic.notes())
    assert cost["POST /treatment_notes"] == cost["GET /patients"] == 16
    assert cost.total() <= 2.4 * 16, cost


def test_a_note_that_is_filed_alone_costs_four_requests(clinic: Clinic) -> None:
    a_clinic_day(clinic, ["Zander"])
    clinic.tick()
    for restart in (False, True):
        if restart:
            clinic.restart()
        clinic.cliniko.requests.clear()
        a_clinic_day(clinic, ["Young" if restart else "Xavier"])
        assert clinic.tick().tally.posted == 1
        assert asked(clinic).total() == 4, asked(clinic)


def test_an_idle_poll_asks_heidi_once_and_cliniko_nothing(clinic: Clinic) -> None:
    a_clinic_day(clinic, ["Zander"])
    clinic.tick()
    clinic.clock.advance(timedelta(hours=3).total_seconds())
    clinic.tick()
    for _ in range(3):
        clinic.clock.advance(120)
        clinic.cliniko.requests.clear()
        clinic.heidi.requests.clear()
        clinic.tick(full=False)
        assert [one.path.rpartition("/open-api/")[-1] for one in clinic.heidi.requests] == ["sessions/linked-user"]
        assert not clinic.cliniko.requests


def test_nothing_is_asked_twice_in_a_tick(clinic: Clinic) -> None:
    a_clinic_day(clinic, SURNAMES.split())
    assert clinic.tick().tally.posted == 16
    for requests in (clinic.heidi.requests, clinic.cliniko.requests):
        reads = [(one.path, tuple(one.query)) for one in requests if one.method == "GET"]
        assert len(reads) == len(set(reads))
