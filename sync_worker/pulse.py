"""Whether work goes on: the signs of life of the scheduler and of each tick, and which of them is missing.

A tick may take hours, as a backlog does, for as long as it goes on: before each request and each entry, and around each
wait, it asks its clock whether to stop, and that is its sign. Knows no thread of its own and does nothing about a
silence: the scheduler looks, and acts.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sync_worker.clock import Clock

LONGEST_STEP_SECONDS = 120.0
"""What may lie between two signs besides one request: the ledger's locks and time-outs, a slow name server, a long
document. Four times the longest of them."""
HELD_UP_SECONDS = 10.0
"""Whoever looks every second and comes so late was held up, and everybody else with him."""


class Pulse:
    """The signs of one process. Thread-safe. `request_seconds` is how long one request may take."""

    def __init__(self, clock: Clock, *, request_seconds: float) -> None:
        self._clock = clock
        self._longest_step = request_seconds + LONGEST_STEP_SECONDS
        self._lock = threading.Lock()
        self._looked_at = self._planned_at = self._ticked_at = clock.monotonic()
        self._ticks: dict[int, float] = {}
        """Of each thread that ticks, when its last sign came; later than now while it waits for something known."""

    def planned(self) -> None:
        """The scheduler's own thread did its work."""
        with self._lock:
            self._planned_at = self._clock.monotonic()

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """This thread ticks, from entering the block to leaving it."""
        me = threading.get_ident()
        with self._lock:
            self._ticks[me] = self._clock.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._ticks.pop(me, None)
                self._ticked_at = self._clock.monotonic()

    def step(self, wait_seconds: float = 0.0) -> None:
        """This thread's tick goes on, and waits for so long now. Means nothing from a thread that does not tick."""
        me = threading.get_ident()
        with self._lock:
            if me in self._ticks:
                self._ticks[me] = self._clock.monotonic() + wait_seconds

    def silence(self, *, poll_seconds: float) -> str | None:
        """What has been silent for too long: `scheduler`, `tick` (one that began), `no_tick` (none begins); or None.

        To be asked about every second. Time in which nobody could ask, since the machine slept or the process was
        stopped, counts against nobody.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._forgive(now - self._looked_at)
            self._looked_at = now
            if now - self._planned_at > LONGEST_STEP_SECONDS:
                return "scheduler"
            if any(now - sign > self._longest_step for sign in self._ticks.values()):
                return "tick"
            if not self._ticks and now - self._ticked_at > poll_seconds + LONGEST_STEP_SECONDS:
                return "no_tick"
        return None

    def _forgive(self, gap: float) -> None:
        if gap > HELD_UP_SECONDS:
            self._planned_at += gap
            self._ticked_at += gap
            self._ticks = {thread: sign + gap for thread, sign in self._ticks.items()}


class TickClock:
    """The clock that ticks go by. Each question whether to stop, and each wait, is a sign of life."""

    def __init__(self, clock: Clock, pulse: Pulse) -> None:
        self._clock = clock
        self._pulse = pulse

    def now(self) -> datetime:
        """The wall clock: aware, UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Seconds on a clock that is never set back."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Stopping` as soon as the process is asked to stop."""
        self._pulse.step(seconds)
        self._clock.sleep(seconds)
        self._pulse.step()

    def check_stop(self) -> None:
        """Raises `Stopping` if the process was asked to stop."""
        self._pulse.step()
        self._clock.check_stop()
