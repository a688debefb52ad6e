"""Which patient a note goes to, through the whole worker and over real sockets: found, held, asked again."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from sync_worker.http import Answer
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import Views
from sync_worker.model import PlannedEntry
from sync_worker.records import Status
from sync_worker.settings import load_settings
from sync_worker.workbench import scope_of, workbench
from tests.conftest import Clinic

BORN = "1980-02-03"
AN_HOUR = 3600.0


def reasons(clinic: Clinic) -> list[str]:
    return [item.reason for item in Views(clinic.ledger.engine).review_list()]


def filed_on(clinic: Clinic) -> list[str]:
    return [note.patient_id for note in clinic.notes()]


def document_about(clinic: Clinic, name: str = "Mary Jones", born: str | None = BORN, **session: object) -> str:
    """A session about somebody, with a document that is finished; gives back the session."""
    session_id = clinic.a_session(name, born, **session)
    clinic.a_document(session_id)
    return session_id


def booking(clinic: Clinic, *patients: str, minutes: int = 0, **more: object) -> str:
    """A half-hour appointment that begins so long after the session does."""
    starts_at = clinic.clock.now() - timedelta(hours=1) + timedelta(minutes=minutes)
    return clinic.cliniko.add_booking(
        practitioner_id=clinic.practitioner_id,
        patient_ids=patients,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=30),
        **more,
    )


def asked(clinic: Clinic, resource: str) -> list[list[str]]:
    """The filters of each request for a list, but for those that let archived ones in."""
    return [
        [value for name, value in one.query if name == "q[]" and not value.endswith(":*")]
        for one in clinic.cliniko.requests
        if one.method == "GET" and one.path.endswith(f"/{resource}")
    ]


def planned(clinic: Clinic) -> list[tuple[str, str | None]]:
    """What `plan` says of each document."""
    settings = load_settings(clinic.environment(), env_file=None)
    with workbench(settings, settings.clinicians[0], clinic.ledger, clinic.clock) as one:
        scope = scope_of(settings, one.state, one.identity, None, clinic.clock.now())
        entries = list(one.planner(scope).plan())
    return [(entry.action, entry.reason) for entry in entries if isinstance(entry, PlannedEntry)]


def decide(clinic: Clinic) -> Decisions:
    return Decisions(clinic.ledger.engine, "person test")


def waiting(clinic: Clinic) -> int:
    [item] = Views(clinic.ledger.engine).review_list()
    return item.entry


# ---------------------------------------------------------------- found


@pytest.mark.parametrize("case_sensitive", [False, True])
@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("Mary O'Brien", "Mary", "O’Brien"),
        ("Mary OBRIEN", "Mary", "O'Brien"),
        ("Zoe Muller", "Zoë", "Müller"),
        ("José Fernández", "Jose", "Fernandez"),
        ("Anna_Maria Smith", "Anna_Maria", "Smith"),
        ("Mary 100% Jones", "Mary", "Jones"),
        ("Nguyen Van Anh", "Anh", "Nguyễn"),
        ("mary jones", "MARY", "JONES"),
        ("Mary Jonse", "Mary", "Jones"),
        ("Mary Jones", "Mary", "Jones-O'Shea"),
    ],
)
def test_a_name_is_met_however_it_is_written(
    clinic: Clinic, typed: str, first: str, last: str, case_sensitive: bool
) -> None:
    clinic.cliniko.case_sensitive = case_sensitive
    patient = clinic.a_patient(first, last)
    clinic.a_patient("Somebody", "Else")
    document_about(clinic, typed)
    clinic.tick()
    assert filed_on(clinic) == [patient]


@pytest.mark.parametrize("case_sensitive", [False, True])
@pytest.mark.parametrize(
    ("told", "charted"),
    [
        ("mary+physio@example.com", "mary+physio@example.com"),
        ("mary_jones@example.com", "mary_jones@example.com"),
        ("100%mary@example.com", "100%mary@example.com"),
        (" Mary.Jones@Example.com ", "mary.jones@example.com"),
        ("mary.o'brien@example.com", "mary.o'brien@example.com"),
    ],
)
def test_name_and_email_find_a_chart_without_a_birth_date(
    clinic: Clinic, told: str, charted: str, case_sensitive: bool
) -> None:
    clinic.cliniko.case_sensitive = case_sensitive
    patient = clinic.a_patient(born=None, email=charted)
    clinic.a_patient("Mary", "Brown", born=None, email="mary-jones@example.com")
    document_about(clinic, email=told)
    clinic.tick()
    assert filed_on(clinic) == [patient]


def test_a_married_name_is_filed_by_given_name_birth_date_and_email(clinic: Clinic) -> None:
    patient = clinic.a_patient("Mary", "Jones", email="mary@example.com")
    document_about(clinic, "Mary Brown", email="mary@example.com")
    clinic.tick()
    assert filed_on(clinic) == [patient]


@pytest.mark.parametrize("case_sensitive", [False, True])
def test_father_and_son_in_one_mailbox_are_both_seen_whatever_capitals_it_is_written_with(
    clinic: Clinic, case_sensitive: bool
) -> None:
    clinic.cliniko.case_sensitive = case_sensitive
    clinic.a_patient("John", "Smith", born="1955-06-02", email="Smith@Example.com")
    clinic.a_patient("John", "Smith", born="1984-03-17", email="smith@example.com")
    document_about(clinic, "John Smith", None, email="smith@example.com")
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["several_charts"])


def test_everybody_of_a_birth_date_is_read_over_three_pages(clinic: Clinic) -> None:
    for number in range(250):
        clinic.a_patient(f"Person{number}", f"Family{number}")
    last = clinic.a_patient("Mary", "Jones")
    document_about(clinic)
    clinic.tick()
    assert filed_on(clinic) == [last]
    clinic.a_patient("Mary", "Jones")
    document_about(clinic)
    clinic.tick()
    assert reasons(clinic) == ["several_charts"]


def test_a_chain_of_merged_charts_is_followed_to_its_end_and_a_circle_is_not_run_in(clinic: Clinic) -> None:
    first, second, third = (clinic.a_patient(born=born) for born in (BORN, None, BORN))
    clinic.cliniko.merge_patients(first, second)
    clinic.cliniko.merge_patients(second, third)
    document_about(clinic)
    clinic.tick()
    assert filed_on(clinic) == [third]
    clinic.cliniko.merge_patients(third, first)
    document_about(clinic)
    clinic.tick()
    assert reasons(clinic) == ["archived_only"]


def test_what_cannot_be_asked_whole_is_not_nobody(clinic: Clinic) -> None:
    clinic.a_patient()
    document_about(clinic)
    clinic.cliniko.fail("patients", "500", times=10)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], [])
    clinic.clock.advance(AN_HOUR)
    clinic.cliniko.fail("patients", "500", times=0)
    clinic.ticks(3, every=AN_HOUR)
    assert len(filed_on(clinic)) == 1


def test_a_cut_list_is_not_everybody_and_the_next_whole_one_is(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.a_patient()
    clinic.a_patient()
    document_about(clinic)
    http = clinic.worker.pipelines["physio-1"].cliniko._http
    read = http.read

    def cut(operation: str, *args: Any, **more: Any) -> Answer:
        answer = read(operation, *args, **more)
        if operation != "list_patients":
            return answer
        body = answer.json()
        return Answer(200, answer.headers, json.dumps(body | {"patients": body["patients"][:1]}).encode())

    monkeypatch.setattr(http, "read", cut)
    assert clinic.tick().trouble is not None
    assert (filed_on(clinic), reasons(clinic)) == ([], [])
    monkeypatch.setattr(http, "read", read)
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert reasons(clinic) == ["several_charts"]


@pytest.mark.parametrize(
    ("name", "email", "link"),
    [
        ("Xy " + "y" * 70_000, None, None),
        ("Mary\x00 Jones", None, None),
        ("Mary Jones", "m" * 70_000 + "@example.com", None),
        ("Mary Jones", "ma\x00ry@example.com", None),
        ("Mary Jones", None, "12345678901234567890123456"),
        ("Mary Jones", None, "9" * 70_000),
        ("Mary Jones", None, "z" * 70_000),
        ("Mary Jones", None, "EHR\x0077"),
    ],
)
def test_an_odd_word_of_heidis_ends_as_a_note_or_as_a_question_of_the_front_desks(
    clinic: Clinic, name: str, email: str | None, link: str | None
) -> None:
    patient = clinic.a_patient()
    document_about(clinic, name, email=email, ehr_patient_id=link)
    assert clinic.tick().trouble is None
    assert (filed_on(clinic), reasons(clinic)) == (([], ["no_match"]) if name.startswith("Xy") else ([patient], []))


# ---------------------------------------------------------------- few requests


def test_people_of_one_birth_date_are_searched_for_once_a_tick(clinic: Clinic) -> None:
    clinic.a_patient("Mary", "Jones")
    clinic.a_patient("Tom", "Jones")
    for name in ("Mary Jones", "Tom Jones", "Mary Jones"):
        document_about(clinic, name)
    clinic.tick()
    assert len(filed_on(clinic)) == 3
    assert asked(clinic, "patients") == [[f"date_of_birth:={BORN}"]]
    assert len(asked(clinic, "bookings")) == 1


def test_what_was_found_is_forgotten_with_the_tick(clinic: Clinic) -> None:
    patient = clinic.a_patient()
    document_about(clinic)
    clinic.tick()
    clinic.cliniko.archive_patient(patient)
    document_about(clinic)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([patient], ["archived_only"])


def test_a_note_filed_alone_costs_four_requests(clinic: Clinic) -> None:
    clinic.a_patient()
    document_about(clinic)
    clinic.tick()
    clinic.cliniko.requests.clear()
    document_about(clinic)
    clinic.tick()
    assert len(filed_on(clinic)) == 2
    assert len(clinic.cliniko.requests) == 4


def test_a_chart_is_read_again_where_its_note_waited_long_for_its_turn(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the note waits, the desk archives the chart."""
    patient = clinic.a_patient()
    document_about(clinic)

    def wait() -> None:
        clinic.clock.advance(61)
        clinic.cliniko.archive_patient(patient)

    monkeypatch.setattr(clinic.worker.pipelines["physio-1"].cliniko, "wait_for_turn", wait)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["archived_only"])
    assert asked(clinic, "patients")[:2] == [[f"date_of_birth:={BORN}"]] * 2


