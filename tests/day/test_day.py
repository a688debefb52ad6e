"""The day's judges: what is lost, doubled, on a wrong chart, not told or told too often is each caught.

The whole day is `python -m tests.day`.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sync_worker.notices import Notice
from tests.day.causes import CAUSES, LOST_ANSWERS
from tests.day.day import MIDNIGHT, OPENS, Day
from tests.day.notices import untold
from tests.day.practice import Practice
from tests.faults.world import HostClock, a_world


def notice(code: str, *, begins: bool) -> Notice:
    return Notice(code, "alarm", begins, "", (), MIDNIGHT)


def told_once(*codes: str) -> list[Notice]:
    return [notice(code, begins=begins) for code in codes for begins in (True, False)]


@pytest.fixture
def day() -> Iterator[Day]:
    """Before its first minute: everybody is there, and nothing was done yet."""
    with a_world(clock=HostClock(MIDNIGHT + timedelta(minutes=OPENS)), kind=Practice) as practice:
        practice.open()
        yield Day(practice)


def file_by_hand(practice: Practice, reference: str, patient_id: str | None = None) -> None:
    """A note as the worker would have made it; `patient_id` is whose chart it goes to by mistake."""
    paper = practice.papers[reference]
    author = practice.cliniko.practitioner_of(practice.users[paper.clinician])
    practice.cliniko.add_note_by_hand(patient_id or paper.patient_id, author, f"Letter ref {reference}", None)


def test_a_lost_a_doubled_and_a_misfiled_note_are_caught(day: Day) -> None:
    practice = day.practice
    for _ in range(4):
        practice.finish_a_document("physio-2")
    right, twice, wrong, _lost = practice.papers
    file_by_hand(practice, right)
    file_by_hand(practice, twice)
    file_by_hand(practice, twice)
    other = next(chart for _, _, chart in practice.charts if chart != practice.papers[wrong].patient_id)
    file_by_hand(practice, wrong, other)
    assert (day.lost(), day.twice(), day.misfiled()) == (1, 1, 1)
    assert {"1 lost", "1 filed twice", "1 on a wrong chart"} <= set(day.unkept())


def test_a_note_under_another_clinicians_name_is_caught(day: Day) -> None:
    practice = day.practice
    practice.finish_a_document("physio-2")
    (reference,) = practice.papers
    other = practice.cliniko.practitioner_of(practice.users["physio-4"])
    practice.cliniko.add_note_by_hand(practice.papers[reference].patient_id, other, f"Letter ref {reference}", None)
    assert day.misfiled() == 1


def test_a_day_on_which_nothing_was_felt_proves_nothing(day: Day) -> None:
    broken = day.unkept()
    assert "0 documents were finished: the day was no whole one" in broken
    assert sum(one.startswith("no tick ever felt this") for one in broken) == sum(bool(one.trouble) for one in CAUSES)
    assert f"0 answers were lost and found by looking, not {len(LOST_ANSWERS)}" in broken


def test_a_backlog_that_stays_is_caught(day: Day) -> None:
    day.practice.finish_a_document("physio-3")
    late = [one for one in day.unkept() if one.startswith("the backlog did not drain")]
    befallen = [cause for cause in CAUSES if cause.befalls("physio-3")]
    assert late == [f"the backlog did not drain in time after: {cause.what}" for cause in befallen]


def test_a_full_disk_lets_the_ledger_be_read_and_not_written(day: Day) -> None:
    practice = day.practice
    pipeline = practice.worker.pipelines["physio-1"]
    assert pipeline.tick().trouble is None
    practice.fill_disk()
    trouble = pipeline.tick().trouble
    assert trouble is not None
    assert trouble.code == "ledger_unavailable"
    practice.free_disk()
    assert pipeline.tick().trouble is None


def test_an_alarm_is_to_be_told_once_and_its_end_once() -> None:
    assert list(untold(told_once("heidi_unreachable", "clock"), ["clock", "heidi_unreachable"])) == []


@pytest.mark.parametrize(
    ("told", "promise"),
    [
        ([notice("clock", begins=True)], "clock was told 0 times as over, promised: once"),
        ([notice("clock", begins=False)], "clock was told 0 times as begun, promised: once"),
        ([*told_once("clock"), notice("clock", begins=True)], "clock was told 2 times as begun, promised: once"),
        ([*told_once("clock"), notice("brake", begins=True)], "brake was told 1 times as begun, and nothing caused it"),
    ],
)
def test_what_is_not_told_or_told_too_often_or_without_a_cause_is_caught(told: list[Notice], promise: str) -> None:
    assert list(untold(told, ["clock"])) == [promise]
