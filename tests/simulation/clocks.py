"""Time without waiting: true time, which the services live by, and the host's clocks, of which one may be wrong."""

from datetime import datetime, timedelta

from sync_worker.errors import Stopping
from tests.conftest import MORNING


class TrueTime:
    """The time that it really is. Stands still until somebody lets it pass."""

    def __init__(self, start: datetime = MORNING) -> None:
        self._start = start
        self.passed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.passed)

    def advance(self, seconds: float) -> None:
        self.passed += seconds


class HostClock:
    """The clocks of the worker's machine: the wall clock may be set, the monotonic one only runs."""

    def __init__(self, time: TrueTime) -> None:
        self.time = time
        self.skew = 0.0

    def now(self) -> datetime:
        return self.time.now() + timedelta(seconds=self.skew)

    def step(self, seconds: float) -> None:
        """Somebody, or a time service, sets the wall clock."""
        self.skew += seconds


class ProcessClock:
    """The host's clocks as one process sees them; `stopping` is the stop request that it got."""

    def __init__(self, host: HostClock) -> None:
        self._host = host
        self.stopping = False

    def now(self) -> datetime:
        return self._host.now()

    def monotonic(self) -> float:
        return 1000.0 + self._host.time.passed

    def sleep(self, seconds: float) -> None:
        self.check_stop()
        self._host.time.advance(max(0.0, seconds))

    def check_stop(self) -> None:
        if self.stopping:
            raise Stopping
