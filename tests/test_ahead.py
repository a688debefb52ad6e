"""What the next documents need is read while a note is on its way; notes themselves go one at a time, in order."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from sync_worker import ahead
from sync_worker.ahead import DEPTH
from sync_worker.charts import Answers
from sync_worker.clock import SystemClock
from sync_worker.errors import RateLimited, Stopping, Unavailable
from sync_worker.fresh import FRESH_SECONDS, MOST_ANSWERS, Fresh
from sync_worker.http import READ_ATTEMPTS
from sync_worker.model import Patient
from sync_worker.rate import LEAST_PLACES_AHEAD, LEFT_FOR_THE_TURN, AheadBudget, RateBudget
from sync_worker.records import PauseReason
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.wire import Reply, Request
from tests.conftest import Clinic, TestClock
from tests.engines import new_file
from tests.in_turn import InTurn

PATIENCE_SECONDS = 10.0


class WatchedCliniko(ClinikoSandbox):
    """Cliniko, with a hook around each request."""

    around: Callable[[Request, Callable[[Request], Reply]], Reply] | None = None

    def handle(self, request: Request) -> Reply:
        return self.around(request, super().handle) if self.around else super().handle(request)


@pytest.fixture
def watched(clock: TestClock, tmp_path: Path) -> Iterator[tuple[Clinic, WatchedCliniko]]:
    """A clinic, and its Cliniko with a hook."""
    (tmp_path / "ledger.db").write_bytes(new_file())
    cliniko = WatchedCliniko(now=clock.now)
    sandbox = Sandbox(HeidiSandbox(now=clock.now), cliniko)
    sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
    user_id = cliniko.add_user(first_name="Ada", last_name="Physio")
    with sandbox:
        clinic = Clinic(sandbox, clock, f"sqlite:///{tmp_path / 'ledger.db'}", user_id)
        clinic.extra["CLINIKO_TIMEOUT_SECONDS"] = "20"
        yield clinic, cliniko
        clinic.restart()


def documents(clinic: Clinic, count: int) -> list[str]:
    """So many patients with a finished document each, in the order in which they are met; their charts."""
    charts = []
    for number in range(count):
        born = f"19{50 + number}-03-04"
        family = f"Jones{chr(ord('a') + number)}"
        charts.append(clinic.a_patient("Mary", family, born))
        clinic.a_document(clinic.a_session(f"Mary {family}", born), f"# Plan\n\nRest {number} days.")
    return charts


def is_post(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/treatment_notes")


def test_the_next_charts_are_looked_for_while_a_note_is_on_its_way(watched: tuple[Clinic, WatchedCliniko]) -> None:
    clinic, cliniko = watched
    documents(clinic, 4)
    clinic.restart(SYNC_MODE="rehearse")
    clinic.tick()
    with clinic.ledger.engine.connect() as db:
        order = list(db.exec_driver_sql("SELECT session_id FROM entries ORDER BY due_at, id").scalars())
    third = clinic.heidi.sessions[order[2]].birth_date
    clinic.restart(SYNC_MODE="auto")
    posts, second_is_out, looked = [], threading.Event(), threading.Event()

    def around(request: Request, answer: Callable[[Request], Reply]) -> Reply:
        if is_post(request):
            posts.append(request)
            if len(posts) == 2:
                second_is_out.set()
                assert looked.wait(PATIENCE_SECONDS), "nobody looked for the next patient"
        elif ("q[]", f"date_of_birth:={third}") in request.query:
            assert second_is_out.wait(PATIENCE_SECONDS), "a note waited for the next one's patient"
            looked.set()
        return answer(request)

    cliniko.around = around
    assert clinic.tick().tally.posted == 4


def test_notes_go_one_at_a_time_and_in_the_order_of_their_documents(watched: tuple[Clinic, WatchedCliniko]) -> None:
    clinic, cliniko = watched
    charts = documents(clinic, 12)
    out, most, lock = 0, 0, threading.Lock()

    def around(request: Request, answer: Callable[[Request], Reply]) -> Reply:
        nonlocal out, most
        if not is_post(request):
            return answer(request)
        with lock:
            out += 1
            most = max(most, out)
        reply = replace(answer(request), delay_seconds=0.02)
        with lock:
            out -= 1
        return reply

    cliniko.around = around
    assert clinic.tick().tally.posted == 12
    assert most == 1
    met = [one.patient_id for one in clinic.notes()]
    assert sorted(met) == sorted(charts)
    query = "SELECT patient_id FROM entries ORDER BY due_at, id"
    with clinic.ledger.engine.connect() as db:
        assert met == list(db.exec_driver_sql(query).scalars())


def test_what_could_not_be_read_ahead_is_asked_again_by_whoever_delivers(clinic: Clinic) -> None:
    documents(clinic, 6)
    clinic.extra["CLINIKO_RATE_PER_MINUTE"] = "21"  # of which reading ahead may not have the last
    assert clinic.tick().tally.posted == 6


def test_a_service_that_fails_while_it_is_read_ahead_costs_no_document_anything(clinic: Clinic) -> None:
    documents(clinic, 8)
    clinic.cliniko.fail("patients", "500", times=2)
    clinic.cliniko.fail("patients", "drop", times=2, after=3)
    clinic.ticks(3)
    assert len(clinic.notes()) == len({note.patient_id for note in clinic.notes()}) == 8


def test_where_posting_is_paused_nothing_is_being_read_any_more(clinic: Clinic) -> None:
    documents(clinic, 12)
    clinic.extra["SYNC_BRAKE_POSTS_PER_HOUR"] = "2"
    report = clinic.tick()
    assert report.trouble is not None
    assert report.trouble.code == PauseReason.BRAKE.value
    assert len(clinic.notes()) == 2
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_a_document_alone_needs_no_threads(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    clinic.a_finished_document()
    monkeypatch.setattr(clinic.worker.pipelines["physio-1"].ahead, "_readers", None)
    assert clinic.tick().tally.posted == 1


# ---------------------------------------------------------------- its part of the budget

LATENCY_SECONDS = 0.2


class FarCliniko(ClinikoSandbox):
    """Each answer takes a while, by the test's clock."""

    clock: TestClock
    began = 0.0
    posted: list[float]

    def handle(self, request: Request) -> Reply:
        self.clock.advance(LATENCY_SECONDS)
        if request.method == "POST":
            self.posted.append(self.clock.monotonic() - self.began)
        return super().handle(request)


