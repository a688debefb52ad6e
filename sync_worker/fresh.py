"""Answers of a service, each asked for once and relied upon for a minute."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sync_worker.clock import Clock

FRESH_SECONDS = 60.0
MOST_ANSWERS = 256
SIGN_SECONDS = 1.0

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Answered(Generic[V]):
    """An answer, when it was asked for, and until when on the monotonic clock it may be relied upon."""

    value: V
    asked_at: datetime
    until: float


class Fresh(Generic[K, V]):
    """Answers by question, in memory only, the oldest let go when there are too many. Thread-safe.

    Whoever asks what is being asked already waits for that answer, and asks anew where none came.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: OrderedDict[K, Answered[V]] = OrderedDict()
        self._underway: dict[K, threading.Event] = {}
        self._lock = threading.Lock()

    def get(self, question: K, ask: Callable[[], V]) -> Answered[V]:
        """The answer known, else what `ask` gives; it must not ask the same question.

        Raises what `ask` does, and `Stopping` where the process is asked to stop while another is asking.
        """
        while True:
            with self._lock:
                known = self._answers.get(question)
                if known is not None and self._clock.monotonic() < known.until:
                    return known
                other = self._underway.get(question)
                if other is None:
                    mine = self._underway[question] = threading.Event()
                    break
            while not other.wait(SIGN_SECONDS):
                self._clock.check_stop()  # a sign of life, too
        try:
            # counted from before the request
            asked_at, until = self._clock.now(), self._clock.monotonic() + FRESH_SECONDS
            found = Answered(ask(), asked_at, until)
            self._keep(question, found)
        finally:
            with self._lock:
                del self._underway[question]
            mine.set()
        return found

    def forget(self) -> None:
        """Let all of them go."""
        with self._lock:
            self._answers.clear()

    def _keep(self, question: K, found: Answered[V]) -> None:
        with self._lock:
            self._answers.pop(question, None)
            self._answers[question] = found
            if len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
