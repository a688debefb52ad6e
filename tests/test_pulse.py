"""Signs of life: what counts as silence, and what does not; and that a service which stopped working ends."""

import json
import threading
from collections.abc import Callable
from datetime import UTC
from types import SimpleNamespace
from typing import cast

import pytest

from sync_worker import scheduler, upkeep
from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.ledger.purge import Purged
from sync_worker.pulse import LONGEST_STEP_SECONDS, Pulse, TickClock
from sync_worker.rate import RateBudget
from sync_worker.records import Tally, TickReport
from sync_worker.scheduler import Service
from sync_worker.upkeep import Hooks
from tests.conftest import TestClock
from tests.loopback import CostlyClock

REQUEST_SECONDS = 35
POLL_SECONDS = 120


@pytest.fixture
def pulse(clock: TestClock) -> Pulse:
    return Pulse(clock, request_seconds=REQUEST_SECONDS)


def live(pulse: Pulse, clock: TestClock, seconds: int, *, signs: Callable[[], None] = lambda: None) -> str | None:
    """Let time pass while somebody looks every second and the scheduler does its work; the first silence, if any."""
    for _ in range(seconds):
        clock.advance(1)
        pulse.planned()
        signs()
        if silent := pulse.silence(poll_seconds=POLL_SECONDS):
            return silent
    return None


def test_a_service_that_waits_for_its_next_poll_is_not_silent(pulse: Pulse, clock: TestClock) -> None:
    for _ in range(3):
        with pulse.ticking():
            pass
        assert live(pulse, clock, POLL_SECONDS) is None


def test_a_service_in_which_no_tick_begins_is_silent(pulse: Pulse, clock: TestClock) -> None:
    with pulse.ticking():
        pass
    assert live(pulse, clock, POLL_SECONDS + int(LONGEST_STEP_SECONDS)) is None
    assert live(pulse, clock, 1) == "no_tick"


def test_a_scheduler_that_plans_nothing_is_silent_while_a_tick_goes_on(pulse: Pulse, clock: TestClock) -> None:
    with pulse.ticking():
        for _ in range(int(LONGEST_STEP_SECONDS)):
            clock.advance(1)
            pulse.step()
            assert pulse.silence(poll_seconds=POLL_SECONDS) is None
        clock.advance(1)
        pulse.step()
        assert pulse.silence(poll_seconds=POLL_SECONDS) == "scheduler"


def test_a_tick_may_take_hours_as_long_as_it_asks_whether_to_stop(pulse: Pulse, clock: TestClock) -> None:
    worker_clock = TickClock(clock, pulse)
    with pulse.ticking():
        assert live(pulse, clock, 3 * 3600, signs=worker_clock.check_stop) is None


def test_a_tick_that_goes_on_no_more_is_silent_after_the_longest_request_and_some_time(
    pulse: Pulse, clock: TestClock
) -> None:
    with pulse.ticking():
        pulse.step()
        assert live(pulse, clock, REQUEST_SECONDS + int(LONGEST_STEP_SECONDS)) is None
        assert live(pulse, clock, 1) == "tick"


def test_a_stuck_tick_is_noticed_while_another_clinicians_goes_on(pulse: Pulse, clock: TestClock) -> None:
    stuck = threading.Event()
    begun = threading.Event()

    def hang() -> None:
        with pulse.ticking():
            begun.set()
            stuck.wait()

    thread = threading.Thread(target=hang)
    thread.start()
    begun.wait()
    with pulse.ticking():
        assert live(pulse, clock, 600, signs=pulse.step) == "tick"
    stuck.set()
    thread.join()
    assert live(pulse, clock, 1) is None


def test_the_page_says_nothing_of_the_ticks(pulse: Pulse, clock: TestClock) -> None:
    with pulse.ticking():

        def ask() -> None:
            thread = threading.Thread(target=TickClock(clock, pulse).check_stop)
            thread.start()
            thread.join()

        assert live(pulse, clock, 600, signs=ask) == "tick"


def test_waiting_for_the_rate_limit_is_no_silence(pulse: Pulse, clock: TestClock) -> None:
    silences = []

    class Watched(TestClock):
        def sleep(self, seconds: float) -> None:
            silences.append(live(pulse, clock, round(seconds)))

    with pulse.ticking():
        TickClock(Watched(), pulse).sleep(3600)
        budget = RateBudget(1, TickClock(clock, pulse))
        budget.take()
        budget.take()
    assert silences == [None]


def test_time_in_which_the_machine_slept_counts_against_nobody(pulse: Pulse, clock: TestClock) -> None:
    with pulse.ticking():
        clock.advance(8 * 3600)
        assert pulse.silence(poll_seconds=POLL_SECONDS) is None
        assert live(pulse, clock, REQUEST_SECONDS + int(LONGEST_STEP_SECONDS)) is None
        assert live(pulse, clock, 1) == "tick"


# ---------------------------------------------------------------- the service that looks


class _Hurried(CostlyClock):
    """Each look at it takes a second; asked to stop by its event, as the machine's own clock is."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = threading.Event()


class _Ticks:
    """Stands for the worker under the scheduler."""

    def __init__(self, clock: _Hurried) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.pulse = Pulse(clock, request_seconds=0)
        self.pipelines = {"physio-1": self}
        self.ledger = SimpleNamespace(decisions=lambda: 0)
        self.purge = SimpleNamespace(run=lambda *_now, **_how: Purged())
        self.night_zone = UTC

    def tick(self, _user_id: str) -> TickReport:
        self.begun.set()
        self.let_go.wait(30)
        return TickReport("A. Physio", Tally(), None)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> _Hurried:
    monkeypatch.setattr(upkeep, "WATCH_SECONDS", 0.001)
    monkeypatch.setattr(scheduler, "DECISIONS_SECONDS", 0.01)
    return _Hurried()


def a_service(worker: _Ticks, clock: _Hurried, given_up: list[str]) -> Service:
    def give_up() -> None:
        given_up.append("gave up")
        worker.let_go.set()

    hooks = Hooks(give_up=give_up)
    return Service(cast(Worker, worker), poll_seconds=POLL_SECONDS, clock=cast(SystemClock, clock), hooks=hooks)


def silences_told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return [line["code"] for line in lines if line["event"] == "service.stuck"]


def test_a_service_whose_tick_is_stuck_gives_up_and_says_why(
    hurried: _Hurried, capsys: pytest.CaptureFixture[str]
) -> None:
    worker, given_up = _Ticks(hurried), []
    a_service(worker, hurried, given_up).run()
    assert worker.begun.is_set()
    assert given_up == ["gave up"]
    assert silences_told(capsys) == ["tick"]


def test_a_service_whose_scheduler_stopped_gives_up(hurried: _Hurried, capsys: pytest.CaptureFixture[str]) -> None:
    worker, given_up = _Ticks(hurried), []
    worker.let_go.set()
    service = a_service(worker, hurried, given_up)
    service._scheduler.add_job(lambda: service._scheduler.pause(), executor="watch")
    service.run()
    assert given_up == ["gave up"]
    assert silences_told(capsys) == ["scheduler"]
