"""What the page counts as filed: each note on the day on which it was made or found, on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.pages import Pages
from sync_worker.lifecycle import Settlement
from sync_worker.records import Reason, Status
from tests.conftest import MORNING, TestClock
from tests.ledger_steps import DATABASES, NOTE, Bench, an_engine, emptied_bench

DAY = 24 * 3600
DAYS = [MORNING + timedelta(days=day) - timedelta(hours=1) for day in range(4)]


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with an_engine(request, request.param) as engine:
        yield engine


@pytest.fixture
def bench(engine: Engine, clock: TestClock) -> Bench:
    return emptied_bench(engine, clock)


def filed(bench: Bench) -> list[int]:
    return Pages(bench.ledger.engine).filed_between(DAYS)


def test_a_note_stays_filed_on_its_day_while_it_is_asked_about_and_after_the_answer(
    bench: Bench, clock: TestClock
) -> None:
    entry = bench.a_posted()
    clock.advance(DAY)
    bench.read({"doc-1": "Rest, and ice."}, entry.session_id)
    assert (bench.only().reason, filed(bench)) == (Reason.REVISED, [1, 0, 0])
    Decisions(bench.ledger.engine, "clinician ada").dismiss(entry.entry_id, "done", clock.now())
    assert (bench.only().status, filed(bench)) == (Status.POSTED, [1, 0, 0])


def test_a_note_that_was_taken_back_or_came_out_otherwise_was_filed_all_the_same(
    bench: Bench, clock: TestClock
) -> None:
    bench.a_withdrawn("doc-11")
    _, attempt = bench.begun("doc-12")
    bench.settle(attempt, Settlement(Status.REVIEW, Reason.CONTENT_CHANGED, NOTE + "9", "accepted"))
    assert filed(bench) == [2, 0, 0]
    clock.advance(DAY)
    Decisions(bench.ledger.engine, "clinician ada").dismiss(bench.only("doc-12").entry_id, "done", clock.now())
    assert filed(bench) == [2, 0, 0]


def test_a_note_that_was_found_is_filed_on_the_day_on_which_it_was_found(bench: Bench, clock: TestClock) -> None:
    entry = bench.an_in_doubt()
    assert filed(bench) == [0, 0, 0]
    clock.advance(DAY)
    Decisions(bench.ledger.engine, "clinician ada").resolve_there(entry.entry_id, NOTE + "7", clock.now())
    assert filed(bench) == [0, 1, 0]
    assert Pages(bench.ledger.engine).filed_between(DAYS, {"physio-1"}) == [0, 1, 0]
    assert Pages(bench.ledger.engine).filed_between(DAYS, {"physio-2"}) == [0, 0, 0]
    clock.advance(DAY)
    bench.read({"doc-1": "Rest, and ice."}, entry.session_id)
    Decisions(bench.ledger.engine, "clinician ada").dismiss(entry.entry_id, "done", clock.now())
    assert filed(bench) == [0, 1, 0]