def test_a_namesake_who_is_entered_while_a_note_waits_is_seen_although_the_chart_itself_was_read_lately(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The birth date was searched for 50 seconds before the e-mail; the note then waits for its turn a minute more."""
    clinic.a_patient(email="mary@example.com")
    document_about(clinic, email="mary@example.com")
    pipeline = clinic.worker.pipelines["physio-1"]
    pipeline.preparer.patients._charts.born(date.fromisoformat(BORN))
    clinic.clock.advance(50)
    clinic.a_patient()
    monkeypatch.setattr(pipeline.cliniko, "wait_for_turn", lambda: clinic.clock.advance(59))
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["several_charts"])


def test_a_question_that_answered_itself_is_filed_in_the_same_tick_also_where_its_chart_is_read_again(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = clinic.a_patient(born="1980-02-13")
    document_about(clinic)
    clinic.tick()
    clinic.cliniko.edit_patient(patient, date_of_birth=BORN)
    clinic.clock.advance(AN_HOUR)
    cliniko = clinic.worker.pipelines["physio-1"].cliniko
    monkeypatch.setattr(cliniko, "wait_for_turn", lambda: clinic.clock.advance(61))
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([patient], [])


def test_a_chart_that_was_read_within_the_minute_is_not_read_again(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.a_patient()
    document_about(clinic)
    cliniko = clinic.worker.pipelines["physio-1"].cliniko
    monkeypatch.setattr(cliniko, "wait_for_turn", lambda: clinic.clock.advance(59))
    clinic.tick()
    assert (len(filed_on(clinic)), len(asked(clinic, "patients"))) == (1, 1)


def test_a_rate_of_one_request_a_minute_still_files(clinic: Clinic) -> None:
    clinic.restart(CLINIKO_RATE_PER_MINUTE="1")
    patient = clinic.a_patient()
    document_about(clinic)
    clinic.tick()
    assert filed_on(clinic) == [patient]


# ---------------------------------------------------------------- held, each for its own reason


def several_charts(clinic: Clinic) -> None:
    clinic.a_patient()
    clinic.a_patient()
    document_about(clinic)


def archived_only(clinic: Clinic) -> None:
    clinic.a_patient(archived=True)
    document_about(clinic)


def no_match(clinic: Clinic) -> None:
    clinic.a_patient("Tom", "Jones")
    document_about(clinic)


def not_identifiable(clinic: Clinic) -> None:
    clinic.a_patient()
    document_about(clinic, "M Jones")


def link_contradicted(clinic: Clinic) -> None:
    clinic.a_patient()
    document_about(clinic, ehr_patient_id=clinic.a_patient("Tom", "Brown"))


def birth_dates_differ(clinic: Clinic) -> None:
    clinic.a_patient()
    session = document_about(clinic, email="mary@example.com")
    clinic.heidi.edit_profile(session, birth_date="1981-02-03")


@pytest.mark.parametrize(
    ("fault", "times"), [("422", 1), ("detail_text", 1), ("unexpected_shape", 1), ("html_200", 1), ("500", 3)]
)
def test_a_profile_that_cannot_be_read_is_not_taken_for_none(clinic: Clinic, fault: str, times: int) -> None:
    birth_dates_differ(clinic)
    clinic.heidi.fail("profile", fault, times=times)
    assert clinic.tick().trouble is not None
    assert (filed_on(clinic), reasons(clinic)) == ([], [])
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["birth_dates_differ"])


def test_a_session_whose_profile_is_gone_is_matched_by_itself(clinic: Clinic) -> None:
    patient = clinic.a_patient()
    document_about(clinic, email="mary@example.com")
    clinic.heidi.fail("profile", "404", times=1)
    clinic.tick()
    assert filed_on(clinic) == [patient]


def test_session_and_profile_that_are_linked_to_two_charts_are_asked_about(clinic: Clinic) -> None:
    father, son = (clinic.a_patient("John", "Smith", born=born) for born in ("1955-06-02", "1990-03-17"))
    session = document_about(clinic, "John Smith", None, email="smith@example.com", ehr_patient_id=father)
    clinic.heidi.edit_profile(session, ehr_patient_id=son)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["link_contradicted"])
    clinic.cliniko.merge_patients(father, son)
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([son], [])


def test_a_profile_of_somebody_else_is_asked_about_and_adds_no_birth_date_and_no_email(clinic: Clinic) -> None:
    clinic.a_patient("John", "Smith", born="1955-06-02", email="smith@example.com")
    session = document_about(clinic, "John Smith", None, email="smith@example.com")
    clinic.heidi.edit_profile(session, first_name="Paul", last_name="Smith")
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["birth_dates_differ"])


@pytest.mark.parametrize(
    "told", ["Jon Smith", "Johnny Smith", "Jhon Smith", "John Robert Smith", "John Brown", " Smith"]
)
def test_a_profile_that_is_spelt_a_little_otherwise_is_the_same_persons(clinic: Clinic, told: str) -> None:
    patient = clinic.a_patient("John", "Smith", born="1955-06-02", email="smith@example.com")
    session = document_about(clinic, "John Smith", None, email="smith@example.com")
    first, _, last = told.rpartition(" ")
    clinic.heidi.edit_profile(session, first_name=first, last_name=last)
    clinic.tick()
    assert filed_on(clinic) == [patient]


def third_identifier(clinic: Clinic) -> None:
    clinic.restart(SYNC_MATCH_IDENTIFIERS="3")
    clinic.a_patient()
    document_about(clinic)


def privacy_declined(clinic: Clinic) -> None:
    clinic.a_patient(accepted_privacy_policy=False)
    document_about(clinic)


def consent_refused(clinic: Clinic) -> None:
    clinic.a_patient()
    document_about(clinic, consent_obtained=False)


def group_session(clinic: Clinic) -> None:
    booking(clinic, clinic.a_patient(), clinic.a_patient("Tom", "Brown"))
    document_about(clinic)


def diary_disagrees(clinic: Clinic) -> None:
    clinic.a_patient()
    booking(clinic, clinic.a_patient("Tom", "Brown"))
    document_about(clinic)


HOLDS: list[tuple[Callable[[Clinic], None], str]] = [
    (several_charts, "desk"),
    (archived_only, "desk"),
    (no_match, "desk"),
    (not_identifiable, "desk"),
    (link_contradicted, "desk"),
    (birth_dates_differ, "desk"),
    (third_identifier, "desk"),
    (privacy_declined, "desk"),
    (diary_disagrees, "desk"),
    (consent_refused, "clinician"),
    (group_session, "clinician"),
]


@pytest.mark.parametrize(("arrange", "waits_on"), HOLDS, ids=[arrange.__name__ for arrange, _ in HOLDS])
def test_a_doubt_about_the_patient_is_a_persons_and_one_word_of_theirs_ends_it(
    clinic: Clinic, arrange: Callable[[Clinic], None], waits_on: str
) -> None:
    arrange(clinic)
    clinic.tick()
    [item] = Views(clinic.ledger.engine).review_list()
    assert (item.reason, item.waiting_on, filed_on(clinic)) == (arrange.__name__, waits_on, [])
    chosen = clinic.a_patient("Chosen", "Person")
    decide(clinic).assign(item.entry, chosen, clinic.clock.now())
    clinic.ticks(2)
    assert (filed_on(clinic), reasons(clinic)) == ([chosen], [])


def test_nobody_known_is_shown_who_is_alike(clinic: Clinic) -> None:
    near = clinic.a_patient("Mary", "Jones", born="1980-03-02")
    nickname = clinic.a_patient("Molly", "Jones", born="1977-01-05")
    clinic.a_patient("Zebedee", "Jones", born="1955-05-05")
    twin = clinic.a_patient("Tom", "Jones")
    document_about(clinic)
    clinic.tick()
    [item] = Views(clinic.ledger.engine).review_list()
    found = {one["patient_id"]: (one["for"], one["against"]) for one in item.candidates}
    assert found[near] == (["name_exact"], ["birth_date_near"])
    assert found[twin] == (["birth_date"], ["given_name"])
    assert set(found) <= {near, twin, nickname}


# ---------------------------------------------------------------- asked again


def test_a_mended_chart_empties_the_list_within_the_hour_without_anybody(clinic: Clinic) -> None:
    patient = clinic.a_patient(born="1980-02-13")
    document_about(clinic)
    clinic.tick()
    clinic.cliniko.edit_patient(patient, date_of_birth=BORN)
    clinic.clock.advance(AN_HOUR / 2)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["no_match"])
    clinic.clock.advance(AN_HOUR / 2)
    assert clinic.tick().tally.posted == 1
    assert (filed_on(clinic), reasons(clinic)) == ([patient], [])


def test_asking_again_in_vain_leaves_the_question_as_it_was(clinic: Clinic) -> None:
    no_match(clinic)
    clinic.tick()
    views = Views(clinic.ledger.engine)
    [before], steps = views.review_list(), len(views.entry_life(waiting(clinic)).history)
    for _ in range(5):
        clinic.clock.advance(AN_HOUR)
        assert clinic.tick().tally.review == 0
    [after] = views.review_list()
    assert (after.waiting_since, after.reason) == (before.waiting_since, before.reason)
    assert len(views.entry_life(after.entry).history) == steps


def test_asking_again_may_find_another_reason(clinic: Clinic) -> None:
    no_match(clinic)
    clinic.tick()
    clinic.a_patient(archived=True)
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert reasons(clinic) == ["archived_only"]


def test_a_retry_asks_at_once(clinic: Clinic) -> None:
    several_charts(clinic)
    clinic.tick()
    one, other = clinic.cliniko.patients
    clinic.cliniko.merge_patients(one, other)
    decide(clinic).retry(waiting(clinic), clinic.clock.now())
    clinic.tick()
    assert filed_on(clinic) == [other]


def test_a_plan_says_what_asking_again_will_find(clinic: Clinic) -> None:
    patient = clinic.a_patient(born="1980-02-13")
    document_about(clinic)
    clinic.tick()
    clinic.cliniko.edit_patient(patient, date_of_birth=BORN)
    assert planned(clinic) == [("review", "no_match")]
    clinic.clock.advance(AN_HOUR)
    assert planned(clinic) == [("post", None)]


def test_what_does_not_answer_itself_is_not_asked_again(clinic: Clinic) -> None:
    clinic.a_patient()
    clinic.a_document(clinic.a_session(), "<div>" * 500 + "deep")
    clinic.tick()
    clinic.cliniko.requests.clear()
    clinic.clock.advance(3 * AN_HOUR)
    clinic.tick(full=False)
    assert reasons(clinic) == ["not_carried"]
    assert not asked(clinic, "bookings")


def test_nothing_is_asked_again_while_posting_is_paused(clinic: Clinic) -> None:
    patient = clinic.a_patient(born="1980-02-13")
    document_about(clinic)
    clinic.tick()
    clinic.cliniko.edit_patient(patient, date_of_birth=BORN)
    state = clinic.ledger.clinicians.enter("physio-1")
    decide(clinic).pause([state.clinician_id], clinic.clock.now())
    clinic.ticks(3, every=AN_HOUR)
    assert (filed_on(clinic), reasons(clinic)) == ([], ["no_match"])


# ---------------------------------------------------------------- a person's choice


def chosen_while_paused(clinic: Clinic) -> str:
    """A person chose a patient, and nothing is filed yet."""
    patient = clinic.a_patient("Chosen", "Person")
    no_match(clinic)
    clinic.tick()
    decide(clinic).assign(waiting(clinic), patient, clinic.clock.now())
    return patient


def test_a_chosen_chart_that_is_archived_meanwhile_is_asked_about_and_filed_once_it_is_back(clinic: Clinic) -> None:
    patient = chosen_while_paused(clinic)
    clinic.cliniko.archive_patient(patient)
    clinic.tick()
    assert reasons(clinic) == ["patient_unavailable"]
    clinic.cliniko.patients[patient].archived_at = None
    clinic.clock.advance(AN_HOUR)
    clinic.tick()
    assert filed_on(clinic) == [patient]


def test_a_chosen_chart_that_is_merged_away_meanwhile_is_asked_about(clinic: Clinic) -> None:
    patient = chosen_while_paused(clinic)
    clinic.cliniko.merge_patients(patient, clinic.a_patient("Chosen", "Person"))
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["patient_unavailable"])


def test_a_chosen_patient_who_refuses_meanwhile_is_asked_about_once(clinic: Clinic) -> None:
    patient = chosen_while_paused(clinic)
    clinic.cliniko.edit_patient(patient, accepted_privacy_policy=False)
    clinic.tick()
    assert reasons(clinic) == ["privacy_declined"]
    entry = waiting(clinic)
    decide(clinic).assign(entry, patient, clinic.clock.now())
    clinic.tick()
    assert filed_on(clinic) == [patient]


def test_two_refusals_are_asked_about_one_after_the_other_and_not_for_ever(clinic: Clinic) -> None:
    patient = clinic.a_patient(accepted_privacy_policy=False)
    document_about(clinic, consent_obtained=False)
    clinic.tick()
    assert reasons(clinic) == ["consent_refused"]
    decide(clinic).assign(waiting(clinic), patient, clinic.clock.now())
    clinic.tick()
    assert reasons(clinic) == ["privacy_declined"]
    decide(clinic).assign(waiting(clinic), patient, clinic.clock.now())
    clinic.tick()
    assert filed_on(clinic) == [patient]


def test_what_one_patient_declined_is_asked_anew_of_another(clinic: Clinic) -> None:
    first = clinic.a_patient("Chosen", "Person", accepted_privacy_policy=False)
    other = clinic.a_patient("Other", "Person", accepted_privacy_policy=False)
    no_match(clinic)
    clinic.tick()
    for patient in (first, other):
        decide(clinic).assign(waiting(clinic), patient, clinic.clock.now())
        clinic.tick()
        assert (filed_on(clinic), reasons(clinic)) == ([], ["privacy_declined"])
    decide(clinic).assign(waiting(clinic), other, clinic.clock.now())
    clinic.tick()
    assert filed_on(clinic) == [other]


# ---------------------------------------------------------------- the diary


def test_a_note_is_linked_to_the_patients_own_booking(clinic: Clinic) -> None:
    patient = clinic.a_patient()
    booking(clinic, clinic.a_patient("Tom", "Brown"), minutes=-30)
    own = booking(clinic, patient)
    booking(clinic, patient, minutes=0, cancelled=True)
    document_about(clinic)
    clinic.tick()
    assert [(note.patient_id, note.booking_id) for note in clinic.notes()] == [(patient, own)]


def test_a_walk_in_on_an_empty_morning_is_filed_without_a_booking(clinic: Clinic) -> None:
    patient = clinic.a_patient()
    booking(clinic, clinic.a_patient("Tom", "Brown"), minutes=240)
    document_about(clinic)
    clinic.tick()
    assert [(note.patient_id, note.booking_id) for note in clinic.notes()] == [(patient, None)]


def test_an_appointment_is_the_third_identifier(clinic: Clinic) -> None:
    clinic.restart(SYNC_MATCH_IDENTIFIERS="3")
    patient = clinic.a_patient()
    booking(clinic, patient)
    document_about(clinic)
    clinic.tick()
    assert filed_on(clinic) == [patient]


def test_a_desks_mailbox_is_no_third_identifier(clinic: Clinic) -> None:
    clinic.restart(SYNC_MATCH_IDENTIFIERS="3")
    clinic.a_patient(email="desk@example.com")
    for number in range(4):
        clinic.a_patient(f"Person{number}", f"Family{number}", born=f"197{number}-05-06", email="desk@example.com")
    document_about(clinic, email="desk@example.com")
    clinic.tick()
    assert reasons(clinic) == ["third_identifier"]


def test_where_the_key_may_not_read_the_diary_notes_are_filed_without_it(clinic: Clinic) -> None:
    clinic.cliniko.users[clinic.user_id].can_read_bookings = False
    patient = clinic.a_patient()
    booking(clinic, clinic.a_patient("Tom", "Brown"))
    document_about(clinic)
    report = clinic.tick()
    assert [(note.patient_id, note.booking_id) for note in clinic.notes()] == [(patient, None)]
    assert report.trouble is None


def test_without_the_veto_the_diary_only_links(clinic: Clinic) -> None:
    clinic.restart(SYNC_DIARY_VETO="false")
    diary_disagrees(clinic)
    clinic.tick()
    assert (len(filed_on(clinic)), reasons(clinic)) == (1, [])


def test_the_diary_does_not_overrule_a_persons_choice(clinic: Clinic) -> None:
    diary_disagrees(clinic)
    clinic.tick()
    entry = waiting(clinic)
    patient = next(iter(clinic.cliniko.patients))
    decide(clinic).assign(entry, patient, clinic.clock.now())
    clinic.tick()
    assert filed_on(clinic) == [patient]
    assert clinic.ledger.entries.get(entry).status is Status.POSTED