def course(folder: Path, rate: int, how: object, count: int = 16) -> tuple[int, list[float]]:
    """How many requests a backlog costs, and how many seconds after its beginning each of its notes was sent."""
    folder.mkdir()
    (folder / "ledger.db").write_bytes(new_file())
    clock = TestClock()
    cliniko = FarCliniko(now=clock.now)
    cliniko.clock, cliniko.posted = clock, []
    sandbox = Sandbox(HeidiSandbox(now=clock.now), cliniko)
    sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
    user_id = cliniko.add_user(first_name="Ada", last_name="Physio")
    with sandbox, how:  # type: ignore[attr-defined]
        clinic = Clinic(sandbox, clock, f"sqlite:///{folder / 'ledger.db'}", user_id)
        clinic.extra["CLINIKO_RATE_PER_MINUTE"] = str(rate)
        clinic.a_document(clinic.a_session("Nobody Known", "1901-05-06"))
        clinic.tick()  # from here on it is known whose the key is
        clock.advance(3600)
        documents(clinic, count)
        cliniko.requests.clear()
        cliniko.posted.clear()
        cliniko.began = clock.monotonic()
        clinic.tick()
        clinic.restart()
    return len(cliniko.requests), cliniko.posted


@pytest.mark.parametrize("rate", [6, 20])
def test_reading_ahead_neither_costs_requests_nor_delays_notes(tmp_path: Path, rate: int) -> None:
    how = patch.object(ahead, "readers", InTurn)
    alone = patch.object(ahead.ReadAhead, "along", lambda _self, entries: (one for one in entries))
    requests, sent = course(tmp_path / "ahead", rate, how)
    requests_alone, sent_alone = course(tmp_path / "alone", rate, alone)
    told = f"{requests} requests, first note after {sent[0]:.0f} s, last after {sent[-1]:.0f} s; alone "
    told += f"{requests_alone}, {sent_alone[0]:.0f} s, {sent_alone[-1]:.0f} s"
    assert requests <= requests_alone, told
    assert sent[-1] <= sent_alone[-1] + 5, told
    assert sent[0] <= sent_alone[0] + 5, told


def test_what_is_adopted_costs_no_request_of_its_own(clinic: Clinic, tmp_path: Path) -> None:
    documents(clinic, 12)
    assert clinic.tick().tally.posted == 12
    (tmp_path / "another.db").write_bytes(new_file())
    clinic.restart(DATABASE_URL=f"sqlite:///{tmp_path / 'another.db'}")
    clinic.clock.advance(3600)
    clinic.cliniko.requests.clear()
    clinic.tick()
    assert not clinic.posts()
    searches = [one for one in clinic.cliniko.requests if one.path.endswith("/patients")]
    assert len(searches) == 0


