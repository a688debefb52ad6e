"""When something befalls a worker: spread over its life, and crowded around the one unsafe request."""

import time
from enum import StrEnum, auto
from random import Random

from tests.processes.clinic import Clinic, is_look_at_patient
from tests.processes.worker import LOOK_SECONDS, WorkerProcess

SLOW_ANSWER_SECONDS = 0.5
GAP_SECONDS = 0.03
"""About what lies between two steps of the worker."""
LONGEST_WAIT_SECONDS = 15


class Moment(StrEnum):
    """Where in a worker's life it happens."""

    STARTING = auto()
    """Anywhere from its first instruction to its first tick's end."""
    READING = auto()
    """While it takes in sessions."""
    CLAIMING = auto()
    """Just after it read the patient: around the commit before the request."""
    WAITING = auto()
    """While Cliniko takes its time over the request: surely between claim and settle."""
    SETTLING = auto()
    """Just after the request arrived: around the commit after it."""


AROUND_THE_REQUEST = (Moment.CLAIMING, Moment.WAITING, Moment.SETTLING)
_LONGEST = {Moment.READING: 0.2, Moment.WAITING: SLOW_ANSWER_SECONDS}


class Ambush:
    """Lies in wait for a moment of a worker; laid before the documents arrive that lead the worker into it."""

    def __init__(self, moment: Moment, clinic: Clinic, random: Random) -> None:
        self.moment = moment
        self._clinic = clinic
        self._random = random
        self._seen = len(clinic.cliniko.requests)
        clinic.cliniko.faults.clear()
        if moment is Moment.WAITING:
            clinic.cliniko.fail_post(f"slow:{SLOW_ANSWER_SECONDS}")

    def wait(self, process: WorkerProcess, *, start_seconds: float = 1.5) -> None:
        """Wait for a random point of the moment; not for ever, and no longer than the process lives."""
        if self.moment is Moment.STARTING:
            time.sleep(self._random.uniform(0, start_seconds))
            return
        ends = time.monotonic() + LONGEST_WAIT_SECONDS
        while not self._has_come() and process.is_running and time.monotonic() < ends:
            time.sleep(LOOK_SECONDS)
        time.sleep(self._random.uniform(0, _LONGEST.get(self.moment, GAP_SECONDS)))

    def _has_come(self) -> bool:
        if self.moment is Moment.CLAIMING:
            return any(is_look_at_patient(request) for request in self._clinic.requests_since(self._seen))
        if self.moment is Moment.READING:
            return len(self._clinic.requests_since(self._seen)) > 0
        return self._clinic.posts(self._seen) > 0
