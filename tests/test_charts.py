"""Charts as a tick reads them: each question once, merges followed, and nothing kept for longer than a minute."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from sync_worker.charts import LONGEST_PART, Answers, Charts
from sync_worker.fresh import FRESH_SECONDS
from tests.conftest import Clinic, TestClock


@pytest.fixture
def charts(clinic: Clinic) -> Charts:
    return Charts(clinic.worker.pipelines["physio-1"].cliniko, Answers(clinic.clock))


def asked(clinic: Clinic) -> Iterator[str]:
    for one in clinic.cliniko.requests:
        yield next(value for name, value in one.query if name == "q[]")


def test_a_question_is_asked_once_a_minute_and_once_a_tick(clinic: Clinic, charts: Charts, clock: TestClock) -> None:
    mary = clinic.a_patient()
    for _ in range(3):
        assert [one.patient_id for one in charts.with_id(mary)] == [mary]
    clock.advance(FRESH_SECONDS - 1)
    charts.with_id(mary)
    assert list(asked(clinic)) == [f"id:={mary}"]
    clock.advance(1)
    charts.with_id(mary)
    charts.forget()
    charts.with_id(mary)
    assert len(list(asked(clinic))) == 3


def test_a_decision_is_fresh_for_a_minute_from_before_the_oldest_of_its_answers(
    clinic: Clinic, charts: Charts, clock: TestClock
) -> None:
    mary = clinic.a_patient()
    began = clock.monotonic()
    charts.named_like("ones")
    clock.advance(20)
    for ask in (lambda: charts.with_id(mary), lambda: charts.named_like("ones"), lambda: charts.named_like("nobody")):
        ask()
        assert charts.fresh_until == began + FRESH_SECONDS
    charts.decide_anew()
    charts.with_id(mary)
    assert charts.fresh_until == began + 20 + FRESH_SECONDS
    charts.named_like("ones")
    assert charts.fresh_until == began + FRESH_SECONDS


def test_merged_charts_are_followed_to_the_one_that_survived(clinic: Clinic, charts: Charts) -> None:
    merged = [clinic.a_patient("Mary", f"J{number}") for number in range(4)]
    for loser, winner in pairwise(merged):
        clinic.cliniko.merge_patients(loser, winner)
    first = charts.with_id(merged[0])
    assert [one.patient_id for one in charts.with_survivors(first)] == merged
    assert charts.with_survivors([]) == []


def test_charts_that_were_merged_into_each_other_do_not_go_round_for_ever(clinic: Clinic, charts: Charts) -> None:
    one, two = clinic.a_patient(), clinic.a_patient()
    clinic.cliniko.merge_patients(one, two)
    clinic.cliniko.merge_patients(two, one)
    assert {chart.patient_id for chart in charts.with_survivors(charts.with_id(one))} == {one, two}


@pytest.mark.parametrize(
    "nonsense", ["", "EHR-77", "1.0", "１２", "7 7", "7,8", "9" * 19, "1" * 20, "9" * 70_000, "0" * 20 + "7"]
)
def test_what_is_no_id_of_clinikos_is_not_asked_for(clinic: Clinic, charts: Charts, nonsense: str) -> None:
    assert charts.with_id(nonsense) == []
    assert list(asked(clinic)) == []


def test_of_a_family_name_no_more_letters_are_asked_for_than_an_address_can_hold(
    clinic: Clinic, charts: Charts
) -> None:
    longest = clinic.a_patient("Mary", "J" * 300)
    assert [one.patient_id for one in charts.named_like("j" * 70_000)] == [longest]
    assert list(asked(clinic)) == ["last_name:~" + "j" * LONGEST_PART]


@pytest.mark.parametrize("address", ["", "mary", "~mary@example.com", "=a@example.com", "a b@example.com", "@x"])
def test_what_is_no_address_is_not_asked_for(clinic: Clinic, charts: Charts, address: str) -> None:
    clinic.a_patient(email=address or None)
    assert charts.with_email(address) == []
    assert list(asked(clinic)) == []


def test_an_address_is_asked_for_as_typed_and_in_small_letters(clinic: Clinic, charts: Charts) -> None:
    clinic.cliniko.case_sensitive = True
    typed, small = clinic.a_patient(email="Mary@Example.com"), clinic.a_patient(email="mary@example.com")
    assert [one.patient_id for one in charts.with_email(" Mary@Example.com ")] == [typed, small]
    assert list(asked(clinic)) == ["email:~Mary@Example.com", "email:~mary@example.com"]