def test_when_heidi_asks_for_patience_nobody_reads_ahead(clinic: Clinic) -> None:
    documents(clinic, 12)
    clinic.restart(SYNC_MODE="rehearse", SYNC_SETTLE_SECONDS="600")
    clinic.tick()
    clinic.clock.advance(7200 + 3600)  # nothing is read again for having changed lately
    clinic.restart(SYNC_MODE="auto")
    clinic.heidi.requests.clear()
    clinic.heidi.fail("documents", "429", times=1000)
    clinic.tick(full=False)
    asked = [one for one in clinic.heidi.requests if one.path.endswith("/documents")]
    assert len(asked) <= READ_ATTEMPTS + DEPTH


def test_reading_ahead_leaves_the_next_notes_their_places(clock: TestClock) -> None:
    own = RateBudget(LEAST_PLACES_AHEAD, clock)
    ahead = AheadBudget(own, "cliniko")
    for _ in range(LEAST_PLACES_AHEAD - LEFT_FOR_THE_TURN):
        ahead.take()
    with pytest.raises(RateLimited):
        ahead.take()
    began = clock.monotonic()
    for _ in range(LEFT_FOR_THE_TURN):
        own.take()
    assert clock.monotonic() == began


# ---------------------------------------------------------------- answers that are kept


def test_an_answer_is_kept_for_a_minute_from_before_it_was_asked_for(clock: TestClock) -> None:
    fresh: Fresh[str, float] = Fresh(clock)

    def ask() -> float:
        clock.advance(20)
        return clock.monotonic()

    began = clock.now()
    first = fresh.get("who", ask)
    assert first.asked_at == began
    clock.advance(FRESH_SECONDS - 21)
    assert fresh.get("who", ask) is first
    clock.advance(1)
    assert fresh.get("who", ask) is not first


def test_who_asks_what_is_being_asked_waits_for_that_answer(clock: TestClock) -> None:
    fresh: Fresh[str, int] = Fresh(clock)
    is_asked, may_answer, asked = threading.Event(), threading.Event(), []

    def ask() -> int:
        asked.append(threading.current_thread().name)
        is_asked.set()
        assert may_answer.wait(PATIENCE_SECONDS)
        return 7

    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(fresh.get("who", ask).value)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert is_asked.wait(PATIENCE_SECONDS)
    may_answer.set()
    for thread in threads:
        thread.join()
    assert (answers, len(asked)) == ([7] * 4, 1)


def test_where_no_answer_came_the_next_one_asks_anew(clock: TestClock) -> None:
    fresh: Fresh[str, int] = Fresh(clock)

    def fail() -> int:
        raise Unavailable("cliniko", "list_patients")

    with pytest.raises(Unavailable):
        fresh.get("who", fail)
    assert fresh.get("who", lambda: 7).value == 7


def test_no_more_answers_are_kept_than_a_tick_needs(clock: TestClock) -> None:
    fresh: Fresh[int, int] = Fresh(clock)
    for number in range(MOST_ANSWERS + 1):
        fresh.get(number, lambda: 1)
    assert fresh.get(MOST_ANSWERS, lambda: 2).value == 1
    assert fresh.get(1, lambda: 2).value == 1
    assert fresh.get(0, lambda: 2).value == 2


def test_an_answer_that_was_asked_for_earlier_does_not_replace_a_younger_one(clock: TestClock) -> None:
    """A slow search of a reader, and a chart that whoever delivers read meanwhile, archived by then."""
    answers = Answers(clock)
    is_out, may_come = threading.Event(), threading.Event()
    before, now = Patient("1", first_name="Mary", last_name="Jones"), Patient("1", "Mary", "Jones", archived=True)

    def slowly() -> list[Patient]:
        is_out.set()
        assert may_come.wait(PATIENCE_SECONDS)
        return [before]

    reader = threading.Thread(target=lambda: answers.get(("born", "1980-02-03"), slowly))
    reader.start()
    assert is_out.wait(PATIENCE_SECONDS)
    clock.advance(25)
    assert answers.get(("id", "1"), lambda: [now])[0] == [now]
    may_come.set()
    reader.join()
    clock.advance(50)  # the search is 75 s old by now; the chart, 50 s
    [chart], until = answers.get(("id", "1"), lambda: [now])
    assert clock.monotonic() < until
    assert chart.archived


def test_who_waits_for_anothers_answer_shows_that_it_lives_and_heeds_a_stop() -> None:
    clock = SystemClock()
    fresh: Fresh[str, int] = Fresh(clock)
    is_asked, may_answer = threading.Event(), threading.Event()

    def ask() -> int:
        is_asked.set()
        assert may_answer.wait(PATIENCE_SECONDS)
        return 7

    other = threading.Thread(target=lambda: fresh.get("who", ask))
    other.start()
    assert is_asked.wait(PATIENCE_SECONDS)
    threading.Timer(0.1, clock.stop.set).start()
    with pytest.raises(Stopping):
        fresh.get("who", ask)
    may_answer.set()
    other.join()
