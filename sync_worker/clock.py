"""The clock that everything is handed: wall time, monotonic time, and a sleep that a stop request ends.

Nothing else in the program asks the machine for the time, so that tests can hand in a clock of their own.
"""

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

from sync_worker.errors import Stopping


class Clock(Protocol):
    """What the program needs of time."""

    def now(self) -> datetime:
        """The wall clock: aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that is never set back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Stopping` as soon as the process is asked to stop."""
        ...

    def check_stop(self) -> None:
        """Raises `Stopping` if the process was asked to stop."""
        ...


class SystemClock:
    """The machine's own clock. `stop` is the event that a signal handler sets."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop = stop or threading.Event()

    def now(self) -> datetime:
        """The wall clock: aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds on a clock that is never set back, and that runs on while the machine is suspended."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Stopping` as soon as the process is asked to stop."""
        if self.stop.wait(max(0.0, seconds)):
            raise Stopping

    def check_stop(self) -> None:
        """Raises `Stopping` if the process was asked to stop."""
        if self.stop.is_set():
            raise Stopping
